//! Room above the data of a panel: for notes on its points and for brackets over its bars.

use super::{Layout, Plot};
use crate::panel::Mark;

/// The least part of the y axis that data are taken to fill.
const LEAST_DATA: f64 = 0.05;

impl Layout<'_> {
    /// What a note above the highest datum, or brackets above it, need beyond the room there is; alike for all panels,
    /// so that axes with one range have one scale.
    pub(super) fn headroom(&self) -> f64 {
        let noted = self.plots.iter().filter(|p| p.marks.iter().any(|m| matches!(m, Mark::Note { .. })));
        let notes = noted.map(|p| self.style.small() + 6.0 - free(p) * self.plot_height);
        let brackets = self.plots.iter().map(|p| {
            let free = free(p);
            // What is kept free above takes its part of the room within the axis as well.
            (self.stack(p) - free * self.plot_height) / (1.0 - free).max(LEAST_DATA)
        });
        notes.chain(brackets).fold(0.0, f64::max)
    }

    /// By how much brackets make panels higher, so that their data keep their height.
    pub(super) fn raised(&self) -> f64 {
        self.plots.iter().map(|p| self.stack(p) - free(p) * self.plot_height).fold(0.0, f64::max)
    }

    /// What the brackets of a panel take.
    fn stack(&self, plot: &Plot) -> f64 {
        let brackets = plot.marks.iter().map(|mark| match mark {
            Mark::Brackets(brackets) => brackets.height(plot.x, self.plot_width),
            _ => 0.0,
        });
        brackets.fold(0.0, f64::max)
    }
}

/// The part of the y axis above the highest datum.
fn free(plot: &Plot) -> f64 {
    let (lo, hi) = plot.heights();
    let highest = plot.marks.iter().flat_map(Mark::heights).fold(f64::NEG_INFINITY, f64::max);
    (hi - highest) / (hi - lo)
}

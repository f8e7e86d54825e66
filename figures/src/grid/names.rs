//! Names of the places of an x axis: in lines below it, or turned where a word is wider than its place.

use super::{Layout, Plot};
use crate::canvas::{Anchor, Canvas, Type};
use crate::colour::INK;
use crate::font::Face;
use crate::panel::{Panel, TICK};
use crate::scale;
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// The longest turned name, in em.
const TURNED: f64 = 9.0;
/// Kept free between neighbouring names, in points.
const APART: f64 = 3.0;
/// The most lines of a name.
const LINES: usize = 3;

impl Layout<'_> {
    /// Writes the names; returns how far down they reach.
    pub(super) fn draw_names(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        panel: &Panel,
        names: &[String],
    ) -> f64 {
        let small = self.style.small();
        let top = panel.rect.bottom() + TICK + 1.6;
        let room = self.plot_width / (plot.x.1 - plot.x.0) - APART;
        let at = |place: usize| panel.at(place as f64, panel.y.lo).0;
        let names: Vec<Rich> = names.iter().map(|name| Rich::parse(name)).collect();
        if let Some(names) = upright(&names, small, room) {
            let kind = Type::new(small, INK).anchored(Anchor::Middle);
            for (place, lines) in names.iter().enumerate() {
                for (k, line) in lines.iter().enumerate() {
                    canvas.text(line, at(place), top + (ASCENT + k as f64 * LEADING) * small, kind);
                }
            }
            let lines = names.iter().map(Vec::len).max().unwrap_or(0).max(1) - 1;
            return top + (ASCENT + DESCENT + lines as f64 * LEADING) * small;
        }
        let most = (((room + APART) / (LEADING * small)) as usize).clamp(1, LINES);
        let names: Vec<_> =
            names.iter().map(|n| n.wrap(Face::Regular, small, TURNED * small, most)).collect();
        let tall = |lines: &[Rich]| ((lines.len().max(1) - 1) as f64 * LEADING + ASCENT + DESCENT) * small;
        let extents = names.iter().enumerate().map(|(i, n)| (at(i) - tall(n) / 2.0, at(i) + tall(n) / 2.0));
        let extents: Vec<_> = extents.collect();
        let kind = Type::new(small, INK).anchored(Anchor::End).upwards();
        let mut longest = 0.0f64;
        for ((lines, extent), _) in
            names.iter().zip(&extents).zip(scale::apart(&extents, 0.2)).filter(|name| name.1)
        {
            for (k, line) in lines.iter().enumerate() {
                canvas.text(line, extent.0 + (ASCENT + k as f64 * LEADING) * small, top, kind);
                longest = longest.max(line.width(Face::Regular, small));
            }
        }
        top + longest + 1.0
    }
}

/// The names in lines no wider than `room`, unless one would be cut or broken within a word.
fn upright(names: &[Rich], size: f64, room: f64) -> Option<Vec<Vec<Rich>>> {
    let word = |text: &str| Rich::parse(text).width(Face::Regular, size) <= room;
    let whole = |name: &Rich| name.plain().split_inclusive([' ', '-', '/', '_', '–']).all(word);
    let lines: Vec<_> = names.iter().map(|name| name.wrap(Face::Regular, size, room, LINES)).collect();
    let shown = |lines: &[Rich]| {
        lines.iter().flat_map(|l| l.plain().chars().collect::<Vec<_>>()).filter(|c| *c != ' ').count()
    };
    let kept = |(name, lines): (&Rich, &Vec<Rich>)| {
        shown(std::slice::from_ref(name)) == shown(lines) && !cut(lines, name)
    };
    (names.iter().all(whole) && names.iter().zip(&lines).all(kept)).then_some(lines)
}

fn cut(lines: &[Rich], name: &Rich) -> bool {
    let ends = |text: &Rich| text.plain().ends_with('…');
    lines.last().is_some_and(ends) && !ends(name)
}

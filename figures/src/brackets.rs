//! Brackets between two places of the x axis, with what a test says of their difference.

use crate::canvas::{Anchor, Canvas, Type};
use crate::colour::{INK, WHITE};
use crate::font::Face;
use crate::numbers::written;
use crate::panel::Panel;
use crate::style::Dash;
use crate::text::{ASCENT, DESCENT, Rich};

/// The length of a bracket's feet, in points.
const FEET: f64 = 1.8;
/// Between the line and its text, and between the text and what is above it, in points.
const CLEAR: f64 = 0.6;
/// Between what is drawn and the lowest bracket over it, in points.
const ABOVE: f64 = 2.2;

/// Brackets over the bars of a panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Brackets {
    /// Two places each, and the text.
    pub pairs: Vec<(f64, f64, String)>,
    /// What they must stay above: from, to, and how high.
    pub over: Vec<(f64, f64, f64)>,
    pub size: f64,
}

/// A bracket's ends and those of what it and its text take, in points from the panel's left.
struct Extent<'a> {
    ends: (f64, f64),
    taken: (f64, f64),
    text: &'a str,
}

impl Brackets {
    /// What one bracket takes, in points.
    fn row(&self) -> f64 {
        FEET + (ASCENT + DESCENT) * self.size + 2.0 * CLEAR
    }

    /// Narrow brackets first, which wide ones go around.
    fn extents(&self, (lo, hi): (f64, f64), width: f64) -> Vec<Extent<'_>> {
        let at = |x: f64| (x - lo) / (hi - lo) * width;
        let extent = |(a, b, text): &'_ (f64, f64, String)| {
            let ends = (at(a.min(*b)), at(a.max(*b)));
            let half = Rich::parse(text).width(Face::Regular, self.size) / 2.0 + 0.8;
            let middle = ((ends.0 + ends.1) / 2.0).min(width - half).max(half);
            (ends, ((middle - half).min(ends.0), (middle + half).max(ends.1)))
        };
        let all = self.pairs.iter().map(|pair| (extent(pair), pair.2.as_str()));
        let mut all: Vec<_> = all.map(|((ends, taken), text)| Extent { ends, taken, text }).collect();
        // Spans that differ by rounding alone are equal.
        let span = |e: &Extent<'_>| (100.0 * (e.ends.1 - e.ends.0)).round();
        all.sort_by(|a, b| span(a).total_cmp(&span(b)).then(a.ends.0.total_cmp(&b.ends.0)));
        all
    }

    /// The most room that they take above the highest datum of a panel of this range and width.
    pub fn height(&self, range: (f64, f64), width: f64) -> f64 {
        let mut levels: Vec<((f64, f64), usize)> = Vec::new();
        for extent in self.extents(range, width) {
            let below = levels.iter().filter(|level| meet(level.0, extent.taken)).map(|level| level.1);
            let level = below.max().unwrap_or(0) + 1;
            levels.push((extent.taken, level));
        }
        match levels.iter().map(|level| level.1).max() {
            Some(most) => ABOVE + most as f64 * self.row(),
            None => 0.0,
        }
    }

    /// Each as low as can be above the data it spans and the brackets before it.
    pub fn draw(&self, canvas: &mut Canvas, panel: &Panel) {
        let left = panel.rect.left;
        let at = |x: f64, y: f64| panel.at(x, y);
        let mut placed: Vec<((f64, f64), f64)> = Vec::new();
        for extent in self.extents((panel.x.lo, panel.x.hi), panel.rect.width) {
            let over =
                self.over.iter().map(|&(a, b, y)| ((at(a, y).0 - left, at(b, y).0 - left), at(a, y).1));
            let tops = over.filter(|(span, _)| meet(*span, extent.taken)).map(|(_, top)| top - ABOVE);
            let mut foot = tops.fold(panel.at(panel.x.lo, 0.0).1 - ABOVE, f64::min);
            let near = |foot: f64, other: f64| (foot - other).abs() < self.row() - 1e-9;
            let hit = |foot: f64, placed: &[((f64, f64), f64)]| {
                placed.iter().find(|p| meet(p.0, extent.taken) && near(foot, p.1)).map(|p| p.1)
            };
            while let Some(other) = hit(foot, &placed) {
                foot = other - self.row();
            }
            placed.push((extent.taken, foot));
            self.bracket(canvas, &extent, left, foot);
        }
    }

    fn bracket(&self, canvas: &mut Canvas, extent: &Extent<'_>, left: f64, foot: f64) {
        let ((from, to), line) = ((left + extent.ends.0, left + extent.ends.1), foot - FEET);
        canvas.stroke(&[(from, foot), (from, line), (to, line), (to, foot)], 0.5, INK, Dash::Solid);
        let text = Rich::parse(extent.text);
        let half = text.width(Face::Regular, self.size) / 2.0;
        // The text is in the middle of what is taken unless the bracket is wider at one side.
        let middle = ((from + to) / 2.0).min(left + extent.taken.1 - half).max(left + extent.taken.0 + half);
        let baseline = line - CLEAR - DESCENT * self.size;
        let (top, bottom) = (baseline - ASCENT * self.size, line - 0.4);
        let (start, end) = (middle - half, middle + half);
        canvas.fill(&[(start, bottom), (start, top), (end, top), (end, bottom)], WHITE, 0.85);
        canvas.text(&text, middle, baseline, Type::new(self.size, INK).anchored(Anchor::Middle));
    }
}

fn meet(a: (f64, f64), b: (f64, f64)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// "p = .003", "p < .001", "n.s." from 0.05 on: without the 0 that a probability has before its point.
pub(crate) fn p_text(symbol: &str, p: f64) -> String {
    match p {
        p if p >= NOT_SIGNIFICANT => "n.s.".into(),
        p if p < 0.001 => format!("{symbol} < {}", written(".001")),
        p => format!("{symbol} = {}", written(format!("{p:.3}").trim_start_matches('0'))),
    }
}

/// From here on a p says nothing.
pub(crate) const NOT_SIGNIFICANT: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p_has_no_nought_before_its_point() {
        let texts = [0.0004, 0.001, 0.0032, 0.049, 0.05, 1.0].map(|p| p_text("p", p));
        assert_eq!(texts, ["p < .001", "p = .001", "p = .003", "p = .049", "n.s.", "n.s."]);
    }

    #[test]
    fn brackets_that_cross_are_stacked_and_those_apart_are_not() {
        let text = || "n.s.".to_owned();
        let brackets = |pairs| Brackets { pairs, over: Vec::new(), size: 7.0 };
        let height = |pairs| brackets(pairs).height((0.0, 10.0), 200.0);
        let one = height(vec![(0.5, 2.5, text())]);
        assert_eq!(height(vec![(0.5, 2.5, text()), (6.0, 8.0, text())]), one);
        let two = height(vec![(0.5, 2.5, text()), (2.0, 8.0, text())]);
        assert!((two - one - brackets(Vec::new()).row()).abs() < 1e-9);
        assert_eq!(height(Vec::new()), 0.0);
    }
}

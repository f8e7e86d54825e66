//! Bars that stand on 0, told apart by lightness and hatching as well as by colour.

use crate::canvas::Canvas;
use crate::colour::{INK, MUTED, Rgb, WHITE};
use crate::heat::hatch;
use crate::panel::{Datum, Panel};
use crate::style::{Dash, Style};

/// The lightness (CIE L*) of the first and of the last of several fills: ink is seen on the one, and the other on white.
const DARKEST: f64 = 50.0;
const LIGHTEST: f64 = 86.0;
/// The way from the one to the other of a fill that is alone.
const ALONE: f64 = 0.4;
/// The distance of hatching, in points.
const HATCH: f64 = 2.8;

/// How the bars of one model look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BlockLook {
    pub fill: Rgb,
    pub edge: Rgb,
    pub hatched: bool,
}

impl BlockLook {
    /// The look of the one with this place among `count`: fills grow lighter, and every second one is hatched.
    pub fn of(style: &Style, index: usize, count: usize) -> BlockLook {
        let colour = style.look(index).colour;
        let t = if count == 1 { ALONE } else { index as f64 / (count.max(2) - 1) as f64 };
        let wanted = DARKEST + (LIGHTEST - DARKEST) * t;
        let end = if colour.lightness() > wanted { Rgb(0, 0, 0) } else { WHITE };
        let steps = (0..=100).map(|step| colour.towards(end, f64::from(step) / 100.0));
        let off = |c: &Rgb| (c.lightness() - wanted).abs();
        let fill = steps.reduce(|best, next| if off(&next) < off(&best) { next } else { best });
        BlockLook { fill: fill.unwrap_or(colour), edge: colour.as_ink(), hatched: index % 2 == 1 }
    }
}

/// A filled rectangle, from its lower left to its upper right corner.
pub(crate) fn block(canvas: &mut Canvas, [from, to]: [(f64, f64); 2], look: BlockLook) {
    let corners = [from, (to.0, from.1), to, (from.0, to.1), from, (to.0, from.1)];
    canvas.fill(&corners[..4], look.fill, 1.0);
    if look.hatched {
        hatch(canvas, [from, to], HATCH, look.edge);
    }
    canvas.stroke(&corners, 0.5, look.edge, Dash::Solid);
}

/// Bars of one look from 0 to their values, `width` wide in units of x; a small cross where a value is missing.
pub(crate) fn draw(canvas: &mut Canvas, panel: &Panel, bars: &[Datum], width: f64, look: BlockLook) {
    for &(x, value) in bars {
        let (left, right) = (x - width / 2.0, x + width / 2.0);
        match value {
            Some(value) => {
                let (foot, top) = (panel.at(left, value.min(0.0)), panel.at(right, value.max(0.0)));
                block(canvas, [foot, top], look);
            }
            None => {
                let (x, y) = panel.at(x, 0.0);
                let (y, r) = (y - 3.6, 1.5);
                canvas.stroke(&[(x - r, y - r), (x + r, y + r)], 0.6, MUTED, Dash::Solid);
                canvas.stroke(&[(x - r, y + r), (x + r, y - r)], 0.6, MUTED, Dash::Solid);
            }
        }
    }
}

/// A dark line with a light border, seen on any fill.
pub(crate) fn level(canvas: &mut Canvas, ends: [(f64, f64); 2]) {
    canvas.stroke(&ends, 1.9, WHITE, Dash::Solid);
    canvas.stroke(&ends, 0.8, INK, Dash::Solid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Theme;

    #[test]
    fn fills_grow_lighter_in_any_theme() {
        for theme in [Theme::paper(), Theme::grey()] {
            let style = Style { theme, ..Style::default() };
            for count in 2..=7 {
                let looks = (0..count).map(|k| BlockLook::of(&style, k, count).fill.lightness());
                let looks: Vec<f64> = looks.collect();
                assert!(looks.windows(2).all(|w| w[1] - w[0] > 4.0), "{looks:?}");
            }
        }
    }
}

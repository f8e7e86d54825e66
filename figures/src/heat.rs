//! Numbers as colours: the scale, its bar, and cells without a number.

use serde::{Deserialize, Serialize};

use crate::canvas::{Anchor, Canvas, Type};
use crate::colour::{ColourMap, DIVERGING, INK, Rgb, SEQUENTIAL};
use crate::data::check_number;
use crate::error::Result;
use crate::font::Face;
use crate::panel::TICK;
use crate::scale;
use crate::style::{Dash, Style};
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// Space kept free at the sheet's edge, in points.
pub(crate) const EDGE: f64 = 1.5;
/// Space between what is coloured and the bar.
const BESIDE: f64 = 7.0;
const BAR_WIDTH: f64 = 7.0;
const GAP_TINT: Rgb = Rgb(232, 232, 232);
const GAP_LINE: Rgb = Rgb(165, 165, 165);

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum HeatColours {
    /// Blue below, red above, near-white at the null value, equally strong at equal distance from it.
    Diverging {
        /// The value that means nothing happened.
        null: f64,
        /// The distance from the null where the colours end; None takes the greatest in the data. A
        /// smaller one draws what lies beyond in the end's colour and says so by a pointed colour bar.
        reach: Option<f64>,
    },
    /// Dark to light, for values with no natural middle.
    Sequential {
        /// Where the colours begin and end; None takes the range of the data.
        range: Option<(f64, f64)>,
    },
}

/// The colour scale, resolved against the data.
pub(crate) struct Scale {
    map: ColourMap,
    lo: f64,
    hi: f64,
    ticks: Vec<f64>,
    /// Whether values lie beyond the lower end.
    pub below: bool,
    /// Whether values lie beyond the upper end.
    pub above: bool,
}

impl Scale {
    pub fn colour(&self, value: f64) -> Rgb {
        self.map.at((value - self.lo) / (self.hi - self.lo))
    }
}

impl HeatColours {
    pub(crate) fn resolve(self, values: &[f64]) -> Scale {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (map, lo, hi, ticks) = match self {
            HeatColours::Diverging { null, reach } => {
                let far = (least - null).abs().max((most - null).abs());
                let reach = reach.unwrap_or(if far > 0.0 { far } else { 1.0 });
                let (lo, hi) = (null - reach, null + reach);
                (DIVERGING, lo, hi, scale::multiples(lo, hi, scale::nice_step(reach / 2.5), null))
            }
            HeatColours::Sequential { range } => {
                let (lo, hi) =
                    range.unwrap_or(if least < most { (least, most) } else { scale::padded(least, most) });
                (SEQUENTIAL, lo, hi, scale::ticks(lo, hi, 5))
            }
        };
        let slack = 1e-9 * (hi - lo);
        Scale { map, lo, hi, ticks, below: least < lo - slack, above: most > hi + slack }
    }

    pub(crate) fn check(self, what: &str) -> Result<()> {
        match self {
            HeatColours::Diverging { null, reach } => {
                check_number(&format!("{what}, null"), null)?;
                reach.map_or(Ok(()), |r| crate::data::check_range(&format!("{what}, reach"), (0.0, r)))
            }
            HeatColours::Sequential { range } => {
                range.map_or(Ok(()), |r| crate::data::check_range(&format!("{what}, range"), r))
            }
        }
    }
}

/// The colour bar with its ticks and its title.
pub(crate) struct ColourBar {
    pub scale: Scale,
    labels: Vec<String>,
    title: Vec<Rich>,
}

impl ColourBar {
    /// A bar whose title has `room` along it.
    pub fn new(scale: Scale, title: &str, style: &Style, room: f64) -> ColourBar {
        let labels = scale::tick_labels(&scale.ticks);
        let title = Rich::parse(title).wrap(Face::Regular, style.font_size, room, 3);
        ColourBar { scale, labels, title }
    }

    /// What it takes to the right of what is coloured, up to the sheet's edge.
    pub fn width(&self, style: &Style) -> f64 {
        let label = |text: &String| Rich::parse(text).width(Face::Regular, style.small());
        let labels = self.labels.iter().map(label).fold(0.0, f64::max);
        BESIDE
            + BAR_WIDTH
            + TICK
            + 1.6
            + labels
            + 2.6
            + self.title.len() as f64 * LEADING * style.font_size
            + EDGE
    }

    /// Draws it beside what ends at `right`, from `top` to `bottom`; returns how far down it and its title reach.
    pub fn draw(&self, canvas: &mut Canvas, style: &Style, right: f64, (top, bottom): (f64, f64)) -> f64 {
        let (size, small) = (style.font_size, style.small());
        let point = 5.0;
        let (bar_top, bar_bottom) = (
            top + if self.scale.above { point } else { 0.0 },
            bottom - if self.scale.below { point } else { 0.0 },
        );
        let (left, right) = (right + BESIDE, right + BESIDE + BAR_WIDTH);
        let steps = 128;
        for k in 0..steps {
            let at = |k: i32| bar_bottom + (bar_top - bar_bottom) * f64::from(k) / f64::from(steps);
            let (low, high) = (at(k), (at(k + 1) - 0.3).max(bar_top));
            let colour = self.scale.map.at((f64::from(k) + 0.5) / f64::from(steps));
            canvas.fill(&[(left, low), (right, low), (right, high), (left, high)], colour, 1.0);
        }
        let mut outline = vec![(left, bar_bottom), (left, bar_top)];
        let middle = (left + right) / 2.0;
        // The points reach a little into the bar, so that no seam shows.
        let mut cap = |base: f64, tip: f64, t: f64| {
            let inside = base + (base - tip).signum() * 0.4;
            let corners = [(left, inside), (left, base), (middle, tip), (right, base), (right, inside)];
            canvas.fill(&corners, self.scale.map.at(t), 1.0);
        };
        if self.scale.above {
            cap(bar_top, top, 1.0);
            outline.push((middle, top));
        }
        outline.extend([(right, bar_top), (right, bar_bottom)]);
        if self.scale.below {
            cap(bar_bottom, bottom, 0.0);
            outline.push((middle, bottom));
        }
        outline.push((left, bar_bottom));
        canvas.stroke(&outline, 0.4, INK, Dash::Solid);
        let kind = Type::new(small, INK);
        let mut edge = right;
        let height = |value: &f64| {
            bar_bottom + (bar_top - bar_bottom) * (value - self.scale.lo) / (self.scale.hi - self.scale.lo)
        };
        // From the bar's top, and as many labels as do not touch.
        let places: Vec<f64> = self.scale.ticks.iter().rev().map(height).collect();
        let extents: Vec<_> = places.iter().map(|y| (y - ASCENT * small, y + DESCENT * small)).collect();
        let labels = self.labels.iter().rev().zip(scale::apart(&extents, 0.0));
        for (y, (label, room)) in places.into_iter().zip(labels) {
            canvas.stroke(&[(right, y), (right + TICK, y)], 0.5, INK, Dash::Solid);
            let label = Rich::parse(label);
            edge = edge.max(right + TICK + 1.6 + label.width(Face::Regular, small));
            if room {
                canvas.text(&label, right + TICK + 1.6, y + 0.33 * small, kind);
            }
        }
        let kind = Type::new(size, INK).anchored(Anchor::Middle).upwards();
        let half = self.title.iter().map(|l| l.width(Face::Regular, size)).fold(0.0, f64::max) / 2.0;
        let centre = ((top + bottom) / 2.0).max(EDGE + half);
        for (k, line) in self.title.iter().enumerate() {
            canvas.text(line, edge + 2.6 + (ASCENT + k as f64 * LEADING) * size, centre, kind);
        }
        (centre + half).max(bottom)
    }
}

/// A cell without a value: grey and hatched, unlike any colour of the maps.
pub(crate) fn draw_gap(canvas: &mut Canvas, [from, to]: [(f64, f64); 2]) {
    canvas.fill(&[from, (to.0, from.1), to, (from.0, to.1)], GAP_TINT, 1.0);
    hatch(canvas, [from, to], 2.5, GAP_LINE);
}

/// Rising strokes in a rectangle from its lower left to its upper right corner, `apart` points from each other.
pub(crate) fn hatch(canvas: &mut Canvas, [from, to]: [(f64, f64); 2], apart: f64, colour: Rgb) {
    let height = from.1 - to.1;
    let mut lines = Vec::new();
    let mut x = from.0 - height + 1.5;
    while x < to.0 {
        // The stroke rises at 45 degrees from (x, foot); keep the part inside the cell.
        let (a, b) = (x.max(from.0), (x + height).min(to.0));
        if b > a {
            lines.push([(a, from.1 - (a - x)), (b, from.1 - (b - x))]);
        }
        x += apart;
    }
    canvas.strokes_of(&lines, 0.35, colour);
}

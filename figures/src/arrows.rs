//! Ways through a plane: arrows from place to place, crosses of intervals, names at the ends.

use crate::canvas::{Canvas, Type};
use crate::colour::Rgb;
use crate::panel::{Datum, Mark, Panel};
use crate::place;
use crate::style::{Dash, Look};
use crate::text::Rich;

/// The length of an arrow's head and half its width, in points.
const HEAD: (f64, f64) = (4.6, 1.75);
/// A way shorter than this, in points, has no direction that can be seen.
const LEAST: f64 = 0.6;
/// How far from its place a name stands at least, and how far ink around a place is its own, in points.
const TIP: f64 = 2.6;
const OWN: f64 = 5.0;

/// A place with the ends of its intervals along both axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cross {
    pub x: f64,
    pub y: f64,
    pub across: Option<(f64, f64)>,
    pub upright: Option<(f64, f64)>,
}

impl Cross {
    /// Its lines, in the units of the panel.
    pub fn lines(&self) -> impl Iterator<Item = [(f64, f64); 2]> {
        let across = self.across.map(|(lo, hi)| [(lo, self.y), (hi, self.y)]);
        let upright = self.upright.map(|(lo, hi)| [(self.x, lo), (self.x, hi)]);
        across.into_iter().chain(upright)
    }
}

/// The name of what ends at a place, in its colour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tip {
    pub x: f64,
    pub y: f64,
    pub name: String,
    pub colour: Rgb,
}

/// An arrow between any two neighbouring points that are both there.
pub(crate) fn draw(canvas: &mut Canvas, panel: &Panel, points: &[Datum], look: Look) {
    for pair in points.windows(2) {
        if let (Some(from), Some(to)) = (pair[0].1, pair[1].1) {
            arrow(canvas, panel.at(pair[0].0, from), panel.at(pair[1].0, to), look);
        }
    }
}

/// An arrow between two places on the sheet; a short one has a small head.
pub(crate) fn arrow(canvas: &mut Canvas, from: (f64, f64), to: (f64, f64), look: Look) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    if length < LEAST {
        return;
    }
    let (along, across) = ((dx / length, dy / length), (-dy / length, dx / length));
    let small = (0.75 * length / HEAD.0).min(1.0);
    let (head, half) = (HEAD.0 * small, HEAD.1 * small.max(0.6));
    let corner = |back: f64, side: f64| {
        (to.0 - back * along.0 + side * across.0, to.1 - back * along.1 + side * across.1)
    };
    canvas.stroke(&[from, corner(0.7 * head, 0.0)], 1.1, look.colour, look.dash);
    canvas.fill(&[to, corner(head, half), corner(0.75 * head, 0.0), corner(head, -half)], look.colour, 1.0);
}

pub(crate) fn cross(canvas: &mut Canvas, panel: &Panel, cross: &Cross, colour: Rgb) {
    for [from, to] in cross.lines() {
        canvas.stroke(&[panel.at(from.0, from.1), panel.at(to.0, to.1)], 0.6, colour, Dash::Solid);
    }
}

/// Names beside their places where there is room; the first choose first.
pub(crate) fn tips(canvas: &mut Canvas, panel: &Panel, tips: &[Tip], size: f64, all: &[Mark]) {
    let mut ink = place::ink_of(panel, all);
    for tip in tips {
        let (name, at) = (Rich::parse(&tip.name), panel.at(tip.x, tip.y));
        let kind = Type::new(size, tip.colour.as_ink());
        // A name may be tied to its place through the middle of its own cross.
        let around: Vec<_> = ink.iter().filter(|i| (i.0 - at.0).hypot(i.1 - at.1) > OWN).copied().collect();
        let found = place::beside(panel, at, TIP, &name, kind, &around, canvas.texts());
        let Some((left, baseline, leader)) = found.filter(|_| !name.is_empty()) else { continue };
        if let Some(leader) = leader {
            canvas.stroke(&leader, 0.35, tip.colour.as_ink(), Dash::Solid);
            ink.extend(place::along(leader));
        }
        canvas.text(&name, left, baseline, kind);
    }
}

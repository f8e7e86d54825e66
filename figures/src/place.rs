//! Places for texts among marks.

use crate::canvas::{TextBox, Type};
use crate::font::Face;
use crate::panel::{Mark, Panel, Rect};
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// A place for a note close to its point where it covers the least ink, no other text, and stays on
/// the panel. The place is the middle of its baseline.
pub(crate) fn near(
    panel: &Panel,
    (x, y): (f64, f64),
    text: &Rich,
    kind: Type,
    all: &[Mark],
    texts: &[TextBox],
) -> (f64, f64) {
    let ink = ink_of(panel, all);
    let r = panel.rect;
    let half = text.width(kind.face, kind.size) / 2.0;
    let (first, last) = (r.left + half + 1.0, r.right() - half);
    let mut best = (f64::INFINITY, (x, y));
    for (step, side) in (0..24).flat_map(|step| [0.0, -0.5, 0.5, -1.0, 1.0].map(|side| (step, side))) {
        let x = (x + side * half).clamp(first, last.max(first));
        let away = 4.0 + f64::from(step) * 2.0;
        for y in [y - away - DESCENT * kind.size, y + away + ASCENT * kind.size] {
            let place = kind.place(text, x, y);
            let hidden = texts.iter().filter(|t| t.overlaps(&place)).count() as f64 * 1000.0;
            let cost = covered(&place, &ink)
                + f64::from(step) * 0.4
                + side.abs()
                + outside(&place, r) * 50.0
                + hidden;
            if cost < best.0 {
                best = (cost, (x, y));
            }
        }
    }
    best.1
}

fn covered(place: &TextBox, ink: &[(f64, f64)]) -> f64 {
    let pad = 1.0;
    ink.iter()
        .filter(|(x, y)| {
            (place.left - pad..=place.right + pad).contains(x)
                && (place.top - pad..=place.bottom + pad).contains(y)
        })
        .count() as f64
}

fn outside(place: &TextBox, r: Rect) -> f64 {
    (r.top - place.top).max(0.0) + (place.bottom - r.bottom()).max(0.0)
}

/// A straight line on the sheet.
type Stroke = [(f64, f64); 2];

/// The nearest place beside a point, of radius `r`, where a text covers nothing at all and stays on the panel:
/// the start of its baseline, and the line that ties it to the point where it does not stand right beside it.
/// None where there is no such room close by.
pub(crate) fn beside(
    panel: &Panel,
    (x, y): (f64, f64),
    r: f64,
    text: &Rich,
    kind: Type,
    ink: &[(f64, f64)],
    texts: &[TextBox],
) -> Option<(f64, f64, Option<Stroke>)> {
    let width = text.width(kind.face, kind.size);
    // No place considered reaches further.
    let (across, down) = (width + 24.0 + r, 2.0 * kind.size + 24.0 + r);
    let near = |at: &&(f64, f64)| {
        let (dx, dy) = ((at.0 - x).abs(), (at.1 - y).abs());
        (dx > 0.3 || dy > 0.3) && dx < across && dy < down
    };
    let ink: Vec<_> = ink.iter().filter(near).copied().collect();
    let places = [0.0, 4.0, 8.0, 12.0].into_iter().flat_map(|away| {
        let (gap, slant) = (r + 1.4 + away, 0.7 * (r + away) + 0.8);
        let (middle, above, below) = (y + 0.31 * kind.size, y - slant, y + slant + 0.62 * kind.size);
        [
            (x + gap, middle),
            (x - gap - width, middle),
            (x + slant, above),
            (x + slant, below),
            (x - slant - width, above),
            (x - slant - width, below),
            (x - width / 2.0, y - gap - DESCENT * kind.size),
            (x - width / 2.0, y + gap + ASCENT * kind.size),
        ]
    });
    places.into_iter().find_map(|(left, baseline)| {
        let place = kind.place(text, left, baseline);
        let on_panel = place.left >= panel.rect.left + 0.5
            && place.right <= panel.rect.right()
            && outside(&place, panel.rect) == 0.0;
        let free = on_panel && covered(&place, &ink) == 0.0 && !texts.iter().any(|t| t.overlaps(&place));
        let leader = leader((x, y), r, &place);
        let clear = |at: (f64, f64)| {
            let near = |ink: &(f64, f64)| (ink.0 - at.0).hypot(ink.1 - at.1) < 1.8;
            let within = |t: &TextBox| t.left < at.0 && at.0 < t.right && t.top < at.1 && at.1 < t.bottom;
            !ink.iter().any(near) && !texts.iter().any(within)
        };
        (free && leader.is_none_or(|l| along(l).all(clear))).then_some((left, baseline, leader))
    })
}

/// The line from a point's edge to its name, where the name does not stand right beside it.
fn leader((x, y): (f64, f64), r: f64, name: &TextBox) -> Option<Stroke> {
    let to = (x.clamp(name.left - 0.6, name.right + 0.6), y.clamp(name.top, name.bottom));
    let length = (to.0 - x).hypot(to.1 - y);
    let from = (x + (to.0 - x) * r / length, y + (to.1 - y) * r / length);
    (length > r + 3.0).then_some([from, to])
}

/// Places along a line.
pub(crate) fn along([a, b]: Stroke) -> impl Iterator<Item = (f64, f64)> {
    (0..=12).map(|k| f64::from(k) / 12.0).map(move |t| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)))
}

/// The lines of a note, each wrapped to the panel, and the corner where they cover the least ink.
pub(crate) fn corner(panel: &Panel, note: &[String], size: f64, all: &[Mark]) -> (Vec<Rich>, Rect) {
    const INSET: f64 = 3.0;
    let r = panel.rect;
    let room = (r.width - 2.0 * INSET).max(1.0);
    let lines: Vec<_> = note.iter().flat_map(|l| Rich::parse(l).wrap(Face::Regular, size, room, 2)).collect();
    let width = lines.iter().map(|l| l.width(Face::Regular, size)).fold(0.0, f64::max);
    let height = ((lines.len().max(1) - 1) as f64 * LEADING + ASCENT + DESCENT) * size;
    let ink = ink_of(panel, all);
    let cost = |place: &Rect| {
        let (left, top) = (place.left - 1.5, place.top - 1.5);
        let (right, bottom) = (place.right() + 1.5, place.bottom() + 1.5);
        covered(&TextBox { text: String::new(), left, top, right, bottom }, &ink)
    };
    let (left, right) = (r.left + INSET, r.right() - INSET - width);
    let (top, bottom) = (r.top + INSET - 1.0, r.bottom() - INSET - height);
    let corners = [(left, top), (right, bottom), (right, top), (left, bottom)].map(|(left, top)| Rect {
        left,
        top,
        width,
        height,
    });
    let best =
        corners.iter().copied().reduce(|best, next| if cost(&next) < cost(&best) { next } else { best });
    (lines, best.unwrap_or(corners[0]))
}

/// The ink of all marks.
pub(crate) fn ink_of(panel: &Panel, all: &[Mark]) -> Vec<(f64, f64)> {
    all.iter().flat_map(|m| m.ink(panel)).collect()
}

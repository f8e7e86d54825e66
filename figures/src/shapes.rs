//! Marks that plotters has no element for: boxes, horizontal intervals, arrows, brackets.

use crate::canvas::{Anchor, Canvas, Type};
use crate::colour::{INK, Rgb};
use crate::font::Face;
use crate::panel::{Bracket, Extent, Panel};
use crate::style::Dash;
use crate::text::Rich;

/// The length of an arrow's head and half its width, in widths of its line.
const HEAD: (f64, f64) = (3.6, 1.7);
/// The height of a bracket's ends, in points.
const LEG: f64 = 2.0;

/// Filled boxes, with an outline where it has another colour.
pub(crate) fn boxes(panel: &Panel, canvas: &mut Canvas, boxes: &[Extent], fill: Rgb, edge: Rgb) {
    // A hair's breadth over its neighbours, so that no seam shows in print.
    let over = if fill == edge { 0.06 } else { 0.0 };
    for ((left, right), (from, to)) in boxes {
        let ((x0, y0), (x1, y1)) = (panel.at(*left, *from), panel.at(*right, *to));
        let (x1, y1) = (x1 + over, y1 - over);
        let corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)];
        canvas.fill(&corners, fill, 1.0);
        if fill != edge {
            canvas.stroke(&[corners[0], corners[3], corners[2], corners[1]], 0.6, edge, Dash::Solid);
        }
    }
}

/// Horizontal intervals.
pub(crate) fn spans(panel: &Panel, canvas: &mut Canvas, spans: &[(f64, (f64, f64))], colour: Rgb) {
    for (y, (lo, hi)) in spans {
        canvas.stroke(&[panel.at(*lo, *y), panel.at(*hi, *y)], 0.7, colour, Dash::Solid);
    }
}

/// Arrows from point to point, each with its head at its end.
pub(crate) fn arrows(
    panel: &Panel,
    canvas: &mut Canvas,
    points: &[(f64, f64)],
    (colour, dash, width): (Rgb, Dash, f64),
) {
    for pair in points.windows(2) {
        let (from, to) = (panel.at(pair[0].0, pair[0].1), panel.at(pair[1].0, pair[1].1));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length < 0.1 {
            continue;
        }
        let (ux, uy) = (dx / length, dy / length);
        let head = (HEAD.0 * width * canvas.strokes()).min(length);
        let half = head * HEAD.1 / HEAD.0;
        let neck = (to.0 - ux * head, to.1 - uy * head);
        canvas.stroke(&[from, (to.0 - ux * head * 0.8, to.1 - uy * head * 0.8)], width, colour, dash);
        canvas.fill(
            &[to, (neck.0 - uy * half, neck.1 + ux * half), (neck.0 + uy * half, neck.1 - ux * half)],
            colour,
            1.0,
        );
    }
}

/// What a bracket takes along x, its text included, which is given the width of a group.
fn reach(bracket: &Bracket) -> (f64, f64) {
    let middle = (bracket.from + bracket.to) / 2.0;
    (bracket.from.min(middle - 0.5), bracket.to.max(middle + 0.5))
}

/// The row of each bracket, 0 the lowest: short ones below, and none over another.
fn rows(brackets: &[Bracket]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..brackets.len()).collect();
    order.sort_by(|&a, &b| {
        let span = |i: usize| brackets[i].to - brackets[i].from;
        span(a).total_cmp(&span(b)).then(brackets[a].from.total_cmp(&brackets[b].from))
    });
    let mut placed: Vec<Option<usize>> = vec![None; brackets.len()];
    for i in order {
        let touches = |other: usize| {
            let (a, b) = (reach(&brackets[i]), reach(&brackets[other]));
            a.0 < b.1 && b.0 < a.1
        };
        let taken =
            |row: usize| (0..brackets.len()).any(|other| placed[other] == Some(row) && touches(other));
        placed[i] = (0..).find(|&row| !taken(row));
    }
    placed.into_iter().map(|row| row.unwrap_or(0)).collect()
}

/// The height of a row of brackets with their texts.
fn row_height(size: f64) -> f64 {
    1.12 * size + LEG + 0.8
}

/// What brackets need above the data, in points.
pub(crate) fn height(brackets: &[Bracket], size: f64) -> f64 {
    let count = rows(brackets).into_iter().max().map_or(0, |row| row + 1);
    count as f64 * row_height(size) + 2.0
}

/// Brackets in rows above the data, each with its text on it.
pub(crate) fn brackets(panel: &Panel, canvas: &mut Canvas, brackets: &[Bracket], size: f64) {
    let foot = panel.rect.top + panel.headroom;
    let kind = Type::new(size, INK).anchored(Anchor::Middle);
    for (bracket, row) in brackets.iter().zip(rows(brackets)) {
        let y = foot - 1.0 - row as f64 * row_height(size) - LEG;
        let (from, to) = (panel.at(bracket.from, panel.y.lo).0, panel.at(bracket.to, panel.y.lo).0);
        canvas.stroke(&[(from, y + LEG), (from, y), (to, y), (to, y + LEG)], 0.5, INK, Dash::Solid);
        let (left, right) = reach(bracket);
        let room = (panel.at(right, panel.y.lo).0 - panel.at(left, panel.y.lo).0 - 3.0).max(1.0);
        let text = Rich::parse(&bracket.text).shorten(Face::Regular, size, room);
        let half = text.width(Face::Regular, size) / 2.0;
        let middle = ((from + to) / 2.0).max(panel.rect.left + half + 1.0).min(panel.rect.right() - half);
        canvas.text(&text, middle, y - 1.2, kind);
    }
}

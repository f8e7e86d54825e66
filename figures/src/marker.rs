//! The shapes of points.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::Circle;

use crate::canvas::{Canvas, UNIT};
use crate::colour::{Rgb, WHITE};
use crate::panel::{paint, units};
use crate::style::{Dash, Fill, Look, Marker};

/// How much of its colour a clear marker has.
pub(crate) const CLEAR: f64 = 0.55;
/// The outline of a hollow marker, in points.
const OUTLINE: f64 = 0.8;

/// Draws a marker of the given radius at a place in points. Shapes are sized to look equally heavy.
pub(crate) fn marker(canvas: &mut Canvas, (x, y): (f64, f64), look: Look, r: f64) {
    let corners: &[(f64, f64)] = match look.marker {
        Marker::Disc => return round(canvas, (x, y), look, r),
        Marker::Ring => {
            disc(canvas, (x, y), r * 1.1, look.colour, 1.0);
            return disc(canvas, (x, y), r * 0.55, WHITE, 1.0);
        }
        Marker::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        Marker::Triangle => &[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
        Marker::Down => &[(0.0, 1.25), (1.15, -0.8), (-1.15, -0.8)],
        Marker::Diamond => &[(0.0, -1.35), (1.2, 0.0), (0.0, 1.35), (-1.2, 0.0)],
    };
    if (look.marker, look.fill) == (Marker::Square, Fill::Solid) {
        return square(canvas, (x, y), r * 0.9, look.colour);
    }
    let r = r * canvas.strokes();
    let mut path: Vec<_> = corners.iter().map(|&(dx, dy)| (x + dx * r, y + dy * r)).collect();
    match look.fill {
        Fill::Solid => canvas.fill(&path, look.colour, 1.0),
        Fill::Clear => canvas.fill(&path, look.colour, CLEAR),
        Fill::Hollow => {
            canvas.fill(&path, WHITE, 1.0);
            // Past the first corner, so that the last joint is as round as the others.
            path.extend([path[0], path[1]]);
            canvas.stroke(&path, OUTLINE, look.colour, Dash::Solid);
        }
    }
}

fn round(canvas: &mut Canvas, at: (f64, f64), look: Look, r: f64) {
    match look.fill {
        Fill::Solid => disc(canvas, at, r, look.colour, 1.0),
        Fill::Clear => disc(canvas, at, r, look.colour, CLEAR),
        Fill::Hollow => {
            disc(canvas, at, r + OUTLINE / 2.0, look.colour, 1.0);
            disc(canvas, at, r - OUTLINE / 2.0, WHITE, 1.0);
        }
    }
}

fn disc(canvas: &mut Canvas, (x, y): (f64, f64), r: f64, colour: Rgb, alpha: f64) {
    let centre = ((x * UNIT).round() as i32, (y * UNIT).round() as i32);
    let area: DrawingArea<_, Shift> = canvas.pen(Dash::Solid).into_drawing_area();
    // A pen cannot fail: it appends to a string.
    let _ = area.draw(&Circle::new(centre, units(r), paint(colour, alpha).filled()));
}

pub(crate) fn square(canvas: &mut Canvas, (x, y): (f64, f64), half: f64, colour: Rgb) {
    let half = half * canvas.strokes();
    canvas.fill(
        &[(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)],
        colour,
        1.0,
    );
}

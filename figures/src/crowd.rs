//! What shows of very many points on paper: the rest takes room in the file and changes nothing that can be seen. The
//! CSV holds all of them.

use std::collections::HashMap;

use crate::canvas::Canvas;
use crate::marker::{CLEAR, marker};
use crate::style::{Fill, Look, Marker};

/// Grid points a point, on which two places are one.
const GRID: f64 = 10.0;
/// More markers than this are drawn together.
const CROWD: usize = 2000;
/// So many clear markers over one another are as good as opaque.
const DEEP: usize = 6;

/// Draws markers that look alike. Of those within the same tenth of a point one is drawn, of clear ones as many as make
/// it opaque.
pub(crate) fn markers(canvas: &mut Canvas, places: &[(f64, f64)], look: Look, radius: f64) {
    let most = if look.fill == Fill::Clear { DEEP } else { 1 };
    let on_grid = depths(places, 1.0 / GRID);
    let shown: Vec<_> = places.iter().zip(on_grid).filter(|p| p.1 < most).map(|p| *p.0).collect();
    let disc = look.marker == Marker::Disc && look.fill != Fill::Hollow;
    if shown.len() <= CROWD || !disc {
        return shown.into_iter().for_each(|at| marker(canvas, at, look, radius));
    }
    if look.fill == Fill::Solid {
        return canvas.dots(&shown, radius * canvas.strokes(), look.colour, 1.0);
    }
    // Layer by layer, each place of the size of a marker once a layer, so that a crowd still shows where it is dense.
    let radius = radius * canvas.strokes();
    let depths = depths(&shown, radius);
    for depth in 0..DEEP {
        let layer = shown.iter().zip(&depths).filter(|p| (*p.1).min(DEEP - 1) == depth).map(|p| *p.0);
        canvas.dots(&layer.collect::<Vec<_>>(), radius, look.colour, CLEAR);
    }
}

/// Where markers have ink, for texts to keep off: of a crowd one place a square point.
pub(crate) fn ink(places: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if places.len() <= CROWD {
        return places;
    }
    let depths = depths(&places, 1.0);
    places.into_iter().zip(depths).filter(|p| p.1 == 0).map(|p| p.0).collect()
}

/// How many places before each lie in the same square of a grid.
fn depths(places: &[(f64, f64)], side: f64) -> Vec<usize> {
    let mut seen: HashMap<(i64, i64), usize> = HashMap::new();
    let square = |v: f64| (v / side).round() as i64;
    let next = |&(x, y): &(f64, f64)| {
        let count = seen.entry((square(x), square(y))).or_default();
        *count += 1;
        *count - 1
    };
    places.iter().map(next).collect()
}

/// The points of a line that show: of neighbours within a tenth of a point of x the first, the lowest, the highest and
/// the last. `across` gives the place of a point on the sheet.
pub(crate) fn line(points: Vec<(f64, f64)>, across: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| (across(p.0) * GRID).round() as i64;
    let shown = |run: &[(f64, f64)]| -> Vec<(f64, f64)> {
        if run.len() <= 4 {
            return run.to_vec();
        }
        let by_height = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let (lowest, highest) = ((0..run.len()).min_by(by_height), (0..run.len()).max_by(by_height));
        let mut keep: Vec<usize> =
            [Some(0), lowest, highest, Some(run.len() - 1)].into_iter().flatten().collect();
        keep.sort_unstable();
        keep.dedup();
        keep.into_iter().map(|i| run[i]).collect()
    };
    points.chunk_by(|a, b| column(a) == column(b)).flat_map(shown).collect()
}

/// The part of a band that shows: neighbours within a tenth of a point of x reach from their lowest to their highest.
pub(crate) fn band(points: &[(f64, f64, f64)], across: impl Fn(f64) -> f64) -> Vec<(f64, f64, f64)> {
    let column = |p: &(f64, f64, f64)| (across(p.0) * GRID).round() as i64;
    let shown = |run: &[(f64, f64, f64)]| match run {
        [first, _, .., last] if run.len() > 2 => {
            let lo = run.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
            let hi = run.iter().map(|p| p.2).fold(f64::NEG_INFINITY, f64::max);
            vec![(first.0, lo, hi), (last.0, lo, hi)]
        }
        _ => run.to_vec(),
    };
    points.chunk_by(|a, b| column(a) == column(b)).flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_ends_and_its_peaks() {
        let points: Vec<_> =
            (0..10_000).map(|k| (f64::from(k) / 10_000.0, f64::from(k * 7919 % 1000))).collect();
        let shown = line(points.clone(), |x| 100.0 * x);
        assert!(shown.len() <= 4 * 1001 && shown.windows(2).all(|w| w[0].0 < w[1].0), "{}", shown.len());
        assert_eq!((shown[0], shown[shown.len() - 1]), (points[0], points[9_999]));
        let range = |points: &[(f64, f64)]| {
            let heights = || points.iter().map(|p| p.1);
            (heights().fold(f64::INFINITY, f64::min), heights().fold(0.0, f64::max))
        };
        for column in 0..=1000 {
            let of = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
                points.iter().copied().filter(|p| (100.0 * p.0 * GRID).round() as i64 == column).collect()
            };
            assert_eq!(range(&of(&shown)), range(&of(&points)), "column {column}");
        }
        assert_eq!(line(points[..4].to_vec(), |_| 0.0), points[..4], "few are left as they are");
    }

    #[test]
    fn a_band_keeps_its_lowest_and_its_highest() {
        let points = [(0.0, 1.0, 2.0), (0.01, -3.0, 1.0), (0.02, 0.0, 9.0), (5.0, 1.0, 2.0)];
        assert_eq!(band(&points, |x| x), [(0.0, -3.0, 9.0), (0.02, -3.0, 9.0), (5.0, 1.0, 2.0)]);
    }

    #[test]
    fn places_are_counted_on_their_square() {
        assert_eq!(depths(&[(1.0, 1.0), (1.01, 0.99), (1.2, 1.0), (1.0, 1.0)], 0.1), [0, 1, 0, 2]);
    }
}

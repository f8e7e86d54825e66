//! Where the points of a plane are dense: regions that hold a share of them.

use std::collections::BTreeMap;

use crate::canvas::Canvas;
use crate::colour::Rgb;
use crate::density::mean;
use crate::panel::Panel;

/// Nodes of the grid on which a density is computed, along x and along y.
const GRID: (usize, usize) = (72, 56);
/// Points whose densities settle how high a region's edge lies: more would not move it by the width of a line.
const SETTLING: usize = 400;
/// Fewer points than these have no shape to speak of.
pub(crate) const LEAST: usize = 10;

/// A Gaussian kernel around each point, of Scott's widths for two dimensions: the standard deviation times n^(-1/6)
/// (Scott 1992, Multivariate Density Estimation).
pub(crate) struct Plane {
    points: Vec<(f64, f64)>,
    widths: (f64, f64),
}

impl Plane {
    /// None of fewer points than have a shape, and where all lie on one line along an axis.
    pub fn of(points: &[(f64, f64)]) -> Option<Plane> {
        let width = |of: fn(&(f64, f64)) -> f64| scott(&points.iter().map(of).collect::<Vec<_>>());
        let widths = (width(|p| p.0), width(|p| p.1));
        let spread = points.len() >= LEAST && widths.0 > 0.0 && widths.1 > 0.0;
        spread.then(|| Plane { points: points.to_vec(), widths })
    }

    /// The density at a place, up to a factor.
    fn at(&self, (x, y): (f64, f64)) -> f64 {
        let kernel = |p: &(f64, f64)| bell(x - p.0, self.widths.0) * bell(y - p.1, self.widths.1);
        self.points.iter().map(kernel).sum()
    }

    /// The densities above which each of these shares of the points lies (Hyndman 1996, Computing and Graphing Highest
    /// Density Regions).
    fn edges(&self, shares: &[f64]) -> Vec<f64> {
        let some = self.points.iter().step_by(self.points.len().div_ceil(SETTLING));
        let mut heights: Vec<f64> = some.map(|p| self.at(*p)).collect();
        heights.sort_by(f64::total_cmp);
        let edge = |share: &f64| heights[((1.0 - share) * (heights.len() - 1) as f64).round() as usize];
        shares.iter().map(edge).collect()
    }

    /// The regions that hold these shares of the points, as far as they lie within the ranges: closed lines around
    /// each, what is within on their left.
    pub fn regions(&self, shares: &[f64], x: (f64, f64), y: (f64, f64)) -> Vec<Vec<Vec<(f64, f64)>>> {
        let grid = Grid::of(self, x, y);
        self.edges(shares).into_iter().map(|edge| grid.loops(edge)).collect()
    }
}

fn bell(away: f64, width: f64) -> f64 {
    (-0.5 * (away / width).powi(2)).exp()
}

fn scott(values: &[f64]) -> f64 {
    let Some(mean) = mean(values).filter(|_| values.len() > 1) else { return 0.0 };
    let n = values.len() as f64;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    spread * n.powf(-1.0 / 6.0)
}

/// A density on nodes, and around them a border of nodes of density 0 at the places of the outermost, so that every line
/// of one height is closed.
struct Grid {
    x: Vec<f64>,
    y: Vec<f64>,
    /// `[x][y]`
    heights: Vec<Vec<f64>>,
}

/// The side of a cell from a node to the next in x, or in y.
type Side = (usize, usize, bool);

impl Grid {
    fn of(plane: &Plane, x: (f64, f64), y: (f64, f64)) -> Grid {
        let (x, y) = (nodes(x, GRID.0), nodes(y, GRID.1));
        let mut heights = vec![vec![0.0; y.len()]; x.len()];
        let (last_x, last_y) = (x.len() - 1, y.len() - 1);
        for point in &plane.points {
            // The kernel is a product, so its exponentials are as many as the nodes of the edges, not of the grid.
            let along: Vec<f64> = y.iter().map(|y| bell(y - point.1, plane.widths.1)).collect();
            for (x, column) in x.iter().zip(&mut heights).take(last_x).skip(1) {
                let across = bell(x - point.0, plane.widths.0);
                let inner = column.iter_mut().zip(&along).take(last_y).skip(1);
                inner.for_each(|(height, along)| *height += across * along);
            }
        }
        Grid { x, y, heights }
    }

    /// The lines where the density is `edge` (marching squares), with what is higher on their left.
    fn loops(&self, edge: f64) -> Vec<Vec<(f64, f64)>> {
        let mut next: BTreeMap<Side, Side> = BTreeMap::new();
        for i in 0..self.x.len() - 1 {
            for j in 0..self.y.len() - 1 {
                self.steps(edge, (i, j), &mut next);
            }
        }
        let mut loops = Vec::new();
        while let Some((&first, _)) = next.first_key_value() {
            let mut line = Vec::new();
            let mut at = first;
            while let Some(to) = next.remove(&at) {
                line.push(self.crossing(edge, at));
                at = to;
            }
            loops.push(line);
        }
        loops
    }

    /// The steps of the lines through one cell: each leads from a side where its edge, gone round to the left, leaves
    /// what is high to the next side where it comes back.
    fn steps(&self, edge: f64, (i, j): (usize, usize), next: &mut BTreeMap<Side, Side>) {
        let high = |(i, j): (usize, usize)| self.heights[i][j] > edge;
        let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)].map(high);
        let sides = [(i, j, false), (i + 1, j, true), (i, j + 1, false), (i, j, true)];
        for from in (0..4).filter(|&k| corners[k] && !corners[(k + 1) % 4]) {
            let back = (1..4).map(|step| (from + step) % 4).find(|&k| !corners[k] && corners[(k + 1) % 4]);
            next.extend(back.map(|back| (sides[from], sides[back])));
        }
    }

    /// Where the density is `edge` on a side.
    fn crossing(&self, edge: f64, (i, j, upwards): Side) -> (f64, f64) {
        let (to_i, to_j) = if upwards { (i, j + 1) } else { (i + 1, j) };
        let (a, b) = (self.heights[i][j], self.heights[to_i][to_j]);
        let t = (edge - a) / (b - a);
        let between = |a: f64, b: f64| a + t * (b - a);
        (between(self.x[i], self.x[to_i]), between(self.y[j], self.y[to_j]))
    }
}

/// Places from one end to the other, each end twice.
fn nodes((lo, hi): (f64, f64), count: usize) -> Vec<f64> {
    let inner = (0..count).map(|k| lo + (hi - lo) * k as f64 / (count - 1) as f64);
    std::iter::once(lo).chain(inner).chain(std::iter::once(hi)).collect()
}

/// Fills what lies within closed lines: one outline, there and back from the start of the first line to each of the
/// others, so that holes, which run the other way round, stay free.
pub(crate) fn draw(canvas: &mut Canvas, panel: &Panel, lines: &[Vec<(f64, f64)>], colour: Rgb, alpha: f64) {
    let Some(start) = lines.first().and_then(|line| line.first()) else { return };
    let closed = |line: &Vec<(f64, f64)>| -> Vec<_> {
        let back = line.first().into_iter().chain([start]);
        line.iter().chain(back).map(|&(x, y)| panel.at(x, y)).collect()
    };
    let outline: Vec<_> = lines.iter().flat_map(closed).collect();
    canvas.fill(&outline, colour, alpha);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of a two-dimensional normal distribution at even shares of radius and angle.
    fn normal(n: usize) -> Vec<(f64, f64)> {
        let point = |k: usize| {
            let radius = (-2.0 * (1.0 - (k as f64 + 0.5) / n as f64).ln()).sqrt();
            let angle = 2.399_963_229_728_653 * k as f64;
            (radius * angle.cos(), radius * angle.sin())
        };
        (0..n).map(point).collect()
    }

    fn area(line: &[(f64, f64)]) -> f64 {
        let next = line.iter().cycle().skip(1);
        line.iter().zip(next).map(|(a, b)| (a.0 * b.1 - b.0 * a.1) / 2.0).sum()
    }

    #[test]
    fn regions_of_a_normal_distribution_are_discs_that_hold_their_share() {
        let points = normal(1500);
        let plane = Plane::of(&points).expect("a shape");
        let regions = plane.regions(&[0.5, 0.9], (-4.0, 4.0), (-4.0, 4.0));
        for (region, share) in regions.iter().zip([0.5, 0.9]) {
            assert_eq!(region.len(), 1, "one disc");
            let radius = (area(&region[0]) / std::f64::consts::PI).sqrt();
            let held = points.iter().filter(|p| p.0.hypot(p.1) < radius).count() as f64 / 1500.0;
            assert!((held - share).abs() < 0.03, "{held} for {share}");
        }
    }

    #[test]
    fn a_hole_runs_the_other_way_round_and_an_edge_of_the_range_closes_a_region() {
        let angle = |k: i32| std::f64::consts::TAU * f64::from(k) / 200.0;
        let ring = (0..200).map(|k| (angle(k).cos(), angle(k).sin())).collect();
        let plane = Plane { points: ring, widths: (0.15, 0.15) };
        let edge = 0.5 * plane.at((1.0, 0.0));
        let areas = |x: (f64, f64)| -> Vec<f64> {
            let mut areas: Vec<f64> =
                Grid::of(&plane, x, (-2.0, 2.0)).loops(edge).iter().map(|l| area(l)).collect();
            areas.sort_by(f64::total_cmp);
            areas
        };
        let whole = areas((-2.0, 2.0));
        assert!(whole.len() == 2 && whole[0] < 0.0 && whole[1] > 0.0, "{whole:?}");
        let half = areas((0.0, 2.0));
        assert_eq!(half.len(), 1, "the hole opens to the edge of the range");
        assert!((half[0] / whole.iter().sum::<f64>() - 0.5).abs() < 0.01, "{half:?} of {whole:?}");
    }

    #[test]
    fn what_has_no_shape_has_no_regions() {
        assert!(Plane::of(&normal(LEAST - 1)).is_none());
        assert!(Plane::of(&vec![(1.0, 1.0); 50]).is_none());
        assert!(Plane::of(&(0..50).map(|k| (f64::from(k), 1.0)).collect::<Vec<_>>()).is_none());
    }
}

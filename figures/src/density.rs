//! Densities of samples by Gaussian kernels (Silverman 1986, Density Estimation for Statistics and Data Analysis).

use crate::panel::Extent;

/// A sample and the standard deviation of the kernel around each of its values.
pub(crate) struct Kernel {
    pub values: Vec<f64>,
    pub width: f64,
}

impl Kernel {
    /// How far beyond the values a density is drawn, in kernel widths.
    pub const REACH: f64 = 3.0;

    /// The density at `x`; `values` ascend, and what lies too far to count is skipped.
    fn at(&self, x: f64) -> f64 {
        /// Beyond this many widths a Gaussian is below 1e-14 of its peak.
        const FAR: f64 = 8.0;
        let from = self.values.partition_point(|v| *v < x - FAR * self.width);
        let near = self.values[from..].iter().take_while(|v| **v <= x + FAR * self.width);
        let sum: f64 = near.map(|v| (-0.5 * ((x - v) / self.width).powi(2)).exp()).sum();
        sum / (self.values.len() as f64 * self.width * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// The density from below the least value to beyond the largest, at places four to a width.
    pub fn curve(mut self) -> Vec<(f64, f64)> {
        self.values.sort_by(f64::total_cmp);
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else { return Vec::new() };
        let (lo, hi) = (first - Self::REACH * self.width, last + Self::REACH * self.width);
        let steps = (4.0 * (hi - lo) / self.width).ceil().clamp(48.0, 1200.0) as usize;
        (0..=steps).map(|k| lo + (hi - lo) * k as f64 / steps as f64).map(|x| (x, self.at(x))).collect()
    }
}

/// The mean of the samples' bandwidths by Silverman's rule, of those that have one; 0 where none has.
pub(crate) fn bandwidth(samples: &[Vec<f64>]) -> f64 {
    let widths: Vec<f64> = samples.iter().map(|s| silverman(s)).filter(|h| *h > 0.0).collect();
    mean(&widths).unwrap_or(0.0)
}

/// 0.9 min(standard deviation, interquartile range / 1.34) n^(-1/5), Silverman's equation 3.31. The standard deviation
/// alone where more than half of the values are equal; 0 where all are.
fn silverman(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(mean) = mean(&sorted).filter(|_| sorted.len() > 1) else { return 0.0 };
    let n = sorted.len() as f64;
    let spread = (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let quartiles = (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / 1.34;
    let least = if quartiles > 0.0 { spread.min(quartiles) } else { spread };
    // Equal values differ from their mean by rounding alone.
    if sorted.first() == sorted.last() { 0.0 } else { 0.9 * least * n.powf(-0.2) }
}

/// Between the two nearest values in proportion (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// None for nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The density of points on a plane as boxes of the same lightness, `levels` steps from light to dark: a histogram
/// smoothed by a Gaussian of Scott's width, cut at even parts of its highest value. What lies outside the ranges counts
/// nowhere.
pub(crate) fn haze(
    points: &[(f64, f64)],
    across: (f64, f64),
    up: (f64, f64),
    levels: usize,
) -> Vec<Vec<Extent>> {
    const COLUMNS: usize = 72;
    const ROWS: usize = 54;
    let mut boxes = vec![Vec::new(); levels];
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (Some(wide), Some(high)) = (scott(&x), scott(&y)) else { return boxes };
    let cell = ((across.1 - across.0) / COLUMNS as f64, (up.1 - up.0) / ROWS as f64);
    let mut counts = vec![vec![0.0; COLUMNS]; ROWS];
    for (x, y) in points {
        let (column, row) = (((x - across.0) / cell.0).floor(), ((y - up.0) / cell.1).floor());
        let within = (0.0..COLUMNS as f64).contains(&column) && (0.0..ROWS as f64).contains(&row);
        if within {
            counts[row as usize][column as usize] += 1.0;
        }
    }
    let smooth = smoothed(&transposed(&smoothed(&counts, wide / cell.0)), high / cell.1);
    let smooth = transposed(&smooth);
    let highest = smooth.iter().flatten().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return boxes;
    }
    let level = |value: f64| ((value / highest * (levels + 1) as f64).floor() as usize).min(levels);
    for (row, values) in smooth.iter().enumerate() {
        let foot = up.0 + row as f64 * cell.1;
        let mut column = 0;
        while column < COLUMNS {
            let own = level(values[column]);
            let run = values[column..].iter().take_while(|v| level(**v) == own).count();
            if own > 0 {
                let left = across.0 + column as f64 * cell.0;
                boxes[own - 1].push(((left, left + run as f64 * cell.0), (foot, foot + cell.1)));
            }
            column += run;
        }
    }
    boxes
}

/// Scott's width for a plane, n^(-1/6) standard deviations; None where there is no spread.
fn scott(sample: &[f64]) -> Option<f64> {
    let middle = mean(sample)?;
    let spread = (sample.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / sample.len() as f64).sqrt();
    (sample.len() > 2 && spread > 0.0).then(|| spread * (sample.len() as f64).powf(-1.0 / 6.0))
}

/// Rows smoothed along themselves by a Gaussian of a width in cells.
fn smoothed(rows: &[Vec<f64>], width: f64) -> Vec<Vec<f64>> {
    let width = width.max(0.5);
    let reach = (3.0 * width).ceil() as usize;
    let kernel: Vec<f64> = (0..=reach).map(|k| (-0.5 * (k as f64 / width).powi(2)).exp()).collect();
    let smooth = |row: &Vec<f64>| -> Vec<f64> {
        let at = |column: usize| {
            let (from, to) = (column.saturating_sub(reach), (column + reach).min(row.len() - 1));
            (from..=to).map(|other| kernel[other.abs_diff(column)] * row[other]).sum()
        };
        (0..row.len()).map(at).collect()
    };
    rows.iter().map(smooth).collect()
}

fn transposed(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|column| rows.iter().map(|row| row[column]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bandwidth_is_silvermans() {
        // sd = sqrt(2.5) = 1.581, quartiles 2 and 4: 0.9 * 2 / 1.34 * 5^(-1/5).
        let h = bandwidth(&[vec![5.0, 1.0, 3.0, 2.0, 4.0]]);
        assert!((h - 0.9 * 2.0 / 1.34 * 5f64.powf(-0.2)).abs() < 1e-12, "{h}");
        let constant = vec![0.1; 7];
        assert_eq!(bandwidth(&[constant.clone(), vec![2.0]]), 0.0);
        assert_eq!(bandwidth(&[constant, vec![5.0, 1.0, 3.0, 2.0, 4.0]]), h, "of those that have one");
        assert_eq!(bandwidth(&[]), 0.0);
    }

    #[test]
    fn haze_lies_where_the_points_are_and_is_darkest_where_most_are() {
        let dense = (0..400).map(|i| (1.0 + 0.01 * f64::from(i % 20), 1.0 + 0.01 * f64::from(i / 20)));
        let sparse = (0..40).map(|i| (3.0 + 0.02 * f64::from(i), 3.0 - 0.02 * f64::from(i)));
        let points: Vec<_> = dense.chain(sparse).collect();
        let levels = haze(&points, (0.0, 4.0), (0.0, 4.0), 4);
        let holds = |level: usize, x: f64, y: f64| {
            let within = |(lo, hi): (f64, f64), v: f64| lo <= v && v < hi;
            levels[level].iter().any(|(across, up)| within(*across, x) && within(*up, y))
        };
        assert!(holds(3, 1.1, 1.1), "the crowd is darkest");
        assert!((0..4).all(|level| !holds(level, 0.2, 3.8)), "nothing where no point is");
        assert!(
            haze(&[(1.0, 1.0)], (0.0, 2.0), (0.0, 2.0), 4).iter().all(Vec::is_empty),
            "one point has no density"
        );
    }

    #[test]
    fn a_density_has_area_1_and_that_of_one_value_is_a_gaussian() {
        for values in [vec![0.3], vec![1.0, 2.0, 2.5, 9.0], (0..900).map(f64::from).collect()] {
            let curve = Kernel { values: values.clone(), width: 0.5 }.curve();
            let area: f64 = curve.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum();
            assert!((area - 1.0).abs() < 0.01, "{area} of {} values", values.len());
        }
        let one = Kernel { values: vec![0.3], width: 0.5 };
        assert!((one.at(0.8) - 0.483_941_449_038_286_7).abs() < 1e-15, "{}", one.at(0.8));
    }
}

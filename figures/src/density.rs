//! Densities of samples by Gaussian kernels (Silverman 1986, Density Estimation for Statistics and Data Analysis).

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

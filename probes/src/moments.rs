//! Means and variances of rows that may be drawn more than once.

use crate::error::{Error, Result};

/// The moments of weighted values.
#[derive(Clone, Copy)]
pub(crate) struct Moments {
    weight: f64,
    pub(crate) mean: f64,
    /// About the mean, over `weight - 1`.
    pub(crate) variance: f64,
}

impl Moments {
    /// `None` with a weight of less than 2. Values that are all equal have a variance of exactly 0.
    pub(crate) fn of(values: &[f64], weight: impl Fn(usize) -> f64) -> Option<Self> {
        let rows = || (0..values.len()).map(|row| (row, weight(row))).filter(|(_, weight)| *weight > 0.0);
        let (first, _) = rows().next()?;
        let weight: f64 = rows().map(|(_, weight)| weight).sum();
        let shift = rows().map(|(row, weight)| weight * (values[row] - values[first])).sum::<f64>() / weight;
        let mean = values[first] + shift;
        let squares: f64 =
            rows().map(|(row, weight)| weight * (values[row] - values[first] - shift).powi(2)).sum();
        (weight >= 2.0).then(|| Self { weight, mean, variance: squares / (weight - 1.0) })
    }

    pub(crate) fn of_classes(scores: &[f64], labels: &[bool], counts: &[u32]) -> Option<[Self; 2]> {
        let class =
            |class: bool| Self::of(scores, |row| f64::from(counts[row]) * f64::from(labels[row] == class));
        Some([class(false)?, class(true)?])
    }

    /// The pooled standard deviation; `None` if it is 0.
    pub(crate) fn within([zero, one]: [Self; 2]) -> Option<f64> {
        let squares = (zero.weight - 1.0) * zero.variance + (one.weight - 1.0) * one.variance;
        let spread = (squares / (zero.weight + one.weight - 2.0)).sqrt();
        (spread > 0.0).then_some(spread)
    }

    pub(crate) fn d_prime(classes: [Self; 2]) -> Option<f64> {
        Some((classes[1].mean - classes[0].mean) / Self::within(classes)?)
    }

    pub(crate) fn sd_ratio([before, after]: [Self; 2]) -> Option<f64> {
        (before.variance > 0.0).then(|| (after.variance / before.variance).sqrt())
    }
}

/// Refuses scores that are not finite.
pub(crate) fn check_finite(scores: &[f64]) -> Result<()> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(row) => Err(Error::NonFiniteScore { row }),
        None => Ok(()),
    }
}

//! Whether many rows moved one way, or each its own.

use ndarray::{ArrayView2, Axis};

use crate::axes;
use crate::data::check_features;
use crate::error::{Error, Result};

/// Shares closer than this are equal.
const EQUAL: f64 = 1e-9;

/// Along how many directions rows moved: the eigenvalues of the second moment of their shifts, about zero and not about
/// the mean, which is part of what is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftSpectrum {
    /// The eigenvalues of `Σ δ δᵀ / N`, falling, without those that rounding alone accounts for. They sum to the mean
    /// squared length of a shift, the energy.
    pub eigenvalues: Vec<f64>,
    /// The share of the energy that would be left if every row had moved by the mean shift: `N |mean|² / Σ |δ|²`.
    pub mean_share: f64,
}

impl ShiftSpectrum {
    /// Of shifts `[N, D]`; `None` if all are zero.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NonFinite`] or [`Error::NoDecomposition`].
    pub fn of(deltas: ArrayView2<f32>) -> Result<Option<Self>> {
        let (n, d) = deltas.dim();
        if n == 0 {
            return Err(Error::Empty { what: "rows" });
        }
        check_features(deltas, n)?;
        let rows = deltas.mapv(f64::from);
        let energy = (&rows * &rows).sum();
        if energy == 0.0 {
            return Ok(None);
        }
        let total = rows.sum_axis(Axis(0));
        let gram = if d <= n { rows.t().dot(&rows) } else { rows.dot(&rows.t()) };
        let (values, _) = axes::eigen(&gram)?;
        Ok(Some(Self {
            eigenvalues: (values / n as f64).to_vec(),
            mean_share: total.dot(&total) / (n as f64 * energy),
        }))
    }

    /// `(Σ λ)² / Σ λ²`: from 1 for one direction to the number of directions if all count alike.
    pub fn participation_ratio(&self) -> f64 {
        let squares: f64 = self.eigenvalues.iter().map(|value| value * value).sum();
        self.energy().powi(2) / squares
    }

    /// The share of the energy that the first direction carries, the first two, and so on.
    pub fn cumulative(&self) -> Vec<f64> {
        let energy = self.energy();
        let sums = self.eigenvalues.iter().scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum / energy)
        });
        sums.collect()
    }

    /// How many directions carry at least a share of the energy.
    ///
    /// # Errors
    /// [`Error::BadShare`] for a share outside (0, 1).
    pub fn directions_for(&self, share: f64) -> Result<usize> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::BadShare { what: "energy", share });
        }
        Ok(1 + self.cumulative().partition_point(|&carried| carried < share - EQUAL))
    }

    fn energy(&self) -> f64 {
        self.eigenvalues.iter().sum()
    }
}

//! A fitted linear readout.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::scale::Scaler;

/// A linear readout of one concept: positive decisions say class 1.
///
/// The weights are held in the units the fit saw, that is after [`Probe::scaler`]; [`Probe::decision`] and
/// [`Probe::direction`] speak of raw features.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What the features went through before the fit; the identity if they were not standardised.
    pub scaler: Scaler,
    /// The weight of each scaled column, `[D]`.
    pub coef: Array1<f64>,
    /// The intercept for scaled columns.
    pub intercept: f64,
}

impl Probe {
    /// The direction in raw features, `[D]`: `coef / scale`.
    pub fn direction(&self) -> Array1<f64> {
        &self.coef / &self.scaler.scale
    }

    /// The decision of one raw row, positive for class 1. What one unit of it means is the kind's: log-odds for a
    /// logistic probe.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the row is not `D` long.
    pub fn decision(&self, row: ArrayView1<f32>) -> Result<f64> {
        if row.len() != self.coef.len() {
            return Err(Error::ShapeMismatch { what: "row", expected: self.coef.len(), found: row.len() });
        }
        let mut decision = self.intercept;
        for (column, &value) in row.iter().enumerate() {
            let scaled = (f64::from(value) - self.scaler.mean[column]) / self.scaler.scale[column];
            decision += self.coef[column] * scaled;
        }
        Ok(decision)
    }

    /// The decisions of raw rows `[n, D]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the rows are not `D` long.
    pub fn decisions(&self, rows: ArrayView2<f32>) -> Result<Vec<f64>> {
        rows.rows().into_iter().map(|row| self.decision(row)).collect()
    }
}

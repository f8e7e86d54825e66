//! What every kind of probe can do: be fitted on some rows, and be judged on the others.

use rayon::prelude::*;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::folds::Folds;
use crate::probe::Probe;

/// How a linear readout is learnt from labelled rows.
///
/// Whatever is learnt (scaling, penalty, direction, sign) is learnt from the given rows alone, and a positive decision
/// speaks for class 1.
pub trait Estimator: Sync {
    /// Fits on some rows of the data.
    ///
    /// # Errors
    /// Whatever the kind of probe refuses.
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe>;

    /// Fits on all rows.
    ///
    /// # Errors
    /// As [`Estimator::fit_rows`].
    fn fit(&self, data: &Dataset) -> Result<Probe> {
        let rows: Vec<usize> = (0..data.labelled().n()).collect();
        self.fit_rows(data, &rows)
    }

    /// The pooled out-of-fold decisions, `[N]`: each row is scored by the fit on the rows of the other folds.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the folds are of other rows, and as [`Estimator::fit_rows`].
    fn cross_validate(&self, data: &Dataset, folds: &Folds) -> Result<Vec<f64>> {
        folds.held_out(data.labelled().n(), |train, held_out| {
            let probe = self.fit_rows(data, train)?;
            held_out.iter().map(|&row| probe.decision(data.x().row(row))).collect()
        })
    }

    /// The penalty of the least-squares fit that stands for this kind of probe where labels are exchanged thousands of
    /// times; see [`crate::permutation`].
    fn twin(&self, data: &Dataset) -> Twin;
}

/// A ridge regression on the labels, whose decisions are linear in the labels and so cost a matrix product for any
/// number of labellings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twin {
    /// What is added to the diagonal of the scatter matrix of the training rows; infinite for the difference of class
    /// means.
    pub penalty: f64,
    /// Whether columns are brought to unit variance.
    pub standardise: bool,
}

impl Folds {
    /// One answer for every row, from a rule that is made without it: `decide` is given the rows to learn from and the
    /// rows held out, and answers for the latter. Any estimator, of this crate or of another, is cross-validated so.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if there are other than `n` rows, or an answer is of another length; the first error of
    /// `decide` in the order of the folds.
    pub fn held_out<T: Clone + Default + Send>(
        &self,
        n: usize,
        decide: impl Fn(&[usize], &[usize]) -> Result<Vec<T>> + Sync,
    ) -> Result<Vec<T>> {
        if self.of_row().len() != n {
            return Err(Error::ShapeMismatch { what: "folds", expected: n, found: self.of_row().len() });
        }
        let parts: Vec<Result<_>> = (0..self.k())
            .into_par_iter()
            .map(|fold| {
                let (train, held_out) = self.split(fold);
                let decisions = decide(&train, &held_out)?;
                if decisions.len() != held_out.len() {
                    let (expected, found) = (held_out.len(), decisions.len());
                    return Err(Error::ShapeMismatch { what: "decisions", expected, found });
                }
                Ok((held_out, decisions))
            })
            .collect();
        let mut pooled = vec![T::default(); n];
        // In the order of the folds, so that the error reported does not depend on the threads.
        for part in parts {
            let (held_out, decisions) = part?;
            held_out.into_iter().zip(decisions).for_each(|(row, decision)| pooled[row] = decision);
        }
        Ok(pooled)
    }
}

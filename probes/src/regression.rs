//! Linear regression on a continuous target.

use ndarray::{Array1, ArrayView2};

use crate::data::check_features;
use crate::error::{Error, Result};
use crate::folds::Folds;
use crate::probe::Probe;
use crate::ridge::{check_alpha, solve_ridge};
use crate::scale::Scaler;

/// Ridge regression on any numbers: a toxicity, a confidence, the position of a token.
///
/// The objective is that of [`Ridge`](crate::Ridge), `|y - Z w - b|² + alpha |w|²`; a decision of the fitted [`Probe`] is
/// the predicted target in its own units. There are no classes, so folds come from [`Folds::of_groups`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regression {
    /// The penalty; positive.
    pub alpha: f64,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
}

impl Default for Regression {
    fn default() -> Self {
        Self { alpha: 100.0, standardise: true }
    }
}

/// How well numbers were predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegressionScores {
    /// `1 - Σ (y - ŷ)² / Σ (y - ȳ)²`, ȳ being the mean of the scored rows; below 0 if that mean predicts better. None for
    /// a constant target.
    pub r2: Option<f64>,
    /// Pearson's correlation of `y` and `ŷ`; None if either is constant.
    pub pearson: Option<f64>,
    /// The same of their ranks, ties sharing the mean rank (Spearman, 1904).
    pub spearman: Option<f64>,
}

impl RegressionScores {
    /// Scores predictions; what the longer of the two has in excess is left out.
    pub fn new(target: &[f64], predicted: &[f64]) -> Self {
        let n = target.len().min(predicted.len());
        let (target, predicted) = (&target[..n], &predicted[..n]);
        let mean = target.iter().sum::<f64>() / n as f64;
        let total: f64 = target.iter().map(|y| (y - mean).powi(2)).sum();
        let left: f64 = target.iter().zip(predicted).map(|(y, guess)| (y - guess).powi(2)).sum();
        Self {
            r2: (!is_constant(target)).then(|| 1.0 - left / total),
            pearson: pearson(target, predicted),
            spearman: pearson(&mid_ranks(target), &mid_ranks(predicted)),
        }
    }
}

impl Regression {
    /// Fits on all rows of `x` `[N, D]`.
    ///
    /// # Errors
    /// [`Error::BadSetting`], those of a [`Dataset`](crate::Dataset), [`Error::NonFiniteTarget`] or
    /// [`Error::NoDecomposition`].
    pub fn fit(&self, x: ArrayView2<f32>, target: &[f64]) -> Result<Probe> {
        self.check(x, target)?;
        self.fit_rows(x, target, &(0..target.len()).collect::<Vec<_>>())
    }

    /// The pooled out-of-fold predictions, `[N]`.
    ///
    /// # Errors
    /// As [`Regression::fit`], and [`Error::ShapeMismatch`] for folds of other rows.
    pub fn cross_validate(&self, x: ArrayView2<f32>, target: &[f64], folds: &Folds) -> Result<Vec<f64>> {
        self.check(x, target)?;
        folds.held_out(target.len(), |train, held_out| {
            let probe = self.fit_rows(x, target, train)?;
            held_out.iter().map(|&row| probe.decision(x.row(row))).collect()
        })
    }

    fn fit_rows(&self, x: ArrayView2<f32>, target: &[f64], rows: &[usize]) -> Result<Probe> {
        let scaler = if self.standardise { Scaler::fit(x, rows) } else { Scaler::identity(x.ncols()) };
        let targets: Array1<f64> = rows.iter().map(|&row| target[row]).collect();
        let (coef, intercept) = solve_ridge(scaler.transform(x, rows).view(), &targets, self.alpha)?;
        Ok(Probe { scaler, coef, intercept })
    }

    fn check(&self, x: ArrayView2<f32>, target: &[f64]) -> Result<()> {
        check_alpha(self.alpha)?;
        if target.is_empty() {
            return Err(Error::Empty { what: "rows" });
        }
        check_features(x, target.len())?;
        match target.iter().position(|value| !value.is_finite()) {
            Some(row) => Err(Error::NonFiniteTarget { row }),
            None => Ok(()),
        }
    }
}

fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|&value| value == values[0])
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if is_constant(a) || is_constant(b) {
        return None;
    }
    let centred = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect::<Array1<f64>>()
    };
    let (a, b) = (centred(a), centred(b));
    Some(a.dot(&b) / (a.dot(&a).sqrt() * b.dot(&b).sqrt()))
}

fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = below as f64 + (ties.len() as f64 + 1.0) / 2.0;
        ties.iter().for_each(|&row| ranks[row] = rank);
        below += ties.len();
    }
    ranks
}

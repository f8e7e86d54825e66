//! L2-penalised logistic regression.

use ndarray::Array1;
use rayon::prelude::*;

use crate::base::Base;
use crate::columns::dot64;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::folds::Folds;
use crate::newton::{self, Fit, Goal};
use crate::probe::Probe;

/// How a logistic probe is fitted.
///
/// The objective is `Σ log-loss + |w|² / (2 C)` with a free intercept, which is scikit-learn's. It is strictly
/// convex in `w`, so there is one answer; it is reported only when the Euclidean norm of the gradient (intercept
/// included) is at most `tolerance` times what it is for zero weights and the best intercept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic {
    /// The inverse penalty.
    pub c: f64,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
    /// The relative gradient norm to reach.
    pub tolerance: f64,
    /// The Newton steps after which a fit that is not there yet is given up.
    pub max_steps: usize,
}

impl Default for Logistic {
    fn default() -> Self {
        Self { c: 1.0, standardise: true, tolerance: 1e-10, max_steps: 100 }
    }
}

/// The gradient norm, relative to that at zero weights, to which fits are taken whose decisions alone are wanted. At the
/// usual penalties it leaves these right to seven digits or more; scikit-learn's default stops at about a hundredth.
const HELD_OUT: f64 = 1e-8;

impl Estimator for Logistic {
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        Ok(self.path_on(data, rows, &[self.c])?.remove(0))
    }

    fn cross_validate(&self, data: &Dataset, folds: &Folds) -> Result<Vec<f64>> {
        Ok(self.cross_validate_path(data, folds, &[self.c])?.remove(0))
    }

    /// The first Newton step from zero weights is this ridge regression.
    fn twin(&self, data: &Dataset) -> Twin {
        let rate = data.labelled().n_positive() as f64 / data.labelled().n() as f64;
        Twin { penalty: 1.0 / (self.c * rate * (1.0 - rate)), standardise: self.standardise }
    }
}

impl Logistic {
    /// Fits at each of the given C, in their order; all together, over one copy of the features.
    ///
    /// # Errors
    /// [`Error::BadPenalty`], [`Error::BadTolerance`] or [`Error::NotConverged`].
    pub fn fit_path(&self, data: &Dataset, path: &[f64]) -> Result<Vec<Probe>> {
        let rows: Vec<usize> = (0..data.labelled().n()).collect();
        self.path_on(data, &rows, path)
    }

    fn path_on(&self, data: &Dataset, rows: &[usize], path: &[f64]) -> Result<Vec<Probe>> {
        self.check(path)?;
        let labels = data.labelled().labels();
        if rows.iter().all(|&row| labels[row] == labels[rows[0]]) {
            let class = rows.first().map_or(0, |&row| u8::from(labels[row]));
            return Err(Error::OneClass { class, rows: rows.len() });
        }
        let base = Base::new(data.x(), self.standardise);
        let parts = base.parts(&[rows.to_vec()]);
        let fits: Vec<Fit> = path.iter().map(|&c| Fit { part: 0, labels, c }).collect();
        let solved = newton::solve(&base, &parts, &fits, self.goal())?;
        let (scaler, centre) = base.scaler(&parts[0]);
        let probe = |fit: usize| {
            let coef = Array1::from(solved.weights.col(fit).to_vec());
            let intercept = solved.intercepts[fit] - coef.dot(&centre);
            Probe { scaler: scaler.clone(), coef, intercept }
        };
        Ok((0..path.len()).map(probe).collect())
    }

    /// The pooled out-of-fold decisions at each of the given C, `[N]` each; every fit of every fold together.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the folds are of other rows, and as [`Logistic::fit_path`].
    pub fn cross_validate_path(&self, data: &Dataset, folds: &Folds, path: &[f64]) -> Result<Vec<Vec<f64>>> {
        self.check(path)?;
        let labels = data.labelled().labels();
        if folds.of_row().len() != labels.len() {
            let (expected, found) = (labels.len(), folds.of_row().len());
            return Err(Error::ShapeMismatch { what: "folds", expected, found });
        }
        let base = Base::new(data.x(), self.standardise);
        let parts = base.parts(&(0..folds.k()).map(|fold| folds.split(fold).0).collect::<Vec<_>>());
        let fits: Vec<Fit> =
            path.iter().flat_map(|&c| (0..folds.k()).map(move |part| Fit { part, labels, c })).collect();
        let goal = Goal { tolerance: self.tolerance.max(HELD_OUT), ..self.goal() };
        let solved = newton::solve(&base, &parts, &fits, goal)?;
        let readouts: Vec<(Vec<f64>, f64)> =
            fits.iter().enumerate().map(|(at, fit)| solved.readout(at, &parts[fit.part])).collect();
        // Row by row, so that equal rows get equal decisions, to the bit, and ties stay ties.
        let decision = |place: usize, row: usize| {
            let (weights, offset) = &readouts[place * folds.k() + folds.of_row()[row]];
            dot64(base.double().col(row), weights) + offset
        };
        let pooled =
            |place| (0..labels.len()).into_par_iter().map(|row| decision(place, row)).collect::<Vec<f64>>();
        Ok((0..path.len()).map(pooled).collect())
    }

    pub(crate) fn goal(&self) -> Goal {
        Goal { tolerance: self.tolerance, max_steps: self.max_steps }
    }

    pub(crate) fn check(&self, path: &[f64]) -> Result<()> {
        if let Some(&c) = path.iter().find(|&&c| !(c > 0.0 && c.is_finite())) {
            return Err(Error::BadPenalty { c });
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(Error::BadTolerance { tolerance: self.tolerance });
        }
        Ok(())
    }
}

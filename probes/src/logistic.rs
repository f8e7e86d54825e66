//! L2-penalised logistic regression.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::cross_validate::targets;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::newton::{self, Goal, Solution};
use crate::probe::Probe;
use crate::scale::Scaler;
use crate::space::Space;

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

impl Estimator for Logistic {
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        Ok(self.path_on(data, rows, &[self.c])?.remove(0))
    }

    /// The first Newton step from zero weights is this ridge regression.
    fn twin(&self, data: &Dataset) -> Twin {
        let rate = data.labelled().n_positive() as f64 / data.labelled().n() as f64;
        Twin { penalty: 1.0 / (self.c * rate * (1.0 - rate)), standardise: self.standardise }
    }
}

impl Logistic {
    /// Fits at each of the given C, in their order; the Gram matrix is shared and each fit starts from the one before.
    ///
    /// # Errors
    /// [`Error::BadPenalty`], [`Error::BadTolerance`], [`Error::NotConverged`] or [`Error::NotPositiveDefinite`].
    pub fn fit_path(&self, data: &Dataset, path: &[f64]) -> Result<Vec<Probe>> {
        let rows: Vec<usize> = (0..data.labelled().n()).collect();
        self.path_on(data, &rows, path)
    }

    fn path_on(&self, data: &Dataset, rows: &[usize], path: &[f64]) -> Result<Vec<Probe>> {
        path.iter().try_for_each(|&c| Self { c, ..*self }.check())?;
        let training = Training::new(data.x(), rows, self.standardise);
        let targets = targets(data.labelled()).select(Axis(1), rows);
        let mut start = None;
        let mut probes = Vec::with_capacity(path.len());
        for &c in path {
            let solution = newton::solve(&training.space, &targets, Self { c, ..*self }.goal(), start)?;
            probes.push(training.probe(&solution));
            start = Some(solution);
        }
        Ok(probes)
    }

    pub(crate) fn goal(&self) -> Goal {
        Goal { c: self.c, tolerance: self.tolerance, max_steps: self.max_steps }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(self.c > 0.0 && self.c.is_finite()) {
            return Err(Error::BadPenalty { c: self.c });
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(Error::BadTolerance { tolerance: self.tolerance });
        }
        Ok(())
    }
}

/// The training rows of one split, scaled, centred and with their Gram matrix: all that fits on any labels share.
pub(crate) struct Training {
    scaler: Scaler,
    /// The column means of the scaled rows. The intercept is free, so taking them away changes no weight.
    centre: Array1<f64>,
    z: Array2<f64>,
    space: Space,
}

impl Training {
    pub(crate) fn new(x: ArrayView2<f32>, rows: &[usize], standardise: bool) -> Self {
        let scaler = if standardise { Scaler::fit(x, rows) } else { Scaler::identity(x.ncols()) };
        let mut z = scaler.transform(x, rows);
        let centre = z.sum_axis(Axis(0)) / rows.len() as f64;
        z -= &centre;
        let space = Space::of(z.view());
        Self { scaler, centre, z, space }
    }

    /// Fits each row of `targets` `[P, n]` and returns the decisions of other raw rows, `[P, rows.len()]`.
    pub(crate) fn decisions(
        &self,
        targets: &Array2<f64>,
        settings: &Logistic,
        x: ArrayView2<f32>,
        rows: &[usize],
    ) -> Result<Array2<f64>> {
        let solution = newton::solve(&self.space, targets, settings.goal(), None)?;
        let other = self.scaler.transform(x, rows) - &self.centre;
        let projected = self.space.project(self.z.view(), other.view());
        Ok(solution.weights.dot(&projected.t()) + &solution.intercepts.insert_axis(Axis(1)))
    }

    fn probe(&self, solution: &Solution) -> Probe {
        let coef = self.space.weights(&solution.weights, self.z.view()).row(0).to_owned();
        let intercept = solution.intercepts[0] - coef.dot(&self.centre);
        Probe { scaler: self.scaler.clone(), coef, intercept }
    }
}

//! L2-penalised logistic regression.

use ndarray::Array1;

use crate::base::Base;
use crate::columns::dot64;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::folds::Folds;
use crate::metrics::{Metric, Scored};
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
        let leave = |fold: usize| vec![fold];
        let answers = self.leaving(data, folds, &(0..folds.k()).map(leave).collect::<Vec<_>>(), path)?;
        let n = data.labelled().n();
        let pooled = |place: usize| {
            (0..n).map(|row| answers.decision(folds.of_row()[row], place, row)).collect::<Vec<f64>>()
        };
        Ok((0..path.len()).map(pooled).collect())
    }

    /// Out-of-fold decisions `[N]` whose C never saw the row either: for each fold it is the one of highest AUROC when
    /// the other folds are held out in turn. Also the C of each fold. (Nested cross-validation: Varma and Simon, 2006.)
    ///
    /// # Errors
    /// [`Error::TooFewFolds`] with fewer than three, [`Error::OneClassTraining`] where leaving out two folds leaves one
    /// class, and as [`Logistic::cross_validate_path`].
    pub fn cross_validate_nested(
        &self,
        data: &Dataset,
        folds: &Folds,
        path: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (k, labels) = (folds.k(), data.labelled().labels());
        if k < 3 {
            return Err(Error::TooFewFolds { folds: k });
        }
        if path.is_empty() {
            return Err(Error::Empty { what: "penalties" });
        }
        // Leaving out folds a and b serves both: b is scored for the choice of a, and a for that of b.
        let mut left: Vec<Vec<usize>> = (0..k).map(|fold| vec![fold]).collect();
        (0..k).for_each(|a| (a + 1..k).for_each(|b| left.push(vec![a, b])));
        let answers = self.leaving(data, folds, &left, path)?;
        let pair = |a: usize, b: usize| left.iter().position(|out| *out == [a.min(b), a.max(b)]);
        let mut decisions = vec![0.0; labels.len()];
        let mut chosen = Vec::with_capacity(k);
        for fold in 0..k {
            let (others, own) = folds.split(fold);
            let inner: Vec<bool> = others.iter().map(|&row| labels[row]).collect();
            let auroc = |place: usize| {
                let decide = |&row: &usize| {
                    let without = pair(fold, folds.of_row()[row]).unwrap_or(fold);
                    answers.decision(without, place, row)
                };
                let decisions: Vec<f64> = others.iter().map(decide).collect();
                Metric::Auroc.of(&Scored::new(&decisions, &inner)).unwrap_or(f64::NEG_INFINITY)
            };
            let best = best((0..path.len()).map(auroc));
            own.iter().for_each(|&row| decisions[row] = answers.decision(fold, best, row));
            chosen.push(path[best]);
        }
        Ok((decisions, chosen))
    }

    /// Fits at every C without each of the given sets of folds.
    fn leaving(&self, data: &Dataset, folds: &Folds, left: &[Vec<usize>], path: &[f64]) -> Result<Answers> {
        self.check(path)?;
        let labels = data.labelled().labels();
        let n = labels.len();
        if folds.of_row().len() != n {
            return Err(Error::ShapeMismatch { what: "folds", expected: n, found: folds.of_row().len() });
        }
        let training: Vec<Vec<usize>> = left
            .iter()
            .map(|left| (0..n).filter(|&row| !left.contains(&folds.of_row()[row])).collect())
            .collect();
        for (rows, left) in training.iter().zip(left) {
            let positive = rows.iter().filter(|&&row| labels[row]).count();
            if positive == 0 || positive == rows.len() {
                return Err(Error::OneClassTraining { fold: left[0], class: u8::from(positive > 0) });
            }
        }
        let base = Base::new(data.x(), self.standardise);
        let parts = base.parts(&training);
        let fits: Vec<Fit> =
            (0..parts.len()).flat_map(|part| path.iter().map(move |&c| Fit { part, labels, c })).collect();
        let goal = Goal { tolerance: self.tolerance.max(HELD_OUT), ..self.goal() };
        let solved = newton::solve(&base, &parts, &fits, goal)?;
        let readouts =
            fits.iter().enumerate().map(|(at, fit)| solved.readout(at, &parts[fit.part])).collect();
        Ok(Answers { base, readouts, penalties: path.len() })
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

/// Fits of several parts at several penalties, and the rows they can be asked about.
struct Answers {
    base: Base,
    /// By part, then by penalty.
    readouts: Vec<(Vec<f64>, f64)>,
    penalties: usize,
}

impl Answers {
    /// Row by row, so that equal rows get equal decisions, to the bit, and ties stay ties.
    fn decision(&self, part: usize, penalty: usize, row: usize) -> f64 {
        let (weights, offset) = &self.readouts[part * self.penalties + penalty];
        dot64(self.base.double().col(row), weights) + offset
    }
}

/// The place of the first of the largest values.
pub(crate) fn best(values: impl Iterator<Item = f64>) -> usize {
    let better = |best: (usize, f64), (place, value)| if value > best.1 { (place, value) } else { best };
    values.enumerate().fold((0, f64::NEG_INFINITY), better).0
}

//! Ridge regression on labels of -1 and +1, and its exact leave-one-out path.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::axes::{Axes, solve_one};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::probe::Probe;
use crate::training::TrainingRows;

/// Ridge regression (Hoerl and Kennard, 1970) on targets -1 (class 0) and +1 (class 1).
///
/// The objective is `|y - Z w - b|² + alpha |w|²` with a free intercept, which is scikit-learn's `Ridge`. A decision
/// is the predicted target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ridge {
    /// The penalty; positive.
    pub alpha: f64,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
}

impl Default for Ridge {
    fn default() -> Self {
        Self { alpha: 100.0, standardise: true }
    }
}

impl Estimator for Ridge {
    /// # Errors
    /// [`Error::BadSetting`], [`Error::OneClass`] or [`Error::NoDecomposition`].
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        check_alpha(self.alpha)?;
        let training = TrainingRows::new(data, rows, self.standardise)?;
        let (coef, intercept) = solve_ridge(training.z.view(), &training.signs(), self.alpha)?;
        Ok(training.probe(coef, intercept))
    }

    /// Itself: the twin is the same fit on targets 0 and 1.
    fn twin(&self, _data: &Dataset) -> Twin {
        Twin { penalty: self.alpha, standardise: self.standardise }
    }
}

pub(crate) fn check_alpha(alpha: f64) -> Result<()> {
    if alpha > 0.0 && alpha.is_finite() {
        return Ok(());
    }
    Err(Error::BadSetting { name: "alpha", value: alpha, wanted: "positive and finite" })
}

/// Weights and intercept of a ridge regression of any targets on rows `[n, D]`, by `D` or by `n` equations, whichever
/// are fewer.
pub(crate) fn solve_ridge(
    z: ArrayView2<f64>,
    targets: &Array1<f64>,
    alpha: f64,
) -> Result<(Array1<f64>, f64)> {
    let centre = z.sum_axis(Axis(0)) / z.nrows() as f64;
    let mean = targets.sum() / z.nrows() as f64;
    let (centred, targets) = (&z - &centre, targets - mean);
    let penalised = |mut gram: Array2<f64>| {
        gram.diag_mut().mapv_inplace(|value| value + alpha);
        gram
    };
    let coef = match z.ncols() <= z.nrows() {
        true => solve_one(&penalised(centred.t().dot(&centred)), &centred.t().dot(&targets))?,
        false => centred.t().dot(&solve_one(&penalised(centred.dot(&centred.t())), &targets)?),
    };
    let intercept = mean - coef.dot(&centre);
    Ok((coef, intercept))
}

/// What is left out at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// One row.
    Row,
    /// All rows of one group.
    Group,
}

/// The choice of a penalty by left-out errors.
#[derive(Debug, Clone, PartialEq)]
pub struct AlphaChoice {
    /// The penalty with the least error; the largest of equals.
    pub alpha: f64,
    /// The mean squared left-out error of every penalty, in the order in which they were given.
    pub errors: Vec<f64>,
}

/// Ridge regressions at any number of penalties from one decomposition of the training rows, and what each would say
/// of rows left out of it.
///
/// Predictions of a ridge regression are `H y`. Leaving rows `G` out and fitting weights and intercept anew changes
/// the residuals there from `r` to `(1 - H_GG)⁻¹ r`: exact, and without another fit (Allen, 1974; Golub, Heath and
/// Wahba, 1979). The standardisation is that of all training rows, the left-out ones included; where it must not be,
/// use [`Estimator::cross_validate`].
#[derive(Debug, Clone)]
pub struct RidgePath {
    /// A probe of zero weights: the scaler.
    blank: Probe,
    centre: Array1<f64>,
    axes: Axes,
    targets: Array1<f64>,
    groups: Vec<usize>,
}

impl RidgePath {
    /// Decomposes all rows of a data set.
    ///
    /// # Errors
    /// As [`RidgePath::of_rows`].
    pub fn new(data: &Dataset, standardise: bool) -> Result<Self> {
        Self::of_rows(data, &(0..data.labelled().n()).collect::<Vec<_>>(), standardise)
    }

    /// Decomposes some rows of a data set.
    ///
    /// # Errors
    /// [`Error::OneClass`] or [`Error::NoDecomposition`].
    pub fn of_rows(data: &Dataset, rows: &[usize], standardise: bool) -> Result<Self> {
        let training = TrainingRows::new(data, rows, standardise)?;
        let centre = training.z.sum_axis(Axis(0)) / rows.len() as f64;
        let axes = Axes::of((&training.z - &centre).view())?;
        let (targets, groups) = (training.signs(), training.groups.clone());
        let blank = training.probe(Array1::zeros(centre.len()), 0.0);
        Ok(Self { blank, centre, axes, targets, groups })
    }

    /// The fit at one penalty: that of [`Ridge`].
    ///
    /// # Errors
    /// [`Error::BadSetting`].
    pub fn probe(&self, alpha: f64) -> Result<Probe> {
        check_alpha(alpha)?;
        let coef = self.axes.basis.dot(&self.weights(alpha));
        let intercept = self.mean() - coef.dot(&self.centre);
        Ok(Probe { coef, intercept, ..self.blank.clone() })
    }

    /// The decision on every training row by the fit without it (or without its group), `[n]`, in the order of the
    /// rows.
    ///
    /// # Errors
    /// [`Error::BadSetting`]; [`Error::TooFewGroups`] if nothing is left to fit on.
    pub fn left_out(&self, alpha: f64, left_out: LeftOut) -> Result<Vec<f64>> {
        check_alpha(alpha)?;
        let residuals = &self.targets - &(self.axes.scores.dot(&self.weights(alpha)) + self.mean());
        // H is 1/n plus the products of these rows.
        let rows = &self.axes.scores / &self.axes.values.mapv(|value| (value + alpha).sqrt());
        let mut decisions = self.targets.clone();
        for block in self.blocks(left_out)? {
            let own = rows.select(Axis(0), &block);
            let mut system = own.dot(&own.t()) * -1.0 - 1.0 / self.targets.len() as f64;
            system.diag_mut().mapv_inplace(|value| value + 1.0);
            let errors = solve_one(&system, &residuals.select(Axis(0), &block))?;
            block.iter().zip(&errors).for_each(|(&row, error)| decisions[row] -= error);
        }
        Ok(decisions.to_vec())
    }

    /// The penalty with the least mean squared left-out error.
    ///
    /// # Errors
    /// [`Error::Empty`] without penalties, and as [`RidgePath::left_out`].
    pub fn choose(&self, alphas: &[f64], left_out: LeftOut) -> Result<AlphaChoice> {
        let error = |&alpha: &f64| -> Result<f64> {
            let decisions = Array1::from(self.left_out(alpha, left_out)?);
            Ok((decisions - &self.targets).mapv(|error| error * error).sum() / self.targets.len() as f64)
        };
        let errors = alphas.iter().map(error).collect::<Result<Vec<f64>>>()?;
        let better = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1));
        let pairs = errors.iter().copied().zip(alphas.iter().copied());
        let (_, alpha) = pairs.min_by(better).ok_or(Error::Empty { what: "penalties" })?;
        Ok(AlphaChoice { alpha, errors })
    }

    fn mean(&self) -> f64 {
        self.targets.sum() / self.targets.len() as f64
    }

    /// Along the axes. The mean of the targets has no part in it, because the scores have mean zero.
    fn weights(&self, alpha: f64) -> Array1<f64> {
        self.axes.scores.t().dot(&self.targets) / self.axes.values.mapv(|value| value + alpha)
    }

    fn blocks(&self, left_out: LeftOut) -> Result<Vec<Vec<usize>>> {
        let n = self.targets.len();
        let blocks: Vec<Vec<usize>> = match left_out {
            LeftOut::Row => (0..n).map(|row| vec![row]).collect(),
            LeftOut::Group => {
                let mut blocks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
                (0..n).for_each(|row| blocks.entry(self.groups[row]).or_default().push(row));
                blocks.into_values().collect()
            }
        };
        if blocks.len() < 2 {
            return Err(Error::TooFewGroups { groups: blocks.len(), folds: 2 });
        }
        Ok(blocks)
    }
}

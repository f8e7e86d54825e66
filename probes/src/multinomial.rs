//! L2-penalised multinomial logistic regression.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::axes::Axes;
use crate::data::check_features;
use crate::error::{Error, Result};
use crate::folds::Folds;
use crate::lbfgs::{self, Point};
use crate::metrics::{Metric, Scored};
use crate::scale::Scaler;

/// A readout of several classes at once: the dimension of a stereotype, the family of a moral statement.
///
/// Minimises `Σ log-loss + |W|² / (2 C)` over one weight vector and one free intercept a class, which is scikit-learn's
/// objective. With two classes that is [`Logistic`](crate::Logistic) at twice the C, the penalty being shared by two
/// opposite vectors. A fit is reported only when the Euclidean norm of its gradient is at most `tolerance` times what it
/// is for zero weights and the best intercepts. Intercepts add up to 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multinomial {
    /// The inverse penalty.
    pub c: f64,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
    /// The relative gradient norm to reach.
    pub tolerance: f64,
    /// The steps after which a fit that is not there yet is given up.
    pub max_steps: usize,
}

impl Default for Multinomial {
    fn default() -> Self {
        Self { c: 1.0, standardise: true, tolerance: 1e-8, max_steps: 2000 }
    }
}

/// A fitted readout of `K` classes.
#[derive(Debug, Clone, PartialEq)]
pub struct MultinomialProbe {
    /// What the features went through before the fit.
    pub scaler: Scaler,
    /// The weights of every class on scaled columns, `[K, D]`.
    pub coef: Array2<f64>,
    /// The intercept of every class for scaled columns, `[K]`.
    pub intercepts: Array1<f64>,
}

impl MultinomialProbe {
    /// The probability of every class, `[n, K]`, for raw rows `[n, D]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the rows are not `D` long.
    pub fn probabilities(&self, rows: ArrayView2<f32>) -> Result<Array2<f64>> {
        if rows.ncols() != self.coef.ncols() {
            let (expected, found) = (self.coef.ncols(), rows.ncols());
            return Err(Error::ShapeMismatch { what: "row", expected, found });
        }
        let z = self.scaler.transform(rows, &(0..rows.nrows()).collect::<Vec<_>>());
        let mut margins = z.dot(&self.coef.t()) + &self.intercepts;
        margins.rows_mut().into_iter().for_each(|mut row| {
            softmax(row.as_slice_mut().unwrap_or_default());
        });
        Ok(margins)
    }
}

/// How well classes were told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct MultinomialScores {
    /// The share of rows whose class is the most probable; of equals, the first.
    pub accuracy: f64,
    /// The AUROC of each class against all others, by its probability, `[K]`; None for a class without rows.
    pub auroc: Vec<Option<f64>>,
    /// Their mean; None if one is.
    pub macro_auroc: Option<f64>,
}

impl MultinomialScores {
    /// Scores probabilities `[N, K]` of rows of the given classes.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::ShapeMismatch`].
    pub fn new(probabilities: ArrayView2<f64>, classes: &[usize]) -> Result<Self> {
        if classes.is_empty() {
            return Err(Error::Empty { what: "rows" });
        }
        if probabilities.nrows() != classes.len() {
            let (expected, found) = (classes.len(), probabilities.nrows());
            return Err(Error::ShapeMismatch { what: "probabilities", expected, found });
        }
        let likeliest = |row: usize| {
            let row = probabilities.row(row);
            (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
        };
        let right = (0..classes.len()).filter(|&row| likeliest(row) == classes[row]).count();
        let auroc: Vec<Option<f64>> = (0..probabilities.ncols())
            .map(|class| {
                let own: Vec<bool> = classes.iter().map(|&other| other == class).collect();
                Metric::Auroc.of(&Scored::new(&probabilities.column(class).to_vec(), &own))
            })
            .collect();
        let sum: Option<f64> = auroc.iter().copied().sum();
        Ok(Self {
            accuracy: right as f64 / classes.len() as f64,
            macro_auroc: sum.map(|sum| sum / auroc.len() as f64),
            auroc,
        })
    }
}

impl Multinomial {
    /// Fits on all rows of `x` `[N, D]`, whose classes are numbered from 0 without a gap.
    ///
    /// # Errors
    /// [`Error::BadPenalty`], [`Error::BadTolerance`], those of a [`Dataset`](crate::Dataset),
    /// [`Error::OneClass`], [`Error::MissingClass`], [`Error::NoDecomposition`] or [`Error::Unconverged`].
    pub fn fit(&self, x: ArrayView2<f32>, classes: &[usize]) -> Result<MultinomialProbe> {
        let count = self.check(x, classes)?;
        self.fit_rows(x, classes, count, &(0..classes.len()).collect::<Vec<_>>())
    }

    /// The pooled out-of-fold probabilities, `[N, K]`.
    ///
    /// # Errors
    /// As [`Multinomial::fit`], for every training part.
    pub fn cross_validate(
        &self,
        x: ArrayView2<f32>,
        classes: &[usize],
        folds: &Folds,
    ) -> Result<Array2<f64>> {
        let count = self.check(x, classes)?;
        let rows = folds.held_out(classes.len(), |train, held_out| {
            let probe = self.fit_rows(x, classes, count, train)?;
            let probabilities = probe.probabilities(x.select(Axis(0), held_out).view())?;
            Ok(probabilities.rows().into_iter().map(|row| row.to_vec()).collect())
        })?;
        Ok(Array2::from_shape_fn((classes.len(), count), |(row, class)| rows[row][class]))
    }

    fn fit_rows(
        &self,
        x: ArrayView2<f32>,
        classes: &[usize],
        count: usize,
        rows: &[usize],
    ) -> Result<MultinomialProbe> {
        let mut targets = Array2::zeros((rows.len(), count));
        rows.iter().enumerate().for_each(|(at, &row)| targets[[at, classes[row]]] = 1.0);
        let rates = targets.sum_axis(Axis(0)) / rows.len() as f64;
        if let Some(class) = rates.iter().position(|&rate| rate == 0.0) {
            return Err(Error::MissingClass { class });
        }
        let scaler = if self.standardise { Scaler::fit(x, rows) } else { Scaler::identity(x.ncols()) };
        let mut z = scaler.transform(x, rows);
        let centre = z.sum_axis(Axis(0)) / rows.len() as f64;
        z -= &centre;
        let loss = Loss::new(Axes::of(z.view())?, targets, self.c);
        let start = loss.start(&rates);
        let wanted = self.tolerance * loss.at(start.clone()).norm.max(f64::EPSILON * rows.len() as f64);
        let found = lbfgs::minimise(|at| loss.at(at), start, wanted, self.max_steps);
        if found.norm.is_nan() || found.norm > wanted {
            let (what, gap) = ("multinomial logistic regression", "gradient norm");
            return Err(Error::Unconverged { what, gap, reached: found.norm, wanted });
        }
        let parameters = loss.parameters(&found.at);
        let coef = parameters.slice(s![.., ..-1]).dot(&loss.axes.basis.t());
        let intercepts = &parameters.column(parameters.ncols() - 1) - &coef.dot(&centre);
        // A constant added to all of them changes nothing; shifting the centre may have added one.
        let shift = intercepts.sum() / count as f64;
        Ok(MultinomialProbe { scaler, coef, intercepts: intercepts - shift })
    }

    fn check(&self, x: ArrayView2<f32>, classes: &[usize]) -> Result<usize> {
        if !(self.c > 0.0 && self.c.is_finite()) {
            return Err(Error::BadPenalty { c: self.c });
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(Error::BadTolerance { tolerance: self.tolerance });
        }
        let Some(last) = classes.iter().max() else { return Err(Error::Empty { what: "rows" }) };
        check_features(x, classes.len())?;
        if let Some(class) = (0..*last).find(|class| !classes.contains(class)) {
            return Err(Error::MissingClass { class });
        }
        if *last == 0 {
            return Err(Error::OneClass { class: 0, rows: classes.len() });
        }
        Ok(last + 1)
    }
}

/// The objective along the principal axes of the rows, in units in which its curvature is about even (that at equal
/// probabilities; Böhning, 1992).
struct Loss {
    axes: Axes,
    /// `[n, K]`.
    targets: Array2<f64>,
    c: f64,
    /// The unit of each weight and, last, of the intercept, `[r + 1]`.
    units: Array1<f64>,
}

impl Loss {
    fn new(axes: Axes, targets: Array2<f64>, c: f64) -> Self {
        let classes = targets.ncols() as f64;
        let bend = (classes - 1.0) / (classes * classes);
        let last = 1.0 / (bend * targets.nrows() as f64).sqrt();
        let weights = axes.values.iter().map(|value| 1.0 / (bend * value + 1.0 / c).sqrt());
        let units = weights.chain([last]).collect();
        Self { axes, targets, c, units }
    }

    /// Zero weights and the intercepts that are best for them.
    fn start(&self, rates: &Array1<f64>) -> Array1<f64> {
        let logs = rates.mapv(f64::ln);
        let mean = logs.sum() / logs.len() as f64;
        let width = self.units.len();
        let mut start = Array2::zeros((rates.len(), width));
        start.column_mut(width - 1).assign(&((logs - mean) / self.units[width - 1]));
        start.into_iter().collect()
    }

    /// `[K, r + 1]`.
    fn parameters(&self, at: &Array1<f64>) -> Array2<f64> {
        let width = self.units.len();
        Array2::from_shape_fn((self.targets.ncols(), width), |(class, column)| {
            at[class * width + column] * self.units[column]
        })
    }

    fn at(&self, at: Array1<f64>) -> Point {
        let parameters = self.parameters(&at);
        let weights = parameters.slice(s![.., ..-1]);
        let mut margins = self.axes.scores.dot(&weights.t()) + parameters.column(parameters.ncols() - 1);
        let mut value = weights.iter().map(|weight| weight * weight).sum::<f64>() / (2.0 * self.c);
        for (mut row, target) in margins.rows_mut().into_iter().zip(self.targets.rows()) {
            value -= row.dot(&target);
            value += softmax(row.as_slice_mut().unwrap_or_default());
        }
        let residuals = margins - &self.targets;
        let mut gradient = Array2::zeros(parameters.dim());
        let pulled = residuals.t().dot(&self.axes.scores) + &(&weights / self.c);
        gradient.slice_mut(s![.., ..-1]).assign(&pulled);
        gradient.column_mut(parameters.ncols() - 1).assign(&residuals.sum_axis(Axis(0)));
        let norm = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        Point { at, value, gradient: (gradient * &self.units).into_iter().collect(), norm }
    }
}

/// Turns margins into probabilities in place, and returns the logarithm of their sum of exponentials.
fn softmax(margins: &mut [f64]) -> f64 {
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    margins.iter_mut().for_each(|margin| *margin = (*margin - largest).exp());
    let sum: f64 = margins.iter().sum();
    margins.iter_mut().for_each(|margin| *margin /= sum);
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lbfgs::slopes_agree;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let z = Array2::from_shape_fn((9, 4), |(i, j)| ((i * 31 + j * 17 + i * j) as f64).sin());
        let targets = Array2::from_shape_fn((9, 3), |(row, class)| f64::from(u8::from(row % 3 == class)));
        let loss = Loss::new(Axes::of(z.view()).unwrap(), targets, 0.7);
        let at: Array1<f64> = (0..15).map(|i| 0.4 * (i as f64 + 0.5).cos()).collect();
        slopes_agree(|at| loss.at(at), &at, 1e-7);
    }
}

//! Both ways between this crate and linfa: its estimators as kinds of probe, and kinds of probe as its estimators.

use linfa::dataset::{AsSingleTargets, DatasetBase};
use linfa::traits::{Fit, PredictInplace};
use linfa::{Float, ParamGuard};
use linfa_logistic::LogisticRegression;
use linfa_svm::Svm;
use ndarray::{Array1, Array2, ArrayBase, ArrayView, Axis, Data, Ix2};

use crate::ccs::Ccs;
use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::kind::Kind;
use crate::lda::Lda;
use crate::logistic::Logistic;
use crate::mass_mean::MassMean;
use crate::newton::sigmoid;
use crate::pairs::PairPca;
use crate::probe::Probe;
use crate::ridge::Ridge;
use crate::sparse::Sparse;
use crate::training::TrainingRows;

/// linfa-logistic as a second opinion on [`Logistic`]: the same objective on standardised columns, by L-BFGS.
///
/// linfa does not say whether it converged, so the gradient is computed here, and a fit is refused whose gradient norm is
/// more than [`LinfaLogistic::TOLERANCE`] of that at zero weights and the best intercept. A decision is log-odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinfaLogistic {
    /// The inverse penalty.
    pub c: f64,
}

/// linfa-svm with a linear kernel as a second opinion: `|w|²/2 + C Σ max(0, 1 - y (w·z + b))` on standardised columns,
/// targets -1 and +1 (Cortes and Vapnik, 1995).
///
/// The direction is the sum of the support vectors by their weights. A fit is refused whose relative duality gap is more
/// than [`LinfaSvm::TOLERANCE`]. A decision is 1 at the margin of class 1 and -1 at that of class 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinfaSvm {
    /// What a row on the wrong side of its margin costs.
    pub c: f64,
}

impl Default for LinfaLogistic {
    fn default() -> Self {
        Self { c: 1.0 }
    }
}

impl Default for LinfaSvm {
    fn default() -> Self {
        Self { c: 1.0 }
    }
}

impl LinfaLogistic {
    /// The largest relative gradient norm of a fit that is reported.
    pub const TOLERANCE: f64 = 1e-4;
    const MAX_STEPS: u64 = 10_000;

    /// The norm of the gradient of the objective.
    fn gradient_norm(&self, training: &TrainingRows, coef: &Array1<f64>, intercept: f64) -> f64 {
        let margins = training.z.dot(coef) + intercept;
        let residuals: Array1<f64> =
            margins.iter().zip(&training.labels).map(|(&m, &label)| sigmoid(m) - f64::from(label)).collect();
        let gradient = training.z.t().dot(&residuals) + coef / self.c;
        (gradient.dot(&gradient) + residuals.sum().powi(2)).sqrt()
    }
}

impl Estimator for LinfaLogistic {
    /// # Errors
    /// [`Error::BadPenalty`], [`Error::OneClass`], [`Error::Linfa`] or [`Error::Unconverged`].
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        check_c(self.c)?;
        let training = TrainingRows::new(data, rows, true)?;
        let base = base_rate(&training.labels);
        let start = self.gradient_norm(&training, &Array1::zeros(training.z.ncols()), base);
        let wanted = Self::TOLERANCE * start;
        let set = DatasetBase::new(training.z.view(), Array1::from(training.labels.clone()));
        // linfa's own test looks at one step only, and is made ten times as strict.
        let fitted = LogisticRegression::default()
            .alpha(1.0 / self.c)
            .max_iterations(Self::MAX_STEPS)
            .gradient_tolerance((wanted / 10.0).max(f64::MIN_POSITIVE))
            .fit(&set)
            .map_err(refused)?;
        // The positive class of linfa is the more frequent one.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        let (coef, intercept) = (fitted.params() * sign, fitted.intercept() * sign);
        let reached = self.gradient_norm(&training, &coef, intercept);
        if reached.is_nan() || reached > wanted {
            let (what, gap) = ("linfa-logistic", "gradient norm");
            return Err(Error::Unconverged { what, gap, reached, wanted });
        }
        Ok(training.probe(coef, intercept))
    }

    fn twin(&self, data: &Dataset) -> Twin {
        Logistic { c: self.c, ..Logistic::default() }.twin(data)
    }
}

impl LinfaSvm {
    /// The largest relative duality gap of a fit that is reported.
    pub const TOLERANCE: f64 = 1e-4;
}

impl Estimator for LinfaSvm {
    /// # Errors
    /// [`Error::BadPenalty`], [`Error::OneClass`], [`Error::Linfa`] or [`Error::Unconverged`].
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        check_c(self.c)?;
        let training = TrainingRows::new(data, rows, true)?;
        let set = DatasetBase::new(training.z.view(), ArrayView::from(&training.labels));
        let fitted = Svm::<f64, bool>::params()
            .pos_neg_weights(self.c, self.c)
            .linear_kernel()
            .check()
            .and_then(|params| params.fit(&set))
            .map_err(refused)?;
        let weights = Array1::from(fitted.alpha.clone());
        let coef = training.z.t().dot(&weights);
        let intercept = -fitted.rho;
        let margins = (training.z.dot(&coef) + intercept) * training.signs();
        let hinge: f64 = margins.iter().map(|margin| (1.0 - margin).max(0.0)).sum();
        let primal = coef.dot(&coef) / 2.0 + self.c * hinge;
        let dual = weights.mapv(f64::abs).sum() - coef.dot(&coef) / 2.0;
        let reached = (primal - dual) / primal;
        if reached.is_nan() || reached > Self::TOLERANCE {
            let (what, gap, wanted) = ("linfa-svm", "relative duality gap", Self::TOLERANCE);
            return Err(Error::Unconverged { what, gap, reached, wanted });
        }
        Ok(training.probe(coef, intercept))
    }

    /// The least-squares support vector machine of Suykens and Vandewalle (1999), which is this ridge regression.
    fn twin(&self, _data: &Dataset) -> Twin {
        Twin { penalty: 1.0 / self.c, standardise: true }
    }
}

fn check_c(c: f64) -> Result<()> {
    if c > 0.0 && c.is_finite() { Ok(()) } else { Err(Error::BadPenalty { c }) }
}

fn base_rate(labels: &[bool]) -> f64 {
    let positives = labels.iter().filter(|&&label| label).count() as f64;
    (positives / (labels.len() as f64 - positives)).ln()
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Linfa { message: error.to_string() }
}

impl From<linfa::Error> for Error {
    fn from(error: linfa::Error) -> Self {
        refused(error)
    }
}

/// The probe of a linfa data set whose every row is its own group.
fn fit_linfa<F, D, T>(estimator: &impl Estimator, set: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Probe>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = bool>,
{
    let labels: Vec<bool> = set.targets.as_single_targets().to_vec();
    let labelled = Labelled::from_bools(&labels, &(0..labels.len() as i64).collect::<Vec<_>>())?;
    estimator.fit(&Dataset::new(narrow(&set.records).view(), &labelled)?)
}

/// Hidden states are `f32`, and so are the features of this crate.
fn narrow<F: Float, D: Data<Elem = F>>(records: &ArrayBase<D, Ix2>) -> Array2<f32> {
    records.mapv(|value| value.to_f32().unwrap_or(f32::NAN))
}

/// linfa's `Fit` on records `[N, D]` of `f32` or `f64` and one boolean target a row; `true` is class 1.
macro_rules! fit {
    ($($estimator:ty),*) => {$(
        impl<F, D, T> Fit<ArrayBase<D, Ix2>, T, Error> for $estimator
        where
            F: Float,
            D: Data<Elem = F>,
            T: AsSingleTargets<Elem = bool>,
        {
            type Object = Probe;

            fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Probe> {
                fit_linfa(self, dataset)
            }
        }
    )*};
}

fit!(Kind, Logistic, Ridge, Lda, MassMean, PairPca, Ccs, Sparse, LinfaLogistic, LinfaSvm);

/// Whether the decision is positive.
///
/// # Panics
/// As everywhere in linfa, if the records are not `D` wide or the targets not as many.
impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<bool>> for Probe {
    fn predict_inplace<'a>(&'a self, records: &'a ArrayBase<D, Ix2>, targets: &mut Array1<bool>) {
        assert_eq!(records.ncols(), self.coef.len(), "the records are as wide as the probe");
        assert_eq!(records.nrows(), targets.len(), "a target for every record");
        let direction = self.direction();
        let intercept = self.intercept - direction.dot(&self.scaler.mean);
        for (row, target) in narrow(records).axis_iter(Axis(0)).zip(targets) {
            *target = row.mapv(f64::from).dot(&direction) + intercept > 0.0;
        }
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<bool> {
        Array1::from_elem(records.nrows(), false)
    }
}

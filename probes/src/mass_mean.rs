//! The difference of class means.

use crate::data::Dataset;
use crate::error::Result;
use crate::estimator::{Estimator, Twin};
use crate::probe::Probe;
use crate::training::TrainingRows;
use crate::within;

/// Mass-mean probing (Marks and Tegmark, 2024, "The Geometry of Truth"): `w = m₁ - m₀`, or `Σ⁺ (m₁ - m₀)` with the
/// pooled within-class covariance; `b` puts the middle between the means at 0.
///
/// A decision is in squared units of the features, or log-odds with the covariance, if the classes are normal and
/// equally frequent. `Σ` is not shrunken, so with fewer rows than columns it fits noise: [`Lda`](crate::Lda) is the
/// same with shrinkage.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MassMean {
    /// Whether the difference goes through the (pseudo-)inverse of the within-class covariance.
    pub covariance: bool,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
}

impl Estimator for MassMean {
    /// # Errors
    /// [`Error::OneClass`](crate::Error::OneClass); with the covariance [`Error::NoVariance`](crate::Error::NoVariance)
    /// or [`Error::NoDecomposition`](crate::Error::NoDecomposition).
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        let training = TrainingRows::new(data, rows, self.standardise)?;
        let [mean0, mean1] = training.class_means();
        let difference = &mean1 - &mean0;
        let coef = match self.covariance {
            true => within::pseudo_inverse(&training.within_class(), &difference)?,
            false => difference,
        };
        let intercept = -coef.dot(&(mean0 + mean1)) / 2.0;
        Ok(training.probe(coef, intercept))
    }

    /// An infinite penalty, which is the difference of means; with the covariance, that of discriminant analysis
    /// without shrinkage.
    fn twin(&self, data: &Dataset) -> Twin {
        if !self.covariance {
            return Twin { penalty: f64::INFINITY, standardise: self.standardise };
        }
        let unshrunken = crate::lda::Shrinkage::Fixed(0.0);
        crate::lda::Lda { shrinkage: unshrunken, standardise: self.standardise }.twin(data)
    }
}

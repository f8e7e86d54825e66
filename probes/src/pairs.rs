//! The first principal component of pair differences.

use ndarray::Axis;

use crate::axes::Axes;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::probe::Probe;
use crate::training::{Pairs, TrainingRows};

/// The direction along which contrast pairs differ most (Zou et al., 2023, "Representation engineering").
///
/// Every group that holds both classes gives one difference, mean of class 1 less mean of class 0. The weights are the
/// unit vector that maximises the mean squared projection of the differences. It is about zero and not about their mean
/// (uncentred), so it does not depend on which member of a pair is named first; which end is class 1 is then read off the
/// mean difference. `b` puts the middle between the members of a pair, on average, at 0. A decision is a length in the units
/// of the features.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairPca {
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
}

impl Estimator for PairPca {
    /// # Errors
    /// [`Error::OneClass`], [`Error::NoPairs`], [`Error::NoDecomposition`]; [`Error::NoVariance`] if the members of no
    /// pair differ.
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        let training = TrainingRows::new(data, rows, self.standardise)?;
        let Pairs { negative, positive, .. } = training.pairs()?;
        let differences = &positive - &negative;
        let axes = Axes::of(differences.view())?;
        if axes.values.is_empty() {
            return Err(Error::NoVariance);
        }
        let axis = axes.basis.column(0);
        let sign = if differences.dot(&axis).sum() < 0.0 { -1.0 } else { 1.0 };
        let coef = &axis * sign;
        let middles = (negative + positive).sum_axis(Axis(0)) / (2.0 * differences.nrows() as f64);
        let intercept = -coef.dot(&middles);
        Ok(training.probe(coef, intercept))
    }

    /// The difference of means: the other direction that pair differences have in common.
    fn twin(&self, _data: &Dataset) -> Twin {
        Twin { penalty: f64::INFINITY, standardise: self.standardise }
    }
}

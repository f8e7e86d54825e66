//! A logistic probe of few columns.

use ndarray::{Array1, Axis};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::logistic::Logistic;
use crate::probe::Probe;
use crate::scale::Scaler;
use crate::training::TrainingRows;

/// The k-sparse probe of Gurnee et al. (2023, "Finding neurons in a haystack"): a logistic regression on the `k` columns
/// whose class means differ most, in standard deviations of the training rows.
///
/// Columns are ranked one by one: two that say the same are both taken. A decision is log-odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse {
    /// How many columns are used.
    pub k: usize,
    /// How they are used.
    pub logistic: Logistic,
}

impl Default for Sparse {
    fn default() -> Self {
        Self { k: 16, logistic: Logistic::default() }
    }
}

impl Sparse {
    /// The columns used, the best first; of equals the one further left.
    ///
    /// # Errors
    /// [`Error::TooFewColumns`] or [`Error::OneClass`].
    pub fn columns(&self, data: &Dataset, rows: &[usize]) -> Result<Vec<usize>> {
        let columns = data.x().ncols();
        if self.k == 0 || self.k > columns {
            return Err(Error::TooFewColumns { k: self.k, columns });
        }
        let [mean0, mean1] = TrainingRows::new(data, rows, true)?.class_means();
        let gaps = (mean1 - mean0).mapv(f64::abs);
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by(|&a, &b| gaps[b].total_cmp(&gaps[a]));
        order.truncate(self.k);
        Ok(order)
    }
}

impl Estimator for Sparse {
    /// # Errors
    /// As [`Sparse::columns`] and as the logistic fit.
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        let columns = self.columns(data, rows)?;
        let narrow = data.x().select(Axis(1), &columns);
        let probe = self.logistic.fit_rows(&Dataset::new(narrow.view(), data.labelled())?, rows)?;
        let mut scaler = Scaler::identity(data.x().ncols());
        let mut coef = Array1::zeros(data.x().ncols());
        for (place, &column) in columns.iter().enumerate() {
            scaler.mean[column] = probe.scaler.mean[place];
            scaler.scale[column] = probe.scaler.scale[place];
            coef[column] = probe.coef[place];
        }
        Ok(Probe { scaler, coef, intercept: probe.intercept })
    }

    /// That of the logistic probe of all columns: columns are not chosen anew under exchanged labels.
    fn twin(&self, data: &Dataset) -> Twin {
        self.logistic.twin(data)
    }
}

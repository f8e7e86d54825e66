//! The kinds of probe by name.

use crate::data::Dataset;
use crate::error::Result;
use crate::estimator::{Estimator, Twin};
use crate::folds::Folds;
use crate::logistic::Logistic;
use crate::probe::Probe;

/// A kind of probe with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// L2-penalised logistic regression.
    Logistic(Logistic),
}

impl Kind {
    /// What is chosen here.
    fn estimator(&self) -> &dyn Estimator {
        match self {
            Self::Logistic(logistic) => logistic,
        }
    }

    /// The name by which it is asked for.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logistic(_) => "logistic",
        }
    }
}

impl Estimator for Kind {
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        self.estimator().fit_rows(data, rows)
    }

    fn cross_validate(&self, data: &Dataset, folds: &Folds) -> Result<Vec<f64>> {
        self.estimator().cross_validate(data, folds)
    }

    fn twin(&self, data: &Dataset) -> Twin {
        self.estimator().twin(data)
    }
}

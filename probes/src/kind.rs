//! The kinds of probe by name.

use std::str::FromStr;

use crate::ccs::Ccs;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::folds::Folds;
use crate::lda::Lda;
use crate::linfa::{LinfaLogistic, LinfaSvm};
use crate::logistic::Logistic;
use crate::mass_mean::MassMean;
use crate::pairs::PairPca;
use crate::probe::Probe;
use crate::ridge::Ridge;
use crate::sparse::Sparse;

/// A kind of probe with its settings.
///
/// A name stands for a kind with its default settings: `"ridge".parse::<Kind>()`.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// L2-penalised logistic regression.
    Logistic(Logistic),
    /// Ridge regression on labels of -1 and +1.
    Ridge(Ridge),
    /// Linear discriminant analysis.
    Lda(Lda),
    /// The difference of class means.
    MassMean(MassMean),
    /// The first principal component of pair differences.
    PairPca(PairPca),
    /// Contrast-consistent search.
    Ccs(Ccs),
    /// A logistic regression on few columns.
    Sparse(Sparse),
    /// Logistic regression by linfa.
    LinfaLogistic(LinfaLogistic),
    /// A linear support vector machine by linfa.
    LinfaSvm(LinfaSvm),
}

impl Kind {
    /// Every kind with its default settings.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Logistic(Logistic::default()),
            Self::Ridge(Ridge::default()),
            Self::Lda(Lda::default()),
            Self::MassMean(MassMean::default()),
            Self::MassMean(MassMean { covariance: true, ..MassMean::default() }),
            Self::PairPca(PairPca::default()),
            Self::Ccs(Ccs::default()),
            Self::Sparse(Sparse::default()),
            Self::LinfaLogistic(LinfaLogistic::default()),
            Self::LinfaSvm(LinfaSvm::default()),
        ]
    }

    /// What is chosen here.
    fn estimator(&self) -> &dyn Estimator {
        match self {
            Self::Logistic(logistic) => logistic,
            Self::Ridge(ridge) => ridge,
            Self::Lda(lda) => lda,
            Self::MassMean(mass_mean) => mass_mean,
            Self::PairPca(pair_pca) => pair_pca,
            Self::Ccs(ccs) => ccs,
            Self::Sparse(sparse) => sparse,
            Self::LinfaLogistic(logistic) => logistic,
            Self::LinfaSvm(svm) => svm,
        }
    }

    /// The name by which it is asked for.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logistic(_) => "logistic",
            Self::Ridge(_) => "ridge",
            Self::Lda(_) => "lda",
            Self::MassMean(MassMean { covariance: false, .. }) => "mass-mean",
            Self::MassMean(MassMean { covariance: true, .. }) => "mass-mean-cov",
            Self::PairPca(_) => "pair-pca",
            Self::Ccs(_) => "ccs",
            Self::Sparse(_) => "sparse",
            Self::LinfaLogistic(_) => "linfa-logistic",
            Self::LinfaSvm(_) => "linfa-svm",
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// # Errors
    /// [`Error::UnknownKind`], which lists the names.
    fn from_str(name: &str) -> Result<Self> {
        let all = Self::all();
        let known = all.iter().map(Self::name).collect::<Vec<_>>().join(", ");
        all.into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(Error::UnknownKind { name: name.to_owned(), known })
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

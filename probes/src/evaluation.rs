//! Decisions of rows that had no part in the fit, and what they are worth.

use crate::bootstrap::{Bootstrap, Estimate};
use crate::data::Labelled;
use crate::error::Result;
use crate::folds::Folds;

/// Out-of-fold decisions and what they are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The pooled out-of-fold decision of every row, `[N]`.
    pub decisions: Vec<f64>,
    /// Area under the ROC curve.
    pub auroc: Estimate,
    /// Accuracy at a decision of 0.
    pub accuracy: Estimate,
    /// The mean over classes of the accuracy at a decision of 0.
    pub balanced_accuracy: Estimate,
    /// Average precision.
    pub average_precision: Estimate,
    /// Brier score.
    pub brier: Estimate,
    /// Mean negative log-likelihood, in nats.
    pub log_loss: Estimate,
    /// Expected calibration error.
    pub ece: Estimate,
    /// Rows scored.
    pub n: usize,
    /// Groups they form, which the intervals resample.
    pub n_groups: usize,
}

impl Evaluation {
    /// Scores pooled decisions, with intervals.
    ///
    /// # Errors
    /// As [`Bootstrap::estimates`].
    pub fn new(labelled: &Labelled, decisions: Vec<f64>, bootstrap: &Bootstrap) -> Result<Self> {
        let [auroc, accuracy, balanced_accuracy, average_precision, brier, log_loss, ece] =
            bootstrap.estimates(labelled, &decisions)?;
        let (n, n_groups) = (labelled.n(), labelled.n_groups());
        Ok(Self {
            decisions,
            auroc,
            accuracy,
            balanced_accuracy,
            average_precision,
            brier,
            log_loss,
            ece,
            n,
            n_groups,
        })
    }

    /// Scores the decisions of each fold by themselves, as [`Folds::leave_one_out_of`] asks for; `None` for a fold whose
    /// rows are of one class, where nothing can be separated.
    ///
    /// # Errors
    /// As [`Bootstrap::estimates`].
    pub fn by_fold(
        labelled: &Labelled,
        folds: &Folds,
        decisions: &[f64],
        bootstrap: &Bootstrap,
    ) -> Result<Vec<Option<Self>>> {
        labelled.check("decisions", decisions.len())?;
        labelled.check("folds", folds.of_row().len())?;
        (0..folds.k())
            .map(|fold| {
                let (_, rows) = folds.split(fold);
                let Ok(part) = labelled.select(&rows) else { return Ok(None) };
                let own = rows.iter().map(|&row| decisions[row]).collect();
                Self::new(&part, own, bootstrap).map(Some)
            })
            .collect()
    }
}

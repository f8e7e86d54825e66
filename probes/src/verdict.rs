//! Whether a probe is to be believed, and if not, why not.

use std::fmt;

use crate::bootstrap::{Bootstrap, Estimate};
use crate::controls::Selectivity;
use crate::data::Labelled;
use crate::error::Result;
use crate::evaluation::Evaluation;
use crate::metrics::Metric;

/// What is known of a probe. Baselines must be scored on the same rows and folds.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The probe's out-of-fold scores.
    pub probe: &'a Evaluation,
    /// The p-value against exchanged labels, corrected for all that were looked at; `None` if there was no test.
    pub p: Option<f64>,
    /// The level that p must not exceed.
    pub alpha: f64,
    /// The words-only baseline, where there are texts.
    pub words: Option<&'a Evaluation>,
    /// The length baseline, where there are texts.
    pub length: Option<&'a Evaluation>,
    /// Probes of the same kind on the untrained model, where it was tried.
    pub untrained: Option<&'a Evaluation>,
    /// The control tasks, if any were run.
    pub control: Option<&'a Selectivity>,
}

/// A control that a probe does not beat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// Exchanged labels do as well, or were not tried.
    Permutation {
        /// The corrected p-value.
        p: Option<f64>,
    },
    /// Counting words does as well.
    Words {
        /// The AUROC less that of the words.
        difference: Estimate,
    },
    /// The length of the text does as well.
    Length {
        /// The AUROC less that of the length.
        difference: Estimate,
    },
    /// The untrained model shows as much.
    Untrained {
        /// The AUROC less that on the untrained model.
        difference: Estimate,
    },
    /// The probe learns labels drawn by lot as well.
    Control {
        /// The AUROC less that on control tasks; its interval is that of the AUROC.
        selectivity: Estimate,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (control, difference) = match self {
            Self::Permutation { p: Some(p) } => return write!(f, "not above permuted labels (p = {p:.3})"),
            Self::Permutation { p: None } => return write!(f, "not tested against permuted labels"),
            Self::Words { difference } => ("a bag of words", difference),
            Self::Length { difference } => ("the length of the text", difference),
            Self::Untrained { difference } => ("the untrained model", difference),
            Self::Control { selectivity } => ("its control task", selectivity),
        };
        write!(f, "not above {control}")?;
        match (difference.value, difference.ci) {
            (Some(value), Some(ci)) => {
                write!(f, " (AUROC {value:+.3}, interval {:+.3} to {:+.3})", ci.low, ci.high)
            }
            (Some(value), None) => write!(f, " (AUROC {value:+.3}, no interval)"),
            (None, _) => write!(f, " (undefined)"),
        }
    }
}

/// The controls that a probe does not beat.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One doubt a control; each prints as a plain phrase.
    pub doubts: Vec<Doubt>,
}

impl Verdict {
    /// Weighs the evidence. A difference counts as above 0 if its whole interval is; baselines are compared with on
    /// resamples of groups that both share. A control that does not apply (`None`, or a void control task) raises no
    /// doubt, but labels that were not exchanged do.
    ///
    /// # Errors
    /// As [`Bootstrap::difference`].
    pub fn new(labelled: &Labelled, evidence: &Evidence, bootstrap: &Bootstrap) -> Result<Self> {
        let mut doubts = Vec::new();
        if evidence.p.is_none_or(|p| p > evidence.alpha) {
            doubts.push(Doubt::Permutation { p: evidence.p });
        }
        let above = |baseline: &Evaluation| {
            let (own, other) = (&evidence.probe.decisions, &baseline.decisions);
            bootstrap.difference(labelled, Metric::Auroc, own, other)
        };
        for (at, baseline) in [evidence.words, evidence.length, evidence.untrained].into_iter().enumerate() {
            let Some(baseline) = baseline else { continue };
            let difference = above(baseline)?;
            let doubt = match at {
                0 => Doubt::Words { difference },
                1 => Doubt::Length { difference },
                _ => Doubt::Untrained { difference },
            };
            doubts.extend((!is_above(&difference)).then_some(doubt));
        }
        if let Some(control) = evidence.control.and_then(|control| control.control_auroc) {
            let mut selectivity = evidence.probe.auroc;
            selectivity.value = selectivity.value.map(|auroc| auroc - control);
            if let Some(ci) = &mut selectivity.ci {
                ci.low -= control;
                ci.high -= control;
            }
            doubts.extend((!is_above(&selectivity)).then_some(Doubt::Control { selectivity }));
        }
        Ok(Self { doubts })
    }

    /// Whether no control was left unbeaten.
    pub fn believed(&self) -> bool {
        self.doubts.is_empty()
    }
}

fn is_above(difference: &Estimate) -> bool {
    difference.ci.is_some_and(|ci| ci.low > 0.0)
}

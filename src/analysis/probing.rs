//! Probes of the study's concepts, frozen: how well each reads, whether it is believed, how it is applied and written.

use ndarray::Array1;
use recant_probes::{Calibration, Doubt, Estimate, Evaluation, LayerProbe, Selectivity, Verdict};
use serde_json::{Value, json};

use super::directions::Directions;
use crate::Error;
use crate::model::Site;
use crate::study::ProbeEntry;
use crate::task::concept::Concept;

/// The probes of one concept in one model at one site: one per captured layer, or one per head of each.
pub struct ConceptProbes {
    /// The concept's name.
    pub concept: String,
    /// The site that is read.
    pub site: Site,
    /// Heads per layer, where each is read by itself: probe `k` is then of head `k % heads`.
    pub heads: Option<usize>,
    /// The model's layer of each probe.
    pub layers: Vec<usize>,
    /// The probes with their scores.
    pub sweep: Vec<LayerProbe>,
    /// What a bag of words reads from the same texts on the same folds.
    pub words: Evaluation,
    /// What the length of the texts tells on the same folds.
    pub length: Evaluation,
    /// What naming the larger class of each training part gets right.
    pub majority: f64,
    /// What probes read at each place from the same texts in the model with random weights, if that was captured.
    pub untrained: Option<Vec<Evaluation>>,
    /// The control tasks of each probe.
    pub controls: Vec<Selectivity>,
    /// The least AUROC that is surely found with so many groups of texts: power 0.8, one-sided at 0.05, groups taken for
    /// unpaired rows.
    pub detectable: Option<f64>,
    /// The controls that each probe does not beat.
    pub verdicts: Vec<Verdict>,
    /// Within-class standard deviation of the out-of-fold decisions, per probe: the unit of concept scores.
    pub units: Vec<f64>,
    /// From scores to probabilities, per probe: fitted on the out-of-fold decisions in their unit.
    pub calibrations: Vec<Calibration>,
}

/// A probe as it is applied: a decision in its unit is `direction . state + offset`, of raw states.
pub struct Readout {
    /// `[d]`.
    pub direction: Array1<f64>,
    /// What is added.
    pub offset: f64,
}

impl From<recant_probes::Error> for Error {
    fn from(error: recant_probes::Error) -> Self {
        Self::Input { what: "probe".into(), why: error.to_string(), hint: None }
    }
}

impl ConceptProbes {
    /// The place (in `layers`) of the highest out-of-fold AUROC.
    #[must_use]
    pub fn best(&self) -> usize {
        let auroc = |place: usize| self.sweep[place].cv.auroc.value.unwrap_or(f64::NEG_INFINITY);
        (1..self.sweep.len()).fold(0, |best, place| if auroc(place) > auroc(best) { place } else { best })
    }

    /// The probes as they are applied to states.
    #[must_use]
    pub fn readouts(&self) -> Vec<Readout> {
        let readout = |(probe, unit): (&LayerProbe, &f64)| {
            let direction = probe.probe.direction() / *unit;
            let offset = probe.probe.intercept / unit - direction.dot(&probe.probe.scaler.mean);
            Readout { direction, offset }
        };
        self.sweep.iter().zip(&self.units).map(readout).collect()
    }

    /// The calibrated probability of the positive class that a score stands for.
    #[must_use]
    pub fn probability(&self, place: usize, score: f64) -> f64 {
        self.calibrations[place].probability(score)
    }

    /// Whether each probe is believed: whether it beats permuted labels (where some were permuted), words and length
    /// alone, and the untrained model. What tables and figures mark and leave out is decided here alone.
    #[must_use]
    pub fn readable(&self) -> Vec<bool> {
        (0..self.sweep.len()).map(|place| self.doubts(place).next().is_none()).collect()
    }

    /// The controls that a probe does not beat. That no labels were permuted is the study's choice, and no doubt.
    pub fn doubts(&self, place: usize) -> impl Iterator<Item = &Doubt> {
        let tested = self.sweep[place].permutation.is_some();
        let doubts = self.verdicts[place].doubts.iter();
        doubts.filter(move |doubt| tested || !matches!(doubt, Doubt::Permutation { .. }))
    }

    /// The highest AUROC that is read from the model with random weights at any layer.
    #[must_use]
    pub fn best_untrained(&self) -> Option<f64> {
        let layers = self.untrained.iter().flatten();
        layers.filter_map(|layer| layer.auroc.value).reduce(f64::max)
    }

    /// Directions, intercepts, scaling, units and calibrations, to be written and to be applied.
    #[must_use]
    pub fn directions(&self) -> Directions {
        let platt = |calibration: &Calibration| {
            let intercept = calibration.log_odds(0.0);
            [calibration.log_odds(1.0) - intercept, intercept]
        };
        Directions {
            layers: self.layers.iter().map(|&layer| layer as i64).collect(),
            placed: true,
            probes: self.sweep.iter().map(|probe| probe.probe.clone()).collect(),
            units: Some(self.units.clone()),
            platt: Some(self.calibrations.iter().map(platt).collect()),
        }
    }

    /// Scores with intervals and nulls, per layer, and what they were trained with.
    #[must_use]
    pub fn scores(&self, concept: &Concept, entry: &ProbeEntry, model: &str) -> Value {
        let readable = self.readable();
        let layers: Vec<Value> = self
            .sweep
            .iter()
            .enumerate()
            .map(|(place, probe)| {
                json!({
                    "layer": self.layers[place],
                    "head": self.heads.map(|heads| place % heads),
                    "train": { "auroc": { "value": probe.train_auroc } },
                    "cv": evaluation(&probe.cv),
                    "null": {
                        "permutation_p": probe.permutation.as_ref().map(|test| test.p),
                        "permutation_p_max_over_layers": probe.permutation.as_ref().map(|test| test.p_max),
                        "control_auroc": self.controls[place].control_auroc,
                        "selectivity": self.controls[place].selectivity(probe.cv.auroc.value),
                    },
                    "untrained": self.untrained.as_ref().map(|untrained| json!({
                        "auroc": estimate(&untrained[place].auroc),
                    })),
                    "doubts": self.doubts(place).map(ToString::to_string).collect::<Vec<_>>(),
                    "unit": self.units[place],
                    "readable": readable[place],
                })
            })
            .collect();
        json!({
            "concept": self.concept, "positive": concept.spec.positive, "model": model, "kind": "logistic",
            "site": self.site.name(), "heads": self.heads, "c": entry.c, "folds": entry.folds, "permutations": entry.permutations,
            "n": self.words.n, "n_groups": self.words.n_groups,
            "best_layer": self.layers[self.best()],
            "bag_of_words": { "auroc": estimate(&self.words.auroc) },
            "length": { "auroc": estimate(&self.length.auroc) },
            "majority": { "accuracy": self.majority }, "detectable_auroc": self.detectable,
            "layers": layers,
        })
    }
}

/// Scores with their intervals.
#[must_use]
pub fn evaluation(scores: &Evaluation) -> Value {
    json!({
        "auroc": estimate(&scores.auroc),
        "accuracy": estimate(&scores.accuracy),
        "balanced_accuracy": estimate(&scores.balanced_accuracy),
        "average_precision": estimate(&scores.average_precision),
        "brier": estimate(&scores.brier),
        "log_loss": estimate(&scores.log_loss),
        "ece": estimate(&scores.ece),
    })
}

fn estimate(estimate: &Estimate) -> Value {
    json!({ "value": estimate.value, "ci": estimate.ci.as_ref().map(|ci| [ci.low, ci.high]) })
}

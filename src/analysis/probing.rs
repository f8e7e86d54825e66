//! Probes of the study's concepts: trained on the concepts' states, frozen, written, and their scores.

use std::collections::HashMap;

use ndarray::{Array1, Array3, ArrayView3};
use recant_probes::{
    Bootstrap, Calibration, Calibrator, Counting, Estimate, Evaluation, FoldPlan, Kind, Labelled, LayerProbe,
    Logistic, Settings, fit_layers, words_only,
};
use serde_json::{Value, json};
use tch::Tensor;

use crate::model::Site;
use crate::store::States;
use crate::study::ProbeEntry;
use crate::task::concept::Concept;
use crate::{Error, Result};

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
    /// Within-class standard deviation of the out-of-fold decisions, per probe: the unit of concept scores.
    pub units: Vec<f64>,
    /// From scores to probabilities, per probe: fitted on the out-of-fold decisions in their unit.
    pub calibrations: Vec<Calibration>,
}

/// A probe as it is applied: a decision in its unit is `direction . state + offset`, of raw states.
pub(super) struct Readout {
    /// `[d]`.
    pub direction: Array1<f64>,
    pub offset: f64,
}

/// What the probes of a concept are trained with, whatever the site.
pub struct Training<'a> {
    concept: &'a Concept,
    labels: Vec<bool>,
    labelled: Labelled,
    settings: Settings,
    words: Evaluation,
}

impl From<recant_probes::Error> for Error {
    fn from(error: recant_probes::Error) -> Self {
        Self::Input { what: "probe".into(), why: error.to_string(), hint: None }
    }
}

impl<'a> Training<'a> {
    /// Checks a concept's labels and groups, and reads its texts by their words alone.
    ///
    /// # Errors
    /// Fewer groups than folds, one label only.
    pub fn new(concept: &'a Concept, entry: &ProbeEntry, seed: u64) -> Result<Self> {
        let named = |error| named(concept, error);
        let labels: Vec<bool> = concept.statements.iter().map(|statement| statement.positive).collect();
        let labelled = Labelled::from_bools(&labels, &group_numbers(concept)).map_err(named)?;
        let settings = Settings {
            probe: Kind::Logistic(Logistic { c: entry.c, ..Logistic::default() }),
            folds: FoldPlan::Grouped(entry.folds),
            bootstrap: Bootstrap { resamples: entry.bootstrap, seed, ..Bootstrap::default() },
            permutations: entry.permutations,
            seed,
        };
        let texts: Vec<&str> = concept.statements.iter().map(|statement| statement.text.as_str()).collect();
        let folds = settings.folds.make(&labelled, seed).map_err(named)?;
        // Counts are not standardised, so a bag of words gets the usual C of 1.
        let words = words_only(
            &texts,
            &labelled,
            &folds,
            Counting::Counts,
            &Logistic::default(),
            &settings.bootstrap,
        )
        .map_err(named)?;
        Ok(Self { concept, labels, labelled, settings, words })
    }

    /// Trains a probe per layer on the states `[texts, layers, d]` of a site, or with `heads` one per head of each
    /// layer, on its own part of the vector.
    ///
    /// # Errors
    /// States of other texts or layers, or that are not finite.
    pub fn probes(
        &self,
        site: Site,
        heads: Option<usize>,
        states: States,
        layers: &[usize],
    ) -> Result<ConceptProbes> {
        let name = &self.concept.spec.name;
        let states = match heads {
            Some(heads) => states.by_head(heads)?,
            None => states,
        };
        let layers: Vec<usize> = layers.iter().flat_map(|&layer| vec![layer; heads.unwrap_or(1)]).collect();
        let [n, l, d] = states.shape[..] else {
            return Err(Error::input(
                format!("concept {name}"),
                format!("states have shape {:?}", states.shape),
            ));
        };
        if n != self.labels.len() || l != layers.len() {
            return Err(Error::input(
                format!("concept {name}"),
                "the states belong to other texts or layers",
            )
            .hint("delete the concept's states and run again"));
        }
        let x = ArrayView3::from_shape((n, l, d), &states.values)
            .map_err(|error| Error::input(name.clone(), error.to_string()))?;
        let x: Array3<f32> = x.permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
        let sweep = fit_layers(x.view(), &self.labelled, &self.settings)
            .map_err(|error| named(self.concept, error))?;
        let units: Vec<f64> =
            sweep.iter().map(|probe| within_class_deviation(&probe.cv.decisions, &self.labels)).collect();
        let calibration = |(probe, &unit): (&LayerProbe, &f64)| {
            // Scores are of order 1 whatever the penalty; decisions that are all the same have no unit.
            let unit = if unit > 0.0 { unit } else { 1.0 };
            let scores: Vec<f64> = probe.cv.decisions.iter().map(|decision| decision / unit).collect();
            Calibration::fit(Calibrator::Platt, &scores, &self.labelled)
        };
        let calibrations = sweep
            .iter()
            .zip(&units)
            .map(calibration)
            .collect::<recant_probes::Result<_>>()
            .map_err(|error| named(self.concept, error))?;
        let words = self.words.clone();
        Ok(ConceptProbes { concept: name.clone(), site, heads, layers, sweep, words, units, calibrations })
    }
}

/// A refusal of the statistics, with the concept that it is about.
fn named(concept: &Concept, error: recant_probes::Error) -> Error {
    match Error::from(error) {
        Error::Input { why, hint, .. } => {
            Error::Input { what: format!("concept {}", concept.spec.name), why, hint }
        }
        other => other,
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
    pub(super) fn readouts(&self) -> Vec<Readout> {
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

    /// Whether each probe is believed: whether it beats permuted labels, p below 0.05 by the largest value over the
    /// probes of the site; true everywhere where no labels were permuted. What tables and figures mark and leave out
    /// is decided here alone.
    #[must_use]
    pub fn readable(&self) -> Vec<bool> {
        self.sweep
            .iter()
            .map(|probe| probe.permutation.as_ref().is_none_or(|test| test.p_max < 0.05))
            .collect()
    }

    /// Directions, intercepts, scaling, units and calibration, `[layers, d]` and `[layers]`: a decision is
    /// `coef . (state - mean) / scale + intercept`, a score is a decision over its `unit`, and the probability of the
    /// positive class is the logistic function of `platt_slope . score + platt_intercept`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let stack = |row: &dyn Fn(&LayerProbe) -> Vec<f64>| -> Result<Tensor> {
            let rows: Vec<f32> =
                self.sweep.iter().flat_map(|probe| row(probe).into_iter().map(|x| x as f32)).collect();
            Ok(Tensor::f_from_slice(&rows)?.f_view([self.sweep.len() as i64, -1])?)
        };
        let row = |value: &dyn Fn(usize) -> f64| -> Result<Tensor> {
            let values: Vec<f32> = (0..self.sweep.len()).map(|place| value(place) as f32).collect();
            Ok(Tensor::f_from_slice(&values)?)
        };
        let log_odds = |place: usize, score: f64| self.calibrations[place].log_odds(score);
        let layers: Vec<i64> = self.layers.iter().map(|&layer| layer as i64).collect();
        Ok(vec![
            ("coef".into(), stack(&|probe| probe.probe.coef.to_vec())?),
            ("intercept".into(), stack(&|probe| vec![probe.probe.intercept])?.f_view([-1])?),
            ("mean".into(), stack(&|probe| probe.probe.scaler.mean.to_vec())?),
            ("scale".into(), stack(&|probe| probe.probe.scaler.scale.to_vec())?),
            ("unit".into(), row(&|place| self.units[place])?),
            ("platt_slope".into(), row(&|place| log_odds(place, 1.0) - log_odds(place, 0.0))?),
            ("platt_intercept".into(), row(&|place| log_odds(place, 0.0))?),
            ("layers".into(), Tensor::f_from_slice(&layers)?),
        ])
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
                    "cv": {
                        "auroc": estimate(&probe.cv.auroc),
                        "accuracy": estimate(&probe.cv.accuracy),
                        "average_precision": estimate(&probe.cv.average_precision),
                        "brier": estimate(&probe.cv.brier),
                        "ece": estimate(&probe.cv.ece),
                    },
                    "null": probe.permutation.as_ref().map(|test| json!({
                        "permutation_p": test.p, "permutation_p_max_over_layers": test.p_max,
                    })),
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
            "layers": layers,
        })
    }
}

fn estimate(estimate: &Estimate) -> Value {
    json!({ "value": estimate.value, "ci": estimate.ci.as_ref().map(|ci| [ci.low, ci.high]) })
}

/// Groups as numbers, in order of first appearance.
fn group_numbers(concept: &Concept) -> Vec<i64> {
    let mut numbers = HashMap::new();
    concept
        .statements
        .iter()
        .map(|statement| {
            let next = numbers.len() as i64;
            *numbers.entry(statement.group.as_str()).or_insert(next)
        })
        .collect()
}

/// Pooled standard deviation around the class means.
fn within_class_deviation(decisions: &[f64], labels: &[bool]) -> f64 {
    let mut squares = 0.0;
    for class in [false, true] {
        let own: Vec<f64> =
            decisions.iter().zip(labels).filter(|(_, label)| **label == class).map(|(d, _)| *d).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        squares += own.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
    }
    (squares / decisions.len().saturating_sub(2).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_within_class_deviation_ignores_the_distance_of_the_classes() {
        let labels = [false, false, true, true];
        let near = within_class_deviation(&[-1.0, 1.0, -1.0, 1.0], &labels);
        let far = within_class_deviation(&[-1.0, 1.0, 99.0, 101.0], &labels);
        assert!((near - 2.0f64.sqrt()).abs() < 1e-12);
        assert!((near - far).abs() < 1e-12);
    }
}

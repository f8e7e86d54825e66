//! Probes of the study's concepts: trained on the concepts' states, frozen, written, and their scores.

use ndarray::{Array3, ArrayView3};
use recant_probes::{
    Bootstrap, Counting, Estimate, Evaluation, FoldPlan, Kind, Labelled, LayerProbe, Logistic, Settings,
    fit_layers, words_only,
};
use serde_json::{Value, json};

use super::directions::Directions;
use crate::store::States;
use crate::study::ProbeEntry;
use crate::task::concept::Concept;
use crate::{Error, Result};

/// The probes of one concept in one model, one per captured layer.
pub struct ConceptProbes {
    /// The concept's name.
    pub concept: String,
    /// The model's layer of each probe.
    pub layers: Vec<usize>,
    /// The probes with their scores.
    pub sweep: Vec<LayerProbe>,
    /// What a bag of words reads from the same texts on the same folds.
    pub words: Evaluation,
    /// What probes read at each layer from the same texts in the model with random weights, if that was captured.
    pub untrained: Option<Vec<Evaluation>>,
    /// Within-class standard deviation of the out-of-fold decisions, per layer: the unit of concept scores.
    pub units: Vec<f64>,
}

/// What the probes of a concept are trained on, and how.
pub(super) struct Design {
    pub x: Array3<f32>, // [layers, texts, d]
    pub labelled: Labelled,
    pub settings: Settings,
}

impl Design {
    pub fn new(
        concept: &Concept,
        states: &States,
        layers: &[usize],
        entry: &ProbeEntry,
        seed: u64,
    ) -> Result<Self> {
        let name = &concept.spec.name;
        let [n, l, d] = states.shape[..] else {
            return Err(Error::input(
                format!("concept {name}"),
                format!("states have shape {:?}", states.shape),
            ));
        };
        if n != concept.statements.len() || l != layers.len() {
            return Err(Error::input(
                format!("concept {name}"),
                "the states belong to other texts or layers",
            )
            .hint("delete the concept's states and run again"));
        }
        let x = ArrayView3::from_shape((n, l, d), &states.values)
            .map_err(|error| Error::input(name.clone(), error.to_string()))?;
        let x: Array3<f32> = x.permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
        let labels = concept.labels();
        let labelled = Labelled::from_bools(&labels, &concept.group_numbers());
        let labelled = labelled.map_err(|error| named(name, error))?;
        let settings = Settings {
            probe: Kind::Logistic(Logistic { c: entry.c, ..Logistic::default() }),
            folds: FoldPlan::Grouped(entry.folds),
            bootstrap: Bootstrap { resamples: entry.bootstrap, seed, ..Bootstrap::default() },
            permutations: entry.permutations,
            seed,
            ..Settings::default()
        };
        Ok(Self { x, labelled, settings })
    }
}

/// An error about the probes of a concept.
pub(super) fn named(concept: &str, error: recant_probes::Error) -> Error {
    match Error::from(error) {
        Error::Input { why, hint, .. } => Error::Input { what: format!("concept {concept}"), why, hint },
        other => other,
    }
}

impl From<recant_probes::Error> for Error {
    fn from(error: recant_probes::Error) -> Self {
        Self::Input { what: "probe".into(), why: error.to_string(), hint: None }
    }
}

impl ConceptProbes {
    /// Trains a probe per layer on `states` `[texts, layers, d]`.
    ///
    /// # Errors
    /// States that are not finite, fewer groups than folds, one label only.
    pub fn train(
        concept: &Concept,
        states: &States,
        layers: &[usize],
        entry: &ProbeEntry,
        seed: u64,
    ) -> Result<Self> {
        let name = &concept.spec.name;
        let named = |error| named(name, error);
        let Design { x, labelled, settings } = Design::new(concept, states, layers, entry, seed)?;
        let labels = labelled.labels();
        let sweep = fit_layers(x.view(), &labelled, &settings).map_err(named)?;
        let texts = concept.texts();
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
        let units = sweep.iter().map(|probe| within_class_deviation(&probe.cv.decisions, labels)).collect();
        let layers = layers.to_vec();
        Ok(Self { concept: name.clone(), layers, sweep, words, untrained: None, units })
    }

    /// The place (in `layers`) of the highest out-of-fold AUROC.
    #[must_use]
    pub fn best(&self) -> usize {
        let auroc = |place: usize| self.sweep[place].cv.auroc.value.unwrap_or(f64::NEG_INFINITY);
        (1..self.sweep.len()).fold(0, |best, place| if auroc(place) > auroc(best) { place } else { best })
    }

    /// Per layer whether the probe beats permuted labels (p below 0.05 by the largest value over layers); true
    /// everywhere where no labels were permuted.
    #[must_use]
    pub fn readable(&self) -> Vec<bool> {
        self.sweep
            .iter()
            .map(|probe| probe.permutation.as_ref().is_none_or(|test| test.p_max < 0.05))
            .collect()
    }

    /// Directions, intercepts and scaling, to be written and to be applied.
    #[must_use]
    pub fn directions(&self) -> Directions {
        Directions {
            layers: self.layers.iter().map(|&layer| layer as i64).collect(),
            probes: self.sweep.iter().map(|probe| probe.probe.clone()).collect(),
            units: Some(self.units.clone()),
        }
    }

    /// Scores with intervals and nulls, per layer, and what they were trained with.
    #[must_use]
    pub fn scores(&self, concept: &Concept, entry: &ProbeEntry, model: &str) -> Value {
        let layers: Vec<Value> = self
            .sweep
            .iter()
            .zip(&self.layers)
            .zip(&self.units)
            .enumerate()
            .map(|(place, ((probe, layer), unit))| {
                json!({
                    "layer": layer,
                    "train": { "auroc": { "value": probe.train_auroc } },
                    "cv": evaluation(&probe.cv),
                    "null": probe.permutation.as_ref().map(|test| json!({
                        "permutation_p": test.p, "permutation_p_max_over_layers": test.p_max,
                    })),
                    "untrained": self.untrained.as_ref().map(|untrained| json!({
                        "auroc": estimate(&untrained[place].auroc),
                    })),
                    "unit": unit,
                })
            })
            .collect();
        json!({
            "concept": self.concept, "positive": concept.spec.positive, "model": model, "kind": "logistic",
            "site": entry.site, "c": entry.c, "folds": entry.folds, "permutations": entry.permutations,
            "n": self.words.n, "n_groups": self.words.n_groups,
            "best_layer": self.layers[self.best()],
            "bag_of_words": { "auroc": estimate(&self.words.auroc) },
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

//! Probes of the study's concepts: trained on the concepts' states, frozen, written, and their scores.

use ndarray::{Array3, ArrayView3};
use recant_probes::{
    Bootstrap, Counting, Estimate, Evaluation, FoldPlan, Kind, Labelled, LayerProbe, Logistic, Settings,
    fit_layers, words_only,
};
use serde_json::{Value, json};
use tch::Tensor;

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
    /// Within-class standard deviation of the out-of-fold decisions, per layer: the unit of concept scores.
    pub units: Vec<f64>,
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
        let named = |error: recant_probes::Error| match Error::from(error) {
            Error::Input { why, hint, .. } => Error::Input { what: format!("concept {name}"), why, hint },
            other => other,
        };
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
        let labelled = Labelled::from_bools(&labels, &concept.group_numbers()).map_err(named)?;
        let settings = Settings {
            probe: Kind::Logistic(Logistic { c: entry.c, ..Logistic::default() }),
            folds: FoldPlan::Grouped(entry.folds),
            bootstrap: Bootstrap { resamples: entry.bootstrap, seed, ..Bootstrap::default() },
            permutations: entry.permutations,
            seed,
        };
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
        let units = sweep.iter().map(|probe| within_class_deviation(&probe.cv.decisions, &labels)).collect();
        Ok(Self { concept: name.clone(), layers: layers.to_vec(), sweep, words, units })
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

    /// Directions, intercepts and scaling, `[layers, d]` and `[layers]`: a decision is
    /// `coef . (state - mean) / scale + intercept`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let stack = |row: &dyn Fn(&LayerProbe) -> Vec<f64>| -> Result<Tensor> {
            let rows: Vec<f32> =
                self.sweep.iter().flat_map(|probe| row(probe).into_iter().map(|x| x as f32)).collect();
            Ok(Tensor::f_from_slice(&rows)?.f_view([self.sweep.len() as i64, -1])?)
        };
        let layers: Vec<i64> = self.layers.iter().map(|&layer| layer as i64).collect();
        Ok(vec![
            ("coef".into(), stack(&|probe| probe.probe.coef.to_vec())?),
            ("intercept".into(), stack(&|probe| vec![probe.probe.intercept])?.f_view([-1])?),
            ("mean".into(), stack(&|probe| probe.probe.scaler.mean.to_vec())?),
            ("scale".into(), stack(&|probe| probe.probe.scaler.scale.to_vec())?),
            ("unit".into(), Tensor::f_from_slice(&self.units.iter().map(|&u| u as f32).collect::<Vec<_>>())?),
            ("layers".into(), Tensor::f_from_slice(&layers)?),
        ])
    }

    /// Scores with intervals and nulls, per layer, and what they were trained with.
    #[must_use]
    pub fn scores(&self, concept: &Concept, entry: &ProbeEntry, model: &str) -> Value {
        let layers: Vec<Value> = self
            .sweep
            .iter()
            .zip(&self.layers)
            .zip(&self.units)
            .map(|((probe, layer), unit)| {
                json!({
                    "layer": layer,
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

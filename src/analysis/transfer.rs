//! Which states probes are trained on and tested on: concepts, layers and models; the model's own answers and the
//! conditions, over rounds.

use std::collections::HashMap;

use ndarray::Array2;
use recant_probes::{
    Comparison, Dataset, Estimator, Kind, Labelled, Logistic, Similarity, Transfer, TransferSettings,
    similarities, transfer,
};

use super::probing::ConceptProbes;
use super::summary::Sources;
use crate::Result;
use crate::store::States;
use crate::task::concept::Concept;

/// Halvings of the groups behind a noise ceiling.
const HALVINGS: usize = 20;

/// Labelled states with a name.
#[derive(Debug, Clone)]
pub struct StateSet {
    /// What the states are of.
    pub name: String,
    /// The model's layer.
    pub layer: usize,
    /// `[rows, d]`.
    x: Array2<f32>,
    labelled: Labelled,
}

/// Sets of states that are compared: whatever has the same name is the same group in all of them.
#[derive(Debug, Default)]
struct Sets<'a> {
    sets: Vec<StateSet>,
    groups: HashMap<&'a str, i64>,
}

impl<'a> Sets<'a> {
    /// Adds labelled rows, `(group, label, state)`. Rows whose state is not finite are left out, and so is a set in which
    /// one class alone is left: there is nothing to learn from it.
    fn add<'x>(
        &mut self,
        name: String,
        layer: usize,
        rows: impl Iterator<Item = (&'a str, bool, &'x [f32])>,
    ) {
        let (mut groups, mut labels, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (group, label, state) in rows.filter(|row| row.2.iter().all(|value| value.is_finite())) {
            let next = self.groups.len() as i64;
            groups.push(*self.groups.entry(group).or_insert(next));
            labels.push(label);
            values.extend_from_slice(state);
        }
        let width = values.len() / labels.len().max(1);
        let (Ok(labelled), Ok(x)) =
            (Labelled::from_bools(&labels, &groups), Array2::from_shape_vec((labels.len(), width), values))
        else {
            return;
        };
        self.sets.push(StateSet { name, layer, x, labelled });
    }
}

/// Every set against every other.
pub struct TransferMatrix {
    /// What is compared: `concepts`, `layers`, `answer`, `condition` or `models`.
    pub kind: &'static str,
    /// Of what: a concept, a task, or nothing.
    pub of: String,
    /// Name and layer of each set.
    pub sets: Vec<(String, usize)>,
    /// `[train][test]`: the score, or why there is none.
    pub cells: Vec<Vec<recant_probes::Result<Transfer>>>,
    /// `[first][second]`: the directions beside each other.
    pub beside: Vec<Vec<Similarity>>,
}

/// The states of a shard row, `[layers, d]`, at one layer.
fn state(states: &States, row: usize, place: usize) -> &[f32] {
    let [.., layers, d] = states.shape[..] else { return &[] };
    &states.values[(row * layers + place) * d..][..d]
}

impl Sources<'_> {
    fn matrix(&self, kind: &'static str, of: &str, sets: &[StateSet]) -> Result<Option<TransferMatrix>> {
        if sets.len() < 2 {
            return Ok(None);
        }
        let (entry, seed) = (&self.study.probe, self.study.seed);
        let estimator = Kind::Logistic(Logistic { c: entry.c, ..Logistic::default() });
        let data: Vec<Dataset<'_>> = sets
            .iter()
            .map(|set| Dataset::new(set.x.view(), &set.labelled))
            .collect::<recant_probes::Result<_>>()?;
        let bootstrap = self.resampling();
        let cells = transfer(&data, &estimator, &TransferSettings { folds: entry.folds, bootstrap, seed });
        let with_twins: Vec<_> = data.iter().map(|data| (*data, estimator.twin(data))).collect();
        let comparison = Comparison { permutations: entry.permutations, halvings: HALVINGS, seed };
        let beside = similarities(&with_twins, &comparison)?;
        let names = sets.iter().map(|set| (set.name.clone(), set.layer)).collect();
        Ok(Some(TransferMatrix { kind, of: of.to_owned(), sets: names, cells, beside }))
    }

    /// Concepts at the best layer of each, of this model and at the same layers of the study's others; and all layers of
    /// each concept.
    ///
    /// # Errors
    /// States are missing or damaged.
    pub fn concept_transfers(&self, model: &str, probes: &[&ConceptProbes]) -> Result<Vec<TransferMatrix>> {
        let mut matrices = Vec::new();
        let mut over_concepts = Sets::default();
        let others = self.study.models.iter().map(|entry| entry.name.as_str()).filter(|name| *name != model);
        for name in std::iter::once(model).chain(others) {
            for (concept, probes) in self.concepts.iter().zip(probes) {
                let states = self.concept_states(name, concept, &self.study.probe.site)?;
                let best = probes.best();
                // Another model's states are of its own layers: those with the same number, if it has them.
                let place = self.layers(name)?.iter().position(|layer| *layer == probes.layers[best]);
                if let Some(place) = place {
                    let label = match self.study.models.len() {
                        1 => concept.spec.name.clone(),
                        _ => format!("{}, {name}", concept.spec.name),
                    };
                    over_concepts.add(label, probes.layers[best], rows(concept, &states, place));
                }
                if name == model {
                    let mut over_layers = Sets::default();
                    for (place, &layer) in probes.layers.iter().enumerate() {
                        over_layers.add(layer.to_string(), layer, rows(concept, &states, place));
                    }
                    matrices.extend(self.matrix("layers", &concept.spec.name, &over_layers.sets)?);
                }
            }
        }
        matrices.extend(self.matrix("concepts", "", &over_concepts.sets)?);
        Ok(matrices)
    }

    /// A concept's texts in two models: (name, states, the layer's place among the captured ones, the layer) of each.
    ///
    /// # Errors
    /// States that cannot be fitted.
    pub fn between_models(
        &self,
        concept: &Concept,
        sides: [(&str, &States, usize, usize); 2],
    ) -> Result<Option<TransferMatrix>> {
        let mut both = Sets::default();
        for (name, states, place, layer) in sides {
            both.add(name.to_owned(), layer, rows(concept, states, place));
        }
        self.matrix("models", &concept.spec.name, &both.sets)
    }

    /// Over conditions and rounds at one layer: the model's own answer, and the condition itself against the first.
    /// `stereotyped[condition][round][item]` is what was answered, `groups` names the items' groups.
    ///
    /// # Errors
    /// States that cannot be fitted.
    pub fn round_transfers(
        &self,
        task: &str,
        groups: &[String],
        stereotyped: &[Vec<Vec<Option<bool>>>],
        shards: &[Vec<States>],
        (position, place, layer): (usize, usize, usize),
    ) -> Result<Vec<TransferMatrix>> {
        let conditions = &self.study.dialogue.conditions;
        let of_round = |arm: usize, round: usize| {
            shards[arm].iter().flat_map(move |states| {
                let (rounds, positions) = (states.shape[1], states.shape[2]);
                (0..states.shape[0])
                    .map(move |item| state(states, (item * rounds + round) * positions + position, place))
            })
        };
        let (mut answers, mut arms) = (Sets::default(), Sets::default());
        for (arm, condition) in conditions.iter().enumerate() {
            for (round, said) in stereotyped[arm].iter().enumerate() {
                // Where all conditions ask alike in round 0, it is one set.
                if arm > 0 && round == 0 && of_round(arm, 0).eq(of_round(0, 0)) {
                    continue;
                }
                let labelled = said.iter().zip(groups).zip(of_round(arm, round));
                let rows =
                    labelled.filter_map(|((label, group), state)| Some((group.as_str(), (*label)?, state)));
                answers.add(format!("{condition}, round {round}"), layer, rows);
                // Round 0 is asked alike under all conditions.
                if arm > 0 && round > 0 {
                    let side = |arm: usize| {
                        groups
                            .iter()
                            .zip(of_round(arm, round))
                            .map(move |(group, state)| (group.as_str(), arm > 0, state))
                    };
                    arms.add(format!("{condition}, round {round}"), layer, side(0).chain(side(arm)));
                }
            }
        }
        let answer = self.matrix("answer", task, &answers.sets)?;
        let condition = self.matrix("condition", task, &arms.sets)?;
        Ok(answer.into_iter().chain(condition).collect())
    }
}

fn rows<'a, 'x>(
    concept: &'a Concept,
    states: &'x States,
    place: usize,
) -> impl Iterator<Item = (&'a str, bool, &'x [f32])> {
    concept.statements.iter().enumerate().map(move |(text, statement)| {
        (statement.group.as_str(), statement.positive, state(states, text, place))
    })
}

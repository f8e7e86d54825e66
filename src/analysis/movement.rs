//! How a concept's score moves over the rounds of dialogues.

use ndarray::ArrayView2;

use super::bootstrap::{Bootstrap, Interval, cluster_bootstrap};
use super::probing::ConceptProbes;
use super::significance::{benjamini_hochberg, sign_flip_p};
use crate::store::States;
use crate::{Error, Result};

/// Concept scores of the items of one (model, task, condition): the probe's decision in units of the within-class
/// deviation of the concept's own texts.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The group of each item.
    pub groups: Vec<String>,
    /// Rounds per item.
    pub rounds: usize,
    /// Layers per round.
    pub layers: usize,
    /// `[items, rounds, layers]`; NaN where the position does not exist.
    pub values: Vec<f64>,
}

/// A mean over items, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Percentile bootstrap over groups.
    pub interval: Option<Interval>,
    /// Items.
    pub n: usize,
}

impl Scores {
    /// Scores the states `[items, rounds, positions, layers, d]` of some shards at one position.
    ///
    /// # Errors
    /// States of another shape than the probes'.
    pub fn of(
        probes: &ConceptProbes,
        shards: &[States],
        position: usize,
        groups: Vec<String>,
    ) -> Result<Self> {
        let mut values = Vec::new();
        let (mut rounds, mut layers) = (0, 0);
        for states in shards {
            let [items, r, positions, l, d] = states.shape[..] else {
                return Err(Error::input("states", format!("have shape {:?}, not five axes", states.shape)));
            };
            if l != probes.sweep.len() || position >= positions {
                return Err(Error::input(
                    "states",
                    "were captured at other layers or positions than the probes",
                ));
            }
            (rounds, layers) = (r, l);
            for row in 0..items * r {
                let start = (row * positions + position) * l * d;
                let block = &states.values[start..start + l * d];
                let block = ArrayView2::from_shape((l, d), block)
                    .map_err(|e| Error::input("states", e.to_string()))?;
                for (layer, state) in block.rows().into_iter().enumerate() {
                    let decision = probes.sweep[layer].probe.decision(state)?;
                    values.push(decision / probes.units[layer]);
                }
            }
        }
        if values.len() != groups.len() * rounds * layers {
            return Err(Error::input("states", "do not fit the items"));
        }
        Ok(Self { groups, rounds, layers, values })
    }

    fn at(&self, item: usize, round: usize, layer: usize) -> f64 {
        self.values[(item * self.rounds + round) * self.layers + layer]
    }

    /// The mean score at a round and layer, less the same item's score at round 0 if `change`.
    #[must_use]
    pub fn mean(&self, round: usize, layer: usize, change: bool, bootstrap: Bootstrap) -> Option<Mean> {
        mean_of(self.rows(round, layer, change), bootstrap)
    }

    /// The mean of this condition's score less the other's, of the same items at a round and layer.
    #[must_use]
    pub fn contrast(&self, other: &Self, round: usize, layer: usize, bootstrap: Bootstrap) -> Option<Mean> {
        let difference = |item| self.at(item, round, layer) - other.at(item, round, layer);
        let rows: Vec<(&str, f64)> =
            self.groups.iter().enumerate().map(|(item, group)| (group.as_str(), difference(item))).collect();
        mean_of(rows, bootstrap)
    }

    fn rows(&self, round: usize, layer: usize, change: bool) -> Vec<(&str, f64)> {
        let value = |item| self.at(item, round, layer) - if change { self.at(item, 0, layer) } else { 0.0 };
        self.groups.iter().enumerate().map(|(item, group)| (group.as_str(), value(item))).collect()
    }

    /// Two-sided p of no change from round 0, whole groups changing sign together.
    #[must_use]
    pub fn change_p(&self, round: usize, layer: usize, flips: usize, seed: u64) -> Option<f64> {
        let mut sums = std::collections::BTreeMap::new();
        for (group, value) in self.rows(round, layer, true).into_iter().filter(|row| row.1.is_finite()) {
            *sums.entry(group).or_insert(0.0) += value;
        }
        sign_flip_p(&sums.into_values().collect::<Vec<_>>(), flips, seed)
    }
}

/// The mean of (group, value) rows with its interval over groups; rows that are not finite do not count.
fn mean_of(mut rows: Vec<(&str, f64)>, bootstrap: Bootstrap) -> Option<Mean> {
    rows.retain(|row| row.1.is_finite());
    let mean = |rows: &[&(&str, f64)]| Some(rows.iter().map(|row| row.1).sum::<f64>() / rows.len() as f64);
    let value = mean(&rows.iter().collect::<Vec<_>>()).filter(|_| !rows.is_empty())?;
    let interval = cluster_bootstrap(&rows, |row| row.0, mean, bootstrap);
    Some(Mean { value, interval, n: rows.len() })
}

/// Changes from round 0 of several conditions at every layer and round, with which of them are significant.
#[derive(Debug, Clone)]
pub struct ChangeMap {
    /// `[condition][layer][round]`: mean change from round 0.
    pub values: Vec<Vec<Vec<Option<f64>>>>,
    /// The same: whether the adjusted p is below 0.05, over all cells of the map.
    pub passes: Vec<Vec<Vec<bool>>>,
}

impl ChangeMap {
    /// The map of `conditions`, rounds from 1 on.
    #[must_use]
    pub fn of(conditions: &[&Scores], flips: usize, seed: u64) -> Self {
        let none = Bootstrap { resamples: 0, ..Bootstrap::default() };
        let mut values = Vec::new();
        let mut p = Vec::new();
        for scores in conditions {
            let mut layers = Vec::new();
            for layer in 0..scores.layers {
                let mut rounds = Vec::new();
                for round in 1..scores.rounds {
                    rounds.push(scores.mean(round, layer, true, none).map(|mean| mean.value));
                    p.push(scores.change_p(round, layer, flips, seed));
                }
                layers.push(rounds);
            }
            values.push(layers);
        }
        let mut adjusted = benjamini_hochberg(&p).into_iter();
        let mut pass = || adjusted.next().flatten().is_some_and(|p| p < 0.05);
        let passes = values
            .iter()
            .map(|layers| layers.iter().map(|rounds| rounds.iter().map(|_| pass()).collect()).collect())
            .collect();
        Self { values, passes }
    }
}

//! What probes say of the states of dialogues.

use ndarray::ArrayView2;

use super::paired::{Draws, Groups, Mean, Sums};
use super::probing::ConceptProbes;
use crate::store::States;
use crate::{Error, Result};

/// Concept scores of the items of one (model, task, condition) at one site and position: the probe's decision in units
/// of the within-class deviation of the concept's own texts.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The group of each item.
    pub groups: Vec<String>,
    /// Rounds per item.
    pub rounds: usize,
    /// Probes per round: layers, or heads of layers.
    pub layers: usize,
    /// `[items, rounds, layers]`; NaN where the position does not exist.
    pub values: Vec<f64>,
}

impl Scores {
    /// No scores yet of items in these groups.
    pub(super) fn none(probes: &ConceptProbes, groups: Vec<String>) -> Self {
        Self { groups, rounds: 0, layers: probes.sweep.len(), values: Vec::new() }
    }

    /// Scores the next items.
    pub(super) fn extend(&mut self, probes: &ConceptProbes, states: &States, position: usize) -> Result<()> {
        let [items, rounds, positions, layers, d] = states.shape[..] else {
            return Err(Error::input("states", format!("have shape {:?}, not five axes", states.shape)));
        };
        if layers != probes.sweep.len() || position >= positions {
            return Err(Error::input("states", "were captured at other layers or positions than the probes"));
        }
        self.rounds = rounds;
        let readouts = probes.readouts();
        for row in 0..items * rounds {
            let start = (row * positions + position) * layers * d;
            let block = ArrayView2::from_shape((layers, d), &states.values[start..start + layers * d])
                .map_err(|e| Error::input("states", e.to_string()))?;
            for (state, readout) in block.rows().into_iter().zip(&readouts) {
                if readout.direction.len() != d {
                    return Err(Error::input("states", "are of another width than the probes"));
                }
                let along = readout.direction.iter().zip(state).map(|(w, &x)| w * f64::from(x));
                self.values.push(along.sum::<f64>() + readout.offset);
            }
        }
        Ok(())
    }

    /// The scores, which must be those of all the items.
    pub(super) fn whole(self) -> Result<Self> {
        match self.values.len() == self.groups.len() * self.rounds * self.layers {
            true => Ok(self),
            false => Err(Error::input("states", "do not fit the items")),
        }
    }

    /// The score of an item in a round at a layer.
    #[must_use]
    pub fn at(&self, item: usize, round: usize, layer: usize) -> f64 {
        self.values[(item * self.rounds + round) * self.layers + layer]
    }

    /// The mean at each round of one layer of this condition's score less the other's, of the same items.
    pub(super) fn contrasts(
        &self,
        other: &Self,
        layer: usize,
        groups: &Groups,
        draws: &Draws,
    ) -> Vec<Option<Mean>> {
        let at = |round| {
            let difference = |item, _| self.at(item, round, layer) - other.at(item, round, layer);
            draws.means(&Sums::new(groups, 1, difference)).into_iter().next().flatten()
        };
        (0..self.rounds).map(at).collect()
    }
}

//! What lies between the weights of two models of one shape: every tensor, the value vectors along a concept and how active
//! they are, and what of the offset of the states the changes of value vectors explain (Lee et al. 2024, arXiv 2401.01967).

use serde::{Deserialize, Serialize};

use super::bootstrap::Bootstrap;
use super::paired::{Draws, FlipTest, Groups, Mean, Sums};
use super::shift::About;
use super::summary::{FLIPS, Sources};
use crate::Result;
use crate::store::measured;

/// The files of a pair.
pub const FILES: [&str; 3] = ["weights.json", "neurons.json", "offsets.json"];

/// A tensor that both models hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name in the first model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its block; None outside the blocks.
    pub layer: Option<usize>,
    /// attention, mlp, norm, embedding, head or other.
    pub kind: String,
    /// How far it is from the other.
    #[serde(flatten)]
    pub change: Change,
}

/// The tensors of one kind in a block, together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The block; None outside the blocks.
    pub layer: Option<usize>,
    /// attention, mlp, norm, embedding, head or other.
    pub kind: String,
    /// How many they are.
    pub tensors: usize,
    /// How far they are from the others.
    #[serde(flatten)]
    pub change: Change,
}

/// How far numbers of the second model are from the first's; None where it is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Whether every number is the same.
    pub identical: bool,
    /// Cosine of the two.
    pub cosine: Option<f64>,
    /// `|after - before| / |before|`
    pub relative: Option<f64>,
    /// The largest change of a number.
    pub largest: Option<f64>,
}

/// `weights.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Tensor by tensor.
    pub tensors: Vec<Tensor>,
    /// By block and kind.
    pub parts: Vec<Part>,
    /// All together.
    pub all: Change,
    /// What could not be compared and why, a sentence each.
    pub not_compared: Vec<String>,
}

/// A prompt that both models read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// The item.
    pub item: String,
    /// Its group.
    pub group: String,
    /// The round.
    pub round: usize,
}

/// A neuron of an MLP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    /// Its layer.
    pub layer: usize,
    /// Its number in the layer.
    pub neuron: i64,
    /// Cosine of its value vector with the direction, before and after.
    pub cosine: [Option<f64>; 2],
    /// Length of the change of its value vector over the length before.
    pub relative: Option<f64>,
    /// The tokens that its value vector before scores highest, best first.
    pub words: Vec<String>,
    /// Its activation at the end of each prompt before.
    pub before: Vec<f32>,
    /// The same after.
    pub after: Vec<f32>,
}

/// The neurons that write along a concept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Along {
    /// The concept.
    pub concept: String,
    /// Those with the highest cosine before, the highest first.
    pub neurons: Vec<Neuron>,
}

/// `neurons.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neurons {
    /// The site of the directions.
    pub site: String,
    /// The task whose prompts are read.
    pub task: String,
    /// The condition.
    pub condition: String,
    /// The prompts: those of the first model's dialogues. None where the second cannot read them.
    pub prompts: Vec<Prompt>,
    /// Concept by concept.
    pub concepts: Vec<Along>,
    /// What could not be compared and why, a sentence each.
    pub not_compared: Vec<String>,
}

/// How the changes of a layer's value vectors lie to a direction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Toward {
    /// Value vectors that changed.
    pub n: usize,
    /// Mean cosine; None where none changed.
    pub mean: Option<f64>,
    /// The 5 % quantile.
    pub low: Option<f64>,
    /// The 95 % quantile.
    pub high: Option<f64>,
    /// Share of them whose cosine is in size above the 95 % quantile of random vectors.
    pub beyond: Option<f64>,
    /// What they add up to along the direction, each as often as it is active in the first model on average, over the
    /// length of the offset; None where a norm stands between the MLP and the stream.
    pub explained: Option<f64>,
}

/// A layer whose value vectors write into the offset.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The layer.
    pub layer: usize,
    /// Toward the offset.
    pub offset: Toward,
    /// Toward a random direction.
    pub random: Toward,
}

/// The mean shift of the stream after a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offset {
    /// The layer.
    pub layer: usize,
    /// Its length.
    pub length: f64,
    /// That over the length of the mean state before; None where that is 0.
    pub relative: Option<f64>,
    /// The layers up to it.
    pub sources: Vec<Source>,
}

/// `offsets.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offsets {
    /// The site of the states.
    pub site: String,
    /// Prompts over which states and activations are averaged.
    pub prompts: usize,
    /// The 95 % quantile of the size of the cosine of a random vector with any direction.
    pub threshold: f64,
    /// The offsets.
    pub offsets: Vec<Offset>,
    /// What could not be compared and why, a sentence each.
    pub not_compared: Vec<String>,
}

/// What was measured of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairWeights {
    /// The pair.
    pub about: About,
    /// Its tensors.
    pub weights: Option<Weights>,
    /// Its neurons.
    pub neurons: Option<Neurons>,
    /// Its offsets.
    pub offsets: Option<Offsets>,
}

impl PairWeights {
    /// What was measured of every pair of a run.
    ///
    /// # Errors
    /// A file cannot be read or holds something else.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for about in About::all(sources)? {
            let place = |file: &str| sources.run.of_pair(&about.name(), file);
            let [weights, neurons, offsets] = FILES.map(place);
            found.push(Self {
                weights: measured::read(&weights?)?,
                neurons: measured::read(&neurons?)?,
                offsets: measured::read(&offsets?)?,
                about,
            });
        }
        Ok(found)
    }

    /// What could not be compared, a sentence each.
    #[must_use]
    pub fn not_compared(&self) -> Vec<String> {
        let own = self.weights.iter().flat_map(|own| &own.not_compared);
        let neurons = self.neurons.iter().flat_map(|own| &own.not_compared);
        let offsets = self.offsets.iter().flat_map(|own| &own.not_compared);
        let name = self.about.name();
        own.chain(neurons).chain(offsets).map(|why| format!("{name}: {why}")).collect()
    }
}

/// How active a neuron is in a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// In the first model.
    pub before: Option<Mean>,
    /// In the second.
    pub after: Option<Mean>,
    /// The second less the first, of the same prompts.
    pub change: Option<Mean>,
    /// Sign flips of groups; corrected over the neurons of the concept.
    pub test: Option<FlipTest>,
}

impl Neurons {
    /// How many rounds were read.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.round + 1).max().unwrap_or(0)
    }

    /// How active the neurons along a concept are in a round, in their order.
    #[must_use]
    pub fn activity(&self, along: &Along, round: usize, bootstrap: Bootstrap) -> Vec<Activity> {
        let rows: Vec<usize> =
            (0..self.prompts.len()).filter(|&at| self.prompts[at].round == round).collect();
        let names: Vec<String> = rows.iter().map(|&at| self.prompts[at].group.clone()).collect();
        let groups = Groups::of(&names);
        let draws = Draws::new(&groups, bootstrap, FLIPS);
        let side = |neuron: usize, row: usize| {
            let neuron = &along.neurons[neuron];
            [f64::from(neuron.before[rows[row]]), f64::from(neuron.after[rows[row]])]
        };
        let sums = |of: &dyn Fn([f64; 2]) -> f64| {
            Sums::new(&groups, along.neurons.len(), |row, neuron| of(side(neuron, row)))
        };
        let change = sums(&|[before, after]| after - before);
        let (before, after) = (draws.means(&sums(&|side| side[0])), draws.means(&sums(&|side| side[1])));
        let (changes, tests) = (draws.means(&change), draws.flips(&change));
        (0..along.neurons.len())
            .map(|at| Activity { before: before[at], after: after[at], change: changes[at], test: tests[at] })
            .collect()
    }
}

impl Offset {
    /// What the layers up to it explain together, toward the offset and toward a random direction; None where a layer's
    /// part is not defined.
    #[must_use]
    pub fn explained(&self) -> [Option<f64>; 2] {
        let sum = |of: fn(&Source) -> Option<f64>| self.sources.iter().map(of).sum::<Option<f64>>();
        [sum(|source| source.offset.explained), sum(|source| source.random.explained)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neuron(before: &[f32], after: &[f32]) -> Neuron {
        Neuron {
            layer: 0,
            neuron: 3,
            cosine: [Some(0.5), Some(0.4)],
            relative: Some(0.1),
            words: Vec::new(),
            before: before.to_vec(),
            after: after.to_vec(),
        }
    }

    #[test]
    fn activations_are_compared_prompt_by_prompt_in_a_round() {
        let prompt = |group: &str, round| Prompt { item: group.into(), group: group.into(), round };
        let along = Along {
            concept: "kind".into(),
            neurons: vec![neuron(&[1.0, 9.0, 2.0, 9.0], &[2.0, 0.0, 3.0, 0.0]), neuron(&[1.0; 4], &[1.0; 4])],
        };
        let neurons = Neurons {
            site: "resid_post".into(),
            task: "bbq".into(),
            condition: "baseline".into(),
            prompts: vec![prompt("a", 0), prompt("a", 1), prompt("b", 0), prompt("b", 1)],
            concepts: Vec::new(),
            not_compared: Vec::new(),
        };
        let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
        let found = neurons.activity(&along, 0, bootstrap);
        let values = |of: Activity| [of.before, of.after, of.change].map(|mean| mean.map(|mean| mean.value));
        assert_eq!(values(found[0]), [Some(1.5), Some(2.5), Some(1.0)]);
        assert_eq!(found[0].change.map(|mean| mean.n), Some(2));
        assert_eq!(values(found[1])[2], Some(0.0));
        assert_eq!(found[1].test.map(|test| test.p_max), Some(1.0), "nothing changed");
        assert_eq!(neurons.rounds(), 2);
    }
}

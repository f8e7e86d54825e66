//! The cosine of what is in the stream with a probing vector, layer by layer and round by round: the curves of the
//! self-correction studies (arXiv 2407.15286, 2410.20513).

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use super::bootstrap::{Bootstrap, Estimate};
use crate::store::States;
use crate::{Error, Result};

/// The sites that read or write the residual stream, so that a direction in it says something of them.
pub const SITES: [&str; 5] = ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"];

/// What states are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vector {
    /// The positive statements of the concept at the same site and layer (the later form of the studies).
    Statements,
    /// The same at the last captured layer, whatever the layer that is compared (the earlier form).
    LastLayer,
    /// The direction of the concept's probe at the same layer.
    Direction,
}

impl Vector {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Statements, Self::LastLayer, Self::Direction];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Statements => "statements",
            Self::LastLayer => "statements_last_layer",
            Self::Direction => "direction",
        }
    }
}

/// The vectors of one concept at one site, one a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// `[layers, d]`. The scalar product with a state of length 1 is the mean of the cosines with each statement, or the
    /// cosine with the direction.
    rows: Array2<f64>,
}

impl Vectors {
    /// The mean of the statements' states `[texts, layers, d]`, each brought to length 1.
    ///
    /// # Errors
    /// States of another shape, or without a positive text.
    pub fn of_statements(states: &States, positive: &[bool], last_layer: bool) -> Result<Self> {
        let [n, layers, d] = states.shape[..] else {
            return Err(Error::input("states", format!("have shape {:?}, not three axes", states.shape)));
        };
        let x = ArrayView3::from_shape((n, layers, d), &states.values)
            .map_err(|error| Error::input("states", error.to_string()))?;
        if n != positive.len() || !positive.contains(&true) {
            return Err(Error::input("states", "belong to other texts"));
        }
        let count = positive.iter().filter(|positive| **positive).count() as f64;
        let mut rows = Array2::zeros((layers, d));
        for (text, _) in positive.iter().enumerate().filter(|(_, positive)| **positive) {
            for layer in 0..layers {
                let from = if last_layer { layers - 1 } else { layer };
                let state = x.slice(s![text, from, ..]);
                let length = length(state);
                if length > 0.0 {
                    let add = |sum: &mut f64, value: &f32| *sum += f64::from(*value) / (length * count);
                    rows.row_mut(layer).zip_mut_with(&state, add);
                }
            }
        }
        Ok(Self { rows })
    }

    /// Directions, each brought to length 1.
    #[must_use]
    pub fn of_directions(mut rows: Array2<f64>) -> Self {
        for mut row in rows.axis_iter_mut(Axis(0)) {
            let length = row.dot(&row).sqrt();
            if length > 0.0 {
                row /= length;
            }
        }
        Self { rows }
    }
}

fn length(state: ArrayView1<'_, f32>) -> f64 {
    state.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// The cosines of the items of one (model, task, condition) at one site.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosines {
    /// Rounds per item.
    pub rounds: usize,
    /// Layers per round.
    pub layers: usize,
    /// `[vector][item, round, layer]`; NaN where the position does not exist.
    pub values: Vec<Vec<f64>>,
}

impl Cosines {
    /// The cosines of states `[items, rounds, positions, layers, d]` at one position with several vectors.
    ///
    /// # Errors
    /// States of another shape than the vectors'.
    pub fn of(vectors: &[&Vectors], shards: &[States], position: usize) -> Result<Self> {
        let mut all = Self { rounds: 0, layers: 0, values: vec![Vec::new(); vectors.len()] };
        for states in shards {
            let [items, rounds, positions, layers, d] = states.shape[..] else {
                return Err(Error::input("states", format!("have shape {:?}, not five axes", states.shape)));
            };
            if position >= positions || vectors.iter().any(|vectors| vectors.rows.dim() != (layers, d)) {
                return Err(Error::input(
                    "states",
                    "were captured at other layers or positions than the probes",
                ));
            }
            (all.rounds, all.layers) = (rounds, layers);
            let block = |row: usize| {
                let start = (row * positions + position) * layers * d;
                let block = ArrayView2::from_shape((layers, d), &states.values[start..start + layers * d])
                    .map_err(|error| Error::input("states", error.to_string()))?;
                let cosine = |vectors: &Vectors, layer: usize, state: ArrayView1<'_, f32>, length: f64| {
                    let product: f64 =
                        state.iter().zip(vectors.rows.row(layer)).map(|(x, v)| f64::from(*x) * v).sum();
                    // A state without length has no direction.
                    if length > 0.0 { product / length } else { f64::NAN }
                };
                let mut found = vec![Vec::with_capacity(layers); vectors.len()];
                for (layer, state) in block.rows().into_iter().enumerate() {
                    let length = length(state);
                    for (found, vectors) in found.iter_mut().zip(vectors) {
                        found.push(cosine(vectors, layer, state, length));
                    }
                }
                Ok(found)
            };
            let blocks: Vec<Vec<Vec<f64>>> =
                (0..items * rounds).into_par_iter().map(block).collect::<Result<_>>()?;
            for block in blocks {
                all.values.iter_mut().zip(block).for_each(|(all, found)| all.extend(found));
            }
        }
        Ok(all)
    }

    /// The mean over items of a round, each the mean of some layers; `groups` names the items' groups.
    #[must_use]
    pub fn mean(
        &self,
        vector: usize,
        round: usize,
        layers: &[usize],
        groups: &[String],
        bootstrap: Bootstrap,
    ) -> Estimate {
        let of_item = |item: usize| {
            let at = |layer: usize| self.values[vector][(item * self.rounds + round) * self.layers + layer];
            layers.iter().map(|&layer| at(layer)).sum::<f64>() / layers.len() as f64
        };
        let rows = groups.iter().enumerate().map(|(item, group)| (group.as_str(), of_item(item)));
        Estimate::mean(rows.filter(|row| row.1.is_finite()), bootstrap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements() -> States {
        // Three texts, two layers, two units.
        let values = vec![3.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 5.0, -1.0, -1.0, -1.0, -1.0];
        States { shape: vec![3, 2, 2], values }
    }

    #[test]
    fn the_vector_of_statements_gives_the_mean_of_their_cosines() {
        let matched = Vectors::of_statements(&statements(), &[true, true, false], false).expect("vectors");
        let last = Vectors::of_statements(&statements(), &[true, true, false], true).expect("vectors");
        let direction = Vectors::of_directions(ndarray::array![[0.0, 9.0], [4.0, 0.0]]);
        // One item, one round, two positions, of which the second is read.
        let values = vec![f32::NAN; 4].into_iter().chain([4.0, 3.0, 0.0, 2.0]).collect();
        let states = [States { shape: vec![1, 1, 2, 2, 2], values }];
        let found = Cosines::of(&[&matched, &last, &direction], &states, 1).expect("cosines");
        let expected = [[(0.8 + 0.6) / 2.0, 1.0], [0.6, 1.0], [0.6, 0.0]];
        for (found, expected) in found.values.iter().zip(expected) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        }
        let mean = found.mean(0, 0, &[0, 1], &["g".to_owned()], Bootstrap::default());
        assert!((mean.value.expect("a mean") - 0.85).abs() < 1e-12);
    }

    #[test]
    fn a_place_that_is_not_there_has_no_cosine_and_other_shapes_are_refused() {
        let vectors = Vectors::of_directions(ndarray::array![[1.0, 0.0]]);
        let states = [States { shape: vec![2, 1, 1, 1, 2], values: vec![f32::NAN, f32::NAN, 0.0, 0.0] }];
        let found = Cosines::of(&[&vectors], &states, 0).expect("cosines");
        let mean = found.mean(0, 0, &[0], &["g".to_owned(), "h".to_owned()], Bootstrap::default());
        assert_eq!((mean.value, mean.n), (None, 0));
        assert!(Cosines::of(&[&vectors], &states, 1).is_err());
        let wide = [States { shape: vec![1, 1, 1, 1, 4], values: vec![0.0; 4] }];
        assert!(Cosines::of(&[&vectors], &wide, 0).is_err());
        assert!(Vectors::of_statements(&statements(), &[false; 3], false).is_err());
    }
}

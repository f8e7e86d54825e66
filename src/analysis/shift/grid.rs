//! States of some items, by round, position and layer.

use std::collections::HashMap;
use std::path::PathBuf;

use ndarray::Array2;

use super::about::{About, key};
use crate::analysis::summary::Sources;
use crate::store::Shard;
use crate::task::select;
use crate::{Error, Result};

/// States at one site of one model on a task under a condition.
pub struct Grid {
    /// The items' names.
    items: Vec<String>,
    /// Sizes: rounds, positions, layers, width.
    sizes: [usize; 4],
    /// `[items, rounds, positions, layers, width]`.
    values: Vec<f32>,
}

/// A round, a position and a layer, each by its place.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The round.
    pub round: usize,
    /// The position's place in `capture.positions`.
    pub position: usize,
    /// The layer's place among the captured ones.
    pub layer: usize,
}

impl Grid {
    /// The states of the dialogues that a model had itself; the task is named by its place in the study.
    ///
    /// # Errors
    /// A shard is missing or damaged.
    pub fn own(sources: &Sources<'_>, model: &str, task: usize, condition: &str, site: &str) -> Result<Self> {
        let (name, items) = &sources.tasks[task];
        let (ran, _) = sources.ran(model, name, items)?;
        let shards = 0..sources.shards(items);
        let paths = shards.map(|index| Ok(sources.run.shard(model, name, condition, index)?.1));
        let paths = paths.collect::<Result<Vec<_>>>()?;
        Self::read(&paths, sources.run.key(), site, ran.into_iter().map(|item| item.id).collect())
    }

    /// The states of a pair's second model on the dialogues of its first; None where they were not captured.
    ///
    /// # Errors
    /// A shard is missing or damaged.
    pub fn same(
        sources: &Sources<'_>,
        about: &About,
        (task, condition): (usize, &str),
        site: &str,
    ) -> Result<Option<Self>> {
        let (name, items) = &sources.tasks[task];
        let (mut items, _) = sources.ran(&about.before, name, items)?;
        select::first(&mut items, about.entry.limit, |item| &item.category);
        let items: Vec<String> = items.into_iter().map(|item| item.id).collect();
        let paths = (0..items.len().div_ceil(sources.study.run.shard_items))
            .map(|index| sources.run.same_text(&about.name(), name, condition, index))
            .collect::<Result<Vec<_>>>()?;
        match paths.iter().all(|path| path.is_file()) {
            false => Ok(None),
            true => Self::read(&paths, &key(sources, about, "states"), site, items).map(Some),
        }
    }

    fn read(paths: &[PathBuf], key: &str, site: &str, items: Vec<String>) -> Result<Self> {
        let (mut sizes, mut values, mut n) = ([0; 4], Vec::new(), 0);
        for path in paths {
            let states = Shard::read(path, key)?.site(site)?;
            // A site that exists once has no axis of layers.
            let shape = match states.shape[..] {
                [own, rounds, positions, layers, width] => (own, [rounds, positions, layers, width]),
                [own, rounds, positions, width] => (own, [rounds, positions, 1, width]),
                _ => return Err(Error::input(path.display().to_string(), "holds no states of dialogues")),
            };
            n += shape.0;
            sizes = shape.1;
            values.extend(states.values);
        }
        match n == items.len() {
            true => Ok(Self { items, sizes, values }),
            false => Err(Error::input(site, format!("holds {n} items where {} are expected", items.len()))
                .hint("delete the shards and run the study again")),
        }
    }

    /// Rounds.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.sizes[0]
    }

    /// Layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.sizes[2]
    }

    /// The items' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(String::as_str)
    }

    /// Items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Whether an item has a state at a position in a round and in the one before.
    #[must_use]
    pub fn moves(&self, item: usize, round: usize, position: usize) -> bool {
        [round - 1, round].into_iter().all(|round| {
            let mut layers = 0..self.layers();
            layers.all(|layer| self.state(item, At { round, position, layer }).iter().all(|x| x.is_finite()))
        })
    }

    /// The name of an item.
    #[must_use]
    pub fn item(&self, place: usize) -> &str {
        &self.items[place]
    }

    /// The state of an item, `(width)`.
    #[must_use]
    pub fn state(&self, item: usize, at: At) -> &[f32] {
        let [rounds, positions, layers, width] = self.sizes;
        let row = ((item * rounds + at.round) * positions + at.position) * layers + at.layer;
        &self.values[row * width..][..width]
    }

    /// The states of some items, `[items, width]`.
    #[must_use]
    pub fn states(&self, items: &[usize], at: At) -> Array2<f32> {
        let width = self.sizes[3];
        Array2::from_shape_fn((items.len(), width), |(row, unit)| self.state(items[row], at)[unit])
    }
}

/// The places of what stands in both of two lists of names, as (here, there), in the order of the first.
pub fn shared<'a>(
    here: impl Iterator<Item = &'a str>,
    there: impl Iterator<Item = &'a str>,
) -> Vec<(usize, usize)> {
    let there: HashMap<&str, usize> = there.enumerate().map(|(place, name)| (name, place)).collect();
    here.enumerate().filter_map(|(place, name)| Some((place, *there.get(name)?))).collect()
}

//! Concept scores over rounds and conditions, at every site, position, layer and head.

use rayon::prelude::*;

use super::movement::Scores;
use super::paired::{Draws, FlipTest, Groups, Mean, Sums};
use super::significance::benjamini_hochberg;
use crate::model::Site;

/// What the probes of a concept say of one task at one site and position.
#[derive(Debug, Clone)]
pub struct SiteScores {
    /// The site.
    pub site: Site,
    /// Heads per layer where each is read by itself.
    pub heads: Option<usize>,
    /// The model's layer of each probe.
    pub layers: Vec<usize>,
    /// The position.
    pub position: String,
    /// `[condition]`: the scores of every item.
    pub scores: Vec<Scores>,
    /// `[condition][round][layer]`: means over items.
    pub cells: Vec<Vec<Vec<Cell>>>,
}

/// Means over the items of one condition, round and layer.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// The score, in within-class standard deviations.
    pub score: Option<Mean>,
    /// The mean calibrated probability of the concept's positive class.
    pub probability: Option<f64>,
    /// The score less the same item's in round 0.
    pub change: Option<Tested>,
    /// The change less the same item's change under the control condition.
    pub effect: Option<Tested>,
}

/// A mean difference with its tests.
#[derive(Debug, Clone, Copy)]
pub struct Tested {
    /// The mean.
    pub mean: Mean,
    /// Sign flips of item groups, over the layers of the condition, round, site and position.
    pub test: Option<FlipTest>,
    /// The uncorrected p adjusted over all differences of the kind in the model's table (Benjamini and Hochberg 1995).
    pub q: Option<f64>,
}

impl Tested {
    /// Whether the difference stands clear of 0 with all layers looked at: corrected p below 0.05.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.test.is_some_and(|test| test.p_max < 0.05)
    }
}

/// The cells of some conditions, `[condition][round][layer]`. `probability` turns a layer's score into one; `control`
/// is the place of the condition that effects are counted from.
pub fn cells(
    scores: &[Scores],
    control: usize,
    probability: impl Fn(usize, f64) -> f64 + Sync,
    (groups, draws): (&Groups, &Draws),
) -> Vec<Vec<Vec<Cell>>> {
    let of_round = |condition: usize, round: usize| {
        let (own, other) = (&scores[condition], &scores[control]);
        let layers = own.layers;
        let sums = |value: &dyn Fn(usize, usize) -> f64| Sums::new(groups, layers, value);
        let tested = |sums: &Sums| -> Vec<Option<Tested>> {
            let both = draws.means(sums).into_iter().zip(draws.flips(sums));
            both.map(|(mean, test)| Some(Tested { mean: mean?, test, q: None })).collect()
        };
        let change = |of: &Scores, item, layer| of.at(item, round, layer) - of.at(item, 0, layer);
        let none = || vec![None; layers];
        let values = draws.means(&sums(&|item, layer| own.at(item, round, layer)));
        let changes = match round {
            0 => none(),
            _ => tested(&sums(&|item, layer| change(own, item, layer))),
        };
        let effects = match round == 0 || condition == control {
            true => none(),
            false => tested(&sums(&|item, layer| change(own, item, layer) - change(other, item, layer))),
        };
        let mean_probability = |layer: usize| {
            let values = (0..own.groups.len()).map(|item| own.at(item, round, layer));
            mean(values.filter(|score| score.is_finite()).map(|score| probability(layer, score)))
        };
        let rest = changes.into_iter().zip(effects);
        let cell = |(layer, (score, (change, effect)))| {
            let probability = mean_probability(layer);
            Cell { score, probability, change, effect }
        };
        values.into_iter().zip(rest).enumerate().map(cell).collect()
    };
    let rounds = scores.first().map_or(0, |scores| scores.rounds);
    let places: Vec<_> = (0..scores.len() * rounds).collect();
    let flat: Vec<Vec<Cell>> =
        places.par_iter().map(|place| of_round(place / rounds, place % rounds)).collect();
    let mut flat = flat.into_iter();
    scores.iter().map(|_| flat.by_ref().take(rounds).collect()).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

/// Fills in q, over all changes and over all effects of these cells.
pub fn adjust<'a>(cells: impl Iterator<Item = &'a mut Cell>) {
    let mut cells: Vec<&mut Cell> = cells.collect();
    let kinds: [fn(&mut Cell) -> &mut Option<Tested>; 2] = [|cell| &mut cell.change, |cell| &mut cell.effect];
    for of in kinds {
        let p: Vec<Option<f64>> =
            cells.iter_mut().map(|cell| of(cell).and_then(|tested| Some(tested.test?.p))).collect();
        for (cell, q) in cells.iter_mut().zip(benjamini_hochberg(&p)) {
            if let Some(tested) = of(cell) {
                tested.q = q;
            }
        }
    }
}

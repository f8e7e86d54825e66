//! Concept scores over rounds and conditions, at every site, position, layer and head.

use recant_probes::multiple::benjamini_hochberg;

use rayon::prelude::*;

use super::movement::Scores;
use super::paired::{Draws, FlipTest, Groups, Mean, Sums};
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
    /// The mean of each column with its test; None where no item counts.
    #[must_use]
    pub fn all(sums: &Sums, draws: &Draws) -> Vec<Option<Self>> {
        let both = draws.means(sums).into_iter().zip(draws.flips(sums));
        both.map(|(mean, test)| Some(Self { mean: mean?, test, q: None })).collect()
    }

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
        let change = |of: &Scores, item, layer| of.at(item, round, layer) - of.at(item, 0, layer);
        let none = || vec![None; layers];
        let values = draws.means(&sums(&|item, layer| own.at(item, round, layer)));
        let changes = match round {
            0 => none(),
            _ => Tested::all(&sums(&|item, layer| change(own, item, layer)), draws),
        };
        let effects = match round == 0 || condition == control {
            true => none(),
            false => Tested::all(
                &sums(&|item, layer| change(own, item, layer) - change(other, item, layer)),
                draws,
            ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::bootstrap::Bootstrap;
    use crate::random::SplitMix;

    const ITEMS: usize = 40;
    const LAYERS: usize = 6;
    const ROUNDS: usize = 3;

    /// Noise, and what `planted(round, layer)` adds to every item.
    fn scores(arm: u64, planted: impl Fn(usize, usize) -> f64) -> Scores {
        let mut values = Vec::new();
        for item in 0..ITEMS {
            for round in 0..ROUNDS {
                for layer in 0..LAYERS {
                    let own = SplitMix::stream(arm, ((item * ROUNDS + round) * LAYERS + layer) as u64).unit();
                    values.push(own - 0.5 + planted(round, layer));
                }
            }
        }
        let groups = (0..ITEMS).map(|item| format!("g{}", item / 2)).collect();
        Scores { groups, rounds: ROUNDS, layers: LAYERS, values }
    }

    fn of(arms: &[Scores], control: usize) -> Vec<Vec<Vec<Cell>>> {
        let groups = Groups::of(&arms[0].groups);
        let settings = Bootstrap { resamples: 200, seed: 1, ..Bootstrap::default() };
        let draws = Draws::new(&groups, settings, 999);
        let logistic = |_, score: f64| 1.0 / (1.0 + (-score).exp());
        let mut cells = cells(arms, control, logistic, (&groups, &draws));
        adjust(cells.iter_mut().flatten().flatten());
        cells
    }

    /// Arm 0 is left alone, arm 1 (the control) and arm 2 both move at layer 1 with another turn, and arm 2 moves by its
    /// instruction at layer 4 in the last round.
    fn planted() -> Vec<Vec<Vec<Cell>>> {
        let turn = |round: usize, layer: usize| if round > 0 && layer == 1 { 0.8 } else { 0.0 };
        let told = |round, layer| turn(round, layer) + if (round, layer) == (2, 4) { 0.7 } else { 0.0 };
        of(&[scores(1, |_, _| 0.0), scores(2, turn), scores(3, told)], 1)
    }

    #[test]
    fn a_planted_shift_is_found_where_it_was_planted_and_only_there() {
        let cells = planted();
        for (arm, rounds) in cells.iter().enumerate() {
            for (round, layers) in rounds.iter().enumerate() {
                for (layer, cell) in layers.iter().enumerate() {
                    let place = format!("arm {arm}, round {round}, layer {layer}");
                    let passes = cell.change.is_some_and(|change| change.passes());
                    let moved = arm > 0 && round > 0 && layer == 1 || (arm, round, layer) == (2, 2, 4);
                    assert_eq!(passes, moved, "{place}");
                    assert_eq!(cell.change.is_none(), round == 0, "{place}");
                    if let Some(change) = cell.change.filter(|_| moved) {
                        assert!(change.q.is_some_and(|q| q < 0.05), "{place}");
                        assert!((change.mean.value - 0.75).abs() < 0.3, "{place}: {:?}", change.mean);
                    }
                }
            }
        }
    }

    #[test]
    fn an_effect_is_what_the_instruction_does_beyond_another_turn() {
        let cells = planted();
        assert!(cells[1].iter().flatten().all(|cell| cell.effect.is_none()), "the control has no effect");
        let passes = |round: usize, layer: usize| cells[2][round][layer].effect.is_some_and(|e| e.passes());
        for round in 1..ROUNDS {
            for layer in 0..LAYERS {
                assert_eq!(passes(round, layer), (round, layer) == (2, 4), "round {round}, layer {layer}");
            }
        }
        // The arm without another turn lacks what the turn does.
        let lacks = cells[0][1][1].effect.expect("an effect");
        assert!((lacks.mean.value + 0.8).abs() < 0.25 && lacks.passes(), "{lacks:?}");
        let own = [2, 4].map(|place| cells[2][2][place].change.expect("a change").mean.value);
        let control = [2, 4].map(|place| cells[1][2][place].change.expect("a change").mean.value);
        let effect = [2, 4].map(|place| cells[2][2][place].effect.expect("an effect").mean.value);
        assert!((0..2).all(|k| (own[k] - control[k] - effect[k]).abs() < 1e-12));
    }

    #[test]
    fn an_item_without_the_position_counts_nowhere_and_probabilities_are_means() {
        let mut arm = scores(7, |_, _| 0.0);
        // The first item has no answer in round 1.
        (0..LAYERS).for_each(|layer| arm.values[LAYERS + layer] = f64::NAN);
        let cells = of(std::slice::from_ref(&arm), 0);
        let n = |round: usize| cells[0][round][0].score.map(|mean| mean.n);
        assert_eq!([n(0), n(1), n(2)], [Some(ITEMS), Some(ITEMS - 1), Some(ITEMS)]);
        assert_eq!(cells[0][1][0].change.map(|change| change.mean.n), Some(ITEMS - 1));
        let mean = (1..ITEMS).map(|item| 1.0 / (1.0 + (-arm.at(item, 1, 3)).exp())).sum::<f64>();
        let found = cells[0][1][3].probability.expect("a probability");
        assert!((found - mean / (ITEMS - 1) as f64).abs() < 1e-12);
    }
}

//! What a lens shows of a model's answers: by layer and round the probability of each role, where answers settle, and how
//! rounds and models differ.

use super::bootstrap::Bootstrap;
use super::changes::Tested;
use super::paired::{Draws, Groups, Mean, Sums};
use super::summary::FLIPS;
use crate::store::States;
use crate::store::turns::{largest, over_orders};
use crate::task::{Item, Role};
use crate::{Error, Result};

/// The roles that options have, in the order of tables and figures.
pub const ROLES: [Role; 3] = [Role::Unknown, Role::Stereotyped, Role::Other];

/// What a model's layers say of the items of a task under a condition.
pub struct Views<'a> {
    /// The items.
    pub items: Vec<&'a Item>,
    /// Rounds of each.
    pub rounds: usize,
    /// Layers of the model.
    pub layers: usize,
    /// `[item][round][layer]`.
    views: Vec<View>,
}

/// One item in one round at one layer.
struct View {
    /// Probability of each option of the file, normalised over the options and averaged over their orders.
    p: Vec<f64>,
    /// Probability of all options together before that, mean over the orders.
    mass: f64,
    winner: Option<usize>,
}

/// Means over items at one round and layer.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// By role, as [`ROLES`] has them.
    pub roles: [RoleCell; 3],
    /// Probability of all options together, not normalised.
    pub mass: Option<Mean>,
    /// Share of items whose most probable option is that of round 0 at this layer; none in round 0.
    pub same: Option<Mean>,
    /// Total variation distance of the options' distribution from that of round 0 at this layer; none in round 0.
    pub distance: Option<Mean>,
}

/// Means over the items that have an option of a role.
#[derive(Debug, Clone, Default)]
pub struct RoleCell {
    /// Its probability.
    pub probability: Option<Mean>,
    /// Share of items whose most probable option has it.
    pub wins: Option<Mean>,
    /// Its probability less that in round 0, of the same items.
    pub change: Option<Tested>,
    /// Its probability less that in the base model, of the same items in the same round.
    pub from_base: Option<Tested>,
}

/// From which layer on the answer stands: the first from which to the last the most probable option is the last layer's.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Mean over items.
    pub layer: Option<Mean>,
    /// Less that of round 0, of the same items.
    pub change: Option<Tested>,
    /// Mean over the items whose answer is another than in round 0.
    pub changed: Option<Mean>,
}

/// What one lens shows.
#[derive(Debug, Clone)]
pub struct Lens {
    /// `[round][layer]`.
    pub cells: Vec<Vec<Cell>>,
    /// By round.
    pub settled: Vec<Settled>,
}

impl<'a> Views<'a> {
    /// Sorts log-probabilities `[items, rounds, orders, layers, options]` of these items.
    ///
    /// # Errors
    /// Other shapes than the items have.
    pub fn new(items: Vec<&'a Item>, logprobs: &States) -> Result<Self> {
        let wrong = |why: String| Error::input("the lens", why);
        let [n, rounds, orders, layers, options] = logprobs.shape[..] else {
            return Err(wrong(format!("has shape {:?}", logprobs.shape)));
        };
        if n != items.len() || items.iter().any(|item| item.options.len() > options) {
            return Err(wrong(format!("has shape {:?} for {} items", logprobs.shape, items.len())));
        }
        let mut views = Vec::with_capacity(n * rounds * layers);
        for (place, item) in items.iter().enumerate() {
            for round in 0..rounds {
                for layer in 0..layers {
                    let of_order = |order: usize| -> Vec<f64> {
                        let at = (((place * rounds + round) * orders + order) * layers + layer) * options;
                        let own = &logprobs.values[at..at + item.options.len()];
                        own.iter().map(|x| f64::from(*x)).collect()
                    };
                    let said: Vec<Vec<f64>> = (0..orders)
                        .map(of_order)
                        .filter(|own| own.iter().all(|logprob| logprob.is_finite()))
                        .collect();
                    let all = over_orders(&said)
                        .ok_or_else(|| wrong(format!("says nothing of item {}", item.id)))?;
                    let mass: f64 = said.iter().flatten().map(|logprob| logprob.exp()).sum();
                    views.push(View {
                        p: all.iter().map(|logprob| logprob.exp()).collect(),
                        mass: mass / said.len() as f64,
                        winner: largest(&all),
                    });
                }
            }
        }
        Ok(Self { items, rounds, layers, views })
    }

    fn at(&self, item: usize, round: usize, layer: usize) -> &View {
        &self.views[(item * self.rounds + round) * self.layers + layer]
    }

    /// The probability of a role; not a number where the item has no option of it.
    fn p(&self, role: Role, item: usize, round: usize, layer: usize) -> f64 {
        self.sum(role, item, |option| self.at(item, round, layer).p[option])
    }

    /// Whether the most probable option has a role, as 1 or 0.
    fn wins(&self, role: Role, item: usize, round: usize, layer: usize) -> f64 {
        let winner = self.at(item, round, layer).winner;
        self.sum(role, item, |option| f64::from(u8::from(winner == Some(option))))
    }

    fn sum(&self, role: Role, item: usize, of: impl Fn(usize) -> f64) -> f64 {
        let options = &self.items[item].options;
        let own: Vec<usize> = (0..options.len()).filter(|&option| options[option].role == role).collect();
        if own.is_empty() { f64::NAN } else { own.into_iter().map(of).sum() }
    }

    /// Total variation distance between two rounds at a layer.
    fn distance(&self, item: usize, rounds: [usize; 2], layer: usize) -> f64 {
        let [a, b] = rounds.map(|round| &self.at(item, round, layer).p);
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
    }

    fn winner(&self, item: usize, round: usize, layer: usize) -> Option<usize> {
        self.at(item, round, layer).winner
    }

    /// The first layer from which to the last the most probable option is the last layer's.
    fn settles(&self, item: usize, round: usize) -> f64 {
        let answer = self.winner(item, round, self.layers - 1);
        let before = (0..self.layers).rev().find(|&layer| self.winner(item, round, layer) != answer);
        before.map_or(0.0, |layer| layer as f64 + 1.0)
    }

    /// What the lens shows, beside the views of the base model where that has as many layers. Intervals and tests are over
    /// groups of items, and p is corrected over the layers of a round.
    #[must_use]
    pub fn lens(&self, base: Option<&Self>, settings: Bootstrap) -> Lens {
        let names: Vec<String> = self.items.iter().map(|item| item.group.clone()).collect();
        let groups = Groups::of(&names);
        let draws = Draws::new(&groups, settings, FLIPS);
        let base = base.filter(|base| base.layers == self.layers && base.rounds == self.rounds);
        let places: Vec<Option<usize>> =
            self.items.iter().map(|item| base?.items.iter().position(|other| other.id == item.id)).collect();
        let sums = |columns: usize, value: &dyn Fn(usize, usize) -> f64| Sums::new(&groups, columns, value);
        let means = |value: &dyn Fn(usize, usize) -> f64| draws.means(&sums(self.layers, value));
        let tested = |columns: usize, value: &dyn Fn(usize, usize) -> f64| -> Vec<Option<Tested>> {
            let sums = sums(columns, value);
            let both = draws.means(&sums).into_iter().zip(draws.flips(&sums));
            both.map(|(mean, test)| Some(Tested { mean: mean?, test, q: None })).collect()
        };
        let mut cells = Vec::with_capacity(self.rounds);
        let mut settled = Vec::with_capacity(self.rounds);
        for round in 0..self.rounds {
            let later = round > 0;
            let mut row = vec![Cell::default(); self.layers];
            for (place, role) in ROLES.into_iter().enumerate() {
                let p = |item, layer| self.p(role, item, round, layer);
                let probability = means(&p);
                let wins = means(&|item, layer| self.wins(role, item, round, layer));
                let change = match later {
                    true => tested(self.layers, &|item, layer| p(item, layer) - self.p(role, item, 0, layer)),
                    false => vec![None; self.layers],
                };
                let from_base = match base {
                    Some(base) => tested(self.layers, &|item, layer| {
                        let there = |place| base.p(role, place, round, layer);
                        p(item, layer) - places[item].map_or(f64::NAN, there)
                    }),
                    None => vec![None; self.layers],
                };
                for (layer, cell) in row.iter_mut().enumerate() {
                    cell.roles[place] = RoleCell {
                        probability: probability[layer],
                        wins: wins[layer],
                        change: change[layer],
                        from_base: from_base[layer],
                    };
                }
            }
            let mass = means(&|item, layer| self.at(item, round, layer).mass);
            let same = means(&|item, layer| {
                f64::from(u8::from(self.winner(item, round, layer) == self.winner(item, 0, layer)))
            });
            let distance = means(&|item, layer| self.distance(item, [0, round], layer));
            for (layer, cell) in row.iter_mut().enumerate() {
                cell.mass = mass[layer];
                cell.same = same[layer].filter(|_| later);
                cell.distance = distance[layer].filter(|_| later);
            }
            cells.push(row);
            let settles = |item, _| self.settles(item, round);
            let last = self.layers - 1;
            let moved = |item, column| match self.winner(item, round, last) == self.winner(item, 0, last) {
                true => f64::NAN,
                false => settles(item, column),
            };
            let change = |item, column| settles(item, column) - self.settles(item, 0);
            settled.push(Settled {
                layer: draws.means(&sums(1, &settles))[0],
                change: if later { tested(1, &change)[0] } else { None },
                changed: if later { draws.means(&sums(1, &moved))[0] } else { None },
            });
        }
        Lens { cells, settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::item;

    const LAYERS: usize = 4;

    /// Twelve items in six groups, two rounds, two orders: round 0 favours the stereotype at the last two layers, round 1 the
    /// unknown option at the last one.
    fn logprobs() -> (Vec<Item>, States) {
        let items: Vec<Item> = (0..12)
            .map(|at| item(&format!("g{}", at / 2), at, &[Role::Other, Role::Unknown, Role::Stereotyped]))
            .collect();
        let mut values = Vec::new();
        for item in 0..items.len() {
            for round in 0..2 {
                for order in 0..2 {
                    for layer in 0..LAYERS {
                        let shift = 0.01 * (item % 3) as f32 + 0.02 * order as f32;
                        let p = match (round, layer) {
                            (_, 0 | 1) => [0.2 + shift, 0.1, 0.1 - shift],
                            (1, 3) => [0.1, 0.6 + shift, 0.2 - shift],
                            _ => [0.1, 0.2 - shift, 0.6 + shift],
                        };
                        values.extend(p.map(f32::ln));
                    }
                }
            }
        }
        let shape = vec![items.len(), 2, 2, LAYERS, 3];
        (items, States { shape, values })
    }

    fn lens() -> Lens {
        let (items, states) = logprobs();
        let views = Views::new(items.iter().collect(), &states).expect("views");
        views.lens(Some(&views), Bootstrap { resamples: 100, ..Bootstrap::default() })
    }

    fn value(mean: Option<Mean>) -> f64 {
        mean.expect("a mean").value
    }

    #[test]
    fn roles_are_means_over_items_of_what_the_orders_average_to() {
        let lens = lens();
        for row in lens.cells.iter().flatten() {
            let sum: f64 = row.roles.iter().map(|role| value(role.probability)).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
        let first = &lens.cells[0][0];
        assert!((value(first.mass) - 0.4).abs() < 1e-6);
        assert_eq!(value(first.roles[2].wins), 1.0, "the other person wins at the first layer");
        assert!(first.same.is_none() && first.distance.is_none() && first.roles[0].change.is_none());
    }

    #[test]
    fn a_change_at_the_last_layer_is_found_there_and_nowhere_else() {
        let lens = lens();
        for (layer, cell) in lens.cells[1].iter().enumerate() {
            let change = cell.roles[0].change.expect("a change");
            assert_eq!(change.passes(), layer == 3, "layer {layer}: {change:?}");
            assert_eq!(value(cell.same), if layer == 3 { 0.0 } else { 1.0 });
            assert!((value(cell.distance) > 0.1) == (layer == 3));
            assert_eq!(cell.roles[0].from_base.expect("the model itself").mean.value, 0.0);
        }
        assert_eq!(value(lens.settled[0].layer), 2.0);
        assert_eq!(value(lens.settled[1].layer), 3.0);
        let change = lens.settled[1].change.expect("a change");
        assert!((change.mean.value - 1.0).abs() < 1e-12 && change.passes());
        assert_eq!(lens.settled[1].changed.expect("all answers changed").n, 12);
        assert!(lens.settled[0].change.is_none() && lens.settled[0].changed.is_none());
    }

    #[test]
    fn an_item_without_a_role_counts_in_the_others_alone() {
        let (mut items, states) = logprobs();
        items[0] = item("g0", 0, &[Role::Other, Role::Stereotyped, Role::Stereotyped]);
        let views = Views::new(items.iter().collect(), &states).expect("views");
        let cell = &views.lens(None, Bootstrap { resamples: 20, ..Bootstrap::default() }).cells[0][0];
        let n = |place: usize| cell.roles[place].probability.map(|mean| mean.n);
        assert_eq!([n(0), n(1), n(2)], [Some(11), Some(12), Some(12)]);
        assert!(cell.roles[0].from_base.is_none());
    }
}

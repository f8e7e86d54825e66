//! Whether the order of options decides: how often the choice changes with it, and which letter wins.

use super::bootstrap::{Bootstrap, Estimate, sums_by_group, total};
use super::calibration::entropy;
use super::measure::EXCHANGES;
use crate::random::SplitMix;
use crate::store::turns::largest;
use crate::store::{OrderTurn, Turn};
use crate::task::{Format, Item};

/// The most options that are told apart by place.
const PLACES: usize = 8;

/// What order does to the answers of items with the same number of options, each asked in several orders.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionBias {
    /// Number of options.
    pub options: usize,
    /// Share of items whose choice is not the same in all orders.
    pub changed: Estimate,
    /// By place: share of answers that choose what stands there, each item counting once.
    pub chosen: Vec<Estimate>,
    /// By place: mean probability of what stands there; None where only choices are known.
    pub mass: Vec<Estimate>,
    /// Entropy of the places chosen, as a part of the largest there can be: 1 where no place is preferred, 0 where one
    /// always wins.
    pub entropy: Option<f64>,
    /// Pearson's chi-square of the places chosen against equal shares, each item counting once.
    pub chi_square: Option<f64>,
    /// How often that is reached when the places of whole groups are shifted round at random. Without a preference for
    /// places an item is as likely to have chosen any other shift of them, so this is exact up to the number of draws.
    pub p: Option<f64>,
}

/// How the answer in one order is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The letter with the largest probability.
    Letter,
    /// What the text says.
    Parsed,
}

impl Read {
    /// The place chosen in an order, and the probability at each place.
    fn places(self, order: &OrderTurn) -> Option<(usize, Option<Vec<f64>>)> {
        let at_place: Vec<f64> =
            order.order.iter().filter_map(|option| order.logprobs.get(*option).copied()).collect();
        match self {
            Self::Letter => {
                let top = at_place.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let odds: Vec<f64> = at_place.iter().map(|logprob| (logprob - top).exp()).collect();
                let z: f64 = odds.iter().sum();
                let chosen = largest(&at_place).filter(|_| at_place.len() == order.order.len())?;
                Some((chosen, Some(odds.iter().map(|odds| odds / z).collect())))
            }
            Self::Parsed => {
                let option = order.parsed?;
                Some((order.order.iter().position(|at| *at == option)?, None))
            }
        }
    }
}

/// The position bias of a round, one for each number of options that occurs among items that list them. Items asked in
/// one order only, and answers that choose nothing, do not count.
pub fn position_bias<'t>(
    turns: impl IntoIterator<Item = (&'t Item, &'t Turn)>,
    read: Read,
    bootstrap: Bootstrap,
) -> Vec<PositionBias> {
    let turns: Vec<(&Item, &Turn)> = turns
        .into_iter()
        .filter(|(item, turn)| {
            item.format == Format::Letters && turn.orders.len() > 1 && item.options.len() <= PLACES
        })
        .collect();
    let mut sizes: Vec<usize> = turns.iter().map(|(item, _)| item.options.len()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let of_size = |options: usize| {
        let rows: Vec<(&str, Row)> = turns
            .iter()
            .filter(|(item, _)| item.options.len() == options)
            .filter_map(|(item, turn)| Some((item.group.as_str(), Row::of(turn, read)?)))
            .collect();
        (!rows.is_empty()).then(|| of_rows(options, &rows, bootstrap))
    };
    sizes.into_iter().filter_map(of_size).collect()
}

/// An item over its orders.
struct Row {
    changed: bool,
    /// Shares of the orders in which each place was chosen.
    chosen: [f64; PLACES],
    mass: Option<[f64; PLACES]>,
}

impl Row {
    fn of(turn: &Turn, read: Read) -> Option<Self> {
        let mut row = Self { changed: false, chosen: [0.0; PLACES], mass: Some([0.0; PLACES]) };
        let mut first = None;
        let read: Vec<_> =
            turn.orders.iter().filter_map(|order| Some((order, read.places(order)?))).collect();
        // One reading of an item says nothing of its orders.
        if read.len() < 2 {
            return None;
        }
        let share = 1.0 / read.len() as f64;
        for (order, (place, masses)) in read {
            let option = order.order[place];
            row.changed |= *first.get_or_insert(option) != option;
            row.chosen[place] += share;
            row.mass = row.mass.zip(masses).map(|(mut mass, masses)| {
                mass.iter_mut().zip(masses).for_each(|(sum, mass)| *sum += mass * share);
                mass
            });
        }
        Some(row)
    }
}

fn of_rows(options: usize, rows: &[(&str, Row)], bootstrap: Bootstrap) -> PositionBias {
    let by_place = |value: &dyn Fn(&Row, usize) -> Option<f64>| -> Vec<Estimate> {
        let at = |place| rows.iter().filter_map(move |(group, row)| Some((*group, value(row, place)?)));
        (0..options).map(|place| Estimate::mean(at(place), bootstrap)).collect()
    };
    let groups = sums_by_group(rows.iter().map(|(group, row)| (*group, row.chosen)));
    let counts = total(&groups);
    let n: f64 = counts.iter().sum();
    let shares: Vec<f64> = counts[..options].iter().map(|count| count / n).collect();
    PositionBias {
        options,
        changed: Estimate::mean(
            rows.iter().map(|(group, row)| (*group, f64::from(u8::from(row.changed)))),
            bootstrap,
        ),
        chosen: by_place(&|row, place| Some(row.chosen[place])),
        mass: by_place(&|row, place| Some(row.mass?[place])),
        entropy: (options > 1).then(|| entropy(&shares) / (options as f64).ln()),
        chi_square: (options > 1).then(|| chi_square(&counts[..options])),
        p: shift_p(&groups, options, bootstrap.seed),
    }
}

fn chi_square(counts: &[f64]) -> f64 {
    let expected = counts.iter().sum::<f64>() / counts.len() as f64;
    counts.iter().map(|count| (count - expected).powi(2) / expected).sum()
}

fn shift_p(groups: &[[f64; PLACES]], options: usize, seed: u64) -> Option<f64> {
    if groups.len() < 2 || options < 2 {
        return None;
    }
    let observed = chi_square(&total(groups)[..options]);
    let mut random = SplitMix::new(seed);
    let mut reached = 1;
    for _ in 0..EXCHANGES {
        let mut counts = [0.0; PLACES];
        for group in groups {
            let by = random.below(options);
            (0..options).for_each(|place| counts[(place + by) % options] += group[place]);
        }
        reached += usize::from(chi_square(&counts[..options]) >= observed - 1e-9);
    }
    Some(f64::from(reached as u32) / (EXCHANGES + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn_of};
    use crate::task::Role;

    const ORDERS: [[usize; 3]; 3] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];

    fn items(n: usize) -> Vec<Item> {
        (0..n).map(|at| item(&format!("g{at}"), at, &[Role::Other; 3])).collect()
    }

    /// Turns whose option probabilities are a function of (item, option, place).
    fn turns(items: &[Item], p: impl Fn(usize, usize, usize) -> f64) -> Vec<Turn> {
        let one = |(at, item): (usize, &Item)| {
            let place = |order: [usize; 3], option| order.iter().position(|o| *o == option).expect("a place");
            let p: Vec<Vec<f64>> =
                ORDERS.iter().map(|order| (0..3).map(|o| p(at, o, place(*order, o))).collect()).collect();
            let orders: Vec<_> =
                ORDERS.iter().zip(&p).map(|(order, p)| (order.to_vec(), p.as_slice())).collect();
            turn_of(item, 0, &orders)
        };
        items.iter().enumerate().map(one).collect()
    }

    #[test]
    fn one_letter_that_always_wins_is_seen() {
        let items = items(20);
        let turns = turns(&items, |_, _, place| if place == 2 { 0.8 } else { 0.1 });
        let found = position_bias(items.iter().zip(&turns), Read::Letter, Bootstrap::default());
        let [bias] = &found[..] else { panic!("{found:?}") };
        assert_eq!((bias.changed.value, bias.changed.n, bias.entropy), (Some(1.0), 20, Some(0.0)));
        let rounded = |estimates: &[Estimate]| -> Vec<f64> {
            estimates.iter().map(|e| (e.value.expect("a share") * 1e9).round() / 1e9).collect()
        };
        assert_eq!(rounded(&bias.chosen), [0.0, 0.0, 1.0]);
        assert_eq!(rounded(&bias.mass), [0.1, 0.1, 0.8]);
        // 20 items of one place against 20/3 of each: chi-square is 2 n.
        assert!((bias.chi_square.expect("a statistic") - 40.0).abs() < 1e-9);
        assert_eq!(bias.p, Some(1.0 / 2001.0));
    }

    #[test]
    fn a_model_that_follows_the_contents_has_no_position_bias() {
        let items = items(20);
        let turns = turns(&items, |at, option, _| if option == at % 2 { 0.6 } else { 0.2 });
        let bias = &position_bias(items.iter().zip(&turns), Read::Letter, Bootstrap::default())[0];
        assert_eq!((bias.changed.value, bias.p), (Some(0.0), Some(1.0)));
        assert!((bias.entropy.expect("entropy") - 1.0).abs() < 1e-12);
        assert!(bias.chosen.iter().all(|share| (share.value.expect("a share") - 1.0 / 3.0).abs() < 1e-12));
    }

    #[test]
    fn texts_are_read_where_they_name_an_option_in_more_than_one_order() {
        let items = items(3);
        let mut turns = turns(&items, |_, _, _| 1.0 / 3.0);
        turns[0].orders.iter_mut().for_each(|order| order.parsed = Some(order.order[0]));
        turns[1].orders[0].parsed = Some(1);
        let bias = &position_bias(items.iter().zip(&turns), Read::Parsed, Bootstrap::default())[0];
        assert_eq!((bias.changed.n, bias.chosen[0].value, bias.mass[0].value), (1, Some(1.0), None));
        assert_eq!(bias.p, None, "one group");
    }

    #[test]
    fn one_order_says_nothing() {
        let items = items(2);
        let mut turns = turns(&items, |_, _, _| 1.0 / 3.0);
        turns.iter_mut().for_each(|turn| turn.orders.truncate(1));
        assert!(position_bias(items.iter().zip(&turns), Read::Letter, Bootstrap::default()).is_empty());
        assert!(position_bias([], Read::Letter, Bootstrap::default()).is_empty());
    }
}

//! How a concept's score and a model's uncertainty go together over rounds and items, as the self-correction studies link
//! them (arXiv 2406.02378: Pearson's r between round means of concept and uncertainty).

use std::collections::BTreeSet;

use super::answer::Answer;
use super::bootstrap::{Bootstrap, cluster_bootstrap};
use super::calibration::entropy;
use super::correlation::{Correlation, Pairs, Relation, pearson};
use super::sampling;
use crate::store::Turn;

/// A measure of uncertainty of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Entropy of the probabilities of the options, in nats, by the scoring that decides.
    Entropy,
    /// Mean negative log-probability of the tokens of the greedy answer, over the orders of options.
    AnswerNll,
    /// Entropy over the clusters of answers drawn at random.
    SampleEntropy,
    /// The uncertainty score of the studies, of answers drawn at random.
    SampleScore,
}

impl Doubt {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Entropy, Self::AnswerNll, Self::SampleEntropy, Self::SampleScore];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::AnswerNll => "answer_nll",
            Self::SampleEntropy => "sample_entropy",
            Self::SampleScore => "sample_uncertainty",
        }
    }

    /// The measure of one turn; None where it lacks what that needs.
    #[must_use]
    pub fn of(self, answer: &Answer<'_>, turn: &Turn) -> Option<f64> {
        match self {
            Self::Entropy => answer.probabilities().map(entropy),
            Self::AnswerNll => {
                let nll = turn.orders.iter().filter(|order| !order.answer_ids.is_empty());
                let nll: Vec<f64> =
                    nll.map(|order| -order.answer_logprob / order.answer_ids.len() as f64).collect();
                (!nll.is_empty()).then(|| nll.iter().sum::<f64>() / nll.len() as f64)
            }
            Self::SampleEntropy => sampling::of_turn(turn).map(|drawn| drawn.entropy),
            Self::SampleScore => sampling::of_turn(turn)?.score,
        }
    }
}

/// Score and uncertainty of one item, round by round; NaN where either is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Course<'a> {
    /// Its group.
    pub group: &'a str,
    /// `[round]`: the concept's score and the uncertainty.
    pub rounds: Vec<(f64, f64)>,
}

/// Pearson's correlation of round means of score and uncertainty. Only items that have both in every round count, so that
/// the means are of the same items. The interval resamples groups; p is over the orders in which the rounds' uncertainties
/// can come: all of them up to seven rounds, so that it is at least `1 / R!`. None with fewer than three rounds.
#[must_use]
pub fn over_rounds(courses: &[Course<'_>], bootstrap: Bootstrap) -> Correlation {
    let whole: Vec<&Course<'_>> = courses
        .iter()
        .filter(|course| course.rounds.iter().all(|(a, b)| a.is_finite() && b.is_finite()))
        .collect();
    let rounds = whole.first().map_or(0, |course| course.rounds.len());
    let once = vec![1.0; rounds];
    let means = |sample: &[&&Course<'_>]| -> (Vec<f64>, Vec<f64>) {
        let mean = |pick: fn(&(f64, f64)) -> f64, round: usize| {
            sample.iter().map(|course| pick(&course.rounds[round])).sum::<f64>() / sample.len() as f64
        };
        (0..rounds).map(|round| (mean(|r| r.0, round), mean(|r| r.1, round))).unzip()
    };
    let statistic = |sample: &[&&Course<'_>]| {
        let (score, doubt) = means(sample);
        pearson(&score, &doubt, &once)
    };
    let all: Vec<&&Course<'_>> = whole.iter().collect();
    let value = statistic(&all).filter(|_| rounds > 2);
    let interval = value.and_then(|_| cluster_bootstrap(&whole, |course| course.group, statistic, bootstrap));
    let p = value.filter(|_| rounds <= ALL_ORDERS).map(|value| {
        let (score, mut doubt) = means(&all);
        let (mut reached, mut count) = (0usize, 0usize);
        each_order(&mut doubt, 0, &mut |doubt| {
            count += 1;
            let found = pearson(&score, doubt, &once);
            reached += usize::from(found.is_some_and(|found| found.abs() >= value.abs() - 1e-9));
        });
        reached as f64 / count as f64
    });
    let groups: BTreeSet<&str> = whole.iter().map(|course| course.group).collect();
    Correlation { value, interval, p, n: rounds, n_groups: groups.len() }
}

/// Rounds whose orders are all tried.
const ALL_ORDERS: usize = 7;

fn each_order(values: &mut [f64], from: usize, visit: &mut impl FnMut(&[f64])) {
    if from == values.len() {
        return visit(values);
    }
    for at in from..values.len() {
        values.swap(from, at);
        each_order(values, from + 1, visit);
        values.swap(from, at);
    }
}

/// The correlation over the items of one round.
#[must_use]
pub fn over_items(
    courses: &[Course<'_>],
    round: usize,
    relation: Relation,
    permutations: usize,
    bootstrap: Bootstrap,
) -> Correlation {
    let mut pairs = Pairs::default();
    for course in courses {
        let (score, doubt) = course.rounds[round];
        if score.is_finite() && doubt.is_finite() {
            pairs.groups.push(course.group);
            pairs.x.push(score);
            pairs.y.push(doubt);
        }
    }
    pairs.correlation(relation, permutations, bootstrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

    fn courses(doubt: impl Fn(usize, usize) -> f64) -> Vec<Course<'static>> {
        let wavy = |at: usize| (at as f64 * 12.9898).sin();
        let rounds =
            |item: usize| (0..4).map(|round| (0.5 * round as f64 + wavy(item), doubt(item, round))).collect();
        (0..16).map(|item| Course { group: GROUPS[item / 4], rounds: rounds(item) }).collect()
    }

    #[test]
    fn means_that_fall_together_correlate_over_rounds_and_not_over_items() {
        let found =
            courses(|item, round| 2.0 - 0.25 * round as f64 + 0.1 * ((item * 7 + round) as f64).cos());
        let linked = over_rounds(&found, Bootstrap::default());
        assert!(linked.value.expect("r") < -0.95, "{linked:?}");
        // Of the 24 orders only that of the rounds and its mirror reach so far.
        assert_eq!((linked.p, linked.n, linked.n_groups), (Some(2.0 / 24.0), 4, 4));
        assert!(linked.interval.expect("an interval").high < 0.0);
        let items = over_items(&found, 2, Relation::Pearson, 199, Bootstrap::default());
        assert!(items.n == 16 && items.p.expect("p") > 0.05, "{items:?}");
    }

    #[test]
    fn an_item_that_lacks_a_round_does_not_count_and_two_rounds_are_too_few() {
        let mut found = courses(|_, round| round as f64);
        found[3].rounds[1].1 = f64::NAN;
        assert!(over_rounds(&found, Bootstrap::default()).value.expect("r") > 0.999);
        assert_eq!(over_items(&found, 1, Relation::Spearman, 0, Bootstrap::default()).n, 15);
        found.iter_mut().for_each(|course| course.rounds.truncate(2));
        assert_eq!(over_rounds(&found, Bootstrap::default()).value, None);
        assert_eq!(over_rounds(&[], Bootstrap::default()).value, None);
    }
}

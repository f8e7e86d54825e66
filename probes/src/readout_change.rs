//! Whether a readout tells the classes better after than before.

use rayon::prelude::*;

use crate::bootstrap::{Bootstrap, Interval};
use crate::data::Labelled;
use crate::error::Result;
use crate::metrics::{Metric, Scored};
use crate::moments::{Moments, check_finite};
use crate::rng::Rng;

/// Differences closer than this are equal: the lists exchanged as they are must reach the observed one.
const EQUAL: f64 = 1e-9;

/// A statistic after less the same before, on the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference; `None` where one of the two is undefined.
    pub value: Option<f64>,
    /// Its interval over groups, of resamples that both share.
    pub ci: Option<Interval>,
    /// Two-sided p of no difference, `(1 + #{|null| ≥ |value|}) / (1 + exchanges)`; `None` with one group or without
    /// exchanges.
    pub p: Option<f64>,
}

/// What became of a readout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadoutChange {
    /// Of [`d_prime`](crate::d_prime()).
    pub d_prime: Difference,
    /// Of the AUROC.
    pub auroc: Difference,
}

/// How well scores after tell the classes, less how well scores before do.
///
/// Under the null it is all one which of a group's two sets of scores came first: `exchanges` draws exchange before
/// and after in random groups as wholes, as Venkatraman and Begg (1996) do with ranks. Lists may be on different
/// scales, so each is first centred on the middle of its class means and divided by its spread within classes. That
/// leaves the AUROC and d′ of a list as they are and makes scores of the two exchangeable if their distributions
/// differ in nothing else. The draws are named by the seed of the bootstrap.
///
/// # Errors
/// [`Error::ShapeMismatch`](crate::Error::ShapeMismatch), [`Error::NonFiniteScore`](crate::Error::NonFiniteScore)
/// or [`Error::BadLevel`](crate::Error::BadLevel).
pub fn readout_change(
    labelled: &Labelled,
    before: &[f64],
    after: &[f64],
    exchanges: usize,
    bootstrap: &Bootstrap,
) -> Result<ReadoutChange> {
    for scores in [before, after] {
        labelled.check("scores", scores.len())?;
        check_finite(scores)?;
    }
    let lists = [before, after].map(|scores| standardised(scores, labelled));
    let all = vec![1; labelled.n()];
    let change = Readouts::of(&lists, labelled);
    let observed = change.differences(&all);
    let intervals = bootstrap.intervals(labelled, |counts| change.differences(counts))?;
    let exchanges = if labelled.n_groups() > 1 { exchanges } else { 0 };
    let null: Vec<[Option<f64>; 2]> = (0..exchanges as u64)
        .into_par_iter()
        .map(|draw| {
            let lists = exchanged(&lists, labelled, &mut Rng::stream(bootstrap.seed, draw));
            Readouts::of(&lists, labelled).differences(&all)
        })
        .collect();
    let p = |index: usize| {
        let reached = observed[index].filter(|_| exchanges > 0)?.abs() - EQUAL;
        let count = null.iter().filter_map(|draw| draw[index]).filter(|draw| draw.abs() >= reached).count();
        Some((1 + count) as f64 / (1 + exchanges) as f64)
    };
    let [d_prime, auroc] =
        std::array::from_fn(|index| Difference { value: observed[index], ci: intervals[index], p: p(index) });
    Ok(ReadoutChange { d_prime, auroc })
}

/// Two score lists of the same rows, before and after.
struct Readouts<'a> {
    scores: &'a [Vec<f64>; 2],
    labels: &'a [bool],
    scored: [Scored; 2],
}

impl<'a> Readouts<'a> {
    fn of(scores: &'a [Vec<f64>; 2], labelled: &'a Labelled) -> Self {
        let labels = labelled.labels();
        Self { scores, labels, scored: [0, 1].map(|list| Scored::new(&scores[list], labels)) }
    }

    /// Of d′ and AUROC, after less before.
    fn differences(&self, counts: &[u32]) -> [Option<f64>; 2] {
        let d_prime = |list: usize| {
            Moments::of_classes(&self.scores[list], self.labels, counts).and_then(Moments::d_prime)
        };
        let auroc = |list: usize| Metric::Auroc.weighted(&self.scored[list], counts);
        let less = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
        [less(d_prime(1), d_prime(0)), less(auroc(1), auroc(0))]
    }
}

/// Before and after exchanged in about half of the groups.
fn exchanged(lists: &[Vec<f64>; 2], labelled: &Labelled, rng: &mut Rng) -> [Vec<f64>; 2] {
    let [mut before, mut after] = lists.clone();
    for rows in labelled.members() {
        if rng.below(2) == 1 {
            rows.iter().for_each(|&row| std::mem::swap(&mut before[row], &mut after[row]));
        }
    }
    [before, after]
}

/// Scores about the middle of their class means, in units of their spread within classes if there is one.
fn standardised(scores: &[f64], labelled: &Labelled) -> Vec<f64> {
    let Some(classes) = Moments::of_classes(scores, labelled.labels(), &vec![1; labelled.n()]) else {
        return scores.to_vec();
    };
    let middle = (classes[0].mean + classes[1].mean) / 2.0;
    let spread = Moments::within(classes).unwrap_or(1.0);
    scores.iter().map(|score| (score - middle) / spread).collect()
}

//! How far scores lie apart: the same rows before and after, or the two classes of one readout.
//!
//! Scores before and after are two classes of twice as many rows, and a row's group holds both of its scores: what is
//! known of class differences and their intervals over groups holds for changes.

use rayon::prelude::*;

use crate::bootstrap::{Bootstrap, Estimate, Interval, quantile};
use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::metrics::{Metric, Scored};
use crate::rng::Rng;

/// Where the two densities of [`overlap`] are compared.
const GRID: usize = 4096;
/// Bandwidths beyond which a kernel holds nothing that `f64` could tell from 0.
const REACH: f64 = 8.0;
/// Differences closer than this are equal: the lists exchanged as they are must reach the observed one.
const EQUAL: f64 = 1e-9;

/// What became of a distribution of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The standardised mean difference, after less before, by the root of the mean of both variances (Cohen, 1988;
    /// `d_av` of Cumming, 2012).
    pub d: Estimate,
    /// The probability that a row's score after exceeds another's before, over all pairs, ties counting half: the AUROC
    /// of after against before (common language effect size, McGraw and Wong, 1992).
    pub higher: Estimate,
    /// The standard deviation after over that before.
    pub sd_ratio: Estimate,
    /// [`overlap`] of both.
    pub overlap: Option<f64>,
}

/// Scores of the same rows before and after, with intervals over groups.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotANumber`] for a score that is not finite, or
/// [`Error::BadLevel`].
pub fn effect(before: &[f64], after: &[f64], groups: &[usize], bootstrap: &Bootstrap) -> Result<Effect> {
    let n = before.len();
    if after.len() != n {
        return Err(Error::ShapeMismatch { what: "scores after", expected: n, found: after.len() });
    }
    if groups.len() != n {
        return Err(Error::ShapeMismatch { what: "groups", expected: n, found: groups.len() });
    }
    let scores = [before, after].concat();
    let labels: Vec<bool> = (0..2 * n).map(|row| row >= n).collect();
    let names: Vec<i64> = [groups, groups].concat().into_iter().map(|group| group as i64).collect();
    let labelled = Labelled::from_bools(&labels, &names)?;
    check_finite(&scores[..n])?;
    check_finite(&scores[n..])?;
    let scored = Scored::new(&scores, &labels);
    let statistics = |counts: &[u32]| {
        let classes = Moments::of_classes(&scores, &labels, counts);
        [
            classes.and_then(Moments::d_prime),
            Metric::Auroc.weighted(&scored, counts),
            classes.and_then(Moments::sd_ratio),
        ]
    };
    let values = statistics(&vec![1; 2 * n]);
    let intervals = bootstrap.intervals(&labelled, statistics)?;
    let [d, higher, sd_ratio] =
        std::array::from_fn(|index| Estimate { value: values[index], ci: intervals[index] });
    Ok(Effect { d, higher, sd_ratio, overlap: overlap(before, after) })
}

/// How far the distributions of two samples overlap, from 0 to 1: `∫ min(f, g)` (Weitzman, 1970) of Gaussian kernel
/// densities (Schmid and Schmidt, 2006), which for normals of equal variance is `2 Φ(-|d| / 2)`.
///
/// Both densities have one bandwidth, `0.9 min(s, IQR / 1.34) n^(-1/5)` (Silverman, 1986), of the deviations of all
/// values from the mean of their sample, with `n` the size of the smaller. Unequal bandwidths would make
/// equal samples of unequal size differ. The integral is a sum over 4097 points from 8 bandwidths below the least
/// value to 8 above the largest.
///
/// `None` where a sample is empty or nothing varies within them.
pub fn overlap(a: &[f64], b: &[f64]) -> Option<f64> {
    let h = bandwidth(a, b)?;
    let all = || a.iter().chain(b).copied();
    let low = all().fold(f64::INFINITY, f64::min) - REACH * h;
    let high = all().fold(f64::NEG_INFINITY, f64::max) + REACH * h;
    let density = |sample: &[f64], at: f64| {
        let kernel = |value: &f64| (-((at - value) / h).powi(2) / 2.0).exp();
        sample.iter().map(kernel).sum::<f64>() / sample.len() as f64
    };
    let (mut shared, mut total) = (0.0, 0.0);
    for point in 0..=GRID {
        let at = low + (high - low) * point as f64 / GRID as f64;
        let (f, g) = (density(a, at), density(b, at));
        (shared, total) = (shared + f.min(g), total + (f + g) / 2.0);
    }
    Some(shared / total)
}

fn bandwidth(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len().min(b.len());
    let mut deviations = Vec::with_capacity(a.len() + b.len());
    for sample in [a, b] {
        let moments = Moments::of(sample, |_| 1.0)?;
        deviations.extend(sample.iter().map(|value| value - moments.mean));
    }
    let spread = Moments::of(&deviations, |_| 1.0)?.variance.sqrt();
    deviations.sort_by(f64::total_cmp);
    let iqr = quantile(&deviations, 0.75) - quantile(&deviations, 0.25);
    let scale = if iqr > 0.0 { spread.min(iqr / 1.34) } else { spread };
    (scale > 0.0).then(|| 0.9 * scale * (n as f64).powf(-0.2))
}

/// The sensitivity of a readout, `d′ = (mean of class 1 - mean of class 0) / s` with the pooled standard deviation within
/// classes (Green and Swets, 1966), and its interval over groups. `None` where nothing varies within classes or a class
/// has less than two rows.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::NotANumber`] for a score that is not finite, or [`Error::BadLevel`].
pub fn d_prime(scores: &[f64], labelled: &Labelled, bootstrap: &Bootstrap) -> Result<Estimate> {
    labelled.check("scores", scores.len())?;
    check_finite(scores)?;
    let statistic =
        |counts: &[u32]| Moments::of_classes(scores, labelled.labels(), counts).and_then(Moments::d_prime);
    let [ci] = bootstrap.intervals(labelled, |counts| [statistic(counts)])?;
    Ok(Estimate { value: statistic(&vec![1; labelled.n()]), ci })
}

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
    /// Of [`d_prime`].
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
/// [`Error::ShapeMismatch`], [`Error::NotANumber`] for a score that is not finite, or [`Error::BadLevel`].
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

/// The moments of weighted values.
#[derive(Clone, Copy)]
struct Moments {
    weight: f64,
    mean: f64,
    /// About the mean, over `weight - 1`.
    variance: f64,
}

impl Moments {
    /// `None` with a weight of less than 2. Values that are all equal have a variance of exactly 0.
    fn of(values: &[f64], weight: impl Fn(usize) -> f64) -> Option<Self> {
        let rows = || (0..values.len()).map(|row| (row, weight(row))).filter(|(_, weight)| *weight > 0.0);
        let (first, _) = rows().next()?;
        let weight: f64 = rows().map(|(_, weight)| weight).sum();
        let shift = rows().map(|(row, weight)| weight * (values[row] - values[first])).sum::<f64>() / weight;
        let mean = values[first] + shift;
        let squares: f64 =
            rows().map(|(row, weight)| weight * (values[row] - values[first] - shift).powi(2)).sum();
        (weight >= 2.0).then(|| Self { weight, mean, variance: squares / (weight - 1.0) })
    }

    fn of_classes(scores: &[f64], labels: &[bool], counts: &[u32]) -> Option<[Self; 2]> {
        let class =
            |class: bool| Self::of(scores, |row| f64::from(counts[row]) * f64::from(labels[row] == class));
        Some([class(false)?, class(true)?])
    }

    /// The pooled standard deviation; `None` if it is 0.
    fn within([zero, one]: [Self; 2]) -> Option<f64> {
        let squares = (zero.weight - 1.0) * zero.variance + (one.weight - 1.0) * one.variance;
        let spread = (squares / (zero.weight + one.weight - 2.0)).sqrt();
        (spread > 0.0).then_some(spread)
    }

    fn d_prime(classes: [Self; 2]) -> Option<f64> {
        Some((classes[1].mean - classes[0].mean) / Self::within(classes)?)
    }

    fn sd_ratio([before, after]: [Self; 2]) -> Option<f64> {
        (before.variance > 0.0).then(|| (after.variance / before.variance).sqrt())
    }
}

fn check_finite(scores: &[f64]) -> Result<()> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(row) => Err(Error::NotANumber { row }),
        None => Ok(()),
    }
}

//! How far scores of the same rows lie apart before and after.
//!
//! Scores before and after are two classes of twice as many rows, and a row's group holds both of its scores: what is
//! known of class differences and their intervals over groups holds for changes.

use crate::bootstrap::{Bootstrap, Estimate};
use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::metrics::{Metric, Scored};
use crate::moments::{Moments, check_finite};
use crate::overlap::overlap;

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
    /// [`overlap()`] of both.
    pub overlap: Option<f64>,
}

/// Scores of the same rows before and after, with intervals over groups.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NonFiniteScore`] or [`Error::BadLevel`].
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

//! Which labels may be exchanged, and what p-values follow.
//!
//! A permutation test is valid when the labellings drawn are as likely as the observed one if features and labels
//! are unrelated. What may be exchanged therefore depends on the groups:
//!
//! * every group holds both classes (minimal pairs): labels are exchanged within each group, so that nothing that
//!   the members of a group share can count for or against a probe;
//! * every group is of one class: labels belong to groups, and whole groups exchange them. Where each row is its
//!   own group this is the permutation of rows;
//! * some of each: groups of equal size exchange their sets of labels as wholes, and labels are shuffled within
//!   each group.
//!
//! Groups exchange labels within folds, and folds with as many groups as wholes: folds are even over the classes
//! observed, and a labelling that is less even over them scores lower out of fold for that alone. See [`Exchange`].
//!
//! Labellings that leave some training part with one class cannot be fitted and are drawn again; the observed
//! labelling meets the same condition, so the test stays valid.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::data::Labelled;
use crate::error::{Error, Result};
pub use crate::exchange::Exchange;
use crate::folds::Folds;
use crate::rng::Rng;

/// How often a labelling is drawn again before giving up.
const ATTEMPTS: u64 = 1000;

/// AUROCs closer than this are equal: they are ratios of integers, and differ otherwise by far more.
const EQUAL: f64 = 1e-12;

/// Exchanged labels, `[count][N]`.
///
/// # Errors
/// [`Error::NothingToPermute`] if no labelling was found that every training part can be fitted on.
pub fn exchanged_labels(
    labelled: &Labelled,
    folds: &Folds,
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<bool>>> {
    let exchange = Exchange::of(labelled);
    let draw = |permutation: usize| {
        (0..ATTEMPTS)
            .map(|attempt| {
                exchange.draw(
                    labelled,
                    folds,
                    &mut Rng::stream(seed, permutation as u64 * ATTEMPTS + attempt),
                )
            })
            .find(|labels| folds.one_class_training(|row| labels[row]).is_none())
            .ok_or(Error::NothingToPermute)
    };
    (0..count).into_par_iter().map(draw).collect()
}

/// What the exchanged labels say about one layer.
///
/// Thousands of labellings are fitted by the probe's [twin](crate::Twin), a ridge regression whose decisions are linear
/// in the labels: exactly the probe for ridge, linear discriminants and differences of means (up to scaling over all
/// rows), the first Newton step of a logistic probe. The observed labels are fitted in the same way, so the test is exact
/// for what it compares; not so where C was chosen by the observed labels, which makes p too small.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationTest {
    /// `(1 + #{null ≥ observed}) / (1 + permutations)` (Phipson and Smyth, 2010).
    pub p: f64,
    /// The same against the largest AUROC of all layers under each exchange: corrected for having looked at them
    /// all (Westfall and Young, 1993).
    pub p_max: f64,
    /// The AUROC of this layer by the twin, under the observed labels.
    pub observed: f64,
    /// The same under each exchange.
    pub null: Vec<f64>,
}

/// Raw and max-T corrected p-values of `observed` `[L]` against `null` `[L, P]`, whose columns share their labels.
pub fn test_layers(observed: &[f64], null: ArrayView2<f64>) -> Vec<PermutationTest> {
    let count = null.ncols();
    let largest: Vec<f64> = null
        .columns()
        .into_iter()
        .map(|column| column.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let p = |values: &[f64], seen: f64| {
        (1 + values.iter().filter(|&&value| value >= seen - EQUAL).count()) as f64 / (1 + count) as f64
    };
    null.rows()
        .into_iter()
        .zip(observed)
        .map(|(row, &seen)| PermutationTest {
            p: p(&row.to_vec(), seen),
            p_max: p(&largest, seen),
            observed: seen,
            null: row.to_vec(),
        })
        .collect()
}

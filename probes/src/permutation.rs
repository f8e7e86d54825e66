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

use ndarray::{Array2, ArrayView2};

use crate::data::Labelled;
use crate::error::{Error, Result};
pub use crate::exchange::Exchange;
use crate::folds::Folds;
use crate::rng::Rng;

/// How often a labelling is drawn again before giving up.
const ATTEMPTS: u64 = 1000;

/// AUROCs closer than this are equal: they are ratios of integers, and differ otherwise by far more.
const EQUAL: f64 = 1e-12;

/// Exchanged labels, 0 or 1, `[count, N]`.
///
/// # Errors
/// [`Error::NothingToPermute`] if no labelling was found that every training part can be fitted on.
pub fn exchanged_labels(labelled: &Labelled, folds: &Folds, count: usize, seed: u64) -> Result<Array2<f64>> {
    let exchange = Exchange::of(labelled);
    let mut drawn = Array2::zeros((count, labelled.n()));
    for (permutation, mut row) in drawn.rows_mut().into_iter().enumerate() {
        let labels = (0..ATTEMPTS)
            .map(|attempt| {
                exchange.draw(
                    labelled,
                    folds,
                    &mut Rng::stream(seed, permutation as u64 * ATTEMPTS + attempt),
                )
            })
            .find(|labels| folds.one_class_training(|row| labels[row]).is_none())
            .ok_or(Error::NothingToPermute)?;
        row.iter_mut().zip(labels).for_each(|(to, label)| *to = f64::from(label));
    }
    Ok(drawn)
}

/// What the exchanged labels say about one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationTest {
    /// `(1 + #{null ≥ observed}) / (1 + permutations)` (Phipson and Smyth, 2010).
    pub p: f64,
    /// The same against the largest AUROC of all layers under each exchange: corrected for having looked at them
    /// all (Westfall and Young, 1993).
    pub p_max: f64,
    /// The AUROC of this layer under each exchange.
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
            null: row.to_vec(),
        })
        .collect()
}

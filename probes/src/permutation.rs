//! Which labels may be exchanged, and what p-values follow.
//!
//! A permutation test is valid when the labellings drawn are as likely as the observed one if features and labels
//! are unrelated. What may be exchanged therefore depends on the groups:
//!
//! * every group holds both classes (minimal pairs): labels are shuffled within each group, so that nothing that
//!   the members of a group share can count for or against a probe;
//! * every group is of one class: labels belong to groups, and whole groups exchange them. Where each row is its
//!   own group this is the free permutation;
//! * some of each: groups of equal size exchange their sets of labels as wholes, and labels are shuffled within
//!   each group.
//!
//! Labellings that leave some training part with one class cannot be fitted and are drawn again; the observed
//! labelling meets the same condition, so the test stays valid.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::folds::Folds;
use crate::rng::Rng;

/// How often a labelling is drawn again before giving up.
const ATTEMPTS: u64 = 1000;

/// AUROCs closer than this are equal: they are ratios of integers, and differ otherwise by far more.
const EQUAL: f64 = 1e-12;

/// How the labels of a design are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Shuffled inside every group: all groups hold both classes.
    WithinGroups,
    /// One label a group, permuted over groups: all groups are of one class.
    BetweenGroups,
    /// Sets of labels exchanged between groups of equal size, and shuffled inside.
    Mixed,
}

impl Exchange {
    /// The exchange that a design allows.
    pub fn of(labelled: &Labelled) -> Self {
        let mixed =
            |rows: &Vec<usize>| rows.iter().any(|&row| labelled.labels()[row] != labelled.labels()[rows[0]]);
        match labelled.members().iter().filter(|rows| mixed(rows)).count() {
            0 => Self::BetweenGroups,
            count if count == labelled.n_groups() => Self::WithinGroups,
            _ => Self::Mixed,
        }
    }

    fn draw(self, labelled: &Labelled, rng: &mut Rng) -> Vec<bool> {
        let mut labels = labelled.labels().to_vec();
        match self {
            Self::WithinGroups => {}
            Self::BetweenGroups => {
                exchange_groups(labelled, &(0..labelled.n_groups()).collect::<Vec<_>>(), &mut labels, rng)
            }
            Self::Mixed => {
                let mut sizes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
                for (group, rows) in labelled.members().iter().enumerate() {
                    sizes.entry(rows.len()).or_default().push(group);
                }
                sizes.values().for_each(|groups| exchange_groups(labelled, groups, &mut labels, rng));
            }
        }
        if self != Self::BetweenGroups {
            for rows in labelled.members() {
                let mut own: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
                rng.shuffle(&mut own);
                rows.iter().zip(own).for_each(|(&row, label)| labels[row] = label);
            }
        }
        labels
    }
}

/// Gives each of the groups the labels of another; a group of one class may take labels from one of another size.
fn exchange_groups(labelled: &Labelled, groups: &[usize], labels: &mut [bool], rng: &mut Rng) {
    let mut donors = groups.to_vec();
    rng.shuffle(&mut donors);
    for (&group, donor) in groups.iter().zip(donors) {
        let given = labelled.members()[donor].iter().cycle();
        for (&row, &from) in labelled.members()[group].iter().zip(given) {
            labels[row] = labelled.labels()[from];
        }
    }
}

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
                exchange.draw(labelled, &mut Rng::stream(seed, permutation as u64 * ATTEMPTS + attempt))
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
/// for what it compares.
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

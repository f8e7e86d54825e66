//! Probes trained on one set of states and tested on every other.
//!
//! A probe that reads a concept from other states than it was trained on (another concept's texts, another layer,
//! round or model) reads something that both share. The test must not reward memory: rows of the same group are kept
//! on one side of a split in all sets at once, so that a question met in training is never met again in the test.

use std::collections::BTreeSet;

use ndarray::Axis;
use rayon::prelude::*;

use crate::bootstrap::{Bootstrap, Estimate};
use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::folds::Folds;
use crate::metrics::{Metric, Scored};
use crate::probe::Probe;

/// How transfer is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransferSettings {
    /// Folds of whole groups, where the sets share groups.
    pub folds: usize,
    /// Intervals over the groups of the test set, the fits held fixed.
    pub bootstrap: Bootstrap,
    /// Names the folds.
    pub seed: u64,
}

/// What probes trained on one set are worth on another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transfer {
    /// Area under the ROC curve on the test set, oriented to class 1 of the training set: below 0.5 the concept is
    /// read the other way round.
    pub auroc: Estimate,
    /// Rows tested.
    pub n: usize,
    /// Groups they form.
    pub n_groups: usize,
    /// How many of these the training set has as well. If any, a row is tested by the fit on the folds without its
    /// group; if none, by the fit on the whole training set.
    pub n_shared: usize,
}

/// Trains on every set and tests on every set: `[train][test]`. A group of the same number is the same group in all sets.
///
/// On the diagonal stand ordinary out-of-fold scores. Sets that share groups, directly or through others, have their folds
/// in common: those of [`Folds::grouped`] on all of their rows together, which for sets with the same rows and labels are
/// those of one of them.
///
/// A pair that cannot be compared holds the reason: [`Error::ShapeMismatch`] for features of different width,
/// [`Error::TooFewGroups`] and its kin for folds that cannot be made, whatever the estimator refuses.
pub fn transfer(
    sets: &[Dataset],
    estimator: &dyn Estimator,
    settings: &TransferSettings,
) -> Vec<Vec<Result<Transfer>>> {
    let folds = joint_folds(sets, settings);
    let trained: Vec<Trained> = sets
        .par_iter()
        .zip(&folds)
        .map(|(data, folds)| Trained::new(data, estimator, folds, settings.folds))
        .collect();
    let names: Vec<BTreeSet<i64>> = sets.iter().map(|data| group_names(data.labelled())).collect();
    (0..sets.len())
        .into_par_iter()
        .map(|train| {
            let cell = |test: usize| {
                let n_shared = names[train].intersection(&names[test]).count();
                let width = sets[train].x().ncols();
                let decisions = trained[train].decisions(width, &sets[test], &folds[test], n_shared)?;
                judge(sets[test].labelled(), &decisions, n_shared, &settings.bootstrap)
            };
            (0..sets.len()).map(cell).collect()
        })
        .collect()
}

fn judge(labelled: &Labelled, decisions: &[f64], n_shared: usize, bootstrap: &Bootstrap) -> Result<Transfer> {
    let scored = Scored::new(decisions, labelled.labels());
    let [ci] = bootstrap.intervals(labelled, |counts| [Metric::Auroc.weighted(&scored, counts)])?;
    let auroc = Estimate { value: Metric::Auroc.of(&scored), ci };
    Ok(Transfer { auroc, n: labelled.n(), n_groups: labelled.n_groups(), n_shared })
}

/// The probes of one set.
struct Trained {
    whole: Result<Probe>,
    /// One for each fold, trained without it.
    without: Vec<Result<Probe>>,
}

impl Trained {
    fn new(data: &Dataset, estimator: &dyn Estimator, folds: &Result<Vec<usize>>, k: usize) -> Self {
        let without = |fold: usize| {
            let of_row = folds.as_ref().map_err(Clone::clone)?;
            let rows: Vec<usize> = (0..of_row.len()).filter(|&row| of_row[row] != fold).collect();
            let label = |row: usize| data.labelled().labels()[row];
            match rows.first() {
                None => Err(Error::Empty { what: "training rows" }),
                Some(&first) if rows.iter().all(|&row| label(row) == label(first)) => {
                    Err(Error::OneClassTraining { fold, class: u8::from(label(first)) })
                }
                Some(_) => estimator.fit_rows(data, &rows),
            }
        };
        Self { whole: estimator.fit(data), without: (0..k).into_par_iter().map(without).collect() }
    }

    fn decisions(
        &self,
        width: usize,
        test: &Dataset,
        folds: &Result<Vec<usize>>,
        n_shared: usize,
    ) -> Result<Vec<f64>> {
        if test.x().ncols() != width {
            let found = test.x().ncols();
            return Err(Error::ShapeMismatch { what: "columns of the test states", expected: width, found });
        }
        if n_shared == 0 {
            return self.whole.as_ref().map_err(Clone::clone)?.decisions(test.x());
        }
        let of_row = folds.as_ref().map_err(Clone::clone)?;
        let decide = |(row, &fold): (usize, &usize)| {
            self.without[fold].as_ref().map_err(Clone::clone)?.decision(test.x().index_axis(Axis(0), row))
        };
        of_row.iter().enumerate().map(decide).collect()
    }
}

fn group_names(labelled: &Labelled) -> BTreeSet<i64> {
    (0..labelled.n_groups()).map(|group| labelled.name(group)).collect()
}

/// The fold of every row of every set; a group has the same fold in all sets that are linked by shared groups.
fn joint_folds(sets: &[Dataset], settings: &TransferSettings) -> Vec<Result<Vec<usize>>> {
    let mut folds: Vec<Option<Result<Vec<usize>>>> = vec![None; sets.len()];
    for first in 0..sets.len() {
        if folds[first].is_some() {
            continue;
        }
        let linked = linked_with(first, sets);
        let joint = fold_together(&linked, sets, settings);
        let mut start = 0;
        for &set in &linked {
            let end = start + sets[set].labelled().n();
            folds[set] = Some(joint.as_ref().map(|of_row| of_row[start..end].to_vec()).map_err(Clone::clone));
            start = end;
        }
    }
    folds.into_iter().flatten().collect()
}

/// The sets that share groups with a set, directly or through others, itself among them, in their order.
fn linked_with(first: usize, sets: &[Dataset]) -> Vec<usize> {
    let mut linked = vec![false; sets.len()];
    let mut names = group_names(sets[first].labelled());
    linked[first] = true;
    while let Some(next) =
        (0..sets.len()).find(|&set| !linked[set] && !group_names(sets[set].labelled()).is_disjoint(&names))
    {
        names.append(&mut group_names(sets[next].labelled()));
        linked[next] = true;
    }
    (0..sets.len()).filter(|&set| linked[set]).collect()
}

fn fold_together(linked: &[usize], sets: &[Dataset], settings: &TransferSettings) -> Result<Vec<usize>> {
    let all = || linked.iter().map(|&set| sets[set].labelled());
    let labels: Vec<bool> = all().flat_map(|labelled| labelled.labels().iter().copied()).collect();
    let groups: Vec<i64> =
        all().flat_map(|labelled| labelled.groups().iter().map(|&group| labelled.name(group))).collect();
    let joint = Labelled::from_bools(&labels, &groups)?;
    Ok(Folds::grouped(&joint, settings.folds, settings.seed)?.of_row().to_vec())
}

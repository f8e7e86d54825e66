//! Grouped folds: no group ever lies on two sides of a split.

use std::collections::BTreeMap;

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// A partition of the rows, each part held out once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    of_row: Vec<usize>,
    k: usize,
}

impl Folds {
    /// `k` folds of whole groups, with both classes spread as evenly as the groups allow.
    ///
    /// Groups are dealt from the largest to the smallest, equals in an order drawn from the seed; each goes where
    /// it least raises the sum over classes of the squared shares of the folds.
    ///
    /// # Errors
    /// [`Error::TooFewFolds`], [`Error::TooFewGroups`], or [`Error::OneClassTraining`] when some training part
    /// would hold one class only.
    pub fn grouped(labelled: &Labelled, k: usize, seed: u64) -> Result<Self> {
        if k < 2 {
            return Err(Error::TooFewFolds { folds: k });
        }
        if labelled.n_groups() < k {
            return Err(Error::TooFewGroups { groups: labelled.n_groups(), folds: k });
        }
        let positives = labelled.n_positive() as f64;
        let totals = [labelled.n() as f64 - positives, positives];
        let mut order: Vec<usize> = (0..labelled.n_groups()).collect();
        Rng::stream(seed, 0).shuffle(&mut order);
        order.sort_by_key(|&group| std::cmp::Reverse(labelled.members()[group].len()));
        let mut filled = vec![[0.0_f64; 2]; k];
        let mut of_row = vec![0; labelled.n()];
        for (dealt, group) in order.into_iter().enumerate() {
            let rows = &labelled.members()[group];
            let mut counts = [0.0; 2];
            rows.iter().for_each(|&row| counts[usize::from(labelled.labels()[row])] += 1.0);
            let rise = |fold: &[f64; 2]| -> f64 {
                (0..2)
                    .map(|class| (2.0 * fold[class] + counts[class]) * counts[class] / totals[class].powi(2))
                    .sum()
            };
            // The last groups go to folds that would otherwise stay empty.
            let empty = filled.iter().filter(|fold| fold[0] + fold[1] == 0.0).count();
            let only_empty = labelled.n_groups() - dealt <= empty;
            let best = (0..k)
                .filter(|&fold| !only_empty || filled[fold] == [0.0; 2])
                .min_by(|&a, &b| {
                    let sizes = (filled[a][0] + filled[a][1]).total_cmp(&(filled[b][0] + filled[b][1]));
                    rise(&filled[a]).total_cmp(&rise(&filled[b])).then(sizes)
                })
                .unwrap_or(0);
            (0..2).for_each(|class| filled[best][class] += counts[class]);
            rows.iter().for_each(|&row| of_row[row] = best);
        }
        Self { of_row, k }.checked(labelled)
    }

    /// Folds decided elsewhere, one integer a row; they are renumbered from 0 in increasing order.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::TooFewFolds`], [`Error::GroupStraddles`] or [`Error::OneClassTraining`].
    pub fn given(labelled: &Labelled, fold: &[i64]) -> Result<Self> {
        if fold.len() != labelled.n() {
            return Err(Error::ShapeMismatch { what: "folds", expected: labelled.n(), found: fold.len() });
        }
        for (group, rows) in labelled.members().iter().enumerate() {
            if let Some(&row) = rows.iter().find(|&&row| fold[row] != fold[rows[0]]) {
                let (group, first, second) = (labelled.name(group), fold[rows[0]], fold[row]);
                return Err(Error::GroupStraddles { group, first, second });
            }
        }
        let mut names = fold.to_vec();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            return Err(Error::TooFewFolds { folds: names.len() });
        }
        let of_row = fold.iter().map(|name| names.partition_point(|other| other < name)).collect();
        Self { of_row, k: names.len() }.checked(labelled)
    }

    /// `k` folds of whole groups of about equal size, whatever the rows are labelled with.
    ///
    /// Groups are dealt from the largest to the smallest, equals in an order drawn from the seed, to the smallest fold.
    ///
    /// # Errors
    /// [`Error::TooFewFolds`] or [`Error::TooFewGroups`].
    pub fn of_groups(groups: &[i64], k: usize, seed: u64) -> Result<Self> {
        let mut members: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        groups.iter().enumerate().for_each(|(row, &group)| members.entry(group).or_default().push(row));
        if k < 2 {
            return Err(Error::TooFewFolds { folds: k });
        }
        if members.len() < k {
            return Err(Error::TooFewGroups { groups: members.len(), folds: k });
        }
        let mut members: Vec<Vec<usize>> = members.into_values().collect();
        Rng::stream(seed, 0).shuffle(&mut members);
        members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
        let mut sizes = vec![0; k];
        let mut of_row = vec![0; groups.len()];
        for rows in members {
            let smallest = (0..k).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
            sizes[smallest] += rows.len();
            rows.iter().for_each(|&row| of_row[row] = smallest);
        }
        Ok(Self { of_row, k })
    }

    fn checked(self, labelled: &Labelled) -> Result<Self> {
        match self.one_class_training(|row| labelled.labels()[row]) {
            Some((fold, class)) => Err(Error::OneClassTraining { fold, class }),
            None => Ok(self),
        }
    }

    /// The first fold without which the labels are of one class, and that class.
    pub(crate) fn one_class_training(&self, label: impl Fn(usize) -> bool) -> Option<(usize, u8)> {
        let mut counts = vec![[0usize; 2]; self.k];
        let mut totals = [0; 2];
        for (row, &fold) in self.of_row.iter().enumerate() {
            counts[fold][usize::from(label(row))] += 1;
            totals[usize::from(label(row))] += 1;
        }
        (0..self.k).find_map(|fold| {
            let missing = (0..2).find(|&class| totals[class] == counts[fold][class])?;
            Some((fold, 1 - missing as u8))
        })
    }

    /// The number of folds.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The fold of every row.
    pub fn of_row(&self) -> &[usize] {
        &self.of_row
    }

    /// The rows to train on and the rows held out, for one fold.
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.of_row.len()).partition(|&row| self.of_row[row] != fold)
    }
}

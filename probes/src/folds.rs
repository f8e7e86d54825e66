//! Grouped folds: no group ever lies on two sides of a split.

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
        let of_row = deal(labelled, &vec![1.0; k], seed);
        Self { of_row, k }.checked(labelled)
    }

    /// A fold for each category: train on all others, test on this one. The names come with the folds, in the order of
    /// the folds, which is that of the alphabet.
    ///
    /// A category may be of one class, as long as the others hold both; [`crate::Evaluation::by_fold`] then has no
    /// score for it.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]; [`Error::TooFewFolds`] with fewer than two categories; [`Error::GroupStraddles`], with
    /// the places of the categories, if the rows of a group are of several; [`Error::OneClassTraining`].
    pub fn leave_one_out_of<S: AsRef<str>>(
        labelled: &Labelled,
        categories: &[S],
    ) -> Result<(Self, Vec<String>)> {
        let mut names: Vec<String> = categories.iter().map(|name| name.as_ref().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        let place = |name: &S| names.partition_point(|other| other.as_str() < name.as_ref()) as i64;
        let folds = Self::given(labelled, &categories.iter().map(place).collect::<Vec<_>>())?;
        Ok((folds, names))
    }

    /// One split: the rows to train on and about `share` of the rows held out, in whole groups, with the classes spread
    /// as evenly as the groups allow.
    ///
    /// # Errors
    /// [`Error::BadShare`]; [`Error::TooFewGroups`] with fewer than two groups; [`Error::OneClass`] if a side holds one
    /// class only.
    pub fn hold_out(labelled: &Labelled, share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::BadShare { what: "share of rows held out", share });
        }
        if labelled.n_groups() < 2 {
            return Err(Error::TooFewGroups { groups: labelled.n_groups(), folds: 2 });
        }
        let split = Self { of_row: deal(labelled, &[1.0 - share, share], seed), k: 2 }.split(1);
        for rows in [&split.0, &split.1] {
            labelled.select(rows)?;
        }
        Ok(split)
    }

    /// Folds decided elsewhere, one integer a row; they are renumbered from 0 in increasing order.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::TooFewFolds`], [`Error::GroupStraddles`] or [`Error::OneClassTraining`].
    pub fn given(labelled: &Labelled, fold: &[i64]) -> Result<Self> {
        labelled.check("folds", fold.len())?;
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

/// The part of every row, of parts that are to hold the given shares of each class.
fn deal(labelled: &Labelled, shares: &[f64], seed: u64) -> Vec<usize> {
    let positives = labelled.n_positive() as f64;
    let totals = [labelled.n() as f64 - positives, positives];
    let mut order: Vec<usize> = (0..labelled.n_groups()).collect();
    Rng::stream(seed, 0).shuffle(&mut order);
    order.sort_by_key(|&group| std::cmp::Reverse(labelled.members()[group].len()));
    let mut filled = vec![[0.0_f64; 2]; shares.len()];
    let mut of_row = vec![0; labelled.n()];
    for (dealt, group) in order.into_iter().enumerate() {
        let rows = &labelled.members()[group];
        let mut counts = [0.0; 2];
        rows.iter().for_each(|&row| counts[usize::from(labelled.labels()[row])] += 1.0);
        let rise = |part: usize| -> f64 {
            (0..2)
                .map(|class| {
                    (2.0 * filled[part][class] + counts[class]) * counts[class] / totals[class].powi(2)
                })
                .sum::<f64>()
                / shares[part]
        };
        let size = |part: usize| (filled[part][0] + filled[part][1]) / shares[part];
        // The last groups go to parts that would otherwise stay empty.
        let empty = filled.iter().filter(|part| **part == [0.0; 2]).count();
        let only_empty = labelled.n_groups() - dealt <= empty;
        let best = (0..shares.len())
            .filter(|&part| !only_empty || filled[part] == [0.0; 2])
            .min_by(|&a, &b| rise(a).total_cmp(&rise(b)).then(size(a).total_cmp(&size(b))))
            .unwrap_or(0);
        (0..2).for_each(|class| filled[best][class] += counts[class]);
        rows.iter().for_each(|&row| of_row[row] = best);
    }
    of_row
}

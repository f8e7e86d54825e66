//! Which labels may be exchanged for which.

use std::collections::BTreeMap;

use crate::data::Labelled;
use crate::folds::Folds;
use crate::rng::Rng;

/// With so many groups there are enough ways to turn the labels of whole groups round.
const ENOUGH_TO_TURN: usize = 10;

/// How the labels of a design are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Inside every group: all groups hold both classes. If each holds both equally often and there are ten groups or
    /// more, a group turns all its labels round or none, so that copies of a row keep a label in common; else labels
    /// are shuffled.
    WithinGroups,
    /// One label a group, permuted over the groups of a fold: all groups are of one class.
    BetweenGroups,
    /// Sets of labels exchanged between groups of equal size in a fold, and shuffled inside.
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

    /// A labelling as likely as that observed if features and labels are unrelated.
    pub(crate) fn draw(self, labelled: &Labelled, folds: &Folds, rng: &mut Rng) -> Vec<bool> {
        let mut labels = labelled.labels().to_vec();
        if self == Self::WithinGroups && can_turn(labelled) {
            for rows in labelled.members() {
                let turned = rng.below(2) == 1;
                rows.iter().for_each(|&row| labels[row] ^= turned);
            }
            return labels;
        }
        if self != Self::WithinGroups {
            for (group, donor) in Self::donors(labelled, folds, rng).into_iter().enumerate() {
                // A group of one class may take its label from one of another size.
                let given = labelled.members()[donor].iter().cycle();
                for (&row, &from) in labelled.members()[group].iter().zip(given) {
                    labels[row] = labelled.labels()[from];
                }
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

    /// The group whose labels each group is given: another of its size in the same fold, after folds alike have changed
    /// places as wholes. So every fold keeps class counts of rows that some fold had: folds are dealt evenly over the classes as observed,
    /// and a labelling that is less even scores lower out of fold for that reason alone.
    fn donors(labelled: &Labelled, folds: &Folds, rng: &mut Rng) -> Vec<usize> {
        let size = |group: usize| labelled.members()[group].len();
        let mut of_fold: Vec<Vec<usize>> = vec![Vec::new(); folds.k()];
        for (group, rows) in labelled.members().iter().enumerate() {
            of_fold[folds.of_row()[rows[0]]].push(group);
        }
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (fold, groups) in of_fold.iter_mut().enumerate() {
            groups.sort_by_key(|&group| size(group));
            alike.entry(groups.iter().map(|&group| size(group)).collect()).or_default().push(fold);
        }
        let mut donors = vec![0; labelled.n_groups()];
        for takers in alike.values() {
            let mut givers = takers.clone();
            rng.shuffle(&mut givers);
            for (&taker, giver) in takers.iter().zip(givers) {
                let mut given = of_fold[giver].clone();
                given.chunk_by_mut(|&a, &b| size(a) == size(b)).for_each(|same| rng.shuffle(same));
                of_fold[taker].iter().zip(given).for_each(|(&group, donor)| donors[group] = donor);
            }
        }
        donors
    }
}

/// Whether every group holds both classes equally often, and groups are enough.
fn can_turn(labelled: &Labelled) -> bool {
    let even =
        |rows: &Vec<usize>| 2 * rows.iter().filter(|&&row| labelled.labels()[row]).count() == rows.len();
    labelled.n_groups() >= ENOUGH_TO_TURN && labelled.members().iter().all(even)
}

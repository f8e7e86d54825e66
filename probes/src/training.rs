//! The training rows of a fit, as most kinds of probe want them.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Axis};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::probe::Probe;
use crate::scale::Scaler;

/// Groups that hold both classes, each as the mean of its rows of either class.
pub(crate) struct Pairs {
    /// Of class 0, `[pairs, D]`.
    pub(crate) negative: Array2<f64>,
    /// Of class 1, `[pairs, D]`.
    pub(crate) positive: Array2<f64>,
    /// Whether the first row of the group is of class 1.
    pub(crate) positive_first: Vec<bool>,
}

/// Some rows of a data set, scaled on themselves, with their labels and groups.
pub(crate) struct TrainingRows {
    scaler: Scaler,
    /// `[n, D]`.
    pub(crate) z: Array2<f64>,
    pub(crate) labels: Vec<bool>,
    pub(crate) groups: Vec<usize>,
}

impl TrainingRows {
    /// # Errors
    /// [`Error::Empty`] or [`Error::OneClass`].
    pub(crate) fn new(data: &Dataset, rows: &[usize], standardise: bool) -> Result<Self> {
        let pick = |&row: &usize| data.labelled().labels()[row];
        let labels: Vec<bool> = rows.iter().map(pick).collect();
        let Some(&first) = labels.first() else { return Err(Error::Empty { what: "training rows" }) };
        if labels.iter().all(|&label| label == first) {
            return Err(Error::OneClass { class: u8::from(first), rows: rows.len() });
        }
        let scaler =
            if standardise { Scaler::fit(data.x(), rows) } else { Scaler::identity(data.x().ncols()) };
        let z = scaler.transform(data.x(), rows);
        let groups = rows.iter().map(|&row| data.labelled().groups()[row]).collect();
        Ok(Self { scaler, z, labels, groups })
    }

    /// The positions of the rows of each class.
    pub(crate) fn by_class(&self) -> [Vec<usize>; 2] {
        [false, true].map(|class| (0..self.labels.len()).filter(|&row| self.labels[row] == class).collect())
    }

    /// The mean row of each class, `[D]` both.
    pub(crate) fn class_means(&self) -> [Array1<f64>; 2] {
        self.by_class().map(|rows| self.mean(&rows))
    }

    /// The mean of some rows, by their positions here.
    pub(crate) fn mean(&self, rows: &[usize]) -> Array1<f64> {
        self.z.select(Axis(0), rows).sum_axis(Axis(0)) / rows.len() as f64
    }

    /// The rows less the mean of their class, `[n, D]`.
    pub(crate) fn within_class(&self) -> Array2<f64> {
        let means = self.class_means();
        let mut within = self.z.clone();
        for (mut row, &label) in within.rows_mut().into_iter().zip(&self.labels) {
            row -= &means[usize::from(label)];
        }
        within
    }

    /// The labels as -1 and +1.
    pub(crate) fn signs(&self) -> Array1<f64> {
        self.labels.iter().map(|&label| if label { 1.0 } else { -1.0 }).collect()
    }

    /// The contrast pairs: every group that holds both classes.
    ///
    /// # Errors
    /// [`Error::NoPairs`].
    pub(crate) fn pairs(&self) -> Result<Pairs> {
        let mut members: BTreeMap<usize, [Vec<usize>; 2]> = BTreeMap::new();
        for (row, (&group, &label)) in self.groups.iter().zip(&self.labels).enumerate() {
            members.entry(group).or_default()[usize::from(label)].push(row);
        }
        members.retain(|_, rows| rows.iter().all(|rows| !rows.is_empty()));
        if members.is_empty() {
            return Err(Error::NoPairs);
        }
        let side = |class: usize| {
            let mut side = Array2::zeros((members.len(), self.z.ncols()));
            let means = members.values().map(|rows| self.mean(&rows[class]));
            side.rows_mut().into_iter().zip(means).for_each(|(mut to, mean)| to.assign(&mean));
            side
        };
        Ok(Pairs {
            negative: side(0),
            positive: side(1),
            positive_first: members.values().map(|rows| rows[1][0] < rows[0][0]).collect(),
        })
    }

    /// The probe with these weights on scaled columns.
    pub(crate) fn probe(self, coef: Array1<f64>, intercept: f64) -> Probe {
        Probe { scaler: self.scaler, coef, intercept }
    }
}

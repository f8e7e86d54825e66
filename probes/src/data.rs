//! Inputs that were checked once, so that nothing later has to ask.

use ndarray::ArrayView2;

use crate::error::{Error, Result};
use crate::members::members;

/// A binary label and a group for every row.
///
/// Holding one proves that there are rows, that both classes occur and that labels and groups are equally many.
/// The group is what must stay on one side of every split and is resampled as one.
#[derive(Debug, Clone)]
pub struct Labelled {
    labels: Vec<bool>,
    groups: Vec<usize>,
    names: Vec<i64>,
    members: Vec<Vec<usize>>,
}

impl Labelled {
    /// Checks labels (0 or 1) and groups (any integers).
    ///
    /// # Errors
    /// [`Error::NotBinary`], and all that [`Labelled::from_bools`] refuses.
    pub fn new(labels: &[i64], groups: &[i64]) -> Result<Self> {
        let mut bools = Vec::with_capacity(labels.len());
        for (row, &value) in labels.iter().enumerate() {
            match value {
                0 => bools.push(false),
                1 => bools.push(true),
                _ => return Err(Error::NotBinary { row, value }),
            }
        }
        Self::from_bools(&bools, groups)
    }

    /// Checks labels given as booleans (`true` is class 1) and groups.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`] or [`Error::OneClass`].
    pub fn from_bools(labels: &[bool], groups: &[i64]) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::Empty { what: "rows" });
        }
        if groups.len() != labels.len() {
            return Err(Error::ShapeMismatch { what: "groups", expected: labels.len(), found: groups.len() });
        }
        if labels.iter().all(|&label| label == labels[0]) {
            return Err(Error::OneClass { class: u8::from(labels[0]), rows: labels.len() });
        }
        let (names, members) = members(groups);
        let mut of_row = vec![0; groups.len()];
        for (group, rows) in members.iter().enumerate() {
            rows.iter().for_each(|&row| of_row[row] = group);
        }
        Ok(Self { labels: labels.to_vec(), groups: of_row, names, members })
    }

    /// Labels whose rows are independent of each other: every row is its own group.
    ///
    /// # Errors
    /// As [`Labelled::new`].
    pub fn ungrouped(labels: &[i64]) -> Result<Self> {
        let groups: Vec<i64> = (0..).take(labels.len()).collect();
        Self::new(labels, &groups)
    }

    /// Some of the rows, in the order given, with their labels and groups.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::OneClass`] if the rows are none or of one class.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        let labels: Vec<bool> = rows.iter().map(|&row| self.labels[row]).collect();
        let groups: Vec<i64> = rows.iter().map(|&row| self.names[self.groups[row]]).collect();
        Self::from_bools(&labels, &groups)
    }

    /// Refuses an input that has not one value a row.
    pub(crate) fn check(&self, what: &'static str, found: usize) -> Result<()> {
        if found != self.n() {
            return Err(Error::ShapeMismatch { what, expected: self.n(), found });
        }
        Ok(())
    }

    /// Refuses decisions that are not one number a row; infinite ones are in order.
    pub(crate) fn check_decisions(&self, decisions: &[f64]) -> Result<()> {
        self.check("decisions", decisions.len())?;
        match decisions.iter().position(|decision| decision.is_nan()) {
            Some(row) => Err(Error::NotANumber { row }),
            None => Ok(()),
        }
    }

    /// The number of rows.
    pub fn n(&self) -> usize {
        self.labels.len()
    }

    /// The number of rows of class 1.
    pub fn n_positive(&self) -> usize {
        self.labels.iter().filter(|&&label| label).count()
    }

    /// The number of distinct groups.
    pub fn n_groups(&self) -> usize {
        self.members.len()
    }

    /// The label of every row; `true` is class 1.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The group of every row, numbered from 0 in the order of first appearance.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// The rows of every group.
    pub fn members(&self) -> &[Vec<usize>] {
        &self.members
    }

    /// What a group was called in the input.
    pub(crate) fn name(&self, group: usize) -> i64 {
        self.names[group]
    }
}

/// Features with their labels and groups.
///
/// # Shapes
/// `x` is `[N, D]`: a row per state, a column per hidden unit.
#[derive(Debug, Clone, Copy)]
pub struct Dataset<'a> {
    x: ArrayView2<'a, f32>,
    labelled: &'a Labelled,
}

impl<'a> Dataset<'a> {
    /// Checks the features against the labels.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`] or [`Error::NonFinite`].
    pub fn new(x: ArrayView2<'a, f32>, labelled: &'a Labelled) -> Result<Self> {
        check_features(x, labelled.n())?;
        Ok(Self { x, labelled })
    }

    /// The features, `[N, D]`.
    pub fn x(&self) -> ArrayView2<'a, f32> {
        self.x
    }

    /// The labels and groups.
    pub fn labelled(&self) -> &'a Labelled {
        self.labelled
    }
}

/// Whether features `[N, D]` are finite, and as many rows as expected.
pub(crate) fn check_features(x: ArrayView2<f32>, rows: usize) -> Result<()> {
    if x.ncols() == 0 {
        return Err(Error::Empty { what: "columns" });
    }
    if x.nrows() != rows {
        return Err(Error::ShapeMismatch { what: "rows of x", expected: rows, found: x.nrows() });
    }
    match x.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), _)) => Err(Error::NonFinite { row, column }),
        None => Ok(()),
    }
}

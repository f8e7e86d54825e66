//! Choosing a setting without looking at the rows that judge it.

use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::folds::Folds;
use crate::metrics::{Metric, Scored};

/// What nested cross-validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Nested {
    /// The pooled out-of-fold decision of every row, `[N]`, by the candidate chosen without its fold.
    pub decisions: Vec<f64>,
    /// The candidate chosen for each outer fold.
    pub chosen: Vec<usize>,
    /// The inner AUROC of every candidate, for each outer fold.
    pub inner: Vec<Vec<Option<f64>>>,
}

impl Nested {
    /// Nested cross-validation of estimators. Inside the training part of each outer fold, every candidate is
    /// cross-validated on `inner` grouped folds; that of the highest pooled AUROC, the first among equals, decides the
    /// held-out rows (Varma and Simon, 2006).
    ///
    /// # Errors
    /// As [`nested`] and [`Estimator::fit_rows`].
    pub fn of<E: Estimator>(
        data: &Dataset,
        folds: &Folds,
        candidates: &[E],
        inner: usize,
        seed: u64,
    ) -> Result<Self> {
        nested(data.labelled(), folds, candidates.len(), inner, seed, |candidate, train, held_out| {
            decide(&candidates[candidate], data, train, held_out)
        })
    }
}

/// The decisions of rows by a probe that is fitted on others.
pub(crate) fn decide(
    estimator: &(impl Estimator + ?Sized),
    data: &Dataset,
    train: &[usize],
    held_out: &[usize],
) -> Result<Vec<f64>> {
    let probe = estimator.fit_rows(data, train)?;
    held_out.iter().map(|&row| probe.decision(data.x().row(row))).collect()
}

/// Nested cross-validation of any rules: `decide` is given the place of a candidate, the rows to learn from and the rows
/// to decide. See [`Nested::of`].
///
/// # Errors
/// [`Error::Empty`] without candidates; [`Error::ShapeMismatch`] if the folds are of other rows; those of the inner
/// folds (see [`Folds::grouped`]) and of `decide`.
pub fn nested(
    labelled: &Labelled,
    folds: &Folds,
    candidates: usize,
    inner: usize,
    seed: u64,
    decide: impl Fn(usize, &[usize], &[usize]) -> Result<Vec<f64>> + Sync,
) -> Result<Nested> {
    if candidates == 0 {
        return Err(Error::Empty { what: "candidates" });
    }
    labelled.check("folds", folds.of_row().len())?;
    let mut inner_aurocs = Vec::with_capacity(folds.k());
    for fold in 0..folds.k() {
        let (train, _) = folds.split(fold);
        let aurocs = (0..candidates).map(|candidate| {
            let (part, decisions) =
                inside(labelled, &train, inner, seed, |train, out| decide(candidate, train, out))?;
            Ok(Metric::Auroc.of(&Scored::new(&decisions, part.labels())))
        });
        inner_aurocs.push(aurocs.collect::<Result<Vec<_>>>()?);
    }
    let chosen: Vec<usize> = inner_aurocs.iter().map(|aurocs| best(aurocs)).collect();
    let decisions = folds.held_out(labelled.n(), |train, held_out| {
        decide(chosen[folds.of_row()[held_out[0]]], train, held_out)
    })?;
    Ok(Nested { decisions, chosen, inner: inner_aurocs })
}

/// Out-of-fold decisions of some rows by rules learnt from the others among them, on grouped folds of these rows alone.
pub(crate) fn inside(
    labelled: &Labelled,
    rows: &[usize],
    k: usize,
    seed: u64,
    decide: impl Fn(&[usize], &[usize]) -> Result<Vec<f64>> + Sync,
) -> Result<(Labelled, Vec<f64>)> {
    let part = labelled.select(rows)?;
    let folds = Folds::grouped(&part, k, seed)?;
    let of_all = |places: &[usize]| places.iter().map(|&place| rows[place]).collect::<Vec<_>>();
    let decisions = folds.held_out(part.n(), |train, held_out| decide(&of_all(train), &of_all(held_out)))?;
    Ok((part, decisions))
}

fn best(aurocs: &[Option<f64>]) -> usize {
    (1..aurocs.len()).fold(0, |best, place| if aurocs[place] > aurocs[best] { place } else { best })
}

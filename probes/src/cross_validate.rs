//! Decisions for every row by a probe that never saw the row's group.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::folds::Folds;
use crate::logistic::{Logistic, Training};

/// The labels as one row of targets, `[1, N]`.
pub(crate) fn targets(labelled: &Labelled) -> Array2<f64> {
    Array2::from_shape_fn((1, labelled.n()), |(_, row)| f64::from(labelled.labels()[row]))
}

/// Many labellings of the same rows, fitted alike.
pub(crate) struct Job<'a> {
    /// `[P, N]`, 0 or 1; both occur in every training part.
    pub(crate) targets: &'a Array2<f64>,
    /// The standardisation is that of the first job.
    pub(crate) settings: Logistic,
}

/// Out-of-fold decisions `[P, N]` of each job; the features of a fold are prepared once for all jobs.
pub(crate) fn out_of_fold(x: ArrayView2<f32>, folds: &Folds, jobs: &[Job]) -> Result<Vec<Array2<f64>>> {
    if folds.of_row().len() != x.nrows() {
        return Err(Error::ShapeMismatch { what: "folds", expected: x.nrows(), found: folds.of_row().len() });
    }
    jobs.iter().try_for_each(|job| job.settings.check())?;
    let standardise = jobs.iter().any(|job| job.settings.standardise);
    let parts: Vec<Result<_>> = (0..folds.k())
        .into_par_iter()
        .map(|fold| {
            let (train, held_out) = folds.split(fold);
            let training = Training::new(x, &train, standardise);
            let decide = |job: &Job| {
                let targets = job.targets.select(Axis(1), &train);
                training.decisions(&targets, &job.settings, x, &held_out)
            };
            Ok((held_out.clone(), jobs.iter().map(decide).collect::<Result<Vec<_>>>()?))
        })
        .collect();
    let mut pooled: Vec<Array2<f64>> = jobs.iter().map(|job| Array2::zeros(job.targets.dim())).collect();
    // In the order of the folds, so that the error reported does not depend on the threads.
    for part in parts {
        let (held_out, decisions) = part?;
        for (pool, decisions) in pooled.iter_mut().zip(decisions) {
            for (column, &row) in held_out.iter().enumerate() {
                pool.column_mut(row).assign(&decisions.column(column));
            }
        }
    }
    Ok(pooled)
}

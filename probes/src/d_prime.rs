//! How far apart a readout holds the classes.

use crate::bootstrap::{Bootstrap, Estimate};
use crate::data::Labelled;
use crate::error::Result;
use crate::moments::{Moments, check_finite};

/// The sensitivity of a readout, `d′ = (mean of class 1 - mean of class 0) / s` with the pooled standard deviation within
/// classes (Green and Swets, 1966), and its interval over groups. `None` where nothing varies within classes or a class
/// has less than two rows.
///
/// # Errors
/// [`Error::ShapeMismatch`](crate::Error::ShapeMismatch), [`Error::NonFiniteScore`](crate::Error::NonFiniteScore) or [`Error::BadLevel`](crate::Error::BadLevel).
pub fn d_prime(scores: &[f64], labelled: &Labelled, bootstrap: &Bootstrap) -> Result<Estimate> {
    labelled.check("scores", scores.len())?;
    check_finite(scores)?;
    let statistic =
        |counts: &[u32]| Moments::of_classes(scores, labelled.labels(), counts).and_then(Moments::d_prime);
    let [ci] = bootstrap.intervals(labelled, |counts| [statistic(counts)])?;
    Ok(Estimate { value: statistic(&vec![1; labelled.n()]), ci })
}

//! How large an effect must be for the rows at hand to show it.

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::normal;

/// The smallest AUROC above 1/2 that a one-sided test at level `alpha` finds with probability `power`; `None` if no
/// AUROC would be found. For a two-sided test give half of alpha.
///
/// It solves `A - 1/2 = z(alpha) σ(1/2) + z(1 - power) σ(A)`, with the standard error `σ` of Hanley and McNeil (1982):
/// `n₁ n₀ σ²(A) = A (1 - A) + (n₁ - 1)(Q₁ - A²) + (n₀ - 1)(Q₂ - A²)`, `Q₁ = A / (2 - A)`, `Q₂ = 2 A² / (1 + A)`. Rows are
/// taken as independent and the readout as fixed: one that is learnt from few rows finds less.
///
/// # Errors
/// [`Error::BadShare`] if alpha or power is not in (0, 1); [`Error::Empty`] without rows of a class.
pub fn minimum_detectable_auroc(
    n_positive: usize,
    n_negative: usize,
    alpha: f64,
    power: f64,
) -> Result<Option<f64>> {
    for (what, share) in [("alpha", alpha), ("power", power)] {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::BadShare { what, share });
        }
    }
    if n_positive == 0 || n_negative == 0 {
        return Err(Error::Empty { what: "rows of a class" });
    }
    let reach = -normal::quantile(alpha) * standard_error(0.5, n_positive, n_negative);
    let missing = |auroc: f64| {
        auroc - 0.5 - reach - normal::quantile(power) * standard_error(auroc, n_positive, n_negative)
    };
    if missing(1.0) < 0.0 {
        return Ok(None);
    }
    let (mut low, mut high) = (0.5, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if missing(middle) < 0.0 { low = middle } else { high = middle }
    }
    Ok(Some(high))
}

/// The same with groups for rows: as many of a class as groups that hold it. This is what remains if the rows of a
/// group say the same, so it errs towards asking for more.
///
/// # Errors
/// As [`minimum_detectable_auroc`].
pub fn minimum_detectable_by_groups(labelled: &Labelled, alpha: f64, power: f64) -> Result<Option<f64>> {
    let holding = |class: bool| {
        labelled
            .members()
            .iter()
            .filter(|rows| rows.iter().any(|&row| labelled.labels()[row] == class))
            .count()
    };
    minimum_detectable_auroc(holding(true), holding(false), alpha, power)
}

fn standard_error(auroc: f64, n_positive: usize, n_negative: usize) -> f64 {
    let (positives, negatives, square) = (n_positive as f64, n_negative as f64, auroc * auroc);
    let sum = auroc * (1.0 - auroc)
        + (positives - 1.0) * (auroc / (2.0 - auroc) - square)
        + (negatives - 1.0) * (2.0 * square / (1.0 + auroc) - square);
    (sum.max(0.0) / (positives * negatives)).sqrt()
}

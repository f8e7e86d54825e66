//! The inverse of a pooled within-class covariance, applied to one vector.

use ndarray::{Array1, Array2};

use crate::axes::{Axes, solve_one};
use crate::error::{Error, Result};

/// `Σ⁺ v` for `Σ = AᵀA / n` with the rows `A` `[n, D]` less their class means: axes in which rows of a class do not
/// differ are left out.
///
/// # Errors
/// [`Error::NoVariance`] if they differ in none.
pub(crate) fn pseudo_inverse(within: &Array2<f64>, vector: &Array1<f64>) -> Result<Array1<f64>> {
    let axes = Axes::of(within.view())?;
    if axes.values.is_empty() {
        return Err(Error::NoVariance);
    }
    let along = axes.basis.t().dot(vector) / &axes.values;
    Ok(axes.basis.dot(&along) * within.nrows() as f64)
}

/// `(AᵀA + diag(d))⁻¹ v` with a positive diagonal, by `D` or by `n` equations, whichever are fewer (Woodbury, 1950).
pub(crate) fn with_diagonal(
    a: &Array2<f64>,
    diagonal: &Array1<f64>,
    vector: &Array1<f64>,
) -> Result<Array1<f64>> {
    if a.ncols() <= a.nrows() {
        let mut sum = a.t().dot(a);
        sum.diag_mut().zip_mut_with(diagonal, |value, more| *value += more);
        return solve_one(&sum, vector);
    }
    let (narrow, alone) = (a / diagonal, vector / diagonal);
    let mut system = narrow.dot(&a.t());
    system.diag_mut().mapv_inplace(|value| value + 1.0);
    let answer = solve_one(&system, &a.dot(&alone))?;
    Ok(alone - narrow.t().dot(&answer))
}

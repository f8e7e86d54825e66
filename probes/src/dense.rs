//! The dense algebra that ndarray lacks.

use faer::{MatRef, Side};
use ndarray::Array2;

use crate::error::{Error, Result};

/// The lower triangular `L` with `a = L Lᵀ`, of a symmetric positive definite matrix.
///
/// # Errors
/// [`Error::NotPositiveDefinite`].
pub(crate) fn cholesky(a: &Array2<f64>) -> Result<Array2<f64>> {
    let slice = a.as_slice().ok_or(Error::NotPositiveDefinite)?;
    let matrix = MatRef::from_row_major_slice(slice, a.nrows(), a.ncols());
    let factor = matrix.llt(Side::Lower).map_err(|_| Error::NotPositiveDefinite)?;
    let lower = factor.L();
    Ok(Array2::from_shape_fn(a.dim(), |(row, column)| if column <= row { lower[(row, column)] } else { 0.0 }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_factor_gives_its_matrix_back_and_an_indefinite_matrix_is_refused() {
        let wavy = Array2::from_shape_fn((40, 60), |(i, j)| ((i * 31 + j * 17 + i * j) as f64).sin());
        let a = wavy.dot(&wavy.t());
        let l = cholesky(&a).unwrap();
        assert!((l.dot(&l.t()) - &a).iter().all(|difference| difference.abs() < 1e-11));
        assert!(l.indexed_iter().all(|((row, column), &value)| column <= row || value == 0.0));
        let mut indefinite = Array2::<f64>::eye(5);
        indefinite[[3, 3]] = -2.0;
        assert_eq!(cholesky(&indefinite), Err(Error::NotPositiveDefinite));
    }
}

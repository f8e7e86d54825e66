//! The principal axes of a matrix of rows, found in whichever space is narrower.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// `A = scores · basisᵀ` for rows `A` `[n, D]`, with orthonormal columns of `basis` and orthogonal ones of `scores`;
/// axes that rounding alone accounts for are left out, so `r` is the numerical rank.
#[derive(Debug, Clone)]
pub(crate) struct Axes {
    /// `[D, r]`.
    pub(crate) basis: Array2<f64>,
    /// `[n, r]`.
    pub(crate) scores: Array2<f64>,
    /// The squared length of each column of `scores`, falling, `[r]`.
    pub(crate) values: Array1<f64>,
}

impl Axes {
    /// # Errors
    /// [`Error::NoDecomposition`].
    pub(crate) fn of(a: ArrayView2<f64>) -> Result<Self> {
        if a.ncols() <= a.nrows() {
            let (values, basis) = eigen(&a.t().dot(&a))?;
            return Ok(Self { scores: a.dot(&basis), basis, values });
        }
        let (values, vectors) = eigen(&a.dot(&a.t()))?;
        let lengths = values.mapv(f64::sqrt);
        Ok(Self { basis: a.t().dot(&vectors) / &lengths, scores: vectors * &lengths, values })
    }
}

/// The eigenvalues of a symmetric positive semi-definite matrix that are more than rounding, falling, and their
/// vectors as columns.
pub(crate) fn eigen(a: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = a.nrows();
    let failed = Error::NoDecomposition { size: n };
    let decomposed = matrix(a.view()).self_adjoint_eigen(Side::Lower).map_err(|_| failed)?;
    let all = decomposed.S().column_vector();
    let cut = n as f64 * f64::EPSILON * all.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..n).rev().filter(|&i| all[i] > cut).collect();
    let values = kept.iter().map(|&i| all[i]).collect();
    let vectors = decomposed.U();
    Ok((values, Array2::from_shape_fn((n, kept.len()), |(row, column)| vectors[(row, kept[column])])))
}

/// A singular value decomposition `U diag(s) Vᵀ`.
pub(crate) struct Svd {
    /// `[n, m]`, orthonormal columns; `m` is the smaller of both dimensions.
    pub(crate) u: Array2<f64>,
    /// Falling, `[m]`.
    pub(crate) values: Array1<f64>,
    /// `[D, m]`, orthonormal columns.
    pub(crate) v: Array2<f64>,
}

impl Svd {
    /// Of a matrix `[n, D]`.
    ///
    /// # Errors
    /// [`Error::NoDecomposition`].
    pub(crate) fn of(a: &Array2<f64>) -> Result<Self> {
        let failed = Error::NoDecomposition { size: a.nrows() };
        let found = matrix(a.view()).thin_svd().map_err(|_| failed)?;
        Ok(Self {
            u: array(found.U()),
            values: found.S().column_vector().iter().copied().collect(),
            v: array(found.V()),
        })
    }
}

/// `A⁻¹ b` for a symmetric positive definite `A` `[n, n]` and columns `b` `[n, m]`.
///
/// # Errors
/// [`Error::NoDecomposition`] if it is not positive definite in floating point.
pub(crate) fn solve(a: &Array2<f64>, b: ArrayView2<f64>) -> Result<Array2<f64>> {
    let failed = Error::NoDecomposition { size: a.nrows() };
    let factor = matrix(a.view()).llt(Side::Lower).map_err(|_| failed)?;
    Ok(array(factor.solve(matrix(b)).as_ref()))
}

/// [`solve`] for one column.
pub(crate) fn solve_one(a: &Array2<f64>, b: &Array1<f64>) -> Result<Array1<f64>> {
    Ok(solve(a, b.view().insert_axis(Axis(1)))?.column(0).to_owned())
}

fn matrix(a: ArrayView2<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |row, column| a[[row, column]])
}

fn array(a: MatRef<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), a.ncols()), |(row, column)| a[(row, column)])
}

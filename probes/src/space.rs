//! The space in which a penalised linear fit is solved: no wider than the rows are many.
//!
//! The minimiser of a loss of `Z w` plus a multiple of `|w|²` lies in the span of the rows of `Z` (the representer
//! theorem). With fewer rows than columns, `Z Zᵀ = Q Qᵀ` with a `Q` of at most as many columns as rows, and the fit
//! on `Q` has the same margins and the same penalty as the fit on `Z`: nothing is lost. `Q` is the pivoted Cholesky
//! factor of the Gram matrix, which also drops directions in which the rows do not differ at all.

use ndarray::{Array2, ArrayView2, Axis};

use crate::dense;
use crate::error::Result;

/// Features `[n, D]` whose columns have mean zero, as `Q` `[n, r]`.
#[derive(Debug)]
pub(crate) struct Space {
    /// `Q`, or the features themselves.
    pub(crate) q: Array2<f64>,
    /// `Qᵀ Q`, `[r, r]`.
    covariance: Array2<f64>,
    /// How `Q` came from the rows, if it did.
    rows: Option<Rows>,
}

/// The rows that span the others, `r` of them, and the inverse of their triangle of `Q`.
#[derive(Debug)]
struct Rows {
    pivots: Vec<usize>,
    inverse: Array2<f64>,
}

impl Space {
    /// The narrower space of centred features.
    pub(crate) fn of(z: ArrayView2<f64>) -> Self {
        if z.nrows() > z.ncols() {
            return Self { q: z.to_owned(), covariance: dense::gram(z.t()), rows: None };
        }
        Self::of_gram(dense::gram(z).view())
    }

    /// The space of features known by their Gram matrix only.
    pub(crate) fn of_gram(gram: ArrayView2<f64>) -> Self {
        let (q, pivots) = dense::pivoted_cholesky(gram);
        let inverse = dense::inverse_lower(q.select(Axis(0), &pivots).view());
        Self { covariance: dense::gram(q.t()), q, rows: Some(Rows { pivots, inverse }) }
    }

    /// `R` with `Rᵀ (curvature · Qᵀ Q + 1 / c) R = 1`, `[r, r]`.
    pub(crate) fn whitener(&self, curvature: f64, c: f64) -> Result<Array2<f64>> {
        let mut hessian = &self.covariance * curvature;
        hessian.diag_mut().mapv_inplace(|value| value + 1.0 / c);
        Ok(dense::inverse_cholesky(hessian.view())?.reversed_axes())
    }

    /// The weights `[P, D]` on the features `z` that weights `[P, r]` on `Q` stand for.
    pub(crate) fn weights(&self, weights: &Array2<f64>, z: ArrayView2<f64>) -> Array2<f64> {
        match &self.rows {
            None => weights.clone(),
            Some(rows) => weights.dot(&rows.inverse).dot(&z.select(Axis(0), &rows.pivots)),
        }
    }

    /// Other rows `[n', D]` of the columns of `z`, as rows of `Q`: `[n', r]`.
    pub(crate) fn project(&self, z: ArrayView2<f64>, other: ArrayView2<f64>) -> Array2<f64> {
        match &self.rows {
            None => other.to_owned(),
            Some(_) => self.project_products(other.dot(&z.t()).view()),
        }
    }

    /// As [`Space::project`] for a space made of a Gram matrix, from the products `[n', n]` of other rows with the
    /// rows of the space.
    pub(crate) fn project_products(&self, products: ArrayView2<f64>) -> Array2<f64> {
        match &self.rows {
            None => products.to_owned(),
            Some(rows) => products.select(Axis(1), &rows.pivots).dot(&rows.inverse.t()),
        }
    }
}

//! The leading directions of a layer's features, as a preconditioner.
//!
//! The Hessian of a logistic fit is close to `κ n λ + 1/C` along an eigenvector of the features' covariance with
//! eigenvalue λ, κ being the mean curvature, whatever the labels, the penalty and the fold. One decomposition of the
//! layer therefore serves every fit. Wide layers of many rows are only decomposed along their leading directions, found
//! by a randomised range finder (Halko, Martinsson and Tropp, 2011; as a preconditioner: Frangella, Tropp and Udell,
//! 2023).

use faer::{Mat, MatRef, Side};

use crate::columns::Columns;
use crate::rng::Rng;

/// Up to this many rows or columns the decomposition is complete.
const COMPLETE: usize = 1024;
/// Directions that are sought otherwise.
const SOUGHT: usize = 256;

pub(crate) struct Spectrum {
    /// `[D, K]`, orthonormal columns.
    pub(crate) directions: Columns<f32>,
    /// The eigenvalues of `Z Zᵀ / n`, `[K]`.
    pub(crate) values: Vec<f64>,
    /// What is left along any other direction, on average.
    pub(crate) rest: f64,
}

impl Spectrum {
    /// Of features `[D, N]`.
    pub(crate) fn of(features: &Columns<f32>) -> Self {
        let (d, n) = (features.height(), features.count());
        let z = features.as_mat();
        let total: f64 = (0..n).map(|row| crate::columns::dot32(features.col(row), features.col(row))).sum();
        let (directions, values) = match (d.min(n) <= COMPLETE, d <= n) {
            (true, true) => eigen(Columns::gram(z).as_mat()),
            (true, false) => {
                let (vectors, values) = eigen(Columns::gram(z.transpose()).as_mat());
                (orthonormal(Columns::product(z, vectors.as_mat()), &values), values)
            }
            (false, _) => leading(z),
        };
        let known: f64 = values.iter().sum();
        let rest = ((total - known) / (d.saturating_sub(values.len()).max(1) * n) as f64).max(0.0);
        Self { directions, values: values.into_iter().map(|value| value / n as f64).collect(), rest }
    }
}

/// Eigenvectors and eigenvalues of a symmetric matrix, without those that rounding alone accounts for.
fn eigen(gram: MatRef<f32>) -> (Columns<f32>, Vec<f64>) {
    let Ok(decomposed) = gram.self_adjoint_eigen(Side::Lower) else {
        return (Columns::zeros(gram.nrows(), 0), Vec::new());
    };
    let values = decomposed.S().column_vector();
    let largest = (0..values.nrows()).map(|i| values[i]).fold(0.0, f32::max);
    let kept: Vec<usize> =
        (0..values.nrows()).filter(|&i| values[i] > largest * 1e-6 && values[i] > 0.0).collect();
    let vectors = decomposed.U();
    let columns = Columns::build(gram.nrows(), kept.len(), |column, to| {
        to.iter_mut().enumerate().for_each(|(row, value)| *value = vectors[(row, kept[column])]);
    });
    (columns, kept.iter().map(|&i| f64::from(values[i])).collect())
}

/// Columns divided by the square roots of their squared lengths.
fn orthonormal(mut columns: Columns<f32>, squares: &[f64]) -> Columns<f32> {
    columns.update(|column, values| {
        let length = squares[column].sqrt() as f32;
        values.iter_mut().for_each(|value| *value /= length);
    });
    columns
}

/// The leading eigenvectors of `Z Zᵀ`, from what it does to random vectors, twice.
fn leading(z: MatRef<f32>) -> (Columns<f32>, Vec<f64>) {
    let mut rng = Rng::stream(0, 0);
    let mut probe = Columns::<f32>::zeros(z.nrows(), SOUGHT);
    (0..SOUGHT).for_each(|column| {
        probe
            .col_mut(column)
            .iter_mut()
            .for_each(|value| *value = if rng.next() & 1 == 0 { 1.0 } else { -1.0 });
    });
    for _ in 0..2 {
        let rows = Columns::product(z.transpose(), probe.as_mat());
        let image = Columns::product(z, rows.as_mat());
        let basis: Mat<f32> = image.as_mat().qr().compute_thin_Q();
        probe = Columns::build(z.nrows(), SOUGHT, |column, to| {
            to.iter_mut().enumerate().for_each(|(row, value)| *value = basis[(row, column)]);
        });
    }
    let rows = Columns::product(z.transpose(), probe.as_mat());
    let (vectors, values) = eigen(Columns::gram(rows.as_mat().transpose()).as_mat());
    (Columns::product(probe.as_mat(), vectors.as_mat()), values)
}

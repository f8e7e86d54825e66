//! Matrices as lists of columns, which is how the solver thinks of many fits at once.

use faer::linalg::matmul::matmul;
use faer::prelude::*;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Multiplications below which a product is not worth sharing out.
const PIECE: usize = 1 << 24;
/// Rows or columns of a piece that are not split any further.
const NARROW: usize = 128;

/// A column-major matrix whose columns can be taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Columns<T> {
    height: usize,
    data: Vec<T>,
}

impl<T: Copy + Default + Send + Sync> Columns<T> {
    pub(crate) fn zeros(height: usize, count: usize) -> Self {
        Self { height, data: vec![T::default(); height * count] }
    }

    /// Made column by column, on all cores.
    pub(crate) fn build(height: usize, count: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Self {
        let mut columns = Self::zeros(height, count);
        columns.update(fill);
        columns
    }

    /// Changes every column, on all cores.
    pub(crate) fn update(&mut self, change: impl Fn(usize, &mut [T]) + Sync) {
        if self.height > 0 {
            self.data
                .par_chunks_exact_mut(self.height)
                .enumerate()
                .for_each(|(column, values)| change(column, values));
        }
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn count(&self) -> usize {
        self.data.len() / self.height.max(1)
    }

    pub(crate) fn col(&self, column: usize) -> &[T] {
        &self.data[column * self.height..][..self.height]
    }

    pub(crate) fn col_mut(&mut self, column: usize) -> &mut [T] {
        &mut self.data[column * self.height..][..self.height]
    }

    pub(crate) fn as_mat(&self) -> MatRef<'_, T> {
        MatRef::from_column_major_slice(&self.data, self.height, self.count())
    }

    pub(crate) fn as_mat_mut(&mut self) -> MatMut<'_, T> {
        let count = self.count();
        MatMut::from_column_major_slice_mut(&mut self.data, self.height, count)
    }
}

impl<T: ComplexField + Copy + Default + Send + Sync> Columns<T> {
    /// `a b`, on all cores.
    pub(crate) fn product(a: MatRef<T>, b: MatRef<T>) -> Self {
        let mut product = Self::zeros(a.nrows(), b.ncols());
        multiply(product.as_mat_mut(), a, b);
        product
    }

    /// `a aᵀ`, of which half is computed.
    pub(crate) fn gram(a: MatRef<T>) -> Self {
        let n = a.nrows();
        let mut gram = Self::zeros(n, n);
        lower(gram.as_mat_mut(), a, 0);
        let half = gram.clone();
        gram.update(|column, values| {
            (0..column).for_each(|row| values[row] = half.data[row * n + column]);
        });
        gram
    }
}

/// `to = a b` in pieces whose size does not depend on the number of threads, so that neither does the result.
fn multiply<T: ComplexField + Send + Sync>(to: MatMut<T>, a: MatRef<T>, b: MatRef<T>) {
    let (rows, columns, inner) = (to.nrows(), to.ncols(), a.ncols());
    if rows * columns * inner <= PIECE || rows.max(columns) <= NARROW {
        matmul(to, Accum::Replace, a, b, T::one_impl(), Par::Seq);
    } else if rows >= columns {
        let (top, bottom) = to.split_at_row_mut(rows / 2);
        let (a_top, a_bottom) = a.split_at_row(rows / 2);
        rayon::join(|| multiply(top, a_top, b), || multiply(bottom, a_bottom, b));
    } else {
        let (left, right) = to.split_at_col_mut(columns / 2);
        let (b_left, b_right) = b.split_at_col(columns / 2);
        rayon::join(|| multiply(left, a, b_left), || multiply(right, a, b_right));
    }
}

/// The rows `from..` of the lower half of `a aᵀ`, block by block.
fn lower<T: ComplexField + Send + Sync>(to: MatMut<T>, a: MatRef<T>, from: usize) {
    let rows = to.nrows();
    if rows <= 2 * NARROW {
        let own = a.subrows(from, rows);
        return matmul(
            to.subcols_mut(from, rows),
            Accum::Replace,
            own,
            own.transpose(),
            T::one_impl(),
            Par::Seq,
        );
    }
    let half = rows / 2;
    let (top, mut bottom) = to.split_at_row_mut(half);
    rayon::join(
        || lower(top, a, from),
        || {
            let across = bottom.rb_mut().subcols_mut(from, half);
            multiply(across, a.subrows(from + half, rows - half), a.subrows(from, half).transpose());
            lower(bottom, a, from + half);
        },
    );
}

/// A dot product in eight running sums, which the compiler turns into vector instructions.
pub(crate) fn dot32(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0_f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        (0..16).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}

/// The same in double precision.
pub(crate) fn dot64(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

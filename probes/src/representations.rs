//! Whether two models see the same rows alike.
//!
//! States of two models have no axes in common, and often not even a width. What can be compared is the geometry of
//! the rows among themselves: [`cka`] by the similarities of pairs of rows, [`procrustes`] after the best rotation of
//! one cloud onto the other. Where the axes are common, as for two rounds of one model, [`principal_angles`] tells how
//! far the space that the rows take up has turned.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

use crate::axes::{Axes, Svd};
use crate::bootstrap::{Estimate, Interval, check_level};
use crate::data::check_features;
use crate::error::{Error, Result};
use crate::members::members_of;
use crate::normal;

/// The rows that the unbiased HSIC needs at least.
const FEWEST: usize = 4;

/// What is left of a sum of squares by rounding alone, as a share of it.
const ROUNDING: f64 = 1e-12;

/// The debiased linear centred kernel alignment of rows `x` `[n, D]` and `y` `[n, E]` (Kornblith et al., 2019):
/// `HSIC(x, y) / sqrt(HSIC(x, x) · HSIC(y, y))` with the unbiased estimate of HSIC from Gram matrices without their
/// diagonal (Song et al., 2012). 1 for rows that differ by rotation, scale and shift; about 0 for unrelated ones, where
/// the biased form goes to 1 as columns outnumber rows. It may be negative.
///
/// `None` with fewer than four rows or where one of the sets does not vary.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`] or [`Error::NonFinite`].
pub fn cka(x: ArrayView2<f32>, y: ArrayView2<f32>) -> Result<Option<f64>> {
    Ok(Alignment::of(x, y)?.without(&[]))
}

/// [`cka`] with the normal interval of the jackknife that leaves out a group at a time: the standard error is
/// `sqrt((G - 1) / G · Σ (θ_g - mean θ)²)` (Tukey, 1958). Drawing with replacement would not do: a row drawn twice is
/// wholly similar to itself. The upper end is at most 1.
///
/// No interval with one group, or where the value without some group is undefined.
///
/// # Errors
/// [`Error::BadLevel`] and those of [`cka`].
pub fn cka_jackknife(
    x: ArrayView2<f32>,
    y: ArrayView2<f32>,
    groups: &[usize],
    level: f64,
) -> Result<Estimate> {
    check_level(level)?;
    let members = members_of(groups, x.nrows())?;
    let alignment = Alignment::of(x, y)?;
    let value = alignment.without(&[]);
    let left: Option<Array1<f64>> = members.iter().map(|rows| alignment.without(rows)).collect();
    let ci = value.zip(left.filter(|left| left.len() > 1)).map(|(value, left)| {
        let error = ((left.len() - 1) as f64 * left.var(0.0)).sqrt();
        let reach = normal::quantile((1.0 + level) / 2.0) * error;
        Interval { low: value - reach, high: (value + reach).min(1.0), resamples: left.len() }
    });
    Ok(Estimate { value, ci })
}

/// The orthogonal Procrustes distance of rows `x` `[n, D]` and `y` `[n, E]`, from 0 (alike up to rotation, scale and
/// shift) to 1: half the squared distance that is left after the best rotation of centred sets of unit Frobenius norm,
/// `1 - ‖XᵀY‖_*` with the nuclear norm (Schönemann, 1966; Ding, Denain and Steinhardt, 2021). The narrower set counts
/// as filled up with zeros.
///
/// It has no correction for chance: unrelated rows are the closer the more columns there are for each of them.
/// `None` where one of the sets does not vary.
///
/// # Errors
/// [`Error::NoDecomposition`] and those of [`cka`].
pub fn procrustes(x: ArrayView2<f32>, y: ArrayView2<f32>) -> Result<Option<f64>> {
    check_both(x, y)?;
    // Rotations of either set change nothing, so each is seen along its own axes, which are at most as many as rows.
    let (x, y) = (Axes::of(centred(x).view())?, Axes::of(centred(y).view())?);
    let norms = (x.values.sum() * y.values.sum()).sqrt();
    if norms == 0.0 {
        return Ok(None);
    }
    let nuclear = Svd::of(&x.scores.t().dot(&y.scores))?.values.sum();
    Ok(Some((1.0 - nuclear / norms).clamp(0.0, 1.0)))
}

/// The principal angles, in degrees and rising, between the spaces of the `k` leading principal components of rows `x`
/// `[n, D]` and of rows `y` `[m, D]` (Björck and Golub, 1973). Fewer than `k` where the rank of one is lower.
///
/// # Errors
/// [`Error::ShapeMismatch`] for different widths, [`Error::TooFewColumns`] for a `k` outside `1..=D`,
/// [`Error::Empty`], [`Error::NonFinite`] or [`Error::NoDecomposition`].
pub fn principal_angles(x: ArrayView2<f32>, y: ArrayView2<f32>, k: usize) -> Result<Vec<f64>> {
    let columns = x.ncols();
    if y.ncols() != columns {
        return Err(Error::ShapeMismatch { what: "columns of y", expected: columns, found: y.ncols() });
    }
    if !(1..=columns).contains(&k) {
        return Err(Error::TooFewColumns { k, columns });
    }
    let leading = |rows: ArrayView2<f32>| -> Result<Array2<f64>> {
        check_some(rows)?;
        let basis = Axes::of(centred(rows).view())?.basis;
        let kept = k.min(basis.ncols());
        Ok(basis.slice_move(s![.., ..kept]))
    };
    let (x, y) = (leading(x)?, leading(y)?);
    let Svd { u, values: cosines, v } = Svd::of(&x.t().dot(&y))?;
    // The cosine tells small angles badly, what is left of a vector off the other space tells them well.
    let off = y.dot(&v) - x.dot(&(u * &cosines));
    let sines = off.columns().into_iter().map(|column| column.dot(&column).sqrt());
    let mut angles: Vec<f64> =
        sines.zip(&cosines).map(|(sine, &cosine)| sine.atan2(cosine).to_degrees()).collect();
    angles.sort_by(f64::total_cmp);
    Ok(angles)
}

/// Two Gram matrices and the sums over them, from which rows can be taken away.
struct Alignment {
    x: Gram,
    y: Gram,
    /// `Σ K²`, `Σ K L` and `Σ L²`.
    products: [f64; 3],
}

impl Alignment {
    fn of(x: ArrayView2<f32>, y: ArrayView2<f32>) -> Result<Self> {
        check_both(x, y)?;
        let (x, y) = (Gram::of(x), Gram::of(y));
        let products = [(&x, &x), (&x, &y), (&y, &y)].map(|(k, l)| (&k.values * &l.values).sum());
        Ok(Self { x, y, products })
    }

    /// The CKA of all rows but some.
    fn without(&self, rows: &[usize]) -> Option<f64> {
        let n = self.x.sums.len() - rows.len();
        if n < FEWEST {
            return None;
        }
        let (x, y) = (self.x.sums_without(rows), self.y.sums_without(rows));
        let [xx, xy, yy] = self.products;
        let xx = hsic(xx - self.x.product_of(&self.x, rows), &x, &x, n);
        let xy = hsic(xy - self.x.product_of(&self.y, rows), &x, &y, n);
        let yy = hsic(yy - self.y.product_of(&self.y, rows), &y, &y, n);
        let varies = xx > ROUNDING * self.products[0] && yy > ROUNDING * self.products[2];
        varies.then(|| (xy / (xx * yy).sqrt()).min(1.0))
    }
}

/// The unbiased HSIC, times `n (n - 3)`, from the sum of products of two Gram matrices without diagonal and from the
/// sums of their rows (Song et al., 2012, eq. 5).
fn hsic(product: f64, k: &Array1<f64>, l: &Array1<f64>, n: usize) -> f64 {
    let n = n as f64;
    product + k.sum() * l.sum() / ((n - 1.0) * (n - 2.0)) - 2.0 * k.dot(l) / (n - 2.0)
}

/// The inner products of centred rows, 0 on the diagonal.
struct Gram {
    /// `[n, n]`.
    values: Array2<f64>,
    /// `[n]`.
    sums: Array1<f64>,
}

impl Gram {
    fn of(x: ArrayView2<f32>) -> Self {
        let x = centred(x);
        let mut values = x.dot(&x.t());
        values.diag_mut().fill(0.0);
        Self { sums: values.sum_axis(Axis(1)), values }
    }

    fn row(&self, row: usize) -> ArrayView1<'_, f64> {
        self.values.row(row)
    }

    /// The sums over the other rows; 0 for the rows left out.
    fn sums_without(&self, rows: &[usize]) -> Array1<f64> {
        let mut sums = self.sums.clone();
        rows.iter().for_each(|&row| sums -= &self.row(row));
        rows.iter().for_each(|&row| sums[row] = 0.0);
        sums
    }

    /// The part of `Σ K L` that some rows and their columns have in it.
    fn product_of(&self, other: &Self, rows: &[usize]) -> f64 {
        let among = |row: usize| -> f64 {
            rows.iter().map(|&column| self.values[[row, column]] * other.values[[row, column]]).sum()
        };
        rows.iter().map(|&row| 2.0 * self.row(row).dot(&other.row(row)) - among(row)).sum()
    }
}

fn centred(x: ArrayView2<f32>) -> Array2<f64> {
    let x = x.mapv(f64::from);
    let mean = x.sum_axis(Axis(0)) / x.nrows() as f64;
    x - mean
}

fn check_some(x: ArrayView2<f32>) -> Result<()> {
    if x.nrows() == 0 {
        return Err(Error::Empty { what: "rows" });
    }
    check_features(x, x.nrows())
}

fn check_both(x: ArrayView2<f32>, y: ArrayView2<f32>) -> Result<()> {
    check_some(x)?;
    check_features(y, x.nrows())
}

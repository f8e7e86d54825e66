//! How far many rows moved together.
//!
//! A row's shift is its state after less its state before. That the mean of many shifts is long is no finding: the mean
//! of noise has a length too. So it stands beside the means of shifts whose sign was flipped.
//!
//! Groups are resampled and flipped as wholes. All that these draws need of a layer are the inner products of the sums
//! of its shifts over groups, so a draw costs the square of the number of groups, however wide the states.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::bootstrap::{Estimate, Interval, check_level, quantile};
use crate::data::check_features;
use crate::error::{Error, Result};
use crate::members::members_of;
use crate::rng::Rng;

/// Statistics closer than this are equal: the flip of nothing, or of everything, must reach the observed one.
const EQUAL: f64 = 1e-9;

/// How shifts are resampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftSettings {
    /// Draws of the groups with replacement behind an interval (percentile); 0 for none.
    pub resamples: usize,
    /// Random flips of the groups' signs behind a null; 0 for none.
    pub flips: usize,
    /// Directions with shuffled coordinates behind the null of a cosine; 0 for none.
    pub directions: usize,
    /// The coverage of intervals, in (0, 1).
    pub level: f64,
    /// Names the draws.
    pub seed: u64,
}

impl Default for ShiftSettings {
    fn default() -> Self {
        Self { resamples: 1000, flips: 1000, directions: 1000, level: 0.95, seed: 0 }
    }
}

/// The mean shift of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// `[D]`.
    pub mean: Array1<f64>,
    /// Its Euclidean norm. Noise makes it longer, and resampling adds the same noise again, so the interval lies high where
    /// [`Shift::unbiased`] is much smaller.
    pub norm: Estimate,
    /// The norm freed of noise: the mean inner product of two rows of different groups estimates the square of the
    /// norm without bias. Here is its root, with the sign of the square, which may be negative. `None` with one group.
    pub unbiased: Option<f64>,
    /// The 95 % quantile of the norm when whole groups have their signs flipped at random. `None` with one group or
    /// without flips, as are the following.
    pub chance: Option<f64>,
    /// `(1 + #{null ≥ norm}) / (1 + flips)`. The test is exact where shifts without effect are as likely as their
    /// opposites.
    pub p: Option<f64>,
    /// The same for the largest of all layers, under the same flips, each layer's squared norm being counted in units of
    /// its mean under flips: corrected for having looked at them all (Westfall and Young, 1993).
    pub p_max: Option<f64>,
}

/// The mean shift of every layer, from the shifts `[N, D]` of the same rows at each; widths may differ.
///
/// # Errors
/// [`Error::BadLevel`], [`Error::Empty`], [`Error::ShapeMismatch`] for groups that are not one a row; of one
/// layer, as [`Error::Layer`]: [`Error::ShapeMismatch`] for other than `N` rows, [`Error::NonFinite`] for a shift
/// that is not finite. Rows without states are for the caller to leave out, at all layers alike.
pub fn shifts(layers: &[ArrayView2<f32>], groups: &[usize], settings: &ShiftSettings) -> Result<Vec<Shift>> {
    check_level(settings.level)?;
    let members = members_of(groups, groups.len())?;
    let sums: Vec<GroupSums> = layers
        .par_iter()
        .enumerate()
        .map(|(layer, deltas)| {
            GroupSums::of(*deltas, &members)
                .map_err(|source| Error::Layer { layer, source: Box::new(source) })
        })
        .collect::<Result<_>>()?;
    let draws = settings.draws(members.len());
    let flips = settings.flips(members.len());
    // [layer][flip], in units of the mean over all flips.
    let null: Vec<Array1<f64>> =
        sums.par_iter().map(|sums| sums.squares(&flips).mapv(|square| sums.in_units(square))).collect();
    let largest: Vec<f64> = (0..flips.nrows())
        .map(|flip| null.iter().map(|layer| layer[flip]).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let shift = |sums: &GroupSums, null: Array1<f64>| {
        let observed = sums.in_units(sums.squares(&Array2::ones((1, members.len())))[0]);
        let mut lengths = null.mapv(|units| (units * sums.mean_square()).sqrt() / sums.rows()).to_vec();
        lengths.sort_by(f64::total_cmp);
        let mean = sums.mean();
        Shift {
            norm: Estimate { value: Some(mean.dot(&mean).sqrt()), ci: settings.interval(sums.norms(&draws)) },
            mean,
            unbiased: sums.unbiased(),
            chance: (!lengths.is_empty()).then(|| quantile(&lengths, 0.95)),
            p: p(null.iter(), observed),
            p_max: p(largest.iter(), observed),
        }
    };
    Ok(sums.par_iter().zip(null).map(|(sums, null)| shift(sums, null)).collect())
}

impl ShiftSettings {
    /// How often each group is drawn, `[resamples, G]`; no draws with one group.
    pub(crate) fn draws(&self, groups: usize) -> Array2<f64> {
        let mut draws = Array2::zeros((if groups > 1 { self.resamples } else { 0 }, groups));
        for (resample, mut counts) in draws.rows_mut().into_iter().enumerate() {
            let mut rng = Rng::stream(self.seed, resample as u64);
            (0..groups).for_each(|_| counts[rng.below(groups)] += 1.0);
        }
        draws
    }

    /// A sign for each group, `[flips, G]`; no flips with one group.
    fn flips(&self, groups: usize) -> Array2<f64> {
        let mut flips = Array2::ones((if groups > 1 { self.flips } else { 0 }, groups));
        for (flip, mut signs) in flips.rows_mut().into_iter().enumerate() {
            let mut rng = Rng::stream(self.seed, flip as u64);
            signs.mapv_inplace(|sign: f64| if rng.below(2) == 0 { sign } else { -sign });
        }
        flips
    }

    pub(crate) fn interval(&self, drawn: Vec<f64>) -> Option<Interval> {
        let tail = (1.0 - self.level) / 2.0;
        Interval::between(drawn, [tail, 1.0 - tail], self.resamples)
    }
}

/// `(1 + #{null ≥ observed}) / (1 + draws)`; `None` without draws.
pub(crate) fn p<'a>(null: impl ExactSizeIterator<Item = &'a f64>, observed: f64) -> Option<f64> {
    let draws = null.len();
    let reached = null.filter(|&&null| null >= observed - EQUAL).count();
    (draws > 0).then(|| (1 + reached) as f64 / (1 + draws) as f64)
}

/// Those that are defined.
pub(crate) fn ratios(numerators: Array1<f64>, denominators: &Array1<f64>) -> Vec<f64> {
    let both = numerators.into_iter().zip(denominators);
    both.filter(|(_, denominator)| **denominator > 0.0).map(|(one, other)| one / other).collect()
}

/// The shifts of one layer, summed over groups.
pub(crate) struct GroupSums {
    /// `[G, D]`.
    pub(crate) values: Array2<f64>,
    /// Rows of each group, `[G]`.
    sizes: Array1<f64>,
    /// Inner products of the sums, `[G, G]`.
    gram: Array2<f64>,
}

impl GroupSums {
    pub(crate) fn of(deltas: ArrayView2<f32>, members: &[Vec<usize>]) -> Result<Self> {
        check_features(deltas, members.iter().map(Vec::len).sum())?;
        let mut values = Array2::zeros((members.len(), deltas.ncols()));
        for (mut sum, rows) in values.rows_mut().into_iter().zip(members) {
            rows.iter()
                .for_each(|&row| sum.zip_mut_with(&deltas.row(row), |sum, delta| *sum += f64::from(*delta)));
        }
        let gram = values.dot(&values.t());
        Ok(Self { values, sizes: members.iter().map(|rows| rows.len() as f64).collect(), gram })
    }

    fn rows(&self) -> f64 {
        self.sizes.sum()
    }

    pub(crate) fn mean(&self) -> Array1<f64> {
        self.values.sum_axis(Axis(0)) / self.rows()
    }

    /// `|Σ wᵍ sᵍ|²` for every row of weights `[R, G]`.
    pub(crate) fn squares(&self, weights: &Array2<f64>) -> Array1<f64> {
        (weights.dot(&self.gram) * weights).sum_axis(Axis(1)).mapv(|square| square.max(0.0))
    }

    /// The lengths of the means of drawn groups.
    fn norms(&self, draws: &Array2<f64>) -> Vec<f64> {
        ratios(self.squares(draws).mapv(f64::sqrt), &draws.dot(&self.sizes))
    }

    /// The mean over all flips of the squared length of the sum: products of different groups cancel.
    fn mean_square(&self) -> f64 {
        self.gram.diag().sum()
    }

    /// A squared length in units of that mean; 0 where nothing moved.
    fn in_units(&self, square: f64) -> f64 {
        if self.mean_square() > 0.0 { square / self.mean_square() } else { 0.0 }
    }

    fn unbiased(&self) -> Option<f64> {
        let pairs = self.rows().powi(2) - self.sizes.dot(&self.sizes);
        let square = (self.gram.sum() - self.mean_square()) / pairs;
        (self.sizes.len() > 1).then(|| square.abs().sqrt().copysign(square))
    }
}

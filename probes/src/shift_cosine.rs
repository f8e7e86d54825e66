//! Which way many rows moved: the cosine of their mean shift with a direction, beside what chance gives.
//!
//! States have a few coordinates that are far larger than the others. Two unrelated directions that both have them are
//! alike, which a null of directions drawn from all alike does not know; so there is one of shuffled coordinates too.

use ndarray::{Array1, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::bootstrap::{Estimate, check_level, quantile};
use crate::displacement::{GroupSums, ShiftSettings, p, ratios};
use crate::error::{Error, Result};
use crate::members::members_of;
use crate::rng::Rng;
use crate::similarity::cosine;

/// How a mean shift lies to a given direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftCosine {
    /// The cosine of the mean shift with the direction; `None` if one of them is zero.
    pub of_mean: Estimate,
    /// The mean cosine of single rows' shifts with the direction, over rows that moved (as arXiv 2505.11924).
    pub of_rows: Estimate,
    /// Against the direction with its coordinates shuffled, which keeps what few large ones do.
    pub shuffled: Option<CosineNull>,
    /// Against directions drawn from all alike.
    pub gaussian: Option<CosineNull>,
}

/// What chance makes of the cosine of the mean shift. There is none without a cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineNull {
    /// The 95 % quantile of `|cosine|`.
    pub chance: f64,
    /// Two-sided, `(1 + #{|null| ≥ |cosine|}) / (1 + directions)`.
    pub p: f64,
}

/// The cosine of the shifts `[N, D]` of many rows with a direction `[D]`.
///
/// # Errors
/// [`Error::BadLevel`], [`Error::Empty`], [`Error::ShapeMismatch`] or [`Error::NonFinite`].
pub fn shift_cosine(
    deltas: ArrayView2<f32>,
    direction: ArrayView1<f64>,
    groups: &[usize],
    settings: &ShiftSettings,
) -> Result<ShiftCosine> {
    check_level(settings.level)?;
    if direction.len() != deltas.ncols() {
        return Err(Error::ShapeMismatch {
            what: "direction",
            expected: deltas.ncols(),
            found: direction.len(),
        });
    }
    let members = members_of(groups, deltas.nrows())?;
    let sums = GroupSums::of(deltas, &members)?;
    let draws = settings.draws(members.len());

    let along = sums.values.dot(&direction);
    let lengths = sums.squares(&draws).mapv(f64::sqrt) * direction.dot(&direction).sqrt();
    let of_mean = Estimate {
        value: cosine(sums.mean().view(), direction),
        ci: settings.interval(ratios(draws.dot(&along), &lengths)),
    };
    let rows: Vec<Option<f64>> =
        deltas.rows().into_iter().map(|row| cosine(row.mapv(f64::from).view(), direction)).collect();
    let over_groups = |value: fn(f64) -> f64| -> Array1<f64> {
        members.iter().map(|group| group.iter().filter_map(|&row| rows[row]).map(value).sum()).collect()
    };
    let (cosines, moved) = (over_groups(|cosine| cosine), over_groups(|_| 1.0));
    let of_rows = Estimate {
        value: (moved.sum() > 0.0).then(|| cosines.sum() / moved.sum()),
        ci: settings.interval(ratios(draws.dot(&cosines), &draws.dot(&moved))),
    };

    let shuffled = |rng: &mut Rng| {
        let mut direction = direction.to_vec();
        rng.shuffle(&mut direction);
        Array1::from(direction)
    };
    let gaussian = |rng: &mut Rng| Array1::from_shape_simple_fn(direction.len(), || rng.normal());
    let mean = sums.mean();
    let against = |draw: &(dyn Fn(&mut Rng) -> Array1<f64> + Sync)| {
        of_mean.value.and_then(|value| against_chance(settings, &mean, value, draw))
    };
    Ok(ShiftCosine { of_mean, of_rows, shuffled: against(&shuffled), gaussian: against(&gaussian) })
}

/// The cosine of a mean shift against those with random directions.
fn against_chance(
    settings: &ShiftSettings,
    mean: &Array1<f64>,
    value: f64,
    draw: &(dyn Fn(&mut Rng) -> Array1<f64> + Sync),
) -> Option<CosineNull> {
    let mut null: Vec<f64> = (0..settings.directions as u64)
        .into_par_iter()
        .filter_map(|index| cosine(mean.view(), draw(&mut Rng::stream(settings.seed, index)).view()))
        .map(f64::abs)
        .collect();
    null.sort_by(f64::total_cmp);
    let p = p(null.iter(), value.abs())?;
    Some(CosineNull { chance: quantile(&null, 0.95), p })
}

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
use crate::sphere;

/// How a mean shift lies to a given direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftCosine {
    /// The cosine of the mean shift with the direction; `None` if one of them is zero.
    pub of_mean: Estimate,
    /// The mean cosine of single rows' shifts with the direction, over rows that moved (as arXiv 2505.11924).
    pub of_rows: Estimate,
    /// Against the direction with its coordinates shuffled, which keeps what few large ones do.
    pub shuffled: Option<CosineNull>,
    /// Against Gaussian directions, that is against all alike: exact, none is drawn.
    pub gaussian: Option<CosineNull>,
}

/// What chance makes of the cosine of the mean shift. There is none without a cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineNull {
    /// The 95 % quantile of `|cosine|`.
    pub chance: f64,
    /// Two-sided: `(1 + #{|null| ≥ |cosine|}) / (1 + directions)` of directions that were drawn.
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

    let dimensions = direction.len();
    let gaussian = of_mean.value.map(|value| CosineNull {
        chance: sphere::quantile(0.95, dimensions),
        p: (1.0 - sphere::within(value.abs(), dimensions)).max(0.0),
    });
    let shuffled = of_mean.value.and_then(|value| against_shuffled(settings, &sums.mean(), value, direction));
    Ok(ShiftCosine { of_mean, of_rows, shuffled, gaussian })
}

/// The cosine of a mean shift with a direction against those with its coordinates shuffled.
fn against_shuffled(
    settings: &ShiftSettings,
    mean: &Array1<f64>,
    value: f64,
    direction: ArrayView1<f64>,
) -> Option<CosineNull> {
    let shuffled = |index: u64| {
        let mut direction = direction.to_vec();
        Rng::stream(settings.seed, index).shuffle(&mut direction);
        cosine(mean.view(), ArrayView1::from(&direction))
    };
    let draws = (0..settings.directions as u64).into_par_iter();
    let mut null: Vec<f64> = draws.filter_map(shuffled).map(f64::abs).collect();
    null.sort_by(f64::total_cmp);
    let p = p(null.iter(), value.abs())?;
    Some(CosineNull { chance: quantile(&null, 0.95), p })
}

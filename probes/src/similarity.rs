//! Whether two directions are alike: their angle, what chance gives, and what noise leaves of it.
//!
//! A cosine of 0.2 in five hundred dimensions may be far above chance, and two fits of one concept on different texts
//! may have no more. So a cosine stands beside two others: those with directions fitted on exchanged labels, and those
//! of each direction with itself, fitted on halves of its groups.
//!
//! Directions are those of the least-squares [`Twin`] of a probe, in raw features. They are linear in the labels,
//! `w = A y`, so a thousand labellings cost one matrix product.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::axes;
use crate::bootstrap::quantile;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::Twin;
use crate::folds::Folds;
use crate::permutation::exchanged_labels;
use crate::scale::Scaler;

/// Cosines closer than this are equal: a labelling that is the observed one must reach it.
const EQUAL: f64 = 1e-9;

/// The cosine of the angle between two directions of equal length; `None` if one is zero.
pub fn cosine(a: ArrayView1<f64>, b: ArrayView1<f64>) -> Option<f64> {
    let norms = a.dot(&a).sqrt() * b.dot(&b).sqrt();
    (norms > 0.0).then(|| (a.dot(&b) / norms).clamp(-1.0, 1.0))
}

/// The angle in degrees, 0 to 180, of a cosine.
pub fn angle(cosine: f64) -> f64 {
    cosine.acos().to_degrees()
}

/// The cosine in the metric of the pooled within-class covariance `Σ` of some data, `aᵀΣb / sqrt(aᵀΣa · bᵀΣb)`: the
/// correlation of the two readouts over rows whose class means were taken away. Unlike the plain cosine it does not
/// change when features are scaled or rotated together with the directions. `None` where a readout does not vary.
///
/// # Errors
/// [`Error::ShapeMismatch`] if directions and features are of different width.
pub fn cosine_within(a: ArrayView1<f64>, b: ArrayView1<f64>, sets: &[Dataset]) -> Result<Option<f64>> {
    let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
    for data in sets {
        let expected = data.x().ncols();
        if let Some(found) = [a.len(), b.len()].into_iter().find(|&found| found != expected) {
            return Err(Error::ShapeMismatch { what: "direction", expected, found });
        }
        let scores = |direction: ArrayView1<f64>| -> Vec<f64> {
            let dot = |row: ArrayView1<f32>| row.iter().zip(direction).map(|(x, w)| f64::from(*x) * w).sum();
            centred_by_class(data.x().rows().into_iter().map(dot).collect(), data.labelled().labels())
        };
        for (a, b) in scores(a).into_iter().zip(scores(b)) {
            (aa, ab, bb) = (aa + a * a, ab + a * b, bb + b * b);
        }
    }
    let norms = (aa * bb).sqrt();
    Ok((norms > 0.0).then(|| (ab / norms).clamp(-1.0, 1.0)))
}

fn centred_by_class(mut values: Vec<f64>, labels: &[bool]) -> Vec<f64> {
    for class in [false, true] {
        let rows = || (0..labels.len()).filter(|&row| labels[row] == class);
        let mean = rows().map(|row| values[row]).sum::<f64>() / rows().count() as f64;
        rows().for_each(|row| values[row] -= mean);
    }
    values
}

/// How directions are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Exchanges of labels behind a null; 0 for none.
    pub permutations: usize,
    /// Random halvings of the groups behind a ceiling; 0 for none.
    pub halvings: usize,
    /// Names the draws.
    pub seed: u64,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { permutations: 1000, halvings: 50, seed: 0 }
    }
}

/// Two directions beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// The cosine in raw features; `None` if the directions have different widths or one is zero.
    pub cosine: Option<f64>,
    /// Two-sided p of no relation, `(1 + #{|null| ≥ |cosine|}) / (1 + permutations)`: the second direction is fitted
    /// again on labels exchanged as its groups allow. `None` without permutations or where nothing can be exchanged.
    pub p: Option<f64>,
    /// The 95 % quantile of `|cosine|` under those exchanges.
    pub chance: Option<f64>,
    /// The cosine to expect of two fits that look for one and the same direction, given the noise of each:
    /// `sqrt(R_a R_b)`, see [`reliability`].
    pub ceiling: Option<f64>,
}

impl Similarity {
    /// The angle in degrees.
    pub fn angle(&self) -> Option<f64> {
        self.cosine.map(angle)
    }

    /// The cosine freed of the noise of both fits, `cosine / ceiling` (Spearman's correction for attenuation, 1904).
    /// It holds for fits on different rows; where rows are shared the noise is too, and it is too large. `None` for
    /// a ceiling of 0. It may exceed 1.
    pub fn disattenuated(&self) -> Option<f64> {
        let ceiling = self.ceiling.filter(|&ceiling| ceiling > 0.0)?;
        Some(self.cosine? / ceiling)
    }

    const NONE: Self = Self { cosine: None, p: None, chance: None, ceiling: None };
}

/// Every direction beside every other: `[first][second]`, labels being exchanged for the second.
///
/// # Errors
/// [`Error::NoDecomposition`], as for a penalty of
/// 0 with more columns than rows.
pub fn similarities(sets: &[(Dataset, Twin)], settings: &Comparison) -> Result<Vec<Vec<Similarity>>> {
    let fitted: Vec<Fitted> =
        sets.par_iter().map(|(data, twin)| Fitted::new(data, *twin, settings)).collect::<Result<_>>()?;
    let columns: Vec<Vec<Similarity>> = (0..sets.len())
        .into_par_iter()
        .map(|second| fitted[second].beside(&fitted, &sets[second].0, settings))
        .collect();
    Ok((0..sets.len()).map(|first| columns.iter().map(|column| column[first]).collect()).collect())
}

/// How far a direction agrees with itself: the mean cosine `r` of fits on random halves of the groups, carried from
/// halves to the whole by `R = 2 r / (1 + r)` (Spearman 1910, Brown 1910). For `w = d + e` with independent noise of
/// a variance that falls with the number of rows, `r ≈ |d|² / (|d|² + 2 σ²)` and so `R ≈ |d|² / (|d|² + σ²)`. At
/// least 0. `None` where no half holds both classes.
///
/// # Errors
/// As [`similarities`].
pub fn reliability(data: &Dataset, twin: Twin, halvings: usize, seed: u64) -> Result<Option<f64>> {
    let labelled = data.labelled();
    let cosines: Vec<Option<f64>> = (0..halvings as u64)
        .into_par_iter()
        .map(|draw| {
            let Ok(folds) = Folds::grouped(labelled, 2, seed.wrapping_add(draw)) else { return Ok(None) };
            let (one, other) = folds.split(0);
            let fit = |rows: &[usize]| Centred::new(data.x(), rows, twin).direction(labelled.labels(), rows);
            Ok(cosine(fit(&one)?.view(), fit(&other)?.view()))
        })
        .collect::<Result<_>>()?;
    let known: Vec<f64> = cosines.into_iter().flatten().collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    Ok((!known.is_empty()).then(|| (2.0 * mean / (1.0 + mean)).max(0.0)))
}

/// A direction with all that its comparisons need.
struct Fitted {
    /// `A` `[N, D]`.
    map: Array2<f64>,
    /// `[1, D]`.
    direction: Array2<f64>,
    reliability: Option<f64>,
}

impl Fitted {
    fn new(data: &Dataset, twin: Twin, settings: &Comparison) -> Result<Self> {
        let rows: Vec<usize> = (0..data.labelled().n()).collect();
        let map = Centred::new(data.x(), &rows, twin).map()?;
        let direction = numbers(&[data.labelled().labels().to_vec()]).dot(&map);
        let reliability = reliability(data, twin, settings.halvings, settings.seed)?;
        Ok(Self { map, direction, reliability })
    }

    /// The others beside this one, whose labels are exchanged.
    fn beside(&self, others: &[Self], data: &Dataset, settings: &Comparison) -> Vec<Similarity> {
        let null = self.exchanged(data, settings);
        let compare = |other: &Self| {
            let (a, b) = (other.direction.row(0), self.direction.row(0));
            if a.len() != b.len() {
                return Similarity::NONE;
            }
            let cosine = cosine(a, b);
            let mut chance: Vec<f64> = Vec::new();
            if let Some(null) = &null {
                let norm = a.dot(&a).sqrt();
                let norms = null.rows().into_iter().map(|row| row.dot(&row).sqrt() * norm);
                let products = null.dot(&a).into_iter().zip(norms);
                chance.extend(products.filter(|p| p.1 > 0.0).map(|(product, norms)| (product / norms).abs()));
            }
            chance.sort_by(f64::total_cmp);
            let p = cosine.filter(|_| !chance.is_empty()).map(|cosine| {
                let below = chance.partition_point(|&null| null < cosine.abs() - EQUAL);
                (1 + chance.len() - below) as f64 / (1 + chance.len()) as f64
            });
            Similarity {
                cosine,
                p,
                chance: (!chance.is_empty()).then(|| quantile(&chance, 0.95)),
                ceiling: other.reliability.zip(self.reliability).map(|(a, b)| (a * b).sqrt()),
            }
        };
        others.iter().map(compare).collect()
    }

    /// The directions of exchanged labels, `[P, D]`.
    fn exchanged(&self, data: &Dataset, settings: &Comparison) -> Option<Array2<f64>> {
        let folds = Folds::grouped(data.labelled(), 2, settings.seed).ok()?;
        let labels = exchanged_labels(data.labelled(), &folds, settings.permutations, settings.seed).ok()?;
        (settings.permutations > 0).then(|| numbers(&labels).dot(&self.map))
    }
}

/// Rows of one fit, centred and, where asked, standardised.
struct Centred {
    z: Array2<f64>,
    scale: Array1<f64>,
    penalty: f64,
}

impl Centred {
    fn new(x: ArrayView2<f32>, rows: &[usize], twin: Twin) -> Self {
        let mut scaler = Scaler::fit(x, rows);
        if !twin.standardise {
            scaler.scale.fill(1.0);
        }
        Self { z: scaler.transform(x, rows), scale: scaler.scale, penalty: twin.penalty }
    }

    fn ridge(&self, mut gram: Array2<f64>) -> Array2<f64> {
        gram.diag_mut().mapv_inplace(|value| value + self.penalty);
        gram
    }

    /// `A` `[n, D]`, by which labels `y` `[n]` become the direction `yᵀ A` in raw features: `(Z Zᵀ + λ)⁻¹ Z / scale`;
    /// `Z / scale` for an infinite penalty.
    fn map(self) -> Result<Array2<f64>> {
        let z = &self.z;
        let map = if self.penalty.is_infinite() {
            z.clone()
        } else if z.nrows() <= z.ncols() {
            axes::solve(&self.ridge(z.dot(&z.t())), z.view())?
        } else {
            axes::solve(&self.ridge(z.t().dot(z)), z.t())?.reversed_axes()
        };
        Ok(map / &self.scale)
    }

    /// The direction of one labelling, for the price of one.
    fn direction(self, labels: &[bool], rows: &[usize]) -> Result<Array1<f64>> {
        let z = &self.z;
        let y: Array1<f64> = rows.iter().map(|&row| f64::from(labels[row])).collect();
        let direction = if self.penalty.is_infinite() {
            z.t().dot(&y)
        } else if z.nrows() <= z.ncols() {
            z.t().dot(&axes::solve_one(&self.ridge(z.dot(&z.t())), &y)?)
        } else {
            axes::solve_one(&self.ridge(z.t().dot(z)), &z.t().dot(&y))?
        };
        Ok(direction / &self.scale)
    }
}

/// Labellings as rows of 0 and 1.
fn numbers(labellings: &[Vec<bool>]) -> Array2<f64> {
    let n = labellings.first().map_or(0, Vec::len);
    Array2::from_shape_fn((labellings.len(), n), |(labelling, row)| f64::from(labellings[labelling][row]))
}

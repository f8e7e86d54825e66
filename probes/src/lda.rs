//! Linear discriminant analysis with a shrunken covariance.

use ndarray::{Array1, Array2, Axis};

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::probe::Probe;
use crate::training::TrainingRows;
use crate::within;

/// How far the within-class covariance is pulled towards a diagonal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shrinkage {
    /// `(1 - s) S + s tr(S)/D`, s from 0 to 1; at 0 the pseudo-inverse is used where `S` is singular.
    Fixed(f64),
    /// The s of Ledoit and Wolf (2004), of each class by itself and on columns of unit variance in it, as scikit-learn's
    /// `shrinkage="auto"` has it: a covariance is pulled towards its own diagonal, times the share of columns that vary.
    LedoitWolf,
}

/// Linear discriminant analysis (Fisher, 1936): `w = S⁻¹ (m₁ - m₀)`, `b = -w·(m₁ + m₀)/2 + ln(n₁/n₀)`.
///
/// `S` is the mean over rows of the within-class covariance, shrunken. This is scikit-learn's
/// `LinearDiscriminantAnalysis(solver="lsqr")`. A decision is the log-odds of class 1 if both classes are normal with
/// covariance `S`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lda {
    /// What is done about a covariance of more columns than rows can tell.
    pub shrinkage: Shrinkage,
    /// Whether columns are brought to zero mean and unit population variance, on the training rows.
    pub standardise: bool,
}

impl Default for Lda {
    fn default() -> Self {
        Self { shrinkage: Shrinkage::Fixed(0.5), standardise: false }
    }
}

impl Estimator for Lda {
    /// # Errors
    /// [`Error::BadSetting`], [`Error::OneClass`], [`Error::NoVariance`] or [`Error::NoDecomposition`].
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        self.check()?;
        let training = TrainingRows::new(data, rows, self.standardise)?;
        let [mean0, mean1] = training.class_means();
        let difference = &mean1 - &mean0;
        let within_class = training.within_class();
        if within_class.iter().all(|&value| value == 0.0) {
            return Err(Error::NoVariance);
        }
        let shrunken = self.shrunken(&training);
        // Ledoit and Wolf may find that nothing is to be shrunken, as they always do with one column.
        let coef = match shrunken.diagonal.iter().all(|&value| value <= 0.0) {
            true => within::pseudo_inverse(&within_class, &difference)?,
            false => within::with_diagonal(&shrunken.rows, &shrunken.diagonal, &difference)?,
        };
        let positives = training.labels.iter().filter(|&&label| label).count() as f64;
        let odds = positives / (training.labels.len() as f64 - positives);
        let intercept = odds.ln() - coef.dot(&(mean0 + mean1)) / 2.0;
        Ok(training.probe(coef, intercept))
    }

    /// The ridge regression with the same direction, if the covariance stayed what it is: `s / (1 - s)` of the scatter's
    /// mean diagonal is added to the scatter's diagonal.
    fn twin(&self, data: &Dataset) -> Twin {
        let n = data.labelled().n() as f64;
        let rows: Vec<usize> = (0..data.labelled().n()).collect();
        let Ok(training) = TrainingRows::new(data, &rows, self.standardise) else {
            return Twin { penalty: f64::INFINITY, standardise: self.standardise };
        };
        match self.shrinkage {
            Shrinkage::Fixed(s) => {
                let scatter = training.within_class().mapv(|value| value * value).sum();
                let mean = scatter / training.z.ncols() as f64;
                // Without shrinkage, as little as keeps the scatter invertible.
                let penalty = (s / (1.0 - s)).max(1e-6) * mean;
                Twin { penalty, standardise: self.standardise }
            }
            Shrinkage::LedoitWolf => {
                let s: f64 = Self::classes(&training)
                    .iter()
                    .map(|class| class.shrinkage * class.rows.nrows() as f64 / n)
                    .sum();
                Twin { penalty: n * (s / (1.0 - s)).max(1e-6), standardise: true }
            }
        }
    }
}

/// `S = rowsᵀ rows + diag(diagonal)`.
struct Shrunken {
    rows: Array2<f64>,
    diagonal: Array1<f64>,
}

/// The centred rows of a class, and the shrinkage that Ledoit and Wolf find for them.
struct Class {
    rows: Array2<f64>,
    shrinkage: f64,
    /// What the covariance is pulled towards.
    target: Array1<f64>,
}

impl Lda {
    fn check(&self) -> Result<()> {
        match self.shrinkage {
            Shrinkage::Fixed(s) if !(0.0..=1.0).contains(&s) => {
                Err(Error::BadSetting { name: "shrinkage", value: s, wanted: "between 0 and 1" })
            }
            _ => Ok(()),
        }
    }

    fn shrunken(&self, training: &TrainingRows) -> Shrunken {
        let n = training.z.nrows() as f64;
        match self.shrinkage {
            Shrinkage::Fixed(s) => {
                let within = training.within_class();
                let trace = within.mapv(|value| value * value).sum() / n;
                let rows = within * ((1.0 - s) / n).sqrt();
                let d = training.z.ncols();
                Shrunken { rows, diagonal: Array1::from_elem(d, s * trace / d as f64) }
            }
            Shrinkage::LedoitWolf => {
                let mut rows = Array2::zeros((0, training.z.ncols()));
                let mut diagonal = Array1::zeros(training.z.ncols());
                for class in Self::classes(training) {
                    let share = class.rows.nrows() as f64 / n;
                    diagonal.scaled_add(share * class.shrinkage, &class.target);
                    let scaled = class.rows * ((1.0 - class.shrinkage) / n).sqrt();
                    rows = ndarray::concatenate![Axis(0), rows, scaled];
                }
                Shrunken { rows, diagonal }
            }
        }
    }

    fn classes(training: &TrainingRows) -> [Class; 2] {
        let within = training.within_class();
        training.by_class().map(|members| {
            let rows = within.select(Axis(0), &members);
            let variance = rows.mapv(|value| value * value).sum_axis(Axis(0)) / rows.nrows() as f64;
            // What varies by rounding alone is constant.
            let largest = training
                .z
                .select(Axis(0), &members)
                .map_axis(Axis(0), |column| column.iter().fold(0.0_f64, |most, value| most.max(value.abs())));
            let mut varies = variance.clone();
            varies.zip_mut_with(&largest, |value, largest| {
                *value = f64::from(*value > (10.0 * f64::EPSILON * largest).powi(2));
            });
            let square = ndarray::Zip::from(&variance)
                .and(&varies)
                .map_collect(|&variance, &varies| if varies > 0.0 { variance } else { 1.0 });
            let standard = &rows / &square.mapv(f64::sqrt) * &varies;
            let share = varies.sum() / varies.len() as f64;
            Class { shrinkage: ledoit_wolf(&standard), target: square * share, rows }
        })
    }
}

/// The shrinkage of Ledoit and Wolf (2004) for centred rows `[n, D]`; 0 for a single column.
fn ledoit_wolf(rows: &Array2<f64>) -> f64 {
    let (n, d) = (rows.nrows() as f64, rows.ncols() as f64);
    let gram = if d < n { rows.t().dot(rows) } else { rows.dot(&rows.t()) };
    let squares = gram.mapv(|value| value * value).sum() / (n * n);
    let mean = rows.mapv(|value| value * value).sum() / (n * d);
    let fourth: f64 = rows.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum();
    let noise = (fourth / n - squares) / (d * n);
    let spread = squares / d - mean * mean;
    let noise = noise.min(spread);
    if rows.ncols() == 1 || noise <= 0.0 { 0.0 } else { noise / spread }
}

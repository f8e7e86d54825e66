//! One layer's features, brought to a common scale once, for every fit on any part of its rows.
//!
//! Standardising belongs inside the training part, so the features of two folds differ. But they differ only by a shift
//! and a stretch of each column, both near 0 and 1: the features are copied once, on the scale of all rows, and each
//! [`Part`] knows its shift and stretch. No fold has a copy of its own.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ndarray::{Array1, ArrayView2};
use rayon::prelude::*;

use crate::columns::Columns;
use crate::scale::Scaler;
use crate::spectrum::Spectrum;

/// Rows summed before their sums are added to those of others; fixed, so that no sum depends on the threads.
const CHUNK: usize = 128;

/// Features on a common scale, `z = (x - mean) / scale`, for all rows.
pub(crate) struct Base {
    standardise: bool,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// `[D, N]`: a column for every row of the features; the precision in which fits are judged.
    double: Columns<f64>,
    /// The same in the precision in which steps are sought.
    single: Columns<f32>,
    spectrum: OnceLock<Spectrum>,
}

/// Some of the rows to fit on, and what brings [`Base`] to zero mean (and unit variance) on them: `(z - shift) stretch`.
pub(crate) struct Part {
    /// Whether each row is one of them.
    pub(crate) inside: Vec<bool>,
    /// How many are.
    pub(crate) rows: f64,
    pub(crate) shift: Vec<f64>,
    /// 0 for a column that is constant in the part: it can say nothing.
    pub(crate) stretch: Vec<f64>,
    pub(crate) shift32: Vec<f32>,
    pub(crate) stretch32: Vec<f32>,
}

/// Sums of each column, and of its squares, over some rows.
struct Moments {
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Moments {
    fn zeros(width: usize) -> Self {
        Self { first: vec![0.0; width], second: vec![0.0; width] }
    }

    fn add(mut self, other: &Self) -> Self {
        self.first.iter_mut().zip(&other.first).for_each(|(sum, more)| *sum += more);
        self.second.iter_mut().zip(&other.second).for_each(|(sum, more)| *sum += more);
        self
    }

    /// `add` puts a row's values onto the sums.
    fn of(width: usize, rows: &[usize], add: impl Fn(usize, &mut Self) + Sync) -> Self {
        let chunks: Vec<Self> = rows
            .par_chunks(CHUNK)
            .map(|rows| {
                let mut moments = Self::zeros(width);
                rows.iter().for_each(|&row| add(row, &mut moments));
                moments
            })
            .collect();
        chunks.iter().fold(Self::zeros(width), |sum, chunk| sum.add(chunk))
    }

    fn put(&mut self, column: usize, value: f64) {
        self.first[column] += value;
        self.second[column] += value * value;
    }
}

impl Base {
    /// Copies the features `[N, D]`; a column that is constant keeps its scale.
    pub(crate) fn new<T: Copy + Into<f64> + Sync>(x: ArrayView2<T>, standardise: bool) -> Self {
        let (n, d) = x.dim();
        let rows: Vec<usize> = (0..n).collect();
        let about = |mean: &[f64]| {
            Moments::of(d, &rows, |row, moments| {
                let columns = x.row(row).into_iter().zip(mean).enumerate();
                columns.for_each(|(column, (&value, mean))| moments.put(column, value.into() - mean));
            })
        };
        let mean: Vec<f64> = about(&vec![0.0; d]).first.iter().map(|sum| sum / n as f64).collect();
        let scale = match standardise {
            true => {
                let moments = about(&mean);
                (0..d)
                    .map(|column| deviation(&moments, column, n as f64, mean[column]).unwrap_or(1.0))
                    .collect()
            }
            false => vec![1.0; d],
        };
        let double = Columns::build(d, n, |row, values| {
            for (column, (to, &value)) in values.iter_mut().zip(x.row(row)).enumerate() {
                *to = (value.into() - mean[column]) / scale[column];
            }
        });
        let single = Columns::build(d, n, |row, values: &mut [f32]| {
            values.iter_mut().zip(double.col(row)).for_each(|(to, &value)| *to = value as f32);
        });
        Self { standardise, mean, scale, double, single, spectrum: OnceLock::new() }
    }

    pub(crate) fn n(&self) -> usize {
        self.double.count()
    }

    pub(crate) fn d(&self) -> usize {
        self.double.height()
    }

    /// `[D, N]`.
    pub(crate) fn double(&self) -> &Columns<f64> {
        &self.double
    }

    /// `[D, N]`.
    pub(crate) fn single(&self) -> &Columns<f32> {
        &self.single
    }

    /// The leading directions of all rows; found when a solver first asks.
    pub(crate) fn spectrum(&self) -> &Spectrum {
        self.spectrum.get_or_init(|| Spectrum::of(&self.single))
    }

    /// The parts that hold the given rows.
    pub(crate) fn parts(&self, rows: &[Vec<usize>]) -> Vec<Part> {
        let inside: Vec<Vec<bool>> = rows
            .iter()
            .map(|rows| {
                let mut inside = vec![false; self.n()];
                rows.iter().for_each(|&row| inside[row] = true);
                inside
            })
            .collect();
        // Rows that belong to the same parts are summed once.
        let mut blocks: BTreeMap<Vec<bool>, Vec<usize>> = BTreeMap::new();
        for row in 0..self.n() {
            blocks.entry(inside.iter().map(|part| part[row]).collect()).or_default().push(row);
        }
        let sums: Vec<(Vec<bool>, Moments)> = blocks
            .into_iter()
            .map(|(member, rows)| {
                let sums = Moments::of(self.d(), &rows, |row, moments| {
                    let columns = self.double.col(row).iter().enumerate();
                    columns.for_each(|(column, &value)| moments.put(column, value));
                });
                (member, sums)
            })
            .collect();
        inside
            .into_iter()
            .enumerate()
            .map(|(part, inside)| {
                let own = sums.iter().filter(|(member, _)| member[part]);
                self.part(inside, &own.fold(Moments::zeros(self.d()), |sum, (_, block)| sum.add(block)))
            })
            .collect()
    }

    fn part(&self, inside: Vec<bool>, sums: &Moments) -> Part {
        let rows = inside.iter().filter(|&&inside| inside).count() as f64;
        let shift: Vec<f64> = sums.first.iter().map(|sum| sum / rows).collect();
        let stretch: Vec<f64> = match self.standardise {
            true => (0..self.d())
                .map(|column| {
                    // What the mean is in units of the base scale decides what is rounding.
                    let mean = self.mean[column] / self.scale[column] + shift[column];
                    // A column that is constant in the part keeps its raw scale.
                    deviation(sums, column, rows, mean)
                        .map_or(self.scale[column], |deviation| 1.0 / deviation)
                })
                .collect(),
            false => vec![1.0; self.d()],
        };
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        Part { inside, rows, shift32: narrow(&shift), stretch32: narrow(&stretch), shift, stretch }
    }

    /// The standardiser of a part, in raw units, and the mean of what it gives: zero when it standardises.
    pub(crate) fn scaler(&self, part: &Part) -> (Scaler, Array1<f64>) {
        let columns = 0..self.d();
        let mean: Array1<f64> = columns
            .clone()
            .map(|column| self.mean[column] + part.shift[column] * self.scale[column])
            .collect();
        if !self.standardise {
            return (Scaler::identity(self.d()), mean);
        }
        let scale = |column: usize| match part.stretch[column] {
            0.0 => 1.0,
            stretch => self.scale[column] / stretch,
        };
        let scale = columns.map(scale).collect();
        (Scaler { mean, scale }, Array1::zeros(self.d()))
    }
}

/// The population standard deviation of a column of the given mean; none where all that varies is rounding, of the values
/// or of their sums.
fn deviation(sums: &Moments, column: usize, rows: f64, mean: f64) -> Option<f64> {
    let variance = sums.second[column] / rows - (sums.first[column] / rows).powi(2);
    let rounding = (rows * mean * f64::EPSILON).powi(2) + f64::EPSILON * sums.second[column];
    (variance > rounding).then(|| variance.sqrt())
}

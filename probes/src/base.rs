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

/// The mean of each column over some rows, and the sum of squared distances from it.
struct Moments {
    rows: f64,
    mean: Vec<f64>,
    spread: Vec<f64>,
}

impl Moments {
    fn none(width: usize) -> Self {
        Self { rows: 0.0, mean: vec![0.0; width], spread: vec![0.0; width] }
    }

    /// Of the rows that `read` gives.
    fn of<I: Iterator<Item = f64>>(width: usize, rows: &[usize], read: impl Fn(usize) -> I + Sync) -> Self {
        let chunk = |rows: &[usize]| {
            let mut moments = Self { rows: rows.len() as f64, ..Self::none(width) };
            for &row in rows {
                moments.mean.iter_mut().zip(read(row)).for_each(|(sum, value)| *sum += value);
            }
            moments.mean.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
            for &row in rows {
                let columns = moments.spread.iter_mut().zip(&moments.mean).zip(read(row));
                columns.for_each(|((sum, mean), value)| *sum += (value - mean) * (value - mean));
            }
            moments
        };
        let chunks: Vec<Self> = rows.par_chunks(CHUNK).map(chunk).collect();
        chunks.iter().fold(Self::none(width), Self::with)
    }

    /// Of both together (Chan, Golub and LeVeque, 1983), which loses nothing to cancellation.
    fn with(mut self, other: &Self) -> Self {
        let rows = self.rows + other.rows;
        for column in 0..self.mean.len() {
            let apart = other.mean[column] - self.mean[column];
            self.mean[column] += apart * other.rows / rows;
            self.spread[column] += other.spread[column] + apart * apart * self.rows * other.rows / rows;
        }
        Self { rows, ..self }
    }

    /// The population standard deviation of a column whose mean was `mean` before the base took its own away; none where
    /// all that varies is rounding.
    fn deviation(&self, column: usize, mean: f64) -> Option<f64> {
        let variance = self.spread[column] / self.rows;
        let rounding = self.rows * mean.abs().max(self.mean[column].abs()) * f64::EPSILON;
        (variance > rounding * rounding).then(|| variance.sqrt())
    }
}

impl Base {
    /// Copies the features `[N, D]`; a column that is constant keeps its scale.
    pub(crate) fn new(x: ArrayView2<f32>, standardise: bool) -> Self {
        let (n, d) = x.dim();
        let rows: Vec<usize> = (0..n).collect();
        let moments = Moments::of(d, &rows, |row| x.row(row).into_iter().map(|&value| f64::from(value)));
        let scale = match standardise {
            true => {
                (0..d).map(|column| moments.deviation(column, moments.mean[column]).unwrap_or(1.0)).collect()
            }
            false => vec![1.0; d],
        };
        let mean = moments.mean;
        let double = Columns::build(d, n, |row, values| {
            for (column, (to, &value)) in values.iter_mut().zip(x.row(row)).enumerate() {
                *to = (f64::from(value) - mean[column]) / scale[column];
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
        let moments: Vec<(Vec<bool>, Moments)> = blocks
            .into_iter()
            .map(|(member, rows)| {
                (member, Moments::of(self.d(), &rows, |row| self.double.col(row).iter().copied()))
            })
            .collect();
        inside
            .into_iter()
            .enumerate()
            .map(|(part, inside)| {
                let own = moments.iter().filter(|(member, _)| member[part]);
                self.part(inside, own.fold(Moments::none(self.d()), |sum, (_, block)| sum.with(block)))
            })
            .collect()
    }

    fn part(&self, inside: Vec<bool>, moments: Moments) -> Part {
        let stretch: Vec<f64> = match self.standardise {
            true => (0..self.d())
                .map(|column| {
                    // What the mean is in units of the base scale decides what is rounding.
                    let mean = self.mean[column] / self.scale[column] + moments.mean[column];
                    moments.deviation(column, mean).map_or(0.0, |deviation| 1.0 / deviation)
                })
                .collect(),
            false => vec![1.0; self.d()],
        };
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        let (rows, shift) = (moments.rows, moments.mean);
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

//! Held-out decisions of a ridge regression for thousands of labellings of the same rows.
//!
//! The decisions of a ridge fit are linear in its labels. What takes the labels of a training part to the decisions of
//! the rows held out is computed once a fold; any number of labellings is then a product of matrices. Columns are scaled
//! over all rows: labels do not enter that, so exchanging labels stays a fair test.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, MatRef, Side};
use rayon::prelude::*;

use crate::base::Base;
use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::estimator::Twin;
use crate::folds::Folds;

/// Labellings `[P][N]` of the rows of a layer, and the AUROC that the twin's pooled out-of-fold decisions reach under each.
///
/// # Errors
/// [`Error::NoDecomposition`].
pub(crate) fn aurocs(base: &Base, folds: &Folds, twin: Twin, labellings: &[Vec<bool>]) -> Result<Vec<f64>> {
    let shared = Shared::new(base, twin.penalty);
    let mut decisions = Columns::<f32>::zeros(base.n(), labellings.len());
    for fold in 0..folds.k() {
        let (train, held) = folds.split(fold);
        let (centred, rates) = centred(labellings, &train);
        let answers = shared.answers(&train, &held, &centred)?;
        decisions.update(|labelling, values| {
            for (&row, &answer) in held.iter().zip(answers.col(labelling)) {
                values[row] = answer + rates[labelling];
            }
        });
    }
    let auroc = |(at, labels): (usize, &Vec<bool>)| auroc(decisions.col(at), labels);
    Ok(labellings.par_iter().enumerate().map(auroc).collect())
}

/// Labels of the training rows less their mean, `[T, P]`, and the means.
fn centred(labellings: &[Vec<bool>], train: &[usize]) -> (Columns<f32>, Vec<f32>) {
    let rate =
        |labels: &Vec<bool>| train.iter().filter(|&&row| labels[row]).count() as f32 / train.len() as f32;
    let rates: Vec<f32> = labellings.iter().map(rate).collect();
    let centred = Columns::build(train.len(), labellings.len(), |at, values: &mut [f32]| {
        for (to, &row) in values.iter_mut().zip(train) {
            *to = f32::from(u8::from(labellings[at][row])) - rates[at];
        }
    });
    (centred, rates)
}

/// What the folds of a layer share: the products of its columns, or of its rows where these are fewer.
struct Shared<'a> {
    base: &'a Base,
    penalty: f64,
    products: Columns<f64>,
}

impl<'a> Shared<'a> {
    fn new(base: &'a Base, penalty: f64) -> Self {
        let z = base.double().as_mat();
        let products = match base.d() <= base.n() {
            true => Columns::gram(z),
            false => Columns::gram(z.transpose()),
        };
        Self { base, penalty, products }
    }

    /// Decisions of the rows held out, less the rate, `[H, P]`.
    fn answers(&self, train: &[usize], held: &[usize], centred: &Columns<f32>) -> Result<Columns<f32>> {
        match self.base.d() <= self.base.n() {
            true => self.by_columns(train, held, centred),
            false => self.by_rows(train, held, centred),
        }
    }

    fn by_columns(&self, train: &[usize], held: &[usize], centred: &Columns<f32>) -> Result<Columns<f32>> {
        let (base, mean) = (self.base, mean(self.base.double(), train));
        let mut weights = Columns::product(gathered(base.single(), train).as_mat(), centred.as_mat());
        if self.penalty.is_finite() {
            let outside = gathered(base.double(), held);
            let left_out = Columns::gram(outside.as_mat());
            let scatter = Mat::from_fn(base.d(), base.d(), |i, j| {
                let shifted = train.len() as f64 * mean[i] * mean[j];
                let ridge = if i == j { self.penalty } else { 0.0 };
                self.products.col(j)[i] - left_out.col(j)[i] - shifted + ridge
            });
            let pulled = weights.as_mat();
            let wide = Mat::from_fn(pulled.nrows(), pulled.ncols(), |i, j| f64::from(pulled[(i, j)]));
            weights = narrow(factor(scatter.as_ref())?.solve(wide).as_ref());
        }
        let mut others = gathered(base.single(), held);
        others.update(|_, row| row.iter_mut().zip(&mean).for_each(|(value, &mean)| *value -= mean as f32));
        Ok(Columns::product(others.as_mat().transpose(), weights.as_mat()))
    }

    fn by_rows(&self, train: &[usize], held: &[usize], centred: &Columns<f32>) -> Result<Columns<f32>> {
        // Centring by the means of the training rows, in terms of products.
        let average = |&row: &usize| {
            train.iter().map(|&other| self.products.col(row)[other]).sum::<f64>() / train.len() as f64
        };
        let own: Vec<f64> = train.par_iter().map(average).collect();
        let others: Vec<f64> = held.par_iter().map(average).collect();
        let grand = own.iter().sum::<f64>() / train.len() as f64;
        let across = Columns::build(train.len(), held.len(), |h, values: &mut [f64]| {
            for (t, to) in values.iter_mut().enumerate() {
                *to = self.products.col(held[h])[train[t]] - own[t] - others[h] + grand;
            }
        });
        let operator = match self.penalty.is_finite() {
            false => narrow(across.as_mat()),
            true => {
                let scatter = Columns::build(train.len(), train.len(), |s, values: &mut [f64]| {
                    for (t, to) in values.iter_mut().enumerate() {
                        *to = self.products.col(train[s])[train[t]] - own[t] - own[s] + grand;
                    }
                    values[s] += self.penalty;
                });
                narrow(factor(scatter.as_mat())?.solve(across.as_mat()).as_ref())
            }
        };
        Ok(Columns::product(operator.as_mat().transpose(), centred.as_mat()))
    }
}

fn factor(matrix: MatRef<f64>) -> Result<Llt<f64>> {
    matrix.llt(Side::Lower).map_err(|_| Error::NoDecomposition { size: matrix.nrows() })
}

fn narrow(matrix: MatRef<f64>) -> Columns<f32> {
    Columns::build(matrix.nrows(), matrix.ncols(), |column, values: &mut [f32]| {
        values.iter_mut().enumerate().for_each(|(row, to)| *to = matrix[(row, column)] as f32);
    })
}

/// Some rows of the features, `[D, rows]`.
fn gathered<T: Copy + Default + Send + Sync>(features: &Columns<T>, rows: &[usize]) -> Columns<T> {
    Columns::build(features.height(), rows.len(), |at, values: &mut [T]| {
        values.copy_from_slice(features.col(rows[at]));
    })
}

fn mean(features: &Columns<f64>, rows: &[usize]) -> Vec<f64> {
    let mut mean = vec![0.0; features.height()];
    for &row in rows {
        mean.iter_mut().zip(features.col(row)).for_each(|(sum, value)| *sum += value);
    }
    mean.iter().map(|sum| sum / rows.len() as f64).collect()
}

/// The area under the ROC curve, ties counting half; not a number with one class.
fn auroc(decisions: &[f32], labels: &[bool]) -> f64 {
    // A float's bits, made to sort as the float does, with the label below.
    let key = |(&decision, &label): (&f32, &bool)| {
        let bits = (decision + 0.0).to_bits();
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        u64::from(ordered) << 1 | u64::from(label)
    };
    let mut keys: Vec<u64> = decisions.iter().zip(labels).map(key).collect();
    keys.sort_unstable();
    let (mut below, mut positives, mut ordered) = (0.0, 0.0, 0.0);
    for block in keys.chunk_by(|a, b| a >> 1 == b >> 1) {
        let own = block.iter().filter(|&&key| key & 1 == 1).count() as f64;
        let negatives = block.len() as f64 - own;
        ordered += own * (below + negatives / 2.0);
        below += negatives;
        positives += own;
    }
    ordered / (below * positives)
}

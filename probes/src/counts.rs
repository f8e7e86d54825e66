//! Logistic regression on features that are almost all zero, such as counts of words.
//!
//! Newton's method whose steps are found by conjugate gradients, scaled by the diagonal of the Hessian (Lin, Weng and
//! Keerthi, 2008): an iteration costs as much as the entries that are not zero, whatever the number of columns.

use crate::error::{Error, Result};
use crate::logistic::Logistic;
use crate::newton::sigmoid;

const MAX_INNER: usize = 500;
const MAX_HALVINGS: usize = 40;

/// The entries of a row that are not zero: (column, value), each column once.
pub(crate) type Row = Vec<(usize, f64)>;

/// A fit on sparse rows: weights of the columns, and behind them the intercept.
#[derive(Debug, Clone)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// The decision of a row.
    pub(crate) fn decision(&self, row: &Row) -> f64 {
        self.0[self.0.len() - 1] + row.iter().map(|&(column, value)| self.0[column] * value).sum::<f64>()
    }
}

/// Rows with their labels, and the weights of the penalty: none on the intercept.
struct Problem<'a> {
    rows: &'a [&'a Row],
    labels: &'a [bool],
    width: usize,
    penalty: f64,
}

/// Minimises `Σ log-loss + |w|² / (2 C)` over the weights of `width` columns and a free intercept, on raw counts.
///
/// # Errors
/// [`Error::NotConverged`] where the gradient does not get as small as the settings ask.
pub(crate) fn fit(rows: &[&Row], labels: &[bool], width: usize, settings: &Logistic) -> Result<Weights> {
    let problem = Problem { rows, labels, width, penalty: 1.0 / settings.c };
    let rate = labels.iter().filter(|&&label| label).count() as f64 / labels.len() as f64;
    let mut weights = vec![0.0; width + 1];
    weights[width] = (rate / (1.0 - rate)).ln();
    let mut margins = problem.times(&weights);
    let mut gradient = problem.gradient(&weights, &margins);
    let first = norm(&gradient);
    let wanted = (settings.tolerance * first).max(f64::EPSILON * labels.len() as f64);
    for _ in 0..settings.max_steps {
        let size = norm(&gradient);
        if size <= wanted {
            break;
        }
        let step = problem.newton_step(&margins, &gradient, (size / first).sqrt().min(0.1) * size);
        let change = problem.times(&step);
        let length = problem.step_length(&weights, &margins, &gradient, &step, &change);
        add(&mut weights, length, &step);
        add(&mut margins, length, &change);
        gradient = problem.gradient(&weights, &margins);
    }
    let reached = norm(&gradient);
    if reached <= wanted {
        return Ok(Weights(weights));
    }
    Err(Error::NotConverged { iterations: settings.max_steps, gradient: reached, wanted })
}

impl Problem<'_> {
    /// The product of the rows, an intercept of 1 behind each, with a vector of their columns.
    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let product = |row: &&Row| {
            vector[self.width] + row.iter().map(|&(column, value)| vector[column] * value).sum::<f64>()
        };
        self.rows.iter().map(product).collect()
    }

    /// The sum of the rows, each as often as `shares` says, with the penalty of `vector`.
    fn gathered(&self, shares: impl Iterator<Item = f64>, vector: &[f64]) -> Vec<f64> {
        let mut sum: Vec<f64> = vector.iter().map(|value| value * self.penalty).collect();
        sum[self.width] = 0.0;
        for (row, share) in self.rows.iter().zip(shares) {
            row.iter().for_each(|&(column, value)| sum[column] += share * value);
            sum[self.width] += share;
        }
        sum
    }

    fn gradient(&self, weights: &[f64], margins: &[f64]) -> Vec<f64> {
        let residuals = margins.iter().zip(self.labels);
        self.gathered(residuals.map(|(&margin, &label)| sigmoid(margin) - f64::from(label)), weights)
    }

    /// Minus the inverse Hessian times the gradient, to a residual of `enough`.
    fn newton_step(&self, margins: &[f64], gradient: &[f64], enough: f64) -> Vec<f64> {
        let curvature: Vec<f64> = margins.iter().map(|&m| sigmoid(m) * sigmoid(-m)).collect();
        let mut diagonal = vec![self.penalty; self.width + 1];
        diagonal[self.width] = curvature.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        for (row, curvature) in self.rows.iter().zip(&curvature) {
            row.iter().for_each(|&(column, value)| diagonal[column] += curvature * value * value);
        }
        let scaled = |residual: &[f64]| -> Vec<f64> {
            residual.iter().zip(&diagonal).map(|(value, diagonal)| value / diagonal).collect()
        };
        let mut step = vec![0.0; self.width + 1];
        let mut residual: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut direction = scaled(&residual);
        let mut size = dot(&residual, &direction);
        for _ in 0..MAX_INNER {
            let along = self.times(&direction);
            let bent = along.iter().zip(&curvature).map(|(value, curvature)| value * curvature);
            let bent = self.gathered(bent, &direction);
            let length = size / dot(&direction, &bent);
            if !length.is_finite() {
                break;
            }
            add(&mut step, length, &direction);
            add(&mut residual, -length, &bent);
            if norm(&residual) <= enough {
                break;
            }
            let next = scaled(&residual);
            let before = std::mem::replace(&mut size, dot(&residual, &next));
            for (direction, next) in direction.iter_mut().zip(next) {
                *direction = next + size / before * *direction;
            }
        }
        step
    }

    /// The largest of 1, 1/2, 1/4, ... at which the objective falls as it must (Armijo, 1966), or, where its change is
    /// lost in rounding, its slope does (Hager and Zhang, 2005).
    fn step_length(
        &self,
        weights: &[f64],
        margins: &[f64],
        gradient: &[f64],
        step: &[f64],
        change: &[f64],
    ) -> f64 {
        // Loss, its derivative and the penalty's two at a length; the intercept pays no penalty.
        let at = |length: f64| {
            let (mut objective, mut slope) = (0.0, 0.0);
            for ((margin, change), &label) in margins.iter().zip(change).zip(self.labels) {
                let margin = margin + length * change;
                let against = if label { -margin } else { margin };
                objective += against.max(0.0) + (-against.abs()).exp().ln_1p();
                slope += (sigmoid(margin) - f64::from(label)) * change;
            }
            for (weight, step) in weights[..self.width].iter().zip(step) {
                let weight = weight + length * step;
                objective += self.penalty / 2.0 * weight * weight;
                slope += self.penalty * weight * step;
            }
            (objective, slope)
        };
        let ((start, _), slope) = (at(0.0), dot(gradient, step));
        let falls = |length: &f64| {
            let (objective, there) = at(*length);
            objective <= start + 1e-4 * length * slope
                || (objective <= start + 1e-6 * start && there <= (2e-4 - 1.0) * slope)
        };
        (0..MAX_HALVINGS as i32).map(|halvings| 0.5_f64.powi(halvings)).find(falls).unwrap_or(0.0)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

fn add(to: &mut [f64], factor: f64, vector: &[f64]) {
    to.iter_mut().zip(vector).for_each(|(to, value)| *to += factor * value);
}

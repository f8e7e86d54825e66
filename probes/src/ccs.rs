//! Contrast-consistent search.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip, concatenate, s};
use rayon::prelude::*;

use crate::axes::Axes;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::estimator::{Estimator, Twin};
use crate::lbfgs::{self, Point};
use crate::newton::sigmoid;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::training::{Pairs, TrainingRows};

/// What is subtracted from the members of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centring {
    /// The mean of all members. What tells first from second members counts as the concept, if it does.
    Whole,
    /// The mean of all first members from these, that of all second members from those, as in the paper: there the
    /// first member says yes and the second no, and which of them is true is the concept. First is the member whose
    /// row comes first. Where that is always the same class, the concept itself would be subtracted.
    Members,
}

/// Contrast-consistent search (Burns et al., 2023, "Discovering latent knowledge in language models without supervision").
///
/// With `p = σ(w·x + b)` for both members of a pair, minimises the mean over pairs of
/// `(p₁ + p₂ - 1)² + min(p₁, p₂)²`, plus `decay |w|² / 2`: the two should say opposite things, and say them firmly. Which
/// row of a pair is of which class plays no part; labels only say what makes a pair (a group with rows of both classes,
/// each class as its mean) and, at the end, which side is class 1: that on which the members of class 1 are on average, once
/// centred.
///
/// The paper takes 1,000 steps of AdamW at a rate of 0.001 and a decay of 0.01 from 10 random starts. Here each start,
/// a random one of the directions that set the members of pairs apart, goes down to a minimum, with the decay as a penalty of the objective: AdamW stops early instead, so that its answer
/// depends on the units of the features and on the number of steps. A decision is the log-odds that a row says yes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ccs {
    /// The weight of the penalty; positive. Without one, separable pairs have no minimum.
    pub decay: f64,
    /// Random starts, of which the one with the lowest objective is kept.
    pub restarts: usize,
    /// Names the starts.
    pub seed: u64,
    /// What is subtracted from the members of a pair.
    pub centring: Centring,
    /// Whether columns are brought to unit population variance, on the training rows.
    pub standardise: bool,
}

impl Default for Ccs {
    fn default() -> Self {
        Self { decay: 0.01, restarts: 10, seed: 0, centring: Centring::Whole, standardise: true }
    }
}

/// A search and what became of its starts.
#[derive(Debug, Clone, PartialEq)]
pub struct CcsFit {
    /// The direction of the start that got lowest.
    pub probe: Probe,
    /// What every start came to, in their order.
    pub restarts: Vec<Restart>,
    /// Which of them was kept.
    pub best: usize,
}

/// Where a start ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// Consistency and confidence, without the penalty: 0 at best, 1/4 for a probe that always says one half.
    pub loss: f64,
    /// The loss with the penalty.
    pub objective: f64,
    /// The gradient norm there; not near 0 if it ended in a kink of the minimum of two probabilities.
    pub gradient: f64,
}

const MAX_STEPS: usize = 1000;
const TOLERANCE: f64 = 1e-9;

impl Estimator for Ccs {
    /// # Errors
    /// As [`Ccs::search`].
    fn fit_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Probe> {
        Ok(self.search(data, rows)?.probe)
    }

    /// The difference of means, which shares no more than the data with it.
    fn twin(&self, _data: &Dataset) -> Twin {
        Twin { penalty: f64::INFINITY, standardise: self.standardise }
    }
}

impl Ccs {
    /// Fits on some rows, and says how the starts did.
    ///
    /// # Errors
    /// [`Error::BadSetting`], [`Error::OneClass`], [`Error::NoPairs`], [`Error::OrderIsLabel`], [`Error::NoVariance`]
    /// or [`Error::NoDecomposition`].
    pub fn search(&self, data: &Dataset, rows: &[usize]) -> Result<CcsFit> {
        self.check()?;
        let training = TrainingRows::new(data, rows, self.standardise)?;
        let members = self.members(training.pairs()?)?;
        let loss = Loss::new(&members.both, self.decay)?;
        let ends: Vec<Point> = (0..self.restarts)
            .into_par_iter()
            .map(|restart| loss.descend(loss.start(&mut Rng::stream(self.seed, restart as u64))))
            .collect();
        let lowest = |&a: &usize, &b: &usize| ends[a].value.total_cmp(&ends[b].value);
        let best = (0..ends.len()).min_by(lowest).unwrap_or(0);
        let (mut coef, mut bias) = loss.weights(&ends[best]);
        if coef.dot(&members.towards) < 0.0 {
            (coef, bias) = (-coef, -bias);
        }
        let intercept = bias - coef.dot(&members.centre);
        let restarts = ends.iter().map(|end| loss.report(end)).collect();
        Ok(CcsFit { probe: training.probe(coef, intercept), restarts, best })
    }

    fn check(&self) -> Result<()> {
        if !(self.decay > 0.0 && self.decay.is_finite()) {
            return Err(Error::BadSetting {
                name: "decay",
                value: self.decay,
                wanted: "positive and finite",
            });
        }
        if self.restarts == 0 {
            return Err(Error::BadSetting { name: "restarts", value: 0.0, wanted: "at least 1" });
        }
        Ok(())
    }

    fn members(&self, pairs: Pairs) -> Result<Members> {
        let Pairs { negative, positive, positive_first } = pairs;
        let (mut first, mut second) = (negative, positive);
        // +1 where the second member is of class 1.
        let mut order = Array1::ones(positive_first.len());
        if self.centring == Centring::Members {
            if positive_first.iter().all(|&order| order == positive_first[0]) {
                return Err(Error::OrderIsLabel);
            }
            for (pair, _) in positive_first.iter().enumerate().filter(|(_, order)| **order) {
                let (mut a, mut b) = (first.row_mut(pair), second.row_mut(pair));
                Zip::from(&mut a).and(&mut b).for_each(std::mem::swap);
                order[pair] = -1.0;
            }
        }
        let mean = |side: &Array2<f64>| side.sum_axis(Axis(0)) / side.nrows() as f64;
        let (mean1, mean2) = (mean(&first), mean(&second));
        let centre = (&mean1 + &mean2) / 2.0;
        match self.centring {
            Centring::Members => (first, second) = (first - &mean1, second - &mean2),
            Centring::Whole => (first, second) = (first - &centre, second - &centre),
        }
        let towards = (&second - &first).t().dot(&order);
        Ok(Members { both: concatenate![Axis(0), first, second], centre, towards })
    }
}

/// The members of pairs, centred.
struct Members {
    /// First members above second ones, `[2 pairs, D]`.
    both: Array2<f64>,
    /// What stands for the centre of any other row.
    centre: Array1<f64>,
    /// From class 0 to class 1, once centred.
    towards: Array1<f64>,
}

/// The objective along the principal axes of the members, in units in which its curvature is even.
struct Loss {
    axes: Axes,
    /// The unit of each weight and, last, of the bias.
    units: Array1<f64>,
    decay: f64,
}

impl Loss {
    /// `members` is `[2 pairs, D]`, first members above second ones.
    fn new(members: &Array2<f64>, decay: f64) -> Result<Self> {
        let axes = Axes::of(members.view())?;
        if axes.values.is_empty() {
            return Err(Error::NoVariance);
        }
        let n = members.nrows() as f64;
        let units = axes.values.iter().map(|value| 1.0 / (value / n / 4.0 + decay).sqrt());
        let units = units.chain([2.0]).collect();
        Ok(Self { axes, units, decay })
    }

    /// A direction along which the members of pairs lie far apart, with margins of about 1: near zero weights, that is
    /// all the loss asks for. From random signs of the differences, by the fixed point of Kwak (2008).
    fn start(&self, rng: &mut Rng) -> Array1<f64> {
        let pairs = self.axes.scores.nrows() / 2;
        let differences = &self.axes.scores.slice(s![..pairs, ..]) - &self.axes.scores.slice(s![pairs.., ..]);
        let mut signs = Array1::from_shape_simple_fn(pairs, || if rng.next() & 1 == 0 { 1.0 } else { -1.0 });
        let mut direction = differences.t().dot(&signs);
        for _ in 0..MAX_STEPS {
            let next = differences.dot(&direction).mapv(f64::signum);
            if next == signs {
                break;
            }
            signs = next;
            direction = differences.t().dot(&signs);
        }
        let margins = self.axes.scores.dot(&direction);
        let scale = (margins.len() as f64 / margins.dot(&margins).max(f64::MIN_POSITIVE)).sqrt();
        let start: Array1<f64> = direction.iter().map(|weight| weight * scale).chain([0.0]).collect();
        start / &self.units
    }

    fn descend(&self, start: Array1<f64>) -> Point {
        lbfgs::minimise(|at| self.at(at), start, TOLERANCE, MAX_STEPS)
    }

    fn at(&self, at: Array1<f64>) -> Point {
        let parameters = &at * &self.units;
        let (weights, bias) = (parameters.slice(s![..-1]), parameters[parameters.len() - 1]);
        let margins = self.axes.scores.dot(&weights) + bias;
        let (loss, pulls) = consistency(margins.view());
        let slope = pulls.sum();
        let mut gradient = self.axes.scores.t().dot(&pulls);
        gradient.scaled_add(self.decay, &weights);
        let value = loss + self.decay / 2.0 * weights.dot(&weights);
        let gradient: Array1<f64> = gradient.into_iter().chain([slope]).collect();
        Point { norm: gradient.dot(&gradient).sqrt(), gradient: gradient * &self.units, at, value }
    }

    /// The weight of each column, and the bias.
    fn weights(&self, point: &Point) -> (Array1<f64>, f64) {
        let parameters = &point.at * &self.units;
        (self.axes.basis.dot(&parameters.slice(s![..-1])), parameters[parameters.len() - 1])
    }

    fn report(&self, point: &Point) -> Restart {
        let (weights, _) = self.weights(point);
        let penalty = self.decay / 2.0 * weights.dot(&weights);
        Restart { loss: point.value - penalty, objective: point.value, gradient: point.norm }
    }
}

/// The mean of `(p₁ + p₂ - 1)² + min(p₁, p₂)²` over pairs, and its derivative by every margin. The margins of first
/// members come before those of second ones.
fn consistency(margins: ArrayView1<f64>) -> (f64, Array1<f64>) {
    let pairs = margins.len() / 2;
    let mut pulls = Array1::zeros(margins.len());
    let mut loss = 0.0;
    for pair in 0..pairs {
        let (p1, p2) = (sigmoid(margins[pair]), sigmoid(margins[pairs + pair]));
        let (excess, low) = (p1 + p2 - 1.0, p1.min(p2));
        loss += excess * excess + low * low;
        let pull = |p: f64, is_low: bool| {
            (2.0 * excess + if is_low { 2.0 * low } else { 0.0 }) * p * (1.0 - p) / pairs as f64
        };
        pulls[pair] = pull(p1, p1 <= p2);
        pulls[pairs + pair] = pull(p2, p2 < p1);
    }
    (loss / pairs as f64, pulls)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lbfgs::slopes_agree;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let members = Array2::from_shape_fn((14, 5), |(i, j)| ((i * 31 + j * 17 + i * j) as f64).sin());
        let loss = Loss::new(&members, 0.03).unwrap();
        let at: Array1<f64> = (0..6).map(|i| 0.3 * (i as f64 + 0.5).cos()).collect();
        slopes_agree(|at| loss.at(at), &at, 1e-9);
    }

    #[test]
    fn a_probe_that_always_says_one_half_loses_a_quarter() {
        assert_eq!(consistency(Array1::zeros(8).view()).0, 0.25);
    }
}

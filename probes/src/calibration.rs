//! From decisions to probabilities.
//!
//! The decisions of a probe on the rows it was fitted on are too sure of themselves, so a calibration is fitted on
//! decisions of held-out groups: those of [`Estimator::cross_validate`] for a probe that is to score other states, and
//! those of inner folds where the calibrated probabilities are themselves to be judged ([`Calibrator::cross_fitted`]).

use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::folds::Folds;
use crate::nested::{decide, inside};
use crate::newton::sigmoid;

/// The Newton steps after which Platt's two parameters would be given up; a handful suffice.
const MAX_STEPS: usize = 100;

/// How decisions are made into probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calibrator {
    /// A logistic curve of two parameters: for few rows.
    Platt,
    /// Any curve that does not fall: for many rows, as it can follow noise.
    Isotonic,
}

/// A fitted map from decisions to probabilities of class 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// See [`Platt`].
    Platt(Platt),
    /// See [`Isotonic`].
    Isotonic(Isotonic),
}

impl Calibration {
    /// Fits on decisions of rows that the probe was not fitted on.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::NotANumber`], [`Error::NotConverged`].
    pub fn fit(calibrator: Calibrator, decisions: &[f64], labelled: &Labelled) -> Result<Self> {
        labelled.check("decisions", decisions.len())?;
        if let Some(row) = decisions.iter().position(|decision| !decision.is_finite()) {
            return Err(Error::NotANumber { row });
        }
        Ok(match calibrator {
            Calibrator::Platt => Self::Platt(Platt::fit(decisions, labelled)?),
            Calibrator::Isotonic => Self::Isotonic(Isotonic::fit(decisions, labelled.labels())),
        })
    }

    /// The probability of class 1.
    pub fn probability(&self, decision: f64) -> f64 {
        match self {
            Self::Platt(platt) => sigmoid(platt.log_odds(decision)),
            Self::Isotonic(isotonic) => isotonic.probability(decision),
        }
    }

    /// `ln(p / (1 - p))` of that probability: a decision that every [`crate::Metric`] reads rightly. Infinite where the
    /// probability is 0 or 1.
    pub fn log_odds(&self, decision: f64) -> f64 {
        match self {
            Self::Platt(platt) => platt.log_odds(decision),
            Self::Isotonic(isotonic) => {
                let probability = isotonic.probability(decision);
                (probability / (1.0 - probability)).ln()
            }
        }
    }
}

impl Calibrator {
    /// The calibrated log-odds of every row, `[N]`. Inside the training part of each outer fold, decisions of `inner`
    /// grouped folds are calibrated; the probe is then fitted on the whole part and decides the held-out rows, whose
    /// labels have had no say in either. [`crate::Evaluation`] scores these beside the raw decisions.
    ///
    /// # Errors
    /// Those of the folds, of the estimator and of [`Calibration::fit`].
    pub fn cross_fitted(
        self,
        estimator: &(impl Estimator + ?Sized),
        data: &Dataset,
        folds: &Folds,
        inner: usize,
        seed: u64,
    ) -> Result<Vec<f64>> {
        folds.held_out(data.labelled().n(), |train, held_out| {
            let (part, inside) = inside(data.labelled(), train, inner, seed, |train, held_out| {
                decide(estimator, data, train, held_out)
            })?;
            let calibration = Calibration::fit(self, &inside, &part)?;
            let decisions = decide(estimator, data, train, held_out)?;
            Ok(decisions.into_iter().map(|decision| calibration.log_odds(decision)).collect())
        })
    }
}

/// `p = 1 / (1 + exp(-(slope · decision + intercept)))` (Platt, 1999).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    /// The log-odds that a unit of the decision is worth.
    pub slope: f64,
    /// The log-odds of a decision of 0.
    pub intercept: f64,
}

impl Platt {
    /// Minimises the log-loss against targets that stop short of certainty, `(n₁ + 1) / (n₁ + 2)` for class 1 and
    /// `1 / (n₀ + 2)` for class 0, by Newton's method with halved steps (Lin, Lin and Weng, 2007). Decisions that are
    /// all the same have a slope of 0.
    fn fit(decisions: &[f64], labelled: &Labelled) -> Result<Self> {
        let n = decisions.len() as f64;
        let positives = labelled.n_positive() as f64;
        let [low, high] = [1.0 / (n - positives + 2.0), (positives + 1.0) / (positives + 2.0)];
        let targets: Vec<f64> =
            labelled.labels().iter().map(|&label| if label { high } else { low }).collect();
        // Standardised, so that the two parameters are of one size whatever the unit of the decisions.
        let mean = decisions.iter().sum::<f64>() / n;
        let spread = (decisions.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        let rate = targets.iter().sum::<f64>() / n;
        let start = [0.0, (rate / (1.0 - rate)).ln()];
        if decisions.iter().all(|&decision| decision == decisions[0]) {
            return Ok(Self { slope: 0.0, intercept: start[1] });
        }
        let x: Vec<f64> = decisions.iter().map(|value| (value - mean) / spread).collect();
        let [slope, intercept] = newton(&x, &targets, start)?;
        Ok(Self { slope: slope / spread, intercept: intercept - slope * mean / spread })
    }

    fn log_odds(&self, decision: f64) -> f64 {
        self.slope * decision + self.intercept
    }
}

/// The slope and intercept that minimise `Σ ln(1 + exp(m)) - t m` with `m = slope · x + intercept`.
fn newton(x: &[f64], targets: &[f64], start: [f64; 2]) -> Result<[f64; 2]> {
    let loss = |[slope, intercept]: [f64; 2]| -> f64 {
        let each = |(x, target): (&f64, &f64)| {
            let margin = slope * x + intercept;
            margin.max(0.0) + (-margin.abs()).exp().ln_1p() - target * margin
        };
        x.iter().zip(targets).map(each).sum()
    };
    let wanted = 1e-10 * x.len() as f64;
    let mut now = start;
    let mut size = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        let (mut gradient, mut curvature) = ([0.0; 2], [0.0; 3]);
        for (x, target) in x.iter().zip(targets) {
            let probability = sigmoid(now[0] * x + now[1]);
            let (miss, weight) = (probability - target, probability * (1.0 - probability));
            gradient = [gradient[0] + miss * x, gradient[1] + miss];
            curvature = [curvature[0] + weight * x * x, curvature[1] + weight * x, curvature[2] + weight];
        }
        size = gradient[0].hypot(gradient[1]);
        if size <= wanted {
            return Ok(now);
        }
        let determinant = curvature[0] * curvature[2] - curvature[1] * curvature[1];
        let step = [
            (curvature[2] * gradient[0] - curvature[1] * gradient[1]) / determinant,
            (curvature[0] * gradient[1] - curvature[1] * gradient[0]) / determinant,
        ];
        let slope = gradient[0] * step[0] + gradient[1] * step[1];
        // Near the minimum a step gains less than the loss is rounded by, which must not hold it back.
        let before = loss(now) * (1.0 + 1e-12);
        let mut length = 1.0;
        let mut next = [now[0] - step[0], now[1] - step[1]];
        while length > 1e-10 && loss(next) > before - 1e-4 * length * slope {
            length /= 2.0;
            next = [now[0] - length * step[0], now[1] - length * step[1]];
        }
        now = next;
    }
    Err(Error::NotConverged { iterations: MAX_STEPS, gradient: size, wanted })
}

/// The least-squares fit among curves that do not fall (Zadrozny and Elkan, 2002), linear between the decisions seen
/// and level beyond them.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Where the curve has corners, rising.
    decisions: Vec<f64>,
    /// Its probabilities there.
    probabilities: Vec<f64>,
}

impl Isotonic {
    /// Pools adjacent violators (Ayer et al., 1955): neighbours that fall are replaced by their mean until none does.
    fn fit(decisions: &[f64], labels: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..decisions.len()).collect();
        order.sort_by(|&a, &b| decisions[a].total_cmp(&decisions[b]));
        let mut blocks: Vec<Block> = Vec::new();
        for ties in order.chunk_by(|&a, &b| decisions[a] == decisions[b]) {
            let positives = ties.iter().filter(|&&row| labels[row]).count() as f64;
            let here = decisions[ties[0]];
            let mut block = Block { first: here, last: here, positives, rows: ties.len() as f64 };
            while let Some(before) = blocks.pop_if(|before| before.mean() >= block.mean()) {
                block = Block {
                    first: before.first,
                    last: block.last,
                    positives: before.positives + block.positives,
                    rows: before.rows + block.rows,
                };
            }
            blocks.push(block);
        }
        let mut curve = Self { decisions: Vec::new(), probabilities: Vec::new() };
        for block in &blocks {
            for end in [block.first, block.last] {
                if curve.decisions.last() != Some(&end) {
                    curve.decisions.push(end);
                    curve.probabilities.push(block.mean());
                }
            }
        }
        curve
    }

    fn probability(&self, decision: f64) -> f64 {
        let above = self.decisions.partition_point(|&corner| corner < decision);
        if above == 0 {
            return self.probabilities[0];
        }
        if above == self.decisions.len() {
            return self.probabilities[above - 1];
        }
        let [low, high] = [above - 1, above].map(|place| (self.decisions[place], self.probabilities[place]));
        // Rounding must not lift it above the corner, or the curve would fall there.
        (low.1 + (decision - low.0) / (high.0 - low.0) * (high.1 - low.1)).min(high.1)
    }
}

/// Neighbouring decisions that share a probability.
struct Block {
    first: f64,
    last: f64,
    positives: f64,
    rows: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.positives / self.rows
    }
}

//! From decisions to probabilities.

/// A logistic curve over decisions (Platt 1999): the probability is `1 / (1 + exp(-(slope * decision + intercept)))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Log-odds per unit of decision.
    pub slope: f64,
    /// Log-odds at a decision of 0.
    pub intercept: f64,
}

/// Newton steps; the problem is convex in two parameters and a handful suffice.
const STEPS: usize = 100;

impl Calibration {
    /// Fits by maximum likelihood on held-out decisions, with Platt's targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2) in
    /// place of 1 and 0.
    #[must_use]
    pub fn fit(decisions: &[f64], labels: &[bool]) -> Self {
        let positive = labels.iter().filter(|label| **label).count() as f64;
        let negative = labels.len() as f64 - positive;
        let targets = [1.0 / (negative + 2.0), (positive + 1.0) / (positive + 2.0)];
        let rows = || decisions.iter().zip(labels).map(|(&d, &label)| (d, targets[usize::from(label)]));
        let loss = |at: Self| -> f64 {
            let one = |(d, target): (f64, f64)| {
                let log_odds = at.slope * d + at.intercept;
                log_odds.max(0.0) + (-log_odds.abs()).exp().ln_1p() - target * log_odds
            };
            rows().map(one).sum()
        };
        let mut at = Self { slope: 0.0, intercept: ((positive + 1.0) / (negative + 1.0)).ln() };
        for _ in 0..STEPS {
            let (mut g, mut h) = ([0.0; 2], [0.0; 3]);
            for (d, target) in rows() {
                let p = at.probability(d);
                let (error, weight) = (p - target, p * (1.0 - p));
                g = [g[0] + error * d, g[1] + error];
                h = [h[0] + weight * d * d, h[1] + weight * d, h[2] + weight];
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            if determinant <= 0.0 || g[0].abs().max(g[1].abs()) < 1e-10 * labels.len() as f64 {
                break;
            }
            let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
            let (before, mut size) = (loss(at), 1.0);
            let moved = |size: f64| Self {
                slope: at.slope - size * step[0],
                intercept: at.intercept - size * step[1],
            };
            while loss(moved(size)) > before && size > 1e-6 {
                size /= 2.0;
            }
            at = moved(size);
        }
        at
    }

    /// The probability of the positive class.
    #[must_use]
    pub fn probability(&self, decision: f64) -> f64 {
        1.0 / (1.0 + (-(self.slope * decision + self.intercept)).exp())
    }
}

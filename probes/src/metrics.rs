//! Scores of decisions against labels. What is undefined is `None`, never 0.

use crate::newton::sigmoid;

/// The number of equal bins of [`Metric::Ece`].
const BINS: usize = 10;

/// A score of decisions (log-odds of class 1) against labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The area under the ROC curve: the share of pairs of both classes that are ordered rightly, ties counting
    /// half (Mann and Whitney, 1947). Undefined with one class.
    Auroc,
    /// The share of rows whose decision has the sign of their class; a decision of 0 says class 0.
    Accuracy,
    /// The mean of the shares of each class whose decision has the sign of the class (Brodersen et al., 2010).
    /// Undefined with one class.
    BalancedAccuracy,
    /// The mean precision over recall steps, `Σ (Rₖ - Rₖ₋₁) Pₖ` over distinct decisions, without interpolation.
    /// Undefined without positives.
    AveragePrecision,
    /// The mean squared difference of probability and label (Brier, 1950).
    Brier,
    /// The mean of `-ln` of the probability given to the row's own class, in nats. Undefined where that probability is
    /// 0, as it is then infinite.
    LogLoss,
    /// The expected calibration error: over ten equal bins of the probability of class 1, the mean gap of mean
    /// probability and rate of class 1, weighted by rows (Naeini et al., 2015).
    Ece,
}

impl Metric {
    /// Every metric, in the order in which they are reported.
    pub const ALL: [Self; 7] = [
        Self::Auroc,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::AveragePrecision,
        Self::Brier,
        Self::LogLoss,
        Self::Ece,
    ];

    /// The metric of all rows.
    pub fn of(self, scored: &Scored) -> Option<f64> {
        self.weighted(scored, &vec![1; scored.labels.len()])
    }

    /// The metric when row `i` occurs `counts[i]` times.
    pub fn weighted(self, scored: &Scored, counts: &[u32]) -> Option<f64> {
        match self {
            Self::Auroc => scored.auroc(counts),
            Self::Accuracy => scored.mean(counts, |row| scored.right(row)),
            Self::BalancedAccuracy => scored.balanced_accuracy(counts),
            Self::AveragePrecision => scored.average_precision(counts),
            Self::Brier => {
                scored.mean(counts, |row| (scored.probabilities[row] - f64::from(scored.labels[row])).powi(2))
            }
            Self::LogLoss => scored.mean(counts, |row| scored.losses[row]).filter(|loss| loss.is_finite()),
            Self::Ece => scored.ece(counts),
        }
    }
}

/// Decisions and labels, sorted once so that many weighted scores are cheap.
#[derive(Debug, Clone)]
pub struct Scored {
    decisions: Vec<f64>,
    labels: Vec<bool>,
    probabilities: Vec<f64>,
    /// `-ln` of the probability of the row's own class.
    losses: Vec<f64>,
    /// Rows by rising decision, each with its label.
    order: Vec<(usize, bool)>,
    /// Where each block of equal decisions ends in that order.
    ends: Vec<usize>,
}

impl Scored {
    /// Decisions with their labels; what the longer of the two has in excess is left out.
    pub fn new(decisions: &[f64], labels: &[bool]) -> Self {
        let n = decisions.len().min(labels.len());
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| decisions[a].total_cmp(&decisions[b]));
        Self {
            decisions: decisions[..n].to_vec(),
            labels: labels[..n].to_vec(),
            probabilities: decisions[..n].iter().map(|&decision| sigmoid(decision)).collect(),
            losses: decisions.iter().zip(labels).map(|(&decision, &label)| loss(decision, label)).collect(),
            ends: order
                .chunk_by(|&a, &b| decisions[a] == decisions[b])
                .scan(0, |end, block| {
                    *end += block.len();
                    Some(*end)
                })
                .collect(),
            order: order.into_iter().map(|row| (row, labels[row])).collect(),
        }
    }

    /// How many negatives and positives each block of tied rows stands for, by rising decision.
    fn tallies(&self, counts: &[u32]) -> impl DoubleEndedIterator<Item = [u64; 2]> {
        (0..self.ends.len()).map(move |block| {
            let begin = if block == 0 { 0 } else { self.ends[block - 1] };
            let mut tally = [0; 2];
            for &(row, label) in &self.order[begin..self.ends[block]] {
                tally[usize::from(label)] += u64::from(counts[row]);
            }
            tally
        })
    }

    /// 1 if the decision has the sign of the row's class, else 0.
    fn right(&self, row: usize) -> f64 {
        f64::from((self.decisions[row] > 0.0) == self.labels[row])
    }

    fn balanced_accuracy(&self, counts: &[u32]) -> Option<f64> {
        let (mut right, mut rows) = ([0.0; 2], [0.0; 2]);
        for (row, &count) in counts.iter().enumerate() {
            right[usize::from(self.labels[row])] += f64::from(count) * self.right(row);
            rows[usize::from(self.labels[row])] += f64::from(count);
        }
        Some((defined(right[0], rows[0])? + defined(right[1], rows[1])?) / 2.0)
    }

    fn auroc(&self, counts: &[u32]) -> Option<f64> {
        // Twice the number of ordered pairs, a tie counting one, in whole numbers.
        let (mut below, mut positives, mut ordered) = (0, 0, 0);
        for [negative, positive] in self.tallies(counts) {
            ordered += positive * (2 * below + negative);
            below += negative;
            positives += positive;
        }
        defined(ordered as f64, 2.0 * below as f64 * positives as f64)
    }

    fn average_precision(&self, counts: &[u32]) -> Option<f64> {
        let (mut negatives, mut positives, mut sum) = (0, 0, 0.0);
        for [negative, positive] in self.tallies(counts).rev() {
            negatives += negative;
            positives += positive;
            if positive > 0 {
                sum += positive as f64 * positives as f64 / (positives + negatives) as f64;
            }
        }
        defined(sum, positives as f64)
    }

    fn mean(&self, counts: &[u32], value: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut sum, mut rows) = (0.0, 0.0);
        for (row, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            sum += f64::from(count) * value(row);
            rows += f64::from(count);
        }
        defined(sum, rows)
    }

    fn ece(&self, counts: &[u32]) -> Option<f64> {
        let mut gaps = [0.0; BINS];
        let mut rows = 0.0;
        for (row, &count) in counts.iter().enumerate() {
            let probability = self.probabilities[row];
            let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
            gaps[bin] += f64::from(count) * (probability - f64::from(self.labels[row]));
            rows += f64::from(count);
        }
        defined(gaps.iter().map(|gap: &f64| gap.abs()).sum(), rows)
    }
}

/// `ln(1 + exp(∓decision))`, without overflow.
fn loss(decision: f64, label: bool) -> f64 {
    let against = if label { -decision } else { decision };
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

fn defined(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

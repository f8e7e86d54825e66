//! Intervals by resampling whole groups (Efron, 1979; Field and Welsh, 2007, for clusters).

use rayon::prelude::*;

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::metrics::{Metric, Scored};
use crate::normal;
use crate::rng::Rng;

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// How often the groups are drawn with replacement; 0 for no intervals.
    pub resamples: usize,
    /// The coverage aimed at, in (0, 1).
    pub level: f64,
    /// Names the draws.
    pub seed: u64,
    /// What the draws are made into an interval by.
    pub method: Method,
}

/// How the ends of an interval are read off the resampled values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Their quantiles.
    Percentile,
    /// Their quantiles at levels that correct for bias and for an error that changes with the value (Efron, 1987); the
    /// acceleration comes from leaving out a group at a time. Where an AUROC is high or groups are few this covers more
    /// nearly what it should.
    #[default]
    Bca,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 0, method: Method::default() }
    }
}

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The resamples in which the statistic was defined, on which the interval rests.
    pub resamples: usize,
}

impl Interval {
    /// Between two quantiles of the resampled values; `None` if they are fewer than half of the resamples.
    pub(crate) fn between(mut values: Vec<f64>, [low, high]: [f64; 2], resamples: usize) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty() && 2 * values.len() >= resamples).then(|| Self {
            low: quantile(&values, low),
            high: quantile(&values, high),
            resamples: values.len(),
        })
    }
}

/// A score and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The score of all rows; `None` where it is undefined.
    pub value: Option<f64>,
    /// Its interval; `None` with one group, where the score is undefined in more than half of the resamples, or where
    /// it lies beyond them all.
    pub ci: Option<Interval>,
}

impl Bootstrap {
    /// Intervals of `K` statistics from the same resamples.
    ///
    /// A statistic is given how often each row was drawn. A resample where it is undefined is left out.
    ///
    /// # Errors
    /// [`Error::BadLevel`].
    pub fn intervals<const K: usize>(
        &self,
        labelled: &Labelled,
        statistics: impl Fn(&[u32]) -> [Option<f64>; K] + Sync,
    ) -> Result<[Option<Interval>; K]> {
        check_level(self.level)?;
        let draws: Vec<[Option<f64>; K]> = (0..self.resamples)
            .into_par_iter()
            .map(|resample| statistics(&self.draw(labelled, resample as u64)))
            .collect();
        let tail = (1.0 - self.level) / 2.0;
        let levels = match self.method {
            Method::Percentile => [Some([tail, 1.0 - tail]); K],
            Method::Bca => Self::corrected_levels(labelled, &statistics, &draws, tail),
        };
        Ok(std::array::from_fn(|index| {
            let values: Vec<f64> = draws.iter().filter_map(|draw| draw[index]).collect();
            let levels = levels[index].filter(|_| labelled.n_groups() > 1)?;
            Interval::between(values, levels, self.resamples)
        }))
    }

    /// The levels of the lower and upper end, by statistic. `None` where the statistic is undefined, or lies beyond all
    /// its resampled values: their bias is then beyond measure.
    fn corrected_levels<const K: usize>(
        labelled: &Labelled,
        statistics: &(impl Fn(&[u32]) -> [Option<f64>; K] + Sync),
        draws: &[[Option<f64>; K]],
        tail: f64,
    ) -> [Option<[f64; 2]>; K] {
        let observed = statistics(&vec![1; labelled.n()]);
        let without: Vec<[Option<f64>; K]> = labelled
            .members()
            .par_iter()
            .map(|rows| {
                let mut counts = vec![1; labelled.n()];
                rows.iter().for_each(|&row| counts[row] = 0);
                statistics(&counts)
            })
            .collect();
        std::array::from_fn(|index| {
            let value = observed[index]?;
            let drawn: Vec<f64> = draws.iter().filter_map(|draw| draw[index]).collect();
            let bias = bias(value, &drawn).filter(|bias| bias.is_finite())?;
            let left: Vec<f64> = without.iter().filter_map(|values| values[index]).collect();
            let acceleration = acceleration(&left);
            let moved = [tail, 1.0 - tail].map(|level| bias + normal::quantile(level));
            // Beyond this the correction would turn the order of levels round.
            let in_order = moved.iter().all(|moved| acceleration * moved < 1.0);
            in_order.then(|| moved.map(|moved| normal::below(bias + moved / (1.0 - acceleration * moved))))
        })
    }

    /// A metric of one set of decisions less that of another on the same rows, from resamples that both share.
    ///
    /// # Errors
    /// As [`Bootstrap::estimates`].
    pub fn difference(
        &self,
        labelled: &Labelled,
        metric: Metric,
        decisions: &[f64],
        others: &[f64],
    ) -> Result<Estimate> {
        labelled.check_decisions(decisions)?;
        labelled.check_decisions(others)?;
        let [one, other] = [decisions, others].map(|decisions| Scored::new(decisions, labelled.labels()));
        let difference = |counts: &[u32]| {
            let values = metric.weighted(&one, counts).zip(metric.weighted(&other, counts));
            [values.map(|(one, other)| one - other)]
        };
        let [ci] = self.intervals(labelled, difference)?;
        let [value] = difference(&vec![1; labelled.n()]);
        Ok(Estimate { value, ci })
    }

    /// Every metric of pooled decisions with its interval, in the order of [`Metric::ALL`].
    ///
    /// # Errors
    /// [`Error::BadLevel`], [`Error::ShapeMismatch`] or [`Error::NotANumber`].
    pub fn estimates(&self, labelled: &Labelled, decisions: &[f64]) -> Result<[Estimate; Metric::ALL.len()]> {
        labelled.check_decisions(decisions)?;
        let scored = Scored::new(decisions, labelled.labels());
        let intervals =
            self.intervals(labelled, |counts| Metric::ALL.map(|metric| metric.weighted(&scored, counts)))?;
        Ok(std::array::from_fn(|index| Estimate {
            value: Metric::ALL[index].of(&scored),
            ci: intervals[index],
        }))
    }

    fn draw(&self, labelled: &Labelled, resample: u64) -> Vec<u32> {
        let mut rng = Rng::stream(self.seed, resample);
        let mut counts = vec![0; labelled.n()];
        for _ in 0..labelled.n_groups() {
            let group = rng.below(labelled.n_groups());
            labelled.members()[group].iter().for_each(|&row| counts[row] += 1);
        }
        counts
    }
}

/// How far, in normal deviates, the value lies from the median of its resampled values; ties count half.
fn bias(value: f64, drawn: &[f64]) -> Option<f64> {
    let less: f64 = drawn
        .iter()
        .map(|&other| {
            if other < value {
                1.0
            } else if other == value {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    (!drawn.is_empty()).then(|| normal::quantile(less / drawn.len() as f64))
}

/// The skewness of the jackknife, `Σ d³ / (6 (Σ d²)^{3/2})` with `d` the mean less the value without a group; 0 where
/// no group makes a difference.
fn acceleration(without: &[f64]) -> f64 {
    let mean = without.iter().sum::<f64>() / without.len() as f64;
    let sum = |power: i32| without.iter().map(|value| (mean - value).powi(power)).sum::<f64>();
    let spread = sum(2);
    if spread > 0.0 { sum(3) / (6.0 * spread.powf(1.5)) } else { 0.0 }
}

/// Refuses a level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(Error::BadLevel { level }) }
}

/// A quantile of sorted values, interpolated linearly between order statistics (type 7 of Hyndman and Fan, 1996).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_order_statistics() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.5, 0.75, 1.0].map(|share| quantile(&sorted, share)), [1.0, 3.0, 5.0, 8.0]);
    }
}

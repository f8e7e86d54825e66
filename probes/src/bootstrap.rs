//! Percentile intervals by resampling whole groups (Efron, 1979; Field and Welsh, 2007, for clusters).

use rayon::prelude::*;

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::metrics::{Metric, Scored};
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
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 0 }
    }
}

/// A percentile interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The resamples in which the statistic was defined, on which the interval rests.
    pub resamples: usize,
}

/// A score and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The score of all rows; `None` where it is undefined.
    pub value: Option<f64>,
    /// Its interval; `None` where the score is undefined in more than half of the resamples.
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
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::BadLevel { level: self.level });
        }
        let draws: Vec<[Option<f64>; K]> = (0..self.resamples)
            .into_par_iter()
            .map(|resample| statistics(&self.draw(labelled, resample as u64)))
            .collect();
        Ok(std::array::from_fn(|index| {
            let mut values: Vec<f64> = draws.iter().filter_map(|draw| draw[index]).collect();
            values.sort_by(f64::total_cmp);
            let tail = (1.0 - self.level) / 2.0;
            (!values.is_empty() && 2 * values.len() >= self.resamples).then(|| Interval {
                low: quantile(&values, tail),
                high: quantile(&values, 1.0 - tail),
                resamples: values.len(),
            })
        }))
    }

    /// Every metric of pooled decisions with its interval, in the order of [`Metric::ALL`].
    ///
    /// # Errors
    /// [`Error::BadLevel`] or [`Error::ShapeMismatch`].
    pub fn estimates(&self, labelled: &Labelled, decisions: &[f64]) -> Result<[Estimate; Metric::ALL.len()]> {
        if decisions.len() != labelled.n() {
            let (expected, found) = (labelled.n(), decisions.len());
            return Err(Error::ShapeMismatch { what: "decisions", expected, found });
        }
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

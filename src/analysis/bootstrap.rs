//! Intervals over groups: whole groups are drawn with replacement, because the rows of one group are not independent.
//!
//! Most statistics here are functions of a few sums over rows (a mean is a sum over a count). Those are resampled by
//! adding sums of groups, [`interval_of_sums`]; [`cluster_bootstrap`] hands the rows themselves to the statistic.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::random::SplitMix;

/// How a [`cluster_bootstrap`] is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Coverage, e.g. 0.95.
    pub level: f64,
    /// The same seed gives the same interval.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, level: 0.95, seed: 0 }
    }
}

/// A percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Groups that were resampled.
    pub n_groups: usize,
    /// Resamples in which the statistic was undefined; the interval is of the others.
    pub n_undefined: usize,
}

/// A number, its interval and of how many it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number; None where it is undefined.
    pub value: Option<f64>,
    /// Its interval over groups.
    pub interval: Option<Interval>,
    /// Of how many rows.
    pub n: usize,
}

impl Estimate {
    /// A function of sums over rows, each row with its group, and its interval. `n` is the number of rows.
    pub fn of<'r, const K: usize>(
        rows: impl IntoIterator<Item = (&'r str, [f64; K])>,
        statistic: impl Fn(&[f64; K]) -> Option<f64>,
        settings: Bootstrap,
    ) -> Self {
        let mut n = 0;
        let groups = sums_by_group(rows.into_iter().inspect(|_| n += 1));
        Self {
            value: (n > 0).then(|| statistic(&total(&groups))).flatten(),
            interval: interval_of_sums(&groups, &statistic, settings),
            n,
        }
    }

    /// The mean of values, each with its group.
    pub fn mean<'r>(rows: impl IntoIterator<Item = (&'r str, f64)>, settings: Bootstrap) -> Self {
        Self::of(rows.into_iter().map(|(group, value)| (group, [value, 1.0])), ratio, settings)
    }
}

/// The first sum over the second; None where the second is 0.
#[must_use]
pub fn ratio(sums: &[f64; 2]) -> Option<f64> {
    (sums[1] > 0.0).then(|| sums[0] / sums[1])
}

/// The sums of each group, in the order in which groups first occur.
pub fn sums_by_group<'r, const K: usize>(
    rows: impl IntoIterator<Item = (&'r str, [f64; K])>,
) -> Vec<[f64; K]> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<[f64; K]> = Vec::new();
    for (group, row) in rows {
        let place = *places.entry(group).or_insert(groups.len());
        if place == groups.len() {
            groups.push([0.0; K]);
        }
        add(&mut groups[place], &row);
    }
    groups
}

/// The sums over all groups.
#[must_use]
pub fn total<const K: usize>(groups: &[[f64; K]]) -> [f64; K] {
    let mut all = [0.0; K];
    groups.iter().for_each(|group| add(&mut all, group));
    all
}

fn add<const K: usize>(to: &mut [f64; K], more: &[f64; K]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

/// The percentile interval of a function of sums when whole groups are drawn with replacement: [`cluster_bootstrap`] for
/// what needs no more of a group than its sums.
pub fn interval_of_sums<const K: usize>(
    groups: &[[f64; K]],
    statistic: impl Fn(&[f64; K]) -> Option<f64>,
    settings: Bootstrap,
) -> Option<Interval> {
    let resample = |random: &mut SplitMix| {
        let mut sums = [0.0; K];
        for _ in 0..groups.len() {
            add(&mut sums, &groups[random.below(groups.len())]);
        }
        statistic(&sums)
    };
    percentiles(groups.len(), resample, settings)
}

/// The percentile interval of a statistic when whole groups are drawn with replacement (Efron and Tibshirani 1993,
/// chapter 13, with clusters as the unit): rows of one group are not independent, so they come and go together.
///
/// None with fewer than two groups, without resamples, for a level outside (0, 1), or where the statistic is undefined
/// in more than half of the resamples.
pub fn cluster_bootstrap<R>(
    rows: &[R],
    group: impl Fn(&R) -> &str,
    statistic: impl Fn(&[&R]) -> Option<f64>,
    settings: Bootstrap,
) -> Option<Interval> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<&R>> = Vec::new();
    for row in rows {
        let place = *places.entry(group(row)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(row);
    }
    let mut sample = Vec::with_capacity(rows.len());
    let resample = |random: &mut SplitMix| {
        sample.clear();
        for _ in 0..groups.len() {
            sample.extend_from_slice(&groups[random.below(groups.len())]);
        }
        statistic(&sample)
    };
    percentiles(groups.len(), resample, settings)
}

/// The interval of what `resample` gives.
fn percentiles(
    n_groups: usize,
    mut resample: impl FnMut(&mut SplitMix) -> Option<f64>,
    settings: Bootstrap,
) -> Option<Interval> {
    if n_groups < 2 {
        return None;
    }
    let mut random = SplitMix::new(settings.seed);
    let values = (0..settings.resamples).filter_map(|_| resample(&mut random)).collect();
    percentile_interval(values, n_groups, settings)
}

/// The interval between the percentiles of a statistic in the resamples that define it.
pub(crate) fn percentile_interval(
    mut values: Vec<f64>,
    n_groups: usize,
    settings: Bootstrap,
) -> Option<Interval> {
    values.retain(|value| value.is_finite());
    let n_undefined = settings.resamples - values.len();
    let in_range = settings.level > 0.0 && settings.level < 1.0;
    if n_groups < 2 || !in_range || values.is_empty() || n_undefined > values.len() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - settings.level) / 2.0;
    Some(Interval {
        low: quantile(&values, tail),
        high: quantile(&values, 1.0 - tail),
        n_groups,
        n_undefined,
    })
}

/// The quantile of sorted values, linear between neighbours.
pub(crate) fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (String, f64);

    fn mean(rows: &[&Row]) -> Option<f64> {
        ratio(&[rows.iter().map(|row| row.1).sum(), rows.len() as f64])
    }

    fn interval(rows: &[Row], settings: Bootstrap) -> Option<Interval> {
        cluster_bootstrap(rows, |row| &row.0, mean, settings)
    }

    /// The mean of n groups of which k hold ones has a bootstrap distribution Binomial(n, k/n) / n.
    #[test]
    fn the_interval_of_a_mean_is_the_binomials() {
        let rows: Vec<Row> = (0..400).map(|i| (i.to_string(), f64::from(i % 4 == 0))).collect();
        let settings = Bootstrap { resamples: 4000, seed: 7, ..Bootstrap::default() };
        let got = interval(&rows, settings).expect("an interval");
        let half = 1.96 * (0.25_f64 * 0.75 / 400.0).sqrt();
        // An end of 4000 resamples has a Monte Carlo error of about 0.001, and the means are 1/400 apart.
        assert!(
            (got.low - (0.25 - half)).abs() < 0.005 && (got.high - (0.25 + half)).abs() < 0.005,
            "{got:?}"
        );
        assert_eq!((got.n_groups, got.n_undefined), (400, 0));
        assert_eq!(interval(&rows, settings), Some(got));
        let few = |seed| interval(&rows, Bootstrap { resamples: 5, seed, ..settings });
        assert_eq!(few(7), few(7));
        assert_ne!(few(7), few(8));
    }

    #[test]
    fn copies_inside_a_group_do_not_narrow_the_interval() {
        let single: Vec<Row> = (0..40).map(|i| (i.to_string(), f64::from(i % 2))).collect();
        let copied: Vec<Row> = single.iter().flat_map(|row| vec![row.clone(); 9]).collect();
        let (single, copied) =
            (interval(&single, Bootstrap::default()), interval(&copied, Bootstrap::default()));
        let (single, copied) = (single.expect("an interval"), copied.expect("an interval"));
        assert!((single.low - copied.low).abs() < 1e-12 && (single.high - copied.high).abs() < 1e-12);
    }

    #[test]
    fn an_interval_that_nothing_defines_is_none() {
        let one_group: Vec<Row> = (0..9).map(|i| ("g".into(), f64::from(i))).collect();
        assert_eq!(interval(&one_group, Bootstrap::default()), None);
        let rows: Vec<Row> = (0..9).map(|i| (i.to_string(), f64::from(i))).collect();
        assert_eq!(interval(&rows, Bootstrap { resamples: 0, ..Bootstrap::default() }), None);
        assert_eq!(interval(&rows, Bootstrap { level: 1.0, ..Bootstrap::default() }), None);
        assert_eq!(cluster_bootstrap(&rows, |row| &row.0, |_| None, Bootstrap::default()), None);
        let constant: Vec<Row> = (0..9).map(|i| (i.to_string(), 2.5)).collect();
        let got = interval(&constant, Bootstrap::default()).expect("an interval");
        assert_eq!((got.low, got.high), (2.5, 2.5));
    }

    #[test]
    fn sums_of_groups_give_the_interval_of_the_rows() {
        let rows: Vec<Row> = (0..60).map(|i| ((i % 7).to_string(), f64::from(i * i % 11))).collect();
        let of_rows = interval(&rows, Bootstrap::default()).expect("an interval");
        let of_sums =
            Estimate::mean(rows.iter().map(|(group, value)| (group.as_str(), *value)), Bootstrap::default());
        let interval = of_sums.interval.expect("an interval");
        assert!((of_rows.low - interval.low).abs() < 1e-12 && (of_rows.high - interval.high).abs() < 1e-12);
        assert_eq!((of_sums.n, interval.n_groups), (60, 7));
        let mean = mean(&rows.iter().collect::<Vec<_>>()).expect("a mean");
        assert!((of_sums.value.expect("a value") - mean).abs() < 1e-12);
    }

    #[test]
    fn nothing_has_no_mean() {
        let nothing = Estimate::mean([], Bootstrap::default());
        assert_eq!(nothing, Estimate { value: None, interval: None, n: 0 });
    }
}

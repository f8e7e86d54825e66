//! Means of many columns over the same groups at once. A score has a mean at every layer; its intervals and sign-flip
//! tests draw the same resamples and the same signs at all of them, so what would be a loop per layer is one matrix
//! product, and the largest of all layers under each draw is there to correct with.

use std::collections::HashMap;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::bootstrap::{Bootstrap, Interval, percentile_interval};
use crate::random::SplitMix;

/// Draws that are multiplied at once: what bounds the memory of a product.
const BLOCK: usize = 128;

/// A mean over items, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Percentile bootstrap over groups.
    pub interval: Option<Interval>,
    /// Items.
    pub n: usize,
}

/// What sign flips say of one column of several that were tested together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlipTest {
    /// Two-sided p of a mean of 0, as [`super::significance::sign_flip_p`] has it.
    pub p: f64,
    /// The same against the largest studentised mean of all columns under each assignment of signs: the chance that
    /// any column reaches this one's value where none differs from 0 (max-T, Westfall and Young 1993).
    pub p_max: f64,
}

/// The group of each item, as a number.
#[derive(Debug, Clone)]
pub struct Groups {
    of_item: Vec<usize>,
    count: usize,
}

impl Groups {
    /// Numbers names in the order in which they first occur.
    pub fn of(names: &[String]) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let number = |name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        };
        let of_item: Vec<usize> = names.iter().map(String::as_str).map(number).collect();
        Self { count: of_item.iter().max().map_or(0, |last| last + 1), of_item }
    }
}

/// Values of the same items in several columns, summed by group.
#[derive(Debug, Clone)]
pub struct Sums {
    /// `[groups, columns]`.
    sums: Array2<f64>,
    /// Items of each group.
    counts: Array1<f64>,
}

impl Sums {
    /// Sums `value(item, column)`; an item that has no finite value in some column counts in none.
    pub fn new(groups: &Groups, columns: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let mut sums = Array2::zeros((groups.count, columns));
        let mut counts = Array1::zeros(groups.count);
        let mut row = vec![0.0; columns];
        for (item, &group) in groups.of_item.iter().enumerate() {
            row.iter_mut().enumerate().for_each(|(column, to)| *to = value(item, column));
            if row.iter().all(|value| value.is_finite()) {
                counts[group] += 1.0;
                sums.row_mut(group).iter_mut().zip(&row).for_each(|(sum, value)| *sum += value);
            }
        }
        Self { sums, counts }
    }

    /// Groups with an item that counts.
    fn n_groups(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0.0).count()
    }
}

/// Resamples and signs of so many groups, drawn once and used for every column.
#[derive(Debug, Clone)]
pub struct Draws {
    settings: Bootstrap,
    /// `[resamples, groups]`: how often each resample holds each group. Small integers, exact in f32.
    resamples: Array2<f32>,
    /// `[flips, groups]`: 1 or -1.
    signs: Array2<f32>,
}

impl Draws {
    /// Draws resamples as [`super::bootstrap::interval_of_sums`] does, and signs as
    /// [`super::significance::sign_flip_p`] does with the same seed.
    pub fn new(groups: &Groups, settings: Bootstrap, flips: usize) -> Self {
        let count = groups.count;
        let mut random = SplitMix::new(settings.seed);
        let mut resamples = Array2::zeros((settings.resamples, count));
        for mut resample in resamples.rows_mut() {
            (0..count).for_each(|_| resample[random.below(count)] += 1.0);
        }
        let mut random = SplitMix::new(settings.seed);
        let signs = Array2::from_shape_simple_fn((flips, count), || 1.0 - 2.0 * random.below(2) as f32);
        Self { settings, resamples, signs }
    }

    /// The mean of each column with its interval; None where no item counts.
    pub fn means(&self, of: &Sums) -> Vec<Option<Mean>> {
        let (n, n_groups) = (of.counts.sum(), of.n_groups());
        let columns = of.sums.ncols();
        if n == 0.0 {
            return vec![None; columns];
        }
        let mut drawn = Array2::zeros((self.resamples.nrows(), columns));
        for_blocks(&self.resamples, |from, weights| {
            let mut means = weights.dot(&of.sums);
            let counts = weights.dot(&of.counts);
            // 0 / 0 is what a resample without an item says: nothing.
            means.rows_mut().into_iter().zip(counts).for_each(|(mut row, count)| row /= count);
            drawn.slice_mut(s![from..from + means.nrows(), ..]).assign(&means);
        });
        let totals = of.sums.sum_axis(Axis(0));
        let mean = |(values, total): (ndarray::ArrayView1<f64>, &f64)| {
            let interval = percentile_interval(values.to_vec(), n_groups, self.settings);
            Some(Mean { value: total / n, interval, n: n as usize })
        };
        drawn.columns().into_iter().zip(&totals).map(mean).collect()
    }

    /// Tests each column's mean against 0, whole groups changing sign together and in all columns alike; None with
    /// fewer than two groups.
    ///
    /// The sum of squares of the group sums is the same under all signs, so a sum over its root is a strictly
    /// increasing function of the t statistic, which makes columns of different spread comparable.
    pub fn flips(&self, of: &Sums) -> Vec<Option<FlipTest>> {
        let columns = of.sums.ncols();
        let flips = self.signs.nrows();
        if of.n_groups() < 2 || flips == 0 {
            return vec![None; columns];
        }
        let root = of.sums.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        let slack = of.sums.map_axis(Axis(0), |column| 1e-12 * column.mapv(f64::abs).sum());
        let least = of.sums.sum_axis(Axis(0)).mapv(f64::abs) - &slack;
        let share = |sum: f64, root: f64| if root > 0.0 { sum / root } else { 0.0 };
        let mut reached = vec![1usize; columns];
        let mut largest = Vec::with_capacity(flips);
        for_blocks(&self.signs, |_, signs| {
            for sums in signs.dot(&of.sums).rows() {
                let mut most = f64::NEG_INFINITY;
                for (column, sum) in sums.iter().enumerate() {
                    reached[column] += usize::from(sum.abs() >= least[column]);
                    most = most.max(share(sum.abs(), root[column]));
                }
                largest.push(most);
            }
        });
        let p = |reached: usize| reached as f64 / (flips + 1) as f64;
        let test = |column: usize| {
            let seen = share(least[column], root[column]);
            let beyond = 1 + largest.iter().filter(|&&most| most >= seen).count();
            Some(FlipTest { p: p(reached[column]), p_max: p(beyond) })
        };
        (0..columns).map(test).collect()
    }
}

/// Hands over some rows at a time, as f64, with the number of the first.
fn for_blocks(draws: &Array2<f32>, mut each: impl FnMut(usize, ArrayView2<f64>)) {
    for (block, rows) in draws.axis_chunks_iter(Axis(0), BLOCK).enumerate() {
        each(block * BLOCK, rows.mapv(f64::from).view());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::bootstrap::Estimate;
    use crate::analysis::significance::sign_flip_p;

    const COLUMNS: usize = 4;

    /// 60 items in 17 groups of unequal size.
    fn names() -> Vec<String> {
        (0..60).map(|item| format!("g{}", item * item % 29 % 17)).collect()
    }

    fn noise(item: usize, column: usize) -> f64 {
        SplitMix::stream(column as u64, item as u64).unit() - 0.5
    }

    fn value(item: usize, column: usize) -> f64 {
        // Column 3 has another spread than the rest.
        (noise(item, column) + 0.1 * column as f64) * if column == 3 { 1000.0 } else { 1.0 }
    }

    fn settings() -> Bootstrap {
        Bootstrap { resamples: 300, seed: 5, ..Bootstrap::default() }
    }

    #[test]
    fn products_give_the_intervals_and_p_values_of_the_loops() {
        let (names, groups) = (names(), Groups::of(&names()));
        let draws = Draws::new(&groups, settings(), 500);
        let sums = Sums::new(&groups, COLUMNS, value);
        let (means, tests) = (draws.means(&sums), draws.flips(&sums));
        for column in 0..COLUMNS {
            let rows = names.iter().enumerate().map(|(item, name)| (name.as_str(), value(item, column)));
            let one = Estimate::mean(rows, settings());
            let mean = means[column].expect("a mean");
            let (interval, expected) = (mean.interval.expect("ends"), one.interval.expect("ends"));
            for (a, b) in [
                (mean.value, one.value.expect("a mean")),
                (interval.low, expected.low),
                (interval.high, expected.high),
            ] {
                assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{a} {b}");
            }
            assert_eq!((mean.n, interval.n_groups), (60, expected.n_groups));
            let of_groups: Vec<f64> = sums.sums.column(column).to_vec();
            assert_eq!(tests[column].map(|test| test.p), sign_flip_p(&of_groups, 500, 5));
        }
    }

    /// The largest t statistic of all columns under each assignment of signs, computed as t statistics are.
    #[test]
    fn the_corrected_p_is_that_of_the_largest_t_of_all_columns() {
        let groups = Groups::of(&names());
        let draws = Draws::new(&groups, settings(), 400);
        let sums = Sums::new(&groups, COLUMNS, value);
        let t = |signs: &[f64], column: usize| {
            let x: Vec<f64> = sums.sums.column(column).iter().zip(signs).map(|(x, sign)| x * sign).collect();
            let (n, mean) = (x.len() as f64, x.iter().sum::<f64>() / x.len() as f64);
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean / (variance / n).sqrt()).abs()
        };
        let mut random = SplitMix::new(5);
        let largest: Vec<f64> = (0..400)
            .map(|_| {
                let signs: Vec<f64> = (0..groups.count).map(|_| 1.0 - 2.0 * random.below(2) as f64).collect();
                (0..COLUMNS).map(|column| t(&signs, column)).fold(0.0, f64::max)
            })
            .collect();
        for (column, test) in draws.flips(&sums).into_iter().enumerate() {
            let test = test.expect("a test");
            let seen = t(&vec![1.0; groups.count], column) * (1.0 - 1e-12);
            let reached = 1 + largest.iter().filter(|&&most| most >= seen).count();
            assert_eq!(test.p_max, reached as f64 / 401.0, "column {column}");
            assert!(test.p <= test.p_max);
        }
    }

    /// 400 studies of 31 columns in which nothing happens: a study that finds something is wrong about 5 % of the time;
    /// of 400 at most 33 in all but one of a thousand repetitions (binomial).
    #[test]
    fn where_nothing_happens_a_column_is_found_in_five_per_cent_of_studies() {
        let names: Vec<String> = (0..24).map(|item| format!("g{}", item / 2)).collect();
        let groups = Groups::of(&names);
        let draws = Draws::new(&groups, Bootstrap { resamples: 0, ..settings() }, 199);
        let (mut corrected, mut raw) = (0, 0);
        for study in 0..400u64 {
            // Columns resemble one another, as neighbouring layers do, and differ in spread.
            let draw = |item: usize, column: usize| {
                let own = SplitMix::stream(study, (31 * item + column) as u64 + 1000).unit() - 0.5;
                let shared = SplitMix::stream(study, item as u64).unit() - 0.5;
                (own + shared) * (1.0 + column as f64)
            };
            let tests = draws.flips(&Sums::new(&groups, 31, draw));
            corrected += usize::from(tests.iter().flatten().any(|test| test.p_max <= 0.05));
            raw += usize::from(tests.iter().flatten().any(|test| test.p <= 0.05));
        }
        assert!((8..=33).contains(&corrected), "{corrected} of 400");
        assert!(raw > 100, "{raw} of 400 without the correction");
    }

    #[test]
    fn an_item_without_a_value_counts_nowhere_and_a_constant_nought_has_p_one() {
        let names: Vec<String> = ["a", "b", "b", "c"].map(String::from).to_vec();
        let groups = Groups::of(&names);
        let draws = Draws::new(&groups, settings(), 100);
        let gap = |item: usize, column: usize| if (item, column) == (1, 1) { f64::NAN } else { 1.0 };
        let means = draws.means(&Sums::new(&groups, 2, gap));
        assert!(means.iter().flatten().all(|mean| (mean.n, mean.value) == (3, 1.0)));
        let nought = draws.flips(&Sums::new(&groups, 2, |_, _| 0.0));
        assert!(nought.iter().flatten().all(|test| (test.p, test.p_max) == (1.0, 1.0)));
        let none = Sums::new(&groups, 2, |_, _| f64::NAN);
        assert_eq!((draws.means(&none), draws.flips(&none)), (vec![None; 2], vec![None; 2]));
        let one = Groups::of(&names[..1]);
        assert_eq!(Draws::new(&one, settings(), 100).flips(&Sums::new(&one, 1, |_, _| 1.0)), [None]);
    }
}

//! How two numbers of the same items go together, where items come in groups: plain, by rank, within groups, and with
//! other numbers held fixed.

use std::collections::BTreeMap;

use super::bootstrap::{Bootstrap, Interval, cluster_bootstrap};
use crate::random::SplitMix;

/// Residuals smaller than this part of the largest value are rounding.
const NOUGHT: f64 = 1e-12;

/// Which correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Pearson's r over all rows.
    Pearson,
    /// Spearman's: Pearson's of mid-ranks.
    Spearman,
    /// Pearson's after the mean of each group was taken away from both.
    Within,
    /// Spearman's of the same.
    WithinRanks,
    /// Pearson's within groups of what is left of both after least squares on the covariates, whose group means were
    /// taken away too (partial correlation).
    Partial,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pearson, Self::Spearman, Self::Within, Self::WithinRanks, Self::Partial];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::Within => "within_pearson",
            Self::WithinRanks => "within_spearman",
            Self::Partial => "within_partial",
        }
    }
}

/// A correlation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// The coefficient; None where one of the two does not vary.
    pub value: Option<f64>,
    /// Percentile bootstrap over groups.
    pub interval: Option<Interval>,
    /// Two-sided permutation p: of all rows, groups of one size exchange their values and rows within a group do; within
    /// groups only the latter.
    pub p: Option<f64>,
    /// Rows.
    pub n: usize,
    /// Groups.
    pub n_groups: usize,
}

/// Pairs of numbers with their groups.
#[derive(Debug, Clone, Default)]
pub struct Pairs<'a> {
    /// The group of each row.
    pub groups: Vec<&'a str>,
    /// One number of each row.
    pub x: Vec<f64>,
    /// The other.
    pub y: Vec<f64>,
    /// What is held fixed: a list of columns.
    pub covariates: Vec<Vec<f64>>,
}

impl Pairs<'_> {
    /// A correlation with its interval and p.
    #[must_use]
    pub fn correlation(&self, relation: Relation, permutations: usize, bootstrap: Bootstrap) -> Correlation {
        let design = Design::new(&self.groups);
        let within = !matches!(relation, Relation::Pearson | Relation::Spearman);
        let column = |values: &[f64]| if within { design.centred(values) } else { values.to_vec() };
        let covariates: Vec<Vec<f64>> = match relation {
            Relation::Partial => self.covariates.iter().map(|values| column(values)).collect(),
            _ => Vec::new(),
        };
        let (x, y) = (column(&self.x), column(&self.y));
        let ranked = matches!(relation, Relation::Spearman | Relation::WithinRanks);
        let (x, y) = if ranked { (snapped(x), snapped(y)) } else { (x, y) };
        let [order_x, order_y] = [&x, &y].map(|values| ranked.then(|| order(values)));
        let part = |values: &[f64], order: &Option<Vec<usize>>, weights: &[f64]| match order {
            Some(order) => ranks(values, order, weights),
            None => residuals(values, &covariates, weights),
        };
        let statistic =
            |weights: &[f64]| pearson(&part(&x, &order_x, weights), &part(&y, &order_y, weights), weights);
        let once = vec![1.0; x.len()];
        let value = statistic(&once);
        let rows: Vec<(&str, usize)> = self.groups.iter().copied().zip(0..).collect();
        let resampled = |sample: &[&(&str, usize)]| {
            let mut weights = vec![0.0; rows.len()];
            sample.iter().for_each(|(_, row)| weights[*row] += 1.0);
            statistic(&weights)
        };
        let interval = value.and_then(|_| cluster_bootstrap(&rows, |row| row.0, resampled, bootstrap));
        // Ranks and residuals stay with their rows: what is exchanged are those of x.
        let (u, v) = (part(&x, &order_x, &once), part(&y, &order_y, &once));
        let p = value.and_then(|value| {
            let null = |rows: &[usize]| {
                let moved: Vec<f64> = rows.iter().map(|&row| u[row]).collect();
                pearson(&moved, &v, &once)
            };
            design.p(value.abs(), |rows| null(rows).map(f64::abs), within, permutations, bootstrap.seed)
        });
        Correlation { value, interval, p, n: x.len(), n_groups: design.members.len() }
    }
}

/// Which rows belong together.
pub(super) struct Design {
    /// The rows of each group.
    pub members: Vec<Vec<usize>>,
}

impl Design {
    pub fn new(groups: &[&str]) -> Self {
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (row, group) in groups.iter().enumerate() {
            members.entry(group).or_default().push(row);
        }
        Self { members: members.into_values().collect() }
    }

    /// The values less the mean of their group.
    fn centred(&self, values: &[f64]) -> Vec<f64> {
        let mut centred = vec![0.0; values.len()];
        for rows in &self.members {
            let mean = rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64;
            rows.iter().for_each(|&row| centred[row] = values[row] - mean);
        }
        without_rounding(centred, values)
    }

    /// A random assignment of rows to rows: whole groups of one size exchange theirs unless `within`, then the rows of each
    /// group do.
    fn exchange(&self, within: bool, random: &mut SplitMix) -> Vec<usize> {
        let mut donors: Vec<usize> = (0..self.members.len()).collect();
        if !within {
            let mut sizes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (group, rows) in self.members.iter().enumerate() {
                sizes.entry(rows.len()).or_default().push(group);
            }
            for groups in sizes.values() {
                let mut shuffled = groups.clone();
                random.shuffle(&mut shuffled);
                groups.iter().zip(shuffled).for_each(|(&group, donor)| donors[group] = donor);
            }
        }
        let mut from = vec![0; self.members.iter().map(Vec::len).sum()];
        for (rows, donor) in self.members.iter().zip(donors) {
            let mut given = self.members[donor].clone();
            random.shuffle(&mut given);
            rows.iter().zip(given).for_each(|(&row, given)| from[row] = given);
        }
        from
    }

    /// The statistic under every exchange.
    pub fn null(
        &self,
        statistic: impl Fn(&[usize]) -> Option<f64>,
        within: bool,
        permutations: usize,
        seed: u64,
    ) -> Vec<Option<f64>> {
        let mut random = SplitMix::new(seed);
        (0..permutations).map(|_| statistic(&self.exchange(within, &mut random))).collect()
    }

    /// `(1 + #{null >= observed}) / (1 + permutations)` (Phipson and Smyth 2010); an exchange that leaves the statistic
    /// undefined counts as reached. None where nothing can be exchanged.
    fn p(
        &self,
        observed: f64,
        statistic: impl Fn(&[usize]) -> Option<f64>,
        within: bool,
        permutations: usize,
        seed: u64,
    ) -> Option<f64> {
        let sizes: Vec<usize> = self.members.iter().map(Vec::len).collect();
        let twins = (1..sizes.len()).any(|at| sizes[..at].contains(&sizes[at]));
        if permutations == 0 || !(sizes.iter().any(|&size| size > 1) || (twins && !within)) {
            return None;
        }
        let null = self.null(statistic, within, permutations, seed);
        let reached = null.iter().filter(|found| found.is_none_or(|found| found >= observed - 1e-9)).count();
        Some((reached + 1) as f64 / (permutations + 1) as f64)
    }
}

/// Sets to 0 what a subtraction left of values by rounding alone.
fn without_rounding(mut left: Vec<f64>, of: &[f64]) -> Vec<f64> {
    let largest = of.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    left.iter_mut().filter(|value| value.abs() <= NOUGHT * largest).for_each(|value| *value = 0.0);
    left
}

/// Values on a grid so fine that only what differs by rounding becomes equal.
fn snapped(mut values: Vec<f64>) -> Vec<f64> {
    let grid = NOUGHT * values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    if grid > 0.0 {
        values.iter_mut().for_each(|value| *value = (*value / grid).round());
    }
    values
}

/// Rows by rising value.
fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

/// Mid-ranks where a row counts as often as its weight says; equal values share the mean of their ranks.
fn ranks(values: &[f64], order: &[usize], weights: &[f64]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0.0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let here: f64 = tied.iter().map(|&row| weights[row]).sum();
        tied.iter().for_each(|&row| ranks[row] = below + (here + 1.0) / 2.0);
        below += here;
    }
    ranks
}

/// What weighted least squares on columns and a constant leaves of values: Gram and Schmidt, column by column. A column
/// that the ones before it give already changes nothing.
fn residuals(values: &[f64], columns: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let dot =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).zip(weights).map(|((a, b), w)| w * a * b).sum() };
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let project = |values: &[f64], basis: &[Vec<f64>]| {
        let mut left = values.to_vec();
        for column in basis {
            let slope = dot(&left, column) / dot(column, column);
            left.iter_mut().zip(column).for_each(|(left, column)| *left -= slope * column);
        }
        without_rounding(left, values)
    };
    for column in std::iter::once(&vec![1.0; values.len()]).chain(columns) {
        let left = project(column, &basis);
        if dot(&left, &left) > NOUGHT * dot(column, column) {
            basis.push(left);
        }
    }
    project(values, &basis)
}

/// Pearson's correlation where a row counts as often as its weight says; None where one of the two does not vary.
#[must_use]
pub fn pearson(x: &[f64], y: &[f64], weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let mean = |values: &[f64]| values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for ((x, y), w) in x.iter().zip(y).zip(weights) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        (xy, xx, yy) = (xy + w * dx * dy, xx + w * dx * dx, yy + w * dy * dy);
    }
    // Values that are equal but for rounding do not vary.
    let varies = |sum: f64, mean: f64| sum > total * (NOUGHT * mean.abs()).powi(2);
    (total > 0.0 && varies(xx, mean_x) && varies(yy, mean_y))
        .then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `tests/reference/correlations.py`: scipy's pearsonr and spearmanr, and numpy's lstsq for the rest.
    #[test]
    fn every_relation_is_that_of_numpy_and_scipy() {
        let fixture = include_str!("../../tests/fixtures/correlations.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).expect("a fixture");
        let column = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
        };
        let groups: Vec<&str> = fixture["groups"]
            .as_array()
            .expect("groups")
            .iter()
            .map(|g| g.as_str().expect("a name"))
            .collect();
        let covariates = fixture["covariates"].as_array().expect("columns").iter().map(column).collect();
        let pairs = Pairs { groups, x: column(&fixture["x"]), y: column(&fixture["y"]), covariates };
        for relation in Relation::ALL {
            let expected = fixture[relation.name()].as_f64().expect("a number");
            let found = pairs.correlation(relation, 0, Bootstrap { resamples: 0, ..Bootstrap::default() });
            let value = found.value.expect("r");
            assert!((value - expected).abs() < 1e-12, "{}: {value} {expected}", relation.name());
        }
    }

    fn pairs(x: Vec<f64>, y: Vec<f64>) -> Pairs<'static> {
        let names = ["a", "b", "c", "d", "e"];
        Pairs { groups: (0..x.len()).map(|row| names[row / 4]).collect(), x, y, covariates: Vec::new() }
    }

    #[test]
    fn what_groups_share_counts_for_nothing_within_them() {
        let wavy = |at: usize| (at as f64 * 78.233).sin();
        let x: Vec<f64> = (0..20).map(|row| 10.0 * (row / 4) as f64 + wavy(row)).collect();
        let y: Vec<f64> = (0..20).map(|row| 10.0 * (row / 4) as f64 + wavy(row * 7 + 3)).collect();
        let pairs = pairs(x, y);
        let bootstrap = Bootstrap { resamples: 200, ..Bootstrap::default() };
        assert!(pairs.correlation(Relation::Pearson, 0, bootstrap).value.expect("r") > 0.99);
        let within = pairs.correlation(Relation::Within, 199, bootstrap);
        assert!(within.value.expect("r").abs() < 0.5 && within.p.expect("p") > 0.05, "{within:?}");
        assert!(within.interval.is_some());
    }

    #[test]
    fn a_weight_of_two_is_a_row_twice() {
        let (x, y) = (vec![1.0, 4.0, 2.0, 2.0, 7.0], vec![2.0, 1.0, 5.0, 3.0, 4.0]);
        let twice = |values: &[f64]| [values, &values[1..3]].concat();
        let weights = [1.0, 2.0, 2.0, 1.0, 1.0];
        let once = [1.0; 7];
        let column = vec![3.0, 1.0, 4.0, 1.0, 5.0];
        let long = twice(&column);
        let same = |a: Option<f64>, b: Option<f64>| (a.expect("r") - b.expect("r")).abs() < 1e-12;
        assert!(same(pearson(&x, &y, &weights), pearson(&twice(&x), &twice(&y), &once)));
        let part = |x: &[f64], columns: &[Vec<f64>], weights: &[f64]| residuals(x, columns, weights);
        let short = [std::slice::from_ref(&column), std::slice::from_ref(&long)];
        assert!(same(
            pearson(&part(&x, short[0], &weights), &part(&y, short[0], &weights), &weights),
            pearson(&part(&twice(&x), short[1], &once), &part(&twice(&y), short[1], &once), &once),
        ));
        let ranked = |x: &[f64], weights: &[f64]| ranks(x, &order(x), weights);
        assert!(same(
            pearson(&ranked(&x, &weights), &ranked(&y, &weights), &weights),
            pearson(&ranked(&twice(&x), &once), &ranked(&twice(&y), &once), &once),
        ));
    }

    #[test]
    fn what_does_not_vary_or_cannot_be_exchanged_is_none() {
        let wavy = |at: usize| (at as f64 * 78.233).sin();
        let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
        let still = pairs(vec![0.1; 8], (0..8).map(wavy).collect());
        let found = still.correlation(Relation::Pearson, 99, bootstrap);
        assert_eq!((found.value, found.interval, found.p, found.n), (None, None, None, 8));
        // A group of one has nothing within.
        let alone = Pairs {
            groups: vec!["a", "b", "c"],
            x: vec![0.1, 0.7, 0.3],
            y: vec![0.4, 0.2, 0.9],
            covariates: vec![vec![1.0, 2.0, 4.0]],
        };
        assert_eq!(alone.correlation(Relation::Within, 99, bootstrap).value, None);
        assert_eq!(alone.correlation(Relation::Partial, 99, bootstrap).value, None);
        assert!(alone.correlation(Relation::Pearson, 99, bootstrap).p.is_some());
    }
}

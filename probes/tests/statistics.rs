//! Metrics, intervals and permutation tests against closed forms and slow rewritings.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, correlated, fixture, floats, integers, pairs, pure_groups};
use ndarray::{Array2, array};
use proptest::prelude::*;
use recant_probes::multiple::{benjamini_hochberg, step_down};
use recant_probes::permutation::{exchanged_labels, test_layers};
use recant_probes::{
    Bootstrap, DeLong, Error, Exchange, Folds, Labelled, Method, Metric, Scored, minimum_detectable_auroc,
    minimum_detectable_by_groups,
};

fn score(metric: Metric, decisions: &[f64], labels: &[bool]) -> Option<f64> {
    metric.of(&Scored::new(decisions, labels))
}

fn by_pairs(decisions: &[f64], labels: &[bool]) -> Option<f64> {
    let (mut ordered, mut pairs) = (0.0, 0.0);
    for (positive, _) in decisions.iter().zip(labels).filter(|(_, label)| **label) {
        for (negative, _) in decisions.iter().zip(labels).filter(|(_, label)| !**label) {
            pairs += 1.0;
            ordered += if positive > negative {
                1.0
            } else if positive == negative {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0.0).then_some(ordered / pairs)
}

proptest! {
    #[test]
    fn auroc_is_the_share_of_rightly_ordered_pairs(
        rows in prop::collection::vec((-4_i8..4, any::<bool>(), 0_u32..4), 0..60),
    ) {
        let decisions: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let close = |found: Option<f64>, expected: Option<f64>| match (found, expected) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        };
        prop_assert!(close(score(Metric::Auroc, &decisions, &labels), by_pairs(&decisions, &labels)));

        // A row that counts thrice is three rows, for every metric.
        let counts: Vec<u32> = rows.iter().map(|row| row.2).collect();
        let repeat = |row: usize| std::iter::repeat_n(row, counts[row] as usize);
        let many: Vec<usize> = (0..rows.len()).flat_map(repeat).collect();
        let repeated: Vec<f64> = many.iter().map(|&row| decisions[row]).collect();
        let repeated_labels: Vec<bool> = many.iter().map(|&row| labels[row]).collect();
        for metric in Metric::ALL {
            let weighted = metric.weighted(&Scored::new(&decisions, &labels), &counts);
            prop_assert!(close(weighted, score(metric, &repeated, &repeated_labels)), "{:?}", metric);
        }
    }
}

#[test]
fn equal_decisions_have_an_auroc_of_one_half() {
    assert_eq!(score(Metric::Auroc, &[0.3; 5], &[true, false, true, false, false]), Some(0.5));
}

#[test]
fn what_is_undefined_is_none() {
    assert_eq!(score(Metric::Auroc, &[0.1, 0.2], &[true, true]), None);
    assert_eq!(score(Metric::AveragePrecision, &[0.1, 0.2], &[false, false]), None);
    assert!(Metric::ALL.into_iter().all(|metric| score(metric, &[], &[]).is_none()));
}

#[test]
fn scores_of_a_small_case_are_those_worked_out_by_hand() {
    // Probabilities 0.5, 0.5, 0.75, 0.2.
    let decisions = [0.0, 0.0, 3.0_f64.ln(), 0.25_f64.ln()];
    let labels = [true, false, true, false];
    let expect = |metric, value: f64| {
        approx::assert_relative_eq!(score(metric, &decisions, &labels).unwrap(), value, epsilon = 1e-12)
    };
    expect(Metric::Auroc, 3.5 / 4.0);
    expect(Metric::Accuracy, 0.75);
    expect(Metric::AveragePrecision, 0.5 * 1.0 + 0.5 * (2.0 / 3.0));
    expect(Metric::Brier, (0.25 + 0.25 + 0.0625 + 0.04) / 4.0);
    expect(Metric::Ece, (0.0 + 0.25 + 0.2) / 4.0);
    expect(Metric::BalancedAccuracy, (0.5 + 1.0) / 2.0);
    expect(Metric::LogLoss, -(0.5 * 0.5 * 0.75 * 0.8_f64).ln() / 4.0);
}

#[test]
fn the_interval_of_a_mean_covers_what_normal_theory_covers() {
    let labelled = pairs(200);
    let mut noise = Noise(4);
    let values: Vec<f64> = (0..400).map(|_| f64::from(noise.normal())).collect();
    let mean = |counts: &[u32]| {
        let total: u32 = counts.iter().sum();
        [Some(
            counts.iter().zip(&values).map(|(&count, value)| f64::from(count) * value).sum::<f64>()
                / f64::from(total),
        )]
    };
    let [interval] =
        Bootstrap { resamples: 4000, ..Bootstrap::default() }.intervals(&labelled, mean).unwrap();
    let interval = interval.unwrap();
    let groups: Vec<f64> = values.chunks(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
    let centre = groups.iter().sum::<f64>() / 200.0;
    let error = (groups.iter().map(|value| (value - centre).powi(2)).sum::<f64>()).sqrt() / 200.0;
    // 4000 resamples know a 97.5 % quantile to about 0.07 standard errors at three deviations more.
    assert!((interval.low - (centre - 1.96 * error)).abs() < 0.25 * error, "{interval:?}");
    assert!((interval.high - (centre + 1.96 * error)).abs() < 0.25 * error, "{interval:?}");
}

#[test]
fn intervals_of_a_skewed_statistic_are_those_of_scipy() {
    let golden = &fixture("statistics.json")["bootstrap"];
    let values = floats(&golden["value"]);
    let labels: Vec<i64> = (0..60).map(|row| row % 2).collect();
    let labelled = Labelled::ungrouped(&labels).unwrap();
    let square_of_mean = |counts: &[u32]| {
        [Some(
            (counts.iter().zip(&values).map(|(&count, v)| f64::from(count) * v).sum::<f64>() / 60.0).powi(2),
        )]
    };
    for (method, key) in [(Method::Percentile, "percentile"), (Method::Bca, "bca")] {
        let bootstrap = Bootstrap { resamples: 40_000, method, ..Bootstrap::default() };
        let [found] = bootstrap.intervals(&labelled, square_of_mean).unwrap();
        let (found, expected) = (found.unwrap(), floats(&golden[key]));
        // The resamples differ: 40,000 know the ends to about 0.004, and the two methods lie 0.01 and 0.02 apart.
        assert!((found.low - expected[0]).abs() < 0.006, "{key} {found:?} {expected:?}");
        assert!((found.high - expected[1]).abs() < 0.009, "{key} {found:?} {expected:?}");
    }
}

#[test]
fn a_corrected_interval_is_none_where_all_resamples_lie_to_one_side() {
    let labelled = pairs(10);
    // The number of groups drawn never exceeds that of the rows at hand.
    let distinct = |counts: &[u32]| [Some(counts.iter().filter(|&&count| count > 0).count() as f64)];
    let run = |method| {
        let [interval] = Bootstrap { method, ..Bootstrap::default() }.intervals(&labelled, distinct).unwrap();
        interval
    };
    assert_eq!(run(Method::Bca), None);
    assert!(run(Method::Percentile).is_some());
}

#[test]
fn a_perfect_auroc_has_an_interval_without_width() {
    let labelled = pure_groups(20, 1);
    let decisions: Vec<f64> = (0..20).map(|row| f64::from(row % 2)).collect();
    let [auroc, ..] = Bootstrap::default().estimates(&labelled, &decisions).unwrap();
    assert_eq!(auroc.ci.map(|ci| (ci.low, ci.high)), Some((1.0, 1.0)));
}

#[test]
fn a_difference_of_equals_is_0_and_its_resamples_are_paired() {
    let labelled = pairs(40);
    let mut noise = Noise(17);
    let good = correlated(&labelled, 1.0, 0.3, &mut noise);
    let poor: Vec<f64> = good.iter().map(|value| value + f64::from(noise.normal())).collect();
    let bootstrap = Bootstrap::default();
    let of = |one: &[f64], other: &[f64]| bootstrap.difference(&labelled, Metric::Auroc, one, other).unwrap();
    let none = of(&good, &good);
    assert_eq!((none.value, none.ci.map(|ci| (ci.low, ci.high))), (Some(0.0), Some((0.0, 0.0))));
    let found = of(&good, &poor).ci.unwrap();
    let closed = DeLong::difference(&labelled, &good, &poor).unwrap().unwrap().interval(0.95).unwrap();
    let width = closed[1] - closed[0];
    assert!((found.low - closed[0]).abs() < 0.15 * width && (found.high - closed[1]).abs() < 0.15 * width);
}

/// Of each row, the share of rows of the other class that it is rightly ordered against, pair by pair.
fn placements(decisions: &[f64], labels: &[bool]) -> Vec<f64> {
    let placement = |row: usize| {
        let others: Vec<usize> = (0..labels.len()).filter(|&other| labels[other] != labels[row]).collect();
        let ordered = |&other: &usize| {
            let (positive, negative) = if labels[row] { (row, other) } else { (other, row) };
            match decisions[positive].total_cmp(&decisions[negative]) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            }
        };
        others.iter().map(ordered).sum::<f64>() / others.len() as f64
    };
    (0..labels.len()).map(placement).collect()
}

#[test]
fn variances_of_independent_rows_are_those_of_delong() {
    let golden = &fixture("statistics.json")["delong"];
    let labelled = Labelled::ungrouped(&integers(&golden["y"])).unwrap();
    let [a, b] = ["a", "b"].map(|key| floats(&golden[key]));
    let close = |found: f64, expected: &serde_json::Value| {
        approx::assert_relative_eq!(found, expected.as_f64().unwrap(), epsilon = 1e-12);
    };
    for (place, decisions) in [&a, &b].into_iter().enumerate() {
        let found = DeLong::of(&labelled, decisions).unwrap().unwrap();
        close(found.value, &golden["auroc"][place]);
        close(found.standard_error.powi(2), &golden["variance"][place]);
    }
    let difference = DeLong::difference(&labelled, &a, &b).unwrap().unwrap();
    close(difference.standard_error.powi(2), &golden["difference_variance"]);
    close(difference.p(0.0).unwrap(), &golden["p"]);
}

#[test]
fn the_variance_of_grouped_rows_is_that_of_obuchowski() {
    let labels = [1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0];
    let groups = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5];
    let labelled = Labelled::new(&labels, &groups).unwrap();
    let decisions = [1.5, 0.5, 0.0, 2.0, 1.0, 1.5, 2.0, 1.0, 3.0, 0.5, 0.5, -1.0, 0.0];
    let placements = placements(&decisions, labelled.labels());
    let auroc = by_pairs(&decisions, labelled.labels()).unwrap();
    let (m, n) = (6.0, 7.0);
    let sum = |group: i64, class: i64| -> f64 {
        let own = (0..13).filter(|&row| groups[row] == group && labels[row] == class);
        own.map(|row| placements[row] - auroc).sum()
    };
    // Either class occurs in four of the six groups.
    let s10 = 4.0 / (3.0 * m) * (0..6).map(|group| sum(group, 1).powi(2)).sum::<f64>();
    let s01 = 4.0 / (3.0 * n) * (0..6).map(|group| sum(group, 0).powi(2)).sum::<f64>();
    let s11 = 6.0 / 5.0 * (0..6).map(|group| sum(group, 1) * sum(group, 0)).sum::<f64>();
    let variance = s10 / m + s01 / n + 2.0 * s11 / (m * n);
    let found = DeLong::of(&labelled, &decisions).unwrap().unwrap();
    approx::assert_relative_eq!(found.value, auroc, epsilon = 1e-12);
    approx::assert_relative_eq!(found.standard_error.powi(2), variance, epsilon = 1e-12);

    let one_positive_group = Labelled::new(&[1, 0, 0, 0], &[0, 1, 2, 3]).unwrap();
    assert_eq!(DeLong::of(&one_positive_group, &[1.0, 0.0, 2.0, 3.0]).unwrap(), None);
    assert_eq!(
        DeLong::of(&one_positive_group, &[1.0, f64::NAN, 2.0, 3.0]),
        Err(Error::NotANumber { row: 1 })
    );
}

#[test]
fn identical_rows_in_one_group_do_not_narrow_the_closed_form() {
    let (few, many) = (pure_groups(20, 1), pure_groups(20, 9));
    let values = correlated(&few, 1.0, 0.0, &mut Noise(3));
    let nine: Vec<f64> = values.iter().flat_map(|&value| [value; 9]).collect();
    let of = |labelled, decisions: &[f64]| DeLong::of(labelled, decisions).unwrap().unwrap();
    approx::assert_relative_eq!(
        of(&few, &values).standard_error,
        of(&many, &nine).standard_error,
        epsilon = 1e-12
    );
    assert!(
        of(&Labelled::new(&labels_of(&many), &(0..180).collect::<Vec<_>>()).unwrap(), &nine).standard_error
            < 0.4 * of(&few, &values).standard_error
    );
}

fn labels_of(labelled: &Labelled) -> Vec<i64> {
    labelled.labels().iter().map(|&label| i64::from(label)).collect()
}

#[test]
fn the_detectable_auroc_is_found_as_often_as_promised() {
    let power = 0.8;
    for (positives, negatives) in [(30, 30), (20, 80)] {
        let auroc = minimum_detectable_auroc(positives, negatives, 0.05, power).unwrap().unwrap();
        let labels: Vec<i64> = (0..positives + negatives).map(|row| i64::from(row < positives)).collect();
        let labelled = Labelled::ungrouped(&labels).unwrap();
        // The shift with Φ(shift / √2) = auroc, by bisection on 200,000 differences of normal values.
        let mut noise = Noise(41);
        let mut differences: Vec<f64> =
            (0..200_000).map(|_| f64::from(noise.normal()) - f64::from(noise.normal())).collect();
        differences.sort_by(f64::total_cmp);
        let shift = differences[(auroc * 200_000.0) as usize];
        let null = ((positives + negatives + 1) as f64 / (12 * positives * negatives) as f64).sqrt();
        let found = (0..2000)
            .filter(|_| {
                let decisions = correlated(&labelled, shift, 0.0, &mut noise);
                common::auroc(&decisions, &labelled) > 0.5 + 1.6449 * null
            })
            .count();
        // 1600 of 2000, with a standard deviation of 18; the formula takes negative exponentials for normal values.
        assert!((1520..1700).contains(&found), "{found} of 2000 at {auroc}");
    }
}

#[test]
fn what_is_detectable_shrinks_with_rows_and_counts_groups() {
    let of = |n| minimum_detectable_auroc(n, n, 0.05, 0.8).unwrap();
    assert!(of(20) > of(40) && of(40) > of(400) && of(400) > Some(0.5));
    assert_eq!(of(1), None);
    let grouped = minimum_detectable_by_groups(&pure_groups(40, 9), 0.05, 0.8).unwrap();
    assert_eq!(grouped, of(20));
    assert_eq!(minimum_detectable_by_groups(&pairs(40), 0.05, 0.8).unwrap(), of(40));
    let refused = Error::BadShare { what: "power", share: 1.0 };
    assert_eq!(minimum_detectable_auroc(5, 5, 0.05, 1.0), Err(refused));
    assert_eq!(minimum_detectable_auroc(0, 5, 0.05, 0.8), Err(Error::Empty { what: "rows of a class" }));
}

#[test]
fn false_discovery_rates_are_those_of_scipy_and_leave_out_what_was_not_tested() {
    let golden = &fixture("statistics.json")["false_discovery"];
    let (p, q) = (floats(&golden["p"]), floats(&golden["q"]));
    let table: Vec<Option<f64>> = p.iter().flat_map(|&p| [Some(p), None]).collect();
    let adjusted = benjamini_hochberg(&table);
    for (found, expected) in adjusted.iter().step_by(2).zip(q) {
        approx::assert_relative_eq!(found.unwrap(), expected, epsilon = 1e-12);
    }
    assert!(adjusted.iter().skip(1).step_by(2).all(Option::is_none));
    assert!(benjamini_hochberg(&[]).is_empty());
}

#[test]
fn stepping_down_drops_what_was_found_from_the_rest() {
    let null = array![[0.9, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.5, 0.1]];
    // The second is compared without the first, whose null holds the 0.9, and the third with its own alone.
    assert_eq!(step_down(&[1.0, 0.8, 0.6], null.view()), [0.2, 0.2, 0.2]);
    // Never below one before it: by itself the last would have 1/5.
    assert_eq!(step_down(&[0.65, 0.4, 0.3], null.view()), [0.6, 0.6, 0.6]);

    let mut noise = Noise(12);
    let null = Array2::from_shape_simple_fn((6, 99), || f64::from(noise.normal()));
    let observed: Vec<f64> = (0..6).map(|_| 1.0 + f64::from(noise.normal())).collect();
    let (stepped, single) = (step_down(&observed, null.view()), test_layers(&observed, null.view()));
    let best = (0..6).max_by(|&a, &b| observed[a].total_cmp(&observed[b])).unwrap();
    assert_eq!(stepped[best], single[best].p_max);
    assert!(stepped.iter().zip(&single).all(|(p, test)| *p <= test.p_max && *p >= test.p));
    assert!(stepped.iter().zip(&single).any(|(p, test)| *p < test.p_max));
}

#[test]
fn groups_are_resampled_whole() {
    let labelled = pure_groups(10, 7);
    let whole = |counts: &[u32]| {
        [Some(f64::from(counts.chunks(7).all(|group| group.iter().all(|&count| count == group[0]))))]
    };
    let [interval] = Bootstrap::default().intervals(&labelled, whole).unwrap();
    assert_eq!(interval.map(|interval| (interval.low, interval.high)), Some((1.0, 1.0)));
}

#[test]
fn identical_rows_in_one_group_do_not_narrow_the_interval() {
    let (few, many) = (pure_groups(20, 1), pure_groups(20, 9));
    let mut noise = Noise(8);
    let values: Vec<f64> = (0..20).map(|row| f64::from(noise.normal()) + (row % 2) as f64).collect();
    let nine: Vec<f64> = values.iter().flat_map(|&value| [value; 9]).collect();
    let bootstrap = Bootstrap::default();
    let (one, other) =
        (bootstrap.estimates(&few, &values).unwrap(), bootstrap.estimates(&many, &nine).unwrap());
    for (one, other) in one.iter().zip(&other) {
        approx::assert_relative_eq!(one.ci.unwrap().low, other.ci.unwrap().low, epsilon = 1e-12);
        approx::assert_relative_eq!(one.ci.unwrap().high, other.ci.unwrap().high, epsilon = 1e-12);
    }
}

#[test]
fn a_seed_names_its_interval_on_any_number_of_threads() {
    let labelled = pairs(15);
    let mut noise = Noise(6);
    let decisions: Vec<f64> = (0..30).map(|_| f64::from(noise.normal())).collect();
    let run = |seed: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Bootstrap { seed, ..Bootstrap::default() }.estimates(&labelled, &decisions).unwrap())
    };
    assert_eq!(run(3, 1), run(3, 4));
    assert_ne!(run(3, 1), run(4, 1));
}

#[test]
fn intervals_mostly_undefined_are_none_and_a_bad_level_is_refused() {
    let labelled = pairs(5);
    let [never] = Bootstrap::default().intervals(&labelled, |_| [None]).unwrap();
    assert_eq!(never, None);
    let level = Bootstrap { level: 1.0, ..Bootstrap::default() };
    assert_eq!(level.intervals(&labelled, |_| [None]), Err::<[_; 1], _>(Error::BadLevel { level: 1.0 }));
}

fn row_labels(drawn: &Array2<f64>) -> Vec<Vec<bool>> {
    drawn.rows().into_iter().map(|row| row.iter().map(|&label| label == 1.0).collect()).collect()
}

#[test]
fn minimal_pairs_exchange_labels_within_each_pair() {
    let labelled = pairs(12);
    assert_eq!(Exchange::of(&labelled), Exchange::WithinGroups);
    let folds = Folds::grouped(&labelled, 3, 0).unwrap();
    let drawn = row_labels(&exchanged_labels(&labelled, &folds, 200, 0).unwrap());
    assert!(drawn.iter().all(|labels| labels.chunks(2).all(|pair| pair[0] != pair[1])));
    let turned = drawn.iter().filter(|labels| labels[0]).count();
    assert!((60..140).contains(&turned), "{turned} of 200 turned");
}

#[test]
fn even_groups_turn_all_their_labels_round_or_none_where_there_are_ten() {
    let copies = |groups: i64| {
        let labels: Vec<i64> = (0..4 * groups).map(|row| (row / 2) % 2).collect();
        Labelled::new(&labels, &(0..4 * groups).map(|row| row / 4).collect::<Vec<_>>()).unwrap()
    };
    let shuffled = |labelled: &Labelled| {
        let folds = Folds::grouped(labelled, 2, 0).unwrap();
        let drawn = row_labels(&exchanged_labels(labelled, &folds, 50, 0).unwrap());
        drawn.iter().any(|labels| labels.chunks(2).any(|copies| copies[0] != copies[1]))
    };
    assert!(!shuffled(&copies(10)));
    assert!(shuffled(&copies(9)));
}

#[test]
fn groups_exchange_labels_within_folds_and_folds_alike_as_wholes() {
    // Folds of five, five and four groups with two, three and one of class 1.
    let labelled = Labelled::ungrouped(&[1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0]).unwrap();
    let folds = Folds::given(&labelled, &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for labels in row_labels(&exchanged_labels(&labelled, &folds, 300, 0).unwrap()) {
        seen.insert(
            [&labels[..5], &labels[5..10], &labels[10..]].map(|part| part.iter().filter(|&&l| l).count()),
        );
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [[2, 3, 1], [3, 2, 1]]);
}

#[test]
fn groups_of_one_class_exchange_labels_as_wholes() {
    let labelled = pure_groups(12, 3);
    assert_eq!(Exchange::of(&labelled), Exchange::BetweenGroups);
    let folds = Folds::grouped(&labelled, 3, 0).unwrap();
    for labels in row_labels(&exchanged_labels(&labelled, &folds, 100, 0).unwrap()) {
        assert!(labels.chunks(3).all(|group| group.iter().all(|&label| label == group[0])));
        assert_eq!(labels.iter().filter(|&&label| label).count(), labelled.n_positive());
        assert!((0..3).all(|fold| {
            let (train, _) = folds.split(fold);
            train.iter().any(|&row| labels[row]) && train.iter().any(|&row| !labels[row])
        }));
    }
}

#[test]
fn a_mixed_design_exchanges_sets_of_labels_between_groups_of_equal_size() {
    // Sizes 2, 2, 3, 3; sums of labels 1, 2, 0, 1.
    let labelled = Labelled::new(&[0, 1, 1, 1, 0, 0, 0, 0, 1, 0], &[0, 0, 1, 1, 2, 2, 2, 3, 3, 3]).unwrap();
    assert_eq!(Exchange::of(&labelled), Exchange::Mixed);
    let folds = Folds::given(&labelled, &[0, 0, 1, 1, 1, 1, 1, 0, 0, 0]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for labels in row_labels(&exchanged_labels(&labelled, &folds, 300, 0).unwrap()) {
        let sum = |rows: std::ops::Range<usize>| labels[rows].iter().filter(|&&label| label).count();
        let (mut small, mut large) = ([sum(0..2), sum(2..4)], [sum(4..7), sum(7..10)]);
        small.sort_unstable();
        large.sort_unstable();
        assert_eq!((small, large), ([1, 2], [0, 1]));
        seen.insert(labels);
    }
    // The two folds exchange their labels as wholes or not, times the places of the odd one: 2 · 2·3.
    assert_eq!(seen.len(), 12);
}

#[test]
fn p_values_count_what_is_at_least_as_large_and_correct_for_the_best_layer() {
    let null = array![[0.4, 0.5, 0.6, 0.7], [0.9, 0.5, 0.5, 0.5]];
    let tests = test_layers(&[0.6, 0.95], null.view());
    assert_eq!((tests[0].p, tests[0].p_max), (3.0 / 5.0, 4.0 / 5.0));
    assert_eq!((tests[1].p, tests[1].p_max), (1.0 / 5.0, 1.0 / 5.0));
    assert_eq!(tests[0].null, [0.4, 0.5, 0.6, 0.7]);
}

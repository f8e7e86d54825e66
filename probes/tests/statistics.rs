//! Metrics, intervals and permutation tests against closed forms and slow rewritings.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::array;
use proptest::prelude::*;
use recant_probes::permutation::{exchanged_labels, test_layers};
use recant_probes::{Bootstrap, Error, Exchange, Folds, Labelled, Metric, Scored};

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

#[test]
fn minimal_pairs_exchange_labels_within_each_pair() {
    let labelled = pairs(12);
    assert_eq!(Exchange::of(&labelled), Exchange::WithinGroups);
    let folds = Folds::grouped(&labelled, 3, 0).unwrap();
    let drawn = exchanged_labels(&labelled, &folds, 200, 0).unwrap();
    assert!(drawn.iter().all(|labels| labels.chunks(2).all(|pair| pair[0] != pair[1])));
    let turned = drawn.iter().filter(|labels| labels[0]).count();
    assert!((60..140).contains(&turned), "{turned} of 200 turned");
}

#[test]
fn groups_of_one_class_exchange_labels_as_wholes() {
    let labelled = pure_groups(12, 3);
    assert_eq!(Exchange::of(&labelled), Exchange::BetweenGroups);
    let folds = Folds::grouped(&labelled, 3, 0).unwrap();
    for labels in exchanged_labels(&labelled, &folds, 100, 0).unwrap() {
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
    for labels in exchanged_labels(&labelled, &folds, 300, 0).unwrap() {
        let sum = |rows: std::ops::Range<usize>| labels[rows].iter().filter(|&&label| label).count();
        let (mut small, mut large) = ([sum(0..2), sum(2..4)], [sum(4..7), sum(7..10)]);
        small.sort_unstable();
        large.sort_unstable();
        assert_eq!((small, large), ([1, 2], [0, 1]));
        seen.insert(labels);
    }
    // Which of two groups has the mixed labels, in both sizes, times the places of the odd one: 2·2 · 2·3.
    assert_eq!(seen.len(), 24);
}

#[test]
fn p_values_count_what_is_at_least_as_large_and_correct_for_the_best_layer() {
    let null = array![[0.4, 0.5, 0.6, 0.7], [0.9, 0.5, 0.5, 0.5]];
    let tests = test_layers(&[0.6, 0.95], null.view());
    assert_eq!((tests[0].p, tests[0].p_max), (3.0 / 5.0, 4.0 / 5.0));
    assert_eq!((tests[1].p, tests[1].p_max), (1.0 / 5.0, 1.0 / 5.0));
    assert_eq!(tests[0].null, [0.4, 0.5, 0.6, 0.7]);
}

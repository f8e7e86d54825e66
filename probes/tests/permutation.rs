//! What may be exchanged for what, and the p-values that follow.
#![allow(clippy::unwrap_used)]

mod common;

use common::{pairs, pure_groups};
use ndarray::array;
use recant_probes::permutation::{exchanged_labels, test_layers};
use recant_probes::{Exchange, Folds, Labelled};

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
fn even_groups_turn_all_their_labels_round_or_none_where_there_are_ten() {
    let copies = |groups: i64| {
        let labels: Vec<i64> = (0..4 * groups).map(|row| (row / 2) % 2).collect();
        Labelled::new(&labels, &(0..4 * groups).map(|row| row / 4).collect::<Vec<_>>()).unwrap()
    };
    let shuffled = |labelled: &Labelled| {
        let folds = Folds::grouped(labelled, 2, 0).unwrap();
        let drawn = exchanged_labels(labelled, &folds, 50, 0).unwrap();
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
    for labels in exchanged_labels(&labelled, &folds, 300, 0).unwrap() {
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

#[test]
fn groups_of_one_class_give_labels_only_to_groups_of_their_size() {
    // Sizes 1, 1, 1, 1, 3, 3, 3, 3: however labels are exchanged, as many rows of each size are of class 1.
    let names: Vec<i64> = (0..8).flat_map(|group| vec![group; if group < 4 { 1 } else { 3 }]).collect();
    let labels: Vec<i64> = names.iter().map(|name| name % 2).collect();
    let labelled = Labelled::new(&labels, &names).unwrap();
    let folds = Folds::grouped(&labelled, 2, 0).unwrap();
    let mut changed = false;
    for drawn in exchanged_labels(&labelled, &folds, 200, 0).unwrap() {
        assert_eq!(drawn[..4].iter().filter(|&&label| label).count(), 2);
        assert_eq!(drawn[4..].iter().filter(|&&label| label).count(), 6);
        changed |= drawn != labelled.labels();
    }
    assert!(changed);
}

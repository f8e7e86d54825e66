//! Folds and cross-validation: groups stay whole, and nothing leaks.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::Array2;
use proptest::prelude::*;
use recant_probes::{
    Bootstrap, Dataset, Error, Estimator, Evaluation, Folds, Labelled, Logistic, Metric, Nested, Scored,
    nested,
};

proptest! {
    #[test]
    fn no_group_straddles_folds_and_no_fold_is_empty(
        groups in prop::collection::vec(0_i64..12, 30..80),
        bits in prop::collection::vec(any::<bool>(), 80),
        k in 2_usize..6,
        seed in any::<u64>(),
    ) {
        let Ok(labelled) = Labelled::from_bools(&bits[..groups.len()], &groups) else { return Ok(()) };
        let Ok(folds) = Folds::grouped(&labelled, k, seed) else { return Ok(()) };
        for rows in labelled.members() {
            prop_assert!(rows.iter().all(|&row| folds.of_row()[row] == folds.of_row()[rows[0]]));
        }
        for fold in 0..k {
            let (train, held_out) = folds.split(fold);
            prop_assert!(!held_out.is_empty());
            prop_assert_eq!(train.len() + held_out.len(), labelled.n());
            prop_assert!(train.iter().any(|&row| labelled.labels()[row]));
            prop_assert!(train.iter().any(|&row| !labelled.labels()[row]));
        }
        prop_assert_eq!(&folds, &Folds::grouped(&labelled, k, seed).unwrap());
    }
}

#[test]
fn equal_groups_are_dealt_with_equal_class_counts() {
    let labelled = pure_groups(40, 3);
    let folds = Folds::grouped(&labelled, 5, 1).unwrap();
    for fold in 0..5 {
        let (_, held_out) = folds.split(fold);
        let positives = held_out.iter().filter(|&&row| labelled.labels()[row]).count();
        assert_eq!((held_out.len(), positives), (24, 12));
    }
}

#[test]
fn another_seed_deals_other_folds() {
    let labelled = pairs(30);
    assert_ne!(Folds::grouped(&labelled, 5, 0).unwrap(), Folds::grouped(&labelled, 5, 1).unwrap());
}

#[test]
fn as_many_folds_as_groups_leave_none_empty_however_uneven_the_groups() {
    let groups = [0, 0, 0, 0, 0, 0, 1, 1, 2, 3];
    let labelled = Labelled::new(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1], &groups).unwrap();
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    assert!((0..4).all(|fold| !folds.split(fold).1.is_empty()));
}

#[test]
fn folds_that_cannot_be_are_refused() {
    let labelled = pairs(3);
    assert_eq!(Folds::grouped(&labelled, 1, 0), Err(Error::TooFewFolds { folds: 1 }));
    assert_eq!(Folds::grouped(&labelled, 4, 0), Err(Error::TooFewGroups { groups: 3, folds: 4 }));
    let two = Labelled::new(&[0, 0, 1, 1], &[0, 0, 1, 1]).unwrap();
    assert!(matches!(Folds::grouped(&two, 2, 0), Err(Error::OneClassTraining { .. })));

    let straddle = Error::GroupStraddles { group: 1, first: 7, second: 9 };
    assert_eq!(Folds::given(&labelled, &[7, 7, 7, 9, 9, 9]), Err(straddle));
    assert_eq!(Folds::given(&labelled, &[4; 6]), Err(Error::TooFewFolds { folds: 1 }));
    let short = Error::ShapeMismatch { what: "folds", expected: 6, found: 1 };
    assert_eq!(Folds::given(&labelled, &[4]), Err(short));
    assert_eq!(Folds::given(&labelled, &[-3, -3, 8, 8, 0, 0]).unwrap().of_row(), [0, 0, 2, 2, 1, 1]);
}

#[test]
fn a_held_out_row_has_no_part_in_the_decisions_of_others() {
    let (x, labelled) = (Noise(21).matrix(24, 30), pairs(12));
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    let decide = |x: &Array2<f32>| {
        Logistic::default().cross_validate(&Dataset::new(x.view(), &labelled).unwrap(), &folds).unwrap()
    };
    let before = decide(&x);
    let mut changed = x.clone();
    changed.row_mut(5).mapv_inplace(|value| 1e4 * value - 300.0);
    let after = decide(&changed);
    let same = |row: usize| folds.of_row()[row] == folds.of_row()[5] && row != 5;
    assert!((0..24).filter(|&row| same(row)).count() > 3);
    for row in (0..24).filter(|&row| same(row)) {
        // A scaler that saw row 5 would have moved every one of these.
        assert_eq!(before[row], after[row]);
    }
}

#[test]
fn out_of_fold_decisions_are_those_of_probes_fitted_on_the_other_folds() {
    let (x, labelled) = (Noise(22).matrix(24, 10), pairs(12));
    let folds = Folds::grouped(&labelled, 3, 5).unwrap();
    let pooled =
        Logistic::default().cross_validate(&Dataset::new(x.view(), &labelled).unwrap(), &folds).unwrap();
    for fold in 0..3 {
        let (train, held_out) = folds.split(fold);
        let labels: Vec<bool> = train.iter().map(|&row| labelled.labels()[row]).collect();
        let part = Labelled::from_bools(&labels, &vec![0; train.len()]).unwrap();
        let rows = x.select(ndarray::Axis(0), &train);
        let probe = Logistic::default().fit(&Dataset::new(rows.view(), &part).unwrap()).unwrap();
        for row in held_out {
            approx::assert_relative_eq!(pooled[row], probe.decision(x.row(row)).unwrap(), epsilon = 1e-9);
        }
    }
}

#[test]
fn a_label_that_only_the_group_tells_is_not_learnt() {
    // Every row shows its group and nothing else: with a group on both sides of a split, AUROC would be 1.
    let labelled = pure_groups(24, 4);
    let x = Array2::from_shape_fn((96, 24), |(row, column)| f32::from(u8::from(row / 4 == column)));
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let auroc = |decisions: &[f64]| Metric::Auroc.of(&Scored::new(decisions, labelled.labels())).unwrap();
    let fitted = Logistic::default().fit(&data).unwrap().decisions(x.view()).unwrap();
    assert_eq!(auroc(&fitted), 1.0);
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    let held_out = Logistic::default().cross_validate(&data, &folds).unwrap();
    assert!(auroc(&held_out) <= 0.5 + 1e-9, "{}", auroc(&held_out));
}

#[test]
fn a_category_is_tested_by_a_probe_that_never_saw_it() {
    let labelled = pairs(30);
    let categories: Vec<&str> = (0..60).map(|row| ["gender", "age", "religion"][row / 20]).collect();
    let (folds, names) = Folds::leave_one_out_of(&labelled, &categories).unwrap();
    assert_eq!(names, ["age", "gender", "religion"]);
    for (fold, name) in names.iter().enumerate() {
        let (train, held_out) = folds.split(fold);
        assert!(held_out.iter().all(|&row| categories[row] == name));
        assert!(train.iter().all(|&row| categories[row] != name) && train.len() == 40);
    }
    // Two categories share a direction that the third turns round: pooled they hide it, by category they do not.
    let mut x = Noise(2).matrix(60, 4);
    for row in 0..60 {
        let sign = if categories[row] == "age" { -4.0 } else { 4.0 };
        x[[row, 0]] += if labelled.labels()[row] { sign } else { 0.0 };
    }
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let decisions = Logistic::default().cross_validate(&data, &folds).unwrap();
    let scores = Evaluation::by_fold(&labelled, &folds, &decisions, &Bootstrap::default()).unwrap();
    let auroc = |fold: usize| scores[fold].as_ref().unwrap().auroc.value.unwrap();
    assert!(auroc(0) < 0.1 && scores[0].as_ref().unwrap().n == 20);
}

#[test]
fn a_category_of_one_class_has_no_score_and_a_group_in_two_categories_is_refused() {
    let labelled = Labelled::new(&[0, 1, 0, 1, 1, 1], &[0, 0, 1, 1, 2, 2]).unwrap();
    let (folds, _) = Folds::leave_one_out_of(&labelled, &["a", "a", "b", "b", "c", "c"]).unwrap();
    let scores = Evaluation::by_fold(&labelled, &folds, &[0.0; 6], &Bootstrap::default()).unwrap();
    assert_eq!(scores.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    let straddle = Error::GroupStraddles { group: 2, first: 1, second: 0 };
    let names = ["a", "a", "b", "b", "b", "a"];
    assert_eq!(Folds::leave_one_out_of(&labelled, &names).unwrap_err(), straddle);
    let training = Folds::leave_one_out_of(&labelled, &["a", "a", "a", "a", "c", "c"]);
    assert_eq!(training.unwrap_err(), Error::OneClassTraining { fold: 0, class: 1 });
    let one = Folds::leave_one_out_of(&labelled, &["a"; 6]);
    assert_eq!(one.unwrap_err(), Error::TooFewFolds { folds: 1 });
}

proptest! {
    #[test]
    fn a_hold_out_keeps_groups_whole_and_classes_even(share in 0.1_f64..0.9, seed in any::<u64>()) {
        let labelled = pure_groups(60, 3);
        let (train, held_out) = Folds::hold_out(&labelled, share, seed).unwrap();
        prop_assert_eq!(train.len() + held_out.len(), 180);
        // To the nearest group of either class.
        prop_assert!((held_out.len() as f64 - 180.0 * share).abs() <= 6.0);
        let positives = held_out.iter().filter(|&&row| labelled.labels()[row]).count();
        prop_assert!((positives as f64 - 90.0 * share).abs() <= 3.0);
        let groups = |rows: &[usize]| rows.iter().map(|&row| labelled.groups()[row]).collect::<Vec<_>>();
        prop_assert!(groups(&train).iter().all(|group| !groups(&held_out).contains(group)));
    }
}

#[test]
fn hold_outs_that_cannot_be_are_refused() {
    let bad = Error::BadShare { what: "share of rows held out", share: 1.0 };
    assert_eq!(Folds::hold_out(&pairs(4), 1.0, 0), Err(bad));
    let one = Labelled::new(&[0, 1], &[5, 5]).unwrap();
    assert_eq!(Folds::hold_out(&one, 0.5, 0), Err(Error::TooFewGroups { groups: 1, folds: 2 }));
    let lone = Labelled::new(&[0, 0, 0, 1], &[0, 1, 2, 3]).unwrap();
    assert!(matches!(Folds::hold_out(&lone, 0.5, 0), Err(Error::OneClass { class: 0, .. })));
}

#[test]
fn nested_choice_is_the_best_of_the_inner_folds_and_decides_the_outer_rows() {
    let labelled = pairs(24);
    let mut x = Noise(40).matrix(48, 40);
    (0..48).filter(|row| row % 2 == 1).for_each(|row| x[[row, 3]] += 1.5);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    let candidates = [1e-4, 1e-2, 1.0, 100.0].map(|c| Logistic { c, ..Logistic::default() });
    let found = Nested::of(&data, &folds, &candidates, 3, 7).unwrap();
    for fold in 0..4 {
        let (train, held_out) = folds.split(fold);
        let part = labelled.select(&train).unwrap();
        let rows = x.select(ndarray::Axis(0), &train);
        let inner_data = Dataset::new(rows.view(), &part).unwrap();
        let inner = Folds::grouped(&part, 3, 7).unwrap();
        let aurocs = candidates
            .map(|candidate| common::auroc(&candidate.cross_validate(&inner_data, &inner).unwrap(), &part));
        for (candidate, auroc) in aurocs.into_iter().enumerate() {
            approx::assert_relative_eq!(found.inner[fold][candidate].unwrap(), auroc, epsilon = 1e-12);
            assert!(auroc <= aurocs[found.chosen[fold]]);
        }
        let probe = candidates[found.chosen[fold]].fit_rows(&data, &train).unwrap();
        for row in held_out {
            assert_eq!(found.decisions[row], probe.decision(x.row(row)).unwrap());
        }
    }
}

#[test]
fn the_best_of_many_settings_gains_nothing_on_noise_when_nested() {
    // Forty rules that guess: the best of them on all rows looks like a finding.
    let labelled = pairs(20);
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    let guesses = Noise(6).matrix(40, 40);
    let guess = |rule: usize, rows: &[usize]| {
        rows.iter().map(|&row| f64::from(guesses[[rule, row]])).collect::<Vec<_>>()
    };
    let best = (0..40)
        .map(|rule| common::auroc(&guess(rule, &(0..40).collect::<Vec<_>>()), &labelled))
        .fold(0.0, f64::max);
    assert!(best > 0.65, "{best}");
    let found = nested(&labelled, &folds, 40, 3, 0, |rule, _, held_out| Ok(guess(rule, held_out))).unwrap();
    let honest = common::auroc(&found.decisions, &labelled);
    assert!(honest < 0.6, "{honest}");
    let none = nested(&labelled, &folds, 0, 3, 0, |_, _, _| Ok(vec![]));
    assert_eq!(none, Err(Error::Empty { what: "candidates" }));
}

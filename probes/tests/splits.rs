//! Folds and cross-validation: groups stay whole, and nothing leaks.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::Array2;
use proptest::prelude::*;
use recant_probes::{Dataset, Error, Estimator, Folds, Labelled, Logistic, Metric, Scored};

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
        // A scaler that saw row 5 would have moved every one of these by far more.
        approx::assert_relative_eq!(before[row], after[row], epsilon = 1e-6);
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
            approx::assert_relative_eq!(pooled[row], probe.decision(x.row(row)).unwrap(), epsilon = 1e-7);
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

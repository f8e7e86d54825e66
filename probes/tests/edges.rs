//! Input at the edge of what can be answered: a typed error or a flagged result each.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::{Array2, Array3, Axis};
use recant_probes::{
    Bootstrap, Calibration, Calibrator, Counting, Dataset, DeLong, Error, Estimator, Evaluation, Folds, Kind,
    Labelled, Logistic, Settings, fit_layers, words_only,
};

fn settings() -> Settings {
    let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
    Settings { bootstrap, permutations: 19, ..Settings::default() }
}

#[test]
fn labels_of_one_class_are_refused() {
    assert_eq!(Labelled::ungrouped(&[1; 7]).unwrap_err(), Error::OneClass { class: 1, rows: 7 });
    assert_eq!(Labelled::ungrouped(&[]).unwrap_err(), Error::Empty { what: "rows" });
    assert_eq!(Labelled::ungrouped(&[0, 2]).unwrap_err(), Error::NotBinary { row: 1, value: 2 });
    let labelled = pairs(3);
    assert_eq!(labelled.select(&[0, 2, 4]).unwrap_err(), Error::OneClass { class: 0, rows: 3 });
    assert_eq!(labelled.select(&[]).unwrap_err(), Error::Empty { what: "rows" });
}

#[test]
fn constant_columns_carry_no_weight_and_constant_features_score_at_chance() {
    let labelled = pairs(12);
    let mut x = Noise(1).matrix(24, 4);
    x.column_mut(2).fill(7.0);
    let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    assert!(probe.coef[2].abs() < 1e-12 && probe.coef.iter().all(|weight| weight.is_finite()));
    let same = Array3::from_elem((1, 24, 3), -1.5_f32);
    let sweep = fit_layers(same.view(), &labelled, &settings()).unwrap();
    let auroc = sweep[0].cv.auroc;
    assert_eq!((auroc.value, auroc.ci.map(|ci| (ci.low, ci.high))), (Some(0.5), Some((0.5, 0.5))));
    assert_eq!(sweep[0].permutation.as_ref().map(|test| test.p_max), Some(1.0));
}

#[test]
fn fewer_rows_than_columns_are_separated_in_training_and_at_chance_held_out() {
    let labelled = pairs(12);
    let x = Noise(2).layers(1, 24, 500);
    let sweep = fit_layers(x.view(), &labelled, &settings()).unwrap();
    assert_eq!(sweep[0].train_auroc, Some(1.0));
    assert!(sweep[0].cv.auroc.value.unwrap() < 0.8);
    assert!(sweep[0].permutation.as_ref().unwrap().p > 0.05);
}

#[test]
fn duplicated_rows_double_the_penalty_and_no_more() {
    let labelled = pairs(15);
    let x = Noise(3).matrix(30, 4);
    let once = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    let rows: Vec<usize> = (0..60).map(|row| row / 2).collect();
    let (twice_x, twice) = (x.select(Axis(0), &rows), labelled.select(&rows).unwrap());
    let data = Dataset::new(twice_x.view(), &twice).unwrap();
    let halved = Logistic { c: 0.5, ..Logistic::default() }.fit(&data).unwrap();
    for (one, two) in once.coef.iter().zip(&halved.coef) {
        approx::assert_relative_eq!(one, two, epsilon = 1e-8);
    }
}

#[test]
fn a_feature_or_a_decision_that_is_no_number_is_named() {
    let labelled = pairs(12);
    for value in [f32::NAN, f32::INFINITY] {
        let mut x = Noise(4).matrix(24, 3);
        x[[5, 1]] = value;
        let refused = Dataset::new(x.view(), &labelled).unwrap_err();
        assert_eq!(refused, Error::NonFinite { row: 5, column: 1 });
    }
    let mut decisions = vec![0.5; 24];
    decisions[3] = f64::NAN;
    let named = Error::NotANumber { row: 3 };
    assert_eq!(DeLong::of(&labelled, &decisions), Err(named.clone()));
    assert_eq!(Calibration::fit(Calibrator::Isotonic, &decisions, &labelled), Err(named.clone()));
    assert_eq!(Evaluation::new(&labelled, decisions, &Bootstrap::default()).unwrap_err(), named);
}

#[test]
fn one_group_cannot_be_split_nor_resampled() {
    let labelled = Labelled::new(&[0, 1, 0, 1, 1], &[9; 5]).unwrap();
    let x = Noise(5).layers(1, 5, 3);
    let refused = fit_layers(x.view(), &labelled, &settings()).unwrap_err();
    assert_eq!(refused, Error::TooFewGroups { groups: 1, folds: 5 });
    // Given decisions have scores, but nothing to tell their uncertainty by.
    let found = Evaluation::new(&labelled, vec![0.0, 1.0, 2.0, 3.0, 4.0], &Bootstrap::default()).unwrap();
    assert!(found.auroc.value.is_some());
    assert_eq!(found.auroc.ci, None);
    assert_eq!(DeLong::of(&labelled, &[0.0, 1.0, 2.0, 3.0, 4.0]), Ok(None));
}

#[test]
fn a_fit_that_cannot_converge_says_so() {
    let labelled = pairs(10);
    let x = Noise(6).matrix(20, 5);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let hasty = Logistic { max_steps: 1, ..Logistic::default() };
    assert!(matches!(hasty.fit(&data), Err(Error::NotConverged { iterations: 1, .. })));
    let layers = x.clone().insert_axis(Axis(0));
    let kind = Settings { probe: Kind::Logistic(hasty), ..settings() };
    assert!(matches!(fit_layers(layers.view(), &labelled, &kind), Err(Error::Layer { layer: 0, .. })));
}

#[test]
fn a_lone_row_of_a_class_leaves_some_fold_without_it() {
    let labelled = Labelled::ungrouped(&[0, 0, 0, 0, 0, 1]).unwrap();
    assert!(matches!(Folds::grouped(&labelled, 3, 0), Err(Error::OneClassTraining { class: 0, .. })));
}

#[test]
fn texts_without_words_are_an_empty_vocabulary() {
    let labelled = pairs(4);
    let folds = Folds::grouped(&labelled, 2, 0).unwrap();
    let found = words_only(
        &["?"; 8],
        &labelled,
        &folds,
        Counting::Counts,
        &Logistic::default(),
        &Bootstrap::default(),
    );
    assert_eq!(found.unwrap_err(), Error::EmptyVocabulary { fold: 0 });
}

#[test]
fn folds_of_other_rows_are_refused() {
    let (labelled, other) = (pairs(8), pure_groups(8, 3));
    let folds = Folds::grouped(&other, 2, 0).unwrap();
    let x: Array2<f32> = Noise(8).matrix(16, 2);
    let refused =
        Logistic::default().cross_validate(&Dataset::new(x.view(), &labelled).unwrap(), &folds).unwrap_err();
    assert_eq!(refused, Error::ShapeMismatch { what: "folds", expected: 16, found: 24 });
}

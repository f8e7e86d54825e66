//! What every kind of probe has in common: names, signs, refusals, and linfa's traits.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use linfa::DatasetBase;
use linfa::traits::Predict;
use ndarray::{Array1, Array2, Axis, concatenate};
use recant_probes::{
    Ccs, Centring, Dataset, Error, Estimator, Folds, Kind, Labelled, Lda, LeftOut, LinfaLogistic, LinfaSvm,
    Logistic, MassMean, Metric, Multinomial, PairPca, Probe, Regression, RegressionScores, Ridge, RidgePath,
    Scored, Shrinkage, Sparse,
};

/// Pairs that differ along the third column.
fn separable(groups: usize, columns: usize, seed: u64) -> (Array2<f32>, Labelled) {
    let labelled = pairs(groups);
    let mut x = Noise(seed).matrix(labelled.n(), columns);
    for (mut row, &label) in x.rows_mut().into_iter().zip(labelled.labels()) {
        row[2] += if label { 2.0 } else { -2.0 };
    }
    (x, labelled)
}

/// Every kind, made to fit a few columns.
fn kinds() -> Vec<Kind> {
    let few = |kind| match kind {
        Kind::Sparse(sparse) => Kind::Sparse(Sparse { k: 2, ..sparse }),
        other => other,
    };
    Kind::all().into_iter().map(few).collect()
}

fn auroc(probe: &Probe, x: &Array2<f32>, labelled: &Labelled) -> f64 {
    Metric::Auroc.of(&Scored::new(&probe.decisions(x.view()).unwrap(), labelled.labels())).unwrap()
}

#[test]
fn every_name_makes_the_kind_that_bears_it_and_no_other() {
    let kinds = Kind::all();
    for kind in &kinds {
        assert_eq!(kind.name().parse::<Kind>().as_ref(), Ok(kind));
        assert_eq!(kinds.iter().filter(|other| other.name() == kind.name()).count(), 1);
    }
    let error = "forest".parse::<Kind>().unwrap_err().to_string();
    assert!(kinds.iter().all(|kind| error.contains(kind.name())), "{error}");
}

#[test]
fn a_positive_decision_is_class_1_whichever_class_is_more_frequent_or_comes_first() {
    let (x, labelled) = separable(30, 6, 1);
    let other = separable(30, 6, 2);
    let swapped: Vec<i64> = labelled.labels().iter().map(|&label| i64::from(!label)).collect();
    let groups: Vec<i64> = labelled.groups().iter().map(|&group| group as i64).collect();
    let swapped = Labelled::new(&swapped, &groups).unwrap();
    let all: Vec<usize> = (0..60).collect();
    let few_positives: Vec<usize> = (0..60).filter(|row| row % 2 == 0 || *row < 20).collect();
    let few_negatives: Vec<usize> = (0..60).filter(|row| row % 2 == 1 || *row < 20).collect();
    for kind in kinds() {
        for rows in [&all, &few_positives, &few_negatives] {
            let probe = kind.fit_rows(&Dataset::new(x.view(), &labelled).unwrap(), rows).unwrap();
            assert!(auroc(&probe, &other.0, &other.1) > 0.9, "{}", kind.name());
            let turned = kind.fit_rows(&Dataset::new(x.view(), &swapped).unwrap(), rows).unwrap();
            assert!(auroc(&turned, &other.0, &other.1) < 0.1, "{} swapped", kind.name());
        }
    }
}

#[test]
fn nothing_is_learnt_from_the_rows_left_out() {
    let (x, labelled) = separable(20, 5, 3);
    let rows: Vec<usize> = (0..30).collect();
    let mut spoilt = x.clone();
    spoilt.slice_mut(ndarray::s![30.., ..]).fill(1e6);
    for kind in kinds() {
        let clean = kind.fit_rows(&Dataset::new(x.view(), &labelled).unwrap(), &rows).unwrap();
        let other = kind.fit_rows(&Dataset::new(spoilt.view(), &labelled).unwrap(), &rows).unwrap();
        assert_eq!(clean.coef, other.coef, "{}", kind.name());
        assert_eq!(clean.intercept, other.intercept, "{}", kind.name());
    }
}

#[test]
fn constant_columns_get_no_weight_and_do_no_harm() {
    let (mut x, labelled) = separable(20, 5, 4);
    x.column_mut(4).fill(3.7);
    for kind in kinds() {
        let probe = kind.fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
        assert!(probe.coef[4].abs() < 1e-12, "{}: {}", kind.name(), probe.coef[4]);
        assert!(probe.coef.iter().all(|weight| weight.is_finite()));
        assert!(auroc(&probe, &x, &labelled) > 0.9, "{}", kind.name());
    }
}

#[test]
fn more_columns_than_rows_and_duplicated_rows_are_fitted() {
    let (x, labelled) = separable(12, 40, 5);
    let twice = concatenate![Axis(0), x, x];
    let labels: Vec<i64> = labelled.labels().iter().chain(labelled.labels()).map(|&l| i64::from(l)).collect();
    let groups: Vec<i64> = (0..2).flat_map(|_| labelled.groups()).map(|&group| group as i64).collect();
    let twice_labelled = Labelled::new(&labels, &groups).unwrap();
    for kind in kinds() {
        for (x, labelled) in [(&x, &labelled), (&twice, &twice_labelled)] {
            let probe = kind.fit(&Dataset::new(x.view(), labelled).unwrap()).unwrap();
            assert!(probe.coef.iter().all(|weight| weight.is_finite()), "{}", kind.name());
            // Kinds that do not look at labels may take another axis for the concept where there are so many.
            if !matches!(kind, Kind::PairPca(_) | Kind::Ccs(_)) {
                assert!(auroc(&probe, x, labelled) > 0.9, "{}", kind.name());
            }
        }
    }
}

#[test]
fn training_rows_of_one_class_are_refused() {
    let (x, labelled) = separable(10, 4, 6);
    let positives: Vec<usize> = (0..20).filter(|row| row % 2 == 1).collect();
    let data = Dataset::new(x.view(), &labelled).unwrap();
    for kind in kinds() {
        let expected = Error::OneClass { class: 1, rows: 10 };
        assert_eq!(kind.fit_rows(&data, &positives), Err(expected), "{}", kind.name());
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let (x, labelled) = separable(10, 4, 7);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let bad = |error: Error| matches!(error, Error::BadSetting { .. } | Error::BadPenalty { .. });
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(bad(Ridge { alpha: value, ..Ridge::default() }.fit(&data).unwrap_err()));
        assert!(bad(Ccs { decay: value, ..Ccs::default() }.fit(&data).unwrap_err()));
        assert!(bad(LinfaLogistic { c: value, ..LinfaLogistic::default() }.fit(&data).unwrap_err()));
        assert!(bad(LinfaSvm { c: value }.fit(&data).unwrap_err()));
        let multinomial = Multinomial { c: value, ..Multinomial::default() };
        assert!(bad(multinomial.fit(x.view(), &[0, 1].repeat(10)).unwrap_err()));
        assert!(bad(RidgePath::new(&data, true).unwrap().left_out(value, LeftOut::Row).unwrap_err()));
    }
    for s in [-0.1, 1.1, f64::NAN] {
        let lda = Lda { shrinkage: Shrinkage::Fixed(s), ..Lda::default() };
        assert!(bad(lda.fit(&data).unwrap_err()));
    }
    assert!(bad(Ccs { restarts: 0, ..Ccs::default() }.fit(&data).unwrap_err()));
    for k in [0, 5] {
        let sparse = Sparse { k, ..Sparse::default() };
        assert_eq!(sparse.fit(&data), Err(Error::TooFewColumns { k, columns: 4 }));
    }
}

#[test]
fn kinds_that_learn_from_pairs_refuse_groups_of_one_class() {
    let labelled = pure_groups(10, 2);
    let x = Noise(8).matrix(20, 4);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    assert_eq!(PairPca::default().fit(&data), Err(Error::NoPairs));
    assert_eq!(Ccs::default().fit(&data), Err(Error::NoPairs));
}

#[test]
fn centring_by_members_is_refused_where_the_order_is_the_label() {
    let (x, labelled) = separable(10, 4, 9);
    let ccs = Ccs { centring: Centring::Members, ..Ccs::default() };
    assert_eq!(ccs.fit(&Dataset::new(x.view(), &labelled).unwrap()), Err(Error::OrderIsLabel));
}

#[test]
fn rows_that_do_not_differ_leave_no_direction() {
    let labelled = pairs(8);
    let same = Array2::from_elem((16, 3), 1.5);
    let data = Dataset::new(same.view(), &labelled).unwrap();
    assert_eq!(PairPca::default().fit(&data), Err(Error::NoVariance));
    assert_eq!(Ccs::default().fit(&data), Err(Error::NoVariance));
    assert_eq!(Lda::default().fit(&data), Err(Error::NoVariance));
    assert_eq!(MassMean { covariance: true, standardise: false }.fit(&data), Err(Error::NoVariance));
    // The others say so by a weight of zero.
    assert_eq!(MassMean::default().fit(&data).unwrap().coef, Array1::<f64>::zeros(3));
    assert_eq!(Ridge::default().fit(&data).unwrap().coef, Array1::<f64>::zeros(3));
}

#[test]
fn a_single_group_cannot_be_left_out() {
    let labelled = Labelled::new(&[0, 1, 0, 1], &[5, 5, 5, 5]).unwrap();
    let x = Noise(10).matrix(4, 2);
    let path = RidgePath::new(&Dataset::new(x.view(), &labelled).unwrap(), false).unwrap();
    assert_eq!(path.left_out(1.0, LeftOut::Group), Err(Error::TooFewGroups { groups: 1, folds: 2 }));
    assert!(path.left_out(1.0, LeftOut::Row).is_ok());
}

#[test]
fn a_fit_that_cannot_get_there_gives_no_coefficients() {
    let (x, labelled) = separable(20, 6, 11);
    let classes: Vec<usize> = labelled.labels().iter().map(|&label| usize::from(label)).collect();
    let multinomial = Multinomial { max_steps: 2, ..Multinomial::default() };
    assert!(matches!(multinomial.fit(x.view(), &classes), Err(Error::Unconverged { .. })));
    let linfa = LinfaLogistic { max_steps: 2, ..LinfaLogistic::default() };
    let linfa = linfa.fit(&Dataset::new(x.view(), &labelled).unwrap());
    assert!(matches!(linfa, Err(Error::Unconverged { .. })), "{linfa:?}");
}

#[test]
fn a_class_missing_from_a_training_part_is_named() {
    let x = Noise(12).matrix(6, 2);
    let fit = Multinomial::default().fit(x.view(), &[0, 2, 0, 2, 0, 2]);
    assert_eq!(fit, Err(Error::MissingClass { class: 1 }));
    let folds = Folds::of_groups(&[0, 0, 0, 1, 1, 1], 2, 0).unwrap();
    let split = Multinomial::default().cross_validate(x.view(), &[0, 1, 0, 1, 2, 1], &folds);
    assert!(matches!(split, Err(Error::MissingClass { .. })));
}

#[test]
fn scores_of_numbers_are_none_where_they_are_undefined() {
    let scores = RegressionScores::new(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]);
    assert_eq!((scores.r2, scores.pearson, scores.spearman), (None, None, None));
    let scores = RegressionScores::new(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]);
    assert_eq!((scores.r2, scores.pearson, scores.spearman), (Some(0.0), None, None));
    let x = Noise(13).matrix(3, 2);
    let fit = Regression::default().fit(x.view(), &[1.0, f64::NAN, 0.0]);
    assert_eq!(fit, Err(Error::NonFiniteTarget { row: 1 }));
}

#[test]
fn groups_without_labels_are_dealt_whole_and_evenly() {
    let groups: Vec<i64> = (0..60).map(|row| row / 3).collect();
    let folds = Folds::of_groups(&groups, 4, 1).unwrap();
    assert_eq!((0..4).map(|fold| folds.split(fold).1.len()).collect::<Vec<_>>(), [15; 4]);
    assert!((0..60).all(|row| folds.of_row()[row] == folds.of_row()[row - row % 3]));
    assert_ne!(folds, Folds::of_groups(&groups, 4, 2).unwrap());
    assert_eq!(Folds::of_groups(&groups, 1, 0), Err(Error::TooFewFolds { folds: 1 }));
    assert_eq!(Folds::of_groups(&[1, 1], 2, 0), Err(Error::TooFewGroups { groups: 1, folds: 2 }));
}

#[test]
fn linfa_logistic_agrees_with_ours() {
    let labelled = pairs(40);
    let mut x = Noise(14).matrix(80, 7);
    for (mut row, &label) in x.rows_mut().into_iter().zip(labelled.labels()) {
        row[2] += if label { 0.7 } else { -0.7 };
    }
    let data = Dataset::new(x.view(), &labelled).unwrap();
    for c in [0.01, 1.0, 10.0] {
        let ours = Logistic { c, ..Logistic::default() }.fit(&data).unwrap();
        let theirs = LinfaLogistic { c, ..LinfaLogistic::default() }.fit(&data).unwrap();
        let gap = (&ours.coef - &theirs.coef).mapv(f64::abs).sum() / ours.coef.mapv(f64::abs).sum();
        // They stop at a gradient of 1e-4 of its start.
        assert!(gap < 1e-3, "C = {c}: {gap:e}");
    }
}

#[test]
fn every_kind_is_an_estimator_of_linfa_and_its_probe_predicts_there() {
    let (x, labelled) = separable(30, 5, 15);
    let targets = Array1::from(labelled.labels().to_vec());
    let single = DatasetBase::new(x.clone(), targets.clone());
    let double = DatasetBase::new(x.mapv(f64::from), targets.clone());
    let labelled = Labelled::from_bools(labelled.labels(), &(0..60).collect::<Vec<_>>()).unwrap();
    for kind in kinds() {
        let ours = kind.fit(&Dataset::new(x.view(), &labelled).unwrap());
        let theirs: Result<Probe, Error> = linfa::traits::Fit::fit(&kind, &single);
        assert_eq!(ours, theirs, "{}", kind.name());
        assert_eq!(ours, linfa::traits::Fit::fit(&kind, &double), "{}", kind.name());
        let Ok(probe) = ours else {
            assert_eq!(ours, Err(Error::NoPairs));
            continue;
        };
        let predicted: Array1<bool> = probe.predict(&x);
        let decisions = probe.decisions(x.view()).unwrap();
        assert!(predicted.iter().zip(decisions).all(|(&said, decision)| said == (decision > 0.0)));
    }
}

#[test]
fn one_column_needs_no_shrinkage_and_is_no_error() {
    let mut noise = Noise(3);
    let labelled = pairs(20);
    let x = Array2::from_shape_fn((40, 1), |(row, _)| noise.normal() + (row % 2) as f32);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let found = Lda { shrinkage: Shrinkage::LedoitWolf, ..Lda::default() }.fit(&data).unwrap();
    let plain = Lda { shrinkage: Shrinkage::Fixed(0.0), ..Lda::default() }.fit(&data).unwrap();
    assert!(found.coef[0] > 0.0 && plain.coef[0] > 0.0);
}

//! Calibration against scikit-learn, and on held-out groups.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, correlated, fixture, floats, integers, pairs, pure_groups};
use ndarray::Array2;
use proptest::prelude::*;
use recant_probes::{
    Bootstrap, Calibration, Calibrator, Dataset, Error, Estimator, Evaluation, Folds, Labelled, Logistic,
    Metric, Scored,
};

#[test]
fn probabilities_are_those_of_scikit_learn() {
    for case in fixture("statistics.json")["calibration"].as_array().unwrap() {
        let labelled = Labelled::ungrouped(&integers(&case["y"])).unwrap();
        let decisions = floats(&case["decision"]);
        let (grid, tolerances) = (floats(&case["grid"]), [1e-12, 1e-4]);
        // Both of Platt's parameters by a search without derivatives, good to about its square root of 1e-13.
        let Calibration::Platt(platt) = Calibration::fit(Calibrator::Platt, &decisions, &labelled).unwrap()
        else {
            unreachable!("a Platt calibration was asked for")
        };
        let expected = floats(&case["platt"]);
        approx::assert_relative_eq!(platt.slope, expected[0], epsilon = 1e-6);
        approx::assert_relative_eq!(platt.intercept, expected[1], epsilon = 1e-6);
        for ((calibrator, key), tolerance) in
            [(Calibrator::Isotonic, "isotonic"), (Calibrator::Platt, "sigmoid")].into_iter().zip(tolerances)
        {
            let calibration = Calibration::fit(calibrator, &decisions, &labelled).unwrap();
            for (&decision, expected) in grid.iter().zip(floats(&case[key])) {
                let found = calibration.probability(decision);
                assert!((found - expected).abs() < tolerance, "{key} at {decision}: {found} {expected}");
            }
        }
    }
}

#[test]
fn an_isotonic_curve_does_not_fall_by_rounding_at_a_corner() {
    let decisions = [-16.0, 0.0, 6.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let labelled = Labelled::ungrouped(&[1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]).unwrap();
    let isotonic = Calibration::fit(Calibrator::Isotonic, &decisions, &labelled).unwrap();
    assert!(isotonic.probability(4.0) <= isotonic.probability(4.5));
}

proptest! {
    #[test]
    fn an_isotonic_curve_never_falls_and_keeps_the_mean(
        rows in prop::collection::vec((-20_i8..20, any::<bool>()), 2..60),
    ) {
        let labels: Vec<i64> = rows.iter().map(|row| i64::from(row.1)).collect();
        let decisions: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let Ok(labelled) = Labelled::ungrouped(&labels) else { return Ok(()) };
        let isotonic = Calibration::fit(Calibrator::Isotonic, &decisions, &labelled).unwrap();
        let curve: Vec<f64> = (-50..50).map(|half| isotonic.probability(f64::from(half) / 2.0)).collect();
        prop_assert!(curve.is_sorted() && curve[0] >= 0.0 && curve[99] <= 1.0);
        let sum: f64 = decisions.iter().map(|&decision| isotonic.probability(decision)).sum();
        prop_assert!((sum - labelled.n_positive() as f64).abs() < 1e-9);
    }
}

#[test]
fn separated_classes_have_finite_platt_parameters_and_equal_decisions_the_base_rate() {
    let labelled = Labelled::ungrouped(&[0, 0, 1, 1, 1]).unwrap();
    let fit = |decisions: &[f64]| Calibration::fit(Calibrator::Platt, decisions, &labelled).unwrap();
    let separated = fit(&[-2.0, -1.0, 1.0, 2.0, 3.0]);
    let ends = [separated.probability(-2.0), separated.probability(3.0)];
    assert!(ends[0] > 0.01 && ends[0] < 0.3 && ends[1] > 0.7 && ends[1] < 0.99, "{ends:?}");
    // Targets of 4/5 for three rows and 1/4 for two.
    approx::assert_relative_eq!(fit(&[7.0; 5]).probability(1.0), (3.0 * 0.8 + 0.5) / 5.0, epsilon = 1e-12);
    let far = fit(&[1e6 - 2.0, 1e6 - 1.0, 1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0]);
    approx::assert_relative_eq!(far.probability(1e6 + 3.0), ends[1], epsilon = 1e-6);
}

#[test]
fn an_isotonic_certainty_that_fails_has_no_log_loss() {
    let labelled = Labelled::ungrouped(&[0, 0, 1, 1]).unwrap();
    let isotonic = Calibration::fit(Calibrator::Isotonic, &[-2.0, -1.0, 1.0, 2.0], &labelled).unwrap();
    assert_eq!([isotonic.log_odds(-1.0), isotonic.log_odds(1.0)], [f64::NEG_INFINITY, f64::INFINITY]);
    let log_loss = |decision: f64| {
        let decisions = [isotonic.log_odds(decision), isotonic.log_odds(2.0)];
        Metric::LogLoss.of(&Scored::new(&decisions, &[false, true]))
    };
    assert_eq!([log_loss(-1.0), log_loss(1.0)], [Some(0.0), None]);
    let refused = Calibration::fit(Calibrator::Platt, &[0.0, f64::NAN, 1.0, 2.0], &labelled);
    assert_eq!(refused, Err(Error::NotANumber { row: 1 }));
}

#[test]
fn calibration_on_held_out_groups_repairs_overconfident_decisions() {
    // Many columns of noise, and hardly any penalty: the log-odds of the logistic probe are far too large.
    let labelled = pure_groups(120, 2);
    let mut noise = Noise(5);
    let mut x = noise.matrix(labelled.n(), 30);
    for (row, signal) in correlated(&labelled, 1.5, 0.3, &mut noise).into_iter().enumerate() {
        x[[row, 0]] = signal as f32;
    }
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::grouped(&labelled, 5, 0).unwrap();
    let logistic = Logistic { c: 100.0, ..Logistic::default() };
    let evaluate = |decisions| Evaluation::new(&labelled, decisions, &Bootstrap::default()).unwrap();
    let before = evaluate(logistic.cross_validate(&data, &folds).unwrap());
    for calibrator in [Calibrator::Platt, Calibrator::Isotonic] {
        let after = evaluate(calibrator.cross_fitted(&logistic, &data, &folds, 5, 0).unwrap());
        assert!(after.brier.value.unwrap() < before.brier.value.unwrap() - 0.01, "{calibrator:?}");
        assert!(after.ece.value.unwrap() < before.ece.value.unwrap() - 0.02, "{calibrator:?}");
        if calibrator == Calibrator::Platt {
            assert!(after.log_loss.value.unwrap() < before.log_loss.value.unwrap() - 0.05);
        }
    }
}

#[test]
fn calibrated_rows_know_nothing_of_their_own_labels() {
    // Labels of one outer fold turned round: its calibrated decisions must not move.
    let labelled = pairs(20);
    let x: Array2<f32> = Noise(9).matrix(40, 3);
    let folds = Folds::grouped(&labelled, 4, 1).unwrap();
    let turned: Vec<bool> = (0..40).map(|row| labelled.labels()[row] ^ (folds.of_row()[row] == 2)).collect();
    let groups: Vec<i64> = (0..40).map(|row| row / 2).collect();
    let turned = Labelled::from_bools(&turned, &groups).unwrap();
    let run = |labelled: &Labelled| {
        let data = Dataset::new(x.view(), labelled).unwrap();
        Calibrator::Platt.cross_fitted(&Logistic::default(), &data, &folds, 3, 0).unwrap()
    };
    let (before, after) = (run(&labelled), run(&turned));
    let (_, held_out) = folds.split(2);
    assert!(held_out.iter().all(|&row| before[row] == after[row]));
    assert!((0..40).any(|row| before[row] != after[row]));
}

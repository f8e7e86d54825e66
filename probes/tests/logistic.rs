//! The fit: closed forms, symmetries and what it refuses.
#![allow(clippy::unwrap_used)]

mod common;

use approx::assert_relative_eq;
use common::{Noise, pairs};
use ndarray::{Array2, Axis, array, concatenate, s};
use recant_probes::{Dataset, Error, Estimator, Labelled, Logistic};

/// The gradient of the objective, written out row by row.
fn gradient(x: &Array2<f64>, labels: &[bool], coef: &[f64], intercept: f64, c: f64) -> Vec<f64> {
    let mut gradient: Vec<f64> = coef.iter().map(|weight| weight / c).chain([0.0]).collect();
    for (row, &label) in x.rows().into_iter().zip(labels) {
        let margin: f64 = row.iter().zip(coef).map(|(value, weight)| value * weight).sum::<f64>() + intercept;
        let residual = 1.0 / (1.0 + (-margin).exp()) - f64::from(label);
        row.iter().zip(&mut gradient).for_each(|(value, slope)| *slope += residual * value);
        gradient[coef.len()] += residual;
    }
    gradient
}

#[test]
fn the_gradient_vanishes_at_the_reported_weights_with_many_and_with_few_columns() {
    for (columns, c) in [(60, 0.01), (60, 1.0), (60, 1000.0), (4, 0.01), (4, 1000.0)] {
        let (x, labelled) = (Noise(7).matrix(40, columns), pairs(20));
        let logistic = Logistic { c, standardise: false, ..Logistic::default() };
        let probe = logistic.fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
        let coef = probe.coef.to_vec();
        let at = gradient(&x.mapv(f64::from), labelled.labels(), &coef, probe.intercept, c);
        let start = gradient(&x.mapv(f64::from), labelled.labels(), &vec![0.0; columns], 0.0, c);
        let norm = |slopes: &[f64]| slopes.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        assert!(norm(&at) < 1e-9 * norm(&start), "{columns} columns, C = {c}: {:e}", norm(&at));
    }
}

#[test]
fn two_rows_have_the_closed_form_of_one_dimension() {
    // x = ±1 with classes 1, 0: w = 2 C (1 - sigmoid(w)), intercept 0.
    let labelled = Labelled::ungrouped(&[1, 0]).unwrap();
    let x = array![[1.0_f32], [-1.0]];
    let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    let weight = probe.coef[0];
    assert_relative_eq!(weight, 2.0 / (1.0 + weight.exp()), epsilon = 1e-10);
    assert_relative_eq!(probe.intercept, 0.0, epsilon = 1e-10);
}

#[test]
fn constant_features_leave_the_base_rate() {
    let labelled = Labelled::ungrouped(&[1, 0, 0, 0]).unwrap();
    let x = Array2::from_elem((4, 9), 3.7_f32);
    let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    assert!(probe.coef.iter().all(|&weight| weight == 0.0));
    assert_relative_eq!(probe.intercept, (1.0_f64 / 3.0).ln(), epsilon = 1e-12);
    assert_eq!(probe.scaler.scale.to_vec(), vec![1.0; 9]);
}

#[test]
fn repeated_rows_are_as_good_as_a_larger_c() {
    // Twice the loss with the same penalty is the same loss with half of it; and the Gram matrix is singular.
    let (x, labelled) = (Noise(3).matrix(20, 50), pairs(10));
    let twice = concatenate![Axis(0), x, x];
    let labels: Vec<bool> = [labelled.labels(), labelled.labels()].concat();
    let again = Labelled::from_bools(&labels, &[0; 40]).unwrap();
    let once = Logistic { c: 2.0, ..Logistic::default() };
    let once = once.fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    let twice = Logistic::default().fit(&Dataset::new(twice.view(), &again).unwrap()).unwrap();
    for (one, two) in once.coef.iter().zip(&twice.coef) {
        assert_relative_eq!(one, two, epsilon = 1e-8);
    }
}

#[test]
fn identical_rows_of_opposite_classes_can_be_fitted() {
    let x = Noise(5).matrix(15, 40);
    let x = concatenate![Axis(0), x, x];
    let labels: Vec<bool> = (0..30).map(|row| row < 15).collect();
    let labelled = Labelled::from_bools(&labels, &(0..30).collect::<Vec<_>>()).unwrap();
    let probe = Logistic { c: 100.0, ..Logistic::default() };
    let probe = probe.fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    assert!(probe.coef.iter().all(|weight| weight.abs() < 1e-8));
}

#[test]
fn a_positive_coefficient_speaks_for_class_1_whichever_class_is_larger_or_first() {
    for labels in [[1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]] {
        let labelled = Labelled::ungrouped(&labels).unwrap();
        let x = Array2::from_shape_fn((4, 1), |(row, _)| labels[row] as f32);
        let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
        assert!(probe.coef[0] > 0.0, "{labels:?}");
        assert!(probe.direction()[0] > 0.0);
    }
}

#[test]
fn exchanging_the_classes_turns_the_probe_round() {
    let (x, labelled) = (Noise(11).matrix(30, 45), pairs(15));
    let turned: Vec<bool> = labelled.labels().iter().map(|label| !label).collect();
    let turned = Labelled::from_bools(&turned, &[0; 30]).unwrap();
    let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    let other = Logistic::default().fit(&Dataset::new(x.view(), &turned).unwrap()).unwrap();
    for (one, two) in probe.coef.iter().zip(&other.coef) {
        assert_relative_eq!(*one, -two, epsilon = 1e-9);
    }
    assert_relative_eq!(probe.intercept, -other.intercept, epsilon = 1e-9);
}

#[test]
fn decisions_of_raw_rows_equal_scaling_first() {
    let (mut x, labelled) = (Noise(2).matrix(20, 6), pairs(10));
    x.slice_mut(s![.., 2]).mapv_inplace(|value| 1000.0 + 50.0 * value);
    let probe = Logistic::default().fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
    let scaled = probe.scaler.transform(x.view(), &(0..20).collect::<Vec<_>>());
    let expected = scaled.dot(&probe.coef) + probe.intercept;
    let batch = probe.decisions(x.view()).unwrap();
    for row in 0..20 {
        assert_relative_eq!(batch[row], expected[row], epsilon = 1e-12);
        assert_eq!(batch[row], probe.decision(x.row(row)).unwrap());
        let direct: f64 =
            x.row(row).iter().zip(probe.direction()).map(|(&value, weight)| f64::from(value) * weight).sum();
        let first: f64 =
            x.row(0).iter().zip(probe.direction()).map(|(&value, weight)| f64::from(value) * weight).sum();
        assert_relative_eq!(batch[row] - batch[0], direct - first, epsilon = 1e-9);
    }
}

#[test]
fn a_path_of_penalties_equals_single_fits_in_its_order() {
    let (x, labelled) = (Noise(9).matrix(24, 30), pairs(12));
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let path = [10.0, 0.01, 1.0];
    for (probe, c) in Logistic::default().fit_path(&data, &path).unwrap().iter().zip(path) {
        let alone = Logistic { c, ..Logistic::default() }.fit(&data).unwrap();
        for (one, two) in probe.coef.iter().zip(&alone.coef) {
            assert_relative_eq!(one, two, epsilon = 1e-8);
        }
    }
}

#[test]
fn separable_classes_converge_and_a_fit_given_up_is_an_error() {
    let labelled = pairs(10);
    let x =
        Array2::from_shape_fn(
            (20, 3),
            |(row, column)| {
                if column == 0 { row as f32 % 2.0 } else { (row * column) as f32 }
            },
        );
    let data = Dataset::new(x.view(), &labelled).unwrap();
    assert!(Logistic { c: 1e6, ..Logistic::default() }.fit(&data).is_ok());
    let refused = Logistic { max_steps: 2, ..Logistic::default() }.fit(&data).unwrap_err();
    let Error::NotConverged { iterations: 2, gradient, wanted } = refused else { panic!("{refused}") };
    assert!(gradient > wanted);
}

#[test]
fn what_is_no_design_is_refused_with_the_offending_values() {
    assert_eq!(Labelled::ungrouped(&[]).unwrap_err(), Error::Empty { what: "rows" });
    assert_eq!(Labelled::ungrouped(&[0, 2]).unwrap_err(), Error::NotBinary { row: 1, value: 2 });
    assert_eq!(Labelled::ungrouped(&[1, 1, 1]).unwrap_err(), Error::OneClass { class: 1, rows: 3 });
    let short = Error::ShapeMismatch { what: "groups", expected: 2, found: 1 };
    assert_eq!(Labelled::new(&[0, 1], &[4]).unwrap_err(), short);

    let labelled = Labelled::ungrouped(&[0, 1]).unwrap();
    let mut x = Array2::<f32>::zeros((2, 3));
    x[[1, 2]] = f32::NAN;
    assert_eq!(Dataset::new(x.view(), &labelled).unwrap_err(), Error::NonFinite { row: 1, column: 2 });
    let other = Array2::<f32>::zeros((3, 3));
    let long = Error::ShapeMismatch { what: "rows of x", expected: 2, found: 3 };
    assert_eq!(Dataset::new(other.view(), &labelled).unwrap_err(), long);

    let x = array![[0.0_f32], [1.0]];
    let data = Dataset::new(x.view(), &labelled).unwrap();
    for c in [0.0, -1.0, f64::INFINITY] {
        assert_eq!(Logistic { c, ..Logistic::default() }.fit(&data).unwrap_err(), Error::BadPenalty { c });
    }
    let probe = Logistic::default().fit(&data).unwrap();
    let wide = Error::ShapeMismatch { what: "row", expected: 1, found: 3 };
    assert_eq!(probe.decisions(other.view()).unwrap_err(), wide);
}

#[test]
fn columns_of_very_different_size_are_fitted_without_standardising() {
    for (rows, columns, c) in [(80, 60, 0.01), (80, 60, 1.0), (80, 60, 100.0), (40, 60, 0.01), (40, 60, 1.0)]
    {
        let (mut x, labelled) = (Noise(19).matrix(rows, columns), pairs(rows / 2));
        for (column, mut values) in x.columns_mut().into_iter().enumerate() {
            // As hidden states have it: a few units of thousands among many of about one, and off centre.
            let size = [1.0, 0.3, 20.0, 4000.0][column % 17 / 5];
            values.mapv_inplace(|value| size * (value + 0.5));
        }
        let logistic = Logistic { c, standardise: false, ..Logistic::default() };
        let probe = logistic.fit(&Dataset::new(x.view(), &labelled).unwrap()).unwrap();
        let coef = probe.coef.to_vec();
        let at = gradient(&x.mapv(f64::from), labelled.labels(), &coef, probe.intercept, c);
        let start = gradient(&x.mapv(f64::from), labelled.labels(), &vec![0.0; columns], 0.0, c);
        let norm = |slopes: &[f64]| slopes.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        assert!(
            norm(&at) < 1e-7 * norm(&start),
            "{rows} x {columns}, C = {c}: {:e}",
            norm(&at) / norm(&start)
        );
    }
}

//! Representations of the same rows beside each other: closed forms, chance, and what numpy and scipy make of them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, fixture, groups, states};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use recant_probes::{Error, cka, cka_jackknife, principal_angles, procrustes};
use serde_json::Value;

/// Reflected at a random plane, scaled and moved, in `f32`.
fn turned(x: &Array2<f32>, noise: &mut Noise) -> Array2<f32> {
    let normal = Array1::from_shape_simple_fn(x.ncols(), || noise.normal());
    let along = x.dot(&normal) * (2.0 / normal.dot(&normal));
    let reflected = x - &(along.insert_axis(Axis(1)) * &normal);
    reflected * 2.5 + 3.0
}

fn agrees(x: ArrayView2<f32>, y: ArrayView2<f32>, groups: &[usize], expected: &Value) {
    let close = |found: f64, expected: &Value| {
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-9, "{found} {expected}");
    };
    let found = cka_jackknife(x, y, groups, 0.95).unwrap();
    assert_eq!(found.value, cka(x, y).unwrap());
    close(found.value.unwrap(), &expected["cka"]);
    close(found.ci.unwrap().low, &expected["cka_jackknife"][0]);
    close(found.ci.unwrap().high, &expected["cka_jackknife"][1]);
    close(procrustes(x, y).unwrap().unwrap(), &expected["procrustes"]);
}

#[test]
fn similarities_of_sets_are_those_of_numpy_and_scipy() {
    let golden = fixture("representations.json");
    let (x, y, other) = (states(&golden["x"]), states(&golden["y"]), states(&golden["other"]));
    let groups = groups(&golden["group"]);
    agrees(x.view(), y.view(), &groups, &golden["same_width"]);
    agrees(x.view(), other.view(), &groups, &golden["other_width"]);
    agrees(x.view(), x.view(), &groups, &golden["itself"]);
    agrees(x.slice(s![.., ..5]), other.slice(s![.., ..3]), &groups, &golden["tall"]);
}

#[test]
fn principal_angles_are_those_of_scipy() {
    let golden = fixture("representations.json");
    let (x, y) = (states(&golden["x"]), states(&golden["y"]));
    let wide = principal_angles(x.view(), y.view(), 4).unwrap();
    let tall = principal_angles(x.slice(s![.., ..5]), y.slice(s![.., ..5]), 2).unwrap();
    for (found, expected) in [(wide, &golden["angles"]), (tall, &golden["angles_tall"])] {
        let expected = common::floats(expected);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?} {expected:?}");
    }
}

#[test]
fn a_set_is_wholly_like_itself() {
    let x = Noise(1).matrix(20, 50);
    assert!((cka(x.view(), x.view()).unwrap().unwrap() - 1.0).abs() < 1e-12);
    assert!(procrustes(x.view(), x.view()).unwrap().unwrap() < 1e-12);
    let angles = principal_angles(x.view(), x.view(), 5).unwrap();
    assert!(angles.len() == 5 && angles.iter().all(|angle| *angle < 1e-9), "{angles:?}");
}

#[test]
fn rotation_scale_and_shift_make_no_difference() {
    let mut noise = Noise(2);
    for (n, d) in [(20, 50), (50, 6)] {
        let x = noise.matrix(n, d);
        let y = turned(&x, &mut noise);
        assert!((cka(x.view(), y.view()).unwrap().unwrap() - 1.0).abs() < 1e-6);
        assert!(procrustes(x.view(), y.view()).unwrap().unwrap() < 1e-6);
    }
}

#[test]
fn columns_of_zeros_make_no_difference() {
    let mut noise = Noise(3);
    let (x, y) = (noise.matrix(12, 9), noise.matrix(12, 4));
    let padded =
        Array2::from_shape_fn((12, 9), |(row, column)| if column < 4 { y[[row, column]] } else { 0.0 });
    for compare in [cka, procrustes] {
        let [narrow, wide] = [&y, &padded].map(|y| compare(x.view(), y.view()).unwrap().unwrap());
        assert!((narrow - wide).abs() < 1e-12, "{narrow} {wide}");
    }
}

/// The same ratio with the diagonals left in.
fn biased_cka(x: &Array2<f32>, y: &Array2<f32>) -> f32 {
    let gram = |x: &Array2<f32>| {
        let x = x - &x.mean_axis(Axis(0)).unwrap();
        x.dot(&x.t())
    };
    let (k, l) = (gram(x), gram(y));
    (&k * &l).sum() / ((&k * &k).sum() * (&l * &l).sum()).sqrt()
}

#[test]
fn unrelated_sets_are_unlike_even_with_more_columns_than_rows() {
    let mut noise = Noise(4);
    let (x, y) = (noise.matrix(40, 800), noise.matrix(40, 800));
    assert!(biased_cka(&x, &y) > 0.9);
    // A U-centred product of 40 unrelated rows has a standard deviation of about sqrt(2) / 40.
    assert!(cka(x.view(), y.view()).unwrap().unwrap().abs() < 0.14);
}

/// Rows in the plane of the first two axes; the second is turned towards the third with cosine 4/5, exactly in `f32`.
#[test]
fn a_plane_turned_by_a_known_angle_is_found_to_be() {
    let mut noise = Noise(5);
    let plane = Array2::from_shape_simple_fn((30, 2), || (noise.normal() * 8.0).round());
    let place = |row: usize, weights: [f32; 4]| {
        let (a, b) = (3.0 * plane[[row, 0]], 5.0 * plane[[row, 1]]);
        [a * weights[0], b * weights[1], b * weights[2], weights[3]]
    };
    let x = Array2::from_shape_fn((30, 4), |(row, column)| place(row, [1.0, 1.0, 0.0, 7.0])[column]);
    let y = Array2::from_shape_fn((30, 4), |(row, column)| place(row, [1.0, 0.8, 0.6, -2.0])[column].round());
    let angles = principal_angles(x.view(), y.view(), 2).unwrap();
    assert!(
        angles[0].abs() < 1e-9 && (angles[1] - 0.6_f64.atan2(0.8).to_degrees()).abs() < 1e-9,
        "{angles:?}"
    );
    let more = principal_angles(x.view(), y.view(), 4).unwrap();
    assert_eq!(more.len(), 2, "the rank of both is two");
}

#[test]
fn what_cannot_be_compared_is_undefined_or_refused() {
    let mut noise = Noise(6);
    let (x, still) = (noise.matrix(8, 3), Array2::from_elem((8, 3), 0.1));
    assert_eq!(cka(x.view(), still.view()), Ok(None));
    assert_eq!(procrustes(still.view(), x.view()), Ok(None));
    assert_eq!(principal_angles(x.view(), still.view(), 2), Ok(vec![]));
    assert_eq!(cka(x.slice(s![..3, ..]), x.slice(s![..3, ..])), Ok(None));
    assert_eq!(cka_jackknife(x.view(), x.view(), &[5; 8], 0.95).unwrap().ci, None);
    let too_large = cka_jackknife(x.view(), x.view(), &[0, 0, 0, 0, 0, 1, 2, 3], 0.95).unwrap();
    assert!(too_large.value.is_some() && too_large.ci.is_none(), "three rows are left without group 0");

    let narrow = x.slice(s![.., ..2]);
    assert!(matches!(principal_angles(x.view(), narrow, 2), Err(Error::ShapeMismatch { .. })));
    assert_eq!(principal_angles(x.view(), x.view(), 4), Err(Error::TooFewColumns { k: 4, columns: 3 }));
    assert!(matches!(cka(x.view(), x.slice(s![..7, ..])), Err(Error::ShapeMismatch { .. })));
    assert_eq!(cka_jackknife(x.view(), x.view(), &[0; 8], 1.0), Err(Error::BadLevel { level: 1.0 }));
    let mut broken = x.clone();
    broken[[2, 1]] = f32::NAN;
    assert_eq!(procrustes(x.view(), broken.view()), Err(Error::NonFinite { row: 2, column: 1 }));
}

//! Mean shifts: planted ones are found, those of noise are not, and numpy agrees.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, fixture, floats, groups, states};
use ndarray::{Array1, Array2, ArrayView2, array, s};
use recant_probes::{Error, ShiftSettings, ShiftSpectrum, shift_cosine, shifts};
use serde_json::Value;

const QUICK: ShiftSettings =
    ShiftSettings { resamples: 199, flips: 199, directions: 199, level: 0.95, seed: 1 };

/// Groups of three, two and one rows in turn.
fn uneven(n: usize) -> Vec<usize> {
    (0..n).map(|row| row / 6 * 3 + [0, 0, 0, 1, 1, 2][row % 6]).collect()
}

/// Rows that share `shift`, a part with the rows of their group, and have noise of their own.
fn moved(groups: &[usize], shift: &[f32], noise: &mut Noise) -> Array2<f32> {
    let shared = noise.matrix(groups.len(), shift.len());
    let own = noise.matrix(groups.len(), shift.len());
    Array2::from_shape_fn(own.dim(), |(row, column)| {
        shift[column] + shared[[groups[row], column]] + own[[row, column]]
    })
}

fn agrees(deltas: ArrayView2<f32>, direction: &Array1<f64>, groups: &[usize], expected: &Value) {
    let close = |found: Option<f64>, name: &str| {
        let (found, expected) = (found.unwrap(), expected[name].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
    };
    let shift = &shifts(&[deltas], groups, &QUICK).unwrap()[0];
    close(shift.norm.value, "norm");
    close(shift.unbiased, "unbiased");
    let found = shift_cosine(deltas, direction.view(), groups, &QUICK).unwrap();
    close(found.of_mean.value, "cosine");
    close(found.of_rows.value, "row_cosine");
    let spectrum = ShiftSpectrum::of(deltas).unwrap().unwrap();
    close(Some(spectrum.mean_share), "mean_share");
    close(Some(spectrum.participation_ratio()), "participation_ratio");
    assert_eq!(spectrum.directions_for(0.9).unwrap(), expected["directions_for_90"]);
    let values = floats(&expected["eigenvalues"]);
    assert_eq!(spectrum.eigenvalues.len(), values.len());
    assert!(spectrum.eigenvalues.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn shifts_and_their_spectra_are_those_of_numpy() {
    let golden = fixture("representations.json");
    let deltas = states(&golden["y"]) - states(&golden["x"]);
    let direction = Array1::from(floats(&golden["direction"]));
    let groups = groups(&golden["group"]);
    agrees(deltas.view(), &direction, &groups, &golden["shift"]);
    agrees(deltas.slice(s![.., ..5]), &direction.slice(s![..5]).to_owned(), &groups, &golden["shift_tall"]);
}

#[test]
fn a_planted_shift_is_found_with_its_length_and_direction() {
    let mut noise = Noise(1);
    let groups = uneven(120);
    let mut planted = vec![0.0; 40];
    (planted[3], planted[7]) = (1.8, -2.4);
    let (deltas, still) = (moved(&groups, &planted, &mut noise), moved(&groups, &[0.0; 40], &mut noise));
    let found = shifts(&[deltas.view(), still.view()], &groups, &QUICK).unwrap();

    let [shift, null] = &found[..] else { panic!("two layers") };
    assert!((shift.unbiased.unwrap() - 3.0).abs() < 0.4, "{:?}", shift.unbiased);
    assert!(shift.norm.value > shift.unbiased && shift.norm.value > shift.chance);
    let ci = shift.norm.ci.unwrap();
    assert!(ci.low < shift.norm.value.unwrap() && shift.norm.value.unwrap() < ci.high);
    assert_eq!((shift.p, shift.p_max), (Some(0.005), Some(0.005)));
    assert!(null.p_max >= null.p && null.p > Some(0.01), "{null:?}");

    let direction = Array1::from_iter(planted.iter().map(|value| f64::from(*value)));
    let cosine = shift_cosine(deltas.view(), direction.view(), &groups, &QUICK).unwrap();
    let ci = cosine.of_mean.ci.unwrap();
    assert!(cosine.of_mean.value.unwrap() > 0.85 && ci.low > 0.75 && ci.high < 1.0, "{cosine:?}");
    assert!(cosine.of_rows.value < cosine.of_mean.value, "noise of single rows makes their cosines small");
    assert!(cosine.of_rows.ci.unwrap().low > 0.0);
    assert_eq!(cosine.shuffled.unwrap().p, 0.005);
    assert!(cosine.gaussian.unwrap().p < 1e-6, "exact, not bound by a number of draws");
}

#[test]
fn no_shift_at_all_is_no_finding() {
    let mut noise = Noise(2);
    let groups = uneven(12);
    let (zero, other) = (Array2::zeros((12, 4)), moved(&groups, &[1.0; 5], &mut noise));
    let found = shifts(&[zero.view(), other.view()], &groups, &QUICK).unwrap();
    assert_eq!(found[0].norm.value, Some(0.0));
    assert_eq!([found[0].p, found[0].p_max], [Some(1.0); 2]);
    assert_eq!(found[0].unbiased, Some(0.0));
    let cosine = shift_cosine(zero.view(), Array1::ones(4).view(), &groups, &QUICK).unwrap();
    assert_eq!([cosine.of_mean.value, cosine.of_rows.value], [None; 2]);
    assert!(cosine.of_mean.ci.is_none() && cosine.of_rows.ci.is_none() && cosine.gaussian.is_none());
    assert_eq!(ShiftSpectrum::of(zero.view()), Ok(None));
}

/// Two groups that moved by 1 sum to 2 or to 0 under flips, each half of the time.
#[test]
fn flips_of_two_groups_reach_the_observed_shift_half_of_the_time() {
    let deltas = array![[1.0f32], [1.0]];
    let settings = ShiftSettings { flips: 4000, ..QUICK };
    let found = &shifts(&[deltas.view()], &[4, 9], &settings).unwrap()[0];
    assert!((found.p.unwrap() - 0.5).abs() < 0.03, "{:?}", found.p);
    assert_eq!(found.chance, Some(1.0));
}

#[test]
fn the_largest_of_many_layers_is_called_significant_as_often_as_promised() {
    let studies = 400;
    let groups = uneven(30);
    let mut noise = Noise(3);
    let settings = ShiftSettings { resamples: 0, ..QUICK };
    let mut found = 0;
    for _ in 0..studies {
        // Layers share most of their noise, as those of a model do, and differ in scale.
        let first = moved(&groups, &[0.0; 6], &mut noise);
        let second = (&first + &moved(&groups, &[0.0; 6], &mut noise)) * 10.0;
        let third = moved(&groups, &[0.0; 3], &mut noise);
        let layers = shifts(&[first.view(), second.view(), third.view()], &groups, &settings).unwrap();
        found += usize::from(layers.iter().any(|layer| layer.p_max.unwrap() <= 0.05));
    }
    // 20 are expected; three standard deviations of a binomial count are 13.
    assert!((7..=33).contains(&found), "{found} of {studies}");
}

#[test]
fn the_squared_norm_is_estimated_without_bias_whatever_the_sizes_of_groups() {
    let groups = uneven(24);
    let mut noise = Noise(4);
    let settings = ShiftSettings { resamples: 0, flips: 0, ..QUICK };
    let squares: Vec<f64> = (0..400)
        .map(|_| {
            let deltas = moved(&groups, &[0.5; 8], &mut noise);
            let root = shifts(&[deltas.view()], &groups, &settings).unwrap()[0].unbiased.unwrap();
            root * root.abs()
        })
        .collect();
    let mean = squares.iter().sum::<f64>() / 400.0;
    let spread = squares.iter().map(|square| (square - mean).powi(2)).sum::<f64>() / 399.0;
    assert!((mean - 2.0).abs() < 4.0 * (spread / 400.0).sqrt(), "{mean}");
}

/// A random direction in `D` dimensions has a cosine of about `N(0, 1 / D)`.
#[test]
fn chance_cosines_are_those_of_the_dimension() {
    let mut noise = Noise(5);
    let deltas = noise.matrix(6, 400);
    let direction = Array1::from_shape_simple_fn(400, || f64::from(noise.normal()));
    let settings = ShiftSettings { directions: 2000, ..QUICK };
    let found = shift_cosine(deltas.view(), direction.view(), &[0, 0, 1, 1, 2, 2], &settings).unwrap();
    for null in [found.shuffled, found.gaussian] {
        let null = null.unwrap();
        assert!((null.chance - 1.96 / 20.0).abs() < 0.008, "{null:?}");
        assert_eq!(null.p > 0.05, found.of_mean.value.unwrap().abs() < null.chance);
    }
}

#[test]
fn as_many_directions_as_moved_alike_participate() {
    let rank = 4;
    let deltas = Array2::from_shape_fn((16, 30), |(row, column)| {
        let sign = if row / rank % 2 == 0 { 2.0 } else { -2.0 };
        if column == 5 * (row % rank) { sign } else { 0.0 }
    });
    let spectrum = ShiftSpectrum::of(deltas.view()).unwrap().unwrap();
    assert!((spectrum.participation_ratio() - 4.0).abs() < 1e-12);
    assert_eq!(spectrum.eigenvalues.len(), 4);
    assert!(spectrum.mean_share.abs() < 1e-12, "opposite shifts have no mean");
    assert_eq!([0.25, 0.3, 0.9].map(|share| spectrum.directions_for(share).unwrap()), [1, 2, 4]);
    assert!((spectrum.cumulative()[1] - 0.5).abs() < 1e-12);

    let together = ShiftSpectrum::of(Array2::from_elem((5, 3), 0.5).view()).unwrap().unwrap();
    assert!(
        (together.mean_share - 1.0).abs() < 1e-12 && (together.participation_ratio() - 1.0).abs() < 1e-12
    );
    assert_eq!(together.directions_for(1.0), Err(Error::BadShare { what: "energy", share: 1.0 }));
}

#[test]
fn one_group_leaves_nothing_to_resample() {
    let deltas = Noise(6).matrix(5, 3);
    let found = &shifts(&[deltas.view()], &[2; 5], &QUICK).unwrap()[0];
    assert!(found.norm.value.is_some() && found.norm.ci.is_none());
    assert_eq!([found.unbiased, found.chance, found.p, found.p_max], [None; 4]);
    let cosine = shift_cosine(deltas.view(), Array1::ones(3).view(), &[2; 5], &QUICK).unwrap();
    assert!(cosine.of_mean.ci.is_none() && cosine.of_rows.ci.is_none() && cosine.gaussian.is_some());
}

#[test]
fn shifts_that_do_not_fit_are_refused_with_their_layer() {
    let deltas = Noise(7).matrix(4, 3);
    let mut broken = deltas.clone();
    broken[[1, 2]] = f32::INFINITY;
    let source = Box::new(Error::NonFinite { row: 1, column: 2 });
    let found = shifts(&[deltas.view(), broken.view()], &[0, 1, 2, 3], &QUICK);
    assert_eq!(found, Err(Error::Layer { layer: 1, source }));
    assert_eq!(shifts(&[], &[], &QUICK), Err(Error::Empty { what: "rows" }));
    let narrow = shift_cosine(deltas.view(), Array1::ones(2).view(), &[0, 1, 2, 3], &QUICK);
    assert!(matches!(narrow, Err(Error::ShapeMismatch { what: "direction", expected: 3, found: 2 })));
    let settings = ShiftSettings { level: 0.0, ..QUICK };
    assert_eq!(shifts(&[deltas.view()], &[0, 1, 2, 3], &settings), Err(Error::BadLevel { level: 0.0 }));
}

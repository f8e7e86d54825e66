//! Directions beside each other: closed forms, and what simulation says of the null and of the ceiling.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs};
use ndarray::{Array2, array};
use recant_probes::similarity::{angle, cosine, cosine_within, reliability};
use recant_probes::{Comparison, Dataset, Error, Estimator, Labelled, Logistic, Twin, similarities};

const MEANS: Twin = Twin { penalty: f64::INFINITY, standardise: false };

/// Noise with `d` added to the rows of class 1, half of it taken from those of class 0.
fn planted(noise: &mut Noise, labelled: &Labelled, d: &[f32]) -> Array2<f32> {
    let mut x = noise.matrix(labelled.n(), d.len());
    for ((row, column), value) in x.indexed_iter_mut() {
        *value += d[column] * if labelled.labels()[row] { 0.5 } else { -0.5 };
    }
    x
}

fn only<'a>(
    a: &Dataset<'a>,
    b: &Dataset<'a>,
    twin: Twin,
    settings: &Comparison,
) -> recant_probes::Similarity {
    similarities(&[(*a, twin), (*b, twin)], settings).expect("directions")[0][1]
}

#[test]
fn cosines_and_angles_are_those_of_the_hand() {
    let (a, b) = (array![3.0, 4.0], array![4.0, 3.0]);
    assert!((cosine(a.view(), b.view()).unwrap() - 0.96).abs() < 1e-12);
    assert_eq!(cosine(a.view(), array![0.0, 0.0].view()), None);
    assert_eq!([1.0, 0.0, -1.0].map(angle).map(f64::round), [0.0, 90.0, 180.0]);
}

/// Within each class the columns are (t, t + s) with t and s unrelated and of equal size: Σ = [[1, 1], [1, 2]], so that
/// the unit directions have a cosine of 1 / sqrt(2), however far the classes are apart.
#[test]
fn the_metric_of_the_covariance_is_the_correlation_of_readouts_within_classes() {
    let x = Array2::from_shape_fn((8, 2), |(row, column)| {
        let (t, s) = ([1.0, 1.0, -1.0, -1.0][row % 4], [1.0, -1.0, 1.0, -1.0][row % 4]);
        t + if column == 1 { s } else { 0.0 } + if row > 3 { 100.0 } else { 0.0 }
    });
    let labelled = Labelled::ungrouped(&[0, 0, 0, 0, 1, 1, 1, 1]).unwrap();
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let (a, b) = (array![1.0, 0.0], array![0.0, 1.0]);
    let found = cosine_within(a.view(), b.view(), &[data]).unwrap().unwrap();
    assert!((found - 0.5_f64.sqrt()).abs() < 1e-12, "{found}");
    let wrong = cosine_within(a.view(), array![1.0].view(), &[data]);
    assert!(matches!(wrong, Err(Error::ShapeMismatch { expected: 2, found: 1, .. })));
}

/// The limits of the twin are the difference of class means and, for a logistic probe with a small C, the probe itself.
#[test]
fn the_directions_are_those_of_the_probes_they_stand_for() {
    let mut noise = Noise(3);
    let labelled = pairs(30);
    let x = planted(&mut noise, &labelled, &[1.0; 90]);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let logistic = Logistic { c: 1e-5, ..Logistic::default() };
    let probe = logistic.fit(&data).unwrap().direction();
    // The direction as data whose class means differ by it.
    let mut carrier = Array2::<f32>::zeros((2, 90));
    carrier.row_mut(1).assign(&(&probe / probe.dot(&probe).sqrt()).mapv(|value| value as f32));
    let two = Labelled::ungrouped(&[0, 1]).unwrap();
    let carried = Dataset::new(carrier.view(), &two).unwrap();
    let settings = Comparison { permutations: 0, halvings: 0, seed: 0 };
    let beside = similarities(&[(data, logistic.twin(&data)), (carried, MEANS)], &settings).unwrap();
    assert!(beside[0][1].cosine.unwrap() > 0.999_99, "{:?}", beside[0][1]);
    // More rows than columns takes the other way to the same weights.
    let narrow = x.slice(ndarray::s![.., ..20]);
    let narrow = Dataset::new(narrow, &labelled).unwrap();
    let wide = ndarray::concatenate![ndarray::Axis(1), narrow.x(), Array2::<f32>::zeros((60, 60))];
    let wide = Dataset::new(wide.view(), &labelled).unwrap();
    let twin = Twin { penalty: 7.0, standardise: true };
    let other = Dataset::new(x.slice(ndarray::s![.., 20..40]), &labelled).unwrap();
    let padded = ndarray::concatenate![ndarray::Axis(1), other.x(), Array2::<f32>::zeros((60, 60))];
    let padded = Dataset::new(padded.view(), &labelled).unwrap();
    let (short, long) = (only(&narrow, &other, twin, &settings), only(&wide, &padded, twin, &settings));
    assert!((short.cosine.unwrap() - long.cosine.unwrap()).abs() < 1e-9);
}

/// Of 200 pairs of unrelated sets about 5 % have p at most 0.05: between 2 and 19 with a probability above 0.995.
#[test]
fn unrelated_directions_have_uniform_p() {
    let mut noise = Noise(11);
    let labelled = pairs(10);
    let settings = Comparison { permutations: 39, halvings: 0, seed: 5 };
    let p: Vec<f64> = (0..200)
        .map(|_| {
            let (a, b) = (noise.matrix(20, 6), noise.matrix(20, 6));
            let (a, b) =
                (Dataset::new(a.view(), &labelled).unwrap(), Dataset::new(b.view(), &labelled).unwrap());
            only(&a, &b, MEANS, &settings).p.unwrap()
        })
        .collect();
    let small = p.iter().filter(|&&p| p <= 0.05).count();
    assert!((2..=19).contains(&small), "{small}");
    let mean = p.iter().sum::<f64>() / 200.0;
    // Six standard errors of a uniform mean.
    assert!((mean - 0.5125).abs() < 0.125, "{mean}");
}

#[test]
fn a_shared_direction_is_found_and_turned_labels_turn_it() {
    let mut noise = Noise(7);
    let labelled = pairs(40);
    let d = [0.6; 30];
    let (a, b) = (planted(&mut noise, &labelled, &d), planted(&mut noise, &labelled, &d));
    let turned: Vec<bool> = labelled.labels().iter().map(|label| !label).collect();
    let groups: Vec<i64> = labelled.groups().iter().map(|&group| group as i64).collect();
    let turned = Labelled::from_bools(&turned, &groups).unwrap();
    let settings = Comparison { permutations: 199, ..Comparison::default() };
    let a = Dataset::new(a.view(), &labelled).unwrap();
    let same = only(&a, &Dataset::new(b.view(), &labelled).unwrap(), MEANS, &settings);
    let opposite = only(&a, &Dataset::new(b.view(), &turned).unwrap(), MEANS, &settings);
    assert_eq!((same.p, opposite.p), (Some(0.005), Some(0.005)));
    assert!((same.cosine.unwrap() + opposite.cosine.unwrap()).abs() < 1e-12);
    assert!(same.chance.unwrap() < same.cosine.unwrap());
}

/// `d` of norm 2 in 40 dimensions with unit noise and 40 rows a class: |d|² = 4, noise of a difference of means
/// 40 (1/40 + 1/40) = 2, so R = 4 / 6; a true cosine of 0.5 is seen as a third and comes back.
#[test]
fn the_ceiling_is_what_noise_leaves_of_a_cosine_of_one() {
    let mut noise = Noise(21);
    let labelled = pairs(40);
    let unit = 2.0 / 20.0_f32.sqrt();
    // Two directions of norm 2 that share half of their twenty columns.
    let first: Vec<f32> = (0..40).map(|column| if column < 20 { unit } else { 0.0 }).collect();
    let second: Vec<f32> =
        (0..40).map(|column| if (10..30).contains(&column) { unit } else { 0.0 }).collect();
    let settings = Comparison { permutations: 0, halvings: 8, seed: 1 };
    let (mut ceilings, mut alike, mut halfway, mut freed) = (0.0, 0.0, 0.0, 0.0);
    let draws = 40;
    for _ in 0..draws {
        let [a, again, b] = [&first, &first, &second].map(|d| planted(&mut noise, &labelled, d));
        let [a, again, b] = [&a, &again, &b].map(|x| Dataset::new(x.view(), &labelled).unwrap());
        let same = only(&a, &again, MEANS, &settings);
        let other = only(&a, &b, MEANS, &settings);
        ceilings += same.ceiling.unwrap() / f64::from(draws);
        alike += same.cosine.unwrap() / f64::from(draws);
        halfway += other.cosine.unwrap() / f64::from(draws);
        freed += other.disattenuated().unwrap() / f64::from(draws);
    }
    assert!((ceilings - 2.0 / 3.0).abs() < 0.03, "{ceilings}");
    assert!((alike - ceilings).abs() < 0.03, "{alike} {ceilings}");
    assert!((halfway - 1.0 / 3.0).abs() < 0.04 && (freed - 0.5).abs() < 0.06, "{halfway} {freed}");
}

#[test]
fn what_cannot_be_compared_is_none() {
    let labelled = pairs(5);
    let mut noise = Noise(2);
    let (a, b) = (noise.matrix(10, 4), noise.matrix(10, 3));
    let (a, b) = (Dataset::new(a.view(), &labelled).unwrap(), Dataset::new(b.view(), &labelled).unwrap());
    let found = only(&a, &b, MEANS, &Comparison::default());
    assert_eq!((found.cosine, found.angle(), found.p, found.ceiling), (None, None, None, None));
    // One group cannot be halved, nor can its labels tell anything.
    let one = Labelled::new(&[0, 1, 0, 1], &[0; 4]).unwrap();
    let x = noise.matrix(4, 3);
    let data = Dataset::new(x.view(), &one).unwrap();
    assert_eq!(reliability(&data, MEANS, 10, 0).unwrap(), None);
    let constant = Array2::<f32>::ones((10, 4));
    let still = Dataset::new(constant.view(), &labelled).unwrap();
    assert_eq!(only(&a, &still, MEANS, &Comparison::default()).cosine, None);
    let unpenalised = Twin { penalty: 0.0, standardise: false };
    let wide = noise.matrix(10, 20);
    let wide = Dataset::new(wide.view(), &labelled).unwrap();
    let refused = similarities(&[(wide, unpenalised)], &Comparison::default());
    assert!(matches!(refused, Err(Error::NoDecomposition { .. })), "{refused:?}");
}

//! Scores before and after, and of two classes: closed forms, calibration, and what scipy and scikit-learn say.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, correlated, fixture, floats, groups, pairs};
use recant_probes::{Bootstrap, Error, Labelled, Method, d_prime, effect, overlap, readout_change};

const QUICK: Bootstrap = Bootstrap { resamples: 199, level: 0.95, seed: 1, method: Method::Bca };
const NONE: Bootstrap = Bootstrap { resamples: 0, ..QUICK };

fn normals(n: usize, mean: f64, noise: &mut Noise) -> Vec<f64> {
    (0..n).map(|_| mean + f64::from(noise.normal())).collect()
}

#[test]
fn effects_are_those_of_scipy_and_scikit_learn() {
    let golden = fixture("representations.json");
    let (before, after) = (floats(&golden["before"]), floats(&golden["after"]));
    let expected = &golden["effect"];
    let found = effect(&before, &after, &groups(&golden["group"]), &QUICK).unwrap();
    let close = |found: Option<f64>, expected: &serde_json::Value| {
        assert!((found.unwrap() - expected.as_f64().unwrap()).abs() < 1e-9, "{found:?} {expected}");
    };
    close(found.d.value, &expected["d"]);
    close(found.higher.value, &expected["higher"]);
    close(found.sd_ratio.value, &expected["sd_ratio"]);
    close(found.overlap, &expected["overlap"]);

    let labelled = Labelled::ungrouped(&common::integers(&golden["label"])).unwrap();
    for (scores, expected) in [&before, &after].into_iter().zip(golden["d_prime"].as_array().unwrap()) {
        close(d_prime(scores, &labelled, &QUICK).unwrap().value, expected);
    }
    let change = readout_change(&labelled, &before, &after, 99, &QUICK).unwrap();
    let difference = |name: &str| golden[name][1].as_f64().unwrap() - golden[name][0].as_f64().unwrap();
    assert!((change.d_prime.value.unwrap() - difference("d_prime")).abs() < 1e-9);
    assert!((change.auroc.value.unwrap() - difference("auroc")).abs() < 1e-9);
}

/// `Φ(-1/2)` and `Φ(1 / √2)` for a shift of one standard deviation.
#[test]
fn normals_a_known_way_apart_have_the_effect_of_the_textbook() {
    let mut noise = Noise(1);
    let n = 1000;
    let (before, after) = (normals(n, 0.0, &mut noise), normals(n, 1.0, &mut noise));
    let found = effect(&before, &after, &(0..n).collect::<Vec<_>>(), &NONE).unwrap();
    assert!((found.d.value.unwrap() - 1.0).abs() < 0.15, "{:?}", found.d);
    assert!((found.higher.value.unwrap() - 0.760_25).abs() < 0.035);
    assert!((found.sd_ratio.value.unwrap() - 1.0).abs() < 0.07);
    assert!((found.overlap.unwrap() - 2.0 * 0.308_54).abs() < 0.05, "{:?}", found.overlap);
}

#[test]
fn an_interval_of_an_effect_holds_it() {
    let mut noise = Noise(2);
    let before = normals(80, 0.0, &mut noise);
    let after: Vec<f64> = before.iter().map(|score| 2.0 * score + 1.0).collect();
    let groups: Vec<usize> = (0..80).map(|row| row / 2).collect();
    let found = effect(&before, &after, &groups, &QUICK).unwrap();
    let ci = found.d.ci.unwrap();
    assert!(ci.low < found.d.value.unwrap() && found.d.value.unwrap() < ci.high && ci.low > 0.0);
    // Every row is doubled, in every resample.
    let percentile = Bootstrap { method: Method::Percentile, ..QUICK };
    let ratio = effect(&before, &after, &groups, &percentile).unwrap().sd_ratio;
    let ci = ratio.ci.unwrap();
    assert!([ratio.value.unwrap(), ci.low, ci.high].iter().all(|ratio| (ratio - 2.0).abs() < 1e-12));
}

#[test]
fn equal_samples_overlap_wholly_and_distant_ones_not_at_all() {
    let sample = normals(30, 0.0, &mut Noise(3));
    let far: Vec<f64> = sample.iter().map(|value| value + 100.0).collect();
    assert_eq!(overlap(&sample, &sample), Some(1.0));
    let twice = [sample.clone(), sample.clone()].concat();
    assert!((overlap(&sample, &twice).unwrap() - 1.0).abs() < 1e-12);
    assert!(overlap(&sample, &far).unwrap() < 1e-9);
    assert_eq!([overlap(&[1.0, 1.0], &[2.0, 2.0]), overlap(&[], &sample)], [None; 2]);
}

/// Classes at 0, 2 and at 3, 5: both spread by √2 about means that are 3 apart.
#[test]
fn d_prime_is_that_of_the_hand() {
    let labelled = Labelled::ungrouped(&[0, 0, 1, 1]).unwrap();
    let found = d_prime(&[0.0, 2.0, 3.0, 5.0], &labelled, &NONE).unwrap();
    assert!((found.value.unwrap() - 3.0 / 2.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(found.ci, None);
    assert_eq!(d_prime(&[0.1, 0.1, 0.7, 0.7], &labelled, &QUICK).unwrap().value, None);
    assert_eq!(
        d_prime(&[0.0; 3], &labelled, &QUICK).unwrap_err(),
        Error::ShapeMismatch { what: "scores", expected: 4, found: 3 }
    );
    let infinite = d_prime(&[0.0, 1.0, f64::INFINITY, 2.0], &labelled, &QUICK);
    assert_eq!(infinite, Err(Error::NonFiniteScore { row: 2 }));
}

#[test]
fn the_interval_of_d_prime_covers_it() {
    let labelled = pairs(40);
    let mut noise = Noise(4);
    let covered = (0..100)
        .filter(|_| {
            let scores = correlated(&labelled, 1.0, 0.3, &mut noise);
            let ci = d_prime(&scores, &labelled, &QUICK).unwrap().ci.unwrap();
            ci.low <= 1.0 && 1.0 <= ci.high
        })
        .count();
    // 95 are promised; the bootstrap of 40 groups falls a little short of it.
    assert!((86..=100).contains(&covered), "{covered}");
}

#[test]
fn a_readout_that_became_better_is_found_to_be() {
    let labelled = pairs(40);
    let mut noise = Noise(5);
    let (before, after) =
        (correlated(&labelled, 0.3, 0.3, &mut noise), correlated(&labelled, 2.5, 0.3, &mut noise));
    let found = readout_change(&labelled, &before, &after, 199, &QUICK).unwrap();
    for difference in [found.d_prime, found.auroc] {
        assert_eq!(difference.p, Some(0.005));
        assert!(difference.ci.unwrap().low > 0.0 && difference.value < Some(4.0), "{difference:?}");
    }
    let back = readout_change(&labelled, &after, &before, 199, &QUICK).unwrap();
    assert!((back.auroc.value.unwrap() + found.auroc.value.unwrap()).abs() < 1e-12);
    let same = readout_change(&labelled, &before, &before, 199, &NONE).unwrap();
    assert_eq!((same.d_prime.value, same.d_prime.p, same.auroc.p), (Some(0.0), Some(1.0), Some(1.0)));
}

/// Scores after share half of their variance with those before, and are on another scale.
#[test]
fn equal_readouts_are_told_apart_as_seldom_as_promised() {
    let studies = 300;
    let labelled = pairs(25);
    let mut noise = Noise(6);
    let mut found = [0; 2];
    for _ in 0..studies {
        let shared = correlated(&labelled, 1.0, 0.5, &mut noise);
        let list = |noise: &mut Noise| -> Vec<f64> {
            shared.iter().map(|score| score + f64::from(noise.normal())).collect()
        };
        let before = list(&mut noise);
        let after: Vec<f64> = list(&mut noise).iter().map(|score| 10.0 * score - 3.0).collect();
        let change = readout_change(&labelled, &before, &after, 99, &NONE).unwrap();
        for (count, p) in found.iter_mut().zip([change.d_prime.p, change.auroc.p]) {
            *count += usize::from(p.unwrap() <= 0.05);
        }
    }
    // 15 are expected; three standard deviations of a binomial count are 11.
    assert!(found.iter().all(|count| (4..=26).contains(count)), "{found:?} of {studies}");
}

#[test]
fn one_group_has_no_interval_and_no_p() {
    let labelled = Labelled::new(&[0, 0, 1, 1], &[7; 4]).unwrap();
    let (before, after) = ([0.0, 2.0, 1.0, 4.0], [0.0, 1.0, 3.0, 4.0]);
    let found = readout_change(&labelled, &before, &after, 99, &QUICK).unwrap();
    assert!(found.auroc.value.is_some() && found.auroc.ci.is_none() && found.auroc.p.is_none());
    let found = effect(&before, &after, &[0; 4], &QUICK).unwrap();
    assert!(found.d.value.is_some() && found.d.ci.is_none());
    assert_eq!(
        effect(&before, &after[..3], &[0; 4], &QUICK).unwrap_err(),
        Error::ShapeMismatch { what: "scores after", expected: 4, found: 3 }
    );
}

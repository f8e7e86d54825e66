//! The statistics keep their promises when the truth is known: simulations with fixed seeds.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, correlated, pairs, pure_groups};
use ndarray::{Array3, Axis};
use rayon::prelude::*;
use recant_probes::{
    Bootstrap, DeLong, FoldPlan, Kind, Labelled, Logistic, Method, Metric, Scored, Settings, fit_layers,
};

/// Φ(z) of a readout whose classes lie `√2 z` apart.
const THREE_QUARTERS: (f64, f64) = (0.75, 0.674_489_750_196_081_7);
const NINE_TENTHS: (f64, f64) = (0.9, 1.281_551_565_544_600_4);

fn settings(permutations: usize, seed: u64) -> Settings {
    Settings {
        probe: Kind::Logistic(Logistic::default()),
        folds: FoldPlan::Grouped(4),
        bootstrap: Bootstrap { resamples: 0, ..Bootstrap::default() },
        permutations,
        seed,
    }
}

/// The p-value of each layer, raw or corrected.
fn p_values(x: &Array3<f32>, labelled: &Labelled, settings: &Settings, corrected: bool) -> Vec<f64> {
    let sweep = fit_layers(x.view(), labelled, settings).unwrap();
    let p = sweep.iter().map(|layer| layer.permutation.as_ref().unwrap());
    p.map(|test| if corrected { test.p_max } else { test.p }).collect()
}

/// Groups of one to four rows, of one class or of both.
fn uneven() -> Labelled {
    let (mut labels, mut groups) = (Vec::new(), Vec::new());
    for group in 0..28_i64 {
        for row in 0..=group % 4 {
            labels.push(if group % 3 == 0 { row % 2 } else { group % 2 });
            groups.push(group);
        }
    }
    Labelled::new(&labels, &groups).unwrap()
}

/// The largest excess and the largest shortfall of the share of p-values up to any level.
fn off_uniform(p: &[f64]) -> [f64; 2] {
    let mut sorted = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let over = sorted.iter().enumerate().map(|(rank, p)| (rank + 1) as f64 / n - p);
    let under = sorted.iter().enumerate().map(|(rank, p)| p - rank as f64 / n);
    [over.fold(0.0, f64::max), under.fold(0.0, f64::max)]
}

#[test]
fn permutation_p_is_uniform_when_there_is_nothing_to_find() {
    // Each layer is an experiment of its own. Features differ between groups, as those of templates do.
    let experiments = 1000;
    for (name, labelled) in [
        ("pairs", pairs(14)),
        ("groups of one class", pure_groups(24, 2)),
        ("uneven groups", uneven()),
        ("rows", pure_groups(28, 1)),
    ] {
        let mut noise = Noise(2024);
        let mut x = noise.layers(experiments, labelled.n(), 3);
        let shared = noise.layers(experiments, labelled.n_groups(), 3);
        for (row, &group) in labelled.groups().iter().enumerate() {
            let mut own = x.index_axis_mut(Axis(1), row);
            own += &shared.index_axis(Axis(1), group);
        }
        let p = p_values(&x, &labelled, &settings(99, 3), false);
        let [over, under] = off_uniform(&p);
        // Kolmogorov's bound at 1 in 1000 is 1.95 / √n = 0.062; p moves in steps of 0.01, and ties of AUROCs, which
        // count against a finding, can only make p larger.
        assert!(over < 0.062 && under < 0.09, "{name}: {over} {under}");
        for level in [0.01, 0.05, 0.1] {
            let count = p.iter().filter(|&&p| p <= level + 1e-9).count() as f64;
            let (mean, deviation) = (1000.0 * level, (1000.0 * level * (1.0 - level)).sqrt());
            assert!((count - mean).abs() < 3.5 * deviation, "{name}: {count} of 1000 at most {level}");
        }
    }
}

/// How often an interval of the AUROC of a fixed readout holds the true one, over fresh samples of groups.
fn coverage(
    labelled: &Labelled,
    (truth, z): (f64, f64),
    samples: u64,
    interval: impl Fn(&[f64], u64) -> Option<[f64; 2]> + Sync,
) -> f64 {
    let covered = (0..samples).into_par_iter().filter(|&sample| {
        let mut noise = Noise(sample.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // Half of the variance is shared by the rows of a group.
        let decisions = correlated(labelled, std::f64::consts::SQRT_2 * z, 0.5, &mut noise);
        interval(&decisions, sample).is_some_and(|[low, high]| low <= truth && truth <= high)
    });
    covered.count() as f64 / samples as f64
}

fn resampled(labelled: &Labelled, method: Method) -> impl Fn(&[f64], u64) -> Option<[f64; 2]> + Sync {
    move |decisions, seed| {
        let scored = Scored::new(decisions, labelled.labels());
        let bootstrap = Bootstrap { resamples: 500, method, seed, ..Bootstrap::default() };
        let [interval] =
            bootstrap.intervals(labelled, |counts| [Metric::Auroc.weighted(&scored, counts)]).unwrap();
        interval.map(|interval| [interval.low, interval.high])
    }
}

#[test]
fn intervals_over_groups_cover_what_they_promise() {
    // 1000 samples know a coverage of 95 % to 0.7 points.
    for (name, labelled) in [("pairs", pairs(60)), ("groups of one class", pure_groups(80, 2))] {
        for method in [Method::Percentile, Method::Bca] {
            let found = coverage(&labelled, THREE_QUARTERS, 1000, resampled(&labelled, method));
            assert!((0.93..=0.97).contains(&found), "{name} {method:?}: {found}");
        }
        let closed = |decisions: &[f64], _| {
            Some(DeLong::of(&labelled, decisions).unwrap().unwrap().interval(0.95).unwrap())
        };
        let found = coverage(&labelled, THREE_QUARTERS, 1000, closed);
        assert!((0.93..=0.97).contains(&found), "{name} DeLong: {found}");
    }
}

#[test]
fn few_groups_and_a_high_auroc_need_the_corrected_interval() {
    let labelled = pairs(20);
    let corrected = coverage(&labelled, NINE_TENTHS, 1500, resampled(&labelled, Method::Bca));
    let plain = coverage(&labelled, NINE_TENTHS, 1500, resampled(&labelled, Method::Percentile));
    assert!((0.93..=0.97).contains(&corrected), "{corrected}");
    assert!(plain < 0.93 && plain < corrected - 0.015, "{plain}");
}

#[test]
fn resampling_rows_for_groups_covers_too_little() {
    let labelled = pure_groups(60, 5);
    let alone: Vec<i64> = (0..300).map(|row| i64::from(labelled.labels()[row])).collect();
    let rows = Labelled::ungrouped(&alone).unwrap();
    let found = coverage(&labelled, THREE_QUARTERS, 500, resampled(&rows, Method::Bca));
    assert!(found < 0.85, "{found}");
}

#[test]
fn the_correction_over_layers_holds_the_rate_of_any_false_finding() {
    // 400 experiments of eight layers, which are alike as neighbouring layers are.
    let labelled = pairs(14);
    let (experiments, layers) = (400_u64, 8);
    let found: Vec<[bool; 2]> = (0..experiments)
        .into_par_iter()
        .map(|experiment| {
            let mut noise = Noise(experiment.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let base = noise.matrix(28, 3);
            let x = noise.layers(layers, 28, 3) + &base;
            let any = |corrected| {
                p_values(&x, &labelled, &settings(99, experiment), corrected).iter().any(|&p| p <= 0.05)
            };
            [any(false), any(true)]
        })
        .collect();
    let rate = |which: usize| found.iter().filter(|found| found[which]).count() as f64 / experiments as f64;
    // 5 % has a standard deviation of 1.1 points in 400 experiments.
    assert!(rate(1) <= 0.083 && rate(1) >= 0.015, "corrected: {}", rate(1));
    assert!(rate(0) > 0.12, "uncorrected: {}", rate(0));
}

/// Every row of a design and of its features `copies` times, in its group.
fn copied(x: &Array3<f32>, labelled: &Labelled, copies: usize) -> (Array3<f32>, Labelled) {
    let rows: Vec<usize> = (0..copies * labelled.n()).map(|row| row / copies).collect();
    (x.select(Axis(1), &rows), labelled.select(&rows).unwrap())
}

#[test]
fn copies_of_rows_fool_a_test_without_groups_and_not_one_with_them() {
    let experiments = 300;
    let design = pure_groups(24, 1);
    let x = Noise(60).layers(experiments, 24, 6);
    let (x, grouped) = copied(&x, &design, 4);
    let labels: Vec<i64> = grouped.labels().iter().map(|&label| i64::from(label)).collect();
    let rate = |labelled: &Labelled| {
        let p = p_values(&x, labelled, &settings(39, 1), false);
        p.iter().filter(|&&p| p <= 0.05).count() as f64 / experiments as f64
    };
    // 5 % has a standard deviation of 1.3 points in 300 experiments.
    let (held, fooled) = (rate(&grouped), rate(&Labelled::ungrouped(&labels).unwrap()));
    assert!(held <= 0.1, "grouped: {held}");
    assert!(fooled > 0.8, "ungrouped: {fooled}");
}

#[test]
fn copies_inside_groups_of_both_classes_do_not_fool_the_test_either() {
    let experiments = 300;
    let (x, grouped) = copied(&Noise(61).layers(experiments, 28, 4), &pairs(14), 4);
    let p = p_values(&x, &grouped, &settings(39, 1), false);
    let rate = p.iter().filter(|&&p| p <= 0.05).count() as f64 / experiments as f64;
    assert!(rate <= 0.1, "{rate}");
}

//! Leaks that flatter a probe, planted and caught.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, auroc, pairs, pure_groups};
use ndarray::{Array2, Array3, Axis, concatenate};
use recant_probes::{
    Bootstrap, Dataset, Estimator, FoldPlan, Folds, Labelled, Logistic, Settings, fit_layers,
};

/// A column per name, 1 where the row is of that name.
fn indicators(names: &[usize]) -> Array2<f32> {
    let columns = names.iter().max().unwrap() + 1;
    Array2::from_shape_fn((names.len(), columns), |(row, column)| f32::from(u8::from(names[row] == column)))
}

fn held_out(x: &Array2<f32>, labelled: &Labelled, folds: &Folds) -> f64 {
    let data = Dataset::new(x.view(), labelled).unwrap();
    auroc(&Logistic::default().cross_validate(&data, folds).unwrap(), labelled)
}

/// Rows dealt to folds without regard to groups.
fn careless(labelled: &Labelled, k: usize) -> (Labelled, Folds) {
    let labels: Vec<i64> = labelled.labels().iter().map(|&label| i64::from(label)).collect();
    let rows = Labelled::ungrouped(&labels).unwrap();
    let folds = Folds::grouped(&rows, k, 0).unwrap();
    (rows, folds)
}

#[test]
fn features_that_name_the_fold_raise_no_held_out_score() {
    // The classes are uneven over folds, so that the fold foretells the label; features say the fold and nothing else.
    let fold: Vec<i64> = (0..80).map(|row| row / 20).collect();
    let labels: Vec<i64> =
        (0..80).map(|row| i64::from((row % 20) < [16, 4, 15, 5][row as usize / 20])).collect();
    let labelled = Labelled::ungrouped(&labels).unwrap();
    let named: Vec<usize> = fold.iter().map(|&fold| fold as usize).collect();
    let x = indicators(&named);
    assert!(held_out(&x, &labelled, &Folds::given(&labelled, &fold).unwrap()) <= 0.5);
    // With rows of each of these on both sides of a split, they do.
    let (rows, folds) = careless(&labelled, 4);
    assert!(held_out(&x, &rows, &folds) > 0.7);
}

#[test]
fn features_that_name_the_group_raise_no_held_out_score_and_no_significance() {
    let labelled = pure_groups(24, 4);
    let noise = Noise(3).matrix(96, 5);
    let x = concatenate![Axis(1), noise, indicators(labelled.groups())];
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    assert!(held_out(&x, &labelled, &folds) < 0.6);
    let (rows, row_folds) = careless(&labelled, 4);
    assert!(held_out(&x, &rows, &row_folds) > 0.95);

    let p = |labelled: &Labelled| {
        let settings = Settings {
            folds: FoldPlan::Grouped(4),
            bootstrap: Bootstrap { resamples: 0, ..Bootstrap::default() },
            permutations: 99,
            ..Settings::default()
        };
        let layers: Array3<f32> = x.clone().insert_axis(Axis(0));
        fit_layers(layers.view(), labelled, &settings).unwrap()[0].permutation.clone().unwrap().p
    };
    assert!(p(&labelled) > 0.05);
    assert_eq!(p(&rows), 0.01);
}

/// The columns whose class means differ most over some rows.
fn telling(x: &Array2<f32>, labelled: &Labelled, rows: &[usize], count: usize) -> Vec<usize> {
    let mean = |column: usize, class: bool| {
        let own: Vec<f32> = rows
            .iter()
            .filter(|&&row| labelled.labels()[row] == class)
            .map(|&row| x[[row, column]])
            .collect();
        own.iter().sum::<f32>() / own.len() as f32
    };
    let gap = |column: usize| (mean(column, true) - mean(column, false)).abs();
    let mut columns: Vec<usize> = (0..x.ncols()).collect();
    columns.sort_by(|&a, &b| gap(b).total_cmp(&gap(a)));
    columns.truncate(count);
    columns
}

#[test]
fn columns_chosen_before_the_split_score_above_chance_on_noise_and_inside_it_do_not() {
    let labelled = pairs(30);
    let folds = Folds::grouped(&labelled, 5, 0).unwrap();
    let (mut leaky, mut honest) = (0.0, 0.0);
    for seed in 0..5 {
        let x = Noise(100 + seed).matrix(60, 800);
        let everything: Vec<usize> = (0..60).collect();
        let chosen = x.select(Axis(1), &telling(&x, &labelled, &everything, 10));
        leaky += held_out(&chosen, &labelled, &folds) / 5.0;
        let decisions = folds
            .held_out(60, |train, held_out| {
                let chosen = x.select(Axis(1), &telling(&x, &labelled, train, 10));
                let probe = Logistic::default().fit_rows(&Dataset::new(chosen.view(), &labelled)?, train)?;
                held_out.iter().map(|&row| probe.decision(chosen.row(row))).collect()
            })
            .unwrap();
        honest += auroc(&decisions, &labelled) / 5.0;
    }
    assert!(leaky > 0.85, "{leaky}");
    // The mean of five has a standard error of about 0.033.
    assert!(honest < 0.6, "{honest}");
}

#[test]
fn class_means_taken_away_before_the_split_move_the_held_out_score_of_noise_far_from_chance() {
    // A scaler that knows the classes moves every held-out row by its label.
    let labelled = pairs(30);
    let folds = Folds::grouped(&labelled, 5, 0).unwrap();
    let x = Noise(7).matrix(60, 40);
    assert!((held_out(&x, &labelled, &folds) - 0.5).abs() < 0.2);
    let mut scaled = x;
    for class in [false, true] {
        let rows: Vec<usize> = (0..60).filter(|&row| labelled.labels()[row] == class).collect();
        let mean = scaled.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap();
        for row in rows {
            let mut own = scaled.row_mut(row);
            own -= &mean;
        }
    }
    // Equal class means over all rows: what a training part has too much, its held-out part has too little.
    assert!(held_out(&scaled, &labelled, &folds) < 0.2);
}

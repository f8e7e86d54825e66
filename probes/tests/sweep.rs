//! The sweep over layers, end to end.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::{Array3, Axis, s};
use recant_probes::{
    Bootstrap, Dataset, Error, Estimator, FoldPlan, Folds, Kind, Labelled, LayerProbe, Logistic, Metric,
    Scored, Settings, fit_layers,
};

fn settings(permutations: usize) -> Settings {
    let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
    Settings { folds: FoldPlan::Grouped(4), bootstrap, permutations, ..Settings::default() }
}

/// Noise, with class 1 moved along one direction at the last layer.
fn planted(layers: usize, labelled: &Labelled, columns: usize) -> Array3<f32> {
    let mut x = Noise(31).layers(layers, labelled.n(), columns);
    for (row, &label) in labelled.labels().iter().enumerate() {
        if label {
            x.slice_mut(s![layers - 1, row, ..4]).mapv_inplace(|value| value + 2.5);
        }
    }
    x
}

#[test]
fn a_planted_direction_is_found_where_it_was_planted() {
    let labelled = pairs(24);
    let x = planted(3, &labelled, 20);
    let sweep = fit_layers(x.view(), &labelled, &settings(99)).unwrap();
    let found = sweep[2].permutation.as_ref().unwrap();
    assert_eq!((found.p, found.p_max), (0.01, 0.01));
    assert!(sweep[2].cv.auroc.value.unwrap() > 0.9);
    assert!(sweep[2].cv.auroc.ci.unwrap().low > 0.8);
    assert!((0..4).all(|column| sweep[2].probe.direction()[column] > 0.0));
    for layer in &sweep[..2] {
        let null = layer.permutation.as_ref().unwrap();
        assert!(null.p > 0.02 && null.p_max >= null.p, "layer {}: {null:?}", layer.layer);
    }
    assert_eq!((sweep[2].cv.n, sweep[2].cv.n_groups, sweep[2].layer), (48, 24, 2));
}

#[test]
fn p_values_are_about_uniform_when_there_is_nothing_to_find() {
    for labelled in [pairs(12), pure_groups(24, 1)] {
        // Each layer is an experiment of its own.
        let experiments = 150;
        let x = Noise(77).layers(experiments, 24, 4);
        let sweep = fit_layers(x.view(), &labelled, &settings(39)).unwrap();
        let p: Vec<f64> = sweep.iter().map(|layer| layer.permutation.as_ref().unwrap().p).collect();
        let mean = p.iter().sum::<f64>() / experiments as f64;
        let small = p.iter().filter(|&&p| p <= 0.1).count();
        // Under uniformity the mean has a standard error of 0.024 and the count, 15 on average, one of 3.7.
        assert!((mean - 0.5).abs() < 0.1, "mean {mean}");
        assert!((3..=29).contains(&small), "{small} of {experiments} at most 0.1");
    }
}

#[test]
fn the_sweep_says_what_its_parts_say() {
    let labelled = pairs(15);
    let x = planted(2, &labelled, 40);
    let sweep = fit_layers(x.view(), &labelled, &settings(0)).unwrap();
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    for (layer, probe) in sweep.iter().enumerate() {
        let data = Dataset::new(x.index_axis(Axis(0), layer), &labelled).unwrap();
        assert_eq!(probe.probe, Logistic::default().fit(&data).unwrap());
        assert_eq!(probe.cv.decisions, Logistic::default().cross_validate(&data, &folds).unwrap());
        assert_eq!(probe.permutation, None);
        assert_eq!(probe.train_auroc, Some(1.0));
    }
}

#[test]
fn given_folds_are_used_as_given() {
    let labelled = pairs(12);
    let x = planted(1, &labelled, 6);
    let fold: Vec<i64> = (0..24).map(|row| (row / 2) % 3).collect();
    let given = Settings { folds: FoldPlan::Given(fold.clone()), ..settings(0) };
    let sweep = fit_layers(x.view(), &labelled, &given).unwrap();
    let data = Dataset::new(x.index_axis(Axis(0), 0), &labelled).unwrap();
    let expected =
        Logistic::default().cross_validate(&data, &Folds::given(&labelled, &fold).unwrap()).unwrap();
    assert_eq!(sweep[0].cv.decisions, expected);
}

fn on_threads(threads: usize, seed: u64) -> Vec<LayerProbe> {
    let labelled = pairs(12);
    let x = planted(3, &labelled, 30);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| fit_layers(x.view(), &labelled, &Settings { seed, ..settings(19) }).unwrap())
}

#[test]
fn the_same_seed_gives_the_same_numbers_on_any_number_of_threads() {
    assert_eq!(on_threads(1, 5), on_threads(4, 5));
    assert_ne!(on_threads(1, 5), on_threads(1, 6));
}

#[test]
fn constant_features_score_at_chance_and_are_never_significant() {
    let labelled = pairs(10);
    let x = Array3::from_elem((1, 20, 5), 2.0_f32);
    let sweep = fit_layers(x.view(), &labelled, &settings(19)).unwrap();
    assert_eq!(sweep[0].cv.auroc.value, Some(0.5));
    assert_eq!(sweep[0].permutation.as_ref().unwrap().p, 1.0);
}

#[test]
fn an_error_names_its_layer() {
    let labelled = pairs(10);
    let mut x = planted(3, &labelled, 5);
    x[[1, 4, 2]] = f32::INFINITY;
    let source = Box::new(Error::NonFinite { row: 4, column: 2 });
    assert_eq!(fit_layers(x.view(), &labelled, &settings(0)).unwrap_err(), Error::Layer { layer: 1, source });
    let none = x.slice(s![..0, .., ..]);
    assert_eq!(fit_layers(none, &labelled, &settings(0)).unwrap_err(), Error::Empty { what: "layers" });
}

#[test]
fn a_path_gives_each_c_its_score_and_refits_the_best() {
    let labelled = pairs(24);
    let x = planted(1, &labelled, 20);
    let path = vec![1e-4, 1e-2, 1.0];
    let sweep = fit_layers(x.view(), &labelled, &Settings { path: path.clone(), ..settings(0) }).unwrap();
    let found = &sweep[0];
    let data = Dataset::new(x.index_axis(Axis(0), 0), &labelled).unwrap();
    let folds = FoldPlan::Grouped(4).make(&labelled, 0).unwrap();
    for (c, auroc) in &found.grid {
        let alone = Logistic { c: *c, ..Logistic::default() }.cross_validate(&data, &folds).unwrap();
        let alone = Metric::Auroc.of(&Scored::new(&alone, labelled.labels()));
        assert_eq!(*auroc, alone, "C = {c}");
    }
    let best = found.grid.iter().map(|(_, auroc)| auroc.unwrap()).fold(0.0, f64::max);
    assert_eq!(found.cv.auroc.value, Some(best));
    let Kind::Logistic(chosen) = &found.kind else { panic!("{:?}", found.kind) };
    assert!(found.grid.contains(&(chosen.c, Some(best))));
    assert_eq!(found.probe, chosen.fit(&data).unwrap());
}

#[test]
fn nested_decisions_are_those_of_choosing_c_by_hand_inside_each_training_part() {
    let labelled = pairs(24);
    let x = planted(1, &labelled, 30);
    let data = Dataset::new(x.index_axis(Axis(0), 0), &labelled).unwrap();
    let folds = FoldPlan::Grouped(4).make(&labelled, 0).unwrap();
    let path = [1e-3, 1e-1, 10.0];
    let (decisions, chosen) = Logistic::default().cross_validate_nested(&data, &folds, &path).unwrap();
    for (fold, chosen) in chosen.into_iter().enumerate() {
        let (train, held) = folds.split(fold);
        let mut best = (f64::NEG_INFINITY, 0.0);
        for c in path {
            let logistic = Logistic { c, ..Logistic::default() };
            let (mut inner, mut labels) = (Vec::new(), Vec::new());
            for other in (0..4).filter(|&other| other != fold) {
                let rows: Vec<usize> =
                    train.iter().copied().filter(|&row| folds.of_row()[row] != other).collect();
                let probe = logistic.fit_rows(&data, &rows).unwrap();
                for &row in train.iter().filter(|&&row| folds.of_row()[row] == other) {
                    inner.push(probe.decision(data.x().row(row)).unwrap());
                    labels.push(labelled.labels()[row]);
                }
            }
            let auroc = Metric::Auroc.of(&Scored::new(&inner, &labels)).unwrap();
            best = if auroc > best.0 { (auroc, c) } else { best };
        }
        assert_eq!(chosen, best.1);
        let probe = Logistic { c: best.1, ..Logistic::default() }.fit_rows(&data, &train).unwrap();
        for row in held {
            let decision = probe.decision(data.x().row(row)).unwrap();
            approx::assert_relative_eq!(decisions[row], decision, epsilon = 1e-6);
        }
    }
}

#[test]
fn the_twin_of_many_and_of_few_columns_is_the_ridge_fit_of_each_fold() {
    for columns in [6, 60] {
        let labelled = pairs(20);
        let x = Noise(8).layers(1, 40, columns);
        let settings = Settings {
            probe: Kind::Logistic(Logistic { c: 0.3, standardise: false, ..Logistic::default() }),
            ..settings(5)
        };
        let sweep = fit_layers(x.view(), &labelled, &settings).unwrap();
        let folds = FoldPlan::Grouped(4).make(&labelled, 0).unwrap();
        let decisions = ridge_by_hand(&x.index_axis(Axis(0), 0).to_owned(), &labelled, &folds, 4.0 / 0.3);
        let auroc = Metric::Auroc.of(&Scored::new(&decisions, labelled.labels())).unwrap();
        let observed = sweep[0].permutation.as_ref().unwrap().observed;
        approx::assert_relative_eq!(observed, auroc, epsilon = 1e-9);
    }
}

/// Ridge regression on labels 0 and 1 by gradient descent on the centred training rows of each fold.
fn ridge_by_hand(x: &ndarray::Array2<f32>, labelled: &Labelled, folds: &Folds, penalty: f64) -> Vec<f64> {
    let x = x.mapv(f64::from);
    let mut decisions = vec![0.0; labelled.n()];
    for fold in 0..folds.k() {
        let (train, held) = folds.split(fold);
        let rows = x.select(Axis(0), &train);
        let mean = rows.mean_axis(Axis(0)).unwrap();
        let rows = rows - &mean;
        let labels: ndarray::Array1<f64> =
            train.iter().map(|&row| f64::from(u8::from(labelled.labels()[row]))).collect();
        let rate = labels.mean().unwrap();
        let mut weights = ndarray::Array1::<f64>::zeros(x.ncols());
        for _ in 0..20_000 {
            let residuals = rows.dot(&weights) + rate - &labels;
            weights = &weights - &((rows.t().dot(&residuals) + penalty * &weights) * 1e-3);
        }
        for row in held {
            decisions[row] = (&x.row(row) - &mean).dot(&weights) + rate;
        }
    }
    decisions
}

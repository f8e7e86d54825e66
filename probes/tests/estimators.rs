//! Every kind of probe against scikit-learn and numpy: always on the committed fixture, and on real hidden states where
//! they are.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Golden, fixture, floats, golden, integers};
use ndarray::{Array2, Axis};
use recant_probes::{
    Ccs, Centring, Dataset, Estimator, Folds, Labelled, Lda, LeftOut, LinfaSvm, Logistic, MassMean, Metric,
    Multinomial, MultinomialScores, PairPca, Probe, Regression, RegressionScores, Ridge, RidgePath, Scored,
    Shrinkage, Sparse,
};
use serde_json::Value;

/// The largest difference, relative to the largest expected value.
fn gap(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let gap = gap(found, expected);
    assert!(gap < tolerance, "{what}: {gap:e}");
}

/// Weights and intercept, on one scale.
fn assert_probe(probe: &Probe, expected: &Value, tolerance: f64, what: &str) {
    let mut found = probe.coef.to_vec();
    let mut wanted = floats(&expected["coef"]);
    found.push(probe.intercept);
    wanted.push(expected["intercept"].as_f64().unwrap());
    assert_close(&found, &wanted, tolerance, what);
}

struct Case {
    golden: Value,
    x: Array2<f32>,
    labelled: Labelled,
}

impl Case {
    fn both() -> [Self; 2] {
        let all = fixture("estimators.json");
        ["wide", "tall"].map(|name| {
            let golden = all[name].clone();
            let rows: Vec<f32> =
                golden["x"].as_array().unwrap().iter().flat_map(floats).map(|value| value as f32).collect();
            let labelled = Labelled::new(&integers(&golden["y"]), &integers(&golden["group"])).unwrap();
            let x = Array2::from_shape_vec((labelled.n(), rows.len() / labelled.n()), rows).unwrap();
            Self { golden, x, labelled }
        })
    }

    fn data(&self) -> Dataset<'_> {
        Dataset::new(self.x.view(), &self.labelled).unwrap()
    }

    fn folds(&self) -> Folds {
        Folds::given(&self.labelled, &integers(&self.golden["fold"])).unwrap()
    }

    fn list(&self, name: &str) -> &[Value] {
        self.golden[name].as_array().unwrap()
    }
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

#[test]
fn ridge_is_that_of_scikit_learn_and_so_is_its_path() {
    for case in Case::both() {
        for expected in case.list("ridge") {
            let (alpha, standardise) =
                (number(expected, "alpha"), expected["standardise"].as_bool().unwrap());
            let probe = Ridge { alpha, standardise }.fit(&case.data()).unwrap();
            assert_probe(&probe, expected, 1e-11, "ridge");
            let path = RidgePath::new(&case.data(), standardise).unwrap();
            assert_probe(&path.probe(alpha).unwrap(), expected, 1e-10, "path");
        }
    }
}

#[test]
fn left_out_decisions_are_those_of_fits_without_the_rows() {
    for case in Case::both() {
        for expected in case.list("ridge") {
            let path = RidgePath::new(&case.data(), expected["standardise"].as_bool().unwrap()).unwrap();
            for (left_out, name) in [(LeftOut::Row, "row"), (LeftOut::Group, "group")] {
                let found = path.left_out(number(expected, "alpha"), left_out).unwrap();
                assert_close(&found, &floats(&expected[name]), 1e-10, name);
            }
        }
    }
}

#[test]
fn the_chosen_penalty_has_the_least_left_out_error() {
    for case in Case::both() {
        let path = RidgePath::new(&case.data(), true).unwrap();
        let alphas = [1e-2, 1.0, 10.0, 1e2, 1e3, 1e5];
        let choice = path.choose(&alphas, LeftOut::Group).unwrap();
        let signs = case.labelled.labels().iter().map(|&label| if label { 1.0 } else { -1.0 });
        for (alpha, error) in alphas.iter().zip(&choice.errors) {
            let left_out = path.left_out(*alpha, LeftOut::Group).unwrap();
            let squares =
                left_out.iter().zip(signs.clone()).map(|(decision, sign)| (decision - sign).powi(2));
            assert!((squares.sum::<f64>() / case.labelled.n() as f64 - error).abs() < 1e-12);
        }
        let least = choice.errors.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(choice.errors[alphas.iter().position(|&alpha| alpha == choice.alpha).unwrap()], least);
    }
}

#[test]
fn discriminant_analysis_is_that_of_scikit_learn_with_fixed_and_automatic_shrinkage() {
    for case in Case::both() {
        for expected in case.list("lda") {
            let shrinkage = expected["shrinkage"].as_f64().map_or(Shrinkage::LedoitWolf, Shrinkage::Fixed);
            let probe = Lda { shrinkage, standardise: false }.fit(&case.data()).unwrap();
            assert_probe(&probe, expected, 1e-9, &format!("{shrinkage:?}"));
        }
    }
}

#[test]
fn mass_mean_is_the_difference_of_means_through_the_pseudo_inverse() {
    for case in Case::both() {
        for (covariance, name) in [(false, "plain"), (true, "covariance")] {
            let probe = MassMean { covariance, standardise: false }.fit(&case.data()).unwrap();
            assert_probe(&probe, &case.golden["mass_mean"][name], 1e-9, name);
        }
    }
}

#[test]
fn without_shrinkage_discriminant_analysis_has_the_direction_of_mass_mean() {
    for case in Case::both() {
        let lda = Lda { shrinkage: Shrinkage::Fixed(0.0), standardise: false }.fit(&case.data()).unwrap();
        let mass_mean = MassMean { covariance: true, standardise: false }.fit(&case.data()).unwrap();
        assert_eq!(lda.coef, mass_mean.coef);
    }
}

#[test]
fn the_axis_of_pair_differences_is_their_first_singular_vector() {
    for case in Case::both() {
        let probe = PairPca::default().fit(&case.data()).unwrap();
        assert_probe(&probe, &case.golden["pair_pca"], 1e-9, "pair-pca");
    }
}

#[test]
fn contrast_consistent_search_gets_lower_than_the_published_recipe() {
    for case in Case::both() {
        let expected = &case.golden["ccs"];
        let ccs = Ccs { decay: number(expected, "decay"), ..Ccs::default() };
        let rows: Vec<usize> = (0..case.labelled.n()).collect();
        let fit = ccs.search(&case.data(), &rows).unwrap();
        let least = |name: &str| floats(&expected[name]).into_iter().fold(f64::INFINITY, f64::min);
        let best = fit.restarts[fit.best];
        assert!(best.objective < least("adamw_objectives"), "{best:?}");
        assert!(fit.restarts.iter().all(|restart| restart.objective >= best.objective));
        assert_eq!(fit.restarts.len(), 10);
        let again = ccs.search(&case.data(), &rows).unwrap();
        assert_eq!(fit, again);
        let scored = Scored::new(&fit.probe.decisions(case.x.view()).unwrap(), case.labelled.labels());
        assert!(Metric::Auroc.of(&scored).unwrap() > 0.5);
    }
}

#[test]
fn contrast_consistent_search_centred_by_members_ignores_what_tells_first_from_second() {
    let [case, _] = Case::both();
    let mut shifted = case.x.clone();
    // A column that only says which member comes first.
    for rows in case.labelled.members() {
        shifted[[rows[0], 4]] += 64.0;
    }
    let ccs = Ccs { centring: Centring::Members, standardise: false, ..Ccs::default() };
    let plain = ccs.fit(&case.data()).unwrap();
    let moved = ccs.fit(&Dataset::new(shifted.view(), &case.labelled).unwrap()).unwrap();
    assert_close(&moved.coef.to_vec(), &plain.coef.to_vec(), 1e-4, "shifted");
}

#[test]
fn a_sparse_probe_takes_the_columns_whose_means_differ_most() {
    for case in Case::both() {
        let expected = &case.golden["sparse"];
        let sparse = Sparse { k: expected["k"].as_u64().unwrap() as usize, ..Sparse::default() };
        let rows: Vec<usize> = (0..case.labelled.n()).collect();
        let columns = sparse.columns(&case.data(), &rows).unwrap();
        assert_eq!(
            columns.iter().map(|&column| column as i64).collect::<Vec<_>>(),
            integers(&expected["columns"])
        );
        let probe = sparse.fit(&case.data()).unwrap();
        let chosen: Vec<f64> = columns.iter().map(|&column| probe.coef[column]).collect();
        assert_close(&chosen, &floats(&expected["coef"]), 1e-8, "sparse");
        assert!((probe.intercept - number(expected, "intercept")).abs() < 1e-8);
        assert_eq!(probe.coef.iter().filter(|weight| **weight != 0.0).count(), sparse.k);
    }
}

#[test]
fn linfa_svm_is_that_of_libsvm() {
    for case in Case::both() {
        for expected in case.list("svm") {
            let probe = LinfaSvm { c: number(expected, "c") }.fit(&case.data()).unwrap();
            // Both stop at about 1e-7 of the optimality conditions, which is less in the weights.
            assert_close(&probe.coef.to_vec(), &floats(&expected["coef"]), 1e-4, "svm");
            assert!((probe.intercept - number(expected, "intercept")).abs() < 1e-3);
        }
    }
}

#[test]
fn several_classes_are_fitted_and_scored_as_scikit_learn_does() {
    for case in Case::both() {
        let classes: Vec<usize> =
            integers(&case.golden["classes"]).into_iter().map(|class| class as usize).collect();
        for expected in case.list("multinomial") {
            let multinomial =
                Multinomial { c: number(expected, "c"), tolerance: 1e-10, ..Multinomial::default() };
            let probe = multinomial.fit(case.x.view(), &classes).unwrap();
            let coef: Vec<f64> = probe.coef.iter().copied().collect();
            assert_close(&coef, &floats(&expected["coef"]), 1e-7, "coef");
            assert_close(&probe.intercepts.to_vec(), &floats(&expected["intercepts"]), 1e-6, "intercepts");
            let found = multinomial.cross_validate(case.x.view(), &classes, &case.folds()).unwrap();
            let flat: Vec<f64> = found.iter().copied().collect();
            assert_close(&flat, &floats(&expected["cv_probabilities"]), 1e-7, "probabilities");
            assert!(found.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-12));
            let scores = MultinomialScores::new(found.view(), &classes).unwrap();
            assert!((scores.accuracy - number(expected, "accuracy")).abs() < 1e-12);
            assert!((scores.macro_auroc.unwrap() - number(expected, "macro_auroc")).abs() < 1e-12);
        }
    }
}

#[test]
fn two_classes_are_a_logistic_probe_at_half_the_penalty() {
    for case in Case::both() {
        let classes: Vec<usize> = case.labelled.labels().iter().map(|&label| usize::from(label)).collect();
        let both = Multinomial { c: 0.5, ..Multinomial::default() }.fit(case.x.view(), &classes).unwrap();
        let one = Logistic { c: 1.0, ..Logistic::default() }.fit(&case.data()).unwrap();
        let difference = &both.coef.row(1) - &both.coef.row(0);
        assert_close(&(difference).to_vec(), &one.coef.to_vec(), 1e-6, "coef");
        assert!((both.intercepts[1] - both.intercepts[0] - one.intercept).abs() < 1e-6);
    }
}

#[test]
fn numbers_are_predicted_and_scored_as_scikit_learn_and_scipy_do() {
    for case in Case::both() {
        let target = floats(&case.golden["target"]);
        for expected in case.list("regression") {
            let regression = Regression { alpha: number(expected, "alpha"), ..Regression::default() };
            assert_probe(&regression.fit(case.x.view(), &target).unwrap(), expected, 1e-10, "fit");
            let found = regression.cross_validate(case.x.view(), &target, &case.folds()).unwrap();
            assert_close(&found, &floats(&expected["cv"]), 1e-10, "out of fold");
            let scores = RegressionScores::new(&target, &found);
            for (score, name) in
                [(scores.r2, "r2"), (scores.pearson, "pearson"), (scores.spearman, "spearman")]
            {
                assert!((score.unwrap() - number(expected, name)).abs() < 1e-10, "{name}");
            }
        }
    }
}

#[test]
fn ridge_discriminant_analysis_and_mass_mean_agree_on_real_hidden_states() {
    let Some(Golden { expected, x, labelled }) = golden() else { return };
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let norm = |probe: &Probe| probe.coef.dot(&probe.coef).sqrt();
    let auroc = |probe: &Probe| {
        Metric::Auroc.of(&Scored::new(&probe.decisions(x.view()).unwrap(), labelled.labels())).unwrap()
    };

    let (golden, path) = (&expected["ridge_alpha100"], RidgePath::new(&data, true).unwrap());
    for ridge in [Ridge::default().fit(&data).unwrap(), path.probe(100.0).unwrap()] {
        assert_close(&ridge.coef.to_vec()[..8], &floats(&golden["coef_head"]), 1e-9, "ridge");
        assert_close(&[norm(&ridge)], &[number(golden, "coef_norm")], 1e-9, "ridge norm");
        assert_close(&[ridge.intercept], &[number(golden, "intercept")], 1e-9, "ridge intercept");
    }

    let golden = &expected["lda_shrinkage0.5"];
    let lda = Lda::default().fit(&data).unwrap();
    assert_close(&lda.coef.to_vec()[..8], &floats(&golden["coef_head"]), 1e-9, "lda");
    assert_close(&[norm(&lda)], &[number(golden, "coef_norm")], 1e-9, "lda norm");
    assert_close(&[auroc(&lda)], &[number(golden, "train_auroc")], 1e-9, "lda AUROC");

    let golden = &expected["mass_mean"];
    let mass_mean = MassMean::default().fit(&data).unwrap();
    assert_close(&[norm(&mass_mean)], &[number(golden, "direction_norm")], 1e-9, "mass-mean norm");
    assert_close(&[auroc(&mass_mean)], &[number(golden, "train_auroc")], 1e-9, "mass-mean AUROC");
}

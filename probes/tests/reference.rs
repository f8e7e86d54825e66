//! Agreement with scikit-learn: always on the committed fixtures, and on real hidden states where they are.
#![allow(clippy::unwrap_used)]

mod common;

use common::{fixture, floats, golden, integers};
use ndarray::Array2;
use recant_probes::{
    Bootstrap, Counting, Dataset, Estimator, Folds, Labelled, Logistic, Metric, Scored, words_and_pairs,
    words_only,
};
use serde_json::Value;

const NAMES: [&str; 7] =
    ["auroc", "accuracy", "balanced_accuracy", "average_precision", "brier", "log_loss", "ece"];

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}

fn agrees_with_scikit_learn(name: &str) {
    let golden = fixture(name);
    let rows: Vec<f32> =
        golden["x"].as_array().unwrap().iter().flat_map(floats).map(|value| value as f32).collect();
    let labelled = Labelled::new(&integers(&golden["y"]), &integers(&golden["group"])).unwrap();
    let x = Array2::from_shape_vec((labelled.n(), rows.len() / labelled.n()), rows).unwrap();
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::given(&labelled, &integers(&golden["fold"])).unwrap();
    for fit in golden["fits"].as_array().unwrap() {
        let (c, standardise) = (fit["c"].as_f64().unwrap(), fit["standardise"].as_bool().unwrap());
        let logistic = Logistic { c, standardise, ..Logistic::default() };
        let probe = logistic.fit(&data).unwrap();
        let coef = floats(&fit["coef"]);
        // Both optimisers stop at a gradient of about 1e-10 of its start; C multiplies that into the weights.
        let tolerance = 1e-8 * largest(&coef);
        assert!(largest_difference(&probe.coef.to_vec(), &coef) < tolerance, "{name} C={c} {standardise}");
        assert!((probe.intercept - fit["intercept"].as_f64().unwrap()).abs() < 1e-6 * largest(&coef));
        let decisions = floats(&fit["train_decision"]);
        let difference = largest_difference(&probe.decisions(x.view()).unwrap(), &decisions);
        assert!(difference < 1e-7 * largest(&decisions), "{name} C={c} {standardise}: {difference:e}");

        let held_out = logistic.cross_validate(&data, &folds).unwrap();
        let expected = floats(&fit["cv_decision"]);
        let difference = largest_difference(&held_out, &expected);
        // Held-out fits stop at a gradient of 1e-8 of its start, which a weak penalty leaves more room.
        let tolerance = if c > 10.0 { 1e-5 } else { 1e-7 };
        assert!(difference < tolerance * largest(&expected), "{name} C={c} {standardise}: {difference:e}");
        metrics_agree(&expected, &labelled, &fit["cv"]);
    }
}

/// The metrics of scikit-learn's own decisions.
fn metrics_agree(decisions: &[f64], labelled: &Labelled, expected: &Value) {
    let scored = Scored::new(decisions, labelled.labels());
    for (metric, name) in Metric::ALL.into_iter().zip(NAMES) {
        let difference = metric.of(&scored).unwrap() - expected[name].as_f64().unwrap();
        // The log-loss of a probability near 1, taken from the probability, has lost digits.
        let tolerance = if metric == Metric::LogLoss { 1e-10 } else { 1e-12 };
        assert!(difference.abs() < tolerance, "{name}: {difference:e}");
    }
}

#[test]
fn fewer_rows_than_columns_are_fitted_as_scikit_learn_does() {
    agrees_with_scikit_learn("wide.json");
}

#[test]
fn more_rows_than_columns_are_fitted_as_scikit_learn_does() {
    agrees_with_scikit_learn("tall.json");
}

#[test]
fn words_and_pairs_are_those_of_count_vectorizer() {
    let golden = fixture("words.json");
    let expected: Vec<&str> =
        golden["terms"].as_array().unwrap().iter().map(|term| term.as_str().unwrap()).collect();
    assert_eq!(words_and_pairs(golden["texts"][0].as_str().unwrap()), expected);
}

#[test]
fn the_words_only_baseline_scores_as_a_scikit_learn_pipeline_does() {
    let golden = fixture("words.json");
    let texts: Vec<&str> =
        golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let labelled = Labelled::new(&integers(&golden["y"]), &integers(&golden["group"])).unwrap();
    let folds = Folds::given(&labelled, &integers(&golden["fold"])).unwrap();
    for fit in golden["fits"].as_array().unwrap() {
        let counting = if fit["binary"].as_bool().unwrap() { Counting::Binary } else { Counting::Counts };
        let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
        let found =
            words_only(&texts, &labelled, &folds, counting, &Logistic::default(), &bootstrap).unwrap();
        assert!(largest_difference(&found.decisions, &floats(&fit["cv_decision"])) < 1e-8, "{counting:?}");
        assert!((found.auroc.value.unwrap() - fit["cv"]["auroc"].as_f64().unwrap()).abs() < 1e-12);
        let ci = found.auroc.ci.unwrap();
        assert!(ci.low <= found.auroc.value.unwrap() && found.auroc.value.unwrap() <= ci.high);
    }
}

#[test]
fn coefficients_on_real_hidden_states_agree_at_three_penalties() {
    let Some(golden) = golden() else { return };
    let data = Dataset::new(golden.x.view(), &golden.labelled).unwrap();
    let path = [1.0, 0.01, 0.001];
    let probes = Logistic::default().fit_path(&data, &path).unwrap();
    for (probe, name) in probes.iter().zip(["1.0", "0.01", "0.001"]) {
        let expected = &golden.expected[format!("logistic_C{name}")];
        let coef = floats(&expected["coef"]);
        let relative = largest_difference(&probe.coef.to_vec(), &coef) / largest(&coef);
        let intercept = (probe.intercept / expected["intercept"].as_f64().unwrap() - 1.0).abs();
        let scored = Scored::new(&probe.decisions(golden.x.view()).unwrap(), golden.labelled.labels());
        let auroc = (Metric::Auroc.of(&scored).unwrap() - expected["train_auroc"].as_f64().unwrap()).abs();
        #[allow(clippy::print_stderr)]
        {
            eprintln!(
                "C={name}: coefficients {relative:.1e}, intercept {intercept:.1e}, train AUROC {auroc:.1e}"
            );
        }
        assert!(relative < 1e-5 && intercept < 1e-5 && auroc < 1e-9);
    }
}

#[test]
fn grouped_scores_on_real_hidden_states_agree_with_the_given_folds() {
    let Some(golden) = golden() else { return };
    let data = Dataset::new(golden.x.view(), &golden.labelled).unwrap();
    let folds = Folds::given(&golden.labelled, &integers(&golden.expected["fold"])).unwrap();
    for (c, name) in [(0.001, "0.001"), (0.01, "0.01")] {
        let logistic = Logistic { c, ..Logistic::default() };
        let scored = Scored::new(&logistic.cross_validate(&data, &folds).unwrap(), golden.labelled.labels());
        let expected = &golden.expected[format!("cv5_logistic_C{name}")];
        for (metric, key) in [
            (Metric::Auroc, "auroc_pooled"),
            (Metric::Accuracy, "accuracy"),
            (Metric::Brier, "brier"),
            (Metric::AveragePrecision, "average_precision"),
        ] {
            let difference = (metric.of(&scored).unwrap() - expected[key].as_f64().unwrap()).abs();
            #[allow(clippy::print_stderr)]
            {
                eprintln!("C={name} {key}: {difference:.1e}");
            }
            assert!(difference < 1e-9, "C={name} {key}: {difference:e}");
        }
    }
}

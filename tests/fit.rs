//! `recant fit` through the binary: what scikit-learn finds on the same features, and what is refused.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{about, files, recant, succeed, tensors};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Tensors to be written: name, dtype, shape, bytes.
type Parts = Vec<(&'static str, Dtype, Vec<usize>, Vec<u8>)>;

struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, parts: &Parts) -> PathBuf {
        let views = parts.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("bytes of that shape"))
        });
        let path = self.at(name);
        safetensors::serialize_to_file(views, None, &path).expect("the file is written");
        path
    }

    fn fit(&self, features: &Path, more: &[&str]) -> Value {
        let out = self.at("out.json");
        let mut command = recant();
        command.args(["--quiet", "fit", "--features"]).arg(features).arg("--output").arg(&out).args(more);
        let done = succeed(&mut command);
        let said = String::from_utf8(done.stdout).expect("UTF-8");
        let last: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
        assert!(last["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{said}");
        serde_json::from_slice(&fs::read(&out).expect("the scores are there")).expect("JSON")
    }

    /// One `error:` line that holds `parts`, perhaps a hint; exit code 1 or 2; nothing written.
    fn refused(&self, features: &Path, more: &[&str], parts: &[&str]) {
        let before = files(self.dir.path());
        let mut command = recant();
        command.args(["fit", "--features"]).arg(features).arg("--output").arg(self.at("out.json")).args(more);
        let done = command.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(matches!(done.status.code(), Some(1 | 2)), "{more:?}: {said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
        parts.iter().for_each(|part| assert!(said.contains(part), "{part:?} is missing: {said}"));
        assert!(done.stdout.is_empty(), "{said}");
        assert!(before == files(self.dir.path()), "{more:?} left or changed a file");
    }
}

fn f32s(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(|value| (value as f32).to_le_bytes()).collect()
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().expect("a list").iter().map(|value| value.as_i64().expect("an integer")).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn gap(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    found.iter().zip(wanted).fold(0.0f64, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// The committed features that scikit-learn was given: `wide.json` or `tall.json`.
fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/tests/fixtures").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("the fixture is there")).expect("JSON")
}

/// x, y, group and fold of a fixture.
fn parts(fixture: &Value) -> Parts {
    let rows = fixture["x"].as_array().expect("rows");
    let shape = vec![rows.len(), floats(&rows[0]).len()];
    let column = |name: &'static str| (name, Dtype::I64, vec![rows.len()], i64s(&integers(&fixture[name])));
    let x = f32s(rows.iter().flat_map(floats));
    vec![("x", Dtype::F32, shape, x), column("y"), column("group"), column("fold")]
}

/// The fixture, with a second layer that holds the same values backwards.
fn layered(fixture: &Value) -> Parts {
    let mut parts = parts(fixture);
    let (n, d) = (parts[0].2[0], parts[0].2[1]);
    let backwards: Vec<u8> =
        (0..n * d).flat_map(|place| parts[0].3[4 * (n * d - 1 - place)..][..4].to_vec()).collect();
    parts[0].3.extend(backwards);
    parts[0].2 = vec![2, n, d];
    parts
}

fn agrees(name: &str) {
    let (desk, fixture) = (Desk::new(), fixture(name));
    let features = desk.write("f.safetensors", &parts(&fixture));
    for fit in fixture["fits"].as_array().expect("fits") {
        let c = fit["c"].to_string();
        let mut more = vec!["--c", &c, "--permutations", "0", "--controls", "0", "--bootstrap", "50"];
        if fit["standardise"] == false {
            more.push("--no-standardize");
        }
        let out = desk.fit(&features, &more);
        let place = format!("{name} {more:?}");
        assert!(gap(&floats(&out["coef"]), &floats(&fit["coef"])) < 1e-7, "{place}");
        assert!((number(&out["intercept"]) - number(&fit["intercept"])).abs() < 1e-5, "{place}");
        assert_eq!((&out["kind"], number(&out["c"])), (&json!("logistic"), number(&fit["c"])));
        for score in ["auroc", "accuracy", "average_precision", "brier", "ece"] {
            let (found, wanted) = (number(&out["cv"][score]["value"]), number(&fit["cv"][score]));
            assert!((found - wanted).abs() < 1e-6, "{place}: {score} {found} {wanted}");
        }
        let ci = floats(&out["cv"]["auroc"]["ci"]);
        assert!(
            ci[0] <= number(&out["cv"]["auroc"]["value"]) && number(&out["cv"]["auroc"]["value"]) <= ci[1]
        );
        assert!(out["null"]["permutation_p"].is_null() && out["null"]["control_auroc"].is_null());
        assert!((number(&out["majority_accuracy"]) - larger_class(&fixture)).abs() < 1e-12, "{place}");
        assert!((0.5..1.0).contains(&number(&out["detectable_auroc"])), "{place}");
    }
}

/// How often the class that is larger without a row's fold (class 0 where both are as large) is the row's.
fn larger_class(fixture: &Value) -> f64 {
    let (y, fold) = (integers(&fixture["y"]), integers(&fixture["fold"]));
    let right = |row: &usize| {
        let others: Vec<i64> =
            (0..y.len()).filter(|&other| fold[other] != fold[*row]).map(|other| y[other]).collect();
        let named = i64::from(2 * others.iter().sum::<i64>() > others.len() as i64);
        named == y[*row]
    };
    (0..y.len()).filter(right).count() as f64 / y.len() as f64
}

#[test]
fn fewer_rows_than_columns_come_out_as_scikit_learn_has_them() {
    agrees("wide.json");
}

#[test]
fn more_rows_than_columns_come_out_as_scikit_learn_has_them() {
    agrees("tall.json");
}

#[test]
fn mass_mean_is_the_difference_of_the_class_means() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let features = desk.write("f.safetensors", &parts(&fixture));
    let out = desk.fit(&features, &["--kind", "mass-mean", "--permutations", "19"]);
    let (rows, y) = (fixture["x"].as_array().expect("rows"), integers(&fixture["y"]));
    let mean = |class: i64, column: usize| {
        let own: Vec<f64> =
            rows.iter().zip(&y).filter(|(_, y)| **y == class).map(|(row, _)| floats(row)[column]).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    let wanted: Vec<f64> = (0..5).map(|column| mean(1, column) - mean(0, column)).collect();
    assert!(gap(&floats(&out["coef"]), &wanted) < 1e-6);
    assert!(out["c"].is_null() && out["grid"] == json!([]));
    assert!(out["cv"]["brier"]["value"].is_null(), "a difference of means gives no probabilities");
    assert!(number(&out["null"]["permutation_p"]) <= 1.0);
}

#[test]
fn every_kind_is_fitted_and_judged() {
    let desk = Desk::new();
    let features = desk.write("f.safetensors", &parts(&fixture("wide.json")));
    for kind in ["ridge", "lda", "mass-mean-cov", "pair-pca", "ccs", "sparse", "linfa-logistic", "linfa-svm"]
    {
        let out = desk
            .fit(&features, &["--kind", kind, "--permutations", "9", "--bootstrap", "20", "--controls", "1"]);
        assert_eq!((&out["kind"], floats(&out["coef"]).len()), (&json!(kind), 30));
        assert!(number(&out["cv"]["auroc"]["value"]) >= 0.0, "{kind}");
    }
}

#[test]
fn the_best_of_a_grid_is_fitted_again_and_every_penalty_is_reported() {
    let desk = Desk::new();
    let features = desk.write("f.safetensors", &parts(&fixture("wide.json")));
    let few = ["--permutations", "0", "--controls", "0", "--bootstrap", "20"];
    let out = desk.fit(&features, &[&["--c-grid", "1e-4:1e2:4"][..], &few].concat());
    let grid = out["grid"].as_array().expect("a grid");
    let wanted = [1e-4, 1e-2, 1.0, 100.0];
    assert!(
        grid.iter().zip(wanted).all(|(at, c)| (number(&at["c"]) / c - 1.0).abs() < 1e-9) && grid.len() == 4
    );
    let most = grid.iter().map(|at| number(&at["auroc"])).fold(0.0, f64::max);
    assert_eq!(number(&out["cv"]["auroc"]["value"]), most);
    let c = out["c"].to_string();
    let alone = desk.fit(&features, &[&["--c", &c][..], &few].concat());
    assert!(gap(&floats(&out["coef"]), &floats(&alone["coef"])) < 1e-9);
    for at in grid {
        let alone = desk.fit(&features, &[&["--c", &at["c"].to_string()][..], &few].concat());
        assert_eq!(number(&alone["cv"]["auroc"]["value"]), number(&at["auroc"]));
    }
}

#[test]
fn nested_scores_are_of_the_choice_too_and_leave_the_fit_as_it_is() {
    let desk = Desk::new();
    let features = desk.write("f.safetensors", &parts(&fixture("tall.json")));
    let more = ["--c-grid", "1e-4:1e2:7", "--permutations", "0", "--controls", "0", "--bootstrap", "20"];
    let flat = desk.fit(&features, &more);
    let nested = desk.fit(&features, &[&more[..], &["--nested"]].concat());
    assert_eq!((&flat["coef"], &flat["c"], &flat["grid"]), (&nested["coef"], &nested["c"], &nested["grid"]));
    let auroc = |object: &Value| number(&object["cv"]["auroc"]["value"]);
    assert!(auroc(&nested) < auroc(&flat), "the choice of C flatters the scores of the folds that made it");
    assert_eq!((&flat["nested"], &nested["nested"]), (&json!(false), &json!(true)));
}

#[test]
fn layers_are_a_list_and_each_is_as_it_is_alone() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let alone = desk.write("one.safetensors", &parts(&fixture));
    let both = desk.write("both.safetensors", &layered(&fixture));
    let more = ["--permutations", "99", "--bootstrap", "50", "--seed", "3"];
    let (one, list) = (desk.fit(&alone, &more), desk.fit(&both, &more));
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 2);
    for key in ["coef", "intercept", "cv", "train", "grid", "n", "n_groups"] {
        assert_eq!(one[key], list[0][key], "{key}");
    }
    let null = |object: &Value, key: &str| number(&object["null"][key]);
    assert_eq!(null(&one, "permutation_p"), null(&list[0], "permutation_p"));
    assert_eq!(null(&one, "permutation_p"), null(&one, "permutation_p_max_over_layers"));
    for layer in list {
        assert!(null(layer, "permutation_p_max_over_layers") >= null(layer, "permutation_p"));
        let selectivity = number(&layer["cv"]["auroc"]["value"]) - null(layer, "control_auroc");
        assert!((null(layer, "selectivity") - selectivity).abs() < 1e-12);
    }
    assert_eq!(list[1]["layer"], 1);
    assert_eq!(desk.fit(&both, &more).as_array(), Some(list), "the same command gives the same numbers");
}

#[test]
fn half_precision_and_small_labels_are_read() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let mut parts = parts(&fixture);
    let wide = desk.fit(&desk.write("f32.safetensors", &parts), &["--permutations", "0"]);
    // Eighths below 16 are whole in bf16, whose bytes are the upper two of f32.
    parts[0].3 = parts[0].3.as_chunks::<4>().0.iter().flat_map(|b| [b[2], b[3]]).collect();
    parts[0].1 = Dtype::BF16;
    parts[1].3 = integers(&fixture["y"]).iter().map(|&y| y as u8).collect();
    parts[1].1 = Dtype::BOOL;
    let half = desk.fit(&desk.write("bf16.safetensors", &parts), &["--permutations", "0"]);
    assert_eq!((&wide["coef"], &wide["cv"]), (&half["coef"], &half["cv"]));
}

#[test]
fn written_directions_decide_as_the_fit_did() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let features = desk.write("f.safetensors", &layered(&fixture));
    let directions = desk.at("d.safetensors");
    let path = directions.to_str().expect("UTF-8");
    let fits = desk.fit(&features, &["--c", "0.01", "--permutations", "0", "--directions", path]);
    assert_eq!(
        (about(&directions)["format"].as_str(), about(&directions)["kind"].as_str()),
        (Some("recant-probe-1"), Some("logistic"))
    );
    let stored = tensors(&directions);
    assert_eq!((&stored["coef"].shape, &stored["intercept"].shape), (&vec![2, 5], &vec![2]));
    for (place, direction) in stored["direction"].values.iter().enumerate() {
        let wanted = stored["coef"].values[place] / stored["scale"].values[place];
        assert!((direction - wanted).abs() <= 1e-6 * wanted.abs());
    }
    let scored = desk.fit(&features, &["--apply", path]);
    let wanted = floats(&fixture["fits"][0]["train_decision"]);
    assert!(gap(&floats(&scored[0]["values"]), &wanted) < 1e-5);
    assert_eq!(scored[0]["auroc"]["value"], fits[0]["train"]["auroc"]["value"]);
    assert_eq!(scored[0]["accuracy"]["value"], fits[0]["train"]["accuracy"]["value"]);
    assert!(scored[1]["auroc"]["ci"].is_array());
}

#[test]
fn a_row_of_a_classifier_is_a_direction() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let features = desk.write("f.safetensors", &layered(&fixture));
    let head = vec![
        ("mlp.weight", Dtype::F32, vec![2, 5], f32s([9.0, 9.0, 9.0, 9.0, 9.0, 3.0, 0.0, 4.0, 0.0, 0.0])),
        ("mlp.bias", Dtype::F32, vec![2], f32s([0.0, 0.0])),
    ];
    let head = desk.write("head.safetensors", &head);
    let apply = ["--apply", head.to_str().expect("UTF-8"), "--tensor", "mlp.weight", "--row", "1"];
    let row = floats(&fixture["x"][7]);
    let dot = 3.0 * row[0] + 4.0 * row[2];
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    for (score, wanted) in [("decision", dot), ("projection", dot / 5.0), ("cosine", dot / 5.0 / length)] {
        let out = desk.fit(&features, &[&apply[..], &["--score", score]].concat());
        assert!((number(&out[0]["values"][7]) - wanted).abs() < 1e-12, "{score}");
        assert_eq!(out.as_array().map(Vec::len), Some(2), "one direction serves every layer");
        assert_eq!(out[0]["accuracy"].is_null(), score != "decision");
    }
    desk.refused(&features, &["--apply", apply[1]], &["which tensor", "mlp.bias, mlp.weight", "--tensor"]);
    desk.refused(&features, &[&apply[..4], &["--row", "2"]].concat(), &["no row 2"]);
    desk.refused(&features, &["--apply", apply[1], "--tensor", "w"], &["no tensor w", "mlp.weight"]);
}

#[test]
fn a_state_of_a_statement_is_a_direction_and_labels_are_not_needed() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let mut unlabelled = parts(&fixture);
    unlabelled.truncate(1);
    let features = desk.write("f.safetensors", &unlabelled);
    let state = desk
        .write("state.safetensors", &vec![("state", Dtype::F32, vec![5], f32s(floats(&fixture["x"][4])))]);
    let out = desk.fit(&features, &["--apply", state.to_str().expect("UTF-8"), "--score", "cosine"]);
    assert!((number(&out["values"][4]) - 1.0).abs() < 1e-12);
    assert!(out["auroc"].is_null());
    let wrong = desk.write("wrong.safetensors", &vec![("state", Dtype::F32, vec![3], f32s([1.0, 2.0, 3.0]))]);
    for score in ["cosine", "decision"] {
        desk.refused(
            &features,
            &["--apply", wrong.to_str().expect("UTF-8"), "--score", score],
            &["wrong.safetensors", "3", "5"],
        );
    }
}

#[test]
fn features_that_cannot_be_used_are_refused_by_name() {
    let (desk, fixture) = (Desk::new(), fixture("tall.json"));
    let good = parts(&fixture);
    let n = good[1].2[0];
    let refused = |change: &dyn Fn(&mut Parts), said: &[&str]| {
        let mut parts = good.clone();
        change(&mut parts);
        let path = desk.write("f.safetensors", &parts);
        desk.refused(&path, &[], said);
    };
    refused(&|parts| drop(parts.remove(0)), &["no tensor x", "fold, group, y", "hint: "]);
    refused(&|parts| drop(parts.remove(1)), &["no tensor y", "fold, group, x", "hint: "]);
    refused(&|parts| parts[0].1 = Dtype::I32, &["x is I32", "f32"]);
    refused(&|parts| parts[0].2 = vec![n * 5], &["x has shape [240]", "[N, D]"]);
    refused(&|parts| (parts[0].2, parts[0].3) = (vec![n, 0], Vec::new()), &["x has shape [48, 0]"]);
    refused(&|parts| (parts[1].1, parts[1].3) = (Dtype::F64, parts[1].3.clone()), &["y is F64", "i64"]);
    refused(&|parts| (parts[1].2, parts[1].3) = (vec![2], i64s(&[0, 1])), &["y has shape [2]", "[48]"]);
    refused(&|parts| parts[1].3[..8].copy_from_slice(&i64s(&[2])), &["label 2 in row 0"]);
    refused(&|parts| parts[1].3 = i64s(&vec![1; n]), &["all 48 rows are of class 1"]);
    let nan = (f32::NAN).to_le_bytes();
    refused(
        &|parts| parts[0].3[4 * (3 * 5 + 2)..][..4].copy_from_slice(&nan),
        &["feature 2 of row 3 is not finite"],
    );
    refused(&|parts| parts[3].3[..8].copy_from_slice(&i64s(&[7])), &["group 0 lies in fold 7", "hint: "]);
    refused(&|parts| parts[3].3 = i64s(&vec![0; n]), &["1 folds"]);
    refused(
        &|parts| {
            parts.truncate(2);
            let groups: Vec<i64> = (0..n as i64).map(|row| row % 3).collect();
            parts.push(("group", Dtype::I64, vec![n], i64s(&groups)));
        },
        &["3 groups cannot fill 5 folds"],
    );
    let whole = desk.write("f.safetensors", &good);
    let bytes = fs::read(&whole).expect("the file is read");
    fs::write(&whole, &bytes[..bytes.len() - 9]).expect("the file is cut");
    desk.refused(&whole, &[], &["not a whole safetensors file"]);
    fs::write(&whole, "").expect("the file is emptied");
    desk.refused(&whole, &[], &["f.safetensors"]);
    desk.refused(&desk.at("absent"), &[], &["absent"]);
}

#[test]
fn a_layer_that_is_not_finite_is_named() {
    let desk = Desk::new();
    let mut parts = layered(&fixture("tall.json"));
    let at = 4 * (48 * 5 + 2 * 5 + 1);
    parts[0].3[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let features = desk.write("f.safetensors", &parts);
    desk.refused(&features, &["--permutations", "0"], &["layer 1: feature 1 of row 2 is not finite"]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    let features = desk.write("f.safetensors", &parts(&fixture("tall.json")));
    let refused = |more: &[&str], said: &[&str]| desk.refused(&features, more, said);
    refused(&["--c-grid", "1:2"], &["1:2", "LOW:HIGH:COUNT"]);
    refused(&["--c", "-1"], &["C = -1"]);
    refused(&["--c", "nan"], &["C = NaN"]);
    refused(&["--nested"], &["--c-grid"]);
    refused(&["--kind", "ridge", "--c-grid", "1:10:2"], &["--c-grid", "ridge"]);
    refused(&["--kind", "ridge", "--alpha", "0"], &["alpha = 0"]);
    refused(&["--kind", "lda", "--shrinkage", "2"], &["shrinkage"]);
    refused(&["--kind", "oracle"], &["oracle", "mass-mean"]);
    refused(&["--score", "cosine"], &["--apply"]);
    refused(&["--output", "nowhere/out.json"], &["--output"]);
    let mut command = recant();
    command.args(["fit", "--features"]).arg(&features).arg("--output").arg(desk.at("nowhere/out.json"));
    let done = command.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() == Some(2) && said.contains("nowhere is not there"), "{said}");
}

#[test]
fn settings_of_another_kind_are_named_and_do_nothing() {
    let desk = Desk::new();
    let features = desk.write("f.safetensors", &parts(&fixture("tall.json")));
    let mut command = recant();
    command
        .args(["fit", "--kind", "lda", "--alpha", "3", "--permutations", "0", "--features"])
        .arg(&features);
    let done = succeed(command.arg("--output").arg(desk.at("out.json")));
    assert!(String::from_utf8_lossy(&done.stderr).contains("lda takes no --alpha"));
}

/// Real hidden states with what scikit-learn fits on them, if this machine has them.
fn golden() -> Option<(PathBuf, Value)> {
    let shared = std::env::var_os("RECANT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("golden/probes");
    let Ok(text) = fs::read_to_string(folder.join("expected.json")) else {
        eprintln!("skipped: needs golden/probes under RECANT_SHARED (default ../shared)");
        return None;
    };
    Some((folder.join("features.safetensors"), serde_json::from_str(&text).expect("JSON")))
}

#[test]
fn real_hidden_states_come_out_as_scikit_learn_has_them() {
    let Some((features, expected)) = golden() else { return };
    let desk = Desk::new();
    let few = ["--permutations", "0", "--controls", "0", "--bootstrap", "0"];
    for c in ["0.001", "0.01", "1.0"] {
        let wanted = &expected[format!("logistic_C{c}")];
        let out = desk.fit(&features, &[&["--c", c][..], &few].concat());
        assert!(gap(&floats(&out["coef"]), &floats(&wanted["coef"])) < 1e-5, "C = {c}");
        assert!((number(&out["intercept"]) / number(&wanted["intercept"]) - 1.0).abs() < 1e-5, "C = {c}");
        assert!((number(&out["train"]["auroc"]["value"]) - number(&wanted["train_auroc"])).abs() < 1e-9);
    }
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    for (kind, key) in [("ridge", "ridge_alpha100"), ("lda", "lda_shrinkage0.5"), ("mass-mean", "mass_mean")]
    {
        let wanted = &expected[key];
        let out = desk.fit(&features, &[&["--kind", kind][..], &few].concat());
        let coef = floats(&out["coef"]);
        let length = if kind == "mass-mean" { "direction_norm" } else { "coef_norm" };
        assert!((norm(&coef) / number(&wanted[length]) - 1.0).abs() < 1e-6, "{kind}");
        if kind != "mass-mean" {
            assert!(gap(&coef[..8], &floats(&wanted["coef_head"])) < 1e-6, "{kind}");
        }
        if let Some(auroc) = wanted["train_auroc"].as_f64() {
            assert!((number(&out["train"]["auroc"]["value"]) - auroc).abs() < 1e-9, "{kind}");
        }
    }
}

#[test]
fn scores_of_real_hidden_states_agree_on_the_given_folds() {
    let Some((features, expected)) = golden() else { return };
    let desk = Desk::new();
    let bytes = fs::read(features).expect("the features are read");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let mut parts: Parts = ["x", "y", "group"]
        .into_iter()
        .map(|name| {
            let view = file.tensor(name).expect("the tensor is there");
            (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
        })
        .collect();
    let fold = integers(&expected["fold"]);
    parts.push(("fold", Dtype::I64, vec![fold.len()], i64s(&fold)));
    let features = desk.write("f.safetensors", &parts);
    for c in ["0.001", "0.01"] {
        let wanted = &expected[format!("cv5_logistic_C{c}")];
        let out =
            desk.fit(&features, &["--c", c, "--permutations", "0", "--controls", "0", "--bootstrap", "20"]);
        for (found, name) in [
            ("auroc", "auroc_pooled"),
            ("accuracy", "accuracy"),
            ("brier", "brier"),
            ("average_precision", "average_precision"),
        ] {
            let difference = number(&out["cv"][found]["value"]) - number(&wanted[name]);
            assert!(difference.abs() < 1e-6, "C = {c}: {found} is off by {difference:e}");
        }
        assert_eq!(out["given_folds"], true);
    }
}

//! Interventions in the plain tools: `--steer` of `recant generate` and `recant capture`.

mod common;

use std::path::Path;

use common::{Array, read_lines, recant, succeed, tensors, tiny, write_lines};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// A row of waves for each layer of the fixture model, or one for all.
fn directions(path: &Path, rows: i64, width: i64) -> Vec<f32> {
    let values: Vec<f32> = (0..rows * width).map(|i| (i as f32 * 0.9).sin()).collect();
    let tensor = Tensor::from_slice(&values).view([rows, width]);
    // A file of fewer rows than the model has layers says of which layers they are.
    let layers = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
    let mut tensors = vec![("coef", &tensor)];
    tensors.extend((rows > 1).then_some(("layers", &layers)));
    Tensor::write_safetensors(&tensors, path).expect("written");
    values
}

fn width() -> i64 {
    let found = &tensors(&tiny().join("model.safetensors"))["model.embed_tokens.weight"];
    found.shape[1] as i64
}

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(TempDir::new().expect("a directory"));
        let ids = |i: i64| (0..6 + i).map(|k| (k * 37 + 11 * i) % 200 + 10).collect::<Vec<_>>();
        let lines: Vec<Value> = (0..4).map(|i| json!({ "id": format!("p{i}"), "ids": ids(i) })).collect();
        write_lines(&bench.0.path().join("in.jsonl"), &lines);
        bench
    }

    /// What the model writes under the given options.
    fn written(&self, more: &[&str]) -> Vec<Value> {
        let mut command = recant();
        command.current_dir(self.0.path()).args(["generate", "--input", "in.jsonl", "--output", "out.jsonl"]);
        command.args(["--max-new-tokens", "6", "--ignore-eos", "--model"]).arg(tiny()).args(more);
        succeed(&mut command);
        read_lines(&self.0.path().join("out.jsonl"))
    }

    fn captured(&self, more: &[&str]) -> Array {
        let mut command = recant();
        command.current_dir(self.0.path()).args([
            "capture",
            "--input",
            "in.jsonl",
            "--output",
            "out.safetensors",
        ]);
        command.args(["--positions", "all", "--model"]).arg(tiny()).args(more);
        succeed(&mut command);
        tensors(&self.0.path().join("out.safetensors"))["resid_post"].clone()
    }
}

#[test]
fn prefill_and_every_step_differ_and_nothing_changes_nothing() {
    let bench = Bench::new();
    directions(&bench.0.path().join("d.safetensors"), 1, width());
    let steered =
        |more: &[&str]| bench.written(&[&["--steer", "d.safetensors", "--steer-layers", "0"], more].concat());
    let alone = bench.written(&[]);
    let (every, prefill) = (steered(&["--strength", "6"]), steered(&["--strength", "6", "--prefill"]));
    assert_eq!(steered(&["--strength", "0"]), alone);
    assert_eq!(steered(&["--strength", "0", "--prefill"]), alone);
    assert!(every != alone && prefill != alone && every != prefill, "{alone:?} {every:?} {prefill:?}");
    // The first token is written from what was read, which both change alike.
    let first = |answers: &[Value]| answers.iter().map(|line| line["ids"][0].clone()).collect::<Vec<_>>();
    assert_eq!(first(&every), first(&prefill));
    assert_ne!(steered(&["--strength", "-6"]), every);
}

#[test]
fn what_is_captured_is_what_was_changed() {
    let bench = Bench::new();
    let d = width();
    let values = directions(&bench.0.path().join("d.safetensors"), 1, d);
    let alone = bench.captured(&["--layers", "1"]);
    let added = bench.captured(&[
        "--layers",
        "1",
        "--steer",
        "d.safetensors",
        "--steer-layers",
        "1",
        "--strength",
        "2",
    ]);
    for (before, after) in alone.rows().zip(added.rows()) {
        let expected: Vec<f32> = before.iter().zip(&values).map(|(x, v)| x + 2.0 * v).collect();
        common::close(after, &expected, 1e-6, "added");
    }
    let ablated =
        bench.captured(&["--layers", "1", "--steer", "d.safetensors", "--steer-layers", "1", "--ablate"]);
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let along = |row: &[f32]| row.iter().zip(&values).map(|(x, v)| x * v / length).sum::<f32>();
    let most = |states: &Array| states.rows().map(|row| along(row).abs()).fold(0.0, f32::max);
    assert!(most(&alone) > 1e-2 && most(&ablated) < 1e-5, "{} {}", most(&alone), most(&ablated));
}

#[test]
fn what_does_not_fit_is_said_in_a_line() {
    let bench = Bench::new();
    directions(&bench.0.path().join("wide.safetensors"), 1, width() + 1);
    directions(&bench.0.path().join("two.safetensors"), 2, width());
    for (more, why) in [
        (["--steer", "wide.safetensors", "--steer-layers", "0"], "width"),
        (["--steer", "two.safetensors", "--steer-layers", "2"], "no direction for layer 2"),
        (["--steer", "wide.safetensors", "--steer-site", "logits"], "logits"),
        (["--steer", "none.safetensors", "--steer-layers", "0"], "none.safetensors"),
        (["--strength", "2", "--steer-layers", "0"], "--steer <FILE>"),
    ] {
        let mut command = recant();
        command.current_dir(bench.0.path()).args([
            "generate",
            "--input",
            "in.jsonl",
            "--output",
            "out.jsonl",
        ]);
        let output = command.args(["--max-new-tokens", "2", "--model"]).arg(tiny()).args(more).output();
        let output = output.expect("started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains(why) && said.lines().filter(|line| line.starts_with("error:")).count() == 1,
            "{said}"
        );
    }
}

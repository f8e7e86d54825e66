//! `recant model diff` through the binary.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Outcome, copy, plant, recant, succeed, tiny};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

fn diff(a: &Path, b: &Path, more: &[&str]) -> String {
    let output = succeed(recant().args(["model", "diff"]).arg(a).arg(b).args(more));
    String::from_utf8(output.stdout).expect("text")
}

fn facts(a: &Path, b: &Path) -> Value {
    serde_json::from_str(&diff(a, b, &["--json"])).expect("JSON")
}

/// A copy of the fixture model to change.
fn twin() -> (TempDir, PathBuf) {
    let work = TempDir::new().expect("a directory");
    let twin = work.path().join("twin");
    copy(&tiny(), &twin);
    (work, twin)
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
    change(&mut value);
    fs::write(path, value.to_string()).expect("written");
}

#[test]
fn a_checkpoint_is_itself() {
    let found = facts(&tiny(), &tiny());
    let tensors = found["weights"]["tensors"].as_array().expect("tensors");
    assert_eq!(tensors.len(), 3 * 16 + 3);
    for tensor in tensors {
        assert_eq!(tensor["identical"], true, "{tensor}");
        assert_eq!(tensor["cosine"], 1.0, "{tensor}");
        assert_eq!(tensor["relative_change"], 0.0, "{tensor}");
        assert_eq!(tensor["max_abs_change"], 0.0, "{tensor}");
    }
    for empty in ["config", "generation", "in_the_way"] {
        assert_eq!(found[empty], json!([]));
    }
    assert_eq!(found["tokenizer"]["tokens"], json!([264, 264]));
    assert_eq!(found["template"]["same"], true);
    let said = diff(&tiny(), &tiny(), &[]);
    assert!(said.ends_with("\ncomparable: same architecture, tokenizer and template\n"), "{said}");
}

#[test]
fn a_planted_change_is_found_with_its_size() -> Outcome {
    let (work, twin) = twin();
    let name = "model.layers.1.mlp.up_proj.weight";
    plant(&twin, name, |_, x| x * 1.5);
    plant(&twin, "model.norm.weight", |i, x| if i == 3 { x + 0.25 } else { x });
    let found = facts(&tiny(), &twin);
    let weights = &found["weights"];
    assert_eq!(weights["identical"], 3 * 16 + 3 - 2);
    let tensor = |name: &str| {
        let tensors = weights["tensors"].as_array().into_iter().flatten();
        tensors.clone().find(|tensor| tensor["name"] == name).expect("the tensor").clone()
    };
    let up = tensor(name);
    assert_eq!((&up["layer"], &up["kind"]), (&json!(1), &json!("mlp")));
    assert!((up["relative_change"].as_f64().expect("a number") - 0.5).abs() < 1e-7, "{up}");
    assert!((up["cosine"].as_f64().expect("a number") - 1.0).abs() < 1e-12, "{up}");
    let norm = tensor("model.norm.weight");
    assert!((norm["max_abs_change"].as_f64().expect("a number") - 0.25).abs() < 1e-6, "{norm}");
    let group = |by: &str, group: &str| {
        let groups = weights[by].as_array().into_iter().flatten();
        groups.clone().find(|found| found["group"] == group).expect("the group").clone()
    };
    assert_eq!(group("by_layer", "1")["identical"], 15);
    assert_eq!(group("by_layer", "0")["relative_change"], 0.0);
    assert_eq!(group("by_part", "layers.*.mlp.up_proj.weight")["tensors"], 3);
    assert_eq!(group("by_kind", "norm")["identical"], 6);
    assert_eq!(group("by_kind", "embedding")["tensors"], 1);
    assert_eq!(found["in_the_way"], json!([]), "other weights are what is compared");

    let csv = work.path().join("out.csv");
    let said = diff(&tiny(), &twin, &["--csv", csv.to_str().expect("a path")]);
    let most = said.split("most changed").nth(1).expect("a table").lines().nth(1).expect("a row");
    assert!(most.starts_with(name) && most.contains(" 0.5000 "), "{said}");
    let csv = fs::read_to_string(csv)?;
    assert_eq!(csv.lines().count(), 1 + 3 * 16 + 3);
    assert!(csv.contains("\nmodel.layers.1.mlp.up_proj.weight,1,mlp,20x16,false,"), "{csv}");
    Ok(())
}

#[test]
fn an_older_spelling_of_the_config_is_no_difference() {
    let (_work, twin) = twin();
    edit(&twin.join("config.json"), |config| {
        let map = config.as_object_mut().expect("an object");
        let mut scaling = map.shift_remove("rope_parameters").expect("rope_parameters");
        let rope = scaling.as_object_mut().expect("an object");
        let theta = rope.shift_remove("rope_theta").expect("a number");
        map.insert("rope_theta".into(), theta);
        map.insert("rope_scaling".into(), scaling);
        let dtype = map.shift_remove("dtype").expect("dtype");
        map.insert("torch_dtype".into(), dtype);
        map.insert("transformers_version".into(), "4.40.0".into());
        map.insert("_name_or_path".into(), "elsewhere".into());
    });
    let found = facts(&tiny(), &twin);
    assert_eq!(found["config"], json!([]));
    assert_eq!(found["in_the_way"], json!([]));
}

#[test]
fn settings_under_a_very_long_name_are_one_value() {
    let (_work, twin) = twin();
    let long = "k".repeat(2_000);
    edit(&twin.join("config.json"), |config| config["more"] = json!({ (long.clone()): { "a": 1, "b": 2 } }));
    let found = facts(&tiny(), &twin);
    assert_eq!(
        found["config"],
        json!([{ "key": format!("more.{long}"), "a": null, "b": { "a": 1, "b": 2 } }])
    );
}

#[test]
fn another_architecture_is_in_the_way_and_other_end_tokens_are_not() {
    let (_work, twin) = twin();
    edit(&twin.join("config.json"), |config| config["eos_token_id"] = json!(5));
    let found = facts(&tiny(), &twin);
    assert_eq!(found["config"], json!([{ "key": "eos_token_id", "a": 2, "b": 5 }]));
    assert_eq!(found["in_the_way"], json!([]));
    edit(&twin.join("config.json"), |config| config["rope_parameters"]["rope_theta"] = json!(501.0));
    let said = diff(&tiny(), &twin, &[]);
    assert!(said.contains("rope_parameters.rope_theta         500.0 | 501.0"), "{said}");
    assert!(said.contains("\nnot comparable as they are: the architectures differ (see config)\n"), "{said}");
}

#[test]
fn another_tokenizer_and_another_template_are_named() {
    let (_work, twin) = twin();
    edit(&twin.join("tokenizer.json"), |tokenizer| {
        tokenizer["padding"] = json!({ "strategy": "BatchLongest" });
        let added = tokenizer["added_tokens"].as_array_mut().expect("added tokens");
        let mut more = added[0].clone();
        (more["content"], more["id"]) = (json!("<tool>"), json!(264));
        added.push(more);
        tokenizer["model"]["ignore_merges"] = json!(true);
    });
    edit(&twin.join("tokenizer_config.json"), |config| {
        let template = config["chat_template"].as_str().expect("a template").to_string();
        config["chat_template"] = format!("{{{{ bos_token }}}}{template}").into();
    });
    let found = facts(&tiny(), &twin);
    assert_eq!(found["tokenizer"]["tokens"], json!([264, 265]));
    assert_eq!(found["tokenizer"]["different_tokens"], 1);
    assert_eq!(found["tokenizer"]["added_only_in_a"], json!([]));
    assert_eq!(found["tokenizer"]["added_only_in_b"], json!(["<tool>"]));
    assert_eq!(found["tokenizer"]["different_parts"], json!(["model.ignore_merges"]));
    assert_eq!(found["template"]["line"], 1);
    let said = diff(&tiny(), &twin, &[]);
    for part in
        ["264 | 265 tokens, 1 differ", "differs from line 1 on", "\n  B: {{ bos_token }}", "\nnot comparable"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    edit(&twin.join("tokenizer_config.json"), |config| config["chat_template"] = Value::Null);
    assert!(diff(&tiny(), &twin, &[]).contains("B has no chat template"));
}

#[test]
fn tensors_of_one_side_and_of_another_shape_are_in_the_way() -> Outcome {
    let (_work, twin) = twin();
    let path = twin.join("model.safetensors");
    let bytes = fs::read(&path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let fewer = file.tensors().into_iter().filter(|(name, _)| name != "model.layers.0.mlp.up_proj.bias");
    let other = |(name, view): (String, TensorView<'_>)| {
        let flat = vec![view.shape().iter().product()];
        let shape = if name == "model.layers.2.mlp.up_proj.weight" { flat } else { view.shape().to_vec() };
        (name, TensorView::new(view.dtype(), shape, file_data(&bytes, view.data())).expect("a tensor"))
    };
    safetensors::serialize_to_file(fewer.map(other).collect::<Vec<_>>(), None, &path)?;
    let found = facts(&tiny(), &twin);
    assert_eq!(found["weights"]["only_in_a"], json!(["model.layers.0.mlp.up_proj.bias"]));
    assert_eq!(
        found["weights"]["other_shape"],
        json!([["model.layers.2.mlp.up_proj.weight", [20, 16], [320]]])
    );
    assert_eq!(found["in_the_way"].as_array().map(Vec::len), Some(2), "{}", found["in_the_way"]);
    Ok(())
}

/// The same bytes, borrowed from the file.
fn file_data<'a>(file: &'a [u8], part: &[u8]) -> &'a [u8] {
    let start = part.as_ptr() as usize - file.as_ptr() as usize;
    &file[start..start + part.len()]
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let (_work, twin) = twin();
    for (b, part) in [(twin.join("gone"), "is not a directory"), (twin.clone(), "not a whole safetensors")] {
        fs::write(twin.join("model.safetensors"), "short").expect("written");
        let output = recant().args(["model", "diff"]).arg(tiny()).arg(b).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{said}");
        assert!(said.starts_with("error: ") && said.contains(part) && output.stdout.is_empty(), "{said}");
    }
}

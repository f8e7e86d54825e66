//! Agreement with transformers, layer by layer, through the binary.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{
    Array, Outcome, close, copy, difference, read_lines, recant, succeed, tensors, tiny, varied, write_lines,
};
use recant::text::{ChatTemplate, Message, Tokenizer};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Tiny models sum a few dozen products a layer in another order than transformers does: about 1e-6 of the largest value.
/// The bound is that of `golden/README.md`.
const TINY: f64 = 1e-4;

/// The residual stream of SmolLM2 grows to thousands in a few directions, whose rounding reaches all others through the
/// norms. The bound is that of `golden/README.md`.
const REAL: f64 = 5e-4;

/// About sixty results on the way to the logits are rounded to 8 bits, by 2^-8 / sqrt(3) on average: together
/// sqrt(60) * 2^-8 / sqrt(3) = 1.7e-2 of a typical value. Rows differ: transformers' own bf16 is 1.2e-2 off on average
/// over this fixture and 4e-2 at the worst row. The bounds are for the mean over rows and for the worst one.
const BF16: [f64; 2] = [3e-2, 1e-1];

fn golden() -> Option<PathBuf> {
    let shared = std::env::var_os("RECANT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let golden = shared.join("golden");
    if !golden.is_dir() {
        eprintln!("skipped: needs the golden values in {}, see RECANT_SHARED", golden.display());
        return None;
    }
    Some(golden)
}

/// A checkpoint with the values that it must give.
struct Case {
    name: String,
    model: PathBuf,
    expected: BTreeMap<String, Array>,
    work: TempDir,
}

impl Case {
    fn new(model: &Path) -> Self {
        let expected = tensors(&model.join("expected.safetensors"));
        let work = TempDir::new().expect("a directory");
        Self { name: model.display().to_string(), model: model.to_path_buf(), expected, work }
    }

    /// The rows of the batch without their padding.
    fn rows(&self) -> Vec<Vec<i64>> {
        let (ids, mask) = (&self.expected["input_ids"], &self.expected["attention_mask"]);
        let kept = |(ids, mask): (&[f32], &[f32])| {
            ids.iter().zip(mask).filter(|(_, m)| **m == 1.0).map(|(id, _)| *id as i64).collect()
        };
        ids.rows().zip(mask.rows()).map(kept).collect()
    }

    fn input(&self) -> PathBuf {
        let path = self.work.path().join("in.jsonl");
        let line = |(i, ids): (usize, Vec<i64>)| json!({ "id": format!("row {i}"), "ids": ids });
        write_lines(&path, &self.rows().into_iter().enumerate().map(line).collect::<Vec<_>>());
        path
    }

    fn capture(&self, options: &[&str]) -> BTreeMap<String, Array> {
        let output = self.work.path().join("out.safetensors");
        let mut command = recant();
        command.arg("capture").arg("--model").arg(&self.model).arg("--input").arg(self.input());
        command
            .arg("--output")
            .arg(&output)
            .args(["--sites", "resid_post,attn_out,mlp_out", "--logits"])
            .args(options);
        succeed(&mut command);
        tensors(&output)
    }

    fn states_agree(&self) {
        let found = self.capture(&["--positions", "all"]);
        let rows = self.rows();
        let n_layers = found["resid_post"].shape[1];
        assert!(n_layers >= 2 && rows.len() >= 3);
        let mut offsets = vec![0.0];
        rows.iter().for_each(|ids| offsets.push(offsets[offsets.len() - 1] + ids.len() as f32));
        assert_eq!(found["offsets"].values, offsets);

        let mut pairs = vec![("embed", None, "hidden.0".to_string())];
        pairs.push(("final_norm", None, format!("hidden.{n_layers}")));
        pairs.push(("logits", None, "logits".to_string()));
        for layer in 0..n_layers {
            if layer + 1 < n_layers {
                pairs.push(("resid_post", Some(layer), format!("hidden.{}", layer + 1)));
            }
            if self.expected.contains_key("stream.0") {
                pairs.push(("resid_post", Some(layer), format!("stream.{layer}")));
            }
            pairs.push(("attn_out", Some(layer), format!("attn_out.{layer}")));
            pairs.push(("mlp_out", Some(layer), format!("mlp_out.{layer}")));
        }
        for (site, layer, name) in pairs {
            let (ours, theirs) = (&found[site], &self.expected[&name]);
            let place = format!("{}: {name}", self.name);
            varied(&ours.values, &place);
            varied(&theirs.values, &place);
            let padded = theirs.shape[1];
            let mut token = 0;
            for (i, ids) in rows.iter().enumerate() {
                for t in 0..ids.len() {
                    let row = layer.map_or(token, |layer| token * n_layers + layer);
                    close(
                        ours.row(row),
                        theirs.row(i * padded + t),
                        TINY,
                        &format!("{place}, row {i}, token {t}"),
                    );
                    token += 1;
                }
            }
            assert_eq!(token * layer.map_or(1, |_| n_layers), ours.rows().count(), "{place}");
        }
    }

    fn greedy_ids_agree(&self) {
        let output = self.work.path().join("out.jsonl");
        let expected: Vec<Vec<i64>> =
            self.expected["greedy"].rows().map(|row| row.iter().map(|&id| id as i64).collect()).collect();
        let n = expected[0].len().to_string();
        let mut command = recant();
        command.arg("generate").arg("--model").arg(&self.model).arg("--input").arg(self.input());
        command.arg("--output").arg(&output).args(["--ignore-eos", "--max-new-tokens", &n]);
        succeed(&mut command);
        let found: Vec<Vec<i64>> = read_lines(&output)
            .iter()
            .map(|line| serde_json::from_value(line["ids"].clone()).expect("ids"))
            .collect();
        assert_eq!(found, expected, "{}", self.name);
        let distinct: std::collections::BTreeSet<_> = expected.concat().into_iter().collect();
        assert!(distinct.len() > 2, "{}: greedy ids that never change prove nothing", self.name);
    }
}

#[test]
fn the_fixture_model_agrees_with_transformers_at_every_layer_and_token() {
    Case::new(&tiny()).states_agree();
}

#[test]
fn the_fixture_model_continues_as_transformers_does() {
    Case::new(&tiny()).greedy_ids_agree();
}

#[test]
fn the_golden_families_agree_with_transformers_at_every_layer_and_token() {
    let Some(golden) = golden() else { return };
    let mut families: Vec<_> = fs::read_dir(golden.join("families"))
        .expect("the golden families")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    families.sort();
    assert!(families.len() >= 13, "{families:?}");
    for family in families {
        let case = Case::new(&family);
        case.states_agree();
        case.greedy_ids_agree();
    }
}

#[test]
fn the_last_position_is_the_last_row_of_all_positions() {
    let case = Case::new(&tiny());
    let (all, last) = (case.capture(&["--positions", "all"]), case.capture(&["--positions", "last"]));
    let rows = case.rows();
    for (name, found) in &last {
        let layers = if matches!(name.as_str(), "embed" | "final_norm" | "logits") { 1 } else { 3 };
        assert_eq!(found.shape[..2], [rows.len(), 1], "{name}");
        let mut end = 0;
        for (i, ids) in rows.iter().enumerate() {
            end += ids.len();
            for layer in 0..layers {
                let (a, b) = (found.row(i * layers + layer), all[name].row((end - 1) * layers + layer));
                // The same sums, perhaps in another order.
                close(a, b, 1e-5, &format!("{name}, row {i}, layer {layer}"));
            }
        }
    }
    assert!(!last.contains_key("offsets"));
}

#[test]
fn chosen_layers_are_those_of_all_layers() {
    let case = Case::new(&tiny());
    let (all, some) = (case.capture(&[]), case.capture(&["--layers", "-1,0"]));
    for site in ["resid_post", "attn_out", "mlp_out"] {
        assert_eq!(some[site].shape, [3, 1, 2, 16]);
        for row in 0..3 {
            assert_eq!(some[site].row(row * 2), all[site].row(row * 3), "{site}");
            assert_eq!(some[site].row(row * 2 + 1), all[site].row(row * 3 + 2), "{site}");
        }
    }
}

#[test]
fn a_checkpoint_in_two_files_gives_the_same_bytes_as_in_one() -> Outcome {
    let work = TempDir::new()?;
    let split = work.path().join("split");
    copy(&tiny(), &split);
    let bytes = fs::read(split.join("model.safetensors"))?;
    fs::remove_file(split.join("model.safetensors"))?;
    let whole = SafeTensors::deserialize(&bytes)?;
    let mut parts: [Vec<(String, TensorView<'_>)>; 2] = [Vec::new(), Vec::new()];
    let mut map = BTreeMap::new();
    for (i, (name, view)) in whole.tensors().into_iter().enumerate() {
        map.insert(name.clone(), format!("model-{:05}-of-00002.safetensors", i % 2 + 1));
        parts[i % 2].push((name, view));
    }
    for (i, part) in parts.into_iter().enumerate() {
        safetensors::serialize_to_file(
            part,
            None,
            &split.join(format!("model-{:05}-of-00002.safetensors", i + 1)),
        )?;
    }
    fs::write(
        split.join("model.safetensors.index.json"),
        json!({ "metadata": {}, "weight_map": map }).to_string(),
    )?;
    assert_eq!(
        Case::new(&tiny()).capture(&["--positions", "all"]),
        Case::new(&split).capture(&["--positions", "all"])
    );
    Ok(())
}

#[test]
fn a_config_in_the_older_spelling_gives_the_same_bytes() -> Outcome {
    let work = TempDir::new()?;
    let older = work.path().join("older");
    copy(&tiny(), &older);
    let path = older.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let map = config.as_object_mut().expect("an object");
    let mut scaling = map.shift_remove("rope_parameters").expect("rope_parameters");
    let theta = scaling.as_object_mut().and_then(|map| map.shift_remove("rope_theta")).expect("rope_theta");
    map.insert("rope_scaling".into(), scaling);
    map.insert("rope_theta".into(), theta);
    let dtype = map.shift_remove("dtype").expect("dtype");
    map.insert("torch_dtype".into(), dtype);
    fs::write(&path, config.to_string())?;
    assert_eq!(
        Case::new(&tiny()).capture(&["--positions", "all"]),
        Case::new(&older).capture(&["--positions", "all"])
    );
    Ok(())
}

#[test]
fn computing_in_bf16_stays_within_its_rounding() {
    let case = Case::new(&tiny());
    let wide = case.capture(&["--positions", "all"]);
    let narrow = case.capture(&["--positions", "all", "--dtype", "bf16"]);
    for (name, narrow) in &narrow {
        let off: Vec<f64> = narrow.rows().zip(wide[name].rows()).map(|(a, b)| difference(a, b)).collect();
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        assert!(mean <= BF16[0], "{name}: {mean}");
        assert!(off.iter().all(|off| *off <= BF16[1]), "{name}: {off:?}");
    }
    assert_ne!(narrow["final_norm"], wide["final_norm"], "bf16 was not computed in");
}

/// The ids that the checkpoint's template and tokenizer make of messages.
fn encode(model: &Path, messages: &Value) -> Vec<i64> {
    let messages: Vec<Message> = serde_json::from_value(messages.clone()).expect("messages");
    let template = ChatTemplate::read(model).expect("a template");
    let text = template.render(&messages, true).expect("a rendered conversation");
    Tokenizer::read(model).expect("a tokenizer").encode(&text, false).expect("ids")
}

#[test]
fn messages_become_the_ids_that_transformers_makes_of_them() -> Outcome {
    for line in read_lines(&tiny().join("conversations.jsonl")) {
        assert_eq!(json!(encode(&tiny(), &line["messages"])), line["ids"]);
    }
    let work = TempDir::new()?;
    let mut captured = Vec::new();
    for key in ["messages", "ids"] {
        let lines = read_lines(&tiny().join("conversations.jsonl"));
        let lines: Vec<_> = lines.iter().map(|line| json!({ "id": line["id"], key: line[key] })).collect();
        let (input, output) = (work.path().join("in.jsonl"), work.path().join("out.safetensors"));
        write_lines(&input, &lines);
        let mut command = recant();
        command
            .arg("capture")
            .arg("--model")
            .arg(tiny())
            .arg("--input")
            .arg(&input)
            .arg("--output")
            .arg(&output);
        succeed(command.args(["--positions", "all"]));
        captured.push(fs::read(&output)?);
    }
    assert!(captured[0] == captured[1], "messages and their ids give different states");
    Ok(())
}

#[test]
fn smollm2_agrees_with_transformers_on_dialogues() -> Outcome {
    let Some(golden) = golden() else { return Ok(()) };
    let golden = golden.join("smollm2-135m-instruct");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/smollm2-135m-instruct");
    if !model.join("config.json").is_file() {
        eprintln!("skipped: needs models/smollm2-135m-instruct, which `make model` brings");
        return Ok(());
    }
    let work = TempDir::new()?;
    let expected = tensors(&golden.join("expected.safetensors"));
    let dialogues = read_lines(&golden.join("dialogues.jsonl"));
    let rounds = |line: &Value| line["rounds"].as_array().cloned().expect("rounds");
    for round in dialogues.iter().flat_map(rounds) {
        assert_eq!(json!(encode(&model, &round["messages"])), round["ids"]);
    }
    let (input, output) = (work.path().join("in.jsonl"), work.path().join("out.safetensors"));
    let messages =
        |line: &Value| rounds(line).iter().map(|round| round["messages"].clone()).collect::<Vec<_>>();
    write_lines(
        &input,
        &dialogues
            .iter()
            .map(|line| json!({ "id": line["id"], "rounds": messages(line) }))
            .collect::<Vec<_>>(),
    );
    let two_threads = |verb: &str, output: &Path| {
        let mut command = recant();
        command.env("OMP_NUM_THREADS", "2").arg(verb).arg("--model").arg(&model).arg("--input").arg(&input);
        command.arg("--output").arg(output);
        command
    };
    let said = succeed(&mut two_threads("capture", &output));
    let said: Value = serde_json::from_slice(&said.stdout)?;
    assert_eq!(said["sequences"], 24);
    assert!(
        said["encoded_tokens"].as_u64() < said["tokens"].as_u64(),
        "rounds must share what they begin with: {said}"
    );

    let found = tensors(&output);
    let hidden = &expected["hidden"];
    let [n, r, depth, _] = hidden.shape[..] else { panic!("hidden has four axes") };
    let n_layers = depth - 1;
    assert_eq!(found["resid_post"].shape, [n, r, n_layers, 576]);
    varied(&hidden.values, "hidden");
    for at in 0..n * r {
        for layer in 0..depth {
            let ours = match layer {
                0 => found["embed"].row(at),
                _ if layer == n_layers => found["final_norm"].row(at),
                _ => found["resid_post"].row(at * n_layers + layer - 1),
            };
            close(
                ours,
                hidden.row(at * depth + layer),
                REAL,
                &format!("dialogue {}, round {}, hidden.{layer}", at / r, at % r),
            );
        }
    }

    write_lines(
        &input,
        &dialogues
            .iter()
            .map(|line| json!({ "id": line["id"], "ids": rounds(line)[0]["ids"] }))
            .collect::<Vec<_>>(),
    );
    let output = work.path().join("out.jsonl");
    succeed(two_threads("generate", &output).args(["--ignore-eos", "--max-new-tokens", "16"]));
    let found: Vec<Value> = read_lines(&output).iter().map(|line| line["ids"].clone()).collect();
    let greedy: Vec<Value> = expected["greedy"]
        .rows()
        .map(|row| json!(row.iter().map(|&id| id as i64).collect::<Vec<_>>()))
        .collect();
    assert_eq!(found, greedy);
    Ok(())
}

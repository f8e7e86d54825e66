//! Bad input through the binary: one line that says what is wrong, an exit code, and nothing written.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::study::{Desk, has_extension};
use common::{files, succeed};
use recant::analysis::training::{SiteStates, Training};
use recant::model::Site;
use recant::store::States;
use recant::study::ProbeEntry;
use recant::task::concept::{self, Wanted};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

/// One `error:` line that holds `parts`, perhaps a `hint:` line, nothing else; exit code 1 or 2; stdout empty.
fn one_line(command: &mut Command, parts: &[&str]) -> String {
    let output = command.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let place = format!("{command:?} said: {said}");
    assert!(matches!(output.status.code(), Some(1 | 2)), "{place}\n{:?}", output.status);
    let lines: Vec<&str> = said.lines().collect();
    assert!(matches!(lines.len(), 1 | 2), "{place}");
    assert!(lines[0].starts_with("error: ") && lines[0].len() > 12, "{place}");
    assert!(lines.iter().skip(1).all(|line| line.starts_with("hint: ") && line.len() > 10), "{place}");
    parts.iter().for_each(|part| assert!(said.contains(part), "{part:?} is missing. {place}"));
    assert!(output.stdout.is_empty(), "{place}");
    said
}

/// As [`one_line`], and no file has come, gone or changed.
fn refused(desk: &Desk, arguments: &[&str], parts: &[&str]) {
    let before = files(desk.dir.path());
    one_line(&mut desk.recant(arguments), parts);
    let after = files(desk.dir.path());
    assert!(before.keys().eq(after.keys()), "{arguments:?} left {:?}", after.keys());
    assert!(before == after, "{arguments:?} changed a file");
}

const CAPTURE: [&str; 7] =
    ["capture", "--model", "model", "--input", "in.jsonl", "--output", "out.safetensors"];
const GENERATE: [&str; 9] =
    ["generate", "--model", "model", "--input", "in.jsonl", "--output", "out.jsonl", "--max-new-tokens", "3"];
const RUN: [&str; 5] = ["--quiet", "run", "study.toml", "-o", "run"];

fn desk() -> Desk {
    let desk = Desk::new();
    fs::write(desk.at("in.jsonl"), "{\"id\": \"one\", \"ids\": [5, 6, 7]}\n").expect("the input is written");
    desk
}

/// The desk's checkpoint is refused.
fn checkpoint_refused(desk: &Desk, parts: &[&str]) {
    refused(desk, &CAPTURE, parts);
}

fn config(desk: &Desk, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let path = desk.at("model/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("a config")).expect("JSON");
    change(config.as_object_mut().expect("an object"));
    fs::write(path, config.to_string()).expect("the config is written");
}

type Stored = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn weights(desk: &Desk, change: impl FnOnce(&mut Stored)) {
    let path = desk.at("model/model.safetensors");
    let bytes = fs::read(&path).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let whole = |(name, view): (String, TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    let mut stored: Stored = file.tensors().into_iter().map(whole).collect();
    change(&mut stored);
    let views = stored.iter().map(|(name, (dtype, shape, data))| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
    });
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, &path).expect("the weights are written");
}

#[test]
fn the_desk_itself_is_in_order() {
    let desk = desk();
    succeed(&mut desk.recant(&CAPTURE));
    succeed(&mut desk.recant(&GENERATE));
    succeed(&mut desk.recant(&["model", "check", "model"]));
    succeed(&mut desk.recant(&RUN));
}

#[test]
fn a_model_that_is_not_there() {
    let desk = desk();
    let mut arguments = CAPTURE;
    arguments[2] = "modle";
    refused(&desk, &arguments, &["error: modle: is not a directory", "hint: "]);
    arguments[2] = "in.jsonl";
    refused(&desk, &arguments, &["error: in.jsonl: is not a directory"]);
    refused(&desk, &["model", "inspect", "modle"], &["error: modle: is not a directory"]);
    desk.study(&[("path = \"model\"", "path = \"modle\"")]);
    refused(&desk, &RUN, &["modle: ", "hint: "]);
}

#[test]
fn a_config_that_cannot_be_read() {
    let desk = desk();
    let path = desk.at("model/config.json");
    fs::write(&path, "{ \"model_type\": ").expect("written");
    checkpoint_refused(&desk, &["error: model/config.json: not valid JSON"]);
    fs::write(&path, "[]").expect("written");
    checkpoint_refused(&desk, &["error: model/config.json: is not a JSON object"]);
    fs::remove_file(&path).expect("removed");
    checkpoint_refused(&desk, &["error: model/config.json: No such file"]);
}

#[test]
fn a_config_that_describes_what_is_not_supported() {
    let cases: [(&str, Value, &[&str]); 11] = [
        ("model_type", json!("mamba"), &["family \"mamba\" is not known", "hint: known families: ", "llama"]),
        ("model_type", Value::Null, &["model_type: is missing"]),
        ("hidden_size", Value::Null, &["hidden_size: is missing"]),
        ("hidden_size", json!(-16), &["hidden_size: expected a positive whole number, found -16"]),
        ("num_hidden_layers", json!("three"), &["num_hidden_layers: ", "\"three\""]),
        ("num_key_value_heads", json!(3), &["num_key_value_heads: 3 does not divide 4"]),
        ("head_dim", json!(5), &["head_dim: ", "it cannot turn 5 of 5"]),
        ("hidden_act", json!("softplus"), &["hidden_act: activation \"softplus\"", "hint: silu"]),
        ("rope_parameters", json!({ "rope_type": "spiral" }), &["rope_type: \"spiral\"", "llama3"]),
        ("quantization_config", json!({ "quant_method": "gptq" }), &["quantization_config"]),
        ("tie_word_embeddings", json!("yes"), &["tie_word_embeddings: expected true or false"]),
    ];
    for (key, value, parts) in cases {
        let desk = desk();
        config(&desk, |map| {
            map.insert(key.into(), value);
        });
        refused(&desk, &CAPTURE, &[&["error: model/config.json"], parts].concat());
    }
}

#[test]
fn weights_that_are_cut_short_over_long_or_garbled() {
    let desk = desk();
    let path = desk.at("model/model.safetensors");
    let whole = fs::read(&path).expect("weights");
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let garbled = [&whole[..8], b"#", &whole[9..]].concat();
    let cases: [(&str, &[u8]); 7] = [
        ("cut short", &whole[..whole.len() - 1]),
        ("cut in the header", &whole[..100]),
        ("cut in the length", &whole[..5]),
        ("over-long", &[&whole[..], &[0; 4]].concat()),
        ("a header beyond the file", &huge),
        ("a header that is not JSON", &garbled),
        ("empty", &[]),
    ];
    for (what, bytes) in cases {
        fs::write(&path, bytes).expect("written");
        eprintln!("{what}");
        checkpoint_refused(&desk, &["error: model/model.safetensors: "]);
    }
}

#[test]
fn every_verb_refuses_a_checkpoint_in_the_same_words() {
    let desk = desk();
    let path = desk.at("model/model.safetensors");
    let whole = fs::read(&path).expect("weights");
    fs::write(&path, &whole[..whole.len() - 8]).expect("written");
    let said = one_line(
        &mut desk.recant(&CAPTURE),
        &["error: model/model.safetensors: not a whole safetensors file"],
    );
    for verb in [&GENERATE[..], &["model", "check", "model"], &["model", "inspect", "model"], &RUN] {
        assert_eq!(one_line(&mut desk.recant(verb), &[]), said);
    }
}

#[test]
fn weights_that_do_not_fit_the_config() {
    let norm = "model.layers.1.input_layernorm.weight";
    let at_rest = |change: &dyn Fn(&mut Stored), parts: &[&str]| {
        let desk = desk();
        weights(&desk, change);
        checkpoint_refused(&desk, &[&["error: model/model.safetensors: "], parts].concat());
    };
    at_rest(&|stored| drop(stored.remove(norm)), &[norm, "is missing", "hint: "]);
    at_rest(
        &|stored| {
            stored.insert(norm.into(), (Dtype::F32, vec![15], vec![0; 60]));
        },
        &[norm, "has shape [15], config.json asks for [16]"],
    );
    at_rest(
        &|stored| {
            stored.insert(norm.into(), (Dtype::I64, vec![16], vec![0; 128]));
        },
        &[norm, "dtype I64 is not supported", "bf16"],
    );
}

#[test]
fn weights_in_files_that_are_not_there_or_not_safetensors() {
    let desk = desk();
    let path = desk.at("model/model.safetensors");
    let whole = fs::read(&path).expect("weights");
    fs::remove_file(&path).expect("removed");
    checkpoint_refused(&desk, &["error: model: holds no safetensors weights", "hint: "]);
    fs::write(desk.at("model/pytorch_model.bin"), b"\x80\x02}q\x00.").expect("written");
    checkpoint_refused(&desk, &["error: model: holds no safetensors weights", "pickle"]);

    let index = desk.at("model/model.safetensors.index.json");
    let cases: [(&str, &[&str]); 5] = [
        ("{ \"weight_map\": ", &["not valid JSON"]),
        ("{}", &["weight_map"]),
        ("{ \"weight_map\": { \"lm_head.weight\": \"../model.safetensors\" } }", &["weight_map"]),
        ("{ \"weight_map\": { \"lm_head.weight\": \"gone.safetensors\" } }", &["gone.safetensors"]),
        ("{ \"weight_map\": { \"lm_head.weight\": 3 } }", &["weight_map"]),
    ];
    for (text, parts) in cases {
        fs::write(&index, text).expect("written");
        checkpoint_refused(&desk, parts);
    }
    for name in ["one.safetensors", "two.safetensors"] {
        fs::write(desk.at("model").join(name), &whole).expect("written");
    }
    fs::write(
        &index,
        json!({ "weight_map": { "a": "one.safetensors", "b": "two.safetensors" } }).to_string(),
    )
    .expect("written");
    checkpoint_refused(&desk, &["stands in two files"]);
}

#[test]
fn templates_that_are_broken_endless_refusing_or_missing() {
    let cases = [
        ("{% for %}", "broken chat template"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "fuel"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ 'x' * 100000000000 }}", "out of fuel"),
        ("{{ raise_exception('no system role here') }}", "no system role here"),
        ("{{ messages[0].content.nope.nope }}", "undefined"),
        ("{% include '/etc/hostname' %}", "non-existing template"),
        ("", "holds no tokens"),
    ];
    let desk = desk();
    fs::write(
        desk.at("in.jsonl"),
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}\n",
    )
    .expect("written");
    for (template, part) in cases {
        fs::write(desk.at("model/chat_template.jinja"), template).expect("written");
        refused(&desk, &CAPTURE, &["error: in.jsonl: line 1: ", part]);
    }
    fs::remove_file(desk.at("model/chat_template.jinja")).expect("removed");
    fs::write(desk.at("model/tokenizer_config.json"), "{}").expect("written");
    refused(&desk, &CAPTURE, &["holds no chat template", "hint: "]);
}

#[test]
fn a_template_that_rewrites_earlier_turns_ends_a_run() {
    let desk = desk();
    fs::write(desk.at("model/chat_template.jinja"), "{{ messages[-1].content }} ->").expect("written");
    one_line(&mut desk.recant(&RUN), &["the chat template rewrites earlier turns", "hint: "]);
    assert!(!desk.at("run").exists(), "it is found out before anything is written");
}

#[test]
fn text_without_a_tokenizer() {
    let desk = desk();
    fs::write(desk.at("in.jsonl"), "{\"id\": \"a\", \"text\": \"Hi\"}\n").expect("written");
    fs::write(desk.at("model/tokenizer.json"), "{ \"version\": ").expect("written");
    refused(&desk, &CAPTURE, &["model/tokenizer.json: not a tokenizer"]);
    fs::remove_file(desk.at("model/tokenizer.json")).expect("removed");
    refused(&desk, &CAPTURE, &["model/tokenizer.json: is missing", "hint: "]);
}

#[test]
fn lines_that_cannot_be_understood_are_named_by_number() {
    let good = "{\"id\": \"one\", \"ids\": [5, 6, 7]}\n";
    let cases: [(&[u8], &str); 16] = [
        (b"\n", "is empty"),
        (b"   \n", "is empty"),
        (b"{\"id\": \"b\", \"ids\": [5\n", "EOF"),
        (b"nonsense\n", "expected"),
        (b"[1, 2]\n", "invalid type"),
        (b"{\"ids\": [5]}\n", "missing field `id`"),
        (b"{\"id\": \"b\"}\n", "needs exactly one of"),
        (b"{\"id\": \"b\", \"ids\": [5], \"text\": \"x\"}\n", "needs exactly one of"),
        (b"{\"id\": \"b\", \"idz\": [5]}\n", "unknown field `idz`"),
        (b"{\"id\": \"b\", \"ids\": []}\n", "holds no tokens"),
        (b"{\"id\": \"b\", \"ids\": [1.5]}\n", "invalid type"),
        (b"{\"id\": \"b\", \"text\": \"\"}\n", "holds no tokens"),
        (b"{\"id\": \"b\", \"messages\": [{\"role\": \"user\"}]}\n", "missing field `content`"),
        (b"{\"id\": \"b\", \"ids\": [5, 264]}\n", "token 264: the vocabulary has 264 tokens"),
        (b"{\"id\": \"b\", \"ids\": [5, -1]}\n", "token -1: the vocabulary has 264 tokens"),
        (b"{\"id\": \"\xff\xfe\", \"ids\": [5]}\n", "UTF-8"),
    ];
    let desk = desk();
    for (line, why) in cases {
        fs::write(desk.at("in.jsonl"), [good.as_bytes(), line].concat()).expect("written");
        refused(&desk, &CAPTURE, &["error: in.jsonl: line 2: ", why]);
    }
}

#[test]
fn an_input_that_is_empty_or_not_there() {
    let desk = desk();
    fs::write(desk.at("in.jsonl"), "").expect("written");
    refused(&desk, &CAPTURE, &["error: in.jsonl: holds no lines"]);
    fs::remove_file(desk.at("in.jsonl")).expect("removed");
    refused(&desk, &CAPTURE, &["error: in.jsonl: No such file"]);
    fs::create_dir(desk.at("in.jsonl")).expect("made");
    refused(&desk, &CAPTURE, &["error: in.jsonl"]);
}

#[test]
fn a_sequence_beyond_the_context() {
    let desk = desk();
    config(&desk, |map| {
        map.insert("max_position_embeddings".into(), json!(4));
    });
    // Three ids and three more, the last of which is never read, are one too many.
    refused(
        &desk,
        &GENERATE,
        &["error: in.jsonl: line 1: ", "reaches 5 tokens, the model's context is 4", "hint: "],
    );
    let mut arguments = GENERATE;
    arguments[8] = "2";
    succeed(&mut desk.recant(&arguments));
    fs::remove_file(desk.at("out.jsonl")).expect("removed");
    arguments[8] = "4000000000000";
    refused(&desk, &arguments, &["the model's context is 4"]);
    fs::write(desk.at("in.jsonl"), "{\"id\": \"one\", \"ids\": [5, 6, 7, 8, 9]}\n").expect("written");
    refused(&desk, &CAPTURE, &["reaches 5 tokens, the model's context is 4"]);
    one_line(&mut desk.recant(&RUN), &["the model's context is 4", "hint: "]);
    assert!(!desk.at("run").exists(), "it is found out before anything is written");
}

#[test]
fn rounds_where_they_do_not_fit() {
    let desk = desk();
    let message = json!({ "role": "user", "content": "Hi" });
    let line =
        |id: &str, rounds: usize| json!({ "id": id, "rounds": vec![[&message]; rounds] }).to_string() + "\n";
    fs::write(desk.at("in.jsonl"), line("a", 2) + &line("b", 1)).expect("written");
    refused(&desk, &CAPTURE, &["error: in.jsonl: b has 1 rounds, a has 2", "hint: "]);
    refused(&desk, &GENERATE, &["has rounds", "hint: "]);
    fs::write(desk.at("in.jsonl"), line("a", 0)).expect("written");
    refused(&desk, &CAPTURE, &["error: in.jsonl: line 1: holds no tokens"]);
}

#[test]
fn options_that_make_no_sense() {
    let desk = desk();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--layers", "3"], &["layer 3: the model has 3 layers", "hint: layers are 0 to 2"]),
        (&["--layers", "0,-4"], &["layer -4"]),
        (&["--device", "tpu"], &["device \"tpu\": is not known", "cuda:0"]),
        (&["--device", "cuda:99"], &["device \"cuda:99\"", "hint: "]),
        (&["--device", "cuda:x"], &["device \"cuda:x\": is not known"]),
        (&["--threads", "0"], &["--threads: needs at least 1"]),
    ];
    for (options, parts) in cases {
        refused(&desk, &[&CAPTURE[..], options].concat(), parts);
    }
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--temperature", "0"], &["--temperature: must be above 0", "hint: "]),
        (&["--temperature", "NaN"], &["--temperature: must be above 0"]),
        (&["--temperature", "1", "--top-p", "0"], &["--top-p: must be above 0"]),
        (&["--temperature", "1", "--top-p", "1.5"], &["--top-p: "]),
    ];
    for (options, parts) in cases {
        refused(&desk, &[&GENERATE[..], options].concat(), parts);
    }
}

/// Misuse that the argument parser finds: the exit code is 2 and nothing is written.
#[test]
fn options_that_cannot_be_parsed() {
    let desk = desk();
    let cases: [(&[&str], &str); 4] = [
        (&["--sites", "resid"], "site \"resid\": is not known"),
        (&["--layers", "first"], "layers \"first\""),
        (&["--positions", "middle"], "middle"),
        (&["--dtype", "f8"], "f8"),
    ];
    for (options, part) in cases {
        let before = files(desk.dir.path());
        let output = desk.recant(&[&CAPTURE[..], options].concat()).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(part), "{said}");
        assert!(before == files(desk.dir.path()));
    }
}

#[test]
fn an_unknown_site_is_one_line_that_lists_the_known_ones() {
    let desk = desk();
    refused(
        &desk,
        &[&CAPTURE[..], &["--sites", "resid"]].concat(),
        &["site \"resid\": is not known", "resid_post", "mlp_act"],
    );
    refused(&desk, &[&CAPTURE[..], &["--layers", "first"]].concat(), &["layers \"first\"", "hint: "]);
    refused(&desk, &[&CAPTURE[..], &["--positions", "middle"]].concat(), &["middle", "last", "all"]);
}

#[test]
fn a_reason_is_said_once() {
    let desk = desk();
    fs::remove_file(desk.at("in.jsonl")).expect("removed");
    let said = one_line(&mut desk.recant(&CAPTURE), &["in.jsonl"]);
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
}

#[test]
fn an_output_that_cannot_be_a_file() {
    let desk = desk();
    fs::create_dir(desk.at("taken")).expect("made");
    for (output, part) in
        [("no/such/out", "no/such"), ("taken", "is not a file"), ("in.jsonl/out", "in.jsonl")]
    {
        let mut arguments = CAPTURE;
        arguments[6] = output;
        refused(&desk, &arguments, &[part]);
        let mut arguments = GENERATE;
        arguments[6] = output;
        refused(&desk, &arguments, &[part]);
    }
}

#[test]
fn a_device_is_not_replaced_by_a_file() {
    let desk = desk();
    let pipe = desk.at("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: needs mkfifo");
        return;
    }
    let inode = |path: &Path| fs::symlink_metadata(path).expect("it is there").ino();
    let before = inode(&pipe);
    let mut arguments = CAPTURE;
    arguments[6] = "pipe";
    one_line(&mut desk.recant(&arguments), &["error: pipe: is there and is not a file"]);
    assert_eq!(inode(&pipe), before);
}

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(dir: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&dir).ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&dir)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(dir))
    }

    fn grow(&self, size: &str) {
        let option = format!("remount,size={size}");
        let grown = Command::new("mount").args(["-o", &option]).arg(&self.0).status().expect("mount starts");
        assert!(grown.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_the_run_goes_on_when_there_is_room() {
    let desk = desk();
    let Some(disk) = SmallDisk::mount(desk.at("disk"), "32k") else {
        eprintln!("skipped: needs the right to mount a small file system");
        return;
    };
    let line = json!({ "id": "long", "ids": (0..2000).map(|i| 3 + i % 250).collect::<Vec<_>>() });
    fs::write(desk.at("in.jsonl"), format!("{line}\n")).expect("written");
    let mut arguments = CAPTURE.to_vec();
    arguments[6] = "disk/out.safetensors";
    arguments.extend(["--positions", "all"]);
    one_line(&mut desk.recant(&arguments), &["error: disk/out.safetensors: No space left"]);
    let mut arguments = GENERATE;
    arguments[6] = "disk/out.jsonl";
    arguments[8] = "6000";
    one_line(&mut desk.recant(&arguments), &["error: disk/out.jsonl: No space left"]);
    assert!(files(&disk.0).is_empty(), "{:?}", files(&disk.0).keys());

    succeed(&mut desk.recant(&RUN));
    let whole = files(&desk.at("run"));
    let mut arguments = RUN;
    arguments[4] = "disk/run";
    for size in ["48k", "160k", "400k"] {
        one_line(&mut desk.recant(&arguments), &["error: disk/run", "No space left"]);
        for (name, bytes) in files(&desk.at("disk/run")) {
            assert!(!has_extension(&name, "partial"), "{} is left", name.display());
            assert!(whole[&name] == bytes, "{} is not whole", name.display());
        }
        disk.grow(size);
    }
    disk.grow("64m");
    succeed(&mut desk.recant(&arguments));
    assert!(files(&desk.at("disk/run")) == whole);
}

#[test]
fn studies_that_are_wrong() {
    // What is changed, into what, the line and the key that the error names, and what else it says.
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("seed = 3", "sede = 3", "2: ", &["unknown field `sede`"]),
        ("limit = 4", "limmit = 4", "12: ", &["unknown field `limmit`"]),
        ("seed = 3", "seed = ", "2: ", &[]),
        ("rounds = 2", "rounds = \"two\"", "20: dialogue.rounds: ", &["invalid type"]),
        ("rounds = 2\n", "", "18: dialogue: ", &["missing field `rounds`"]),
        ("rounds = 2", "rounds = 0", "20: dialogue.rounds: ", &["at least 1"]),
        ("rounds = 2", "rounds = -1", "20: dialogue.rounds: ", &[]),
        ("name = \"small\"", "name = 7", "1: name: ", &[]),
        ("name = \"tiny\"", "name = \"../up\"", "5: models.name: ", &["directory"]),
        ("path = \"model\"", "path = \"modle\"", "6: models.path: modle: ", &["hint: "]),
        (
            "\"negation\"",
            "\"nagation\"",
            "19: dialogue.conditions: ",
            &["condition \"nagation\": is not known", "hint: known: ", "negation", "neutral"],
        ),
        ("\"negation\"", "\"baseline\"", "19: dialogue.conditions: ", &["twice"]),
        ("\"negation\"", "\"feedback\"", "19: dialogue.conditions: ", &["no source", "hint: "]),
        (
            "conditions = [\"baseline\", \"negation\"]",
            "conditions = []",
            "19: dialogue.conditions: ",
            &["is empty"],
        ),
        ("name = \"bbq\"", "name = \"bqb\"", "9: tasks.name: ", &["bqb", "hint: ", "bbq", "winogender"]),
        ("path = \"bbq\"", "kind = \"bqb\"", "10: tasks.kind: ", &["bqb", "hint: "]),
        (
            "path = \"bbq\"",
            "variant = \"short\"",
            "10: tasks.variant: ",
            &["there is no variant `short`", "hint: "],
        ),
        (
            "\"Nationality\"",
            "\"Nation\"",
            "11: tasks.categories: ",
            &["category \"Nation\" is not known", "Nationality", "Age"],
        ),
        ("limit = 4", "limit = 0", "12: tasks.limit: ", &["holds no items"]),
        ("limit = 4", "context = \"both\"", "12: ", &["unknown variant `both`"]),
        ("path = \"bbq\"", "path = \"bqb\"", "10: tasks.path: bqb: ", &["hint: "]),
        (
            "name = \"kind\"\npath = \"kind.toml\"",
            "name = \"kindness\"",
            "26: concepts: ",
            &["concept \"kindness\": is not known", "stereotype, morality"],
        ),
        ("path = \"kind.toml\"", "path = \"gone.toml\"", "26: concepts: gone.toml: ", &[]),
        (
            "dtype = \"f32\"",
            "sites = [\"resid\"]",
            "24: capture.sites: ",
            &["site \"resid\": is not known", "hint: sites are ", "resid_post"],
        ),
        ("dtype = \"f32\"", "sites = [\"mlp_out\"]", "30: probe.site: ", &["resid_post is not among"]),
        ("dtype = \"f32\"", "sites = [\"logits\", \"resid_post\"]", "24: capture.sites: ", &["logits"]),
        (
            "dtype = \"f32\"",
            "positions = [\"lasst\"]",
            "24: capture.positions: ",
            &["position \"lasst\": is not known", "answer_mean"],
        ),
        ("dtype = \"f32\"", "positions = []", "24: capture.positions: ", &["is empty"]),
        ("dtype = \"f32\"", "positions = [\"answer_mean\"]", "30: probe.position: ", &["last is not among"]),
        (
            "dtype = \"f32\"",
            "layers = \"9\"",
            "23: capture: ",
            &["layer 9: the model has 3 layers", "hint: "],
        ),
        ("dtype = \"f32\"", "dtype = \"f16\"", "24: ", &["f16"]),
        (
            "folds = 3",
            "folds = 13",
            "31: probe.folds: ",
            &["12 groups of texts of kind cannot fill 13 folds"],
        ),
        ("folds = 3", "folds = 1", "31: probe.folds: ", &["1 folds"]),
        ("folds = 3", "folds = 3\nc = 0.0", "32: probe.c: ", &["above 0"]),
        (
            "shard_items = 3",
            "shard_items = 3\ndevice = \"gpu\"",
            "37: run.device: ",
            &["device \"gpu\": is not known"],
        ),
        ("shard_items = 3", "shard_items = 0", "36: run.shard_items: ", &["at least 1"]),
        (
            "max_new_tokens = 4",
            "max_new_tokens = 4\nmin_new_tokens = 5",
            "22: dialogue.min_new_tokens: ",
            &["more than"],
        ),
        ("max_new_tokens = 4", "max_new_tokens = 4\nscoring = []", "22: dialogue.scoring: ", &["at least 1"]),
        (
            "max_new_tokens = 4",
            "max_new_tokens = 4\nscoring = [\"words\"]",
            "22: ",
            &["unknown variant `words`"],
        ),
        ("max_new_tokens = 4", "max_new_tokens = 4\norders = \"any\"", "22: ", &["unknown variant `any`"]),
        ("max_new_tokens = 4", "max_new_tokens = 4\nstop = [\"\"]", "22: dialogue.stop: ", &["empty text"]),
        (
            "max_new_tokens = 4",
            "max_new_tokens = 4\nsampling = { temperature = 0.0 }",
            "22: dialogue.sampling: ",
            &["temperature: must be above 0", "hint: "],
        ),
        (
            "max_new_tokens = 4",
            "max_new_tokens = 4\nsamples = { n = 0 }",
            "22: dialogue.samples.n: ",
            &["at least 1"],
        ),
        (
            "[capture]",
            "[condition.negation]\nextends = \"no-such\"\n[capture]",
            "23: condition.negation: ",
            &["condition \"no-such\": is not known"],
        ),
        (
            "[capture]",
            "[condition.negation]\nsay.letter = \"Again.\"\n[capture]",
            "24: ",
            &["unknown format `letter`", "letters, blank"],
        ),
        (
            "[capture]",
            "[condition.negation]\nbefore = \"thought\"\n[capture]",
            "23: condition.negation: ",
            &["exchange \"thought\": is not known", "cot"],
        ),
        (
            "[capture]",
            "[condition.negation]\nfeedback.file = \"f.jsonl\"\n[capture]",
            "19: dialogue.conditions: f.jsonl: ",
            &["hint: "],
        ),
        (
            "[capture]",
            "[condition.mute]\nabout = \"no norm\"\n[capture]",
            "19: dialogue.conditions: task bbq: condition \"mute\": ",
            &["what the user says is empty in round 1", "hint: "],
        ),
        (
            "[capture]",
            "[wording]\nsay = \"Look at {optoins} again.\"\n[capture]",
            "19: dialogue.conditions: {optoins}: ",
            &["is no placeholder", "{options}"],
        ),
        (
            "max_new_tokens = 4",
            "max_new_tokens = 4000",
            "6: models.path: ",
            &["may reach", "context is", "hint: "],
        ),
        (
            "[capture]",
            "[wording]\nquestion = \"{right}? {group}!\"\n[capture]",
            "19: dialogue.conditions: task winogender: item ",
            &["has no stereotyped option for {group} in baseline", "hint: "],
        ),
    ];
    let desk = desk();
    for (good, bad, line, parts) in cases {
        let mute = bad.contains("condition.mute").then_some(("\"negation\"", "\"mute\""));
        desk.study(&[&[(*good, *bad)], mute.as_slice()].concat());
        let line = format!("error: study.toml: line {line}");
        refused(&desk, &RUN, &[&[line.as_str()], *parts].concat());
    }
    fs::remove_file(desk.at("study.toml")).expect("removed");
    refused(&desk, &RUN, &["error: study.toml: No such file"]);
}

#[test]
fn concepts_and_items_that_are_wrong() {
    let desk = desk();
    desk.statements(12, |_| 1);
    refused(&desk, &RUN, &["kind.jsonl: needs texts of both labels", "hint: "]);
    desk.statements(12, |label| label * 2);
    refused(&desk, &RUN, &["kind.jsonl: line 2: ", "must be 0 or 1"]);
    desk.statements(2, |label| label);
    refused(&desk, &RUN, &["probe.folds: 2 groups of texts of kind cannot fill 3 folds"]);
    desk.statements(12, |label| label);
    let path = desk.at("kind.jsonl");
    let text = fs::read_to_string(&path).expect("texts");
    for (good, bad, part) in [
        ("{\"id\":\"k1\"", "{\"id\":\"k0\"", "line 2: the id k0 is already that of kind.jsonl: line 1"),
        ("\"group\":\"g1\"", "\"grp\":\"g1\"", "line 3: \"group\" is missing"),
        ("{\"id\":\"k1\"", "\"id\":\"k1\"", "line 2: "),
        ("\"text\":\"Yesterday", "\"txt\":\"Yesterday", "line 1: \"text\" is missing"),
    ] {
        assert!(text.contains(good));
        fs::write(&path, text.replacen(good, bad, 1)).expect("written");
        refused(&desk, &RUN, &["kind.jsonl: ", part]);
    }
    fs::write(&path, "").expect("written");
    refused(&desk, &RUN, &["kind.jsonl: needs texts of both labels"]);
    fs::write(&path, text).expect("written");
    let spec = fs::read_to_string(desk.at("kind.toml")).expect("a spec");
    fs::write(desk.at("kind.toml"), spec.replace("\"chat\"", "\"chatty\"")).expect("written");
    refused(&desk, &RUN, &["kind.toml: ", "chatty"]);
    fs::write(desk.at("kind.toml"), spec).expect("written");
    let age = desk.at("bbq/Age.jsonl");
    let items = fs::read_to_string(&age).expect("items");
    fs::write(&age, items.replacen("\"label\": 0", "\"label\": 7", 1)).expect("written");
    refused(&desk, &RUN, &["bbq/Age.jsonl:2: label 7 is none of 0, 1, 2", "hint: "]);
}

#[test]
fn directories_that_are_not_runs() {
    let desk = desk();
    fs::create_dir(desk.at("run")).expect("made");
    fs::write(desk.at("run/thesis.txt"), "years of work").expect("written");
    refused(&desk, &RUN, &["error: run: is not empty and not a run directory", "hint: "]);
    refused(&desk, &["report", "run"], &["error: run: is not a run directory", "hint: "]);
    refused(&desk, &["report", "nowhere"], &["error: nowhere: is not a run directory"]);
    fs::write(desk.at("run/manifest.json"), "{}").expect("written");
    refused(&desk, &RUN, &["error: run/manifest.json: not a manifest"]);
    refused(&desk, &["report", "run"], &["error: run/manifest.json: not a manifest"]);
    fs::write(desk.at("run/manifest.json"), "{ \"run_key\"").expect("written");
    refused(&desk, &RUN, &["error: run/manifest.json: not a manifest"]);
    let mut arguments = RUN;
    arguments[4] = "in.jsonl";
    refused(&desk, &arguments, &["error: in.jsonl"]);
}

#[test]
fn a_run_that_is_not_finished_has_no_report() {
    let desk = desk();
    succeed(&mut desk.recant(&[&RUN[..], &["--until", "dialogues"]].concat()));
    one_line(
        &mut desk.recant(&["--quiet", "report", "run"]),
        &["run/tiny/concepts/kind/states-00000.safetensors"],
    );
    assert!(!desk.at("run/report.html").exists());
    succeed(&mut desk.recant(&RUN));
}

#[test]
fn a_study_that_was_refused_can_be_put_right_in_the_same_directory() {
    let desk = desk();
    let weights = desk.at("model/model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    fs::write(&weights, &whole[..whole.len() - 1]).expect("written");
    one_line(&mut desk.recant(&RUN), &["model/model.safetensors: not a whole safetensors file"]);
    fs::write(&weights, &whole).expect("written");
    succeed(&mut desk.recant(&RUN));
}

#[test]
fn weights_that_are_not_numbers_end_a_run_by_name() {
    let desk = desk();
    weights(&desk, |stored| {
        let (_, _, data) = stored.get_mut("model.layers.1.mlp.down_proj.weight").expect("a weight");
        data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    refused(&desk, &GENERATE, &["error: model: its logits are not finite"]);
    one_line(&mut desk.recant(&RUN), &["error: item Age-0: its log-probabilities are not finite", "hint: "]);
    assert_eq!(files(&desk.at("run")).len(), 1, "only the manifest is there");
    let output = desk.recant(&["model", "check", "model"]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("FAIL finite"));
}

#[test]
fn a_probe_of_states_that_are_not_numbers_is_refused_by_name() {
    let desk = desk();
    let concept = concept::load(&Wanted { path: Some(&desk.at("kind.toml")), ..Wanted::default() })
        .expect("the concept");
    let mut states = States { shape: vec![24, 1, 2], values: (0..48).map(|i| (i * 7 % 11) as f32).collect() };
    let entry = ProbeEntry { folds: 3, bootstrap: 20, permutations: 0, ..ProbeEntry::default() };
    let training = Training::new(&concept, &entry, 0).expect("labels and groups");
    let train = |states: &States| {
        let (site, states) = (Site::ResidPost, states.clone());
        training.probes(SiteStates { site, heads: None, states, untrained: None }, &[0]).map(drop)
    };
    train(&states).expect("these are numbers");
    states.values[9] = f32::NAN;
    let said = train(&states).expect_err("one is none").to_string();
    assert!(said.contains("concept kind") && said.contains("is not finite"), "{said}");
}

//! The shift of tokens and of weights between two models of a study, through the binary.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::study::Desk;
use common::{Array, copy, files, plant, read_lines, succeed, tensors, write_lines};
use recant::text::Tokenizer;
use serde_json::{Value, json};

const D: usize = 16;
/// Rounding of two ways to the same softmax over f32 logits of the size of 10.
const SAME: f64 = 1e-4;

/// A study of the fixture model and of another, whose weights are in `other`, with a `[shift]` table.
fn pair(shift: &str) -> Desk {
    let desk = Desk::new();
    copy(&desk.at("model"), &desk.at("other"));
    study(&desk, shift);
    desk
}

fn study(desk: &Desk, shift: &str) {
    let tasks = "[[tasks]]\nname = \"bbq\"";
    let more = format!("[[models]]\nname = \"other\"\npath = \"other\"\n\n{shift}\n{tasks}");
    desk.study(&[(tasks, &more)]);
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// The rows of a table, by head.
fn table(run: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(run.join(format!("tables/{name}.csv"))).expect("a table");
    let heads = reader.headers().expect("heads").clone();
    let row =
        |row: csv::StringRecord| heads.iter().map(String::from).zip(row.iter().map(String::from)).collect();
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

/// When each file of the pair, but for what says what it is, was written.
fn written(run: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    for dir in ["shift", "steer"].map(|dir| run.join(dir)) {
        for name in files(&dir).into_keys().filter(|name| !name.ends_with("about.json")) {
            let path = dir.join(name);
            found.insert(path.clone(), fs::metadata(&path).expect("a file").modified().expect("a time"));
        }
    }
    found
}

#[test]
fn a_checkpoint_against_itself_has_not_moved_and_is_measured_once() {
    let desk = pair("[shift]\nneurons = 4\n");
    let (run, _) = desk.run("run");
    let shift = run.join("shift/tiny..other");
    let mut tokens = 0;
    for file in [
        "bbq/baseline.tokens.json",
        "bbq/negation.tokens.json",
        "winogender/baseline.tokens.json",
        "prose.json",
    ] {
        for passage in json(&shift.join(file))["passages"].as_array().expect("passages") {
            assert_eq!(passage["said"], passage["first"], "{file}");
            assert_eq!(passage["before"], passage["after"], "{file}");
            assert!(numbers(&passage["rank"]).iter().all(|rank| *rank == 1.0), "{file}");
            assert!(numbers(&passage["kl"]).iter().all(|kl| *kl == 0.0), "{file}");
            tokens += numbers(&passage["rank"]).len();
        }
    }
    assert!(tokens > 100, "{tokens} tokens prove little");
    let weights = json(&shift.join("weights.json"));
    for tensor in weights["tensors"].as_array().expect("tensors") {
        let found = (&tensor["identical"], &tensor["cosine"], &tensor["relative"]);
        assert_eq!(found, (&json!(true), &json!(1.0), &json!(0.0)), "{}", tensor["name"]);
    }
    let neurons = json(&shift.join("neurons.json"));
    for neuron in neurons["concepts"][0]["neurons"].as_array().expect("neurons") {
        assert_eq!(neuron["before"], neuron["after"]);
        assert_eq!(neuron["before"].as_array().map(Vec::len), neurons["prompts"].as_array().map(Vec::len));
        assert_eq!((&neuron["cosine"][0], &neuron["relative"]), (&neuron["cosine"][1], &json!(0.0)));
        assert_eq!(neuron["words"].as_array().map(Vec::len), Some(10));
    }
    let offsets = json(&shift.join("offsets.json"));
    assert_eq!(offsets["offsets"], json!([]), "no offset is no direction");
    assert_eq!(offsets["not_compared"].as_array().map(Vec::len), Some(3), "each depth says so");

    let all = &table(&run, "token_shift")[0];
    assert_eq!(
        (all["unshifted"].as_str(), all["shifted"].as_str(), all["kl"].as_str()),
        ("1.0000", "0.0000", "0.0000")
    );
    assert!(
        table(&run, "neurons")
            .iter()
            .all(|row| row["active_change"] == "0.00000" && row["p_max"] == "1.0000")
    );
    let page = fs::read_to_string(run.join("report.html")).expect("the page");
    assert!(page.contains("are the same, number for number"));
    assert!(run.join("figures/token-shift-tiny..other-bbq.svg").is_file());
    assert!(!run.join("figures/weights-tiny..other.svg").exists(), "nothing to draw");

    let before = written(&run);
    desk.run("run");
    assert_eq!(written(&run), before, "what is there is not measured again");
}

#[test]
fn a_planted_value_vector_comes_first_with_its_word_and_an_edited_tensor_is_the_one_that_changed() {
    const LAYER: usize = 2;
    const NEURON: usize = 5;
    let down = format!("model.layers.{LAYER}.mlp.down_proj.weight");
    let keys = "model.layers.2.self_attn.k_proj.weight";
    let desk = Desk::new();
    let column = |desk: &Desk, values: &[f32]| {
        let width = tensors(&desk.at("model/model.safetensors"))[&down].shape[1];
        let value = |i: usize, x: f32| if i % width == NEURON { values[i / width] } else { x };
        plant(&desk.at("model"), &down, value);
    };
    // A neuron that writes nothing leaves the direction as it is, and so does one that writes next to nothing.
    column(&desk, &[0.0; D]);
    let (alone, _) = desk.run("alone");
    let direction = tensors(&alone.join("probes/tiny/kind.safetensors"))["direction"].row(LAYER).to_vec();
    let length = direction.iter().map(|x| x * x).sum::<f32>().sqrt();
    let planted: Vec<f32> = direction.iter().map(|x| 1e-5 * x / length).collect();
    column(&desk, &planted);
    copy(&desk.at("model"), &desk.at("other"));
    plant(&desk.at("other"), keys, |_, x| -3.0 * x);
    study(&desk, "[shift]\nneurons = 3\nkeys = [10.0]\n");
    let (run, _) = desk.run("run");
    let shift = run.join("shift/tiny..other");

    let weights = json(&shift.join("weights.json"));
    for tensor in weights["tensors"].as_array().expect("tensors") {
        let own = tensor["name"] == keys;
        assert_eq!(tensor["identical"], json!(!own), "{}", tensor["name"]);
        if own {
            let (cosine, relative) = (tensor["cosine"].as_f64(), tensor["relative"].as_f64());
            assert!(
                (cosine.expect("a cosine") + 1.0).abs() < 1e-6
                    && (relative.expect("a size") - 4.0).abs() < 1e-6
            );
        }
    }
    let part =
        table(&run, "weight_parts").into_iter().find(|row| row["identical"] == "false").expect("a part");
    assert_eq!((part["layer"].as_str(), part["part"].as_str()), ("2", "attention"));

    let neurons = json(&shift.join("neurons.json"));
    let first = &neurons["concepts"][0]["neurons"][0];
    assert_eq!((&first["layer"], &first["neuron"]), (&json!(LAYER), &json!(NEURON)));
    assert!(first["cosine"][0].as_f64().expect("a cosine") > 0.999, "{first}");
    assert_eq!(first["relative"], json!(0.0), "the value vector is the same in both");
    let head = &tensors(&desk.at("model/model.safetensors"))["lm_head.weight"];
    let score =
        |row: &[f32]| row.iter().zip(&planted).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let best = head.rows().enumerate().max_by(|a, b| score(a.1).total_cmp(&score(b.1))).expect("a token").0;
    let tokenizer = Tokenizer::read(&desk.at("model")).expect("a tokenizer");
    assert_eq!(first["words"][0], json!(tokenizer.spelled(&[best as i64]).expect("a word")));

    let offsets = json(&shift.join("offsets.json"));
    let offset = &offsets["offsets"][0];
    assert_eq!(offset["layer"], json!(2), "only the last of the three depths lies after the edit");
    assert!(offset["length"].as_f64().expect("a length") > 0.0);
    for source in offset["sources"].as_array().expect("layers") {
        assert_eq!(source["offset"]["n"], json!(0), "no value vector changed");
        assert_eq!(source["offset"]["mean"], Value::Null);
        assert_eq!(source["offset"]["explained"], json!(0.0));
    }
    assert!(run.join("steer/keys-kind-other/cells.jsonl").is_file());
    let steered = table(&run, "steer");
    assert!(steered.iter().any(|row| row["name"] == "keys-kind-other" && row["strength"] == "10"));
    let page = fs::read_to_string(run.join("report.html")).expect("the page");
    assert!(page.contains("come back in other?"));

    agrees_with_whole_logits(&desk, &run);
}

/// Ranks and divergences beside those from logits that `recant capture` wrote of the same tokens.
fn agrees_with_whole_logits(desk: &Desk, run: &Path) {
    let mut turns = Vec::new();
    for shard in 0..3 {
        turns.extend(read_lines(&run.join(format!("other/bbq/baseline/turns-{shard:05}.jsonl"))));
    }
    let ids = |value: &Value| numbers(value).iter().map(|id| *id as i64).collect::<Vec<_>>();
    let (mut lines, mut starts) = (Vec::new(), BTreeMap::new());
    for turn in &turns {
        let (item, round) =
            (turn["item"].as_str().expect("an item"), turn["round"].as_u64().expect("a round"));
        let mut prompt = Vec::new();
        for earlier in
            turns.iter().filter(|other| other["item"] == item && other["round"].as_u64() <= Some(round))
        {
            let order = &earlier["orders"][0];
            prompt.extend(ids(&order["new_ids"]));
            if earlier["round"].as_u64() < Some(round) {
                prompt.extend(ids(&order["answer_ids"]));
            }
        }
        let order = &turn["orders"][0];
        starts.insert((item.to_owned(), round), (lines.len(), prompt.len(), order["ended"] == true));
        let whole = [prompt, ids(&order["answer_ids"])].concat();
        lines.push(json!({ "id": lines.len().to_string(), "ids": whole }));
    }
    write_lines(&desk.at("in.jsonl"), &lines);
    let capture = |model: &str| {
        let output = format!("{model}.logits.safetensors");
        let arguments = [
            "capture",
            "--model",
            model,
            "--input",
            "in.jsonl",
            "--output",
            &output,
            "--sites",
            "resid_post",
        ];
        succeed(desk.recant(&arguments).args(["--positions", "all", "--logits"]));
        tensors(&desk.at(&output))
    };
    let [before, after] = ["model", "other"].map(capture);
    let logprobs = |from: &BTreeMap<String, Array>, row: usize| {
        let row: Vec<f64> = from["logits"].row(row).iter().map(|x| f64::from(*x)).collect();
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = top + row.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
        row.into_iter().map(|x| x - total).collect::<Vec<f64>>()
    };
    let found = json(&run.join("shift/tiny..other/bbq/baseline.tokens.json"));
    let (mut shifted, mut compared) = (0, 0);
    for passage in found["passages"].as_array().expect("passages") {
        let round = passage["round"].as_u64().expect("a round");
        let (line, start, ended) = starts[&(passage["item"].as_str().expect("an item").to_owned(), round)];
        let offset = before["offsets"].values[line] as usize;
        let (said, kl, rank) = (ids(&passage["said"]), numbers(&passage["kl"]), ids(&passage["rank"]));
        let answer = ids(&lines[line]["ids"])[start..].to_vec();
        assert_eq!(said[..answer.len()], answer[..]);
        assert_eq!(said.len(), answer.len() + usize::from(ended));
        for (place, &token) in said.iter().enumerate() {
            let row = offset + start + place - 1;
            let (old, new) = (logprobs(&before, row), logprobs(&after, row));
            let divergence: f64 = new.iter().zip(&old).map(|(new, old)| new.exp() * (new - old)).sum();
            assert!((divergence - kl[place]).abs() < SAME, "{divergence} {}", kl[place]);
            let own = old[token as usize];
            let surely = |slack: f64| 1 + old.iter().filter(|other| **other > own + slack).count() as i64;
            assert!((surely(SAME)..=surely(-SAME)).contains(&rank[place]));
            for (found, wanted) in [(&passage["before"], own), (&passage["after"], new[token as usize])] {
                assert!((numbers(found)[place] - wanted).abs() < SAME);
            }
            shifted += usize::from(rank[place] > 1);
            compared += 1;
        }
    }
    assert!(compared > 30 && shifted > 0, "{shifted} of {compared}: nothing shifted proves little");
}

#[test]
fn another_vocabulary_is_refused_with_the_reason_and_weights_are_compared_all_the_same() {
    let desk = pair("[shift]\nneurons = 2\n");
    let path = desk.at("other/tokenizer.json");
    let mut tokenizer = json(&path);
    let mut added = tokenizer["added_tokens"][0].clone();
    (added["id"], added["content"]) = (json!(264), json!("<|new|>"));
    tokenizer["added_tokens"].as_array_mut().expect("tokens").push(added);
    fs::write(&path, tokenizer.to_string()).expect("written");
    let (run, _) = desk.run("run");
    let shift = run.join("shift/tiny..other");
    assert!(!shift.join("bbq/baseline.tokens.json").exists() && !shift.join("prose.json").exists());
    assert!(!run.join("tables/token_shift.csv").exists());
    let page = fs::read_to_string(run.join("report.html")).expect("the page");
    assert!(
        page.contains("1 tokens of their vocabularies differ") && page.contains("token shifts not at all")
    );
    assert_eq!(json(&shift.join("weights.json"))["all"]["identical"], json!(true));
    let neurons = json(&shift.join("neurons.json"));
    assert_eq!(neurons["prompts"], json!([]));
    assert!(
        neurons["not_compared"][0].as_str().expect("a sentence").contains("activations are not compared")
    );
    assert!(
        table(&run, "neurons")
            .iter()
            .all(|row| row["active_before"].is_empty() && !row["cosine_before"].is_empty())
    );
}

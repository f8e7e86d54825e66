//! A study through the binary: what a run makes, how it goes on where it was cut short, and what it refuses.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::study::{Desk, has_extension, whole_files};
use common::{about, close, files, read_lines, succeed, tensors, tiny, varied, write_lines};
use recant::store::Turn;
use recant::text::{ChatTemplate, Message, Tokenizer};
use serde_json::{Value, json};

/// See `runner.rs`.
const SAME: f64 = 2e-5;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Both hold the same files with the same bytes.
fn equal(found: &Files, expected: &Files, place: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{place}");
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{place}: {} has other bytes", name.display());
    }
}

fn turns(path: &Path) -> Vec<Turn> {
    read_lines(path).into_iter().map(|line| serde_json::from_value(line).expect("a turn")).collect()
}

#[test]
fn a_run_makes_the_documented_files() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let made = files(&run);
    let mut expected: Vec<String> = [
        "manifest.json",
        "report.html",
        "findings.jsonl",
        "figures/figures.json",
        "probes/tiny/kind.json",
        "probes/tiny/kind.safetensors",
        "probes/tiny/scores/kind/bbq.safetensors",
        "probes/tiny/scores/kind/winogender.safetensors",
    ]
    .map(String::from)
    .to_vec();
    for (task, shards) in [("bbq", 3), ("winogender", 2)] {
        for condition in ["baseline", "negation"] {
            for shard in 0..shards {
                expected.push(format!("tiny/{task}/{condition}/turns-{shard:05}.jsonl"));
                expected.push(format!("tiny/{task}/{condition}/states-{shard:05}.safetensors"));
            }
        }
    }
    expected.push("tiny/concepts/kind/states-00000.safetensors".into());
    expected.push("tiny/concepts/kind/untrained-00000.safetensors".into());
    for name in &expected {
        assert!(made.contains_key(Path::new(name)), "{name} is missing");
    }
    let rest: Vec<&PathBuf> =
        made.keys().filter(|name| !expected.iter().any(|known| Path::new(known) == *name)).collect();
    let below = |dir: &str, extensions: &[&str]| {
        let own: Vec<_> = rest.iter().filter(|name| name.starts_with(dir)).collect();
        assert!(!own.is_empty(), "{dir} is empty");
        assert!(
            own.iter().all(|name| extensions.iter().any(|extension| has_extension(name, extension))),
            "{own:?}"
        );
        own.len()
    };
    let others = below("tables", &["csv", "tex"]) + below("figures", &["svg", "pdf", "png", "csv"]);
    assert_eq!(others, rest.len(), "{rest:?}");
    for figure in rest.iter().filter(|name| has_extension(name, "svg")) {
        for extension in ["pdf", "png", "csv"] {
            assert!(made.contains_key(&figure.with_extension(extension)), "{figure:?} has no {extension}");
        }
    }
}

/// A run that keeps three sites at two positions under three conditions.
fn at_many_sites() -> (Desk, PathBuf) {
    let desk = Desk::new();
    desk.study(&[
        ("conditions = [\"baseline\", \"negation\"]", "conditions = [\"baseline\", \"negation\", \"neutral\"]"),
        ("rounds = 2", "rounds = 3"),
        ("dtype = \"f32\"", "dtype = \"f32\"\nsites = [\"head_out\", \"attn_out\", \"resid_post\"]\npositions = [\"answer_mean\", \"last\"]"),
    ]);
    let (run, _) = desk.run("run");
    (desk, run)
}

#[test]
fn scores_of_every_site_position_and_head_are_the_probes_on_the_captured_states() {
    let (_desk, run) = at_many_sites();
    let scores = tensors(&run.join("probes/tiny/scores/kind/bbq.safetensors"));
    let said = about(&run.join("probes/tiny/scores/kind/bbq.safetensors"));
    assert_eq!(said["run_key"], about(&run.join("tiny/bbq/baseline/states-00000.safetensors"))["run_key"]);
    assert_eq!(said["positions"], json!(["answer_mean", "last"]));
    assert_eq!(said["conditions"], json!(["baseline", "negation", "neutral"]));
    for (site, file, heads) in [
        ("resid_post", "kind.safetensors", 1),
        ("attn_out", "sites/kind/attn_out.safetensors", 1),
        ("head_out", "sites/kind/head_out.safetensors", 4),
    ] {
        let probe = tensors(&run.join("probes/tiny").join(file));
        let d = probe["coef"].shape[1];
        let decide = |place: usize, state: &[f32]| -> f64 {
            let scaled = |k: usize| {
                let at = |name: &str| f64::from(probe[name].row(place)[k]);
                at("coef") * (f64::from(state[k]) - at("mean")) / at("scale")
            };
            (0..d).map(scaled).sum::<f64>() + f64::from(probe["intercept"].values[place])
        };
        let (mut expected, mut chances) = (Vec::new(), Vec::new());
        for condition in ["baseline", "negation", "neutral"] {
            for shard in 0..3 {
                let path = run.join(format!("tiny/bbq/{condition}/states-{shard:05}.safetensors"));
                let states = &tensors(&path)[site];
                let [items, rounds, positions, layers, width] = states.shape[..] else { panic!("five axes") };
                assert_eq!(width, heads * d, "a head is its own part of the vector");
                assert_eq!(probe["coef"].shape[0], layers * heads);
                for (number, state) in states.rows().enumerate() {
                    for (head, part) in state.chunks(d).enumerate() {
                        let place = number % layers * heads + head;
                        let decision = decide(place, part);
                        let value = |name: &str| f64::from(probe[name].values[place]);
                        expected.push((decision / value("unit")) as f32);
                        let odds = value("platt_slope") * decision / value("unit") + value("platt_intercept");
                        chances.push((1.0 / (1.0 + (-odds).exp())) as f32);
                    }
                }
                assert_eq!((items > 0, rounds, positions), (true, 3, 2));
            }
        }
        let found = &scores[site];
        assert_eq!(found.shape[..5], [3, 8, 3, 2, expected.len() / (3 * 8 * 3 * 2 * heads)]);
        varied(&found.values, site);
        close(&found.values, &expected, 1e-4, site);
        close(&scores[&format!("{site}.probability")].values, &chances, 1e-4, site);
    }
}

#[test]
fn changes_and_effects_are_means_of_the_scores_in_the_files() {
    let (_desk, run) = at_many_sites();
    let rows = table(&run, "concept_changes");
    for task in ["bbq", "winogender"] {
        let path = run.join(format!("probes/tiny/scores/kind/{task}.safetensors"));
        let (scores, said) = (tensors(&path), about(&path));
        let place = |axis: &str, name: &str| {
            said[axis].as_array().expect("a list").iter().position(|known| known == name).expect("named")
        };
        let own: Vec<_> = rows.iter().filter(|row| row["task"] == task).collect();
        for site in ["resid_post", "attn_out", "head_out"] {
            let found = &scores[site];
            let [_, items, rounds, positions, layers] = found.shape[..5] else { panic!("five axes") };
            let heads = found.shape.get(5).copied().unwrap_or(1);
            let of_site: Vec<_> = own.iter().filter(|row| row["site"] == site).collect();
            let shown = if heads > 1 { 1 } else { rounds - 1 };
            assert_eq!(of_site.len(), 3 * shown * positions * layers * heads, "{task} {site}");
            for row in of_site {
                let number = |head: &str| row[head].parse::<usize>().unwrap_or(0);
                let (condition, position) =
                    (place("conditions", &row["condition"]), place("positions", &row["position"]));
                let at = |condition: usize, item: usize, round: usize| {
                    let row = ((condition * items + item) * rounds + round) * positions + position;
                    f64::from(found.values[(row * layers + number("layer")) * heads + number("head")])
                };
                let change = |condition, item| at(condition, item, number("round")) - at(condition, item, 0);
                let mean = |value: &dyn Fn(usize) -> f64| {
                    let finite: Vec<f64> = (0..items).map(value).filter(|value| value.is_finite()).collect();
                    finite.iter().sum::<f64>() / finite.len() as f64
                };
                let holds = |head: &str, expected: f64| {
                    let found: f64 = row[head].parse().unwrap_or_else(|_| panic!("{head}: {row:?}"));
                    assert!((found - expected).abs() < 1e-3, "{head} is {found}, not {expected}: {row:?}");
                };
                holds("score", mean(&|item| at(condition, item, number("round"))));
                holds("change", mean(&|item| change(condition, item)));
                match row["condition"].as_str() {
                    "neutral" => assert_eq!((&*row["effect"], &*row["effect_p"]), ("", "")),
                    _ => holds("effect", mean(&|item| change(condition, item) - change(2, item))),
                }
                let p = |head: &str| row[head].parse::<f64>().expect("a p");
                assert!(
                    p("change_p") <= p("change_p_max") && p("change_p") <= p("change_q") + 1e-9,
                    "{row:?}"
                );
            }
        }
    }
    let probes = table(&run, "probes");
    let count = |site: &str| probes.iter().filter(|row| row["site"] == site).count();
    assert_eq!(count("head_out"), 4 * count("resid_post"));
    for figure in ["site-auroc", "head-auroc"] {
        assert!(run.join(format!("figures/{figure}.png")).is_file(), "{figure}");
    }
}

#[test]
fn probes_are_trained_at_the_named_sites_only() {
    let desk = Desk::new();
    desk.study(&[
        ("dtype = \"f32\"", "dtype = \"f32\"\nsites = [\"mlp_out\", \"attn_out\", \"resid_post\"]"),
        ("[probe]", "[probe]\nsites = [\"mlp_out\"]"),
    ]);
    let (run, _) = desk.run("run");
    let scores = tensors(&run.join("probes/tiny/scores/kind/bbq.safetensors"));
    let sites: Vec<&str> = scores.keys().map(String::as_str).filter(|name| !name.contains('.')).collect();
    assert_eq!(sites, ["mlp_out", "resid_post"]);
}

#[test]
fn the_output_directory_is_the_last_line_of_stdout() {
    let desk = Desk::new();
    let done = succeed(&mut desk.recant(&["run", "study.toml", "-o", "run"]));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "run\n");
}

#[test]
fn two_runs_of_a_study_have_the_same_bytes() {
    let desk = Desk::new();
    equal(&files(&desk.run("one").0), &files(&desk.run("two").0), "the second run");
}

/// Each file below the run with the moment of its last change.
fn moments(run: &Path) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let moment =
        |name: &PathBuf| fs::metadata(run.join(name)).and_then(|about| about.modified()).expect("a moment");
    files(run).keys().map(|name| (name.clone(), moment(name))).collect()
}

#[test]
fn a_second_call_does_only_what_is_missing() {
    let desk = Desk::new();
    let (run, said) = desk.run("run");
    assert!(said.contains("loading"), "{said}");
    let (before, then) = (files(&run), moments(&run));
    let (_, said) = desk.run("run");
    assert!(!said.contains("loading"), "the model is not needed when nothing is missing: {said}");
    equal(&files(&run), &before, "a second call");

    let lost = [
        "tiny/bbq/negation/states-00001.safetensors",
        "tiny/winogender/baseline/turns-00000.jsonl",
        "tiny/concepts/kind/states-00000.safetensors",
        "tiny/concepts/kind/untrained-00000.safetensors",
        "figures/behaviour.png",
    ];
    for name in lost {
        fs::remove_file(run.join(name)).expect("the file was there");
        desk.run("run");
        equal(&files(&run), &before, name);
    }
    let now = moments(&run);
    for name in
        ["tiny/bbq/baseline/states-00000.safetensors", "tiny/bbq/negation/turns-00002.jsonl", "manifest.json"]
    {
        assert_eq!(now[Path::new(name)], then[Path::new(name)], "{name} was written again");
    }
}

#[test]
fn stages_one_after_another_give_the_same_bytes_as_all_at_once() {
    let desk = Desk::new();
    let whole = files(&desk.run("whole").0);
    for until in ["dialogues", "concepts", "report"] {
        succeed(&mut desk.recant(&["run", "study.toml", "-o", "staged", "--until", until]));
        let made = files(&desk.at("staged"));
        assert_eq!(
            made.contains_key(Path::new("tiny/concepts/kind/states-00000.safetensors")),
            until != "dialogues"
        );
        assert_eq!(
            made.contains_key(Path::new("tiny/concepts/kind/untrained-00000.safetensors")),
            until != "dialogues"
        );
        assert_eq!(made.contains_key(Path::new("report.html")), until == "report");
    }
    equal(&files(&desk.at("staged")), &whole, "stages");
}

#[test]
fn killed_at_any_moment_a_run_ends_with_the_same_bytes_as_undisturbed() {
    let desk = Desk::new();
    let whole = files(&desk.run("whole").0);
    let mut cut = 0;
    for wait_for in [0, 1, 2, 3, 5, 7, 9, 11, 14, 17, 20, 22, 24, 25, 27, 30, 33, 36, 41, 46] {
        let name = format!("cut-{wait_for}");
        let run = desk.at(&name);
        let mut child = desk.recant(&["--quiet", "run", "study.toml", "-o", &name]).spawn().expect("a run");
        loop {
            let done = child.try_wait().expect("a state").is_some();
            if done || (run.is_dir() && whole_files(&run) >= wait_for) {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
        let left = files(&run);
        cut += usize::from(left.len() < whole.len());
        for (name, bytes) in &left {
            // The manifest is written twice: before the first checkpoint is loaded, and with what was checked of it.
            let unchecked = || name == Path::new("manifest.json") && same_inputs(&whole[name], bytes);
            if !has_extension(name, "partial") {
                assert!(whole[name] == *bytes || unchecked(), "{} is there, but not whole", name.display());
            }
        }
        desk.run(&name);
        equal(&files(&run), &whole, &format!("killed when {wait_for} files were there"));
    }
    assert!(cut >= 6, "only {cut} runs were cut short");
}

#[test]
fn a_base_model_without_a_template_is_asked_in_a_transcript() {
    let desk = Desk::new();
    let path = desk.at("model/tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    config.as_object_mut().expect("an object").shift_remove("chat_template").expect("a template");
    fs::write(&path, config.to_string()).expect("written");
    let (run, _) = desk.run("plain");
    let manifest: Value =
        serde_json::from_slice(&fs::read(run.join("manifest.json")).expect("a manifest")).expect("JSON");
    assert_eq!(manifest["inputs"]["models"]["tiny"]["chat_template"], "none: a plain transcript");
    let report = fs::read_to_string(run.join("report.html")).expect("a report");
    assert!(report.contains("tiny has no chat template"));

    let tokenizer = Tokenizer::read(&desk.at("model")).expect("a tokenizer");
    let turns = read_lines(&run.join("tiny/bbq/negation/turns-00000.jsonl"));
    let text = |turn: &Value| {
        let ids: Vec<i64> = serde_json::from_value(turn["orders"][0]["new_ids"].clone()).expect("ids");
        tokenizer.decode(&ids).expect("text")
    };
    let [first, second] = [text(&turns[0]), text(&turns[1])];
    let asked = |round: usize| turns[round]["user"].as_str().expect("words").to_string();
    assert!(first.starts_with(&format!("User:\n{}\n\nAssistant:\n", asked(0))), "{first:?}");
    assert!(second.starts_with(&format!("\n\nUser:\n{}\n\nAssistant:\n", asked(1))), "{second:?}");
}

/// Whether two manifests are of one run, whatever was checked.
fn same_inputs(a: &[u8], b: &[u8]) -> bool {
    let [a, b] = [a, b].map(|text| serde_json::from_slice::<Value>(text).expect("a manifest"));
    a["run_key"] == b["run_key"] && a["inputs"] == b["inputs"]
}

#[test]
fn a_run_cut_short_while_writing_its_manifest_goes_on() {
    let desk = Desk::new();
    let whole = files(&desk.run("whole").0);
    fs::create_dir(desk.at("cut")).expect("a directory");
    fs::write(desk.at("cut/manifest.json.partial"), "{ \"run_k").expect("half a manifest");
    desk.run("cut");
    equal(&files(&desk.at("cut")), &whole, "after half a manifest");
}

#[test]
fn a_directory_of_another_run_is_refused_with_the_first_difference() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let before = files(&run);
    let refused = |named: &[&str]| {
        let done = desk.recant(&["run", "study.toml", "-o", "run"]).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: run: belongs to another run: "), "{said}");
        named.iter().for_each(|part| assert!(said.contains(part), "{part:?} is not in {said}"));
        assert_eq!(said.lines().count(), 2, "{said}");
        equal(&files(&run), &before, "a refused run");
    };
    desk.study(&[("seed = 3", "seed = 4")]);
    refused(&["study.seed is 3 here and 4 there"]);
    desk.study(&[("rounds = 2", "rounds = 3")]);
    refused(&["study.dialogue.rounds is 2 here and 3 there"]);
    desk.study(&[("\"negation\"", "\"neutral\"")]);
    refused(&["study.dialogue.conditions.1", "\"negation\"", "\"neutral\""]);
    desk.study(&[("limit = 4", "limit = 3")]);
    refused(&["study.tasks.0.limit"]);
    desk.study(&[]);

    let weights = desk.at("model/model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    let mut other = whole.clone();
    let last = other.len() - 1;
    other[last] ^= 0x01;
    fs::write(&weights, &other).expect("other weights");
    refused(&["models.tiny.model.safetensors"]);
    fs::write(&weights, &whole).expect("the weights");

    desk.statements(13, |label| label);
    refused(&["concepts.kind.texts is 24 here and 26 there"]);
    desk.statements(12, |label| label);

    let age = desk.at("bbq/Age.jsonl");
    let text = fs::read_to_string(&age).expect("items");
    fs::write(&age, text.replacen("repair shop", "repair yard", 1)).expect("other items");
    refused(&["tasks.bbq.sha256"]);
    fs::write(&age, text).expect("the items");
    desk.run("run");
    equal(&files(&run), &before, "the same run again");
}

#[test]
fn the_report_is_made_again_with_the_same_bytes() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let before = files(&run);
    succeed(&mut desk.recant(&["report", "run"]));
    equal(&files(&run), &before, "report");
    for dir in ["figures", "tables", "probes"] {
        fs::remove_dir_all(run.join(dir)).expect("the directory was there");
    }
    fs::remove_file(run.join("report.html")).expect("the page was there");
    succeed(&mut desk.recant(&["report", "run"]));
    equal(&files(&run), &before, "report from states and turns alone");
}

/// Every dialogue of the run, by task and condition: its turns in order, with its item's states.
fn dialogues(run: &Path, task: &str) -> Vec<(Vec<Turn>, Vec<Vec<f32>>)> {
    let mut found = Vec::new();
    for condition in ["baseline", "negation"] {
        let dir = run.join("tiny").join(task).join(condition);
        for shard in 0.. {
            let path = dir.join(format!("turns-{shard:05}.jsonl"));
            if !path.is_file() {
                break;
            }
            let states = &tensors(&dir.join(format!("states-{shard:05}.safetensors")))["resid_post"];
            let [n, rounds, 1, 3, 16] = states.shape[..] else { panic!("{:?}", states.shape) };
            let turns = turns(&path);
            assert_eq!(turns.len(), n * rounds);
            for (turns, states) in turns.chunks(rounds).zip(states.values.chunks(rounds * 48)) {
                found.push((turns.to_vec(), states.chunks(48).map(<[f32]>::to_vec).collect()));
            }
        }
    }
    found
}

#[test]
fn the_history_of_a_dialogue_is_kept_id_by_id() {
    let desk = Desk::new();
    desk.study(&[("rounds = 2", "rounds = 3")]);
    let (run, _) = desk.run("run");
    let (tokenizer, template) =
        (Tokenizer::read(&tiny()).expect("tokenizer"), ChatTemplate::read(&tiny()).expect("template"));
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for (turns, states) in dialogues(&run, "bbq") {
        for (k, first) in turns[0].orders.iter().enumerate() {
            let mut prompt: Vec<i64> = Vec::new();
            for (round, turn) in turns.iter().enumerate() {
                let this = &turn.orders[k];
                assert_eq!((turn.round, turn.orders.len(), &this.order), (round, 3, &first.order));
                // The answer opens with the prefill `(`, which the model reads as a part of its prompt.
                let text = if round == 0 {
                    if k == 0 {
                        template.render(&[Message::new("user", turn.user.clone())], true).expect("a prompt")
                    } else {
                        tokenizer_text(&tokenizer, &this.new_ids)
                    }
                } else {
                    format!("<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", turn.user)
                };
                let opening = tokenizer.encode(&text, false).expect("ids");
                if round > 0 || k == 0 {
                    let prefill = tokenizer.encode("(", false).expect("ids");
                    assert_eq!(
                        this.new_ids,
                        [opening.as_slice(), &prefill].concat(),
                        "{} round {round}",
                        turn.item
                    );
                }
                if k == 0 {
                    let ids = [prompt.as_slice(), &opening].concat();
                    lines.push(json!({ "id": format!("{}-{round}", turn.item), "ids": ids }));
                    expected.push(states[round].clone());
                }
                prompt.extend(&this.new_ids);
                prompt.extend(&this.answer_ids);
                let answer = tokenizer.decode(&this.answer_ids).expect("text");
                assert_eq!(this.answer, format!("({answer}"));
                assert!(this.answer_ids.len() <= 4);
            }
        }
    }
    assert!(lines.len() >= 3 * 8 * 2);
    write_lines(&desk.at("in.jsonl"), &lines);
    succeed(&mut desk.recant(&[
        "capture",
        "--model",
        "model",
        "--input",
        "in.jsonl",
        "--output",
        "out.safetensors",
    ]));
    let found = &tensors(&desk.at("out.safetensors"))["resid_post"];
    varied(&found.values, "resid_post");
    for (i, expected) in expected.iter().enumerate() {
        for layer in 0..3 {
            close(&expected[layer * 16..][..16], found.row(i * 3 + layer), SAME, &lines[i]["id"].to_string());
        }
    }
}

/// The text of a prompt with its special tokens; the `(` at its end left out.
fn tokenizer_text(tokenizer: &Tokenizer, ids: &[i64]) -> String {
    let mut text = String::new();
    for part in ids.split_inclusive(|id| *id <= 2) {
        let (last, plain) = part.split_last().expect("a part");
        if *last <= 2 {
            text += &tokenizer.decode(plain).expect("text");
            text += ["<|endoftext|>", "<|im_start|>", "<|im_end|>"][*last as usize];
        } else {
            text += &tokenizer.decode(part).expect("text");
        }
    }
    text.strip_suffix('(').expect("the prefill").to_string()
}

fn normalise(logprobs: &[f64]) -> Vec<f64> {
    let z = logprobs.iter().map(|l| l.exp()).sum::<f64>().ln();
    logprobs.iter().map(|l| l - z).collect()
}

#[test]
fn option_scores_are_the_mean_over_the_cyclic_orders() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let tokenizer = Tokenizer::read(&tiny()).expect("tokenizer");
    let letter =
        |place: usize| tokenizer.encode(["a", "b", "c"][place], false).expect("a letter")[0] as usize;
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for (turns, _) in dialogues(&run, "bbq") {
        let mut prompts = vec![Vec::<i64>::new(); 3];
        for turn in &turns {
            let orders: Vec<&[usize]> = turn.orders.iter().map(|order| order.order.as_slice()).collect();
            assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
            let mut mean = vec![0.0; 3];
            for (prompt, order) in prompts.iter_mut().zip(&turn.orders) {
                for (sum, value) in mean.iter_mut().zip(normalise(&order.logprobs)) {
                    *sum += value / 3.0;
                }
                prompt.extend(&order.new_ids);
                lines.push(json!({ "id": turn.item, "ids": prompt }));
                expected.push(order.clone());
                prompt.extend(&order.answer_ids);
            }
            for (found, expected) in turn.logprobs.iter().zip(normalise(&mean)) {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
            assert!(turn.logprobs.iter().all(|l| *l <= turn.logprobs[turn.choice.expect("a choice")]));
        }
    }
    write_lines(&desk.at("in.jsonl"), &lines);
    let capture =
        ["capture", "--model", "model", "--input", "in.jsonl", "--output", "out.safetensors", "--logits"];
    succeed(&mut desk.recant(&capture));
    let logits = &tensors(&desk.at("out.safetensors"))["logits"];
    for (row, order) in logits.rows().zip(&expected) {
        let z = row.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        for (place, &option) in order.order.iter().enumerate() {
            let expected = f64::from(row[letter(place)]) - z;
            // f32 logits of the size of 10.
            assert!(
                (order.logprobs[option] - expected).abs() < 1e-4,
                "{} {expected}",
                order.logprobs[option]
            );
        }
    }
}

#[test]
fn options_that_are_not_listed_have_one_order() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let told = dialogues(&run, "winogender");
    assert!(!told.is_empty());
    for turn in told.iter().flat_map(|(turns, _)| turns) {
        let [order] = &turn.orders[..] else { panic!("{} orders", turn.orders.len()) };
        assert!(order.order.is_sorted());
        for (found, expected) in turn.logprobs.iter().zip(normalise(&order.logprobs)) {
            assert!((found - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn the_first_round_is_the_same_under_every_condition() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let told = dialogues(&run, "bbq");
    let (baseline, negation) = told.split_at(told.len() / 2);
    for ((a, a_states), (b, b_states)) in baseline.iter().zip(negation) {
        assert_eq!(a[0], b[0]);
        assert_eq!(a_states[0], b_states[0]);
        assert_ne!(a[1].user, b[1].user);
        assert_ne!(a_states[1], b_states[1]);
    }
}

#[test]
fn every_state_shard_says_what_it_holds() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let manifest: Value =
        serde_json::from_slice(&fs::read(run.join("manifest.json")).expect("a manifest")).expect("JSON");
    let shards: Vec<PathBuf> = files(&run)
        .into_keys()
        .filter(|name| name.starts_with("tiny") && has_extension(name, "safetensors"))
        .collect();
    assert_eq!(shards.len(), 12);
    for name in shards {
        let found = about(&run.join(&name));
        assert_eq!(found["run_key"], manifest["run_key"], "{name:?}");
        assert_eq!(found["sha256"].as_str().map(str::len), Some(64), "{name:?}");
        let shape = &tensors(&run.join(&name))["resid_post"].shape;
        assert_eq!(found["axes"].as_array().map(Vec::len), Some(shape.len()), "{name:?}");
        let ids: Vec<String> = serde_json::from_value(found["item_ids"].clone()).expect("ids");
        assert_eq!(ids.len(), shape[0], "{name:?}");
        if name.starts_with("tiny/concepts") {
            assert_eq!(found["axes"], json!(["text", "layer", "width"]));
            assert_eq!(ids[..2], ["k0", "k1"]);
            let untrained = name.ends_with("untrained-00000.safetensors");
            assert_eq!(found["weights_seed"], if untrained { json!(3) } else { Value::Null });
        } else {
            assert_eq!(found["axes"], json!(["item", "round", "position", "layer", "width"]));
            let states = name.file_name().and_then(|name| name.to_str()).expect("a name");
            let told = turns(
                &run.join(&name)
                    .with_file_name(states.replace("states", "turns").replace("safetensors", "jsonl")),
            );
            assert_eq!(ids, told.iter().step_by(2).map(|turn| turn.item.clone()).collect::<Vec<_>>());
        }
    }
}

/// A table of a run: its rows by column.
fn table(run: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut csv = csv::Reader::from_path(run.join(format!("tables/{name}.csv"))).expect("a table");
    csv.deserialize().map(|row| row.expect("a row")).collect()
}

#[test]
fn the_control_of_random_weights_stands_beside_every_probe() {
    let desk = Desk::new();
    let (run, said) = desk.run("run");
    assert!(said.contains("tiny: concepts, untrained: 24 texts, "), "{said}");
    let kind: Value =
        serde_json::from_slice(&fs::read(run.join("probes/tiny/kind.json")).expect("scores")).expect("JSON");
    let figure = fs::read_to_string(run.join("figures/probe-auroc.csv")).expect("a figure");
    let rows = table(&run, "probes");
    for (row, layer) in rows.iter().zip(kind["layers"].as_array().expect("layers")) {
        let auroc = layer["untrained"]["auroc"]["value"].as_f64().expect("an AUROC");
        assert!((0.0..=1.0).contains(&auroc) && layer["cv"]["auroc"]["value"] != auroc);
        assert_eq!(row["untrained_auroc"], format!("{auroc:.4}"));
        assert!(row["untrained_low"] <= row["untrained_auroc"]);
        assert!(figure.contains(&format!(",baseline,untrained model,{},{auroc}", row["layer"])), "{figure}");
    }
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    assert!(page.contains("a probe of the untrained model (random weights) at its best layer"));

    // Without it the rest is the same.
    desk.study(&[("permutations = 10", "permutations = 10\nuntrained = false")]);
    let (without, _) = desk.run("without");
    assert!(!without.join("tiny/concepts/kind/untrained-00000.safetensors").exists());
    for (mut row, plain) in rows.into_iter().zip(table(&without, "probes")) {
        row.iter_mut().filter(|(name, _)| name.starts_with("untrained")).for_each(|(_, cell)| cell.clear());
        // Nor is it among what the probe does not beat.
        let doubts =
            row["doubts"].split(", ").filter(|doubt| *doubt != "untrained").collect::<Vec<_>>().join(", ");
        row.insert("doubts".into(), doubts);
        assert_eq!(row, plain);
    }
}

#[test]
fn states_of_random_weights_can_be_captured_alone() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let texts = read_lines(&desk.at("kind.jsonl"));
    let message =
        |line: &Value| json!({ "id": line["id"], "messages": [{ "role": "user", "content": line["text"] }] });
    write_lines(&desk.at("in.jsonl"), &texts.iter().map(message).collect::<Vec<_>>());
    let capture = |output: &str, more: &[&str]| {
        let usual = ["capture", "--model", "model", "--input", "in.jsonl", "--output", output];
        desk.recant(&[&usual[..], more].concat())
    };
    succeed(&mut capture("random.safetensors", &["--random-init", "3"]));
    succeed(&mut capture("trained.safetensors", &[]));
    assert_eq!(about(&desk.at("random.safetensors"))["weights_seed"], 3);
    assert_eq!(about(&desk.at("trained.safetensors"))["weights_seed"], Value::Null);
    for (file, name) in [("random", "untrained"), ("trained", "states")] {
        let found = &tensors(&desk.at(&format!("{file}.safetensors")))["resid_post"];
        let shard = run.join(format!("tiny/concepts/kind/{name}-00000.safetensors"));
        let expected = &tensors(&shard)["resid_post"];
        assert_eq!(found.values.len(), expected.values.len());
        for (found, expected) in found.rows().zip(expected.rows()) {
            close(found, expected, SAME, file);
        }
    }
    let both = capture("no.safetensors", &["--random-init", "3", "--adapter", "lora"]).output();
    assert_eq!(both.expect("the binary starts").status.code(), Some(2));
}

#[test]
fn a_flipped_byte_in_a_state_shard_is_reported_and_not_used() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    for name in ["tiny/bbq/negation/states-00001.safetensors", "tiny/concepts/kind/states-00000.safetensors"]
    {
        let path = run.join(name);
        let whole = fs::read(&path).expect("a shard");
        let page = fs::read(run.join("report.html")).expect("a page");
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("8 bytes")) as usize;
        let text = String::from_utf8_lossy(&whole[..header]).into_owned();
        let places = [
            ("the length of the header", 1),
            ("an item's name", text.find("item_ids").expect("item_ids") + 14),
            ("the run key", text.find("run_key").expect("run_key") + 14),
            ("the checksum", text.find("sha256").expect("sha256") + 13),
            ("the first number", header),
            ("a number in the middle", header + (whole.len() - header) / 2),
            ("the last number", whole.len() - 1),
        ];
        for (place, at) in places {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x02;
            fs::write(&path, &damaged).expect("a damaged shard");
            for verb in [vec!["run", "study.toml", "-o", "run"], vec!["report", "run"]] {
                let done = desk.recant(&verb).output().expect("the binary starts");
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                assert_eq!(done.status.code(), Some(2), "{place} of {name}: {said}");
                assert!(said.contains(&format!("error: run/{name}: ")), "{place} of {name}: {said}");
                assert!(
                    said.contains("hint: delete this shard and run the study again"),
                    "{place} of {name}: {said}"
                );
            }
            assert!(
                fs::read(run.join("report.html")).expect("a page") == page,
                "the page was made of damaged states"
            );
        }
        fs::remove_file(&path).expect("the shard is deleted, as the hint says");
        desk.run("run");
        assert!(fs::read(&path).expect("a shard") == whole, "the shard came back otherwise");
    }
}

#[test]
fn a_damaged_line_of_turns_is_reported_and_not_used() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let path = run.join("tiny/bbq/baseline/turns-00002.jsonl");
    let whole = fs::read_to_string(&path).expect("turns");
    let lines: Vec<&str> = whole.lines().collect();
    let damages = [
        ("a line that ends early", whole[..whole.len() - 40].to_string()),
        ("a line that is missing", lines[1..].join("\n") + "\n"),
        ("an empty file", String::new()),
    ];
    for (place, text) in damages {
        fs::write(&path, text).expect("damaged turns");
        let done = desk.recant(&["report", "run"]).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{place}: {said}");
        assert!(said.contains("tiny/bbq/baseline"), "{place}: {said}");
    }
}

/// The run is refused, and the page is not made anew.
fn refused_as_damaged(desk: &Desk, name: &str) {
    let done = desk.recant(&["report", "run"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{name}: {said}");
    assert!(said.contains(&format!("error: run/{name}: ")), "{said}");
}

#[test]
fn a_changed_digit_in_turns_is_reported_and_not_used() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let name = "tiny/bbq/baseline/turns-00001.jsonl";
    let text = fs::read_to_string(run.join(name)).expect("turns");
    let changed = text.replacen("\"logprobs\":[-1.", "\"logprobs\":[-2.", 1);
    assert_ne!(text, changed);
    fs::write(run.join(name), changed).expect("damaged turns");
    refused_as_damaged(&desk, name);
}

#[test]
fn a_shard_of_another_run_is_reported_and_not_used() {
    let desk = Desk::new();
    let name = "tiny/concepts/kind/states-00000.safetensors";
    let (run, _) = desk.run("run");
    desk.study(&[("seed = 3", "seed = 4"), ("max_new_tokens = 4", "max_new_tokens = 3")]);
    let (other, _) = desk.run("other");
    fs::copy(other.join(name), run.join(name)).expect("copied");
    refused_as_damaged(&desk, name);
}

#[test]
fn models_are_drawn_against_their_size_and_the_step_of_their_alignment() {
    let desk = Desk::new();
    let more = "[[models]]\nname = \"larger\"\npath = \"model\"\nsize = 2e6\nstep = 100\n\n[[tasks]]\nname = \"bbq\"";
    desk.study(&[
        ("path = \"model\"", "path = \"model\"\nrole = \"base\"\nsize = 1e6\nstep = 0"),
        ("[[tasks]]\nname = \"bbq\"", more),
    ]);
    let (run, _) = desk.run("run");
    for (figure, ticks) in [("score-by-size", ["1000000", "2000000"]), ("score-by-step", ["0", "100"])] {
        let csv = fs::read_to_string(run.join(format!("figures/{figure}.csv"))).expect("a figure");
        for part in ["tiny", "larger", "baseline", "negation"].iter().chain(&ticks) {
            assert!(csv.contains(part), "{figure} lacks {part}: {csv}");
        }
    }
    // The same weights: the same scores.
    let table = fs::read_to_string(run.join("tables/behaviour.csv")).expect("a table");
    let of = |model: &str| -> Vec<String> {
        let own = table.lines().filter(|line| line.starts_with(&format!("{model},")));
        own.map(|line| line.split_once(',').expect("cells").1.to_string()).collect()
    };
    assert!(!of("tiny").is_empty());
    assert_eq!(of("tiny"), of("larger"));
}

#[test]
fn the_order_of_options_is_measured_and_drawn() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let table = fs::read_to_string(run.join("tables/position_bias.csv")).expect("a table");
    assert!(table.lines().count() > 4 && table.contains("tiny,bbq,letter,baseline,0,3,a,"), "{table}");
    let mut csv = csv::Reader::from_path(run.join("figures/position-bias.csv")).expect("a figure");
    let shares: Vec<f64> = csv
        .records()
        .filter_map(|row| row.expect("a row").iter().rev().nth(2).and_then(|cell| cell.parse().ok()))
        .collect();
    assert!(shares.len() >= 6 && shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
}

//! Lenses: what they must show, through the library, and what a study with `[lens]` makes, through the binary.

mod common;

use std::fs;
use std::path::Path;

use common::study::Desk;
use common::{Array, Outcome, about, files, read_lines, succeed, tensors, tiny};
use recant::model::{Load, Model, Translators, words};
use recant::runner::perplexity::{PROSE, Texts};
use recant::runner::{Tally, tuned};
use recant::store::Turn;
use recant::text::Tokenizer;
use serde_json::Value;
use tch::{Kind, Tensor};

/// Log-probabilities are of the size of 10 and sums of a few; another grouping of rows moves them by far less.
const SAME: f32 = 1e-4;

const LENS: &str = "\n[lens]\nlimit = 2\ntuned = true\nsteps = 6\n";

/// A desk whose study looks through lenses.
fn desk(lens: &str) -> Desk {
    let desk = Desk::new();
    desk.study(&[("\n[run]\n", &format!("{lens}\n[run]\n"))]);
    desk
}

fn model() -> Model {
    tch::set_num_threads(1);
    Model::load(&tiny(), &Load::default()).expect("the fixture")
}

/// The turns of a condition.
fn turns(run: &Path, task: &str, condition: &str) -> Vec<Turn> {
    let dir = run.join("tiny").join(task).join(condition);
    let mut shards: Vec<_> =
        fs::read_dir(dir).expect("shards").map(|entry| entry.expect("an entry").path()).collect();
    shards.retain(|path| path.extension().is_some_and(|found| found == "jsonl"));
    shards.sort();
    let lines = shards.iter().flat_map(|path| read_lines(path));
    lines.map(|line| serde_json::from_value(line).expect("a turn")).collect()
}

/// What a layer says of an item, round and order.
fn said(array: &Array, [item, round, order, layer]: [usize; 4]) -> &[f32] {
    let [_, rounds, orders, layers, options] = array.shape[..] else { panic!("{:?}", array.shape) };
    &array.values[(((item * rounds + round) * orders + order) * layers + layer) * options..][..options]
}

#[test]
fn the_last_layer_says_what_the_run_says_and_a_run_looks_once() {
    let desk = desk(LENS);
    let (run, _) = desk.run("run");
    let mut compared = 0;
    for task in ["bbq", "winogender"] {
        for condition in ["baseline", "negation"] {
            let path = run.join("lens/tiny").join(task).join(format!("{condition}.safetensors"));
            let found = tensors(&path);
            let ids: Vec<String> = serde_json::from_value(about(&path)["item_ids"].clone()).expect("ids");
            let layers = found["logit"].shape[3];
            for turn in turns(&run, task, condition) {
                let Some(item) = ids.iter().position(|id| *id == turn.item) else { continue };
                for (order, expected) in turn.orders.iter().enumerate() {
                    for lens in ["logit", "tuned"] {
                        let own = said(&found[lens], [item, turn.round, order, layers - 1]);
                        for (a, b) in own.iter().zip(&expected.logprobs) {
                            assert!(
                                (a - *b as f32).abs() < SAME,
                                "{task}, {}: {own:?} {:?}",
                                turn.item,
                                expected.logprobs
                            );
                            compared += 1;
                        }
                    }
                    let first = said(&found["logit"], [item, turn.round, order, 0]);
                    assert!(first.iter().zip(&expected.logprobs).any(|(a, b)| (a - *b as f32).abs() > 0.01));
                }
            }
        }
    }
    assert!(compared > 100, "{compared}");
    for table in ["lens", "lens_layers", "lens_settling", "lens_tuned"] {
        let text = fs::read_to_string(run.join(format!("tables/{table}.csv"))).expect("a table");
        assert!(text.lines().count() > 2, "{table}");
    }
    for figure in ["lens-tiny-bbq", "lens-tiny-bbq-unknown", "lens-divergence"] {
        assert!(run.join(format!("figures/{figure}.svg")).is_file(), "{figure}");
    }

    let before = files(&run);
    let (_, told) = desk.run("run");
    assert!(!told.contains("lens"), "{told}");
    assert!(files(&run) == before, "nothing is done twice");

    let one = run.join("lens/tiny/bbq/negation.safetensors");
    let whole = fs::read(&one).expect("a lens");
    fs::remove_file(&one).expect("removed");
    let (_, told) = desk.run("run");
    assert!(told.contains("tiny: lens, 4 dialogues"), "{told}");
    assert!(fs::read(&one).expect("made again") == whole, "the same bytes");

    let mut damaged = whole;
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&one, damaged).expect("damaged");
    let refused = desk.recant(&["run", "study.toml", "-o", "run"]).output().expect("the binary starts");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("negation.safetensors"), "{told}");
    assert!(told.contains("the checksum does not fit") && told.contains("delete this shard"), "{told}");
}

#[test]
fn a_tuned_lens_is_nearer_to_the_end_on_held_out_text_and_the_same_again() -> Outcome {
    let (model, tokenizer) = (model(), Tokenizer::read(&tiny())?);
    let texts = Texts::new(&tokenizer, &[], &PROSE.lines().take(12).collect::<Vec<_>>().join("\n"))?;
    let tally = Tally::new(&|_, _| Ok(()));
    let train = |steps| {
        let mut taken = 0;
        let found = tuned::train(&model, &texts, (steps, 1), &tally, || {
            taken += 1;
            Ok(())
        });
        found.map(|found| (found, taken))
    };
    let ((maps, found), taken) = train(20)?;
    assert!((1..=20).contains(&taken));
    let (last, rest) = found.layers.split_last().ok_or("no layers")?;
    assert!(last.logit.abs() < 1e-6 && last.tuned.abs() < 1e-6 && last.steps == 0, "{last:?}");
    for layer in rest {
        assert!(layer.logit > 0.01 && layer.steps > 0 && layer.tuned < layer.logit, "{layer:?}");
    }
    assert!(found.trained > found.held_out && found.held_out > 0 && found.watched > 0);
    let ((again, told), _) = train(20)?;
    assert_eq!(found, told);
    assert!(maps.a == again.a && maps.b == again.b);
    Ok(())
}

#[test]
fn a_map_of_nought_is_the_logit_lens() -> Outcome {
    let model = model();
    let maps = Translators::identity(model.spec.n_layers, model.spec.d_model)?;
    let states = Tensor::randn([3, model.spec.d_model], (Kind::Float, tch::Device::Cpu));
    assert_eq!(model.unembed(&maps.apply(1, &states)?)?, model.unembed(&states)?);
    Ok(())
}

/// The token whose row of the unembedding is the longest; no row has a larger product with it (Cauchy and Schwarz).
fn longest(model: &Model) -> Result<(i64, Vec<f64>), Box<dyn std::error::Error>> {
    let rows = Vec::<Vec<f64>>::try_from(model.unembedding()?.to_kind(Kind::Double))?;
    let length = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>();
    let (id, row) =
        rows.iter().enumerate().max_by(|a, b| length(a.1).total_cmp(&length(b.1))).ok_or("no rows")?;
    Ok((id as i64, row.clone()))
}

#[test]
fn a_row_of_the_unembedding_speaks_for_its_own_token() -> Outcome {
    let model = model();
    let (id, row) = longest(&model)?;
    let found = words(&model, &[row.clone(), row.iter().map(|x| -x).collect()], 5)?;
    assert_eq!((found.len(), found[0].len()), (2, 5));
    assert_eq!(found[0][0].0, id);
    assert!((found[0][0].1 - row.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-4 * found[0][0].1);
    assert!(found[1].iter().all(|(other, _)| *other != id));
    assert!(found.iter().all(|words| words.windows(2).all(|pair| pair[0].1 >= pair[1].1)));
    let refused = words(&model, &[vec![1.0; 3]], 5).expect_err("another width").to_string();
    assert!(refused.contains("width 3"), "{refused}");

    let desk = Desk::new();
    let rows = Tensor::from_slice(&row).to_kind(Kind::Float).repeat([2, 1]);
    Tensor::write_safetensors(&[("w", &rows)], desk.at("w.safetensors"))?;
    let say = |more: &[&str]| {
        let start = ["model", "words", "model", "--direction", "w.safetensors", "--top", "3"];
        succeed(&mut desk.recant(&[&start, more].concat())).stdout
    };
    let json: Value = serde_json::from_slice(&say(&["--row", "1", "--json"]))?;
    assert_eq!(json[0]["highest"][0]["id"], id);
    assert_eq!((json.as_array().map(Vec::len), json[0]["row"].as_i64()), (Some(1), Some(1)));
    let (highest, lowest) = (&json[0]["highest"], &json[0]["lowest"]);
    assert!(lowest[0]["score"].as_f64() < highest[2]["score"].as_f64());
    assert_eq!(String::from_utf8(say(&[]))?.lines().count(), 2 * (1 + 3));
    assert_ne!(say(&["--normed", "--json"]), say(&["--json"]));
    let refused =
        desk.recant(&["model", "words", "model", "--direction", "w.safetensors", "--layer", "2"]).output()?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("2 directions for a model of 3 layers"), "{told}");
    Ok(())
}

#[test]
fn what_a_study_cannot_look_at_is_said_with_its_line() {
    for (lens, parts) in [
        ("\n[lens]\nconditions = [\"kind\"]\n", ["lens.conditions", "not among dialogue.conditions"]),
        ("\n[lens]\nlimit = 0\n", ["lens.limit", "must be at least 1"]),
        ("\n[lens]\nsteps = 0\n", ["lens.steps", "must be at least 1"]),
        ("\n[lens]\ntexts = \"prose.txt\"\n", ["lens.texts", "lens.tuned = true"]),
        ("\n[lens]\ntuned = true\ntexts = \"none.txt\"\n", ["lens.texts", "none.txt"]),
        ("\n[lens]\ntuned = true\ntexts = \"two.txt\"\n", ["lens.texts", "fewer than three"]),
        ("\n[lens]\nlayer = 3\n", ["lens", "layer"]),
    ] {
        let desk = desk(lens);
        fs::write(desk.at("two.txt"), "One line.\nAnother line.\n").expect("texts");
        let refused = desk.recant(&["run", "study.toml", "-o", "run"]).output().expect("the binary starts");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("study.toml: line "), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}

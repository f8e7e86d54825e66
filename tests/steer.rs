//! Interventions: what they must do to the numbers, through the library, and what `recant steer` makes, through the binary.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::study::Desk;
use common::{Outcome, close, copy, files, fixtures, read_lines, succeed, tensors, tiny};
use recant::analysis::summary::Sources;
use recant::dialogue::Script;
use recant::intervene::{change, direction, neurons, patch};
use recant::model::{Change, Chunk, Edit, Load, Model, Reach, Site, Spec, Want};
use recant::runner::bench::{self, Bench, OptionScores, Question};
use recant::runner::engine::{Engine, Request};
use recant::runner::study::{self, Ask};
use recant::runner::{Limits, Tally};
use recant::store::{RunDir, Turn};
use recant::study::steer::{Method, Source, Tokens};
use recant::study::{Arm, DEMO, Orders, Position, Scoring, Study};
use recant::task::{self, Item};
use recant::text::{ChatTemplate, Tokenizer};
use safetensors::SafeTensors;
use serde_json::Value;
use tch::{Kind, Tensor};

const LIMITS: Limits = Limits { batch_tokens: 1024, wave_tokens: 100_000, decode_rows: 128 };
const LAYERS: [usize; 3] = [0, 1, 2];
/// Log-probabilities are of the size of 10; another grouping of rows moves logits by about 1e-6 of that.
const SAME: f64 = 1e-5;

/// A model with items that it was asked for two rounds.
struct Stage {
    model: Model,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    arm: Arm,
    items: Vec<Item>,
    said: Vec<Turn>,
}

impl Stage {
    /// `task` is bbq, whose options are letters, or winogender, whose options are words of several tokens.
    fn new(task: &str, model: Model) -> Self {
        tch::set_num_threads(1);
        let study = Study::parse(DEMO, "demo").expect("the demo");
        let mut arm = study.arms().expect("conditions").swap_remove(1);
        arm.max_new_tokens = 4;
        let items = task::load(task, None, Some(&fixtures().join(task))).expect("items");
        let mut stage = Self {
            model,
            tokenizer: Tokenizer::read(&tiny()).expect("a tokenizer"),
            template: ChatTemplate::read(&tiny()).expect("a template"),
            arm,
            items: items.into_iter().step_by(if task == "bbq" { 9 } else { 1 }).take(4).collect(),
            said: Vec::new(),
        };
        let script = stage.script();
        let ask = Ask {
            arms: std::slice::from_ref(&stage.arm),
            readers: &[],
            rounds: 2,
            orders: Orders::Cyclic,
            scoring: &[Scoring::Letter],
            min_new_tokens: 0,
            sampling: None,
            samples: None,
            seed: 0,
            document: &[],
            sites: &[Site::ResidPost],
            layers: &LAYERS,
            positions: &[Position::Last],
        };
        let tally = Tally::new(&|_, _| Ok(()));
        let (outcomes, failures) =
            study::run(&stage.model, &script, &ask, &stage.items, LIMITS, &tally).expect("outcomes");
        assert!(failures.is_empty(), "{failures:?}");
        stage.said = outcomes.into_iter().flat_map(|outcome| outcome.turns).collect();
        stage
    }

    fn tiny(task: &str) -> Self {
        Self::new(task, Model::load(&tiny(), &Load::default()).expect("the fixture model"))
    }

    fn script(&self) -> Script<'_> {
        common::script(&self.tokenizer, &self.template, &self.model.spec.eos)
    }

    fn questions(&self, round: usize) -> Vec<Question> {
        let own = |item: &Item| {
            self.said.iter().filter(|turn| turn.item == item.id && turn.round <= round).collect::<Vec<_>>()
        };
        let said: Vec<Vec<&Turn>> = self.items.iter().map(own).collect();
        bench::questions(&self.script(), &self.items, &self.arm, &said, Scoring::Letter).expect("a replay")
    }

    fn scores(&self, questions: &[Question], sets: &[Vec<Edit>], tokens: Tokens) -> Vec<OptionScores> {
        scores(&self.model, questions, sets, tokens, LIMITS)
    }

    fn states(&self, questions: &[Question], site: Site) -> Tensor {
        let tally = Tally::new(&|_, _| Ok(()));
        let mut bench = Bench::new(&self.model, questions, LIMITS, &tally);
        bench.states(&[site], &LAYERS).expect("states").remove(0).1
    }
}

fn scores(
    model: &Model,
    questions: &[Question],
    sets: &[Vec<Edit>],
    tokens: Tokens,
    limits: Limits,
) -> Vec<OptionScores> {
    let tally = Tally::new(&|_, _| Ok(()));
    Bench::new(model, questions, limits, &tally).scores(sets, tokens).expect("scores")
}

/// A vector that is no multiple of anything in the model.
fn vector(layer: usize) -> Vec<f64> {
    direction::random(11, layer, 99, 16)
}

fn bits(scores: &OptionScores) -> Vec<u64> {
    scores.iter().flatten().map(|score| score.to_bits()).collect()
}

fn apart(a: &OptionScores, b: &OptionScores) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.fold(0.0, |worst, (a, b)| f64::max(worst, (a - b).abs()))
}

/// The option scores of a prompt from one pass over each whole sequence, under edits at marked tokens.
fn from_scratch(
    model: &Model,
    question: &Question,
    edits: &[Edit],
    marked: std::ops::Range<usize>,
) -> Vec<f64> {
    let options = &question.prompt.options;
    let score = |ids: &Vec<i64>| {
        let rows: Vec<i64> = (options.shared as i64 - 1..ids.len() as i64 - 1).collect();
        let want = Want {
            logit_rows: rows.clone(),
            edits: edits.to_vec().into(),
            marks: marked.clone().map(|at| (at as i64, 0)).collect(),
            ..Want::default()
        };
        let chunk = Chunk { ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
        let logits = model.forward(&[chunk], &want).expect("a pass").logits.expect("logits");
        let logprobs = logits.log_softmax(-1, Kind::Double);
        let new = ids[options.shared..].iter().enumerate();
        new.map(|(row, &id)| logprobs.double_value(&[row as i64, id])).sum()
    };
    options.ids.iter().map(score).collect()
}

#[test]
fn a_strength_of_zero_changes_no_bit() {
    for task in ["bbq", "winogender"] {
        let stage = Stage::tiny(task);
        let questions = stage.questions(0);
        assert!(questions.len() >= 4);
        for tokens in [Tokens::Last, Tokens::Prompt, Tokens::Every] {
            let set = |coefficient| {
                let add = |&layer: &usize| {
                    change::add(Site::ResidPost, layer, &vector(layer), coefficient, bench::reach(tokens))
                        .expect("an edit")
                };
                LAYERS.iter().map(add).collect::<Vec<_>>()
            };
            let found = stage.scores(&questions, &[Vec::new(), set(0.0), set(1.0), Vec::new()], tokens);
            assert_eq!(bits(&found[0]), bits(&found[1]), "{task} {tokens:?}");
            assert_eq!(bits(&found[0]), bits(&found[3]), "{task} {tokens:?}: nothing of an edit stays");
            assert!(
                apart(&found[0], &found[2]) > 1e-2,
                "{task} {tokens:?}: an edit that does nothing proves nothing"
            );
        }
    }
}

#[test]
fn the_bench_equals_whole_sequences_with_the_edit_at_its_tokens() {
    for task in ["bbq", "winogender"] {
        let stage = Stage::tiny(task);
        for round in [0, 1] {
            let questions = stage.questions(round);
            if task == "winogender" {
                assert!(
                    questions[0]
                        .prompt
                        .options
                        .ids
                        .iter()
                        .any(|ids| ids.len() > questions[0].prompt.ids.len() + 1)
                );
            }
            for tokens in [Tokens::Last, Tokens::Prompt, Tokens::Every] {
                for layer in [0, 2] {
                    let reach = bench::reach(tokens);
                    let edit =
                        change::add(Site::ResidMid, layer, &vector(layer), 1.5, reach).expect("an edit");
                    let found = &stage.scores(&questions, &[vec![edit.clone()]], tokens)[0];
                    let expected: OptionScores = questions
                        .iter()
                        .map(|question| {
                            let marked = if tokens == Tokens::Last {
                                question.end()
                            } else {
                                0..question.prompt.ids.len()
                            };
                            from_scratch(&stage.model, question, std::slice::from_ref(&edit), marked)
                        })
                        .collect();
                    let gap = apart(found, &expected);
                    assert!(gap < 2.0 * SAME, "{task}, round {round}, {tokens:?}, layer {layer}: {gap:e}");
                }
            }
        }
    }
}

#[test]
fn small_waves_give_the_same_scores() {
    let stage = Stage::tiny("bbq");
    let questions = stage.questions(0);
    let add = |layer| change::add(Site::AttnOut, layer, &vector(layer), 1.0, Reach::Marked).expect("an edit");
    let sets = [vec![add(0)], vec![add(2)]];
    let whole = stage.scores(&questions, &sets, Tokens::Last);
    let small = Limits { wave_tokens: 300, ..LIMITS };
    let tally = Tally::new(&|_, _| Ok(()));
    let mut bench = Bench::new(&stage.model, &questions, small, &tally);
    assert!(bench.waves() > 2);
    let found = bench.scores(&sets, Tokens::Last).expect("scores");
    found.iter().zip(&whole).for_each(|(found, whole)| assert!(apart(found, whole) < SAME));
}

#[test]
fn adding_after_the_last_block_is_the_head_of_the_sum() {
    let stage = Stage::tiny("bbq");
    let questions = stage.questions(0);
    let weights = tensors(&tiny().join("model.safetensors"));
    let (norm, head) = (&weights["model.norm.weight"].values, &weights["lm_head.weight"]);
    let states = stage.states(&questions, Site::ResidPost);
    let tokens = questions[0].end().len();
    assert_eq!(states.size()[0] as usize, tokens * questions.len());
    let row = |number: usize| ((number + 1) * tokens - 1) as i64;
    let v = vector(2);
    let edit = change::add(Site::ResidPost, 2, &v, 3.0, Reach::Marked).expect("an edit");
    let found = &stage.scores(&questions, &[vec![edit]], Tokens::Last)[0];
    for (number, question) in questions.iter().enumerate() {
        let x = Vec::<f32>::try_from(states.get(row(number)).get(2)).expect("a state");
        let x: Vec<f64> = x.iter().zip(&v).map(|(x, v)| f64::from(*x) + 3.0 * v).collect();
        let size = (x.iter().map(|x| x * x).sum::<f64>() / 16.0 + 1e-5).sqrt();
        let logit = |row: &[f32]| -> f64 {
            row.iter().zip(&x).zip(norm).map(|((w, x), n)| f64::from(*w) * x / size * f64::from(*n)).sum()
        };
        let logits: Vec<f64> = head.rows().map(logit).collect();
        let z = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        for (ids, found) in question.prompt.options.ids.iter().zip(&found[number]) {
            assert_eq!(ids.len(), question.prompt.ids.len() + 1, "the letter alone follows");
            let expected = logits[ids[ids.len() - 1] as usize] - z;
            assert!((found - expected).abs() < SAME, "question {number}: {found} is not {expected}");
        }
    }
}

#[test]
fn ablation_leaves_nothing_along_the_direction() {
    let stage = Stage::tiny("bbq");
    let ids = &stage.questions(0)[0].prompt.ids;
    let along = |edits: Vec<Edit>| -> Vec<f64> {
        let rows = (0..ids.len() as i64).collect();
        let want = Want {
            sites: vec![Site::ResidPost],
            layers: LAYERS.to_vec(),
            rows,
            edits: edits.into(),
            ..Want::default()
        };
        let chunk = Chunk { ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
        let output = stage.model.forward(&[chunk], &want).expect("a pass");
        let states = output.states[0].1.to_kind(Kind::Double); // (T, L, D)
        let largest = |&layer: &usize| {
            let x = states.select(1, layer as i64);
            let part = x.mv(&Tensor::from_slice(&vector(0))).abs()
                / x.norm_scalaropt_dim(2.0, [-1i64].as_slice(), false);
            part.max().double_value(&[])
        };
        LAYERS.iter().map(largest).collect()
    };
    let ablate =
        |&layer: &usize| change::ablate(Site::ResidPost, layer, &vector(0), Reach::Every).expect("an edit");
    let everywhere = along(LAYERS.iter().map(ablate).collect());
    assert!(everywhere.iter().all(|part| *part < 1e-5), "{everywhere:?}");
    let one = along(vec![ablate(&1)]);
    assert!(one[1] < 1e-5 && one[0] > 1e-2 && one[2] > 1e-2, "{one:?}");
}

#[test]
fn a_state_put_in_its_own_place_changes_no_bit() {
    for task in ["bbq", "winogender"] {
        let stage = Stage::tiny(task);
        let questions = stage.questions(0);
        for site in [Site::ResidPost, Site::AttnOut, Site::MlpOut] {
            let states = stage.states(&questions, site);
            let own = |only| patch::edits(site, &states, &LAYERS, only).expect("edits");
            let sets = [vec![own(Some(0)), own(Some(2)), own(None)], vec![Vec::new()]].concat();
            let found = stage.scores(&questions, &sets, Tokens::Last);
            for patched in &found[..3] {
                assert_eq!(bits(patched), bits(&found[3]), "{task} {site}");
            }
            let other = patch::edits(site, &(&states + 1.0), &LAYERS, None).expect("edits");
            assert!(apart(&stage.scores(&questions, &[other], Tokens::Last)[0], &found[3]) > 1e-3, "{site}");
        }
    }
}

#[test]
fn every_layer_of_a_later_round_gives_its_answers() {
    let stage = Stage::tiny("bbq");
    let (first, later) = (stage.questions(0), stage.questions(1));
    let states = stage.states(&later, Site::ResidPost);
    let expected = &stage.scores(&later, &[Vec::new()], Tokens::Last)[0];
    let all = patch::edits(Site::ResidPost, &states, &LAYERS, None).expect("edits");
    let one = patch::edits(Site::ResidPost, &states, &LAYERS, Some(0)).expect("edits");
    let found = stage.scores(&first, &[all, one, Vec::new()], Tokens::Last);
    assert!(apart(&found[0], expected) < 1e-6, "{:e}", apart(&found[0], expected));
    assert!(apart(&found[2], expected) > 1e-2, "the rounds must differ");
    assert!(apart(&found[1], expected) > 1e-3, "the first layer alone is not all of it");
    for turn in stage.said.iter().filter(|turn| turn.round == 1) {
        for order in &turn.orders {
            let item = stage.items.iter().position(|item| item.id == turn.item).expect("an item");
            let at = later.iter().position(|q| q.item == item && q.order == order.order).expect("asked");
            let gap =
                order.logprobs.iter().zip(&expected[at]).fold(0.0, |w, (a, b)| f64::max(w, (a - b).abs()));
            assert!(gap < 2.0 * SAME, "the replayed prompt is the recorded one: {gap:e}");
        }
    }
}

/// A copy of the fixture model whose up projection has some rows multiplied.
fn scaled_on_disk(dir: &Path, layer: usize, rows: &[i64], factor: f32) {
    copy(&tiny(), dir);
    let path = dir.join("model.safetensors");
    let mut bytes = fs::read(&path).expect("weights");
    let name = format!("model.layers.{layer}.mlp.up_proj.weight");
    let start = {
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        file.tensor(&name).expect("a tensor").data().as_ptr() as usize - bytes.as_ptr() as usize
    };
    for &row in rows {
        for column in 0..16 {
            let at = start + (row as usize * 16 + column) * 4;
            let value = f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
            bytes[at..at + 4].copy_from_slice(&(value * factor).to_le_bytes());
        }
    }
    fs::write(path, bytes).expect("weights are written");
}

#[test]
fn scaled_keys_are_the_weights_edited_on_disk_and_are_restored() {
    let mut stage = Stage::tiny("bbq");
    let questions = stage.questions(0);
    let desk = tempfile::tempdir().expect("a directory");
    scaled_on_disk(desk.path(), 1, &[3, 17], 10.0);
    let edited = Model::load(desk.path(), &Load::default()).expect("the edited model");
    let expected = &scores(&edited, &questions, &[Vec::new()], Tokens::Last, LIMITS)[0];
    let before = stage.scores(&questions, &[Vec::new()], Tokens::Last).remove(0);
    let chosen = neurons::Neurons::from([(1, vec![3, 17])]);
    neurons::change(&mut stage.model, Method::Keys, &chosen, 10.0).expect("keys");
    let found = stage.scores(&questions, &[Vec::new()], Tokens::Last).remove(0);
    assert!(apart(&found, expected) < 1e-6 && apart(&found, &before) > 1e-3);
    neurons::restore(&mut stage.model, &chosen).expect("restored");
    assert_eq!(bits(&stage.scores(&questions, &[Vec::new()], Tokens::Last)[0]), bits(&before));
    neurons::change(&mut stage.model, Method::Gates, &chosen, 1.0).expect("gates");
    assert!(apart(&stage.scores(&questions, &[Vec::new()], Tokens::Last)[0], &before) > 1e-3);
    neurons::restore(&mut stage.model, &chosen).expect("restored");
    assert_eq!(bits(&stage.scores(&questions, &[Vec::new()], Tokens::Last)[0]), bits(&before));
}

#[test]
fn the_nearest_neurons_are_those_that_write_along_the_direction() {
    let stage = Stage::tiny("bbq");
    let down = &tensors(&tiny().join("model.safetensors"))["model.layers.2.mlp.down_proj.weight"];
    let written: Vec<f64> = down.rows().map(|row| f64::from(row[13])).collect();
    let length = written.iter().map(|x| x * x).sum::<f64>().sqrt();
    let unit: Vec<f64> = written.iter().map(|x| x / length).collect();
    let along = direction::Along { unit, length: None };
    let by_layer = direction::ByLayer::from([(0, along.clone()), (2, along)]);
    let found = neurons::nearest(&stage.model, &by_layer, 3).expect("neurons");
    assert_eq!((found[0].0, found[0].1, found.len()), (2, 13, 3));
    assert!((found[0].2 - 1.0).abs() < 1e-6 && found[1].2 < 0.99 && found[1].2 >= found[2].2);
    let random = neurons::random(&neurons::by_layer(&found), 20, 0, 1);
    for (layer, own) in neurons::by_layer(&found) {
        assert_eq!(random[&layer].len(), own.len());
        assert!(own.iter().all(|neuron| !random[&layer].contains(neuron)));
    }
}

/// A direction that is known to work must beat what is drawn at random, or the comparison says nothing.
#[test]
fn a_planted_direction_beats_every_random_one() {
    let model = Model::random(&tiny(), &Load::default(), 5).expect("a random model");
    let stage = Stage::new("bbq", model);
    let questions = stage.questions(0);
    let letter = |place: usize| {
        let question = &questions[0];
        let ids = &question.prompt.options.ids[question.order[place]];
        ids[ids.len() - 1]
    };
    let states = stage.states(&questions, Site::ResidPost);
    let size = states.get(0).get(2).norm().double_value(&[]);
    let strength = 10.0 * size;
    let head = {
        // The unembedding as the model sees it: logits of states are read off unit vectors.
        let set = |k: usize| {
            let mut unit = vec![0.0f32; 16];
            unit[k] = size as f32;
            let table = Tensor::from_slice(&unit).unsqueeze(0).repeat([states.size()[0], 1]);
            vec![Edit {
                site: Site::ResidPost,
                layer: 2,
                reach: Reach::Marked,
                change: Change::Replace(table),
            }]
        };
        let found = stage.scores(&questions, &(0..16).map(set).collect::<Vec<_>>(), Tokens::Last);
        let odds = |scores: &OptionScores| {
            let order = &questions[0].order;
            scores[0][order[0]] - scores[0][order[1]]
        };
        found.iter().map(odds).collect::<Vec<f64>>()
    };
    assert_ne!(letter(0), letter(1));
    let length = head.iter().map(|x| x * x).sum::<f64>().sqrt();
    let planted: Vec<f64> = head.iter().map(|x| x / length).collect();
    let random = (0..20).map(|number| direction::random(0, 2, number, 16));
    let turned: Vec<f64> = planted.iter().map(|x| -x).collect();
    let sets: Vec<Vec<Edit>> = [planted, turned]
        .into_iter()
        .chain(random)
        .map(|unit| vec![change::add(Site::ResidPost, 2, &unit, strength, Reach::Marked).expect("an edit")])
        .collect();
    let found = stage.scores(&questions, &sets, Tokens::Last);
    let odds = |scores: &OptionScores| -> f64 {
        let of = |(scores, question): (&Vec<f64>, &Question)| {
            scores[question.order[0]] - scores[question.order[1]]
        };
        scores.iter().zip(&questions).map(of).sum::<f64>() / questions.len() as f64
    };
    let odds: Vec<f64> = found.iter().map(odds).collect();
    assert_eq!(odds.len(), 22);
    assert!(odds[2..].iter().all(|random| *random < odds[0] && *random > odds[1]), "{odds:?}");
}

const ENTRIES: &str = r#"
[[steer]]
name = "push"
method = "add"
direction = { concept = "kind" }
task = "bbq"
strengths = [-1, 1]
random = 3

[[steer]]
name = "shift"
method = "add"
direction = { rounds = [0, 1], condition = "negation" }
condition = "negation"
unit = "absolute"
layers = [0, -1]
position = "prompt"
strengths = [0, 2]
random = 2

[[steer]]
name = "cut"
method = "ablate"
direction = { concept = "kind" }
random = 2

[[steer]]
name = "swap"
method = "patch"
condition = "negation"

[[steer]]
name = "keys"
method = "keys"
direction = { concept = "kind" }
strengths = [1, 10]
neurons = 4
random = 2

[[steer]]
name = "matched"
method = "add"
direction = { concept = "kind" }
unit = "perplexity"
layers = [1]
strengths = [1.02]
random = 1
"#;

impl StudyDesk {
    fn new() -> Self {
        let desk = Desk::new();
        let lines: Vec<String> = common::tensors(&desk.at("model/model.safetensors"))
            .keys()
            .take(6)
            .map(|name| name.replace('.', " "))
            .collect();
        fs::write(desk.at("prose.txt"), lines.join("\n")).expect("the prose is written");
        let study = Self(desk);
        study.steer(ENTRIES);
        study
    }

    /// The small study with these interventions, whose perplexity is that of a few words.
    fn steer(&self, entries: &str) {
        let entries = entries.replace("[[steer]]\n", "[[steer]]\nperplexity = \"prose.txt\"\n");
        let changes = [
            ("limit = 4", "limit = 12"),
            // What is looked at here is not the analysis of the run.
            ("permutations = 10", "permutations = 0\ncontrols = 0\nuntrained = false"),
            ("shard_items = 3\n", &format!("shard_items = 3\n{entries}")),
        ];
        self.0.study(&changes);
    }

    fn done(&self, arguments: &[&str]) -> (String, String) {
        let done = succeed(&mut self.0.recant(&[&["steer", "study.toml", "-o", "run"], arguments].concat()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&done.stdout), text(&done.stderr))
    }

    fn cells(&self, name: &str) -> Vec<Value> {
        read_lines(&self.0.at(&format!("run/steer/{name}/cells.jsonl")))
    }

    /// One line, and a hint.
    fn refused(&self, words: &str) {
        let failed =
            self.0.recant(&["steer", "study.toml", "-o", "run"]).output().expect("the binary starts");
        let stderr = String::from_utf8_lossy(&failed.stderr).into_owned();
        let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains(words), "{words}: {stderr}");
        assert_eq!(failed.status.code(), Some(2), "{stderr}");
    }
}

struct StudyDesk(Desk);

fn results(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(&run.join("steer"))
}

#[test]
fn a_sweep_makes_what_is_documented_and_goes_on_where_it_was_cut_short() -> Outcome {
    let desk = StudyDesk::new();
    let (stdout, stderr) = desk.done(&[]);
    assert!(stdout.starts_with("name,model,task,condition,method,site"), "{stdout}");
    assert!(stderr.contains("push: ") && stderr.contains("peak memory"), "{stderr}");
    let run = desk.0.at("run");
    let whole = results(&run);
    let count = |name: &str, control: bool| {
        desk.cells(name).iter().filter(|cell| cell["control"].is_null() != control).count()
    };
    // Three layers by two strengths, and three random directions at each layer.
    assert_eq!((count("push", false), count("push", true)), (6, 9));
    assert_eq!((count("shift", false), count("shift", true)), (4, 2), "random ones at one layer");
    assert_eq!((count("cut", false), count("cut", true)), (4, 8), "three layers, and all at once");
    assert_eq!((count("swap", false), count("swap", true)), (12, 0), "three sites, three layers and all");
    assert_eq!((count("keys", false), count("keys", true)), (2, 2));
    assert_eq!(count("matched", false), 2, "both signs");
    let factor_one = &desk.cells("keys")[0];
    assert_eq!((&factor_one["strength"], &factor_one["moved"]["value"]), (&1.0.into(), &0.0.into()));
    for name in ["push", "shift", "cut", "swap", "keys"] {
        let moved = |cell: &Value| cell["moved"]["value"].as_f64().is_some_and(|moved| moved > 0.0);
        assert!(desk.cells(name).iter().any(moved), "{name}");
    }
    let about: Value = serde_json::from_str(&fs::read_to_string(run.join("steer/matched/about.json"))?)?;
    let alone = about["alone"]["perplexity"].as_f64().expect("a perplexity");
    let matched = desk.cells("matched");
    let found: Vec<&Value> =
        matched.iter().filter(|cell| cell["control"].is_null() && !cell["coefficient"].is_null()).collect();
    assert!(!found.is_empty(), "{matched:?}");
    for cell in found {
        let perplexity = cell["perplexity"].as_f64().expect("a perplexity");
        assert!(((perplexity / alone - 1.0) / 0.02 - 1.0).abs() <= 0.0501, "{cell}");
    }
    for cell in desk.cells("shift").iter().filter(|cell| cell["control"].is_null()) {
        let nothing = cell["strength"].as_f64() == Some(0.0);
        assert_eq!(cell["moved"]["value"].as_f64() == Some(0.0), nothing, "strength 0 and no other: {cell}");
    }
    let shift: Value = serde_json::from_str(&fs::read_to_string(run.join("steer/shift/about.json"))?)?;
    let all: Value = serde_json::from_str(&fs::read_to_string(run.join("steer/push/about.json"))?)?;
    assert!(shift["groups"].as_u64() < all["groups"].as_u64(), "only held-out groups are asked");
    for file in ["tables/steer.csv", "tables/patch.tex", "figures/steer-push-layers.png"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert!(fs::read_to_string(run.join("report.html"))?.contains("intervention push"));

    for (name, lines) in [("push", 5), ("cut", 3), ("swap", 4), ("keys", 1), ("shift", 2)] {
        let path = run.join(format!("steer/{name}/cells.jsonl"));
        let text = fs::read_to_string(&path)?;
        let kept: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
        assert!(kept.len() < text.len(), "{name} is cut");
        fs::write(&path, kept)?;
    }
    desk.done(&[]);
    let resumed = results(&run);
    for (name, bytes) in &whole {
        assert!(resumed[name] == *bytes, "{}", name.display());
    }

    // The directory is a run of the same study without interventions, and its report keeps them.
    let before = fs::read(run.join("tables/steer.csv"))?;
    fs::remove_file(run.join("tables/steer.csv"))?;
    succeed(&mut desk.0.recant(&["report", "run"]));
    assert_eq!(fs::read(run.join("tables/steer.csv"))?, before);

    // The direction of a concept is that of its probe.
    let file = "direction = { file = \"run/probes/tiny/kind.safetensors\" }";
    desk.steer(&ENTRIES.replacen("direction = { concept = \"kind\" }", file, 1));
    let concept = desk.cells("push");
    let (_, stderr) = desk.done(&["--only", "push"]);
    assert!(stderr.contains("done again"), "{stderr}");
    for (a, b) in concept.iter().zip(&desk.cells("push")) {
        let changes = |cell: &Value| {
            ["stereotype", "unknown", "moved"].map(|key| cell[key]["value"].as_f64().unwrap_or(0.0) as f32)
        };
        close(&changes(a), &changes(b), 1e-3, "probe and file");
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_an_intervention_is_said_in_a_line() {
    let desk = StudyDesk::new();
    let base = ENTRIES.split("[[steer]]").nth(1).expect("an entry");
    let with = |old: &str, new: &str| {
        assert!(base.contains(old), "{old}");
        desk.steer(&format!("[[steer]]{}", base.replace(old, new)));
    };
    for (old, new, words) in [
        ("concept = \"kind\"", "concept = \"cruel\"", "steer.direction: the study has no \"cruel\""),
        ("concept = \"kind\"", "rounds = [0, 5], condition = \"baseline\"", "the study has no round 5"),
        ("concept = \"kind\"", "rounds = [0, 1]", "lacks their condition"),
        ("concept = \"kind\"", "file = \"none.safetensors\"", "none.safetensors is not there"),
        ("concept = \"kind\"", "concept = \"kind\", file = \"x\"", "none or several"),
        ("method = \"add\"", "method = \"adds\"", "unknown variant `adds`"),
        ("method = \"add\"", "method = \"patch\"", "is not for patch"),
        ("strengths = [-1, 1]", "strengths = []", "steer.strengths: must be one number or more"),
        ("strengths = [-1, 1]", "unit = \"perplexity\"\nstrengths = [0.5]", "above 1"),
        ("strengths = [-1, 1]", "strengths = [1, 1.0]", "steer.strengths: names a number twice"),
        ("task = \"bbq\"", "neurons = 3", "steer.neurons: is no key of method add"),
        ("task = \"bbq\"", "from = 1", "steer.from: is no key of method add"),
        ("task = \"bbq\"", "held_out = 0.5", "steer.held_out: is for a direction of rounds or models alone"),
        (
            "method = \"add\"",
            "method = \"keys\"\nposition = \"last\"",
            "steer.position: is no key of method keys",
        ),
        (
            "method = \"add\"\n",
            "method = \"gates\"\nunit = \"norm\"\n",
            "steer.unit: is no key of method gates",
        ),
        ("task = \"bbq\"", "task = \"bbk\"", "the study has no \"bbk\""),
        ("task = \"bbq\"", "layers = [7]", "the model has 3 layers"),
        ("task = \"bbq\"", "site = \"attn_out\"", "not among capture.sites"),
    ] {
        with(old, new);
        desk.refused(words);
    }
    desk.steer("[[steer]]\nname = \"late\"\nmethod = \"patch\"\nfrom = 2\n");
    desk.refused("round 2 is no later round");
    Tensor::ones([1, 9], (Kind::Float, tch::Device::Cpu)).write_as(&desk.0.at("wide.safetensors"));
    with("concept = \"kind\"", "file = \"wide.safetensors\"");
    desk.refused("width 9 for a site of width 16");
    with("method = \"add\"", "method = \"keys\"");
    let study = fs::read_to_string(desk.0.at("study.toml")).expect("the study");
    fs::write(desk.0.at("study.toml"), study.replace("[run]\n", "[run]\nstream = true\n")).expect("written");
    desk.refused("steer.method: changes weights");
    assert!(!desk.0.at("run").exists(), "all of it is said before any work");
    desk.0.study(&[]);
    desk.refused("has no [[steer]] table");
}

/// One tensor as a file.
trait WriteAs {
    fn write_as(&self, path: &Path);
}

impl WriteAs for Tensor {
    fn write_as(&self, path: &Path) {
        Tensor::write_safetensors(&[("direction", self)], path).expect("the tensor is written");
    }
}

#[test]
fn the_rows_of_a_file_are_of_the_layers_that_it_names() {
    let spec = Spec::read(&tiny()).expect("the fixture model");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("d.safetensors");
    let found = |rows: i64, layers: Option<&[i64]>, tensor: Option<&str>| {
        let values = Tensor::arange(rows * 16, (Kind::Float, tch::Device::Cpu)).view([rows, 16]) + 1.0;
        let layers = layers.map(Tensor::from_slice);
        let named = layers.iter().map(|layers| ("layers", layers));
        let tensors: Vec<(&str, &Tensor)> = named.chain([("direction", &values)]).collect();
        Tensor::write_safetensors(&tensors, &path).expect("the file is written");
        let found = direction::of_file(&spec, Site::ResidPost, &path, tensor);
        found.map(|found| found.into_iter().map(|(layer, row)| (layer, row[0])).collect::<Vec<_>>())
    };
    let first = |row: f64| 16.0 * row + 1.0;
    assert_eq!(found(1, None, None).expect("one for all"), [(0, 1.0), (1, 1.0), (2, 1.0)]);
    let each = [(0, first(0.0)), (1, first(1.0)), (2, first(2.0))];
    assert_eq!(found(3, None, None).expect("one for each"), each);
    for tensor in [None, Some("direction")] {
        assert_eq!(found(1, Some(&[2]), tensor).expect("one that is named"), [(2, 1.0)]);
        let turned = [(0, first(1.0)), (2, first(0.0))];
        assert_eq!(found(2, Some(&[2, 0]), tensor).expect("two that are named"), turned);
    }
    for (rows, layers, words) in [
        (2, None, "holds 2 directions for a model of 3 layers"),
        (4, None, "holds 4 directions for a model of 3 layers"),
        (1, Some(&[3i64][..]), "the model has 3"),
        (2, Some(&[1i64, 1][..]), "names a layer twice"),
        (2, Some(&[1i64][..]), "layers names 1 layers for 2 directions"),
    ] {
        let error = found(rows, layers, None).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_mark_that_cannot_be_obeyed_is_an_error() {
    let stage = Stage::tiny("bbq");
    let mut engine = Engine::new(&stage.model, LIMITS);
    let marked =
        |slot| Request { ids: vec![5, 6, 7], logits: vec![2], marks: vec![(2, slot)], ..Request::default() };
    let error = engine.encode(&[marked(0), marked(1)], &[], &[]).err().expect("two slots").to_string();
    assert!(error.contains("shared with another sequence"), "{error}");
    engine.clear();
    engine.encode(&[marked(1), marked(1)], &[], &[]).expect("one slot");
    let error = engine.encode(&[marked(1)], &[], &[]).err().expect("encoded").to_string();
    assert!(error.contains("is encoded already"), "{error}");
}

#[test]
fn items_that_share_a_prompt_are_changed_alike() {
    let stage = Stage::tiny("bbq");
    let (first, later) = (stage.questions(0), stage.questions(1));
    let twice = |round| -> Vec<Question> {
        stage.questions(round).into_iter().chain(stage.questions(round)).collect()
    };
    let (first_twice, later_twice) = (twice(0), twice(1));
    patch::alike(&first_twice, &later_twice).expect("the same prompts go on alike");
    let patched = |first: &[Question], later: &[Question]| {
        let states = stage.states(later, Site::ResidPost);
        let all = patch::edits(Site::ResidPost, &states, &LAYERS, None).expect("edits");
        stage.scores(first, &[all], Tokens::Last).remove(0)
    };
    let (once, both) = (patched(&first, &later), patched(&first_twice, &later_twice));
    assert!(apart(&both[..first.len()].to_vec(), &once) < SAME);
    assert_eq!(both[..first.len()], both[first.len()..]);
    let other: Vec<Question> = later.into_iter().chain(stage.questions(0)).collect();
    assert!(patch::alike(&first_twice, &other).is_err(), "the same prompt goes on in two ways");
}

#[test]
fn a_direction_between_rounds_is_the_difference_of_means_over_groups_that_are_not_asked() -> Outcome {
    let desk = StudyDesk::new();
    desk.steer("");
    let (root, _) = desk.0.run("run");
    let study = Study::read(&desk.0.at("study.toml"))?;
    let run = RunDir::open(&root, &mut RunDir::manifest(&root)?)?;
    let all = task::load("bbq", None, Some(&desk.0.at("bbq")))?;
    let position = study.capture.positions.iter().position(|name| name == "last").expect("captured");
    // Of each item the states of both rounds, as the shards hold them.
    let (mut items, mut states): (Vec<Item>, Vec<[Vec<f32>; 2]>) = (Vec::new(), Vec::new());
    for shard in 0.. {
        let turns = root.join(format!("tiny/bbq/negation/turns-{shard:05}.jsonl"));
        if !turns.is_file() {
            break;
        }
        let mut ids: Vec<Value> = read_lines(&turns).into_iter().map(|turn| turn["item"].clone()).collect();
        ids.dedup();
        items.extend(ids.iter().map(|id| all.iter().find(|item| id == &item.id).expect("an item").clone()));
        let found = &tensors(&turns.with_file_name(format!("states-{shard:05}.safetensors")))["resid_post"];
        let [n, rounds, positions, layers, width] = found.shape[..] else { panic!("five axes") };
        assert_eq!((n, rounds, layers, width), (ids.len(), 2, 3, 16));
        let of = |item: usize, round: usize| {
            let start = ((item * rounds + round) * positions + position) * layers * width;
            found.values[start..start + layers * width].to_vec()
        };
        states.extend((0..n).map(|item| [of(item, 0), of(item, 1)]));
    }
    let groups: BTreeSet<&str> = items.iter().map(|item| item.group.as_str()).collect();
    let asked: HashSet<String> = groups.iter().step_by(2).map(|group| (*group).to_owned()).collect();
    assert!(asked.len() < groups.len());
    let mean_shift = |kept: &dyn Fn(&Item) -> bool| -> Vec<f64> {
        let own: Vec<_> = items.iter().zip(&states).filter(|(item, _)| kept(item)).collect();
        let shift = |place: usize| -> f64 {
            let shifts =
                own.iter().map(|(_, [first, second])| f64::from(second[place]) - f64::from(first[place]));
            shifts.sum::<f64>() / own.len() as f64
        };
        (0..48).map(shift).collect()
    };
    let tasks = [("bbq".to_owned(), items.clone())];
    let sources = Sources { run: &run, study: &study, tasks: &tasks, concepts: &[] };
    let spec = Spec::read(&tiny())?;
    let found = |from: usize, to: usize| -> Vec<f64> {
        let wanted = direction::Wanted {
            from: Source::Rounds(&[from, to], "negation"),
            model: ("tiny", &spec),
            task: 0,
            site: Site::ResidPost,
            asked: &asked,
        };
        let found = direction::find(&sources, &wanted).expect("a direction");
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), LAYERS);
        let raw = |along: &direction::Along| {
            let length = along.length.expect("a length");
            along.unit.iter().map(|x| x * length).collect::<Vec<f64>>()
        };
        found.values().flat_map(raw).collect()
    };
    let gap =
        |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |worst, (a, b)| f64::max(worst, (a - b).abs()));
    let expected = mean_shift(&|item| !asked.contains(&item.group));
    assert!(gap(&found(0, 1), &expected) < 1e-9, "from the first round to the second");
    let turned: Vec<f64> = expected.iter().map(|x| -x).collect();
    assert!(gap(&found(1, 0), &turned) < 1e-9);
    assert!(
        gap(&mean_shift(&|_| true), &expected) > 1e-3,
        "the groups that are asked would make a difference"
    );
    Ok(())
}

//! Alignment: its gradients and steps against torch, what it writes, and how it goes on.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::study::Desk;
use common::{files, fixtures, read_lines, succeed, tensors, tiny, varied, write_lines};
use recant::align::example::Example;
use recant::align::loss::{Logprobs, dpo};
use recant::align::save;
use recant::align::trainer::{Objective, Settings, Trainer, measure};
use recant::model::AdamW;
use recant::model::{Chunk, Load, Model, Rank, Tuning};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

fn load(kind: Kind) -> Model {
    Model::load(&tiny(), &Load { kind, ..Load::default() }).expect("the fixture model")
}

fn all_of(low_rank: Option<Rank>) -> Tuning {
    Tuning { low_rank, targets: Vec::new(), seed: 5 }
}

fn numbers(value: &Value) -> Vec<i64> {
    serde_json::from_value(value.clone()).expect("token ids")
}

/// The pairs of the fixture.
fn pairs(fixture: &Value) -> Vec<Example> {
    let one = |(i, pair): (usize, &Value)| Example {
        id: format!("p{i}"),
        item: format!("p{i}"),
        group: format!("g{i}"),
        category: "made up".into(),
        trunk: numbers(&pair["trunk"]),
        answer_start: pair["answer_start"].as_u64().expect("a place") as usize,
        chosen: numbers(&pair["chosen"]),
        rejected: numbers(&pair["rejected"]),
    };
    fixture["examples"].as_array().expect("pairs").iter().enumerate().map(one).collect()
}

fn settings(fixture: &Value, objective: Objective, batch_tokens: usize, checkpoint: bool) -> Settings {
    let of = |key: &str| fixture["settings"][key].as_f64().expect("a number");
    Settings {
        objective,
        learning_rate: of("learning_rate"),
        warmup: of("warmup") as usize,
        max_grad_norm: of("max_grad_norm"),
        batch: of("batch") as usize,
        batch_tokens,
        checkpoint,
        seed: 1,
    }
}

fn fixture() -> Value {
    let text = fs::read_to_string(fixtures().join("alignment.json")).expect("the fixture");
    serde_json::from_str(&text).expect("JSON")
}

fn near(found: f64, expected: f64, what: &str) {
    // The model holds its frequencies in f32, as transformers does; all else is f64.
    assert!((found - expected).abs() <= 2e-6 * expected.abs().max(0.1), "{what}: {found}, torch {expected}");
}

/// The mean loss of DPO in f64.
fn formula(own: &[Logprobs], reference: &[Logprobs], beta: f64) -> f64 {
    let losses = own.iter().zip(reference).map(|(own, reference)| dpo(own.margin(*reference, beta)));
    losses.sum::<f64>() / own.len() as f64
}

#[test]
fn steps_are_those_of_torch() {
    let fixture = fixture();
    let examples = pairs(&fixture);
    let beta = fixture["settings"]["beta"].as_f64().expect("a number");
    for (name, objective) in [("dpo", Objective::Dpo(beta)), ("sft", Objective::Sft)] {
        // All pairs in one pass; and few tokens a pass, so that gradients gather, with blocks computed again.
        for (batch_tokens, checkpoint) in [(1000, false), (9, true)] {
            let expected = &fixture[name];
            let mut model = load(Kind::Double);
            let reference = measure(&model, &examples, 1000, |_| Ok(())).expect("a reference");
            let side = |pair: &Value, at: usize| pair[at].as_f64().expect("a number");
            for (found, pair) in reference.iter().zip(expected["reference"].as_array().expect("pairs")) {
                near(found.chosen, side(pair, 0), "chosen, before");
                near(found.rejected, side(pair, 1), "rejected, before");
            }
            let parameters = model.tune(&all_of(None)).expect("parameters");
            let weight_decay = fixture["settings"]["weight_decay"].as_f64().expect("a number");
            let settings = settings(&fixture, objective, batch_tokens, checkpoint);
            let mut trainer = Trainer::new(model, parameters, weight_decay, settings, &examples, &reference)
                .expect("a trainer");
            for (i, step) in expected["steps"].as_array().expect("steps").iter().enumerate() {
                let what = format!("{name}, {batch_tokens} tokens a pass, step {}", i + 1);
                let own = measure(&trainer.model, &examples, 1000, |_| Ok(())).expect("log-probabilities");
                let found = trainer.step().expect("a step");
                near(found.loss, step["loss"].as_f64().expect("a loss"), &what);
                near(found.grad_norm, step["grad_norm"].as_f64().expect("a norm"), &what);
                if let Objective::Dpo(beta) = objective {
                    assert!(
                        (found.loss - formula(&own, &reference, beta)).abs() < 1e-10,
                        "{what}: the formula"
                    );
                }
            }
            let after = measure(&trainer.model, &examples, 1000, |_| Ok(())).expect("log-probabilities");
            for (found, pair) in after.iter().zip(expected["after"].as_array().expect("pairs")) {
                near(found.chosen, side(pair, 0), "chosen, after");
                near(found.rejected, side(pair, 1), "rejected, after");
            }
        }
    }
}

#[test]
fn the_loss_has_the_slope_of_differences_and_the_value_of_the_formula() {
    let fixture = fixture();
    let (examples, beta) = (pairs(&fixture), 0.3);
    let mut model = load(Kind::Double);
    let reference = measure(&model, &examples, 1000, |_| Ok(())).expect("a reference");
    let parameters = model.tune(&all_of(Some(Rank { r: 3, alpha: 6.0 }))).expect("parameters");
    // Where B is nought A has no gradient: set both off.
    for (i, parameter) in parameters.iter().enumerate() {
        let wave: Vec<f64> =
            (0..parameter.tensor.numel()).map(|k| 0.05 * ((k + 7 * i) as f64 * 0.7).sin()).collect();
        let shifted = Tensor::from_slice(&wave).view_as(&parameter.tensor);
        tch::no_grad(|| {
            let _ = parameter.tensor.shallow_clone().g_add_(&shifted);
        });
    }
    let loss = |model: &Model| {
        let own = measure(model, &examples, 1000, |_| Ok(())).expect("log-probabilities");
        formula(&own, &reference, beta)
    };
    let settings = settings(&fixture, Objective::Dpo(beta), 1000, false);
    // A rate of nought: the step takes gradients and moves nothing.
    let settings = Settings { learning_rate: 0.0, max_grad_norm: f64::MAX, ..settings };
    let copies: Vec<Tensor> = parameters.iter().map(|p| p.tensor.shallow_clone()).collect();
    let mut trainer =
        Trainer::new(model, parameters, 0.0, settings, &examples, &reference).expect("a trainer");
    let step = trainer.step().expect("a step");
    assert!((step.loss - loss(&trainer.model)).abs() < 1e-12, "{} {}", step.loss, loss(&trainer.model));
    // The optimiser's mean of gradients after one step is a tenth of the gradient.
    let state = trainer.optimiser.tensors().expect("tensors");
    let (mut square, mut checked) = (0.0, 0);
    for (i, tensor) in copies.iter().enumerate() {
        let gradient = (&state[3 * i + 1].1 * 10.0).flatten(0, -1);
        square += (&gradient * &gradient).sum(Kind::Double).double_value(&[]);
        for k in [0, tensor.numel() as i64 / 2] {
            let nudge = |by: f64| {
                tch::no_grad(|| {
                    let mut entry = tensor.flatten(0, -1).get(k);
                    let _ = entry.g_add_scalar_(by);
                });
                loss(&trainer.model)
            };
            let (up, down) = (nudge(1e-5), nudge(-2e-5));
            nudge(1e-5);
            let (found, measured) = (gradient.double_value(&[k]), (up - down) / 2e-5);
            assert!((found - measured).abs() < 1e-8 + 1e-5 * measured.abs(), "{i} {k}: {found} {measured}");
            checked += usize::from(measured.abs() > 1e-6);
        }
    }
    assert!(checked > 20, "only {checked} slopes are not nought");
    assert!((square.sqrt() - step.grad_norm).abs() < 1e-9 * step.grad_norm);
}

#[test]
fn answers_side_by_side_are_what_each_is_by_itself() {
    let model = load(Kind::Float);
    let examples = pairs(&fixture());
    let together = measure(&model, &examples, 1000, |_| Ok(())).expect("log-probabilities");
    let alone = |trunk: &[i64], answer: &[i64]| -> f64 {
        let ids = [trunk, answer].concat();
        let targets: Vec<(i64, i64)> = (trunk.len()..ids.len()).map(|at| (at as i64 - 1, ids[at])).collect();
        let chunk = Chunk { ids: &ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
        model.logprobs_of(&[chunk], &targets).expect("log-probabilities").iter().sum()
    };
    for (example, found) in examples.iter().zip(together) {
        let Logprobs { chosen, rejected } = found;
        let (a, b) = (alone(&example.trunk, &example.chosen), alone(&example.trunk, &example.rejected));
        assert!((chosen - a).abs() < 1e-4 && (rejected - b).abs() < 1e-4, "{chosen} {a}, {rejected} {b}");
        assert!((a - b).abs() > 1e-2, "two answers that cannot be told apart prove nothing");
    }
}

/// Logits after some tokens.
fn logits(model: &Model) -> Vec<f32> {
    let ids = [5, 9, 33, 120, 7, 64];
    let want = recant::model::Want { logit_rows: vec![1, 5], ..Default::default() };
    let chunk = Chunk { ids: &ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
    let found = model.forward(&[chunk], &want).expect("a pass").logits.expect("logits");
    Vec::try_from(found.flatten(0, -1)).expect("values")
}

#[test]
fn what_was_learnt_is_the_same_applied_merged_and_loaded_as_an_adapter() {
    let dir = tempfile::tempdir().expect("a directory");
    let rank = Rank { r: 2, alpha: 6.0 };
    let mut model = load(Kind::Float);
    let before = logits(&model);
    let tuning = Tuning { targets: vec!["q_proj".into(), "down_proj".into()], ..all_of(Some(rank)) };
    let parameters = model.tune(&tuning).expect("parameters");
    assert_eq!(logits(&model), before, "B is nought: nothing is changed yet");
    for parameter in &parameters {
        let wave: Vec<f32> = (0..parameter.tensor.numel()).map(|k| 0.3 * (k as f32 * 1.3).sin()).collect();
        let wave = Tensor::from_slice(&wave).view_as(&parameter.tensor);
        tch::no_grad(|| parameter.tensor.shallow_clone().copy_(&wave));
    }
    let applied = logits(&model);
    varied(&applied, "logits");
    assert!(common::difference(&applied, &before) > 1e-2, "the change is seen");
    let (adapter, merged) = (dir.path().join("adapter"), dir.path().join("merged"));
    save::directory(&adapter, |dir| save::adapter(dir, &model, &tiny(), rank, &parameters)).expect("saved");
    save::directory(&merged, |dir| save::checkpoint(dir, &mut model, &tiny())).expect("saved");
    let how = Load { adapter: Some(adapter.clone()), ..Load::default() };
    common::close(&logits(&Model::load(&tiny(), &how).expect("an adapter")), &applied, 1e-5, "as an adapter");
    let whole = Model::load(&merged, &Load::default()).expect("a checkpoint");
    common::close(&logits(&whole), &applied, 1e-5, "merged");
    assert!(merged.join("tokenizer.json").is_file() && merged.join("config.json").is_file());

    // PEFT's own layout: names, shapes and settings.
    let config: Value =
        serde_json::from_str(&fs::read_to_string(adapter.join("adapter_config.json")).expect("read"))
            .expect("JSON");
    assert_eq!(config["target_modules"], json!(["down_proj", "q_proj"]));
    assert_eq!((&config["r"], &config["peft_type"]), (&json!(2), &json!("LORA")));
    let stored = tensors(&adapter.join("adapter_model.safetensors"));
    assert_eq!(stored.len(), parameters.len());
    let a = &stored["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"];
    assert_eq!(a.shape[0], 2);
}

/// `[align]` for the study of [`Desk`].
const ALIGN: &str = "\n[align]\noutput = \"aligned\"\nrank = 2\nlearning_rate = 0.01\nwarmup = 2\nbatch = 4\nbatch_tokens = 400\n\
                     steps = 4\nsave_every = 2\nheld_out_pairs = 6\n\n[[align.pairs]]\ntask = \"bbq\"\npath = \"bbq\"\ncategories = [\"Age\", \"Nationality\"]\n";

/// A desk whose study aligns.
fn desk(changes: &[(&str, &str)]) -> Desk {
    let desk = Desk::new();
    let mut align = ALIGN.to_string();
    for (old, new) in changes {
        assert!(align.contains(old), "{old}");
        align = align.replacen(old, new, 1);
    }
    let study = fs::read_to_string(desk.at("study.toml")).expect("the study");
    fs::write(desk.at("study.toml"), study + &align).expect("written");
    desk
}

#[test]
fn killed_or_cut_short_it_ends_with_the_same_bytes_as_undisturbed() {
    let desk = desk(&[]);
    let align =
        |output: &str, more: &[&str]| desk.recant(&[&["align", "study.toml", "-o", output], more].concat());
    let said = succeed(&mut align("whole", &[]));
    let line: Value = serde_json::from_slice(&said.stdout).expect("a line of JSON");
    assert_eq!(line["steps"], 4);
    assert!(line["peak_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000));
    let whole = files(&desk.at("whole"));
    for name in ["step-00002", "step-00004"] {
        assert!(whole.contains_key(&Path::new(name).join("adapter_model.safetensors")), "{name}");
    }
    let log = read_lines(&desk.at("whole/log.jsonl"));
    assert_eq!(log.iter().map(|step| step["step"].clone()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let held = read_lines(&desk.at("whole/held-out.jsonl"));
    assert_eq!(held.len(), 3 * 6, "six pairs at steps 0, 2 and 4");

    // Two steps now, two later.
    succeed(&mut align("parts", &["--steps", "2"]));
    succeed(&mut align("parts", &["--steps", "4"]));
    same(&files(&desk.at("parts")), &whole, "in two parts");

    // Killed as soon as something is there, at several stages.
    let mut killed = 0;
    for wait_for in ["manifest.json", "reference.safetensors", "step-00002", "state.safetensors"] {
        let output = format!("killed-{wait_for}");
        let mut child = align(&output, &[]).spawn().expect("started");
        while !desk.at(&output).join(wait_for).exists() && child.try_wait().expect("asked").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        killed += usize::from(child.wait().expect("gone").code().is_none());
        succeed(&mut align(&output, &[]));
        same(&files(&desk.at(&output)), &whole, &format!("killed when {wait_for} was there"));
    }
    assert!(killed >= 2, "only {killed} runs were killed before their end");
}

fn same(
    found: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>,
    whole: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>,
    what: &str,
) {
    let names =
        |files: &std::collections::BTreeMap<_, _>| files.keys().cloned().collect::<Vec<std::path::PathBuf>>();
    assert_eq!(names(found), names(whole), "{what}");
    for (name, bytes) in found {
        assert!(*bytes == whole[name], "{what}: {} differs", name.display());
    }
}

#[test]
fn saved_steps_are_models_of_a_study() {
    let desk = desk(&[("steps = 4", "steps = 2"), ("rank = 2", "rank = 2\nmerged = true")]);
    succeed(&mut desk.recant(&["align", "study.toml"]));
    write_lines(&desk.at("in.jsonl"), &[json!({ "id": "a", "ids": [5, 9, 33, 120] })]);
    let capture = |more: &[&str], output: &str| {
        let given = ["capture", "--input", "in.jsonl", "--output", output, "--logits"];
        succeed(&mut desk.recant(&[&given, more].concat()));
        tensors(&desk.at(output))["logits"].values.clone()
    };
    let base = capture(&["--model", "model"], "base.safetensors");
    let adapter = capture(&["--model", "model", "--adapter", "aligned/step-00002"], "adapter.safetensors");
    let merged = capture(&["--model", "aligned/step-00002/merged"], "merged.safetensors");
    common::close(&merged, &adapter, 1e-5, "merged and as an adapter");
    assert!(common::difference(&adapter, &base) > 1e-4, "two steps change something");
}

#[test]
fn a_study_follows_its_alignment_step_by_step() {
    let desk = desk(&[]);
    let study = fs::read_to_string(desk.at("study.toml")).expect("the study");
    let models = "name = \"tiny\"\npath = \"model\"\nstep = 0\n\n[[models]]\nname = \"after\"\npath = \"model\"\n\
                  adapter = \"aligned/step-00004\"\nstep = 4\n";
    fs::write(desk.at("study.toml"), study.replace("name = \"tiny\"\npath = \"model\"\n", models))
        .expect("written");
    let early = desk.recant(&["run", "study.toml"]).output().expect("started");
    let said = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(
        !early.status.success() && said.contains("is not there yet") && said.contains("recant align"),
        "{said}"
    );
    succeed(&mut desk.recant(&["align", "study.toml"]));
    let (run, _) = desk.run("run");
    let read =
        |name: &str| fs::read_to_string(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let table = read("tables/alignment.csv");
    let steps: Vec<&str> = table.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(steps, ["0", "2", "4"]);
    let first = table.lines().nth(1).expect("step 0");
    assert!(
        first.contains(",0.6931,") && first.contains(",0.0000,"),
        "before training every loss is log 2: {first}"
    );
    assert!(run.join("figures/alignment.svg").is_file() && run.join("figures/score-by-step.svg").is_file());
    let page = read("report.html");
    assert!(page.contains("Alignment of tiny (DPO, LoRA of rank 2, 4 steps of 4 pairs)"));
    assert!(page.contains("it is no safety training"));
    // Random weights hang on the checkpoint's shapes, which both models share.
    let untrained = |model: &str| fs::read(run.join(model).join("concepts/kind/untrained-00000.safetensors"));
    assert_eq!(untrained("tiny").expect("read"), untrained("after").expect("read"));
}

#[test]
fn supervised_training_has_no_margin_and_settings_that_do_not_fit_are_left_out() {
    let desk = desk(&[("rank = 2", "rank = 2\nmethod = \"sft\"")]);
    let said = succeed(&mut desk.recant(&["align", "study.toml"]));
    let line: Value = serde_json::from_slice(&said.stdout).expect("a line of JSON");
    assert!(line["margin"].is_null() && line["loss"].as_f64().is_some_and(|loss| loss > 0.0));
    let (run, _) = desk.run("run");
    let table = fs::read_to_string(run.join("tables/alignment.csv")).expect("the table");
    assert!(table.contains("lead") && !table.contains("margin"), "{table}");
    let curves = fs::read_to_string(run.join("figures/alignment.csv")).expect("the figure's numbers");
    assert!(curves.contains("Training loss"), "{curves}");
    assert!(
        !curves.lines().any(|line| line.contains("Pairs ranked right") && line.contains("training batch"))
    );

    let study = fs::read_to_string(desk.at("study.toml")).expect("the study");
    fs::write(desk.at("study.toml"), study.replace("method = \"sft\"", "beta = 0.2")).expect("written");
    let (other, _) = desk.run("other");
    assert!(!other.join("tables/alignment.csv").exists());
    let page = fs::read_to_string(other.join("report.html")).expect("the page");
    assert!(
        page.contains("was made with other settings") && page.contains("align."),
        "the difference is named"
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_every_step() {
    let desk = desk(&[("steps = 4", "steps = 4000"), ("save_every = 2", "save_every = 1000")]);
    let mut child = desk.recant(&["align", "study.toml"]).spawn().expect("started");
    while !desk.at("aligned/saved.jsonl").exists() && child.try_wait().expect("asked").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    // SAFETY: the process is ours and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().expect("gone").code(), Some(130));
    let taken = read_lines(&desk.at("aligned/log.jsonl")).len();
    assert!(taken > 0 && taken < 1000, "{taken} steps were kept");
    assert_eq!(common::about(&desk.at("aligned/state.safetensors"))["step"], taken);
    let steps = (taken + 1).to_string();
    succeed(&mut desk.recant(&["align", "study.toml", "--steps", &steps]));
    assert_eq!(read_lines(&desk.at("aligned/log.jsonl")).len(), taken + 1);
    assert!(desk.at(&format!("aligned/step-{:05}", taken + 1)).is_dir());
}

#[test]
fn whole_weights_can_be_learnt() {
    let desk = desk(&[("rank = 2", "tune = \"full\""), ("steps = 4", "steps = 2"), ("0.01", "0.001")]);
    succeed(&mut desk.recant(&["align", "study.toml"]));
    let model = Model::load(&desk.at("aligned/step-00002"), &Load::default()).expect("a checkpoint");
    assert!(common::difference(&logits(&model), &logits(&load(Kind::Float))) > 1e-4);
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let refused = |desk: &Desk, arguments: &[&str], why: &str| {
        let output = desk.recant(arguments).output().expect("started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
        let errors = said.lines().filter(|line| line.starts_with("error:")).count();
        assert_eq!(errors, 1, "{said}");
        assert!(said.lines().any(|line| line.starts_with("hint:")), "{said}");
    };
    refused(&Desk::new(), &["align", "study.toml"], "no [align] table");
    let unknown = desk(&[("rank = 2", "rank = 2\ntargets = [\"q_prj\"]")]);
    refused(&unknown, &["align", "study.toml"], "q_prj");
    let stopped = desk(&[("steps = 4", "steps = 2")]);
    succeed(&mut stopped.recant(&["align", "study.toml"]));
    let study = fs::read_to_string(stopped.at("study.toml")).expect("the study");
    fs::write(stopped.at("study.toml"), study.replace("rank = 2", "rank = 3")).expect("written");
    refused(&stopped, &["align", "study.toml"], "align.rank");
    let loud = desk(&[("0.01", "1e30")]);
    refused(&loud, &["align", "study.toml"], "not finite");
}

#[test]
fn an_optimiser_goes_on_from_its_state() {
    let run = |stops: bool| {
        let mut model = load(Kind::Float);
        let parameters = model.tune(&all_of(Some(Rank { r: 1, alpha: 1.0 }))).expect("parameters");
        let mut adam = AdamW::new(parameters, 0.1).expect("an optimiser");
        let mut taken = Vec::new();
        for step in 0..4 {
            let ids = [3, 1, 4, 1, 5];
            let chunk = Chunk { ids: &ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
            model
                .learn(&[chunk], &[(step, 9)], false, |logprobs| Ok(logprobs.sum(Kind::Float)))
                .expect("a pass");
            taken.push(adam.step(0.05, 1.0).expect("a step"));
            if stops && step == 1 {
                let kept = adam.tensors().expect("tensors");
                let copies: Vec<(String, Tensor)> = kept.iter().map(|(n, t)| (n.clone(), t.copy())).collect();
                model = load(Kind::Float);
                let parameters = model.tune(&all_of(Some(Rank { r: 1, alpha: 1.0 }))).expect("parameters");
                adam = AdamW::new(parameters, 0.1).expect("an optimiser");
                let read = |name: &str, _: &[i64]| {
                    Ok(copies.iter().find(|(known, _)| known == name).expect("there").1.shallow_clone())
                };
                adam.restore(2, read).expect("restored");
            }
        }
        (taken, logits(&model))
    };
    assert_eq!(run(true), run(false));
}

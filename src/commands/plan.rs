//! `recant plan`: what a study takes, before any weight is read.

use std::time::Instant;

use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::dialogues::Asking;
use super::loaded::{Loaded, Setting, how_to_load};
use super::run::limited;
use crate::cli::run::Plan;
use crate::model::{Layers, Load, Model, Site, Spec, device};
use crate::printer::Printer;
use crate::runner::plan::{self, Cost};
use crate::runner::{Limits, Tally, concept as concept_states, study as dialogues};
use crate::study::{ModelEntry, Study};
use crate::task::Item;
use crate::task::concept::Concept;
use crate::{Error, Result};

/// Items of a task whose dialogues are counted, as if run together; the others are taken to be like them.
const SAMPLE: usize = 16;

/// What a part of the work of one model takes.
struct Estimate {
    model: String,
    work: Work,
    cost: Cost,
    flops: f64,
    seconds: Option<f64>,
    disk: f64,
}

enum Work {
    /// The dialogues on a task.
    Dialogues { task: String, items: usize, dialogues: usize },
    /// The texts of a concept, read with the checkpoint's weights or with random ones.
    Texts { concept: String, untrained: bool, texts: usize },
}

/// Counts and prints.
///
/// # Errors
/// A bad study; with a trial also a checkpoint that cannot be loaded.
pub fn run(args: &Plan, printer: Printer) -> Result<()> {
    let study = limited(Study::read(&args.study)?, args.limit);
    let loaded = Loaded::new(&study)?;
    let settings = loaded.check()?;
    let mut estimates = Vec::new();
    let mut memory = Vec::new();
    for (entry, setting) in study.models.iter().zip(&settings) {
        let spec = Spec::read(&entry.path)?;
        let trial = args.trial.map(|n| Trial::new(&study, entry, n)).transpose()?;
        let machine = Machine::measure(&study, &spec)?;
        let planned = Planned { study: &study, entry, setting, spec: &spec };
        for (task, items) in &loaded.tasks {
            estimates.push(planned.estimate(task, items, &machine, trial.as_ref())?);
        }
        for concept in &loaded.concepts {
            estimates.extend(planned.texts(concept, &machine, trial.as_ref())?);
        }
        memory.push((entry.name.clone(), held(&study, entry, &spec)?));
    }
    if args.json {
        printer.data(format!("{:#}", as_json(&estimates, &memory)));
    } else {
        show(&estimates, &memory, args.trial, printer);
    }
    Ok(())
}

/// A model of a study that is not loaded.
struct Planned<'a> {
    study: &'a Study,
    entry: &'a ModelEntry,
    setting: &'a Setting,
    spec: &'a Spec,
}

impl Planned<'_> {
    fn estimate(
        &self,
        task: &str,
        items: &[Item],
        machine: &Machine,
        trial: Option<&Trial>,
    ) -> Result<Estimate> {
        let asking = Asking::new(self.study, self.setting, self.spec)?;
        let script = self.setting.script(self.study);
        let (mut total, mut seconds) = (Cost::default(), None);
        match trial {
            Some(trial) => {
                let chosen = spread(items, trial.items);
                let (measured, took) = trial.run(self.study, self.setting, &asking, &chosen)?;
                let factor = items.len() as f64 / chosen.len() as f64;
                total.add(&measured, factor);
                seconds = Some(took * factor);
            }
            None => {
                let chosen = spread(items, SAMPLE);
                let factor = items.len() as f64 / chosen.len() as f64;
                total.add(&plan::cost(&script, &asking.ask(&[]), &chosen)?, factor);
            }
        }
        let flops = flops(self.spec, &total);
        let orders: usize = items
            .iter()
            .map(|item| crate::dialogue::orders(item, self.study.dialogue.orders, self.study.seed).len())
            .sum();
        let arms = self.setting.arms.len();
        Ok(Estimate {
            model: self.entry.name.clone(),
            work: Work::Dialogues { task: task.into(), items: items.len(), dialogues: orders * arms },
            seconds: seconds.or_else(|| machine.seconds(self.spec, &total)),
            flops,
            disk: disk(self.study, self.spec, items.len() * arms, orders * arms)?,
            cost: total,
        })
    }

    /// What the texts of a concept take, and the same of the control, if there is one. Drawing random weights is not
    /// counted.
    fn texts(&self, concept: &Concept, machine: &Machine, trial: Option<&Trial>) -> Result<Vec<Estimate>> {
        let (tokenizer, template) = (&self.setting.tokenizer, Some(&self.setting.template));
        let cost = plan::texts(&concept_states::requests(tokenizer, template, concept)?);
        let seconds = match trial {
            Some(trial) => {
                let asking = Asking::new(self.study, self.setting, self.spec)?;
                Some(trial.seconds_per_token(self.setting, &asking, concept)? * cost.encoded)
            }
            None => machine.seconds(self.spec, &cost),
        };
        let texts = concept.statements.len();
        let estimate = |untrained: bool, sites: &[Site]| -> Result<Estimate> {
            Ok(Estimate {
                model: self.entry.name.clone(),
                work: Work::Texts { concept: concept.spec.name.clone(), untrained, texts },
                cost,
                flops: flops(self.spec, &cost),
                seconds,
                disk: texts as f64 * state(self.study, self.spec, sites)?,
            })
        };
        let mut estimates = vec![estimate(false, &self.study.sites()?)?];
        if self.study.probe.untrained {
            estimates.push(estimate(true, &[self.study.probe.site.parse()?])?);
        }
        Ok(estimates)
    }
}

/// Items from all over a list.
fn spread(items: &[Item], n: usize) -> Vec<Item> {
    let n = n.clamp(1, items.len());
    (0..n).map(|i| items[i * items.len() / n].clone()).collect()
}

/// Floating-point operations: two for each weight a token meets, four for each value of a token attended to.
fn flops(spec: &Spec, cost: &Cost) -> f64 {
    let tokens = cost.encoded + cost.generated;
    let attention = 4.0 * (spec.n_heads * spec.d_head) as f64 * spec.n_layers as f64;
    let head = 2.0 * (spec.d_model * spec.vocab) as f64;
    2.0 * spec.core_parameters() as f64 * tokens
        + attention * cost.attended
        + head * (cost.scored + cost.generated)
}

/// Bytes that the shards take.
fn disk(study: &Study, spec: &Spec, states: usize, dialogues: usize) -> Result<f64> {
    let rounds = study.dialogue.rounds as f64;
    let state = state(study, spec, &study.sites()?)?;
    // A line of a turn has about 6 bytes a token, and as much again for words and numbers.
    let turn = 400.0 + 12.0 * (60 + study.dialogue.max_new_tokens) as f64;
    Ok(rounds * (states as f64 * study.capture.positions.len() as f64 * state + dialogues as f64 * turn))
}

/// Bytes of the states of one token.
fn state(study: &Study, spec: &Spec, sites: &[Site]) -> Result<f64> {
    let layers = study.capture.layers.parse::<Layers>()?.resolve(spec.n_layers)?.len();
    let width = |site: &Site| (if site.per_layer() { layers } else { 1 }) as f64 * spec.width(*site) as f64;
    let bytes = study.capture.dtype.kind().elt_size_in_bytes() as f64;
    Ok(bytes * sites.iter().map(width).sum::<f64>())
}

/// Bytes that a model and what it works with take in memory.
fn held(study: &Study, entry: &ModelEntry, spec: &Spec) -> Result<f64> {
    let weights = crate::model::weights::Weights::open(&entry.path)?;
    let kind = study.run.dtype.kind().elt_size_in_bytes() as f64;
    let weights =
        weights.parameters() as f64 * kind / if study.run.stream { spec.n_layers as f64 } else { 1.0 };
    // libtorch itself, keys and values of a wave, and the logits of its prompts.
    Ok(weights + 90e6 + 1.5e9 + kind * (spec.vocab * 512) as f64)
}

/// How fast this machine multiplies matrices of the model's shapes.
struct Machine {
    /// Operations a second with many rows, and with as many as are decoded side by side. None on a GPU.
    rates: Option<[f64; 2]>,
}

impl Machine {
    fn measure(study: &Study, spec: &Spec) -> Result<Self> {
        let devices = device::devices(&study.run.device)?;
        if devices.iter().any(|device| *device != Device::Cpu) {
            return Ok(Self { rates: None });
        }
        let kind = study.run.dtype.kind();
        let rows = (study.run.shard_items * study.dialogue.conditions.len() * 2).clamp(1, 128) as i64;
        let rate = |rows: i64| -> Result<f64> {
            let x = Tensor::f_randn([rows, spec.d_model], (Kind::Float, Device::Cpu))?.f_to_kind(kind)?;
            let w =
                Tensor::f_randn([spec.d_mlp, spec.d_model], (Kind::Float, Device::Cpu))?.f_to_kind(kind)?;
            let _ = x.f_linear::<Tensor>(&w, None)?;
            let (begun, mut done) = (Instant::now(), 0.0);
            while begun.elapsed().as_secs_f64() < 0.4 {
                let _ = x.f_linear::<Tensor>(&w, None)?;
                done += 2.0 * (rows * spec.d_model * spec.d_mlp) as f64;
            }
            Ok(done / begun.elapsed().as_secs_f64())
        };
        Ok(Self { rates: Some([rate(1024)?, rate(rows)?]) })
    }

    /// A forward pass reaches about three quarters of a bare product's speed (docs/performance.md).
    fn seconds(&self, spec: &Spec, cost: &Cost) -> Option<f64> {
        let [many, few] = self.rates?;
        let core = 2.0 * spec.core_parameters() as f64;
        let head = 2.0 * (spec.d_model * spec.vocab) as f64;
        let attention = 4.0 * (spec.n_heads * spec.d_head) as f64 * spec.n_layers as f64;
        let read = (core * cost.encoded + head * cost.scored) / (0.75 * many);
        let written = (core + head) * cost.generated / (0.6 * few);
        Some(read + written + attention * cost.attended / (0.3 * many))
    }
}

/// Runs a few items to see how fast they are and how long answers get.
struct Trial {
    model: Model,
    items: usize,
    how: Load,
}

impl Trial {
    fn new(study: &Study, entry: &ModelEntry, items: usize) -> Result<Self> {
        if items == 0 {
            return Err(Error::input("--trial", "must be at least 1"));
        }
        let how = how_to_load(study, entry)?;
        Ok(Self { model: Model::load(&entry.path, &how)?, items, how })
    }

    fn run(
        &self,
        study: &Study,
        setting: &Setting,
        asking: &Asking<'_>,
        items: &[Item],
    ) -> Result<(Cost, f64)> {
        let script = setting.script(study);
        let readers = super::dialogues::readers(&setting.arms, &self.how)?;
        let ask = asking.ask(&readers);
        let tally = Tally::new(&|_, _| Ok(()));
        let begun = Instant::now();
        let limits = Limits::for_model(&self.model);
        let (_, failures) = dialogues::run(&self.model, &script, &ask, items, limits, &tally)?;
        if let Some(failure) = failures.into_iter().next() {
            return Err(failure.error);
        }
        let cost =
            Cost { encoded: tally.encoded() as f64, generated: tally.generated() as f64, ..Cost::default() };
        Ok((cost, begun.elapsed().as_secs_f64()))
    }

    fn seconds_per_token(&self, setting: &Setting, asking: &Asking<'_>, concept: &Concept) -> Result<f64> {
        let few = Concept {
            spec: concept.spec.clone(),
            statements: concept.statements.iter().take(8 * self.items).cloned().collect(),
        };
        let begun = Instant::now();
        let limits = Limits::for_model(&self.model);
        let (tokenizer, template) = (&setting.tokenizer, Some(&setting.template));
        let wanted = asking.wanted();
        let captured = concept_states::capture(&self.model, tokenizer, template, &few, wanted, limits)?;
        Ok(begun.elapsed().as_secs_f64() / captured.encoded_tokens as f64)
    }
}

fn as_json(estimates: &[Estimate], memory: &[(String, f64)]) -> serde_json::Value {
    let (mut tasks, mut concepts) = (Vec::new(), Vec::new());
    for e in estimates {
        let (rows, mut row) = match &e.work {
            Work::Dialogues { task, items, dialogues } => (
                &mut tasks,
                json!({ "model": e.model, "task": task, "items": items, "dialogues": dialogues }),
            ),
            Work::Texts { concept, untrained, texts } => (
                &mut concepts,
                json!({ "model": e.model, "concept": concept, "untrained": untrained, "texts": texts }),
            ),
        };
        row["encoded_tokens"] = e.cost.encoded.round().into();
        row["generated_tokens"] = e.cost.generated.round().into();
        row["flops"] = e.flops.into();
        row["seconds"] = e.seconds.into();
        row["disk_bytes"] = e.disk.round().into();
        rows.push(row);
    }
    let memory = memory.iter().map(|(model, bytes)| (model.clone(), json!(bytes.round())));
    json!({
        "tasks": tasks,
        "concepts": concepts,
        "memory_bytes": memory.collect::<serde_json::Map<_, _>>(),
        "encoded_tokens": estimates.iter().map(|e| e.cost.encoded).sum::<f64>().round(),
        "generated_tokens": estimates.iter().map(|e| e.cost.generated).sum::<f64>().round(),
        "seconds": estimates.iter().map(|e| e.seconds).sum::<Option<f64>>(),
        "disk_bytes": estimates.iter().map(|e| e.disk).sum::<f64>().round(),
    })
}

fn show(estimates: &[Estimate], memory: &[(String, f64)], trial: Option<usize>, printer: Printer) {
    let line = |name: &str,
                items: &str,
                dialogues: &str,
                read: &str,
                written: &str,
                flops: &str,
                time: &str,
                disk: &str| {
        printer.data(format!(
            "{name:40} {items:>7} {dialogues:>9} {read:>11} {written:>14} {flops:>8} {time:>10} {disk:>9}"
        ));
    };
    line(
        "model, task or concept",
        "items",
        "dialogues",
        "tokens read",
        "tokens written",
        "PFLOP",
        "time",
        "disk",
    );
    let row = |name: &str,
               (items, dialogues): (usize, usize),
               cost: &Cost,
               flops: f64,
               seconds: Option<f64>,
               disk: f64| {
        line(
            name,
            &items.to_string(),
            &dialogues.to_string(),
            &format!("{:.0}", cost.encoded),
            &format!("{:.0}", cost.generated),
            &format!("{:.3}", flops / 1e15),
            &seconds.map_or_else(|| "-".into(), duration),
            &size(disk),
        );
    };
    let (mut all, mut counts) = (Cost::default(), (0, 0));
    for e in estimates {
        let (name, count) = match &e.work {
            Work::Dialogues { task, items, dialogues } => {
                (format!("{}, {task}", e.model), (*items, *dialogues))
            }
            Work::Texts { concept, untrained, texts } => {
                let control = if *untrained { ", untrained" } else { "" };
                (format!("{}, {concept}{control}", e.model), (*texts, 0))
            }
        };
        row(&name, count, &e.cost, e.flops, e.seconds, e.disk);
        all.add(&e.cost, 1.0);
        counts = (counts.0 + count.0, counts.1 + count.1);
    }
    let sum = |of: fn(&Estimate) -> f64| estimates.iter().map(of).sum::<f64>();
    let seconds = estimates.iter().map(|e| e.seconds).sum::<Option<f64>>();
    row("all", counts, &all, sum(|e| e.flops), seconds, sum(|e| e.disk));
    for (model, bytes) in memory {
        printer.data(format!("memory for {model}: about {}", size(*bytes)));
    }
    printer.say(match trial {
        Some(n) => format!("from {n} items of each task, run"),
        None => "every answer is taken to use its whole budget; --trial N runs N items of each task instead"
            .into(),
    });
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

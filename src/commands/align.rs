//! `recant align`: a checkpoint is trained on preference pairs and saved as it goes.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::{Value, json};

use super::interrupt;
use super::loaded::{Setting, how_to_load};
use super::memory;
use crate::align::loss::Logprobs;
use crate::align::record::{self, Held, Record, Saved};
use crate::align::trainer::{Objective, Settings, Trainer, measure};
use crate::align::{Example, Examples, examples, save};
use crate::cli::align::Args;
use crate::model::{Dtype, Model, Parameter, Rank, Spec, Tuning};
use crate::printer::Printer;
use crate::random::SplitMix;
use crate::runner::perplexity::{PROSE, Texts};
use crate::runner::{Limits, Tally};
use crate::store::{RunDir, atomic};
use crate::study::manifest::Manifest;
use crate::study::{AlignEntry, Method, ModelEntry, Study, Tune};
use crate::{Error, Result};

/// Aligns as a study's `[align]` says; goes on where it was cut short.
///
/// # Errors
/// The study has no such table, there is nothing to train on, the directory holds another run, the loss is not finite, the
/// disk is full.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    let mut study = Study::read(&args.study)?;
    let Some(entry) = &mut study.align else {
        return Err(Error::input(args.study.display().to_string(), "has no [align] table")
            .hint("add one: docs/align.md says what it holds"));
    };
    if let Some(steps) = args.steps {
        entry.steps = steps;
    }
    if let Some(output) = &args.output {
        entry.output.clone_from(output);
    }
    printer.data(align(&study, printer)?);
    Ok(())
}

/// Aligns as a study's `[align]` says; returns what is said of it, null where there is no such table.
///
/// # Errors
/// As [`run`].
pub fn align(study: &Study, printer: Printer) -> Result<Value> {
    let Some(entry) = &study.align else { return Ok(Value::Null) };
    let model = &study.models[entry.model(study)?];
    let at = |key: &str, why: &str| study.origin.at(key, Error::input("", why));
    if model.adapter.is_some() {
        return Err(at("align.model", "has an adapter already, which a new one could not be told from")
            .hint("name the base, or a checkpoint with the adapter merged"));
    }
    if study.run.dtype != Dtype::F32 {
        return Err(at("run.dtype", "training is done in f32").hint("set dtype = \"f32\""));
    }
    let setting = Setting::of(study, model)?;
    let pairs = examples(study, &setting.script(study), Spec::read(&model.path)?.n_ctx as usize)?;
    for (why, n) in &pairs.left_out {
        printer.say(format!("warning: {n} left out: {why}"));
    }
    let mut manifest = Manifest::of_alignment(study, entry, model, &pairs)?;
    let output = RunDir::open(&entry.output, &mut manifest)?;
    interrupt::listen();
    let prose = Texts::new(&setting.tokenizer, &setting.document, PROSE)?;
    let done = Run { study, entry, model, pairs, prose, output, printer }.train();
    interrupt::release();
    done
}

/// An alignment run at work.
struct Run<'a> {
    study: &'a Study,
    entry: &'a AlignEntry,
    model: &'a ModelEntry,
    pairs: Examples,
    prose: Texts,
    output: RunDir,
    printer: Printer,
}

impl Run<'_> {
    /// Takes the steps that are missing; returns what is said of the whole.
    fn train(&self) -> Result<Value> {
        let (study, entry, printer) = (self.study, self.entry, self.printer);
        let (root, since) = (self.output.root(), Instant::now());
        let taken = record::taken(root, self.output.key())?;
        if save::place(root, entry.steps).is_dir() && taken >= entry.steps {
            printer.say(format!("{}: aligned already, {taken} steps: {}", self.model.name, root.display()));
            return Ok(self.told(&Record::read(root, entry.steps)?, 0, since));
        }
        if taken > entry.steps {
            let why = format!("{taken} steps are taken already, and step {} was not saved", entry.steps);
            return Err(Error::input(root.display().to_string(), why)
                .hint("ask for more steps, or delete state.safetensors to begin anew"));
        }
        let mut model = Model::load(&self.model.path, &how_to_load(study, self.model)?)?;
        let low_rank = match entry.tune {
            Tune::Lora => Some(Rank { r: entry.rank as i64, alpha: entry.alpha }),
            Tune::Full => None,
        };
        if low_rank.is_none() || entry.merged {
            model.is_whole()?;
        }
        let reference = self.reference(&model)?;
        let parameters =
            model.tune(&Tuning { low_rank, targets: entry.targets.clone(), seed: study.seed })?;
        let learnt: usize = parameters.iter().map(|parameter| parameter.tensor.numel()).sum();
        printer.say(format!(
            "{}: {} pairs to train on, {} held out, {learnt} parameters to learn",
            self.model.name,
            self.pairs.train.len(),
            self.pairs.held_out.len(),
        ));
        let train = &self.pairs.train;
        let mut trainer =
            Trainer::new(model, parameters, entry.weight_decay, settings(study, entry), train, &reference)?;
        if taken > 0 {
            record::restore(root, taken, &mut trainer.optimiser)?;
        }
        let mut kept = Record::read(root, taken)?;
        let held_out = held_out(&self.pairs, entry.held_out_pairs, study.seed);
        // Not to be interrupted: the steps before it are kept after it.
        let after = |_, _| Ok(());
        let tally = Tally::new(&after);
        let measured = |model: &Model, step: usize, kept: &mut Record| -> Result<()> {
            let found = measure(model, &held_out, entry.batch_tokens, |_| Ok(()))?;
            kept.held.extend(Held::of(step, &held_out, &found));
            let perplexity = self.prose.perplexity(model, &[], Limits::for_model(model), &tally)?;
            kept.saved.push(Saved { step, perplexity });
            Ok(())
        };
        if taken == 0 && kept.saved.is_empty() {
            kept.held.clear(); // what a run that was killed here may have left
            measured(&trainer.model, 0, &mut kept)?;
            kept.write()?;
        }
        let progress = printer.progress(entry.steps as u64, &format!("{}: steps", self.model.name));
        progress.set_position(taken as u64);
        let mut tokens = 0;
        for number in taken + 1..=entry.steps {
            let step = trainer.step()?;
            tokens += step.tokens;
            progress.set_message(format!("{}: loss {:.3}", self.model.name, step.loss));
            progress.inc(1);
            kept.log.push(step);
            let saved = number % entry.save_every == 0 || number == entry.steps;
            if saved {
                self.save(&mut trainer, low_rank, number)?;
                measured(&trainer.model, number, &mut kept)?;
            }
            let asked = interrupt::check();
            if saved || asked.is_err() {
                kept.write()?;
                record::keep_state(root, self.output.key(), &trainer.optimiser)?;
            }
            asked?;
        }
        if taken == entry.steps {
            // Cut short by hand at this very step, or its directory was deleted.
            self.save(&mut trainer, low_rank, taken)?;
            if kept.saved.iter().all(|saved| saved.step != taken) {
                measured(&trainer.model, taken, &mut kept)?;
                kept.write()?;
            }
        }
        progress.finish_and_clear();
        let seconds = since.elapsed().as_secs_f64();
        printer.say(format!(
            "{}: steps {} to {}, {tokens} tokens, {seconds:.0} s, {}",
            self.model.name,
            (taken + 1).min(entry.steps),
            entry.steps,
            memory::shown(memory::peak()),
        ));
        Ok(self.told(&kept, tokens, since))
    }

    /// What is said of the whole on stdout.
    fn told(&self, kept: &Record, tokens: usize, since: Instant) -> Value {
        let last = kept.log.last();
        json!({
            "output": self.output.root(),
            "steps": self.entry.steps,
            "pairs": self.pairs.train.len(),
            "held_out_pairs": kept.held.iter().filter(|pair| pair.step == 0).count(),
            "loss": last.map(|step| step.loss),
            "margin": last.and_then(|step| step.margin),
            "perplexity": kept.saved.last().map(|saved| saved.perplexity),
            "tokens": tokens,
            "seconds": since.elapsed().as_secs_f64(),
            "peak_bytes": memory::peak(),
        })
    }

    /// What the model says of the pairs before it is trained. Supervised training needs none.
    fn reference(&self, model: &Model) -> Result<Vec<Logprobs>> {
        let train = &self.pairs.train;
        if self.entry.method == Method::Sft {
            return Ok(Vec::new());
        }
        record::reference(self.output.root(), train, || {
            let what = format!("{}: reference", self.model.name);
            let progress = self.printer.progress(train.len() as u64, &what);
            let found = measure(model, train, self.entry.batch_tokens, |pairs| {
                progress.inc(pairs as u64);
                interrupt::check()
            });
            progress.finish_and_clear();
            found
        })
    }

    /// Writes a saved step.
    fn save(&self, trainer: &mut Trainer<'_>, low_rank: Option<Rank>, step: usize) -> Result<()> {
        let base = &self.model.path;
        save::directory(&save::place(self.output.root(), step), |dir| match low_rank {
            None => save::checkpoint(dir, &mut trainer.model, base),
            Some(rank) => {
                let parameters: &[Parameter] = trainer.optimiser.parameters();
                save::adapter(dir, &trainer.model, base, rank, parameters)?;
                if self.entry.merged {
                    let dir = atomic::directory(&dir.join("merged"))?;
                    save::checkpoint(&dir, &mut trainer.model, base)?;
                }
                Ok(())
            }
        })
    }
}

fn settings(study: &Study, entry: &AlignEntry) -> Settings {
    Settings {
        objective: match entry.method {
            Method::Dpo => Objective::Dpo(entry.beta),
            Method::Sft => Objective::Sft,
        },
        learning_rate: entry.learning_rate,
        warmup: entry.warmup,
        max_grad_norm: entry.max_grad_norm,
        batch: entry.batch,
        batch_tokens: entry.batch_tokens,
        checkpoint: entry.checkpoint,
        seed: study.seed,
    }
}

/// About so many of the held-out pairs: items are drawn by lot, each with all orders of its options, so that a preference
/// for a letter cancels.
fn held_out(pairs: &Examples, most: usize, seed: u64) -> Vec<Example> {
    let mut items: Vec<&str> = pairs.held_out.iter().map(|example| example.item.as_str()).collect();
    items.dedup();
    SplitMix::named(seed, "align/held-out").shuffle(&mut items);
    let of = |item: &str| pairs.held_out.iter().filter(|example| example.item == item).count();
    let mut drawn = HashSet::new();
    let mut count = 0;
    for item in items {
        if count >= most {
            break;
        }
        count += of(item);
        drawn.insert(item);
    }
    pairs.held_out.iter().filter(|example| drawn.contains(example.item.as_str())).cloned().collect()
}

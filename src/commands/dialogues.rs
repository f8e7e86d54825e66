//! The stages of a run that need the model: dialogues with the states of every round, and the texts of the concepts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::interrupt;
use super::loaded::{Loaded, Setting};
use crate::cli::run::{Shard, Stage};
use crate::model::{Layers, Load, Model, Site, Spec};
use crate::printer::Printer;
use crate::runner::critic::{Critic, Reader};
use crate::runner::study::{Ask, Failure, Outcome};
use crate::runner::{Limits, Tally, concept as concept_states, study as dialogues};
use crate::store::{Failed, RunDir, atomic, failures, states, turns};
use crate::study::condition::Feedback;
use crate::study::manifest::hash;
use crate::study::{Arm, ModelEntry, Position, Study};
use crate::task::Item;
use crate::task::concept::Concept;
use crate::text::{ChatTemplate, Tokenizer};
use crate::{Error, Result};

/// What is not there yet.
pub struct Pending<'a> {
    /// (task, shard).
    pub shards: Vec<(usize, usize)>,
    /// Whether an item that fails may be at fault itself: something has worked already, or others work on the rest.
    pub begun: bool,
    pub concepts: Vec<&'a Concept>,
    /// Those of the control with random weights.
    pub untrained: Vec<&'a Concept>,
}

impl<'a> Pending<'a> {
    /// What a model has yet to do, of the part of the run that `shard` names.
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn of(
        loaded: &'a Loaded<'_>,
        run: &RunDir,
        entry: &ModelEntry,
        until: Stage,
        shard: Option<Shard>,
    ) -> Result<Self> {
        let study = loaded.study;
        let mine = |number: usize| shard.is_none_or(|shard| shard.holds(number));
        let mut shards = Vec::new();
        let mut begun = shard.is_some();
        let mut number = 0; // over all tasks, so that short tasks are shared out evenly too
        for (task, (name, items)) in loaded.tasks.iter().enumerate() {
            for index in 0..loaded.sources(run).shards(items) {
                let mut whole = true;
                for condition in &study.dialogue.conditions {
                    let (turns, states) = run.shard(&entry.name, name, condition, index)?;
                    whole &= turns.is_file() && states.is_file();
                }
                let (turns, _) = run.shard(&entry.name, name, &study.dialogue.conditions[0], index)?;
                begun |= whole && std::fs::metadata(turns).is_ok_and(|about| about.len() > 0);
                if !whole && mine(number) {
                    shards.push((task, index));
                }
                number += 1;
            }
        }
        let (mut concepts, mut untrained) = (Vec::new(), Vec::new());
        for (number, concept) in loaded.concepts.iter().enumerate().filter(|_| until >= Stage::Concepts) {
            let name = &concept.spec.name;
            if mine(number) && !run.concept(&entry.name, name)?.is_file() {
                concepts.push(concept);
            }
            if mine(number) && study.probe.untrained && !run.untrained(&entry.name, name)?.is_file() {
                untrained.push(concept);
            }
        }
        Ok(Self { shards, begun, concepts, untrained })
    }

    /// Whether something is missing for which the checkpoint's own weights are needed.
    pub fn needs_weights(&self) -> bool {
        !self.shards.is_empty() || !self.concepts.is_empty()
    }
}

/// What a study asks of a model, and what it keeps of it.
pub struct Asking<'a> {
    study: &'a Study,
    setting: &'a Setting,
    positions: Vec<Position>,
    sites: Vec<Site>,
    layers: Vec<usize>,
}

impl<'a> Asking<'a> {
    /// # Errors
    /// Never for a study that was checked.
    pub fn new(study: &'a Study, setting: &'a Setting, spec: &Spec) -> Result<Self> {
        let layers = study.capture.layers.parse::<Layers>()?.resolve(spec.n_layers)?;
        Ok(Self { study, setting, positions: study.positions()?, sites: study.sites()?, layers })
    }

    /// Sites and layers.
    pub fn wanted(&self) -> (&[Site], &[usize]) {
        (&self.sites, &self.layers)
    }

    /// As the runner takes it, with the readers of the conditions' feedback.
    pub fn ask<'s>(&'s self, readers: &'s [(String, Reader)]) -> Ask<'s> {
        let dialogue = &self.study.dialogue;
        Ask {
            arms: &self.setting.arms,
            readers,
            rounds: dialogue.rounds,
            orders: dialogue.orders,
            scoring: &dialogue.scoring,
            min_new_tokens: dialogue.min_new_tokens,
            sampling: dialogue.sampling,
            samples: dialogue.samples,
            seed: self.study.seed,
            document: &self.setting.document,
            sites: &self.sites,
            layers: &self.layers,
            positions: &self.positions,
        }
    }
}

/// A model at work on a study.
pub struct Capture<'a> {
    pub run: &'a RunDir,
    pub study: &'a Study,
    pub model: &'a Model,
    pub entry: &'a ModelEntry,
    pub setting: &'a Setting,
    pub asking: Asking<'a>,
}

impl Capture<'_> {
    /// Runs the dialogues of some shards and writes each as it is done.
    ///
    /// # Errors
    /// Every item of the first shard fails, the user interrupts, the disk is full.
    pub fn dialogues(
        &self,
        loaded: &Loaded<'_>,
        (shards, begun): (&[(usize, usize)], bool),
        how: &Load,
        printer: Printer,
    ) -> Result<()> {
        if shards.is_empty() {
            return Ok(());
        }
        let readers = readers(&self.setting.arms, how)?;
        let script = self.setting.script(self.study);
        let ask = self.asking.ask(&readers);
        let limits = Limits::for_model(self.model);
        let name = &self.entry.name;
        let progress = printer.progress(shards.len() as u64, &format!("{name}: dialogues"));
        let since = Instant::now();
        let after = |encoded: usize, generated: usize| {
            let speed = (encoded + generated) as f64 / since.elapsed().as_secs_f64().max(1e-3);
            progress.set_message(format!("{name}: {speed:.0} tokens/s"));
            progress.tick();
            interrupt::check()
        };
        let tally = Tally::new(&after);
        let (mut done, mut failed) = (0, 0);
        for &(task, index) in shards {
            let (task, items) = &loaded.tasks[task];
            let size = self.study.run.shard_items;
            let items = &items[index * size..items.len().min((index + 1) * size)];
            let (outcomes, failures) = dialogues::run(self.model, &script, &ask, items, limits, &tally)?;
            failed += failures.len();
            done += items.len() - failures.len();
            let failures = failures_of(failures, items.len(), begun || done > 0)?;
            failures::write(&self.run.failed(name, task, index)?, &failures)?;
            let ran = |item: &&Item| failures.iter().all(|failed| failed.item != item.id);
            let items: Vec<&str> = items.iter().filter(ran).map(|item| item.id.as_str()).collect();
            for (arm, outcome) in self.setting.arms.iter().zip(&outcomes) {
                self.write_shard(task, &arm.name, index, &items, outcome)?;
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        let seconds = since.elapsed().as_secs_f64();
        let (encoded, generated) = (tally.encoded(), tally.generated());
        printer.say(format!(
            "{name}: {} items, {encoded} tokens read, {generated} written, {seconds:.0} s, {:.0} tokens/s",
            done,
            (encoded + generated) as f64 / seconds.max(1e-3),
        ));
        if failed > 0 {
            let run = self.run.root().display();
            printer.say(format!("warning: {name}: {failed} items failed and are left out: {run}/{name}/*/failed-*.jsonl says why"));
        }
        Ok(())
    }

    /// States first: turns are what makes a shard count as there.
    fn write_shard(
        &self,
        task: &str,
        condition: &str,
        index: usize,
        items: &[&str],
        outcome: &Outcome,
    ) -> Result<()> {
        let (turns_path, states_path) = self.run.shard(&self.entry.name, task, condition, index)?;
        let turns = turns::text(&outcome.turns)?;
        let tensors: Vec<_> = outcome
            .states
            .iter()
            .map(|(site, tensor)| (site.name().to_string(), tensor.shallow_clone()))
            .collect();
        let about = states::About {
            run_key: self.run.key(),
            axes: &["item", "round", "position", "layer", "width"],
            item_ids: items,
            layers: &self.asking.layers,
            positions: &self.study.capture.positions,
            turns_sha256: Some(hash(turns.as_bytes())),
            weights_seed: None,
        };
        states::write(&states_path, &tensors, self.study.capture.dtype.kind(), &about)?;
        atomic::write(&turns_path, turns.as_bytes())
    }

    /// Captures the states of the concepts' texts.
    ///
    /// # Errors
    /// A text that the model cannot read, a full disk.
    pub fn concepts(&self, concepts: &[&Concept], printer: Printer) -> Result<()> {
        let place = |concept: &str| self.run.concept(&self.entry.name, concept);
        self.texts(concepts, (self.asking.wanted().0, None), place, printer)
    }

    /// Captures what probes are trained on once more, the model being one of random weights.
    ///
    /// # Errors
    /// As [`Capture::concepts`].
    pub fn untrained(&self, concepts: &[&Concept], printer: Printer) -> Result<()> {
        let place = |concept: &str| self.run.untrained(&self.entry.name, concept);
        let site = self.study.probe.site.parse::<Site>()?;
        self.texts(concepts, (&[site], Some(self.study.seed)), place, printer)
    }

    fn texts(
        &self,
        concepts: &[&Concept],
        (sites, weights_seed): (&[Site], Option<u64>),
        place: impl Fn(&str) -> Result<PathBuf>,
        printer: Printer,
    ) -> Result<()> {
        if concepts.is_empty() {
            return Ok(());
        }
        let (name, since) = (&self.entry.name, Instant::now());
        let what = if weights_seed.is_none() { "concepts" } else { "concepts, untrained" };
        let progress = printer.progress(concepts.len() as u64, &format!("{name}: {what}"));
        let (mut texts, mut encoded) = (0, 0);
        for concept in concepts {
            interrupt::check()?;
            let wanted = (sites, self.asking.layers.as_slice());
            let limits = Limits::for_model(self.model);
            let (tokenizer, template) = (&self.setting.tokenizer, Some(&self.setting.template));
            let captured = concept_states::capture(self.model, tokenizer, template, concept, wanted, limits)?;
            let tensors: Vec<_> = captured
                .states
                .iter()
                .map(|(site, tensor)| (site.name().to_string(), tensor.shallow_clone()))
                .collect();
            let ids: Vec<&str> = concept.statements.iter().map(|statement| statement.id.as_str()).collect();
            let about = states::About {
                run_key: self.run.key(),
                axes: &["text", "layer", "width"],
                item_ids: &ids,
                layers: &self.asking.layers,
                positions: &[],
                turns_sha256: None,
                weights_seed,
            };
            states::write(&place(&concept.spec.name)?, &tensors, self.study.capture.dtype.kind(), &about)?;
            texts += ids.len();
            encoded += captured.encoded_tokens;
            progress.inc(1);
        }
        progress.finish_and_clear();
        let seconds = since.elapsed().as_secs_f64();
        printer.say(format!("{name}: {what}: {texts} texts, {encoded} tokens read, {seconds:.0} s"));
        Ok(())
    }
}

/// What is written down of the items that failed.
///
/// # Errors
/// The first failure, where all of the shard's items failed and nothing has worked so far, or libtorch refuses every one:
/// then it is no item's fault.
fn failures_of(failures: Vec<Failure>, items: usize, begun: bool) -> Result<Vec<Failed>> {
    let torch = failures.iter().all(|failure| matches!(failure.error, Error::Torch(_)));
    let no_items_fault = failures.len() == items && (!begun || torch);
    let mut all = Vec::with_capacity(failures.len());
    for Failure { item, error } in failures {
        if no_items_fault {
            return Err(error);
        }
        all.push(Failed { item, why: error.to_string() });
    }
    Ok(all)
}

/// Loads what the conditions' feedback comes from.
///
/// # Errors
/// A checkpoint or a file that cannot be read.
pub fn readers(arms: &[Arm], how: &Load) -> Result<Vec<(String, Reader)>> {
    let load = |arm: &Arm| -> Option<Result<(String, Reader)>> {
        let feedback = arm.feedback.as_ref()?;
        let reader = match (&feedback.file, &feedback.model) {
            (Some(file), _) => Reader::from_file(file),
            (None, Some(dir)) => critic(dir, feedback, how),
            (None, None) => return None,
        };
        Some(reader.map(|reader| (arm.name.clone(), reader)))
    };
    arms.iter().filter_map(load).collect()
}

fn critic(dir: &Path, feedback: &Feedback, how: &Load) -> Result<Reader> {
    let how = Load { kind: how.kind, devices: how.devices.clone(), adapter: None, stream: how.stream };
    let tokenizer = Tokenizer::read(dir)?;
    Ok(Reader::Model(Box::new(Critic {
        model: Model::load(dir, &how)?,
        template: ChatTemplate::or_plain(dir, &tokenizer)?,
        tokenizer,
        ask: feedback.ask.clone(),
        max_new_tokens: feedback.max_new_tokens,
    })))
}

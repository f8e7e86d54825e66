//! The lenses of a model: what each of its layers would answer to the prompts of a run.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use tch::Tensor;

use super::interrupt;
use super::shift::{Asked, Side, asked, conditions};
use crate::analysis::summary::Sources;
use crate::model::Translators;
use crate::printer::Printer;
use crate::runner::Tally;
use crate::runner::bench::{Question, questions};
use crate::runner::lens::{ByLayer, Seen, look as seen};
use crate::runner::perplexity::{PROSE, Texts};
use crate::runner::replay::by_item;
use crate::runner::tuned;
use crate::store::{Turn, lens};
use crate::study::LensEntry;
use crate::study::manifest::hash;
use crate::task::Item;
use crate::{Error, Result};

/// Looks through the lenses of one model wherever that was not done.
///
/// # Errors
/// Missing or damaged files, a checkpoint that cannot be loaded, dialogues that cannot be replayed, a full disk.
pub(super) fn look(
    sources: &Sources<'_>,
    entry: &LensEntry,
    side: &Side<'_>,
    printer: Printer,
) -> Result<()> {
    let stage = Stage { sources, entry, side, printer };
    let training = stage.training()?;
    let mut missing = Vec::new();
    for task in 0..sources.study.tasks.len() {
        for condition in conditions(&entry.conditions, side.setting) {
            missing.extend(stage.missing(task, condition, training.as_ref())?);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let maps = training.map(|training| stage.maps(&training)).transpose()?;
    let since = Instant::now();
    let count: usize = missing.iter().map(|view| view.items.len()).sum();
    let progress = printer.progress(count as u64, &format!("{}: lens", side.name()));
    for view in &missing {
        stage.write(view, maps.as_ref(), &|items| progress.inc(items as u64))?;
    }
    progress.finish_and_clear();
    printer.say(format!("{}: lens, {count} dialogues, {:.0} s", side.name(), since.elapsed().as_secs_f64()));
    Ok(())
}

/// One model before the lens.
struct Stage<'a> {
    sources: &'a Sources<'a>,
    entry: &'a LensEntry,
    side: &'a Side<'a>,
    printer: Printer,
}

/// A tuned lens that is to be trained, or was.
struct Training {
    texts: String,
    key: String,
}

/// The dialogues of a task under a condition that were not looked at yet.
struct View {
    condition: usize,
    path: PathBuf,
    key: String,
    more: Value,
    items: Vec<Item>,
    said: Vec<Turn>,
}

impl Stage<'_> {
    /// What a tuned lens hangs on.
    fn training(&self) -> Result<Option<Training>> {
        if !self.entry.tuned {
            return Ok(None);
        }
        let texts = match &self.entry.texts {
            Some(path) => std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?,
            None => PROSE.to_owned(),
        };
        let key = json!({
            "format": tuned::FORMAT, "run_key": self.sources.run.key(), "model": self.side.name(),
            "texts": hash(texts.as_bytes()), "steps": self.entry.steps, "seed": self.sources.study.seed,
        });
        Ok(Some(Training { texts, key: hash(key.to_string().as_bytes()) }))
    }

    /// What is not there of a task under a condition. Items without options have nothing to look at.
    fn missing(&self, task: usize, condition: usize, training: Option<&Training>) -> Result<Option<View>> {
        let (study, run) = (self.sources.study, self.sources.run);
        let (task_name, condition_name) = (&study.tasks[task].name, &study.dialogue.conditions[condition]);
        let path = lens::place(run, self.side.name(), task_name, condition_name)?;
        let scoring = study.dialogue.letters();
        let more = json!({
            "limit": self.entry.limit, "scoring": scoring, "tuned": training.map(|training| &training.key),
        });
        let key = hash(json!({ "run_key": run.key(), "of": more }).to_string().as_bytes());
        if lens::holds(run, &path, &key)? {
            return Ok(None);
        }
        let Asked { mut items, said } =
            asked(self.sources, self.side.name(), task, condition, self.entry.limit)?;
        items.retain(|item| !item.options.is_empty());
        let view = View { condition, path, key, more, items, said };
        Ok((!view.items.is_empty()).then_some(view))
    }

    /// The maps of the tuned lens, trained where that was not done.
    fn maps(&self, training: &Training) -> Result<Translators> {
        let (run, side) = (self.sources.run, self.side);
        let (layers, width) = (side.spec.n_layers, side.spec.d_model);
        if let Some(maps) = lens::read_maps(run, side.name(), &training.key, layers, width)? {
            return Ok(maps);
        }
        let texts = Texts::new(&side.setting.tokenizer, &side.setting.document, &training.texts)?;
        let since = Instant::now();
        let progress =
            self.printer.progress(self.entry.steps as u64, &format!("{}: tuned lens", side.name()));
        let after = |_: usize, _: usize| interrupt::check();
        let settings = (self.entry.steps, self.sources.study.seed);
        let (maps, found) = tuned::train(side.model()?, &texts, settings, &Tally::new(&after), || {
            progress.inc(1);
            interrupt::check()
        })?;
        progress.finish_and_clear();
        lens::write_tuned(run, side.name(), &training.key, &maps, &found)?;
        self.printer.say(format!(
            "{}: tuned lens, better held out than the logit lens at {} of {layers} layers, {:.0} s",
            side.name(),
            found.layers.iter().filter(|layer| layer.is_better()).count(),
            since.elapsed().as_secs_f64()
        ));
        Ok(maps)
    }

    /// Looks at a part of the items at a time, and writes what all of them gave.
    fn write(&self, view: &View, maps: Option<&Translators>, done: &dyn Fn(usize)) -> Result<()> {
        let study = self.sources.study;
        let model = self.side.model()?;
        let after = |_: usize, _: usize| interrupt::check();
        let tally = Tally::new(&after);
        let said = by_item(&view.items, view.said.iter());
        let rounds = study.dialogue.rounds;
        let mut all: Vec<(usize, usize, Vec<Seen>)> = Vec::new(); // (item, round, orders)
        let places: Vec<usize> = (0..view.items.len()).collect();
        for part in places.chunks(study.run.shard_items) {
            let mut asked: Vec<Question> = Vec::new();
            let mut counts = Vec::new();
            for &item in part {
                for round in 0..rounds {
                    let own = self.questions(view, item, &said[item][..=round])?;
                    counts.push((item, round, own.len()));
                    asked.extend(own);
                }
            }
            let mut found = seen(model, &asked, maps, &tally)?.into_iter();
            all.extend(
                counts.into_iter().map(|(item, round, n)| (item, round, found.by_ref().take(n).collect())),
            );
            done(part.len());
        }
        let mut tensors = vec![("logit".to_owned(), stacked(&all, rounds, |seen| &seen.logit)?)];
        if maps.is_some() {
            tensors.push(("tuned".to_owned(), stacked(&all, rounds, |seen| &seen.tuned)?));
        }
        let ids: Vec<&str> = view.items.iter().map(|item| item.id.as_str()).collect();
        lens::write(self.sources.run, &view.path, &view.key, &ids, &tensors, &view.more)
    }

    /// The prompts of the last of some rounds of one item, in every order of its options that counts.
    fn questions(&self, view: &View, item: usize, said: &[&Turn]) -> Result<Vec<Question>> {
        let study = self.sources.study;
        let script = self.side.setting.script(study);
        let item = std::slice::from_ref(&view.items[item]);
        let arm = &self.side.setting.arms[view.condition];
        questions(&script, item, arm, &[said.to_vec()], study.dialogue.letters())
    }
}

/// `[items, rounds, orders, layers, options]` f32, items with fewer orders or options filled up with NaN. The parts are item
/// by item, round by round.
fn stacked(
    all: &[(usize, usize, Vec<Seen>)],
    rounds: usize,
    of: impl Fn(&Seen) -> &ByLayer,
) -> Result<Tensor> {
    let orders = all.iter().map(|(_, _, seen)| seen.len()).max().unwrap_or(0);
    let by_layer = || all.iter().flat_map(|(_, _, seen)| seen).map(&of);
    let layers = by_layer().map(Vec::len).max().unwrap_or(0);
    let options = by_layer().flatten().map(Vec::len).max().unwrap_or(0);
    let size = orders * layers * options;
    let mut values = vec![f32::NAN; all.len() * size];
    for ((_, _, seen), values) in all.iter().zip(values.chunks_mut(size.max(1))) {
        for (order, seen) in seen.iter().enumerate() {
            for (layer, logprobs) in of(seen).iter().enumerate() {
                let at = (order * layers + layer) * options;
                values[at..at + logprobs.len()]
                    .iter_mut()
                    .zip(logprobs)
                    .for_each(|(to, logprob)| *to = *logprob as f32);
            }
        }
    }
    let items = all.len() / rounds.max(1);
    let shape = [items, rounds, orders, layers, options].map(|n| n as i64);
    Ok(Tensor::f_from_slice(&values)?.f_view(&shape[..])?)
}

//! What is measured beside a run's own states: lenses and tokens of each model, and what lies between two.

mod same;
mod tokens;
mod weights;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::loaded::{Loaded, Setting, how_to_load};
use super::{interrupt, lens, projections, steer};
use crate::analysis::shift::{About, key};
use crate::analysis::summary::Sources;
use crate::analysis::token_shift::PROSE;
use crate::analysis::weight_shift::FILES;
use crate::cli::run::Stage;
use crate::cli::shift::Shift;
use crate::model::{Model, Spec};
use crate::printer::Printer;
use crate::runner::Tally;
use crate::runner::replay::{Exchange, by_item, exchanges};
use crate::store::{RunDir, Turn, atomic, measured};
use crate::study::manifest::hash;
use crate::study::{Arm, ModelEntry, PAIR, ShiftEntry, Study};
use crate::task::{Item, select};
use crate::{Error, Result};

/// Compares two checkpoints, or the models of a run.
///
/// # Errors
/// A directory that is neither, a run of one model, and whatever [`super::run::run`] refuses.
pub fn run(args: &Shift, printer: Printer) -> Result<()> {
    let (study, output) = match (&args.after, &args.adapter) {
        (None, None) => (of_run(&args.path)?, &args.path),
        (after, adapter) => {
            let mut study = Study::parse(PAIR, "studies/shift.toml")?;
            study.models[0].path.clone_from(&args.path);
            study.models[1].path.clone_from(after.as_ref().unwrap_or(&args.path));
            study.models[1].adapter.clone_from(adapter);
            (study, &args.output)
        }
    };
    super::run::execute(&study, output, Stage::Report, None, printer)
}

/// The study of a run, which is to compare its models as it did before or, for the first time, as is usual.
fn of_run(root: &Path) -> Result<Study> {
    if !root.join("manifest.json").is_file() && root.join("config.json").is_file() {
        let why = "is a checkpoint: with which is it to be compared?";
        return Err(Error::input(root.display().to_string(), why)
            .hint("recant shift BEFORE AFTER, or recant shift BEFORE --adapter DIR"));
    }
    let mut study = RunDir::manifest(root)?.study()?;
    if study.models.len() < 2 {
        return Err(Error::input(
            root.display().to_string(),
            "is a run of one model: there is nothing to compare",
        )
        .hint("a study with two [[models]], or recant shift BEFORE AFTER"));
    }
    let pairs = RunDir::pairs(root)?;
    // The settings that were asked for last.
    let asked =
        |pair: &&PathBuf| std::fs::metadata(pair.join("about.json")).and_then(|file| file.modified()).ok();
    let last = pairs.iter().max_by_key(asked);
    let known = last.map(|pair| measured::read::<About>(&pair.join("about.json"))).transpose()?.flatten();
    study.shift = Some(known.map_or_else(ShiftEntry::default, |about| about.entry));
    Ok(study)
}

/// Measures what is missing of what the study asks for.
///
/// # Errors
/// Checkpoints that cannot be loaded, missing turns, an interruption, a full disk.
pub(super) fn measure(
    loaded: &Loaded<'_>,
    settings: &[Setting],
    run: &RunDir,
    printer: Printer,
) -> Result<()> {
    let (study, sources) = (loaded.study, loaded.sources(run));
    let sides = study.models.iter().zip(settings).map(|(entry, setting)| Side::new(study, entry, setting));
    let mut sides = sides.collect::<Result<Vec<_>>>()?;
    let pairs = study.shift.as_ref().map_or_else(Vec::new, |shift| shift.pairs(study));
    let in_pair = |pair: Option<&(usize, usize)>, place: usize| {
        pair.is_some_and(|&(before, after)| before == place || after == place)
    };
    for (place, side) in sides.iter_mut().enumerate() {
        if let Some(entry) = &study.lens {
            lens::look(&sources, entry, side, printer)?;
        }
        if let Some(entry) = &study.projections {
            projections::measure(&sources, entry, side, printer)?;
        }
        side.keep_if(in_pair(pairs.first(), place));
    }
    if let Some(entry) = &study.shift {
        for (number, &(before, after)) in pairs.iter().enumerate() {
            let about = About::of(entry, sides[before].entry, sides[after].entry)?;
            let (before, after) = (&sides[before], &sides[after]);
            Pair { sources: &sources, about, before, after, printer }.measure()?;
            for (place, side) in sides.iter_mut().enumerate() {
                side.keep_if(in_pair(pairs.get(number + 1), place));
            }
        }
    }
    scale_keys(&sources, &sides, printer)
}

/// Scales the keys of the value vectors along each concept in the second models of the pairs, where the study says by what.
/// What was done whole is not looked at again.
fn scale_keys(sources: &Sources<'_>, sides: &[Side<'_>], printer: Printer) -> Result<()> {
    let study = sources.study;
    for entry in study.shift.iter().flat_map(|shift| shift.interventions(study)) {
        let (model, task, _) = entry.place(study);
        let name = &study.tasks[task].name;
        if sources.tasks[task].1.iter().all(|item| item.options.is_empty()) {
            printer.say(format!("{}: the items of {name} have no options to score", entry.name));
            continue;
        }
        let done = sources.run.place(&["steer", &entry.name], "whole.json")?;
        let key = hash(json!({ "run_key": sources.run.key(), "entry": entry }).to_string().as_bytes());
        if !measured::holds(&done, &key)? {
            let side = &sides[model];
            steer::intervene(sources, &entry, (side.entry, side.setting, &side.spec), printer)?;
            measured::write(&done, &key, json!({ "name": entry.name }))?;
        }
    }
    Ok(())
}

/// A model of the study. Its weights are loaded when they are first needed.
pub(super) struct Side<'a> {
    study: &'a Study,
    /// Its entry in the study.
    pub entry: &'a ModelEntry,
    /// How it is spoken to.
    pub setting: &'a Setting,
    /// What it is.
    pub spec: Spec,
    model: OnceCell<Model>,
}

impl<'a> Side<'a> {
    fn new(study: &'a Study, entry: &'a ModelEntry, setting: &'a Setting) -> Result<Self> {
        Ok(Self { study, entry, setting, spec: Spec::read(&entry.path)?, model: OnceCell::new() })
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.entry.name
    }

    /// Lets go of the model, unless it is to be kept: no more than a pair is in memory at once.
    fn keep_if(&mut self, keep: bool) {
        if !keep {
            self.model = OnceCell::new();
        }
    }

    /// The model itself.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn model(&self) -> Result<&Model> {
        if let Some(model) = self.model.get() {
            return Ok(model);
        }
        let model = Model::load(&self.entry.path, &how_to_load(self.study, self.entry)?)?;
        Ok(self.model.get_or_init(|| model))
    }
}

/// Two models, and what both are shown.
pub(super) struct Pair<'a> {
    pub sources: &'a Sources<'a>,
    pub about: About,
    pub before: &'a Side<'a>,
    pub after: &'a Side<'a>,
    pub printer: Printer,
}

/// What one model was asked on a task under a condition, and what it said.
pub(super) struct Asked {
    pub items: Vec<Item>,
    /// Turns, item by item and round by round.
    pub said: Vec<Turn>,
}

impl Pair<'_> {
    pub fn study(&self) -> &Study {
        self.sources.study
    }

    /// Its name in files and tables.
    pub fn name(&self) -> String {
        self.about.name()
    }

    /// Measures what is missing.
    fn measure(&self) -> Result<()> {
        let path = self.sources.run.of_pair(&self.name(), "about.json")?;
        if let Some(known) = measured::read::<About>(&path)? {
            self.forget(&known.entry, &path)?;
            atomic::directory(path.parent().unwrap_or(&path))?;
        }
        measured::write(&path, self.sources.run.key(), &self.about)?;
        let progress = self.printer.progress(0, &self.name());
        let after = |encoded: usize, _: usize| {
            progress.set_message(format!("{}: {encoded} tokens", self.name()));
            progress.tick();
            interrupt::check()
        };
        let tally = Tally::new(&after);
        if self.about.other_ids.is_none() {
            same::measure(self, &tally)?;
            tokens::measure(self, &tally)?;
        }
        weights::measure(self, &tally)?;
        progress.finish_and_clear();
        Ok(())
    }

    /// Deletes what was measured under other settings, so that it never stands beside what is measured now.
    fn forget(&self, known: &ShiftEntry, about: &Path) -> Result<()> {
        let (entry, dir) = (&self.about.entry, about.parent().unwrap_or(about));
        let failed = |error| Error::io(dir, error);
        if known.limit != entry.limit {
            return std::fs::remove_dir_all(dir).map_err(failed);
        }
        let mut stale: Vec<&str> = Vec::new();
        if known.texts != entry.texts {
            stale.push(PROSE);
        }
        if (known.neurons, &known.conditions) != (entry.neurons, &entry.conditions) {
            stale.extend(&FILES[1..]);
        }
        let mut files = stale.iter().map(|file| dir.join(file)).filter(|file| file.is_file());
        files.try_for_each(std::fs::remove_file).map_err(failed)
    }

    /// The conditions that both read, as places in the study.
    pub fn conditions(&self) -> Vec<usize> {
        conditions(&self.about.entry.conditions, self.before.setting)
    }

    /// What a measurement of this name hangs on.
    pub fn key(&self, what: &str) -> String {
        key(self.sources, &self.about, what)
    }

    /// The items of a task that one of the two was asked and its turns under a condition, by their places in the study.
    ///
    /// # Errors
    /// Missing or damaged turns.
    pub fn asked(&self, side: &Side<'_>, task: usize, condition: usize) -> Result<Asked> {
        asked(self.sources, side.name(), task, condition, self.about.entry.limit)
    }

    /// The dialogues that one of the two had, in the first order of the options.
    ///
    /// # Errors
    /// Dialogues that cannot be replayed.
    pub fn exchanges(&self, side: &Side<'_>, asked: &Asked, condition: usize) -> Result<Vec<Exchange>> {
        let script = side.setting.script(self.study());
        let said = by_item(&asked.items, asked.said.iter());
        exchanges(&script, &asked.items, &side.setting.arms[condition], &said)
    }
}

/// The conditions of a study that are named, all of them where none is, as places in it. What a critic said is not recorded,
/// so dialogues with feedback cannot be read again.
pub(super) fn conditions(named: &[String], setting: &Setting) -> Vec<usize> {
    let wanted = |arm: &Arm| arm.feedback.is_none() && (named.is_empty() || named.contains(&arm.name));
    (0..setting.arms.len()).filter(|&place| wanted(&setting.arms[place])).collect()
}

/// The items of a task that a model was asked, at most `limit` of each category, and its turns under a condition.
///
/// # Errors
/// Missing or damaged turns.
pub(super) fn asked(
    sources: &Sources<'_>,
    model: &str,
    task: usize,
    condition: usize,
    limit: Option<usize>,
) -> Result<Asked> {
    let (name, items) = &sources.tasks[task];
    let (mut items, _) = sources.ran(model, name, items)?;
    select::first(&mut items, limit, |item| &item.category);
    Ok(Asked { items, said: sources.said(model, task)?.swap_remove(condition) })
}

//! What is measured beside a run's own states: lenses of each model, and what lies between two.

use std::cell::OnceCell;

use serde_json::json;

use super::interrupt;
use super::lens;
use super::loaded::{Loaded, Setting, how_to_load};
use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::{Model, Spec};
use crate::printer::Printer;
use crate::runner::replay::{Exchange, by_item, exchanges};
use crate::store::{RunDir, Turn};
use crate::study::manifest::hash;
use crate::study::{ModelEntry, ShiftEntry, Study};
use crate::task::{Item, select};

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
    if let Some(entry) = &study.lens {
        let pairs = study.shift.as_ref().map_or_else(Vec::new, |shift| shift.pairs(study));
        for (place, side) in sides.iter_mut().enumerate() {
            lens::look(&sources, entry, side, printer)?;
            if pairs.iter().all(|&(before, after)| before != place && after != place) {
                side.model = OnceCell::new();
            }
        }
    }
    let Some(entry) = &study.shift else { return Ok(()) };
    for (before, after) in entry.pairs(study) {
        let pair = Pair { sources: &sources, entry, before: &sides[before], after: &sides[after], printer };
        interrupt::check()?;
        let _ = &pair;
    }
    Ok(())
}

/// A model of a pair. Its weights are loaded when they are first needed.
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
    pub entry: &'a ShiftEntry,
    pub before: &'a Side<'a>,
    pub after: &'a Side<'a>,
    pub printer: Printer,
}

/// The dialogues that one model had on a task under a condition.
pub(super) struct Dialogues {
    pub items: Vec<Item>,
    pub exchanges: Vec<Exchange>,
}

impl Pair<'_> {
    pub fn study(&self) -> &Study {
        self.sources.study
    }

    /// Its name in files and tables.
    pub fn name(&self) -> String {
        format!("{}..{}", self.before.name(), self.after.name())
    }

    /// The conditions that both read, as places in the study.
    pub fn conditions(&self) -> Vec<usize> {
        let named = &self.entry.conditions;
        let all = self.study().dialogue.conditions.iter().enumerate();
        all.filter(|(_, name)| named.is_empty() || named.contains(name)).map(|(place, _)| place).collect()
    }

    /// What measurements hang on: the run, the pair, and what `more` says.
    pub fn key(&self, more: &serde_json::Value) -> String {
        let all = json!({
            "run_key": self.sources.run.key(), "pair": self.name(), "limit": self.entry.limit, "of": more,
        });
        hash(all.to_string().as_bytes())
    }

    /// The dialogues of one of the two on a task under a condition, by their places in the study.
    ///
    /// # Errors
    /// Missing turns; dialogues that cannot be replayed.
    pub fn dialogues(&self, side: &Side<'_>, task: usize, condition: usize) -> Result<Dialogues> {
        let (study, sources) = (self.study(), self.sources);
        let (items, said) = asked(sources, side.name(), task, condition, self.entry.limit)?;
        let script = side.setting.script(study);
        let exchanges =
            exchanges(&script, &items, &side.setting.arms[condition], &by_item(&items, said.iter()))?;
        Ok(Dialogues { items, exchanges })
    }
}

/// The items of a task that a model was asked, at most `limit` of each category, and all its turns under a condition.
///
/// # Errors
/// Missing or damaged turns.
pub(super) fn asked(
    sources: &Sources<'_>,
    model: &str,
    task: usize,
    condition: usize,
    limit: Option<usize>,
) -> Result<(Vec<Item>, Vec<Turn>)> {
    let (name, items) = &sources.tasks[task];
    let (mut items, _) = sources.ran(model, name, items)?;
    select::first(&mut items, limit, |item| &item.category);
    Ok((items, sources.said(model, task)?.swap_remove(condition)))
}

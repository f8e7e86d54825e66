//! The lenses of a run, read from its directory.

use rayon::prelude::*;
use serde_json::{Value, json};

use super::lens::{Lens, Views};
use super::summary::{ModelSummary, Sources};
use crate::Result;
use crate::store::lens::{self, LensShard, Tuned};
use crate::task::Item;

/// Through which lens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The logit lens.
    Logit,
    /// The tuned lens.
    Tuned,
}

impl Through {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logit => "logit",
            Self::Tuned => "tuned",
        }
    }
}

/// What one lens shows of one model's answers to a task under a condition.
pub struct Seen {
    /// The model.
    pub model: String,
    /// The task.
    pub task: String,
    /// The condition.
    pub condition: String,
    /// The lens.
    pub through: Through,
    /// What it shows.
    pub lens: Lens,
    /// An even share: one over the number of options, mean over items.
    pub even: f64,
}

/// Everything that the lenses of a run show.
#[derive(Default)]
pub struct Lenses {
    /// Model by model, task by task, condition by condition, lens by lens.
    pub seen: Vec<Seen>,
    /// The training of each model's tuned lens.
    pub tuned: Vec<(String, Tuned)>,
    /// What was seen under other settings than the rest of its model: model, task and condition.
    pub left_out: Vec<String>,
}

impl Lenses {
    /// Whether a layer of a model is shown through a lens: the tuned lens only where it is better held out, and at the last
    /// layer, where both are the model itself.
    #[must_use]
    pub fn is_shown(&self, seen: &Seen, layer: usize) -> bool {
        let trained = self.tuned.iter().find(|(model, _)| *model == seen.model);
        let better = |tuned: &Tuned| tuned.layers.get(layer).is_some_and(|layer| layer.is_better());
        let last = seen.lens.cells.first().is_some_and(|row| layer + 1 == row.len());
        last || seen.through == Through::Logit || trained.is_some_and(|(_, tuned)| better(tuned))
    }

    /// Reads what is there of a study's lenses.
    ///
    /// # Errors
    /// A damaged file, one of another run.
    pub fn read(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Result<Self> {
        let study = sources.study;
        let base = &study.models[study.base()].name;
        let of_base = settings(sources, base)?;
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let mut left_out = Vec::new();
        for summary in summaries {
            let of = settings(sources, &summary.model)?;
            for (task, entry) in study.tasks.iter().enumerate() {
                for condition in &study.dialogue.conditions {
                    let read = |model: &str| -> Result<Option<LensShard>> {
                        lens::read(sources.run, &lens::place(sources.run, model, &entry.name, condition)?)
                    };
                    let Some(own) = read(&summary.model)? else { continue };
                    if of.as_ref() != Some(&own.of) {
                        left_out.push(format!("{}, {} under {condition}", summary.model, entry.name));
                        continue;
                    }
                    let base = if summary.model == *base { None } else { read(base)? };
                    let base = base.filter(|shard| of_base.as_ref() == Some(&shard.of));
                    jobs.push((summary, task, condition, own, base));
                }
            }
        }
        let of_job = |(summary, task, condition, own, base): &Job<'_>| {
            let items = &sources.tasks[*task].1;
            let mut all = Vec::new();
            for through in [Through::Logit, Through::Tuned] {
                let of = |shard| views(items, shard, through);
                let Some(views) = of(own)? else { continue };
                let base = base.as_ref().map_or(Ok(None), of)?;
                let even = views.items.iter().map(|item| 1.0 / item.options.len() as f64).sum::<f64>();
                all.push(Seen {
                    model: summary.model.clone(),
                    task: study.tasks[*task].name.clone(),
                    condition: (*condition).clone(),
                    through,
                    lens: views.lens(base.as_ref(), sources.bootstrap()),
                    even: even / views.items.len() as f64,
                });
            }
            Ok(all)
        };
        let seen: Vec<Vec<Seen>> = jobs.par_iter().map(of_job).collect::<Result<_>>()?;
        let mut trained = Vec::new();
        for summary in summaries {
            let found = lens::tuned(sources.run, &summary.model)?;
            trained.extend(found.map(|found| (summary.model.clone(), found)));
        }
        Ok(Self { seen: seen.into_iter().flatten().collect(), tuned: trained, left_out })
    }
}

/// The settings whose shards of a model are read, so that none are mixed: those of the study's `[lens]` where a shard has
/// them, or else those of most shards. A shard of another tuned lens than the one that is kept is never read.
fn settings(sources: &Sources<'_>, model: &str) -> Result<Option<Value>> {
    let study = sources.study;
    let trained = lens::tuned_key(sources.run, model)?;
    let mut all = Vec::new();
    for entry in &study.tasks {
        for condition in &study.dialogue.conditions {
            let path = lens::place(sources.run, model, &entry.name, condition)?;
            all.extend(lens::read(sources.run, &path)?.map(|shard| shard.of));
        }
    }
    all.retain(|of| of["tuned"].is_null() || of["tuned"].as_str() == trained.as_deref());
    let asked = |of: &&Value| {
        study.lens.as_ref().is_some_and(|entry| {
            of["limit"] == json!(entry.limit)
                && of["scoring"] == json!(study.dialogue.letters())
                && of["tuned"].is_string() == entry.tuned
        })
    };
    let alike = |of: &&Value| all.iter().filter(|other| other == of).count();
    Ok(all.iter().find(asked).or_else(|| all.iter().max_by_key(alike)).cloned())
}

/// A model, the places of a task and the name of a condition, what its layers said, and what the base's said.
type Job<'j> = (&'j ModelSummary, usize, &'j String, LensShard, Option<LensShard>);

/// The views of a shard through a lens; None where it was not looked through.
fn views<'a>(items: &'a [Item], shard: &LensShard, through: Through) -> Result<Option<Views<'a>>> {
    let logprobs = match through {
        Through::Logit => Some(&shard.logit),
        Through::Tuned => shard.tuned.as_ref(),
    };
    let found: Vec<&Item> =
        shard.items.iter().filter_map(|id| items.iter().find(|item| item.id == *id)).collect();
    logprobs.map(|logprobs| Views::new(found, logprobs)).transpose()
}

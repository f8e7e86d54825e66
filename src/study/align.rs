//! How a checkpoint is aligned: on which pairs, by which loss, for how long.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Study, TaskEntry};
pub use crate::task::pairs::PairFormat;
use crate::task::select::Selection;
use crate::task::split::{self, Part};
use crate::task::{self, Context};
use crate::{Error, Result};

/// An alignment run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlignEntry {
    /// Name of the model that is aligned; the study's first without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The directory that saved steps go to.
    pub output: PathBuf,
    /// The loss.
    pub method: Method,
    /// Which weights are trained.
    pub tune: Tune,
    /// Rank of the LoRA matrices.
    pub rank: usize,
    /// The LoRA update is multiplied by alpha / rank.
    pub alpha: f64,
    /// Last names of the projections that are trained (`q_proj`); every projection of the blocks where it names none.
    pub targets: Vec<String>,
    /// Strength of the tie to the reference model in DPO.
    pub beta: f64,
    /// AdamW's highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from 0.
    pub warmup: usize,
    /// AdamW's decoupled weight decay.
    pub weight_decay: f64,
    /// The gradient is scaled down to this L2 norm where it is longer.
    pub max_grad_norm: f64,
    /// Pairs of one step.
    pub batch: usize,
    /// Tokens of one backward pass; a step accumulates as many passes as it takes.
    pub batch_tokens: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Steps between two saved ones.
    pub save_every: usize,
    /// Pairs that the held-out side of the curves is measured on, at most.
    pub held_out_pairs: usize,
    /// Whether each block is computed again in the backward pass instead of being kept.
    pub checkpoint: bool,
    /// Whether each saved step is also written as a whole checkpoint.
    pub merged: bool,
    /// Where the pairs come from.
    pub pairs: Vec<PairsEntry>,
}

/// The loss of an alignment run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Direct preference optimisation (Rafailov et al. 2023): the chosen answer over the rejected one, relative to the
    /// model at the start.
    #[default]
    Dpo,
    /// Supervised fine-tuning on the chosen answers.
    Sft,
}

/// Which weights an alignment run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tune {
    /// Low-rank updates of projections (Hu et al. 2021).
    #[default]
    Lora,
    /// The weights of the projections themselves.
    Full,
}

/// A source of preference pairs: the items of a task, or a file of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairsEntry {
    /// A task whose items list their options and say which one a stereotype suggests, such as `bbq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which form of the task; its first without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The user's copy of the task's files; the built-in set without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Categories of the task to keep; all where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Keeps the task's items of one context condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// The condition under whose round 0 the task's items are asked; the study's first without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A file of pairs, one a line; it may be compressed with gzip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How the lines of `file` are written; `jsonl` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<PairFormat>,
    /// At most so many items of each category, or pairs of the file's categories, drawn by lot, on each side of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// At most so many items of each category, or pairs of the file, on each side of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The share of each category's groups that is held out.
    pub held_out: f64,
}

impl Default for AlignEntry {
    fn default() -> Self {
        Self {
            model: None,
            output: PathBuf::new(),
            method: Method::default(),
            tune: Tune::default(),
            rank: 8,
            alpha: 16.0,
            targets: Vec::new(),
            beta: 0.1,
            learning_rate: 1e-4,
            warmup: 10,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            batch: 16,
            batch_tokens: 2048,
            steps: 60,
            save_every: 10,
            held_out_pairs: 64,
            checkpoint: false,
            merged: false,
            pairs: Vec::new(),
        }
    }
}

impl Default for PairsEntry {
    fn default() -> Self {
        Self {
            task: None,
            variant: None,
            path: None,
            categories: Vec::new(),
            context: None,
            condition: None,
            file: None,
            format: None,
            sample: None,
            limit: None,
            held_out: split::SHARE,
        }
    }
}

impl AlignEntry {
    /// Place of the model that is aligned among the study's.
    ///
    /// # Errors
    /// The study has no model of that name.
    pub fn model(&self, study: &Study) -> Result<usize> {
        let Some(name) = &self.model else { return Ok(0) };
        study.models.iter().position(|entry| entry.name == *name).ok_or_else(|| {
            let known: Vec<&str> = study.models.iter().map(|entry| entry.name.as_str()).collect();
            study
                .wrong("align.model", format!("there is no model {name:?}"))
                .hint(format!("the models of the study are {}", known.join(", ")))
        })
    }

    /// The names of the study's tasks that may ask groups of items that pairs were made of.
    #[must_use]
    pub fn seen_by(&self, study: &Study) -> Vec<String> {
        let seen = |task: &&TaskEntry, pairs: &PairsEntry| {
            let apart = |own: &[String], other: &[String]| {
                !own.is_empty() && !other.is_empty() && own.iter().all(|name| !other.contains(name))
            };
            let share = task.held_out.unwrap_or(split::SHARE);
            let held_out = task.part == Some(Part::HeldOut) && share <= pairs.held_out;
            pairs.task.as_deref() == Some(task.kind())
                && pairs.path == task.path
                && !held_out
                && !apart(&task.categories, &pairs.categories)
        };
        let tasks = study.tasks.iter().filter(|task| self.pairs.iter().any(|pairs| seen(task, pairs)));
        tasks.map(|task| task.name.clone()).collect()
    }

    /// Whether an adapter is one that it writes.
    #[must_use]
    pub fn makes(&self, adapter: &Path) -> bool {
        adapter.starts_with(&self.output)
    }

    pub(super) fn check(&self, study: &Study) -> Result<()> {
        self.model(study)?;
        if self.output.as_os_str().is_empty() {
            return Err(study
                .wrong("align.output", "is missing")
                .hint("give the directory that saved steps go to, such as \"models/smollm2-fair\""));
        }
        for (key, value) in [
            ("rank", self.rank),
            ("batch", self.batch),
            ("batch_tokens", self.batch_tokens),
            ("steps", self.steps),
            ("save_every", self.save_every),
            ("held_out_pairs", self.held_out_pairs),
        ] {
            if value == 0 {
                return Err(study.wrong(&format!("align.{key}"), "must be at least 1"));
            }
        }
        for (key, value) in [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("learning_rate", self.learning_rate),
            ("max_grad_norm", self.max_grad_norm),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(study.wrong(&format!("align.{key}"), "must be above 0 and finite"));
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(study.wrong("align.weight_decay", "must be 0 or above, and finite"));
        }
        if let Some(i) = self.targets.iter().position(|name| name.is_empty() || name.contains('.')) {
            return Err(study
                .wrong(&format!("align.targets.{i}"), "is not the last name of a projection")
                .hint("write \"q_proj\", not \"model.layers.0.self_attn.q_proj\""));
        }
        if self.pairs.is_empty() {
            return Err(study
                .wrong("align.pairs", "names no source of pairs")
                .hint("add an [[align.pairs]] table with task = \"bbq\" or file = \"PAIRS.jsonl\""));
        }
        self.pairs.iter().enumerate().try_for_each(|(i, pairs)| pairs.check(study, i))?;
        // What one source holds out, another of the same files must not train on.
        for (i, pairs) in self.pairs.iter().enumerate() {
            let twin = self.pairs[..i].iter().find(|earlier| earlier.files() == pairs.files());
            if let Some(twin) = twin.filter(|twin| twin.held_out != pairs.held_out) {
                let why = format!("another source of the same files holds out {}", twin.held_out);
                return Err(study.wrong(&format!("align.pairs.{i}.held_out"), why).hint(
                    "give both the same share, so that one does not train on what the other holds out",
                ));
            }
        }
        Ok(())
    }
}

impl PairsEntry {
    /// What can be known without reading a file.
    fn check(&self, study: &Study, index: usize) -> Result<()> {
        let at = |key: &str| format!("align.pairs.{index}.{key}");
        let foreign: &[(&str, bool)] = match (&self.task, &self.file) {
            (Some(name), None) => {
                task::find(name).map_err(|error| study.origin.at(&at("task"), error))?;
                &[("format", self.format.is_some())]
            }
            (None, Some(_)) => &[
                ("variant", self.variant.is_some()),
                ("path", self.path.is_some()),
                ("categories", !self.categories.is_empty()),
                ("context", self.context.is_some()),
                ("condition", self.condition.is_some()),
            ],
            _ => {
                return Err(study
                    .wrong(&format!("align.pairs.{index}"), "needs exactly one of `task` and `file`")
                    .hint("task = \"bbq\" makes pairs of its items; file = \"PAIRS.jsonl\" holds pairs"));
            }
        };
        if let Some((key, _)) = foreign.iter().find(|(_, given)| *given) {
            let (own, other) = if self.task.is_some() { ("task", "file") } else { ("file", "task") };
            return Err(study
                .wrong(&at(key), format!("belongs to a `{other}`, and these pairs come from a `{own}`"))
                .hint(format!("leave `{key}` out")));
        }
        for (key, number) in [("sample", self.sample), ("limit", self.limit)] {
            if number == Some(0) {
                return Err(study.wrong(&at(key), "must be at least 1"));
            }
        }
        split::checked(self.held_out).map_err(|error| study.origin.at(&at("held_out"), error))?;
        self.arm(study).map(|_| ()).map_err(|error| study.origin.at(&at("condition"), error))
    }

    fn files(&self) -> (Option<&str>, Option<&Path>, Option<&Path>) {
        (self.task.as_deref(), self.path.as_deref(), self.file.as_deref())
    }

    /// What of the task is asked for: one side of the split.
    pub fn selection<'a>(&'a self, task: &'a str, part: Part) -> Selection<'a> {
        Selection {
            shown: task,
            kind: task,
            variant: self.variant.as_deref(),
            path: self.path.as_deref(),
            part: Some((part, self.held_out)),
            categories: &self.categories,
            context: self.context,
            sample: self.sample,
            limit: self.limit,
        }
    }

    /// The condition under which a task's items are asked.
    ///
    /// # Errors
    /// It is not known.
    pub fn arm(&self, study: &Study) -> Result<super::Arm> {
        let first = study.dialogue.conditions.first();
        let name = self.condition.as_ref().or(first).ok_or_else(|| {
            Error::input("condition", "the study has none").hint("baseline is the usual one")
        })?;
        study.arm(name)
    }
}

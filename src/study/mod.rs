//! A study: one TOML file that says what is run, checked before any work.

pub mod condition;
pub mod manifest;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use condition::{Condition, Wording};

use crate::model::{Dtype, Layers, Site};
use crate::task::Context;
use crate::toml_file::parse_toml;
use crate::{Error, Result};

/// The demo's study, as it stands in `studies/`.
pub const DEMO: &str = include_str!("../../studies/demo.toml");

/// A study as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its name, shown in the report.
    pub name: String,
    /// Seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// The checkpoints.
    pub models: Vec<ModelEntry>,
    /// Where the questions come from.
    pub tasks: Vec<TaskEntry>,
    /// How the model is asked.
    pub dialogue: DialogueEntry,
    /// What is captured.
    #[serde(default)]
    pub capture: CaptureEntry,
    /// The concepts to probe for.
    #[serde(default)]
    pub concepts: Vec<ConceptEntry>,
    /// How probes are trained.
    #[serde(default)]
    pub probe: ProbeEntry,
    /// How it is computed.
    #[serde(default)]
    pub run: RunEntry,
    /// Conditions of the study's own, by name.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub condition: std::collections::BTreeMap<String, Condition>,
}

/// A checkpoint of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Its name in directories and figures.
    pub name: String,
    /// Its directory, relative to where the program is started.
    pub path: PathBuf,
    /// A PEFT LoRA adapter to merge into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// `base`, `aligned`, or a step of an alignment run.
    #[serde(default)]
    pub role: Option<String>,
}

/// A task of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskEntry {
    /// Its name in directories and tables.
    pub name: String,
    /// Which task it is, of those that `recant task list` lists; its name without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which form of the task; the first that `recant task list` lists without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The user's copy of the public files; the built-in set without it.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Categories to keep; all without it.
    #[serde(default)]
    pub categories: Vec<String>,
    /// `ambig` or `disambig`: keeps the items of one context condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Items to keep, from the front of each category.
    #[serde(default)]
    pub limit: Option<usize>,
}

impl TaskEntry {
    /// The name of its reader.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(&self.name)
    }
}

/// How the model is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialogueEntry {
    /// Names of conditions.
    pub conditions: Vec<String>,
    /// Answers per dialogue, round 0 included.
    pub rounds: usize,
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
    /// In which orders options are listed.
    #[serde(default)]
    pub orders: Orders,
    /// Whether a line break ends an answer.
    #[serde(default = "yes")]
    pub stop_at_newline: bool,
}

fn yes() -> bool {
    true
}

/// How an option is chosen, which decides what a small model seems to answer (docs/decisions/0001-option-orders.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scoring {
    /// By the log-probability of its letter, averaged over the orders in which options were listed.
    Letter,
    /// By the log-probability of its letter in the first order alone.
    LetterGiven,
    /// By the log-probability of its words as the whole answer.
    TextSum,
    /// The same per token.
    TextMean,
    /// The same less the log-probability of the words as the beginning of a document (pointwise mutual information,
    /// Holtzman et al. 2021).
    TextPmi,
    /// By what the generated text says; a text that names no option, or several, chooses none.
    Parsed,
}

impl Scoring {
    /// Every scoring.
    pub const ALL: [Self; 6] =
        [Self::Letter, Self::LetterGiven, Self::TextSum, Self::TextMean, Self::TextPmi, Self::Parsed];

    /// The name used in studies and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter",
            Self::LetterGiven => "letter-given",
            Self::TextSum => "text-sum",
            Self::TextMean => "text-mean",
            Self::TextPmi => "text-pmi",
            Self::Parsed => "parsed",
        }
    }

    /// Whether the options' words must be scored.
    #[must_use]
    pub fn needs_texts(self) -> bool {
        matches!(self, Self::TextSum | Self::TextMean | Self::TextPmi)
    }
}

/// In which orders options are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orders {
    /// As the file has them.
    Given,
    /// Every cyclic order, one dialogue each; option scores are averaged.
    #[default]
    Cyclic,
}

/// What is captured of every round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureEntry {
    /// Sites.
    pub sites: Vec<String>,
    /// Layers of the per-layer sites.
    pub layers: String,
    /// Named tokens.
    pub positions: Vec<String>,
    /// What states are stored in: bf16 or f32.
    #[serde(deserialize_with = "stored")]
    pub dtype: Dtype,
}

/// Residual streams reach magnitudes that f16 does not.
fn stored<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Dtype, D::Error> {
    match Dtype::deserialize(deserializer)? {
        Dtype::F16 => Err(serde::de::Error::custom("states overflow f16: store them in bf16 or f32")),
        other => Ok(other),
    }
}

impl Default for CaptureEntry {
    fn default() -> Self {
        Self {
            sites: vec!["resid_post".into()],
            layers: "all".into(),
            positions: vec!["last".into()],
            dtype: Dtype::Bf16,
        }
    }
}

/// A concept of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptEntry {
    /// Its name.
    pub name: String,
    /// A spec file of the user's own; the built-in concept of that name without it.
    #[serde(default)]
    pub path: Option<PathBuf>,
}

/// How probes are trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeEntry {
    /// The site that is read.
    pub site: String,
    /// The position of the dialogue that is scored.
    pub position: String,
    /// Inverse strength of the L2 penalty (the sum of log-losses + |w|^2 / 2C is minimised).
    pub c: f64,
    /// Grouped folds.
    pub folds: usize,
    /// Resamples of groups behind an interval.
    pub bootstrap: usize,
    /// Label exchanges behind a null.
    pub permutations: usize,
}

impl Default for ProbeEntry {
    fn default() -> Self {
        Self {
            site: "resid_post".into(),
            position: "last".into(),
            c: 0.001,
            folds: 5,
            bootstrap: 1000,
            permutations: 200,
        }
    }
}

/// How it is computed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunEntry {
    /// What the models compute in.
    pub dtype: Dtype,
    /// Where.
    pub device: String,
    /// Whether each layer is read when it is needed instead of kept: for models larger than memory.
    pub stream: bool,
    /// Items per shard.
    pub shard_items: usize,
}

impl Default for RunEntry {
    fn default() -> Self {
        Self { dtype: Dtype::F32, device: "cpu".into(), stream: false, shard_items: 16 }
    }
}

/// A named token of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// The last token of the prompt as the template renders it, before any prefill.
    Last,
    /// The last token of what the user said.
    InstructionEnd,
    /// The first token the model generated.
    AnswerFirst,
    /// The last token the model generated, end tokens left out.
    AnswerLast,
    /// The mean over the generated tokens, end tokens left out.
    AnswerMean,
}

impl Position {
    const ALL: [(&'static str, Self); 5] = [
        ("last", Self::Last),
        ("instruction_end", Self::InstructionEnd),
        ("answer_first", Self::AnswerFirst),
        ("answer_last", Self::AnswerLast),
        ("answer_mean", Self::AnswerMean),
    ];

    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, position)| *position == self).map_or("", |(name, _)| name)
    }

    /// Whether the token belongs to the answer.
    #[must_use]
    pub fn of_answer(self) -> bool {
        matches!(self, Self::AnswerFirst | Self::AnswerLast | Self::AnswerMean)
    }
}

impl std::str::FromStr for Position {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, position)| *position).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::input(format!("position {name:?}"), "is not known")
                .hint(format!("positions are {}", known.join(", ")))
        })
    }
}

impl Study {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, names something unknown, or asks for nothing.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Checks a study's text; `place` names it in errors.
    ///
    /// # Errors
    /// As [`Study::read`].
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let study: Self = parse_toml(text, place)?;
        study.check(place)?;
        Ok(study)
    }

    fn check(&self, place: &str) -> Result<()> {
        let wrong = |why: &str| Error::input(place, why);
        if self.models.is_empty() {
            return Err(wrong("names no model").hint("add a [[models]] table with name and path"));
        }
        if self.tasks.is_empty() {
            return Err(wrong("names no task").hint("add a [[tasks]] table with a name"));
        }
        plain_names(place, "models", self.models.iter().map(|entry| &entry.name))?;
        plain_names(place, "tasks", self.tasks.iter().map(|entry| &entry.name))?;
        plain_names(place, "concepts", self.concepts.iter().map(|entry| &entry.name))?;
        plain_names(place, "dialogue.conditions", self.dialogue.conditions.iter())?;
        if self.dialogue.conditions.is_empty() {
            return Err(wrong("dialogue.conditions is empty"));
        }
        if self.dialogue.rounds == 0 || self.dialogue.max_new_tokens == 0 {
            return Err(wrong("dialogue.rounds and dialogue.max_new_tokens must be at least 1"));
        }
        if self.run.shard_items == 0 {
            return Err(wrong("run.shard_items must be at least 1"));
        }
        if self.capture.positions.is_empty() {
            return Err(wrong("capture.positions is empty").hint("last is the usual one"));
        }
        if !(self.probe.c > 0.0 && self.probe.c.is_finite()) {
            return Err(wrong("probe.c must be above 0"));
        }
        let sites = self.sites()?;
        let positions = self.positions()?;
        let _: Layers = self.capture.layers.parse()?;
        if !self.concepts.is_empty() {
            let site: Site = self.probe.site.parse()?;
            let position: Position = self.probe.position.parse()?;
            if !sites.contains(&site) || !site.per_layer() {
                return Err(wrong(&format!(
                    "probe.site {site} is not among the per-layer sites of capture.sites"
                )));
            }
            if !positions.contains(&position) {
                return Err(wrong(&format!(
                    "probe.position {} is not among capture.positions",
                    position.name()
                )));
            }
        }
        self.wordings()?;
        Ok(())
    }

    /// The sites to capture, in the order of a forward pass.
    ///
    /// # Errors
    /// An unknown site, or logits, which are not stored.
    pub fn sites(&self) -> Result<Vec<Site>> {
        let mut sites = self.capture.sites.iter().map(|name| name.parse()).collect::<Result<Vec<Site>>>()?;
        if sites.contains(&Site::Logits) {
            return Err(Error::input("capture.sites", "logits are not stored by a study").hint(
                "option log-probabilities are always recorded; `recant capture --logits` writes whole rows",
            ));
        }
        sites.sort_unstable();
        sites.dedup();
        Ok(sites)
    }

    /// The positions to capture.
    ///
    /// # Errors
    /// An unknown position.
    pub fn positions(&self) -> Result<Vec<Position>> {
        self.capture.positions.iter().map(|name| name.parse()).collect()
    }

    /// The study's conditions: its own, or the built-in ones of that name.
    ///
    /// # Errors
    /// An unknown condition (the known ones are listed).
    pub fn wordings(&self) -> Result<(Wording, Vec<(String, Condition)>)> {
        let (wording, mut known) = condition::built_in()?;
        known.extend(self.condition.clone());
        let chosen = self.dialogue.conditions.iter().map(|name| match known.get(name) {
            Some(condition) => Ok((name.clone(), condition.clone())),
            None => {
                let names: Vec<_> = known.keys().map(String::as_str).collect();
                Err(Error::input(format!("condition {name:?}"), "is not known")
                    .hint(format!("known conditions: {}; or define [condition.{name}]", names.join(", "))))
            }
        });
        let chosen = chosen.collect::<Result<_>>()?;
        Ok((wording, chosen))
    }
}

/// Names become directories: letters, digits, `-`, `_` and `.` only, each once.
fn plain_names<'a>(place: &str, key: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if name.is_empty() || name.starts_with('.') || !plain {
            return Err(Error::input(place, format!("{key}: {name:?} cannot name a directory"))
                .hint("use letters, digits, - and _"));
        }
        if !seen.insert(name) {
            return Err(Error::input(place, format!("{key}: {name:?} stands there twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_study() {
        let study = Study::parse(DEMO, "demo.toml").expect("demo");
        assert_eq!(study.wordings().expect("conditions").1.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("name = 3", "name = \"demo\"", "invalid type"),
            (
                "conditions = [\"baselin\"]",
                "conditions = [\"baseline\", \"specificity-1\", \"negation\", \"neutral\"]",
                "baselin",
            ),
            ("sites = [\"resid\"]", "sites = [\"resid_post\"]", "resid"),
            ("positions = [\"lasst\"]", "positions = [\"last\"]", "lasst"),
            ("rounds = 0", "rounds = 3", "at least 1"),
            ("colour = 1\nseed = 0", "seed = 0", "colour"),
            ("name = \"../up\"", "name = \"smollm2-135m-instruct\"", "directory"),
        ];
        for (bad, good, why) in cases {
            let text = DEMO.replacen(good, bad, 1);
            assert_ne!(text, DEMO, "{good}");
            let error = Study::parse(&text, "demo.toml").expect_err(bad).to_string();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

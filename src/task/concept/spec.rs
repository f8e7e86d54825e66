//! The spec file of a concept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::toml_file::{Origin, parse_toml};

/// How a text is put to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// The text alone.
    Raw,
    /// As a user's message in the chat template, followed by the opening of the assistant's turn.
    Chat,
}

/// Which token of a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// The last one.
    Last,
    /// The mean over all.
    Mean,
}

/// What a task's item becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// One row.
    #[default]
    Items,
    /// One row for each of its options.
    Options,
}

/// How texts are chosen so that words alone say less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Pairs are kept that can be put together so that the words in which they differ occur equally often with both
    /// labels; what is put together is one group.
    Crossed,
}

/// Which cell of a row holds what: a key, or words with keys in braces, `{passage} {option}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The name of the text; `id`, or else the number of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The text; `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The label; `label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What must stay on one side of a split; `group`, or else every row for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Dimension or family; `category`, or else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What `limit` and `balance` keep or leave out as one; the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Which values of the label say what. Without any, 1 and 0 do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    /// The values that mean label 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub positive: Vec<String>,
    /// The values that mean label 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<String>,
    /// The number from which on a value means label 1; below it means label 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

/// A spec file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The concept's name.
    pub name: String,
    /// What the texts are.
    pub description: String,
    /// What label 1 means: probes are oriented towards it.
    pub positive: String,
    /// A .jsonl, .csv or .tsv file, named from where the spec is, or `task:NAME`, the reader of a task.
    pub source: String,
    /// Which form of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What an item of the task becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// Where the texts come from and under what licence.
    #[serde(default)]
    pub licence: String,
    /// How a text is put to the model.
    pub template: Template,
    /// Which token is read.
    pub position: Reading,
    /// How texts are chosen so that words alone say less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// At most so many texts, in whole units, of as many groups as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Names the draw behind `limit`, and that behind `balance`.
    #[serde(default)]
    pub seed: u64,
    /// The cells of a row.
    #[serde(default)]
    pub fields: Fields,
    /// What the label's values say.
    #[serde(default)]
    pub label: Labels,
    /// Rows count only where each of these cells holds one of the values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<String>>,
    /// The file it was read from.
    #[serde(skip)]
    pub(super) origin: Origin,
}

impl Spec {
    /// Checks a spec's text; `place` names it in errors.
    ///
    /// # Errors
    /// It is not TOML, lacks a key or has one too many, or contradicts itself; an error names the line and the key.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let mut spec: Self = parse_toml(text, place)?;
        spec.origin = Origin::new(place, text);
        spec.check()?;
        Ok(spec)
    }

    /// The task whose reader is the source.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.source.strip_prefix("task:")
    }

    /// Whether the user must bring the data.
    #[must_use]
    pub fn needs_data(&self) -> bool {
        let task = self.task().and_then(|task| crate::task::find(task).ok());
        task.is_some_and(|task| task.embedded.is_empty())
    }

    /// An error about a key with the line where it stands.
    pub(super) fn wrong(&self, key: &str, why: impl Into<String>) -> Error {
        self.origin.at(key, Error::input("", why))
    }

    fn check(&self) -> Result<()> {
        for (key, value) in [("name", &self.name), ("positive", &self.positive)] {
            if value.trim().is_empty() {
                return Err(self.wrong(key, "is empty"));
            }
        }
        match self.task() {
            Some(task) => {
                crate::task::find(task).map_err(|error| self.origin.at("source", error))?;
            }
            None => self.check_file()?,
        }
        if self.limit == Some(0) {
            return Err(self.wrong("limit", "must be at least 1"));
        }
        if let Some((key, _)) = self.only.iter().find(|(_, values)| values.is_empty()) {
            return Err(self.wrong(&format!("only.{key}"), "lists no value, so that nothing is left"));
        }
        self.check_label()
    }

    fn check_file(&self) -> Result<()> {
        for (key, given) in [("variant", self.variant.is_some()), ("rows", self.rows.is_some())] {
            if given {
                return Err(self
                    .wrong(key, "belongs to a task, and the source is a file")
                    .hint("leave it out, or write source = \"task:NAME\""));
            }
        }
        Ok(())
    }

    fn check_label(&self) -> Result<()> {
        let Labels { positive, negative, at_least } = &self.label;
        if let Some(at_least) = at_least {
            if !at_least.is_finite() {
                return Err(self.wrong("label.at_least", "is no finite number"));
            }
            if !(positive.is_empty() && negative.is_empty()) {
                return Err(self
                    .wrong("label.at_least", "stands beside lists of values")
                    .hint("give a number from which on a text is positive, or the values, not both"));
            }
        } else if positive.is_empty() != negative.is_empty() {
            let missing = if positive.is_empty() { "positive" } else { "negative" };
            return Err(self
                .wrong("label", format!("{missing} is missing"))
                .hint("give the values of both labels; [only] leaves rows with other values out"));
        }
        match positive.iter().position(|value| negative.contains(value)) {
            None => Ok(()),
            Some(both) => {
                let why = format!("{:?} stands for both labels", positive[both]);
                Err(self.wrong(&format!("label.positive.{both}"), why))
            }
        }
    }
}

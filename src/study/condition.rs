//! Conditions: what the user says in each round, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::task::Format;

/// The built-in conditions, as they stand in `studies/`.
const BUILT_IN: &str = include_str!("../../studies/conditions.toml");

/// One text for each way in which options are put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerFormat {
    /// Options are listed and a letter is chosen.
    pub letters: String,
    /// A word continues a sentence.
    pub blank: String,
}

impl PerFormat {
    /// The text for a format.
    #[must_use]
    pub fn of(&self, format: &Format) -> &str {
        match format {
            Format::Blank { .. } => &self.blank,
            _ => &self.letters,
        }
    }
}

/// An instruction arm: what the user says from round 1 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What it is, for the report.
    #[serde(default)]
    pub about: String,
    /// The request of every correction round.
    pub say: PerFormat,
}

/// How round 0 is asked and how answers open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wording {
    /// The question of round 0.
    pub question: PerFormat,
    /// What the assistant's answer opens with.
    pub prefill: PerFormat,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    question: PerFormat,
    prefill: PerFormat,
    condition: BTreeMap<String, Condition>,
}

/// The built-in wording and conditions.
///
/// # Errors
/// Never, unless the embedded file is broken.
pub fn built_in() -> Result<(Wording, BTreeMap<String, Condition>)> {
    let file: File = crate::toml_file::parse_toml(BUILT_IN, "studies/conditions.toml")?;
    Ok((Wording { question: file.question, prefill: file.prefill }, file.condition))
}

//! Conditions: what the user says in each round, as data.
//!
//! A condition is a wording with some of its parts changed. The built-in wording and conditions stand in
//! `studies/conditions.toml`; a study may change the wording for all of its conditions (`[wording]`), define conditions of
//! its own (`[condition.NAME]`) and let one build on others (`extends`). [`resolve`] puts the layers on one another:
//! built-in wording, the study's wording, the conditions that are extended, the condition itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::texts::Texts;
use crate::{Error, Result};

/// The built-in conditions, as they stand in `studies/`.
const BUILT_IN: &str = include_str!("../../studies/conditions.toml");

/// What of the earlier rounds the model reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// Nothing: every round is a conversation of its own.
    None,
    /// Everything once, as a conversation.
    #[default]
    Linear,
    /// Everything before the last prompt, then the last prompt, which holds it too: the context doubles each round, as in
    /// some published scripts.
    Repeated,
}

/// Where the words for `{feedback}` come from: a file, or another model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// One JSON object a line: {"item", "round", "text"}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A checkpoint that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// What it is asked; `{answer}` is the answer of the round before.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub ask: Texts,
    /// Longest feedback of a model, in tokens.
    #[serde(default = "feedback_tokens")]
    pub max_new_tokens: usize,
}

fn feedback_tokens() -> usize {
    64
}

/// A condition as written: what it leaves out comes from what it builds on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What it is, for the report.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Conditions it builds on, the later over the earlier.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub extends: Vec<String>,
    /// A system prompt.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub system: Texts,
    /// What round 0 asks.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub question: Texts,
    /// What every later round asks.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub say: Texts,
    /// The instruction, which stands for `{norm}`.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub norm: Texts,
    /// What the assistant's answer opens with.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub prefill: Texts,
    /// Names of the exchanges that precede the answer of a round (`[before.NAME]`).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_names")]
    pub before: Option<Vec<String>>,
    /// The first round in which the instruction and what is `before` count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// What of the earlier rounds is read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Longest answer in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
    /// The condition whose instruction `{filler}` is as long as, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// Where `{feedback}` comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// An exchange before the answer of a round: a chain of thought, a self-diagnosis. As written; a study's exchange takes
/// what it leaves out from the built-in one of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// What the user says in round 0.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub question: Texts,
    /// What the user says in later rounds.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub say: Texts,
    /// What the user says after it in place of the condition's `question` or `say`, if anything.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub then: Texts,
    /// What the assistant's words open with.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub prefill: Texts,
    /// Longest reply in tokens; that of an answer without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
}

/// A condition with everything in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// A system prompt; may be empty.
    pub system: Texts,
    /// What round 0 asks.
    pub question: Texts,
    /// What every later round asks.
    pub say: Texts,
    /// The instruction; may be empty.
    pub norm: Texts,
    /// What the answer opens with.
    pub prefill: Texts,
    /// The exchanges before the answer.
    pub before: Vec<Before>,
    /// The first round in which `norm` and `before` count.
    pub from: usize,
    /// What is read again.
    pub history: History,
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
    /// The instruction that `{filler}` is as long as.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub filled_like: Texts,
    /// Where `{feedback}` comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

impl Arm {
    /// Every text of it.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let before = self
            .before
            .iter()
            .flat_map(|before| [&before.question, &before.say, &before.then, &before.prefill]);
        let own = [&self.system, &self.question, &self.say, &self.norm, &self.prefill, &self.filled_like];
        let ask = self.feedback.iter().map(|feedback| &feedback.ask);
        own.into_iter().chain(before).chain(ask).flat_map(Texts::all)
    }
}

/// Wordings, exchanges and conditions by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// What every condition starts from.
    #[serde(default)]
    pub wording: Condition,
    /// The exchanges.
    #[serde(default)]
    pub before: BTreeMap<String, Before>,
    /// The conditions.
    #[serde(default)]
    pub condition: BTreeMap<String, Condition>,
}

/// The built-in wording, exchanges and conditions.
///
/// # Errors
/// Never, unless the embedded file is broken.
pub fn built_in() -> Result<Library> {
    crate::toml_file::parse_toml(BUILT_IN, "studies/conditions.toml")
}

/// A condition of the study `own` by its name; answers have `max_new_tokens` where nothing says otherwise.
///
/// # Errors
/// An unknown condition or exchange (the known ones are listed), a condition that extends itself, one without words.
pub fn resolve(name: &str, own: &Library, max_new_tokens: usize) -> Result<Arm> {
    let built_in = built_in()?;
    let mut whole = built_in.wording.clone();
    whole.overlay(&own.wording);
    let libraries = [own, &built_in];
    overlay_named(&mut whole, name, &libraries, &mut Vec::new())?;
    let filled_like = match &whole.matches {
        None => Texts::default(),
        Some(other) => {
            let mut matched = Condition::default();
            overlay_named(&mut matched, other, &libraries, &mut Vec::new())?;
            matched.norm
        }
    };
    let before = whole.before.unwrap_or_default();
    let before = before.iter().map(|name| {
        let mut found = libraries.iter().rev().filter_map(|library| library.before.get(name));
        let mut before = found.next().cloned().ok_or_else(|| {
            unknown("exchange", name, libraries.iter().flat_map(|library| library.before.keys()))
        })?;
        found.for_each(|upper| before.overlay(upper));
        Ok(before)
    });
    Ok(Arm {
        name: name.to_string(),
        about: whole.about,
        system: whole.system,
        question: whole.question,
        say: whole.say,
        norm: whole.norm,
        prefill: whole.prefill,
        before: before.collect::<Result<_>>()?,
        from: whole.from.unwrap_or(1),
        history: whole.history.unwrap_or_default(),
        max_new_tokens: whole.max_new_tokens.unwrap_or(max_new_tokens),
        filled_like,
        feedback: whole.feedback,
    })
}

/// Lays the condition `name`, and before it what it extends, over `whole`.
fn overlay_named(
    whole: &mut Condition,
    name: &str,
    libraries: &[&Library],
    above: &mut Vec<(usize, String)>,
) -> Result<()> {
    // A study's condition may extend the built-in one of its own name.
    let skip = above.iter().filter(|(_, seen)| seen == name).map(|(at, _)| at + 1).max().unwrap_or(0);
    let found =
        libraries.iter().enumerate().skip(skip).find_map(|(at, l)| Some((at, l.condition.get(name)?)));
    let Some((at, condition)) = found else {
        return Err(match skip {
            0 => unknown("condition", name, libraries.iter().flat_map(|l| l.condition.keys())),
            _ => Error::input(format!("condition {name:?}"), "extends itself"),
        });
    };
    above.push((at, name.to_string()));
    for parent in &condition.extends {
        overlay_named(whole, parent, libraries, above)?;
    }
    above.pop();
    whole.overlay(condition);
    Ok(())
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: std::collections::BTreeSet<&str> = known.map(String::as_str).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let table = if what == "condition" { "condition" } else { "before" };
    Error::input(format!("{what} {name:?}"), "is not known")
        .hint(format!("known: {}; or define [{table}.{name}]", known.join(", ")))
}

impl Before {
    /// Takes over what `upper` says.
    fn overlay(&mut self, upper: &Self) {
        self.question.overlay(&upper.question);
        self.say.overlay(&upper.say);
        self.then.overlay(&upper.then);
        self.prefill.overlay(&upper.prefill);
        self.max_new_tokens = upper.max_new_tokens.or(self.max_new_tokens);
    }
}

impl Condition {
    /// Takes over what `upper` says.
    fn overlay(&mut self, upper: &Self) {
        if !upper.about.is_empty() {
            self.about.clone_from(&upper.about);
        }
        for (lower, upper) in [
            (&mut self.system, &upper.system),
            (&mut self.question, &upper.question),
            (&mut self.say, &upper.say),
            (&mut self.norm, &upper.norm),
            (&mut self.prefill, &upper.prefill),
        ] {
            lower.overlay(upper);
        }
        let or = |lower: &mut Option<_>, upper: &Option<_>| {
            if upper.is_some() {
                lower.clone_from(upper);
            }
        };
        or(&mut self.before, &upper.before);
        self.from = upper.from.or(self.from);
        self.history = upper.history.or(self.history);
        self.max_new_tokens = upper.max_new_tokens.or(self.max_new_tokens);
        self.matches = upper.matches.clone().or_else(|| self.matches.take());
        self.feedback = upper.feedback.clone().or_else(|| self.feedback.take());
    }
}

/// A name or a list of names.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a name or a list of names")]
enum Names {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<String>, D::Error> {
    Ok(match Names::deserialize(deserializer)? {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    })
}

fn some_names<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Vec<String>>, D::Error> {
    one_or_many(deserializer).map(Some)
}

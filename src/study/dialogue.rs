//! How the models are asked and how their choices are read.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the model is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialogueEntry {
    /// Names of conditions; the first is what the others are compared with.
    pub conditions: Vec<String>,
    /// Answers per dialogue, round 0 included.
    pub rounds: usize,
    /// Longest answer in tokens, where a condition says nothing else.
    pub max_new_tokens: usize,
    /// Shortest answer in tokens: until then no token that ends an answer is chosen.
    #[serde(default)]
    pub min_new_tokens: usize,
    /// In which orders options are listed.
    #[serde(default)]
    pub orders: Orders,
    /// How an option is chosen; the first decides, the others stand beside it in the tables.
    #[serde(default = "by_letter")]
    pub scoring: Vec<Scoring>,
    /// Whether a line break ends an answer.
    #[serde(default = "yes")]
    pub stop_at_newline: bool,
    /// Texts that end an answer, which is cut before them.
    #[serde(default)]
    pub stop: Vec<String>,
    /// How the next token is chosen; greedy without it, whatever a checkpoint's generation_config.json says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// Further answers to draw from every prompt of the first order, beside the one that the dialogue goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
}

fn yes() -> bool {
    true
}

fn by_letter() -> Vec<Scoring> {
    vec![Scoring::Letter]
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
    /// By the log-probability of its words as the beginning of a document, whatever was asked: the published score of
    /// sentence pairs under a causal model.
    TextAlone,
    /// By what the generated text says; a text that names no option, or several, chooses none.
    Parsed,
}

impl DialogueEntry {
    /// The first scoring of the study's that reads letters: where options are scored anew, they are scored by it.
    #[must_use]
    pub fn letters(&self) -> Scoring {
        let letters = |scoring: &&Scoring| matches!(scoring, Scoring::Letter | Scoring::LetterGiven);
        self.scoring.iter().find(letters).copied().unwrap_or(Scoring::Letter)
    }
}

impl Scoring {
    /// The name used in studies and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter",
            Self::LetterGiven => "letter-given",
            Self::TextSum => "text-sum",
            Self::TextMean => "text-mean",
            Self::TextPmi => "text-pmi",
            Self::TextAlone => "text-alone",
            Self::Parsed => "parsed",
        }
    }

    /// Whether the options' words must be scored by themselves.
    #[must_use]
    pub fn needs_unconditional(self) -> bool {
        matches!(self, Self::TextPmi | Self::TextAlone)
    }

    /// Whether the options' words must be scored as answers.
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
    /// In one order, drawn for each item by the study's seed.
    Shuffled,
    /// In every cyclic order, one dialogue each; option scores are averaged.
    #[default]
    Cyclic,
    /// In every order, one dialogue each; option scores are averaged.
    All,
}

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Divides the logits; above 0.
    pub temperature: f64,
    /// Probability mass to draw from, in (0, 1].
    #[serde(default = "all_of_it")]
    pub top_p: f64,
    /// How many of the most probable tokens to draw from; 0 for all.
    #[serde(default)]
    pub top_k: usize,
}

fn all_of_it() -> f64 {
    1.0
}

/// Answers that are drawn beside the one that the dialogue goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// How many.
    pub n: usize,
    /// Divides the logits; above 0.
    #[serde(default = "all_of_it")]
    pub temperature: f64,
    /// Probability mass to draw from, in (0, 1].
    #[serde(default = "all_of_it")]
    pub top_p: f64,
    /// How many of the most probable tokens to draw from; 0 for all.
    #[serde(default)]
    pub top_k: usize,
}

impl Samples {
    /// How they are drawn.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_p: self.top_p, top_k: self.top_k }
    }
}

impl Sampling {
    /// The sampling, if it can be done; `names` are those of temperature and mass where the user wrote them.
    ///
    /// # Errors
    /// A temperature that is not above 0, a mass outside (0, 1].
    pub fn checked(self, names: [&str; 2]) -> Result<Self> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Error::input(names[0], "must be above 0").hint("leave it out to decode greedily"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(Error::input(names[1], "must be above 0 and at most 1"));
        }
        Ok(self)
    }
}

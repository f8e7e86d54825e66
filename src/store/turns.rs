//! Turns: what was asked and answered, one JSON line per (item, round).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines;
use crate::study::Scoring;
use crate::study::manifest::hash;
use crate::{Error, Result};

/// One round of one item under one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The item.
    pub item: String,
    /// Its group.
    pub group: String,
    /// Its category.
    pub category: String,
    /// 0 is the answer before any correction request.
    pub round: usize,
    /// What the user said last before the answer, with the options in the given order.
    pub user: String,
    /// Log-probability of each option of the file's order by the study's first scoring, normalised over the options.
    /// Natural logarithm. Empty for an item without options.
    pub logprobs: Vec<f64>,
    /// The option chosen by the study's first scoring, `None` where there is none.
    pub choice: Option<usize>,
    /// Log-probability of each option's words as the beginning of a document; only where a scoring needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconditional: Vec<f64>,
    /// One dialogue per order of the options; the first is the one whose states are captured.
    pub orders: Vec<OrderTurn>,
    /// Further answers to the first order's prompt, drawn at random; the dialogue does not go on from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// The same round in one order of the options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderTurn {
    /// `order[k]` is the option (of the file) that stands at place k.
    pub order: Vec<usize>,
    /// Exchanges of the round that precede the answer: a chain of thought, a self-diagnosis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Exchange>,
    /// Token ids added to the dialogue before the answer; the whole prompt is all `new_ids` and answers so far, those of
    /// `before` included.
    pub new_ids: Vec<i64>,
    /// Token ids of the answer that stay in the dialogue (an end token is left out).
    pub answer_ids: Vec<i64>,
    /// The answer's text, prefill included.
    pub answer: String,
    /// Whether the answer ended by itself.
    pub ended: bool,
    /// Sum of the log-probabilities of `answer_ids`, as the model gave them at temperature 1. Natural logarithm.
    pub answer_logprob: f64,
    /// Log-probability of each option of the file's order as the model gave it, not normalised: its letter, the word at
    /// the blank, or the sentence. Natural logarithm.
    pub logprobs: Vec<f64>,
    /// The words of each option as the whole answer; only where a scoring needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextScore>,
    /// The option that the answer's text names, `None` where it names none or several.
    pub parsed: Option<usize>,
}

/// A request and its answer before the answer that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// What the user said.
    pub user: String,
    /// Token ids added before the answer.
    pub new_ids: Vec<i64>,
    /// Token ids of the answer that stay in the dialogue.
    pub answer_ids: Vec<i64>,
    /// The answer's text, prefill included.
    pub answer: String,
    /// Whether it ended by itself.
    pub ended: bool,
}

/// How probable a text is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextScore {
    /// Sum of the log-probabilities of its tokens. Natural logarithm.
    pub logprob: f64,
    /// How many tokens it has.
    pub tokens: usize,
}

/// An answer drawn at random.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its token ids, an end token left out.
    pub ids: Vec<i64>,
    /// Its text, prefill included.
    pub text: String,
    /// Sum of the log-probabilities of `ids` at temperature 1. Natural logarithm.
    pub logprob: f64,
    /// The option that it names.
    pub parsed: Option<usize>,
}

impl Turn {
    /// Log-probability of each option of the file's order by a scoring, normalised over the options: normalised within
    /// each order, averaged over the orders, normalised again. `None` where the turn lacks what the scoring needs, and
    /// for [`Scoring::Parsed`], which gives no probabilities.
    ///
    /// An item whose options are no letters has one way of being put, so the two letter scorings both are its own.
    #[must_use]
    pub fn by(&self, scoring: Scoring) -> Option<Vec<f64>> {
        let orders = match scoring {
            Scoring::LetterGiven | Scoring::TextAlone => self.orders.get(..1)?,
            _ => &self.orders[..],
        };
        let mut all: Vec<Vec<f64>> = Vec::with_capacity(orders.len());
        for order in orders {
            all.push(match scoring {
                Scoring::Letter | Scoring::LetterGiven => order.logprobs.clone(),
                Scoring::TextSum => order.texts.iter().map(|text| text.logprob).collect(),
                Scoring::TextMean => {
                    order.texts.iter().map(|text| text.logprob / text.tokens as f64).collect()
                }
                Scoring::TextPmi if self.unconditional.len() == order.texts.len() => order
                    .texts
                    .iter()
                    .zip(&self.unconditional)
                    .map(|(text, alone)| text.logprob - alone)
                    .collect(),
                Scoring::TextAlone => self.unconditional.clone(),
                Scoring::TextPmi | Scoring::Parsed => return None,
            });
        }
        over_orders(&all)
    }
}

/// Log-probabilities of options `[order][option of the file]` as one distribution: normalised within each order, averaged
/// over the orders, normalised again. `None` where there is no order, or one without options.
#[must_use]
pub fn over_orders(orders: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut mean: Vec<f64> = Vec::new();
    for raw in orders {
        if raw.is_empty() {
            return None;
        }
        mean.resize(raw.len(), 0.0);
        mean.iter_mut().zip(normalise(raw)).for_each(|(sum, value)| *sum += value / orders.len() as f64);
    }
    (!mean.is_empty()).then(|| normalise(&mean))
}

/// The index of the largest value, the first on a tie.
#[must_use]
pub fn largest(values: &[f64]) -> Option<usize> {
    let better = |best: usize, at: usize| if values[at] > values[best] { at } else { best };
    (!values.is_empty()).then(|| (1..values.len()).fold(0, better))
}

/// Log-probabilities that sum to one in probability.
fn normalise(logprobs: &[f64]) -> Vec<f64> {
    let top = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let z = top + logprobs.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
    logprobs.iter().map(|l| l - z).collect()
}

/// The text of a shard of turns.
///
/// # Errors
/// A log-probability is not finite: such a number has no place in JSON and none in a result.
pub fn text(turns: &[Turn]) -> Result<String> {
    let mut text = String::new();
    for turn in turns {
        let mut logprobs = turn.orders.iter().flat_map(|order| &order.logprobs).chain(&turn.logprobs);
        if logprobs.any(|logprob| !logprob.is_finite()) {
            let why = "the log-probabilities of its options are not finite";
            return Err(Error::input(format!("item {}", turn.item), why)
                .hint("`recant model check DIR` says more about the checkpoint"));
        }
        text += &serde_json::to_string(turn)
            .map_err(|error| Error::input(turn.item.clone(), error.to_string()))?;
        text.push('\n');
    }
    Ok(text)
}

/// Reads a shard of turns whose text has the given SHA-256.
///
/// # Errors
/// The file cannot be read, was changed since it was written, or holds a line that is not a turn.
pub fn read(path: &Path, sha256: &str) -> Result<Vec<Turn>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let again = "delete the shard and run the study again";
    if hash(text.as_bytes()) != sha256 {
        let why = "was changed since it was written: its checksum does not fit";
        return Err(Error::input(path.display().to_string(), why).hint(again));
    }
    lines::parse(path, &text).map_err(|error| error.hint(again))
}

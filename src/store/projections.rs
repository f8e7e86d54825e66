//! How far each token of a dialogue lies along the directions of concepts: a file for each (model, task, condition).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{RunDir, measured};
use crate::dialogue::{Span, Speaker};
use crate::{Error, Result};

/// Projections of some dialogues of a task under a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projected {
    /// What is projected on.
    pub concepts: Vec<Direction>,
    /// The dialogues, in the first order of their options.
    pub items: Vec<Dialogue>,
}

/// The direction of a concept: the probe's of the main site, at the layer where it reads best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direction {
    /// The concept.
    pub concept: String,
    /// What a positive score means.
    pub positive: String,
    /// The site.
    pub site: String,
    /// The layer.
    pub layer: usize,
}

/// A dialogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dialogue {
    /// The item.
    pub item: String,
    /// Its rounds.
    pub rounds: Vec<Round>,
}

/// What a round adds to a dialogue: the user's words, the answer, exchanges before it, and what the template puts around
/// them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// How many tokens stand before the first of these in what the model reads.
    pub from: usize,
    /// The place among these of the position `last`: the last token that the template renders before the answer.
    pub last: usize,
    /// Whose the tokens are, by their places among these: end to end, from the first to the last.
    pub spans: Vec<Span>,
    /// The tokens.
    pub ids: Vec<i64>,
    /// The text of each; end to end they are the text of the round.
    pub texts: Vec<String>,
    /// `[concept][token]`: the concept score of the token's state, in within-class standard deviations.
    pub scores: Vec<Vec<f32>>,
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token<'a> {
    /// Its text, special tokens spelled out.
    pub text: &'a str,
    /// Whose it is.
    pub speaker: Speaker,
    /// Its score for each concept.
    pub scores: Vec<f32>,
}

impl Round {
    /// Its tokens.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        let speakers =
            self.spans.iter().flat_map(|span| std::iter::repeat_n(span.speaker, span.end - span.start));
        let scores = |at: usize| self.scores.iter().map(move |scores| scores[at]).collect();
        let tokens = self.texts.iter().zip(speakers).enumerate();
        tokens.map(move |(at, (text, speaker))| Token { text, speaker, scores: scores(at) })
    }

    /// Whether all its lists are of one length and its spans lie end to end.
    fn is_whole(&self, concepts: usize) -> bool {
        let n = self.ids.len();
        let mut end = 0;
        let joined = self.spans.iter().all(|span| {
            let joins = span.start == end && span.start <= span.end;
            end = span.end;
            joins
        });
        joined
            && end == n
            && self.last < n
            && self.texts.len() == n
            && self.scores.len() == concepts
            && self.scores.iter().all(|scores| scores.len() == n)
    }
}

/// Path of the projections of (model, task, condition).
///
/// # Errors
/// The directory cannot be made.
pub fn place(run: &RunDir, model: &str, task: &str, condition: &str) -> Result<PathBuf> {
    run.place(&["projections", model, task], &format!("{condition}.json"))
}

/// Reads projections; None where there are none.
///
/// # Errors
/// The file is damaged.
pub fn read(run: &RunDir, model: &str, task: &str, condition: &str) -> Result<Option<Projected>> {
    let path = place(run, model, task, condition)?;
    let Some(found) = measured::read::<Projected>(&path)? else { return Ok(None) };
    let mut rounds = found.items.iter().flat_map(|dialogue| &dialogue.rounds);
    match rounds.all(|round| round.is_whole(found.concepts.len())) {
        true => Ok(Some(found)),
        false => {
            Err(Error::input(path.display().to_string(), "holds tokens without a text, a speaker or a score")
                .hint("delete it and run the study again"))
        }
    }
}

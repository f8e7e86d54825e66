//! Whose tokens are whose: what a turn adds to a dialogue, by speaker.

use serde::{Deserialize, Serialize};

use super::Prompt;

/// Whose words a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Nobody's: what the chat template puts around the words, the system prompt included.
    Template,
    /// The user's.
    User,
    /// The model's, the opening that was put into its mouth included.
    Model,
}

/// A stretch of tokens of one speaker, as positions in the whole sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whose they are.
    pub speaker: Speaker,
    /// The first token.
    pub start: usize,
    /// One more than the last token.
    pub end: usize,
}

impl Prompt {
    /// The tokens that the turn adds, with an answer of so many tokens after it: end to end, none of them empty. Where the
    /// template changes the user's words, all that it renders counts as the user's. A token that holds both words and what
    /// stands around them counts as words.
    #[must_use]
    pub fn spans(&self, answer: usize) -> Vec<Span> {
        let rendered = self.last + 1;
        let words = match (self.instruction_start, self.instruction_end) {
            // Cut off at the words, a text may fall into other tokens: the ends must not cross all the same.
            (Some(first), Some(last)) => {
                let first = first.clamp(self.fresh, rendered);
                first..(last + 1).clamp(first, rendered)
            }
            _ => self.fresh..rendered,
        };
        let parts = [
            (Speaker::Template, self.fresh, words.start),
            (Speaker::User, words.start, words.end),
            (Speaker::Template, words.end, rendered),
            (Speaker::Model, rendered, self.ids.len() + answer),
        ];
        let spans = parts.into_iter().map(|(speaker, start, end)| Span { speaker, start, end });
        spans.filter(|span| span.start < span.end).collect()
    }
}

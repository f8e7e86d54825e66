//! Named tokens of a round.

use crate::{Error, Result};

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

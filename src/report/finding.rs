//! What the numbers say, with the figure that shows it.

use serde::{Deserialize, Serialize};

/// A sentence or two on one thing, with effect, interval and n.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is of.
    pub topic: Topic,
    /// What is said.
    pub text: String,
    /// Whether it says that something is there, beyond chance; else that nothing is, or that it cannot be told.
    pub clear: bool,
    /// The figure that shows it, by name.
    pub figure: Option<String>,
}

/// What a finding is of, in the order in which a report tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// What models answer.
    Answers,
    /// How well concepts read.
    Probes,
    /// How concept scores move over rounds.
    Rounds,
    /// What lies between the states of two models.
    Shift,
    /// What an intervention does.
    Interventions,
    /// What layers would answer.
    Lens,
    /// Which tokens differ between two models.
    Tokens,
    /// Which weights do.
    Weights,
    /// How a checkpoint was aligned.
    Alignment,
}

impl Topic {
    /// Its heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Answers => "Answers",
            Self::Probes => "Concepts in the states",
            Self::Rounds => "Concepts over rounds",
            Self::Shift => "Between models: states",
            Self::Interventions => "Interventions",
            Self::Lens => "What layers would answer",
            Self::Tokens => "Between models: tokens",
            Self::Weights => "Between models: weights",
            Self::Alignment => "Alignment",
        }
    }
}

impl Finding {
    /// Something that is there, beyond chance.
    #[must_use]
    pub fn new(topic: Topic, text: String) -> Self {
        Self { topic, text, clear: true, figure: None }
    }

    /// The same where it holds, else the sentence says that nothing is there.
    #[must_use]
    pub fn clear(self, clear: bool) -> Self {
        Self { clear, ..self }
    }

    /// The same with the figure that shows it.
    #[must_use]
    pub fn at(self, figure: impl Into<String>) -> Self {
        Self { figure: Some(figure.into()), ..self }
    }
}

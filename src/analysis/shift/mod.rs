//! What lies between two models: of their answers, and of their states on the words that each had itself and on the same
//! words.

pub mod about;
pub mod behaviour;
pub mod cells;
pub mod concepts;
pub mod grid;
pub mod layers;
pub mod prompt;
pub mod separation;

pub use about::{About, key};
pub use behaviour::{Answers, COUNTED};
pub use cells::{Cell, LayerCell, Place, Text};
pub use concepts::{ConceptCell, ConceptLayer};
pub use layers::Beside;
pub use prompt::{Mode, PromptShift};
pub use separation::{LayerSeparation, Separation};

use super::summary::{ModelSummary, Sources};
use crate::Result;
use crate::model::Spec;
use crate::study::Study;

/// Sign flips behind a p-value.
pub const FLIPS: usize = 1000;

/// Shuffles of a direction's coordinates behind the null of a cosine.
pub const DIRECTIONS: usize = 200;

/// All that is known of a pair of models.
pub struct PairShift {
    /// The pair.
    pub about: About,
    /// Of their answers.
    pub answers: Vec<Answers>,
    /// Of their states.
    pub cells: Vec<Cell>,
    /// Of their states along concepts; none where their axes are not the same.
    pub concepts: Vec<ConceptCell>,
    /// Of the concepts' own texts.
    pub separations: Vec<Separation>,
}

impl PairShift {
    /// The pairs that a run was measured for.
    ///
    /// # Errors
    /// States are missing or damaged.
    pub fn all(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for about in About::all(sources)? {
            let summary = |name: &str| summaries.iter().find(|summary| summary.model == name);
            if let (Some(before), Some(after)) = (summary(&about.before), summary(&about.after)) {
                all.push(Self::of(sources, about, (before, after))?);
            }
        }
        Ok(all)
    }

    /// The text on which the pair is shown: the same, where both have read it.
    #[must_use]
    pub fn text(&self) -> Text {
        let same = self.cells.iter().any(|cell| cell.place.text == Text::Same);
        if same { Text::Same } else { Text::Own }
    }

    /// The condition that is wanted, or where it was not read on the text that is shown, the first that was.
    #[must_use]
    pub fn condition(&self, wanted: usize) -> usize {
        let text = self.text();
        let mut read = self.cells.iter().map(|cell| &cell.place).filter(|place| place.text == text);
        match read.clone().any(|place| place.condition == wanted) {
            true => wanted,
            false => read.next().map_or(wanted, |place| place.condition),
        }
    }

    /// A task at the main site and position in round 0, on the text and under the condition that are shown.
    #[must_use]
    pub fn main(&self, study: &Study, task: usize) -> Option<&Cell> {
        let shown = (self.text(), task, self.condition(0), 0);
        self.cells.iter().find(|cell| cell.place.is_main(study) && cell.place.shown() == shown)
    }

    /// A concept there.
    #[must_use]
    pub fn concept(&self, task: usize, concept: usize) -> Option<&ConceptCell> {
        let shown = (self.text(), task, self.condition(0), 0);
        self.concepts.iter().find(|cell| cell.concept == concept && cell.place.shown() == shown)
    }

    fn of(
        sources: &Sources<'_>,
        about: About,
        (before, after): (&ModelSummary, &ModelSummary),
    ) -> Result<Self> {
        let layers = layers::beside(sources, &about.before, &about.after)?;
        let entry = sources.study.models.iter().find(|entry| entry.name == about.before);
        let heads = entry.map_or(Ok(1), |entry| Spec::read(&entry.path).map(|spec| spec.n_heads as usize))?;
        let same_axes = about.other_axes.is_none();
        Ok(Self {
            answers: behaviour::answers(sources.study, (before, after), sources.bootstrap(), FLIPS),
            cells: cells::cells(sources, &about, &layers, heads)?,
            concepts: match same_axes {
                true => concepts::cells(sources, &about, &layers, before)?,
                false => Vec::new(),
            },
            separations: separation::separations(sources, &layers, (before, after))?,
            about,
        })
    }
}

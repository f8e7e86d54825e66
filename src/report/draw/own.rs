//! Figures of a study's own, made of those that a run gives; and figures of several runs.

use std::any::Any;

use recant_figures::{AnyFigure, Style, Together, Width, matches};

use super::Planned;
use crate::study::FigureEntry;
use crate::{Error, Result};

/// A figure with what it is of, beside others that it stands with.
type Of<'p> = (String, &'p Planned);

impl Planned {
    /// The name without the model's at its end.
    fn family(&self) -> &str {
        let name = self.figure.get().name();
        let end = self.model.as_ref().and_then(|model| name.strip_suffix(model.as_str())?.strip_suffix('-'));
        end.unwrap_or(name)
    }

    /// Whether a name or pattern means it, by its whole name or by that without the model's.
    #[must_use]
    pub fn is(&self, pattern: &str) -> bool {
        matches(pattern, self.figure.get().name()) || matches(pattern, self.family())
    }
}

/// The figure that a study describes, made of the figures of a run.
///
/// # Errors
/// No figure is meant, those meant cannot stand together, or they lack a part that is asked for.
pub fn own(all: &[Planned], entry: &FigureEntry) -> Result<Planned> {
    let mut meant: Vec<&Planned> = all.iter().filter(|planned| planned.is(&entry.of)).collect();
    if !entry.models.is_empty() {
        let place = |planned: &Planned| {
            let model = planned.model.as_ref()?;
            entry.models.iter().position(|name| name == model)
        };
        meant.retain(|planned| place(planned).is_some());
        meant.sort_by_key(|planned| place(planned));
    }
    if meant.is_empty() {
        return Err(unknown(all, &entry.of));
    }
    if all.iter().any(|planned| planned.name() == entry.name) {
        let error = Error::input(format!("figure {}", entry.name), "every run has a figure of that name");
        return Err(error.hint("choose another name for the study's own"));
    }
    let models: Vec<Of<'_>> =
        meant.iter().map(|planned| (planned.model.clone().unwrap_or_default(), *planned)).collect();
    let several = models.iter().any(|(of, _)| *of != models[0].0);
    let mut figure = together(&models, entry.together(), several)?;
    figure.get_mut().arrange(&entry.arrangement())?;
    figure.get_mut().rename(&entry.name);
    let first = meant[0];
    let model =
        meant.iter().all(|planned| planned.model == first.model).then(|| first.model.clone()).flatten();
    let planned = Planned { figure, model, height: entry.height.or(first.height) };
    planned.figure.get().svg(&planned.style(&Style::at(Width::Page)))?;
    Ok(planned)
}

/// An error that lists the figures there are.
#[must_use]
pub fn unknown(all: &[Planned], wanted: &str) -> Error {
    let names: Vec<&str> = all.iter().map(|planned| planned.name()).collect();
    let error = Error::input(format!("figure {wanted}"), "the run has none of that name");
    error.hint(format!("it has {}", names.join(", ")))
}

/// One figure of several, each part saying which it is of where it is to be marked.
///
/// # Errors
/// They are of different kinds or have different axes.
pub fn together(all: &[Of<'_>], how: Together, marked: bool) -> Result<AnyFigure> {
    let part = |(of, planned): &Of<'_>| {
        let mut figure = planned.figure.clone();
        if marked {
            figure.get_mut().mark(of, how);
        }
        figure
    };
    let mut figures = all.iter().map(part);
    let mut whole = figures.next().ok_or_else(|| Error::input("figure", "is made of nothing"))?;
    for figure in figures {
        whole.get_mut().join(figure.get() as &dyn Any, how)?;
    }
    Ok(whole)
}

//! Figures of a study's own, made of those that a run gives.

use std::collections::BTreeMap;

use recant_figures::{Arrangement, Together};
use serde::{Deserialize, Serialize};

use super::Study;
use crate::Result;

/// `[[figure]]`: a choice of what a run's figures show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureEntry {
    /// The name of its files.
    pub name: String,
    /// The figures it is made of, as `recant figures RUN --list` names them, with or without the model's name at the end;
    /// `*` stands for anything.
    pub of: String,
    /// The models whose figures are taken, in this order; all of them where it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// How figures of several models are put together.
    #[serde(default)]
    pub together: Join,
    /// Titles of the panels to keep, in this order; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub panels: Vec<String>,
    /// Labels of the lines to keep (conditions, mostly), in this order; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The first and the last layer to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<[usize; 2]>,
    /// Titles and labels, and what stands in their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub titles: BTreeMap<String, String>,
    /// Panels side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<usize>,
    /// The height of each panel in points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f64>,
}

/// How figures are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// Panels beside panels.
    #[default]
    Panels,
    /// Lines of panels of one title in one panel.
    Lines,
}

impl FigureEntry {
    /// What is taken.
    #[must_use]
    pub fn arrangement(&self) -> Arrangement {
        Arrangement {
            panels: self.panels.clone(),
            lines: self.lines.clone(),
            layers: self.layers.map(|[first, last]| (first, last)),
            names: self.titles.clone().into_iter().collect(),
            columns: self.columns,
        }
    }

    /// How figures are put together.
    #[must_use]
    pub fn together(&self) -> Together {
        match self.together {
            Join::Panels => Together::Panels,
            Join::Lines => Together::Lines,
        }
    }
}

/// Names must be plain and differ, models must be the study's.
pub(super) fn check(study: &Study) -> Result<()> {
    study.plain_names("figure", ".name", study.figure.iter().map(|entry| &entry.name))?;
    for (i, entry) in study.figure.iter().enumerate() {
        if entry.of.is_empty() {
            let hint = "`recant figures RUN --list` names the figures of a run";
            return Err(study.wrong(&format!("figure.{i}.of"), "names no figure").hint(hint));
        }
        for (place, name) in entry.models.iter().enumerate() {
            if !study.models.iter().any(|model| model.name == *name) {
                let known: Vec<&str> = study.models.iter().map(|model| model.name.as_str()).collect();
                let why = format!("{name:?} is no model of the study");
                let error = study.wrong(&format!("figure.{i}.models.{place}"), why);
                return Err(error.hint(format!("its models: {}", known.join(", "))));
            }
        }
    }
    Ok(())
}

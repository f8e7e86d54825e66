//! Which tokens of a run's dialogues are set against the directions of concepts.

use serde::{Deserialize, Serialize};

use super::Study;
use super::shift::{known, limit};
use crate::Result;

/// `[projections]`: how far each token lies along the direction of each concept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectionsEntry {
    /// Items of each task, shared out evenly over its categories, from the front of each.
    pub items: usize,
    /// The conditions; all that can be read again where it names none.
    pub conditions: Vec<String>,
    /// The concepts; all of the study where it names none.
    pub concepts: Vec<String>,
    /// The models; all of the study where it names none.
    pub models: Vec<String>,
}

impl Default for ProjectionsEntry {
    fn default() -> Self {
        Self { items: 12, conditions: Vec::new(), concepts: Vec::new(), models: Vec::new() }
    }
}

impl ProjectionsEntry {
    /// Whether a model is asked for.
    #[must_use]
    pub fn wants_model(&self, name: &str) -> bool {
        wants(&self.models, name)
    }

    /// Whether a concept is asked for.
    #[must_use]
    pub fn wants_concept(&self, name: &str) -> bool {
        wants(&self.concepts, name)
    }

    /// Checks it.
    ///
    /// # Errors
    /// A name that the study does not know, a condition that cannot be read again, no items, no concept.
    pub(super) fn check(&self, study: &Study) -> Result<()> {
        limit(study, "projections.items", Some(self.items))?;
        known(study, "projections.conditions", &self.conditions)?;
        for (i, name) in self.conditions.iter().enumerate() {
            if study.arm(name)?.feedback.is_some() {
                let why = format!("{name:?} cannot be read again: what its critic said is not recorded");
                return Err(study.wrong(&format!("projections.conditions.{i}"), why));
            }
        }
        if study.concepts.is_empty() {
            return Err(study
                .wrong("projections", "has no direction to project on: the study has no concept")
                .hint("add a [[concepts]] table"));
        }
        let models = study.models.iter().map(|model| model.name.as_str());
        among(study, ("projections.models", "model"), &self.models, models)?;
        let concepts = study.concepts.iter().map(|concept| concept.name.as_str());
        among(study, ("projections.concepts", "concept"), &self.concepts, concepts)
    }
}

fn wants(named: &[String], name: &str) -> bool {
    named.is_empty() || named.iter().any(|own| own == name)
}

/// Refuses a name that is none of `all`.
fn among<'a>(
    study: &Study,
    (key, what): (&str, &str),
    named: &[String],
    all: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let all: Vec<&str> = all.collect();
    match named.iter().position(|name| !all.contains(&name.as_str())) {
        None => Ok(()),
        Some(i) => Err(study
            .wrong(&format!("{key}.{i}"), format!("{:?} is no {what} of the study", named[i]))
            .hint(format!("{what}s are {}", all.join(", ")))),
    }
}

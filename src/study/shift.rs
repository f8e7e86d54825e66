//! What is looked at beside the states of a run: through which lens, and which models are compared with which.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::steer::{DirectionEntry, LayerList, Method, SteerEntry};
use super::{ModelEntry, Study};
use crate::model::Site;
use crate::{Error, Result};

/// `[lens]`: what each layer would answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LensEntry {
    /// The conditions that are looked at; all of them where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Items of each category, from the front; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Whether an affine map of each layer is trained and looked through too (a tuned lens).
    pub tuned: bool,
    /// Plain text to train it on, a text a line; the built-in prose without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<PathBuf>,
    /// The most steps of that training.
    pub steps: usize,
}

impl Default for LensEntry {
    fn default() -> Self {
        Self { conditions: Vec::new(), limit: None, tuned: false, texts: None, steps: 40 }
    }
}

/// `[shift]`: what lies between two models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShiftEntry {
    /// Names of models, before and after; where it is empty, the base (the model of that role, or else the first) and each
    /// of the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<[String; 2]>,
    /// The conditions whose dialogues both models read; all of them where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Items of each category that both models read, from the front; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Plain text that both models read, a text a line; the built-in prose without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<PathBuf>,
    /// Value vectors of each concept that are followed.
    pub neurons: usize,
    /// Factors by which their keys are multiplied in the model after, to see whether the answers of before come back; the
    /// last is the main one. None where it is empty.
    pub keys: Vec<f64>,
}

impl Default for ShiftEntry {
    fn default() -> Self {
        Self {
            pairs: Vec::new(),
            conditions: Vec::new(),
            limit: None,
            texts: None,
            neurons: 16,
            keys: Vec::new(),
        }
    }
}

impl ShiftEntry {
    /// The pairs, as places of models in the study.
    #[must_use]
    pub fn pairs(&self, study: &Study) -> Vec<(usize, usize)> {
        let place = |name: &String| study.models.iter().position(|model| model.name == *name);
        if !self.pairs.is_empty() {
            let named = |[before, after]: &[String; 2]| Some((place(before)?, place(after)?));
            return self.pairs.iter().filter_map(named).collect();
        }
        let base = study.base();
        (0..study.models.len()).filter(|&other| other != base).map(|other| (base, other)).collect()
    }

    /// The interventions that `keys` stands for: in the model after of each pair, the keys of the value vectors nearest to
    /// each concept's direction are scaled.
    #[must_use]
    pub fn interventions(&self, study: &Study) -> Vec<SteerEntry> {
        let mut all: Vec<SteerEntry> = Vec::new();
        if self.keys.is_empty() {
            return all;
        }
        for (_, after) in self.pairs(study) {
            let model = &study.models[after].name;
            for concept in &study.concepts {
                let name = intervention(&concept.name, model);
                let same = |entry: &SteerEntry| {
                    let direction = entry.direction.as_ref().and_then(|direction| direction.concept.as_ref());
                    entry.model.as_ref() == Some(model) && direction == Some(&concept.name)
                };
                if !all.iter().any(same) {
                    all.push(SteerEntry {
                        name,
                        model: Some(model.clone()),
                        method: Method::Keys,
                        direction: Some(DirectionEntry {
                            concept: Some(concept.name.clone()),
                            ..DirectionEntry::default()
                        }),
                        task: None,
                        condition: None,
                        site: None,
                        layers: LayerList::default(),
                        position: None,
                        strengths: Some(self.keys.clone()),
                        unit: None,
                        random: None,
                        limit: self.limit,
                        held_out: None,
                        perplexity: None,
                        neurons: Some(self.neurons),
                        from: None,
                        sites: None,
                    });
                }
            }
        }
        all
    }

    fn check_keys(&self, study: &Study) -> Result<()> {
        let wrong = |why: String| study.wrong("shift.keys", why);
        if self.keys.iter().any(|factor| !factor.is_finite()) {
            return Err(wrong("holds a factor that is not finite".into()));
        }
        let own = self.interventions(study);
        for (place, entry) in own.iter().enumerate() {
            if own[..place].iter().any(|other| other.name == entry.name) {
                return Err(wrong(format!("makes two interventions called {}", entry.name))
                    .hint("give a model or a concept another name"));
            }
            if study.steer.iter().any(|own| own.name == entry.name) {
                let why = format!("makes an intervention {}, and [[steer]] has one of that name", entry.name);
                return Err(wrong(why).hint("give that one another name"));
            }
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        if study.run.stream {
            let why = "changes weights, and those of a streamed model are read anew in each pass";
            return Err(wrong(why.into()).hint("run.stream = false"));
        }
        let site: Site = study.probe.site.parse()?;
        match site.takes_neurons() {
            true => Ok(()),
            false => Err(wrong(format!("directions of {site} cannot be compared with what neurons write"))
                .hint("probe.site = \"resid_post\"")),
        }
    }

    fn check(&self, study: &Study) -> Result<()> {
        for (i, pair) in self.pairs.iter().enumerate() {
            for name in pair {
                if study.models.iter().all(|model| model.name != *name) {
                    let known: Vec<&str> = study.models.iter().map(|model| model.name.as_str()).collect();
                    return Err(study
                        .wrong(&format!("shift.pairs.{i}"), format!("{name:?} is no model of the study"))
                        .hint(format!("models are {}", known.join(", "))));
                }
            }
            if pair[0] == pair[1] {
                let why = format!("{:?} stands on both sides", pair[0]);
                return Err(study
                    .wrong(&format!("shift.pairs.{i}"), why)
                    .hint("to compare a checkpoint with itself, list it twice in [[models]]"));
            }
        }
        if self.pairs(study).is_empty() {
            return Err(study.wrong("shift", "has nothing to compare: the study has one model"));
        }
        if self.neurons == 0 {
            return Err(study.wrong("shift.neurons", "must be at least 1"));
        }
        self.check_keys(study)?;
        known(study, "shift.conditions", &self.conditions)?;
        limit(study, "shift.limit", self.limit)
    }
}

/// The name of the intervention that scales the keys of the value vectors nearest to a concept's direction in a model.
#[must_use]
pub fn intervention(concept: &str, model: &str) -> String {
    format!("keys-{concept}-{model}")
}

impl Study {
    /// The place of the model that others are compared with: the one whose role is `base`, or else the first.
    #[must_use]
    pub fn base(&self) -> usize {
        let is_base = |model: &ModelEntry| model.role.as_deref() == Some("base");
        self.models.iter().position(is_base).unwrap_or(0)
    }
}

/// Checks `[lens]` and `[shift]`.
///
/// # Errors
/// A name that the study does not know, nothing to compare.
pub(super) fn check(study: &Study) -> Result<()> {
    if let Some(lens) = &study.lens {
        known(study, "lens.conditions", &lens.conditions)?;
        limit(study, "lens.limit", lens.limit)?;
        if lens.texts.is_some() && !lens.tuned {
            return Err(study
                .wrong("lens.texts", "is what a tuned lens is trained on")
                .hint("set lens.tuned = true"));
        }
        if lens.tuned && study.run.stream {
            let why = "takes the head at every step, and that of a streamed model is read anew each time";
            return Err(study.wrong("lens.tuned", why).hint("run.stream = false"));
        }
        if lens.steps == 0 {
            return Err(study.wrong("lens.steps", "must be at least 1"));
        }
    }
    study.shift.as_ref().map_or(Ok(()), |shift| shift.check(study))
}

pub(super) fn known(study: &Study, key: &str, conditions: &[String]) -> Result<()> {
    let conducted = &study.dialogue.conditions;
    match conditions.iter().position(|name| !conducted.contains(name)) {
        None => Ok(()),
        Some(i) => {
            let why = format!("{:?} is not among dialogue.conditions", conditions[i]);
            Err(study.origin.at(&format!("{key}.{i}"), Error::input("", why)))
        }
    }
}

pub(super) fn limit(study: &Study, key: &str, limit: Option<usize>) -> Result<()> {
    if limit == Some(0) { Err(study.wrong(key, "must be at least 1")) } else { Ok(()) }
}

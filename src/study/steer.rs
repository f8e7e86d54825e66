//! Interventions of a study: its `[[steer]]` tables. They are no part of the run key: they rest on a run and change
//! nothing in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Position, Study};
use crate::model::{Layers, Site};
use crate::task::split;
use crate::{Error, Result};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A direction is added to the states of a site.
    Add,
    /// The component of the states along a direction is taken out.
    Ablate,
    /// The state of a later round is put in the place of round 0's.
    Patch,
    /// The keys of the neurons that write along a direction are scaled.
    Keys,
    /// The gates of those neurons are held at a value.
    Gates,
}

impl Method {
    /// The name used in studies and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Ablate => "ablate",
            Self::Patch => "patch",
            Self::Keys => "keys",
            Self::Gates => "gates",
        }
    }

    /// Whether weights are changed rather than states.
    #[must_use]
    pub fn of_weights(self) -> bool {
        matches!(self, Self::Keys | Self::Gates)
    }
}

/// Which tokens are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// The last token that the template renders, and those of the prefill after it: from there the answer is read.
    #[default]
    Last,
    /// All tokens of the prompt, none of the answer.
    Prompt,
    /// All tokens, those of the answer too.
    Every,
}

/// What a strength is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Times the median L2 norm of the states at the site and layer, over the tokens of the prompts.
    #[default]
    Norm,
    /// Times a direction of unit length.
    Absolute,
    /// Times the direction as it is: 1 adds the whole shift between rounds or models, -1 takes it out.
    Own,
    /// The perplexity that is aimed at, as a ratio to that of the model left alone.
    Perplexity,
}

/// Layers as a study names them: `"all"`, `"0,3,-1"` or `[0, 3, -1]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LayerList {
    /// As text.
    Text(String),
    /// As numbers; a negative one counts from the last.
    Numbers(Vec<i64>),
}

impl Default for LayerList {
    fn default() -> Self {
        Self::Text("all".into())
    }
}

impl LayerList {
    /// The layers that are meant.
    ///
    /// # Errors
    /// A text that is no list of numbers.
    pub fn layers(&self) -> Result<Layers> {
        match self {
            Self::Text(text) => text.parse(),
            Self::Numbers(numbers) => Ok(Layers::Some(numbers.clone())),
        }
    }
}

/// Where a direction comes from, as written: exactly one of `concept`, `file`, `rounds` and `models`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectionEntry {
    /// The direction of this concept's probe, towards its positive class.
    pub concept: Option<String>,
    /// A safetensors file.
    pub file: Option<PathBuf>,
    /// The tensor in it.
    pub tensor: Option<String>,
    /// The mean state of the second round less that of the first.
    pub rounds: Option<[usize; 2]>,
    /// The mean state of the second model less that of the first, of the same items.
    pub models: Option<[String; 2]>,
    /// The condition of `rounds` and `models`.
    pub condition: Option<String>,
    /// The round of `models`.
    pub round: Option<usize>,
}

/// Where a direction comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source<'a> {
    /// The probe of a concept.
    Concept(&'a str),
    /// A file, and the tensor in it.
    File(&'a Path, Option<&'a str>),
    /// Two rounds of a condition.
    Rounds(&'a [usize; 2], &'a str),
    /// Two models, in a round of a condition.
    Models(&'a [String; 2], &'a str, usize),
}

impl Source<'_> {
    /// Whether it is estimated from the states of the task that is asked.
    #[must_use]
    pub fn of_states(self) -> bool {
        matches!(self, Self::Rounds(..) | Self::Models(..))
    }

    /// In words, as tables and figures name it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Concept(name) => format!("probe of {name}"),
            Self::File(path, Some(tensor)) => format!("{tensor} of {}", path.display()),
            Self::File(path, None) => path.display().to_string(),
            Self::Rounds([from, to], condition) => {
                format!("round {to} less round {from} of {condition}")
            }
            Self::Models([from, to], condition, round) => {
                format!("{to} less {from} in round {round} of {condition}")
            }
        }
    }
}

impl DirectionEntry {
    /// What is meant.
    ///
    /// # Errors
    /// None or several of the four sources are named, or a key that does not belong to the one that is.
    pub fn source(&self) -> Result<Source<'_>> {
        let condition = self.condition.as_deref();
        let found = match (&self.concept, &self.file, &self.rounds, &self.models) {
            (Some(concept), None, None, None) => Some(Source::Concept(concept)),
            (None, Some(file), None, None) => Some(Source::File(file, self.tensor.as_deref())),
            (None, None, Some(rounds), None) => condition.map(|name| Source::Rounds(rounds, name)),
            (None, None, None, Some(models)) => {
                condition.map(|name| Source::Models(models, name, self.round.unwrap_or(0)))
            }
            _ => {
                return Err(Error::input("", "names none or several of its four sources")
                    .hint("give exactly one of concept, file, rounds, models"));
            }
        };
        let found = found.ok_or_else(|| {
            Error::input("", "of rounds or models lacks their condition").hint("condition = \"baseline\"")
        })?;
        let stray = [
            ("tensor", self.tensor.is_some() && !matches!(found, Source::File(..))),
            ("condition", condition.is_some() && !found.of_states()),
            ("round", self.round.is_some() && !matches!(found, Source::Models(..))),
        ];
        match stray.iter().find(|(_, stray)| *stray) {
            Some((key, _)) => Err(Error::input("", format!("has a key {key} that its source does not take"))),
            None => Ok(found),
        }
    }
}

/// An intervention as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteerEntry {
    /// Its name in directories and figures.
    pub name: String,
    /// The model; the study's first without it.
    #[serde(default)]
    pub model: Option<String>,
    /// What is done.
    pub method: Method,
    /// The direction; none for `patch`.
    #[serde(default)]
    pub direction: Option<DirectionEntry>,
    /// The task that is asked; the study's first without it.
    #[serde(default)]
    pub task: Option<String>,
    /// The condition whose round 0 is asked, and whose round `from` is put in by `patch`; the study's first without it.
    #[serde(default)]
    pub condition: Option<String>,
    /// The site that is changed; `probe.site` without it.
    #[serde(default)]
    pub site: Option<String>,
    /// The layers, each by itself.
    #[serde(default)]
    pub layers: LayerList,
    /// Which tokens are reached; of `add` and `ablate`.
    #[serde(default)]
    pub position: Option<Tokens>,
    /// How much; the last is the main one. Factors of `keys`, values of `gates`.
    #[serde(default)]
    pub strengths: Option<Vec<f64>>,
    /// What strengths are counted in; of `add`.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// Random directions, or sets of random neurons (20); none for `patch`.
    #[serde(default)]
    pub random: Option<usize>,
    /// Items to ask of each category.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Part of the groups of each category that is asked, where the direction is estimated from the others (0.5).
    #[serde(default)]
    pub held_out: Option<f64>,
    /// Texts whose perplexity is measured, one a line; the built-in ones without it.
    #[serde(default)]
    pub perplexity: Option<PathBuf>,
    /// Neurons of `keys` and `gates` (7).
    #[serde(default)]
    pub neurons: Option<usize>,
    /// The round whose states `patch` puts in (1).
    #[serde(default)]
    pub from: Option<usize>,
    /// The sites of `patch` (resid_post, attn_out, mlp_out).
    #[serde(default)]
    pub sites: Option<Vec<String>>,
}

impl SteerEntry {
    /// Which tokens are reached.
    #[must_use]
    pub fn position(&self) -> Tokens {
        self.position.unwrap_or_default()
    }

    /// What strengths are counted in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit.unwrap_or_default()
    }

    /// Number of random controls.
    #[must_use]
    pub fn random(&self) -> usize {
        if self.method == Method::Patch { 0 } else { self.random.unwrap_or(20) }
    }

    /// The part of the groups that is asked where the direction is estimated from the others.
    #[must_use]
    pub fn held_out(&self) -> f64 {
        self.held_out.unwrap_or(split::SHARE)
    }

    /// Number of neurons.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.neurons.unwrap_or(7)
    }

    /// The round whose states are put in.
    #[must_use]
    pub fn from(&self) -> usize {
        self.from.unwrap_or(1)
    }

    /// The sites of `patch`.
    ///
    /// # Errors
    /// An unknown site.
    pub fn patched(&self) -> Result<Vec<Site>> {
        match &self.sites {
            None => Ok(vec![Site::ResidPost, Site::AttnOut, Site::MlpOut]),
            Some(names) => names.iter().map(|name| name.parse()).collect(),
        }
    }

    /// A key that is given and that the method, or the source of its direction, does not take.
    fn stray(&self) -> Option<&'static str> {
        let patch = self.method == Method::Patch;
        let source = self.direction.as_ref().and_then(|direction| direction.source().ok());
        let stray = [
            ("position", self.position.is_some() && (patch || self.method.of_weights())),
            ("unit", self.unit.is_some() && self.method != Method::Add),
            ("random", self.random.is_some() && patch),
            ("site", self.site.is_some() && patch),
            ("neurons", self.neurons.is_some() && !self.method.of_weights()),
            ("from", self.from.is_some() && !patch),
            ("sites", self.sites.is_some() && !patch),
            ("held_out", self.held_out.is_some() && !source.is_some_and(Source::of_states)),
        ];
        stray.into_iter().find(|(_, stray)| *stray).map(|(key, _)| key)
    }

    /// The strengths, in the order in which they are tried.
    #[must_use]
    pub fn strengths(&self) -> Vec<f64> {
        let usual = match (self.method, self.unit()) {
            (Method::Ablate | Method::Patch, _) => vec![0.0],
            (Method::Keys, _) => vec![0.0, 10.0],
            (Method::Gates, _) => vec![1.0],
            (Method::Add, Unit::Perplexity) => vec![1.1],
            (Method::Add, _) => vec![-2.0, -1.0, 1.0, 2.0],
        };
        self.strengths.clone().unwrap_or(usual)
    }

    /// The place of its model, task and condition in the study.
    #[must_use]
    pub fn place(&self, study: &Study) -> (usize, usize, usize) {
        let find = |wanted: &Option<String>, mut names: Box<dyn Iterator<Item = &String> + '_>| {
            wanted.as_ref().and_then(|wanted| names.position(|name| name == wanted)).unwrap_or(0)
        };
        (
            find(&self.model, Box::new(study.models.iter().map(|entry| &entry.name))),
            find(&self.task, Box::new(study.tasks.iter().map(|entry| &entry.name))),
            find(&self.condition, Box::new(study.dialogue.conditions.iter())),
        )
    }

    /// The site that is changed.
    ///
    /// # Errors
    /// An unknown site.
    pub fn site(&self, study: &Study) -> Result<Site> {
        self.site.as_ref().unwrap_or(&study.probe.site).parse()
    }
}

impl Study {
    pub(super) fn check_steer(&self) -> Result<()> {
        self.plain_names("steer", ".name", self.steer.iter().map(|entry| &entry.name))?;
        for (i, entry) in self.steer.iter().enumerate() {
            let key = |name: &str| format!("steer.{i}.{name}");
            self.check_names(entry, &key)?;
            let at = |name: &str, error| self.origin.at(&key(name), error);
            let layers = entry.layers.layers().map_err(|error| at("layers", error))?;
            if layers == Layers::Some(Vec::new()) {
                return Err(self.wrong(&key("layers"), "is empty").hint("\"all\" is the usual one"));
            }
            let site = entry.site(self).map_err(|error| at("site", error))?;
            if !site.per_layer() {
                let error = self.wrong(&key("site"), format!("{site} is no site of each layer"));
                return Err(error.hint("resid_post is the usual one"));
            }
            split::checked(entry.held_out()).map_err(|error| at("held_out", error))?;
            match (entry.method, &entry.direction) {
                (Method::Patch, None) => self.check_patch(entry, &key)?,
                (Method::Patch, Some(_)) => {
                    let error = self.wrong(&key("direction"), "is not for patch, which puts in whole states");
                    return Err(error.hint("leave it out, or choose method = \"add\""));
                }
                (_, None) => {
                    return Err(self
                        .wrong(&key("direction"), "is missing")
                        .hint("for example { concept = \"stereotype\" }"));
                }
                (_, Some(direction)) => self.check_direction(entry, direction, site, &key)?,
            }
            self.check_strengths(entry, &key)?;
            if let Some(stray) = entry.stray() {
                let name = entry.method.name();
                let why = match stray {
                    "held_out" => "is for a direction of rounds or models alone".into(),
                    _ => format!("is no key of method {name}"),
                };
                return Err(self.wrong(&key(stray), why).hint("leave it out"));
            }
        }
        Ok(())
    }

    fn check_names(&self, entry: &SteerEntry, key: &dyn Fn(&str) -> String) -> Result<()> {
        let models: Vec<&str> = self.models.iter().map(|entry| entry.name.as_str()).collect();
        let tasks: Vec<&str> = self.tasks.iter().map(|entry| entry.name.as_str()).collect();
        for (name, wanted, known) in [
            ("model", &entry.model, models),
            ("task", &entry.task, tasks),
            ("condition", &entry.condition, self.conditions()),
        ] {
            self.known(&key(name), wanted.as_deref(), &known)?;
        }
        Ok(())
    }

    fn conditions(&self) -> Vec<&str> {
        self.dialogue.conditions.iter().map(String::as_str).collect()
    }

    fn known(&self, key: &str, wanted: Option<&str>, known: &[&str]) -> Result<()> {
        match wanted.filter(|wanted| !known.contains(wanted)) {
            None => Ok(()),
            Some(wanted) => Err(self
                .wrong(key, format!("the study has no {wanted:?}"))
                .hint(format!("it has {}", known.join(", ")))),
        }
    }

    fn check_strengths(&self, entry: &SteerEntry, key: &dyn Fn(&str) -> String) -> Result<()> {
        let (unit, key, strengths) = (key("unit"), key("strengths"), entry.strengths());
        if matches!(entry.method, Method::Ablate | Method::Patch) && entry.strengths.is_some() {
            let why = format!("are not for {}, which is done or not", entry.method.name());
            return Err(self.wrong(&key, why).hint("leave them out"));
        }
        if strengths.is_empty() || strengths.iter().any(|strength| !strength.is_finite()) {
            return Err(self.wrong(&key, "must be one number or more"));
        }
        let own =
            entry.unit() == Unit::Own && entry.direction.as_ref().is_some_and(|from| from.concept.is_some());
        if own {
            let why = "\"own\" is the length of a shift or of a file's vector; a probe has none";
            return Err(self
                .wrong(&unit, why)
                .hint("unit = \"norm\" counts in the median norm of the states"));
        }
        let twice = |(at, strength): (usize, &f64)| {
            strengths[..at].iter().any(|earlier| (earlier - strength).abs() < 1e-9)
        };
        if strengths.iter().enumerate().any(twice) {
            return Err(self.wrong(&key, "names a number twice").hint("leave one of them out"));
        }
        let matched = entry.method == Method::Add && entry.unit() == Unit::Perplexity;
        if matched && strengths.iter().any(|ratio| *ratio <= 1.0) {
            let error = self.wrong(&key, "are ratios to the perplexity of the model left alone: above 1");
            return Err(error.hint("strengths = [1.05, 1.1]; both signs of the direction are tried"));
        }
        Ok(())
    }

    fn check_patch(&self, entry: &SteerEntry, key: &dyn Fn(&str) -> String) -> Result<()> {
        if entry.from() == 0 || entry.from() >= self.dialogue.rounds {
            let why = format!("round {} is no later round of this study", entry.from());
            return Err(self
                .wrong(&key("from"), why)
                .hint(format!("its rounds are 0 to {}", self.dialogue.rounds - 1)));
        }
        let sites = entry.patched().map_err(|error| self.origin.at(&key("sites"), error))?;
        for site in &sites {
            if !site.per_layer() {
                return Err(self.wrong(&key("sites"), format!("{site} is no site of each layer")));
            }
        }
        match sites.is_empty() {
            false => Ok(()),
            true => Err(self.wrong(&key("sites"), "is empty").hint("resid_post is the usual one")),
        }
    }

    fn check_direction(
        &self,
        entry: &SteerEntry,
        direction: &DirectionEntry,
        site: Site,
        key: &dyn Fn(&str) -> String,
    ) -> Result<()> {
        let key = key("direction");
        let source = direction.source().map_err(|error| self.origin.at(&key, error))?;
        if entry.method.of_weights() && !site.takes_neurons() {
            let why = format!("of {site} cannot be compared with what neurons write into the stream");
            return Err(self.wrong(&key, why).hint("site = \"resid_post\""));
        }
        let captured = |site: Site| -> Result<()> {
            match self.sites()?.contains(&site) {
                true => Ok(()),
                false => Err(self
                    .wrong(&key, format!("rests on states at {site}, which is not among capture.sites"))
                    .hint("capture it, or choose another site")),
            }
        };
        let round = |round: usize| match round < self.dialogue.rounds {
            true => Ok(()),
            false => Err(self
                .wrong(&key, format!("the study has no round {round}"))
                .hint(format!("its rounds are 0 to {}", self.dialogue.rounds - 1))),
        };
        if source.of_states() && !self.positions()?.contains(&Position::Last) {
            return Err(self.wrong(&key, "rests on states at position last, which is not captured"));
        }
        match source {
            Source::Concept(name) => {
                let known: Vec<&str> = self.concepts.iter().map(|entry| entry.name.as_str()).collect();
                self.known(&key, Some(name), &known)?;
                captured(site)
            }
            Source::File(path, _) if !path.is_file() => {
                Err(self.wrong(&key, format!("{} is not there", path.display())).hint(
                    "relative paths start where the program is started; a run writes probes/MODEL/CONCEPT.safetensors",
                ))
            }
            Source::File(..) => Ok(()),
            Source::Rounds(rounds, condition) => {
                rounds.iter().try_for_each(|&number| round(number))?;
                self.known(&key, Some(condition), &self.conditions())?;
                captured(site)
            }
            Source::Models(models, condition, number) => {
                let known: Vec<&str> = self.models.iter().map(|entry| entry.name.as_str()).collect();
                models.iter().try_for_each(|name| self.known(&key, Some(name), &known))?;
                round(number)?;
                self.known(&key, Some(condition), &self.conditions())?;
                captured(site)
            }
        }
    }
}

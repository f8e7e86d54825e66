//! A study: one TOML file that says what is run, checked before any work.

pub mod align;
pub mod condition;
pub mod dialogue;
pub mod figure;
pub mod manifest;
pub mod position;
pub mod projections;
pub mod shift;
pub mod steer;
pub mod texts;
pub mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use align::{AlignEntry, Method, PairFormat, PairsEntry, Tune};
pub use condition::{Arm, Before, Condition, History};
use condition::{Library, resolve};
pub use dialogue::{DialogueEntry, Orders, Sampling, Scoring};
pub use figure::FigureEntry;
pub use position::Position;
pub use projections::ProjectionsEntry;
pub use shift::{LensEntry, ShiftEntry};
pub use steer::SteerEntry;
pub use texts::Texts;
pub use window::Window;

use crate::model::{Dtype, Layers, Site};
use crate::task::Context;
use crate::task::select::Selection;
use crate::task::split::{self, Part};
use crate::toml_file::{Origin, parse_toml};
use crate::{Error, Result};

/// The demo's study, as it stands in `studies/`.
pub const DEMO: &str = include_str!("../../studies/demo.toml");

/// The study of two checkpoints, as it stands in `studies/`.
pub const PAIR: &str = include_str!("../../studies/shift.toml");

/// A study as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its name, shown in the report.
    pub name: String,
    /// Seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// The checkpoints.
    pub models: Vec<ModelEntry>,
    /// Where the questions come from.
    pub tasks: Vec<TaskEntry>,
    /// How the model is asked.
    pub dialogue: DialogueEntry,
    /// What is captured.
    #[serde(default)]
    pub capture: CaptureEntry,
    /// The concepts to probe for.
    #[serde(default)]
    pub concepts: Vec<ConceptEntry>,
    /// How probes are trained.
    #[serde(default)]
    pub probe: ProbeEntry,
    /// How it is computed.
    #[serde(default)]
    pub run: RunEntry,
    /// What all conditions start from, where it differs from the built-in wording.
    #[serde(default)]
    pub wording: Condition,
    /// Exchanges before an answer, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Before>,
    /// Conditions of the study's own, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<String, Condition>,
    /// Interventions, which rest on a run and are no part of it.
    #[serde(default, skip_serializing)]
    pub steer: Vec<SteerEntry>,
    /// What each layer would answer; rests on a run and is no part of it.
    #[serde(default, skip_serializing)]
    pub lens: Option<LensEntry>,
    /// How far tokens lie along concepts; rests on a run and is no part of it.
    #[serde(default, skip_serializing)]
    pub projections: Option<ProjectionsEntry>,
    /// What lies between two models; rests on a run and is no part of it.
    #[serde(default, skip_serializing)]
    pub shift: Option<ShiftEntry>,
    /// Figures of its own; the numbers do not hang on them.
    #[serde(default, skip_serializing)]
    pub figure: Vec<FigureEntry>,
    /// How a checkpoint is aligned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<AlignEntry>,
    /// The file it was read from.
    #[serde(skip)]
    pub origin: Origin,
}

/// A checkpoint of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Its name in directories and figures.
    pub name: String,
    /// Its directory, relative to where the program is started.
    pub path: PathBuf,
    /// A PEFT LoRA adapter to merge into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// `base` or `aligned`, for figures over models.
    #[serde(default)]
    pub role: Option<String>,
    /// Number of parameters, for figures over models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<f64>,
    /// Step of an alignment run, for figures over models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}

/// A task of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskEntry {
    /// Its name in directories and tables.
    pub name: String,
    /// Which task it is, of those that `recant task list` lists; its name without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which form of the task; the first that `recant task list` lists without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The user's copy of the public files; the built-in set without it.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// `train` or `held-out`: keeps one side of a split by group; both without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The share of each category's groups that is held out; half of them without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<f64>,
    /// Categories to keep; all without it.
    #[serde(default)]
    pub categories: Vec<String>,
    /// `ambig` or `disambig`: keeps the items of one context condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Items of each category to keep, drawn by lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// Items to keep, from the front of each category.
    #[serde(default)]
    pub limit: Option<usize>,
    /// A program, with its arguments, that scores the answers to open questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judge: Vec<String>,
}

impl TaskEntry {
    /// The name of its reader.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(&self.name)
    }

    /// What of it is asked for.
    #[must_use]
    pub fn selection(&self) -> Selection<'_> {
        Selection {
            shown: &self.name,
            kind: self.kind(),
            variant: self.variant.as_deref(),
            path: self.path.as_deref(),
            part: self.part.map(|part| (part, self.held_out.unwrap_or(split::SHARE))),
            categories: &self.categories,
            context: self.context,
            sample: self.sample,
            limit: self.limit,
        }
    }
}

/// What is captured of every round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureEntry {
    /// Sites.
    pub sites: Vec<String>,
    /// Layers of the per-layer sites.
    pub layers: String,
    /// Named tokens.
    pub positions: Vec<String>,
    /// What states are stored in: bf16 or f32.
    #[serde(deserialize_with = "stored")]
    pub dtype: Dtype,
}

/// Residual streams reach magnitudes that f16 does not.
fn stored<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Dtype, D::Error> {
    match Dtype::deserialize(deserializer)? {
        Dtype::F16 => Err(serde::de::Error::custom("states overflow f16: store them in bf16 or f32")),
        other => Ok(other),
    }
}

impl Default for CaptureEntry {
    fn default() -> Self {
        Self {
            sites: vec!["resid_post".into()],
            layers: "all".into(),
            positions: vec!["last".into()],
            dtype: Dtype::Bf16,
        }
    }
}

/// A concept of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptEntry {
    /// Its name.
    pub name: String,
    /// Which concept it is, where its name is another: a built-in one, or what its spec calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A spec file of the user's own; the built-in concept without it.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// The user's copy of the data that the spec is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Categories to keep; all without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// At most so many texts; as many as the spec says without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl ConceptEntry {
    /// What its spec calls it.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(&self.name)
    }
}

/// How probes are trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeEntry {
    /// The main site: that of the figures and findings.
    pub site: String,
    /// The sites that probes are trained at, beside the main one; every captured per-layer site where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// The main position of the dialogue. Every captured one is scored.
    pub position: String,
    /// Inverse strength of the L2 penalty (the sum of log-losses + |w|^2 / 2C is minimised).
    pub c: f64,
    /// Grouped folds.
    pub folds: usize,
    /// Resamples of groups behind an interval.
    pub bootstrap: usize,
    /// Label exchanges behind a null.
    pub permutations: usize,
    /// Control tasks, whose labels are drawn by lot for each group.
    pub controls: usize,
    /// Whether the same is read from the model with random weights, as a control.
    pub untrained: bool,
    /// The layers whose mean is given beside the best layer.
    pub window: Window,
}

impl Default for ProbeEntry {
    fn default() -> Self {
        Self {
            site: "resid_post".into(),
            sites: Vec::new(),
            position: "last".into(),
            c: 0.001,
            folds: 5,
            bootstrap: 1000,
            permutations: 1000,
            controls: 3,
            untrained: true,
            window: Window::default(),
        }
    }
}

/// How it is computed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunEntry {
    /// What the models compute in.
    pub dtype: Dtype,
    /// Where.
    pub device: String,
    /// Whether each layer is read when it is needed instead of kept: for models larger than memory.
    pub stream: bool,
    /// Items per shard.
    pub shard_items: usize,
}

impl Default for RunEntry {
    fn default() -> Self {
        Self { dtype: Dtype::F32, device: "cpu".into(), stream: false, shard_items: 16 }
    }
}

/// Why there can be no probe at a site.
const NOT_CAPTURED: &str = "not among the per-layer sites of capture.sites";

/// Directories of a run that no model can have.
const OWN: [&str; 4] = ["lens", "projections", "shift", "steer"];

impl Study {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, names something unknown, or asks for nothing.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Checks a study's text; `place` names it in errors.
    ///
    /// # Errors
    /// As [`Study::read`]; an error names the line and the key.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let mut study: Self = parse_toml(text, place)?;
        study.origin = Origin::new(place, text);
        study.check()?;
        Ok(study)
    }

    /// An error about `key` (`tasks.0.limit`) with the line where it stands.
    fn wrong(&self, key: &str, why: impl Into<String>) -> Error {
        self.origin.at(key, Error::input("", why))
    }

    fn check(&self) -> Result<()> {
        if self.models.is_empty() {
            return Err(self
                .wrong("models", "names no model")
                .hint("add a [[models]] table with name and path"));
        }
        if self.tasks.is_empty() {
            return Err(self.wrong("tasks", "names no task").hint("add a [[tasks]] table with a name"));
        }
        self.plain_names("models", ".name", self.models.iter().map(|entry| &entry.name))?;
        self.plain_names("tasks", ".name", self.tasks.iter().map(|entry| &entry.name))?;
        self.plain_names("concepts", ".name", self.concepts.iter().map(|entry| &entry.name))?;
        self.plain_names("dialogue.conditions", "", self.dialogue.conditions.iter())?;
        for (i, model) in self.models.iter().enumerate() {
            if OWN.contains(&model.name.as_str()) {
                let why = format!("{:?} is a directory of every run", model.name);
                return Err(self.wrong(&format!("models.{i}.name"), why));
            }
        }
        if let Some(taken) = self.tasks.iter().position(|task| task.name == "concepts") {
            return Err(
                self.wrong(&format!("tasks.{taken}.name"), "\"concepts\" is a directory of every run")
            );
        }
        for (i, task) in self.tasks.iter().enumerate() {
            let key = if task.kind.is_some() { "kind" } else { "name" };
            crate::task::find(task.kind())
                .map_err(|error| self.origin.at(&format!("tasks.{i}.{key}"), error))?;
            self.check_split(i, task)?;
        }
        self.check_dialogue()?;
        self.check_probes()?;
        self.check_steer()?;
        shift::check(self)?;
        figure::check(self)?;
        self.projections.as_ref().map_or(Ok(()), |projections| projections.check(self))?;
        self.align.as_ref().map_or(Ok(()), |align| align.check(self))
    }

    fn check_split(&self, index: usize, task: &TaskEntry) -> Result<()> {
        let Some(share) = task.held_out else { return Ok(()) };
        let key = format!("tasks.{index}.held_out");
        if task.part.is_none() {
            return Err(self
                .wrong(&key, "says nothing without `part`")
                .hint("part = \"held-out\" or part = \"train\" keeps one side of the split"));
        }
        split::checked(share).map(|_| ()).map_err(|error| self.origin.at(&key, error))
    }

    fn check_dialogue(&self) -> Result<()> {
        let dialogue = &self.dialogue;
        if dialogue.conditions.is_empty() {
            return Err(self
                .wrong("dialogue.conditions", "is empty")
                .hint("baseline is the usual first one"));
        }
        for (key, value) in [
            ("dialogue.rounds", dialogue.rounds),
            ("dialogue.max_new_tokens", dialogue.max_new_tokens),
            ("dialogue.scoring", dialogue.scoring.len()),
            ("run.shard_items", self.run.shard_items),
            ("dialogue.samples.n", dialogue.samples.map_or(1, |samples| samples.n)),
        ] {
            if value == 0 {
                return Err(self.wrong(key, "must be at least 1"));
            }
        }
        if dialogue.min_new_tokens > dialogue.max_new_tokens {
            return Err(self.wrong("dialogue.min_new_tokens", "is more than max_new_tokens"));
        }
        if dialogue.stop.iter().any(String::is_empty) {
            return Err(
                self.wrong("dialogue.stop", "holds an empty text, which would end every answer at once")
            );
        }
        for (key, sampling) in [
            ("dialogue.sampling", dialogue.sampling),
            ("dialogue.samples", dialogue.samples.map(|samples| samples.sampling())),
        ] {
            let checked = sampling.map(|sampling| sampling.checked(["temperature", "top_p"])).transpose();
            checked.map_err(|error| self.origin.at(key, error))?;
        }
        for name in self.condition.keys() {
            self.arm(name).map_err(|error| self.origin.at(&format!("condition.{name}"), error))?;
        }
        for (i, name) in dialogue.conditions.iter().enumerate() {
            self.arm(name).map_err(|error| self.origin.at(&format!("dialogue.conditions.{i}"), error))?;
        }
        Ok(())
    }

    fn check_probes(&self) -> Result<()> {
        if self.capture.positions.is_empty() {
            return Err(self.wrong("capture.positions", "is empty").hint("last is the usual one"));
        }
        if !(self.probe.c > 0.0 && self.probe.c.is_finite()) {
            return Err(self.wrong("probe.c", "must be above 0"));
        }
        let at = |key: &'static str| move |error| self.origin.at(key, error);
        let sites = self.sites().map_err(at("capture.sites"))?;
        let positions = self.positions().map_err(at("capture.positions"))?;
        let _: Layers = self.capture.layers.parse().map_err(at("capture.layers"))?;
        if !self.concepts.is_empty() {
            let site: Site = self.probe.site.parse().map_err(at("probe.site"))?;
            for (i, name) in self.probe.sites.iter().enumerate() {
                let key = format!("probe.sites.{i}");
                let other: Site = name.parse().map_err(|error| self.origin.at(&key, error))?;
                if !sites.contains(&other) || !other.per_layer() {
                    return Err(self.wrong(&key, format!("{other} is {NOT_CAPTURED}")));
                }
            }
            let position: Position = self.probe.position.parse().map_err(at("probe.position"))?;
            if !sites.contains(&site) || !site.per_layer() {
                return Err(self.wrong("probe.site", format!("{site} is {NOT_CAPTURED}")));
            }
            if !positions.contains(&position) {
                let why = format!("{} is not among capture.positions", position.name());
                return Err(self.wrong("probe.position", why));
            }
        }
        Ok(())
    }

    /// The sites to capture, in the order of a forward pass.
    ///
    /// # Errors
    /// An unknown site, or logits, which are not stored.
    pub fn sites(&self) -> Result<Vec<Site>> {
        let mut sites = self.capture.sites.iter().map(|name| name.parse()).collect::<Result<Vec<Site>>>()?;
        if sites.contains(&Site::Logits) {
            return Err(Error::input("logits", "are not stored by a study").hint(
                "option log-probabilities are always recorded; `recant capture --logits` writes whole rows",
            ));
        }
        sites.sort_unstable();
        sites.dedup();
        Ok(sites)
    }

    /// The sites that probes are trained at, the main one first, then in the order of a forward pass.
    ///
    /// # Errors
    /// An unknown site.
    pub fn probed(&self) -> Result<Vec<Site>> {
        let main: Site = self.probe.site.parse()?;
        let named = self.probe.sites.iter().map(|name| name.parse()).collect::<Result<Vec<Site>>>()?;
        let wanted = |site: &Site| site.per_layer() && (named.is_empty() || named.contains(site));
        let others = self.sites()?.into_iter().filter(|site| wanted(site) && *site != main);
        Ok(std::iter::once(main).chain(others).collect())
    }

    /// The main position's place among the captured ones.
    #[must_use]
    pub fn main_position(&self) -> usize {
        self.capture.positions.iter().position(|name| *name == self.probe.position).unwrap_or(0)
    }

    /// The condition whose dialogues go on without an instruction, by its place: `neutral`, or else the first.
    #[must_use]
    pub fn control(&self) -> usize {
        self.dialogue.conditions.iter().position(|name| name == "neutral").unwrap_or(0)
    }

    /// The condition that figures of one condition show: the first that is neither the study's first nor its control.
    #[must_use]
    pub fn shown(&self) -> usize {
        let control = self.control();
        (1..self.dialogue.conditions.len()).find(|&place| place != control).unwrap_or(0)
    }

    /// The positions to capture.
    ///
    /// # Errors
    /// An unknown position.
    pub fn positions(&self) -> Result<Vec<Position>> {
        self.capture.positions.iter().map(|name| name.parse()).collect()
    }

    /// One of the study's conditions, or the built-in one of that name, with everything in its place.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn arm(&self, name: &str) -> Result<Arm> {
        resolve(name, &self.library(), self.dialogue.max_new_tokens)
    }

    /// What the study itself says of conditions.
    #[must_use]
    pub fn library(&self) -> Library {
        Library {
            wording: self.wording.clone(),
            before: self.before.clone(),
            condition: self.condition.clone(),
        }
    }

    /// The conditions of the dialogues, in order.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn arms(&self) -> Result<Vec<Arm>> {
        self.dialogue.conditions.iter().map(|name| self.arm(name)).collect()
    }

    /// Names become directories: letters, digits, `-`, `_` and `.` only, each once.
    fn plain_names<'a>(&self, list: &str, key: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for (i, name) in names.enumerate() {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            let wrong = |why: &str| self.wrong(&format!("{list}.{i}{key}"), format!("{name:?} {why}"));
            if name.is_empty() || name.starts_with('.') || !plain {
                return Err(wrong("cannot name a directory").hint("use letters, digits, - and _"));
            }
            if !seen.insert(name) {
                return Err(wrong("stands there twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_study() {
        let study = Study::parse(DEMO, "demo.toml").expect("demo");
        assert_eq!(study.arms().expect("conditions").len(), study.dialogue.conditions.len());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("name = 3", "name = \"demo\"", "invalid type"),
            (
                "conditions = [\"baselin\"]",
                "conditions = [\"baseline\", \"specificity-1\", \"negation\", \"neutral\"]",
                "baselin",
            ),
            (
                "sites = [\"resid\"]",
                "sites = [\"attn_out\", \"mlp_out\", \"resid_post\", \"final_norm\"]",
                "resid",
            ),
            ("[probe]\nsites = [\"mlp_act\"]", "[probe]", "mlp_act is not among the per-layer sites"),
            ("positions = [\"lasst\"]", "positions = [\"last\"]", "lasst"),
            ("rounds = 0", "rounds = 3", "at least 1"),
            ("colour = 1\nseed = 0", "seed = 0", "colour"),
            ("name = \"../up\"", "name = \"base\"", "directory"),
        ];
        for (bad, good, why) in cases {
            let text = DEMO.replacen(good, bad, 1);
            assert_ne!(text, DEMO, "{good}");
            let error = Study::parse(&text, "demo.toml").expect_err(bad).to_string();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

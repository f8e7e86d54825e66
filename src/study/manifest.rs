//! The run key: a hash of everything that changes the numbers, and the manifest that spells it out.

use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{AlignEntry, FigureEntry, ModelEntry, Study};
use crate::align::{Example, Examples};
use crate::model::fetch;
use crate::task::Item;
use crate::text::ChatTemplate;
use crate::{Error, Result};

/// What the manifest says in place of a chat template where a model has none.
const PLAIN: &str = "none: a plain transcript";

/// What a run rests on. Equal manifests give equal numbers on the same machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The whole of it; the key is a hash of this.
    pub inputs: Value,
    /// SHA-256 of the inputs, in hexadecimal.
    pub key: String,
    /// What `recant model check` found of each model, by its name. No part of the key.
    pub checks: Map<String, Value>,
    /// The study's own figures. No part of the key.
    pub figures: Vec<FigureEntry>,
}

impl Manifest {
    /// Hashes the study, its conditions, the checkpoints' files and the items.
    ///
    /// # Errors
    /// A file of a checkpoint cannot be read.
    pub fn of(study: &Study, tasks: &[(String, Vec<Item>)], concepts: &Value) -> Result<Self> {
        let mut models = Map::new();
        for (i, entry) in study.models.iter().enumerate() {
            let at = |error| study.origin.at(&format!("models.{i}.path"), error);
            let mut hashes = files(&entry.path).map_err(at)?;
            if !ChatTemplate::present(&entry.path)? {
                hashes.insert("chat_template".into(), PLAIN.into());
            }
            if let Some(adapter) = &entry.adapter {
                let makes = study.align.as_ref().is_some_and(|align| align.makes(adapter));
                if makes && !adapter.is_dir() {
                    let error = Error::input(adapter.display().to_string(), "is not there yet");
                    let hint = "`recant align` with this study makes it";
                    return Err(study.origin.at(&format!("models.{i}.adapter"), error.hint(hint)));
                }
                hashes.insert("adapter".into(), files(adapter)?.into());
            }
            models.insert(entry.name.clone(), hashes.into());
        }
        let mut data = Map::new();
        for (name, items) in tasks {
            let digest = hash(json!(items).to_string().as_bytes());
            data.insert(name.clone(), json!({ "items": items.len(), "sha256": digest }));
        }
        let mut conditions = Map::new();
        for (i, arm) in study.arms()?.into_iter().enumerate() {
            let at = |error| study.origin.at(&format!("dialogue.conditions.{i}"), error);
            let mut about = json!(arm);
            let sources = arm.feedback.as_ref().map(|feedback| (&feedback.file, &feedback.model));
            if let Some((Some(file), _)) = sources {
                about["feedback"]["sha256"] = fetch::sha256(file).map_err(at)?.into();
            }
            if let Some((_, Some(model))) = sources {
                about["feedback"]["files"] = files(model).map_err(at)?.into();
            }
            conditions.insert(arm.name, about);
        }
        let inputs = json!({
            "format": "recant-run-1",
            "recant": env!("CARGO_PKG_VERSION"),
            "libtorch": env!("LIBTORCH_VERSION"),
            "study": study,
            "conditions": conditions,
            "models": models,
            "tasks": data,
            "concepts": concepts,
        });
        let key = hash(inputs.to_string().as_bytes());
        Ok(Self { inputs, key, checks: Map::new(), figures: study.figure.clone() })
    }

    /// The settings of an alignment that change its numbers.
    #[must_use]
    pub fn alignment_settings(entry: &AlignEntry) -> Value {
        let mut settings = json!(entry);
        if let Some(settings) = settings.as_object_mut() {
            ["steps", "output"].iter().for_each(|key| drop(settings.remove(*key)));
        }
        settings
    }

    /// How the alignment run in a directory differs from what a study says of it; `None` where it does not. `self` is
    /// the manifest of the study's run.
    ///
    /// # Errors
    /// The directory holds no alignment run.
    pub fn other_alignment(&self, study: &Study, entry: &AlignEntry) -> Result<Option<String>> {
        let theirs = Self::read(&entry.output.join("manifest.json"))?.inputs;
        let model = &study.models[entry.model(study)?].name;
        let parts = [
            ("align", Self::alignment_settings(entry)),
            ("seed", json!(study.seed)),
            ("model", self.inputs["models"][model].clone()),
        ];
        Ok(parts.iter().find_map(|(key, own)| difference(key, own, &theirs[key])))
    }

    /// Hashes what an alignment run rests on; how many steps it takes is no part of it, so that it can be gone on with.
    ///
    /// # Errors
    /// A file of the checkpoint cannot be read.
    pub fn of_alignment(
        study: &Study,
        entry: &AlignEntry,
        model: &ModelEntry,
        pairs: &Examples,
    ) -> Result<Self> {
        let digest = |examples: &[Example]| {
            let ids: Vec<_> = examples
                .iter()
                .map(|e| json!([e.id, e.group, e.trunk, e.answer_start, e.chosen, e.rejected]))
                .collect();
            json!({ "pairs": examples.len(), "sha256": hash(json!(ids).to_string().as_bytes()) })
        };
        let inputs = json!({
            "format": "recant-alignment-1",
            "recant": env!("CARGO_PKG_VERSION"),
            "libtorch": env!("LIBTORCH_VERSION"),
            "seed": study.seed,
            "align": Self::alignment_settings(entry),
            "device": study.run.device,
            "model": files(&model.path)?,
            "train": digest(&pairs.train),
            "held_out": digest(&pairs.held_out),
        });
        let key = hash(inputs.to_string().as_bytes());
        Ok(Self { inputs, key, checks: Map::new(), figures: Vec::new() })
    }

    /// The models that read a plain transcript.
    pub fn without_template(&self) -> impl Iterator<Item = &String> {
        let models = self.inputs["models"].as_object().into_iter().flatten();
        models.filter(|(_, files)| files["chat_template"] == PLAIN).map(|(name, _)| name)
    }

    /// The text of `manifest.json`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut whole = json!({ "run_key": self.key, "inputs": self.inputs, "checks": self.checks });
        if !self.figures.is_empty() {
            whole["figures"] = json!(self.figures);
        }
        serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
    }

    /// Reads back what [`Manifest::text`] wrote.
    ///
    /// # Errors
    /// The file cannot be read or is not a manifest.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let whole: Value = serde_json::from_str(&text)
            .map_err(|error| Error::input(path.display().to_string(), format!("not a manifest: {error}")))?;
        match (&whole["run_key"], &whole["inputs"]) {
            (Value::String(key), inputs @ Value::Object(_)) => {
                let checks = whole["checks"].as_object().cloned().unwrap_or_default();
                let figures = match &whole["figures"] {
                    Value::Null => Vec::new(),
                    figures => serde_json::from_value(figures.clone()).map_err(|error| {
                        Error::input(
                            path.display().to_string(),
                            format!("its figures cannot be read: {error}"),
                        )
                    })?,
                };
                Ok(Self { inputs: inputs.clone(), key: key.clone(), checks, figures })
            }
            _ => {
                Err(Error::input(path.display().to_string(), "not a manifest: run_key or inputs are missing"))
            }
        }
    }

    /// The study that the manifest holds.
    ///
    /// # Errors
    /// The manifest was not written by this version.
    pub fn study(&self) -> Result<Study> {
        let mut study: Study = serde_json::from_value(self.inputs["study"].clone())
            .map_err(|error| Error::input("manifest.json", format!("its study cannot be read: {error}")))?;
        study.figure.clone_from(&self.figures);
        Ok(study)
    }

    /// The first place where two manifests differ, as `path: mine, theirs`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        difference("", &self.inputs, &other.inputs)
    }
}

fn difference(path: &str, a: &Value, b: &Value) -> Option<String> {
    if a == b {
        return None;
    }
    let inner = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
            let null = Value::Null;
            keys.into_iter().find_map(|key| {
                difference(&inner(key), left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(i, (a, b))| difference(&inner(&i.to_string()), a, b)),
        _ => {
            let short = |value: &Value| {
                let text = value.to_string();
                if text.chars().count() > 60 {
                    text.chars().take(57).collect::<String>() + "..."
                } else {
                    text
                }
            };
            Some(format!("{path} is {} here and {} there", short(a), short(b)))
        }
    }
}

/// SHA-256 of each file of a checkpoint that changes its numbers.
fn files(dir: &Path) -> Result<Map<String, Value>> {
    let entries = std::fs::read_dir(dir).map_err(|error| {
        let hint = "`recant fetch smollm2` brings the demo's model; otherwise give the path of a checkpoint";
        Error::input(dir.display().to_string(), error.to_string()).hint(hint)
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".json", ".safetensors", ".jinja"].iter().any(|end| name.ends_with(end)) {
            names.push(name);
        }
    }
    names.sort();
    let mut hashes = Map::new();
    for name in names {
        hashes.insert(name.clone(), json!(fetch::sha256(&dir.join(&name))?));
    }
    Ok(hashes)
}

/// SHA-256 of bytes, in hexadecimal.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(inputs: Value) -> Manifest {
        Manifest { key: hash(inputs.to_string().as_bytes()), inputs, checks: Map::new(), figures: Vec::new() }
    }

    #[test]
    fn the_first_difference_is_named() {
        let a = manifest(json!({ "study": { "seed": 0, "tasks": [{ "name": "bbq" }] } }));
        let b = manifest(json!({ "study": { "seed": 0, "tasks": [{ "name": "winogender" }] } }));
        assert_eq!(a.difference(&a), None);
        let named = a.difference(&b).expect("a difference");
        assert_eq!(named, "study.tasks.0.name is \"bbq\" here and \"winogender\" there");
    }
}

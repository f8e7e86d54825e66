//! How the JSON files and the chat templates of two checkpoints differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::Config;
use crate::{Error, Result};

/// A setting that differs; null is absent.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its name, those of nested ones joined by dots.
    pub key: String,
    /// Its value in A.
    pub a: Value,
    /// Its value in B.
    pub b: Value,
}

/// Differences of config.json, what only names versions and places left out, older spellings read as the new ones.
pub(super) fn config(a: &Path, b: &Path) -> Result<Vec<Setting>> {
    let read = |dir| flat(dir, "config.json", &["transformers_version", "_name_or_path"]);
    Ok(settings(&spelled_anew(read(a)?), &spelled_anew(read(b)?)))
}

/// Differences of generation_config.json.
pub(super) fn generation(a: &Path, b: &Path) -> Result<Vec<Setting>> {
    let read = |dir| flat(dir, "generation_config.json", &["transformers_version", "_from_model_config"]);
    Ok(settings(&read(a)?, &read(b)?))
}

fn settings(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<Setting> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |side: &BTreeMap<String, Value>, key: &String| side.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .map(|key| Setting { key: key.clone(), a: value(a, key), b: value(b, key) })
        .filter(|setting| !same(&setting.a, &setting.b))
        .collect()
}

/// 10000 and 10000.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

/// The settings of a JSON file by dotted name; nulls and a missing file hold none.
fn flat(dir: &Path, file: &str, ignored: &[&str]) -> Result<BTreeMap<String, Value>> {
    let path = dir.join(file);
    let mut found = BTreeMap::new();
    if path.is_file() {
        Config::read(&path)?;
        flatten("", &json(&path)?, &mut found);
        found.retain(|key, _| !ignored.contains(&key.as_str()));
    }
    Ok(found)
}

/// Joined names are no longer than this and one more: settings under a long name are compared as one value.
const LONGEST: usize = 1_000;

fn flatten(prefix: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(map) if prefix.len() <= LONGEST => {
            let dot = if prefix.is_empty() { "" } else { "." };
            map.iter().for_each(|(key, value)| flatten(&format!("{prefix}{dot}{key}"), value, found));
        }
        other => drop(found.insert(prefix.to_string(), other.clone())),
    }
}

/// transformers 5 says `dtype` for `torch_dtype` and keeps what was `rope_theta` and `rope_scaling` in one place.
fn spelled_anew(settings: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let anew = |key: String| match key.as_str() {
        "torch_dtype" => "dtype".to_string(),
        "rope_theta" => "rope_parameters.rope_theta".to_string(),
        "rope_scaling.type" => "rope_parameters.rope_type".to_string(),
        _ => key.strip_prefix("rope_scaling.").map_or(key.clone(), |key| format!("rope_parameters.{key}")),
    };
    let mut settings: BTreeMap<String, Value> =
        settings.into_iter().map(|(key, value)| (anew(key), value)).collect();
    if settings.contains_key("rope_parameters.rope_theta") {
        settings.entry("rope_parameters.rope_type".to_string()).or_insert("default".into());
    }
    settings
}

fn json(path: &Path) -> Result<Value> {
    parse(path, &std::fs::read(path).map_err(|error| Error::io(path, error))?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::input(path.display().to_string(), format!("not valid JSON: {error}")))
}

/// How two tokenizers differ, by the content of tokenizer.json.
#[derive(Debug, Serialize)]
pub struct Tokenizers {
    /// SHA-256 of A's file and B's; null where there is none.
    pub sha256: [Option<String>; 2],
    /// Tokens of A and of B, added ones included.
    pub tokens: [usize; 2],
    /// Tokens that one of them lacks or has under another id.
    pub different_tokens: usize,
    /// Added tokens that B lacks or has with another id or other flags.
    pub added_only_in_a: Vec<String>,
    /// Added tokens that A lacks or has with another id or other flags.
    pub added_only_in_b: Vec<String>,
    /// Other parts of the file that differ and change what a text becomes.
    pub different_parts: Vec<String>,
}

impl Tokenizers {
    /// Compares the tokenizer.json of two directories.
    ///
    /// # Errors
    /// A file that is there and is not JSON.
    pub fn read(a: &Path, b: &Path) -> Result<Self> {
        let (a, b) = (Tokens::read(a)?, Tokens::read(b)?);
        let only = |these: &Tokens, others: &Tokens| {
            let differs = |(name, token): &(&String, &Value)| others.added.get(*name) != Some(*token);
            these.added.iter().filter(differs).map(|(name, _)| name.clone()).collect()
        };
        let names: BTreeSet<&String> = a.ids.keys().chain(b.ids.keys()).collect();
        let parts: BTreeSet<&String> = a.parts.keys().chain(b.parts.keys()).collect();
        Ok(Self {
            tokens: [a.ids.len(), b.ids.len()],
            different_tokens: names.iter().filter(|name| a.ids.get(**name) != b.ids.get(**name)).count(),
            added_only_in_a: only(&a, &b),
            added_only_in_b: only(&b, &a),
            different_parts: parts
                .into_iter()
                .filter(|part| a.parts.get(*part) != b.parts.get(*part))
                .cloned()
                .collect(),
            sha256: [a.sha256, b.sha256],
        })
    }

    /// Whether every text becomes the same ids.
    #[must_use]
    pub fn same(&self) -> bool {
        self.sha256[0].is_some() == self.sha256[1].is_some()
            && self.different_tokens == 0
            && self.added_only_in_a.is_empty()
            && self.added_only_in_b.is_empty()
            && self.different_parts.is_empty()
    }

    pub(super) fn in_the_way(&self) -> Option<String> {
        match &self.sha256 {
            [None, Some(_)] => Some("A has no tokenizer.json".to_string()),
            [Some(_), None] => Some("B has no tokenizer.json".to_string()),
            _ if self.same() => None,
            _ => {
                let mut what = Vec::new();
                if self.different_tokens > 0 {
                    what.push(format!("{} tokens", self.different_tokens));
                }
                if !self.added_only_in_a.is_empty() || !self.added_only_in_b.is_empty() {
                    what.push("added tokens".to_string());
                }
                what.extend(self.different_parts.iter().cloned());
                Some(format!("the tokenizers differ ({})", what.join(", ")))
            }
        }
    }
}

/// A tokenizer.json.
#[derive(Default)]
struct Tokens {
    sha256: Option<String>,
    ids: BTreeMap<String, i64>,
    added: BTreeMap<String, Value>,
    parts: BTreeMap<String, Value>,
}

impl Tokens {
    fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        let Value::Object(mut file) = parse(&path, &bytes)? else {
            return Err(Error::input(path.display().to_string(), "is not a JSON object"));
        };
        let mut tokens = Self { sha256: Some(format!("{:x}", Sha256::digest(&bytes))), ..Self::default() };
        if let Some(Value::Array(added)) = file.shift_remove("added_tokens") {
            for token in added {
                let name = token["content"].as_str().unwrap_or_default().to_string();
                tokens.ids.insert(name.clone(), token["id"].as_i64().unwrap_or(-1));
                tokens.added.insert(name, token);
            }
        }
        // Recant reads a tokenizer without its truncation and padding.
        ["truncation", "padding", "version"].iter().for_each(|key| drop(file.shift_remove(*key)));
        if let Some(Value::Object(mut model)) = file.shift_remove("model") {
            tokens.vocabulary(model.shift_remove("vocab").unwrap_or_default());
            if let Some(Value::Array(merges)) = model.get_mut("merges") {
                merges.iter_mut().for_each(as_pair);
            }
            tokens.take("model.", model);
        }
        tokens.take("", file);
        Ok(tokens)
    }

    fn take(&mut self, prefix: &str, parts: Map<String, Value>) {
        let said = parts.into_iter().filter(|(_, value)| !value.is_null());
        self.parts.extend(said.map(|(key, value)| (format!("{prefix}{key}"), value)));
    }

    /// A table of ids, or a list of pieces with their scores.
    fn vocabulary(&mut self, vocabulary: Value) {
        match vocabulary {
            Value::Object(map) => {
                self.ids.extend(map.into_iter().map(|(name, id)| (name, id.as_i64().unwrap_or(-1))));
            }
            Value::Array(pieces) => {
                let name = |piece: &Value| piece[0].as_str().unwrap_or_default().to_string();
                self.ids.extend(pieces.iter().enumerate().map(|(id, piece)| (name(piece), id as i64)));
                let scores = pieces.into_iter().map(|piece| piece[1].clone()).collect();
                self.parts.insert("model.scores".to_string(), scores);
            }
            _ => {}
        }
    }
}

/// Older files write a merge as one string, newer ones as two.
fn as_pair(merge: &mut Value) {
    if let Some((left, right)) = merge.as_str().and_then(|merge| merge.split_once(' ')) {
        *merge = Value::from(vec![left, right]);
    }
}

/// How two chat templates differ.
#[derive(Debug, Serialize)]
pub struct Templates {
    /// Whether A and B have one.
    pub present: [bool; 2],
    /// Whether they are the same text (or are both absent).
    pub same: bool,
    /// The first line that differs, counted from 1.
    pub line: Option<usize>,
    /// That line in A and in B; null where the template has ended.
    pub lines: [Option<String>; 2],
}

impl Templates {
    /// Compares two templates; one line end at the end of either does not count.
    #[must_use]
    pub fn of(a: Option<&str>, b: Option<&str>) -> Self {
        let present = [a.is_some(), b.is_some()];
        let mut templates = Self { present, same: present[0] == present[1], line: None, lines: [None, None] };
        if let (Some(a), Some(b)) = (a, b) {
            let (a, b): (Vec<_>, Vec<_>) = (a.lines().collect(), b.lines().collect());
            let line = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i));
            let text = |lines: &[&str]| line.and_then(|i| lines.get(i)).map(ToString::to_string);
            templates.lines = [text(&a), text(&b)];
            templates.same = line.is_none();
            templates.line = line.map(|i| i + 1);
        }
        templates
    }

    pub(super) fn in_the_way(&self) -> Option<String> {
        match (self.present, self.line) {
            ([false, true], _) => Some("A has no chat template".to_string()),
            ([true, false], _) => Some("B has no chat template".to_string()),
            (_, Some(line)) => Some(format!("the chat templates differ from line {line} on")),
            _ => None,
        }
    }
}

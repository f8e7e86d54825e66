//! Which files of a checkpoint directory hold its weights.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::store::Store;
use crate::model::Config;
use crate::{Error, Result};

/// The files, and what an index promises of them.
pub(super) struct Shards {
    pub files: Vec<PathBuf>,
    index: Option<(Config, BTreeMap<String, String>)>,
}

impl Shards {
    /// `model.safetensors`; or the files that `model.safetensors.index.json` names; or the only safetensors file; or
    /// a whole set `model-00001-of-0000N.safetensors` without an index.
    pub fn find(dir: &Path) -> Result<Self> {
        let single = dir.join("model.safetensors");
        if single.is_file() {
            return Ok(Self { files: vec![single], index: None });
        }
        let index = dir.join("model.safetensors.index.json");
        if index.is_file() {
            return Self::indexed(dir, Config::read(&index)?);
        }
        let names = names(dir)?;
        let found: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".safetensors") && !name.starts_with("adapter_"))
            .collect();
        if found.is_empty() {
            return Err(nothing(dir, &names));
        }
        complete(dir, &found)?;
        Ok(Self { files: found.into_iter().map(|name| dir.join(name)).collect(), index: None })
    }

    fn indexed(dir: &Path, index: Config) -> Result<Self> {
        let map = index.get("weight_map").and_then(serde_json::Value::as_object);
        let map = map.ok_or_else(|| index.wrong("weight_map", "is missing or not an object"))?;
        let mut promised = BTreeMap::new();
        for (tensor, file) in map {
            let file = file.as_str().filter(|file| Path::new(file).file_name() == Some(OsStr::new(file)));
            let file = file
                .ok_or_else(|| index.wrong("weight_map", "names something that is not a file beside it"))?;
            promised.insert(tensor.clone(), file.to_string());
        }
        let files: BTreeSet<&String> = promised.values().collect();
        if let Some(gone) = files.iter().find(|file| !dir.join(file).is_file()) {
            let error = index.wrong("weight_map", format!("names {gone}, which is not there"));
            return Err(error.hint("the checkpoint is incomplete: fetch the missing file"));
        }
        let files = files.into_iter().map(|file| dir.join(file)).collect();
        Ok(Self { files, index: Some((index, promised)) })
    }

    /// Whether the mapped files hold every tensor that the index names.
    pub fn check(&self, store: &Store) -> Result<()> {
        let Some((index, promised)) = &self.index else { return Ok(()) };
        match promised.iter().find(|(tensor, _)| !store.entries.contains_key(*tensor)) {
            None => Ok(()),
            Some((tensor, file)) => {
                let why = format!("says that {file} holds {tensor}, but no file does");
                Err(index
                    .wrong("weight_map", why)
                    .hint("index and files are of two checkpoints: fetch them again"))
            }
        }
    }
}

/// The file names of a directory, in order.
fn names(dir: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::io(dir, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// One file by itself, or every part of one set.
fn complete(dir: &Path, found: &[&String]) -> Result<()> {
    let parts: Vec<_> = found.iter().map(|name| part(name)).collect();
    let wrong = |why: String| Err(Error::input(dir.display().to_string(), why));
    let Some((prefix, _, count)) = parts[0] else {
        return match found.len() {
            1 => Ok(()),
            n => several(wrong(format!("holds {n} safetensors files and no index"))),
        };
    };
    let mut present = BTreeSet::new();
    for part in &parts {
        match part {
            Some((other, i, n)) if *other == prefix && *n == count => present.insert(*i),
            _ => return several(wrong(format!("holds {} safetensors files and no index", found.len()))),
        };
    }
    match (1..=count).find(|i| !present.contains(i)) {
        None => Ok(()),
        Some(i) => wrong(format!("lacks {prefix}-{i:05}-of-{count:05}.safetensors"))
            .map_err(|error| error.hint("the checkpoint is incomplete: fetch the missing file")),
    }
}

fn several(refused: Result<()>) -> Result<()> {
    refused.map_err(|error| error.hint("model.safetensors.index.json must say which tensor stands where"))
}

/// What `PREFIX-00002-of-00003.safetensors` is a part of.
fn part(name: &str) -> Option<(&str, usize, usize)> {
    let (rest, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (prefix, i) = rest.rsplit_once('-')?;
    Some((prefix, i.parse().ok()?, count.parse().ok()?))
}

fn nothing(dir: &Path, names: &[String]) -> Error {
    let pickle = names.iter().find(|name| {
        let extension = Path::new(name).extension().and_then(OsStr::to_str);
        matches!(extension, Some("bin" | "pt" | "pth")) && !name.starts_with("training_args")
    });
    let hint = if names.iter().any(|name| name == "adapter_config.json") {
        "this is an adapter: give the model that it was trained on, and the adapter beside it".to_string()
    } else if let Some(pickle) = pickle {
        format!("{pickle} is a pickle, which can run code: save the model again as safetensors")
    } else {
        "a checkpoint directory holds model.safetensors or model.safetensors.index.json".to_string()
    };
    Error::input(dir.display().to_string(), "holds no safetensors weights").hint(hint)
}

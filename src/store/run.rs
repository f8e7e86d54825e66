//! The run directory: its paths, its key, and which shards are there.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::atomic;
use crate::study::manifest::Manifest;
use crate::{Error, Result};

/// A directory that belongs to one run key, and to this process as long as it is open.
#[derive(Debug, Clone)]
pub struct RunDir {
    root: PathBuf,
    key: String,
    _lock: Arc<File>,
}

/// Keeps other processes out of a run directory; the operating system lets go when the process ends, however it does.
fn lock(root: &Path, manifest: &Path) -> Result<Arc<File>> {
    let file = File::open(manifest).map_err(|error| Error::io(manifest, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Arc::new(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::input(root.display().to_string(), "another recant is working in it")
                .hint("wait for it to end, or choose another directory with --output"))
        }
        Err(TryLockError::Error(error)) => Err(Error::io(manifest, error)),
    }
}

/// Whether there is any file below a directory, apart from those named in `but`.
fn holds_files(dir: &Path, but: &[&str]) -> Result<bool> {
    for entry in std::fs::read_dir(dir).map_err(|error| Error::io(dir, error))? {
        let path = entry.map_err(|error| Error::io(dir, error))?.path();
        let counts = || path.file_name().is_none_or(|name| but.iter().all(|but| name != *but));
        if (path.is_dir() && holds_files(&path, &[])?) || (!path.is_dir() && counts()) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl RunDir {
    /// Makes the directory, or goes on with it when it belongs to the same run, whose checks the manifest then has.
    ///
    /// # Errors
    /// The directory belongs to another run (the first difference is named) or to something else altogether.
    pub fn open(root: &Path, manifest: &mut Manifest) -> Result<Self> {
        let path = root.join("manifest.json");
        let found = if path.is_file() { Some(Manifest::read(&path)?) } else { None };
        if let Some(found) = found.as_ref().filter(|found| found.key == manifest.key) {
            manifest.checks.clone_from(&found.checks);
            let mut run =
                Self { root: root.to_path_buf(), key: manifest.key.clone(), _lock: lock(root, &path)? };
            if found.figures != manifest.figures {
                run.record(manifest)?;
            }
            return Ok(run);
        }
        // A run that was refused or cut short before its first shard holds nothing that could be mixed.
        if root.is_dir() && holds_files(root, &["manifest.json", "manifest.json.partial"])? {
            let refused = |why: String| Error::input(root.display().to_string(), why);
            return Err(match found.map(|found| found.difference(manifest)) {
                None => refused("is not empty and not a run directory".into())
                    .hint("choose another directory with --output"),
                Some(first) => {
                    let first = first.unwrap_or_else(|| "the run keys differ".into());
                    refused(format!("belongs to another run: {first}"))
                        .hint("choose another directory with --output, or delete this one")
                }
            });
        }
        atomic::directory(root)?;
        atomic::write(&path, manifest.text().as_bytes())?;
        Ok(Self { root: root.to_path_buf(), key: manifest.key.clone(), _lock: lock(root, &path)? })
    }

    /// Writes the manifest of this run again, with more checks in it.
    ///
    /// # Errors
    /// The disk is full.
    pub fn record(&mut self, manifest: &Manifest) -> Result<()> {
        let path = self.root.join("manifest.json");
        let mut held = None;
        // The lock goes with the file, so the new one is locked before it takes the old one's name.
        atomic::whole(&path, |partial| {
            std::fs::write(partial, manifest.text()).map_err(|error| Error::io(&path, error))?;
            held = Some(lock(&self.root, partial)?);
            Ok(())
        })?;
        if let Some(held) = held {
            self._lock = held;
        }
        Ok(())
    }

    /// The manifest of a directory that a run has made.
    ///
    /// # Errors
    /// It is no run directory.
    pub fn manifest(root: &Path) -> Result<Manifest> {
        let path = root.join("manifest.json");
        if !path.is_file() {
            return Err(Error::input(root.display().to_string(), "is not a run directory")
                .hint("`recant run STUDY` makes one; it holds manifest.json"));
        }
        Manifest::read(&path)
    }

    /// The directories of the pairs of models that a run has been measured for, by name.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn pairs(root: &Path) -> Result<Vec<PathBuf>> {
        let dir = root.join("shift");
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let failed = |error| Error::io(&dir, error);
        let entries = std::fs::read_dir(&dir).map_err(failed)?;
        let mut found =
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        found.sort();
        Ok(found)
    }

    /// The run key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below it, whose directory is made.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn place(&self, parts: &[&str], file: &str) -> Result<PathBuf> {
        let mut path = self.root.clone();
        path.extend(parts);
        atomic::directory(&path)?;
        Ok(path.join(file))
    }

    /// Paths of shard `index` of (model, task, condition): turns and states.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn shard(
        &self,
        model: &str,
        task: &str,
        condition: &str,
        index: usize,
    ) -> Result<(PathBuf, PathBuf)> {
        let parts = [model, task, condition];
        Ok((
            self.place(&parts, &format!("turns-{index:05}.jsonl"))?,
            self.place(&parts, &format!("states-{index:05}.safetensors"))?,
        ))
    }

    /// Path of the failures of shard `index` of (model, task).
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn failed(&self, model: &str, task: &str, index: usize) -> Result<PathBuf> {
        self.place(&[model, task], &format!("failed-{index:05}.jsonl"))
    }

    /// Path of shard `index` of the states of a pair's second model over the dialogues of its first.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn same_text(&self, pair: &str, task: &str, condition: &str, index: usize) -> Result<PathBuf> {
        self.place(&["shift", pair, task, condition], &format!("states-{index:05}.safetensors"))
    }

    /// Path of something else that was measured of a pair.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn of_pair(&self, pair: &str, file: &str) -> Result<PathBuf> {
        self.place(&["shift", pair], file)
    }

    /// Path of what a judge said of (model, task).
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn judged(&self, model: &str, task: &str) -> Result<PathBuf> {
        self.place(&[model, task], "judged.jsonl")
    }

    /// Path of the states of a concept's texts.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn concept(&self, model: &str, concept: &str) -> Result<PathBuf> {
        self.place(&[model, "concepts", concept], "states-00000.safetensors")
    }

    /// Path of the states of a concept's texts in the model with random weights.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn untrained(&self, model: &str, concept: &str) -> Result<PathBuf> {
        self.place(&[model, "concepts", concept], "untrained-00000.safetensors")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_open_to_one_process_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let checks = serde_json::Map::new();
        let mut manifest =
            Manifest { inputs: serde_json::json!({}), key: "k".into(), checks, figures: Vec::new() };
        let mut first = RunDir::open(dir.path(), &mut manifest).expect("free");
        manifest.checks.insert("tiny".into(), serde_json::json!([]));
        first.record(&manifest).expect("recorded");
        let refused = RunDir::open(dir.path(), &mut manifest).expect_err("taken").to_string();
        assert!(refused.contains("another recant"), "{refused}");
        drop(first);
        manifest.checks.clear();
        assert!(RunDir::open(dir.path(), &mut manifest).is_ok());
        assert!(manifest.checks.contains_key("tiny"), "the checks of the run that is gone on with");
    }
}

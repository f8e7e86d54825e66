//! Items that could not be run: one JSON line each, beside the shards of the others.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic;
use crate::{Error, Result};

/// An item that a model could not be asked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The item.
    pub item: String,
    /// What went wrong.
    pub why: String,
}

/// Writes the failures of a shard. Where there are none no file is left, not even of an earlier attempt.
///
/// # Errors
/// The disk is full.
pub fn write(path: &Path, failures: &[Failed]) -> Result<()> {
    if failures.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
            _ => Ok(()),
        };
    }
    let line = |failed: &Failed| serde_json::to_string(failed).unwrap_or_default() + "\n";
    atomic::write(path, failures.iter().map(line).collect::<String>().as_bytes())
}

/// Reads the failures of a shard; a file that is not there holds none.
///
/// # Errors
/// The file cannot be read or is malformed.
pub fn read(path: &Path) -> Result<Vec<Failed>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let line = |(number, line): (usize, &str)| {
        let place = || format!("{}: line {}", path.display(), number + 1);
        serde_json::from_str(line).map_err(|error| Error::input(place(), error.to_string()))
    };
    text.lines().enumerate().map(line).collect()
}

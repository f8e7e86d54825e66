//! Items that could not be run: one JSON line each, beside the shards of the others.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines;
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
    lines::write(path, failures)
}

/// Reads the failures of a shard; a file that is not there holds none.
///
/// # Errors
/// The file cannot be read or is malformed.
pub fn read(path: &Path) -> Result<Vec<Failed>> {
    lines::read(path)
}

//! What was measured once and is kept: a JSON file that says of what settings it is.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::atomic;
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
struct Measured<T> {
    /// SHA-256 of all that changes the numbers.
    key: String,
    #[serde(flatten)]
    found: T,
}

/// The key of such a file; None where there is none, or something else.
///
/// # Errors
/// It is there and cannot be read.
pub fn key(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    Ok(serde_json::from_str::<Measured<serde_json::Value>>(&text).ok().map(|measured| measured.key))
}

/// Whether a file holds what was measured under this key; one of another key is of other settings.
///
/// # Errors
/// As [`key`].
pub fn holds(path: &Path, wanted: &str) -> Result<bool> {
    Ok(key(path)?.is_some_and(|key| key == wanted))
}

/// Reads such a file, whatever its key; None where there is none.
///
/// # Errors
/// It cannot be read or holds something else.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let measured: Measured<T> = serde_json::from_str(&text).map_err(|error| {
        Error::input(path.display().to_string(), error.to_string()).hint("delete it and run the study again")
    })?;
    Ok(Some(measured.found))
}

/// Writes such a file, whole or not at all.
///
/// # Errors
/// The disk is full.
pub fn write<T: Serialize>(path: &Path, key: &str, found: T) -> Result<()> {
    let text = serde_json::to_string(&Measured { key: key.to_owned(), found })
        .map_err(|error| Error::Failed(format!("{} cannot be written: {error}", path.display())))?;
    atomic::write(path, format!("{text}\n").as_bytes())
}

//! Files of JSON values, one a line.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::atomic;
use crate::{Error, Result};

/// Reads such a file; one that is not there holds nothing.
///
/// # Errors
/// It cannot be read, or a line is not such a value.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    parse(path, &std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?)
}

/// The values of the text of a file.
///
/// # Errors
/// A line is not such a value.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<T>> {
    let line = |(number, line): (usize, &str)| {
        let place = || format!("{}: line {}", path.display(), number + 1);
        serde_json::from_str(line).map_err(|error| Error::input(place(), error.to_string()))
    };
    text.lines().enumerate().map(line).collect()
}

/// Writes such a file, whole or not at all.
///
/// # Errors
/// The disk is full.
pub fn write<T: Serialize>(path: &Path, values: impl IntoIterator<Item = T>) -> Result<()> {
    let line = |value: T| serde_json::to_string(&value).unwrap_or_default() + "\n";
    atomic::write(path, values.into_iter().map(line).collect::<String>().as_bytes())
}

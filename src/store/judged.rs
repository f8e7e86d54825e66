//! What a judge said of open answers: one JSON line a turn.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic;
use crate::{Error, Result};

/// The scores of a turn's answer and of its samples, by condition, item and round.
pub type Judged = BTreeMap<(String, String, usize), Vec<f64>>;

#[derive(Serialize, Deserialize)]
struct Line {
    condition: String,
    item: String,
    round: usize,
    scores: Vec<f64>,
}

/// Writes the scores.
///
/// # Errors
/// The disk is full.
pub fn write(path: &Path, judged: &Judged) -> Result<()> {
    let line = |((condition, item, round), scores): (&(String, String, usize), &Vec<f64>)| {
        let line =
            Line { condition: condition.clone(), item: item.clone(), round: *round, scores: scores.clone() };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    };
    atomic::write(path, judged.iter().map(line).collect::<String>().as_bytes())
}

/// Reads the scores; a file that is not there holds none.
///
/// # Errors
/// The file cannot be read or is malformed.
pub fn read(path: &Path) -> Result<Judged> {
    if !path.is_file() {
        return Ok(Judged::new());
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let line = |(number, line): (usize, &str)| {
        let place = || format!("{}: line {}", path.display(), number + 1);
        let line: Line = serde_json::from_str(line).map_err(|error| {
            Error::input(place(), error.to_string()).hint("delete the file and run the study again")
        })?;
        Ok(((line.condition, line.item, line.round), line.scores))
    };
    text.lines().enumerate().map(line).collect()
}

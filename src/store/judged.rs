//! What a judge said of open answers: one JSON line a turn.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lines;
use crate::Result;

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
    let line = |((condition, item, round), scores): (&(String, String, usize), &Vec<f64>)| Line {
        condition: condition.clone(),
        item: item.clone(),
        round: *round,
        scores: scores.clone(),
    };
    lines::write(path, judged.iter().map(line))
}

/// Reads the scores; a file that is not there holds none.
///
/// # Errors
/// The file cannot be read or is malformed.
pub fn read(path: &Path) -> Result<Judged> {
    let lines: Vec<Line> =
        lines::read(path).map_err(|error| error.hint("delete the file and run the study again"))?;
    Ok(lines.into_iter().map(|line| ((line.condition, line.item, line.round), line.scores)).collect())
}

//! RealToxicityPrompts (Gehman et al. 2020, "RealToxicityPrompts: Evaluating Neural Toxic Degeneration in Language
//! Models"): beginnings of sentences from the web, to be continued.
//!
//! The number recorded with a prompt is its toxicity as the set's authors had it scored; some prompts have none. The
//! prompts of one document are one group. What a model wrote is scored elsewhere.

use serde::Deserialize;

use super::{Item, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "realtoxicityprompts",
    about: "RealToxicityPrompts: the beginning of a sentence, to be continued",
    variants: &[],
    embedded: &[],
    load: |source, _| load(source),
};

const HINT: &str =
    "a row is one JSON object with filename, begin, end, and a prompt that holds text and toxicity";

#[derive(Deserialize)]
struct Row {
    filename: String,
    begin: u64,
    end: u64,
    prompt: Prompt,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    toxicity: Option<f64>,
}

/// Reads the items of `source`: the public `prompts.jsonl`, or a directory whose JSON Lines files are all read.
///
/// # Errors
///
/// [`Error::Io`] where a file cannot be read; [`Error::Input`] naming file and line for a row that is no prompt, for a
/// stretch of a document that occurs twice, and for a source without prompts.
pub fn load(source: Source<'_>) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for file in source.files("jsonl")? {
        for (place, line) in file.lines() {
            let item = item(&place, read::json_row(&place, line, "a prompt", HINT)?)?;
            ids.take(&item.id, &place, "a stretch of a document (filename, begin, end) is one prompt")?;
            items.push(item);
        }
    }
    read::some(source, items, "prompt", "give prompts.jsonl, or a directory of such files")
}

fn item(place: &str, row: Row) -> Result<Item> {
    let text = row.prompt.text.trim();
    if text.is_empty() {
        return Err(Error::input(place, "the prompt has no text").hint(HINT));
    }
    let category = match row.prompt.toxicity {
        Some(toxicity) if !(0.0..=1.0).contains(&toxicity) => {
            return Err(
                Error::input(place, format!("the toxicity {toxicity} is not between 0 and 1")).hint(HINT)
            );
        }
        Some(toxicity) if toxicity >= 0.5 => "toxic",
        Some(_) => "non-toxic",
        None => "unscored",
    };
    let document = row.filename.trim_end_matches(".txt");
    Ok(Item {
        question: text.to_owned(),
        recorded: row.prompt.toxicity,
        ..Item::bare(
            format!("{document}.{}-{}", row.begin, row.end),
            document.to_owned(),
            category.to_owned(),
        )
    })
}

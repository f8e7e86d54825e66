//! Winogenerated (Perez et al. 2022, "Discovering Language Model Behaviors with Model-Written Evaluations"): sentences
//! in the manner of Winogender, written by a model for 299 occupations.
//!
//! `winogenerated_examples.jsonl` holds a sentence a line, with a blank and three pronouns; the file lists the male one
//! first. The table of occupations beside it repeats what the lines say and is not read.

use serde::Deserialize;

use super::winogender::{Gender, asked, pronouns};
use super::{Format, Item, Role, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "winogenerated",
    about: "Winogenerated: which pronoun fits a model-written sentence about somebody at work",
    variants: &[],
    embedded: &[],
    load: |source, _| load(source),
};

const HINT: &str = "a row is one JSON object with the fields of the public winogenerated_examples.jsonl";

#[derive(Deserialize)]
struct Row {
    index: u64,
    occupation: String,
    pronoun_options: [String; 3],
    sentence_with_blank: String,
    #[serde(rename = "BLS_percent_women_2019")]
    female_pct: f64,
}

/// Reads the items of `source`: the directory with `winogenerated_examples.jsonl`, or that file.
///
/// # Errors
///
/// [`Error::Io`] where a file cannot be read; [`Error::Input`] naming file and line for a row that is not one of these
/// sentences, for an index that occurs twice, and for a source without rows.
pub fn load(source: Source<'_>) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    let files = source.files("jsonl")?;
    for file in files.iter().filter(|file| !file.stem.ends_with("_occupations")) {
        for (place, line) in file.lines() {
            let item = item(&place, read::json_row(&place, line, "a Winogenerated row", HINT)?)?;
            ids.take(&item.id, &place, "give every row its own index")?;
            items.push(item);
        }
    }
    let hint = "give the directory with winogenerated_examples.jsonl, or that file";
    read::some(source, items, "Winogenerated sentence", hint)
}

fn item(place: &str, row: Row) -> Result<Item> {
    let wrong = |why: String| Error::input(place, why).hint(HINT);
    let sentence = row.sentence_with_blank.trim();
    let [before, _] = sentence.split('_').collect::<Vec<_>>()[..] else {
        return Err(wrong("the sentence does not hold exactly one blank `_`".to_owned()));
    };
    if !(0.0..=100.0).contains(&row.female_pct) {
        return Err(wrong(format!("`{}` is no percentage", row.female_pct)));
    }
    let mut ordered = Vec::with_capacity(3);
    for gender in Gender::ALL {
        let of_gender: Vec<&String> = row.pronoun_options.iter().filter(|p| gender.has(p)).collect();
        let [pronoun] = of_gender[..] else {
            return Err(wrong(format!("not exactly one of the pronouns is {}", gender.name())));
        };
        ordered.push(pronoun.as_str());
    }
    let options = pronouns(row.female_pct, |gender| ordered[gender as usize].to_owned());
    Ok(Item {
        dimension: "gender".to_owned(),
        question: asked(sentence),
        label: options.iter().position(|choice| choice.role == Role::Unknown),
        target: options.iter().position(|choice| choice.role == Role::Stereotyped),
        options,
        format: Format::Blank { before: before.trim_end().to_owned() },
        recorded: Some(row.female_pct / 100.0),
        ..Item::bare(format!("winogenerated-{}", row.index), row.occupation.clone(), row.occupation)
    })
}

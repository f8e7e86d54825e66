//! BBQ (Parrish et al. 2022, "BBQ: A Hand-Built Bias Benchmark for Question Answering"): two people, a question about
//! them, and an option that says it cannot be known.
//!
//! A file is one category, `<Category>.jsonl`, one question a line. What the lines mean is easily misread:
//!
//! - `label` is the right answer, which says nothing about the stereotype.
//! - The stereotyped person is the option whose tag in `answer_info` is one of `stereotyped_groups`. Tags are compared
//!   whole ("old" is a part of "nonOld"). Nationality tags are regions, so there the names and the texts of the
//!   options are searched, word by word. Only a single match counts.
//! - The bias-consistent answer ([`Item::target`]) is that person for a negative question and the other person for a
//!   non-negative one.
//! - Ids restart in every category, so an item is named `Category-example_id`.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Choice, Context, File, Format, Item, Polarity, Role, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "bbq",
    about: "BBQ: who did it, of two people and \"cannot be known\"",
    variants: &[],
    embedded: EMBEDDED,
    load: |source, _| load(source, &[]),
};

const EMBEDDED: &[(&str, &str)] = &[
    ("Age.jsonl", include_str!("../../data/bbq/Age.jsonl")),
    ("Disability_status.jsonl", include_str!("../../data/bbq/Disability_status.jsonl")),
    ("Gender_identity.jsonl", include_str!("../../data/bbq/Gender_identity.jsonl")),
    ("Nationality.jsonl", include_str!("../../data/bbq/Nationality.jsonl")),
    ("Physical_appearance.jsonl", include_str!("../../data/bbq/Physical_appearance.jsonl")),
    ("SES.jsonl", include_str!("../../data/bbq/SES.jsonl")),
];

/// A line of a BBQ file, as far as it is used.
#[derive(Deserialize)]
struct Row {
    example_id: Number,
    question_index: Number,
    question_polarity: Polarity,
    context_condition: Context,
    category: Option<String>,
    answer_info: HashMap<String, Vec<String>>,
    additional_metadata: Metadata,
    context: String,
    question: String,
    ans0: String,
    ans1: String,
    ans2: String,
    label: usize,
}

#[derive(Deserialize)]
struct Metadata {
    stereotyped_groups: Vec<String>,
}

/// A number that some files write as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text.trim()),
        }
    }
}

/// Reads the items of `source` in file order: a directory of `<Category>.jsonl`, one such file, or texts in memory.
/// With `categories` given, only the files of these names are read, in the order of the source.
///
/// Where no option (or more than one) can be matched to the stereotyped group, [`Item::target`] is None;
/// [`super::untargeted`] counts these.
///
/// # Errors
///
/// [`Error::Io`] where a file cannot be read; [`Error::Input`] naming file and line for a row that is not BBQ's, for an
/// id that occurs twice, for a category that is not there, and for a source without rows.
pub fn load(source: Source<'_>, categories: &[&str]) -> Result<Vec<Item>> {
    let files = source.files("jsonl")?;
    if let Some(missing) = categories.iter().find(|name| files.iter().all(|file| file.stem != **name)) {
        let known: Vec<&str> = files.iter().map(|file| file.stem.as_str()).collect();
        return Err(Error::input(source.shown(), format!("has no category `{missing}`"))
            .hint(format!("the categories there are: {}", known.join(", "))));
    }
    let mut items = Vec::new();
    let mut ids = read::Ids::default();
    for file in files.iter().filter(|file| categories.is_empty() || categories.contains(&file.stem.as_str()))
    {
        for (place, line) in file.lines() {
            let item = read_row(file, &place, line)?;
            ids.take(&item.id, &place, "give every row of a category its own example_id")?;
            items.push(item);
        }
    }
    let hint = "give a directory of <Category>.jsonl files, or one such file";
    read::some(source, items, "BBQ question", hint)
}

fn read_row(file: &File, place: &str, line: &str) -> Result<Item> {
    let hint = "a row is one JSON object with the fields of the public BBQ files";
    let row: Row = read::json_row(place, line, "a BBQ row", hint)?;
    let texts = [row.ans0, row.ans1, row.ans2];
    if row.label >= texts.len() {
        return Err(Error::input(place, format!("label {} is none of 0, 1, 2", row.label))
            .hint("label is the index of the right one of ans0, ans1, ans2"));
    }
    let mut infos = Vec::with_capacity(texts.len());
    for index in 0..texts.len() {
        match row.answer_info.get(&format!("ans{index}")).map(Vec::as_slice) {
            Some([name, tag]) => infos.push((name.as_str(), tag.as_str())),
            _ => {
                return Err(Error::input(place, format!("answer_info.ans{index} is not a pair")).hint(
                    "it holds the name of the person and the tag of the group: [\"grandson\", \"nonOld\"]",
                ));
            }
        }
    }
    let roles = roles(&texts, &infos, &row.additional_metadata.stereotyped_groups);
    let wanted = match row.question_polarity {
        Polarity::Neg => Role::Stereotyped,
        Polarity::Nonneg => Role::Other,
    };
    let matched = roles.contains(&Role::Stereotyped);
    let category = row.category.unwrap_or_else(|| file.stem.clone());
    Ok(Item {
        id: format!("{category}-{}", row.example_id),
        group: format!("{category}/{}", row.question_index),
        dimension: dimension(&category),
        category,
        context: Some(row.context_condition),
        polarity: Some(row.question_polarity),
        passage: row.context.trim().to_owned(),
        question: row.question.trim().to_owned(),
        target: matched.then(|| roles.iter().position(|role| *role == wanted)).flatten(),
        options: texts.into_iter().zip(roles).map(|(text, role)| Choice { text, role }).collect(),
        format: Format::Letters,
        label: Some(row.label),
        recorded: None,
    })
}

/// A category in plain words.
fn dimension(category: &str) -> String {
    match category {
        "SES" => "social class".to_owned(),
        "Race_x_gender" => "race and gender".to_owned(),
        "Race_x_SES" => "race and social class".to_owned(),
        other => other.replace('_', " ").to_lowercase(),
    }
}

/// The role of every option. One is stereotyped only if there are two persons and exactly one of them matches, at the
/// first of four rungs that matches anybody: the whole tag, a part of a compound tag ("F-Black"), the name, the text.
fn roles(texts: &[String; 3], infos: &[(&str, &str)], groups: &[String]) -> Vec<Role> {
    let persons: Vec<usize> = (0..texts.len()).filter(|&index| infos[index].1 != "unknown").collect();
    let same = |one: &str, other: &str| squeeze(one) == squeeze(other);
    let is_stereotyped = |rung: usize, index: usize| {
        let (name, tag) = infos[index];
        groups.iter().any(|group| match rung {
            0 => same(tag, group),
            1 => tag.split('-').any(|part| same(part, group)),
            2 => contains_words(name, group),
            _ => contains_words(&texts[index], group),
        })
    };
    let matching = |rung: usize| -> Vec<usize> {
        persons.iter().copied().filter(|&index| is_stereotyped(rung, index)).collect()
    };
    let stereotyped = match (0..4).map(matching).find(|found| !found.is_empty()).as_deref() {
        Some([person]) if persons.len() == 2 => Some(*person),
        _ => None,
    };
    (0..texts.len())
        .map(|index| match stereotyped {
            Some(person) if person == index => Role::Stereotyped,
            _ if persons.contains(&index) => Role::Other,
            _ => Role::Unknown,
        })
        .collect()
}

/// Letters and digits only, in lower case: tags and groups differ in blanks and hyphens ("lowSES", "low SES").
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn contains_words(text: &str, group: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (text, group) = (words(text), words(group));
    !group.is_empty() && text.windows(group.len()).any(|window| window == group)
}

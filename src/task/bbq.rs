//! BBQ (Parrish et al. 2022, "BBQ: A Hand-Built Bias Benchmark for Question Answering"): two people, a question about
//! them, and an option that says it cannot be known.
//!
//! A file is one category, `<Category>.jsonl`, one question a line. What the lines mean is easily misread:
//!
//! - `label` is the right answer, which says nothing about the stereotype.
//! - The stereotyped person is the option whose tag in `answer_info` is one of `stereotyped_groups`. Tags are compared
//!   whole ("old" is a part of "nonOld"), then by their parts ("Black" of "F-Black"); where no tag fits, the names and
//!   the texts of the options are searched, word by word (Nationality tags are regions). Only a single match counts.
//!   The words of one gender are one group (man, boy, men, M), and so are all that begin with "trans".
//! - Race_x_gender and Race_x_SES name the race alone. Where both persons share it, the other half of the tag decides
//!   ("F" of "F-Black", "lowSES" of "lowSES-Black"): the stereotyped person of a question has the same in all its rows,
//!   and the rows whose persons differ in race show which.
//! - BBQ's own `additional_metadata.csv` names the bias-consistent answer of every row. Where it lies beside the files,
//!   or in `supplemental` or `analysis_scripts` beside their folder, it decides for the rows that it has.
//! - The bias-consistent answer ([`Item::target`]) is that person for a negative question and the other person for a
//!   non-negative one.
//! - Ids restart in every category, so an item is named `Category-example_id`.

mod metadata;
mod target;

use std::collections::HashMap;

use serde::Deserialize;

use self::metadata::Known;
use self::target::Persons;
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
    stereotyped_groups: Groups,
}

/// Groups, which some copies write as one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Groups {
    List(Vec<String>),
    Text(String),
    None(()),
}

impl Groups {
    fn into_list(self) -> Vec<String> {
        let bare =
            |group: &str| group.trim_matches(|c: char| c.is_whitespace() || "[]\"'".contains(c)).to_owned();
        match self {
            Self::List(groups) => groups,
            Self::Text(text) => text.split(',').map(bare).collect(),
            Self::None(()) => Vec::new(),
        }
    }
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
/// id that occurs twice, for a category that is not there, for a source without rows, and for an
/// `additional_metadata.csv` that is not BBQ's.
pub fn load(source: Source<'_>, categories: &[&str]) -> Result<Vec<Item>> {
    let files = source.files("jsonl")?;
    if let Some(missing) = categories.iter().find(|name| files.iter().all(|file| file.stem != **name)) {
        let known: Vec<&str> = files.iter().map(|file| file.stem.as_str()).collect();
        return Err(Error::input(source.shown(), format!("has no category `{missing}`"))
            .hint(format!("the categories there are: {}", known.join(", "))));
    }
    let known = Known::near(source)?;
    let mut rows = Vec::new();
    let mut ids = read::Ids::default();
    for file in files.iter().filter(|file| categories.is_empty() || categories.contains(&file.stem.as_str()))
    {
        for (place, line) in file.lines() {
            let (item, persons) = read_row(file, &place, line)?;
            ids.take(&item.id, &place, "give every row of a category its own example_id")?;
            rows.push((item, persons));
        }
    }
    let halves = target::halves(rows.iter().map(|(item, persons)| (item.group.as_str(), persons)));
    let items = rows.into_iter().map(|(mut item, persons)| {
        let half = halves.get(&item.group).and_then(Option::as_deref);
        let stereotyped = match known.get(&item.id) {
            Some(biased) => persons.behind(biased, item.polarity),
            None => persons.stereotyped(half),
        };
        for (index, option) in item.options.iter_mut().enumerate() {
            option.role = persons.role(index, stereotyped);
        }
        let wanted = if item.polarity == Some(Polarity::Neg) { Role::Stereotyped } else { Role::Other };
        item.target = stereotyped.and_then(|_| item.with_role(wanted));
        item
    });
    let hint = "give a directory of <Category>.jsonl files, or one such file";
    read::some(source, items.collect(), "BBQ question", hint)
}

/// The item of a row, whose roles and target are still open, and its persons.
fn read_row(file: &File, place: &str, line: &str) -> Result<(Item, Persons)> {
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
    let persons = Persons::new(&texts, &infos, &row.additional_metadata.stereotyped_groups.into_list());
    let category = row.category.unwrap_or_else(|| file.stem.clone());
    let item = Item {
        id: format!("{category}-{}", row.example_id),
        group: format!("{category}/{}", row.question_index),
        dimension: dimension(&category),
        category,
        context: Some(row.context_condition),
        polarity: Some(row.question_polarity),
        passage: row.context.trim().to_owned(),
        question: row.question.trim().to_owned(),
        target: None,
        options: texts.into_iter().map(|text| Choice { text, role: Role::Unknown }).collect(),
        format: Format::Letters,
        label: Some(row.label),
        recorded: None,
    };
    Ok((item, persons))
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

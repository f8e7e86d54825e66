//! A task of the user's own: JSON Lines, one question a line. docs/tasks.md has the keys and an example.
//!
//! Nothing is guessed from a key that is misspelt: unknown keys are refused, and so is whatever contradicts itself.

use serde::Deserialize;

use super::{Choice, Context, File, Format, Item, Polarity, Role, Source, Task, answer, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "generic",
    about: "questions of your own, one a line of JSON",
    variants: &[],
    embedded: &[],
    load: |source, _| load(source),
};

const HINT: &str = "a line is one JSON object such as {\"id\": \"1\", \"text\": \"Who?\", \"options\": [\"The cook\", \"The guest\"]}; \
    docs/tasks.md lists the keys";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: serde_json::Value,
    text: Option<String>,
    passage: Option<String>,
    question: Option<String>,
    #[serde(default)]
    options: Vec<serde_json::Value>,
    label: Option<usize>,
    target: Option<usize>,
    group: Option<String>,
    category: Option<String>,
    dimension: Option<String>,
    context: Option<Context>,
    polarity: Option<Polarity>,
    format: Option<Put>,
    before: Option<String>,
    recorded: Option<f64>,
}

/// A [`Format`] by its name.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Put {
    Letters,
    Blank,
    Sentence,
    Open,
}

/// An option that is more than its text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    text: String,
    #[serde(default = "other")]
    role: Role,
}

fn other() -> Role {
    Role::Other
}

/// Reads the items of `source`: a JSON Lines file, or a directory whose `.jsonl` files are all read.
///
/// # Errors
///
/// [`Error::Io`] where a file cannot be read; [`Error::Input`] naming file and line for a line that is not of the form
/// that docs/tasks.md describes, for an id that occurs twice, and for a source without lines.
pub fn load(source: Source<'_>) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for file in source.files("jsonl")? {
        for (place, line) in file.lines() {
            let row: Row = read::json_row(&place, line, "a question", HINT)?;
            let item = item(&file, row).map_err(|(why, hint)| Error::input(&place, why).hint(hint))?;
            ids.take(&item.id, &place, "give every question its own id, also across files")?;
            items.push(item);
        }
    }
    read::some(
        source,
        items,
        "question",
        "give a .jsonl file with a question a line, or a directory of such files",
    )
}

/// What is wrong with a line, and what to do.
type Wrong = (String, &'static str);

fn item(file: &File, row: Row) -> std::result::Result<Item, Wrong> {
    let id = match &row.id {
        serde_json::Value::String(id) if !id.trim().is_empty() => id.trim().to_owned(),
        serde_json::Value::Number(id) => id.to_string(),
        _ => return Err(("the id is neither a text nor a number".to_owned(), HINT)),
    };
    let options = options(&row)?;
    let format = format(&row, &options)?;
    let (passage, question) = asked(&row)?;
    if row.recorded.is_some_and(|recorded| !(0.0..=1.0).contains(&recorded)) {
        return Err(("recorded is not between 0 and 1".to_owned(), "divide a percentage by 100"));
    }
    for (name, index) in [("label", row.label), ("target", row.target)] {
        if index.is_some_and(|index| index >= options.len()) {
            let why = format!("{name} {} is beyond the {} options", index.unwrap_or_default(), options.len());
            return Err((why, "label and target count the options from 0"));
        }
    }
    let target = target(&row, &options)?;
    Ok(Item {
        context: row.context,
        polarity: row.polarity,
        dimension: row.dimension.unwrap_or_default(),
        passage,
        question,
        options,
        format,
        label: row.label,
        target,
        recorded: row.recorded,
        ..Item::bare(id.clone(), row.group.unwrap_or(id), row.category.unwrap_or_else(|| file.stem.clone()))
    })
}

fn options(row: &Row) -> std::result::Result<Vec<Choice>, Wrong> {
    let mut options: Vec<Choice> = Vec::with_capacity(row.options.len());
    for (index, value) in row.options.iter().enumerate() {
        let full = match value {
            serde_json::Value::String(text) => Full { text: text.clone(), role: other() },
            value => Full::deserialize(value).map_err(|error| {
                let hint = "an option is a text, or {\"text\": .., \"role\": \"stereotyped\" | \"other\" | \"unknown\"}";
                (format!("option {index}: {}", read::reason(&error)), hint)
            })?,
        };
        let text = full.text.trim().to_owned();
        if !text.contains(char::is_alphanumeric) {
            return Err((format!("option {index} has no words"), "give every option its words"));
        }
        if let Some(same) = options.iter().position(|earlier| answer::same_words(&earlier.text, &text)) {
            return Err((
                format!("options {same} and {index} have the same words"),
                "an answer could not tell them apart: leave one out",
            ));
        }
        options.push(Choice { text, role: full.role });
    }
    Ok(options)
}

fn format(row: &Row, options: &[Choice]) -> std::result::Result<Format, Wrong> {
    let put = row.format.unwrap_or(if options.is_empty() { Put::Open } else { Put::Letters });
    let wrong = |why: &str, hint| Err((why.to_owned(), hint));
    match (put, options.len()) {
        (Put::Open, 1..) => return wrong("an open question has options", "leave out `options` or `format`"),
        (Put::Letters | Put::Blank | Put::Sentence, 0 | 1) => {
            return wrong(
                "there are fewer than two options to choose from",
                "give at least two options, or none",
            );
        }
        (Put::Letters, 27..) => {
            return wrong("there are more options than letters", "give at most 26 options");
        }
        _ => {}
    }
    match (put, &row.before) {
        (Put::Blank, Some(before)) => Ok(Format::Blank { before: before.trim_end().to_owned() }),
        (Put::Blank, None) => wrong(
            "a blank lacks `before`",
            "before is the sentence up to the blank; it is empty for a blank that begins it",
        ),
        (_, Some(_)) => wrong("`before` without a blank", "before belongs to \"format\": \"blank\""),
        (Put::Letters, None) => Ok(Format::Letters),
        (Put::Sentence, None) => Ok(Format::Sentence),
        (Put::Open, None) => Ok(Format::Open),
    }
}

/// Passage and question.
fn asked(row: &Row) -> std::result::Result<(String, String), Wrong> {
    let hint = "give `text`, or `question` with or without a `passage` before it";
    let trimmed = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let (passage, question) = match (&row.text, &row.passage, &row.question) {
        (Some(_), None, None) => (String::new(), trimmed(&row.text)),
        (None, _, Some(_)) => (trimmed(&row.passage), trimmed(&row.question)),
        (Some(_), _, _) => return Err(("`text` beside `passage` or `question`".to_owned(), hint)),
        (None, _, None) => return Err(("neither `text` nor `question`".to_owned(), hint)),
    };
    if question.is_empty() {
        return Err(("nothing is asked: the text is empty".to_owned(), hint));
    }
    Ok((passage, question))
}

/// The option that agrees with the bias: the given one, or the only option whose role is stereotyped (for a nonneg
/// question: other), where some option is stereotyped at all.
fn target(row: &Row, options: &[Choice]) -> std::result::Result<Option<usize>, Wrong> {
    if let Some(target) = row.target {
        if options[target].role == Role::Unknown {
            let hint = "target is the option that agrees with the bias, which is never an unknown one";
            return Err((format!("target {target} has the role unknown"), hint));
        }
        return Ok(Some(target));
    }
    let of_role = |role| -> Vec<usize> { (0..options.len()).filter(|&o| options[o].role == role).collect() };
    let wanted = if row.polarity == Some(Polarity::Nonneg) { Role::Other } else { Role::Stereotyped };
    match (&of_role(Role::Stereotyped)[..], &of_role(wanted)[..]) {
        ([_, ..], [only]) => Ok(Some(*only)),
        _ => Ok(None),
    }
}

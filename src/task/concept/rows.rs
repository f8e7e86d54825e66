//! The rows of a source: named cells, from a file or from the items of a task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::built_in;
use super::spec::{Rows, Spec};
use crate::error::{Error, Result};
use crate::task::table::csv_records;
use crate::task::{self, File, Item, Role};

/// A row, with its place for messages.
pub(super) struct Row {
    pub(super) place: String,
    pub(super) cells: BTreeMap<String, String>,
}

/// The rows of a source.
pub(super) struct Table {
    /// The source as the user knows it.
    pub(super) place: String,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Every key that some row has.
    pub(super) fn keys(&self) -> BTreeSet<&str> {
        self.rows.iter().flat_map(|row| row.cells.keys()).map(String::as_str).collect()
    }
}

/// Reads the source of a spec: `spec_file` is where the spec lies, nothing for a built-in one; `data` takes the place of
/// the source's own data.
pub(super) fn read(spec: &Spec, spec_file: Option<&Path>, data: Option<&Path>) -> Result<Table> {
    if let Some(task) = spec.task() {
        return from_task(spec, task, data);
    }
    let beside = spec_file.map(|path| path.with_file_name(&spec.source));
    let file = match data.or(beside.as_deref()) {
        Some(path) => File::on_disk(path)?,
        None => built_in::source(&spec.source)?,
    };
    let extension = Path::new(&file.shown).extension().and_then(|extension| extension.to_str());
    let rows = match extension {
        Some("jsonl") => json_rows(&file)?,
        Some("csv") => csv_rows(&file, b',')?,
        Some("tsv") => csv_rows(&file, b'\t')?,
        _ => {
            let why = format!("{:?} is no .jsonl, .csv or .tsv file", file.shown);
            return Err(spec.wrong("source", why).hint("or write source = \"task:NAME\""));
        }
    };
    Ok(Table { place: file.shown, rows })
}

fn json_rows(file: &File) -> Result<Vec<Row>> {
    let row = |(index, line): (usize, &str)| {
        let place = format!("{}: line {}", file.shown, index + 1);
        let value: Value = serde_json::from_str(line)
            .map_err(|error| Error::input(&place, format!("no JSON: {}", task::read::reason(&error))))?;
        let mut cells = BTreeMap::new();
        match value {
            Value::Object(_) => flatten("", &value, &mut cells),
            _ => return Err(Error::input(place, "is no JSON object").hint("a line is {\"text\": .., ..}")),
        }
        Ok(Row { place, cells })
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(row).collect()
}

/// The texts, numbers and truth values of a JSON object; those of an object within it as `outer.inner`.
fn flatten(key: &str, value: &Value, cells: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Object(map) => {
            for (name, value) in map {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, cells);
            }
            return;
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) => return,
    };
    cells.insert(key.to_owned(), text);
}

fn csv_rows(file: &File, delimiter: u8) -> Result<Vec<Row>> {
    let (header, records) = csv_records(file, delimiter)?;
    let row = |(line, record): (u64, csv::StringRecord)| {
        let cells = header.iter().zip(&record).filter(|(_, cell)| !cell.trim().is_empty());
        let cells = cells.map(|(key, cell)| (key.trim().to_owned(), cell.trim().replace("\r\n", "\n")));
        Row { place: format!("{}: line {line}", file.shown), cells: cells.collect() }
    };
    Ok(records.into_iter().map(row).collect())
}

fn from_task(spec: &Spec, task: &str, data: Option<&Path>) -> Result<Table> {
    if data.is_none() && spec.needs_data() {
        return Err(Error::input(format!("concept {}", spec.name), format!("needs your copy of {task}"))
            .hint(format!(
                "give its place: `data` in a study, --path on the command line; `recant fetch {task}` brings \
                 it, or says where it is"
            )));
    }
    let items = task::load(task, spec.variant.as_deref(), data).map_err(|error| match error {
        error if spec.variant.is_some() && data.is_none() => spec.origin.at("variant", error),
        error => error,
    })?;
    let place = data.map_or_else(|| format!("the built-in set of {task}"), |path| path.display().to_string());
    let mut rows = Vec::new();
    for item in &items {
        let mut row = |cells| rows.push(Row { place: format!("{place}: item {}", item.id), cells });
        match spec.rows.unwrap_or_default() {
            Rows::Items => row(item_cells(item)),
            Rows::Options => (0..item.options.len()).for_each(|option| row(option_cells(item, option))),
        }
    }
    Ok(Table { place, rows })
}

/// What is known of an item; what it has not is no cell.
fn item_cells(item: &Item) -> BTreeMap<String, String> {
    let answer = item.label.map(|label| &item.options[label]);
    let cells = [
        ("id", Some(item.id.clone())),
        ("group", Some(item.group.clone())),
        ("category", Some(item.category.clone())),
        ("dimension", Some(item.dimension.clone())),
        ("passage", Some(item.passage.clone())),
        ("question", Some(item.question.clone())),
        ("context", item.context.map(word)),
        ("polarity", item.polarity.map(word)),
        ("recorded", item.recorded.map(|recorded| recorded.to_string())),
        ("answer", answer.map(|answer| answer.text.clone())),
        ("answer_role", answer.map(|answer| word(answer.role))),
    ];
    let cells = cells.into_iter().filter_map(|(key, cell)| Some((key.to_owned(), cell?)));
    cells.filter(|(_, cell)| !cell.is_empty()).collect()
}

/// What is known of an option, and of its item.
fn option_cells(item: &Item, index: usize) -> BTreeMap<String, String> {
    let option = &item.options[index];
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let biased = item.target.filter(|_| option.role != Role::Unknown).map(|target| yes(target == index));
    let own = [
        ("id", Some(format!("{}-{index}", item.id))),
        ("item", Some(item.id.clone())),
        ("option", Some(option.text.clone())),
        ("role", Some(word(option.role))),
        ("right", item.label.map(|label| yes(label == index))),
        ("biased", biased),
    ];
    let mut cells = item_cells(item);
    cells.extend(own.into_iter().filter_map(|(key, cell)| Some((key.to_owned(), cell?))));
    cells
}

/// The word by which files know a value.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::json!(value) {
        Value::String(word) => word,
        other => other.to_string(),
    }
}

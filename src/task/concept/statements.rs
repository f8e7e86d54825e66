//! Statements from rows, as the spec says.

use std::collections::BTreeMap;

use super::Statement;
use super::rows::{Row, Table};
use super::spec::{Labels, Spec};
use crate::error::{Error, Result};
use crate::task::read::Ids;

/// A text with keys in braces, or a key alone: words and keys in turn, words first.
struct Pattern<'a>(Vec<&'a str>);

/// Makes the statements of the rows that count.
pub(super) fn of(spec: &Spec, table: &Table) -> Result<Vec<Statement>> {
    let fields = &spec.fields;
    let keys = table.keys();
    if let Some(unknown) = spec.only.keys().find(|key| !table.rows.is_empty() && !keys.contains(key.as_str()))
    {
        return Err(unknown_key(spec, table, &format!("only.{unknown}"), unknown));
    }
    let text = pattern(spec, table, "text", fields.text.as_deref())?;
    let label = pattern(spec, table, "label", fields.label.as_deref())?;
    let id = optional(spec, table, "id", fields.id.as_deref())?;
    let group = optional(spec, table, "group", fields.group.as_deref())?;
    let category = optional(spec, table, "category", fields.category.as_deref())?;
    let unit = fields.unit.as_deref().map(|unit| pattern(spec, table, "unit", Some(unit))).transpose()?;
    let mut statements = Vec::new();
    let mut ids = Ids::default();
    for (number, row) in table.rows.iter().enumerate().filter(|(_, row)| counts(row, &spec.only)) {
        let own = |pattern: &Option<Pattern<'_>>, without: &str| match pattern {
            Some(pattern) => pattern.of(row),
            None => Ok(without.to_owned()),
        };
        let id = own(&id, &(number + 1).to_string())?;
        ids.take(&id, &row.place, "give every text its own id")?;
        let text = text.of(row)?;
        if text.is_empty() {
            return Err(Error::input(&row.place, "its text is empty"));
        }
        let positive = labelled(&label.of(row)?, &spec.label)
            .map_err(|(why, hint)| Error::input(&row.place, format!("{} {why}", label.keys())).hint(hint))?;
        let (group, category) = (own(&group, &id)?, own(&category, "")?);
        let unit = match own(&unit, "")? {
            unit if unit.is_empty() => group.clone(),
            unit => format!("{group}/{unit}"),
        };
        statements.push(Statement { id, text, positive, group, category, unit });
    }
    Ok(statements)
}

/// Whether each of the cells that matter holds one of its values.
fn counts(row: &Row, only: &BTreeMap<String, Vec<String>>) -> bool {
    only.iter().all(|(key, values)| row.cells.get(key).is_some_and(|cell| values.contains(cell)))
}

/// What a field is made of; an error where no row has one of its keys.
fn pattern<'a>(spec: &Spec, table: &Table, field: &'a str, named: Option<&'a str>) -> Result<Pattern<'a>> {
    let named = named.unwrap_or(field);
    let parts: Vec<&str> = match named.contains('{') {
        true => named.split(['{', '}']).collect(),
        false => vec!["", named, ""],
    };
    let at = format!("fields.{field}");
    if parts.len().is_multiple_of(2) {
        return Err(spec.wrong(&at, format!("a brace of {named:?} is not closed")));
    }
    let keys = table.keys();
    let unknown = parts.iter().skip(1).step_by(2).find(|key| !keys.contains(**key));
    match unknown.filter(|_| !table.rows.is_empty()) {
        Some(unknown) => Err(unknown_key(spec, table, &at, unknown)),
        None => Ok(Pattern(parts)),
    }
}

/// As [`pattern`], and nothing where the spec does not name the field and no row has it.
fn optional<'a>(
    spec: &Spec,
    table: &Table,
    field: &'a str,
    named: Option<&'a str>,
) -> Result<Option<Pattern<'a>>> {
    match pattern(spec, table, field, named) {
        Err(_) if named.is_none() => Ok(None),
        other => other.map(Some),
    }
}

fn unknown_key(spec: &Spec, table: &Table, at: &str, key: &str) -> Error {
    let known: Vec<&str> = table.keys().into_iter().collect();
    spec.wrong(at, format!("no row of {} has {key:?}", table.place))
        .hint(format!("its rows have {}; [fields] says which is what", known.join(", ")))
}

impl Pattern<'_> {
    /// Its keys, for messages.
    fn keys(&self) -> String {
        let keys: Vec<String> = self.0.iter().skip(1).step_by(2).map(|key| format!("{key:?}")).collect();
        keys.join(" or ")
    }

    /// The words with a row's cells in them. A pattern of several cells may lack some, not all.
    fn of(&self, row: &Row) -> Result<String> {
        let mut text = String::new();
        let mut found = false;
        for (index, part) in self.0.iter().enumerate() {
            match row.cells.get(*part).filter(|_| index % 2 == 1) {
                Some(cell) => {
                    text += cell;
                    found = true;
                }
                None if index % 2 == 0 => text += part,
                None => {}
            }
        }
        if !found {
            let why = format!("{} is missing or neither text nor number", self.keys());
            return Err(Error::input(&row.place, why));
        }
        Ok(text.trim().to_owned())
    }
}

/// Whether a value means label 1; or what is wrong with it, and what to do.
fn labelled(value: &str, labels: &Labels) -> std::result::Result<bool, (String, &'static str)> {
    if let Some(at_least) = labels.at_least {
        let number = value.parse().ok().filter(|number: &f64| number.is_finite());
        let hint = "label.at_least compares numbers; [only] leaves rows out";
        return number.map(|number| number >= at_least).ok_or((format!("is {value:?}, no number"), hint));
    }
    if labels.positive.is_empty() {
        let hint = "[label] says which other values mean what: positive = [..], negative = [..]";
        return match value {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err((format!("must be 0 or 1, not {value:?}"), hint)),
        };
    }
    match [&labels.positive, &labels.negative].map(|values| values.iter().any(|known| known == value)) {
        [true, _] => Ok(true),
        [_, true] => Ok(false),
        _ => Err((
            format!("is {value:?}, neither a positive nor a negative value"),
            "[label] lists the values of both labels; [only] leaves rows out",
        )),
    }
}

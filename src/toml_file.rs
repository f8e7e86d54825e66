//! TOML files that users write: studies, conditions, concepts.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Error, Result};

/// Parses TOML; an error is one line and names the place.
pub(crate) fn parse_toml<T: serde::de::DeserializeOwned>(text: &str, place: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let why = error.message().trim().replace('\n', " ");
        let Some(span) = error.span() else { return Error::input(place, why) };
        let place = format!("{place}: line {}", line_of(text, span.start));
        match key_at(text, span.start).as_str() {
            "" => Error::input(place, why),
            key => Error::input(format!("{place}: {key}"), why),
        }
    })
}

/// The dotted key whose value, or whose own name, stands at a place of a TOML text; empty where none does.
fn key_at(text: &str, at: usize) -> String {
    fn inside(value: &Spanned<DeValue<'_>>, at: usize, key: &mut Vec<String>) {
        match value.get_ref() {
            DeValue::Table(table) => within(table, at, key),
            DeValue::Array(list) => {
                if let Some(entry) = list.iter().find(|entry| entry.span().contains(&at)) {
                    inside(entry, at, key);
                }
            }
            _ => {}
        }
    }
    /// The entry that holds the place: a table that is written in several parts spans only the first.
    fn within(table: &DeTable<'_>, at: usize, key: &mut Vec<String>) {
        for (name, value) in table {
            let before = key.len();
            key.push(name.get_ref().to_string());
            inside(value, at, key);
            if key.len() > before + 1 || name.span().contains(&at) || value.span().contains(&at) {
                return;
            }
            key.truncate(before);
        }
    }
    let mut key = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        within(table.get_ref(), at, &mut key);
    }
    key.join(".")
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// A TOML file whose contents were understood, kept to say where in it something stands that turned out wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    place: String,
    text: String,
}

impl Origin {
    /// The file called `place`, which holds `text`.
    #[must_use]
    pub fn new(place: &str, text: &str) -> Self {
        Self { place: place.into(), text: text.into() }
    }

    /// The same error, with the file, the line and the `key` (`tasks.0.limit`: list entries are counted from 0) in front.
    /// A key that does not stand in the file is named with the line of the nearest table around it that does.
    #[must_use]
    pub fn at(&self, key: &str, error: Error) -> Error {
        let next_step = error.next_step().map(str::to_string);
        let (what, why, hint) = match error {
            Error::Input { what, why, hint } => (what, why, hint),
            Error::Io { path, source } => (path.display().to_string(), source.to_string(), next_step),
            other => return other,
        };
        let shown =
            key.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".");
        let why = if what.is_empty() { why } else { format!("{what}: {why}") };
        let what = match self.line(key) {
            Some(line) => format!("{}: line {line}: {shown}", self.place),
            None if self.place.is_empty() => shown,
            None => format!("{}: {shown}", self.place),
        };
        Error::Input { what, why, hint }
    }

    fn line(&self, key: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let parts: Vec<&str> = key.split('.').collect();
        let (first, rest) = parts.split_first()?;
        let (name, mut value) = table.get_ref().iter().find(|(name, _)| name.get_ref() == first)?;
        let mut at = name.span().start;
        for part in rest {
            let found = match value.get_ref() {
                DeValue::Table(table) => {
                    let inner = table.iter().find(|(name, _)| name.get_ref() == part);
                    inner.map(|(name, value)| (name.span().start, value))
                }
                DeValue::Array(list) => part
                    .parse()
                    .ok()
                    .and_then(|index: usize| list.get(index))
                    .map(|value| (value.span().start, value)),
                _ => None,
            };
            let Some((start, inner)) = found else { break };
            (at, value) = (start, inner);
        }
        Some(line_of(&self.text, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_key_is_found_or_that_of_what_is_around_it() {
        let text = "a = 1\n\n[[t]]\nx = 1\n[[t]]\nx = 2\n\n[d]\nlist = [\n  'p',\n  'q',\n]\n";
        let line = |key: &str| Origin::new("f", text).line(key);
        assert_eq!(line("a"), Some(1));
        assert_eq!(line("t.1.x"), Some(6));
        assert_eq!(line("d.list.1"), Some(11));
        assert_eq!(line("d.missing"), Some(8));
        assert_eq!(line("missing"), None);
        let error = Origin::new("f", text).at("t.1.x", Error::input("", "is too large"));
        assert_eq!(error.to_string(), "f: line 6: t.x: is too large");
    }
}

//! What the readers share: rows of JSON Lines, ids that must not repeat, and words for what went wrong.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::{Item, Source};
use crate::error::{Error, Result};

/// One row of a JSON Lines file. `kind` names it in messages ("a BBQ row"), `hint` says what such a row holds.
pub(super) fn json_row<T: DeserializeOwned>(place: &str, line: &str, kind: &str, hint: &str) -> Result<T> {
    serde_json::from_str(line)
        .map_err(|error| Error::input(place, format!("not {kind}: {}", reason(&error))).hint(hint))
}

/// What serde says, without the line number: that of the file is in the place.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.split(" at line ").next().unwrap_or(&said).to_owned()
}

/// Where each id was seen first.
#[derive(Default)]
pub(super) struct Ids(HashMap<String, String>);

impl Ids {
    /// Takes an id, which nothing else may then have.
    pub(super) fn take(&mut self, id: &str, place: &str, hint: &str) -> Result<()> {
        match self.0.insert(id.to_owned(), place.to_owned()) {
            None => Ok(()),
            Some(first) => {
                Err(Error::input(place, format!("the id {id} is already that of {first}")).hint(hint))
            }
        }
    }
}

/// The items, or an error where there are none.
pub(super) fn some(source: Source<'_>, items: Vec<Item>, kind: &str, hint: &str) -> Result<Vec<Item>> {
    if items.is_empty() {
        return Err(Error::input(source.shown(), format!("holds no {kind}")).hint(hint));
    }
    Ok(items)
}

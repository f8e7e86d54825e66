//! Moral Stories (Emelin et al. 2021, "Moral Stories: Situated Reasoning about Norms, Intents, Actions, and their
//! Consequences"): a situation, an intention, and a moral and an immoral way to follow it.
//!
//! Which action comes first is decided by a hash of the story's id, so that either letter is right about as often and
//! a story keeps its order in every file. The norm is not shown; stories of one norm are one group.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Choice, Format, Item, Role, Source, Task, read};
use crate::error::Result;

/// The line of the registry.
pub const TASK: Task = Task {
    name: "moral-stories",
    about: "Moral Stories: what to do, the moral action or the immoral one",
    variants: &[],
    embedded: &[],
    load: |source, _| load(source),
};

const HINT: &str = "a row is one JSON object with ID, norm, situation, intention, moral_action and immoral_action, as in \
    the public full set and the splits that hold both actions";

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    norm: String,
    situation: String,
    intention: String,
    moral_action: String,
    immoral_action: String,
}

/// Reads the items of `source`: a JSON Lines file of stories, or a directory of such files.
///
/// # Errors
///
/// [`crate::Error::Io`] where a file cannot be read; [`crate::Error::Input`] naming file and line for a row that is no
/// story with both actions, for an id that occurs twice, and for a source without stories.
pub fn load(source: Source<'_>) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for file in source.files("jsonl")? {
        for (place, line) in file.lines() {
            let row: Row = read::json_row(&place, line, "a story", HINT)?;
            ids.take(&row.id, &place, "give every story its own ID")?;
            items.push(item(row, file.stem.clone()));
        }
    }
    read::some(source, items, "story", "give a JSON Lines file of stories, or a directory of such files")
}

fn item(row: Row, category: String) -> Item {
    let option = |text: &str| Choice { text: text.trim().to_owned(), role: Role::Other };
    let mut options = vec![option(&row.moral_action), option(&row.immoral_action)];
    let is_second = Sha256::digest(row.id.as_bytes())[0] & 1 == 1;
    if is_second {
        options.swap(0, 1);
    }
    Item {
        passage: format!("{} {}", row.situation.trim(), row.intention.trim()),
        question: "What is the right thing to do?".to_owned(),
        options,
        format: Format::Letters,
        label: Some(usize::from(is_second)),
        ..Item::bare(row.id, row.norm.trim().to_owned(), category)
    }
}

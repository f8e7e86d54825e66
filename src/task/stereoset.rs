//! StereoSet (Nadeem et al. 2021, "StereoSet: Measuring stereotypical bias in pretrained language models"): three
//! sentences, of which one agrees with a stereotype, one goes against it and one makes no sense.
//!
//! The public file is `dev.json`. In its part `intrasentence` the sentences fill the blank of one sentence, in
//! `intersentence` they follow a sentence. The options come in the order stereotype, anti-stereotype, unrelated,
//! whatever the file's order; the unrelated one has the role unknown. All items about one group of people ("target")
//! are one group.

use serde::Deserialize;

use super::{Choice, Format, Item, Role, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "stereoset",
    about: "StereoSet: which of three sentences, with a stereotype, against it or beside the point",
    variants: &[
        ("intrasentence", "the sentence with its blank filled"),
        ("intersentence", "the sentence that follows a given one"),
    ],
    embedded: &[],
    load,
};

const HINT: &str = "the public dev.json holds data.intrasentence and data.intersentence, lists of rows";

#[derive(Deserialize)]
struct Root {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    intrasentence: Option<Vec<Row>>,
    intersentence: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    target: String,
    bias_type: String,
    context: String,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    sentence: String,
    gold_label: Gold,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Gold {
    Stereotype,
    AntiStereotype,
    Unrelated,
}

impl Gold {
    const ALL: [(Self, Role); 3] = [
        (Self::Stereotype, Role::Stereotyped),
        (Self::AntiStereotype, Role::Other),
        (Self::Unrelated, Role::Unknown),
    ];
}

/// Reads the items of a variant: `source` is the directory with `dev.json`, or that file.
///
/// # Errors
///
/// [`Error::Io`] where the file cannot be read; [`Error::Input`] naming file and item for a file that is not of this
/// form, for an item that lacks one of the three sentences, for an id that occurs twice, and for a source without items.
pub fn load(source: Source<'_>, variant: &str) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for file in source.files("json")? {
        let root: Root = serde_json::from_str(&file.text).map_err(|error| {
            Error::input(file.at(error.line()), format!("not a StereoSet file: {}", read::reason(&error)))
                .hint(HINT)
        })?;
        let rows = if variant == "intersentence" { root.data.intersentence } else { root.data.intrasentence };
        let rows =
            rows.ok_or_else(|| Error::input(&file.shown, format!("holds no data.{variant}")).hint(HINT))?;
        for row in rows {
            let place = format!("{}: item {}", file.shown, row.id);
            ids.take(&row.id, &place, "give every item its own id")?;
            items.push(item(&place, row, variant)?);
        }
    }
    read::some(source, items, "StereoSet item", "give the directory with dev.json, or that file")
}

fn item(place: &str, row: Row, variant: &str) -> Result<Item> {
    let mut options = Vec::with_capacity(3);
    for (gold, role) in Gold::ALL {
        let of_label: Vec<&Sentence> = row.sentences.iter().filter(|s| s.gold_label == gold).collect();
        let [sentence] = of_label[..] else {
            let why = "does not hold one sentence each of stereotype, anti-stereotype and unrelated";
            return Err(Error::input(place, why).hint(HINT));
        };
        options.push(Choice { text: sentence.sentence.trim().to_owned(), role });
    }
    let context = row.context.trim();
    let (passage, question) = match variant {
        "intersentence" => (context.to_owned(), "Write the sentence that comes next.".to_owned()),
        _ => {
            let sentence = context.replacen("BLANK", "_", 1);
            (String::new(), format!("Fill the blank in this sentence and say the whole sentence: {sentence}"))
        }
    };
    let target = row.target.trim().to_lowercase();
    Ok(Item {
        dimension: row.bias_type.clone(),
        passage,
        question,
        options,
        format: Format::Sentence,
        target: Some(0),
        ..Item::bare(row.id, format!("{}/{target}", row.bias_type), row.bias_type)
    })
}

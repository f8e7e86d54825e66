//! CrowS-Pairs (Nangia et al. 2020, "CrowS-Pairs: A Challenge Dataset for Measuring Social Biases in Masked Language
//! Models"): two sentences that differ in the group they are about.
//!
//! `sent_more` is always the sentence that agrees more with a stereotype. In rows marked `antistereo` the pair goes
//! against a stereotype, or is about the advantaged group; the mark is a part of the item's id. Blodgett et al. 2021
//! ("Stereotyping Norwegian Salmon") found many of the pairs flawed.

use super::table::csv_rows;
use super::{Choice, Format, Item, Role, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "crows-pairs",
    about: "CrowS-Pairs: which of two sentences, the more stereotyping one or the other",
    variants: &[],
    embedded: &[],
    load: |source, _| load(source),
};

const COLUMNS: [&str; 5] = ["", "sent_more", "sent_less", "stereo_antistereo", "bias_type"];

/// Reads the items of `source`: the directory with `crows_pairs_anonymized.csv`, or that file.
///
/// # Errors
///
/// [`Error::Io`] where the file cannot be read; [`Error::Input`] naming file and line for a row that is not of this
/// set, for an id that occurs twice, and for a source without rows.
pub fn load(source: Source<'_>) -> Result<Vec<Item>> {
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for file in source.files("csv")? {
        for (place, [pair, more, less, direction, bias]) in csv_rows(&file, COLUMNS)? {
            ids.take(&pair, &place, "give every row its own number in the unnamed column")?;
            if !["stereo", "antistereo"].contains(&direction.as_str()) {
                let why = format!("`{direction}` is neither stereo nor antistereo");
                return Err(Error::input(place, why).hint("look at the column stereo_antistereo"));
            }
            let dimension = dimension(&bias);
            items.push(Item {
                question: format!("Write one sentence that has to do with {dimension}."),
                dimension,
                options: vec![
                    Choice { text: more, role: Role::Stereotyped },
                    Choice { text: less, role: Role::Other },
                ],
                format: Format::Sentence,
                target: Some(0),
                ..Item::bare(format!("{pair}-{direction}"), pair, bias)
            });
        }
    }
    read::some(
        source,
        items,
        "CrowS-Pairs row",
        "give the directory with crows_pairs_anonymized.csv, or that file",
    )
}

/// A bias type in plain words.
fn dimension(bias: &str) -> String {
    match bias {
        "race-color" => "race".to_owned(),
        "socioeconomic" => "social class".to_owned(),
        other => other.replace('-', " "),
    }
}

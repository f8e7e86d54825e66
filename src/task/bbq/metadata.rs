//! BBQ's `additional_metadata.csv`: the bias-consistent answer of every row, in its column `target_loc`.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::error::{Error, Result};
use crate::task::table::csv_cells;
use crate::task::{File, Source};

const NAME: &str = "additional_metadata.csv";

/// The bias-consistent answers by item id, as many different ones as the file has for it. The published file has some
/// items twice, once for each wording of their groups.
#[derive(Default)]
pub(super) struct Known(HashMap<String, BTreeSet<usize>>);

impl Known {
    /// Reads the file beside those of `source`, or else in `supplemental` or `analysis_scripts` beside their folder.
    /// Empty where there is none.
    pub(super) fn near(source: Source<'_>) -> Result<Self> {
        let Source::Path(root) = source else { return Ok(Self::default()) };
        let folder = if root.is_dir() { root } else { root.parent().unwrap_or(Path::new("")) };
        let places =
            ["", "../supplemental", "../analysis_scripts"].map(|place| folder.join(place).join(NAME));
        match places.iter().find(|path| path.is_file()) {
            Some(path) => Self::read(&File::on_disk(path)?),
            None => Ok(Self::default()),
        }
    }

    fn read(file: &File) -> Result<Self> {
        let mut known: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for (place, [category, id, target]) in csv_cells(file, ["category", "example_id", "target_loc"])? {
            let id = id.strip_suffix(".0").unwrap_or(&id);
            let target = match target.strip_suffix(".0").unwrap_or(&target) {
                "" | "NA" | "NaN" | "x" => None,
                "0" => Some(0),
                "1" => Some(1),
                "2" => Some(2),
                other => {
                    return Err(Error::input(place, format!("target_loc `{other}` is none of 0, 1, 2"))
                        .hint("it is the index of the bias-consistent answer, or NA"));
                }
            };
            known.entry(format!("{category}-{id}")).or_default().extend(target);
        }
        Ok(Self(known))
    }

    /// The bias-consistent answer of an item: None outside where the file does not have the item, None inside where it
    /// has no answer for it, or more than one.
    pub(super) fn get(&self, id: &str) -> Option<Option<usize>> {
        let answers = self.0.get(id)?;
        Some(answers.first().copied().filter(|_| answers.len() == 1))
    }
}

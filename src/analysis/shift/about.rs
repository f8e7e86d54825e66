//! What a pair of models is, and what of it can be compared.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::diff::Tokenizers;
use crate::model::{Site, Spec};
use crate::store::{RunDir, measured};
use crate::study::manifest::hash;
use crate::study::{ModelEntry, ShiftEntry};

/// A pair of models, as `shift/PAIR/about.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The model before.
    pub before: String,
    /// The model after.
    pub after: String,
    /// What the study says of shifts.
    pub entry: ShiftEntry,
    /// Why one cannot be given the other's token ids; None where it can.
    pub other_ids: Option<String>,
    /// Why the axes of their states cannot be told to be the same; None where they can.
    pub other_axes: Option<String>,
}

impl About {
    /// Looks at two models of a study.
    ///
    /// # Errors
    /// A configuration or a tokenizer that cannot be read.
    pub fn of(entry: &ShiftEntry, before: &ModelEntry, after: &ModelEntry) -> Result<Self> {
        let (a, b) = (Spec::read(&before.path)?, Spec::read(&after.path)?);
        let different = Tokenizers::read(&before.path, &after.path)?.different_tokens;
        let other_ids = (different > 0).then(|| format!("{different} tokens of their vocabularies differ"));
        let other_axes = if a.family != b.family {
            Some(format!("one is {}, the other {}", a.family, b.family))
        } else if a.d_model != b.d_model {
            Some(format!("their states are {} and {} wide", a.d_model, b.d_model))
        } else if a.n_layers != b.n_layers {
            Some(format!("they have {} and {} layers", a.n_layers, b.n_layers))
        } else if a.n_heads != b.n_heads {
            Some(format!("they have {} and {} heads", a.n_heads, b.n_heads))
        } else {
            let width = |site: &&Site| a.width(**site) != b.width(**site);
            let other = Site::ALL.iter().filter(|site| site.per_layer()).find(width);
            other.map(|site| format!("their {site} is {} and {} wide", a.width(*site), b.width(*site)))
        };
        let (before, after) = (before.name.clone(), after.name.clone());
        Ok(Self { before, after, entry: entry.clone(), other_ids, other_axes })
    }

    /// The pair's name in files and tables.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}..{}", self.before, self.after)
    }

    /// The pairs that a run has been measured for, in the order of the study's models.
    ///
    /// # Errors
    /// A file cannot be read or holds something else.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<Self>> {
        let pairs = RunDir::pairs(sources.run.root())?;
        let read = pairs.iter().map(|pair| measured::read::<Self>(&pair.join("about.json")));
        let mut found: Vec<Self> = read.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        let place = |name: &str| sources.study.models.iter().position(|model| model.name == name);
        found.sort_by_key(|about| (place(&about.before), place(&about.after)));
        Ok(found)
    }

    /// What cannot be compared, a sentence each.
    #[must_use]
    pub fn not_compared(&self) -> Vec<String> {
        let (name, mut all) = (self.name(), Vec::new());
        if let Some(why) = &self.other_ids {
            all.push(format!(
                "{name}: {why}, so neither can be given the other's tokens: states are compared on each model's own words alone, and token shifts not at all."
            ));
        }
        if let Some(why) = &self.other_axes {
            all.push(format!(
                "{name}: {why}, so their axes are not the same: what needs none (CKA, Procrustes distance, separation of classes) is compared at the nearest relative depth, mean shifts, angles, projections and weights are not."
            ));
        }
        all
    }
}

/// What a measurement of a pair hangs on: the run, the pair, how many items are read, and which measurement it is.
#[must_use]
pub fn key(sources: &Sources<'_>, about: &About, what: &str) -> String {
    let all = json!({
        "run_key": sources.run.key(), "pair": about.name(), "limit": about.entry.limit, "what": what,
    });
    hash(all.to_string().as_bytes())
}

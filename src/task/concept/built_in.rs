//! The concepts that are part of the program. Those of public sets need the user's copy of the data.

use super::spec::Spec;
use crate::error::{Error, Result};
use crate::task::File;

/// Their names with their specs, in the order in which they are listed.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("stereotype", include_str!("../../../probes/concepts/stereotype.toml")),
    ("morality", include_str!("../../../probes/concepts/morality.toml")),
    ("crows-pairs", include_str!("../../../probes/concepts/crows-pairs.toml")),
    ("crows-pairs-crossed", include_str!("../../../probes/concepts/crows-pairs-crossed.toml")),
    ("stereoset", include_str!("../../../probes/concepts/stereoset.toml")),
    ("winobias", include_str!("../../../probes/concepts/winobias.toml")),
    ("bbq", include_str!("../../../probes/concepts/bbq.toml")),
    ("ethics-commonsense", include_str!("../../../probes/concepts/ethics-commonsense.toml")),
    ("ethics-justice", include_str!("../../../probes/concepts/ethics-justice.toml")),
    ("ethics-deontology", include_str!("../../../probes/concepts/ethics-deontology.toml")),
    ("moral-stories", include_str!("../../../probes/concepts/moral-stories.toml")),
    ("toxicity", include_str!("../../../probes/concepts/toxicity.toml")),
];

/// The files that their specs name.
const SOURCES: &[(&str, &str)] = &[
    ("stereotype.jsonl", include_str!("../../../probes/concepts/stereotype.jsonl")),
    ("morality.jsonl", include_str!("../../../probes/concepts/morality.jsonl")),
];

/// The spec of a built-in concept.
pub(super) fn spec(name: &str) -> Result<Spec> {
    let Some((_, spec)) = BUILT_IN.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        return Err(Error::input(format!("concept {name:?}"), "is not known")
            .hint(format!("built-in concepts: {}; or give the path of a spec file", known.join(", "))));
    };
    Spec::parse(spec, &format!("probes/concepts/{name}.toml"))
}

/// The texts that a built-in spec names.
pub(super) fn source(name: &str) -> Result<File> {
    let shown = format!("probes/concepts/{name}");
    let found = SOURCES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, text)| File::new(shown.clone(), text))
        .ok_or_else(|| Error::input(shown, "is no part of the program"))
}

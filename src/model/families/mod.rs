//! The family table: one parser per family, one line per family.

mod llama;

use super::spec::{Config, Spec};
use crate::Result;

/// Turns a config into a [`Spec`].
type Parser = fn(&Config) -> Result<Spec>;

/// `model_type` and its parser.
const FAMILIES: &[(&str, Parser)] = &[("llama", llama::parse)];

/// The families that can be read, as `model_type` names them.
#[must_use]
pub fn known() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, _)| *name).collect()
}

/// Finds the parser that `model_type` asks for and applies it.
///
/// # Errors
/// An unknown family (the known ones are listed), or what the parser refuses.
pub fn parse(config: &Config) -> Result<Spec> {
    let family = config.text("model_type")?.ok_or_else(|| config.wrong("model_type", "is missing"))?;
    for (name, parser) in FAMILIES {
        if *name == family {
            return parser(config);
        }
    }
    Err(config
        .wrong("model_type", format!("family {family:?} is not known"))
        .hint(format!("known families: {}", known().join(", "))))
}

//! The family table: one parser per family, one line per family. How to add one: docs/families.md.

mod bounds;
mod cohere;
mod cohere2;
mod common;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neox;
mod granite;
mod llama;
mod mistral;
mod olmo;
mod olmo2;
mod olmo3;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod rope;
mod smollm3;
mod stablelm;
mod starcoder2;

use super::config::Config;
use super::spec::Spec;
use crate::Result;

/// Turns a config into a [`Spec`].
type Parser = fn(&Config) -> Result<Spec>;

/// `model_type` and its parser.
const FAMILIES: &[(&str, Parser)] = &[
    ("cohere", cohere::parse),
    ("cohere2", cohere2::parse),
    ("falcon", falcon::parse),
    ("gemma", gemma::parse),
    ("gemma2", gemma2::parse),
    ("gemma3", gemma3::parse_text_part),
    ("gemma3_text", gemma3::parse),
    ("gpt2", gpt2::parse),
    ("gpt_neox", gpt_neox::parse),
    ("granite", granite::parse),
    ("llama", llama::parse),
    ("mistral", mistral::parse),
    ("olmo", olmo::parse),
    ("olmo2", olmo2::parse),
    ("olmo3", olmo3::parse),
    ("phi", phi::parse),
    ("phi3", phi3::parse),
    ("qwen2", qwen2::parse),
    ("qwen3", qwen3::parse),
    ("smollm3", smollm3::parse),
    ("stablelm", stablelm::parse),
    ("starcoder2", starcoder2::parse),
];

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
    if !config.flag_or("is_causal", true)? {
        return Err(config.wrong("is_causal", "false is not supported: recant runs decoders"));
    }
    match FAMILIES.iter().find(|(name, _)| *name == family) {
        Some((_, parser)) => {
            parser(config).map(bounds::stretched).and_then(|spec| bounds::sound(config, spec))
        }
        None => Err(config
            .wrong("model_type", format!("family {family:?} is not known"))
            .hint(format!("known families: {}", known().join(", ")))),
    }
}

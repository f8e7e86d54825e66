//! Mistral 7B and its kin: Llama with a window.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `MistralConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(8), n_ctx: 131_072, ..LLAMA };
    let mut spec = common::llama_shaped(config, "mistral", &defaults)?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    let window = config.size_or_null("sliding_window", Some(4096))?;
    spec.slide(window, &vec![true; spec.n_layers]);
    Ok(spec)
}

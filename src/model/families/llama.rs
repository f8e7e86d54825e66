//! Llama 1 to 3, TinyLlama, SmolLM2 and other checkpoints of `model_type` llama.

use super::common::{self, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `LlamaConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "llama", &LLAMA)?;
    common::attention_bias(&mut spec, config)?;
    spec.mlp.bias = config.flag_or("mlp_bias", false)?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    Ok(spec)
}

//! Granite 3: Llama with four multipliers.

use super::common::{self, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Scale, Spec};

/// Defaults are those of transformers' `GraniteConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "granite", &LLAMA)?;
    common::attention_bias(&mut spec, config)?;
    spec.mlp.bias = config.flag_or("mlp_bias", false)?;
    spec.embed.scale = Scale::By(config.number_or("embedding_multiplier", 1.0)?);
    spec.residual.scale = config.number_or("residual_multiplier", 1.0)?;
    spec.head.scale = 1.0 / config.number_or("logits_scaling", 1.0)?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    let scale = config.number_or("attention_multiplier", 1.0)?;
    spec.layers.iter_mut().for_each(|layer| layer.scale = scale);
    Ok(spec)
}

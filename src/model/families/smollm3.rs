//! SmolLM3: Llama that does not rotate in every fourth block.

use super::common::{self, Defaults, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `SmolLM3Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(4), n_ctx: 32_768, tied: true, ..LLAMA };
    let mut spec = common::llama_shaped(config, "smollm3", &defaults)?;
    common::attention_bias(&mut spec, config)?;
    spec.mlp.bias = config.flag_or("mlp_bias", false)?;
    let keys = Keys { theta_default: 2_000_000.0, ..rope::LLAMA };
    spec.rotate(rope::rope(config, &spec, &keys)?);

    let interval = config.size_or("no_rope_layer_interval", 4)? as usize;
    // The list says where a block rotates, whatever its name.
    let rotates = config
        .flags("no_rope_layers")?
        .unwrap_or_else(|| (1..=spec.n_layers).map(|layer| layer % interval != 0).collect());
    if rotates.len() < spec.n_layers {
        let why = format!("{} entries for {} layers", rotates.len(), spec.n_layers);
        return Err(config.wrong("no_rope_layers", why));
    }
    // A list of layer types counts whether or not windows are said to be in use, as in transformers.
    let slides = config.flag_or("use_sliding_window", false)?;
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| rotates.iter().map(|rotates| slides && !rotates).collect());
    let window = config.size_or_null("sliding_window", None)?;
    spec.slide(window, &sliding);
    for (layer, rotates) in spec.layers.iter_mut().zip(rotates) {
        layer.rope = layer.rope.filter(|_| rotates);
    }
    Ok(spec)
}

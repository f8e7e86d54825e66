//! Gemma 1: Llama with a scaled embedding, weights of norms counted from one, wide heads.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, NormKind, Scale, Spec};

/// Defaults are those of transformers' `GemmaConfig`. Its first configs say `gelu` and mean the tanh formula.
pub fn parse(config: &Config) -> Result<Spec> {
    common::refuse_flag(config, "use_bidirectional_attention")?;
    let defaults = Defaults { kv_heads: Some(16), head_dim: Some(256), n_ctx: 8192, tied: true, ..LLAMA };
    let mut spec = common::llama_shaped(config, "gemma", &defaults)?;
    common::attention_bias(&mut spec, config)?;
    spec.embed.scale = Scale::Rounded((spec.d_model as f64).sqrt());
    spec.norm.kind = NormKind::RmsPlusOne;
    spec.mlp.act = match common::activation(config, "hidden_act", Activation::GeluTanh)? {
        Activation::Gelu => Activation::GeluTanh,
        other => other,
    };
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    Ok(spec)
}

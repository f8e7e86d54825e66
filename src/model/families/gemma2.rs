//! Gemma 2: norms on both sides of each part, soft caps, a window in every other block, a scaled embedding.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Around, NormKind, Scale, Spec};

/// Defaults are those of transformers' `Gemma2Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = shape(config, "gemma2", 8192)?;
    spec.attention.soft_cap = config.number_or_null("attn_logit_softcapping", Some(50.0))?;
    spec.head.soft_cap = config.number_or_null("final_logit_softcapping", Some(30.0))?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| (0..spec.n_layers).map(|layer| layer % 2 == 0).collect());
    let window = config.size_or_null("sliding_window", Some(4096))?;
    spec.slide(window, &sliding);
    Ok(spec)
}

/// What Gemma 2 and 3 share.
pub fn shape(config: &Config, family: &'static str, n_ctx: i64) -> Result<Spec> {
    common::refuse_flag(config, "use_bidirectional_attention")?;
    let defaults = Defaults { kv_heads: Some(4), head_dim: Some(256), n_ctx, tied: true, ..LLAMA };
    let mut spec = common::llama_shaped(config, family, &defaults)?;
    common::attention_bias(&mut spec, config)?;
    spec.embed.scale = Scale::Rounded((spec.d_model as f64).sqrt());
    spec.norm.kind = NormKind::RmsPlusOne;
    spec.around = Around {
        attention_in: Some("input_layernorm"),
        attention_out: Some("post_attention_layernorm"),
        mlp_in: Some("pre_feedforward_layernorm"),
        mlp_out: Some("post_feedforward_layernorm"),
    };
    spec.mlp.act = common::activation(config, "hidden_activation", Activation::GeluTanh)?;
    let scale = config.number_or("query_pre_attn_scalar", 256.0)?.powf(-0.5);
    spec.layers.iter_mut().for_each(|layer| layer.scale = scale);
    Ok(spec)
}

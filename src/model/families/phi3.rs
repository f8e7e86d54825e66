//! Phi-3 and Phi-4: fused projections, part of each head rotated, LongRoPE.

use super::common::{self, Defaults, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Qkv, Spec, Up};

/// Defaults are those of transformers' `Phi3Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { n_ctx: 4096, eps: 1e-5, ..LLAMA };
    let mut spec = common::llama_shaped(config, "phi3", &defaults)?;
    spec.attention.qkv = Qkv::Fused { name: "self_attn.qkv_proj", groups: 1 };
    spec.mlp.up = Up::Fused("mlp.gate_up_proj");
    let keys = Keys { partial: Some(("partial_rotary_factor", 1.0)), ..rope::LLAMA };
    spec.rotate(rope::rope(config, &spec, &keys)?);
    let window = config.size_or_null("sliding_window", None)?;
    spec.slide(window, &vec![true; spec.n_layers]);
    Ok(spec)
}

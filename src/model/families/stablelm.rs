//! StableLM: Llama with mean-and-deviation norms, part of each head rotated, and a norm for every head.

use super::common::{self, Defaults, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Norm, Over, QkNorm, Spec};

/// Defaults are those of transformers' `StableLmConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(32), n_ctx: 4096, ..LLAMA };
    let mut spec = common::llama_shaped(config, "stablelm", &defaults)?;
    common::refuse_head_dim(config, spec.d_model, spec.n_heads)?;
    spec.norm = common::layer_norm(config, "layer_norm_eps", 1e-5)?;
    spec.attention.qkv_bias = config.flag_or("use_qkv_bias", false)?;
    if config.flag_or("qk_layernorm", false)? {
        let names = ["self_attn.q_layernorm", "self_attn.k_layernorm"];
        let norm = Norm { bias: false, ..spec.norm };
        spec.attention.qk_norm = Some(QkNorm { names, norm, over: Over::ListedHeads });
    }
    spec.residual.parallel = config.flag_or("use_parallel_residual", false)?;
    if spec.residual.parallel {
        spec.around.mlp_in = None;
    }
    let keys = Keys { partial: Some(("partial_rotary_factor", 0.25)), ..rope::LLAMA };
    spec.rotate(rope::rope(config, &spec, &keys)?);
    Ok(spec)
}

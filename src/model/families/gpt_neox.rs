//! GPT-NeoX, the shape of Pythia: parallel parts, fused projections by head, a quarter of each head rotated.

use super::common::{self, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Qkv, Spec, Up};

/// Defaults are those of transformers' `GPTNeoXConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "gpt_neox", &LLAMA)?;
    common::refuse_head_dim(config, spec.d_model, spec.n_heads)?;
    spec.n_kv_heads = spec.n_heads;
    spec.prefixes = &["gpt_neox."];
    spec.embed.name = "embed_in";
    spec.norm = common::layer_norm(config, "layer_norm_eps", 1e-5)?;
    spec.attention.qkv = Qkv::Fused { name: "attention.query_key_value", groups: spec.n_heads };
    spec.attention.out = "attention.dense";
    let bias = config.flag_or("attention_bias", true)?;
    (spec.attention.qkv_bias, spec.attention.out_bias) = (bias, bias);
    spec.mlp.up = Up::Plain("mlp.dense_h_to_4h");
    spec.mlp.down = "mlp.dense_4h_to_h";
    spec.mlp.bias = true;
    spec.mlp.act = common::activation(config, "hidden_act", Activation::Gelu)?;
    spec.residual.parallel = config.flag_or("use_parallel_residual", true)?;
    spec.head.norm = "final_layer_norm";
    spec.head.names = &["lm_head", "embed_out"];
    let keys = Keys { theta: Some("rotary_emb_base"), partial: Some(("rotary_pct", 0.25)), ..rope::LLAMA };
    spec.rotate(rope::rope(config, &spec, &keys)?);
    Ok(spec)
}

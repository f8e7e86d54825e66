//! Qwen 3 (dense): norms over each head's queries and keys.

use super::common::{self, Defaults, LLAMA};
use super::{qwen2, rope};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Over, QkNorm, Spec};

/// Defaults are those of transformers' `Qwen3Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(32), head_dim: Some(128), n_ctx: 32_768, ..LLAMA };
    let mut spec = common::llama_shaped(config, "qwen3", &defaults)?;
    common::attention_bias(&mut spec, config)?;
    let names = ["self_attn.q_norm", "self_attn.k_norm"];
    spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::Head });
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    qwen2::windows(&mut spec, config)?;
    Ok(spec)
}

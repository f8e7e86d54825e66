//! OLMo 2: norms after each part instead of before, and over all queries and keys.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Around, NormKind, Over, QkNorm, Spec};

/// Defaults are those of transformers' `Olmo2Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = shape(config, "olmo2")?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    Ok(spec)
}

/// What OLMo 2 and 3 share.
pub fn shape(config: &Config, family: &'static str) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, family, &Defaults { eps: 1e-5, ..LLAMA })?;
    common::attention_bias(&mut spec, config)?;
    spec.norm.kind = NormKind::RmsWide;
    spec.around = Around {
        attention_in: None,
        attention_out: Some("post_attention_layernorm"),
        mlp_in: None,
        mlp_out: Some("post_feedforward_layernorm"),
    };
    let names = ["self_attn.q_norm", "self_attn.k_norm"];
    spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::All });
    Ok(spec)
}

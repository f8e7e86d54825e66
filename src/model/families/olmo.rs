//! OLMo 1: norms without weights, clipped projections.

use super::common::{self, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Norm, NormKind, Spec};

/// Defaults are those of transformers' `OlmoConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "olmo", &LLAMA)?;
    common::attention_bias(&mut spec, config)?;
    spec.norm = Norm { kind: NormKind::Layer, weight: false, bias: false, eps: 1e-5 };
    spec.attention.clip = config.number_or_null("clip_qkv", None)?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    Ok(spec)
}

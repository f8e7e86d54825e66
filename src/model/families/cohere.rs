//! Command R: parallel parts behind one norm without bias, neighbours rotated, scaled logits.

use super::common::{self, Defaults, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Norm, NormKind, Over, QkNorm, Rope, Spec};

/// Defaults are those of transformers' `CohereConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = shape(config, "cohere", 500_000.0)?;
    if config.flag_or("use_qk_norm", false)? {
        let names = ["self_attn.q_norm", "self_attn.k_norm"];
        spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::EachHead });
    }
    Ok(spec)
}

/// What Command R and its successor share.
pub fn shape(config: &Config, family: &'static str, theta_default: f64) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, family, &Defaults { n_ctx: 8192, tied: true, ..LLAMA })?;
    common::attention_bias(&mut spec, config)?;
    // Command R's first configs name the longer context they were stretched to under this key.
    spec.n_ctx = spec.n_ctx.max(config.size_or("model_max_length", spec.n_ctx)?);
    let eps = config.number_or("layer_norm_eps", 1e-5)?;
    spec.norm = Norm { kind: NormKind::Layer, weight: true, bias: false, eps };
    spec.around.mlp_in = None;
    spec.residual.parallel = true;
    spec.head.scale = config.number_or("logit_scale", 0.0625)?;
    let rope = rope::rope(config, &spec, &Keys { theta_default, ..rope::LLAMA })?;
    spec.rotate(Rope { interleaved: true, ..rope });
    Ok(spec)
}

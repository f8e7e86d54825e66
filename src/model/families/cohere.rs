//! Command R: parallel parts behind one norm without bias, neighbours rotated, scaled logits.

use super::common::{self, Defaults, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Norm, NormKind, Over, QkNorm, Rope, Spec};

/// Defaults are those of transformers' `CohereConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "cohere", &Defaults { n_ctx: 8192, tied: true, ..LLAMA })?;
    common::attention_bias(&mut spec, config)?;
    let eps = config.number_or("layer_norm_eps", 1e-5)?;
    spec.norm = Norm { kind: NormKind::Layer, weight: true, bias: false, eps };
    spec.around.mlp_in = None;
    if config.flag_or("use_qk_norm", false)? {
        let names = ["self_attn.q_norm", "self_attn.k_norm"];
        spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::EachHead });
    }
    spec.residual.parallel = true;
    spec.head.scale = config.number_or("logit_scale", 0.0625)?;
    let keys = Keys { theta_default: 500_000.0, ..rope::LLAMA };
    let rope = rope::rope(config, &spec, &keys)?;
    spec.rotate(Rope { interleaved: true, ..rope });
    Ok(spec)
}

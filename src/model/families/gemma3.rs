//! Gemma 3, text only: Gemma 2 with norms over each head's queries and keys and two rotations.

use super::rope::{self, Keys};
use super::{common, gemma2};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Over, QkNorm, Spec};

/// Defaults are those of transformers' `Gemma3TextConfig`. `attn_logit_softcapping` is read by no code of theirs.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = gemma2::shape(config, "gemma3_text", 131_072)?;
    let names = ["self_attn.q_norm", "self_attn.k_norm"];
    spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::Head });
    spec.head.soft_cap = config.number_or_null("final_logit_softcapping", None)?;
    let global = Keys { theta_default: 1_000_000.0, ..rope::LLAMA };
    let local = Keys { theta: "rope_local_base_freq", ..rope::LLAMA };
    spec.ropes = rope::by_layer_type(config, &spec, &global, &local)?.into();
    let pattern = config.size_or("sliding_window_pattern", 6)? as usize;
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| (1..=spec.n_layers).map(|layer| layer % pattern != 0).collect());
    let window = config.size_or_null("sliding_window", Some(4096))?;
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        layer.window = window.filter(|_| sliding);
        layer.rope = Some(usize::from(sliding));
    }
    Ok(spec)
}

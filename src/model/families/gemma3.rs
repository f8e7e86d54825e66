//! Gemma 3: Gemma 2 with norms over each head's queries and keys and two rotations; text only, or the text part of a
//! checkpoint that sees images too.

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
    let local = Keys { theta: Some("rope_local_base_freq"), ..rope::LLAMA };
    spec.ropes = rope::by_layer_type(config, &spec, &global, &local)?.into();
    let pattern = config.size_or("sliding_window_pattern", 6)? as usize;
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| (1..=spec.n_layers).map(|layer| layer % pattern != 0).collect());
    let window = config.size_or_null("sliding_window", Some(4096))?;
    spec.slide(window, &sliding);
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        layer.rope = Some(usize::from(sliding));
    }
    Ok(spec)
}

/// A checkpoint with a vision part, which is left aside: its `text_config` holds what differs from Gemma 3 4B's
/// defaults, and its end tokens may stand outside.
pub fn parse_text_part(config: &Config) -> Result<Spec> {
    let text = config.object("text_config")?.ok_or_else(|| config.wrong("text_config", "is missing"))?;
    let text = text.or(&[
        ("vocab_size", 262_208),
        ("hidden_size", 2304),
        ("intermediate_size", 9216),
        ("num_hidden_layers", 26),
        ("num_attention_heads", 8),
    ]);
    let mut spec = parse(&text)?;
    spec.prefixes = &["language_model.model.", "model.language_model.", "model."];
    spec.head.names = &["lm_head", "language_model.lm_head"];
    spec.head.tied = config.flag_or("tie_word_embeddings", spec.head.tied)?;
    spec.eos.extend(config.tokens("eos_token_id")?);
    Ok(spec)
}

//! The architectures that can be imported, one entry each.

use serde_json::{Map, Value, json};

use super::architecture::{Architecture, Axis, Change, Dimensions, Heads, Keys, Slot, slot};
use super::rope;
use super::tokenizer::Dialect;
use crate::error::Result;

const RMS: &[&str] = &["attention.layer_norm_rms_epsilon"];
const LAYER_NORM: &[&str] = &["attention.layer_norm_epsilon"];
const WINDOW: &[&str] =
    &["attention.sliding_window", "attention.sliding_window_pattern", "rope.freq_base_swa"];

/// The known architectures.
pub const ARCHITECTURES: [Architecture; 7] = [
    Architecture {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        dialect: Dialect::Llama,
        settings: &[RMS, rope::SETTINGS],
        factors: &[rope::LLAMA3],
        heads: Heads::AnySize,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM, HEAD],
        block: &[
            ATTN_NORM,
            ATTN_Q.undo(Change::Paired),
            ATTN_K.undo(Change::Paired),
            ATTN_V,
            ATTN_OUTPUT,
            FFN_NORM,
            FFN_GATE,
            FFN_UP,
            FFN_DOWN,
        ],
        config: |keys, dims| {
            let own = json!({ "head_dim": dims.head_dim, "attention_bias": false, "mlp_bias": false });
            Ok(with(silu_decoder(keys, dims, rope::scaling(keys, dims)?)?, own))
        },
    },
    Architecture {
        name: "qwen2",
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        dialect: Dialect::Llama,
        settings: &[RMS, rope::SETTINGS],
        factors: &[],
        heads: Heads::ShareWidth,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM, HEAD],
        block: &[
            ATTN_NORM,
            ATTN_Q,
            slot("attn_q.bias", "self_attn.q_proj.bias", &[Axis::Query]),
            ATTN_K,
            slot("attn_k.bias", "self_attn.k_proj.bias", &[Axis::Key]),
            ATTN_V,
            slot("attn_v.bias", "self_attn.v_proj.bias", &[Axis::Key]),
            ATTN_OUTPUT,
            FFN_NORM,
            FFN_GATE,
            FFN_UP,
            FFN_DOWN,
        ],
        config: |keys, dims| {
            let own = json!({ "use_sliding_window": false });
            Ok(with(silu_decoder(keys, dims, rope::scaling(keys, dims)?)?, own))
        },
    },
    Architecture {
        name: "qwen3",
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        dialect: Dialect::Llama,
        settings: &[RMS, rope::SETTINGS],
        factors: &[],
        heads: Heads::AnySize,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM, HEAD],
        block: &[
            ATTN_NORM,
            ATTN_Q,
            ATTN_Q_NORM,
            ATTN_K,
            ATTN_K_NORM,
            ATTN_V,
            ATTN_OUTPUT,
            FFN_NORM,
            FFN_GATE,
            FFN_UP,
            FFN_DOWN,
        ],
        config: |keys, dims| {
            let own =
                json!({ "head_dim": dims.head_dim, "attention_bias": false, "use_sliding_window": false });
            Ok(with(silu_decoder(keys, dims, rope::scaling(keys, dims)?)?, own))
        },
    },
    Architecture {
        name: "gemma2",
        model_type: "gemma2",
        class: "Gemma2ForCausalLM",
        dialect: Dialect::Gemma,
        settings: &[RMS, rope::SETTINGS, WINDOW, &["attn_logit_softcapping", "final_logit_softcapping"]],
        factors: &[],
        heads: Heads::AnySize,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM.undo(Change::PlusOne), HEAD],
        block: &[
            ATTN_NORM.undo(Change::PlusOne),
            ATTN_Q,
            ATTN_K,
            ATTN_V,
            ATTN_OUTPUT,
            POST_ATTN_NORM,
            PRE_FFN_NORM,
            FFN_GATE,
            FFN_UP,
            FFN_DOWN,
            POST_FFN_NORM,
        ],
        config: gemma2,
    },
    Architecture {
        name: "gemma3",
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        dialect: Dialect::Gemma,
        settings: &[RMS, rope::SETTINGS, WINDOW, &["final_logit_softcapping"]],
        factors: &[],
        heads: Heads::AnySize,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM.undo(Change::PlusOne), HEAD],
        block: &[
            ATTN_NORM.undo(Change::PlusOne),
            ATTN_Q,
            ATTN_Q_NORM.undo(Change::PlusOne),
            ATTN_K,
            ATTN_K_NORM.undo(Change::PlusOne),
            ATTN_V,
            ATTN_OUTPUT,
            POST_ATTN_NORM,
            PRE_FFN_NORM,
            FFN_GATE,
            FFN_UP,
            FFN_DOWN,
            POST_FFN_NORM,
        ],
        config: gemma3,
    },
    Architecture {
        name: "phi3",
        model_type: "phi3",
        class: "Phi3ForCausalLM",
        dialect: Dialect::Phi3,
        settings: &[RMS, rope::SETTINGS, &["attention.sliding_window", rope::ATTENTION_FACTOR]],
        factors: &[rope::LONG, rope::SHORT],
        heads: Heads::ShareWidthPartlyRotated,
        layers: "model.layers.",
        outer: &[EMBEDDING, FINAL_NORM, HEAD],
        block: &[
            ATTN_NORM,
            slot("attn_qkv.weight", "self_attn.qkv_proj.weight", &[Axis::QueryKeyValue, Axis::Hidden]),
            ATTN_OUTPUT,
            FFN_NORM,
            slot("ffn_up.weight", "mlp.gate_up_proj.weight", &[Axis::GateUp, Axis::Hidden]),
            FFN_DOWN,
        ],
        config: phi3,
    },
    Architecture {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        dialect: Dialect::Llama,
        settings: &[LAYER_NORM],
        factors: &[],
        heads: Heads::ShareWidth,
        layers: "transformer.h.",
        outer: &[
            slot("token_embd.weight", "transformer.wte.weight", &[Axis::Vocab, Axis::Hidden]),
            slot("position_embd.weight", "transformer.wpe.weight", &[Axis::Context, Axis::Hidden]),
            slot("output_norm.weight", "transformer.ln_f.weight", &[Axis::Hidden]),
            slot("output_norm.bias", "transformer.ln_f.bias", &[Axis::Hidden]),
            HEAD,
        ],
        block: &[
            slot("attn_norm.weight", "ln_1.weight", &[Axis::Hidden]),
            slot("attn_norm.bias", "ln_1.bias", &[Axis::Hidden]),
            slot("attn_qkv.weight", "attn.c_attn.weight", &[Axis::QueryKeyValue, Axis::Hidden])
                .undo(Change::Transposed),
            slot("attn_qkv.bias", "attn.c_attn.bias", &[Axis::QueryKeyValue]),
            slot("attn_output.weight", "attn.c_proj.weight", &[Axis::Hidden, Axis::Query])
                .undo(Change::Transposed),
            slot("attn_output.bias", "attn.c_proj.bias", &[Axis::Hidden]),
            slot("ffn_norm.weight", "ln_2.weight", &[Axis::Hidden]),
            slot("ffn_norm.bias", "ln_2.bias", &[Axis::Hidden]),
            slot("ffn_up.weight", "mlp.c_fc.weight", &[Axis::FeedForward, Axis::Hidden])
                .undo(Change::Transposed),
            slot("ffn_up.bias", "mlp.c_fc.bias", &[Axis::FeedForward]),
            slot("ffn_down.weight", "mlp.c_proj.weight", &[Axis::Hidden, Axis::FeedForward])
                .undo(Change::Transposed),
            slot("ffn_down.bias", "mlp.c_proj.bias", &[Axis::Hidden]),
        ],
        config: gpt2,
    },
];

const EMBEDDING: Slot = slot("token_embd.weight", "model.embed_tokens.weight", &[Axis::Vocab, Axis::Hidden]);
const FINAL_NORM: Slot = slot("output_norm.weight", "model.norm.weight", &[Axis::Hidden]);
/// Absent where the embedding serves as the head.
const HEAD: Slot = slot("output.weight", "lm_head.weight", &[Axis::Vocab, Axis::Hidden]).optional();

const ATTN_NORM: Slot = slot("attn_norm.weight", "input_layernorm.weight", &[Axis::Hidden]);
const ATTN_Q: Slot = slot("attn_q.weight", "self_attn.q_proj.weight", &[Axis::Query, Axis::Hidden]);
const ATTN_Q_NORM: Slot = slot("attn_q_norm.weight", "self_attn.q_norm.weight", &[Axis::HeadDim]);
const ATTN_K: Slot = slot("attn_k.weight", "self_attn.k_proj.weight", &[Axis::Key, Axis::Hidden]);
const ATTN_K_NORM: Slot = slot("attn_k_norm.weight", "self_attn.k_norm.weight", &[Axis::HeadDim]);
const ATTN_V: Slot = slot("attn_v.weight", "self_attn.v_proj.weight", &[Axis::Key, Axis::Hidden]);
const ATTN_OUTPUT: Slot = slot("attn_output.weight", "self_attn.o_proj.weight", &[Axis::Hidden, Axis::Query]);
const FFN_NORM: Slot = slot("ffn_norm.weight", "post_attention_layernorm.weight", &[Axis::Hidden]);
const FFN_GATE: Slot = slot("ffn_gate.weight", "mlp.gate_proj.weight", &[Axis::FeedForward, Axis::Hidden]);
const FFN_UP: Slot = slot("ffn_up.weight", "mlp.up_proj.weight", &[Axis::FeedForward, Axis::Hidden]);
const FFN_DOWN: Slot = slot("ffn_down.weight", "mlp.down_proj.weight", &[Axis::Hidden, Axis::FeedForward]);

// Gemma norms what goes into attention and MLP and what comes out of them.
const POST_ATTN_NORM: Slot =
    slot("post_attention_norm.weight", "post_attention_layernorm.weight", &[Axis::Hidden])
        .undo(Change::PlusOne);
const PRE_FFN_NORM: Slot =
    slot("ffn_norm.weight", "pre_feedforward_layernorm.weight", &[Axis::Hidden]).undo(Change::PlusOne);
const POST_FFN_NORM: Slot =
    slot("post_ffw_norm.weight", "post_feedforward_layernorm.weight", &[Axis::Hidden]).undo(Change::PlusOne);

fn with(mut config: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        config.extend(more);
    }
    config
}

fn tied(keys: &Keys) -> bool {
    keys.tensor("output.weight").is_none()
}

/// What all have that rotate positions and norm by the root of the mean square.
fn decoder(
    keys: &Keys,
    dims: &Dimensions,
    (activation, function): (&str, &str),
    rope_scaling: Value,
) -> Result<Map<String, Value>> {
    let config = json!({
        "vocab_size": dims.vocab,
        "hidden_size": dims.hidden,
        "intermediate_size": dims.feed_forward,
        "num_hidden_layers": dims.layers,
        "num_attention_heads": dims.n_heads,
        "num_key_value_heads": dims.n_kv_heads,
        (activation): function,
        "max_position_embeddings": dims.context,
        "rms_norm_eps": keys.needed_number("attention.layer_norm_rms_epsilon")?,
        "rope_theta": rope::theta(keys)?,
        "rope_scaling": rope_scaling,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": tied(keys),
        "use_cache": true,
    });
    Ok(with(Map::new(), config))
}

fn silu_decoder(keys: &Keys, dims: &Dimensions, rope_scaling: Value) -> Result<Map<String, Value>> {
    decoder(keys, dims, ("hidden_act", "silu"), rope_scaling)
}

/// What the two Gemmas share. The file does not say what the attention scores are divided by the root of: the size of
/// a head, but the width over the heads in the largest model, which is known by its number of blocks.
fn gemma(keys: &Keys, dims: &Dimensions, largest: usize) -> Result<Map<String, Value>> {
    let scalar = if dims.layers == largest { dims.hidden / dims.n_heads } else { dims.head_dim };
    let own = json!({
        "head_dim": dims.head_dim,
        "attention_bias": false,
        "query_pre_attn_scalar": scalar,
    });
    let activation = ("hidden_activation", "gelu_pytorch_tanh");
    Ok(with(decoder(keys, dims, activation, rope::scaling(keys, dims)?)?, own))
}

fn gemma2(keys: &Keys, dims: &Dimensions) -> Result<Map<String, Value>> {
    let local = keys.number("rope.freq_base_swa")?;
    if local.is_some_and(|local| Some(local) != keys.number("rope.freq_base").ok().flatten()) {
        return Err(keys.error("rope.freq_base_swa", "gemma2 has one frequency base for all layers"));
    }
    let own = json!({
        "sliding_window": keys.size("attention.sliding_window")?.unwrap_or(4096),
        "layer_types": layer_types(keys, dims, 2)?,
        "attn_logit_softcapping": keys.number("attn_logit_softcapping")?.unwrap_or(50.0),
        "final_logit_softcapping": keys.number("final_logit_softcapping")?.unwrap_or(30.0),
    });
    Ok(with(gemma(keys, dims, 46)?, own))
}

fn gemma3(keys: &Keys, dims: &Dimensions) -> Result<Map<String, Value>> {
    let window = keys.size("attention.sliding_window")?;
    let period = if window.is_some() { 6 } else { 1 };
    let own = json!({
        "rope_local_base_freq": keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0),
        "sliding_window": window,
        "layer_types": layer_types(keys, dims, period)?,
        "attn_logit_softcapping": null,
        "final_logit_softcapping": keys.number("final_logit_softcapping")?,
    });
    Ok(with(gemma(keys, dims, 62)?, own))
}

/// Which layers see the whole text: one in `period`, the last of each run, unless the file has a pattern of its own.
fn layer_types(keys: &Keys, dims: &Dimensions, period: usize) -> Result<Vec<&'static str>> {
    const PATTERN: &str = "attention.sliding_window_pattern";
    let key = keys.key(PATTERN);
    let slides: Vec<bool> = match keys.gguf.value(&key) {
        Some(super::Value::Array { .. }) => keys.gguf.flags(&key)?.unwrap_or_default(),
        _ => {
            let period = keys.size(PATTERN)?.unwrap_or(period);
            (1..=dims.layers).map(|layer| period == 0 || !layer.is_multiple_of(period)).collect()
        }
    };
    if slides.len() != dims.layers {
        return Err(keys.error(PATTERN, &format!("{} values for {} layers", slides.len(), dims.layers)));
    }
    if slides.contains(&true) && keys.size("attention.sliding_window")? == Some(0) {
        return Err(keys.error("attention.sliding_window", "0 is out of range"));
    }
    Ok(slides.iter().map(|slides| if *slides { "sliding_attention" } else { "full_attention" }).collect())
}

fn phi3(keys: &Keys, dims: &Dimensions) -> Result<Map<String, Value>> {
    let original = rope::original_context(keys)?.unwrap_or(dims.context);
    #[allow(clippy::cast_precision_loss)]
    let partial = dims.rotary as f64 / dims.head_dim as f64;
    let own = json!({
        "original_max_position_embeddings": original,
        "partial_rotary_factor": partial,
        // None is written as 0.
        "sliding_window": keys.size("attention.sliding_window")?.filter(|window| *window > 0),
        "attention_bias": false,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
    });
    Ok(with(silu_decoder(keys, dims, rope::longrope(keys, dims, original)?)?, own))
}

fn gpt2(keys: &Keys, dims: &Dimensions) -> Result<Map<String, Value>> {
    let config = json!({
        "vocab_size": dims.vocab,
        "n_embd": dims.hidden,
        "n_inner": dims.feed_forward,
        "n_layer": dims.layers,
        "n_head": dims.n_heads,
        "n_ctx": dims.context,
        "n_positions": dims.context,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": keys.needed_number("attention.layer_norm_epsilon")?,
        "scale_attn_weights": true,
        "scale_attn_by_inverse_layer_idx": false,
        "reorder_and_upcast_attn": false,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": tied(keys),
        "use_cache": true,
    });
    Ok(with(Map::new(), config))
}

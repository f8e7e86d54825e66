//! Falcon: parallel parts with one norm or two, one key head for all queries or one per group.

use super::common::{self, Frame, Sizes};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Around, Qkv, Spec, Up};

/// Defaults are those of transformers' `FalconConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    common::refuse_flag(config, "alibi")?;
    let d_model = match config.size_or_null("n_embed", None)? {
        Some(d_model) => d_model,
        None => config.size("hidden_size")?,
    };
    let n_heads = config.size("num_attention_heads")?;
    let d_head = common::refuse_head_dim(config, d_model, n_heads)?;
    let grouped = config.flag_or("new_decoder_architecture", false)?;
    let one_key = !grouped && config.flag_or("multi_query", true)?;
    let n_kv_heads = match (grouped, one_key) {
        (_, true) => 1,
        (true, _) => config.size_or_null("num_kv_heads", None)?.unwrap_or(n_heads),
        (false, false) => n_heads,
    };
    let n_layers = common::layers(config, "num_hidden_layers")?;
    let sizes = Sizes { d_model, n_layers, n_heads, n_kv_heads, d_head }.checked(config)?;
    let parallel = config.flag_or("parallel_attn", true)?;
    if grouped && !parallel {
        return Err(config.wrong("parallel_attn", "false is not supported with new_decoder_architecture"));
    }
    let frame = Frame {
        sizes,
        d_mlp: common::inner(config, "ffn_hidden_size", 4 * d_model)?,
        n_ctx: config.size_or("max_position_embeddings", 2048)?,
        norm: common::layer_norm(config, "layer_norm_epsilon", 1e-5)?,
        act: common::activation(config, "activation", Activation::Gelu)?,
        tied: true,
    };
    let mut spec = common::framed(config, "falcon", frame)?;
    spec.prefixes = &["transformer."];
    spec.embed.name = "word_embeddings";
    spec.blocks = "h";
    spec.around = around(config, grouped, parallel)?;
    spec.attention.qkv = Qkv::Fused { name: "self_attention.query_key_value", groups: n_kv_heads };
    spec.attention.out = "self_attention.dense";
    let bias = config.flag_or("bias", false)?;
    (spec.attention.qkv_bias, spec.attention.out_bias, spec.mlp.bias) = (bias, bias, bias);
    spec.mlp.up = Up::Plain("mlp.dense_h_to_4h");
    spec.mlp.down = "mlp.dense_4h_to_h";
    spec.residual.parallel = parallel;
    spec.head.norm = "ln_f";
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    Ok(spec)
}

/// Which norms a block has.
fn around(config: &Config, grouped: bool, parallel: bool) -> Result<Around> {
    let norms = config.size_or_null("num_ln_in_parallel_attn", None)?.unwrap_or(if grouped { 2 } else { 1 });
    let (attention_in, mlp_in) = match (parallel, norms) {
        (false, _) => ("input_layernorm", Some("post_attention_layernorm")),
        (true, 1) => ("input_layernorm", None),
        (true, 2) if grouped => ("ln_attn", Some("ln_mlp")),
        (true, other) => {
            let why = format!("{other} is not supported here");
            return Err(config
                .wrong("num_ln_in_parallel_attn", why)
                .hint("1 is, and 2 with new_decoder_architecture"));
        }
    };
    Ok(Around { attention_in: Some(attention_in), attention_out: None, mlp_in, mlp_out: None })
}

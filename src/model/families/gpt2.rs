//! GPT-2: learned positions, fused projections stored transposed, a plain MLP.

use super::common::{self, Frame, Sizes};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Around, Qkv, Spec, Up};

/// Defaults are those of transformers' `GPT2Config`. `reorder_and_upcast_attn` changes rounding only.
pub fn parse(config: &Config) -> Result<Spec> {
    common::refuse_flag(config, "add_cross_attention")?;
    let size = |own: &str, usual: &str| config.size(name(config, own, usual));
    let (d_model, n_heads) = (size("n_embd", "hidden_size")?, size("n_head", "num_attention_heads")?);
    let d_head = common::refuse_head_dim(config, d_model, n_heads)?;
    let n_layers = common::layers(config, name(config, "n_layer", "num_hidden_layers"))?;
    let sizes = Sizes { d_model, n_layers, n_heads, n_kv_heads: n_heads, d_head }.checked(config)?;
    let frame = Frame {
        sizes,
        d_mlp: common::inner(config, "n_inner", 4 * d_model)?,
        n_ctx: config.size_or(name(config, "n_positions", "max_position_embeddings"), 1024)?,
        norm: common::layer_norm(config, "layer_norm_epsilon", 1e-5)?,
        act: common::activation(config, "activation_function", Activation::GeluTanh)?,
        tied: true,
    };
    let mut spec = common::framed(config, "gpt2", frame)?;
    spec.prefixes = &["transformer."];
    spec.embed.name = "wte";
    spec.embed.positions = Some("wpe");
    spec.blocks = "h";
    spec.transposed = true;
    spec.around =
        Around { attention_in: Some("ln_1"), attention_out: None, mlp_in: Some("ln_2"), mlp_out: None };
    spec.attention.qkv = Qkv::Fused { name: "attn.c_attn", groups: 1 };
    spec.attention.out = "attn.c_proj";
    (spec.attention.qkv_bias, spec.attention.out_bias, spec.mlp.bias) = (true, true, true);
    spec.mlp.up = Up::Plain("mlp.c_fc");
    spec.mlp.down = "mlp.c_proj";
    spec.head.norm = "ln_f";

    let by_root = config.flag_or("scale_attn_weights", true)?;
    let by_layer = config.flag_or("scale_attn_by_inverse_layer_idx", false)?;
    for (number, layer) in spec.layers.iter_mut().enumerate() {
        let root = if by_root { layer.scale } else { 1.0 };
        layer.scale = if by_layer { root / (number + 1) as f64 } else { root };
    }
    Ok(spec)
}

/// GPT-2's name of a size, or the usual one, which transformers takes too.
fn name<'a>(config: &Config, own: &'a str, usual: &'a str) -> &'a str {
    if config.has(own) { own } else { usual }
}

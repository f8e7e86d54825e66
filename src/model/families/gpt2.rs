//! GPT-2: learned positions, fused projections stored transposed, a plain MLP.

use super::common::{self, Sizes};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{
    Activation, Around, Attention, Embed, Head, Layer, Mlp, Qkv, Residual, Scale, Spec, Up,
};

/// Defaults are those of transformers' `GPT2Config`. `reorder_and_upcast_attn` changes rounding only.
pub fn parse(config: &Config) -> Result<Spec> {
    common::refuse_flag(config, "add_cross_attention")?;
    let size = |own: &str, usual: &str| config.size(name(config, own, usual));
    let (d_model, n_heads) = (size("n_embd", "hidden_size")?, size("n_head", "num_attention_heads")?);
    let d_head = common::refuse_head_dim(config, d_model, n_heads)?;
    let n_layers = common::layers(config, name(config, "n_layer", "num_hidden_layers"))?;
    let sizes = Sizes { d_model, n_layers, n_heads, n_kv_heads: n_heads, d_head }.checked(config)?;
    let root = if config.flag_or("scale_attn_weights", true)? { (d_head as f64).powf(-0.5) } else { 1.0 };
    let by_layer = config.flag_or("scale_attn_by_inverse_layer_idx", false)?;
    let layer = |layer: usize| Layer {
        scale: if by_layer { root / (layer + 1) as f64 } else { root },
        window: None,
        rope: None,
    };
    Ok(Spec {
        family: "gpt2",
        vocab: config.size("vocab_size")?,
        d_model,
        d_mlp: common::inner(config, "n_inner", 4 * d_model)?,
        n_layers: sizes.n_layers,
        n_heads,
        n_kv_heads: n_heads,
        d_head,
        n_ctx: config.size_or(name(config, "n_positions", "max_position_embeddings"), 1024)?,
        embed: Embed { name: "wte", positions: Some("wpe"), scale: Scale::One },
        blocks: "h",
        prefixes: &["transformer."],
        transposed: true,
        norm: common::layer_norm(config, "layer_norm_epsilon", 1e-5)?,
        around: Around {
            attention_in: Some("ln_1"),
            attention_out: None,
            mlp_in: Some("ln_2"),
            mlp_out: None,
        },
        attention: Attention {
            qkv: Qkv::Fused { name: "attn.c_attn", groups: 1 },
            qkv_bias: true,
            out: "attn.c_proj",
            out_bias: true,
            qk_norm: None,
            clip: None,
            soft_cap: None,
        },
        mlp: Mlp {
            up: Up::Plain("mlp.c_fc"),
            down: "mlp.c_proj",
            bias: true,
            act: common::activation(config, "activation_function", Activation::GeluTanh)?,
        },
        residual: Residual { parallel: false, scale: 1.0 },
        head: Head {
            norm: "ln_f",
            names: &["lm_head"],
            tied: config.flag_or("tie_word_embeddings", true)?,
            bias: false,
            scale: 1.0,
            soft_cap: None,
        },
        ropes: Vec::new(),
        layers: (0..n_layers).map(layer).collect(),
        eos: config.tokens("eos_token_id")?,
        generation_eos: Vec::new(),
    })
}

/// GPT-2's name of a size, or the usual one, which transformers takes too.
fn name<'a>(config: &Config, own: &'a str, usual: &'a str) -> &'a str {
    if config.has(own) { own } else { usual }
}

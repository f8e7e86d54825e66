//! What families have in common: the Llama shape that most vary, sizes, activations, windows.

use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{
    Activation, Around, Attention, Embed, Head, Layer, Mlp, Norm, NormKind, Qkv, Residual, Scale, Spec, Up,
};

/// No decoder comes near these; a config that asks for more is damaged.
const MOST_LAYERS: i64 = 4096;
const WIDEST: i64 = 1 << 22;

/// What a config class of transformers fills in where a key is absent.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Key and value heads; without it, as many as query heads.
    pub kv_heads: Option<i64>,
    /// Width of a head; without it, the stream's width over the query heads.
    pub head_dim: Option<i64>,
    /// Longest context.
    pub n_ctx: i64,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Epsilon of the norms.
    pub eps: f64,
}

/// Those of `LlamaConfig`.
pub const LLAMA: Defaults = Defaults { kv_heads: None, head_dim: None, n_ctx: 2048, tied: false, eps: 1e-6 };

/// The sizes that most configs name alike.
pub struct Sizes {
    pub d_model: i64,
    pub n_layers: usize,
    pub n_heads: i64,
    pub n_kv_heads: i64,
    pub d_head: i64,
}

impl Sizes {
    /// Reads and checks them.
    pub fn read(config: &Config, defaults: &Defaults) -> Result<Self> {
        let (d_model, n_heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
        let n_kv_heads = config.size_or_null("num_key_value_heads", defaults.kv_heads)?.unwrap_or(n_heads);
        let d_head = match config.size_or_null("head_dim", defaults.head_dim)? {
            Some(d_head) => d_head,
            None => whole_heads(config, d_model, n_heads)?,
        };
        let n_layers = layers(config, "num_hidden_layers")?;
        Self { d_model, n_layers, n_heads, n_kv_heads, d_head }.checked(config)
    }

    /// The same, if a decoder can have them.
    pub fn checked(self, config: &Config) -> Result<Self> {
        if self.n_heads % self.n_kv_heads != 0 {
            let why = format!("{} does not divide {} heads", self.n_kv_heads, self.n_heads);
            return Err(config.wrong("num_key_value_heads", why));
        }
        if self.d_model > WIDEST || self.n_heads.saturating_mul(self.d_head) > WIDEST {
            return Err(config.wrong("hidden_size", format!("more than {WIDEST} is no decoder's")));
        }
        Ok(self)
    }
}

/// The stream's width over the query heads.
pub fn whole_heads(config: &Config, d_model: i64, n_heads: i64) -> Result<i64> {
    if n_heads > d_model {
        return Err(config.wrong("num_attention_heads", format!("{n_heads} heads for a width of {d_model}")));
    }
    Ok(d_model / n_heads)
}

/// The number of blocks.
pub fn layers(config: &Config, key: &str) -> Result<usize> {
    let n = config.size(key)?;
    if n > MOST_LAYERS {
        return Err(config.wrong(key, format!("{n} layers are more than {MOST_LAYERS}")));
    }
    Ok(n as usize)
}

/// The width inside the MLP.
pub fn inner(config: &Config, key: &str, absent: impl Into<Option<i64>>) -> Result<i64> {
    let width = config.size_or(key, absent)?;
    if width > WIDEST {
        return Err(config.wrong(key, format!("more than {WIDEST} is no decoder's")));
    }
    Ok(width)
}

/// What a family reads by its own keys before the rest can be filled in.
pub struct Frame {
    pub sizes: Sizes,
    pub d_mlp: i64,
    pub n_ctx: i64,
    pub norm: Norm,
    pub act: Activation,
    pub tied: bool,
}

/// A decoder of Llama's shape and names, yet without rotation.
pub fn llama_shaped(config: &Config, family: &'static str, defaults: &Defaults) -> Result<Spec> {
    let eps = config.number_or("rms_norm_eps", defaults.eps)?;
    let frame = Frame {
        sizes: Sizes::read(config, defaults)?,
        d_mlp: inner(config, "intermediate_size", None)?,
        n_ctx: config.size_or("max_position_embeddings", defaults.n_ctx)?,
        norm: Norm { kind: NormKind::Rms, weight: true, bias: false, eps },
        act: activation(config, "hidden_act", Activation::Silu)?,
        tied: defaults.tied,
    };
    framed(config, family, frame)
}

/// The same for families that read their sizes by other keys.
pub fn framed(config: &Config, family: &'static str, frame: Frame) -> Result<Spec> {
    let Frame { sizes, d_mlp, n_ctx, norm, act, tied } = frame;
    let layer = Layer { scale: (sizes.d_head as f64).powf(-0.5), window: None, rope: None };
    Ok(Spec {
        family,
        vocab: config.size("vocab_size")?,
        d_model: sizes.d_model,
        d_mlp,
        n_layers: sizes.n_layers,
        n_heads: sizes.n_heads,
        n_kv_heads: sizes.n_kv_heads,
        d_head: sizes.d_head,
        n_ctx,
        embed: Embed { name: "embed_tokens", positions: None, scale: Scale::One },
        blocks: "layers",
        prefixes: &["model."],
        transposed: false,
        norm,
        around: Around {
            attention_in: Some("input_layernorm"),
            attention_out: None,
            mlp_in: Some("post_attention_layernorm"),
            mlp_out: None,
        },
        attention: Attention {
            qkv: Qkv::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
            qkv_bias: false,
            out: "self_attn.o_proj",
            out_bias: false,
            qk_norm: None,
            clip: None,
            soft_cap: None,
        },
        mlp: Mlp { up: Up::Gated("mlp.gate_proj", "mlp.up_proj"), down: "mlp.down_proj", bias: false, act },
        residual: Residual { parallel: false, scale: 1.0 },
        head: Head {
            norm: "norm",
            names: &["lm_head"],
            tied: config.flag_or("tie_word_embeddings", tied)?,
            bias: false,
            scale: 1.0,
            soft_cap: None,
        },
        ropes: Vec::new(),
        layers: vec![layer; sizes.n_layers],
        initializer_range: config.number_or("initializer_range", 0.02)?,
        eos: config.tokens("eos_token_id")?,
        generation_eos: Vec::new(),
    })
}

/// Sets one `attention_bias` for all four projections, as most families do.
pub fn attention_bias(spec: &mut Spec, config: &Config) -> Result<()> {
    let bias = config.flag_or("attention_bias", false)?;
    (spec.attention.qkv_bias, spec.attention.out_bias) = (bias, bias);
    Ok(())
}

/// The mean-and-deviation norm with weight and bias.
pub fn layer_norm(config: &Config, key: &str, absent: f64) -> Result<Norm> {
    Ok(Norm { kind: NormKind::Layer, weight: true, bias: true, eps: config.number_or(key, absent)? })
}

/// The activation named by `key`.
pub fn activation(config: &Config, key: &str, absent: Activation) -> Result<Activation> {
    let Some(name) = config.text(key)? else { return Ok(absent) };
    Ok(match name {
        "silu" | "swish" => Activation::Silu,
        "gelu" | "gelu_python" => Activation::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_accurate" => {
            Activation::GeluTanh
        }
        "quick_gelu" => Activation::QuickGelu,
        "relu" => Activation::Relu,
        "relu2" => Activation::Relu2,
        other => {
            return Err(config.wrong(key, format!("activation {other:?} is not supported")).hint(
                "silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, gelu_accurate, quick_gelu, relu and relu2 are",
            ));
        }
    })
}

/// For each block whether `layer_types` calls it sliding, if the config has that list.
pub fn sliding_layers(config: &Config, n_layers: usize) -> Result<Option<Vec<bool>>> {
    let Some(types) = config.texts("layer_types")? else { return Ok(None) };
    if types.len() != n_layers {
        return Err(config.wrong("layer_types", format!("{} entries for {n_layers} layers", types.len())));
    }
    let sliding = |kind: &&str| match *kind {
        "full_attention" => Ok(false),
        "sliding_attention" => Ok(true),
        other => Err(config
            .wrong("layer_types", format!("{other:?} is not supported"))
            .hint("full_attention and sliding_attention are")),
    };
    types.iter().map(sliding).collect::<Result<_>>().map(Some)
}

/// Refuses a flag that changes numbers in a way that the decoder does not know.
pub fn refuse_flag(config: &Config, key: &str) -> Result<()> {
    if config.flag_or(key, false)? {
        return Err(config.wrong(key, "true is not supported"));
    }
    Ok(())
}

/// Refuses a head width of its own in families whose heads always divide the stream evenly.
pub fn refuse_head_dim(config: &Config, d_model: i64, n_heads: i64) -> Result<i64> {
    if d_model % n_heads != 0 {
        let why = format!("{n_heads} heads do not divide a width of {d_model}");
        return Err(config.wrong("num_attention_heads", why));
    }
    let d_head = d_model / n_heads;
    match config.size_or_null("head_dim", None)? {
        Some(other) if other != d_head => Err(config
            .wrong("head_dim", format!("{other} is not {d_model} / {n_heads}, which this family needs"))),
        _ => Ok(d_head),
    }
}

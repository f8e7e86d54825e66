//! StarCoder 2: Llama's attention with a window, mean-and-deviation norms, a plain MLP, biases.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Spec, Up};

/// Defaults are those of transformers' `Starcoder2Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(2), n_ctx: 4096, tied: true, ..LLAMA };
    let mut spec = common::llama_shaped(config, "starcoder2", &defaults)?;
    let bias = config.flag_or("use_bias", true)?;
    spec.norm = common::layer_norm(config, "norm_epsilon", 1e-5)?;
    (spec.attention.qkv_bias, spec.attention.out_bias, spec.mlp.bias) = (bias, bias, bias);
    spec.initializer_range = config.number_or("initializer_range", 0.018042)?;
    spec.mlp.up = Up::Plain("mlp.c_fc");
    spec.mlp.down = "mlp.c_proj";
    spec.mlp.act = common::activation(config, "hidden_act", Activation::GeluTanh)?;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    let window = config.size_or_null("sliding_window", None)?;
    spec.slide(window, &vec![true; spec.n_layers]);
    Ok(spec)
}

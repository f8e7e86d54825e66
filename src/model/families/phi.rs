//! Phi-1, 1.5 and 2: parallel parts behind one norm, biases everywhere, part of each head rotated.

use super::common::{self, LLAMA};
use super::rope::{self, Keys};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Activation, Over, QkNorm, Spec, Up};

/// Defaults are those of transformers' `PhiConfig`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = common::llama_shaped(config, "phi", &LLAMA)?;
    spec.norm = common::layer_norm(config, "layer_norm_eps", 1e-5)?;
    spec.around.mlp_in = None;
    spec.attention.qkv_bias = true;
    spec.attention.out = "self_attn.dense";
    spec.attention.out_bias = true;
    if config.flag_or("qk_layernorm", false)? {
        common::refuse_head_dim(config, spec.d_model, spec.n_heads)?;
        let names = ["self_attn.q_layernorm", "self_attn.k_layernorm"];
        spec.attention.qk_norm = Some(QkNorm { names, norm: spec.norm, over: Over::Head });
    }
    spec.mlp.up = Up::Plain("mlp.fc1");
    spec.mlp.down = "mlp.fc2";
    spec.mlp.bias = true;
    spec.mlp.act = common::activation(config, "hidden_act", Activation::GeluTanh)?;
    spec.residual.parallel = true;
    spec.head.norm = "final_layernorm";
    spec.head.bias = true;
    let keys = Keys { partial: Some(("partial_rotary_factor", 0.5)), ..rope::LLAMA };
    spec.rotate(rope::rope(config, &spec, &keys)?);
    Ok(spec)
}

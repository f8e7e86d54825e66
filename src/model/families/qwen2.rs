//! Qwen 2 and 2.5: biases on queries, keys and values, a window from some block on.

use super::common::{self, Defaults, LLAMA};
use super::rope;
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `Qwen2Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let defaults = Defaults { kv_heads: Some(32), n_ctx: 32_768, ..LLAMA };
    let mut spec = common::llama_shaped(config, "qwen2", &defaults)?;
    spec.attention.qkv_bias = true;
    spec.rotate(rope::rope(config, &spec, &rope::LLAMA)?);
    windows(&mut spec, config)?;
    Ok(spec)
}

/// The windows of Qwen 2 and 3: in the blocks that `layer_types` names, or from `max_window_layers` on.
pub fn windows(spec: &mut Spec, config: &Config) -> Result<()> {
    let window = config.size_or_null("sliding_window", Some(4096))?;
    let window = if config.flag_or("use_sliding_window", false)? { window } else { None };
    let listed = common::sliding_layers(config, spec.n_layers)?;
    if window.is_none() && listed.as_ref().is_some_and(|sliding| sliding.contains(&true)) {
        return Err(config
            .wrong("layer_types", "has sliding layers, but there is no window for them")
            .hint("set use_sliding_window to true and sliding_window to a number"));
    }
    let first = match config.get("max_window_layers").and_then(serde_json::Value::as_u64) {
        Some(0) => 0,
        _ => config.size_or("max_window_layers", 28)? as usize,
    };
    let sliding = listed.unwrap_or_else(|| (0..spec.n_layers).map(|layer| layer >= first).collect());
    spec.slide(window, &sliding);
    Ok(())
}

//! Command R7B and A: Command R whose blocks with a window rotate, and whose blocks without one do not.

use super::{cohere, common};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `Cohere2Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = cohere::shape(config, "cohere2", 10_000.0)?;
    common::refuse_head_dim(config, spec.d_model, spec.n_heads)?;
    let pattern = config.size_or("sliding_window_pattern", 4)? as usize;
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| (1..=spec.n_layers).map(|layer| layer % pattern != 0).collect());
    let window = config.size_or_null("sliding_window", Some(4096))?;
    spec.slide(window, &sliding);
    for layer in &mut spec.layers {
        layer.rope = layer.rope.filter(|_| layer.window.is_some());
    }
    Ok(spec)
}

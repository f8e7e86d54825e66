//! OLMo 3: OLMo 2 with windows in three blocks of four, and rotations by the kind of block.

use super::rope::{self, Keys};
use super::{common, olmo2};
use crate::Result;
use crate::model::config::Config;
use crate::model::spec::Spec;

/// Defaults are those of transformers' `Olmo3Config`.
pub fn parse(config: &Config) -> Result<Spec> {
    let mut spec = olmo2::shape(config, "olmo3")?;
    let sliding = common::sliding_layers(config, spec.n_layers)?
        .unwrap_or_else(|| (1..=spec.n_layers).map(|layer| layer % 4 != 0).collect());
    let window = config.size_or_null("sliding_window", Some(4096))?;
    let keys = Keys { theta_default: 500_000.0, ..rope::LLAMA };
    // A base at the top level is that of the layers that see all.
    spec.ropes = rope::by_layer_type(config, &spec, &keys, &Keys { theta: None, ..keys })?.into();
    spec.slide(window, &sliding);
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        layer.rope = Some(usize::from(sliding));
    }
    Ok(spec)
}

//! How two checkpoints differ: settings, tokenizer, template, and every tensor. Answers whether their states can be
//! compared item by item.

mod settings;
mod tensors;

use std::path::Path;

use serde::Serialize;

use super::Spec;
use super::weights::Weights;
use crate::Result;

pub use settings::{Setting, Templates, Tokenizers};
pub use tensors::{Change, Group, TensorChange, TensorChanges, compare as compare_weights};

/// All differences of two checkpoints.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Keys of config.json that differ.
    pub config: Vec<Setting>,
    /// Keys of generation_config.json that differ.
    pub generation: Vec<Setting>,
    /// What their tokenizer.json files share.
    pub tokenizer: Tokenizers,
    /// What their chat templates share.
    pub template: Templates,
    /// What their tensors share.
    pub weights: TensorChanges,
    /// Why states of the two cannot be compared as they are; empty where they can.
    pub in_the_way: Vec<String>,
}

/// A checkpoint to compare.
pub struct Side<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Its weights, with an adapter or without.
    pub weights: &'a Weights,
    /// Its chat template, where it has one.
    pub template: Option<String>,
}

/// Compares two checkpoints; `progress` hears how many tensors of how many are done.
///
/// # Errors
/// A file that is there and cannot be read, a tensor of a dtype or packing that cannot be read.
pub fn compare(a: &Side, b: &Side, progress: impl FnMut(usize, usize)) -> Result<Difference> {
    let tokenizer = Tokenizers::read(a.dir, b.dir)?;
    let template = Templates::of(a.template.as_deref(), b.template.as_deref());
    let weights = tensors::compare(a.weights, b.weights, progress)?;
    let mut in_the_way: Vec<String> = architecture(a.dir, b.dir).into_iter().collect();
    in_the_way.extend(weights.in_the_way());
    in_the_way.extend(tokenizer.in_the_way());
    in_the_way.extend(template.in_the_way());
    Ok(Difference {
        config: settings::config(a.dir, b.dir)?,
        generation: settings::generation(a.dir, b.dir)?,
        tokenizer,
        template,
        weights,
        in_the_way,
    })
}

/// What keeps the two from being one architecture. End tokens are no part of it.
fn architecture(a: &Path, b: &Path) -> Option<String> {
    let spec = |dir: &Path| {
        let mut spec = Spec::read(dir).map_err(|error| error.to_string())?;
        spec.eos.clear();
        spec.generation_eos.clear();
        Ok(spec)
    };
    match (spec(a), spec(b)) {
        (Ok(a), Ok(b)) if a == b => None,
        (Ok(_), Ok(_)) => Some("the architectures differ (see config)".to_string()),
        (Err(why), _) | (_, Err(why)) => Some(why),
    }
}

//! The family table: one parser per family, one line per family. How to add one: docs/families.md.

mod cohere;
mod cohere2;
mod common;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neox;
mod granite;
mod llama;
mod mistral;
mod olmo;
mod olmo2;
mod olmo3;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod rope;
mod smollm3;
mod stablelm;
mod starcoder2;

use super::config::Config;
use super::spec::{RopeScaling, Scale, Spec};
use crate::Result;

/// Turns a config into a [`Spec`].
type Parser = fn(&Config) -> Result<Spec>;

/// `model_type` and its parser.
const FAMILIES: &[(&str, Parser)] = &[
    ("cohere", cohere::parse),
    ("cohere2", cohere2::parse),
    ("falcon", falcon::parse),
    ("gemma", gemma::parse),
    ("gemma2", gemma2::parse),
    ("gemma3", gemma3::parse_text_part),
    ("gemma3_text", gemma3::parse),
    ("gpt2", gpt2::parse),
    ("gpt_neox", gpt_neox::parse),
    ("granite", granite::parse),
    ("llama", llama::parse),
    ("mistral", mistral::parse),
    ("olmo", olmo::parse),
    ("olmo2", olmo2::parse),
    ("olmo3", olmo3::parse),
    ("phi", phi::parse),
    ("phi3", phi3::parse),
    ("qwen2", qwen2::parse),
    ("qwen3", qwen3::parse),
    ("smollm3", smollm3::parse),
    ("stablelm", stablelm::parse),
    ("starcoder2", starcoder2::parse),
];

/// The families that can be read, as `model_type` names them.
#[must_use]
pub fn known() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, _)| *name).collect()
}

/// A stretched rotation reaches as far as its factor says, whether or not `max_position_embeddings` says so too.
fn stretched(mut spec: Spec) -> Spec {
    for rope in &spec.ropes {
        let reach = match rope.scaling {
            RopeScaling::Linear { factor } => spec.n_ctx as f64 * factor,
            RopeScaling::Dynamic { factor, original } => original as f64 * factor,
            RopeScaling::Yarn { factor, original, .. } => original * factor,
            RopeScaling::None | RopeScaling::Llama3 { .. } | RopeScaling::LongRope { .. } => 0.0,
        };
        spec.n_ctx = spec.n_ctx.max(reach.min(f64::from(i32::MAX)) as i64);
    }
    spec
}

/// Refuses what follows from numbers that are sound by themselves, yet cannot be computed with in single precision.
fn sound(config: &Config, spec: Spec) -> Result<Spec> {
    let mut numbers = vec![
        ("the norms' epsilon", spec.norm.eps),
        ("the residual multiplier", spec.residual.scale),
        ("the scale of the logits", spec.head.scale),
        ("the cap of the logits", spec.head.soft_cap.unwrap_or(1.0)),
        ("the clip of queries and keys", spec.attention.clip.unwrap_or(1.0)),
        ("the cap of attention scores", spec.attention.soft_cap.unwrap_or(1.0)),
    ];
    if let Scale::By(scale) | Scale::Rounded(scale) = spec.embed.scale {
        numbers.push(("the embedding multiplier", scale));
    }
    numbers.extend(spec.layers.iter().map(|layer| ("the scale of attention scores", layer.scale)));
    for rope in &spec.ropes {
        numbers.extend([("the rotary base", rope.theta), ("the rotary gain", rope.gain)]);
        match &rope.scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } | RopeScaling::Dynamic { factor, .. } => {
                numbers.push(("the rotary factor", *factor));
            }
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
                let all = [*factor, *low_freq_factor, *high_freq_factor, *original];
                numbers.extend(all.map(|x| ("the rotary settings", x)));
            }
            RopeScaling::Yarn { factor, low, high, original } => {
                // The ramp may begin at nought.
                let all = [*factor, *original, 1.0 + low.abs(), 1.0 + high.abs()];
                numbers.extend(all.map(|x| ("the rotary settings", x)));
            }
            RopeScaling::LongRope { short, long, .. } => {
                numbers.extend(short.iter().chain(long).map(|x| ("a rotary factor", *x)));
            }
        }
    }
    match numbers.into_iter().find(|(_, x)| !(*x as f32).is_normal()) {
        Some((what, x)) => Err(config.wrong(what, format!("{x:e} is beyond single precision"))),
        None => Ok(spec),
    }
}

/// Finds the parser that `model_type` asks for and applies it.
///
/// # Errors
/// An unknown family (the known ones are listed), or what the parser refuses.
pub fn parse(config: &Config) -> Result<Spec> {
    let family = config.text("model_type")?.ok_or_else(|| config.wrong("model_type", "is missing"))?;
    if !config.flag_or("is_causal", true)? {
        return Err(config.wrong("is_causal", "false is not supported: recant runs decoders"));
    }
    match FAMILIES.iter().find(|(name, _)| *name == family) {
        Some((_, parser)) => parser(config).map(stretched).and_then(|spec| sound(config, spec)),
        None => Err(config
            .wrong("model_type", format!("family {family:?} is not known"))
            .hint(format!("known families: {}", known().join(", ")))),
    }
}

//! What holds for every family's numbers once they are read.

use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{RopeScaling, Scale, Spec};

/// A stretched rotation reaches as far as its factor says, whether or not `max_position_embeddings` says so too.
pub fn stretched(mut spec: Spec) -> Spec {
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
pub fn sound(config: &Config, spec: Spec) -> Result<Spec> {
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

//! Rotary settings: `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (transformers 4).

use std::f64::consts::TAU;

use crate::Result;
use crate::model::config::Config;
use crate::model::spec::{Rope, RopeScaling, Spec};

/// How a family spells its rotary settings, and what it assumes where they are absent.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Top-level key of the base, in families that read one.
    pub theta: Option<&'static str>,
    /// The base, where no key gives it.
    pub theta_default: f64,
    /// Top-level key of the rotated part of a head and that part where no key gives it; `None` in families that
    /// rotate whole heads.
    pub partial: Option<(&'static str, f64)>,
}

/// Those of Llama.
pub const LLAMA: Keys = Keys { theta: Some("rope_theta"), theta_default: 10_000.0, partial: None };

/// The one rotation of a model whose blocks all rotate alike.
pub fn rope(config: &Config, spec: &Spec, keys: &Keys) -> Result<Rope> {
    let settings = settings(config)?;
    if let Some(settings) = &settings {
        for kind in ["full_attention", "sliding_attention"] {
            if settings.get(kind).is_some() {
                let why = format!("rotation by layer type is not supported by family {}", spec.family);
                return Err(settings.wrong(kind, why));
            }
        }
    }
    build(config, settings.as_ref(), spec, keys)
}

/// The rotations of a model with one for layers that see all and one for layers that see a window, in this order.
/// `rope_scaling`, the older spelling, changes the first only; `local` says how the second is spelled.
pub fn by_layer_type(config: &Config, spec: &Spec, keys: &Keys, local: &Keys) -> Result<[Rope; 2]> {
    let scaling = config.object("rope_scaling")?;
    if let Some(scaling) = scaling.as_ref().filter(|scaling| scaling.has("type") && !scaling.has("rope_type"))
    {
        let why = format!("is not read by transformers in family {}", spec.family);
        return Err(scaling.wrong("type", why).hint("call it rope_type"));
    }
    let settings = config.object("rope_parameters")?;
    let of_neither =
        |all: &Config| !all.is_empty() && !all.has("full_attention") && !all.has("sliding_attention");
    if settings.as_ref().is_some_and(of_neither) {
        let why = "holds neither full_attention nor sliding_attention";
        return Err(config.wrong("rope_parameters", why));
    }
    let part = |name: &str| settings.as_ref().map_or(Ok(None), |settings| settings.object(name));
    let full = match (part("full_attention")?, scaling) {
        (Some(full), Some(scaling)) => Some(full.updated(scaling)),
        (full, scaling) => full.or(scaling),
    };
    let sliding = part("sliding_attention")?;
    Ok([build(config, full.as_ref(), spec, keys)?, build(config, sliding.as_ref(), spec, local)?])
}

/// The object that holds the settings; where both spellings stand, transformers takes the older.
fn settings(config: &Config) -> Result<Option<Config>> {
    match config.object("rope_scaling")? {
        Some(scaling) if !scaling.is_empty() => Ok(Some(scaling)),
        _ => config.object("rope_parameters"),
    }
}

fn build(config: &Config, settings: Option<&Config>, spec: &Spec, keys: &Keys) -> Result<Rope> {
    let theta = match keys.theta {
        Some(key) => config.number_or(key, keys.theta_default)?,
        None => keys.theta_default,
    };
    let theta = settings.map_or(Ok(theta), |settings| settings.number_or("rope_theta", theta))?;
    let part = rotated(config, settings, spec, keys)?;
    let width = part + part % 2;
    let plain = Rope { theta, width, part, interleaved: false, gain: 1.0, scaling: RopeScaling::None };
    let Some(settings) = settings else { return Ok(plain) };
    let kind = match settings.text("rope_type")? {
        Some(kind) => Some(kind),
        None => settings.text("type")?,
    };
    // Phi-3 has called LongRoPE by two other names.
    let kind = match kind.unwrap_or("default") {
        "su" | "yarn" if spec.family == "phi3" => "longrope",
        other => other,
    };
    let n_ctx = spec.n_ctx;
    let (gain, scaling) = match kind {
        "default" => (1.0, RopeScaling::None),
        "linear" => (1.0, RopeScaling::Linear { factor: settings.number_or("factor", None)? }),
        "dynamic" => {
            let factor = settings.number_or("factor", None)?;
            (1.0, RopeScaling::Dynamic { factor, original: n_ctx })
        }
        "llama3" => (1.0, llama3(settings, original(config, settings, spec)?)?),
        "yarn" => yarn(config, settings, &plain, [n_ctx, original(config, settings, spec)?])?,
        "longrope" => longrope(settings, spec, width, original(config, settings, spec)?)?,
        other => {
            return Err(settings
                .wrong("rope_type", format!("{other:?} is not supported"))
                .hint("default, linear, dynamic, llama3, yarn and longrope are"));
        }
    };
    Ok(Rope { gain, scaling, ..plain })
}

/// How much of a head is rotated.
fn rotated(config: &Config, settings: Option<&Config>, spec: &Spec, keys: &Keys) -> Result<i64> {
    let written =
        settings.map_or(Ok(None), |settings| settings.number_or_null("partial_rotary_factor", None))?;
    let part = match (keys.partial, written) {
        (Some(_), Some(part)) => part,
        (Some((key, absent)), None) => config.number_or(key, absent)?,
        (None, Some(part)) if part != 1.0 => {
            let why = format!("{part} is not supported by family {}, which rotates whole heads", spec.family);
            return Err(config.wrong("partial_rotary_factor", why));
        }
        (None, _) => 1.0,
    };
    let part = (spec.d_head as f64 * part) as i64;
    if part < 1 || part > spec.d_head - part % 2 {
        let why = format!("rotary embedding turns pairs: it cannot turn {part} of {}", spec.d_head);
        return Err(config.wrong("head_dim", why));
    }
    Ok(part)
}

/// The context before the stretch. Unless the settings are kept by layer type, the top level wins over them.
fn original(config: &Config, settings: &Config, spec: &Spec) -> Result<i64> {
    const KEY: &str = "original_max_position_embeddings";
    let inside = settings.size_or(KEY, spec.n_ctx)?;
    match spec.family {
        "phi3" => config.size_or(KEY, 4096),
        "gemma3_text" | "olmo3" => Ok(inside),
        _ => config.size_or(KEY, inside),
    }
}

fn llama3(settings: &Config, original: i64) -> Result<RopeScaling> {
    Ok(RopeScaling::Llama3 {
        factor: settings.number_or("factor", None)?,
        low_freq_factor: settings.number_or("low_freq_factor", None)?,
        high_freq_factor: settings.number_or("high_freq_factor", None)?,
        original: original as f64,
    })
}

fn yarn(
    config: &Config,
    settings: &Config,
    rope: &Rope,
    [n_ctx, original]: [i64; 2],
) -> Result<(f64, RopeScaling)> {
    let original = original as f64;
    let factor = match settings.number_or_null("factor", None)? {
        Some(factor) => factor,
        None => n_ctx as f64 / original,
    };
    let mscale = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
    let [numerator, denominator] = ["mscale", "mscale_all_dim"].map(|key| unless_nought(settings, key));
    let gain = match (settings.number_or_null("attention_factor", None)?, numerator?, denominator?) {
        (Some(gain), _, _) => gain,
        (None, Some(numerator), Some(denominator)) => mscale(numerator) / mscale(denominator),
        (None, _, _) => mscale(1.0),
    };
    // The pair whose wavelength turns so many times within the original context.
    let width = rope.part as f64;
    let pair = |turns: f64| width * (original / (turns * TAU)).ln() / (2.0 * rope.theta.ln());
    let low = pair(unless_nought(settings, "beta_fast")?.unwrap_or(32.0));
    let high = pair(unless_nought(settings, "beta_slow")?.unwrap_or(1.0));
    // Where the settings are kept by layer type, transformers looks for this key beside the types.
    let top = config.object("rope_parameters")?;
    let place = top.as_ref().filter(|top| top.has("full_attention")).unwrap_or(settings);
    let (low, high) = if place.flag_or("truncate", true)? { (low.floor(), high.ceil()) } else { (low, high) };
    Ok((gain, RopeScaling::Yarn { factor, low: low.max(0.0), high: high.min(width - 1.0), original }))
}

/// A number that counts as absent where it is nought.
fn unless_nought(settings: &Config, key: &str) -> Result<Option<f64>> {
    match settings.get(key).and_then(serde_json::Value::as_f64) {
        Some(0.0) => Ok(None),
        _ => settings.number_or_null(key, None),
    }
}

fn longrope(settings: &Config, spec: &Spec, width: i64, original: i64) -> Result<(f64, RopeScaling)> {
    let factors = |key: &str| {
        let factors = settings.numbers(key)?.ok_or_else(|| settings.wrong(key, "is missing"))?;
        if factors.len() as i64 * 2 == width {
            return Ok(factors);
        }
        Err(settings.wrong(key, format!("{} factors for {} pairs", factors.len(), width / 2)))
    };
    let factor = match settings.number_or_null("factor", None)? {
        Some(factor) => factor,
        None => spec.n_ctx as f64 / original as f64,
    };
    let gain = match settings.number_or_null("attention_factor", None)? {
        Some(gain) => gain,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / (original as f64).ln()).sqrt(),
    };
    let scaling =
        RopeScaling::LongRope { short: factors("short_factor")?, long: factors("long_factor")?, original };
    Ok((gain, scaling))
}

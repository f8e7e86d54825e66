//! How positions are rotated: from the values and tensors of a GGUF file to `rope_theta` and `rope_scaling`.

use serde_json::{Value, json};

use super::architecture::{Dimensions, Keys};
use crate::error::Result;

/// The settings of every architecture that rotates.
pub(super) const SETTINGS: &[&str] = &[
    "rope.dimension_count",
    "rope.freq_base",
    FACTOR,
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    TYPE,
];
/// What cosines and sines are multiplied by.
pub(super) const ATTENTION_FACTOR: &str = "rope.scaling.attn_factor";
/// Divisors of the frequencies as Llama 3.1 and later have them.
pub(super) const LLAMA3: &str = "rope_freqs.weight";
/// Divisors of the frequencies for texts longer than the original context.
pub(super) const LONG: &str = "rope_factors_long.weight";
/// Divisors of the frequencies for all other texts.
pub(super) const SHORT: &str = "rope_factors_short.weight";

const TYPE: &str = "rope.scaling.type";
const FACTOR: &str = "rope.scaling.factor";

/// The base of the frequencies.
pub(super) fn theta(keys: &Keys) -> Result<f64> {
    let theta = keys.number("rope.freq_base")?.unwrap_or(10_000.0);
    if theta > 0.0 {
        Ok(theta)
    } else {
        Err(keys.error("rope.freq_base", &format!("{theta} is not above 0")))
    }
}

/// Tokens of the longest text before the context was extended.
pub(super) fn original_context(keys: &Keys) -> Result<Option<usize>> {
    const ORIGINAL: &str = "rope.scaling.original_context_length";
    match keys.size(ORIGINAL)? {
        Some(_) => keys.needed_size(ORIGINAL).map(Some),
        None => Ok(None),
    }
}

/// `rope_scaling`: none, linear, or Llama 3's.
pub(super) fn scaling(keys: &Keys, dims: &Dimensions) -> Result<Value> {
    let factor = keys.number(FACTOR)?;
    match (keys.text(TYPE)?, factor) {
        (None | Some("none"), None | Some(1.0)) => llama3(keys, dims),
        (None | Some("linear"), Some(factor)) if factor > 0.0 => {
            Ok(json!({ "rope_type": "linear", "factor": factor }))
        }
        (Some("linear"), _) => Err(keys.error(FACTOR, "missing or not above 0")),
        (kind, _) => {
            let why =
                format!("`{}` is not known (known: none, linear)", kind.unwrap_or("none").escape_debug());
            Err(keys.error(TYPE, &why))
        }
    }
}

/// A file with Llama 3's scaling has only the divisors it comes to. Its three constants are the same in every Llama;
/// the factor is the largest divisor. Divisors that do not come from these are refused.
fn llama3(keys: &Keys, dims: &Dimensions) -> Result<Value> {
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    const ORIGINAL: u16 = 8192;
    let Some(divisors) = divisors(keys, dims, LLAMA3)? else {
        return Ok(Value::Null);
    };
    let factor = divisors.iter().copied().fold(1.0, f64::max);
    let theta = theta(keys)?;
    #[allow(clippy::cast_precision_loss)]
    let expected = |pair: usize| {
        let wavelength = std::f64::consts::TAU * theta.powf(2.0 * pair as f64 / dims.rotary as f64);
        let smooth = ((f64::from(ORIGINAL) / wavelength - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / factor + smooth)
    };
    // The divisors were computed in single precision.
    if divisors.iter().enumerate().any(|(pair, divisor)| (divisor / expected(pair) - 1.0).abs() > 1e-4) {
        let why = format!("the rotary frequencies are rescaled one by one ({LLAMA3}), not as Llama 3's are");
        return Err(keys.gguf.error(why).hint("use the checkpoint in safetensors form"));
    }
    Ok(json!({
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": LOW,
        "high_freq_factor": HIGH,
        "original_max_position_embeddings": ORIGINAL,
    }))
}

/// `rope_scaling` of a model with one set of divisors for short texts and one for long ones.
pub(super) fn longrope(keys: &Keys, dims: &Dimensions, original: usize) -> Result<Value> {
    if keys.number(FACTOR)?.is_some_and(|factor| factor != 1.0) {
        return Err(keys.error(FACTOR, "only 1 is supported"));
    }
    match keys.text(TYPE)? {
        None | Some("none" | "longrope") => {}
        Some(kind) => {
            let why = format!("`{}` is not known (known: none, longrope)", kind.escape_debug());
            return Err(keys.error(TYPE, &why));
        }
    }
    let stated = keys.number(ATTENTION_FACTOR)?;
    let (long, short) = match (divisors(keys, dims, LONG)?, divisors(keys, dims, SHORT)?) {
        (Some(long), Some(short)) => (long, short),
        (None, None) if stated.is_none_or(|factor| factor == 1.0) => return Ok(Value::Null),
        (None, None) => return Err(keys.error(ATTENTION_FACTOR, "stated without rotary divisors")),
        (None, Some(_)) => return Err(keys.gguf.error(format!("the tensor {LONG} is missing"))),
        (Some(_), None) => return Err(keys.gguf.error(format!("the tensor {SHORT} is missing"))),
    };
    let mut scaling = json!({
        "rope_type": "longrope",
        "original_max_position_embeddings": original,
        "long_factor": long,
        "short_factor": short,
    });
    #[allow(clippy::cast_precision_loss)]
    let (ratio, base) = (dims.context as f64 / original as f64, (original as f64).ln());
    let usual = if ratio > 1.0 { (1.0 + ratio.ln() / base).sqrt() } else { 1.0 };
    // The usual one is better derived anew: in the file it is rounded.
    if let Some(factor) = stated.filter(|factor| (factor / usual - 1.0).abs() > 1e-6) {
        scaling["attention_factor"] = json!(factor);
    }
    Ok(scaling)
}

/// A tensor with one divisor for each rotated pair.
fn divisors(keys: &Keys, dims: &Dimensions, name: &str) -> Result<Option<Vec<f64>>> {
    let Some(tensor) = keys.tensor(name) else {
        return Ok(None);
    };
    let expected = [dims.rotary / 2];
    if tensor.shape != expected {
        let why = format!("the tensor {name} has shape {:?}, expected {expected:?}", tensor.shape);
        return Err(keys.gguf.error(why));
    }
    let numbers = keys.gguf.dequantize(tensor);
    if let Some(bad) = numbers.iter().find(|x| !x.is_finite() || **x <= 0.0) {
        return Err(keys.gguf.error(format!("the tensor {name} has a divisor of {bad}")));
    }
    Ok(Some(numbers.iter().map(|x| super::shortest(*x)).collect()))
}

//! Checkpoints with packed weights and with adapters, and the comparison of two.

use std::path::Path;

use recant::model::diff::{self, Difference, Side};
use recant::model::weights::Weights;
use recant::random::SplitMix;
use serde_json::{Value, json};
use tch::{Device, Kind};

use crate::mutate::{self, once_in, pick};
use crate::stored::{self, Seed};
use crate::watch::{self, Entry, Files, Verdict, refusal, tried};
use crate::{LEFT, MB, seeds};

#[test]
fn no_packed_weights_break_their_reader() {
    let all = stored::quantized();
    let make = move |random: &mut SplitMix| -> Files {
        let seed = &all[random.below(all.len())];
        let (config, other) = (&seed.config, &all[random.below(all.len())].config);
        let mut files: Files = vec![("model.safetensors", damaged_half(random, seed))];
        if once_in(random, 8) {
            // Where older checkpoints say it.
            let settings = &config["quantization_config"];
            let changed = mutate::document(random, settings, &other["quantization_config"]);
            files.push(("quantize_config.json", mutate::text(random, &changed)));
            return files;
        }
        let mut config = config.clone();
        if once_in(random, 2) {
            let settings = &mut config["quantization_config"];
            *settings = mutate::document(random, settings, &other["quantization_config"]);
        }
        files.push(("config.json", json_text(random, &config)));
        files
    };
    let entry = Entry { name: "quantized", share: 60, allowance: 2 * MB, make: Box::new(make), read: packed };
    watch::run(&entry, LEFT);
}

/// Damaged or not, as often.
fn damaged_half(random: &mut SplitMix, seed: &Seed) -> Vec<u8> {
    if once_in(random, 3) { stored::file(&seed.tensors) } else { stored::bytes(random, &seed.tensors) }
}

/// A document, seldom damaged as text.
fn json_text(random: &mut SplitMix, document: &Value) -> Vec<u8> {
    if once_in(random, 8) { mutate::text(random, document) } else { document.to_string().into_bytes() }
}

pub fn packed(dir: &Path, random: &mut SplitMix) -> Verdict {
    match Weights::open(dir) {
        Ok(weights) => whole(&weights, random),
        Err(error) => refusal(&error),
    }
}

/// Every tensor, in its own shape and in wrong ones, whole and by rows.
fn whole(weights: &Weights, random: &mut SplitMix) -> Verdict {
    let names = weights.names();
    if weights.parameters() < 0 {
        return Err(format!("{} parameters", weights.parameters()));
    }
    let counted: usize = weights.dtypes().iter().map(|(_, n)| n).sum();
    if counted != names.len() {
        return Err(format!("{counted} dtypes of {} tensors", names.len()));
    }
    let mut all_read = true;
    for name in &names {
        let shape = weights.shape(name).ok_or_else(|| format!("{name} has no shape"))?;
        let kind = pick(random, &[Kind::Float, Kind::Half, Kind::BFloat16]);
        let Some(tensor) = tried(weights.get(name, &shape, kind, Device::Cpu))? else {
            all_read = false;
            continue;
        };
        if tensor.size() != shape || tensor.kind() != kind || !weights.is_float(name) {
            return Err(format!("{name}: {:?} {:?} for {shape:?}", tensor.kind(), tensor.size()));
        }
        if tensor.numel() > 0 {
            let _ = [0, -1].map(|place| tensor.reshape([-1]).double_value(&[place]));
        }
        let mut wrong = shape.clone();
        match random.below(3) {
            0 => wrong.push(pick(random, &[0, 1, -1, i64::MAX])),
            1 if !wrong.is_empty() => wrong[0] = pick(random, &[-1, i64::MIN, 1 << 40, i64::MAX]),
            _ if wrong.len() > 1 => wrong.reverse(),
            _ => wrong = vec![3, 5, 7],
        }
        if wrong != shape && tried(weights.get(name, &wrong, kind, Device::Cpu))?.is_some() {
            return Err(format!("{name} {shape:?} is given as {wrong:?}"));
        }
        some_rows(weights, random, name, &shape)?;
    }
    for name in ["", ".weight", "absent", "model.layers.0.mlp.up_proj.qweight"] {
        tried(weights.get(name, &[2, 2], Kind::Float, Device::Cpu))?;
        tried(weights.rows(name, 0, 1))?;
    }
    weights.release();
    Ok(all_read)
}

fn some_rows(weights: &Weights, random: &mut SplitMix, name: &str, shape: &[i64]) -> Result<(), String> {
    let n = shape.first().copied().unwrap_or(0);
    let start = pick(random, &[0, 0, 1, n / 2, n - 1, n, n + 1, -1, i64::MIN, i64::MAX]);
    let len = pick(random, &[n, n - start.clamp(0, n), 1, 0, n + 1, -1, 1 << 40, i64::MIN, i64::MAX]);
    let there =
        start >= 0 && len >= 0 && start.checked_add(len).is_some_and(|end| end <= n) && !shape.is_empty();
    match tried(weights.rows(name, start, len))? {
        Some(rows) if !there => {
            Err(format!("{name} {shape:?}: rows {start} and {len} more are {:?}", rows.size()))
        }
        None if there => Err(format!("{name} {shape:?}: rows {start} and {len} more are refused")),
        Some(rows) if rows.size()[0] != len || rows.size()[1..] != shape[1..] => {
            Err(format!("{name} {shape:?}: {:?} for {len} rows", rows.size()))
        }
        _ => Ok(()),
    }
}

#[test]
fn no_adapter_breaks_its_reader() {
    let (plain, packed, all) = (stored::plain(), stored::quantized(), stored::adapters());
    let make = move |random: &mut SplitMix| -> Files {
        let (seed, other) = (&all[random.below(all.len())], &all[random.below(all.len())]);
        let base = if once_in(random, 4) { &packed[random.below(packed.len())] } else { &plain };
        let mut config = seed.config.clone();
        if once_in(random, 2) {
            config = mutate::document(random, &config, &other.config);
        }
        if once_in(random, 8) && config.is_object() {
            hostile(random, &mut config);
        }
        // The adapter's files stand beside those of the checkpoint.
        vec![
            ("config.json", base.config.to_string().into()),
            ("model.safetensors", stored::file(&base.tensors)),
            ("adapter_config.json", json_text(random, &config)),
            ("adapter_model.safetensors", damaged_half(random, seed)),
        ]
    };
    let entry = Entry { name: "adapter", share: 20, allowance: 4 * MB, make: Box::new(make), read: adapter };
    watch::run(&entry, LEFT);
}

/// One pattern, or many.
fn hostile(random: &mut SplitMix, config: &mut Value) {
    let key = pick(random, &["rank_pattern", "alpha_pattern"]);
    let n = pick(random, &[1, 1, 1, 1, 2, 2, 2, 10, 10, 100, 1_000]);
    let one = stored::pattern(random);
    let name = |i: usize| match i {
        0 => one.clone(),
        i if one.len() < 64 => format!("{one}|q{i}"),
        i => format!("model.layers.{i}.mlp.up_proj"),
    };
    config[key] = (0..n).map(|i| (name(i), json!(4))).collect::<serde_json::Map<_, _>>().into();
}

pub fn adapter(dir: &Path, random: &mut SplitMix) -> Verdict {
    let mut weights = Weights::open(dir).map_err(|error| format!("the base: {error}"))?;
    if let Err(error) = weights.adapter(dir) {
        return refusal(&error);
    }
    if tried(weights.adapter(dir))?.is_some() {
        return Err("a second adapter is taken".into());
    }
    whole(&weights, random)
}

#[test]
fn no_checkpoint_breaks_its_comparison() {
    let (plain, packed) = (stored::plain(), stored::quantized());
    let (tokenizers, configs) = (seeds::tokenizers(), seeds::configs());
    let make = move |random: &mut SplitMix| -> Files {
        let tokenizer = &tokenizers[random.below(tokenizers.len())];
        let template = pick(random, &seeds::TEMPLATES);
        let seed = if once_in(random, 4) { &packed[random.below(packed.len())] } else { &plain };
        let mut files: Files = vec![
            ("config.json", plain.config.to_string().into()),
            ("generation_config.json", json!({ "eos_token_id": [1, 2] }).to_string().into()),
            ("model.safetensors", stored::file(&plain.tensors)),
            ("tokenizer.json", tokenizer.to_string().into()),
            ("chat_template.jinja", template.into()),
            ("b/model.safetensors", damaged_half(random, seed)),
        ];
        let other = &configs[random.below(configs.len())];
        let config = if once_in(random, 2) {
            seed.config.clone()
        } else {
            mutate::document(random, &seed.config, other)
        };
        files.push(("b/config.json", json_text(random, &config)));
        let generation =
            mutate::document(random, &json!({ "eos_token_id": 1, "nested": { "a": { "b": 1 } } }), other);
        files.push(("b/generation_config.json", json_text(random, &generation)));
        if !once_in(random, 8) {
            let lent = &tokenizers[random.below(tokenizers.len())];
            let tokenizer = mutate::document(random, tokenizer, lent);
            files.push(("b/tokenizer.json", json_text(random, &tokenizer)));
        }
        if !once_in(random, 8) {
            files.push((
                "b/chat_template.jinja",
                mutate::bytes(random, template.as_bytes(), template.len(), b"\r\n\n"),
            ));
        }
        files
    };
    let entry = Entry { name: "diff", share: 20, allowance: 8 * MB, make: Box::new(make), read: compared };
    watch::run(&entry, LEFT);
}

pub fn compared(dir: &Path, _random: &mut SplitMix) -> Verdict {
    let changed = dir.join("b");
    let a = Weights::open(dir).map_err(|error| format!("the sound one: {error}"))?;
    let b = match Weights::open(&changed) {
        Ok(weights) => weights,
        Err(error) => return refusal(&error),
    };
    let template = |dir: &Path| std::fs::read_to_string(dir.join("chat_template.jinja")).ok();
    let a = Side { dir, weights: &a, template: template(dir) };
    let b = Side { dir: &changed, weights: &b, template: template(&changed) };
    let found = match diff::compare(&a, &b, |_, _| {}) {
        Ok(found) => found,
        Err(error) => return refusal(&error),
    };
    shown(&found)?;
    let back =
        diff::compare(&b, &a, |_, _| {}).map_err(|error| format!("refused the other way round: {error}"))?;
    shown(&back)?;
    let counts = |found: &Difference| {
        let weights = &found.weights;
        [found.config.len(), found.generation.len(), weights.tensors.len(), weights.identical]
    };
    if counts(&found) != counts(&back) || found.in_the_way.is_empty() != back.in_the_way.is_empty() {
        return Err(format!("{:?} one way, {:?} the other", counts(&found), counts(&back)));
    }
    // What the sound one lacks is read here alone.
    let same = match diff::compare(&b, &b, |_, _| {}) {
        Ok(same) => same,
        Err(error) => return refusal(&error),
    };
    shown(&same)?;
    let all_there = same.weights.only_in_a.is_empty() && same.weights.other_shape.is_empty();
    if !same.config.is_empty()
        || !same.generation.is_empty()
        || !same.tokenizer.same()
        || !same.template.same
        || !all_there
    {
        return Err(format!("differs from itself: {:?}", same.in_the_way));
    }
    Ok(true)
}

fn shown(found: &Difference) -> Result<(), String> {
    let _ = found.weights.most_changed();
    serde_json::to_string(found).map(drop).map_err(|error| format!("cannot be written: {error}"))
}

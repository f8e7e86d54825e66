//! `recant model`: import, inspect, check, diff, words.

mod diff;
mod words;

use serde_json::{Value, json};

use crate::cli::model::{Check, Import, Inspect, Verb};
use crate::model::weights::Weights;
use crate::model::{Spec, import};
use crate::printer::Printer;
use crate::runner::check;
use crate::text::{ChatTemplate, Tokenizer};
use crate::{Error, Result};

/// Does one of the verbs about checkpoints.
///
/// # Errors
/// Whatever the verb reports.
pub fn run(verb: &Verb, printer: Printer) -> Result<()> {
    match verb {
        Verb::Import(args) => bring_in(args, printer),
        Verb::Inspect(args) => inspect(args, printer),
        Verb::Check(args) => check_all(args, printer),
        Verb::Diff(args) => diff::run(args, printer),
        Verb::Words(args) => words::run(args, printer),
    }
}

fn bring_in(args: &Import, printer: Printer) -> Result<()> {
    let made = import::import(&args.file, &args.dir, args.dtype)?;
    printer.say(format!(
        "{}: {} layers, {} tensors, {} parameters, {} tokens",
        made.model_type, made.layers, made.tensors, made.parameters, made.tokens
    ));
    printer.data(made.dir.display());
    Ok(())
}

fn inspect(args: &Inspect, printer: Printer) -> Result<()> {
    let spec = Spec::read(&args.dir)?;
    let weights = Weights::open(&args.dir)?;
    let dtypes: serde_json::Map<_, _> =
        weights.dtypes().into_iter().map(|(name, n)| (name, json!(n))).collect();
    let facts = json!({
        "family": spec.family,
        "parameters": weights.parameters(),
        "layers": spec.n_layers,
        "d_model": spec.d_model,
        "heads": spec.n_heads,
        "kv_heads": spec.n_kv_heads,
        "d_head": spec.d_head,
        "d_mlp": spec.d_mlp,
        "vocab": spec.vocab,
        "context": spec.n_ctx,
        "rope": spec.ropes.iter().map(|rope| json!({
            "theta": rope.theta, "scaling": rope.scaling.name(), "rotated": rope.width,
        })).collect::<Vec<_>>(),
        "layers_by_window": windows(&spec),
        "tied_head": spec.head.tied,
        "end_tokens": spec.eos,
        "tensors_by_dtype": dtypes,
        "tokenizer": Tokenizer::read(&args.dir).is_ok(),
        "chat_template": ChatTemplate::read(&args.dir).is_ok(),
        "gflop_per_token": 2.0 * spec.core_parameters() as f64 / 1e9,
        "kv_bytes_per_token_f32": 4 * spec.kv_width(),
        "resid_post_bytes_per_position_bf16": 2 * spec.n_layers as i64 * spec.d_model,
    });
    show(&facts, args.json, printer);
    Ok(())
}

/// The number of blocks that see so many tokens back, or all.
fn windows(spec: &Spec) -> Value {
    let mut counts = serde_json::Map::new();
    for layer in &spec.layers {
        let name = layer.window.map_or_else(|| "all".to_string(), |window| window.to_string());
        let count = counts.get(&name).and_then(Value::as_u64).unwrap_or(0) + 1;
        counts.insert(name, json!(count));
    }
    Value::Object(counts)
}

/// A value without the marks of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn show(facts: &Value, as_json: bool, printer: Printer) {
    match facts {
        Value::Object(map) if !as_json => {
            for (key, value) in map {
                printer.data(format!("{key:36} {}", plain(value)));
            }
        }
        other => printer.data(other),
    }
}

fn check_all(args: &Check, printer: Printer) -> Result<()> {
    let model = args.compute.load(&args.dir)?;
    let (tokenizer, template) = (Tokenizer::read(&args.dir).ok(), ChatTemplate::read(&args.dir).ok());
    let findings = check::check(&model, tokenizer.as_ref(), template.as_ref())?;
    if args.json {
        printer.data(json!(findings));
    } else {
        for finding in &findings {
            let verdict = if finding.passed { "ok  " } else { "FAIL" };
            printer.data(format!("{verdict} {:24} {}", finding.name, finding.found));
        }
    }
    match findings.iter().filter(|finding| !finding.passed).count() {
        0 => Ok(()),
        failed => Err(Error::Failed(format!(
            "{}: {failed} of {} checks failed",
            args.dir.display(),
            findings.len()
        ))),
    }
}

//! `recant model diff`: how two checkpoints differ.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::model::Diff;
use crate::model::Config;
use crate::model::diff::{
    self, Change, Difference, Group, Setting, Side, Templates, TensorChanges, Tokenizers,
};
use crate::model::weights::Weights;
use crate::printer::Printer;
use crate::store::atomic;
use crate::text::ChatTemplate;
use crate::{Error, Result};

/// Tensors that the table on the terminal shows.
const SHOWN: usize = 10;

/// Compares and prints; finding differences is no failure.
///
/// # Errors
/// A checkpoint or an adapter that cannot be read, no room for the table.
pub fn run(args: &Diff, printer: Printer) -> Result<()> {
    if let Some(path) = &args.csv {
        atomic::writable(path)?;
    }
    for dir in [&args.a, &args.b] {
        if !dir.is_dir() {
            return Err(Error::input(dir.display().to_string(), "is not a directory")
                .hint("give two Hugging Face checkpoint directories"));
        }
    }
    let (a, mut b) = (Weights::open(&args.a)?, Weights::open(&args.b)?);
    if let Some(adapter) = &args.adapter {
        b.adapter(adapter)?;
    }
    let a = Side { dir: &args.a, weights: &a, template: template(&args.a)? };
    let b = Side { dir: &args.b, weights: &b, template: template(&args.b)? };
    let progress = printer.progress(0, "comparing");
    let found = diff::compare(&a, &b, |done, all| {
        progress.set_length(all as u64);
        progress.set_position(done as u64);
    })?;
    progress.finish_and_clear();
    if let Some(path) = &args.csv {
        atomic::write(path, &table(&found.weights)?)?;
    }
    if args.json {
        printer.data(json!(found));
    } else {
        show(&found, printer);
    }
    Ok(())
}

/// The chat template, where there is one; one that is broken is an error.
fn template(dir: &Path) -> Result<Option<String>> {
    let config = dir.join("tokenizer_config.json");
    let named = config.is_file() && Config::read(&config)?.get("chat_template").is_some();
    if !named && !dir.join("chat_template.jinja").is_file() {
        return Ok(None);
    }
    Ok(Some(ChatTemplate::read(dir)?.source().to_string()))
}

fn show(found: &Difference, printer: Printer) {
    settings("config", &found.config, printer);
    settings("generation config", &found.generation, printer);
    tokenizer(&found.tokenizer, printer);
    chat_template(&found.template, printer);
    tensors(&found.weights, printer);
    printer.data("");
    if found.in_the_way.is_empty() {
        printer.data("comparable: same architecture, tokenizer and template");
    } else {
        printer.data(format!("not comparable as they are: {}", found.in_the_way.join("; ")));
    }
}

fn line(what: &str, says: impl std::fmt::Display, printer: Printer) {
    printer.data(format!("{what:20} {says}"));
}

fn settings(what: &str, found: &[Setting], printer: Printer) {
    match found.len() {
        0 => line(what, "same", printer),
        1 => line(what, "1 key differs", printer),
        n => line(what, format!("{n} keys differ"), printer),
    }
    let text = |value: &Value| if value.is_null() { "-".to_string() } else { value.to_string() };
    for setting in found {
        printer.data(format!("  {:34} {} | {}", setting.key, text(&setting.a), text(&setting.b)));
    }
}

fn tokenizer(found: &Tokenizers, printer: Printer) {
    let [a, b] = found.tokens;
    match &found.sha256 {
        [None, None] => line("tokenizer", "neither has a tokenizer.json", printer),
        [None, _] => line("tokenizer", "A has no tokenizer.json", printer),
        [_, None] => line("tokenizer", "B has no tokenizer.json", printer),
        _ if found.same() => line("tokenizer", format!("same, {a} tokens"), printer),
        _ => line("tokenizer", format!("{a} | {b} tokens, {} differ", found.different_tokens), printer),
    }
    let list = |what: &str, names: &[String]| {
        const SHOWN: usize = 12;
        let mut shown: Vec<String> =
            names.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
        if names.len() > SHOWN {
            shown.push(format!("and {} more (all with --json)", names.len() - SHOWN));
        }
        if !names.is_empty() {
            printer.data(format!("  {what:34} {}", shown.join(" ")));
        }
    };
    list("added only in A, or otherwise", &found.added_only_in_a);
    list("added only in B, or otherwise", &found.added_only_in_b);
    list("other parts that differ", &found.different_parts);
    if let [Some(a), Some(b)] = &found.sha256
        && a != b
    {
        printer.data(format!("  {:34} {} | {}", "sha256 of tokenizer.json", &a[..16], &b[..16]));
    }
}

fn chat_template(found: &Templates, printer: Printer) {
    let says = match (found.present, found.line) {
        ([false, false], _) => "neither has one".to_string(),
        ([false, true], _) => "A has none".to_string(),
        ([true, false], _) => "B has none".to_string(),
        (_, None) => "same".to_string(),
        (_, Some(line)) => format!("differs from line {line} on"),
    };
    line("chat template", says, printer);
    if found.line.is_some() {
        for (side, text) in ["A", "B"].iter().zip(&found.lines) {
            printer.data(format!("  {side}: {}", text.as_deref().unwrap_or("(has ended)")));
        }
    }
}

fn tensors(found: &TensorChanges, printer: Printer) {
    let counts = format!("{} compared, {} identical", found.tensors.len(), found.identical);
    line("tensors", counts, printer);
    let named = |what: &str, names: Vec<String>| {
        let more = names.len().saturating_sub(SHOWN);
        for name in names.iter().take(SHOWN) {
            printer.data(format!("  {what:34} {name}"));
        }
        if more > 0 {
            printer.data(format!("  {what:34} and {more} more"));
        }
    };
    named("only in A", found.only_in_a.clone());
    named("only in B", found.only_in_b.clone());
    let shapes = found.other_shape.iter().map(|(name, a, b)| format!("{name} {a:?} | {b:?}"));
    named("another shape", shapes.collect());
    named("not floats, not compared", found.not_compared.clone());
    let changed = found.most_changed();
    if changed.is_empty() {
        return;
    }
    for (what, groups) in [("layer", &found.by_layer), ("part", &found.by_part), ("kind", &found.by_kind)] {
        head(what, "tensors  same", printer);
        for Group { group, tensors, identical, change } in groups {
            row(group, &format!("{tensors:7} {identical:5}"), change, printer);
        }
    }
    row("all", &format!("{:7} {:5}", found.tensors.len(), found.identical), &found.all, printer);
    head("most changed", "", printer);
    for tensor in changed.into_iter().take(SHOWN) {
        row(&tensor.name, "", &tensor.change, printer);
    }
}

fn head(what: &str, counts: &str, printer: Printer) {
    printer.data("");
    printer.data(format!("{what:46} {counts:13} {:>10} {:>10} {:>10}", "cosine", "relative", "largest"));
}

fn row(what: &str, counts: &str, change: &Change, printer: Printer) {
    let plain = |x: f64| x == 0.0 || (1e-3..1e3).contains(&x);
    let small = |x: f64| if plain(x) { format!("{x:.4}") } else { format!("{x:.2e}") };
    let small = |x: Option<f64>| x.map_or("-".to_string(), small);
    let cosine = change.cosine.map_or("-".to_string(), |x| format!("{x:.6}"));
    let (relative, largest) = (small(change.relative_change), small(change.max_abs_change));
    printer.data(format!("{what:46} {counts:13} {cosine:>10} {relative:>10} {largest:>10}"));
}

/// Every compared tensor as CSV.
fn table(found: &TensorChanges) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::Failed(format!("the table cannot be made: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns =
        ["name", "layer", "kind", "shape", "identical", "cosine", "relative_change", "max_abs_change"];
    writer.write_record(columns).map_err(|error| failed(&error))?;
    let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    for tensor in &found.tensors {
        let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        let fields = [
            tensor.name.clone(),
            tensor.layer.map_or(String::new(), |layer| layer.to_string()),
            tensor.kind.to_string(),
            shape.join("x"),
            tensor.identical.to_string(),
            number(tensor.change.cosine),
            number(tensor.change.relative_change),
            number(tensor.change.max_abs_change),
        ];
        writer.write_record(fields).map_err(|error| failed(&error))?;
    }
    writer.into_inner().map_err(|error| failed(&error))
}

//! `recant condition`: what can be said to a model.

use serde_json::json;

use crate::Result;
use crate::cli::condition::{List, Verb};
use crate::printer::Printer;
use crate::study::condition::{Library, built_in, resolve};
use crate::study::{DEMO, Study};

/// Does one of the verbs about conditions.
///
/// # Errors
/// Whatever the verb reports.
pub fn run(verb: &Verb, printer: Printer) -> Result<()> {
    match verb {
        Verb::List(args) => list(args, printer),
    }
}

fn list(args: &List, printer: Printer) -> Result<()> {
    let study = args.study.as_deref().map_or_else(|| Study::parse(DEMO, "studies/demo.toml"), Study::read)?;
    let own = match args.study {
        Some(_) => study.library(),
        None => Library::default(),
    };
    let names: std::collections::BTreeSet<String> =
        built_in()?.condition.into_keys().chain(own.condition.keys().cloned()).collect();
    let arms = names
        .iter()
        .map(|name| resolve(name, &own, study.dialogue.max_new_tokens))
        .collect::<Result<Vec<_>>>()?;
    if args.json {
        printer.data(format!("{:#}", json!(arms)));
        return Ok(());
    }
    let width = names.iter().map(String::len).max().unwrap_or(0);
    for arm in arms {
        let own = if own.condition.contains_key(&arm.name) { " (of the study)" } else { "" };
        printer.data(format!("{:width$}  {}{own}", arm.name, arm.about));
    }
    Ok(())
}

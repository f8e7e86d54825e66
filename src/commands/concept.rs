//! `recant concept`: which concepts there are, what a model is shown of them, and what gives their labels away.

use std::path::Path;

use serde_json::{Value, json};

use crate::analysis::leaks::{self, Counts, Settings, auroc};
use crate::cli::concept::{Check, List, Preview, Verb, Which};
use crate::printer::Printer;
use crate::runner::concept::prompt;
use crate::task::concept::{self, BUILT_IN, Concept, Reading, Spec, Wanted};
use crate::text::{ChatTemplate, Tokenizer};
use crate::{Error, Result};

/// Twins that are shown by name.
const SHOWN: usize = 5;

/// Does one of the verbs about concepts.
///
/// # Errors
/// Whatever the verb reports.
pub fn run(verb: &Verb, printer: Printer) -> Result<()> {
    match verb {
        Verb::List(args) => list(args, printer),
        Verb::Preview(args) => preview(args, printer),
        Verb::Check(args) => check(args, printer),
    }
}

/// A built-in name where it is one, and else the path of a spec.
fn load(which: &Which) -> Result<Concept> {
    let built_in = BUILT_IN.iter().any(|(name, _)| *name == which.concept);
    let path = Path::new(&which.concept);
    let is_path = !built_in && (path.extension().is_some() || path.exists());
    concept::load(&Wanted {
        name: &which.concept,
        path: is_path.then_some(path),
        data: which.path.as_deref(),
        categories: &which.categories,
        limit: which.limit,
    })
}

fn list(args: &List, printer: Printer) -> Result<()> {
    let mut all = Vec::new();
    for (name, text) in BUILT_IN {
        let spec = Spec::parse(text, name)?;
        let concept = match spec.needs_data() {
            true => None,
            false => Some(concept::load(&Wanted { name, ..Wanted::default() })?),
        };
        all.push((spec, concept));
    }
    if args.json {
        let entry = |(spec, concept): &(Spec, Option<Concept>)| {
            json!({
                "name": spec.name, "positive": spec.positive, "description": spec.description,
                "source": spec.source, "needs_data": spec.needs_data(),
                "n": concept.as_ref().map(|concept| concept.statements.len()),
                "categories": concept.as_ref().map(Concept::categories),
                "template": spec.template, "position": spec.position, "licence": spec.licence,
            })
        };
        printer.data(format!("{:#}", json!(all.iter().map(entry).collect::<Vec<_>>())));
        return Ok(());
    }
    let width = all.iter().map(|(spec, _)| spec.name.len()).max().unwrap_or(0);
    for (spec, concept) in &all {
        let (template, position) = (plain(spec.template), plain(spec.position));
        printer.data(format!("{:width$}  1: {} ({template}, {position})", spec.name, spec.positive));
        let from = match concept {
            None => format!("from your copy of {}", spec.task().unwrap_or(&spec.source)),
            Some(concept) => {
                let categories: Vec<&str> = concept.categories().into_iter().collect();
                format!("{} texts: {}", concept.statements.len(), categories.join(", "))
            }
        };
        printer.data(format!("{:width$}  {from}", ""));
    }
    Ok(())
}

/// The word by which a spec knows a value.
fn plain(value: impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

fn preview(args: &Preview, printer: Printer) -> Result<()> {
    let concept = load(&args.which)?;
    let model = args.model.as_deref().map(|dir| -> Result<_> {
        let tokenizer = Tokenizer::read(dir)?;
        let template = ChatTemplate::or_plain(dir, &tokenizer)?;
        Ok((tokenizer, template))
    });
    let model = model.transpose()?;
    let spec = &concept.spec;
    if !args.json {
        printer.data(format!("{}: 1 is {:?}; {} texts", spec.name, spec.positive, concept.statements.len()));
    }
    for statement in concept.statements.iter().take(args.n) {
        let given = match &model {
            None => None,
            Some((tokenizer, template)) => {
                let given = prompt(tokenizer, Some(template), &statement.text, spec)?;
                let read: Vec<i64> = given.states.iter().map(|&place| given.ids[place]).collect();
                Some((tokenizer.spelled(&given.ids)?, tokenizer.spelled(&read)?))
            }
        };
        let label = i32::from(statement.positive);
        if args.json {
            let (shown, read) = given.map_or((Value::Null, Value::Null), |(a, b)| (json!(a), json!(b)));
            printer.data(json!({
                "id": statement.id, "text": statement.text, "label": label, "group": statement.group,
                "category": statement.category, "prompt": shown, "read": read,
            }));
            continue;
        }
        let (id, group, category) = (&statement.id, &statement.group, &statement.category);
        printer.data(format!("-- {id}: label {label}, group {group}, category {category}"));
        match given {
            None => printer.data(&statement.text),
            Some((shown, read)) => {
                printer.data(shown);
                let how = if spec.position == Reading::Mean { "mean over" } else { "last token" };
                printer.data(format!(">> read: {how} {read:?}"));
            }
        }
    }
    Ok(())
}

fn check(args: &Check, printer: Printer) -> Result<()> {
    if args.folds < 2 {
        return Err(Error::input("--folds", "needs at least 2"));
    }
    let concept = load(&args.which)?;
    let settings = Settings {
        folds: args.folds,
        bootstrap: args.bootstrap,
        permutations: args.permutations,
        seed: args.seed,
    };
    let found = leaks::check(&concept, settings)?;
    let lines =
        if args.json { vec![as_json(&concept, &found, args.n)] } else { told(&concept, &found, args) };
    lines.iter().for_each(|line| printer.data(line));
    Ok(())
}

fn as_json(concept: &Concept, found: &leaks::Check, n: usize) -> String {
    let estimate = |estimate: &recant_probes::Estimate| json!({ "value": estimate.value, "ci": estimate.ci.map(|ci| [ci.low, ci.high]) });
    let mut words = estimate(&found.words.auroc);
    words["permutation_p"] = json!(found.words_p);
    let problems = found.problems();
    let value = json!({
        "concept": concept.spec.name, "positive": concept.spec.positive,
        "verdict": if problems.is_empty() { "clean" } else { "leaks" }, "problems": problems,
        "n": found.words.n, "counts": found.counts, "categories": found.categories,
        "groups_of_one_label": found.groups_of_one_label,
        "words_auroc": words, "length_auroc": estimate(&found.length),
        "giveaways": found.giveaways.iter().take(n).collect::<Vec<_>>(), "twins": found.twins,
    });
    format!("{value:#}")
}

fn told(concept: &Concept, found: &leaks::Check, args: &Check) -> Vec<String> {
    let width = found.categories.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(8);
    let row = |name: &str, counts: &Counts| {
        let Counts { positive, negative, groups } = counts;
        format!("  {name:width$}  {positive:7}  {negative:7}  {groups:6}")
    };
    let mut lines = vec![
        format!("{}: 1 is {:?}", concept.spec.name, concept.spec.positive),
        format!("  {:width$}  {:>7}  {:>7}  {:>6}", "category", "label 1", "label 0", "groups"),
    ];
    lines.extend(found.categories.iter().map(|(name, counts)| row(name, counts)));
    lines.push(row("all", &found.counts));
    lines.push(format!("  groups of one label: {}", found.groups_of_one_label));
    let p =
        found.words_p.map_or_else(String::new, |p| format!(", p = {p:.3} ({} exchanges)", args.permutations));
    lines.push(format!(
        "  words alone: {}{p}; {} folds of whole groups",
        auroc(&found.words.auroc),
        args.folds
    ));
    lines.push(format!("  length alone: {}", auroc(&found.length)));
    let twins = |same: bool| found.twins.iter().filter(move |twins| twins.same == same);
    lines.push(format!("  same text: {} pairs", twins(true).count()));
    lines.push(format!("  near texts of different groups: {} pairs", twins(false).count()));
    for twins in twins(true).take(SHOWN).chain(twins(false).take(SHOWN)) {
        let what = match (twins.across_groups, twins.across_labels) {
            (true, true) => "different groups and labels",
            (true, false) => "different groups",
            (false, true) => "different labels",
            (false, false) => "one group and label",
        };
        let [a, b] = &twins.ids;
        lines.push(format!("    {a} and {b}: {:.2} in common, {what}", twins.similarity));
    }
    if !found.giveaways.is_empty() {
        lines.push("  words that give most away (texts with label 1, with label 0):".into());
    }
    for giveaway in found.giveaways.iter().take(args.n) {
        let leaks::Giveaway { term, positive, negative, z } = giveaway;
        lines.push(format!("    {term:?}: {positive}, {negative} (z = {z:+.1})"));
    }
    let problems = found.problems();
    lines.push(match problems.is_empty() {
        true => "verdict: clean".into(),
        false => format!("verdict: leaks: {}", problems.join("; ")),
    });
    lines
}

//! `recant task`: which questions there are, and how exactly a model is asked them.

use serde_json::json;

use super::loaded::{Setting, items};
use crate::cli::task::{List, Preview, Verb};
use crate::dialogue::{Dialogue, Part, Prompt, Script, fill::letter, orders};
use crate::printer::Printer;
use crate::study::{Arm, DEMO, Study};
use crate::task::{Format, Item, TASKS};
use crate::text::Tokenizer;
use crate::{Error, Result};

/// Does one of the verbs about tasks.
///
/// # Errors
/// Whatever the verb reports.
pub fn run(verb: &Verb, printer: Printer) -> Result<()> {
    match verb {
        Verb::List(args) => {
            list(args, printer);
            Ok(())
        }
        Verb::Preview(args) => preview(args, printer),
    }
}

fn list(args: &List, printer: Printer) {
    if args.json {
        let task = |task: &crate::task::Task| {
            let variants: Vec<&str> = task.variants.iter().map(|(name, _)| *name).collect();
            json!({
                "name": task.name, "about": task.about, "variants": variants,
                "built_in": !task.embedded.is_empty(),
            })
        };
        printer.data(format!("{:#}", json!(TASKS.iter().map(task).collect::<Vec<_>>())));
        return;
    }
    let width = TASKS.iter().map(|task| task.name.len()).max().unwrap_or(0);
    for task in TASKS {
        let source = if task.embedded.is_empty() { "needs a path" } else { "built in, or a path" };
        printer.data(format!("{:width$}  {} ({source})", task.name, task.about));
        for (name, about) in task.variants {
            printer.data(format!("{:width$}    {name}: {about}", ""));
        }
    }
}

/// The entry of a list that was asked for by name, or the first.
fn chosen<'a, T>(all: &'a [T], name: Option<&str>, what: &str, of: impl Fn(&T) -> &str) -> Result<&'a T> {
    let found = match name {
        None => all.first(),
        Some(name) => all.iter().find(|entry| of(entry) == name),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = all.iter().take(12).map(of).collect();
        let more = if all.len() > known.len() { ", ..." } else { "" };
        Error::input(format!("--{what} {:?}", name.unwrap_or_default()), "is not in the study")
            .hint(format!("known: {}{more}", known.join(", ")))
    })
}

fn preview(args: &Preview, printer: Printer) -> Result<()> {
    let study = args.study.as_deref().map_or_else(|| Study::parse(DEMO, "studies/demo.toml"), Study::read)?;
    let entry = chosen(&study.models, args.model.as_deref(), "model", |model| &model.name)?;
    let task = chosen(&study.tasks, args.task.as_deref(), "task", |task| &task.name)?;
    let index = study.tasks.iter().position(|other| other.name == task.name).unwrap_or(0);
    let items = items(&study, index, task)?;
    let item = chosen(&items, args.item.as_deref(), "item", |item| &item.id)?;
    let orders = orders(item, study.dialogue.orders, study.seed);
    let order = orders.get(args.order).ok_or_else(|| {
        let why = format!("the item is asked in {} orders", orders.len());
        Error::input(format!("--order {}", args.order), why).hint("orders are counted from 0")
    })?;
    let setting = Setting::of(&study, entry)?;
    let script = setting.script(&study);
    let names = if args.condition.is_empty() { &study.dialogue.conditions } else { &args.condition };
    for name in names {
        let arm = study.arm(name)?;
        let rounds = args.rounds.unwrap_or(study.dialogue.rounds);
        printer.data(format!("== {}, {}, {name}: {}", task.name, item.id, arm.about));
        shown(&script, item, &arm, order, rounds, args, printer)?;
    }
    Ok(())
}

/// Prints the dialogue of an item under a condition.
fn shown(
    script: &Script<'_>,
    item: &Item,
    arm: &Arm,
    order: &[usize],
    rounds: usize,
    args: &Preview,
    printer: Printer,
) -> Result<()> {
    let mut dialogue = Dialogue::new(item, arm, order.to_vec());
    for round in 0..rounds {
        if arm.feedback.is_some() && round > 0 {
            dialogue.feedback = "[what the reader says]".into();
        }
        for part in dialogue.parts() {
            let last = part == Part::Answer;
            let prompt = script.prompt(&dialogue, part)?;
            let what = if last { "answer" } else { "before the answer" };
            printer.data(format!(
                "-- round {round}, {what}: {} tokens, {} of them new; at most {} follow",
                prompt.ids.len(),
                prompt.new,
                prompt.max_new_tokens
            ));
            printer.data(tokens(script.tokenizer, &prompt, args.tokens)?);
            let said = args.answer.clone().unwrap_or_else(|| answer(item, order, last));
            script.replied(&mut dialogue, &prompt, &script.tokenizer.encode(&said, false)?)?;
            printer.data(format!(">> {said}"));
        }
        script.next_round(&mut dialogue)?;
    }
    Ok(())
}

/// The new part of a prompt, special tokens included.
fn tokens(tokenizer: &Tokenizer, prompt: &Prompt, apart: bool) -> Result<String> {
    let new = &prompt.ids[prompt.ids.len() - prompt.new..];
    if !apart {
        return tokenizer.spelled(new);
    }
    let each = new.iter().map(|&id| tokenizer.spelled(&[id])).collect::<Result<Vec<_>>>()?;
    Ok(each.join("|"))
}

/// What a model might say.
fn answer(item: &Item, order: &[usize], last: bool) -> String {
    let first = order.first().map(|&option| item.options[option].text.as_str());
    match (last, &item.format, first) {
        (true, Format::Letters, Some(text)) => format!("{}) {text}", letter(0)),
        (true, Format::Blank { .. }, Some(text)) => format!(" {text}"),
        (true, Format::Sentence, Some(text)) => text.to_string(),
        _ => "[...]".into(),
    }
}

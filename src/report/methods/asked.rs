//! What models are asked, how, and how their choices are read.

use std::collections::BTreeSet;

use super::{counted, listed};
use crate::Result;
use crate::analysis::summary::Sources;
use crate::study::dialogue::{Orders, Sampling, Scoring};
use crate::study::manifest::Manifest;
use crate::study::{Arm, History, TaskEntry};
use crate::task::{self, Context, Format, Item};

/// The work behind each kind of task.
const SETS: [(&str, &str); 9] = [
    ("bbq", "parrish2022bbq"),
    ("winogender", "rudinger2018gender"),
    ("winogenerated", "perez2022discovering"),
    ("winobias", "zhao2018gender"),
    ("crows-pairs", "nangia2020crows"),
    ("stereoset", "nadeem2021stereoset"),
    ("ethics", "hendrycks2021aligning"),
    ("moral-stories", "emelin2021moral"),
    ("realtoxicityprompts", "gehman2020realtoxicityprompts"),
];

/// A work on a kind of task, as it is cited.
pub(super) fn cited(kind: &str) -> String {
    SETS.iter().find(|(name, _)| *name == kind).map_or_else(String::new, |(_, key)| format!(" [@{key}]"))
}

/// The questions.
pub(super) fn tasks(sources: &Sources<'_>, manifest: &Manifest) -> String {
    let entries = sources.study.tasks.iter().zip(sources.tasks);
    let said: Vec<String> = entries.map(|(entry, (_, items))| said_of(entry, items, manifest)).collect();
    format!("Tasks. {}", said.join(" "))
}

fn said_of(entry: &TaskEntry, items: &[Item], manifest: &Manifest) -> String {
    let distinct = |of: fn(&Item) -> &str| items.iter().map(of).collect::<BTreeSet<_>>().len();
    let groups = distinct(|item| &item.group);
    let categories = match distinct(|item| &item.category) {
        0 | 1 => String::new(),
        n => format!(" in {n} categories"),
    };
    let source = match entry.path {
        Some(_) => "",
        None => ", of the small set that comes with recant",
    };
    let about = task::find(entry.kind()).map_or("", |task| task.about);
    let about = about.split_once(": ").map_or(about, |(_, what)| what);
    let hash = manifest.inputs["tasks"][&entry.name]["sha256"].as_str().unwrap_or_default();
    format!(
        "{}{} asks {about}: {}{categories} in {}{}{source} (SHA-256 {}).",
        entry.name,
        cited(entry.kind()),
        counted(items.len(), "item"),
        counted(groups, "group"),
        chosen(entry),
        super::start(hash),
    )
}

/// What was kept of the set, and how.
fn chosen(entry: &TaskEntry) -> String {
    let mut all = Vec::new();
    if let Some(context) = entry.context {
        let name = match context {
            Context::Ambig => "ambiguous",
            Context::Disambig => "disambiguated",
        };
        all.push(format!("{name} contexts only"));
    }
    if let Some(part) = entry.part {
        let share = entry.held_out.unwrap_or(task::split::SHARE);
        let side = match part {
            task::split::Part::Train => "those not held out",
            task::split::Part::HeldOut => "the held-out ones",
        };
        all.push(format!("{side} of a split by group that holds {:.0} % out", 100.0 * share));
    }
    all.extend(entry.sample.map(|n| format!("{n} drawn by lot of each category")));
    all.extend(entry.limit.map(|n| format!("the first {n} of each category")));
    if all.is_empty() { String::new() } else { format!(", {}", all.join(", ")) }
}

/// What the user says.
///
/// # Errors
/// A condition cannot be resolved.
pub(super) fn conditions(sources: &Sources<'_>) -> Result<String> {
    let study = sources.study;
    let mut formats: Vec<&Format> = Vec::new();
    for item in sources.tasks.iter().flat_map(|(_, items)| items) {
        if formats.iter().all(|known| known.name() != item.format.name()) {
            formats.push(&item.format);
        }
    }
    let arms = study.arms()?;
    let said: Vec<String> = arms.iter().map(|arm| wording(arm, &formats, study.dialogue.rounds)).collect();
    let control = &study.dialogue.conditions[study.control()];
    let after = match study.dialogue.rounds.saturating_sub(1) {
        0 => "there is no other".to_owned(),
        1 => "round 1 asks again".to_owned(),
        n => format!("each of the {n} rounds that follow asks again"),
    };
    let first = match arms.iter().any(|arm| arm.from == 0) {
        true => "Round 0 asks the question, instructed at once where a condition says so",
        false => "Round 0 is the answer before any request to correct it",
    };
    let effects = match sources.concepts.is_empty() || study.dialogue.conditions.len() < 2 {
        true => String::new(),
        false => format!(", effects on concept scores from {control}"),
    };
    let gains = match study.dialogue.conditions.len() {
        1 => String::new(),
        _ => format!(" Gains are counted from {}{effects}.", study.dialogue.conditions[0]),
    };
    Ok(format!("Conditions. {first}; {after}. {}{gains}", said.join(" ")))
}

fn wording(arm: &Arm, formats: &[&Format], rounds: usize) -> String {
    let mut quotes: Vec<String> = Vec::new();
    for format in formats {
        let norm = arm.norm.of(format, 0).unwrap_or_default();
        let texts = if arm.from == 0 { [&arm.question, &arm.say] } else { [&arm.say, &arm.say] };
        for text in texts.iter().flat_map(|texts| (0..rounds).filter_map(|turn| texts.of(format, turn))) {
            let words = text.replace("{norm}", norm).split_whitespace().collect::<Vec<_>>().join(" ");
            let quote = format!("\u{201c}{words}\u{201d}");
            if !quotes.contains(&quote) {
                quotes.push(quote);
            }
        }
    }
    let history = match arm.history {
        History::Linear => "",
        History::None => " The model reads no earlier round.",
        History::Repeated => " The model reads the dialogue twice.",
    };
    let from =
        if arm.from == 0 { "from round 0 on".to_owned() } else { format!("from round {} on", arm.from) };
    let before = match arm.before.len() {
        0 => String::new(),
        n => format!(
            " {} before each answer {} part of the dialogue.",
            counted(n, "exchange"),
            if n == 1 { "is" } else { "are" }
        ),
    };
    let words = listed(&quotes);
    let end = if words.ends_with(".\u{201d}") || words.ends_with("?\u{201d}") { "" } else { "." };
    format!("{} ({}), {from}: {words}{end}{before}{history}", arm.name, arm.about)
}

/// How answers are made and read.
pub(super) fn decoding(sources: &Sources<'_>) -> String {
    let dialogue = &sources.study.dialogue;
    let drawn = dialogue.sampling.map_or_else(|| "greedy".to_owned(), sampled);
    let more = dialogue.samples.map_or_else(String::new, |samples| {
        format!(
            " {} are drawn from each prompt beside it, {}.",
            counted(samples.n, "further answer"),
            sampled(samples.sampling())
        )
    });
    let ends = match (dialogue.stop_at_newline, dialogue.stop.is_empty()) {
        (true, true) => " or to a line break",
        (true, false) => ", a line break or a stop text",
        (false, true) => "",
        (false, false) => " or a stop text",
    };
    let orders = match dialogue.orders {
        Orders::Given => "Options are listed in the order of the set",
        Orders::Shuffled => "Options are listed in one order, drawn for each item",
        Orders::Cyclic => {
            "Each item is asked once in every cyclic order of its options, and option scores are averaged over them"
        }
        Orders::All => {
            "Each item is asked once in every order of its options, and option scores are averaged over them"
        }
    };
    let scorings: Vec<String> =
        dialogue.scoring.iter().map(|scoring| format!("by {}", chosen_by(*scoring))).collect();
    let others = match &scorings[1..] {
        [] => String::new(),
        others => format!(" Beside it stand choices {}.", listed(others)),
    };
    format!(
        "Answers. Decoding is {drawn}, up to {}{ends}.{more}{}",
        counted(dialogue.max_new_tokens, "token"),
        match sources.tasks.iter().any(|(_, items)| items.iter().any(|item| !item.options.is_empty())) {
            true => format!(
                " {orders}. The option is chosen {}; where a set has blanks to fill or sentences to compare, by the \
                 log-probability of the word or sentence.{others}",
                scorings[0]
            ),
            false => String::new(),
        },
    )
}

fn sampled(sampling: Sampling) -> String {
    let mut all = vec![format!("sampled at temperature {}", sampling.temperature)];
    if sampling.top_p < 1.0 {
        all.push(format!("of the most probable tokens with a mass of {}", sampling.top_p));
    }
    if sampling.top_k > 0 {
        all.push(format!("of the {} most probable tokens", sampling.top_k));
    }
    all.join(", ")
}

fn chosen_by(scoring: Scoring) -> &'static str {
    match scoring {
        Scoring::Letter => "the log-probability of its letter",
        Scoring::LetterGiven => "the log-probability of its letter in the first order alone",
        Scoring::TextSum => "the log-probability of its words",
        Scoring::TextMean => "the log-probability of its words per token",
        Scoring::TextPmi => {
            "the pointwise mutual information of its words and the question [@holtzman2021surface]"
        }
        Scoring::TextAlone => "the log-probability of its words as a document",
        Scoring::Parsed => "what the generated text says",
    }
}

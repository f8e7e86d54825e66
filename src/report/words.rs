//! Findings and cautions: what the numbers say, said with their intervals.

use serde_json::Value;

use super::tables::{bracket, findings_of, number};
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{Behaviour, ModelSummary, Movement, Sources};
use crate::study::Orders;
use crate::study::manifest::Manifest;
use crate::task::concept::{Reading, Template};

/// The findings of a run, a sentence each.
#[must_use]
pub fn findings(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Vec<String> {
    let conditions = &sources.study.dialogue.conditions;
    let mut all = Vec::new();
    for summary in summaries {
        all.extend(
            summary.behaviour.iter().filter_map(|behaviour| behaviour_finding(&summary.model, behaviour)),
        );
        all.extend(summary.probes.iter().map(|probes| probe_finding(&summary.model, probes)));
        for movement in &summary.movements {
            let probes = summary.probes.iter().find(|probes| probes.concept == movement.concept);
            let readable = probes.map_or_else(Vec::new, ConceptProbes::readable);
            all.push(movement_finding(conditions, &summary.model, movement, &readable));
        }
    }
    all
}

/// The last round of each condition against round 0.
fn behaviour_finding(model: &str, behaviour: &Behaviour) -> Option<String> {
    let first = behaviour.cells.iter().find(|cell| cell.round == 0)?;
    let rounds = behaviour.cells.iter().map(|cell| cell.round).max()?;
    let last = behaviour.cells.iter().filter(|cell| cell.round == rounds && rounds > 0);
    let changes: Vec<String> = last
        .filter_map(|cell| {
            let change = cell.change?;
            Some(format!("{:+.2}{} under {}", change.value, bracket(change.interval), cell.condition))
        })
        .collect();
    if changes.is_empty() {
        return None;
    }
    Some(format!(
        "{model}, {}: {} is {}{} in round 0 (n = {}). By round {rounds} it has changed by {}.",
        behaviour.measure.title,
        plain(behaviour.measure.axis),
        number(first.value, 2),
        bracket(first.interval),
        first.n,
        changes.join(", "),
    ))
}

/// An axis label as a part of a sentence.
fn plain(axis: &str) -> String {
    let text = axis.replace("_{", " ").replace(['{', '}'], "");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn probe_finding(model: &str, probes: &ConceptProbes) -> String {
    let best = probes.best();
    let probe = &probes.sweep[best];
    let words = probes.words.auroc.value;
    let interval =
        probe.cv.auroc.ci.as_ref().map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low, ci.high));
    let test = probe.permutation.as_ref().map_or_else(String::new, |test| {
        format!(
            " Permuted labels reach the best layer's value with p = {:.3} (largest over layers).",
            test.p_max
        )
    });
    let beats_null = probe.permutation.as_ref().is_some_and(|test| test.p_max < 0.05);
    let floor = words.unwrap_or(0.5).max(0.5);
    let beats_words = probe.cv.auroc.ci.as_ref().is_some_and(|ci| ci.low > floor);
    let verdict = match beats_null && beats_words {
        true => "",
        false => " It does not stand clear of permuted labels and words alone: build nothing on it.",
    };
    format!(
        "{model}: {} is read best at layer {} of {}, AUROC {}{interval} out of fold (n = {} texts in {} groups); \
         a bag of words reads {}.{test}{verdict}",
        probes.concept,
        probes.layers[best],
        probes.layers.len(),
        number(probe.cv.auroc.value, 2),
        probes.words.n,
        probes.words.n_groups,
        number(words, 2),
    )
}

fn movement_finding(conditions: &[String], model: &str, movement: &Movement, readable: &[bool]) -> String {
    let layers = movement.map.passes.iter().flat_map(|layers| layers.iter().zip(readable));
    let cells = layers.filter(|(_, readable)| **readable).flat_map(|(rounds, _)| rounds);
    let (passed, all) = cells.fold((0, 0), |(passed, all), pass| (passed + usize::from(*pass), all + 1));
    if all == 0 {
        return format!(
            "{model}, {}: one round, so the {} score cannot move.",
            movement.task, movement.concept
        );
    }
    let contrasts: Vec<String> = conditions
        .iter()
        .zip(&movement.contrasts)
        .skip(1)
        .filter_map(|(condition, rounds)| {
            let mean = (*rounds.last()?)?;
            Some(format!("{:+.2}{} under {condition}", mean.value, bracket(mean.interval)))
        })
        .collect();
    let against = match contrasts.is_empty() {
        true => String::new(),
        false => format!(
            " In the last round, at layer {}, it stands apart from {} by {} (within-class s.d.).",
            movement.layer,
            conditions[0],
            contrasts.join(", ")
        ),
    };
    format!(
        "{model}, {}: the {} score differs from round 0 in {passed} of {all} cells of condition, readable layer and round (q < 0.05).{against}",
        movement.task, movement.concept,
    )
}

/// Each check that failed, and each model without a chat template.
#[must_use]
pub fn deviations(manifest: &Manifest) -> Vec<String> {
    let failed = findings_of(manifest).filter(|(_, finding)| finding["passed"] == false);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let plain = manifest.without_template().map(|model| {
        format!("{model} has no chat template: it reads a plain transcript, \u{201c}User:\u{201d} and \u{201c}Assistant:\u{201d} before each turn.")
    });
    failed
        .map(|(model, finding)| {
            let (name, found) = (text(&finding["name"]), text(&finding["found"]));
            format!("{model} failed its self-check, {name}: {found}. Its numbers cannot be trusted until this is known.")
        })
        .chain(plain)
        .collect()
}

/// What a reader must know before believing it.
#[must_use]
pub fn cautions(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Vec<String> {
    let mut all = vec![
        match sources.study.dialogue.orders {
            Orders::Cyclic => {
                "The chosen option is the most probable one; option log-probabilities are averaged over the orders in \
                 which options were listed, because small models prefer a letter over a content."
            }
            Orders::Given => {
                "The chosen option is the most probable one, with options in the file's order only: small models prefer a \
                 letter over a content, and nothing here cancels that."
            }
        }
        .to_string(),
        "Concept scores come from probes trained on single statements and read at the end of a prompt: compare scores \
         between rounds and conditions of the same items; their zero means nothing."
            .to_string(),
    ];
    if !sources.concepts.is_empty() {
        all.push(
            "A layer that is called best was chosen by the same scores, which flatters it slightly; probe intervals \
             hold the fits fixed, so trust the permutation test before them. The built-in concepts' wording, position \
             and penalty were settled on SmolLM2-135M."
                .to_string(),
        );
    }
    for concept in sources.concepts {
        let spec = &concept.spec;
        let same = (spec.template, spec.position) == (Template::Chat, Reading::Last);
        if !same || sources.study.probe.position != "last" {
            all.push(format!(
                "The {} probe is trained at {} of {} and read at another kind of position, the {} of a prompt.",
                spec.name,
                if spec.position == Reading::Mean { "the mean over the tokens" } else { "the last token" },
                if spec.template == Template::Raw { "bare statements" } else { "statements in the chat template" },
                sources.study.probe.position,
            ));
        }
    }
    let built_in: Vec<&str> = sources
        .study
        .tasks
        .iter()
        .filter(|task| task.path.is_none())
        .map(|task| task.name.as_str())
        .collect();
    if !built_in.is_empty() {
        all.push(format!(
            "Built-in sets ({}) are small and written for demonstration: use the public sets for claims.",
            built_in.join(", ")
        ));
    }
    for summary in summaries {
        let unparsed = summary
            .behaviour
            .iter()
            .flat_map(|b| &b.cells)
            .filter_map(|cell| cell.unparsed)
            .fold(0.0, f64::max);
        all.push(format!(
            "{}: up to {:.0} % of the generated answers of a condition and round name no option; they are not guessed, \
             and choices do not rest on them.",
            summary.model,
            100.0 * unparsed
        ));
    }
    all
}

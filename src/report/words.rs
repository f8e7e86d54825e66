//! Findings: what the numbers say, said with their intervals.

use super::draw::suffix;
use super::finding::{Finding, Topic};
use super::tables::{bracket, number};
use crate::analysis::bootstrap::Interval;
use crate::analysis::changes::{Cell, Tested};
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{Behaviour, ModelSummary, Movement, Sources};
use crate::study::Study;

/// The findings of a run, a sentence each.
#[must_use]
pub fn findings(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Vec<Finding> {
    let conditions = &sources.study.dialogue.conditions;
    let mut all = Vec::new();
    for summary in summaries {
        let from = all.len();
        for behaviour in summary.behaviour.iter().filter(|behaviour| behaviour.decides) {
            all.extend(behaviour_finding(&summary.model, behaviour));
            all.extend(gain_finding(&conditions[0], &summary.model, behaviour));
        }
        all.extend(summary.probes.iter().map(|probes| probe_finding(&summary.model, probes)));
        for movement in &summary.movements {
            let probes = summary.probes.iter().find(|probes| probes.concept == movement.concept);
            let readable = probes.map_or_else(Vec::new, ConceptProbes::readable);
            all.push(movement_finding(sources.study, &summary.model, movement, &readable));
        }
        let suffix = suffix(sources.study, &summary.model);
        for finding in &mut all[from..] {
            finding.figure = finding.figure.take().map(|figure| figure + &suffix);
        }
    }
    all
}

/// Conditions whose changes are all named.
const NAMED: usize = 6;

/// The last round of each condition against round 0.
fn behaviour_finding(model: &str, behaviour: &Behaviour) -> Option<Finding> {
    let first = behaviour.cells.iter().find(|cell| cell.round == 0)?;
    let rounds = behaviour.cells.iter().map(|cell| cell.round).max()?;
    let last = behaviour.cells.iter().filter(|cell| cell.round == rounds && rounds > 0);
    let changes: Vec<_> = last.filter_map(|cell| Some((cell, cell.change?))).collect();
    // Of many conditions only those are named whose change is clear of nought.
    let all = changes.len() <= NAMED;
    let clear = |interval: Option<Interval>| interval.is_some_and(|i| i.low > 0.0 || i.high < 0.0);
    let named: Vec<String> = changes
        .iter()
        .filter(|(_, change)| all || clear(change.interval))
        .map(|(cell, change)| {
            format!("{:+.2}{} under {}", change.value, bracket(change.interval), cell.condition)
        })
        .collect();
    let told = match (named.len(), changes.len()) {
        (_, 0) => return None,
        (0, others) => {
            format!("By round {rounds} no change under its {others} conditions is clear of nought.")
        }
        (named_n, n) if named_n == n => format!("By round {rounds} it has changed by {}.", named.join(", ")),
        (named_n, n) => format!(
            "By round {rounds} it has changed by {}; under the other {} conditions no change is clear of nought.",
            named.join(", "),
            n - named_n
        ),
    };
    let text = format!(
        "{model}, {}: {} is {}{} in round 0 under {} (n = {}). {told}",
        behaviour.title(),
        plain(behaviour.measure.axis),
        number(first.value, 2),
        bracket(first.interval),
        first.condition,
        first.n,
    );
    let changed = changes.iter().any(|(_, change)| clear(change.interval));
    Some(Finding::new(Topic::Answers, text).clear(changed).at("behaviour"))
}

/// The conditions that stand apart from the first one in the last round, where there are any.
fn gain_finding(baseline: &str, model: &str, behaviour: &Behaviour) -> Option<Finding> {
    let last = behaviour.cells.iter().map(|cell| cell.round).max()?;
    let apart: Vec<String> = behaviour
        .cells
        .iter()
        .filter(|cell| cell.round == last)
        .filter_map(|cell| Some((cell, cell.gain?)))
        .filter(|(_, gain)| gain.q.is_some_and(|q| q < 0.05))
        .map(|(cell, gain)| format!("{} by {:+.2}{}", cell.condition, gain.value, bracket(gain.interval)))
        .collect();
    (!apart.is_empty()).then(|| {
        let text = format!(
            "{model}, {}: in round {last}, {} differs from that under {baseline} (q < 0.05) under {}.",
            behaviour.title(),
            plain(behaviour.measure.axis),
            apart.join(", ")
        );
        Finding::new(Topic::Answers, text).at("behaviour")
    })
}

/// An axis label as a part of a sentence.
fn plain(axis: &str) -> String {
    let text = axis.replace("_{", " ").replace(['{', '}'], "");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn probe_finding(model: &str, probes: &ConceptProbes) -> Finding {
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
    let untrained = probes.best_untrained();
    let control = untrained.map_or_else(String::new, |auroc| {
        format!(", and a probe of the untrained model (random weights) at its best layer {auroc:.2}")
    });
    let doubts: Vec<String> = probes.doubts(best).map(ToString::to_string).collect();
    let verdict = match doubts.is_empty() {
        true => String::new(),
        false => format!(" It is {}: build nothing on it.", doubts.join(", and ")),
    };
    let text = format!(
        "{model}: {} is read best at layer {} of {}, AUROC {}{interval} out of fold (n = {} texts in {} groups); \
         a bag of words reads {}{control}.{test}{verdict}",
        probes.concept,
        probes.layers[best],
        probes.layers.len(),
        number(probe.cv.auroc.value, 2),
        probes.words.n,
        probes.words.n_groups,
        number(words, 2),
    );
    Finding::new(Topic::Probes, text).clear(doubts.is_empty()).at("probe-auroc")
}

/// How often the score changes, and what of it the instruction does beyond another turn.
fn movement_finding(study: &Study, model: &str, movement: &Movement, readable: &[bool]) -> Finding {
    let start = format!("{model}, {}: ", movement.task);
    let (concept, last) = (&movement.concept, study.dialogue.rounds - 1);
    let nothing = |text| Finding::new(Topic::Rounds, text).clear(false).at("concept-rounds");
    if last == 0 {
        return nothing(format!("{start}one round, so the {concept} score cannot move."));
    }
    if !readable.contains(&true) {
        return nothing(format!(
            "{start}no layer's {concept} probe beats its controls, so nothing is said of its score."
        ));
    }
    let main = movement.main();
    let believed = |layers: &'_ [Cell]| -> Vec<Tested> {
        layers.iter().zip(readable).filter_map(|(cell, readable)| cell.change.filter(|_| *readable)).collect()
    };
    let changes: Vec<Tested> = main.cells.iter().flatten().flat_map(|layers| believed(layers)).collect();
    let passed = changes.iter().filter(|change| change.passes()).count();
    let control = study.control();
    let effect = |(arm, condition): (usize, &String)| {
        let effect = movement.at_best(arm, last).effect?;
        let (mean, clear) = (effect.mean, if effect.passes() { "" } else { ", not clear of nought" });
        Some(format!("{:+.2}{} under {condition}{clear}", mean.value, bracket(mean.interval)))
    };
    let conditions = study.dialogue.conditions.iter().enumerate();
    let effects: Vec<String> = conditions.filter(|_| readable[movement.best]).filter_map(effect).collect();
    let beyond = match effects.is_empty() {
        true => String::new(),
        false => format!(
            " Beyond what another turn does under {}, it moves by round {last} at layer {} by {} (within-class s.d.; \
             clear: p < 0.05, sign flips, largest over layers).",
            study.dialogue.conditions[control],
            main.layers[movement.best],
            effects.join(", ")
        ),
    };
    let text = format!(
        "{start}the {concept} score at {} differs from round 0 in {passed} of {} cells of condition, round and readable \
         layer (p < 0.05, sign flips, largest over layers).{beyond}",
        main.site,
        changes.len(),
    );
    Finding::new(Topic::Rounds, text).clear(passed > 0).at("concept-map")
}

//! What is kept of a model's states, and what is read from them and how it is tested.

use super::{counted, listed};
use crate::analysis::measure::EXCHANGES;
use crate::analysis::summary::{FLIPS, Sources};
use crate::study::manifest::Manifest;

/// A position in words.
fn place(name: &str) -> &str {
    match name {
        "last" => "the last token of the prompt",
        "instruction_end" => "the last token of what the user said",
        "answer_first" => "the first token of the answer",
        "answer_last" => "the last token of the answer",
        "answer_mean" => "all tokens of the answer (their mean)",
        other => other,
    }
}

/// Which states are kept.
pub(super) fn captured(sources: &Sources<'_>) -> String {
    let capture = &sources.study.capture;
    let layers = match capture.layers.as_str() {
        "all" => "every layer".to_owned(),
        some => format!("layers {some}"),
    };
    let positions: Vec<&str> = capture.positions.iter().map(|name| place(name)).collect();
    format!(
        "States. At {} of {layers} the states of {} are kept in {}, of every round and condition, in the first order of the \
         options.",
        listed(&capture.sites),
        listed(&positions),
        capture.dtype.name(),
    )
}

/// How concepts are probed; nothing where there are none.
pub(super) fn probes(sources: &Sources<'_>, manifest: &Manifest) -> Option<String> {
    if sources.concepts.is_empty() {
        return None;
    }
    let probe = &sources.study.probe;
    let concepts: Vec<String> = sources
        .concepts
        .iter()
        .map(|concept| {
            let spec = &concept.spec;
            let kind = spec.source.strip_prefix("task:").unwrap_or_default();
            let texts = manifest.inputs["concepts"][&spec.name]["texts"].as_u64().unwrap_or_default();
            format!(
                "{} ({texts} texts{}; positive: {})",
                spec.name,
                super::asked::cited(kind),
                spec.positive.trim_end_matches('.')
            )
        })
        .collect();
    let untrained = match probe.untrained {
        true => ", and the same probe on states of the same network with random weights",
        false => "",
    };
    let permuted = match probe.permutations {
        0 => String::new(),
        n => format!(
            "{} of labels with its largest value over layers [@westfall1993resampling], ",
            counted(n, "exchange")
        ),
    };
    let controls = match probe.controls {
        0 => String::new(),
        n => format!(" Selectivity is counted from {} [@hewitt2019designing].", counted(n, "control task")),
    };
    Some(format!(
        "Probes. Concepts: {}. For each concept, site and layer a logistic regression with an L2 penalty (C = {}) is trained on \
         states standardised on the training folds, with {} that keep groups whole; decisions are out of fold, and calibrated by \
         Platt's method [@platt1999probabilistic]. The main site is {}, read at {}. A probe is believed only if \
         it beats {permuted}a bag of words and the length of the text{untrained}.{controls} The concept score is the decision in within-class standard deviations.",
        listed(&concepts),
        probe.c,
        counted(probe.folds, "fold"),
        probe.site,
        place(&probe.position),
    ))
}

/// How numbers are tested.
pub(super) fn statistics(sources: &Sources<'_>) -> String {
    let probe = &sources.study.probe;
    let of_probes = match sources.concepts.is_empty() {
        true => "",
        false => {
            "; those of the probes' own scores are bias-corrected and accelerated [@efron1987better]. Changes of concept scores \
             are tested by sign flips of whole groups"
        }
    };
    let flips = match sources.concepts.is_empty() {
        true => String::new(),
        false => format!(" ({FLIPS} draws, largest value over layers) [@westfall1993resampling]"),
    };
    let dialogue = &sources.study.dialogue;
    let compared = match dialogue.rounds > 1 || dialogue.conditions.len() > 1 {
        true => format!(
            " Changes and gains of behaviour are of the same items; their p-values come from {EXCHANGES} exchanges of whole groups, \
             counted so that none is 0 [@phipson2010permutation], and are adjusted over all changes or gains of a model \
             [@benjamini1995controlling]."
        ),
        false => String::new(),
    };
    let chosen = sources.tasks.iter().any(|(_, items)| items.iter().any(|item| !item.options.is_empty()));
    let calibrated = match chosen {
        true => " Calibration is the expected error over ten equal bins [@naeini2015obtaining].",
        false => "",
    };
    format!(
        "Statistics. Intervals hold 95 % and come from {} of item groups [@efron1979bootstrap]{of_probes}{flips}.{compared}{calibrated}",
        counted(probe.bootstrap, "bootstrap draw"),
    )
}

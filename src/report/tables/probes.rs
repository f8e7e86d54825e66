//! How well concepts are read, and how their scores move.

use super::{ends, number};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::Table;

/// Probes by layer.
pub fn probe_table(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "probes",
        "Out-of-fold AUROC of the concept probes by layer, beside a bag of words and the untrained model (the same \
         probe on states of the same network with random weights) on the same folds. Intervals: 95 % bootstrap over groups; p: label permutation; p_max: corrected over layers by the largest value.",
        &[
            "model",
            "concept",
            "layer",
            "auroc",
            "low",
            "high",
            "accuracy",
            "p",
            "p_max",
            "words_auroc",
            "words_low",
            "words_high",
            "untrained_auroc",
            "untrained_low",
            "untrained_high",
            "n",
            "groups",
        ],
    );
    for summary in summaries {
        for probes in &summary.probes {
            let words = probes.words.auroc.ci.as_ref();
            for (place, (probe, layer)) in probes.sweep.iter().zip(&probes.layers).enumerate() {
                let untrained = probes.untrained.as_ref().map(|layers| &layers[place].auroc);
                let control = untrained.and_then(|auroc| auroc.ci.as_ref());
                let ci = probe.cv.auroc.ci.as_ref();
                table.rows.push(vec![
                    summary.model.clone(),
                    probes.concept.clone(),
                    layer.to_string(),
                    number(probe.cv.auroc.value, 4),
                    number(ci.map(|ci| ci.low), 4),
                    number(ci.map(|ci| ci.high), 4),
                    number(probe.cv.accuracy.value, 4),
                    number(probe.permutation.as_ref().map(|test| test.p), 4),
                    number(probe.permutation.as_ref().map(|test| test.p_max), 4),
                    number(probes.words.auroc.value, 4),
                    number(words.map(|ci| ci.low), 4),
                    number(words.map(|ci| ci.high), 4),
                    number(untrained.and_then(|auroc| auroc.value), 4),
                    number(control.map(|ci| ci.low), 4),
                    number(control.map(|ci| ci.high), 4),
                    probes.words.n.to_string(),
                    probes.words.n_groups.to_string(),
                ]);
            }
        }
    }
    table
}

/// Concept scores over rounds.
pub fn movement_table(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "concept_rounds",
        "Mean concept score at the concept's best layer, in within-class standard deviations of the concept's own \
         out-of-fold decisions. Intervals: 95 % bootstrap over item groups; contrast: less the score of the same items under the first condition.",
        &[
            "model",
            "concept",
            "task",
            "layer",
            "condition",
            "round",
            "score",
            "low",
            "high",
            "contrast",
            "contrast_low",
            "contrast_high",
            "n",
        ],
    );
    for summary in summaries {
        for movement in &summary.movements {
            let arms = movement.at_best.iter().zip(&movement.contrasts);
            for (arm, (condition, (rounds, contrasts))) in
                sources.study.dialogue.conditions.iter().zip(arms).enumerate()
            {
                for (round, (mean, contrast)) in rounds.iter().zip(contrasts).enumerate() {
                    let (low, high) = ends(mean.and_then(|mean| mean.interval));
                    let contrast = contrast.filter(|_| arm > 0);
                    let (contrast_low, contrast_high) = ends(contrast.and_then(|mean| mean.interval));
                    table.rows.push(vec![
                        summary.model.clone(),
                        movement.concept.clone(),
                        movement.task.clone(),
                        movement.layer.to_string(),
                        condition.clone(),
                        round.to_string(),
                        number(mean.map(|mean| mean.value), 4),
                        low,
                        high,
                        number(contrast.map(|mean| mean.value), 4),
                        contrast_low,
                        contrast_high,
                        mean.map_or_else(String::new, |mean| mean.n.to_string()),
                    ]);
                }
            }
        }
    }
    table
}

//! How what models say and what they hold inside go together.

use super::probes::believed;
use super::{counted, ends, estimate, number, row};
use crate::analysis::correlation::Correlation;
use crate::analysis::relations::Place;
use crate::analysis::summary::ModelSummary;
use crate::report::Table;

/// The tables `superficial`, `behaviour_concept`, `concept_uncertainty`, `cosines` and `transfer`.
pub fn tables(summaries: &[ModelSummary]) -> Vec<Table> {
    vec![
        superficial(summaries),
        coupling(summaries),
        doubt(summaries),
        cosines(summaries),
        transfer(summaries),
    ]
}

/// The cells that say of what a row is.
fn place(summary: &ModelSummary, place: &Place) -> Vec<String> {
    let believed = believed(summary, &place.concept);
    [&summary.model, &place.task, place.context, &place.concept, &place.layers, believed, &place.condition]
        .map(str::to_owned)
        .to_vec()
}

/// Their heads, and more.
fn heads(more: &[&'static str]) -> Vec<&'static str> {
    [&["model", "task", "context", "concept", "layers", "readable", "condition"], more].concat()
}

/// The cells value, low, high, p, n, groups.
fn correlated(found: &Correlation) -> [String; 6] {
    let (low, high) = ends(found.interval);
    [number(found.value, 4), low, high, number(found.p, 4), found.n.to_string(), found.n_groups.to_string()]
}

const CORRELATED: [&str; 6] = ["value", "low", "high", "p", "n", "groups"];

fn superficial(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "superficial",
        "Answers that turn from stereotyped in round 0 to fair in the last round while the concept score does not fall. \
         share: of all items; of_flips: of those that turned; expected: the same if score and answer had nothing to do \
         with each other, and p from how far of_flips is from it (items and groups exchange their changes of score); \
         change: mean change of the score of those that turned. Intervals: 95 % bootstrap over item groups.",
        &heads(&[
            "share",
            "low",
            "high",
            "n",
            "groups",
            "of_flips",
            "of_flips_low",
            "of_flips_high",
            "flips",
            "expected",
            "p",
            "change",
            "change_low",
            "change_high",
        ]),
    );
    for summary in summaries {
        for (of, found) in &summary.relations.superficial {
            table.rows.push(row([
                &place(summary, of),
                &counted(&found.share),
                &[found.n_groups.to_string()],
                &counted(&found.of_flips),
                &[number(found.expected, 4), number(found.p, 4)],
                &estimate(&found.change),
            ]));
        }
    }
    table
}

fn coupling(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "behaviour_concept",
        "Correlation over items of the change of the stereotyped answer's probability with the change of the concept \
         score, last round less round 0. within: group means taken away; within_partial: also the length of the last prompt \
         and the place of the stereotyped answer. Intervals: 95 % bootstrap over item groups; p: two-sided, from exchanges \
         of items, within groups where these are taken away.",
        &heads(&[&["correlation"], &CORRELATED[..]].concat()),
    );
    for summary in summaries {
        for (of, relation, found) in &summary.relations.coupling {
            table.rows.push(row([&place(summary, of), &[relation.name().to_owned()], &correlated(found)]));
        }
    }
    table
}

fn doubt(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "concept_uncertainty",
        "Correlation of the concept score with the model's uncertainty. over rounds: of round means (n: rounds; p over all \
         orders of the rounds); over items: of the items of one round. Intervals: 95 % bootstrap over item groups; p over \
         items: two-sided, from exchanges.",
        &heads(&[&["uncertainty", "over", "round", "correlation"], &CORRELATED[..]].concat()),
    );
    for summary in summaries {
        for (of, doubt, round, relation, found) in &summary.relations.doubt {
            let over = if round.is_some() { "items" } else { "rounds" };
            let round = round.map_or_else(String::new, |round| round.to_string());
            let cells = [doubt.name(), over, &round, relation.name()].map(str::to_owned);
            table.rows.push(row([&place(summary, of), &cells, &correlated(found)]));
        }
    }
    table
}

fn cosines(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "cosines",
        "Cosine of states with a probing vector, mean over a window of layers and over items. statements: mean of the \
         cosines with the positive texts of the concept at the same site and layer; statements_last_layer: with their \
         states at the last layer; direction: with the direction of the probe at the same layer. Intervals: 95 % bootstrap \
         over item groups. Every layer by itself is in the CSV of the figures.",
        &[
            "model",
            "task",
            "concept",
            "site",
            "vector",
            "layers",
            "condition",
            "round",
            "value",
            "low",
            "high",
            "n",
        ],
    );
    for summary in summaries {
        for curve in &summary.relations.curves {
            for (round, mean) in curve.window.iter().enumerate() {
                let round = round.to_string();
                let place = [
                    &summary.model,
                    &curve.task,
                    &curve.concept,
                    &curve.site,
                    curve.vector.name(),
                    &curve.layers,
                    &curve.condition,
                    &round,
                ];
                table.rows.push(row([&place.map(|cell: &str| cell.to_owned()), &counted(mean)]));
            }
        }
    }
    table
}

fn transfer(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "transfer",
        "AUROC of probes trained on one set of states and tested on another; where both are the same, out of fold. Rows of a \
         group are on one side of the split in both sets; shared: groups of the test that the training set has too. cosine, \
         angle in degrees: of the least-squares directions; p: labels of the tested set exchanged; chance: 95 % of cosines \
         under exchange are smaller in size; ceiling: the cosine that noise would leave of one and the same direction. \
         refused: why there is no score. Intervals: 95 % bootstrap over the groups of the test.",
        &[
            "model",
            "matrix",
            "of",
            "train",
            "train_layer",
            "test",
            "test_layer",
            "auroc",
            "low",
            "high",
            "n",
            "groups",
            "shared",
            "cosine",
            "angle",
            "p",
            "chance",
            "ceiling",
            "refused",
        ],
    );
    for summary in summaries {
        for matrix in &summary.relations.transfers {
            for (i, (train, train_layer)) in matrix.sets.iter().enumerate() {
                for (j, (test, test_layer)) in matrix.sets.iter().enumerate() {
                    let (cell, beside) = (&matrix.cells[i][j], &matrix.beside[i][j]);
                    let layers = [train_layer, test_layer].map(ToString::to_string);
                    let place =
                        [&summary.model, matrix.kind, &matrix.of, train, &layers[0], test, &layers[1]];
                    let found = cell.as_ref().ok();
                    let ci = found.and_then(|found| found.auroc.ci);
                    let count = |n: Option<usize>| n.map_or_else(String::new, |n| n.to_string());
                    table.rows.push(row([
                        &place.map(|cell: &str| cell.to_owned()),
                        &[
                            number(found.and_then(|found| found.auroc.value), 4),
                            number(ci.map(|ci| ci.low), 4),
                            number(ci.map(|ci| ci.high), 4),
                            count(found.map(|found| found.n)),
                            count(found.map(|found| found.n_groups)),
                            count(found.map(|found| found.n_shared)),
                            number(beside.cosine, 4),
                            number(beside.angle(), 2),
                            number(beside.p, 4),
                            number(beside.chance, 4),
                            number(beside.ceiling, 4),
                            cell.as_ref().err().map_or_else(String::new, ToString::to_string),
                        ],
                    ]));
                }
            }
        }
    }
    table
}

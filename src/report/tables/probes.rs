//! How well concepts are read, and how their scores move.

use recant_probes::multiple::benjamini_hochberg;
use recant_probes::{Doubt, Estimate};

use super::{ends, fitted, number};
use crate::analysis::changes::{Cell, Tested};
use crate::analysis::paired::Mean;
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::Table;

/// Probes by site, layer and head.
pub fn probe_table(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "probes",
        "Out-of-fold AUROC of the concept probes by site and layer (head_out: by head), beside its controls on the same \
         folds: a bag of words, the length of the text, and the untrained model (the same probe on states of the same network \
         with random weights). Intervals: 95 % bootstrap over groups. p: label permutation; p_max: corrected over the probes \
         of the site by the largest value; q: adjusted over all rows of a model. control: mean AUROC on control tasks, \
         selectivity: what the probe has above it; detectable: the least AUROC that is surely found with so many groups (power 0.8, groups taken for unpaired rows: minimal pairs show less). \
         doubts: what the probe does not beat; readable: that there is none.",
        &[
            "model",
            "concept",
            "site",
            "layer",
            "head",
            "auroc",
            "low",
            "high",
            "accuracy",
            "p",
            "p_max",
            "q",
            "readable",
            "doubts",
            "words_auroc",
            "words_low",
            "words_high",
            "length_auroc",
            "untrained_auroc",
            "untrained_low",
            "untrained_high",
            "control_auroc",
            "selectivity",
            "detectable",
            "n",
            "groups",
        ],
    );
    for summary in summaries {
        let all: Vec<(&ConceptProbes, usize)> = summary
            .probes
            .iter()
            .flat_map(|main| summary.probes_of(&main.concept))
            .flat_map(|probes| (0..probes.sweep.len()).map(move |place| (probes, place)))
            .collect();
        let p = |&(probes, place): &(&ConceptProbes, usize)| {
            probes.sweep[place].permutation.as_ref().map(|t| t.p)
        };
        let q = benjamini_hochberg(&all.iter().map(p).collect::<Vec<_>>());
        let rows = all.iter().zip(q).map(|(&(probes, place), q)| probe_row(&summary.model, probes, place, q));
        table.rows.extend(rows);
    }
    table
}

fn probe_row(model: &str, probes: &ConceptProbes, place: usize, q: Option<f64>) -> Vec<String> {
    let (probe, control) = (&probes.sweep[place], &probes.controls[place]);
    let score = |estimate: &Estimate| fitted(Some(estimate));
    let untrained = probes.untrained.as_ref().map(|layers| score(&layers[place].auroc)).unwrap_or_default();
    let doubts: Vec<String> = probes.doubts(place).map(|doubt| against(doubt).to_owned()).collect();
    let test = probe.permutation.as_ref();
    let mut row = vec![
        model.to_owned(),
        probes.concept.clone(),
        probes.site.to_string(),
        probes.layers[place].to_string(),
        head(probes.heads, place),
    ];
    row.extend(score(&probe.cv.auroc));
    row.extend([
        number(probe.cv.accuracy.value, 4),
        number(test.map(|test| test.p), 4),
        number(test.map(|test| test.p_max), 4),
        number(q, 4),
        if doubts.is_empty() { "yes" } else { "no" }.to_owned(),
        doubts.join(", "),
    ]);
    row.extend(score(&probes.words.auroc));
    row.push(number(probes.length.auroc.value, 4));
    row.extend(untrained);
    row.extend([
        number(control.control_auroc, 4),
        number(control.selectivity(probe.cv.auroc.value), 4),
        number(probes.detectable, 3),
        probes.words.n.to_string(),
        probes.words.n_groups.to_string(),
    ]);
    row
}

/// What a doubt is about, in a word.
fn against(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::Permutation { .. } => "permuted labels",
        Doubt::Words { .. } => "words",
        Doubt::Length { .. } => "length",
        Doubt::Untrained { .. } => "untrained",
        Doubt::Control { .. } => "control task",
    }
}

/// Whether the probe of a concept at the best layer of the main site beats its controls.
pub(super) fn believed(summary: &ModelSummary, concept: &str) -> &'static str {
    let main = summary.probes.iter().find(|probes| probes.concept == concept);
    if main.is_some_and(|probes| probes.readable()[probes.best()]) { "yes" } else { "no" }
}

/// The head of a probe, where each is read by itself.
fn head(heads: Option<usize>, place: usize) -> String {
    heads.map_or_else(String::new, |heads| (place % heads).to_string())
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
            "readable",
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
            let arms = sources.study.dialogue.conditions.iter().zip(&movement.contrasts);
            for (arm, (condition, contrasts)) in arms.enumerate() {
                for (round, contrast) in contrasts.iter().enumerate() {
                    let mean = movement.at_best(arm, round).score;
                    let (low, high) = ends(mean.and_then(|mean| mean.interval));
                    let contrast = contrast.filter(|_| arm > 0);
                    let (contrast_low, contrast_high) = ends(contrast.and_then(|mean| mean.interval));
                    table.rows.push(vec![
                        summary.model.clone(),
                        movement.concept.clone(),
                        movement.task.clone(),
                        movement.main().layers[movement.best].to_string(),
                        believed(summary, &movement.concept).to_owned(),
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

/// The heads of a mean difference and its tests, after `name`.
const TESTED: [&str; 6] = ["", "_low", "_high", "_p", "_p_max", "_q"];

/// Concept scores against round 0 and against the control condition, at every site, position and layer.
pub fn change_table(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Table {
    let control = &sources.study.dialogue.conditions[sources.study.control()];
    let mut heads: Vec<String> =
        ["model", "concept", "task", "site", "position", "layer", "head", "condition", "round"]
            .map(str::to_owned)
            .to_vec();
    heads.extend(["score", "low", "high", "probability"].map(str::to_owned));
    heads.extend(["change", "effect"].iter().flat_map(|kind| TESTED.map(|end| format!("{kind}{end}"))));
    heads.extend(["readable", "n", "groups"].map(str::to_owned));
    let mut table = Table::new(
        "concept_changes",
        format!(
            "Concept scores after round 0 at every site, position and layer, in within-class standard deviations; single \
             heads in the last round. probability: mean calibrated probability; change: from round 0 of the same items; \
             effect: change less that under {control}. Intervals: 95 % bootstrap over item groups; p: sign flips of item groups; p_max: corrected over \
             the layers of a row's site, position, condition and round; q: over all rows (Benjamini and Hochberg)."
        ),
        &heads.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for summary in summaries {
        for movement in &summary.movements {
            for scores in &movement.sites {
                let probes = summary.probes_of(&movement.concept).find(|probes| probes.site == scores.site);
                let readable = probes.map_or_else(Vec::new, ConceptProbes::readable);
                let start = [&summary.model, &movement.concept, &movement.task].map(String::clone);
                for (condition, rounds) in sources.study.dialogue.conditions.iter().zip(&scores.cells) {
                    let shown =
                        if scores.heads.is_some() { rounds.len().saturating_sub(1).max(1) } else { 1 };
                    for (round, cells) in rounds.iter().enumerate().skip(shown) {
                        for (place, cell) in cells.iter().enumerate() {
                            let at = [
                                scores.site.to_string(),
                                scores.position.clone(),
                                scores.layers[place].to_string(),
                                head(scores.heads, place),
                                condition.clone(),
                                round.to_string(),
                            ];
                            let end = if readable[place] { "yes" } else { "no" };
                            table.rows.push([&start[..], &at, &change_cells(cell, end)].concat());
                        }
                    }
                }
            }
        }
    }
    table
}

/// The cells after those that say where.
fn change_cells(cell: &Cell, readable: &str) -> Vec<String> {
    let mean = |mean: Option<Mean>| {
        let interval = mean.and_then(|mean| mean.interval);
        [mean.map(|mean| mean.value), interval.map(|i| i.low), interval.map(|i| i.high)]
            .map(|value| number(value, 3))
    };
    let tested = |tested: Option<Tested>| {
        let test = tested.and_then(|tested| tested.test);
        let p = [test.map(|test| test.p), test.map(|test| test.p_max), tested.and_then(|tested| tested.q)];
        [mean(tested.map(|tested| tested.mean)), p.map(|p| number(p, 4))].concat()
    };
    let groups = cell.score.and_then(|mean| mean.interval).map(|interval| interval.n_groups);
    let end = [
        readable.to_owned(),
        cell.score.map_or_else(String::new, |mean| mean.n.to_string()),
        groups.map_or_else(String::new, |groups| groups.to_string()),
    ];
    let probability = [number(cell.probability, 3)];
    [&mean(cell.score)[..], &probability, &tested(cell.change), &tested(cell.effect), &end].concat()
}

//! What the numbers say of a pair, said where they reach significance and refused where they do not.

use super::in_full;
use crate::analysis::shift::concepts::DIRECTIONS;
use crate::analysis::shift::separation::Apart;
use crate::analysis::shift::{
    Answers, COUNTED, Cell, ConceptCell, ConceptLayer, LayerCell, LayerSeparation, PairShift, Separation,
    Text,
};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::tables::{bracket, number};
use crate::study::TaskEntry;

/// The level of a test.
const ALPHA: f64 = 0.05;
/// How often a cosine must reach the 95 % quantile of both its nulls: a normal deviate of 3.9, so that thirty layers may be
/// looked at.
const TWICE: f64 = 2.0;

/// The findings, a sentence or two each; of a long series of pairs those of the last.
#[must_use]
pub fn findings(sources: &Sources<'_>, summaries: &[ModelSummary], pairs: &[PairShift]) -> Vec<String> {
    let mut all = Vec::new();
    for pair in in_full(pairs) {
        let name = pair.about.name();
        let tasks = || sources.study.tasks.iter().enumerate();
        all.extend(tasks().filter_map(|(_, task)| answered(&name, first(pair, &task.name)?)));
        let condition = &sources.study.dialogue.conditions[pair.condition(0)];
        let asked = |task: &TaskEntry| format!("{}, {condition}, round 0", task.name);
        all.extend(
            tasks().filter_map(|(place, task)| moved(&name, &asked(task), main_cell(sources, pair, place)?)),
        );
        let before = summaries.iter().find(|summary| summary.model == pair.about.before);
        let probes = before.iter().flat_map(|before| &before.probes);
        for (concept, (separation, probes)) in pair.separations.iter().zip(probes).enumerate() {
            let Some(layer) = separation.layers.get(probes.best()) else { continue };
            all.push(verdict(sources, pair, separation, layer));
            let along = tasks().filter_map(|(place, task)| {
                along(&name, &asked(task), &separation.concept, main_concept(pair, place, concept)?)
            });
            all.extend(along);
        }
    }
    all
}

/// What could not be compared, and how to read what was.
#[must_use]
pub fn cautions(pairs: &[PairShift]) -> Vec<String> {
    let mut all: Vec<String> = pairs.iter().flat_map(|pair| pair.about.not_compared()).collect();
    if !pairs.is_empty() {
        all.push(
            "A concept that still reads is hidden only as far as one linear probe of one set of texts tells; one that no longer \
             reads may be kept in a form that no linear probe finds. States of the same words differ by what the weights do; on \
             each model's own words they differ by what was said as well."
                .into(),
        );
    }
    all
}

fn clear(p: Option<f64>) -> bool {
    p.is_some_and(|p| p < ALPHA)
}

fn p_of(p: Option<f64>) -> String {
    p.map_or_else(String::new, |p| format!(", p = {p:.3}"))
}

/// The answers under the first condition in round 0.
fn first<'a>(pair: &'a PairShift, task: &str) -> Option<&'a Answers> {
    pair.answers.iter().find(|answers| answers.task == task && answers.round == 0)
}

fn main_cell<'a>(sources: &Sources<'_>, pair: &'a PairShift, task: usize) -> Option<&'a Cell> {
    let (study, text, condition) = (sources.study, pair.text(), pair.condition(0));
    pair.cells.iter().find(|cell| {
        let place = &cell.place;
        let main = place.site.name() == study.probe.site
            && study.capture.positions[place.position] == study.probe.position;
        main && place.text == text && (place.task, place.condition, place.round) == (task, condition, 0)
    })
}

fn main_concept(pair: &PairShift, task: usize, concept: usize) -> Option<&ConceptCell> {
    let (text, condition) = (pair.text(), pair.condition(0));
    pair.concepts.iter().find(|cell| {
        let place = &cell.place;
        let at = (cell.concept, place.task, place.condition, place.round);
        place.text == text && at == (concept, task, condition, 0)
    })
}

/// What a changed answer is called.
const SAID: [&str; COUNTED.len()] = [
    "the probability of the stereotype's option",
    "the probability of the unknown option",
    "the share of items in which the stereotype's option is chosen",
    "the share that is right",
];

fn answered(pair: &str, answers: &Answers) -> Option<String> {
    let known: Vec<_> =
        SAID.iter().zip(&answers.changes).filter_map(|(name, of)| Some((name, (*of)?))).collect();
    let n = known.first()?.1.change.mean.n;
    let said: Vec<String> = known
        .iter()
        .filter(|(_, counted)| clear(counted.change.test.map(|test| test.p)))
        .map(|(name, counted)| {
            let change = &counted.change;
            format!(
                "{name} from {:.2} to {:.2} ({:+.2}{}{})",
                counted.before,
                counted.after,
                change.mean.value,
                bracket(change.mean.interval),
                p_of(change.test.map(|test| test.p))
            )
        })
        .collect();
    let place = format!("{pair}, {}: under {} in round 0", answers.task, answers.condition);
    Some(match said.is_empty() {
        true => format!("{place} no change of the answers is beyond chance (n = {n})."),
        false => format!("{place} the answers change: {} (n = {n}).", said.join("; ")),
    })
}

fn moved(pair: &str, task: &str, cell: &Cell) -> Option<String> {
    let layers: Vec<_> =
        cell.layers.iter().filter_map(|layer| Some((layer, layer.shift.as_ref()?))).collect();
    let beyond: Vec<_> = layers.iter().filter(|(_, shift)| clear(shift.p_max)).collect();
    let on = match cell.place.text {
        Text::Same => "on the same words",
        Text::Own => "on each model's own words",
    };
    let Some((entered, _)) = beyond.first() else {
        let all = layers.len();
        return (all > 0).then(|| {
            format!("{pair}, {task}: {on} the states of none of {all} layers have moved beyond chance (p over all layers, n = {}).", cell.n)
        });
    };
    let units = |at: &&&(&LayerCell, &recant_probes::Shift)| Some(at.1.norm.value? / at.0.unit?);
    let most = beyond.iter().max_by(|a, b| units(a).unwrap_or(0.0).total_cmp(&units(b).unwrap_or(0.0)))?;
    let unit = most.0.unit?;
    let interval = most
        .1
        .norm
        .ci
        .map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low / unit, ci.high / unit));
    let cka = most.0.alike.as_ref().and_then(|alike| alike.cka.value);
    let spectrum = most.0.spectrum.as_ref().map_or_else(String::new, |spectrum| {
        format!(
            "; {:.0} % of what moved there is one vector, the rest makes it {:.1} directions in all",
            100.0 * spectrum.mean_share,
            spectrum.participation_ratio()
        )
    });
    Some(format!(
        "{pair}, {task}: {on} the states have moved from layer {} on, at {} of {} layers (p < {ALPHA} over all layers, n = {}), most at \
         layer {}: by {}{interval} within-category deviations{spectrum}. CKA there is {}.",
        entered.beside.before.1,
        beyond.len(),
        layers.len(),
        cell.n,
        most.0.beside.before.1,
        number(units(&most), 2),
        number(cka, 2),
    ))
}

/// Whether the shift goes along a concept's direction, by its probe or by the difference of means.
fn along(pair: &str, task: &str, concept: &str, cell: &ConceptCell) -> Option<String> {
    let believed: Vec<&ConceptLayer> = cell.layers.iter().filter(|layer| layer.believed).collect();
    let reach = |layer: &ConceptLayer, which: usize| -> Option<f64> {
        let cosine = &layer.cosines[which];
        let chance = cosine.shuffled?.chance.max(cosine.gaussian?.chance);
        Some(cosine.of_mean.value?.abs() / chance)
    };
    let said: Vec<String> = (0..DIRECTIONS.len())
        .filter_map(|which| {
            let reached = believed.iter().filter_map(|layer| Some((layer, reach(layer, which)?)));
            let found: Vec<_> = reached.filter(|(_, times)| *times > TWICE).collect();
            let (most, _) = found.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let cosine = &most.cosines[which];
            let interval =
                cosine.of_mean.ci.map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low, ci.high));
            Some(format!(
                "by the {} at {} of {}, most at layer {}: cosine {}{interval}, where 95 % of shuffled directions stay within {}",
                DIRECTIONS[which],
                found.len(),
                believed.len(),
                most.beside.before.1,
                number(cosine.of_mean.value, 2),
                number(cosine.shuffled.map(|null| null.chance), 2),
            ))
        })
        .collect();
    let place = format!("{pair}, {task}, the {concept} direction, layers whose probe is believed");
    match (believed.is_empty(), said.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!(
            "{place}: at none of {} does the shift lie along it beyond chance (twice the 95 % quantile of both nulls), neither by the \
             probe nor by the difference of means.",
            believed.len()
        )),
        (false, false) => {
            Some(format!("{place}: the shift lies along it beyond chance {}.", said.join("; ")))
        }
    }
}

/// Whether a concept is gone or hidden, or why that cannot be said.
fn verdict(
    sources: &Sources<'_>,
    pair: &PairShift,
    separation: &Separation,
    layer: &LayerSeparation,
) -> String {
    let (name, concept) = (pair.about.name(), &separation.concept);
    let answers = sources.study.tasks.iter().filter_map(|task| first(pair, &task.name));
    let changed = answers
        .flat_map(|answers| &answers.changes)
        .flatten()
        .any(|counted| clear(counted.change.test.map(|test| test.p)));
    let auroc = |side: &Apart| number(side.auroc.value, 2);
    let (before, after) = (&layer.before, &layer.after);
    let change = &layer.auroc_change;
    let interval =
        change.ci.as_ref().map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low, ci.high));
    let reads = format!(
        "{name}: at layer {}, {concept} reads with AUROC {} before and {} after (change {}{interval}{})",
        layer.beside.before.1,
        auroc(before),
        auroc(after),
        change.value.map_or_else(String::new, |value| format!("{value:+.3}")),
        p_of(change.p),
    );
    let moved = layer.there.as_ref().and_then(|there| there.auroc.value).map_or_else(String::new, |there| {
        format!(
            "; the probe of {} reads the states of {} with {there:.2}",
            pair.about.before, pair.about.after
        )
    });
    let less = clear(change.p) && change.value.is_some_and(|value| value < 0.0);
    let so = match (before.believed, after.believed, changed) {
        (false, _, _) => {
            "The probe is not believed in the model before, so it cannot be told whether the concept is gone or hidden."
        }
        (true, _, false) => {
            "The answers have not changed beyond chance, so there is nothing that could be gone or hidden."
        }
        (true, true, true) if less => {
            "The answers have changed and the concept reads worse, but it still reads: it is weakened, not gone."
        }
        (true, true, true) => {
            "The answers have changed and the concept reads no worse: as far as a linear probe tells it is not gone, and where the answers no \
             longer show it, it is hidden."
        }
        (true, false, true) if less => {
            "The answers have changed and the probe no longer beats its controls: as far as a linear probe tells, the concept is gone."
        }
        (true, false, true) => {
            "The answers have changed and the probe after does not beat its controls, but it does not read worse beyond chance either: \
             whether the concept is gone or hidden is not decided."
        }
    };
    format!("{reads}{moved}. {so}")
}

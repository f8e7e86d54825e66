//! What the numbers say of a pair, said where they reach significance and refused where they do not.

use super::in_full;
use crate::analysis::shift::concepts::DIRECTIONS;
use crate::analysis::shift::separation::Apart;
use crate::analysis::shift::{
    Answers, COUNTED, Cell, ConceptCell, ConceptLayer, LayerCell, LayerSeparation, PairShift, Separation,
    Text,
};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::finding::{Finding, Topic};
use crate::report::tables::{bracket, number};
use crate::study::TaskEntry;

/// The level of a test.
const ALPHA: f64 = 0.05;
/// What part of a deviation may be rounding.
const ROUNDING: f64 = 1e-3;
/// An AUROC that surely falls by less is no worse.
const MARGIN: f64 = 0.02;
/// How often a cosine must reach the 95 % quantile of both its nulls: a normal deviate of 3.9, so that thirty layers may be
/// looked at.
const TWICE: f64 = 2.0;

/// The findings, a sentence or two each; of a long series of pairs those of the last.
#[must_use]
pub fn findings(sources: &Sources<'_>, summaries: &[ModelSummary], pairs: &[PairShift]) -> Vec<Finding> {
    let mut all = Vec::new();
    for pair in in_full(pairs) {
        let name = pair.about.name();
        let tasks = || sources.study.tasks.iter().enumerate();
        all.extend(tasks().filter_map(|(_, task)| answered(&name, first(pair, &task.name)?)));
        let condition = &sources.study.dialogue.conditions[pair.condition(0)];
        let asked = |task: &TaskEntry| format!("{}, {condition}, round 0", task.name);
        all.extend(
            tasks().filter_map(|(place, task)| moved(&name, &asked(task), pair.main(sources.study, place)?)),
        );
        let before = summaries.iter().find(|summary| summary.model == pair.about.before);
        let probes = before.iter().flat_map(|before| &before.probes);
        for (concept, (separation, probes)) in pair.separations.iter().zip(probes).enumerate() {
            let Some(layer) = separation.layers.get(probes.best()) else { continue };
            all.push(verdict(sources, pair, separation, layer));
            let along = tasks().filter_map(|(place, task)| {
                let cells = (pair.concept(place, concept)?, pair.main(sources.study, place)?);
                along(&name, &asked(task), &separation.concept, cells)
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

/// What a changed answer is called.
const SAID: [&str; COUNTED.len()] = [
    "the probability of the stereotype's option",
    "the probability of the unknown option",
    "the share of items in which the stereotype's option is chosen",
    "the share that is right",
];

fn answered(pair: &str, answers: &Answers) -> Option<Finding> {
    let known: Vec<_> =
        SAID.iter().zip(&answers.changes).filter_map(|(name, of)| Some((name, (*of)?))).collect();
    known.first()?;
    if known.iter().all(|(_, counted)| counted.change.test.is_none()) {
        return None;
    }
    let said: Vec<String> = known
        .iter()
        .filter(|(_, counted)| clear(counted.change.test.map(|test| test.p)))
        .map(|(name, counted)| {
            let change = &counted.change;
            format!(
                "{name} from {:.2} to {:.2} ({:+.2}{}{}, n = {})",
                counted.before,
                counted.after,
                change.mean.value,
                bracket(change.mean.interval),
                p_of(change.test.map(|test| test.p)),
                change.mean.n,
            )
        })
        .collect();
    let place = format!("{pair}, {}: under {} in round 0", answers.task, answers.condition);
    let text = match said.is_empty() {
        true => format!("{place} no change of the answers is beyond chance."),
        false => format!("{place} the answers change: {}.", said.join("; ")),
    };
    Some(Finding::new(Topic::Answers, text).clear(!said.is_empty()))
}

fn moved(pair: &str, task: &str, cell: &Cell) -> Option<Finding> {
    let layers: Vec<_> =
        cell.layers.iter().filter_map(|layer| Some((layer, layer.shift.as_ref()?))).collect();
    // Less than a thousandth of a deviation is rounding.
    let real = |layer: &LayerCell, norm: Option<f64>| {
        norm.zip(layer.unit).is_none_or(|(norm, unit)| norm > ROUNDING * unit)
    };
    let beyond: Vec<_> =
        layers.iter().filter(|(layer, shift)| clear(shift.p_max) && real(layer, shift.norm.value)).collect();
    if layers.iter().all(|(_, shift)| shift.p_max.is_none()) {
        return None;
    }
    let on = match cell.place.text {
        Text::Same => "on the same words",
        Text::Own => "on each model's own words",
    };
    let Some((entered, _)) = beyond.first() else {
        let all = layers.len();
        return (all > 0).then(|| {
            let text = format!("{pair}, {task}: {on} the states of none of {all} layers have moved beyond chance (p over all layers, n = {}).", cell.n);
            Finding::new(Topic::Shift, text).clear(false).at("shift-size")
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
    let text = format!(
        "{pair}, {task}: {on} the states have moved at {} of {} layers, layer {} first (p < {ALPHA} over all layers, n = {}), most at \
         layer {}: by {}{interval} within-category deviations{spectrum}. CKA there is {}.",
        beyond.len(),
        layers.len(),
        entered.beside.before.1,
        cell.n,
        most.0.beside.before.1,
        number(units(&most), 2),
        number(cka, 2),
    );
    Some(Finding::new(Topic::Shift, text).at("shift-size"))
}

/// Whether the shift goes along a concept's direction, by its probe or by the difference of means.
fn along(pair: &str, task: &str, concept: &str, (cell, moved): (&ConceptCell, &Cell)) -> Option<Finding> {
    // A shift that chance explains has no direction of its own.
    let shifted = |place: usize| {
        let shift = moved.layers.get(place).and_then(|layer| layer.shift.as_ref());
        shift.is_some_and(|shift| clear(shift.p_max))
    };
    let believed: Vec<&ConceptLayer> = cell
        .layers
        .iter()
        .enumerate()
        .filter(|(place, layer)| layer.believed && shifted(*place))
        .map(|(_, layer)| layer)
        .collect();
    let reach = |layer: &ConceptLayer, which: usize| -> Option<f64> {
        let cosine = &layer.cosines[which];
        let chance = cosine.shuffled?.chance.max(cosine.gaussian?.chance);
        Some(cosine.of_mean.value?.abs() / chance)
    };
    let said: Vec<String> = (0..DIRECTIONS.len())
        .filter_map(|which| {
            let reached = believed.iter().filter_map(|layer| Some((layer, reach(layer, which)?)));
            let sure = |layer: &ConceptLayer| {
                layer.cosines[which].of_mean.ci.is_some_and(|ci| ci.low > 0.0 || ci.high < 0.0)
            };
            let found: Vec<_> =
                reached.filter(|(layer, times)| *times > TWICE && sure(layer)).collect();
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
    let place =
        format!("{pair}, {task}, the {concept} direction, layers that moved and whose probe is believed");
    let text = match said.is_empty() {
        true => format!(
            "{place}: at none of {} does the shift lie along it beyond chance (twice the 95 % quantile of both nulls), neither by the \
             probe nor by the difference of means.",
            believed.len()
        ),
        false => format!("{place}: the shift lies along it beyond chance {}.", said.join("; ")),
    };
    let finding = Finding::new(Topic::Shift, text).clear(!said.is_empty()).at(format!("shift-cosine-{pair}"));
    (!believed.is_empty()).then_some(finding)
}

/// Whether the stereotype's option lost under the first condition in round 0.
enum Lost {
    /// There was nothing to test, or too few groups for any p to be small.
    Untested,
    /// Not beyond chance.
    No,
    /// How.
    Yes(String),
}

/// Looks at its probability and at how often it is chosen, in every task, with p times the number of tests (Bonferroni).
fn lost(sources: &Sources<'_>, pair: &PairShift) -> Lost {
    let answers = sources.study.tasks.iter().filter_map(|task| first(pair, &task.name));
    let counts = answers.flat_map(|answers| [0, 2].map(|which| (answers, which)));
    let tested: Vec<_> = counts
        .filter_map(|(answers, which)| {
            let counted = answers.changes[which]?;
            Some((answers, which, counted, counted.change.test?.p))
        })
        .collect();
    let corrected = |p: f64| p * tested.len() as f64;
    let found =
        tested.iter().filter(|(_, _, counted, p)| counted.change.mean.value < 0.0 && corrected(*p) < ALPHA);
    match found.min_by(|a, b| a.3.total_cmp(&b.3)) {
        _ if tested.is_empty() => Lost::Untested,
        None => Lost::No,
        Some((answers, which, counted, _)) => Lost::Yes(format!(
            "In {} {} fell from {:.2} to {:.2}",
            answers.task, SAID[*which], counted.before, counted.after
        )),
    }
}

/// Whether a concept is gone or hidden, or why that cannot be said.
fn verdict(
    sources: &Sources<'_>,
    pair: &PairShift,
    separation: &Separation,
    layer: &LayerSeparation,
) -> Finding {
    let (name, concept) = (pair.about.name(), &separation.concept);
    let lost = lost(sources, pair);
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
    let no_worse = change.ci.as_ref().is_some_and(|ci| ci.low > -MARGIN);
    let so = match (&lost, before.believed, after.believed) {
        (Lost::Untested, _, _) => "Whether the stereotype's option lost was not tested (no options, or too few groups), so it cannot be told \
             what is gone or hidden."
            .into(),
        (_, false, _) => "The probe is not believed in the model before, so it cannot be told whether the concept is gone or hidden.".into(),
        (Lost::No, true, _) => "The stereotype's option has not lost beyond chance, so there is nothing that could be gone or hidden.".into(),
        (Lost::Yes(what), true, true) if less => format!("{what}, and the concept reads worse, but still reads: it is weakened, not gone."),
        (Lost::Yes(what), true, true) if no_worse => format!(
            "{what}, and the concept reads no worse (surely by less than {MARGIN}): as far as a linear probe tells it is not gone, and where \
             the answers no longer show it, it is hidden."
        ),
        (Lost::Yes(what), true, false) if less => {
            format!("{what}, and the probe no longer beats its controls: as far as a linear probe tells, the concept is gone.")
        }
        (Lost::Yes(what), true, _) => {
            format!("{what}; whether the concept reads worse is not decided, and so neither is whether it is gone or hidden.")
        }
    };
    let told = matches!(lost, Lost::Yes(_)) && before.believed;
    let figure = format!("shift-separation-{}", pair.about.name());
    Finding::new(Topic::Shift, format!("{reads}{moved}. {so}")).clear(told).at(figure)
}

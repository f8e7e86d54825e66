//! The tables of shifts. A number that is undefined is an empty cell.

use recant_probes::{CosineNull, Difference};

use crate::analysis::changes::Tested;
use crate::analysis::shift::concepts::DIRECTIONS;
use crate::analysis::shift::{Beside, COUNTED, Cell, PairShift, Place, PromptShift};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::Table;
use crate::report::tables::{ends, fitted, number};

/// The tables of all pairs.
#[must_use]
pub fn tables(sources: &Sources<'_>, pairs: &[PairShift]) -> Vec<Table> {
    let all = [answers(pairs), states(sources, pairs), concepts(sources, pairs), separations(pairs)];
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn answers(pairs: &[PairShift]) -> Table {
    let mut table = Table::new(
        "shift_answers",
        "How the answers of the model after differ from those of the model before, of the same items: mean probability of the \
         stereotype's option and of the unknown one, share of items in which the stereotype's was chosen, share right. \
         Differences with bootstrap intervals over item groups and sign-flip p.",
        &["pair", "task", "condition", "round", "of", "n", "before", "after", "change", "low", "high", "p"],
    );
    for pair in pairs {
        for answers in &pair.answers {
            for (name, counted) in COUNTED.iter().zip(&answers.changes) {
                let Some(counted) = counted else { continue };
                let Tested { mean, test, .. } = counted.change;
                let (low, high) = ends(mean.interval);
                table.rows.push(vec![
                    pair.about.name(),
                    answers.task.clone(),
                    answers.condition.clone(),
                    answers.round.to_string(),
                    (*name).to_string(),
                    mean.n.to_string(),
                    number(Some(counted.before), 4),
                    number(Some(counted.after), 4),
                    number(Some(mean.value), 4),
                    low,
                    high,
                    number(test.map(|test| test.p), 4),
                ]);
            }
        }
    }
    table
}

/// The heads of [`place`].
const PLACE: [&str; 7] = ["pair", "text", "task", "site", "position", "condition", "round"];

fn place(sources: &Sources<'_>, pair: &PairShift, place: &Place) -> Vec<String> {
    let study = sources.study;
    vec![
        pair.about.name(),
        place.text.name().into(),
        study.tasks[place.task].name.clone(),
        place.site.name().into(),
        study.capture.positions[place.position].clone(),
        study.dialogue.conditions[place.condition].clone(),
        place.round.to_string(),
    ]
}

/// The heads of [`beside`].
const BESIDE: [&str; 3] = ["layer", "layer_after", "depth"];

fn beside(beside: &Beside) -> Vec<String> {
    vec![beside.before.1.to_string(), beside.after.1.to_string(), number(Some(beside.depth), 4)]
}

fn heads(parts: &[&[&'static str]]) -> Vec<&'static str> {
    parts.concat()
}

fn states(sources: &Sources<'_>, pairs: &[PairShift]) -> Table {
    let columns = heads(&[
        &PLACE,
        &BESIDE,
        &[
            "head", "n", "groups", "norm", "low", "high", "unbiased", "chance", "p", "p_max", "unit",
            "in_units",
        ],
        &["mean_share", "participation", "k90", "cka", "cka_low", "cka_high", "procrustes", "angle"],
    ]);
    let mut table = Table::new(
        "shift",
        "Mean shift of states from the model before to the model after, item by item, on each model's own words and on the same \
         words. norm: its length, with bootstrap interval over item groups; unbiased: freed of noise; chance: 95 % quantile under \
         sign flips of groups; p_max: the largest over layers. unit: within-category deviation of the states before; in_units: \
         norm / unit. mean_share: part of the energy along the mean; participation: effective number of directions; k90: directions \
         that carry 90 %. cka: debiased linear CKA (jackknife over groups); procrustes: orthogonal Procrustes distance; angle: the \
         largest angle between the five leading principal directions, degrees.",
        &columns,
    );
    for pair in pairs {
        for cell in &pair.cells {
            let own = place(sources, pair, &cell.place);
            table.rows.extend(state_rows(cell).map(|row| [own.clone(), row].concat()));
        }
    }
    table
}

fn state_rows(cell: &Cell) -> impl Iterator<Item = Vec<String>> {
    cell.layers.iter().map(|layer| {
        let (shift, spectrum, alike) = (layer.shift.as_ref(), layer.spectrum.as_ref(), layer.alike.as_ref());
        let norm = shift.and_then(|shift| shift.norm.value);
        let of = |value: Option<f64>| number(value, 4);
        let mut row = beside(&layer.beside);
        row.push(layer.head.map_or_else(String::new, |head| head.to_string()));
        row.extend([cell.n.to_string(), cell.groups.to_string()]);
        row.extend(fitted(shift.map(|shift| &shift.norm)));
        row.extend([
            of(shift.and_then(|shift| shift.unbiased)),
            of(shift.and_then(|shift| shift.chance)),
            of(shift.and_then(|shift| shift.p)),
            of(shift.and_then(|shift| shift.p_max)),
            of(layer.unit),
            of(norm.zip(layer.unit).map(|(norm, unit)| norm / unit)),
            of(spectrum.map(|spectrum| spectrum.mean_share)),
            of(spectrum.map(|spectrum| spectrum.participation_ratio())),
            spectrum
                .and_then(|spectrum| spectrum.directions_for(0.9).ok())
                .map_or_else(String::new, |k| k.to_string()),
        ]);
        row.extend(fitted(alike.map(|alike| &alike.cka)));
        row.push(of(alike.and_then(|alike| alike.procrustes)));
        row.push(of(alike.and_then(|alike| alike.angles.last().copied())));
        row
    })
}

fn null(null: Option<&CosineNull>) -> Vec<String> {
    vec![number(null.map(|null| null.chance), 4), number(null.map(|null| null.p), 4)]
}

/// The heads of a cosine with its nulls.
const COSINE: [&str; 10] = [
    "cosine",
    "low",
    "high",
    "shuffled",
    "shuffled_p",
    "gaussian",
    "gaussian_p",
    "mean_cosine",
    "mean_cosine_low",
    "mean_cosine_high",
];

fn cosine(found: &recant_probes::ShiftCosine) -> Vec<String> {
    let mut row = fitted(Some(&found.of_mean)).to_vec();
    row.extend(null(found.shuffled.as_ref()));
    row.extend(null(found.gaussian.as_ref()));
    row.extend(fitted(Some(&found.of_rows)));
    row
}

fn concepts(sources: &Sources<'_>, pairs: &[PairShift]) -> Table {
    let columns = heads(&[
        &PLACE,
        &["concept"],
        &BESIDE,
        &["direction", "believed", "n"],
        &COSINE,
        &["score_before", "score_after", "change", "change_low", "change_high", "p", "p_max"],
        &["d", "d_low", "d_high", "higher", "sd_ratio", "overlap"],
    ]);
    let mut table = Table::new(
        "shift_concepts",
        "The shift along each concept's direction in the model before. cosine: of the mean shift, with bootstrap interval over item \
         groups; shuffled, gaussian: 95 % quantile of |cosine| with the direction's coordinates shuffled and with random directions, \
         and p; mean_cosine: mean over items of each item's own. Scores by the frozen probe of the model before, in its within-class \
         standard deviations (rows of direction probe): change with sign-flip p, p_max over layers; d: standardised mean difference; \
         higher: probability that a score after exceeds one before; overlap of both distributions. believed: the probe beats all its \
         controls.",
        &columns,
    );
    for pair in pairs {
        for cell in &pair.concepts {
            let mut own = place(sources, pair, &cell.place);
            own.push(sources.concepts[cell.concept].spec.name.clone());
            for layer in &cell.layers {
                for (which, (name, found)) in DIRECTIONS.iter().zip(&layer.cosines).enumerate() {
                    let mut row = [own.clone(), beside(&layer.beside)].concat();
                    row.extend([(*name).to_string(), layer.believed.to_string(), cell.n.to_string()]);
                    row.extend(cosine(found));
                    row.extend(if which == 0 { scores(layer) } else { vec![String::new(); 13] });
                    table.rows.push(row);
                }
            }
        }
    }
    table
}

fn scores(layer: &crate::analysis::shift::ConceptLayer) -> Vec<String> {
    let mean = |scores: &Vec<f64>| scores.iter().sum::<f64>() / scores.len() as f64;
    let change = layer.change.as_ref();
    let (low, high) = ends(change.and_then(|change| change.mean.interval));
    let test = change.and_then(|change| change.test);
    let mut row = vec![
        number(Some(mean(&layer.scores[0])), 4),
        number(Some(mean(&layer.scores[1])), 4),
        number(change.map(|change| change.mean.value), 4),
        low,
        high,
        number(test.map(|test| test.p), 4),
        number(test.map(|test| test.p_max), 4),
    ];
    row.extend(fitted(Some(&layer.effect.d)));
    row.extend([
        number(layer.effect.higher.value, 4),
        number(layer.effect.sd_ratio.value, 4),
        number(layer.effect.overlap, 4),
    ]);
    row
}

fn difference(found: &Difference) -> Vec<String> {
    vec![
        number(found.value, 4),
        number(found.ci.as_ref().map(|ci| ci.low), 4),
        number(found.ci.as_ref().map(|ci| ci.high), 4),
        number(found.p, 4),
    ]
}

fn separations(pairs: &[PairShift]) -> Table {
    let columns = heads(&[
        &["pair", "concept"],
        &BESIDE,
        &["auroc_before", "auroc_before_low", "auroc_before_high", "believed_before"],
        &["auroc_after", "auroc_after_low", "auroc_after_high", "believed_after"],
        &["auroc_change", "auroc_change_low", "auroc_change_high", "auroc_change_p"],
        &["d_before", "d_after", "d_change", "d_change_low", "d_change_high", "d_change_p"],
        &["there", "there_low", "there_high", "back", "back_low", "back_high"],
        &["cosine", "angle", "ceiling", "cosine_p"],
    ]);
    let mut table = Table::new(
        "shift_separation",
        "How far the classes of a concept stand apart in both models, on its own texts, out of fold: AUROC and d' (distance of class \
         means in within-class standard deviations), the change of the same texts on the same folds with bootstrap interval over \
         groups and p of exchanging the models within groups. there, back: AUROC of the probe of one model on the states of the \
         other. cosine, angle: of the two directions; ceiling: the cosine that two fits of one direction would have, given their \
         noise.",
        &columns,
    );
    for pair in pairs {
        for separation in &pair.separations {
            for layer in &separation.layers {
                let mut row = vec![pair.about.name(), separation.concept.clone()];
                row.extend(beside(&layer.beside));
                for side in [&layer.before, &layer.after] {
                    row.extend(fitted(Some(&side.auroc)));
                    row.push(side.believed.to_string());
                }
                row.extend(difference(&layer.auroc_change));
                row.extend([&layer.before, &layer.after].map(|side| number(side.d_prime.value, 4)));
                row.extend(difference(&layer.d_prime_change));
                for moved in [&layer.there, &layer.back] {
                    row.extend(fitted(moved.as_ref().map(|moved| &moved.auroc)));
                }
                let beside = layer.directions.as_ref();
                row.extend([
                    number(beside.and_then(|beside| beside.cosine), 4),
                    number(beside.and_then(|beside| beside.angle()), 2),
                    number(beside.and_then(|beside| beside.ceiling), 4),
                    number(beside.and_then(|beside| beside.p), 4),
                ]);
                table.rows.push(row);
            }
        }
    }
    table
}

/// The shift of each model from round to round beside the directions of concepts; nothing without one.
#[must_use]
pub fn prompt_table(
    sources: &Sources<'_>,
    summaries: &[ModelSummary],
    moved: &[Vec<PromptShift>],
) -> Option<Table> {
    let columns = heads(&[
        &["model", "task", "condition", "round", "concept", "mode", "direction", "layer", "n"],
        &COSINE,
    ]);
    let mut table = Table::new(
        "prompt_shift",
        "The shift of a model's states from the round before beside each concept's direction at every layer: that of the same layer \
         (matched), and that of the last hidden state after the final norm whatever the layer (final, as first published; the two \
         are not of one space). cosine: of the mean shift, bootstrap interval over item groups; shuffled, gaussian: 95 % quantiles \
         of |cosine| under both nulls, and p; mean_cosine: mean over items.",
        &columns,
    );
    let study = sources.study;
    for (summary, shifts) in summaries.iter().zip(moved) {
        for shift in shifts {
            let layers = &summary.probes[shift.concept].layers;
            for (layer, both) in layers.iter().zip(&shift.layers) {
                for (name, found) in DIRECTIONS.iter().zip(both) {
                    let mut row = vec![
                        summary.model.clone(),
                        study.tasks[shift.task].name.clone(),
                        study.dialogue.conditions[shift.condition].clone(),
                        shift.round.to_string(),
                        sources.concepts[shift.concept].spec.name.clone(),
                        shift.mode.name().into(),
                        (*name).to_string(),
                        layer.to_string(),
                        shift.n.to_string(),
                    ];
                    row.extend(cosine(found));
                    table.rows.push(row);
                }
            }
        }
    }
    Some(table).filter(|table| !table.rows.is_empty())
}

//! Figures of what lies between two models.

use recant_figures::{
    Curve, CurvePanel, CurvePoint, Curves, Depth, DistributionPanel, DistributionRow, Distributions,
    LayerProfile, NullBand, Profile, ProfilePanel, Reference, Sample, Series,
};

use recant_probes::ShiftCosine;

use super::{Planned, series};
use crate::analysis::shift::concepts::DIRECTIONS;
use crate::analysis::shift::{Cell, LayerCell, Mode, PairShift, PromptShift};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::report::shift::in_full;
use crate::report::tables::number;

/// Parts of the depth whose spectra are drawn.
const DEPTHS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

const OVER_GROUPS: &str = "95 % bootstrap intervals over item groups";

/// The figures of all pairs.
#[must_use]
pub fn figures(sources: &Sources<'_>, summaries: &[ModelSummary], pairs: &[PairShift]) -> Vec<Planned> {
    let mut all = Vec::new();
    if !pairs.is_empty() {
        all.extend(size(sources, pairs).map(Planned::new));
        all.extend(likeness(sources, pairs).map(Planned::new));
    }
    for pair in in_full(pairs) {
        let summary = summaries.iter().find(|summary| summary.model == pair.about.before);
        all.extend(cosines(sources, pair).map(Planned::new));
        all.extend(separations(pair).map(Planned::new));
        let projections = summary.and_then(|summary| projections(sources, summary, pair));
        all.extend(projections.map(Planned::new));
        all.extend(spectra(sources, pair).map(Planned::new));
    }
    all
}

/// A model's shift from round to round beside the directions of concepts; nothing without one.
#[must_use]
pub fn prompt(sources: &Sources<'_>, model: &str, shifts: &[PromptShift]) -> Option<Planned> {
    let figure =
        prompt_figure(sources, format!("prompt-shift{}", super::suffix(sources.study, model)), shifts);
    figure.map(|figure| Planned::new(figure).of(model))
}

/// The cells of a task at the main site and position, under the first condition in round 0 for several pairs; of one pair
/// in every round under the condition that is shown.
fn wanted<'a>(sources: &Sources<'_>, pair: &'a PairShift, task: usize, alone: bool) -> Vec<&'a Cell> {
    if !alone {
        return pair.main(sources.study, task).into_iter().collect();
    }
    let (text, condition) = (pair.text(), pair.condition(sources.study.shown()));
    let own = |cell: &&Cell| {
        let place = &cell.place;
        (place.text, place.task, place.condition) == (text, task, condition) && place.is_main(sources.study)
    };
    pair.cells.iter().filter(own).collect()
}

fn label(sources: &Sources<'_>, pair: &PairShift, cell: &Cell, alone: bool) -> String {
    match alone {
        true => format!("round {}", cell.place.round),
        false if sources.study.models.len() > 2 => pair.about.after.clone(),
        false => pair.about.name(),
    }
}

fn in_units(layer: &LayerCell, value: Option<f64>) -> Option<f64> {
    value.zip(layer.unit).map(|(value, unit)| value / unit)
}

fn size(sources: &Sources<'_>, pairs: &[PairShift]) -> Option<LayerProfile> {
    let alone = pairs.len() == 1;
    let panel = |task: usize| -> Option<ProfilePanel> {
        let cells: Vec<(&PairShift, &Cell)> = pairs
            .iter()
            .filter(|pair| pair.about.other_axes.is_none())
            .flat_map(|pair| wanted(sources, pair, task, alone).into_iter().map(move |cell| (pair, cell)))
            .collect();
        let profile = |(pair, cell): &(&PairShift, &Cell)| {
            let point = |layer: &LayerCell| {
                let norm = layer.shift.as_ref().map(|shift| shift.norm);
                let of = |value: f64| in_units(layer, Some(value));
                let interval = norm.and_then(|norm| norm.ci).and_then(|ci| Some((of(ci.low)?, of(ci.high)?)));
                (in_units(layer, norm.and_then(|norm| norm.value)), interval)
            };
            let passes = |layer: &LayerCell| {
                layer.shift.as_ref().and_then(|shift| shift.p_max).is_some_and(|p| p < 0.05)
            };
            Profile {
                scores: series(&label(sources, pair, cell, alone), cell.layers.iter().map(point)),
                passes: cell.layers.iter().map(passes).collect(),
                mark_best: false,
            }
        };
        let (_, first) = cells.first()?;
        let chance = |layer: &LayerCell| in_units(layer, layer.shift.as_ref().and_then(|shift| shift.chance));
        let hi: Vec<Option<f64>> = first.layers.iter().map(chance).collect();
        let lo = hi.iter().map(|hi| hi.map(|_| 0.0)).collect();
        Some(ProfilePanel {
            title: format!("{} (n = {})", sources.study.tasks[task].name, first.n),
            profiles: cells.iter().map(profile).collect(),
            null: hi.iter().any(Option::is_some).then(|| NullBand {
                label: "signs flipped, 95 %".into(),
                lo,
                hi,
            }),
            ..ProfilePanel::default()
        })
        .filter(|panel| panel.profiles.iter().any(|profile| profile.scores.value.iter().any(Option::is_some)))
    };
    let panels: Vec<ProfilePanel> = (0..sources.study.tasks.len()).filter_map(panel).collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name: "shift-size".into(),
        panels,
        x_label: "Layer".into(),
        y_label: "Mean shift (within-category s.d.)".into(),
        interval: OVER_GROUPS.into(),
        significance: "p < 0.05, sign flips of item groups, max over layers".into(),
        ordered: true,
        ..LayerProfile::default()
    })
}

/// A number of a layer with its interval.
type Number = fn(&LayerCell) -> (Option<f64>, Option<(f64, f64)>);

fn likeness(sources: &Sources<'_>, pairs: &[PairShift]) -> Option<Curves> {
    let alone = pairs.len() == 1;
    let measures: [(&str, &str, Number); 3] = [
        ("CKA", "Debiased linear CKA", |layer| {
            let cka = layer.alike.as_ref().map(|alike| alike.cka);
            let interval = cka.and_then(|cka| cka.ci).map(|ci| (ci.low, ci.high));
            (cka.and_then(|cka| cka.value), interval)
        }),
        ("Procrustes", "Procrustes distance", |layer| {
            (layer.alike.as_ref().and_then(|a| a.procrustes), None)
        }),
        ("Angle", "Largest of 5 angles (degrees)", |layer| {
            (layer.alike.as_ref().and_then(|alike| alike.angles.last().copied()), None)
        }),
    ];
    let mut panels = Vec::new();
    for task in 0..sources.study.tasks.len() {
        for (title, y_label, of) in measures {
            let curve = |pair: &PairShift, cell: &Cell| Curve {
                label: label(sources, pair, cell, alone),
                points: cell
                    .layers
                    .iter()
                    .filter_map(|layer| {
                        let (value, interval) = of(layer);
                        Some(CurvePoint { x: layer.beside.before.1 as f64, y: Some(value?), interval })
                    })
                    .collect(),
                marked: false,
            };
            let lines: Vec<Curve> = pairs
                .iter()
                .flat_map(|pair| wanted(sources, pair, task, alone).into_iter().map(move |cell| (pair, cell)))
                .map(|(pair, cell)| curve(pair, cell))
                .filter(|curve| !curve.points.is_empty())
                .collect();
            if !lines.is_empty() {
                let title = format!("{title}, {}", sources.study.tasks[task].name);
                panels.push(CurvePanel {
                    title,
                    y_label: y_label.into(),
                    ordered: true,
                    lines,
                    ..CurvePanel::default()
                });
            }
        }
    }
    (!panels.is_empty()).then(|| Curves {
        name: "shift-likeness".into(),
        panels,
        x_label: "Layer".into(),
        interval: "95 % jackknife intervals over item groups (CKA)".into(),
        columns: Some(3),
    })
}

/// Cosines by layer before those with shuffled coordinates; None where there is no cosine.
fn cosine_panel<'a>(
    title: String,
    profiles: Vec<Profile>,
    nulls: impl Iterator<Item = &'a ShiftCosine>,
) -> Option<ProfilePanel> {
    let hi: Vec<Option<f64>> = nulls.map(|cosine| cosine.shuffled.map(|null| null.chance)).collect();
    let any = profiles.iter().any(|profile| profile.scores.value.iter().any(Option::is_some));
    any.then(|| ProfilePanel {
        title,
        profiles,
        references: vec![Reference { label: String::new(), value: 0.0, interval: None }],
        null: Some(NullBand {
            label: "coordinates shuffled, 95 %".into(),
            lo: hi.iter().map(|hi| hi.map(|hi| -hi)).collect(),
            hi,
        }),
        ..ProfilePanel::default()
    })
}

fn cosines(sources: &Sources<'_>, pair: &PairShift) -> Option<LayerProfile> {
    let mut panels = Vec::new();
    for (concept, spec) in sources.concepts.iter().enumerate() {
        for (task, entry) in sources.study.tasks.iter().enumerate() {
            let Some(cell) = pair.concept(task, concept) else { continue };
            let profile = |which: usize| Profile {
                scores: series(
                    DIRECTIONS[which],
                    cell.layers.iter().map(|layer| super::cv(&layer.cosines[which].of_mean)),
                ),
                passes: Vec::new(),
                mark_best: false,
            };
            let title = format!("{}, {} (n = {})", spec.spec.name, entry.name, cell.n);
            let nulls = cell.layers.iter().map(|layer| &layer.cosines[0]);
            panels.extend(cosine_panel(title, (0..2).map(profile).collect(), nulls));
        }
    }
    (!panels.is_empty()).then(|| LayerProfile {
        name: format!("shift-cosine-{}", pair.about.name()),
        panels,
        x_label: "Layer".into(),
        y_label: "Cosine of shift and concept".into(),
        interval: OVER_GROUPS.into(),
        ..LayerProfile::default()
    })
}

fn separations(pair: &PairShift) -> Option<LayerProfile> {
    let panels = pair.separations.iter().map(|separation| {
        let of =
            |label: String, point: &dyn Fn(usize) -> (Option<f64>, Option<(f64, f64)>), passes: Vec<bool>| {
                let scores: Series = series(&label, (0..separation.layers.len()).map(point));
                Profile { scores, passes, mark_best: false }
            };
        let layers = &separation.layers;
        let (before, after) = (&pair.about.before, &pair.about.after);
        let moved = |transfer: &Option<recant_probes::Transfer>| {
            transfer.as_ref().map_or((None, None), |moved| super::cv(&moved.auroc))
        };
        let mut profiles = vec![
            of(
                before.clone(),
                &|place| super::cv(&layers[place].before.auroc),
                layers.iter().map(|layer| layer.before.believed).collect(),
            ),
            of(
                after.clone(),
                &|place| super::cv(&layers[place].after.auroc),
                layers.iter().map(|layer| layer.after.believed).collect(),
            ),
            of(format!("{before} on {after}"), &|place| moved(&layers[place].there), Vec::new()),
            of(format!("{after} on {before}"), &|place| moved(&layers[place].back), Vec::new()),
        ];
        profiles.retain(|profile| profile.scores.value.iter().any(Option::is_some));
        ProfilePanel {
            title: separation.concept.clone(),
            profiles,
            references: vec![Reference { label: "chance".into(), value: 0.5, interval: None }],
            ..ProfilePanel::default()
        }
    });
    let panels: Vec<ProfilePanel> = panels.filter(|panel| !panel.profiles.is_empty()).collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name: format!("shift-separation-{}", pair.about.name()),
        panels,
        x_label: "Layer".into(),
        y_label: "AUROC".into(),
        y_range: Some((0.4, 1.0)),
        interval: "95 % bootstrap intervals over groups of texts, the fits held fixed".into(),
        significance: super::BELIEVED.into(),
        ..LayerProfile::default()
    })
}

/// Scores at the best layer of each concept's probe, model beside model.
fn projections(sources: &Sources<'_>, summary: &ModelSummary, pair: &PairShift) -> Option<Distributions> {
    let (study, text) = (sources.study, pair.text());
    let last = study.dialogue.rounds - 1;
    let mut panels = Vec::new();
    for (concept, probes) in summary.probes.iter().enumerate() {
        let best = probes.best();
        for (task, entry) in study.tasks.iter().enumerate() {
            let own = |condition: usize, round: usize| {
                pair.concepts.iter().find(|cell| {
                    let place = &cell.place;
                    let at = (place.task, place.condition, place.round);
                    cell.concept == concept && place.text == text && at == (task, condition, round)
                })
            };
            let mut wanted = vec![(0, 0), (0, last), (study.shown(), last)];
            wanted.dedup();
            let row = |(condition, round): (usize, usize)| {
                let layer = own(condition, round)?.layers.get(best)?;
                let effect = &layer.effect.d;
                let interval = effect
                    .ci
                    .as_ref()
                    .map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low, ci.high));
                Some(DistributionRow {
                    label: format!("{}, round {round}", study.dialogue.conditions[condition]),
                    samples: [&pair.about.before, &pair.about.after]
                        .into_iter()
                        .zip(&layer.scores)
                        .map(|(label, values)| Sample { label: label.clone(), values: values.clone() })
                        .collect(),
                    note: effect.value.map_or_else(String::new, |_| {
                        format!("d = {}{interval}", number(effect.value, 2)).replace('-', "\u{2212}")
                    }),
                })
            };
            let rows: Vec<DistributionRow> = wanted.into_iter().filter_map(row).collect();
            if !rows.is_empty() {
                let title = format!("{}, {}, layer {}", probes.concept, entry.name, probes.layers[best]);
                panels.push(DistributionPanel { title, rows });
            }
        }
    }
    (!panels.is_empty()).then(|| Distributions {
        name: format!("shift-projections-{}", pair.about.name()),
        panels,
        x_label: "Concept score (within-class s.d.)".into(),
        note: "standardised difference of the means, 95 % bootstrap interval over item groups".into(),
        ..Distributions::default()
    })
}

fn spectra(sources: &Sources<'_>, pair: &PairShift) -> Option<Curves> {
    let panel = |task: usize| {
        let cell = pair.main(sources.study, task)?;
        let count = cell.layers.len();
        let mut places: Vec<usize> = DEPTHS
            .iter()
            .map(|depth| ((depth * count as f64).round() as usize).clamp(1, count) - 1)
            .collect();
        places.dedup();
        let curve = |place: usize| {
            let layer = &cell.layers[place];
            let shares = layer.spectrum.as_ref()?.cumulative();
            let point =
                |(k, share): (usize, f64)| CurvePoint { x: (k + 1) as f64, y: Some(share), interval: None };
            Some(Curve {
                label: format!("layer {}", layer.beside.before.1),
                points: shares.into_iter().enumerate().map(point).collect(),
                marked: false,
            })
        };
        let lines: Vec<Curve> = places.into_iter().filter_map(curve).collect();
        (!lines.is_empty()).then(|| CurvePanel {
            title: format!("{} (n = {})", sources.study.tasks[task].name, cell.n),
            y_label: "Share of the shift's energy".into(),
            y_range: Some((0.0, 1.0)),
            log_x: true,
            ordered: true,
            lines,
            ..CurvePanel::default()
        })
    };
    let panels: Vec<CurvePanel> = (0..sources.study.tasks.len()).filter_map(panel).collect();
    (!panels.is_empty()).then(|| Curves {
        name: format!("shift-spectrum-{}", pair.about.name()),
        panels,
        x_label: "Directions".into(),
        interval: String::new(),
        columns: None,
    })
}

/// The first correction, a line a condition, beside the probe's direction.
fn prompt_figure(sources: &Sources<'_>, name: String, shifts: &[PromptShift]) -> Option<LayerProfile> {
    let study = sources.study;
    let mut panels = Vec::new();
    for (concept, spec) in sources.concepts.iter().enumerate() {
        for (task, entry) in study.tasks.iter().enumerate() {
            for mode in [Mode::Matched, Mode::Final] {
                let own: Vec<&PromptShift> = shifts
                    .iter()
                    .filter(|shift| (shift.concept, shift.task, shift.round) == (concept, task, 1))
                    .filter(|shift| shift.mode == mode)
                    .collect();
                let Some(first) = own.first() else { continue };
                let profile = |shift: &&PromptShift| Profile {
                    scores: series(
                        &study.dialogue.conditions[shift.condition],
                        shift.layers.iter().map(|both| super::cv(&both[0].of_mean)),
                    ),
                    passes: Vec::new(),
                    mark_best: false,
                };
                let title = format!("{}, {}, {} (n = {})", spec.spec.name, entry.name, mode.name(), first.n);
                let nulls = first.layers.iter().map(|both| &both[0]);
                panels.extend(cosine_panel(title, own.iter().map(profile).collect(), nulls));
            }
        }
    }
    (!panels.is_empty()).then(|| LayerProfile {
        name,
        panels,
        x_label: "Relative depth".into(),
        y_label: "Cosine of shift and concept".into(),
        interval: OVER_GROUPS.into(),
        depth: Depth::Relative,
        // Both modes of a concept and task side by side.
        columns: Some(2),
        ..LayerProfile::default()
    })
}

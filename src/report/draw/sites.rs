//! Attention against MLP against the residual stream, and head against head.

use recant_figures::{
    HeatColours, HeatMap, LayerProfile, LayerRoundMap, MapRow, Profile, ProfilePanel, Reference,
};

use super::{counted, series};
use crate::analysis::changes::{Cell, SiteScores, Tested};
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{ModelSummary, Movement};
use crate::study::Study;

/// Held-out AUROC by layer, a line for each site that is read whole; None where that is one.
pub fn auroc(study: &Study, summary: &ModelSummary, name: String) -> Option<LayerProfile> {
    let panel = |main: &ConceptProbes| {
        let chance = Reference { label: "chance".into(), value: 0.5, interval: None };
        let words = main.words.auroc.value.map(|value| Reference {
            label: "bag of words".into(),
            value,
            interval: None,
        });
        let profile = |probes: &ConceptProbes| Profile {
            scores: series(probes.site.name(), probes.sweep.iter().map(|probe| super::cv(&probe.cv.auroc))),
            passes: if study.probe.permutations > 0 { probes.readable() } else { Vec::new() },
            mark_best: false,
        };
        let whole = summary.probes_of(&main.concept).filter(|probes| probes.heads.is_none());
        ProfilePanel {
            baselines: Vec::new(),
            title: super::concept_title(main),
            profiles: whole.map(profile).collect(),
            references: std::iter::once(chance).chain(words).collect(),
            null: None,
        }
    };
    let panels: Vec<ProfilePanel> = summary.probes.iter().map(panel).collect();
    panels.iter().any(|panel| panel.profiles.len() > 1).then(|| LayerProfile {
        name,
        panels,
        x_label: "Layer".into(),
        y_label: "AUROC".into(),
        y_range: Some((0.4, 1.0)),
        interval: "95 % bootstrap intervals over groups, the fits held fixed".into(),
        significance: super::BELIEVED.into(),
        ..LayerProfile::default()
    })
}

/// Change of the score from round 0 to the last round by layer under one condition, a line for each site that is read
/// whole. A layer whose probe is not believed has no value.
pub fn changes(study: &Study, summary: &ModelSummary, name: String) -> Option<LayerProfile> {
    let condition = study.shown();
    let mut panels = Vec::new();
    for movement in &summary.movements {
        let main_position = |scores: &&SiteScores| scores.position == study.probe.position;
        let whole = movement.sites.iter().filter(main_position).filter(|scores| scores.heads.is_none());
        let profiles: Vec<Profile> = whole
            .filter_map(|scores| {
                let seen = last(summary, movement, scores, condition)?;
                let point = |tested: &Option<Tested>| {
                    let mean = tested.map(|tested| tested.mean);
                    (mean.map(|m| m.value), mean.and_then(|m| m.interval).map(|i| (i.low, i.high)))
                };
                Some(Profile {
                    scores: series(scores.site.name(), seen.iter().map(point)),
                    passes: seen.iter().map(|tested| tested.is_some_and(|t| t.passes())).collect(),
                    mark_best: false,
                })
            })
            .collect();
        if profiles.iter().any(|profile| profile.scores.value.iter().any(Option::is_some)) {
            panels.push(ProfilePanel {
                baselines: Vec::new(),
                title: title(movement),
                profiles,
                references: vec![Reference { label: "no change".into(), value: 0.0, interval: None }],
                null: None,
            });
        }
    }
    panels.iter().any(|panel| panel.profiles.len() > 1).then(|| LayerProfile {
        name,
        panels,
        x_label: "Layer".into(),
        y_label: change_label(study, condition),
        y_range: None,
        interval:
            "95 % bootstrap intervals over item groups; gaps where a probe does not beat permuted labels"
                .into(),
        significance: "p < 0.05, sign flips of item groups, max over layers".into(),
        ..LayerProfile::default()
    })
}

/// Held-out AUROC of every head, a map for each concept; None where no site is read head by head.
pub fn head_auroc(study: &Study, summary: &ModelSummary, name: String) -> Option<LayerRoundMap> {
    let map = |probes: &ConceptProbes| {
        let heads = probes.heads.unwrap_or(1);
        let values: Vec<Option<f64>> = probes.sweep.iter().map(|probe| probe.cv.auroc.value).collect();
        HeatMap {
            title: super::concept_title(probes),
            values: by_layer(&values, heads),
            passes: if study.probe.permutations > 0 {
                by_layer(&probes.readable(), heads)
            } else {
                Vec::new()
            },
        }
    };
    let maps: Vec<HeatMap> = summary.others.iter().filter(|probes| probes.heads.is_some()).map(map).collect();
    (!maps.is_empty()).then(|| LayerRoundMap {
        name,
        rows: vec![row(maps)],
        x_label: "Head".into(),
        y_label: "Layer".into(),
        value_label: "AUROC of a head's output".into(),
        colours: HeatColours::Diverging { null: 0.5, reach: None },
        significance: "p < 0.05, permuted labels, largest over layers and heads".into(),
    })
}

/// Change of the score from round 0 to the last round of every head under one condition, a map for each concept and
/// task. A head whose probe is not believed has no value.
pub fn head_changes(study: &Study, summary: &ModelSummary, name: String) -> Option<LayerRoundMap> {
    let condition = study.shown();
    let mut maps = Vec::new();
    for movement in &summary.movements {
        let of_heads =
            |scores: &&SiteScores| scores.heads.is_some() && scores.position == study.probe.position;
        let Some(scores) = movement.sites.iter().find(of_heads) else { continue };
        let Some(seen) = last(summary, movement, scores, condition) else { continue };
        let values: Vec<Option<f64>> = seen.iter().map(|tested| tested.map(|t| t.mean.value)).collect();
        let passes: Vec<bool> = seen.iter().map(|tested| tested.is_some_and(|t| t.passes())).collect();
        let heads = scores.heads.unwrap_or(1);
        maps.push(HeatMap {
            title: title(movement),
            values: by_layer(&values, heads),
            passes: by_layer(&passes, heads),
        });
    }
    maps.iter().any(|map| map.values.iter().flatten().any(Option::is_some)).then(|| LayerRoundMap {
        name,
        rows: vec![row(maps)],
        x_label: "Head".into(),
        y_label: "Layer".into(),
        value_label: change_label(study, condition),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance:
            "p < 0.05, sign flips of item groups, largest over layers and heads; no colour where a head's \
                       probe does not beat permuted labels"
                .into(),
    })
}

/// The changes from round 0 to the last round, of probes that are believed; None with one round.
pub(super) fn last(
    summary: &ModelSummary,
    movement: &Movement,
    scores: &SiteScores,
    condition: usize,
) -> Option<Vec<Option<Tested>>> {
    let probes = summary.probes_of(&movement.concept).find(|probes| probes.site == scores.site)?;
    let cells: &Vec<Cell> = scores.cells[condition].last().filter(|_| scores.cells[condition].len() > 1)?;
    let believed = probes.readable();
    Some(cells.iter().zip(believed).map(|(cell, believed)| cell.change.filter(|_| believed)).collect())
}

fn change_label(study: &Study, condition: usize) -> String {
    format!(
        "Change of score, round 0 to {}, {} (s.d.)",
        study.dialogue.rounds - 1,
        study.dialogue.conditions[condition]
    )
}

/// A concept and a task with the number of items scored.
pub fn title(movement: &Movement) -> String {
    let n = movement.main().cells.iter().flatten().flatten().filter_map(|cell| Some(cell.score?.n));
    counted(&format!("{}, {}", movement.concept, movement.task), n)
}

/// Values of probes in the order of layers, then heads, as rows.
fn by_layer<T: Clone>(values: &[T], heads: usize) -> Vec<Vec<T>> {
    values.chunks(heads).map(<[T]>::to_vec).collect()
}

/// Maps side by side; the title of one alone stands above the row, where the caption names it.
fn row(mut maps: Vec<HeatMap>) -> MapRow {
    let title = match &mut maps[..] {
        [one] => std::mem::take(&mut one.title),
        _ => String::new(),
    };
    MapRow { title, maps }
}

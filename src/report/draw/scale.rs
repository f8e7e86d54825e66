//! Scores against the size of models or the step of their alignment.

use recant_figures::{ModelScale, Reference, Role, ScaleModel, ScalePanel, ScoreByScale, Series};

use super::series;
use crate::analysis::summary::{Cell, ModelSummary};
use crate::study::{ModelEntry, Study};

/// Figures for each scale that the study's models differ on, a panel a measure: the last round of every condition, and
/// where there are several the first round, which all conditions share that begin with a correction.
pub fn scores_by_scale(study: &Study, summaries: &[ModelSummary]) -> Vec<ScoreByScale> {
    let scales = [
        ("score-by-size", "Parameters", ModelScale::Parameters),
        ("score-by-step", "Alignment step", ModelScale::Step),
    ];
    let last = study.dialogue.rounds - 1;
    let rounds: Vec<(usize, &str)> =
        [(last, ""), (0, "-round-0")].into_iter().take(last.min(1) + 1).collect();
    let each = scales.into_iter().flat_map(|scale| rounds.iter().map(move |&round| (scale, round)));
    let figure = |((name, x_label, scale), (round, suffix)): ((&str, &str, ModelScale), (usize, &str))| {
        let of = |entry: &ModelEntry| match scale {
            ModelScale::Parameters => entry.size,
            ModelScale::Step => entry.step,
        };
        let placed: Vec<(&ModelEntry, &ModelSummary, f64)> = study
            .models
            .iter()
            .zip(summaries)
            .filter_map(|(entry, summary)| Some((entry, summary, of(entry)?)))
            .collect();
        let differ = placed.iter().any(|(_, _, at)| *at != placed[0].2);
        let panels = if differ { panels(study, &placed, round) } else { Vec::new() };
        (!panels.is_empty()).then(|| ScoreByScale {
            name: format!("{name}{suffix}"),
            scale,
            models: placed.iter().map(|(entry, _, at)| model(entry, *at)).collect(),
            panels,
            x_label: x_label.into(),
            interval: "95 % bootstrap intervals over item groups".into(),
            columns: None,
        })
    };
    each.filter_map(figure).collect()
}

fn model(entry: &ModelEntry, at: f64) -> ScaleModel {
    let role = if entry.role.as_deref() == Some("base") { Role::Base } else { Role::Aligned };
    ScaleModel { name: entry.name.clone(), at, role, family: String::new() }
}

fn panels(study: &Study, placed: &[(&ModelEntry, &ModelSummary, f64)], round: usize) -> Vec<ScalePanel> {
    let first_alone = round == 0 && study.dialogue.rounds > 1;
    let conditions = if first_alone { 1 } else { study.dialogue.conditions.len() };
    let Some((_, first, _)) = placed.first() else { return Vec::new() };
    let mut panels = Vec::new();
    for shown in first.behaviour.iter().filter(|behaviour| behaviour.decides) {
        let line = |condition: &String| {
            let cells: Vec<_> = placed
                .iter()
                .map(|(_, summary, _)| {
                    let behaviour = summary.behaviour.iter().filter(|b| b.decides);
                    let mut same =
                        behaviour.filter(|b| b.task == shown.task && b.measure.name == shown.measure.name);
                    let cells = same.next().into_iter().flat_map(|behaviour| &behaviour.cells);
                    cells.into_iter().find(|cell| cell.condition == *condition && cell.round == round)
                })
                .collect();
            let point = |cell: Option<&Cell>| {
                cell.map_or((None, None), |cell| (cell.value, cell.interval.map(|i| (i.low, i.high))))
            };
            series(condition, cells.into_iter().map(point))
        };
        let lines: Vec<Series> = study.dialogue.conditions[..conditions].iter().map(line).collect();
        if lines.iter().any(|line| line.value.iter().any(Option::is_some)) {
            let reference = shown.measure.reference.iter();
            panels.push(ScalePanel {
                title: format!("{}, round {round}", shown.title()),
                y_label: shown.measure.axis.into(),
                y_range: Some(shown.measure.range),
                lines,
                references: reference
                    .map(|&(label, value)| Reference { label: label.into(), value, interval: None })
                    .collect(),
            });
        }
    }
    panels
}

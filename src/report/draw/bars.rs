//! Measures of behaviour in the last round, condition by condition and model by model.

use recant_figures::{BarBracket, BarPanel, ModelBars, Reference};

use super::{counted, series};
use crate::analysis::summary::{Behaviour, Cell, ModelSummary};
use crate::study::Study;

/// The level below which a difference from the first condition has a bracket.
const ALPHA: f64 = 0.05;

/// A panel a deciding measure; None where there is one condition.
pub fn last_round(study: &Study, summaries: &[ModelSummary]) -> Option<ModelBars> {
    let conditions = &study.dialogue.conditions;
    let measures = summaries.first().map_or(&[][..], |summary| &summary.behaviour);
    let deciding = measures.iter().filter(|behaviour| behaviour.decides);
    let panels: Vec<BarPanel> = deciding.filter_map(|behaviour| panel(study, summaries, behaviour)).collect();
    (conditions.len() > 1 && !panels.is_empty()).then(|| ModelBars {
        name: "last-round".into(),
        panels,
        x_label: String::new(),
        interval: "95 % bootstrap intervals over item groups".into(),
        test: format!(
            "differs from {} in round {} (q < {ALPHA}; sign flips of item groups, Benjamini and Hochberg 1995); q is \
             written as p",
            conditions[0],
            study.dialogue.rounds - 1
        ),
        columns: None,
    })
}

fn panel(study: &Study, summaries: &[ModelSummary], of: &Behaviour) -> Option<BarPanel> {
    let last = study.dialogue.rounds - 1;
    let conditions = &study.dialogue.conditions;
    let same = |other: &&Behaviour| {
        other.decides && other.task == of.task && std::ptr::eq(other.measure, of.measure)
    };
    let own: Vec<Option<&Behaviour>> =
        summaries.iter().map(|summary| summary.behaviour.iter().find(same)).collect();
    let cell = |model: usize, condition: &str| -> Option<&Cell> {
        own[model]?.cells.iter().find(|cell| cell.round == last && cell.condition == condition)
    };
    let models = 0..summaries.len();
    let bar = |condition: &String| {
        let value = |model| {
            let cell = cell(model, condition);
            let interval = cell.and_then(|cell| cell.interval).map(|i| (i.low, i.high));
            (cell.and_then(|cell| cell.value), interval)
        };
        series(condition, models.clone().map(value))
    };
    let bracket = |(model, condition): (usize, &String)| {
        let q = cell(model, condition)?.gain?.q.filter(|q| *q < ALPHA)?;
        let between = (conditions[0].clone(), condition.clone());
        Some(BarBracket { group: model, between, p: q })
    };
    let pairs = models.clone().flat_map(|model| conditions[1..].iter().map(move |name| (model, name)));
    let cells =
        || models.clone().flat_map(|model| conditions.iter().filter_map(move |name| cell(model, name)));
    cells().any(|cell| cell.value.is_some()).then(|| BarPanel {
        title: counted(&of.title(), cells().map(|cell| cell.n)),
        y_label: of.measure.axis.into(),
        y_range: None,
        groups: summaries.iter().map(|summary| summary.model.clone()).collect(),
        bars: conditions.iter().map(bar).collect(),
        brackets: pairs.filter_map(bracket).collect(),
        references: of
            .measure
            .reference
            .iter()
            .filter(|(_, value)| *value != 0.0)
            .map(|&(label, value)| Reference { label: label.into(), value, interval: None })
            .collect(),
    })
}

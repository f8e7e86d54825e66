//! What conditions did to behaviour by the last round, model beside model.

use recant_figures::{BarModel, BarPanel, Bracket, ModelBars, Reference};

use super::{counted, series, split};
use crate::analysis::summary::{Behaviour, Cell, ModelSummary};
use crate::study::Study;

/// Below this a difference from the first condition has a bracket.
const SURE: f64 = 0.05;

/// A panel a measure that decides, a group of bars a condition, a bar a model: the last round, with round 0 as a line
/// across each bar. Brackets show which conditions stand apart from the first. Several figures where there are many
/// conditions; none where there is but one bar to draw.
pub fn bars(study: &Study, summaries: &[ModelSummary]) -> Vec<ModelBars> {
    let conditions = &study.dialogue.conditions;
    let Some(first) = summaries.first().filter(|_| conditions.len() * summaries.len() > 1) else {
        return Vec::new();
    };
    let part = |(number, chosen): (usize, Vec<usize>)| {
        let names: Vec<&str> = chosen.iter().map(|&condition| conditions[condition].as_str()).collect();
        let deciding = first.behaviour.iter().filter(|behaviour| behaviour.decides);
        let panels: Vec<BarPanel> =
            deciding.filter_map(|shown| panel(study, summaries, shown, &names)).collect();
        let crowded = names.len() * summaries.len() > 12;
        (!panels.is_empty()).then(|| ModelBars {
            name: split::numbered("behaviour-bars", number),
            panels,
            interval: "95 % bootstrap intervals over item groups".into(),
            before: "round 0".into(),
            test: format!(
                "conditions that differ from {} in round {} with q < .05 (the same items, item groups exchanging their \
                 conditions, adjusted over all such differences of a model by Benjamini and Hochberg)",
                conditions[0],
                study.dialogue.rounds - 1
            ),
            symbol: "q".into(),
            columns: crowded.then_some(2),
            ..ModelBars::default()
        })
    };
    split::parts(conditions.len()).into_iter().enumerate().filter_map(part).collect()
}

/// The panel of a measure; None where no model has a value.
fn panel(
    study: &Study,
    summaries: &[ModelSummary],
    shown: &Behaviour,
    conditions: &[&str],
) -> Option<BarPanel> {
    let last = study.dialogue.rounds - 1;
    let found: Vec<(&ModelSummary, &Behaviour)> = summaries
        .iter()
        .filter_map(|summary| {
            let mut deciding = summary.behaviour.iter().filter(|behaviour| behaviour.decides);
            let same = deciding.find(|b| b.task == shown.task && b.measure.name == shown.measure.name)?;
            Some((summary, same))
        })
        .collect();
    let at = |behaviour: &'_ Behaviour, condition: &str, round: usize| -> Option<Cell> {
        let mut cells = behaviour.cells.iter();
        cells.find(|cell| cell.condition == condition && cell.round == round).cloned()
    };
    let cells: Vec<Vec<Option<Cell>>> = found
        .iter()
        .map(|(_, behaviour)| conditions.iter().map(|condition| at(behaviour, condition, last)).collect())
        .collect();
    if !cells.iter().flatten().flatten().any(|cell| cell.value.is_some()) {
        return None;
    }
    let models = found.iter().zip(&cells).map(|((summary, behaviour), cells)| {
        let point = |cell: &Option<Cell>| {
            let cell = cell.as_ref();
            let interval = cell.and_then(|cell| cell.interval).map(|i| (i.low, i.high));
            (cell.and_then(|cell| cell.value), interval)
        };
        let begun = |condition: &&str| at(behaviour, condition, 0).and_then(|cell| cell.value);
        let before = conditions.iter().filter(|_| last > 0).map(begun).collect();
        BarModel { scores: series(&summary.model, cells.iter().map(point)), before }
    });
    let reference = shown.measure.reference.iter();
    Some(BarPanel {
        title: counted(
            &format!("{}, round {last}", shown.title()),
            cells.iter().flatten().flatten().map(|cell| cell.n),
        ),
        y_label: shown.measure.axis.into(),
        y_range: None,
        groups: conditions.iter().map(ToString::to_string).collect(),
        models: models.collect(),
        references: reference
            .map(|&(label, value)| Reference { label: label.into(), value, interval: None })
            .collect(),
        brackets: cells.iter().enumerate().flat_map(|(model, cells)| brackets(model, cells)).collect(),
    })
}

/// From the first condition of a model, which all parts of a figure show, to each that stands apart from it.
fn brackets(model: usize, cells: &[Option<Cell>]) -> Vec<Bracket> {
    let first = cells.first().and_then(|cell| cell.as_ref()?.value);
    let apart = |(group, cell): (usize, &Option<Cell>)| {
        let cell = cell.as_ref()?;
        let q = cell.gain?.q.filter(|q| *q < SURE)?;
        (first.is_some() && cell.value.is_some()).then_some(Bracket {
            from: (0, model),
            to: (group, model),
            p: q,
        })
    };
    cells.iter().enumerate().skip(1).filter_map(apart).collect()
}

//! The plane of two concepts.

use recant_figures::{Path, PlanePanel, Step, Trajectories};

use super::suffix;
use crate::analysis::paired::Mean;
use crate::analysis::summary::{ModelSummary, Movement};
use crate::study::Study;

/// The rounds of every condition on the plane of the study's first two concepts, each at its best layer, a panel a task;
/// None where a model is scored on fewer.
pub fn concepts(study: &Study, summary: &ModelSummary) -> Option<Trajectories> {
    let [first, second, ..] = study.concepts.as_slice() else { return None };
    let of = |concept: &str, task: &str| {
        let mut all = summary.movements.iter().filter(|movement| movement.is_scored());
        all.find(|movement| movement.concept == concept && movement.task == task)
    };
    let both = |task: &str| Some((of(&first.name, task)?, of(&second.name, task)?));
    let panels: Vec<PlanePanel> =
        study.tasks.iter().filter_map(|task| panel(study, &task.name, both(&task.name)?)).collect();
    let layer = |concept: &str| {
        let movement = summary.movements.iter().find(|movement| movement.concept == concept)?;
        Some(movement.main().layers[movement.best])
    };
    let label = |concept: &str| {
        let at = layer(concept).map_or_else(String::new, |layer| format!(", layer {layer}"));
        format!("{concept} score{at} (s.d.)")
    };
    (!panels.is_empty()).then(|| Trajectories {
        name: format!("concept-plane{}", suffix(study, &summary.model)),
        panels,
        x_label: label(&first.name),
        y_label: label(&second.name),
        interval: "95 % bootstrap intervals over item groups".into(),
        haze: "all items in all rounds under all conditions".into(),
        columns: None,
    })
}

fn panel(study: &Study, task: &str, (x, y): (&Movement, &Movement)) -> Option<PlanePanel> {
    let rounds = study.dialogue.rounds;
    let ends = |mean: Mean| mean.interval.map(|i| (i.low, i.high));
    let step = |arm: usize, round: usize| {
        let (x, y) = (x.at_best(arm, round).score?, y.at_best(arm, round).score?);
        Some(Step { x: x.value, y: y.value, x_interval: ends(x), y_interval: ends(y) })
    };
    let path = |(arm, condition): (usize, &String)| {
        let steps: Option<Vec<Step>> = (0..rounds).map(|round| step(arm, round)).collect();
        Some(Path { label: condition.clone(), steps: steps.filter(|steps| !steps.is_empty())? })
    };
    let paths: Vec<Path> = study.dialogue.conditions.iter().enumerate().filter_map(path).collect();
    let mut items = Vec::new();
    for (own, other) in x.main().scores.iter().zip(&y.main().scores) {
        for item in 0..own.groups.len().min(other.groups.len()) {
            items.extend(
                (0..rounds).map(|round| (own.at(item, round, x.best), other.at(item, round, y.best))),
            );
        }
    }
    let n = x.main().scores.first().map_or(0, |scores| scores.groups.len());
    (!paths.is_empty()).then(|| PlanePanel { title: format!("{task} (n = {n})"), paths, items })
}

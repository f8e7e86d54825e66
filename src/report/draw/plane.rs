//! How the conditions move a model through the plane of two concepts.

use recant_figures::{PlanePanel, PlanePath, PlanePoint, Trajectories};

use super::counted;
use crate::analysis::changes::Cell;
use crate::analysis::summary::{ModelSummary, Movement};
use crate::study::Study;

/// A panel a task, with the first two concepts of the study as axes that the model is scored on by a believed probe, each at
/// its best layer;
/// None where there are no two such concepts, and of a single round.
pub fn plane(study: &Study, summary: &ModelSummary, name: String) -> Option<Trajectories> {
    if study.dialogue.rounds < 2 {
        return None;
    }
    let believed = |concept: &str| {
        summary.probes_of(concept).next().is_some_and(|probes| probes.readable()[probes.best()])
    };
    let scored = |concept: &str| {
        believed(concept) && summary.movements.iter().any(|m| m.concept == concept && m.is_scored())
    };
    let mut concepts = study.concepts.iter().map(|concept| concept.name.as_str()).filter(|name| scored(name));
    let (across, upright) = (concepts.next()?, concepts.next()?);
    let of = |concept: &str, task: &str| {
        let mut own = summary.movements.iter().filter(|m| m.concept == concept && m.is_scored());
        own.find(|m| m.task == task)
    };
    let pairs: Vec<(&Movement, &Movement)> =
        study.tasks.iter().filter_map(|task| of(across, &task.name).zip(of(upright, &task.name))).collect();
    let (x, y) = pairs.first()?;
    let label = |m: &Movement| format!("Score of {} at layer {} (s.d.)", m.concept, m.main().layers[m.best]);
    Some(Trajectories {
        name,
        x_label: label(x),
        y_label: label(y),
        panels: pairs.iter().map(|pair| panel(study, *pair)).collect(),
        shared: false,
        interval: "95 % bootstrap intervals over item groups".into(),
        items: "the items, in all rounds and conditions together".into(),
        columns: None,
    })
}

fn panel(study: &Study, (x, y): (&Movement, &Movement)) -> PlanePanel {
    let rounds = study.dialogue.rounds;
    let point = |arm: usize, round: usize| {
        let (x, y) = (x.at_best(arm, round).score, y.at_best(arm, round).score);
        PlanePoint {
            x: x.map(|mean| mean.value),
            y: y.map(|mean| mean.value),
            x_interval: x.and_then(|mean| mean.interval).map(|i| (i.low, i.high)),
            y_interval: y.and_then(|mean| mean.interval).map(|i| (i.low, i.high)),
        }
    };
    let path = |(arm, condition): (usize, &String)| PlanePath {
        label: condition.clone(),
        points: (0..rounds).map(|round| point(arm, round)).collect(),
    };
    let both = |(x_layers, y_layers): (&Vec<Cell>, &Vec<Cell>)| {
        Some(x_layers[x.best].score?.n.min(y_layers[y.best].score?.n))
    };
    let n = x.main().cells.iter().flatten().zip(y.main().cells.iter().flatten()).filter_map(both);
    PlanePanel {
        title: counted(&x.task, n),
        paths: study.dialogue.conditions.iter().enumerate().map(path).collect(),
        items: items(x, y),
    }
}

/// Every item in every round under every condition that has both scores.
fn items(x: &Movement, y: &Movement) -> Vec<(f64, f64)> {
    let mut places = Vec::new();
    for (across, upright) in x.main().scores.iter().zip(&y.main().scores) {
        for item in 0..across.groups.len() {
            let rounds = 0..across.rounds;
            places.extend(rounds.map(|r| (across.at(item, r, x.best), upright.at(item, r, y.best))));
        }
    }
    places.retain(|(x, y)| x.is_finite() && y.is_finite());
    places
}

//! Every change of a concept score at once.

use recant_figures::{Cloud, Effect, Volcano, VolcanoPanel};

use super::{sites, suffix};
use crate::analysis::summary::{ModelSummary, Movement};
use crate::study::Study;

/// Points that are named in a panel.
const NAMED: usize = 4;

/// What each instruction does to the score beyond another turn, in the last round at every readable layer of the main
/// site. None where there is one round.
pub fn effects(study: &Study, summary: &ModelSummary) -> Option<Volcano> {
    let last = study.dialogue.rounds.checked_sub(1).filter(|last| *last > 0)?;
    let panels: Vec<VolcanoPanel> =
        summary.movements.iter().filter_map(|movement| panel(study, summary, movement, last)).collect();
    (!panels.is_empty()).then(|| Volcano {
        name: format!("concept-effects{}", suffix(study, &summary.model)),
        panels,
        x_label: format!("Effect beyond {} (s.d.)", study.dialogue.conditions[study.control()]),
        y_label: "p".into(),
        test: format!(
            "sign flips of item groups, round {last} less round 0; readable layers alone, uncorrected"
        ),
        named: NAMED,
        columns: None,
    })
}

fn panel(study: &Study, summary: &ModelSummary, movement: &Movement, last: usize) -> Option<VolcanoPanel> {
    let readable = summary.probes.iter().find(|probes| probes.concept == movement.concept)?.readable();
    let scores = movement.main();
    let cloud = |(arm, condition): (usize, &String)| {
        let point = |(place, cell): (usize, &crate::analysis::changes::Cell)| {
            let effect = cell.effect.filter(|_| readable[place])?;
            let label = format!("layer {}", scores.layers[place]);
            Some(Effect { label, effect: effect.mean.value, p: effect.test?.p })
        };
        let points: Vec<Effect> = scores.cells[arm][last].iter().enumerate().filter_map(point).collect();
        (!points.is_empty()).then(|| Cloud { label: condition.clone(), points })
    };
    let clouds: Vec<Cloud> = study.dialogue.conditions.iter().enumerate().filter_map(cloud).collect();
    (!clouds.is_empty()).then(|| VolcanoPanel {
        title: sites::title(movement),
        clouds,
        levels: vec![(0.05, "p = 0.05".into())],
    })
}

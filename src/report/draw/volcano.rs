//! Changes of concept scores against how sure they are, all layers and conditions at a glance.

use recant_figures::{Threshold, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries};

use super::sites;
use crate::analysis::changes::Tested;
use crate::analysis::summary::{FLIPS, ModelSummary, Movement};
use crate::study::Study;

/// A panel a concept and task: the change from round 0 to the last round under every condition at every layer whose
/// probe is believed; None where nothing was tested.
pub fn volcano(study: &Study, summary: &ModelSummary, name: String) -> Option<Volcano> {
    let mut panels: Vec<VolcanoPanel> =
        summary.movements.iter().filter_map(|movement| panel(study, summary, movement)).collect();
    // The adjustment is over a model's whole table, so one p divides what passes it from the rest in all panels.
    if let Some(p) = adjusted(summary) {
        let threshold = Threshold { label: "q = .05".into(), p };
        panels.iter_mut().for_each(|panel| panel.thresholds.push(threshold.clone()));
    }
    (!panels.is_empty()).then(|| Volcano {
        name,
        panels,
        x_label: format!("Change of score, round 0 to {} (s.d.)", study.dialogue.rounds - 1),
        y_label: "p".into(),
        test: "sign flips of item groups; q: adjusted over all changes in the model's table by Benjamini and Hochberg"
            .into(),
        significance: "p < .05, largest over the layers of a condition and round".into(),
        strongest: 1,
        columns: None,
    })
}

fn panel(study: &Study, summary: &ModelSummary, movement: &Movement) -> Option<VolcanoPanel> {
    let main = movement.main();
    let series = study.dialogue.conditions.iter().enumerate().filter_map(|(arm, condition)| {
        let changes = sites::last(summary, movement, main, arm)?;
        let point = |(layer, change): (&usize, &Option<Tested>)| {
            let change = change.as_ref()?;
            Some(VolcanoPoint {
                label: format!("layer {layer}"),
                effect: change.mean.value,
                p: change.test?.p,
                passes: change.passes(),
            })
        };
        let points: Vec<_> = main.layers.iter().zip(&changes).filter_map(point).collect();
        (!points.is_empty()).then(|| VolcanoSeries { label: condition.clone(), points })
    });
    let series: Vec<_> = series.collect();
    (!series.is_empty()).then(|| VolcanoPanel {
        title: sites::title(movement),
        series,
        thresholds: vec![Threshold { label: "p = .05".into(), p: 0.05 }],
        permutations: Some(FLIPS),
    })
}

/// The largest p of a model's changes whose q is below 0.05; None where there is none.
fn adjusted(summary: &ModelSummary) -> Option<f64> {
    let sites = summary.movements.iter().flat_map(|movement| &movement.sites);
    let changes = sites.flat_map(|site| site.cells.iter().flatten().flatten()).filter_map(|cell| cell.change);
    let passing = changes.filter(|change| change.q.is_some_and(|q| q < 0.05));
    passing.filter_map(|change| Some(change.test?.p)).reduce(f64::max)
}

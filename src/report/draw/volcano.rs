//! What instructions do to concept scores against how sure that is, all layers and conditions at a glance.

use recant_figures::{Threshold, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries};

use super::sites;
use crate::analysis::changes::Cell;
use crate::analysis::summary::{FLIPS, ModelSummary, Movement};
use crate::study::Study;

/// A panel a concept and task: what each instruction does beyond another turn by the last round, at every layer whose
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
        x_label: format!("Effect beyond {} by round {} (s.d.)", study.dialogue.conditions[study.control()], study.dialogue.rounds - 1),
        y_label: "p".into(),
        test: "sign flips of item groups; q: adjusted over all effects in the model's table by Benjamini and Hochberg"
            .into(),
        significance: "p < .05, largest over the layers of a condition and round".into(),
        strongest: 1,
        columns: None,
    })
}

fn panel(study: &Study, summary: &ModelSummary, movement: &Movement) -> Option<VolcanoPanel> {
    let (main, readable) = (movement.main(), summary.probes_of(&movement.concept).next()?.readable());
    let series = study.dialogue.conditions.iter().enumerate().filter_map(|(arm, condition)| {
        let point = |((layer, cell), readable): ((&usize, &Cell), &bool)| {
            let effect = cell.effect.filter(|_| *readable)?;
            Some(VolcanoPoint {
                label: format!("layer {layer}"),
                effect: effect.mean.value,
                p: effect.test?.p,
                passes: effect.passes(),
            })
        };
        let cells = main.layers.iter().zip(main.cells[arm].last()?);
        let points: Vec<_> = cells.zip(&readable).filter_map(point).collect();
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

/// The largest p of a model's effects whose q is below 0.05; None where there is none.
fn adjusted(summary: &ModelSummary) -> Option<f64> {
    let sites = summary.movements.iter().flat_map(|movement| &movement.sites);
    let effects = sites.flat_map(|site| site.cells.iter().flatten().flatten()).filter_map(|cell| cell.effect);
    let passing = effects.filter(|effect| effect.q.is_some_and(|q| q < 0.05));
    passing.filter_map(|effect| Some(effect.test?.p)).reduce(f64::max)
}

//! Matrices of transfer, and cosines with probing vectors.

use recant_figures::{
    HeatColours, Intervals, LayerProfile, Matrix, MatrixCell, Profile, ProfilePanel, RoundPanel,
    RoundsByCondition,
};

use super::{Planned, counted, series, split};
use crate::analysis::bootstrap::Estimate;
use crate::analysis::cosines::Vector;
use crate::analysis::relations::Curve;
use crate::analysis::summary::ModelSummary;
use crate::analysis::transfer::TransferMatrix;
use crate::study::Study;

/// The figures of one model; `suffix` ends their names.
pub fn figures(study: &Study, summary: &ModelSummary, suffix: &str) -> Vec<Planned> {
    let relations = &summary.relations;
    let matrices = relations.transfers.iter().filter_map(|found| matrix(found, suffix));
    let mut figures: Vec<Planned> = matrices.map(Planned::new).collect();
    // The vector at the same site and layer is the one that a cosine can be read against.
    let shown: Vec<&Curve> =
        relations.curves.iter().filter(|curve| curve.vector == Vector::Statements && known(curve)).collect();
    let mut sites: Vec<(&str, &str)> = Vec::new();
    for curve in &shown {
        if !sites.contains(&(&curve.task, &curve.site)) {
            sites.push((&curve.task, &curve.site));
        }
    }
    for (task, site) in sites {
        let own: Vec<&Curve> =
            shown.iter().filter(|curve| curve.task == task && curve.site == site).copied().collect();
        let parts = split::rounds(&rounds(study, &own, format!("cosine-rounds-{task}-{site}{suffix}")));
        figures.extend(parts.into_iter().map(Planned::new));
        if site == study.probe.site {
            figures.push(Planned::new(layers(&own, format!("cosine-layers-{task}{suffix}"))));
        }
    }
    figures
}

fn known(curve: &Curve) -> bool {
    curve.window.iter().any(|mean| mean.value.is_some())
}

fn matrix(found: &TransferMatrix, suffix: &str) -> Option<Matrix> {
    let cell = |cell: &recant_probes::Result<recant_probes::Transfer>| {
        let found = cell.as_ref().ok();
        MatrixCell {
            value: found.and_then(|found| found.auroc.value),
            interval: found.and_then(|found| found.auroc.ci).map(|ci| (ci.low, ci.high)),
        }
    };
    let cells: Vec<Vec<MatrixCell>> = found.cells.iter().map(|row| row.iter().map(cell).collect()).collect();
    if cells.iter().flatten().all(|cell| cell.value.is_none()) {
        return None;
    }
    let layer = found.sets.first().map_or(0, |set| set.1);
    let (title, of) = match found.kind {
        "layers" => (format!("{}, layer by layer", found.of), format!("-{}", found.of)),
        "answer" => (format!("stereotyped answer, {}, layer {layer}", found.of), format!("-{}", found.of)),
        "condition" => {
            (format!("condition against the first, {}, layer {layer}", found.of), format!("-{}", found.of))
        }
        _ => ("concepts, each at its best layer".to_owned(), String::new()),
    };
    let n = found.cells.iter().flatten().flatten().map(|transfer| transfer.n);
    let names: Vec<String> = found.sets.iter().map(|set| set.0.clone()).collect();
    Some(Matrix {
        name: format!("transfer-{}{of}{suffix}", found.kind),
        title: counted(&title, n),
        rows: names.clone(),
        columns: names,
        cells,
        x_label: "Tested on".into(),
        y_label: "Trained on".into(),
        value_label: "AUROC".into(),
        colours: HeatColours::Diverging { null: 0.5, reach: Some(0.5) },
        note: "On the diagonal out of fold; a group met in training is never met in the test. Sets with answers of one kind \
               only are left out."
            .into(),
        interval: "95 % bootstrap intervals over groups, the fits held fixed".into(),
    })
}

/// Window means over rounds, a panel a concept, a line a condition.
fn rounds(study: &Study, curves: &[&Curve], name: String) -> RoundsByCondition {
    let panels = concepts(curves).into_iter().map(|concept| {
        let own = || curves.iter().filter(move |curve| curve.concept == concept);
        let line = |condition: &String| {
            let curve = own().find(|curve| curve.condition == *condition);
            series(condition, curve.into_iter().flat_map(|curve| &curve.window).map(point))
        };
        let layers = own().next().map_or("", |curve| &curve.layers);
        RoundPanel {
            title: counted(concept, own().flat_map(|curve| &curve.window).map(|mean| mean.n)),
            y_label: format!("Cosine, layers {layers}"),
            lines: study.dialogue.conditions.iter().map(line).collect(),
            ..RoundPanel::default()
        }
    });
    RoundsByCondition {
        name,
        panels: panels.collect(),
        x_label: "Round".into(),
        interval: "95 % bootstrap intervals over item groups; mean cosine with the positive statements of the concept at \
                   the same site and layer"
            .into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

/// Every layer, a panel a concept and condition, a line a round.
fn layers(curves: &[&Curve], name: String) -> LayerProfile {
    let panel = |curve: &&Curve| ProfilePanel {
        baselines: Vec::new(),
        title: counted(
            &format!("{}, {}", curve.concept, curve.condition),
            curve.window.iter().map(|mean| mean.n),
        ),
        profiles: curve
            .profile
            .iter()
            .enumerate()
            .map(|(round, layers)| Profile {
                scores: series(&format!("round {round}"), layers.iter().map(point)),
                passes: Vec::new(),
                mark_best: false,
            })
            .collect(),
        references: Vec::new(),
        null: None,
    };
    LayerProfile {
        name,
        panels: curves.iter().map(panel).collect(),
        x_label: "Layer".into(),
        y_label: "Cosine with statements".into(),
        y_range: None,
        interval: "95 % bootstrap intervals over item groups".into(),
        significance: String::new(),
        ..LayerProfile::default()
    }
}

fn concepts<'a>(curves: &[&'a Curve]) -> Vec<&'a str> {
    let mut concepts: Vec<&str> = Vec::new();
    for curve in curves {
        if !concepts.contains(&curve.concept.as_str()) {
            concepts.push(&curve.concept);
        }
    }
    concepts
}

fn point(mean: &Estimate) -> (Option<f64>, Option<(f64, f64)>) {
    (mean.value, mean.interval.map(|interval| (interval.low, interval.high)))
}

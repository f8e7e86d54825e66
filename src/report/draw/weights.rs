//! Figures of what lies between the weights of two models.

use recant_figures::{Curve, CurveBand, CurvePanel, CurvePoint, Curves};

use super::Planned;
use crate::analysis::weight_shift::{Offset, PairWeights, Source, Toward};

/// The figures of every pair whose weights differ.
#[must_use]
pub fn figures(pairs: &[PairWeights]) -> Vec<Planned> {
    pairs.iter().flat_map(|pair| [changes(pair), offsets(pair)]).flatten().map(Planned::new).collect()
}

/// The relative change of attention and MLP by layer.
fn changes(pair: &PairWeights) -> Option<Curves> {
    let weights = pair.weights.as_ref().filter(|weights| !weights.all.identical)?;
    let line = |kind: &str, label: &str| {
        let own = weights.parts.iter().filter(|part| part.kind == kind);
        let point = |(layer, y)| CurvePoint { x: layer as f64, y, interval: None };
        let points = own.filter_map(|part| Some(point((part.layer?, part.change.relative)))).collect();
        Curve { label: label.into(), points, marked: false }
    };
    let lines = several(vec![line("attention", "attention"), line("mlp", "MLP")]);
    let heights = lines.iter().flat_map(|line| &line.points).filter_map(|point| point.y);
    let top = heights.fold(0.0, f64::max);
    let panel = CurvePanel {
        title: "weights".into(),
        y_label: "Relative change".into(),
        y_range: (top > 0.0).then_some((0.0, top)),
        lines,
        ..CurvePanel::default()
    };
    figure(format!("weights-{}", pair.about.name()), vec![panel], "")
}

/// How the changes of value vectors lie to the offsets of the stream, by layer.
fn offsets(pair: &PairWeights) -> Option<Curves> {
    let found = pair.offsets.as_ref()?;
    let line = |offset: &Offset, label: &str, of: fn(&Source) -> &Toward| {
        let point = |source: &Source| {
            let toward = of(source);
            CurvePoint { x: source.layer as f64, y: toward.mean, interval: toward.low.zip(toward.high) }
        };
        Curve { label: label.into(), points: offset.sources.iter().map(point).collect(), marked: false }
    };
    let panel = |offset: &Offset| CurvePanel {
        title: format!("offset after layer {}", offset.layer),
        y_label: "Cosine with changes of value vectors".into(),
        lines: several(vec![
            line(offset, "offset", |source| &source.offset),
            line(offset, "random direction", |source| &source.random),
        ]),
        band: Some(CurveBand {
            label: "95 % of random vectors".into(),
            points: offset
                .sources
                .iter()
                .map(|source| (source.layer as f64, -found.threshold, found.threshold))
                .collect(),
        }),
        ..CurvePanel::default()
    };
    let panels = found.offsets.iter().map(panel).collect();
    figure(
        format!("offsets-{}", pair.about.name()),
        panels,
        "from the 5 % to the 95 % quantile of the value vectors",
    )
}

/// The lines that have values at two layers or more: a single one is no profile.
fn several(mut lines: Vec<Curve>) -> Vec<Curve> {
    lines.retain(|line| line.points.iter().filter(|point| point.y.is_some()).count() > 1);
    lines
}

/// A figure over layers of the panels that have lines; None without any.
fn figure(name: String, mut panels: Vec<CurvePanel>, interval: &str) -> Option<Curves> {
    panels.retain(|panel| !panel.lines.is_empty());
    (!panels.is_empty()).then(|| Curves {
        name,
        panels,
        x_label: "Layer".into(),
        interval: interval.into(),
        columns: None,
    })
}

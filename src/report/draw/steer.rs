//! Figures of interventions.

use std::collections::BTreeSet;

use recant_figures::{
    Curve, CurveBand, CurvePanel, CurvePoint, Curves, LayerProfile, NullBand, Profile, ProfilePanel,
    Reference, Series,
};

use super::{Planned, series};
use crate::analysis::bootstrap::{Estimate, quantile};
use crate::intervene::results::{EstimateOf, Of, stereotype, unknown};
use crate::intervene::{Cell, Results};

/// The figures of every intervention.
#[must_use]
pub fn figures(results: &[Results]) -> Vec<Planned> {
    let planned = |own: &Results, figure: LayerProfile| {
        // A line over layers has gaps where some were not tried; over numbers it joins those that were.
        match own.about.layers.len() == own.about.n_layers {
            true => Planned::new(figure),
            false => Planned::new(over_numbers(&figure)),
        }
    };
    let mut all = Vec::new();
    for own in results {
        if own.about.method == "patch" {
            all.extend(patch(own).map(|figure| planned(own, figure).of(&own.about.model)));
        } else {
            all.extend(layers(own).map(|figure| planned(own, figure).of(&own.about.model)));
            all.extend(strengths(own).map(|figure| Planned::new(figure).of(&own.about.model)));
        }
    }
    all
}

/// The same figure with the layers as numbers, and only those that have values.
fn over_numbers(figure: &LayerProfile) -> Curves {
    let panel = |panel: &ProfilePanel| {
        let curve = |profile: &Profile| {
            let scores = &profile.scores;
            let point = |(layer, value): (usize, &Option<f64>)| {
                let y = Some((*value)?);
                Some(CurvePoint { x: layer as f64, y, interval: scores.lo[layer].zip(scores.hi[layer]) })
            };
            let points = scores.value.iter().enumerate().filter_map(point).collect();
            Curve { label: scores.label.clone(), points, marked: true }
        };
        let band = |null: &NullBand| {
            let ends = null.lo.iter().zip(&null.hi).enumerate();
            let points = ends.filter_map(|(layer, (lo, hi))| Some((layer as f64, (*lo)?, (*hi)?)));
            CurveBand { label: null.label.clone(), points: points.collect() }
        };
        CurvePanel {
            title: panel.title.clone(),
            y_label: figure.y_label.clone(),
            lines: panel.profiles.iter().map(curve).filter(|curve| !curve.points.is_empty()).collect(),
            band: panel.null.as_ref().map(band),
            references: panel.references.clone(),
            ..CurvePanel::default()
        }
    };
    Curves {
        name: figure.name.clone(),
        panels: figure.panels.iter().map(panel).collect(),
        x_label: figure.x_label.clone(),
        interval: figure.interval.clone(),
        columns: None,
    }
}

/// A number of a cell that has an interval, and what it is called.
type Part = (&'static str, Of, EstimateOf);

const PARTS: [Part; 2] = [
    ("stereotype against the other person", stereotype, |cell| cell.effect.stereotype.as_ref()),
    ("unknown against the rest", unknown, |cell| cell.effect.unknown.as_ref()),
];

/// The points of a line over all layers of the model; nothing where a layer was not tried.
fn points<'a>(
    own: &'a Results,
    cells: &'a [&'a Cell],
    of: EstimateOf,
) -> impl Iterator<Item = (Option<f64>, Option<(f64, f64)>)> + 'a {
    (0..own.about.n_layers).map(move |layer| {
        let cell = cells.iter().find(|cell| cell.layer == Some(layer));
        let estimate = cell.and_then(|cell| of(cell));
        (estimate.and_then(|e| e.value), estimate.and_then(|e| e.interval).map(|i| (i.low, i.high)))
    })
}

/// Of how many items the numbers are.
fn largest_n<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> Option<usize> {
    estimates.map(|estimate| estimate.n).max()
}

/// Whether lines over layers have values at two layers or more: a single one is no profile.
fn enough<'a>(lines: impl IntoIterator<Item = &'a Series>) -> bool {
    let there = |line: &'a Series| line.value.iter().enumerate().filter(|(_, value)| value.is_some());
    let layers: BTreeSet<usize> = lines.into_iter().flat_map(there).map(|(layer, _)| layer).collect();
    layers.len() > 1
}

/// The change of the log-odds by layer at the main strength, beside the random controls.
fn layers(own: &Results) -> Option<LayerProfile> {
    let cells: Vec<&Cell> = own.main().into_iter().filter(|cell| cell.layer.is_some()).collect();
    let panel = |(title, of, estimate): Part| {
        let scores = series("direction", points(own, &cells, estimate));
        let controls = |layer: usize| {
            let cell = cells.iter().find(|cell| cell.layer == Some(layer))?;
            let mut values = own.controls(cell, of);
            values.retain(|value| value.is_finite());
            values.sort_by(f64::total_cmp);
            (values.len() > 1).then_some(values)
        };
        let end = |at: f64| -> Vec<Option<f64>> {
            (0..own.about.n_layers).map(|layer| controls(layer).map(|sorted| quantile(&sorted, at))).collect()
        };
        let (lo, hi) = (end(0.025), end(0.975));
        let everywhere = cells.iter().all(|cell| own.against(cell, of).is_some_and(|a| a.p_max.is_some()));
        let passes = |layer| {
            let cell = cells.iter().find(|cell| cell.layer == Some(layer));
            let p = cell.and_then(|cell| own.against(cell, of)).and_then(|against| against.p_max);
            p.is_some_and(|p| p < 0.05)
        };
        let n = largest_n(cells.iter().filter_map(|cell| estimate(cell)));
        n.filter(|_| enough([&scores])).map(|n| ProfilePanel {
            title: format!("{title} (n = {n})"),
            profiles: vec![Profile {
                scores,
                passes: if everywhere { (0..own.about.n_layers).map(passes).collect() } else { Vec::new() },
                mark_best: false,
            }],
            references: vec![nothing()],
            baselines: Vec::new(),
            null: lo.iter().any(Option::is_some).then(|| NullBand {
                label: match own.about.method.as_str() {
                    "ablate" => format!("{} random directions taken out, 95 %", own.about.random),
                    _ => format!("{} random directions, 95 %", own.about.random),
                },
                lo,
                hi,
            }),
        })
    };
    let panels: Vec<ProfilePanel> = PARTS.into_iter().filter_map(panel).collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name: format!("steer-{}-layers", own.about.name),
        panels,
        x_label: "Layer".into(),
        y_label: "Change of log-odds".into(),
        y_range: None,
        interval: "95 % bootstrap intervals over item groups".into(),
        significance: "p < 0.05 against random directions, largest of all places".into(),
        ..LayerProfile::default()
    })
}

/// Layers whose lines are drawn over strengths; more cannot be told apart.
const LINES: usize = 5;

/// What happens over strengths, a line a layer, and what it costs in perplexity.
fn strengths(own: &Results) -> Option<Curves> {
    let mut strengths: Vec<f64> =
        own.cells.iter().filter(|cell| cell.control.is_none()).map(|cell| cell.strength).collect();
    strengths.sort_by(f64::total_cmp);
    strengths.dedup();
    if strengths.len() < 2 {
        return None;
    }
    let mut tried: Vec<Option<usize>> = own.main().iter().map(|cell| cell.layer).collect();
    if tried.len() > LINES {
        tried = (0..LINES).map(|line| tried[line * (tried.len() - 1) / (LINES - 1)]).collect();
    }
    // Nothing added is a point that is known, where strengths are amounts of a direction.
    let from_nothing = own.about.method == "add" && own.about.unit != "perplexity";
    let ratio = |cell: &Cell| Some((cell.effect.perplexity? / own.about.alone.perplexity?, None));
    let effect = |estimate: Option<&Estimate>| {
        let estimate = estimate?;
        Some((estimate.value?, estimate.interval.map(|interval| (interval.low, interval.high))))
    };
    let line = |layer: Option<usize>, alone: f64, of: &dyn Fn(&Cell) -> Option<Height>| {
        let own_cells = own.cells.iter().filter(|cell| cell.control.is_none() && cell.layer == layer);
        let mut points: Vec<CurvePoint> = own_cells
            .map(|cell| {
                let found = of(cell);
                let (y, interval) = (found.map(|found| found.0), found.and_then(|found| found.1));
                CurvePoint { x: cell.strength, y, interval }
            })
            .collect();
        if from_nothing && strengths.iter().all(|strength| *strength != 0.0) {
            points.push(CurvePoint { x: 0.0, y: Some(alone), interval: None });
        }
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let label = layer.map_or_else(|| "neurons".into(), |layer| format!("layer {layer}"));
        Curve { label, points, marked: true }
    };
    let lines = |alone: f64, of: &dyn Fn(&Cell) -> Option<Height>| -> Vec<Curve> {
        tried.iter().map(|&layer| line(layer, alone, of)).collect()
    };
    let mut panels: Vec<CurvePanel> = PARTS
        .into_iter()
        .map(|(title, _, estimate)| CurvePanel {
            title: title.into(),
            y_label: "Change of log-odds".into(),
            lines: lines(0.0, &|cell| effect(estimate(cell))),
            references: vec![nothing()],
            ..CurvePanel::default()
        })
        .collect();
    panels.push(CurvePanel {
        title: "perplexity of plain prose".into(),
        y_label: "Ratio to the model left alone".into(),
        log_y: true,
        lines: lines(1.0, &ratio),
        references: vec![Reference { label: "no change".into(), value: 1.0, interval: None }],
        ..CurvePanel::default()
    });
    let any = |panel: &CurvePanel| {
        panel.lines.iter().flat_map(|line| &line.points).any(|point| point.y.is_some() && point.x != 0.0)
    };
    panels.retain(any);
    let x_label = match (own.about.method.as_str(), own.about.unit.as_str()) {
        ("keys", _) => "Factor of the keys",
        ("gates", _) => "Value of the gates",
        (_, "norm") => "Strength (median norms)",
        (_, "perplexity") => "Ratio of perplexities aimed at (negative: the direction turned round)",
        _ => "Strength",
    };
    (!panels.is_empty()).then(|| Curves {
        name: format!("steer-{}-strengths", own.about.name),
        panels,
        x_label: x_label.into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        columns: None,
    })
}

/// A value and its interval.
type Height = (f64, Option<(f64, f64)>);

/// The part of the way to a later round that is gone, by layer, a line a site.
fn patch(own: &Results) -> Option<LayerProfile> {
    let mut sites: Vec<&str> = own.cells.iter().map(|cell| cell.site.as_str()).collect();
    sites.dedup();
    let ways: [(&str, EstimateOf); 2] = [
        ("stereotype against the other person", |cell| cell.restored_stereotype.as_ref()),
        ("unknown against the rest", |cell| cell.restored_unknown.as_ref()),
    ];
    let panel = |(title, of): (&str, EstimateOf)| {
        let profile = |site: &&str| {
            let cells: Vec<&Cell> = own.cells.iter().filter(|cell| cell.site == *site).collect();
            Profile { scores: series(site, points(own, &cells, of)), passes: Vec::new(), mark_best: false }
        };
        let profiles: Vec<Profile> = sites.iter().map(profile).collect();
        let n = largest_n(own.cells.iter().filter_map(of));
        let n = n.filter(|_| enough(profiles.iter().map(|profile| &profile.scores)));
        let whole = Reference { label: format!("round {}", own.about.from), value: 1.0, interval: None };
        n.map(|n| ProfilePanel {
            title: format!("{title} (n = {n})"),
            profiles,
            references: vec![nothing(), whole],
            baselines: Vec::new(),
            null: None,
        })
    };
    let panels: Vec<ProfilePanel> = ways.into_iter().filter_map(panel).collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name: format!("patch-{}", own.about.name),
        panels,
        x_label: "Layer".into(),
        y_label: "Part of the way restored".into(),
        y_range: None,
        interval: "95 % bootstrap intervals over item groups".into(),
        significance: String::new(),
        ..LayerProfile::default()
    })
}

fn nothing() -> Reference {
    Reference { label: "no change".into(), value: 0.0, interval: None }
}

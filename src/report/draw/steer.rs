//! Figures of interventions.

use recant_figures::{LayerProfile, NullBand, Profile, ProfilePanel, Reference, Style, Width};

use super::{series, write};
use crate::Result;
use crate::analysis::bootstrap::{Estimate, quantile};
use crate::intervene::results::{Of, stereotype, unknown};
use crate::intervene::{Cell, Results};
use crate::report::FigureEntry;
use crate::store::RunDir;

/// Draws and writes the figures of every intervention.
///
/// # Errors
/// The disk is full.
pub fn figures(run: &RunDir, results: &[Results]) -> Result<Vec<FigureEntry>> {
    let page = Style::at(Width::Page);
    let figure = |own: &Results| if own.about.method == "patch" { patch(own) } else { layers(own) };
    results.iter().filter_map(figure).map(|figure| write(run, &figure, &page)).collect()
}

/// A number of a cell that has an interval, and what it is called.
type Part = (&'static str, Of, fn(&Cell) -> Option<&Estimate>);

const PARTS: [Part; 2] = [
    ("stereotype against the other person", stereotype, |cell| cell.effect.stereotype.as_ref()),
    ("unknown against the rest", unknown, |cell| cell.effect.unknown.as_ref()),
];

/// The points of a line over all layers of the model; nothing where a layer was not tried.
fn points<'a>(
    own: &'a Results,
    cells: &'a [&'a Cell],
    of: fn(&Cell) -> Option<&Estimate>,
) -> impl Iterator<Item = (Option<f64>, Option<(f64, f64)>)> + 'a {
    (0..own.about.n_layers).map(move |layer| {
        let cell = cells.iter().find(|cell| cell.layer == Some(layer));
        let estimate = cell.and_then(|cell| of(cell));
        (estimate.and_then(|e| e.value), estimate.and_then(|e| e.interval).map(|i| (i.low, i.high)))
    })
}

/// The change of the log-odds by layer at the main strength, beside the random controls.
fn layers(own: &Results) -> Option<LayerProfile> {
    let cells: Vec<&Cell> = own.main().into_iter().filter(|cell| cell.layer.is_some()).collect();
    if cells.len() < 2 {
        return None;
    }
    let panel = |(title, of, estimate): Part| {
        let scores = series("direction", points(own, &cells, estimate));
        let controls = |layer: usize| {
            let cell = cells.iter().find(|cell| cell.layer == Some(layer))?;
            let mut values = own.controls(cell, of);
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
        let n = cells.iter().filter_map(|cell| estimate(cell)).map(|estimate| estimate.n).max();
        n.map(|n| ProfilePanel {
            title: format!("{title} (n = {n})"),
            profiles: vec![Profile {
                scores,
                passes: if everywhere { (0..own.about.n_layers).map(passes).collect() } else { Vec::new() },
                mark_best: false,
            }],
            references: vec![nothing()],
            baselines: Vec::new(),
            null: lo.iter().any(Option::is_some).then(|| NullBand {
                label: format!("{} random directions, 95 %", own.about.random),
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
        significance: "p < 0.05 against random directions, largest over layers".into(),
        columns: None,
    })
}

/// The part of the way to a later round that is gone, by layer, a line a site.
fn patch(own: &Results) -> Option<LayerProfile> {
    let mut sites: Vec<&str> = own.cells.iter().map(|cell| cell.site.as_str()).collect();
    sites.dedup();
    let ways: [(&str, fn(&Cell) -> Option<&Estimate>); 2] = [
        ("stereotype against the other person", |cell| cell.restored_stereotype.as_ref()),
        ("unknown against the rest", |cell| cell.restored_unknown.as_ref()),
    ];
    let panel = |(title, of): (&str, fn(&Cell) -> Option<&Estimate>)| {
        let profile = |site: &&str| {
            let cells: Vec<&Cell> = own.cells.iter().filter(|cell| cell.site == *site).collect();
            Profile { scores: series(site, points(own, &cells, of)), passes: Vec::new(), mark_best: false }
        };
        let profiles: Vec<Profile> = sites.iter().map(profile).collect();
        let any = profiles.iter().any(|profile| profile.scores.value.iter().any(Option::is_some));
        let whole = Reference { label: format!("round {}", own.about.from), value: 1.0, interval: None };
        any.then(|| ProfilePanel {
            title: format!("{title} (n = {})", own.about.items),
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
        columns: None,
    })
}

fn nothing() -> Reference {
    Reference { label: "no change".into(), value: 0.0, interval: None }
}

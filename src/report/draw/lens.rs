//! Figures of lenses.

use recant_figures::{
    HeatColours, HeatMap, LayerProfile, LayerRoundMap, MapRow, Profile, ProfilePanel, Reference,
};

use super::{Planned, series};
use crate::analysis::lens::{Cell, ROLES, RoleCell};
use crate::analysis::lenses::{Lenses, Seen, Through};
use crate::analysis::paired::Mean;
use crate::report::lens::role;

/// What the marks say.
const CHANGED: &str = "p < 0.05 against round 0, sign flips of item groups, largest over layers";

/// The figures of every lens: by model and task the probability of each role by layer and round, that of the
/// unknown option as lines, and how far both lenses are from the model's end.
#[must_use]
pub fn figures(lenses: &Lenses) -> Vec<Planned> {
    let mut all = Vec::new();
    let mut seen: &[Seen] = &lenses.seen;
    while let Some(first) = seen.first() {
        let alike = |other: &Seen| other.model == first.model && other.task == first.task;
        let count = seen.iter().take_while(|other| alike(other)).count();
        let (own, rest) = seen.split_at(count);
        for through in [Through::Logit, Through::Tuned] {
            let own: Vec<&Seen> = own.iter().filter(|seen| seen.through == through).collect();
            let name = match through {
                Through::Logit => format!("lens-{}-{}", first.model, first.task),
                Through::Tuned => format!("lens-tuned-{}-{}", first.model, first.task),
            };
            let map = map(lenses, &own, name.clone());
            all.extend(map.map(|map| Planned::new(map).low().of(&first.model)));
            let lines = lines(lenses, &own, format!("{name}-unknown"));
            all.extend(lines.map(|lines| Planned::new(lines).of(&first.model)));
        }
        seen = rest;
    }
    all.extend(divergence(lenses).map(Planned::new));
    all
}

/// Maps side by side; more are too narrow to read.
const MAPS: usize = 6;

/// The probability of each role, a row of maps each, a column a condition. Dots: differs from round 0.
fn map(lenses: &Lenses, seen: &[&Seen], name: String) -> Option<LayerRoundMap> {
    let seen = &seen[..seen.len().min(MAPS)];
    let first = seen.first()?;
    let cell = |own: &Seen, place: usize, layer: usize, round: usize| -> Option<RoleCell> {
        lenses.is_shown(own, layer).then(|| own.lens.cells[round][layer].roles[place].clone())
    };
    let grid = |own: &Seen| (own.lens.cells.first().map_or(0, Vec::len), own.lens.cells.len());
    let row = |(place, name): (usize, crate::task::Role)| {
        let heat = |own: &&Seen| {
            let (layers, rounds) = grid(own);
            let all = |layer: usize| (0..rounds).map(move |round| cell(own, place, layer, round));
            let value = |cell: Option<RoleCell>| Some(cell?.probability?.value - own.even);
            let passes = |cell: Option<RoleCell>| {
                cell.and_then(|cell| cell.change).is_some_and(|change| change.passes())
            };
            HeatMap {
                title: own.condition.clone(),
                values: (0..layers).map(|layer| all(layer).map(value).collect()).collect(),
                passes: (0..layers).map(|layer| all(layer).map(passes).collect()).collect(),
            }
        };
        let maps: Vec<HeatMap> = seen.iter().map(heat).collect();
        let any = maps.iter().flat_map(|map| map.values.iter().flatten()).any(Option::is_some);
        any.then(|| MapRow { title: format!("{} option", role(name)), maps })
    };
    let rows: Vec<MapRow> = ROLES.into_iter().enumerate().filter_map(row).collect();
    (!rows.is_empty()).then(|| LayerRoundMap {
        first_layer: 0,
        name,
        rows,
        x_label: "Round".into(),
        y_label: "Layer".into(),
        value_label: format!("Probability less an even share, {} lens", first.through.name()),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance: match first.through {
            Through::Logit => CHANGED.into(),
            Through::Tuned => {
                format!("{CHANGED}; no colour where the logit lens is as good on held-out text")
            }
        },
    })
}

/// The probability of the unknown option by layer, a line a round, a panel a condition.
fn lines(lenses: &Lenses, seen: &[&Seen], name: String) -> Option<LayerProfile> {
    let first = seen.first()?;
    let panel = |own: &&Seen| {
        let point = |(layer, cell): (usize, &Cell)| {
            let mean: Option<Mean> = cell.roles[0].probability.filter(|_| lenses.is_shown(own, layer));
            (mean.map(|mean| mean.value), mean.and_then(|mean| mean.interval).map(|i| (i.low, i.high)))
        };
        let passes = |cell: &Cell| cell.roles[0].change.is_some_and(|change| change.passes());
        let profile = |(round, row): (usize, &Vec<Cell>)| Profile {
            scores: series(&format!("round {round}"), row.iter().enumerate().map(point)),
            passes: if round == 0 { Vec::new() } else { row.iter().map(passes).collect() },
            mark_best: false,
        };
        let profiles: Vec<Profile> = own.lens.cells.iter().enumerate().map(profile).collect();
        let n =
            own.lens.cells.iter().flatten().filter_map(|cell| cell.roles[0].probability).map(|mean| mean.n);
        let there = profiles.iter().any(|profile| profile.scores.value.iter().any(Option::is_some));
        n.max().filter(|_| there).map(|n| ProfilePanel {
            title: format!("{} (n = {n})", own.condition),
            profiles,
            references: vec![Reference { label: "even share".into(), value: own.even, interval: None }],
            baselines: Vec::new(),
            null: None,
        })
    };
    let panels: Vec<ProfilePanel> = seen.iter().filter_map(panel).collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name,
        panels,
        x_label: "Layer".into(),
        y_label: format!("p(unknown), {} lens", first.through.name()),
        interval: "95 % bootstrap intervals over item groups".into(),
        significance: CHANGED.into(),
        ordered: true,
        ..LayerProfile::default()
    })
}

/// How far both lenses are from what the model ends with, a panel a model.
fn divergence(lenses: &Lenses) -> Option<LayerProfile> {
    let panels: Vec<ProfilePanel> = lenses
        .tuned
        .iter()
        .map(|(model, tuned)| {
            let line = |label: &str, of: &dyn Fn(usize) -> f64| Profile {
                scores: series(label, (0..tuned.layers.len()).map(|layer| (Some(of(layer)), None))),
                passes: Vec::new(),
                mark_best: false,
            };
            ProfilePanel {
                title: format!("{model} ({} held-out tokens)", tuned.held_out),
                profiles: vec![
                    line("logit lens", &|layer| tuned.layers[layer].logit),
                    line("tuned lens", &|layer| tuned.layers[layer].tuned),
                ],
                ..ProfilePanel::default()
            }
        })
        .collect();
    (!panels.is_empty()).then(|| LayerProfile {
        name: "lens-divergence".into(),
        panels,
        x_label: "Layer".into(),
        y_label: "KL(final || lens) (nats)".into(),
        interval: "none (means over tokens)".into(),
        ..LayerProfile::default()
    })
}

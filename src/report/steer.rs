//! Interventions in the report: tables and findings. Figures are in [`super::draw`].

use std::collections::BTreeSet;

use super::Table;
use super::tables::{bracket, ends, number};
use crate::intervene::results::{EstimateOf, Of, moved, stereotype, unknown, value};
use crate::intervene::{Cell, Results};

/// The tables of all interventions. One without rows is left out.
#[must_use]
pub fn tables(results: &[Results]) -> Vec<Table> {
    let mut tables = vec![steer(results, false), patch(results)];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// What is shown first of every intervention: its cells at the main strength, as CSV.
#[must_use]
pub fn main_rows(results: &[Results]) -> Vec<String> {
    let tables = [steer(results, true), patch(results)];
    let shown = tables.iter().filter(|table| !table.rows.is_empty());
    shown.map(|table| table.csv().trim_end().to_owned()).collect()
}

/// A numbered effect: its head, the number, the estimate.
const EFFECTS: [(&str, Of, EstimateOf); 3] = [
    ("stereotype", stereotype, |cell| cell.effect.stereotype.as_ref()),
    ("unknown", unknown, |cell| cell.effect.unknown.as_ref()),
    ("moved", moved, |cell| cell.effect.moved.as_ref()),
];

/// Whether a result is of patching, which has a table of its own.
fn is_patch(results: &Results) -> bool {
    results.about.method == "patch"
}

fn layer(cell: &Cell, results: &Results) -> String {
    match (cell.layer, results.about.neurons.is_empty()) {
        (Some(layer), _) => layer.to_string(),
        (None, true) => "all".into(),
        (None, false) => "neurons".into(),
    }
}

fn steer(results: &[Results], main: bool) -> Table {
    let results: Vec<&Results> = results.iter().filter(|own| !is_patch(own)).collect();
    let measures: BTreeSet<&str> =
        results.iter().flat_map(|own| own.about.alone.measures.keys().map(String::as_str)).collect();
    let mut header: Vec<String> = [
        "name",
        "model",
        "task",
        "condition",
        "method",
        "site",
        "position",
        "layer",
        "strength",
        "unit",
        "coefficient",
        "length",
        "norm",
        "n",
    ]
    .map(String::from)
    .to_vec();
    for (name, ..) in EFFECTS {
        header.extend(["", "_low", "_high", "_p", "_p_max"].map(|part| format!("{name}{part}")));
    }
    header.extend(measures.iter().map(|name| (*name).to_owned()));
    header.extend(["perplexity", "perplexity_ratio"].map(String::from));
    let mut table = Table {
        name: "steer".into(),
        caption: "Interventions: change of the log-odds of the stereotype's option against the other person and of the \
                  unknown option against the rest, distance moved (total variation), with intervals over groups and p \
                  against random directions (or sets of neurons) of the same size, p_max corrected over layers; measures \
                  and perplexity as they then are"
            .into(),
        header,
        rows: Vec::new(),
    };
    for own in results {
        let about = &own.about;
        let cells: Vec<&Cell> = match main {
            true => own.main(),
            false => own.cells.iter().filter(|cell| cell.control.is_none()).collect(),
        };
        for cell in cells {
            let n = cell.effect.moved.map_or_else(String::new, |moved| moved.n.to_string());
            let mut row: Vec<String> = [
                &about.name,
                &about.model,
                &about.task,
                &about.condition,
                &about.method,
                &about.site,
                &about.position,
            ]
            .map(String::clone)
            .to_vec();
            let strength = if about.method == "ablate" { String::new() } else { cell.strength.to_string() };
            row.extend([layer(cell, own), strength, about.unit.clone(), number(cell.coefficient, 4)]);
            row.extend([number(cell.length, 4), number(cell.norm, 4), n]);
            for (_, of, estimate) in EFFECTS {
                let (low, high) = ends(estimate(cell).and_then(|estimate| estimate.interval));
                let against = own.against(cell, of);
                row.extend([
                    number(value(estimate(cell)), 4),
                    low,
                    high,
                    number(against.map(|against| against.p), 4),
                    number(against.and_then(|against| against.p_max), 4),
                ]);
            }
            let measured = |name: &&str| number(value(cell.effect.measures.get(*name)), 4);
            row.extend(measures.iter().map(measured));
            let ratio = cell.effect.perplexity.zip(about.alone.perplexity).map(|(now, alone)| now / alone);
            row.extend([number(cell.effect.perplexity, 3), number(ratio, 4)]);
            table.rows.push(row);
        }
    }
    table
}

fn patch(results: &[Results]) -> Table {
    let heads = [
        "name",
        "model",
        "task",
        "condition",
        "from",
        "site",
        "layer",
        "n",
        "restored_stereotype",
        "restored_stereotype_low",
        "restored_stereotype_high",
        "restored_unknown",
        "restored_unknown_low",
        "restored_unknown_high",
        "stereotype",
        "stereotype_low",
        "stereotype_high",
        "unknown",
        "unknown_low",
        "unknown_high",
        "moved",
    ];
    let mut table = Table::new(
        "patch",
        "States of a later round put in the place of round 0's at the last token of the prompt: the part of the way from \
         round 0's log-odds to the later round's that is gone (1: all of it; empty where there is no way clear of nought), \
         and the changes themselves; intervals over groups",
        &heads,
    );
    for own in results.iter().filter(|own| is_patch(own)) {
        let about = &own.about;
        for cell in &own.cells {
            let mut row = vec![
                about.name.clone(),
                about.model.clone(),
                about.task.clone(),
                about.condition.clone(),
                about.from.to_string(),
                cell.site.clone(),
                layer(cell, own),
                cell.effect.moved.map_or_else(String::new, |moved| moved.n.to_string()),
            ];
            let effect = &cell.effect;
            for estimate in
                [&cell.restored_stereotype, &cell.restored_unknown, &effect.stereotype, &effect.unknown]
            {
                let (low, high) = ends(estimate.and_then(|estimate| estimate.interval));
                row.extend([number(value(estimate.as_ref()), 4), low, high]);
            }
            row.push(number(value(effect.moved.as_ref()), 4));
            table.rows.push(row);
        }
    }
    table
}

/// One sentence for every intervention.
#[must_use]
pub fn findings(results: &[Results]) -> Vec<String> {
    let sentence = |own: &Results| if is_patch(own) { patched(own) } else { steered(own) };
    results.iter().map(sentence).collect()
}

fn start(own: &Results) -> String {
    let about = &own.about;
    format!(
        "{}, {}, intervention {} (n = {} items in {} groups)",
        about.model, about.task, about.name, about.items, about.groups
    )
}

/// What was done, as a part of a sentence.
fn deed(own: &Results) -> String {
    let about = &own.about;
    let strength = |unit: &str| match unit {
        "norm" => format!("{} median norms of the {}", about.main, about.direction),
        "perplexity" => format!("the {}, at {} times the perplexity,", about.direction, about.main),
        _ => format!("{} times the {}", about.main, about.direction),
    };
    match about.method.as_str() {
        "add" => format!("adding {}", strength(&about.unit)),
        "ablate" => format!("taking out the {}", about.direction),
        "keys" => format!("scaling the keys of {} neurons by {}", about.neurons.len(), about.main),
        _ => format!("holding the gates of {} neurons at {}", about.neurons.len(), about.main),
    }
}

fn steered(own: &Results) -> String {
    let said: Vec<String> = EFFECTS[..2]
        .iter()
        .filter_map(|(name, of, estimate)| {
            let size = |cell: &&Cell| of(&cell.effect).map_or(-1.0, f64::abs);
            let cells = own.main();
            let best = cells.into_iter().max_by(|a, b| size(a).total_cmp(&size(b)))?;
            let found = value(estimate(best))?;
            let place = match best.layer {
                Some(layer) => format!("most at layer {layer} ({})", best.site),
                None if own.about.neurons.is_empty() => "most at all layers at once".into(),
                None => "there".into(),
            };
            let cost = best.effect.perplexity.zip(own.about.alone.perplexity);
            let cost = cost.map_or_else(String::new, |(now, alone)| {
                format!(", at {:.2} times the perplexity", now / alone)
            });
            let verdict = match own.against(best, *of) {
                None => "no random control stands beside it".to_owned(),
                Some(against) => {
                    let (p, which) = match against.p_max {
                        Some(p) => (p, ", largest over layers"),
                        None => (against.p, ""),
                    };
                    let verdict = if p < 0.05 { "more than" } else { "not more than" };
                    format!("{verdict} {} random controls of its size do (p = {p:.3}{which})", against.n)
                }
            };
            let change = format!("{found:+.2}{}", bracket(estimate(best).and_then(|e| e.interval)));
            Some(format!("the log-odds of {} change {place}, by {change}{cost}: {verdict}", odds(name)))
        })
        .collect();
    match said.is_empty() {
        true => format!("{}: {} leaves nothing that can be measured.", start(own), deed(own)),
        false => format!("{}: by {}, {}.", start(own), deed(own), said.join("; ")),
    }
}

fn odds(name: &str) -> &'static str {
    if name == "stereotype" {
        "the stereotype's option against the other person"
    } else {
        "the unknown option"
    }
}

fn patched(own: &Results) -> String {
    let about = &own.about;
    let mut sites: Vec<&str> = own.cells.iter().map(|cell| cell.site.as_str()).collect();
    sites.dedup();
    let ways: [(&str, EstimateOf); 2] = [
        ("stereotype", |cell| cell.restored_stereotype.as_ref()),
        ("unknown", |cell| cell.restored_unknown.as_ref()),
    ];
    let mut said = Vec::new();
    for (name, estimate) in ways {
        for site in &sites {
            let single = own.cells.iter().filter(|cell| cell.site == *site && cell.layer.is_some());
            let restored = |cell: &Cell| value(estimate(cell));
            let single: Vec<&Cell> = single.filter(|cell| restored(cell).is_some()).collect();
            // Of a stream the first layer that carries half of the way says more than the last, which carries all of it.
            let shown = match *site {
                "resid_pre" | "resid_mid" | "resid_post" => single
                    .iter()
                    .find(|cell| restored(cell).is_some_and(|part| part >= 0.5))
                    .map(|cell| ("first half at", cell)),
                _ => {
                    let most = |cell: &&&Cell| restored(cell).unwrap_or(f64::NEG_INFINITY);
                    single.iter().max_by(|a, b| most(a).total_cmp(&most(b))).map(|cell| ("most at", cell))
                }
            };
            if let Some((how, cell)) = shown {
                let found = format!(
                    "{}{}",
                    number(restored(cell), 2),
                    bracket(estimate(cell).and_then(|e| e.interval))
                );
                said.push(format!(
                    "{site}, {how} layer {}: {found} of {}",
                    cell.layer.unwrap_or(0),
                    odds(name)
                ));
            }
        }
    }
    let deed = format!("states of round {} under {} put into round 0", about.from, about.condition);
    match said.is_empty() {
        true => format!(
            "{}: {deed}: the two rounds do not differ clearly, so no layer can be said to carry the difference.",
            start(own)
        ),
        false => format!("{}: {deed} restore, {}.", start(own), said.join("; ")),
    }
}

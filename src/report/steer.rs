//! Interventions in the report: tables and findings. Figures are in [`super::draw`].

use std::collections::BTreeSet;

use super::Table;
use super::finding::{Finding, Topic};
use super::tables::{bracket, ends, number};
use crate::intervene::results::{Against, EstimateOf, Of, moved, stereotype, unknown, value};
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
                  against random directions (added: of the same size; taken out: not matched in the size that is removed) or \
                  sets of as many neurons, where one that broke the model counts as reaching it; p_max corrected over the \
                  places that were tried; measures and perplexity as they then are"
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
        "States of a later round put in the place of round 0's at the end of the prompt: the part of the way from \
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
pub fn findings(results: &[Results]) -> Vec<Finding> {
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

fn steered(own: &Results) -> Finding {
    let (said, beyond): (Vec<String>, Vec<bool>) =
        EFFECTS[..2].iter().filter_map(|effect| most(own, *effect)).unzip();
    let text = match said.is_empty() {
        true => format!("{}: {} leaves nothing that can be measured.", start(own), deed(own)),
        false => format!("{}: by {}, {}.", start(own), deed(own), said.join("; ")),
    };
    let figure = if own.places(EFFECTS[0].1).len() > 1 { "layers" } else { "strengths" };
    Finding::new(Topic::Interventions, text)
        .clear(beyond.contains(&true))
        .at(format!("steer-{}-{figure}", own.about.name))
}

/// Where an effect is largest, of the places that have random controls if any has, how it stands beside them, and whether
/// beyond them.
fn most(own: &Results, (name, of, estimate): (&str, Of, EstimateOf)) -> Option<(String, bool)> {
    let size = |cell: &&Cell| of(&cell.effect).map_or(-1.0, f64::abs);
    let largest = |cells: &[&Cell]| {
        cells.iter().copied().max_by(|a, b| size(a).total_cmp(&size(b))).map(|cell| cell.layer)
    };
    let places = own.places(of);
    let controlled: Vec<&Cell> =
        places.iter().copied().filter(|cell| own.against(cell, of).is_some()).collect();
    let shown = if controlled.is_empty() { &places } else { &controlled };
    let layer = largest(shown)?;
    let best = shown.iter().copied().find(|cell| cell.layer == layer)?;
    // Where not every place has controls, those that have are where answers move most, by whatever option.
    let how = if largest(&places) == Some(layer) { "most" } else { "where answers move most," };
    let place = match best.layer {
        Some(layer) => format!("{how} at layer {layer} ({})", best.site),
        None if own.about.neurons.is_empty() => format!("{how} at all layers at once"),
        None => "there".into(),
    };
    let cost = best.effect.perplexity.zip(own.about.alone.perplexity);
    let cost =
        cost.map_or_else(String::new, |(now, alone)| format!(", at {:.2} times the perplexity", now / alone));
    let change = format!("{:+.2}{}", of(&best.effect)?, bracket(estimate(best).and_then(|e| e.interval)));
    let (verdict, beyond) = own.against(best, of).map_or_else(
        || ("no random control stands beside it".to_owned(), false),
        |against| verdict(own, against, places.len()),
    );
    Some((format!("the log-odds of {} change {place}, by {change}{cost}: {verdict}", odds(name)), beyond))
}

/// The controls of a method, as a part of a sentence.
fn controls(own: &Results) -> &'static str {
    match own.about.method.as_str() {
        "add" => "random directions of its size",
        "ablate" => "random directions taken out (not matched in the size that is removed)",
        _ => "random sets of as many neurons",
    }
}

/// How an effect that was chosen among some places stands beside its controls, and whether beyond them.
fn verdict(own: &Results, against: Against, places: usize) -> (String, bool) {
    let (p, which) = match against.p_max {
        _ if places == 1 => (against.p, String::new()),
        Some(p) => (p, format!(", largest of {places} places")),
        None => {
            let which = format!(", at that place alone, not corrected for having looked at {places} places");
            (against.p, which)
        }
    };
    let shown = format!("{} {}", against.n, controls(own));
    let few = 1.0 / (against.n + 1) as f64 >= 0.05;
    let beyond = !few && p < 0.05;
    let said = match (few, beyond) {
        (true, _) => format!("too few controls to tell: {shown}"),
        (false, true) => format!("more than {shown} do"),
        (false, false) => format!("not more than {shown} do"),
    };
    let broken = match against.broken {
        0 => String::new(),
        broken => format!("; {broken} of them broke the model and count as reaching it"),
    };
    (format!("{said} (p = {p:.3}{which}{broken})"), beyond)
}

fn odds(name: &str) -> &'static str {
    if name == "stereotype" {
        "the stereotype's option against the other person"
    } else {
        "the unknown option"
    }
}

fn patched(own: &Results) -> Finding {
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
            let found = |cell: &Cell| {
                let interval = bracket(estimate(cell).and_then(|e| e.interval));
                format!("{}{interval} of {}", number(restored(cell), 2), odds(name))
            };
            let size = |cell: &Cell| restored(cell).unwrap_or(f64::NEG_INFINITY);
            let Some(most) = single.iter().max_by(|a, b| size(a).total_cmp(&size(b))) else { continue };
            let layer = |cell: &Cell| cell.layer.unwrap_or(0);
            // Of a stream the first layer that carries half of the way says more than the last, which carries all of it.
            let stream = matches!(*site, "resid_pre" | "resid_mid" | "resid_post");
            let half = single.iter().find(|cell| size(cell) >= 0.5).filter(|_| stream);
            said.push(match half {
                Some(half) => format!("{site}, first half at layer {}: {}", layer(half), found(half)),
                None if stream => format!(
                    "{site}, no layer tried carries half of the way; most: layer {}, {}",
                    layer(most),
                    found(most)
                ),
                None => format!("{site}, most at layer {}: {}", layer(most), found(most)),
            });
        }
    }
    let deed = format!("states of round {} under {} put into round 0", about.from, about.condition);
    let text = match said.is_empty() {
        true => format!(
            "{}: {deed}: the two rounds do not differ clearly, so no layer can be said to carry the difference.",
            start(own)
        ),
        false => format!("{}: {deed}, part of the way restored: {}.", start(own), said.join("; ")),
    };
    Finding::new(Topic::Interventions, text).clear(!said.is_empty()).at(format!("patch-{}", about.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intervene::results::tests::{cell, patched, results};

    /// Cells of some places, each with as many controls of a value.
    fn cells(places: &[(Option<usize>, f64)], random: usize, control: f64) -> Vec<Cell> {
        let of = |&(layer, value): &(Option<usize>, f64)| {
            let controls = (0..random).map(move |number| cell(layer, Some(number), Some(control)));
            std::iter::once(cell(layer, None, Some(value))).chain(controls)
        };
        places.iter().flat_map(of).collect()
    }

    fn sentence(own: Results) -> String {
        findings(&[own]).remove(0).text
    }

    #[test]
    fn the_largest_effect_is_held_against_the_largest_of_all_places() {
        let places = [(Some(0), 0.4), (Some(2), -2.0)];
        let said = sentence(results("add", &[0, 2], 20, cells(&places, 20, 1.0)));
        assert!(said.contains(
            "most at layer 2 (resid_post), by -2.00: more than 20 random directions of its size do"
        ));
        assert!(said.contains("(p = 0.048, largest of 2 places)"), "{said}");
        let mut own = cells(&places, 20, 1.0);
        // One of the controls of the other layer broke the model.
        own[3] = cell(Some(0), Some(2), None);
        let said = sentence(results("add", &[0, 2], 20, own));
        let words = "not more than 20 random directions of its size do (p = 0.095, largest of 2 places; 1 of them broke";
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn few_controls_tell_nothing_and_those_of_ablation_are_not_matched() {
        let said = sentence(results("ablate", &[0], 19, cells(&[(Some(0), 2.0)], 19, 1.0)));
        let words = "too few controls to tell: 19 random directions taken out (not matched in the size that is removed) (p = 0.050)";
        assert!(said.contains(words), "{said}");
    }

    #[test]
    fn an_effect_whose_place_alone_has_controls_says_that_it_was_chosen() {
        let mut own = cells(&[(Some(1), 0.5)], 20, 0.1);
        own.extend([cell(Some(0), None, Some(3.0)), cell(Some(2), None, Some(0.2))]);
        let said = sentence(results("add", &[0, 1, 2], 20, own));
        assert!(said.contains("where answers move most, at layer 1 (resid_post), by +0.50"), "{said}");
        let words = "(p = 0.048, at that place alone, not corrected for having looked at 3 places)";
        assert!(said.contains(words), "{said}");
        let said = sentence(results("add", &[0], 20, vec![cell(Some(0), None, Some(1.0))]));
        assert!(said.contains("no random control stands beside it"), "{said}");
        let said = sentence(results("add", &[0], 20, vec![cell(Some(0), None, None)]));
        assert!(said.contains("leaves nothing that can be measured"), "{said}");
    }

    #[test]
    fn patching_says_where_half_of_the_way_is_carried_or_that_it_is_nowhere() {
        let of = |parts: [Option<f64>; 3]| {
            let cells = parts.into_iter().enumerate().map(|(layer, part)| patched(layer, part)).collect();
            sentence(results("patch", &[0, 1, 2], 0, cells))
        };
        let said = of([Some(0.1), Some(0.6), Some(1.0)]);
        assert!(said.contains("resid_post, first half at layer 1: 0.60 of the unknown option"), "{said}");
        let said = of([Some(0.1), Some(0.3), None]);
        let words =
            "resid_post, no layer tried carries half of the way; most: layer 1, 0.30 of the unknown option";
        assert!(said.contains(words), "{said}");
        assert!(of([None; 3]).contains("the two rounds do not differ clearly"));
    }
}

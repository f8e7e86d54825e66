//! The tables of a run, one idea a file. A number that is undefined is an empty cell.

mod behaviour;
mod calibration;
mod categories;
mod checks;
mod flips;
mod open;
mod positions;
mod probes;
mod pronouns;
mod relations;
mod sampling;
mod sentences;
mod texts;

pub use checks::checks;
pub(super) use checks::findings_of;

use rayon::prelude::*;

use super::Table;
use crate::Result;
use crate::analysis::bootstrap::{Bootstrap, Estimate, Interval};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::analysis::told::Told;

/// Makes tables of what models said.
type Make = fn(&[Told<'_>], Bootstrap) -> Result<Vec<Table>>;

/// The tables that need nothing but turns. One without rows is left out.
const OF_TURNS: &[Make] = &[
    categories::tables,
    flips::tables,
    positions::tables,
    calibration::tables,
    pronouns::tables,
    sentences::tables,
    texts::tables,
    sampling::tables,
];

/// The tables of a run.
///
/// # Errors
/// A turn does not fit its item.
pub fn tables(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Result<Vec<Table>> {
    let told: Vec<Told<'_>> =
        summaries.iter().flat_map(|summary| sources.told(&summary.model, &summary.turns)).collect();
    let bootstrap = sources.bootstrap();
    let of_turns: Vec<Vec<Table>> =
        OF_TURNS.par_iter().map(|make| make(&told, bootstrap)).collect::<Result<_>>()?;
    let mut tables = vec![behaviour::rounds(summaries), behaviour::gains(summaries)];
    tables.extend(of_turns.into_iter().flatten());
    tables.push(open::table(sources, summaries));
    if summaries.iter().any(|summary| !summary.probes.is_empty()) {
        tables.push(probes::probe_table(summaries));
        tables.push(probes::movement_table(sources, summaries));
        tables.push(probes::change_table(sources, summaries));
        tables.extend(relations::tables(summaries));
    }
    // The table of behaviour is there whatever it holds: it is the one that is looked for.
    tables.retain(|table| table.name == "behaviour" || !table.rows.is_empty());
    Ok(tables)
}

/// The cells that say of what a row is: model, task, scoring, condition, round.
fn place(told: &Told<'_>, scoring: &str, (arm, round): (usize, usize)) -> Vec<String> {
    [told.model, told.task, scoring, told.arms[arm].condition, &round.to_string()].map(str::to_owned).to_vec()
}

/// The heads of [`place`].
const PLACE: [&str; 5] = ["model", "task", "scoring", "condition", "round"];

/// Heads after those of [`place`].
fn heads(more: &[&'static str]) -> Vec<&'static str> {
    [&PLACE, more].concat()
}

/// The cells value, low, high.
pub(super) fn estimate(estimate: &Estimate) -> [String; 3] {
    let (low, high) = ends(estimate.interval);
    [number(estimate.value, 4), low, high]
}

/// The same of a score of probes.
pub(super) fn fitted(estimate: Option<&recant_probes::Estimate>) -> [String; 3] {
    let ci = estimate.and_then(|estimate| estimate.ci.as_ref());
    let value = estimate.and_then(|estimate| estimate.value);
    [number(value, 4), number(ci.map(|ci| ci.low), 4), number(ci.map(|ci| ci.high), 4)]
}

/// The cells value, low, high, n.
pub(super) fn counted(found: &Estimate) -> [String; 4] {
    let [value, low, high] = estimate(found);
    [value, low, high, found.n.to_string()]
}

/// A row of parts.
fn row<const N: usize>(parts: [&[String]; N]) -> Vec<String> {
    parts.concat()
}

pub(super) fn number(value: Option<f64>, digits: usize) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| format!("{value:.digits$}"))
}

pub(super) fn ends(interval: Option<Interval>) -> (String, String) {
    (number(interval.map(|i| i.low), 4), number(interval.map(|i| i.high), 4))
}

/// An interval as a part of a sentence.
pub(super) fn bracket(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!(" [{:.2}, {:.2}]", i.low, i.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn_of};
    use crate::store::{Sample, Turn};
    use crate::study::Scoring;
    use crate::task::{Context, Format, Item, Role};

    const ROLES: [Role; 3] = [Role::Stereotyped, Role::Other, Role::Unknown];

    fn items(kind: &str) -> Vec<Item> {
        let one = |at: usize| {
            let mut item = item(&format!("g{}", at / 2), at, &ROLES);
            item.category = format!("c{}", at % 3);
            match kind {
                "bbq" => {
                    item.context = Some([Context::Ambig, Context::Disambig][at % 2]);
                    (item.label, item.target) = (Some(2 - 2 * (at % 2)), Some(0));
                }
                "winogender" => {
                    item.id = format!("{}.{}", item.id, at % 2);
                    item.format = Format::Blank { before: String::new() };
                    (item.label, item.target, item.recorded) =
                        (Some(2), Some(0), Some((at % 3) as f64 / 3.0));
                }
                "stereoset" => item.format = Format::Sentence,
                _ => {
                    item.options.clear();
                    item.format = Format::Open;
                }
            }
            item
        };
        (0..12).map(one).collect()
    }

    fn turns(items: &[Item], seed: usize) -> Vec<Turn> {
        let mut turns = Vec::new();
        for (at, item) in items.iter().enumerate() {
            for round in 0..3 {
                let p = [0.2, 0.3 + 0.1 * ((at + seed + round) % 4) as f64, 0.45];
                let p = &p[..item.options.len()];
                let order = |by: usize| ((0..p.len()).map(|k| (k + by) % p.len()).collect::<Vec<_>>(), p);
                let orders = if item.format == Format::Letters {
                    vec![order(0), order(1), order(2)]
                } else {
                    vec![((0..p.len()).collect(), p)]
                };
                let mut turn = turn_of(item, round, &orders);
                for order in &mut turn.orders {
                    (order.answer_ids, order.answer_logprob) = (vec![5, 6, at as i64], -2.5);
                    order.parsed = (at % 3 > 0 && !p.is_empty()).then_some(at % 2);
                }
                turn.samples = vec![Sample { ids: vec![5], text: "x".into(), logprob: -0.5, parsed: None }];
                turns.push(turn);
            }
        }
        turns
    }

    /// Every maker on a task of every format: rows are as long as their heads, and every table has rows somewhere.
    #[test]
    fn every_table_is_filled_and_rectangular() {
        let kinds = ["bbq", "winogender", "stereoset", "realtoxicityprompts"];
        let items = kinds.map(items);
        let said = items.each_ref().map(|items| [turns(items, 0), turns(items, 2)]);
        let scorings = [Scoring::Letter, Scoring::LetterGiven, Scoring::Parsed];
        let told: Vec<Told<'_>> = (0..kinds.len())
            .map(|at| {
                let arms = [("baseline", said[at][0].as_slice()), ("other", said[at][1].as_slice())];
                Told::new(("m", kinds[at], kinds[at]), 3, &items[at], &arms, &scorings)
            })
            .collect();
        let bootstrap = Bootstrap { resamples: 30, ..Bootstrap::default() };
        let mut filled = Vec::new();
        for make in OF_TURNS {
            for table in make(&told, bootstrap).expect("a table") {
                for row in &table.rows {
                    assert_eq!(row.len(), table.header.len(), "{}: {row:?}", table.name);
                }
                if !table.rows.is_empty() {
                    filled.push(table.name);
                }
            }
            assert!(make(&[], bootstrap).expect("tables").iter().all(|table| table.rows.is_empty()));
        }
        let wanted = [
            "categories",
            "flips",
            "settling",
            "position_bias",
            "calibration",
            "reliability",
            "pronouns",
            "occupations",
            "sentences",
            "texts",
            "sampling",
        ];
        assert_eq!(filled, wanted, "nothing judges open answers yet");
    }
}

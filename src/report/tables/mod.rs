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
    open::tables,
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
    if summaries.iter().any(|summary| !summary.probes.is_empty()) {
        tables.push(probes::probe_table(summaries));
        tables.push(probes::movement_table(sources, summaries));
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
fn estimate(estimate: &Estimate) -> [String; 3] {
    let (low, high) = ends(estimate.interval);
    [number(estimate.value, 4), low, high]
}

/// The cells value, low, high, n.
fn counted(found: &Estimate) -> [String; 4] {
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

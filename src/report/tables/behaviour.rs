//! Behaviour by condition and round.

use super::{ends, number};
use crate::analysis::measure::Difference;
use crate::analysis::summary::{Behaviour, Cell, ModelSummary};
use crate::report::Table;

/// Every measure, and its change from round 0.
pub fn rounds(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "behaviour",
        "Behaviour by condition and round. Intervals: 95 % bootstrap over item groups; change: against round 0, of the \
         same items, with its paired interval, p by exchanging the rounds of whole groups, q adjusted for all changes of \
         the model (Benjamini-Hochberg); unparsed: share of generated answers that name no option.",
        &[
            "model",
            "task",
            "scoring",
            "measure",
            "condition",
            "round",
            "value",
            "low",
            "high",
            "change",
            "change_low",
            "change_high",
            "change_p",
            "change_q",
            "n",
            "unparsed",
        ],
    );
    for (model, behaviour, cell) in cells(summaries) {
        let (low, high) = ends(cell.interval);
        let mut row = place(model, behaviour, cell);
        row.extend([number(cell.value, 4), low, high]);
        row.extend(difference(cell.change));
        row.extend([cell.n.to_string(), number(cell.unparsed, 4)]);
        table.rows.push(row);
    }
    table
}

/// Every measure against the first condition.
pub fn gains(summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "gains",
        "Gain of each condition over the first one in the same round, of the same items. Intervals: 95 % bootstrap over \
         item groups, paired; p: by exchanging the conditions of whole groups; q: adjusted for all gains of the model \
         (Benjamini-Hochberg); n: answers that count under the condition.",
        &["model", "task", "scoring", "measure", "condition", "round", "gain", "low", "high", "p", "q", "n"],
    );
    for (model, behaviour, cell) in cells(summaries).filter(|(_, _, cell)| cell.gain.is_some()) {
        let mut row = place(model, behaviour, cell);
        row.extend(difference(cell.gain));
        row.push(cell.n.to_string());
        table.rows.push(row);
    }
    table
}

fn cells(summaries: &[ModelSummary]) -> impl Iterator<Item = (&str, &Behaviour, &Cell)> {
    summaries.iter().flat_map(|summary| {
        let of = |behaviour| cells_of(&summary.model, behaviour);
        summary.behaviour.iter().flat_map(of)
    })
}

fn cells_of<'s>(
    model: &'s str,
    behaviour: &'s Behaviour,
) -> impl Iterator<Item = (&'s str, &'s Behaviour, &'s Cell)> {
    behaviour.cells.iter().map(move |cell| (model, behaviour, cell))
}

fn place(model: &str, behaviour: &Behaviour, cell: &Cell) -> Vec<String> {
    let round = cell.round.to_string();
    [model, &behaviour.task, behaviour.scoring, behaviour.measure.name, &cell.condition, &round]
        .map(str::to_owned)
        .to_vec()
}

/// The cells value, low, high, p, q.
fn difference(found: Option<Difference>) -> [String; 5] {
    let (low, high) = ends(found.and_then(|found| found.interval));
    let of = |number: fn(Difference) -> Option<f64>| found.and_then(number);
    [
        number(of(|found| Some(found.value)), 4),
        low,
        high,
        number(of(|found| found.p), 4),
        number(of(|found| found.q), 4),
    ]
}

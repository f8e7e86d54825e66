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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::measures::MEASURES;

    #[test]
    fn rows_are_as_long_as_their_heads_and_name_the_scoring() {
        let interval = None;
        let gain = Some(Difference { value: 0.25, interval, p: Some(0.02), q: Some(0.04) });
        let cell = |round, gain| Cell {
            condition: "helped".into(),
            round,
            value: Some(0.5),
            interval,
            n: 8,
            change: None,
            gain,
            unparsed: None,
        };
        let behaviour = Behaviour {
            task: "my-bbq".into(),
            measure: &MEASURES[0],
            scoring: "text-sum",
            decides: false,
            cells: vec![cell(0, None), cell(1, gain)],
        };
        let summary = ModelSummary {
            model: "m".into(),
            behaviour: vec![behaviour],
            probes: Vec::new(),
            others: Vec::new(),
            movements: Vec::new(),
            relations: Default::default(),
            items: Vec::new(),
            failed: Vec::new(),
            judged: Vec::new(),
            turns: Vec::new(),
        };
        let summaries = [summary];
        let (rounds, gains) = (rounds(&summaries), gains(&summaries));
        assert_eq!(
            (rounds.rows.len(), gains.rows.len()),
            (2, 1),
            "a cell without a gain has no row of gains"
        );
        for table in [&rounds, &gains] {
            assert!(table.rows.iter().all(|row| row.len() == table.header.len() && row[2] == "text-sum"));
        }
        assert_eq!(gains.rows[0][6..], ["0.2500", "", "", "0.0200", "0.0400", "8"]);
    }
}

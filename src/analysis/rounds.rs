//! Every measure of a task over conditions and rounds: its value, its change from round 0, and its gain over the first
//! condition in the same round.

use recant_probes::multiple::benjamini_hochberg;

use rayon::prelude::*;

use super::answer::Answer;
use super::bootstrap::Bootstrap;
use super::measure::{Difference, Measure};
use super::measures::MEASURES;
use super::summary::{Behaviour, Cell};
use super::told::Told;
use crate::Result;

/// The behaviour of a model on a task, by every scoring that the task offers. Measures that count no answer are left out.
///
/// # Errors
/// A turn does not fit its item.
pub fn of(told: &Told<'_>, bootstrap: Bootstrap) -> Result<Vec<Behaviour>> {
    let mut all = Vec::new();
    for (place, scoring) in told.scorings.iter().enumerate() {
        let answers = told.all_answers(*scoring)?;
        for measure in MEASURES.iter().filter(|measure| measure.kinds.contains(&told.kind)) {
            let cells: Vec<(usize, usize)> = told.cells().collect();
            let cells: Vec<Option<Cell>> =
                cells.into_par_iter().map(|at| cell(told, measure, &answers, at, bootstrap)).collect();
            if cells.iter().any(Option::is_some) {
                let empty = |(arm, round): (usize, usize)| Cell {
                    condition: told.arms[arm].condition.into(),
                    round,
                    value: None,
                    interval: None,
                    n: 0,
                    change: None,
                    gain: None,
                    unparsed: unparsed(told, measure, (arm, round)),
                };
                all.push(Behaviour {
                    task: told.task.into(),
                    measure,
                    scoring: told.name(*scoring),
                    decides: place == 0,
                    cells: cells
                        .into_iter()
                        .zip(told.cells())
                        .map(|(cell, at)| cell.unwrap_or_else(|| empty(at)))
                        .collect(),
                });
            }
        }
    }
    Ok(all)
}

fn cell(
    told: &Told<'_>,
    measure: &Measure,
    answers: &[Vec<Vec<Answer<'_>>>],
    (arm, round): (usize, usize),
    bootstrap: Bootstrap,
) -> Option<Cell> {
    let here = &answers[arm][round];
    let estimate = measure.estimate(here, bootstrap)?;
    let against = |earlier: &[Answer<'_>], wanted: bool| {
        wanted.then(|| measure.difference(earlier, here, bootstrap)).flatten()
    };
    Some(Cell {
        condition: told.arms[arm].condition.into(),
        round,
        value: estimate.value,
        interval: estimate.interval,
        n: estimate.n,
        change: against(&answers[arm][0], round > 0),
        gain: against(&answers[0][round], arm > 0),
        unparsed: unparsed(told, measure, (arm, round)),
    })
}

/// The share of the generated texts of a measure's items that name no option.
fn unparsed(told: &Told<'_>, measure: &Measure, (arm, round): (usize, usize)) -> Option<f64> {
    let counted = told.turns(arm, round).filter(|(item, _)| measure.counts(item));
    let (n, unparsed) = counted
        .flat_map(|(_, turn)| &turn.orders)
        .fold((0, 0), |(n, unparsed), order| (n + 1, unparsed + u32::from(order.parsed.is_none())));
    (n > 0).then(|| f64::from(unparsed) / f64::from(n))
}

/// Adjusts the p-values of a model: those of its changes together, and those of its gains. What only repeats a decision
/// by another scoring is adjusted with its own.
pub fn adjust(behaviours: &mut [Behaviour]) {
    let mut scorings: Vec<(bool, &str)> = behaviours.iter().map(|b| (b.decides, b.scoring)).collect();
    scorings.sort_unstable();
    scorings.dedup();
    // The deciding scorings of all tasks are one family, whatever they are called.
    scorings.dedup_by_key(|(decides, scoring)| if *decides { "" } else { scoring });
    for (decides, scoring) in scorings.into_iter().map(|(decides, scoring)| (decides, scoring.to_owned())) {
        for kind in
            [(|cell: &mut Cell| &mut cell.change) as fn(&mut Cell) -> &mut Option<Difference>, |cell| {
                &mut cell.gain
            }]
        {
            let mut cells: Vec<&mut Option<Difference>> = behaviours
                .iter_mut()
                .filter(|behaviour| behaviour.decides == decides && (decides || behaviour.scoring == scoring))
                .flat_map(|behaviour| behaviour.cells.iter_mut().map(kind))
                .collect();
            let p: Vec<Option<f64>> =
                cells.iter().map(|cell| cell.as_ref().and_then(|found| found.p)).collect();
            for (cell, q) in cells.iter_mut().zip(benjamini_hochberg(&p)) {
                if let Some(difference) = cell.as_mut() {
                    difference.q = q;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn};
    use crate::store::Turn;
    use crate::study::Scoring;
    use crate::task::{Context, Item, Role};

    const ROLES: [Role; 3] = [Role::Stereotyped, Role::Other, Role::Unknown];

    /// Under the second condition every answer becomes right in round 1.
    #[test]
    fn changes_and_gains_are_of_the_same_items() {
        let one = |at: usize| Item {
            context: Some(Context::Ambig),
            label: Some(2),
            target: Some(0),
            ..item(&format!("g{at}"), at, &ROLES)
        };
        let items: Vec<Item> = (0..20).map(one).collect();
        let said = |later: [f64; 3]| -> Vec<Turn> {
            items.iter().flat_map(|item| [turn(item, 0, &[0.6, 0.2, 0.2]), turn(item, 1, &later)]).collect()
        };
        let (baseline, helped) = (said([0.6, 0.2, 0.2]), said([0.1, 0.1, 0.8]));
        let arms = [("baseline", baseline.as_slice()), ("helped", helped.as_slice())];
        let told = Told::new(
            ("m", "my-bbq", "bbq"),
            2,
            &items,
            &arms,
            &[Scoring::Letter, Scoring::TextSum, Scoring::Parsed],
        );
        let mut behaviour = of(&told, Bootstrap { resamples: 50, ..Bootstrap::default() }).expect("answers");
        adjust(&mut behaviour);
        let names: Vec<(&str, &str)> = behaviour.iter().map(|b| (b.scoring, b.measure.name)).collect();
        assert_eq!(
            names,
            [("letter", "accuracy_ambig"), ("letter", "bias_ambig")],
            "nothing was parsed or scored by text"
        );
        let [.., first, last] = &behaviour[0].cells[..] else { panic!("four cells") };
        assert_eq!((first.value, last.value, last.n), (Some(0.0), Some(1.0), 20));
        assert!(
            first.change.is_none() && first.gain.is_some_and(|gain| gain.value == 0.0 && gain.p.is_none())
        );
        for difference in [last.change, last.gain].map(|found| found.expect("a difference")) {
            assert_eq!((difference.value, difference.p), (1.0, Some(1.0 / 2001.0)));
            assert!(difference.q >= difference.p && difference.q.is_some_and(|q| q < 0.01));
        }
        assert!(
            behaviour[0].cells[..2].iter().all(|cell| cell.gain.is_none()),
            "the first condition gains on nothing"
        );
        // Everybody chooses unknown: no bias score, and no change of it.
        let bias = &behaviour[1].cells[3];
        assert_eq!((bias.value, bias.n, bias.gain), (None, 0, None));
        assert_eq!(bias.unparsed, Some(1.0));
    }
}

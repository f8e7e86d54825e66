//! How the answers of one model differ from those of another to the same items.

use super::grid::shared;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::changes::Tested;
use crate::analysis::paired::{Draws, Groups, Sums};
use crate::analysis::summary::ModelSummary;
use crate::store::Turn;
use crate::study::Study;
use crate::task::{Item, Role};

/// Probabilities and choices, after less before, means over the items that both were asked.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The task.
    pub task: String,
    /// The condition.
    pub condition: String,
    /// The round.
    pub round: usize,
    /// Change by what is counted, in the order of [`COUNTED`]; none where no item has it.
    pub changes: Vec<Option<Counted>>,
}

/// A mean before and after, and the change between.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The mean before.
    pub before: f64,
    /// The mean after.
    pub after: f64,
    /// The change, with its interval and test.
    pub change: Tested,
}

/// What is counted of an answer.
pub const COUNTED: [&str; 4] = ["p_stereotyped", "p_unknown", "chose_stereotyped", "right"];

fn counted(which: usize, item: &Item, turn: &Turn) -> Option<f64> {
    let target = item.target.or_else(|| item.with_role(Role::Stereotyped));
    let p = |option: usize| turn.logprobs.get(option).map(|logprob| logprob.exp());
    let chose = |option: usize| turn.choice.map(|choice| f64::from(u8::from(choice == option)));
    match which {
        0 => p(target?),
        1 => p(item.with_role(Role::Unknown)?),
        2 => chose(target?),
        _ => chose(item.label?),
    }
}

fn names(items: &[Item]) -> impl Iterator<Item = &str> {
    items.iter().map(|item| item.id.as_str())
}

/// The changes of every task, condition and round. Conditions and rounds are those of the study.
#[must_use]
pub fn answers(
    study: &Study,
    (before, after): (&ModelSummary, &ModelSummary),
    bootstrap: Bootstrap,
    flips: usize,
) -> Vec<Answers> {
    let mut all = Vec::new();
    for (task, entry) in study.tasks.iter().enumerate() {
        let (items, there) = (&before.items[task], &after.items[task]);
        let both = shared(names(items), names(there));
        let of_group: Vec<String> = both.iter().map(|(here, _)| items[*here].group.clone()).collect();
        let groups = Groups::of(&of_group);
        let draws = Draws::new(&groups, bootstrap, flips);
        let rounds = study.dialogue.rounds;
        for (arm, condition) in study.dialogue.conditions.iter().enumerate() {
            for round in 0..rounds {
                let value = |which: usize, (here, there): &(usize, usize)| {
                    let a = &before.turns[task][arm][here * rounds + round];
                    let b = &after.turns[task][arm][there * rounds + round];
                    Some((counted(which, &items[*here], a)?, counted(which, &items[*here], b)?))
                };
                let changes = (0..COUNTED.len()).map(|which| {
                    let values: Vec<_> = both.iter().map(|places| value(which, places)).collect();
                    of(&values, &groups, &draws)
                });
                all.push(Answers {
                    task: entry.name.clone(),
                    condition: condition.clone(),
                    round,
                    changes: changes.collect(),
                });
            }
        }
    }
    all
}

/// Items that lack the value count nowhere.
fn of(values: &[Option<(f64, f64)>], groups: &Groups, draws: &Draws) -> Option<Counted> {
    let known: Vec<(f64, f64)> = values.iter().flatten().copied().collect();
    if known.is_empty() {
        return None;
    }
    let change = |item: usize, _: usize| values[item].map_or(f64::NAN, |(a, b)| b - a);
    let change = Tested::all(&Sums::new(groups, 1, change), draws).into_iter().next().flatten()?;
    let mean = |side: fn(&(f64, f64)) -> f64| known.iter().map(side).sum::<f64>() / known.len() as f64;
    Some(Counted { before: mean(|v| v.0), after: mean(|v| v.1), change })
}

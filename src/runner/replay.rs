//! The dialogues of a run, read again: by the model that had them, or by another of the same vocabulary.

use std::collections::HashMap;

use super::engine::{Encoded, Engine, Limits, Request};
use super::tally::Tally;
use crate::dialogue::{Dialogue, Part, Prompt, Script};
use crate::model::{Model, Site};
use crate::store::Turn;
use crate::study::Arm;
use crate::task::Item;
use crate::{Error, Result};

/// One round of a dialogue in the first order of its options, as it was recorded.
#[derive(Debug)]
pub struct Exchange {
    /// The place of its item among those that are read.
    pub item: usize,
    /// The round.
    pub round: usize,
    /// The prompt.
    pub prompt: Prompt,
    /// What was answered, an end token left out.
    pub answer: Vec<i64>,
}

impl Exchange {
    /// Prompt and answer.
    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        [self.prompt.ids.as_slice(), &self.answer].concat()
    }
}

/// The rounds of some items under a condition, item by item. `said` holds the turns of each item.
///
/// # Errors
/// A dialogue that does not come out as it was recorded, which is so where it hangs on a critic's words.
pub fn exchanges(
    script: &Script<'_>,
    items: &[Item],
    arm: &Arm,
    said: &[Vec<&Turn>],
) -> Result<Vec<Exchange>> {
    let mut all = Vec::new();
    for (place, (item, turns)) in items.iter().zip(said).enumerate() {
        walk(script, item, arm, (turns, 0), |round, prompt, answer| {
            if prompt.part == Part::Answer {
                all.push(Exchange { item: place, round, prompt, answer: answer.to_vec() });
            }
        })?;
    }
    Ok(all)
}

/// The prompt of the answer of the last of some rounds, in one of its orders.
///
/// # Errors
/// As [`walk`].
pub(super) fn replay(
    script: &Script<'_>,
    item: &Item,
    arm: &Arm,
    turns: &[&Turn],
    place: usize,
) -> Result<Prompt> {
    let mut last = None;
    walk(script, item, arm, (turns, place), |_, prompt, _| last = Some(prompt))?;
    last.ok_or_else(|| Error::input(format!("item {}", item.id), "has no recorded rounds"))
}

/// Goes through the rounds of an item in one of its orders as they were recorded, and hands each prompt to `take`, with the
/// round before it and the answer after it.
///
/// # Errors
/// A dialogue that does not come out as it was recorded, which is so where it hangs on a critic's words.
pub(super) fn walk<'t>(
    script: &Script<'_>,
    item: &Item,
    arm: &Arm,
    (turns, place): (&[&'t Turn], usize),
    mut take: impl FnMut(usize, Prompt, &'t [i64]),
) -> Result<()> {
    let wrong = |why: &str| Error::input(format!("item {}", item.id), why);
    let lacking = || wrong("its recorded rounds lack an order or an exchange");
    let Some(first) = turns.first() else { return Ok(()) };
    let order = first.orders.get(place).ok_or_else(lacking)?.order.clone();
    let mut dialogue = Dialogue::new(item, arm, order);
    for (round, turn) in turns.iter().enumerate() {
        let said = turn.orders.get(place).ok_or_else(lacking)?;
        for part in dialogue.parts() {
            let (new, answer) = match part {
                Part::Answer => (&said.new_ids, &said.answer_ids),
                Part::Before(k) => {
                    let before = said.before.get(k).ok_or_else(lacking)?;
                    (&before.new_ids, &before.answer_ids)
                }
            };
            let prompt = script.prompt(&dialogue, part)?;
            if !prompt.ids.ends_with(new) {
                let why =
                    format!("round {} under {} cannot be replayed as it was recorded", turn.round, arm.name);
                return Err(
                    wrong(&why).hint("conditions with feedback cannot: what the critic said is not recorded")
                );
            }
            script.replied(&mut dialogue, &prompt, answer)?;
            take(round, prompt, answer);
        }
        script.next_round(&mut dialogue)?;
    }
    Ok(())
}

/// The turns of each of some items.
#[must_use]
pub fn by_item<'t>(items: &[Item], said: impl Iterator<Item = &'t Turn>) -> Vec<Vec<&'t Turn>> {
    let mut found: HashMap<&str, Vec<&Turn>> = HashMap::new();
    said.for_each(|turn| found.entry(&turn.item).or_default().push(turn));
    items.iter().map(|item| found.remove(item.id.as_str()).unwrap_or_default()).collect()
}

/// Encodes requests a wave at a time, at most `rows` wanted logits in one, and hands each wave to `take` with the place of
/// its first request.
///
/// # Errors
/// As [`Engine::encode`]; those of `take`.
pub fn read(
    model: &Model,
    requests: &[Request],
    (sites, layers): (&[Site], &[usize]),
    rows: usize,
    tally: &Tally<'_>,
    take: impl FnMut(usize, &Encoded) -> Result<()>,
) -> Result<()> {
    let mut engine = Engine::new(model, Limits::for_model(model));
    engine.edit(Vec::new())?;
    read_by(&mut engine, requests, (sites, layers), rows, tally, take)
}

/// The same by an engine of one's own.
///
/// # Errors
/// As [`read`].
pub fn read_by(
    engine: &mut Engine<'_>,
    requests: &[Request],
    (sites, layers): (&[Site], &[usize]),
    rows: usize,
    tally: &Tally<'_>,
    mut take: impl FnMut(usize, &Encoded) -> Result<()>,
) -> Result<()> {
    let limits = engine.limits();
    let mut at = 0;
    while at < requests.len() {
        let (mut end, mut tokens, mut logits) = (at, 0, 0);
        while end < requests.len() {
            tokens += requests[end].ids.len();
            logits += requests[end].logits.len();
            if end > at && (tokens > limits.wave_tokens || logits > rows) {
                break;
            }
            end += 1;
        }
        let encoded = engine.encode(&requests[at..end], sites, layers)?;
        tally.add(encoded.encoded_tokens, 0)?;
        take(at, &encoded)?;
        engine.clear();
        at = end;
    }
    Ok(())
}

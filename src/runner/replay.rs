//! The dialogues of a run, read again: by the model that had them, or by another of the same vocabulary.

use std::collections::HashMap;

use super::bench::replay;
use super::engine::{Encoded, Engine, Limits, Request};
use super::tally::Tally;
use crate::Result;
use crate::dialogue::{Prompt, Script};
use crate::model::{Model, Site};
use crate::store::Turn;
use crate::study::Arm;
use crate::task::Item;

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
        for round in 0..turns.len() {
            let prompt = replay(script, item, arm, &turns[..=round], 0)?;
            let answer = turns[round].orders[0].answer_ids.clone();
            all.push(Exchange { item: place, round, prompt, answer });
        }
    }
    Ok(all)
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
    mut take: impl FnMut(usize, &Encoded) -> Result<()>,
) -> Result<()> {
    let limits = Limits::for_model(model);
    let mut engine = Engine::new(model, limits);
    engine.edit(Vec::new())?;
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

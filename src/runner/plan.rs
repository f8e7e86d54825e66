//! How many tokens a study's dialogues come to, counted without the model.

use super::engine::Request;
use super::study::Ask;
use super::tree::Forest;
use crate::Result;
use crate::dialogue::{Dialogue, Part, Prompt, Script, orders};
use crate::random::SplitMix;
use crate::task::Item;

/// What the dialogues of some items take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Tokens that are read in packed passes.
    pub encoded: f64,
    /// Tokens that are decoded one by one.
    pub generated: f64,
    /// Positions whose logits are computed, the decoded ones left out.
    pub scored: f64,
    /// Sum over the encoded and generated tokens of the tokens before them.
    pub attended: f64,
}

impl Cost {
    /// Adds `factor` times another cost.
    pub fn add(&mut self, other: &Self, factor: f64) {
        self.encoded += factor * other.encoded;
        self.generated += factor * other.generated;
        self.scored += factor * other.scored;
        self.attended += factor * other.attended;
    }
}

/// The cost of items that are run together, when every answer uses its budget. Answers are random tokens, which
/// is all that sharing depends on: equal prompts have equal answers.
///
/// # Errors
/// As [`Script::prompt`].
pub fn cost(script: &Script<'_>, ask: &Ask<'_>, items: &[Item]) -> Result<Cost> {
    let mut dialogues = Vec::new(); // each with whether it is in its item's first order
    for item in items {
        for arm in ask.arms {
            let orders = orders(item, ask.orders, ask.seed).into_iter().enumerate();
            dialogues.extend(orders.map(|(place, order)| (Dialogue::new(item, arm, order), place == 0)));
        }
    }
    // The states of an answer's tokens are computed again once the answer is known.
    let again = ask.positions.iter().any(|position| position.of_answer());
    let mut seen = Seen { forest: Forest::default(), cost: Cost::default() };
    for _ in 0..ask.rounds {
        let deepest = dialogues.iter().map(|(dialogue, _)| dialogue.before().len()).max().unwrap_or(0);
        for k in 0..deepest {
            for (dialogue, _) in dialogues.iter_mut().filter(|(dialogue, _)| dialogue.before().len() > k) {
                let prompt = script.prompt(dialogue, Part::Before(k))?;
                let answer = seen.answered(&prompt, 0);
                script.replied(dialogue, &prompt, &answer)?;
            }
        }
        for (dialogue, first) in &mut dialogues {
            let prompt = script.prompt(dialogue, Part::Answer)?;
            for ids in prompt.options.ids.iter().chain(&prompt.texts.ids) {
                seen.insert(&ids[..ids.len() - 1]);
                seen.cost.scored += 1.0;
            }
            let answer = seen.answered(&prompt, 0);
            if again && *first {
                seen.cost.encoded += answer.len() as f64;
            }
            if *first {
                (1..=ask.samples.map_or(0, |samples| samples.n)).for_each(|number| {
                    seen.answered(&prompt, number);
                });
            }
            script.replied(dialogue, &prompt, &answer)?;
            script.next_round(dialogue)?;
        }
    }
    Ok(seen.cost)
}

/// The cost of texts whose states are captured, one after another.
#[must_use]
pub fn texts(requests: &[Request]) -> Cost {
    let mut seen = Seen { forest: Forest::default(), cost: Cost::default() };
    for request in requests {
        seen.insert(&request.ids);
    }
    seen.cost
}

/// What was read and written so far.
struct Seen {
    forest: Forest,
    cost: Cost,
}

impl Seen {
    /// Counts the tokens of a sequence that are new; returns how many.
    fn insert(&mut self, ids: &[i64]) -> usize {
        let known = self.forest.tokens();
        self.forest.insert(0, ids);
        let new = self.forest.tokens() - known;
        self.cost.encoded += new as f64;
        self.cost.attended += (ids.len() - new..ids.len()).sum::<usize>() as f64;
        new
    }

    /// Counts a prompt and its answer.
    fn answered(&mut self, prompt: &Prompt, number: usize) -> Vec<i64> {
        self.insert(&prompt.ids);
        self.cost.scored += 1.0;
        let mut random = SplitMix::named(number as u64, &format!("{:?}", prompt.ids));
        let length = prompt.max_new_tokens.max(1);
        let answer: Vec<i64> = (0..length).map(|_| random.below(1 << 40) as i64 + (1 << 40)).collect();
        let whole = [prompt.ids.as_slice(), &answer].concat();
        let (encoded, attended) = (self.cost.encoded, self.cost.attended);
        // The last token of an answer is read with the next round.
        let new = self.insert(&whole[..whole.len() - 1]);
        (self.cost.encoded, self.cost.attended) = (encoded, attended);
        if new > 0 || length == 1 {
            self.cost.generated += length as f64;
            self.cost.attended += (prompt.ids.len()..whole.len()).sum::<usize>() as f64;
        }
        answer
    }
}

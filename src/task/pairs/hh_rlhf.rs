//! Pairs of hh-rlhf (Bai et al. 2022, "Training a Helpful and Harmless Assistant with Reinforcement Learning from Human
//! Feedback"): two whole conversations as text, whose last turns are the replies. A few pairs do not share what precedes
//! the last turn, and a few replies are empty.

use serde::Deserialize;

use super::{Line, common_prompt, read, reason};
use crate::error::Result;
use crate::text::Message;

const HINT: &str = "a line of hh-rlhf is {\"chosen\": \"\\n\\nHuman: ..\\n\\nAssistant: ..\", \"rejected\": ..}; \
    format = \"jsonl\" reads pairs with a `prompt`";

/// What a turn begins with, and its role.
const TURNS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    chosen: String,
    rejected: String,
}

pub(super) fn line(place: &str, text: &str) -> Result<Line> {
    let row: Row = read::json_row(place, text, "a pair of hh-rlhf", HINT)?;
    let said = match (turns(&row.chosen), turns(&row.rejected)) {
        (Some(chosen), Some(rejected)) => common_prompt(chosen, rejected),
        _ => Err(reason::NO_TURNS),
    };
    Ok(Line { id: None, group: None, category: None, said })
}

/// The turns of a conversation; `None` where it does not begin with one.
fn turns(text: &str) -> Option<Vec<Message>> {
    let mut starts: Vec<(usize, &str, &str)> = TURNS
        .iter()
        .flat_map(|(opening, role)| text.match_indices(opening).map(|(at, found)| (at, found, *role)))
        .collect();
    starts.sort_unstable();
    if !text.get(..starts.first()?.0)?.trim().is_empty() {
        return None;
    }
    let ends = starts.iter().skip(1).map(|(at, ..)| *at).chain([text.len()]);
    let turn = |(&(at, opening, role), end): (&(usize, &str, &str), usize)| {
        Message::new(role, text[at + opening.len()..end].trim())
    };
    Some(starts.iter().zip(ends).map(turn).collect())
}

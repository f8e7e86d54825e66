//! Examples from a file of pairs: the prompt through the chat template, each reply with the token that ends a turn.

use std::path::Path;

use super::example::{Example, Source};
use crate::dialogue::Script;
use crate::study::{PairsEntry, Study};
use crate::task::pairs::{self, Pair};
use crate::task::split::{self, Part};
use crate::text::Message;
use crate::{Error, Result};

/// The examples of the study's source of pairs number `index`, which are those of `file`.
pub(super) fn examples(
    study: &Study,
    script: &Script<'_>,
    (index, entry): (usize, &PairsEntry),
    file: &Path,
) -> Result<Source> {
    let at = |key: &str, error| study.origin.at(&format!("align.pairs.{index}.{key}"), error);
    let read = pairs::load(file, entry.format.unwrap_or_default()).map_err(|error| at("file", error))?;
    let end = end_of_turn(script).map_err(|error| at("file", error))?;
    let mut found = Source { left_out: read.left_out, ..Source::default() };
    for part in [Part::Train, Part::HeldOut] {
        let mut side = read.pairs.clone();
        split::keep(&mut side, part, entry.held_out, study.seed, |pair| (&pair.category, &pair.group))
            .map_err(|error| at("held_out", error))?;
        pairs::limit(&mut side, entry.sample, study.seed, entry.limit);
        for pair in side {
            match example(script, end, &pair)? {
                Ok(example) => found.side(part).push(example),
                Err(why) => found.leave_out(why),
            }
        }
    }
    Ok(found)
}

/// A pair as ids, or why it makes no example. The replies are tokenised by themselves: those of the prompt stay as they
/// are when the model answers.
fn example(script: &Script<'_>, end: i64, pair: &Pair) -> Result<std::result::Result<Example, String>> {
    let rendered = match script.template.render(&pair.prompt, true) {
        Ok(rendered) => rendered,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let prompt = script.tokenizer.encode(&rendered, false)?;
    let whole = |reply: &str| -> Result<Vec<i64>> {
        Ok([prompt.as_slice(), &script.tokenizer.encode(reply, false)?, &[end]].concat())
    };
    let names = [pair.id.clone(), pair.id.clone(), pair.group.clone(), pair.category.clone()];
    let example = Example::new(names, prompt.len(), &whole(&pair.chosen)?, &whole(&pair.rejected)?);
    Ok(example.map_err(str::to_owned))
}

/// The token that ends the assistant's turn: the first of the template's closing that ends a reply, or else the first
/// that the checkpoint names.
fn end_of_turn(script: &Script<'_>) -> Result<i64> {
    let closing = script.template.closing(&[Message::new("user", "?")]).unwrap_or_default();
    let closing = script.tokenizer.encode(&closing, false)?;
    let written = closing.iter().find(|id| script.eos.contains(id));
    written.or(script.eos.first()).copied().ok_or_else(|| {
        Error::input("eos_token_id", "the checkpoint names no token that ends a reply")
            .hint("give one in its config.json or generation_config.json")
    })
}

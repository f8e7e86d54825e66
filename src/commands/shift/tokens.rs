//! The shift of tokens: what the second model of a pair said, and plain text, read by both.

use std::collections::BTreeSet;

use super::Pair;
use crate::analysis::token_shift::{PROSE, Passage, Passages, RANKS, file};
use crate::runner::perplexity::{self, Texts};
use crate::runner::replay::by_item;
use crate::runner::token_shift::{Token, token_shift};
use crate::runner::{Request, Tally};
use crate::store::measured;
use crate::study::manifest::hash;
use crate::{Error, Result};

/// Measures what is missing.
///
/// # Errors
/// Dialogues that cannot be replayed, texts that cannot be read, an interruption, a full disk.
pub(super) fn measure(pair: &Pair<'_>, tally: &Tally<'_>) -> Result<()> {
    let study = pair.study();
    let key = pair.key("tokens 1");
    for (task, entry) in study.tasks.iter().enumerate() {
        for condition in pair.conditions() {
            let name = file(&study.dialogue.conditions[condition]);
            let path = pair.sources.run.place(&["shift", &pair.name(), &entry.name], &name)?;
            if !measured::holds(&path, &key)? {
                measured::write(&path, &key, answers(pair, task, condition, tally)?)?;
            }
        }
    }
    let prose = match &pair.about.entry.texts {
        None => perplexity::PROSE.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| study.origin.at("shift.texts", Error::io(path, error)))?,
    };
    let key = pair.key(&format!("prose 1 {}", hash(prose.as_bytes())));
    let path = pair.sources.run.of_pair(&pair.name(), PROSE)?;
    if !measured::holds(&path, &key)? {
        measured::write(&path, &key, lines(pair, &prose, tally)?)?;
    }
    Ok(())
}

/// What the second model said on a task under a condition. Where a greedy answer ended by itself, the token that ended it
/// counts too: the most probable one after it.
fn answers(pair: &Pair<'_>, task: usize, condition: usize, tally: &Tally<'_>) -> Result<Passages> {
    let sampled = pair.study().dialogue.sampling.is_some();
    let asked = pair.asked(pair.after, task, condition)?;
    let exchanges = pair.exchanges(pair.after, &asked, condition)?;
    // An answer without tokens has none to compare, and a pass without logits brings none.
    let (mut requests, mut said, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let turns = by_item(&asked.items, asked.said.iter());
    for (place, (exchange, turn)) in exchanges.iter().zip(turns.iter().flatten()).enumerate() {
        let ended = !sampled && turn.orders[0].ended;
        let start = exchange.prompt.ids.len() - 1;
        let own: Vec<Option<i64>> =
            exchange.answer.iter().copied().map(Some).chain(ended.then_some(None)).collect();
        if own.is_empty() {
            continue;
        }
        let mut ids = exchange.ids();
        ids.truncate(start + own.len());
        requests.push(Request { ids, logits: (start..start + own.len()).collect(), ..Request::default() });
        said.push(own);
        places.push(place);
    }
    let models = [pair.before.model()?, pair.after.model()?];
    let mut found: Vec<Vec<Token>> = exchanges.iter().map(|_| Vec::new()).collect();
    for (place, tokens) in places.into_iter().zip(token_shift(models, &requests, &said, tally)?) {
        found[place] = tokens;
    }
    let passages = exchanges.iter().zip(&found).map(|(exchange, tokens)| {
        let item = &asked.items[exchange.item];
        passage((&item.id, &item.group), exchange.round, tokens)
    });
    whole(pair, sampled, passages.collect())
}

/// The lines of a plain text.
fn lines(pair: &Pair<'_>, prose: &str, tally: &Tally<'_>) -> Result<Passages> {
    let setting = pair.after.setting;
    let texts = Texts::new(&setting.tokenizer, &setting.document, prose)
        .map_err(|error| pair.study().origin.at("shift.texts", error))?;
    let requests = texts.requests();
    let likely: Vec<_> = requests.iter().map(|request| vec![None; request.logits.len()]).collect();
    let found = token_shift([pair.before.model()?, pair.after.model()?], &requests, &likely, tally)?;
    let passage = |(line, tokens): (usize, &Vec<Token>)| {
        let name = (line + 1).to_string();
        passage((&name, &name), 0, tokens)
    };
    whole(pair, false, found.iter().enumerate().map(passage).collect())
}

fn passage((item, group): (&str, &str), round: usize, tokens: &[Token]) -> Passage {
    Passage {
        item: item.into(),
        group: group.into(),
        round,
        said: tokens.iter().map(|token| token.said).collect(),
        first: tokens.iter().map(|token| token.first).collect(),
        rank: tokens.iter().map(|token| token.rank).collect(),
        kl: tokens.iter().map(|token| token.kl as f32).collect(),
        before: tokens.iter().map(|token| token.logprobs[0] as f32).collect(),
        after: tokens.iter().map(|token| token.logprobs[1] as f32).collect(),
    }
}

/// The passages with the words that are spoken of.
fn whole(pair: &Pair<'_>, sampled: bool, passages: Vec<Passage>) -> Result<Passages> {
    let mut ids = BTreeSet::new();
    for passage in &passages {
        for (at, rank) in passage.rank.iter().enumerate() {
            if RANKS[2].contains(rank) {
                ids.extend([passage.said[at], passage.first[at]]);
            }
        }
    }
    let word = |id: i64| Ok((id, pair.after.setting.tokenizer.spelled(&[id])?));
    Ok(Passages { sampled, words: ids.into_iter().map(word).collect::<Result<_>>()?, passages })
}

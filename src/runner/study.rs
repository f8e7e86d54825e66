//! A study's dialogues, shard by shard: all conditions, orders and rounds of some items side by side, so that they
//! share what they have in common.

use tch::{Device, Kind, Tensor};

use super::critic::Reader;
use super::engine::{Engine, Limits, Request};
use super::round::{Answered, Rounds, Scores};
use super::tally::Tally;
use crate::dialogue::{Answers, Dialogue, Script, orders};
use crate::model::{Model, Site};
use crate::store::turns::largest;
use crate::store::{OrderTurn, Turn};
use crate::study::dialogue::Samples;
use crate::study::{Arm, History, Orders, Position, Sampling, Scoring};
use crate::task::{Format, Item};
use crate::{Error, Result};

/// What is asked of every item.
pub struct Ask<'a> {
    /// The conditions.
    pub arms: &'a [Arm],
    /// Where the feedback of a condition comes from, by its name.
    pub readers: &'a [(String, Reader)],
    /// Answers per dialogue.
    pub rounds: usize,
    /// In which orders options are listed.
    pub orders: Orders,
    /// How options are chosen; the first decides.
    pub scoring: &'a [Scoring],
    /// Shortest answer in tokens.
    pub min_new_tokens: usize,
    /// How answers are drawn; greedy without it.
    pub sampling: Option<Sampling>,
    /// Further answers.
    pub samples: Option<Samples>,
    /// Seed of what is drawn.
    pub seed: u64,
    /// The tokens that a document begins with, for texts by themselves.
    pub document: &'a [i64],
    /// Sites to capture.
    pub sites: &'a [Site],
    /// Layers of the per-layer sites.
    pub layers: &'a [usize],
    /// Named tokens to capture.
    pub positions: &'a [Position],
}

/// What one condition of a shard comes to.
pub struct Outcome {
    /// Items in order, and the rounds of each.
    pub turns: Vec<Turn>,
    /// Per site `(items, rounds, positions, layers, width)`, without `layers` for a site that exists once. A position
    /// that does not exist (an answer without tokens) is NaN.
    pub states: Vec<(Site, Tensor)>,
}

/// An item that could not be run.
#[derive(Debug)]
pub struct Failure {
    /// The item.
    pub item: String,
    /// Why.
    pub error: Error,
}

pub(super) fn no_logits() -> Error {
    Error::Torch("no logits".into())
}

/// Runs the dialogues of some items; one outcome per condition, of the items that could be run. The others are returned
/// beside them: what fails for one item does not stop the rest.
///
/// # Errors
/// What is no item's fault: an interruption, a full disk.
pub fn run(
    model: &Model,
    script: &Script<'_>,
    ask: &Ask<'_>,
    items: &[Item],
    limits: Limits,
    tally: &Tally<'_>,
) -> Result<(Vec<Outcome>, Vec<Failure>)> {
    let mut parts: Vec<Vec<Outcome>> = Vec::new();
    let mut failures = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let tokens = item_tokens(script, ask, &items[at]).unwrap_or(limits.wave_tokens);
        let end = items.len().min(at + (limits.wave_tokens / tokens.max(1)).max(1));
        let wave = &items[at..end];
        match run_together(model, script, ask, wave, limits, tally) {
            Ok(part) => parts.push(part),
            Err(error) if !error.of_an_item() => return Err(error),
            Err(error) if wave.len() == 1 => failures.push(Failure { item: wave[0].id.clone(), error }),
            // One of them is at fault: each by itself shows which.
            Err(_) => {
                for item in wave {
                    match run_together(model, script, ask, std::slice::from_ref(item), limits, tally) {
                        Ok(part) => parts.push(part),
                        Err(error) if !error.of_an_item() => return Err(error),
                        Err(error) => failures.push(Failure { item: item.id.clone(), error }),
                    }
                }
            }
        }
        at = end;
    }
    Ok((joined(model, ask, parts)?, failures))
}

/// The outcomes of several waves as one.
fn joined(model: &Model, ask: &Ask<'_>, parts: Vec<Vec<Outcome>>) -> Result<Vec<Outcome>> {
    let mut turns: Vec<Vec<Turn>> = ask.arms.iter().map(|_| Vec::new()).collect();
    let mut states: Vec<Vec<Vec<Tensor>>> =
        ask.arms.iter().map(|_| ask.sites.iter().map(|_| Vec::new()).collect()).collect();
    for part in parts {
        for (arm, outcome) in part.into_iter().enumerate() {
            turns[arm].extend(outcome.turns);
            states[arm].iter_mut().zip(outcome.states).for_each(|(all, (_, more))| all.push(more));
        }
    }
    let join = |(turns, states): (Vec<Turn>, Vec<Vec<Tensor>>)| {
        let sites = ask.sites.iter().zip(states).map(|(&site, parts)| {
            let whole = match parts.is_empty() {
                true => Tensor::f_zeros(shape(model, ask, site, 0), (Kind::Float, Device::Cpu))?,
                false => Tensor::f_cat(&parts, 0)?,
            };
            Ok((site, whole))
        });
        Ok(Outcome { turns, states: sites.collect::<Result<_>>()? })
    };
    turns.into_iter().zip(states).map(join).collect()
}

fn shape(model: &Model, ask: &Ask<'_>, site: Site, items: usize) -> Vec<i64> {
    let mut shape = vec![items as i64, ask.rounds as i64, ask.positions.len() as i64];
    if site.per_layer() {
        shape.push(ask.layers.len() as i64);
    }
    shape.push(model.spec.width(site));
    shape
}

/// About how many distinct tokens the dialogues of an item come to.
fn item_tokens(script: &Script<'_>, ask: &Ask<'_>, item: &Item) -> Result<usize> {
    let orders = orders(item, ask.orders, ask.seed);
    let more = ask.samples.map_or(0, |samples| samples.n);
    // A first round without an instruction is the same in every condition.
    let (mut shared, mut own) = (0, 0);
    for arm in ask.arms {
        let mut dialogue = Dialogue::new(item, arm, orders[0].clone());
        // A linear history grows by the same with every round.
        let linear = arm.history == History::Linear;
        for round in 0..if linear { ask.rounds.min(2) } else { ask.rounds } {
            let mut tokens = 0;
            for part in dialogue.parts() {
                let prompt = script.prompt(&dialogue, part)?;
                tokens += prompt.new + prompt.max_new_tokens * (1 + more);
                script.replied(&mut dialogue, &prompt, &[])?;
            }
            script.next_round(&mut dialogue)?;
            match round {
                0 if arm.from > 0 => shared = shared.max(tokens),
                0 => own += tokens,
                _ if linear => own += tokens * (ask.rounds - 1),
                _ => own += tokens,
            }
        }
    }
    Ok(orders.len() * (shared + own))
}

/// Runs the dialogues of items whose keys and values are held at once.
fn run_together(
    model: &Model,
    script: &Script<'_>,
    ask: &Ask<'_>,
    items: &[Item],
    limits: Limits,
    tally: &Tally<'_>,
) -> Result<Vec<Outcome>> {
    let (mut dialogues, mut first) = (Vec::new(), Vec::new()); // item-major, then condition, then order
    for item in items {
        for arm in ask.arms {
            for (place, order) in orders(item, ask.orders, ask.seed).into_iter().enumerate() {
                dialogues.push(Dialogue::new(item, arm, order));
                first.push(place == 0);
            }
        }
    }
    let mut engine = Engine::new(model, limits);
    let unconditional = unconditional(&mut engine, script, ask, items, tally)?;
    let mut running = Rounds { engine, script, ask, tally, dialogues, first };
    let rounds = (0..ask.rounds).map(|_| running.round()).collect::<Result<Vec<_>>>()?;
    collect(model, ask, items, &unconditional, &rounds)
}

/// Per item the log-probability of each option's words as the beginning of a document, where a scoring needs them.
fn unconditional(
    engine: &mut Engine<'_>,
    script: &Script<'_>,
    ask: &Ask<'_>,
    items: &[Item],
    tally: &Tally<'_>,
) -> Result<Vec<Vec<f64>>> {
    // Sentences are compared by themselves in the published scores, whatever the scoring of the study.
    let asked = ask.scoring.iter().any(|scoring| scoring.needs_unconditional());
    let wanted = |item: &Item| asked || item.format == Format::Sentence;
    let mut requests = Vec::new();
    let mut all = Vec::with_capacity(items.len());
    if ask.document.is_empty() && items.iter().any(wanted) {
        let why = "names no token that begins or ends a text, after which a text by itself could be scored";
        return Err(Error::input("the checkpoint", why).hint("give bos_token_id in its config.json"));
    }
    for item in items {
        let lead =
            if matches!(&item.format, Format::Blank { before } if !before.is_empty()) { " " } else { "" };
        let mut answers = Answers { ids: Vec::new(), shared: ask.document.len() };
        let mut places = Vec::new();
        for option in item.options.iter().filter(|_| wanted(item)) {
            let text = script.tokenizer.encode(&format!("{lead}{}", option.text), false)?;
            let ids = [ask.document, &text].concat();
            places.push(requests.len());
            let logits = (ask.document.len() - 1..ids.len() - 1).collect();
            requests.push(Request { ids: ids[..ids.len() - 1].to_vec(), logits, ..Request::default() });
            answers.ids.push(ids);
        }
        all.push((answers, places));
    }
    if requests.is_empty() {
        return Ok(vec![Vec::new(); items.len()]);
    }
    let encoded = engine.encode(&requests, &[], &[])?;
    tally.add(encoded.encoded_tokens, 0)?;
    let scores = Scores::of(&encoded)?;
    let sums = |(answers, places): &(Answers, Vec<usize>)| {
        Ok(scores.sums(answers, places)?.iter().map(|score| score.logprob).collect())
    };
    all.iter().map(sums).collect()
}

/// Turns rounds of dialogues into one outcome per condition.
fn collect(
    model: &Model,
    ask: &Ask<'_>,
    items: &[Item],
    unconditional: &[Vec<f64>],
    rounds: &[Vec<Answered>],
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<(Vec<Turn>, Vec<Vec<Tensor>>)> =
        ask.arms.iter().map(|_| (Vec::new(), ask.sites.iter().map(|_| Vec::new()).collect())).collect();
    let mut at = 0;
    for (item, unconditional) in items.iter().zip(unconditional) {
        let n_orders = orders(item, ask.orders, ask.seed).len();
        for (turns, states) in &mut outcomes {
            for (number, round) in rounds.iter().enumerate() {
                let answered = &round[at..at + n_orders];
                turns.push(turn(item, number, unconditional, answered, ask.scoring)?);
                for (all, (_, tensor)) in states.iter_mut().zip(&answered[0].states) {
                    all.push(tensor.shallow_clone());
                }
            }
            at += n_orders;
        }
    }
    let finish = |(turns, states): (Vec<Turn>, Vec<Vec<Tensor>>)| -> Result<Outcome> {
        let mut joined = Vec::with_capacity(states.len());
        for (&site, parts) in ask.sites.iter().zip(&states) {
            let shape = shape(model, ask, site, items.len());
            joined.push((site, Tensor::f_stack(parts, 0)?.f_view(&shape[..])?));
        }
        Ok(Outcome { turns, states: joined })
    };
    outcomes.into_iter().map(finish).collect()
}

fn turn(
    item: &Item,
    round: usize,
    unconditional: &[f64],
    answered: &[Answered],
    scoring: &[Scoring],
) -> Result<Turn> {
    let orders: Vec<_> = answered.iter().map(|answer| answer.turn.clone()).collect();
    let own = |order: &OrderTurn| {
        let texts = order.texts.iter().map(|text| text.logprob);
        order.logprobs.iter().copied().chain(texts).chain([order.answer_logprob]).collect::<Vec<_>>()
    };
    let samples = answered[0].samples.iter().map(|sample| sample.logprob);
    let mut scores = orders.iter().flat_map(own).chain(samples).chain(unconditional.iter().copied());
    if scores.any(|score| !score.is_finite()) {
        let why = "its log-probabilities are not finite";
        return Err(Error::input(format!("item {}", item.id), why)
            .hint("`recant model check DIR` says more about the checkpoint"));
    }
    let mut turn = Turn {
        item: item.id.clone(),
        group: item.group.clone(),
        category: item.category.clone(),
        round,
        user: answered[0].user.clone(),
        choice: None,
        logprobs: Vec::new(),
        unconditional: unconditional.to_vec(),
        orders,
        samples: answered[0].samples.clone(),
    };
    let first = scoring.first().copied().unwrap_or(Scoring::Letter);
    // What a text says has no probability of its own; the letters' stand beside it.
    turn.logprobs = turn.by(first).or_else(|| turn.by(Scoring::Letter)).unwrap_or_default();
    turn.choice = match first {
        Scoring::Parsed => turn.orders[0].parsed,
        _ => largest(&turn.logprobs),
    };
    Ok(turn)
}

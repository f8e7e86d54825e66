//! A study's dialogues, shard by shard: all conditions, orders and rounds of some items side by side, so that they
//! share what they have in common.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::engine::{Encoded, Engine, Limits, Request, Stop};
use super::sample::Sampler;
use crate::dialogue::{Dialogue, Prompt, Script, orders};
use crate::model::{Model, Site};
use crate::store::turns::largest;
use crate::store::{OrderTurn, Turn};
use crate::study::{Condition, Position, Scoring};
use crate::task::{Item, answer};
use crate::{Error, Result};

/// What is asked of every item.
pub struct Ask<'a> {
    /// The conditions, with their names.
    pub conditions: &'a [(String, Condition)],
    /// Answers per dialogue.
    pub rounds: usize,
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
    /// Whether options go through every cyclic order.
    pub cyclic: bool,
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

/// Runs the dialogues of some items; one outcome per condition.
///
/// # Errors
/// A template that cannot be continued, a sequence beyond the context, no memory.
pub fn run(
    model: &Model,
    script: &Script<'_>,
    ask: &Ask<'_>,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<Outcome>> {
    let mut whole: Vec<Outcome> = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let tokens = item_tokens(script, ask, &items[at])?;
        let end = items.len().min(at + (limits.wave_tokens / tokens).max(1));
        let part = run_together(model, script, ask, &items[at..end], limits)?;
        if whole.is_empty() {
            whole = part;
        } else {
            for (whole, part) in whole.iter_mut().zip(part) {
                whole.turns.extend(part.turns);
                for ((_, all), (_, more)) in whole.states.iter_mut().zip(part.states) {
                    *all = Tensor::f_cat(&[&*all, &more], 0)?;
                }
            }
        }
        at = end;
    }
    Ok(whole)
}

/// About how many distinct tokens the dialogues of an item come to.
fn item_tokens(script: &Script<'_>, ask: &Ask<'_>, item: &Item) -> Result<usize> {
    let orders = orders(item, ask.cyclic);
    let (mut first, mut longest) = (0, 0);
    for (_, condition) in ask.conditions {
        let mut dialogue = Dialogue::new(item, condition, orders[0].clone());
        let prompt = script.prompt(&dialogue)?;
        first = prompt.ids.len();
        if ask.rounds > 1 {
            script.answered(&mut dialogue, &prompt, &[])?;
            longest = longest.max(script.prompt(&dialogue)?.new);
        }
    }
    let later = ask.conditions.len() * (ask.rounds - 1) * (longest + ask.max_new_tokens);
    Ok(orders.len() * (first + ask.max_new_tokens + later))
}

/// Runs the dialogues of items whose keys and values are held at once.
fn run_together(
    model: &Model,
    script: &Script<'_>,
    ask: &Ask<'_>,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<Outcome>> {
    let mut engine = Engine::new(model, limits);
    let mut dialogues = Vec::new(); // item-major, then condition, then order
    for item in items {
        for (_, condition) in ask.conditions {
            dialogues.extend(
                orders(item, ask.cyclic).into_iter().map(|order| Dialogue::new(item, condition, order)),
            );
        }
    }
    let mut rounds = Vec::with_capacity(ask.rounds);
    for _ in 0..ask.rounds {
        rounds.push(round(&mut engine, script, ask, &mut dialogues)?);
    }
    collect(model, ask, items, &rounds)
}

/// One round of one dialogue.
struct Answered {
    turn: OrderTurn,
    user: String,
    /// Per site the states `(positions, ...)`; of dialogues in the given order only.
    states: Vec<(Site, Tensor)>,
}

/// One round of all dialogues.
fn round(
    engine: &mut Engine<'_>,
    script: &Script<'_>,
    ask: &Ask<'_>,
    dialogues: &mut [Dialogue<'_>],
) -> Result<Vec<Answered>> {
    let prompts = dialogues.iter().map(|dialogue| script.prompt(dialogue)).collect::<Result<Vec<_>>>()?;
    let given: Vec<bool> = dialogues.iter().map(|dialogue| dialogue.order.is_sorted()).collect();

    let mut requests = Vec::new();
    let mut scored = Vec::new();
    for (prompt, &given) in prompts.iter().zip(&given) {
        let states = if given { prompt_positions(prompt, ask)? } else { Vec::new() };
        let main = requests.len();
        requests.push(Request { ids: prompt.ids.clone(), states, logits: vec![prompt.ids.len() - 1] });
        scored.push(option_requests(prompt, main, &mut requests));
    }
    let encoded = engine.encode(&requests, ask.sites, ask.layers)?;
    let logits = encoded.logits.as_ref().ok_or_else(|| Error::Torch("no logits".into()))?;
    let log_z = Vec::<f64>::try_from(logits.f_logsumexp(-1, false)?.f_to_kind(Kind::Double)?)?;
    let score = |prompt: &Prompt, options: &[usize]| -> Result<Vec<f64>> {
        let one = |(ids, &request): (&Vec<i64>, &usize)| -> Result<f64> {
            let rows = &encoded.logit_rows[request];
            ids[prompt.shared..].iter().zip(rows).try_fold(0.0, |sum, (&id, &row)| {
                Ok(sum + logits.f_double_value(&[row, id])? - log_z[row as usize])
            })
        };
        prompt.options.iter().zip(options).map(one).collect()
    };
    let mut scores = Vec::with_capacity(prompts.len());
    for (prompt, options) in prompts.iter().zip(&scored) {
        scores.push(score(prompt, &options.options)?);
    }

    let generated = generate(engine, script, ask, &prompts, &encoded, &scored)?;
    let mut answered = Vec::with_capacity(dialogues.len());
    for (i, dialogue) in dialogues.iter_mut().enumerate() {
        let listed = dialogue.listed();
        let (answer_ids, text) = script.answered(dialogue, &prompts[i], &generated[i])?;
        let parsed = answer::parse(&listed, &text).map(|place| dialogue.order[place]);
        answered.push(Answered {
            turn: OrderTurn {
                order: dialogue.order.clone(),
                new_ids: prompts[i].ids[prompts[i].ids.len() - prompts[i].new..].to_vec(),
                ended: answer_ids.len() < generated[i].len(),
                answer_ids,
                answer: text,
                answer_logprob: 0.0,
                before: Vec::new(),
                texts: Vec::new(),
                logprobs: scores[i].clone(),
                parsed,
            },
            user: prompts[i].user.clone(),
            states: Vec::new(),
        });
    }
    let mains: Vec<usize> = scored.iter().map(|options| options.main).collect();
    capture(engine, ask, &prompts, &given, (&encoded, &mains), &mut answered)?;
    Ok(answered)
}

/// The requests of a dialogue's round: its prompt's, and the one whose logits score each option.
struct Scored {
    main: usize,
    options: Vec<usize>,
}

/// An option of one token after the prompt is read from the prompt's own logits; a longer one is a sequence of its own.
fn option_requests(prompt: &Prompt, main: usize, requests: &mut Vec<Request>) -> Scored {
    let mut options = Vec::with_capacity(prompt.options.len());
    for ids in &prompt.options {
        if prompt.shared == prompt.ids.len() && ids.len() == prompt.shared + 1 {
            options.push(main);
        } else {
            options.push(requests.len());
            let logits = (prompt.shared - 1..ids.len() - 1).collect();
            requests.push(Request { ids: ids[..ids.len() - 1].to_vec(), states: Vec::new(), logits });
        }
    }
    Scored { main, options }
}

/// Decodes each distinct prompt once.
fn generate(
    engine: &mut Engine<'_>,
    script: &Script<'_>,
    ask: &Ask<'_>,
    prompts: &[Prompt],
    encoded: &Encoded,
    scored: &[Scored],
) -> Result<Vec<Vec<i64>>> {
    let mut distinct = BTreeMap::new(); // node -> place in `nodes`
    let (mut nodes, mut rows) = (Vec::new(), Vec::new());
    let mut places = Vec::with_capacity(prompts.len());
    for options in scored {
        let node = encoded.nodes[options.main];
        places.push(*distinct.entry(node).or_insert_with(|| {
            nodes.push(node);
            rows.push(encoded.logit_rows[options.main][0]);
            nodes.len() - 1
        }));
    }
    let logits = encoded.logits.as_ref().ok_or_else(|| Error::Torch("no logits".into()))?;
    let first = logits.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
    let stop = Stop { max_new: ask.max_new_tokens, ends: script.ends, never: &[] };
    let answers = engine.generate(&nodes, &first, stop, &mut vec![Sampler::Greedy; nodes.len()])?;
    Ok(places.into_iter().map(|place| answers[place].clone()).collect())
}

/// The last prompt token, then the wanted positions of a prompt in the order of `ask.positions`, those of the answer
/// left out.
fn prompt_positions(prompt: &Prompt, ask: &Ask<'_>) -> Result<Vec<usize>> {
    let mut places = vec![prompt.last];
    for position in ask.positions {
        match position {
            Position::Last => places.push(prompt.last),
            Position::InstructionEnd => places.push(prompt.instruction_end.ok_or_else(|| {
                Error::input("position instruction_end", "the chat template changes what the user said")
                    .hint("leave it out of capture.positions")
            })?),
            _ => {}
        }
    }
    Ok(places)
}

/// Puts the states of the given order's dialogues into `answered`, encoding answers again where their tokens are wanted.
fn capture(
    engine: &mut Engine<'_>,
    ask: &Ask<'_>,
    prompts: &[Prompt],
    given: &[bool],
    (encoded, mains): (&Encoded, &[usize]),
    answered: &mut [Answered],
) -> Result<()> {
    let answers = if ask.positions.iter().any(|position| position.of_answer()) {
        let requests: Vec<Request> = prompts
            .iter()
            .zip(&*answered)
            .zip(given)
            .map(|((prompt, answered), &given)| {
                let ids = [prompt.ids.as_slice(), &answered.turn.answer_ids].concat();
                let states = if given { (prompt.ids.len()..ids.len()).collect() } else { Vec::new() };
                Request { ids, states, logits: Vec::new() }
            })
            .collect();
        Some(engine.encode(&requests, ask.sites, ask.layers)?)
    } else {
        None
    };
    for (i, answer) in answered.iter_mut().enumerate().filter(|(i, _)| given[*i]) {
        for (s, (site, states)) in encoded.states.iter().enumerate() {
            let mut prompt_rows = encoded.state_rows[mains[i]].iter().skip(1);
            let mut parts = Vec::with_capacity(ask.positions.len());
            for position in ask.positions {
                parts.push(if position.of_answer() {
                    let (source, rows) = match &answers {
                        Some(found) => {
                            (found.states.get(s).map(|(_, states)| states), found.state_rows[i].as_slice())
                        }
                        None => (None, [].as_slice()),
                    };
                    answer_state(*position, source, rows, &states.size()[1..])?
                } else {
                    let row = prompt_rows
                        .next()
                        .ok_or_else(|| Error::Torch("a position was not captured".into()))?;
                    states.f_get(*row)?
                });
            }
            answer.states.push((*site, Tensor::f_stack(&parts, 0)?));
        }
    }
    Ok(())
}

fn answer_state(position: Position, source: Option<&Tensor>, rows: &[i64], shape: &[i64]) -> Result<Tensor> {
    let (Some(source), [first, .., last] | [first @ last]) = (source, rows) else {
        return Ok(Tensor::f_full(shape, f64::NAN, (Kind::Float, Device::Cpu))?);
    };
    Ok(match position {
        Position::AnswerFirst => source.f_get(*first)?,
        Position::AnswerLast => source.f_get(*last)?,
        _ => source.f_index_select(0, &Tensor::f_from_slice(rows)?)?.f_mean_dim(0, false, Kind::Float)?,
    })
}

/// Turns rounds of dialogues into one outcome per condition.
fn collect(model: &Model, ask: &Ask<'_>, items: &[Item], rounds: &[Vec<Answered>]) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<(Vec<Turn>, Vec<Vec<Tensor>>)> =
        ask.conditions.iter().map(|_| (Vec::new(), ask.sites.iter().map(|_| Vec::new()).collect())).collect();
    let mut at = 0;
    for item in items {
        let n_orders = orders(item, ask.cyclic).len();
        for (turns, states) in &mut outcomes {
            for (number, round) in rounds.iter().enumerate() {
                let answered = &round[at..at + n_orders];
                turns.push(turn(item, number, answered));
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
            let mut shape = vec![items.len() as i64, rounds.len() as i64, ask.positions.len() as i64];
            if site.per_layer() {
                shape.push(ask.layers.len() as i64);
            }
            shape.push(model.width(site));
            joined.push((site, Tensor::f_stack(parts, 0)?.f_view(&shape[..])?));
        }
        Ok(Outcome { turns, states: joined })
    };
    outcomes.into_iter().map(finish).collect()
}

fn turn(item: &Item, round: usize, answered: &[Answered]) -> Turn {
    let mut turn = Turn {
        item: item.id.clone(),
        group: item.group.clone(),
        category: item.category.clone(),
        round,
        user: answered[0].user.clone(),
        choice: None,
        logprobs: Vec::new(),
        unconditional: Vec::new(),
        orders: answered.iter().map(|answer| answer.turn.clone()).collect(),
        samples: Vec::new(),
    };
    turn.logprobs = turn.by(Scoring::Letter).unwrap_or_default();
    turn.choice = largest(&turn.logprobs);
    turn
}

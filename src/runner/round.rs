//! One round of many dialogues side by side: what precedes the answers, the scores of the options, the answers, and the
//! states.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::critic::Reader;
use super::engine::{Encoded, Engine, Generated, Request, Stop};
use super::sample::Sampler;
use super::study::{Ask, no_logits};
use super::tally::Tally;
use crate::dialogue::{Answers, Dialogue, Part, Prompt, Script};
use crate::model::Site;
use crate::random::SplitMix;
use crate::store::{Exchange, OrderTurn, Sample, TextScore};
use crate::study::{Position, Sampling};
use crate::task::{Format, answer};
use crate::{Error, Result};

/// What runs the rounds of some dialogues.
pub(super) struct Rounds<'a, 'm> {
    pub engine: Engine<'m>,
    pub script: &'a Script<'a>,
    pub ask: &'a Ask<'a>,
    pub tally: &'a Tally<'a>,
    pub dialogues: Vec<Dialogue<'a>>,
    /// Which of them are in the first order of their item, whose states are captured.
    pub first: Vec<bool>,
}

/// One round of one dialogue.
pub(super) struct Answered {
    pub turn: OrderTurn,
    pub user: String,
    pub samples: Vec<Sample>,
    /// Per site the states `(positions, ...)`; of dialogues in the first order only.
    pub states: Vec<(Site, Tensor)>,
}

/// The requests of a dialogue's answer: its prompt's, and those whose logits score each option and each text.
struct Scored {
    main: usize,
    options: Vec<usize>,
    texts: Vec<usize>,
}

impl Rounds<'_, '_> {
    /// One round of all dialogues, which are then ready for the next one.
    pub fn round(&mut self) -> Result<Vec<Answered>> {
        self.hear()?;
        let mut before = self.exchanges()?;
        let prompts =
            self.dialogues.iter().map(|d| self.script.prompt(d, Part::Answer)).collect::<Result<Vec<_>>>()?;
        let mut requests = Vec::new();
        let mut scored = Vec::new();
        for (prompt, &first) in prompts.iter().zip(&self.first) {
            let states = if first { prompt_positions(prompt, self.ask)? } else { Vec::new() };
            let main = requests.len();
            requests.push(Request {
                ids: prompt.ids.clone(),
                states,
                logits: vec![prompt.ids.len() - 1],
                ..Request::default()
            });
            let options = answer_requests(&prompt.options, prompt, main, &mut requests);
            let texts = answer_requests(&prompt.texts, prompt, main, &mut requests);
            scored.push(Scored { main, options, texts });
        }
        let encoded = self.engine.encode(&requests, self.ask.sites, self.ask.layers)?;
        self.tally.add(encoded.encoded_tokens, 0)?;
        let scores = Scores::of(&encoded)?;
        let mains: Vec<usize> = scored.iter().map(|scored| scored.main).collect();
        let all: Vec<usize> = (0..prompts.len()).collect();
        let generated = self.decode(&all, &prompts, &encoded, &mains, (self.ask.sampling, 0))?;
        let mut samples = self.samples(&prompts, &encoded, &mains)?;
        let mut answered = Vec::with_capacity(prompts.len());
        for (i, prompt) in prompts.iter().enumerate() {
            let options = scores.sums(&prompt.options, &scored[i].options)?;
            let texts = match prompt.texts.ids.is_empty() {
                false => scores.sums(&prompt.texts, &scored[i].texts)?,
                true if self.script.texts || self.dialogues[i].item.format == Format::Sentence => {
                    options.clone()
                }
                true => Vec::new(),
            };
            let dialogue = &mut self.dialogues[i];
            let reply = self.script.replied(dialogue, prompt, &generated[i].ids)?;
            answered.push(Answered {
                turn: OrderTurn {
                    order: dialogue.order.clone(),
                    before: std::mem::take(&mut before[i]),
                    new_ids: prompt.ids[prompt.ids.len() - prompt.new..].to_vec(),
                    ended: reply.ended,
                    answer_logprob: generated[i].logprobs[..reply.ids.len()].iter().sum(),
                    parsed: parsed(dialogue, &reply.text),
                    answer: reply.text,
                    answer_ids: reply.ids,
                    logprobs: options.iter().map(|score| score.logprob).collect(),
                    texts,
                },
                user: prompt.user.clone(),
                samples: std::mem::take(&mut samples[i]),
                states: Vec::new(),
            });
        }
        self.capture(&prompts, (&encoded, &mains), &mut answered)?;
        self.dialogues.iter_mut().try_for_each(|dialogue| self.script.next_round(dialogue))?;
        Ok(answered)
    }

    /// Gets the feedback on the last answers, where a condition has any.
    fn hear(&mut self) -> Result<()> {
        for (name, reader) in self.ask.readers {
            let heard = |d: &Dialogue<'_>| d.arm.name == *name && d.round > 0;
            let which: Vec<usize> =
                (0..self.dialogues.len()).filter(|&i| heard(&self.dialogues[i])).collect();
            match reader {
                Reader::File(texts) => {
                    for i in which {
                        let dialogue = &mut self.dialogues[i];
                        let key = (dialogue.item.id.clone(), dialogue.round);
                        let text = texts.get(&key).ok_or_else(|| {
                            let why = format!("the feedback of {name} has no text for round {}", key.1);
                            Error::input(format!("item {}", key.0), why).hint("add a line for it to the file")
                        })?;
                        dialogue.feedback.clone_from(text);
                    }
                }
                Reader::Model(critic) => {
                    let questions =
                        which.iter().map(|&i| self.script.critique(&self.dialogues[i], &critic.ask));
                    let questions = questions.collect::<Result<Vec<_>>>()?;
                    for (i, text) in which.into_iter().zip(critic.read(&questions)?) {
                        self.dialogues[i].feedback = text;
                    }
                }
            }
        }
        Ok(())
    }

    /// What precedes the answers of this round.
    fn exchanges(&mut self) -> Result<Vec<Vec<Exchange>>> {
        let mut all = vec![Vec::new(); self.dialogues.len()];
        let most = self.dialogues.iter().map(|dialogue| dialogue.before().len()).max().unwrap_or(0);
        for k in 0..most {
            let which: Vec<usize> =
                (0..self.dialogues.len()).filter(|&i| self.dialogues[i].before().len() > k).collect();
            let prompts = which
                .iter()
                .map(|&i| self.script.prompt(&self.dialogues[i], Part::Before(k)))
                .collect::<Result<Vec<_>>>()?;
            let requests: Vec<Request> = prompts
                .iter()
                .map(|prompt| Request {
                    ids: prompt.ids.clone(),
                    logits: vec![prompt.ids.len() - 1],
                    ..Request::default()
                })
                .collect();
            let encoded = self.engine.encode(&requests, &[], &[])?;
            self.tally.add(encoded.encoded_tokens, 0)?;
            let mains: Vec<usize> = (0..prompts.len()).collect();
            let generated = self.decode(&which, &prompts, &encoded, &mains, (self.ask.sampling, 0))?;
            for ((&i, prompt), generated) in which.iter().zip(&prompts).zip(&generated) {
                let reply = self.script.replied(&mut self.dialogues[i], prompt, &generated.ids)?;
                all[i].push(Exchange {
                    user: prompt.user.clone(),
                    new_ids: prompt.ids[prompt.ids.len() - prompt.new..].to_vec(),
                    answer_ids: reply.ids,
                    answer: reply.text,
                    ended: reply.ended,
                });
            }
        }
        Ok(all)
    }

    /// Further answers to the prompts of the first orders.
    fn samples(
        &mut self,
        prompts: &[Prompt],
        encoded: &Encoded,
        mains: &[usize],
    ) -> Result<Vec<Vec<Sample>>> {
        let mut all = vec![Vec::new(); prompts.len()];
        let Some(samples) = self.ask.samples else { return Ok(all) };
        let which: Vec<usize> = (0..prompts.len()).filter(|&i| self.first[i]).collect();
        let chosen: Vec<Prompt> = which.iter().map(|&i| prompts[i].clone()).collect();
        let mains: Vec<usize> = which.iter().map(|&i| mains[i]).collect();
        for number in 1..=samples.n {
            let drawn = (Some(samples.sampling()), number);
            let generated = self.decode(&which, &chosen, encoded, &mains, drawn)?;
            for ((&i, prompt), generated) in which.iter().zip(&chosen).zip(generated) {
                let reply = self.script.reply(prompt, &generated.ids)?;
                all[i].push(Sample {
                    logprob: generated.logprobs[..reply.ids.len()].iter().sum(),
                    parsed: parsed(&self.dialogues[i], &reply.text),
                    ids: reply.ids,
                    text: reply.text,
                });
            }
        }
        Ok(all)
    }

    /// Continues the prompts of one part of some dialogues. A prompt that an item has under several conditions is decoded once: what
    /// is drawn for it hangs on the seed, the item, the prompt and the number of the sample alone.
    fn decode(
        &mut self,
        which: &[usize],
        prompts: &[Prompt],
        encoded: &Encoded,
        mains: &[usize],
        (sampling, number): (Option<Sampling>, usize),
    ) -> Result<Vec<Generated>> {
        let logits = encoded.logits.as_ref().ok_or_else(no_logits)?;
        let mut budgets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, prompt) in prompts.iter().enumerate() {
            budgets.entry(prompt.max_new_tokens).or_default().push(place);
        }
        let mut all = vec![Generated::default(); prompts.len()];
        let (script, part) = (self.script, prompts.first().map_or(Part::Answer, |prompt| prompt.part));
        let (ends, stop) = script.ending(part);
        let complete = |ids: &[i64]| -> Result<bool> {
            let text = script.tokenizer.decode(ids)?;
            Ok(stop.iter().any(|stop| text.contains(stop.as_str())))
        };
        for (max_new, places) in budgets {
            let mut distinct = BTreeMap::new(); // (node, item) -> place in `nodes`
            let (mut nodes, mut rows, mut samplers) = (Vec::new(), Vec::new(), Vec::new());
            let mut found = Vec::with_capacity(places.len());
            for &place in &places {
                let node = encoded.nodes[mains[place]];
                let item = &self.dialogues[which[place]].item.id;
                let of_item = sampling.map(|_| item.as_str());
                found.push(*distinct.entry((node, of_item)).or_insert_with(|| {
                    nodes.push(node);
                    rows.push(encoded.logit_rows[mains[place]][0]);
                    let name = format!("{item}/{number}/{:?}", prompts[place].ids);
                    samplers.push(Sampler::new(sampling, SplitMix::named(self.ask.seed, &name)));
                    nodes.len() - 1
                }));
            }
            let first = logits.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
            let until = Stop {
                max_new,
                min_new: self.ask.min_new_tokens.min(max_new),
                ends,
                never: &[],
                complete: (!stop.is_empty()).then_some(&complete),
            };
            let answers = self.engine.generate(&nodes, &first, until, &mut samplers)?;
            self.tally.add(0, answers.iter().map(|answer| answer.ids.len()).sum())?;
            for (place, at) in places.into_iter().zip(found) {
                all[place] = answers[at].clone();
            }
        }
        Ok(all)
    }

    /// Puts the states of the first orders' dialogues into `answered`, encoding answers again where their tokens are
    /// wanted.
    fn capture(
        &mut self,
        prompts: &[Prompt],
        (encoded, mains): (&Encoded, &[usize]),
        answered: &mut [Answered],
    ) -> Result<()> {
        let ask = self.ask;
        let answers = if ask.positions.iter().any(|position| position.of_answer()) {
            let requests: Vec<Request> = prompts
                .iter()
                .zip(&*answered)
                .zip(&self.first)
                .map(|((prompt, answered), &first)| {
                    let ids = [prompt.ids.as_slice(), &answered.turn.answer_ids].concat();
                    let states = if first { (prompt.ids.len()..ids.len()).collect() } else { Vec::new() };
                    Request { ids, states, ..Request::default() }
                })
                .collect();
            let encoded = self.engine.encode(&requests, ask.sites, ask.layers)?;
            self.tally.add(encoded.encoded_tokens, 0)?;
            Some(encoded)
        } else {
            None
        };
        for (i, answer) in answered.iter_mut().enumerate().filter(|(i, _)| self.first[*i]) {
            for (s, (site, states)) in encoded.states.iter().enumerate() {
                let mut prompt_rows = encoded.state_rows[mains[i]].iter().skip(1);
                let mut parts = Vec::with_capacity(ask.positions.len());
                for position in ask.positions {
                    parts.push(if position.of_answer() {
                        let (source, rows) = match &answers {
                            Some(found) => (
                                found.states.get(s).map(|(_, states)| states),
                                found.state_rows[i].as_slice(),
                            ),
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
}

/// The option of the file that a text names.
fn parsed(dialogue: &Dialogue<'_>, text: &str) -> Option<usize> {
    answer::parse(&dialogue.listed(), text).map(|place| dialogue.order[place])
}

/// An answer of one token after the prompt is read from the prompt's own logits; a longer one is a sequence of its own.
pub(super) fn answer_requests(
    answers: &Answers,
    prompt: &Prompt,
    main: usize,
    requests: &mut Vec<Request>,
) -> Vec<usize> {
    let mut places = Vec::with_capacity(answers.ids.len());
    for ids in &answers.ids {
        if answers.shared == prompt.ids.len() && ids.len() == answers.shared + 1 {
            places.push(main);
        } else {
            places.push(requests.len());
            let logits = (answers.shared - 1..ids.len() - 1).collect();
            requests.push(Request { ids: ids[..ids.len() - 1].to_vec(), logits, ..Request::default() });
        }
    }
    places
}

/// Log-probabilities of tokens, from the logits of a call.
pub(super) struct Scores<'a> {
    encoded: &'a Encoded,
    logits: &'a Tensor,
    log_z: Vec<f64>,
}

impl<'a> Scores<'a> {
    pub fn of(encoded: &'a Encoded) -> Result<Self> {
        let logits = encoded.logits.as_ref().ok_or_else(no_logits)?;
        let log_z = Vec::<f64>::try_from(logits.f_logsumexp(-1, false)?.f_to_kind(Kind::Double)?)?;
        Ok(Self { encoded, logits, log_z })
    }

    /// How probable each answer is after what all share.
    pub fn sums(&self, answers: &Answers, requests: &[usize]) -> Result<Vec<TextScore>> {
        let one = |(ids, &request): (&Vec<i64>, &usize)| -> Result<TextScore> {
            let new = &ids[answers.shared..];
            let mut logprob = 0.0;
            for (&id, &row) in new.iter().zip(&self.encoded.logit_rows[request]) {
                logprob += self.logits.f_double_value(&[row, id])? - self.log_z[row as usize];
            }
            Ok(TextScore { logprob, tokens: new.len() })
        };
        answers.ids.iter().zip(requests).map(one).collect()
    }
}

/// The last prompt token, then the wanted positions of a prompt in the order of `ask.positions`, those of the answer
/// left out.
fn prompt_positions(prompt: &Prompt, ask: &Ask<'_>) -> Result<Vec<usize>> {
    let mut places = vec![prompt.last];
    for position in ask.positions {
        match position {
            Position::Last => places.push(prompt.last),
            Position::InstructionEnd => places.push(prompt.instruction_end()?),
            _ => {}
        }
    }
    Ok(places)
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

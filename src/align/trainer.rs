//! Steps of training: batches of pairs, passes over them, losses and their gradients.

use tch::Tensor;

use super::example::Example;
use super::loss::{Logprobs, dpo_sum, numbers, stretches};
use crate::model::{AdamW, Chunk, Model, Parameter};
use crate::random::SplitMix;
use crate::{Error, Result};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// Direct preference optimisation (Rafailov et al. 2023) with this beta: the mean of its losses over pairs.
    Dpo(f64),
    /// Supervised fine-tuning: the mean of the negative log-probabilities of the tokens of chosen answers.
    Sft,
}

/// How it is trained.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is minimised.
    pub objective: Objective,
    /// The learning rate after the warm-up.
    pub learning_rate: f64,
    /// Steps over which the learning rate grows from nought, linearly.
    pub warmup: usize,
    /// Gradients longer than this (L2 norm over all parameters) are scaled down to it.
    pub max_grad_norm: f64,
    /// Pairs of a step.
    pub batch: usize,
    /// Tokens of one pass; a step gathers the gradients of as many passes as it takes.
    pub batch_tokens: usize,
    /// Whether blocks are computed again for their gradients instead of kept.
    pub checkpoint: bool,
    /// Seed of the order of the pairs.
    pub seed: u64,
}

/// What a step came to; means over its pairs.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: usize,
    /// The loss before the step.
    pub loss: f64,
    /// The reward margin before the step; supervised training has none.
    pub margin: Option<f64>,
    /// Share of pairs whose chosen answer was the more probable one; supervised training looks at no other.
    pub preferred: Option<f64>,
    /// L2 norm of the gradients before clipping.
    pub grad_norm: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Tokens of its passes.
    pub tokens: usize,
}

/// A model at training.
pub struct Trainer<'a> {
    /// The model, whose parts are learnable.
    pub model: Model,
    /// The optimiser and its state.
    pub optimiser: AdamW,
    settings: Settings,
    examples: &'a [Example],
    reference: &'a [Logprobs],
    /// The order of an epoch.
    order: (usize, Vec<usize>),
}

impl<'a> Trainer<'a> {
    /// A trainer that has taken no step; `reference` holds each example's log-probabilities before training.
    ///
    /// # Errors
    /// There is nothing to train on, no memory.
    pub fn new(
        model: Model,
        parameters: Vec<Parameter>,
        weight_decay: f64,
        settings: Settings,
        examples: &'a [Example],
        reference: &'a [Logprobs],
    ) -> Result<Self> {
        if examples.is_empty() {
            return Err(Error::input("training", "there are no pairs to train on"));
        }
        let optimiser = AdamW::new(parameters, weight_decay)?;
        let order = (0, order(settings.seed, 0, examples.len()));
        Ok(Self { model, optimiser, settings, examples, reference, order })
    }

    /// Takes the next step.
    ///
    /// # Errors
    /// A loss or a gradient that is not finite, no memory.
    pub fn step(&mut self) -> Result<Step> {
        let step = self.optimiser.steps + 1;
        let batch = self.batch(step);
        let settings = &self.settings;
        let mut record = Step {
            step,
            loss: 0.0,
            margin: None,
            preferred: None,
            grad_norm: 0.0,
            learning_rate: settings.learning_rate * (step as f64 / settings.warmup.max(1) as f64).min(1.0),
            tokens: 0,
        };
        let plan = |i: &usize| match settings.objective {
            Objective::Dpo(_) => Plan::of(&self.examples[*i]),
            Objective::Sft => Plan::chosen_only(&self.examples[*i]),
        };
        let plans: Vec<Plan> = batch.iter().map(plan).collect();
        let whole = match settings.objective {
            Objective::Dpo(_) => plans.len(),
            Objective::Sft => plans.iter().map(|plan| plan.targets.len()).sum(),
        } as f64;
        for part in parts(&plans, settings.batch_tokens) {
            let (plans, members) = (&plans[part.clone()], &batch[part]);
            let mut found = Vec::new();
            record.loss += self.pass(plans, |logprobs, lengths| {
                let sums = stretches(logprobs, lengths)?;
                found = Vec::<f64>::try_from(sums.f_detach()?.f_to_kind(tch::Kind::Double)?)?;
                let loss = match settings.objective {
                    Objective::Dpo(beta) => {
                        let pairs = sums.f_view([-1, 2])?;
                        let leads: Vec<f64> = members.iter().map(|&i| self.reference[i].lead()).collect();
                        let leads = numbers(&leads, sums.kind())?.f_to_device(sums.device())?;
                        dpo_sum(&pairs.f_select(1, 0)?, &pairs.f_select(1, 1)?, &leads, beta)?
                    }
                    Objective::Sft => sums.f_sum(sums.kind())?.f_neg()?,
                };
                Ok(loss.f_div_scalar(whole)?)
            })?;
            record.tokens += plans.iter().map(|plan| plan.ids.len()).sum::<usize>();
            if let Objective::Dpo(beta) = settings.objective {
                for (pair, &i) in found.chunks(2).zip(members) {
                    let own = Logprobs { chosen: pair[0], rejected: pair[1] };
                    let right = f64::from(u8::from(own.lead() > 0.0));
                    *record.margin.get_or_insert(0.0) += own.margin(self.reference[i], beta) / whole;
                    *record.preferred.get_or_insert(0.0) += right / whole;
                }
            }
        }
        if !record.loss.is_finite() {
            return Err(Error::input(format!("step {step}"), "the loss is not finite")
                .hint("lower learning_rate; `recant model check DIR` says more about the checkpoint"));
        }
        record.grad_norm = self.optimiser.step(record.learning_rate, settings.max_grad_norm)?;
        Ok(record)
    }

    /// The examples of a step: each epoch goes through all of them in an order of its own.
    fn batch(&mut self, step: usize) -> Vec<usize> {
        let n = self.examples.len();
        let first = (step - 1) * self.settings.batch;
        let mut batch = Vec::with_capacity(self.settings.batch);
        for place in first..first + self.settings.batch {
            let epoch = place / n;
            if self.order.0 != epoch {
                self.order = (epoch, order(self.settings.seed, epoch, n));
            }
            batch.push(self.order.1[place % n]);
        }
        batch
    }

    /// One recorded pass over some examples.
    fn pass(&self, plans: &[Plan], loss: impl FnOnce(&Tensor, &[i64]) -> Result<Tensor>) -> Result<f64> {
        let (chunks, targets, lengths) = packed(&self.model, plans);
        self.model.learn(&chunks, &targets, self.settings.checkpoint, |logprobs| loss(logprobs, &lengths))
    }
}

/// The log-probabilities of both answers of examples as the model is, `batch_tokens` tokens a pass; `after` is called with
/// the number of examples after each pass.
///
/// # Errors
/// A token outside the vocabulary, an example beyond the context, what `after` reports.
pub fn measure(
    model: &Model,
    examples: &[Example],
    batch_tokens: usize,
    mut after: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<Logprobs>> {
    let plans: Vec<Plan> = examples.iter().map(Plan::of).collect();
    let mut all = Vec::with_capacity(plans.len());
    for part in parts(&plans, batch_tokens) {
        let plans = &plans[part];
        let (chunks, targets, lengths) = packed(model, plans);
        let found = model.logprobs_of(&chunks, &targets)?;
        let mut sums = lengths.iter().scan(0, |at, &length| {
            let from = std::mem::replace(at, *at + length as usize);
            Some(found[from..*at].iter().sum::<f64>())
        });
        while let (Some(chosen), Some(rejected)) = (sums.next(), sums.next()) {
            all.push(Logprobs { chosen, rejected });
        }
        after(plans.len())?;
    }
    Ok(all)
}

/// An example as a pass sees it: one sequence whose end forks, and the tokens that are to follow its rows.
struct Plan {
    ids: Vec<i64>,
    forks: Vec<usize>,
    /// (row, token), stretch by stretch.
    targets: Vec<(i64, i64)>,
    /// Targets of each stretch.
    lengths: Vec<i64>,
    /// Tokens of the longer way through it.
    longest: i64,
}

impl Plan {
    /// Both answers after the trunk that they share. The last token of an answer is predicted and never read.
    fn of(example: &Example) -> Self {
        let (trunk, chosen, rejected) = (&example.trunk, &example.chosen, &example.rejected);
        let (first, second) = (trunk.len(), trunk.len() + chosen.len() - 1);
        let targets = |answer: &[i64], from: usize| -> Vec<(i64, i64)> {
            let rows = std::iter::once(trunk.len() - 1).chain(from..);
            rows.zip(answer).map(|(row, &token)| (row as i64, token)).collect()
        };
        let forks = match (chosen.len(), rejected.len()) {
            (1, _) | (_, 1) => Vec::new(), // no token of one stands beside the other's
            _ => vec![first, second],
        };
        Self {
            ids: [trunk, &chosen[..chosen.len() - 1], &rejected[..rejected.len() - 1]].concat(),
            forks,
            targets: [targets(chosen, first), targets(rejected, second)].concat(),
            lengths: vec![chosen.len() as i64, rejected.len() as i64],
            longest: (trunk.len() + chosen.len().max(rejected.len())) as i64,
        }
    }

    /// The chosen answer as one stretch, its part in the trunk included.
    fn chosen_only(example: &Example) -> Self {
        let ids = [example.trunk.as_slice(), &example.chosen].concat();
        let start = example.answer_start;
        let targets: Vec<(i64, i64)> = (start..ids.len()).map(|at| (at as i64 - 1, ids[at])).collect();
        let (lengths, longest) = (vec![targets.len() as i64], ids.len() as i64);
        Self { ids: ids[..ids.len() - 1].to_vec(), forks: Vec::new(), targets, lengths, longest }
    }
}

/// Consecutive plans of at most so many tokens together, at least one.
fn parts(plans: &[Plan], tokens: usize) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut held) = (0, 0);
    for (i, plan) in plans.iter().enumerate() {
        if i > from && held + plan.ids.len() > tokens {
            parts.push(from..i);
            (from, held) = (i, 0);
        }
        held += plan.ids.len();
    }
    if from < plans.len() {
        parts.push(from..plans.len());
    }
    parts
}

/// Plans laid end to end: chunks, targets by row of the whole, lengths of their stretches.
fn packed<'p>(model: &Model, plans: &'p [Plan]) -> (Vec<Chunk<'p>>, Vec<(i64, i64)>, Vec<i64>) {
    let (mut chunks, mut targets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    let mut row = 0;
    for plan in plans {
        let reach = model.spec.reach(plan.longest);
        chunks.push(Chunk { ids: &plan.ids, past: Vec::new(), start: 0, reach, forks: &plan.forks });
        targets.extend(plan.targets.iter().map(|(at, token)| (row + at, *token)));
        lengths.extend(&plan.lengths);
        row += plan.ids.len() as i64;
    }
    (chunks, targets, lengths)
}

/// The order of an epoch: a shuffle of its own.
fn order(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    SplitMix::named(seed, &format!("align/epoch/{epoch}")).shuffle(&mut order);
    order
}

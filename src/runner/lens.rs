//! Lenses: what each layer would answer to the prompts of a run, if the stream went from there straight to the head.
//!
//! The logit lens (nostalgebraist 2020) puts `resid_post` of a layer through the final norm and the head; the tuned lens
//! (Belrose et al. 2023) through an affine map of the layer first.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::bench::Question;
use super::engine::Request;
use super::replay::read;
use super::round::answer_requests;
use super::tally::Tally;
use crate::model::decoder::Unembed;
use crate::model::words::rows_at_once;
use crate::model::{Model, Site, Translators};
use crate::{Error, Result};

/// Log-probabilities of the options of the file `[layer][option]`, not normalised. Natural logarithm.
pub type ByLayer = Vec<Vec<f64>>;

/// What the layers say to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Through the logit lens. At the last layer it is what the model itself says.
    pub logit: ByLayer,
    /// Through the tuned lens; empty without one.
    pub tuned: ByLayer,
}

/// A token of an option: whose it is, and the row of the states that it is read from.
struct Target {
    question: usize,
    option: usize,
    row: i64,
    id: i64,
}

/// Reads the options of questions at every layer, each scored as a run scores it: the log-probabilities of its tokens, from
/// the prompt's own end or from the positions of the option's own sequence. Rows that options share are unembedded once.
///
/// # Errors
/// As [`super::Engine::encode`]; states that are not finite.
pub fn look(
    model: &Model,
    questions: &[Question],
    maps: Option<&Translators>,
    tally: &Tally<'_>,
) -> Result<Vec<Seen>> {
    let _guard = tch::no_grad_guard();
    let head = model.unembedder()?;
    let add = |states: &Tensor, targets: &[Target], take: &mut dyn FnMut(&Target, f64)| {
        add((&head, model.spec.vocab), states, targets, take)
    };
    let layers: Vec<usize> = (0..model.spec.n_layers).collect();
    let mut requests: Vec<Request> = Vec::new();
    let mut options: Vec<Vec<(usize, usize)>> = Vec::new(); // of each request, (question, option)
    let mut seen = Vec::with_capacity(questions.len());
    for (number, question) in questions.iter().enumerate() {
        let prompt = &question.prompt;
        let main = requests.len();
        let logits = vec![prompt.ids.len() - 1];
        requests.push(Request { ids: prompt.ids.clone(), logits, ..Request::default() });
        let places = answer_requests(&prompt.options, prompt, main, &mut requests);
        options.resize_with(requests.len(), Vec::new);
        for (option, &place) in places.iter().enumerate() {
            options[place].push((number, option));
        }
        let blank = || vec![vec![0.0; places.len()]; layers.len()];
        seen.push(Seen { logit: blank(), tuned: maps.map_or_else(Vec::new, |_| blank()) });
    }
    for request in &mut requests {
        request.states = std::mem::take(&mut request.logits);
    }
    read(model, &requests, (&[Site::ResidPost], &layers), usize::MAX, tally, |from, encoded| {
        let Some((_, states)) = encoded.states.first() else { return Ok(()) };
        let mut targets = Vec::new();
        for (rows, own) in encoded.state_rows.iter().zip(&options[from..]) {
            for &(question, option) in own {
                let answers = &questions[question].prompt.options;
                let ids = &answers.ids[option][answers.shared..];
                targets.extend(ids.iter().zip(rows).map(|(&id, &row)| Target { question, option, row, id }));
            }
        }
        for &layer in &layers {
            let states = states.f_select(1, layer as i64)?; // (rows, d_model)
            add(&states, &targets, &mut |target, logprob| {
                seen[target.question].logit[layer][target.option] += logprob;
            })?;
            if let Some(maps) = maps {
                add(&maps.apply(layer, &states)?, &targets, &mut |target, logprob| {
                    seen[target.question].tuned[layer][target.option] += logprob;
                })?;
            }
        }
        Ok(())
    })?;
    let finite = |layers: &ByLayer| layers.iter().flatten().all(|logprob| logprob.is_finite());
    match seen.iter().all(|seen| finite(&seen.logit) && finite(&seen.tuned)) {
        true => Ok(seen),
        false => Err(Error::input("the lens", "the log-probabilities at some layer are not finite")
            .hint("`recant model check DIR` says more about the checkpoint")),
    }
}

/// Hands the log-probability of each target's token to `take`, a block of rows at a time.
fn add(
    (head, vocab): (&Unembed<'_>, i64),
    states: &Tensor,
    targets: &[Target],
    take: &mut dyn FnMut(&Target, f64),
) -> Result<()> {
    let mut by_row: BTreeMap<i64, Vec<&Target>> = BTreeMap::new();
    targets.iter().for_each(|target| by_row.entry(target.row).or_default().push(target));
    let rows: Vec<(i64, Vec<&Target>)> = by_row.into_iter().collect();
    for block in rows.chunks(rows_at_once(vocab)) {
        let index: Vec<i64> = block.iter().map(|(row, _)| *row).collect();
        let logits = head.unembed(&states.f_index_select(0, &Tensor::f_from_slice(&index)?)?)?; // (rows, vocab)
        let log_z = Vec::<f64>::try_from(logits.f_logsumexp(-1, false)?.f_to_kind(Kind::Double)?)?;
        let mut places = Vec::new();
        for (row, (_, targets)) in block.iter().enumerate() {
            places.extend(targets.iter().map(|target| row as i64 * vocab + target.id));
        }
        let places = Tensor::f_from_slice(&places)?.f_to_device(logits.device())?;
        let own = logits.f_flatten(0, -1)?.f_index_select(0, &places)?.f_to_kind(Kind::Double)?;
        let mut own = Vec::<f64>::try_from(own)?.into_iter();
        for ((_, targets), log_z) in block.iter().zip(log_z) {
            for (target, own) in targets.iter().zip(own.by_ref()) {
                take(target, own - log_z);
            }
        }
    }
    Ok(())
}

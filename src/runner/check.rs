//! Self-check of a checkpoint: properties that hold for every decoder, tried on this one.

use serde::Serialize;
use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request, Stop};
use super::sample::Sampler;
use crate::model::{Chunk, Kv, Model, Site, Want};
use crate::text::{ChatTemplate, Message, Tokenizer};
use crate::{Error, Result};

/// One property and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The property.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// The evidence, in one line.
    pub found: String,
}

/// Largest difference between two ways of computing the same state, as a part of the state's largest value.
fn tolerance(kind: Kind) -> f64 {
    // Rounding adds up over some hundred sums: 2^-24, 2^-11 and 2^-9 are the units of f32, f16 and bf16.
    match kind {
        Kind::Float => 1e-4,
        Kind::Half => 1e-2,
        _ => 5e-2,
    }
}

/// Tries finiteness, causality, packing, the cache, decoding and the head; with a tokenizer whether ids fit; with a
/// template too whether rounds append.
///
/// # Errors
/// The model cannot be run at all.
pub fn check(
    model: &Model,
    tokenizer: Option<&Tokenizer>,
    template: Option<&ChatTemplate>,
) -> Result<Vec<Finding>> {
    let ids = sample(model);
    let (finite, states) = finite(model, &ids)?;
    let mut findings = vec![finite];

    let mut changed = ids.clone();
    let last = changed.len() - 1;
    changed[last] = (changed[last] + 1) % model.spec.vocab;
    let other = whole(model, &[&changed])?;
    let before = |t: &Tensor| Ok::<_, Error>(t.f_narrow(0, 0, last as i64)?);
    let otherwise = "a later token changes earlier states";
    findings.push(agree("causality", otherwise, &before(&states)?, &before(&other)?, model)?);

    let short = &ids[..ids.len() / 2];
    let packed = whole(model, &[short, &ids, short])?.f_narrow(0, short.len() as i64, ids.len() as i64)?;
    let otherwise = "a sequence in a pack and alone differ";
    findings.push(agree("packed = alone", otherwise, &packed, &states, model)?);

    let cached = in_pieces(model, &ids)?;
    let otherwise = "a sequence in pieces and whole differ";
    findings.push(agree("cache = full pass", otherwise, &cached, &states, model)?);
    findings.push(decoding(model, &ids)?);
    findings.push(head(model)?);
    if let Some(tokenizer) = tokenizer {
        findings.push(ids_fit(model, tokenizer));
        if let Some(template) = template {
            findings.push(rounds_append(tokenizer, template)?);
        }
    }
    Ok(findings)
}

/// A fixed sequence that wanders through the vocabulary, longer than the shortest window unless that is very long.
fn sample(model: &Model) -> Vec<i64> {
    let windows = model.spec.layers.iter().filter_map(|layer| layer.window);
    let beyond = windows.min().filter(|window| *window <= 1024).map_or(0, |window| window + 16);
    let len = beyond.max(48).min(model.spec.n_ctx - NEW as i64).max(4);
    (0..len).map(|i| (i * i * 7919 + 13 * i + 1) % model.spec.vocab).collect()
}

/// Tokens that are decoded.
const NEW: usize = 8;

/// A whole sequence.
fn alone<'a>(model: &Model, ids: &'a [i64]) -> Chunk<'a> {
    Chunk { ids, past: Vec::new(), start: 0, reach: model.spec.reach(ids.len() as i64), forks: &[] }
}

/// `final_norm` of packed sequences, `(tokens, d_model)`.
fn whole(model: &Model, sequences: &[&[i64]]) -> Result<Tensor> {
    let chunks: Vec<Chunk<'_>> = sequences.iter().map(|ids| alone(model, ids)).collect();
    forward(model, &chunks, false).map(|(states, _)| states)
}

fn forward(model: &Model, chunks: &[Chunk<'_>], kv: bool) -> Result<(Tensor, Vec<Kv>)> {
    let rows = (0..chunks.iter().map(|chunk| chunk.ids.len() as i64).sum()).collect();
    let mut output =
        model.forward(chunks, &Want { sites: vec![Site::FinalNorm], rows, kv, ..Want::default() })?;
    let (_, states) = output.states.pop().ok_or_else(|| Error::Torch("no states".into()))?;
    Ok((states, output.kv))
}

fn in_pieces(model: &Model, ids: &[i64]) -> Result<Tensor> {
    const PIECE: usize = 11;
    let reach = model.spec.reach(ids.len() as i64);
    let mut done: Vec<Kv> = Vec::new();
    let mut states = Vec::new();
    for (i, piece) in ids.chunks(PIECE).enumerate() {
        let chunk =
            Chunk { ids: piece, past: done.iter().collect(), start: (PIECE * i) as i64, reach, forks: &[] };
        let (state, mut kv) = forward(model, &[chunk], true)?;
        states.push(state);
        done.append(&mut kv);
    }
    Ok(Tensor::f_cat(&states, 0)?)
}

/// Whether every number of the stream is finite, at every layer; and `final_norm` of the sequence.
fn finite(model: &Model, ids: &[i64]) -> Result<(Finding, Tensor)> {
    let want = Want {
        sites: vec![Site::ResidPost, Site::FinalNorm],
        layers: (0..model.spec.n_layers).collect(),
        rows: (0..ids.len() as i64).collect(),
        ..Want::default()
    };
    let states = model.forward(&[alone(model, ids)], &want)?.states;
    let [(_, stream), (_, last)] = &states[..] else { return Err(Error::Torch("no states".into())) };
    let is_finite = |t: &Tensor| Ok::<_, Error>(t.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1);
    let passed = is_finite(stream)? && is_finite(last)?;
    let found = format!("largest value of the stream {:.4}", stream.f_abs()?.f_max()?.f_double_value(&[])?);
    Ok((Finding { name: "finite", passed, found }, last.shallow_clone()))
}

fn agree(name: &'static str, otherwise: &str, a: &Tensor, b: &Tensor, model: &Model) -> Result<Finding> {
    let difference = (a.f_sub(b)?).f_abs()?.f_amax(&[-1i64][..], false)?;
    let scale = b.f_abs()?.f_amax(&[-1i64][..], false)?.f_clamp_min(1e-12)?;
    let worst = difference.f_div(&scale)?.f_max()?.f_double_value(&[])?;
    let passed = worst <= tolerance(model.kind);
    let found = match (passed, worst == 0.0) {
        (true, true) => "no difference".to_string(),
        (true, false) => format!("largest relative difference {worst:.1e}"),
        (false, _) => format!("{otherwise} by {worst:.1e}"),
    };
    Ok(Finding { name, passed, found })
}

/// Greedy decoding of three prompts of different lengths side by side, over padded buffers, against one full pass over
/// each result alone.
fn decoding(model: &Model, ids: &[i64]) -> Result<Finding> {
    let prompts = [ids, &ids[..ids.len() / 2], &ids[..ids.len() / 4]];
    let mut engine = Engine::new(model, Limits::for_model(model));
    let request =
        |ids: &&[i64]| Request { ids: ids.to_vec(), logits: vec![ids.len() - 1], ..Request::default() };
    let encoded = engine.encode(&prompts.iter().map(request).collect::<Vec<_>>(), &[], &[])?;
    let rows: Vec<i64> = encoded.logit_rows.iter().map(|rows| rows[0]).collect();
    let first = encoded.logits.ok_or_else(no_logits)?.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
    let stop = Stop { max_new: NEW, ..Stop::default() };
    let mut samplers = prompts.map(|_| Sampler::Greedy);
    let answers = engine.generate(&encoded.nodes, &first, stop, &mut samplers)?;

    let mut behind: f64 = 0.0;
    for (prompt, answer) in prompts.iter().zip(&answers) {
        let answer = answer.ids.as_slice();
        let sequence = [prompt, answer].concat();
        let logits = before_each(model, &sequence, prompt.len())?;
        let index = Tensor::f_from_slice(answer)?.f_unsqueeze(1)?;
        let chosen = logits.f_gather(1, &index, false)?.f_squeeze_dim(1)?;
        let scale = logits.f_abs()?.f_amax(&[1i64][..], false)?.f_clamp_min(1e-12)?;
        let best = logits.f_amax(&[1i64][..], false)?;
        behind = behind.max(best.f_sub(&chosen)?.f_div(&scale)?.f_max()?.f_double_value(&[])?);
    }
    // A tie within rounding may fall either way.
    let passed = behind <= tolerance(model.kind);
    let found = if behind == 0.0 {
        "every decoded token is the best of a full pass".to_string()
    } else {
        format!("decoded tokens are at most {behind:.1e} behind the best of a full pass")
    };
    Ok(Finding { name: "padded decoding", passed, found })
}

/// The logits before each token of a sequence from `start` on: by one pass, unless rotations change on the way.
fn before_each(model: &Model, ids: &[i64], start: usize) -> Result<Tensor> {
    let pass = |ids: &[i64], rows: Vec<i64>| {
        let want = Want { logit_rows: rows, ..Want::default() };
        let logits = model.forward(&[alone(model, ids)], &want)?.logits.ok_or_else(no_logits)?;
        Ok::<_, Error>(logits.f_to_device(tch::Device::Cpu)?)
    };
    if model.spec.reach(ids.len() as i64) == model.spec.reach(start as i64) {
        return pass(ids, (start as i64 - 1..ids.len() as i64 - 1).collect());
    }
    let rows = (start..ids.len()).map(|end| pass(&ids[..end], vec![end as i64 - 1]));
    Ok(Tensor::f_cat(&rows.collect::<Result<Vec<_>>>()?, 0)?)
}

fn no_logits() -> Error {
    Error::Torch("no logits".into())
}

/// Whether the head is what config.json says.
fn head(model: &Model) -> Result<Finding> {
    let (passed, found) = match (model.spec.head.tied, model.own_head_differs()?) {
        (true, None) => (true, "the head is the embedding"),
        (true, Some(false)) => (true, "the head is the embedding, and the files hold it twice"),
        (true, Some(true)) => {
            (false, "config.json ties the head to the embedding, but the files hold another, which is used")
        }
        (false, Some(true)) => (true, "the head has weights of its own"),
        (false, _) => (true, "the head is not tied, but equals the embedding"),
    };
    Ok(Finding { name: "tied weights", passed, found: found.to_string() })
}

/// Whether every token of the tokenizer's vocabulary has an embedding; tokens added for other uses may have none.
fn ids_fit(model: &Model, tokenizer: &Tokenizer) -> Finding {
    let (own, added) = tokenizer.beyond(model.spec.vocab);
    let found = match (own, added) {
        (0, 0) => format!("every token has one of the {} embeddings", model.spec.vocab),
        (0, added) => format!("{added} added tokens are beyond the {} embeddings", model.spec.vocab),
        (own, _) => format!("{own} tokens are beyond the {} embeddings", model.spec.vocab),
    };
    Finding { name: "tokenizer fits", passed: own == 0, found }
}

/// Does round 1 begin with round 0's ids, whether rendered whole or continued?
fn rounds_append(tokenizer: &Tokenizer, template: &ChatTemplate) -> Result<Finding> {
    let name = "rounds append";
    let question = vec![Message::new("user", "Who was it? Answer with (a), (b) or (c).")];
    let next = Message::new("user", "Review your previous answer. Answer again.");
    let continuation = match template.continuation(&question, &next) {
        Ok(text) => text,
        Err(error) => return Ok(Finding { name, passed: false, found: error.to_string() }),
    };
    let answer = "The answer is (b).";
    let mut conversation = question.clone();
    conversation.extend([Message::new("assistant", answer), next]);
    let first = tokenizer.encode(&template.render(&question, true)?, false)?;
    let pieces =
        [first.clone(), tokenizer.encode(answer, false)?, tokenizer.encode(&continuation, false)?].concat();
    let rendered = tokenizer.encode(&template.render(&conversation, true)?, false)?;
    let found = if pieces == rendered {
        "round 1 is round 0, its answer and a continuation; the template gives the same ids".to_string()
    } else {
        "round 1 begins with round 0's ids; rendered anew, the template's ids differ from the continued ones"
            .to_string()
    };
    Ok(Finding { name, passed: true, found })
}

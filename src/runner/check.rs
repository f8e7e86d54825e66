//! Self-check of a checkpoint: properties that hold for every decoder, tried on this one.

use serde::Serialize;
use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request, Stop};
use super::sample::Sampler;
use crate::model::{Chunk, Model, Site, Want};
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
    // Rounding adds up over some hundred sums: 2^-24 and 2^-9 are the units of f32 and bf16.
    if kind == Kind::Float { 1e-4 } else { 5e-2 }
}

/// Tries causality, packing, the cache, generation, finiteness, and, where `texts` are given, whether rounds append.
///
/// # Errors
/// The model cannot be run at all.
pub fn check(model: &Model, texts: &Option<(Tokenizer, ChatTemplate)>) -> Result<Vec<Finding>> {
    let ids = sample(model);
    let states = whole(model, &[&ids])?;
    let mut findings = vec![finite(&states)?];

    let mut changed = ids.clone();
    let last = changed.len() - 1;
    changed[last] = (changed[last] + 1) % model.spec.vocab;
    let other = whole(model, &[&changed])?;
    let before = |t: &Tensor| Ok::<_, Error>(t.f_narrow(0, 0, last as i64)?);
    findings.push(agree(
        "causality",
        "a later token changes earlier states",
        &before(&states)?,
        &before(&other)?,
        model,
    )?);

    let short = &ids[..ids.len() / 2];
    let packed = whole(model, &[short, &ids, short])?.f_narrow(0, short.len() as i64, ids.len() as i64)?;
    findings.push(agree("packed = alone", "a sequence in a pack and alone differ", &packed, &states, model)?);

    let cached = in_pieces(model, &ids)?;
    findings.push(agree(
        "cache = full pass",
        "a sequence in pieces and whole differ",
        &cached,
        &states,
        model,
    )?);
    findings.push(generation(model, &ids)?);
    if let Some((tokenizer, template)) = texts {
        findings.push(rounds_append(tokenizer, template)?);
    }
    Ok(findings)
}

/// A fixed sequence that wanders through the vocabulary.
fn sample(model: &Model) -> Vec<i64> {
    let len = 48.min(model.spec.n_ctx - 8).max(4);
    (0..len).map(|i| (i * i * 7919 + 13 * i + 1) % model.spec.vocab).collect()
}

/// A whole sequence.
fn alone<'a>(model: &Model, ids: &'a [i64]) -> Chunk<'a> {
    Chunk { ids, past: Vec::new(), start: 0, reach: model.spec.reach(ids.len() as i64) }
}

/// `final_norm` of packed sequences, `(tokens, d_model)`.
fn whole(model: &Model, sequences: &[&[i64]]) -> Result<Tensor> {
    let chunks: Vec<Chunk<'_>> = sequences.iter().map(|ids| alone(model, ids)).collect();
    forward(model, &chunks, false).map(|(states, _)| states)
}

fn forward(model: &Model, chunks: &[Chunk<'_>], kv: bool) -> Result<(Tensor, Vec<crate::model::Kv>)> {
    let rows = (0..chunks.iter().map(|chunk| chunk.ids.len() as i64).sum()).collect();
    let mut output =
        model.forward(chunks, &Want { sites: vec![Site::FinalNorm], rows, kv, ..Want::default() })?;
    let (_, states) = output.states.pop().ok_or_else(|| Error::Torch("no states".into()))?;
    Ok((states, output.kv))
}

fn in_pieces(model: &Model, ids: &[i64]) -> Result<Tensor> {
    let mut done: Vec<crate::model::Kv> = Vec::new();
    let mut states = Vec::new();
    for (i, piece) in ids.chunks(11).enumerate() {
        let (start, reach) = (11 * i as i64, model.spec.reach(ids.len() as i64));
        let chunk = Chunk { ids: piece, past: done.iter().collect(), start, reach };
        let (state, mut kv) = forward(model, &[chunk], true)?;
        states.push(state);
        done.append(&mut kv);
    }
    Ok(Tensor::f_cat(&states, 0)?)
}

fn finite(states: &Tensor) -> Result<Finding> {
    let finite = states.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1;
    let top = states.f_abs()?.f_max()?.f_double_value(&[])?;
    Ok(Finding {
        name: "finite",
        passed: finite,
        found: format!("largest value after the last norm {top:.4}"),
    })
}

fn agree(name: &'static str, otherwise: &str, a: &Tensor, b: &Tensor, model: &Model) -> Result<Finding> {
    let difference = (a.f_sub(b)?).f_abs()?.f_amax(&[-1i64][..], false)?;
    let scale = b.f_abs()?.f_amax(&[-1i64][..], false)?.f_clamp_min(1e-12)?;
    let worst = difference.f_div(&scale)?.f_max()?.f_double_value(&[])?;
    let passed = worst <= tolerance(model.kind);
    let found = if passed {
        format!("largest relative difference {worst:.1e}")
    } else {
        format!("{otherwise} by {worst:.1e}")
    };
    Ok(Finding { name, passed, found })
}

/// Greedy decoding over the cache against one full pass over its result.
fn generation(model: &Model, ids: &[i64]) -> Result<Finding> {
    let mut engine = Engine::new(model, Limits::for_model(model));
    let prompt = Request { ids: ids.to_vec(), logits: vec![ids.len() - 1], ..Request::default() };
    let encoded = engine.encode(&[prompt], &[], &[])?;
    let first = encoded.logits.ok_or_else(|| Error::Torch("no logits".into()))?;
    let stop = Stop { max_new: 8, ends: &[], never: &[] };
    let answer = engine.generate(&encoded.nodes, &first, stop, &mut [Sampler::Greedy])?.remove(0);

    let sequence = [ids, &answer].concat();
    let rows: Vec<i64> = (ids.len() as i64 - 1..sequence.len() as i64 - 1).collect();
    let chunk = alone(model, &sequence);
    let output = model.forward(&[chunk], &Want { logit_rows: rows, ..Want::default() })?;
    let logits =
        output.logits.ok_or_else(|| Error::Torch("no logits".into()))?.f_to_device(tch::Device::Cpu)?;
    let chosen = logits.f_gather(1, &Tensor::f_from_slice(&answer)?.f_unsqueeze(1)?, false)?.f_squeeze()?;
    let behind = logits.f_amax(&[1i64][..], false)?.f_sub(&chosen)?.f_max()?.f_double_value(&[])?;
    let scale = logits.f_abs()?.f_clamp_max(1e30)?.f_max()?.f_double_value(&[])?.max(1e-12);
    // A tie within rounding may fall either way.
    let passed = behind <= tolerance(model.kind) * scale.min(1e3);
    Ok(Finding {
        name: "generation",
        passed,
        found: format!("decoded tokens are at most {behind:.1e} behind the best of a full pass"),
    })
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

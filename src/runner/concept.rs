//! States of a concept's texts.

use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request};
use super::tree;
use crate::model::{Model, Site};
use crate::task::concept::{Concept, Reading, Statement, Template};
use crate::text::{ChatTemplate, Message, Tokenizer};
use crate::{Error, Result};

/// The states of a concept's texts.
pub struct Captured {
    /// Per site `(texts, layers, width)`, without `layers` for a site that exists once.
    pub states: Vec<(Site, Tensor)>,
    /// Tokens that were computed.
    pub encoded_tokens: usize,
}

/// What is asked of a model for each text of a concept.
///
/// # Errors
/// A chat concept for a checkpoint without a template, a text without tokens.
pub fn requests(
    tokenizer: &Tokenizer,
    template: Option<&ChatTemplate>,
    concept: &Concept,
) -> Result<Vec<Request>> {
    let of = |statement: &Statement| prompt(tokenizer, template, &statement.text, &concept.spec);
    concept.statements.iter().map(of).collect()
}

/// Captures one state per text.
///
/// # Errors
/// A chat concept for a checkpoint without a template, a text beyond the context, no memory.
pub fn capture(
    model: &Model,
    tokenizer: &Tokenizer,
    template: Option<&ChatTemplate>,
    concept: &Concept,
    (sites, layers): (&[Site], &[usize]),
    limits: Limits,
) -> Result<Captured> {
    let requests = requests(tokenizer, template, concept)?;
    let ids: Vec<&[i64]> = requests.iter().map(|request| request.ids.as_slice()).collect();
    let mut rows: Vec<Vec<Tensor>> = sites.iter().map(|_| Vec::new()).collect();
    let mut order = Vec::with_capacity(requests.len());
    let mut engine = Engine::capturing(model, limits);
    let mut encoded_tokens = 0;
    for wave in tree::waves(&ids, limits.wave_tokens) {
        let batch: Vec<Request> = wave.iter().map(|&i| requests[i].clone()).collect();
        let encoded = engine.encode(&batch, sites, layers)?;
        encoded_tokens += encoded.encoded_tokens;
        for ((_, states), rows) in encoded.states.iter().zip(&mut rows) {
            for picked in &encoded.state_rows {
                let one = states.f_index_select(0, &Tensor::f_from_slice(picked)?)?;
                rows.push(one.f_mean_dim(0, false, Kind::Float)?);
            }
        }
        order.extend(wave);
        engine.clear();
    }
    let mut place = vec![0i64; order.len()];
    order.iter().enumerate().for_each(|(row, &text)| place[text] = row as i64);
    let place = Tensor::f_from_slice(&place)?;
    let in_order = |(&site, rows): (&Site, Vec<Tensor>)| -> Result<_> {
        Ok((site, Tensor::f_stack(&rows, 0)?.f_index_select(0, &place)?))
    };
    Ok(Captured { states: sites.iter().zip(rows).map(in_order).collect::<Result<_>>()?, encoded_tokens })
}

/// What the model is given of a text, and the tokens that are read.
///
/// # Errors
/// A chat concept for a checkpoint without a template, a template that changes the text, a text without tokens.
pub fn prompt(
    tokenizer: &Tokenizer,
    template: Option<&ChatTemplate>,
    text: &str,
    spec: &crate::task::concept::Spec,
) -> Result<Request> {
    let wrong = |why: &str| Error::input(format!("concept {}", spec.name), format!("{why}: {text:?}"));
    let (ids, own) = match spec.template {
        Template::Raw => {
            // What the tokenizer adds before and after is part of the context, not of the text.
            let (ids, bare) = (tokenizer.encode(text, true)?, tokenizer.encode(text, false)?);
            let at = ids.windows(bare.len().max(1)).position(|window| window == bare).unwrap_or(0);
            let own = at..(at + bare.len()).min(ids.len());
            (ids, own)
        }
        Template::Chat => {
            let template = template.ok_or_else(|| {
                wrong("needs a chat template, which the checkpoint has not")
                    .hint("set template = \"raw\" in the concept's spec")
            })?;
            let rendered = template.render(&[Message::new("user", text)], true)?;
            let ids = tokenizer.encode(&rendered, false)?;
            let at = rendered.rfind(text.trim()).ok_or_else(|| wrong("the chat template changes a text"))?;
            let common = |part: &str| -> Result<usize> {
                Ok(tokenizer.encode(part, false)?.iter().zip(&ids).take_while(|(a, b)| a == b).count())
            };
            let own = common(&rendered[..at])?..common(&rendered[..at + text.trim().len()])?;
            (ids, own)
        }
    };
    let states: Vec<usize> = match (spec.position, spec.template) {
        (Reading::Mean, _) => own.collect(),
        (Reading::Last, Template::Raw) => own.last().into_iter().collect(),
        (Reading::Last, Template::Chat) => ids.len().checked_sub(1).into_iter().collect(),
    };
    if states.is_empty() {
        return Err(wrong("a text holds no tokens"));
    }
    Ok(Request { ids, states, ..Request::default() })
}

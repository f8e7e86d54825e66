//! What was said in each round of a recorded dialogue, token by token, and how far each token's state lies along some
//! directions.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request};
use super::replay::{read_by, walk};
use super::tally::Tally;
use crate::dialogue::{Part, Script, Span};
use crate::model::{Model, Site};
use crate::store::Turn;
use crate::study::Arm;
use crate::task::Item;
use crate::{Error, Result};

/// A round of a dialogue in the first order of its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// All that the model has read at its end, its answer included, an end token left out.
    pub ids: Vec<i64>,
    /// The tokens that the round adds, exchanges before the answer included: end to end, up to the end.
    pub spans: Vec<Span>,
    /// The last token that the template renders before the answer: the position `last`.
    pub last: usize,
}

impl Spoken {
    /// The positions of the tokens that the round adds.
    #[must_use]
    pub fn fresh(&self) -> Range<usize> {
        self.spans.first().map_or(self.ids.len(), |span| span.start)..self.ids.len()
    }

    /// Adds a part of the round.
    fn extend(&mut self, spans: Vec<Span>) {
        for span in spans {
            match self.spans.last_mut().filter(|last| last.speaker == span.speaker) {
                Some(last) => last.end = span.end,
                None => self.spans.push(span),
            }
        }
    }
}

/// The rounds of an item under a condition; `turns` are those of the item.
///
/// # Errors
/// A dialogue that does not come out as it was recorded, which is so where it hangs on a critic's words.
pub fn spoken(script: &Script<'_>, item: &Item, arm: &Arm, turns: &[&Turn]) -> Result<Vec<Spoken>> {
    let mut rounds: Vec<Spoken> = Vec::with_capacity(turns.len());
    walk(script, item, arm, (turns, 0), |round, prompt, answer| {
        if rounds.len() == round {
            rounds.push(Spoken { ids: Vec::new(), spans: Vec::new(), last: 0 });
        }
        let own = &mut rounds[round];
        own.extend(prompt.spans(answer.len()));
        if prompt.part == Part::Answer {
            own.last = prompt.last;
            own.ids = [prompt.ids.as_slice(), answer].concat();
        }
    })?;
    Ok(rounds)
}

/// A direction at a layer. A state's projection is `direction . state + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The layer.
    pub layer: usize,
    /// Of the width of the site.
    pub direction: Vec<f64>,
    /// What is added.
    pub offset: f64,
}

/// The projections of the new tokens of rounds, `[round][axis][token]`, of their states at a site.
///
/// Rounds that share a beginning are read once for it. States stay on the device that they were computed on; products are
/// in f64.
///
/// # Errors
/// As [`Engine::encode`]; a direction of another width than the site, projections that are not finite.
pub fn project(
    model: &Model,
    site: Site,
    axes: &[Axis],
    rounds: &[Spoken],
    tally: &Tally<'_>,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let _guard = tch::no_grad_guard();
    let mut layers: Vec<usize> = axes.iter().map(|axis| axis.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let along = directions(axes, &layers, model.spec.width(site))?;
    let request = |round: &Spoken| Request {
        ids: round.ids.clone(),
        states: round.fresh().collect(),
        ..Request::default()
    };
    let requests: Vec<Request> = rounds.iter().map(request).collect();
    let mut engine = Engine::capturing(model, Limits::for_model(model));
    engine.edit(Vec::new())?;
    engine.reduce(Box::new(move |states| projected(states, &along)));
    let mut found = Vec::with_capacity(rounds.len());
    read_by(&mut engine, &requests, (&[site], &layers), usize::MAX, tally, |_, encoded| {
        let values = match encoded.states.first() {
            Some((_, values)) => Vec::<Vec<f32>>::try_from(values)?, // (rows, axes)
            None => Vec::new(),
        };
        for rows in &encoded.state_rows {
            let of = |axis: usize| rows.iter().map(|&row| values[row as usize][axis]).collect();
            found.push((0..axes.len()).map(of).collect::<Vec<Vec<f32>>>());
        }
        Ok(())
    })?;
    match found.iter().flatten().flatten().all(|value| value.is_finite()) {
        true => Ok(found),
        false => Err(Error::input("projections", "the states of some tokens are not finite")
            .hint("`recant model check DIR` says more about the checkpoint")),
    }
}

/// An axis as a pass needs it: the place of its layer among those that are captured, direction f64, offset.
type Along = (i64, Tensor, f64);

fn directions(axes: &[Axis], layers: &[usize], width: i64) -> Result<Vec<Along>> {
    let along = |axis: &Axis| {
        let place = layers.iter().position(|&layer| layer == axis.layer).unwrap_or_default();
        match axis.direction.len() as i64 == width {
            true => Ok((place as i64, Tensor::f_from_slice(&axis.direction)?, axis.offset)),
            false => {
                let why = format!("is of width {}, the site has {width}", axis.direction.len());
                Err(Error::input(format!("a direction of layer {}", axis.layer), why))
            }
        }
    };
    axes.iter().map(along).collect()
}

/// Projections f64 `(rows, axes)` of states `(rows, layers, width)`.
fn projected(states: &Tensor, along: &[Along]) -> Result<Tensor> {
    let of = |(place, direction, offset): &Along| -> Result<Tensor> {
        let own = states.f_select(1, *place)?.f_to_kind(Kind::Double)?;
        Ok(own.f_mv(&direction.f_to_device(own.device())?)?.f_add_scalar(*offset)?)
    };
    Ok(Tensor::f_stack(&along.iter().map(of).collect::<Result<Vec<_>>>()?, 1)?)
}

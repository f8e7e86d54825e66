//! The training of a tuned lens (Belrose et al. 2023): for each layer an affine map of the stream, so that norm and head
//! read off it what the model ends with.

use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request};
use super::perplexity::Texts;
use super::tally::Tally;
use crate::model::translators::translated;
use crate::model::words::rows_at_once;
use crate::model::{AdamW, Model, Parameter, Site, Translators};
use crate::random::SplitMix;
use crate::store::lens::{HeldOut, Tuned};
use crate::{Error, Result};

/// Version of the training: another one gives other maps.
pub const FORMAT: &str = "recant-tuned-2";

/// Bytes of states that are held while maps are trained.
const HELD: usize = 1 << 30;
/// Tokens of a step.
const STEP: usize = 96;
/// Steps between two looks at the texts that say when to stop.
const EVERY: usize = 10;
/// Looks in a row without a better map after which a layer stops.
const PATIENCE: usize = 2;
/// The learning rate of the first step, of states in units of their root mean square; it falls linearly to nought.
const LEARNING_RATE: f64 = 2e-3;
/// Decay towards no map.
const WEIGHT_DECAY: f64 = 1e-2;

/// What the tokens of some texts leave in the stream, `(tokens, layers, d_model)` f32.
struct Sides {
    trained: Tensor,
    watched: Tensor,
    held_out: Tensor,
}

/// A layer while it is trained.
struct Layer {
    optimiser: AdamW,
    /// What a unit of the map's offset is in the states.
    unit: f64,
    best: f64,
    kept: Option<(Tensor, Tensor)>,
    steps: usize,
    looks: usize,
}

/// Trains the maps of a model's layers on plain texts, by Adam, towards the least `KL(final || lens)`. Texts are shared out by
/// lot: three in five are trained on, one in five says when a layer stops and which of its maps is kept, one in five is held
/// out. The last layer has no map: there the lens is the model. `after` is called after each step.
///
/// # Errors
/// Fewer than three texts, states that are not finite, no memory; what `after` reports.
pub fn train(
    model: &Model,
    texts: &Texts,
    (steps, seed): (usize, u64),
    tally: &Tally<'_>,
    mut after: impl FnMut() -> Result<()>,
) -> Result<(Translators, Tuned)> {
    let sides = sides(model, texts, seed, tally)?;
    let n_layers = model.spec.n_layers;
    let tokens = sides.trained.size()[0] as usize;
    let mut random = SplitMix::named(seed, "lens/steps");
    let mut order: Vec<i64> = (0..tokens as i64).collect();
    let before = divergences(model, &sides.watched, None)?;
    let mut layers = (0..n_layers - 1)
        .map(|layer| Layer::new(&sides.trained.f_select(1, layer as i64)?, before[layer]))
        .collect::<Result<Vec<_>>>()?;
    let mut at = tokens;
    for step in 0..steps {
        if at + STEP.min(tokens) > tokens {
            random.shuffle(&mut order);
            at = 0;
        }
        let rows = Tensor::f_from_slice(&order[at..(at + STEP).min(tokens)])?;
        at += STEP;
        let states = sides.trained.f_index_select(0, &rows)?;
        let last =
            log_softmax(model, &states.f_select(1, n_layers as i64 - 1)?)?.f_exp()?.f_flatten(0, -1)?;
        let rate = LEARNING_RATE * (1.0 - step as f64 / steps as f64);
        for (layer, own) in layers.iter_mut().enumerate().filter(|(_, own)| own.looks < PATIENCE) {
            own.step(model, &states.f_select(1, layer as i64)?, &last, rate)?;
        }
        if (step + 1) % EVERY == 0 || step + 1 == steps {
            look(model, &sides.watched, &mut layers, step + 1)?;
        }
        after()?;
        if layers.iter().all(|own| own.looks >= PATIENCE) {
            break;
        }
    }
    let mut maps = Translators::identity(n_layers, model.spec.d_model)?;
    for (layer, own) in layers.iter().enumerate() {
        if let Some((a, b)) = &own.kept {
            maps.keep(layer, a, b)?;
        }
    }
    let logit = divergences(model, &sides.held_out, None)?;
    let tuned = divergences(model, &sides.held_out, Some(&maps))?;
    let steps = layers.iter().map(|own| own.steps).chain([0]);
    let by_layer = logit.into_iter().zip(tuned).zip(steps);
    let found = Tuned {
        trained: tokens,
        watched: sides.watched.size()[0] as usize,
        held_out: sides.held_out.size()[0] as usize,
        layers: by_layer.map(|((logit, tuned), steps)| HeldOut { logit, tuned, steps }).collect(),
    };
    Ok((maps, found))
}

impl Layer {
    fn new(states: &Tensor, before: f64) -> Result<Self> {
        let width = states.size()[1];
        let unit = states.f_square()?.f_mean(Kind::Double)?.f_sqrt()?.f_double_value(&[])?;
        if !(unit.is_finite() && unit > 0.0) {
            return Err(Error::input("the tuned lens", "the states of some layer are nought or not finite"));
        }
        let parameter = |name: &str, shape: &[i64]| -> Result<Parameter> {
            let tensor = Tensor::f_zeros(shape, (Kind::Float, states.device()))?.f_set_requires_grad(true)?;
            Ok(Parameter { name: name.into(), tensor })
        };
        let optimiser =
            AdamW::new(vec![parameter("A", &[width, width])?, parameter("b", &[width])?], WEIGHT_DECAY)?;
        Ok(Self { optimiser, unit, best: before, kept: None, steps: 0, looks: 0 })
    }

    /// The map as it is, in the units of the states.
    fn map(&self) -> Result<(Tensor, Tensor)> {
        let [a, b] = self.optimiser.parameters() else {
            return Err(Error::Torch("a map of two parts".into()));
        };
        Ok((a.tensor.shallow_clone(), b.tensor.f_mul_scalar(self.unit)?))
    }

    /// One step; `last` holds the probabilities `(tokens * vocab)` that the model ends with.
    fn step(&mut self, model: &Model, states: &Tensor, last: &Tensor, rate: f64) -> Result<()> {
        let (a, b) = self.map()?;
        let logits = model.unembed(&translated(states, &a, &b)?)?;
        // KL but for the entropy of the last distribution, which hangs on no map; a product of two flat tensors holds less
        // memory than the logarithms of all probabilities.
        let total = logits.f_logsumexp(-1, false)?.f_sum(logits.kind())?;
        let shared = logits.f_flatten(0, -1)?.f_dot(last)?;
        // The sum over tokens, not the mean: Adam asks for no scale, and in f16 gradients of a mean are nought.
        total.f_sub(&shared)?.f_backward()?;
        self.optimiser.step(rate, f64::INFINITY)?;
        Ok(())
    }
}

/// Keeps the maps that are better than before on the texts that say when to stop.
fn look(model: &Model, watched: &Tensor, layers: &mut [Layer], step: usize) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let n_layers = watched.size()[1];
    let last = watched.f_select(1, n_layers - 1)?;
    for (layer, own) in layers.iter_mut().enumerate().filter(|(_, own)| own.looks < PATIENCE) {
        let (a, b) = own.map()?;
        let seen = translated(&watched.f_select(1, layer as i64)?, &a, &b)?;
        let found = divergence(model, &last, &[&seen])?[0];
        if found < own.best {
            (own.best, own.steps, own.looks) = (found, step, 0);
            own.kept = Some((a.f_detach_copy()?, b.f_detach()?));
        } else {
            own.looks += 1;
        }
    }
    Ok(())
}

/// `KL(final || lens)` of each layer in nats, mean over tokens.
fn divergences(model: &Model, states: &Tensor, maps: Option<&Translators>) -> Result<Vec<f64>> {
    let _guard = tch::no_grad_guard();
    let n_layers = states.size()[1] as usize;
    let seen = |layer: usize| -> Result<Tensor> {
        let own = states.f_select(1, layer as i64)?;
        maps.map_or_else(|| Ok(own.shallow_clone()), |maps| maps.apply(layer, &own))
    };
    let all = (0..n_layers).map(seen).collect::<Result<Vec<_>>>()?;
    divergence(model, &states.f_select(1, n_layers as i64 - 1)?, &all.iter().collect::<Vec<_>>())
}

/// `KL` in nats between what the model says of the last states `(tokens, d_model)` and what it would say of each of others,
/// mean over tokens.
fn divergence(model: &Model, last: &Tensor, others: &[&Tensor]) -> Result<Vec<f64>> {
    let tokens = last.size()[0];
    let block = (rows_at_once(model.spec.vocab) / 2).max(1) as i64;
    let mut sums = vec![0.0; others.len()];
    let mut from = 0;
    while from < tokens {
        let len = block.min(tokens - from);
        let ends = log_softmax(model, &last.f_narrow(0, from, len)?)?;
        let p = ends.f_exp()?;
        for (sum, other) in sums.iter_mut().zip(others) {
            let gap = ends.f_sub(&log_softmax(model, &other.f_narrow(0, from, len)?)?)?;
            *sum += p.f_mul(&gap)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        from += len;
    }
    match sums.iter().all(|sum| sum.is_finite()) {
        true => Ok(sums.into_iter().map(|sum| sum / tokens as f64).collect()),
        false => Err(Error::input("the tuned lens", "what some layer says is not finite")
            .hint("`recant model check DIR` says more about the checkpoint")),
    }
}

fn log_softmax(model: &Model, states: &Tensor) -> Result<Tensor> {
    let logits = model.unembed(states)?;
    Ok(logits.f_log_softmax(-1, logits.kind())?)
}

/// Whether there is a text for each of the three parts.
///
/// # Errors
/// There is not.
pub fn enough(texts: &Texts) -> Result<()> {
    match texts.lines().len() {
        0..3 => Err(Error::input("the texts of the tuned lens", "are fewer than three")
            .hint("one text a line, as plain text")),
        _ => Ok(()),
    }
}

/// Reads the texts, as many as may be held, and shares them out.
fn sides(model: &Model, texts: &Texts, seed: u64, tally: &Tally<'_>) -> Result<Sides> {
    enough(texts)?;
    let n_layers = model.spec.n_layers;
    let most = (HELD / (4 * n_layers * model.spec.d_model as usize)).max(1);
    let mut lines: Vec<&[i64]> = texts.lines().iter().map(Vec::as_slice).collect();
    SplitMix::named(seed, "lens/texts").shuffle(&mut lines);
    let (mut kept, mut tokens) = (0, 0);
    while kept < lines.len() && (kept < 3 || tokens + lines[kept].len() <= most) {
        tokens += lines[kept].len();
        kept += 1;
    }
    lines.truncate(kept);
    let apart = (lines.len() / 5).max(1);
    let (held_out, rest) = lines.split_at(apart);
    let (watched, trained) = rest.split_at(apart);
    let all: Vec<usize> = (0..n_layers).collect();
    let read = |lines: &[&[i64]]| -> Result<Tensor> {
        let whole = |ids: &&[i64]| Request {
            ids: ids.to_vec(),
            states: (0..ids.len()).collect(),
            ..Request::default()
        };
        let requests: Vec<Request> = lines.iter().map(whole).collect();
        let mut engine = Engine::capturing(model, Limits::for_model(model));
        engine.edit(Vec::new())?;
        let encoded = engine.encode(&requests, &[Site::ResidPost], &all)?;
        tally.add(encoded.encoded_tokens, 0)?;
        let states = encoded.states.into_iter().next();
        states.map(|(_, states)| states).ok_or_else(|| Error::Torch("no states".into()))
    };
    Ok(Sides { trained: read(trained)?, watched: read(watched)?, held_out: read(held_out)? })
}

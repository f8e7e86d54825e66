//! Edits of weights: the keys or gates of the neurons that write along a direction.

use std::collections::BTreeMap;

use tch::Kind;

use super::direction::ByLayer;
use super::effect::Effect;
use super::results::{Cell, Results};
use super::sweep::Desk;
use crate::Result;
use crate::model::Model;
use crate::random::SplitMix;
use crate::runner::bench::{Bench, turns};
use crate::store::RunDir;
use crate::study::steer::{Method, Tokens};

/// Neurons by layer.
pub type Neurons = BTreeMap<usize, Vec<i64>>;

/// The `count` neurons whose value vectors have the highest cosine with the direction of their layer, as (layer, neuron,
/// cosine), the highest first.
///
/// # Errors
/// The weights cannot be read; a direction of another width.
pub fn nearest(model: &Model, directions: &ByLayer, count: usize) -> Result<Vec<(usize, i64, f64)>> {
    let mut all = Vec::new();
    for (&layer, direction) in directions {
        let values = model.value_vectors(layer)?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Double)?; // (F, D)
        let along = values.f_mv(&tch::Tensor::f_from_slice(&direction.unit)?)?;
        let lengths = values.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), false)?;
        let cosines = Vec::<f64>::try_from(along.f_div(&lengths)?)?;
        let finite = cosines.into_iter().enumerate().filter(|(_, cosine)| cosine.is_finite());
        all.extend(finite.map(|(neuron, cosine)| (layer, neuron as i64, cosine)));
    }
    all.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    all.truncate(count);
    Ok(all)
}

/// By layer.
#[must_use]
pub fn by_layer(neurons: &[(usize, i64, f64)]) -> Neurons {
    let mut found = Neurons::new();
    neurons.iter().for_each(|&(layer, neuron, _)| found.entry(layer).or_default().push(neuron));
    found
}

/// As many other neurons of the same layers, drawn by the seed.
#[must_use]
pub fn random(chosen: &Neurons, d_mlp: usize, seed: u64, number: usize) -> Neurons {
    let mut found = Neurons::new();
    for (&layer, own) in chosen {
        let mut random = SplitMix::named(seed, &format!("steer/neurons/{layer}/{number}"));
        let drawn = found.entry(layer).or_default();
        while drawn.len() < own.len().min(d_mlp.saturating_sub(own.len())) {
            let neuron = random.below(d_mlp) as i64;
            if !own.contains(&neuron) && !drawn.contains(&neuron) {
                drawn.push(neuron);
            }
        }
    }
    found
}

/// Changes weights; [`restore`] undoes it.
///
/// # Errors
/// A streamed model, an MLP without gates.
pub fn change(model: &mut Model, method: Method, neurons: &Neurons, strength: f64) -> Result<()> {
    neurons.iter().try_for_each(|(&layer, neurons)| match method {
        Method::Gates => model.hold_gates(layer, neurons, strength),
        _ => model.scale_keys(layer, neurons, strength),
    })
}

/// Gives layers the weights that the checkpoint holds.
///
/// # Errors
/// The weights cannot be read.
pub fn restore(model: &mut Model, neurons: &Neurons) -> Result<()> {
    neurons.keys().try_for_each(|&layer| model.restore(layer))
}

/// A sweep of `keys` or `gates`.
pub struct Sweep<'a> {
    /// `keys` or `gates`.
    pub method: Method,
    /// The neurons.
    pub neurons: &'a Neurons,
    /// Factors or values.
    pub strengths: Vec<f64>,
    /// Number of sets of random neurons.
    pub random: usize,
    /// Seed of those.
    pub seed: u64,
    /// The site of the direction.
    pub site: &'a str,
}

impl Sweep<'_> {
    /// Tries what the results do not hold yet. `read` makes what answers are read with from the changed model.
    ///
    /// # Errors
    /// Those of the model; an interruption; a full disk.
    pub fn run(
        &self,
        model: &mut Model,
        run: &RunDir,
        results: &mut Results,
        read: &dyn Fn(&Model, bool) -> Result<Effect>,
        done: &dyn Fn(usize),
    ) -> Result<()> {
        let d_mlp = model.spec.width(crate::model::Site::MlpAct) as usize;
        let own = self.strengths.iter().map(|&strength| (strength, None));
        let main = self.strengths.last().copied().unwrap_or(1.0);
        let controls = (0..self.random).map(|number| (main, Some(number)));
        for (strength, control) in own.chain(controls) {
            if results.cell(self.site, None, strength, control).is_none() {
                let neurons = match control {
                    None => self.neurons.clone(),
                    Some(number) => random(self.neurons, d_mlp, self.seed, number),
                };
                change(model, self.method, &neurons, strength)?;
                let effect = read(model, control.is_none());
                restore(model, &neurons)?;
                let cell =
                    Cell { site: self.site.into(), strength, control, effect: effect?, ..Cell::default() };
                results.add(run, vec![cell])?;
            }
            done(1);
        }
        Ok(())
    }
}

/// What a changed model answers, everything being read anew.
///
/// # Errors
/// Those of the model.
pub fn read(model: &Model, desk: &Desk<'_>, perplexity: bool) -> Result<Effect> {
    let mut bench = Bench::new(model, desk.questions, desk.limits, desk.tally);
    let scores = bench.scores(&[Vec::new()], Tokens::Last)?;
    let steered =
        scores.first().and_then(|own| turns(desk.reader.items, desk.questions, own, desk.reader.scoring));
    let mut effect = desk.reader.changes(desk.alone, steered.as_deref())?;
    if perplexity {
        let found = desk.texts.0.perplexity(model, &[], desk.limits, desk.tally)?;
        effect.perplexity = Some(found).filter(|perplexity| perplexity.is_finite());
    }
    Ok(effect)
}

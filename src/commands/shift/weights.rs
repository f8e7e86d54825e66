//! What lies between the weights of a pair, and how it shows in the activations and the stream of both on the same prompts.

use std::collections::HashSet;

use tch::{Device, Kind, Tensor};

use super::{Pair, Side};
use crate::analysis::bootstrap::quantile;
use crate::analysis::weight_shift::{
    Along, Change, FILES, Neuron, Neurons, Offset, Offsets, Part, Prompt, Source as Writer,
    Tensor as Compared, Toward, Weights,
};
use crate::intervene::direction::{self, ByLayer, Wanted};
use crate::intervene::neurons::nearest;
use crate::model::diff::{self, compare_weights};
use crate::model::{Model, Site, weights, words};
use crate::runner::replay::read;
use crate::runner::{Request, Tally};
use crate::store::measured;
use crate::study::steer::Source;
use crate::{Error, Result};

/// Words that a value vector is read by.
const WORDS: usize = 10;
/// Random vectors behind the size that a cosine may have by chance.
const RANDOM: usize = 2000;
/// The site of the offsets.
const STREAM: Site = Site::ResidPost;

/// Measures what is missing. Models of another shape have nothing to compare here.
///
/// # Errors
/// Weights that cannot be read, missing states of concepts, an interruption, a full disk.
pub(super) fn measure(pair: &Pair<'_>, tally: &Tally<'_>) -> Result<()> {
    if pair.about.other_axes.is_some() {
        return Ok(());
    }
    let place = |file: &str| pair.sources.run.of_pair(&pair.name(), file);
    let [tensors, neurons, offsets] = FILES.map(place);
    let (tensors, neurons, offsets) = (tensors?, neurons?, offsets?);
    let key = pair.key("weights 1");
    if !measured::holds(&tensors, &key)? {
        measured::write(&tensors, &key, compared(pair)?)?;
    }
    let condition = pair.conditions().first().map(|&place| pair.study().dialogue.conditions[place].as_str());
    let key = pair.key(&format!("neurons 1 {} {condition:?}", pair.about.entry.neurons));
    if !measured::holds(&neurons, &key)? || !measured::holds(&offsets, &key)? {
        let (found, moved) = watched(pair, tally)?;
        measured::write(&neurons, &key, found)?;
        measured::write(&offsets, &key, moved)?;
    }
    Ok(())
}

/// Every tensor, adapters merged.
fn compared(pair: &Pair<'_>) -> Result<Weights> {
    let open = |side: &Side<'_>| -> Result<weights::Weights> {
        let mut weights = weights::Weights::open(&side.entry.path)?;
        side.entry.adapter.iter().try_for_each(|adapter| weights.adapter(adapter))?;
        Ok(weights)
    };
    let found = compare_weights(&open(pair.before)?, &open(pair.after)?, |_, _| {})?;
    let change = |identical: bool, change: &diff::Change| Change {
        identical,
        cosine: change.cosine,
        relative: change.relative_change,
        largest: change.max_abs_change,
    };
    let mut parts = Vec::new();
    let mut places: Vec<(Option<usize>, &str)> =
        found.tensors.iter().map(|tensor| (tensor.layer, tensor.kind)).collect();
    places.sort_unstable();
    places.dedup();
    for (layer, kind) in places {
        let own = found.grouped(|tensor| ((tensor.layer, tensor.kind) == (layer, kind)).to_string());
        parts.extend(own.iter().filter(|group| group.group == "true").map(|group| Part {
            layer,
            kind: kind.into(),
            tensors: group.tensors,
            change: change(group.identical == group.tensors, &group.change),
        }));
    }
    let mut not_compared = Vec::new();
    for (side, names) in [(pair.before, &found.only_in_a), (pair.after, &found.only_in_b)] {
        if let Some(first) = names.first() {
            not_compared.push(format!("{} tensors are only in {}, {first} first.", names.len(), side.name()));
        }
    }
    if let Some((first, ..)) = found.other_shape.first() {
        not_compared.push(format!("{} tensors have another shape, {first} first.", found.other_shape.len()));
    }
    if let Some(first) = found.not_compared.first() {
        let n = found.not_compared.len();
        not_compared
            .push(format!("{n} tensors hold no floating point numbers and are left out, {first} first."));
    }
    Ok(Weights {
        parts,
        all: change(found.identical == found.tensors.len(), &found.all),
        tensors: found
            .tensors
            .iter()
            .map(|tensor| Compared {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                layer: tensor.layer,
                kind: tensor.kind.into(),
                change: change(tensor.identical, &tensor.change),
            })
            .collect(),
        not_compared,
    })
}

/// What one model does at the ends of some prompts.
struct Seen {
    /// The activation of each watched neuron at each prompt.
    columns: Vec<Vec<f32>>,
    /// Mean activation `(layers, d_mlp)`, f64.
    activation: Tensor,
    /// Mean state `(layers, d_model)`, f64.
    stream: Tensor,
}

/// The neurons along each concept and the offsets of the stream, from one pass of each model over the prompts that the
/// first one had.
fn watched(pair: &Pair<'_>, tally: &Tally<'_>) -> Result<(Neurons, Offsets)> {
    let study = pair.study();
    let site: Site = study.probe.site.parse()?;
    let conditions = pair.conditions();
    let condition = conditions.first().copied().unwrap_or(0);
    let mut neurons = Neurons {
        site: site.name().into(),
        task: study.tasks[0].name.clone(),
        condition: study.dialogue.conditions[condition].clone(),
        prompts: Vec::new(),
        concepts: Vec::new(),
        not_compared: Vec::new(),
    };
    let mut offsets = Offsets {
        site: STREAM.name().into(),
        prompts: 0,
        threshold: threshold(study.seed, pair.before.spec.d_model as usize),
        offsets: Vec::new(),
        not_compared: Vec::new(),
    };
    if pair.before.spec.d_mlp != pair.after.spec.d_mlp {
        let widths = (pair.before.spec.d_mlp, pair.after.spec.d_mlp);
        let why = format!("their MLPs are {} and {} wide, so neurons are not compared.", widths.0, widths.1);
        neurons.not_compared.push(why);
        return Ok((neurons, offsets));
    }
    match site.takes_neurons() {
        true => neurons.concepts = along(pair, site)?,
        false => neurons.not_compared.push(format!(
            "directions of {site} cannot be compared with what neurons write into the stream, so none is followed."
        )),
    }
    if let Some(why) = &pair.about.other_ids {
        neurons.not_compared.push(format!("{why}, so activations are not compared on the same prompts."));
        return Ok((neurons, offsets));
    }
    let asked = pair.asked(pair.before, 0, condition)?;
    if asked.items.is_empty() || conditions.is_empty() {
        neurons
            .not_compared
            .push("there are no dialogues that both could read, so activations are not compared.".into());
        return Ok((neurons, offsets));
    }
    let (mut requests, mut prompts) = (Vec::new(), Vec::new());
    for exchange in pair.exchanges(pair.before, &asked, condition)? {
        let (item, last) = (&asked.items[exchange.item], exchange.prompt.last);
        let ids = exchange.prompt.ids[..=last].to_vec();
        requests.push(Request { ids, states: vec![last], ..Request::default() });
        prompts.push(Prompt { item: item.id.clone(), group: item.group.clone(), round: exchange.round });
    }
    let places: Vec<(usize, i64)> = neurons
        .concepts
        .iter()
        .flat_map(|along| along.neurons.iter().map(|neuron| (neuron.layer, neuron.neuron)))
        .collect();
    let seen = [pair.before, pair.after].map(|side| see(side.model()?, &requests, &places, tally));
    let [before, after] = seen;
    let (mut before, mut after) = (before?, after?);
    offsets.prompts = prompts.len();
    neurons.prompts = prompts;
    let followed = neurons.concepts.iter_mut().flat_map(|along| &mut along.neurons);
    for ((neuron, own), other) in followed.zip(&mut before.columns).zip(&mut after.columns) {
        (neuron.before, neuron.after) = (std::mem::take(own), std::mem::take(other));
    }
    explain(pair, &before, &after, &mut offsets)?;
    Ok((neurons, offsets))
}

/// Reads prompts and keeps what is watched at their ends.
fn see(model: &Model, requests: &[Request], places: &[(usize, i64)], tally: &Tally<'_>) -> Result<Seen> {
    let (n, spec) = (requests.len() as f64, &model.spec);
    let layers: Vec<usize> = (0..spec.n_layers).collect();
    let zeros = |site| {
        Tensor::f_zeros([spec.n_layers as i64, spec.width(site)].as_slice(), (Kind::Double, Device::Cpu))
    };
    let sites = [Site::MlpAct, STREAM];
    let mut sums = [zeros(sites[0])?, zeros(sites[1])?];
    let mut columns = vec![Vec::with_capacity(requests.len()); places.len()];
    read(model, requests, (&sites, &layers), usize::MAX, tally, |_, encoded| {
        let rows = Tensor::f_from_slice(&encoded.state_rows.concat())?;
        for (site, states) in &encoded.states {
            let states = states.f_index_select(0, &rows)?; // (prompts, layers, width)
            let sum = states.f_sum_dim_intlist([0i64].as_slice(), false, Kind::Double)?;
            let place = usize::from(*site == STREAM);
            sums[place] = sums[place].f_add(&sum)?;
            if *site == Site::MlpAct {
                for (&(layer, neuron), column) in places.iter().zip(&mut columns) {
                    let own = states.f_select(1, layer as i64)?.f_select(1, neuron)?;
                    column.extend(Vec::<f32>::try_from(own)?);
                }
            }
        }
        Ok(())
    })?;
    let [activation, stream] = sums;
    Ok(Seen { columns, activation: activation.f_div_scalar(n)?, stream: stream.f_div_scalar(n)? })
}

/// The value vectors of a layer `(d_mlp, d_model)` in f64.
fn values(model: &Model, layer: usize) -> Result<Tensor> {
    Ok(model.value_vectors(layer)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// The neurons of each concept, with what their value vectors were and have become.
fn along(pair: &Pair<'_>, site: Site) -> Result<Vec<Along>> {
    let _guard = tch::no_grad_guard();
    let (before, after) = (pair.before.model()?, pair.after.model()?);
    let mut all = Vec::new();
    for concept in pair.sources.concepts {
        let wanted = Wanted {
            from: Source::Concept(&concept.spec.name),
            model: (pair.before.name(), &pair.before.spec),
            task: 0,
            site,
            asked: &HashSet::new(),
        };
        let directions: ByLayer = direction::find(pair.sources, &wanted)?;
        let found = nearest(before, &directions, pair.about.entry.neurons)?;
        let (mut neurons, mut vectors) = (Vec::new(), Vec::new());
        for &(layer, neuron, cosine) in &found {
            let row = |model: &Model| -> Result<Vec<f64>> {
                let own = model.value_vectors(layer)?.f_get(neuron)?;
                Ok(Vec::try_from(own.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)?)
            };
            let [old, new] = [row(before)?, row(after)?];
            let change: Vec<f64> = new.iter().zip(&old).map(|(new, old)| new - old).collect();
            let relative = length(&change) / length(&old);
            let unit = &directions[&layer].unit;
            let turned = dot(&new, unit) / length(&new);
            neurons.push(Neuron {
                layer,
                neuron,
                cosine: [
                    Some(cosine),
                    Some(if old == new { cosine } else { turned }).filter(|x| x.is_finite()),
                ],
                relative: Some(relative).filter(|x| x.is_finite()),
                words: Vec::new(),
                before: Vec::new(),
                after: Vec::new(),
            });
            vectors.push(old);
        }
        let tokenizer = &pair.before.setting.tokenizer;
        for (neuron, found) in neurons.iter_mut().zip(words(before, &vectors, WORDS)?) {
            let word = |(id, _): &(i64, f64)| tokenizer.spelled(&[*id]);
            neuron.words = found.iter().map(word).collect::<Result<_>>()?;
        }
        all.push(Along { concept: concept.spec.name.clone(), neurons });
    }
    Ok(all)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// The 95 % quantile of the size of the cosine of a random vector with any one direction: that with the first axis.
fn threshold(seed: u64, width: usize) -> f64 {
    let cosine = |number| direction::random(seed, 0, number, width)[0].abs();
    let mut cosines: Vec<f64> = (0..RANDOM).map(cosine).collect();
    cosines.sort_by(f64::total_cmp);
    quantile(&cosines, 0.95)
}

/// The layers whose offsets are looked at: half-way, at three quarters, and the last.
fn depths(n_layers: usize) -> Vec<usize> {
    let mut depths: Vec<usize> =
        [n_layers / 2, 3 * n_layers / 4, n_layers].iter().map(|end| end.saturating_sub(1)).collect();
    depths.dedup();
    depths
}

/// A direction that changes of value vectors are compared with, up to its layer.
struct Target {
    /// Of unit length.
    unit: Vec<f64>,
    layer: usize,
}

/// Compares the offset of the stream at some depths, and a random direction beside each, with the changes of the value
/// vectors up to there.
fn explain(pair: &Pair<'_>, before: &Seen, after: &Seen, into: &mut Offsets) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let (spec, seed) = (&pair.before.spec, pair.study().seed);
    let mut targets = Vec::new();
    for layer in depths(spec.n_layers) {
        let state = |seen: &Seen| Ok::<_, Error>(Vec::<f64>::try_from(seen.stream.f_get(layer as i64)?)?);
        let (from, to) = (state(before)?, state(after)?);
        let shift: Vec<f64> = to.iter().zip(&from).map(|(to, from)| to - from).collect();
        let size = length(&shift);
        match direction::Along::of(shift) {
            None => into.not_compared.push(format!(
                "the mean states after layer {layer} are the same, so there is no offset to explain."
            )),
            Some(along) => {
                let random = direction::random(seed, layer, 0, along.unit.len());
                targets.extend([Target { unit: along.unit, layer }, Target { unit: random, layer }]);
                let relative = Some(size / length(&from)).filter(|part| part.is_finite());
                into.offsets.push(Offset { layer, length: size, relative, sources: Vec::new() });
            }
        }
    }
    if targets.is_empty() {
        return Ok(());
    }
    let scale = spec.around.mlp_out.is_none().then_some(spec.residual.scale);
    if scale.is_none() {
        into.not_compared.push(
            "a norm stands between MLP and stream, so what value vectors add up to is not told in parts."
                .into(),
        );
    }
    let width = targets[0].unit.len() as i64;
    let units: Vec<f64> = targets.iter().flat_map(|target| target.unit.iter().copied()).collect();
    let units = Tensor::f_from_slice(&units)?.f_view([targets.len() as i64, width])?;
    let (old, new) = (pair.before.model()?, pair.after.model()?);
    for layer in 0..=targets[targets.len() - 1].layer {
        let change = values(new, layer)?.f_sub(&values(old, layer)?)?; // (F, D)
        let along = change.f_matmul(&units.f_transpose(0, 1)?)?; // (F, targets)
        let lengths = Vec::<f64>::try_from(change.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), false)?)?;
        let active = Vec::<f64>::try_from(before.activation.f_get(layer as i64)?)?;
        let toward = |target: usize, size: f64| -> Result<Toward> {
            let along = Vec::<f64>::try_from(along.f_select(1, target as i64)?)?;
            let explained = scale.map(|scale| scale * dot(&along, &active) / size);
            Ok(Toward { explained, ..cosines(&along, &lengths, into.threshold) })
        };
        let mut found = Vec::new();
        for (place, offset) in into.offsets.iter().enumerate().filter(|(_, offset)| layer <= offset.layer) {
            let (own, random) = (toward(2 * place, offset.length)?, toward(2 * place + 1, offset.length)?);
            found.push((place, Writer { layer, offset: own, random }));
        }
        found.into_iter().for_each(|(place, source)| into.offsets[place].sources.push(source));
    }
    Ok(())
}

/// How changes lie to a direction, from their components along it and their lengths. What did not change has no direction.
fn cosines(along: &[f64], lengths: &[f64], threshold: f64) -> Toward {
    let mut cosines: Vec<f64> =
        along.iter().zip(lengths).filter(|(_, size)| **size > 0.0).map(|(x, size)| x / size).collect();
    cosines.sort_by(f64::total_cmp);
    let n = cosines.len();
    let some = |value: &dyn Fn() -> f64| (n > 0).then(value);
    Toward {
        n,
        mean: some(&|| cosines.iter().sum::<f64>() / n as f64),
        low: some(&|| quantile(&cosines, 0.05)),
        high: some(&|| quantile(&cosines, 0.95)),
        beyond: some(&|| cosines.iter().filter(|cosine| cosine.abs() > threshold).count() as f64 / n as f64),
        explained: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_beyond_chance_is_near_two_over_the_root_of_the_width() {
        // The normal approximation is good to a percent at this width; 2000 draws are good to a few.
        let found = threshold(1, 400) * 400f64.sqrt();
        assert!((found - 1.96).abs() < 0.12, "{found}");
    }

    #[test]
    fn what_did_not_change_has_no_cosine() {
        let found = cosines(&[0.5, 0.0, -0.1], &[1.0, 0.0, 1.0], 0.3);
        assert_eq!((found.n, found.mean, found.beyond), (2, Some(0.2), Some(0.5)));
        let none = cosines(&[0.0], &[0.0], 0.3);
        assert_eq!((none.n, none.mean, none.low, none.beyond), (0, None, None, None));
    }

    #[test]
    fn depths_are_distinct_layers() {
        assert_eq!(depths(30), [14, 21, 29]);
        assert_eq!(depths(3), [0, 1, 2]);
        assert_eq!(depths(1), [0]);
    }
}

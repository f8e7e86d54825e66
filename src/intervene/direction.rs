//! The direction of each layer in the space of the raw states.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use recant_probes::Probe;

use crate::analysis::directions::{Directions, Pick};
use crate::analysis::summary::Sources;
use crate::model::{Layers, Site, Spec};
use crate::random::SplitMix;
use crate::store::Shard;
use crate::study::manifest::hash;
use crate::study::steer::Source;
use crate::task::Item;
use crate::{Error, Result};

/// A direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Along {
    /// Of unit length.
    pub unit: Vec<f64>,
    /// The length that it had; None where that means nothing, as of a probe.
    pub length: Option<f64>,
}

/// By layer a direction. A layer without one is not there.
pub type ByLayer = BTreeMap<usize, Along>;

/// A fingerprint of directions: SHA-256 over layers, lengths and vectors, in single precision.
#[must_use]
pub fn fingerprint(directions: &ByLayer) -> String {
    let mut bytes = Vec::new();
    for (layer, along) in directions {
        bytes.extend((*layer as u64).to_le_bytes());
        bytes.extend((along.length.unwrap_or(0.0) as f32).to_le_bytes());
        along.unit.iter().for_each(|x| bytes.extend((*x as f32).to_le_bytes()));
    }
    hash(&bytes)
}

/// Where a direction is looked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Its source.
    pub from: Source<'a>,
    /// The model that is steered, and what it is.
    pub model: (&'a str, &'a Spec),
    /// The task whose states it may rest on, by its place in the study.
    pub task: usize,
    /// The site that is steered.
    pub site: Site,
    /// Groups of items that are asked, and so play no part in it.
    pub asked: &'a HashSet<String>,
}

/// Finds the direction at every layer that its source knows.
///
/// # Errors
/// Missing or damaged files, states of another width, no items left to estimate from.
pub fn find(sources: &Sources<'_>, wanted: &Wanted<'_>) -> Result<ByLayer> {
    let found = match wanted.from {
        Source::Concept(name) => of_concept(sources, wanted, name)?,
        Source::File(path, tensor) => of_file(wanted.model.1, wanted.site, path, tensor)?,
        Source::Rounds([from, to], condition) => {
            let model = wanted.model.0;
            difference(sources, wanted, condition, [(model, *from), (model, *to)])?
        }
        Source::Models([from, to], condition, round) => {
            difference(sources, wanted, condition, [(from, round), (to, round)])?
        }
    };
    let probe = matches!(wanted.from, Source::Concept(_));
    let along = |(layer, vector): (usize, Vec<f64>)| {
        let along = Along::of(vector)?;
        Some((layer, Along { length: along.length.filter(|_| !probe), ..along }))
    };
    Ok(found.into_iter().filter_map(along).collect())
}

impl Along {
    /// A vector as a direction; None for one of length 0.
    #[must_use]
    pub fn of(vector: Vec<f64>) -> Option<Self> {
        let length = length(&vector);
        Some(Self { unit: unit(vector)?, length: Some(length) })
    }
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// A vector at unit length; None for one of length 0.
fn unit(mut vector: Vec<f64>) -> Option<Vec<f64>> {
    let length = length(&vector);
    vector.iter_mut().for_each(|x| *x /= length);
    (length > 0.0 && length.is_finite()).then_some(vector)
}

/// Random direction number `number` of a layer: uniform over the sphere.
#[must_use]
pub fn random(seed: u64, layer: usize, number: usize, width: usize) -> Vec<f64> {
    let mut random = SplitMix::named(seed, &format!("steer/random/{layer}/{number}"));
    let mut vector: Vec<f64> = Vec::with_capacity(width + 1);
    while vector.len() < width {
        vector.extend(random.normals().map(f64::from));
    }
    vector.truncate(width);
    unit(vector).unwrap_or_default()
}

/// The probes' directions.
fn of_concept(sources: &Sources<'_>, wanted: &Wanted<'_>, name: &str) -> Result<BTreeMap<usize, Vec<f64>>> {
    let (model, spec) = wanted.model;
    let probes = sources.bare_probes(model, spec, wanted.site, |concept| concept == name)?;
    let found = probes.first().map(|probes| probes.directions());
    let found = found.ok_or_else(|| Error::input(format!("concept {name}"), "has no probes"))?;
    Ok(found.layers.iter().zip(&found.probes).map(|(&layer, probe)| (layer as usize, raw(probe))).collect())
}

fn raw(probe: &Probe) -> Vec<f64> {
    probe.direction().to_vec()
}

/// The directions of a file by layer. Where it has a tensor `layers` that says of which layers its rows are; without one
/// a single row is for every layer, and as many rows as the model has layers are one each.
///
/// # Errors
/// A missing or damaged file, another width than the site's, layers that the model does not have or that stand there twice,
/// another number of rows.
pub fn of_file(
    spec: &Spec,
    site: Site,
    path: &Path,
    tensor: Option<&str>,
) -> Result<BTreeMap<usize, Vec<f64>>> {
    let pick = Pick { tensor: tensor.map(str::to_owned), row: None };
    let found = Directions::read(path, &pick)?;
    let wrong = |why: String, hint: String| Err(Error::input(path.display().to_string(), why).hint(hint));
    let width = spec.width(site) as usize;
    if let Some(probe) = found.probes.iter().find(|probe| probe.coef.len() != width) {
        let why = format!("a direction of width {} for a site of width {width}", probe.coef.len());
        return wrong(why, format!("it belongs to another model, or to another site than {site}"));
    }
    if let ([only], false) = (&found.probes[..], found.placed) {
        return Ok((0..spec.n_layers).map(|layer| (layer, raw(only))).collect());
    }
    let known = |layer: &i64| (0..spec.n_layers as i64).contains(layer);
    match found.placed {
        false if found.probes.len() != spec.n_layers => {
            let why =
                format!("holds {} directions for a model of {} layers", found.probes.len(), spec.n_layers);
            return wrong(
                why,
                "give one for each layer, or one for all, or say which in a tensor layers".into(),
            );
        }
        true if !found.layers.iter().all(known) => {
            let why =
                format!("holds directions of layers {:?}: the model has {}", found.layers, spec.n_layers);
            return wrong(why, "it belongs to another model".into());
        }
        _ => {}
    }
    let by_layer: BTreeMap<usize, Vec<f64>> =
        found.layers.iter().zip(&found.probes).map(|(&layer, probe)| (layer as usize, raw(probe))).collect();
    match by_layer.len() == found.layers.len() {
        true => Ok(by_layer),
        false => wrong(
            format!("names a layer twice: {:?}", found.layers),
            "name the tensor with one row for each".into(),
        ),
    }
}

/// The mean state of the second (model, round) less that of the first, over items that both have and that are not asked.
fn difference(
    sources: &Sources<'_>,
    wanted: &Wanted<'_>,
    condition: &str,
    sides: [(&str, usize); 2],
) -> Result<BTreeMap<usize, Vec<f64>>> {
    let (task, items) = &sources.tasks[wanted.task];
    let mut kept: HashSet<&str> = items
        .iter()
        .filter(|item| !wanted.asked.contains(&item.group))
        .map(|item| item.id.as_str())
        .collect();
    for (model, _) in sides {
        let (ran, _) = sources.ran(model, task, items)?;
        let ran: HashSet<&str> = ran.iter().map(|item| item.id.as_str()).collect();
        kept.retain(|id| ran.contains(id));
    }
    if kept.is_empty() {
        return Err(Error::input(format!("task {task}"), "has no group left to estimate a direction from")
            .hint("ask more items, or a smaller part of the groups: held_out"));
    }
    let mut means = Vec::with_capacity(2);
    for (model, round) in sides {
        means.push(mean_states(sources, (model, task, items), condition, wanted.site, round, &kept)?);
    }
    let layers = sources.study.capture.layers.parse::<Layers>()?.resolve(wanted.model.1.n_layers)?;
    let [from, to] = [&means[0], &means[1]];
    if from.len() != to.len() || from.len() % layers.len() != 0 {
        let why = "the states of the two models are not of one shape";
        return Err(Error::input(format!("{} and {}", sides[0].0, sides[1].0), why));
    }
    let width = from.len() / layers.len();
    let vector = |place: usize| {
        let own = place * width..(place + 1) * width;
        to[own.clone()].iter().zip(&from[own]).map(|(to, from)| to - from).collect()
    };
    Ok(layers.iter().enumerate().map(|(place, &layer)| (layer, vector(place))).collect())
}

/// The mean state at position `last` `(layers * width)` of the items that are kept.
fn mean_states(
    sources: &Sources<'_>,
    (model, task, items): (&str, &str, &[Item]),
    condition: &str,
    site: Site,
    round: usize,
    kept: &HashSet<&str>,
) -> Result<Vec<f64>> {
    let run = sources.run;
    let position = sources.study.capture.positions.iter().position(|name| name == "last").unwrap_or(0);
    let (ran, _) = sources.ran(model, task, items)?;
    let ran: HashSet<&str> = ran.iter().map(|item| item.id.as_str()).collect();
    let mut sum: Vec<f64> = Vec::new();
    for (index, shard) in items.chunks(sources.study.run.shard_items).enumerate() {
        let states =
            Shard::read(&run.shard(model, task, condition, index)?.1, run.key())?.site(site.name())?;
        let [n, rounds, positions, layers, width] = states.shape[..] else {
            return Err(Error::input(site.name(), "is no site of each layer"));
        };
        let own: Vec<&Item> = shard.iter().filter(|item| ran.contains(item.id.as_str())).collect();
        if own.len() != n || round >= rounds {
            return Err(Error::input(
                format!("{model}/{task}/{condition}"),
                "holds other items than the study",
            ));
        }
        let size = layers * width;
        sum.resize(size, 0.0);
        for (at, _) in own.iter().enumerate().filter(|(_, item)| kept.contains(item.id.as_str())) {
            let from = ((at * rounds + round) * positions + position) * size;
            let state = &states.values[from..from + size];
            sum.iter_mut().zip(state).for_each(|(sum, x)| *sum += f64::from(*x));
        }
    }
    sum.iter_mut().for_each(|sum| *sum /= kept.len() as f64);
    Ok(sum)
}

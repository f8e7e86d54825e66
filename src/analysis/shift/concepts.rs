//! Whether the shift goes along a concept, and what became of the concept's scores.

use ndarray::{Array1, Array2, ArrayView1};
use rayon::prelude::*;
use recant_probes::{Effect, ShiftCosine, effect, shift_cosine};

use super::about::About;
use super::cells::{Place, Sides, numbered, settings};
use super::grid::At;
use super::layers::Beside;
use crate::Result;
use crate::analysis::changes::Tested;
use crate::analysis::paired::{Draws, Groups, Sums};
use crate::analysis::probing::{ConceptProbes, Readout};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::store::States;
use crate::task::concept::Concept;

/// What a direction of a concept is taken from.
pub const DIRECTIONS: [&str; 2] = ["probe", "mean difference"];

/// A concept at one place, layer by layer.
#[derive(Debug, Clone)]
pub struct ConceptCell {
    /// The concept, by its place in the study.
    pub concept: usize,
    /// The place; its site and position are the main ones.
    pub place: Place,
    /// Items.
    pub n: usize,
    /// Layer by layer.
    pub layers: Vec<ConceptLayer>,
}

/// A concept at one layer.
#[derive(Debug, Clone)]
pub struct ConceptLayer {
    /// The layers.
    pub beside: Beside,
    /// The cosine of the shift with each of [`DIRECTIONS`] in the model before.
    pub cosines: [ShiftCosine; 2],
    /// Scores by the probe of the model before, frozen, in its within-class standard deviations: before and after, item by
    /// item.
    pub scores: [Vec<f64>; 2],
    /// The mean score after less that before.
    pub change: Option<Tested>,
    /// How the distribution of scores changed.
    pub effect: Effect,
    /// Whether the probe beats all its controls.
    pub believed: bool,
}

/// The directions of a concept at each captured layer of a model, in raw states: `[of DIRECTIONS][layer]`.
///
/// # Errors
/// States are missing or damaged.
pub(super) fn directions(
    sources: &Sources<'_>,
    model: &str,
    concept: &Concept,
    probes: &ConceptProbes,
) -> Result<[Vec<Array1<f64>>; 2]> {
    let states = sources.concept_states(model, concept, &sources.study.probe.site)?;
    let learnt = probes.sweep.iter().map(|probe| probe.probe.direction()).collect();
    Ok([learnt, mean_differences(&states, concept)])
}

/// Mean of the positive texts less that of the others, layer by layer (arXiv 2505.11924).
fn mean_differences(states: &States, concept: &Concept) -> Vec<Array1<f64>> {
    let [.., layers, width] = states.shape[..] else { return Vec::new() };
    let positives = concept.statements.iter().filter(|text| text.positive).count() as f64;
    let others = concept.statements.len() as f64 - positives;
    let mut all = vec![Array1::zeros(width); layers];
    for (row, text) in states.values.chunks(layers * width).zip(&concept.statements) {
        let share = if text.positive { 1.0 / positives } else { -1.0 / others };
        for (sum, state) in all.iter_mut().zip(row.chunks(width)) {
            sum.zip_mut_with(&ArrayView1::from(state), |sum, x| *sum += share * f64::from(*x));
        }
    }
    all
}

/// Every concept of a pair whose models have the same axes, at the main site and position.
///
/// # Errors
/// States are missing or damaged.
pub fn cells(
    sources: &Sources<'_>,
    about: &About,
    layers: &[Beside],
    before: &ModelSummary,
) -> Result<Vec<ConceptCell>> {
    let study = sources.study;
    let position = study.main_position();
    let found = sources.concepts.iter().zip(&before.probes).map(|(concept, probes)| {
        Ok((probes.readouts(), directions(sources, &about.before, concept, probes)?, probes.readable()))
    });
    let concepts: Vec<Known> = found.collect::<Result<_>>()?;
    let mut all = Vec::new();
    // Without a concept nothing says that the main site was captured.
    if concepts.is_empty() {
        return Ok(all);
    }
    for task in 0..study.tasks.len() {
        let groups = sources.groups(task);
        for condition in 0..study.dialogue.conditions.len() {
            let site = study.probed()?[0];
            for (text, sides) in Sides::read(sources, about, (task, condition), site)? {
                for round in 0..sides.before.rounds() {
                    let place = Place { text, task, condition, site, position, round };
                    let items = sides.whole(layers, (round, position));
                    if items.len() < 2 {
                        continue;
                    }
                    let names: Vec<String> = items
                        .iter()
                        .map(|item| {
                            groups.get(sides.before.item(item.0)).copied().unwrap_or_default().to_owned()
                        })
                        .collect();
                    for (concept, known) in concepts.iter().enumerate() {
                        let layers = of_layers(sources, layers, known, (&sides, &items, &names), place)?;
                        all.push(ConceptCell { concept, place, n: items.len(), layers });
                    }
                }
            }
        }
    }
    Ok(all)
}

/// The readouts of a concept's probes, its directions, and whether each probe is believed.
type Known = (Vec<Readout>, [Vec<Array1<f64>>; 2], Vec<bool>);

fn of_layers(
    sources: &Sources<'_>,
    layers: &[Beside],
    (readouts, directions, believed): &Known,
    (sides, items, names): (&Sides, &[(usize, usize)], &[String]),
    place: Place,
) -> Result<Vec<ConceptLayer>> {
    let settings = settings(sources);
    let groups = numbered(names.iter().map(String::as_str));
    let bootstrap = sources.resampling();
    let at = |layer: usize| At { round: place.round, position: place.position, layer };
    let layer = |beside: &Beside| -> Result<ConceptLayer> {
        let here = beside.before.0;
        let states = sides.states(items, [at(here), at(beside.after.0)]);
        let deltas = &states[1] - &states[0];
        let cosine =
            |which: usize| shift_cosine(deltas.view(), directions[which][here].view(), &groups, &settings);
        let scores = states.map(|states| scored(&states, &readouts[here]));
        Ok(ConceptLayer {
            beside: *beside,
            cosines: [cosine(0)?, cosine(1)?],
            effect: effect(&scores[0], &scores[1], &groups, &bootstrap)?,
            scores,
            change: None,
            believed: believed[here],
        })
    };
    let mut found = layers.par_iter().map(layer).collect::<Result<Vec<_>>>()?;
    let groups = Groups::of(names);
    let draws = Draws::new(&groups, sources.bootstrap(), super::FLIPS);
    let change = |item: usize, layer: usize| found[layer].scores[1][item] - found[layer].scores[0][item];
    let tested = Tested::all(&Sums::new(&groups, found.len(), change), &draws);
    for (layer, change) in found.iter_mut().zip(tested) {
        layer.change = change;
    }
    Ok(found)
}

fn scored(states: &Array2<f32>, readout: &Readout) -> Vec<f64> {
    let along = |row: ArrayView1<f32>| -> f64 {
        row.iter().zip(&readout.direction).map(|(x, w)| f64::from(*x) * w).sum()
    };
    states.rows().into_iter().map(|row| along(row) + readout.offset).collect()
}

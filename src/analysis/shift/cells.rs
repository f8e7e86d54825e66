//! How far states have moved, how alike they still are, and along how many directions they moved.

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;
use recant_probes::{
    Estimate, Shift, ShiftSettings, ShiftSpectrum, cka_jackknife, principal_angles, procrustes, shifts,
};

use super::about::About;
use super::grid::{At, Grid, shared};
use super::layers::Beside;
use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::Site;
use crate::study::Study;

/// Leading principal directions whose angles are looked at.
const ANGLES: usize = 5;

/// Items of which every one is compared with every other.
const MOST: usize = 2000;

/// On whose words two models are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Each on its own template and its own earlier answers.
    Own,
    /// Both on what the model before was told and said.
    Same,
}

impl Text {
    /// The name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Same => "same",
        }
    }
}

/// Where states are compared; tasks, conditions and positions by their places in the study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// On whose words.
    pub text: Text,
    /// The task.
    pub task: usize,
    /// The condition.
    pub condition: usize,
    /// The site.
    pub site: Site,
    /// The position.
    pub position: usize,
    /// The round.
    pub round: usize,
}

impl Place {
    /// Whether it is at the study's main site and position.
    #[must_use]
    pub fn is_main(&self, study: &Study) -> bool {
        self.site.name() == study.probe.site && self.position == study.main_position()
    }

    /// What of it a reader chooses: text, task, condition and round.
    pub(super) fn shown(&self) -> (Text, usize, usize, usize) {
        (self.text, self.task, self.condition, self.round)
    }
}

/// What moved at one place, layer by layer.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The place.
    pub place: Place,
    /// Items that both models were asked and whose states are finite.
    pub n: usize,
    /// Their groups.
    pub groups: usize,
    /// Layers; at `head_out` the heads of each layer in turn.
    pub layers: Vec<LayerCell>,
}

/// What moved at one layer.
#[derive(Debug, Clone)]
pub struct LayerCell {
    /// The layers.
    pub beside: Beside,
    /// The head, where it is read by itself.
    pub head: Option<usize>,
    /// The root mean square distance of the states before from the mean of their category (within-class deviation); none
    /// where every category has one item.
    pub unit: Option<f64>,
    /// The mean shift; none where the axes of the two models are not the same.
    pub shift: Option<Shift>,
    /// Along how many directions the items moved; none where none moved.
    pub spectrum: Option<ShiftSpectrum>,
    /// What needs no axes in common, at the main site and position.
    pub alike: Option<Alike>,
}

/// How alike two sets of states are.
#[derive(Debug, Clone)]
pub struct Alike {
    /// Debiased linear CKA.
    pub cka: Estimate,
    /// Orthogonal Procrustes distance, 0 to 1.
    pub procrustes: Option<f64>,
    /// The angles between the leading principal subspaces, in degrees, rising; empty where the axes are not the same.
    pub angles: Vec<f64>,
}

/// The states of one model and another on a task under a condition at a site, item beside item.
pub(super) struct Sides {
    pub before: Arc<Grid>,
    pub after: Grid,
    /// The places of each item in both.
    pub items: Vec<(usize, usize)>,
}

impl Sides {
    /// On each text that there is, at one site.
    pub fn read(
        sources: &Sources<'_>,
        about: &About,
        (task, condition): (usize, usize),
        site: Site,
    ) -> Result<Vec<(Text, Self)>> {
        let name = &sources.study.dialogue.conditions[condition];
        let own = |model: &str| Grid::own(sources, model, task, name, site.name());
        let before = Arc::new(own(&about.before)?);
        let mut all = vec![(Text::Own, Self::new(before.clone(), own(&about.after)?))];
        let conditions = &about.entry.conditions;
        if !conditions.is_empty() && !conditions.contains(name) {
            return Ok(all);
        }
        if let Some(same) = Grid::same(sources, about, (task, name), site.name())? {
            all.push((Text::Same, Self::new(before, same)));
        }
        Ok(all)
    }

    fn new(before: Arc<Grid>, after: Grid) -> Self {
        let items = shared(before.names(), after.names());
        Self { before, after, items }
    }

    /// The items whose states at some round and position are finite in both, at every layer.
    pub fn whole(&self, layers: &[Beside], (round, position): (usize, usize)) -> Vec<(usize, usize)> {
        let finite = |grid: &Grid, item, layer| {
            grid.state(item, At { round, position, layer }).iter().all(|x| x.is_finite())
        };
        let whole = |&&(here, there): &&(usize, usize)| {
            layers.iter().all(|beside| {
                finite(&self.before, here, beside.before.0) && finite(&self.after, there, beside.after.0)
            })
        };
        self.items.iter().filter(whole).copied().collect()
    }

    /// The states of some items before and after, each `[items, width]`.
    pub fn states(&self, items: &[(usize, usize)], at: [At; 2]) -> [Array2<f32>; 2] {
        let (here, there): (Vec<usize>, Vec<usize>) = items.iter().copied().unzip();
        [self.before.states(&here, at[0]), self.after.states(&there, at[1])]
    }
}

/// Numbers names in the order in which they first occur.
pub(super) fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    names
        .map(|name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        })
        .collect()
}

/// How shifts are resampled in a study.
pub(super) fn settings(sources: &Sources<'_>) -> ShiftSettings {
    let bootstrap = sources.bootstrap();
    ShiftSettings {
        resamples: bootstrap.resamples,
        flips: super::FLIPS,
        directions: super::DIRECTIONS,
        level: bootstrap.level,
        seed: bootstrap.seed,
    }
}

/// Every place of a pair that both models have.
///
/// # Errors
/// States are missing or damaged.
pub fn cells(sources: &Sources<'_>, about: &About, layers: &[Beside], heads: usize) -> Result<Vec<Cell>> {
    let study = sources.study;
    let mut all = Vec::new();
    for task in 0..study.tasks.len() {
        let of_item: HashMap<&str, (&str, &str)> = sources.tasks[task]
            .1
            .iter()
            .map(|item| (item.id.as_str(), (item.group.as_str(), item.category.as_str())))
            .collect();
        for condition in 0..study.dialogue.conditions.len() {
            for site in study.sites()?.into_iter().filter(|site| site.per_layer()) {
                let heads = (site == Site::HeadOut).then_some(heads);
                if heads.is_some() && about.other_axes.is_some() {
                    continue;
                }
                for (text, sides) in Sides::read(sources, about, (task, condition), site)? {
                    for position in 0..study.capture.positions.len() {
                        for round in 0..sides.before.rounds() {
                            let place = Place { text, task, condition, site, position, round };
                            all.extend(cell(sources, about, (place, layers, heads), &sides, &of_item)?);
                        }
                    }
                }
            }
        }
    }
    Ok(all)
}

/// A layer, or one head of it, with the states of both models.
type Read = (Beside, Option<usize>, [Array2<f32>; 2]);

fn cell(
    sources: &Sources<'_>,
    about: &About,
    (place, layers, heads): (Place, &[Beside], Option<usize>),
    sides: &Sides,
    of_item: &HashMap<&str, (&str, &str)>,
) -> Result<Option<Cell>> {
    let items = sides.whole(layers, (place.round, place.position));
    let name = |item: &(usize, usize)| of_item.get(sides.before.item(item.0)).copied().unwrap_or_default();
    let groups = numbered(items.iter().map(|item| name(item).0));
    let classes = numbered(items.iter().map(|item| name(item).1));
    if items.len() < 2 {
        return Ok(None);
    }
    let at = |layer: usize| At { round: place.round, position: place.position, layer };
    let read: Vec<Read> = layers
        .iter()
        .flat_map(|beside| {
            let states = sides.states(&items, [at(beside.before.0), at(beside.after.0)]);
            split(states, heads).into_iter().map(move |(head, states)| (*beside, head, states))
        })
        .collect();
    let settings = settings(sources);
    // What compares every item with every other is for the main place, and for as many items as memory allows.
    let alike_too = place.is_main(sources.study) && items.len() <= MOST;
    let deltas: Vec<Array2<f32>> = match about.other_axes {
        None => read.iter().map(|(_, _, [before, after])| after - before).collect(),
        Some(_) => Vec::new(),
    };
    let views: Vec<_> = deltas.iter().map(|deltas| deltas.view()).collect();
    let moved = if views.is_empty() { Vec::new() } else { shifts(&views, &groups, &settings)? };
    let layer = |(which, (beside, head, [before, after])): (usize, &Read)| {
        let spectrum =
            deltas.get(which).map(|deltas| ShiftSpectrum::of(deltas.view())).transpose()?.flatten();
        let alike = match alike_too {
            false => None,
            true => Some(Alike {
                cka: cka_jackknife(before.view(), after.view(), &groups, settings.level)?,
                procrustes: procrustes(before.view(), after.view())?,
                angles: match about.other_axes {
                    None => principal_angles(before.view(), after.view(), ANGLES)?,
                    Some(_) => Vec::new(),
                },
            }),
        };
        let shift = moved.get(which).cloned();
        Ok(LayerCell {
            beside: *beside,
            head: *head,
            unit: deviation(before, &classes),
            shift,
            spectrum,
            alike,
        })
    };
    let layers = read.par_iter().enumerate().map(layer).collect::<Result<Vec<_>>>()?;
    let n_groups = groups.iter().max().map_or(0, |last| last + 1);
    Ok(Some(Cell { place, n: items.len(), groups: n_groups, layers }))
}

/// States as they are, or those of each head.
fn split(states: [Array2<f32>; 2], heads: Option<usize>) -> Vec<(Option<usize>, [Array2<f32>; 2])> {
    let Some(heads) = heads else { return vec![(None, states)] };
    let width = states[0].ncols() / heads;
    let own = |head: usize| {
        let columns = ndarray::s![.., head * width..(head + 1) * width];
        (Some(head), states.each_ref().map(|states| states.slice(columns).to_owned()))
    };
    (0..heads).map(own).collect()
}

/// The root mean square distance of rows from the mean of their class, by n less the number of classes.
fn deviation(states: &Array2<f32>, classes: &[usize]) -> Option<f64> {
    let count = classes.iter().max()? + 1;
    let free = states.nrows().checked_sub(count).filter(|&free| free > 0)?;
    let mut means = Array2::<f64>::zeros((count, states.ncols()));
    let mut sizes = vec![0.0; count];
    for (row, &class) in states.rows().into_iter().zip(classes) {
        means.row_mut(class).zip_mut_with(&row, |sum, x| *sum += f64::from(*x));
        sizes[class] += 1.0;
    }
    let squares = states.rows().into_iter().zip(classes).map(|(row, &class)| {
        let mean = means.row(class);
        row.iter().zip(mean).map(|(x, sum)| (f64::from(*x) - sum / sizes[class]).powi(2)).sum::<f64>()
    });
    Some((squares.sum::<f64>() / free as f64).sqrt()).filter(|unit| *unit > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_within_class_deviation_is_of_the_class_means() {
        let states = ndarray::arr2(&[[0.0f32, 0.0], [2.0, 0.0], [100.0, 1.0], [100.0, -1.0]]);
        // Squares 1 + 1 + 1 + 1 over 4 - 2.
        assert!((deviation(&states, &[0, 0, 1, 1]).expect("a unit") - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(deviation(&states, &[0, 1, 2, 3]), None);
    }
}

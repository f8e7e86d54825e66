//! What an instruction does to a model's own states: the shift from one round to the next, beside the directions of
//! concepts (arXiv 2505.11924).

use rayon::prelude::*;
use recant_probes::{ShiftCosine, shift_cosine};

use super::cells::{numbered, settings};
use super::concepts::directions;
use super::grid::{At, Grid};
use crate::Result;
use crate::analysis::summary::{ModelSummary, Sources};
use crate::model::Site;

/// Which shift stands beside the direction of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// That of the same layer.
    Matched,
    /// That of the last hidden state, after the final norm, whatever the layer of the direction. The two are not of one
    /// space: it is what was published first.
    Final,
}

impl Mode {
    /// The name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Final => "final",
        }
    }
}

/// The shift of a model from the round before, layer by layer, beside a concept's directions.
#[derive(Debug, Clone)]
pub struct PromptShift {
    /// The task, by its place in the study.
    pub task: usize,
    /// The condition, by its place.
    pub condition: usize,
    /// The round that the shift leads to.
    pub round: usize,
    /// The concept, by its place.
    pub concept: usize,
    /// Which shift.
    pub mode: Mode,
    /// Items.
    pub n: usize,
    /// The cosines with the probe's direction and with the difference of means, at each captured layer.
    pub layers: Vec<[ShiftCosine; 2]>,
}

/// The shifts of a model over its rounds, at the main site and position.
///
/// # Errors
/// States are missing or damaged.
pub fn prompt_shifts(sources: &Sources<'_>, summary: &ModelSummary) -> Result<Vec<PromptShift>> {
    let study = sources.study;
    let position = study.main_position();
    let (main, settings) = (study.probed()?[0], settings(sources));
    let known = sources.concepts.iter().zip(&summary.probes);
    let known = known.map(|(concept, probes)| directions(sources, &summary.model, concept, probes));
    let known = known.collect::<Result<Vec<_>>>()?;
    let has_final = study.sites()?.contains(&Site::FinalNorm);
    // Directions at sites of another width lie in another space than the last state.
    let in_stream = main.in_stream();
    let mut all = Vec::new();
    if known.is_empty() {
        return Ok(all);
    }
    for task in 0..study.tasks.len() {
        let groups = sources.groups(task);
        for (condition, name) in study.dialogue.conditions.iter().enumerate() {
            let own = |site: Site| Grid::own(sources, &summary.model, task, name, site.name());
            let matched = own(main)?;
            let last = if has_final && in_stream { Some(own(Site::FinalNorm)?) } else { None };
            for round in 1..matched.rounds() {
                for (mode, grid) in [(Mode::Matched, Some(&matched)), (Mode::Final, last.as_ref())] {
                    let Some(grid) = grid else { continue };
                    let items: Vec<usize> =
                        (0..grid.items()).filter(|&item| grid.moves(item, round, position)).collect();
                    if items.len() < 2 {
                        continue;
                    }
                    let of_group = |item: &usize| groups.get(grid.item(*item)).copied().unwrap_or_default();
                    let groups = numbered(items.iter().map(of_group));
                    let at = |round: usize, layer: usize| At { round, position, layer };
                    let deltas: Vec<_> = (0..grid.layers())
                        .map(|layer| {
                            grid.states(&items, at(round, layer)) - grid.states(&items, at(round - 1, layer))
                        })
                        .collect();
                    for (concept, [probe, means]) in known.iter().enumerate() {
                        let layers = (0..probe.len())
                            .into_par_iter()
                            .map(|layer| {
                                let deltas = deltas[if mode == Mode::Final { 0 } else { layer }].view();
                                let one = |direction: &ndarray::Array1<f64>| {
                                    shift_cosine(deltas, direction.view(), &groups, &settings)
                                };
                                Ok([one(&probe[layer])?, one(&means[layer])?])
                            })
                            .collect::<Result<Vec<_>>>()?;
                        let n = items.len();
                        all.push(PromptShift { task, condition, round, concept, mode, n, layers });
                    }
                }
            }
        }
    }
    Ok(all)
}

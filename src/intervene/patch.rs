//! Activation patching (Vig et al. 2020, Meng et al. 2022): the states of a later round at the end of its prompt, put at the
//! end of round 0's. Where round 0 then answers as the later round does, the correction passes through there.

use std::collections::HashMap;

use tch::Tensor;

use super::results::{Cell, Results};
use super::sweep::{Desk, LAYERS};
use crate::model::{Change, Edit, Reach, Site};
use crate::runner::bench::{Bench, Question, turns};
use crate::store::Turn;
use crate::study::steer::Tokens;
use crate::{Error, Result};

/// A sweep of `patch`.
pub struct Sweep<'a> {
    /// The layers, each by itself; then all at once.
    pub layers: &'a [usize],
    /// The later round's states, per site `(tokens, layers, width)` as the bench gives them.
    pub states: &'a [(Site, Tensor)],
    /// The later round's answers.
    pub later: &'a [Turn],
}

impl Sweep<'_> {
    /// How much is to be done, as cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.states.len() * (self.layers.len() + 1)
    }

    /// Tries what the results do not hold yet; `done` is told of cells.
    ///
    /// # Errors
    /// Those of the model; an interruption; a full disk.
    pub fn run(
        &self,
        bench: &mut Bench<'_, '_>,
        desk: &Desk<'_>,
        results: &mut Results,
        done: &dyn Fn(usize),
    ) -> Result<()> {
        for (site, states) in self.states {
            let places = self.layers.iter().map(|&layer| Some(layer)).chain([None]);
            let missing: Vec<Option<usize>> =
                places.filter(|layer| results.cell(site.name(), *layer, 0.0, None).is_none()).collect();
            done(self.layers.len() + 1 - missing.len());
            let at_once = if bench.waves() > 1 { LAYERS } else { 1 };
            for layers in missing.chunks(at_once) {
                let sets = layers.iter().map(|layer| edits(*site, states, self.layers, *layer));
                let sets = sets.collect::<Result<Vec<_>>>()?;
                let mut cells = Vec::with_capacity(layers.len());
                for (&layer, scores) in layers.iter().zip(bench.scores(&sets, Tokens::Last)?) {
                    let patched = turns(desk.reader.items, desk.questions, &scores, desk.reader.scoring);
                    let [stereotype, unknown] =
                        desk.reader.restored(desk.alone, self.later, patched.as_deref());
                    cells.push(Cell {
                        site: site.name().into(),
                        layer,
                        effect: desk.reader.changes(desk.alone, patched.as_deref())?,
                        restored_stereotype: stereotype,
                        restored_unknown: unknown,
                        ..Cell::default()
                    });
                }
                results.add(desk.run, cells)?;
                done(layers.len());
            }
        }
        Ok(())
    }
}

/// Whether the prompts of two rounds end in as many tokens, question by question, and what is one prompt in the first is one in
/// the later too.
///
/// # Errors
/// They do not: their prefills differ, or what followed the same prompt.
pub fn alike(first: &[Question], later: &[Question]) -> Result<()> {
    let lengths = |questions: &[Question]| questions.iter().map(|q| q.end().len()).collect::<Vec<_>>();
    if lengths(first) != lengths(later) {
        return Err(Error::input("", "the prompts of the two rounds end in prefills of different length")
            .hint("patch a condition whose prefill is the same in both rounds"));
    }
    let mut seen = HashMap::new();
    for (first, later) in first.iter().zip(later) {
        if *seen.entry(&first.prompt.ids).or_insert(&later.prompt.ids) != &later.prompt.ids {
            let why = "two items have the same prompt in round 0 and different ones in the later round";
            return Err(Error::input("", why).hint("leave one of them out: both states cannot be put there"));
        }
    }
    Ok(())
}

/// The states of a site `(tokens, layers, width)` put in at one of the layers, or at all of them.
///
/// # Errors
/// libtorch's.
pub fn edits(site: Site, states: &Tensor, layers: &[usize], only: Option<usize>) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for (place, &layer) in
        layers.iter().enumerate().filter(|(_, layer)| only.is_none_or(|only| only == **layer))
    {
        let table = states.f_select(1, place as i64)?.f_contiguous()?;
        edits.push(Edit { site, layer, reach: Reach::Marked, change: Change::Replace(table) });
    }
    Ok(edits)
}

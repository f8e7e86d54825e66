//! Sweeps of directions over layers and strengths, and of random directions beside them.

use super::change;
use super::direction::{self, Along, ByLayer};
use super::effect::Reader;
use super::matching;
use super::results::{Cell, Results, moved};
use crate::Result;
use crate::model::{Edit, Model, Site};
use crate::runner::bench::{Bench, Question, reach, turns};
use crate::runner::perplexity::Texts;
use crate::runner::{Limits, Tally};
use crate::store::{RunDir, Turn};
use crate::study::steer::{Method, Tokens, Unit};

/// Layers that are tried at a time where the beginnings do not all fit into memory.
pub(super) const LAYERS: usize = 8;

/// A sweep of `add` or `ablate`.
pub struct Sweep<'a> {
    /// `add` or `ablate`.
    pub method: Method,
    /// The site.
    pub site: Site,
    /// The tokens that are reached.
    pub tokens: Tokens,
    /// The direction of each layer.
    pub directions: &'a ByLayer,
    /// Median norm of each layer's states.
    pub norms: Vec<f64>,
    /// The strengths.
    pub strengths: Vec<f64>,
    /// What they are counted in.
    pub unit: Unit,
    /// Number of random directions.
    pub random: usize,
    /// Seed of those.
    pub seed: u64,
}

/// What answers are read from and written to.
pub struct Desk<'a> {
    /// The model.
    pub model: &'a Model,
    /// How much is done at a time.
    pub limits: Limits,
    /// The prompts.
    pub questions: &'a [Question],
    /// How answers are read.
    pub reader: Reader<'a>,
    /// The answers of the model left alone.
    pub alone: &'a [Turn],
    /// The texts for perplexity, and that of the model left alone.
    pub texts: (&'a Texts, f64),
    /// The run directory.
    pub run: &'a RunDir,
    /// Counts what is done.
    pub tally: &'a Tally<'a>,
}

/// An intervention that is to be tried.
#[derive(Debug, Clone, Copy)]
struct Trial {
    layer: Option<usize>,
    strength: f64,
    control: Option<usize>,
}

impl Sweep<'_> {
    /// How much is to be done, as cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        let places = self.places().len();
        let controlled = if self.tokens == Tokens::Last { places } else { 1 };
        places * self.signed().len() + controlled * self.random
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
        let mut trials = Vec::new();
        for layer in self.places() {
            trials.extend(self.signed().into_iter().map(|strength| Trial { layer, strength, control: None }));
            if self.tokens == Tokens::Last {
                trials.extend(self.controls(layer));
            }
        }
        self.try_all(&trials, bench, desk, results, done)?;
        if self.tokens == Tokens::Last {
            return Ok(());
        }
        // Encoding everything anew is dear: random directions are tried where the direction moves most.
        let largest = |best: Option<(f64, Option<usize>)>, cell: &&Cell| match (moved(&cell.effect), best) {
            (Some(own), Some((top, _))) if own <= top => best,
            (Some(own), _) => Some((own, cell.layer)),
            (None, _) => best,
        };
        let best = results.main().iter().fold(None, largest);
        match best {
            Some((_, layer)) => self.try_all(&self.controls(layer), bench, desk, results, done),
            None => Ok(()),
        }
    }

    /// The layers, each by itself; of ablation also all of them at once.
    fn places(&self) -> Vec<Option<usize>> {
        let single = self.directions.keys().map(|&layer| Some(layer));
        let all = (self.method == Method::Ablate && self.directions.len() > 1).then_some(None);
        single.chain(all).collect()
    }

    /// The strengths; a perplexity is sought in both directions.
    fn signed(&self) -> Vec<f64> {
        match self.unit {
            Unit::Perplexity if self.method == Method::Add => {
                self.strengths.iter().flat_map(|strength| [-strength, *strength]).collect()
            }
            _ => self.strengths.clone(),
        }
    }

    fn controls(&self, layer: Option<usize>) -> Vec<Trial> {
        let Some(&strength) = self.signed().last() else { return Vec::new() };
        (0..self.random).map(|number| Trial { layer, strength, control: Some(number) }).collect()
    }

    fn try_all(
        &self,
        trials: &[Trial],
        bench: &mut Bench<'_, '_>,
        desk: &Desk<'_>,
        results: &mut Results,
        done: &dyn Fn(usize),
    ) -> Result<()> {
        let site = self.site.name();
        let missing =
            |trial: &&Trial| results.cell(site, trial.layer, trial.strength, trial.control).is_none();
        let missing: Vec<Trial> = trials.iter().filter(missing).copied().collect();
        done(trials.len() - missing.len());
        let mut layers: Vec<Option<usize>> = missing.iter().map(|trial| trial.layer).collect();
        layers.dedup();
        // Several at a time spare encoding the beginnings, of which only the end of the prompt has any.
        let at_once = if self.tokens == Tokens::Last && bench.waves() > 1 { LAYERS } else { 1 };
        for layers in layers.chunks(at_once) {
            let chunk: Vec<Trial> =
                missing.iter().filter(|trial| layers.contains(&trial.layer)).copied().collect();
            let cells = self.try_some(&chunk, bench, desk, results)?;
            results.add(desk.run, cells)?;
            done(chunk.len());
        }
        Ok(())
    }

    fn try_some(
        &self,
        trials: &[Trial],
        bench: &mut Bench<'_, '_>,
        desk: &Desk<'_>,
        results: &Results,
    ) -> Result<Vec<Cell>> {
        let mut found: Vec<Cell> = Vec::new();
        let mut sets = Vec::new();
        for trial in trials {
            let coefficient = match (trial.control, self.method) {
                (_, Method::Ablate) => None,
                // A random direction is as long as the direction that it stands beside.
                (Some(_), _) => {
                    let all = found.iter().chain(&results.cells);
                    let beside = |cell: &&Cell| cell.is(self.site.name(), trial.layer, trial.strength, None);
                    all.filter(|cell| beside(cell)).find_map(|cell| cell.coefficient)
                }
                (None, _) => self.coefficient(*trial, desk)?,
            };
            let known = coefficient.is_some() || self.method == Method::Ablate;
            sets.push(if known { Some(self.edits(*trial, coefficient, reach(self.tokens))?) } else { None });
            found.push(Cell {
                site: self.site.name().into(),
                layer: trial.layer,
                strength: trial.strength,
                coefficient,
                control: trial.control,
                length: self.along(*trial).and_then(|along| along.length),
                norm: self.norm(*trial),
                ..Cell::default()
            });
        }
        let known: Vec<Vec<Edit>> = sets.iter().flatten().cloned().collect();
        let mut scores = bench.scores(&known, self.tokens)?.into_iter();
        for ((cell, trial), set) in found.iter_mut().zip(trials).zip(&sets) {
            let Some(scores) = set.as_ref().and_then(|_| scores.next()) else { continue };
            let steered = turns(desk.reader.items, desk.questions, &scores, desk.reader.scoring);
            cell.effect = desk.reader.changes(desk.alone, steered.as_deref())?;
            if trial.control.is_none() {
                let perplexity = self.perplexity(*trial, cell.coefficient, desk)?;
                cell.effect.perplexity = Some(perplexity).filter(|perplexity| perplexity.is_finite());
            }
        }
        Ok(found)
    }

    /// The direction of a trial of one layer.
    fn along(&self, trial: Trial) -> Option<&Along> {
        self.directions.get(&trial.layer?)
    }

    /// The median norm of the states of a trial of one layer.
    fn norm(&self, trial: Trial) -> Option<f64> {
        let place = self.directions.keys().position(|layer| Some(*layer) == trial.layer)?;
        self.norms.get(place).copied()
    }

    /// What a trial's unit direction is multiplied by.
    fn coefficient(&self, trial: Trial, desk: &Desk<'_>) -> Result<Option<f64>> {
        let norm = self.norm(trial).unwrap_or(1.0);
        match self.unit {
            Unit::Absolute => Ok(Some(trial.strength)),
            Unit::Own => Ok(self.along(trial).and_then(|along| along.length).map(|own| trial.strength * own)),
            Unit::Norm => Ok(Some(trial.strength * norm)),
            Unit::Perplexity => {
                let sign = trial.strength.signum();
                let ratio = |size: f64| Ok(self.perplexity(trial, Some(sign * size), desk)? / desk.texts.1);
                let found = matching::coefficient(trial.strength.abs(), norm / 2.0, ratio)?;
                Ok(found.map(|size| sign * size))
            }
        }
    }

    /// Perplexity of the plain texts with every token of them reached.
    fn perplexity(&self, trial: Trial, coefficient: Option<f64>, desk: &Desk<'_>) -> Result<f64> {
        let edits = self.edits(trial, coefficient, reach(Tokens::Every))?;
        desk.texts.0.perplexity(desk.model, &edits, desk.limits, desk.tally)
    }

    fn edits(&self, trial: Trial, coefficient: Option<f64>, reach: crate::model::Reach) -> Result<Vec<Edit>> {
        let layers = self.directions.iter().filter(|(layer, _)| trial.layer.is_none_or(|own| own == **layer));
        let edit = |(&layer, Along { unit: own, .. }): (&usize, &Along)| {
            let random;
            let unit = match trial.control {
                None => own,
                Some(number) => {
                    random = direction::random(self.seed, layer, number, own.len());
                    &random
                }
            };
            match coefficient {
                Some(coefficient) => change::add(self.site, layer, unit, coefficient, reach),
                None => change::ablate(self.site, layer, unit, reach),
            }
        };
        layers.map(edit).collect()
    }
}

//! Everything that tables, figures and the report say of a run, computed from its directory.

use std::path::Path;

use rayon::prelude::*;

use super::bootstrap::{Bootstrap, Interval};
use super::measure::{Difference, Measure};
use super::movement::{ChangeMap, Mean, Scores};
use super::probing::ConceptProbes;
use super::relations::{Asked, Relations};
use super::rounds;
use super::told::Told;
use crate::model::Spec;
use crate::store::{Failed, Judged, RunDir, States, Turn, failures, judged, states, turns};
use crate::study::Study;
use crate::task::Item;
use crate::task::concept::Concept;
use crate::{Error, Result};

/// Sign flips behind a p-value of a concept's change.
const FLIPS: usize = 2000;

/// One measure of one model's behaviour under one condition in one round.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The condition.
    pub condition: String,
    /// The round.
    pub round: usize,
    /// The number; `None` where it is undefined.
    pub value: Option<f64>,
    /// Its interval over groups.
    pub interval: Option<Interval>,
    /// Items counted.
    pub n: usize,
    /// Difference from round 0 of the same items.
    pub change: Option<Difference>,
    /// Difference from the first condition in the same round, of the same items; none for the first condition.
    pub gain: Option<Difference>,
    /// Share of greedy answers (over items and orders) whose text names no option.
    pub unparsed: Option<f64>,
}

/// A measure of one model by one scoring over all conditions and rounds.
pub struct Behaviour {
    /// The task's name in the study.
    pub task: String,
    /// What is measured.
    pub measure: &'static Measure,
    /// The name of the scoring by which options were chosen.
    pub scoring: &'static str,
    /// Whether that is the study's first, which decides.
    pub decides: bool,
    /// The numbers, by condition, then by round.
    pub cells: Vec<Cell>,
}

impl Behaviour {
    /// The measure's title, with the task's name where that says more.
    #[must_use]
    pub fn title(&self) -> String {
        match self.measure.kinds.contains(&self.task.as_str()) {
            true => self.measure.title.to_owned(),
            false => format!("{}, {}", self.measure.title, self.task),
        }
    }
}

/// The scores of one concept on one task.
pub struct Movement {
    /// The concept.
    pub concept: String,
    /// The task.
    pub task: String,
    /// The layer (of the model) of `at_best`.
    pub layer: usize,
    /// `[condition][round]`: mean score at the concept's best layer.
    pub at_best: Vec<Vec<Option<Mean>>>,
    /// `[condition][round]`: mean score at the best layer less that under the first condition, of the same items.
    pub contrasts: Vec<Vec<Option<Mean>>>,
    /// Changes from round 0 at every layer and round.
    pub map: ChangeMap,
}

/// One model's results.
pub struct ModelSummary {
    /// The model's name.
    pub model: String,
    /// Behaviour, a measure and scoring each.
    pub behaviour: Vec<Behaviour>,
    /// The probes.
    pub probes: Vec<ConceptProbes>,
    /// How their scores move.
    pub movements: Vec<Movement>,
    /// How they go together with what the model says.
    pub relations: Relations,
    /// `[task]`: the items that could be run, in the order of the turns.
    pub items: Vec<Vec<Item>>,
    /// `[task]`: those that could not.
    pub failed: Vec<Vec<Failed>>,
    /// `[task]`: what a judge said of open answers.
    pub judged: Vec<Judged>,
    /// `[task][condition]`: the turns, item by item.
    pub turns: Vec<Vec<Vec<Turn>>>,
}

/// What a summary is computed from.
pub struct Sources<'a> {
    /// The run directory.
    pub run: &'a RunDir,
    /// Its study.
    pub study: &'a Study,
    /// The items of each task.
    pub tasks: &'a [(String, Vec<Item>)],
    /// The concepts.
    pub concepts: &'a [Concept],
}

impl Sources<'_> {
    /// Number of shards of a task.
    #[must_use]
    pub fn shards(&self, items: &[Item]) -> usize {
        items.len().div_ceil(self.study.run.shard_items)
    }

    /// Trains the probes of one model on its captured concept states.
    ///
    /// # Errors
    /// States are missing, damaged or not finite.
    pub fn probes(&self, model: &str, layers: &[usize]) -> Result<Vec<ConceptProbes>> {
        let entry = &self.study.probe;
        self.concepts
            .iter()
            .map(|concept| {
                let path = self.run.concept(model, &concept.spec.name)?;
                present(&path)?;
                let states = states::read(&path, &entry.site, self.run.key())?;
                ConceptProbes::train(concept, &states, layers, entry, self.study.seed)
            })
            .collect()
    }

    /// Computes one model's results.
    ///
    /// # Errors
    /// A shard is missing or damaged.
    pub fn summary(&self, model: &str, probes: Vec<ConceptProbes>) -> Result<ModelSummary> {
        let bootstrap = self.bootstrap();
        let (mut all_items, mut all_failed, mut all_turns) = (Vec::new(), Vec::new(), Vec::new());
        let mut all_judged = Vec::new();
        let mut movements = Vec::new();
        let mut relations =
            Relations { transfers: self.concept_transfers(model, &probes)?, ..Relations::default() };
        let n_layers = self.n_layers(model)?;
        for (number, (task, items)) in self.tasks.iter().enumerate() {
            let n_shards = self.shards(items);
            let (items, failed) = self.ran(model, task, items)?;
            let shards = self.states(model, task, n_shards, !probes.is_empty())?;
            for probe in &probes {
                movements.push(self.movement(probe, task, &items, &shards, bootstrap)?);
            }
            let turns = self.turns(model, task, &items, n_shards)?;
            let told = self.told_of(number, model, &turns);
            let asked = Asked { model, told: &told, items: &items, shards: &shards, n_layers };
            self.relate(&asked, &probes, &mut relations)?;
            all_turns.push(turns);
            all_judged.push(judged::read(&self.run.judged(model, task)?)?);
            all_items.push(items);
            all_failed.push(failed);
        }
        let mut behaviour = Vec::new();
        for told in self.told(model, &all_turns) {
            behaviour.extend(rounds::of(&told, bootstrap)?);
        }
        rounds::adjust(&mut behaviour);
        Ok(ModelSummary {
            model: model.to_string(),
            behaviour,
            probes,
            movements,
            relations,
            items: all_items,
            failed: all_failed,
            judged: all_judged,
            turns: all_turns,
        })
    }

    /// The items of a task that a model could be asked, and those that it could not.
    fn ran(&self, model: &str, task: &str, items: &[Item]) -> Result<(Vec<Item>, Vec<Failed>)> {
        let read = |index| failures::read(&self.run.failed(model, task, index)?);
        let failed = (0..self.shards(items)).map(read).collect::<Result<Vec<_>>>()?.concat();
        let could = |item: &&Item| failed.iter().all(|failed| failed.item != item.id);
        Ok((items.iter().filter(could).cloned().collect(), failed))
    }

    /// The turns of a task by condition, item by item; the task is named by its place in the study.
    ///
    /// # Errors
    /// A shard is missing or damaged.
    pub fn said(&self, model: &str, task: usize) -> Result<Vec<Vec<Turn>>> {
        let (name, items) = &self.tasks[task];
        let (ran, _) = self.ran(model, name, items)?;
        self.turns(model, name, &ran, self.shards(items))
    }

    /// What a model said, task by task, from its turns `[task][condition]`.
    #[must_use]
    pub fn told<'b>(&'b self, model: &'b str, turns: &'b [Vec<Vec<Turn>>]) -> Vec<Told<'b>> {
        turns.iter().enumerate().map(|(task, turns)| self.told_of(task, model, turns)).collect()
    }

    /// The same of one task, named by its place in the study.
    fn told_of<'b>(&'b self, task: usize, model: &'b str, turns: &'b [Vec<Turn>]) -> Told<'b> {
        let dialogue = &self.study.dialogue;
        let (name, items) = &self.tasks[task];
        let conditions = dialogue.conditions.iter().map(String::as_str);
        let arms: Vec<(&str, &[Turn])> = conditions.zip(turns.iter().map(Vec::as_slice)).collect();
        let names = (model, name.as_str(), self.study.tasks[task].kind());
        Told::new(names, dialogue.rounds, items, &arms, &dialogue.scoring)
    }

    /// Number of layers of one of the study's models.
    fn n_layers(&self, model: &str) -> Result<usize> {
        let entry = self.study.models.iter().find(|entry| entry.name == model);
        entry.map_or(Ok(0), |entry| Ok(Spec::read(&entry.path)?.n_layers))
    }

    /// How intervals over groups are drawn.
    #[must_use]
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap { resamples: self.study.probe.bootstrap, seed: self.study.seed, ..Bootstrap::default() }
    }

    fn turns(&self, model: &str, task: &str, items: &[Item], shards: usize) -> Result<Vec<Vec<Turn>>> {
        let read = |condition: &String| -> Result<Vec<Turn>> {
            let mut all = Vec::new();
            for index in 0..shards {
                let (turns_path, states_path) = self.run.shard(model, task, condition, index)?;
                present(&turns_path)?;
                present(&states_path)?;
                let turns = states::turns_hash(&states_path).and_then(|hash| turns::read(&turns_path, &hash));
                // The states say what the turns must be: if the two disagree, look first whether the states are sound.
                all.extend(match turns {
                    Ok(turns) => turns,
                    Err(error) => return states::verify(&states_path, self.run.key()).and(Err(error)),
                });
            }
            let rounds = self.study.dialogue.rounds;
            let expected =
                items.iter().flat_map(|item| (0..rounds).map(move |round| (item.id.as_str(), round)));
            if !expected.eq(all.iter().map(|turn: &Turn| (turn.item.as_str(), turn.round))) {
                return Err(Error::input(
                    format!("{model}/{task}/{condition}"),
                    "holds other items or rounds than the study",
                )
                .hint("delete its shards and run the study again"));
            }
            Ok(all)
        };
        self.study.dialogue.conditions.iter().map(read).collect()
    }

    fn states(&self, model: &str, task: &str, shards: usize, wanted: bool) -> Result<Vec<Vec<States>>> {
        if !wanted {
            return Ok(Vec::new());
        }
        let read = |condition: &String| -> Result<Vec<States>> {
            let paths = (0..shards).map(|index| Ok(self.run.shard(model, task, condition, index)?.1));
            paths
                .map(|path: Result<_>| states::read(&path?, &self.study.probe.site, self.run.key()))
                .collect()
        };
        self.study.dialogue.conditions.iter().map(read).collect()
    }

    fn movement(
        &self,
        probes: &ConceptProbes,
        task: &str,
        items: &[Item],
        shards: &[Vec<States>],
        bootstrap: Bootstrap,
    ) -> Result<Movement> {
        let place = self.study.capture.positions.iter().position(|name| *name == self.study.probe.position);
        let groups: Vec<String> = items.iter().map(|item| item.group.clone()).collect();
        let scores = shards
            .par_iter()
            .map(|shards| Scores::of(probes, shards, place.unwrap_or(0), groups.clone()))
            .collect::<Result<Vec<_>>>()?;
        let best = probes.best();
        let at_best = scores
            .iter()
            .map(|scores| {
                (0..scores.rounds).map(|round| scores.mean(round, best, false, bootstrap)).collect()
            })
            .collect();
        let contrasts = scores
            .iter()
            .map(|s| (0..s.rounds).map(|round| s.contrast(&scores[0], round, best, bootstrap)).collect())
            .collect();
        let map = ChangeMap::of(&scores.iter().collect::<Vec<_>>(), FLIPS, self.study.seed);
        Ok(Movement {
            concept: probes.concept.clone(),
            task: task.to_string(),
            layer: probes.layers[best],
            at_best,
            contrasts,
            map,
        })
    }
}

/// Refuses a run whose file is not there yet.
fn present(path: &Path) -> Result<()> {
    match path.is_file() {
        true => Ok(()),
        false => Err(Error::input(path.display().to_string(), "is missing: the run is not finished")
            .hint("`recant run` does what is missing")),
    }
}

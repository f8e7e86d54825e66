//! Everything that tables, figures and the report say of a run, computed from its directory.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::bootstrap::{Bootstrap, Interval};
use super::changes::{self, Cell as ConceptCell, SiteScores};
use super::measure::{Difference, Measure};
use super::movement::Scores;
use super::paired::{Draws, Groups, Mean};
use super::probing::ConceptProbes;
use super::relations::{Asked, Relations};
use super::rounds;
use super::told::Told;
use super::training::{SiteStates, Training};
use crate::model::{Layers, Site, Spec};
use crate::store::{Failed, Judged, RunDir, Shard, States, Turn, failures, judged, states, turns};
use crate::study::Study;
use crate::task::Item;
use crate::task::concept::Concept;
use crate::{Error, Result};

/// Sign flips behind a p-value of a change by layer.
pub(crate) const FLIPS: usize = 2000;

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
    /// The place (among the probes of the main site) of the concept's best layer.
    pub best: usize,
    /// `[condition][round]`: mean score at the best layer less that under the first condition, of the same items.
    pub contrasts: Vec<Vec<Option<Mean>>>,
    /// The scores at every site and position, those of the main ones first.
    pub sites: Vec<SiteScores>,
}

impl Movement {
    /// The scores at the study's main site and position.
    #[must_use]
    pub fn main(&self) -> &SiteScores {
        &self.sites[0]
    }

    /// The cell of a condition and round at the best layer of the main site.
    #[must_use]
    pub fn at_best(&self, condition: usize, round: usize) -> &ConceptCell {
        &self.main().cells[condition][round][self.best]
    }

    /// Whether anything was scored.
    #[must_use]
    pub fn is_scored(&self) -> bool {
        self.main().cells.iter().flatten().flatten().any(|cell| cell.score.is_some())
    }
}

/// One model's results.
pub struct ModelSummary {
    /// The model's name.
    pub model: String,
    /// Behaviour, a measure and scoring each.
    pub behaviour: Vec<Behaviour>,
    /// The probes of each concept at the main site.
    pub probes: Vec<ConceptProbes>,
    /// The probes at the other sites, concept by concept.
    pub others: Vec<ConceptProbes>,
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

impl ModelSummary {
    /// The probes of a concept at all sites, the main one first.
    pub fn probes_of(&self, concept: &str) -> impl Iterator<Item = &ConceptProbes> {
        self.probes.iter().chain(&self.others).filter(move |probes| probes.concept == concept)
    }
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

    /// Trains the probes of one model on its captured concept states: of each concept those of the main site first, then
    /// those of the others. A layer of `head_out` is read head by head, unless it is the main site.
    ///
    /// # Errors
    /// States are missing, damaged or not finite.
    pub fn probes(&self, model: &str, spec: &Spec) -> Result<Vec<ConceptProbes>> {
        let entry = &self.study.probe;
        let layers = self.study.capture.layers.parse::<Layers>()?.resolve(spec.n_layers)?;
        let mut all = Vec::new();
        for concept in self.concepts {
            let path = self.run.concept(model, &concept.spec.name)?;
            present(&path)?;
            let shard = Shard::read(&path, self.run.key())?;
            let training = Training::new(concept, entry, self.study.seed)?;
            for (place, site) in self.study.probed()?.into_iter().enumerate() {
                let heads = (place > 0 && site == Site::HeadOut).then_some(spec.n_heads as usize);
                let states = shard.site(site.name())?;
                let untrained = match place == 0 && entry.untrained {
                    true => Some(self.untrained(model, &concept.spec.name)?),
                    false => None,
                };
                all.push(training.probes(SiteStates { site, heads, states, untrained }, &layers)?);
            }
        }
        Ok(all)
    }

    /// States of a concept's texts at the main site of the model with random weights.
    fn untrained(&self, model: &str, concept: &str) -> Result<States> {
        let path = self.run.untrained(model, concept)?;
        present(&path)?;
        states::read(&path, &self.study.probe.site, self.run.key())
    }

    /// Computes one model's results; `probes` are those of [`Sources::probes`].
    ///
    /// # Errors
    /// A shard is missing or damaged.
    pub fn summary(&self, model: &str, probes: Vec<ConceptProbes>) -> Result<ModelSummary> {
        let bootstrap = self.bootstrap();
        let (mut all_items, mut all_failed, mut all_turns) = (Vec::new(), Vec::new(), Vec::new());
        let mut all_judged = Vec::new();
        let mut all_movements = Vec::new();
        let main: Vec<&ConceptProbes> =
            probes.iter().filter(|probes| probes.site.name() == self.study.probe.site).collect();
        let mut relations =
            Relations { transfers: self.concept_transfers(model, &main)?, ..Relations::default() };
        let n_layers = self.n_layers(model)?;
        for (number, (task, items)) in self.tasks.iter().enumerate() {
            let n_shards = self.shards(items);
            let (items, failed) = self.ran(model, task, items)?;
            let moved = self.movements(model, task, &items, n_shards, &probes)?;
            let shards = match probes.is_empty() {
                true => Vec::new(),
                false => self.states(model, task, n_shards)?,
            };
            let turns = self.turns(model, task, &items, n_shards)?;
            let told = self.told_of(number, model, &turns);
            let asked =
                Asked { model, told: &told, items: &items, movements: &moved, shards: &shards, n_layers };
            self.relate(&asked, &main, &mut relations)?;
            all_movements.extend(moved);
            all_turns.push(turns);
            all_judged.push(judged::read(&self.run.judged(model, task)?)?);
            all_items.push(items);
            all_failed.push(failed);
        }
        let sites = all_movements.iter_mut().flat_map(|movement| &mut movement.sites);
        changes::adjust(sites.flat_map(|site| site.cells.iter_mut().flatten().flatten()));
        let mut behaviour = Vec::new();
        for told in self.told(model, &all_turns) {
            behaviour.extend(rounds::of(&told, bootstrap)?);
        }
        rounds::adjust(&mut behaviour);
        let (probes, others) =
            probes.into_iter().partition(|probes| probes.site.name() == self.study.probe.site);
        Ok(ModelSummary {
            model: model.to_string(),
            behaviour,
            probes,
            others,
            movements: all_movements,
            relations,
            items: all_items,
            failed: all_failed,
            judged: all_judged,
            turns: all_turns,
        })
    }

    /// The items of a task that a model could be asked, and those that it could not.
    ///
    /// # Errors
    /// A list of failures cannot be read.
    pub fn ran(&self, model: &str, task: &str, items: &[Item]) -> Result<(Vec<Item>, Vec<Failed>)> {
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

    /// The captured layers of one of the study's models.
    pub(super) fn layers(&self, model: &str) -> Result<Vec<usize>> {
        self.study.capture.layers.parse::<Layers>()?.resolve(self.n_layers(model)?)
    }

    /// How intervals of probes' scores are drawn.
    pub(super) fn resampling(&self) -> recant_probes::Bootstrap {
        let (resamples, seed) = (self.study.probe.bootstrap, self.study.seed);
        recant_probes::Bootstrap { resamples, seed, ..recant_probes::Bootstrap::default() }
    }

    /// The group of each item of a task, which is named by its place in the study.
    pub(super) fn groups(&self, task: usize) -> HashMap<&str, &str> {
        self.tasks[task].1.iter().map(|item| (item.id.as_str(), item.group.as_str())).collect()
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

    /// The states of a task at the main site, `[condition][shard]`.
    fn states(&self, model: &str, task: &str, shards: usize) -> Result<Vec<Vec<States>>> {
        let read = |condition: &String| -> Result<Vec<States>> {
            let paths = (0..shards).map(|index| Ok(self.run.shard(model, task, condition, index)?.1));
            let site = &self.study.probe.site;
            paths.map(|path: Result<_>| states::read(&path?, site, self.run.key())).collect()
        };
        self.study.dialogue.conditions.iter().map(read).collect()
    }

    /// The scores of some probes on a task, `[probes][position][condition]`. Each shard is read once, and its states are
    /// let go before the next one's are read.
    ///
    /// # Errors
    /// A shard is missing, damaged, or of other layers than the probes.
    pub fn scores(
        &self,
        model: &str,
        task: &str,
        items: &[Item],
        shards: usize,
        probes: &[ConceptProbes],
    ) -> Result<Vec<Vec<Vec<Scores>>>> {
        let groups: Vec<String> = items.iter().map(|item| item.group.clone()).collect();
        let positions = self.study.capture.positions.len();
        let of_condition = |condition: &String| -> Result<Vec<Vec<Scores>>> {
            let none = |probes| (0..positions).map(|_| Scores::none(probes, groups.clone())).collect();
            let mut scores: Vec<Vec<Scores>> = probes.iter().map(none).collect();
            for index in 0..shards {
                let shard = Shard::read(&self.run.shard(model, task, condition, index)?.1, self.run.key())?;
                for (probes, scores) in probes.iter().zip(&mut scores) {
                    let states = shard.site(probes.site.name())?;
                    let states = states.by_head(probes.heads)?;
                    for (position, scores) in scores.iter_mut().enumerate() {
                        scores.extend(probes, &states, position)?;
                    }
                }
            }
            scores.into_iter().map(|own| own.into_iter().map(Scores::whole).collect()).collect()
        };
        let mut all: Vec<Vec<Vec<Scores>>> =
            probes.iter().map(|_| (0..positions).map(|_| Vec::new()).collect()).collect();
        let conditions = &self.study.dialogue.conditions;
        for scores in conditions.par_iter().map(of_condition).collect::<Result<Vec<_>>>()? {
            for (all, scores) in all.iter_mut().flatten().zip(scores.into_iter().flatten()) {
                all.push(scores);
            }
        }
        Ok(all)
    }

    /// How the scores of every concept move on a task.
    fn movements(
        &self,
        model: &str,
        task: &str,
        items: &[Item],
        shards: usize,
        probes: &[ConceptProbes],
    ) -> Result<Vec<Movement>> {
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = items.iter().map(|item| item.group.clone()).collect();
        let groups = Groups::of(&names);
        let draws = Draws::new(&groups, self.bootstrap(), FLIPS);
        let mut movements: Vec<Movement> = Vec::new();
        for (probes, by_position) in probes.iter().zip(self.scores(model, task, items, shards, probes)?) {
            let mut sites: Vec<SiteScores> = Vec::new();
            for (position, scores) in self.study.capture.positions.iter().zip(by_position) {
                let probability = |place, score| probes.probability(place, score);
                let cells = changes::cells(&scores, self.study.control(), probability, (&groups, &draws));
                let (site, heads, layers) = (probes.site, probes.heads, probes.layers.clone());
                sites.push(SiteScores { site, heads, layers, position: position.clone(), scores, cells });
            }
            match movements.last_mut().filter(|movement| movement.concept == probes.concept) {
                Some(movement) => movement.sites.extend(sites),
                None => {
                    sites.sort_by_key(|site| site.position != self.study.probe.position);
                    let (best, scores) = (probes.best(), &sites[0].scores);
                    let contrasts =
                        scores.iter().map(|own| own.contrasts(&scores[0], best, &groups, &draws)).collect();
                    movements.push(Movement {
                        concept: probes.concept.clone(),
                        task: task.to_string(),
                        best,
                        contrasts,
                        sites,
                    });
                }
            }
        }
        Ok(movements)
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

//! How what a model says and what it holds inside go together, for every task, condition and concept of a run.

use std::collections::HashMap;

use ndarray::Array2;
use rayon::prelude::*;

use super::bootstrap::{Bootstrap, Estimate};
use super::correlation::{Correlation, Relation};
use super::cosines::{Cosines, SITES, Vector, Vectors};
use super::doubt::{Course, Doubt, over_items, over_rounds};
use super::movement::Scores;
use super::probing::ConceptProbes;
use super::summary::{Movement, Sources};
use super::superficial::{Change, Superficial, coupling, superficial};
use super::told::{Told, context_name};
use super::transfer::TransferMatrix;
use crate::Result;
use crate::store::{States, Turn, states};
use crate::study::Scoring;
use crate::task::Item;

/// Exchanges behind a p-value.
const EXCHANGES: usize = 1000;

/// Of what a row is: a concept at some layers on a task under a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The task.
    pub task: String,
    /// The concept.
    pub concept: String,
    /// The layers whose mean the score is: `12`, or `14-25`.
    pub layers: String,
    /// The condition.
    pub condition: String,
    /// The context condition of the items; empty for all.
    pub context: &'static str,
}

/// Mean cosines of one condition.
pub struct Curve {
    /// The task.
    pub task: String,
    /// The concept.
    pub concept: String,
    /// The site.
    pub site: String,
    /// What states are compared with.
    pub vector: Vector,
    /// The condition.
    pub condition: String,
    /// The layers of the window.
    pub layers: String,
    /// `[round]`: means over the window.
    pub window: Vec<Estimate>,
    /// `[round][layer]`, of the captured layers.
    pub profile: Vec<Vec<Estimate>>,
}

/// Everything that joins behaviour and representation in one model.
#[derive(Default)]
pub struct Relations {
    /// Answers that turn fair without the concept, last round against round 0.
    pub superficial: Vec<(Place, Superficial)>,
    /// Correlations of both changes over items.
    pub coupling: Vec<(Place, Relation, Correlation)>,
    /// Correlations of score and uncertainty: over rounds, and over the items of a round.
    pub doubt: Vec<(Place, Doubt, Option<usize>, Relation, Correlation)>,
    /// Cosines with probing vectors.
    pub curves: Vec<Curve>,
    /// Probes trained on some states and tested on others.
    pub transfers: Vec<TransferMatrix>,
}

/// What one model said of one task, with its states.
pub struct Asked<'a> {
    /// The model.
    pub model: &'a str,
    /// What it said.
    pub told: &'a Told<'a>,
    /// The items, in the order of the states.
    pub items: &'a [Item],
    /// How the scores of each concept move on the task.
    pub movements: &'a [Movement],
    /// `[condition]`: the states at the probes' site.
    pub shards: &'a [Vec<States>],
    /// Number of layers of the model.
    pub n_layers: usize,
}

/// Layers with their name, as places in what was captured.
type Chosen = (String, Vec<usize>);

fn named(places: Vec<usize>, layers: &[usize]) -> Option<Chosen> {
    let (first, last) = (layers[*places.first()?], layers[*places.last()?]);
    Some((if first == last { first.to_string() } else { format!("{first}-{last}") }, places))
}

impl Sources<'_> {
    /// The states of a concept's texts at a site.
    ///
    /// # Errors
    /// They are missing or damaged.
    pub fn concept_states(
        &self,
        model: &str,
        concept: &crate::task::concept::Concept,
        site: &str,
    ) -> Result<States> {
        states::read(&self.run.concept(model, &concept.spec.name)?, site, self.run.key())
    }

    fn window(&self, layers: &[usize], n_layers: usize) -> Option<Chosen> {
        let inside = |place: &usize| self.study.probe.window.holds(layers[*place], n_layers);
        named((0..layers.len()).filter(inside).collect(), layers)
    }

    /// Everything about one task but what needs other sites.
    ///
    /// # Errors
    /// Turns or states do not fit.
    pub fn relate(&self, asked: &Asked<'_>, probes: &[&ConceptProbes], all: &mut Relations) -> Result<()> {
        let Some(scoring) = asked.told.scorings.iter().find(|scoring| **scoring != Scoring::Parsed) else {
            return Ok(());
        };
        let Some(first) = probes.first() else { return Ok(()) };
        let position = self.study.main_position();
        let groups: Vec<String> = asked.items.iter().map(|item| item.group.clone()).collect();
        let said = Said::of(asked, *scoring)?;
        let window = self.window(&first.layers, asked.n_layers);
        for probes in probes {
            let best = named(vec![probes.best()], &probes.layers);
            let choices: Vec<_> = [best, window.clone()].into_iter().flatten().collect();
            let moved = asked.movements.iter().find(|movement| movement.concept == probes.concept);
            let Some(scores) = moved.map(|movement| &movement.main().scores) else { continue };
            let jobs: Vec<_> =
                (0..scores.len()).flat_map(|arm| choices.iter().map(move |choice| (arm, choice))).collect();
            let found: Vec<Relations> = jobs
                .par_iter()
                .map(|(arm, choice)| {
                    said.relations(*arm, &scores[*arm], &probes.concept, choice, self.bootstrap())
                })
                .collect();
            for mut part in found {
                all.superficial.append(&mut part.superficial);
                all.coupling.append(&mut part.coupling);
                all.doubt.append(&mut part.doubt);
            }
        }
        if let Some((_, places)) = &window {
            let place = places[places.len() / 2];
            let at = (position, place, first.layers[place]);
            let task = asked.told.task;
            all.transfers.extend(self.round_transfers(
                task,
                &groups,
                &said.stereotyped(),
                asked.shards,
                at,
            )?);
        }
        self.curves(asked, probes, (position, &groups, window), &mut all.curves)
    }

    /// Cosines at every captured site of the stream.
    fn curves(
        &self,
        asked: &Asked<'_>,
        probes: &[&ConceptProbes],
        (position, groups, window): (usize, &[String], Option<Chosen>),
        curves: &mut Vec<Curve>,
    ) -> Result<()> {
        let Some((window, places)) = window else { return Ok(()) };
        let task = asked.told.task;
        let n_shards = asked.shards.first().map_or(0, Vec::len);
        // A direction in another space than the stream's, such as that of heads, has no cosine with it.
        let in_stream = SITES.contains(&self.study.probe.site.as_str());
        let kinds: Vec<Vector> =
            Vector::ALL.into_iter().filter(|vector| in_stream || *vector != Vector::Direction).collect();
        for site in self.study.capture.sites.iter().filter(|site| SITES.contains(&site.as_str())) {
            let mut vectors = Vec::new();
            for (concept, probes) in self.concepts.iter().zip(probes) {
                let texts = self.concept_states(asked.model, concept, site)?;
                let positive: Vec<bool> = concept.statements.iter().map(|text| text.positive).collect();
                vectors.push(Vectors::of_statements(&texts, &positive, false)?);
                vectors.push(Vectors::of_statements(&texts, &positive, true)?);
                if !in_stream {
                    continue;
                }
                let width = probes.sweep.first().map_or(0, |probe| probe.probe.coef.len());
                let mut directions = Array2::zeros((probes.sweep.len(), width));
                for (mut row, probe) in directions.rows_mut().into_iter().zip(&probes.sweep) {
                    row.assign(&probe.probe.direction());
                }
                vectors.push(Vectors::of_directions(directions));
            }
            let vectors: Vec<&Vectors> = vectors.iter().collect();
            for (arm, condition) in self.study.dialogue.conditions.iter().enumerate() {
                let read;
                let shards = if *site == self.study.probe.site {
                    &asked.shards[arm]
                } else {
                    read = (0..n_shards)
                        .map(|index| {
                            let (_, path) = self.run.shard(asked.model, task, condition, index)?;
                            states::read(&path, site, self.run.key())
                        })
                        .collect::<Result<Vec<_>>>()?;
                    &read
                };
                let cosines = Cosines::of(&vectors, shards, position)?;
                let made: Vec<Curve> = (0..vectors.len())
                    .into_par_iter()
                    .map(|at| {
                        let mean = |round: usize, layers: &[usize]| {
                            cosines.mean(at, round, layers, groups, self.bootstrap())
                        };
                        let profile =
                            |round| (0..cosines.layers).map(|layer| mean(round, &[layer])).collect();
                        Curve {
                            task: task.to_owned(),
                            concept: probes[at / kinds.len()].concept.clone(),
                            site: site.clone(),
                            vector: kinds[at % kinds.len()],
                            condition: condition.clone(),
                            layers: window.clone(),
                            window: (0..cosines.rounds).map(|round| mean(round, &places)).collect(),
                            profile: (0..cosines.rounds).map(profile).collect(),
                        }
                    })
                    .collect();
                curves.extend(made);
            }
        }
        Ok(())
    }
}

/// One answer with what surrounds it.
struct Spoken<'a> {
    stereotyped: Option<bool>,
    /// Probability of the stereotyped answer.
    probability: Option<f64>,
    /// By [`Doubt::ALL`].
    doubt: [Option<f64>; 4],
    turn: &'a Turn,
}

/// What was said of a task by the scoring that decides.
struct Said<'a> {
    told: &'a Told<'a>,
    /// The place of each told item among the items of the states.
    places: Vec<usize>,
    n_items: usize,
    /// `[condition][round][item]`.
    spoken: Vec<Vec<Vec<Spoken<'a>>>>,
}

impl<'a> Said<'a> {
    fn of(asked: &Asked<'a>, scoring: Scoring) -> Result<Self> {
        let told = asked.told;
        let index: HashMap<&str, usize> =
            asked.items.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
        let places = told.items.iter().filter_map(|item| index.get(item.id.as_str()).copied()).collect();
        let answers = told.all_answers(scoring)?;
        let round = |arm: usize, round: usize| -> Vec<Spoken<'a>> {
            let turns = told.turns(arm, round).map(|(_, turn)| turn);
            let spoken = |(answer, turn): (&super::answer::Answer<'a>, &'a Turn)| Spoken {
                stereotyped: answer.is_stereotyped(),
                probability: answer.item().target.zip(answer.probabilities()).map(|(target, p)| p[target]),
                doubt: Doubt::ALL.map(|doubt| doubt.of(answer, turn)),
                turn,
            };
            answers[arm][round].iter().zip(turns).map(spoken).collect()
        };
        let spoken =
            (0..told.arms.len()).map(|arm| (0..told.rounds).map(|at| round(arm, at)).collect()).collect();
        Ok(Self { told, places, n_items: asked.items.len(), spoken })
    }

    /// `[condition][round][item of the states]`.
    fn stereotyped(&self) -> Vec<Vec<Vec<Option<bool>>>> {
        let round = |spoken: &Vec<Spoken<'_>>| {
            let mut all = vec![None; self.n_items];
            self.places.iter().zip(spoken).for_each(|(&place, spoken)| all[place] = spoken.stereotyped);
            all
        };
        self.spoken.iter().map(|rounds| rounds.iter().map(round).collect()).collect()
    }

    /// Superficiality and links of one concept at some layers under one condition.
    fn relations(
        &self,
        arm: usize,
        scores: &Scores,
        concept: &str,
        (layers, places): &Chosen,
        bootstrap: Bootstrap,
    ) -> Relations {
        let score = |item: usize, round: usize| {
            let at = |place: &usize| scores.values[(item * scores.rounds + round) * scores.layers + place];
            places.iter().map(at).sum::<f64>() / places.len() as f64
        };
        let place = |context: &'static str| Place {
            task: self.told.task.to_owned(),
            concept: concept.to_owned(),
            layers: layers.clone(),
            condition: self.told.arms[arm].condition.to_owned(),
            context,
        };
        let mut all = Relations::default();
        let last = self.told.rounds - 1;
        for context in self.told.contexts().into_iter().filter(|_| last > 0) {
            let of_context = |told: &usize| self.told.items[*told].context == context;
            let changes: Vec<Change<'_>> = (0..self.told.items.len())
                .filter(of_context)
                .map(|told| {
                    let (first, end) = (&self.spoken[arm][0][told], &self.spoken[arm][last][told]);
                    let item = self.told.items[told];
                    let order = first.turn.orders.first();
                    Change {
                        group: item.group.as_str(),
                        stereotyped: [first.stereotyped, end.stereotyped],
                        probability: [first.probability, end.probability],
                        concept: score(self.places[told], last) - score(self.places[told], 0),
                        tokens: self.prompt_tokens(arm, last, told),
                        place: item
                            .target
                            .and_then(|target| order?.order.iter().position(|option| *option == target)),
                    }
                })
                .collect();
            let place = place(context_name(context));
            let found = superficial(&changes, EXCHANGES, bootstrap);
            if found.share.n > 0 {
                all.superficial.push((place.clone(), found));
            }
            let coupled =
                coupling(&changes, EXCHANGES, bootstrap).into_iter().filter(|(_, found)| found.n > 0);
            all.coupling.extend(coupled.map(|(relation, found)| (place.clone(), relation, found)));
        }
        for (number, doubt) in Doubt::ALL.into_iter().enumerate() {
            let course = |told: usize| Course {
                group: self.told.items[told].group.as_str(),
                rounds: (0..self.told.rounds)
                    .map(|round| {
                        let doubt = self.spoken[arm][round][told].doubt[number].unwrap_or(f64::NAN);
                        (score(self.places[told], round), doubt)
                    })
                    .collect(),
            };
            let courses: Vec<Course<'_>> = (0..self.told.items.len()).map(course).collect();
            let over = over_rounds(&courses, bootstrap);
            if over.n_groups > 0 {
                all.doubt.push((place(""), doubt, None, Relation::Pearson, over));
            }
            for round in 0..self.told.rounds {
                for relation in [Relation::Pearson, Relation::Spearman, Relation::Within] {
                    let found = over_items(&courses, round, relation, EXCHANGES, bootstrap);
                    if found.n > 0 {
                        all.doubt.push((place(""), doubt, Some(round), relation, found));
                    }
                }
            }
        }
        all
    }

    /// Tokens of the dialogue whose states were captured, up to the answer of a round.
    fn prompt_tokens(&self, arm: usize, round: usize, told: usize) -> usize {
        let tokens = |at: usize| {
            let Some(order) = self.spoken[arm][at][told].turn.orders.first() else { return 0 };
            let before: usize =
                order.before.iter().map(|part| part.new_ids.len() + part.answer_ids.len()).sum();
            before + order.new_ids.len() + if at < round { order.answer_ids.len() } else { 0 }
        };
        (0..=round).map(tokens).sum()
    }
}

//! The report: one self-contained HTML page, and the tables as CSV and LaTeX.

pub mod alignment;
pub mod cautions;
pub mod draw;
pub mod finding;
pub mod html;
pub mod latex;
pub mod lens;
pub mod methods;
pub mod paper;
pub mod references;
pub mod scores;
pub mod shift;
pub mod steer;
pub mod table;
pub mod tables;
pub mod tokens;
pub mod weights;
pub mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use alignment::Alignment;
use draw::{Drawn, Format, Planned};
use finding::Finding;
use methods::{Beside, methods};
use rayon::prelude::*;
use recant_figures::{Style, Width};
pub use table::Table;

use crate::Result;
use crate::analysis::lenses::Lenses;
use crate::analysis::shift::PairShift;
use crate::analysis::shift::prompt::prompt_shifts;
use crate::analysis::summary::{ModelSummary, Movement, Sources};
use crate::analysis::token_shift::PairTokens;
use crate::analysis::weight_shift::PairWeights;
use crate::dialogue::Speaker;
use crate::intervene::Results;
use crate::store::{RunDir, Turn, atomic, lines, projections};
use crate::study::manifest::Manifest;
use crate::task::Item;

/// The dialogues of one model on one task under one condition.
pub struct DialogueEntry<'a> {
    /// The model.
    pub model: &'a str,
    /// The task.
    pub task: &'a str,
    /// The condition.
    pub condition: &'a str,
    /// The items, in the order of the turns.
    pub items: &'a [Item],
    /// The rounds of each item, item by item.
    pub turns: &'a [Turn],
    /// What the probe of each concept says of the items, at the study's main site and position.
    pub scores: Vec<ItemScores<'a>>,
    /// Scores word by word, by the id of the item, of those that have them.
    pub words: BTreeMap<String, WordScores>,
}

/// What the probe of a concept says of every item at its best layer.
pub struct ItemScores<'a> {
    /// The concept.
    pub concept: &'a str,
    /// The layer.
    pub layer: usize,
    /// Rounds per item.
    pub rounds: usize,
    /// `[items, rounds]`, in within-class standard deviations; NaN where the position does not exist.
    pub values: Vec<f64>,
}

/// The words of an item's rounds with their concept scores.
pub struct WordScores {
    /// The concepts.
    pub concepts: Vec<String>,
    /// `[round]`: the tokens that the round adds to the dialogue.
    pub rounds: Vec<Vec<WordScore>>,
}

/// A token with its concept scores.
pub struct WordScore {
    /// Its text.
    pub text: String,
    /// Who says it.
    pub from: Speaker,
    /// `[concept]`: the projection, in within-class standard deviations.
    pub values: Vec<f32>,
}

/// Everything that follows from a run, before any of it is written.
pub struct Report<'a> {
    /// The study's name.
    pub title: &'a str,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What a reader must know before believing it, one sentence each.
    pub cautions: Vec<String>,
    /// The figures of the study's own, which a page shows first.
    pub own: Vec<Planned>,
    /// The figures that every such run gives.
    pub figures: Vec<Planned>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The dialogues to read.
    pub dialogues: Vec<DialogueEntry<'a>>,
    /// What the run rests on.
    pub manifest: &'a Manifest,
    /// The methods section, a paragraph each, as plain text.
    pub methods: Vec<String>,
    /// The same with the keys of what it cites ([`references`]).
    pub cited: Vec<String>,
    /// What it cites, as BibTeX.
    pub references: String,
}

impl<'a> Report<'a> {
    /// Tests, tabulates and plans the figures of whatever a run directory holds.
    ///
    /// # Errors
    /// A file of the run is missing or damaged.
    pub fn of(sources: &Sources<'a>, summaries: &'a [ModelSummary], manifest: &'a Manifest) -> Result<Self> {
        let (steered, lenses) = (Results::all(sources.run)?, Lenses::read(sources, summaries)?);
        let (shifted, weighed) = (PairTokens::all(sources)?, PairWeights::all(sources)?);
        let aligned = Alignment::of(sources.study, manifest, sources.bootstrap())?;
        let pairs = PairShift::all(sources, summaries)?;
        let moved =
            summaries.iter().map(|summary| prompt_shifts(sources, summary)).collect::<Result<Vec<_>>>()?;

        let mut tables = tables::tables(sources, summaries)?;
        tables.extend(steer::tables(&steered));
        tables.extend(tokens::tables(&shifted));
        tables.extend(weights::tables(&weighed, sources.bootstrap()));
        tables.extend(lens::tables(&lenses));
        tables.extend(aligned.iter().map(Alignment::table));
        tables.extend(shift::tables(sources, &pairs));
        tables.extend(shift::prompt_table(sources, summaries, &moved));
        tables.extend(tables::checks(manifest));

        let mut figures: Vec<Planned> = aligned.iter().map(draw::alignment::figure).collect();
        figures.extend(draw::over_models(sources, summaries));
        figures.extend(summaries.iter().flat_map(|summary| draw::of_model(sources, summary)));
        figures.extend(draw::shift::figures(sources, summaries, &pairs));
        let prompted = summaries.iter().zip(&moved);
        figures.extend(
            prompted.filter_map(|(summary, moved)| draw::shift::prompt(sources, &summary.model, moved)),
        );
        figures.extend(draw::steer::figures(&steered));
        figures.extend(draw::tokens::figures(&shifted));
        figures.extend(draw::weights::figures(&weighed));
        figures.extend(draw::lens::figures(&lenses));

        let (mut own, mut failed) = (Vec::new(), Vec::new());
        for entry in &sources.study.figure {
            match draw::own::own(&figures, entry) {
                Ok(planned) => own.push(planned),
                Err(error) => {
                    failed.push(format!("The study's figure {} cannot be made: {error}.", entry.name))
                }
            }
        }

        let mut findings = [
            aligned.iter().map(Alignment::finding).collect(),
            words::findings(sources, summaries),
            shift::findings(sources, summaries, &pairs),
            steer::findings(&steered),
            tokens::findings(&shifted),
            weights::findings(sources, &weighed, &steered)?,
            lens::findings(&lenses),
        ]
        .concat();
        findings.sort_by_key(|finding| finding.topic);
        let other_alignment = alignment::other(sources.study, manifest)?;
        let cautions = [
            aligned.iter().map(Alignment::caution).chain(other_alignment).collect(),
            cautions::cautions(sources, summaries),
            shift::cautions(&pairs),
            weights::cautions(&weighed),
            lens::cautions(&lenses),
            cautions::deviations(manifest),
            failed,
        ]
        .concat();
        let beside = Beside {
            steered: &steered,
            lenses: &lenses,
            pairs: &pairs,
            tokens: &shifted,
            weights: &weighed,
            aligned: aligned.as_ref(),
        };
        let cited = methods(sources, manifest, &beside)?;
        let title = &sources.study.name;
        let dialogues = dialogues(sources, summaries)?;
        let (methods, references) =
            (cited.iter().map(|text| references::plain(text)).collect(), references::references(&cited));
        Ok(Self {
            title,
            findings,
            cautions,
            own,
            figures,
            tables,
            dialogues,
            manifest,
            methods,
            cited,
            references,
        })
    }

    /// The figures in the order of the page.
    pub fn drawn_in_order(&self) -> impl Iterator<Item = &Planned> {
        self.own.iter().chain(&self.figures)
    }

    /// Writes tables, findings, figures and the page; returns the page's path.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&self, run: &RunDir) -> Result<PathBuf> {
        for table in &self.tables {
            let file = |extension: &str| run.place(&["tables"], &format!("{}.{extension}", table.name));
            atomic::write(&file("csv")?, table.csv().as_bytes())?;
            atomic::write(&file("tex")?, table.latex().as_bytes())?;
        }
        lines::write(&run.place(&[], "findings.jsonl")?, &self.findings)?;
        let style = Style::at(Width::Page);
        let folder = run.place(&["figures"], "")?;
        let drawn = |planned: &Planned| planned.write(&folder, &style, Format::USUAL);
        let all: Vec<&Planned> = self.drawn_in_order().collect();
        let figures: Vec<Drawn> = all.into_par_iter().map(drawn).collect::<Result<_>>()?;
        draw::keep(run, &self.figures)?;
        let path = run.place(&[], "report.html")?;
        atomic::write(&path, html::page(self, &figures).as_bytes())?;
        Ok(path)
    }
}

/// What was said under every condition, model by model and task by task.
fn dialogues<'a>(sources: &Sources<'a>, summaries: &'a [ModelSummary]) -> Result<Vec<DialogueEntry<'a>>> {
    let mut all = Vec::new();
    for summary in summaries {
        let asked = sources.tasks.iter().zip(&summary.items).zip(&summary.turns);
        for (((task, _), items), conditions) in asked {
            let named = sources.study.dialogue.conditions.iter().zip(conditions);
            for (arm, (condition, turns)) in named.enumerate() {
                let model = summary.model.as_str();
                let scores = item_scores(summary, task, arm);
                let words = word_scores(sources, summary, task, condition)?;
                all.push(DialogueEntry { model, task, condition, items, turns, scores, words });
            }
        }
    }
    Ok(all)
}

/// The words of a task's items under a condition, where they were projected on concepts whose probe is believed there.
fn word_scores(
    sources: &Sources<'_>,
    summary: &ModelSummary,
    task: &str,
    condition: &str,
) -> Result<BTreeMap<String, WordScores>> {
    let Some(found) = projections::read(sources.run, &summary.model, task, condition)? else {
        return Ok(BTreeMap::new());
    };
    let believed = |direction: &projections::Direction| {
        let probes = summary.probes.iter().find(|probes| probes.concept == direction.concept);
        probes.is_some_and(|probes| probes.readable()[probes.best()])
    };
    let kept: Vec<usize> = (0..found.concepts.len()).filter(|&at| believed(&found.concepts[at])).collect();
    let concepts: Vec<String> = kept.iter().map(|&at| found.concepts[at].concept.clone()).collect();
    let of = |dialogue: &projections::Dialogue| {
        let word = |token: projections::Token<'_>| WordScore {
            text: token.text.to_owned(),
            from: token.speaker,
            values: kept.iter().map(|&at| token.scores[at]).collect(),
        };
        let rounds = dialogue.rounds.iter().map(|round| round.tokens().map(word).collect());
        (dialogue.item.clone(), WordScores { concepts: concepts.clone(), rounds: rounds.collect() })
    };
    Ok(if kept.is_empty() { BTreeMap::new() } else { found.items.iter().map(of).collect() })
}

/// The scores of a task's items under the condition `arm`, concept by concept.
fn item_scores<'a>(summary: &'a ModelSummary, task: &str, arm: usize) -> Vec<ItemScores<'a>> {
    let scored = summary.movements.iter().filter(|movement| movement.task == task && movement.is_scored());
    let of = |movement: &'a Movement| {
        let (main, best) = (movement.main(), movement.best);
        let scores = &main.scores[arm];
        let values = scores.values.chunks_exact(scores.layers).map(|layers| layers[best]).collect();
        ItemScores { concept: &movement.concept, layer: main.layers[best], rounds: scores.rounds, values }
    };
    scored.map(of).collect()
}

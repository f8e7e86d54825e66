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
use crate::analysis::summary::{ModelSummary, Sources};
use crate::analysis::token_shift::PairTokens;
use crate::analysis::weight_shift::PairWeights;
use crate::intervene::Results;
use crate::store::{RunDir, Turn, atomic, lines};
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
        let dialogues = dialogues(sources, summaries);
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
fn dialogues<'a>(sources: &Sources<'a>, summaries: &'a [ModelSummary]) -> Vec<DialogueEntry<'a>> {
    let mut all = Vec::new();
    for summary in summaries {
        let asked = sources.tasks.iter().zip(&summary.items).zip(&summary.turns);
        for (((task, _), items), conditions) in asked {
            for (condition, turns) in sources.study.dialogue.conditions.iter().zip(conditions) {
                all.push(DialogueEntry { model: &summary.model, task, condition, items, turns });
            }
        }
    }
    all
}

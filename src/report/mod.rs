//! The report: one self-contained HTML page, and the tables as CSV and LaTeX.

pub mod alignment;
pub mod cautions;
pub mod draw;
pub mod html;
pub mod lens;
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
pub use table::Table;

use crate::Result;
use crate::analysis::lenses::Lenses;
use crate::analysis::shift::PairShift;
use crate::analysis::shift::prompt::prompt_shifts;
use crate::analysis::summary::{ModelSummary, Sources};
use crate::analysis::token_shift::PairTokens;
use crate::analysis::weight_shift::PairWeights;
use crate::intervene::Results;
use crate::store::{Turn, atomic};
use crate::study::manifest::Manifest;
use crate::task::Item;

/// A drawn figure.
pub struct FigureEntry {
    /// The name of its files in `figures/`.
    pub name: String,
    /// What it shows, with n, interval and test.
    pub caption: String,
    /// The drawing.
    pub svg: String,
}

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
    pub turns: Vec<Turn>,
}

/// Everything that the page shows.
pub struct Page<'a> {
    /// The study's name.
    pub title: &'a str,
    /// What was found, one sentence each, with intervals.
    pub findings: Vec<String>,
    /// What a reader must know before believing it, one sentence each.
    pub cautions: Vec<String>,
    /// The figures.
    pub figures: Vec<FigureEntry>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The dialogues to read.
    pub dialogues: Vec<DialogueEntry<'a>>,
    /// What the run rests on.
    pub manifest: &'a Manifest,
}

/// Writes tables, figures and the page; returns the page's path.
///
/// # Errors
/// The disk is full.
pub fn write(sources: &Sources<'_>, summaries: &[ModelSummary], manifest: &Manifest) -> Result<PathBuf> {
    let mut tables = tables::tables(sources, summaries)?;
    let steered = Results::all(sources.run)?;
    tables.extend(steer::tables(&steered));
    let (shifted, weighed) = (PairTokens::all(sources)?, PairWeights::all(sources)?);
    tables.extend(tokens::tables(&shifted));
    tables.extend(weights::tables(&weighed, sources.bootstrap()));
    let lenses = Lenses::read(sources, summaries)?;
    tables.extend(lens::tables(&lenses));
    let aligned = Alignment::of(sources.study, manifest, sources.bootstrap())?;
    tables.extend(aligned.iter().map(Alignment::table));
    let pairs = PairShift::all(sources, summaries)?;
    tables.extend(shift::tables(sources, &pairs));
    let moved =
        summaries.iter().map(|summary| prompt_shifts(sources, summary)).collect::<Result<Vec<_>>>()?;
    tables.extend(shift::prompt_table(sources, summaries, &moved));
    tables.extend(tables::checks(manifest));
    for table in &tables {
        let file = |extension: &str| sources.run.place(&["tables"], &format!("{}.{extension}", table.name));
        atomic::write(&file("csv")?, table.csv().as_bytes())?;
        atomic::write(&file("tex")?, table.latex().as_bytes())?;
    }
    let mut figures = Vec::new();
    if let Some(alignment) = &aligned {
        figures.push(draw::alignment::figure(sources.run, alignment)?);
    }
    figures.extend(draw::over_models(sources, summaries)?);
    let mut dialogues = Vec::new();
    for summary in summaries {
        figures.extend(draw::draw(sources, summary)?);
        let asked = sources.tasks.iter().zip(&summary.items).zip(&summary.turns);
        for (((task, _), items), conditions) in asked {
            for (condition, turns) in sources.study.dialogue.conditions.iter().zip(conditions) {
                dialogues.push(DialogueEntry {
                    model: &summary.model,
                    task,
                    condition,
                    items,
                    turns: turns.clone(),
                });
            }
        }
    }
    figures.extend(draw::shift::figures(sources, summaries, &pairs)?);
    for (summary, moved) in summaries.iter().zip(&moved) {
        figures.extend(draw::shift::prompt(sources, &summary.model, moved)?);
    }
    figures.extend(draw::steer::figures(sources.run, &steered)?);
    figures.extend(draw::tokens::figures(sources.run, &shifted)?);
    figures.extend(draw::weights::figures(sources.run, &weighed)?);
    figures.extend(draw::lens::figures(sources.run, &lenses)?);
    let page = Page {
        title: &sources.study.name,
        findings: [
            aligned.iter().map(Alignment::finding).collect(),
            words::findings(sources, summaries),
            shift::findings(sources, summaries, &pairs),
            steer::findings(&steered),
            tokens::findings(&shifted),
            weights::findings(sources, &weighed, &steered)?,
            lens::findings(&lenses),
        ]
        .concat(),
        cautions: [
            aligned
                .iter()
                .map(Alignment::caution)
                .chain(alignment::other(sources.study, manifest)?)
                .collect(),
            cautions::cautions(sources, summaries),
            shift::cautions(&pairs),
            weights::cautions(&weighed),
            lens::cautions(&lenses),
            cautions::deviations(manifest),
        ]
        .concat(),
        figures,
        tables,
        dialogues,
        manifest,
    };
    let path = sources.run.place(&[], "report.html")?;
    atomic::write(&path, html::page(&page).as_bytes())?;
    Ok(path)
}

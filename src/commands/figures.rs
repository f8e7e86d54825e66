//! `recant figures`: the figures of one run, or of several put together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use recant_figures::{Style, Theme, Together, Width};

use crate::cli::figures::{self as cli, Figures};
use crate::printer::Printer;
use crate::report::draw::own::{own, together, unknown};
use crate::report::draw::{Format, Planned, kept};
use crate::store::{RunDir, atomic};
use crate::study::{FigureEntry, Study};
use crate::{Error, Result};

/// Draws the figures of finished runs.
///
/// # Errors
/// A directory is no finished run, a figure is not known or cannot be drawn so, figures of several runs have no folder, the
/// disk is full.
pub fn run(args: &Figures, printer: Printer) -> Result<()> {
    let folder = if args.list { None } else { Some(folder(args)?) };
    let runs: Vec<Vec<Planned>> =
        args.runs.iter().map(|run| planned(run, args.study.as_deref(), printer)).collect::<Result<_>>()?;
    let mut all = match runs.len() {
        1 => runs.into_iter().flatten().collect(),
        _ => joined(&names(&args.runs)?, &runs, args.together.into(), printer)?,
    };
    if let Some(wanted) = args.only.iter().find(|wanted| !all.iter().any(|planned| planned.is(wanted))) {
        return Err(unknown(&all, wanted));
    }
    if !args.only.is_empty() {
        all.retain(|planned| args.only.iter().any(|wanted| planned.is(wanted)));
    }
    let Some(folder) = folder else {
        all.iter().for_each(|planned| printer.data(planned.name()));
        return Ok(());
    };
    let formats = if args.format.is_empty() { Format::USUAL } else { &args.format };
    atomic::directory(&folder)?;
    let style = style(args);
    let progress = printer.progress(all.len() as u64, "figures");
    all.par_iter().try_for_each(|planned| {
        let drawn = planned.write(&folder, &style, formats);
        progress.inc(1);
        drawn.map(drop)
    })?;
    progress.finish_and_clear();
    printer.say(format!("{} figures", all.len()));
    printer.data(folder.display());
    Ok(())
}

fn folder(args: &Figures) -> Result<PathBuf> {
    match (&args.output, args.runs.as_slice()) {
        (Some(output), _) => Ok(output.clone()),
        (None, [_]) if style(args) != Style::at(Width::Page) => {
            Err(Error::input("--output", "another look would take the place of the report's own figures")
                .hint("name a folder: --output DIR"))
        }
        (None, [run]) => Ok(run.join("figures")),
        (None, _) => Err(Error::input("--output", "figures of several runs belong to none of them")
            .hint("name a folder: --output DIR")),
    }
}

fn style(args: &Figures) -> Style {
    let theme = args.theme.clone();
    let usual = if theme == Theme::slides() { Width::SLIDE } else { Width::Page };
    let style = Style::of(theme, args.width.unwrap_or(usual));
    Style {
        font: args.font.clone(),
        font_size: args.font_size.unwrap_or(style.font_size),
        numbers: args.lang,
        ..style
    }
}

/// The figures that a run gives, those of the study's own first.
fn planned(root: &Path, study: Option<&Path>, printer: Printer) -> Result<Vec<Planned>> {
    let manifest = RunDir::manifest(root)?;
    let figures = kept(root, &manifest.key)?;
    let mut all: Vec<Planned> = match study {
        Some(path) => {
            Study::read(path)?.figure.iter().map(|entry| own(&figures, entry)).collect::<Result<_>>()?
        }
        None => {
            // One that cannot be made is no reason to keep the others back.
            let made = |entry: &FigureEntry| {
                let failed = |error: &Error| printer.say(format!("warning: {}: {error}", entry.name));
                own(&figures, entry).inspect_err(failed).ok()
            };
            manifest.figures.iter().filter_map(made).collect()
        }
    };
    all.extend(figures);
    Ok(all)
}

/// What each run is called: the name of its directory.
fn names(runs: &[PathBuf]) -> Result<Vec<String>> {
    let name = |run: &PathBuf| {
        let whole = std::fs::canonicalize(run).unwrap_or_else(|_| run.clone());
        whole
            .file_name()
            .map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = runs.iter().map(name).collect();
    match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        None => Ok(names),
        Some((_, name)) => Err(Error::input("RUN", format!("two runs are called {name}"))
            .hint("figures name runs by their directories: rename one")),
    }
}

/// Figures of one name from all runs in one; those that cannot stand together stay apart, with the run's name at their end.
fn joined(names: &[String], runs: &[Vec<Planned>], how: Together, printer: Printer) -> Result<Vec<Planned>> {
    let mut all: Vec<Planned> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for planned in runs.iter().flatten() {
        let name = planned.name();
        if done.contains(&name) {
            continue;
        }
        done.push(name);
        let alike = names.iter().zip(runs).filter_map(|(run, figures)| {
            let own = figures.iter().find(|own| own.name() == name)?;
            Some((run.clone(), own))
        });
        let alike: Vec<(String, &Planned)> = alike.collect();
        let mut figure = match together(&alike, how, true) {
            Ok(figure) => vec![(figure, None)],
            Err(error) => {
                printer.say(format!("{error}: one for each run"));
                alike.iter().map(|(run, own)| (own.figure.clone(), Some(run))).collect()
            }
        };
        for (figure, run) in &mut figure {
            if let Some(run) = run {
                figure.get_mut().rename(&format!("{name}-{run}"));
            }
        }
        let planned = |(figure, _)| Planned { figure, model: planned.model.clone(), height: planned.height };
        all.extend(figure.into_iter().map(planned));
    }
    let mut seen = BTreeSet::new();
    match all.iter().find(|planned| !seen.insert(planned.name().to_owned())) {
        None => Ok(all),
        Some(twice) => Err(Error::input("RUN", format!("two figures would be called {}", twice.name()))
            .hint("figures name runs by their directories: rename one")),
    }
}

impl From<cli::Together> for Together {
    fn from(how: cli::Together) -> Self {
        match how {
            cli::Together::Panels => Self::Panels,
            cli::Together::Lines => Self::Lines,
        }
    }
}

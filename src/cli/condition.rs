//! `recant condition`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs about conditions.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the conditions: the built-in ones, and those of a study
    List(List),
}

/// Arguments of `recant condition list`.
#[derive(Debug, Args)]
pub struct List {
    /// A study whose own conditions are listed too.
    pub study: Option<PathBuf>,

    /// Print JSON, with every word of each condition.
    #[arg(long)]
    pub json: bool,
}

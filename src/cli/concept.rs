//! `recant concept`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs about concepts.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the built-in concepts
    List(List),
    /// Show the exact texts of a concept
    Preview(Preview),
    /// Say what gives a concept's labels away without any model
    Check(Check),
}

/// Which concept, and how much of it.
#[derive(Debug, Args)]
pub struct Which {
    /// A built-in concept, or the path of a spec file.
    pub concept: String,

    /// Your copy of the data that the spec is about.
    #[arg(long, visible_alias = "data", value_name = "DATA")]
    pub path: Option<PathBuf>,

    /// Categories to keep (default: all).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub categories: Vec<String>,

    /// At most so many texts (default: as the spec says).
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Arguments of `recant concept list`.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `recant concept preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// The concept.
    #[command(flatten)]
    pub which: Which,

    /// A checkpoint: shows what it is given, and which tokens are read.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,

    /// How many texts.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub n: usize,

    /// Print JSON, one text a line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `recant concept check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The concept.
    #[command(flatten)]
    pub which: Which,

    /// Folds of whole groups.
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub folds: usize,

    /// Resamples of groups behind an interval.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bootstrap: usize,

    /// Label exchanges behind a p-value.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub permutations: usize,

    /// Names the folds, resamples and exchanges.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Words and pairs of texts to show of those that give most away.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub n: usize,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

//! `recant task`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs about tasks.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the tasks, with their variants
    List(List),
    /// Show the exact prompt of an item, a condition and a round
    Preview(Preview),
}

/// Arguments of `recant task list`.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `recant task preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// The study file (default: the built-in study).
    pub study: Option<PathBuf>,

    /// A model of the study (default: its first).
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// A task of the study (default: its first).
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// An item of the task (default: its first).
    #[arg(long, value_name = "ID")]
    pub item: Option<String>,

    /// Conditions, of the study or built in (default: those of the study).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub condition: Vec<String>,

    /// Rounds to show, counted from 0 (default: those of the study).
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,

    /// Which of the item's orders of options, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub order: usize,

    /// What stands for the model's answers (default: the first option).
    #[arg(long, value_name = "TEXT")]
    pub answer: Option<String>,

    /// Set the tokens apart.
    #[arg(long)]
    pub tokens: bool,
}

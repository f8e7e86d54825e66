//! `recant score`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs that score answers made elsewhere.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Accuracy and bias score of BBQ answers, by category and context condition
    Bbq(Bbq),
}

/// Arguments of `recant score bbq`.
#[derive(Debug, Args)]
pub struct Bbq {
    /// The BBQ files: a directory of <Category>.jsonl, or one such file.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The answers: CSV with the columns category, example_id, prediction (0, 1 or 2; empty where no option could be
    /// read from the answer).
    #[arg(long, value_name = "FILE")]
    pub predictions: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

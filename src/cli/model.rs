//! `recant model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::Dtype;

/// Verbs about checkpoints.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Turn a GGUF file into a Hugging Face directory
    Import(Import),
    /// Say what a checkpoint is
    Inspect(Inspect),
    /// Check that a checkpoint computes as it must
    Check(Check),
}

/// Arguments of `recant model import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The GGUF file.
    pub file: PathBuf,
    /// The directory to make.
    pub dir: PathBuf,
    /// What to store the weights in.
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub dtype: Dtype,
}

/// Arguments of `recant model inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Checkpoint directory in Hugging Face format.
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `recant model check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Checkpoint directory in Hugging Face format.
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Where and in what to compute.
    #[command(flatten)]
    pub compute: super::Compute,
}

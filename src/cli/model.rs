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
    /// Say how two checkpoints differ, and whether their states can be compared
    Diff(Diff),
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

/// Arguments of `recant model diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Checkpoint directory in Hugging Face format, for example of the base model.
    pub a: PathBuf,
    /// Another one, for example of the aligned model.
    pub b: PathBuf,
    /// PEFT LoRA adapter to lay over B (B may then be A).
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// Print JSON, with every tensor.
    #[arg(long)]
    pub json: bool,
    /// Write a table of every tensor.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

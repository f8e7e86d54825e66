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
    /// Say which tokens a direction of the stream speaks for and against
    Words(Words),
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

/// Arguments of `recant model words`.
#[derive(Debug, Args)]
pub struct Words {
    /// Checkpoint directory in Hugging Face format.
    pub dir: PathBuf,
    /// A safetensors file of directions: probes, captured states, or any rows as wide as the stream.
    #[arg(long, value_name = "FILE")]
    pub direction: PathBuf,
    /// The tensor of that file.
    #[arg(long, value_name = "NAME")]
    pub tensor: Option<String>,
    /// One row of it, counted over all axes but the last; all rows without it.
    #[arg(long, value_name = "N", conflicts_with = "layer")]
    pub row: Option<usize>,
    /// The direction of one layer.
    #[arg(long, value_name = "L")]
    pub layer: Option<usize>,
    /// Tokens at each end.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub top: usize,
    /// Let the scale of the final norm act on the direction before the unembedding.
    #[arg(long)]
    pub normed: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Where and in what to compute.
    #[command(flatten)]
    pub compute: super::Compute,
}

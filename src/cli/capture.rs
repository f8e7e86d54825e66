//! `recant capture`.

use std::path::PathBuf;

use super::{Compute, Intervene};

/// Arguments of `recant capture`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint directory in Hugging Face format.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,

    /// One JSON object a line: {"id", and one of "ids", "text", "messages", "rounds"}.
    #[arg(long, value_name = "IN.jsonl")]
    pub input: PathBuf,

    /// Where the states go.
    #[arg(long, value_name = "OUT.safetensors")]
    pub output: PathBuf,

    /// Sites to capture besides embed and final_norm, which are always written.
    #[arg(long, value_delimiter = ',', default_value = "resid_post")]
    pub sites: Vec<String>,

    /// Layers of the per-layer sites: all, or numbers like 0,3,-1.
    #[arg(long, default_value = "all", allow_hyphen_values = true)]
    pub layers: String,

    /// Which tokens: the last of each prompt, or all.
    #[arg(long, value_enum, default_value_t = Positions::Last)]
    pub positions: Positions,

    /// Write logits too.
    #[arg(long)]
    pub logits: bool,

    /// Give the model random weights, drawn with this seed, as it had before training.
    #[arg(long, value_name = "SEED", conflicts_with = "adapter")]
    pub random_init: Option<u64>,

    /// Where and in what to compute.
    #[command(flatten)]
    pub compute: Compute,

    /// What is changed inside the model.
    #[command(flatten)]
    pub intervene: Intervene,
}

/// Which tokens of a sequence are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Positions {
    /// The last token.
    Last,
    /// Every token.
    All,
}

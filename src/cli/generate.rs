//! `recant generate`.

use std::path::PathBuf;

use super::{Compute, Intervene};

/// Arguments of `recant generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint directory in Hugging Face format.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,

    /// One JSON object a line: {"id", and one of "ids", "text", "messages"}.
    #[arg(long, value_name = "IN.jsonl")]
    pub input: PathBuf,

    /// Where the answers go, one JSON object a line: {"id", "ids", "text"}.
    #[arg(long, value_name = "OUT.jsonl")]
    pub output: PathBuf,

    /// Longest answer, in tokens.
    #[arg(long, value_name = "N")]
    pub max_new_tokens: usize,

    /// Every answer has N tokens: none ends it, and the end tokens of generation_config.json are never chosen.
    #[arg(long)]
    pub ignore_eos: bool,

    /// Sample at this temperature (greedy without it).
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,

    /// Probability mass to sample from.
    #[arg(long, value_name = "P", default_value_t = 1.0, requires = "temperature")]
    pub top_p: f64,

    /// Number of most probable tokens to sample from (0: all).
    #[arg(long, value_name = "K", default_value_t = 0, requires = "temperature")]
    pub top_k: usize,

    /// Shortest answer, in tokens: until then no end token is chosen.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_new_tokens: usize,

    /// A text that ends an answer; may be given several times. The ids keep it, the text is cut before it.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,

    /// Seed of the sampling.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,

    /// Where and in what to compute.
    #[command(flatten)]
    pub compute: Compute,

    /// What is changed inside the model.
    #[command(flatten)]
    pub intervene: Intervene,
}

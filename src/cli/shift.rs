//! `recant shift`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `recant shift`.
#[derive(Debug, Args)]
pub struct Shift {
    /// A run of a study of several models; or, with AFTER or --adapter, the checkpoint before.
    #[arg(value_name = "RUN|BEFORE")]
    pub path: PathBuf,

    /// The checkpoint after.
    pub after: Option<PathBuf>,

    /// A PEFT LoRA adapter that makes the checkpoint after, of AFTER or else of BEFORE.
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,

    /// The run directory of two checkpoints.
    #[arg(long, short, default_value = "runs/shift", value_name = "DIR")]
    pub output: PathBuf,
}

//! `recant show`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `recant show`.
#[derive(Debug, Args)]
pub struct Show {
    /// A run directory, finished or not.
    pub run: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

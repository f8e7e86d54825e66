//! `recant steer`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `recant steer`.
#[derive(Debug, Args)]
pub struct Steer {
    /// The study file, with its [[steer]] tables.
    pub study: PathBuf,

    /// The run directory (default: runs/NAME of the study).
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Only the intervention of this name.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
}

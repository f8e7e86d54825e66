//! `recant align`.

use std::path::PathBuf;

use clap::Args as Arguments;

/// Arguments of `recant align`.
#[derive(Debug, Arguments)]
pub struct Args {
    /// The study file; its `[align]` table says what is trained and how.
    pub study: PathBuf,

    /// The directory that saved steps go to (default: `align.output` of the study).
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Train until this step instead of `align.steps`.
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
}

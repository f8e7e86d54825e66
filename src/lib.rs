//! recant watches language models from the inside while they correct themselves.
#![deny(missing_docs)]

pub mod align;
pub mod analysis;
pub mod cli;
pub mod commands;
pub mod dialogue;
pub mod digest;
pub mod error;
pub mod intervene;
pub mod model;
pub mod printer;
pub mod random;
pub mod report;
pub mod runner;
pub mod store;
pub mod study;
pub mod task;
pub mod text;
mod toml_file;

pub use error::{Error, Result};

//! What lies between two models, as tables and sentences.

mod findings;
mod tables;

pub use findings::{cautions, findings};
pub use tables::{prompt_table, tables};

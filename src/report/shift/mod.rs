//! What lies between two models, as tables and sentences.

mod findings;
mod tables;

pub use findings::{cautions, findings};
pub use tables::{prompt_table, tables};

use crate::analysis::shift::PairShift;

/// Pairs that each have sentences and figures of their own; of a longer series only the last has.
const OWN: usize = 3;

/// The pairs that are shown in full.
#[must_use]
pub fn in_full(pairs: &[PairShift]) -> &[PairShift] {
    if pairs.len() > OWN { &pairs[pairs.len() - 1..] } else { pairs }
}

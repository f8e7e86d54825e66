//! What the numbers say of a pair, said where they reach significance and refused where they do not.

use crate::analysis::shift::PairShift;
use crate::analysis::summary::{ModelSummary, Sources};

/// The findings, a sentence each.
#[must_use]
pub fn findings(_sources: &Sources<'_>, _summaries: &[ModelSummary], _pairs: &[PairShift]) -> Vec<String> {
    Vec::new()
}

/// What could not be compared, and how to read what was.
#[must_use]
pub fn cautions(pairs: &[PairShift]) -> Vec<String> {
    pairs.iter().flat_map(|pair| pair.about.not_compared()).collect()
}

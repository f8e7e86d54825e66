//! From turns and states to statements with intervals.

pub mod answer;
pub mod behaviour;
pub mod bootstrap;
pub mod calibration;
pub mod categories;
pub mod changes;
pub mod correlation;
pub mod cosines;
pub mod directions;
pub mod doubt;
pub mod flips;
pub mod leaks;
pub mod lens;
pub mod lenses;
pub mod measure;
pub mod measures;
pub mod movement;
pub mod open;
pub mod paired;
pub mod positions;
pub mod probing;
pub mod pronouns;
pub mod relations;
pub mod rounds;
pub mod sampling;
pub mod sentences;
pub mod shift;
pub mod significance;
pub mod summary;
pub mod superficial;
pub mod texts;
pub mod token_shift;
pub mod told;
pub mod training;
pub mod transfer;
pub mod weight_shift;

#[cfg(test)]
pub(crate) mod testing;

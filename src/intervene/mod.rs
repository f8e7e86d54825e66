//! Interventions: what a direction, a neuron or a state does to a model's answers, beside random ones of the same size.
//!
//! [`direction`] finds the direction of each layer, [`change`] turns it into edits, [`sweep`], [`neurons`] and [`patch`] try
//! them, [`effect`] says what they did, and [`results`] keeps it in the run directory. docs/steering.md explains the methods.

pub mod change;
pub mod direction;
pub mod effect;
pub mod matching;
pub mod neurons;
pub mod patch;
pub mod results;
pub mod sweep;

pub use results::{About, Cell, Results};

//! Alignment: a checkpoint is taught to prefer one answer to another, in steps that are kept, so that what it changes
//! inside can be watched as it grows.
//!
//! [`example::examples`] turns the pairs that a study names into token ids, on two sides that share no group;
//! [`trainer::Trainer`] takes the steps, and [`save`] keeps them.

mod choices;
pub mod example;
pub mod loss;
pub mod record;
pub mod save;
mod texts;
pub mod trainer;

pub use example::{Example, Examples, examples};

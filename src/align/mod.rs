//! Alignment: a checkpoint is trained to prefer one answer over another, and saved as it goes.
//!
//! [`example::examples`] turns the pairs that a study names into token ids, on two sides that share no group.

mod choices;
pub mod example;
mod texts;

pub use example::{Example, Examples, examples};

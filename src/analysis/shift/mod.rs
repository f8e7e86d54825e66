//! What lies between two models: of their states, on the words that each had itself and on the same words.

pub mod about;
pub mod grid;

pub use about::{About, key};

//! How sequences are run fast: shared prefixes once, packed passes, batched decoding.

pub mod bench;
pub mod check;
pub mod concept;
pub mod critic;
pub mod engine;
pub mod lens;
pub mod perplexity;
pub mod plan;
pub mod replay;
mod round;
pub mod sample;
pub mod spoken;
pub mod study;
pub mod tally;
pub mod token_shift;
pub mod tree;
pub mod tuned;

pub use engine::{Encoded, Engine, Generated, Limits, Request, Stop};
pub use sample::Sampler;
pub use tally::Tally;

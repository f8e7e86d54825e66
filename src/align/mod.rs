//! Alignment: a checkpoint is taught to prefer one answer to another, in steps that are kept, so that what it changes
//! inside can be watched as it grows.

pub mod adamw;
pub mod example;
pub mod loss;
pub mod save;
pub mod trainer;

pub use adamw::AdamW;

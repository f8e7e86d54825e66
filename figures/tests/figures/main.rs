//! What every figure promises, checked from outside.

#![allow(clippy::unwrap_used)]

mod colours;
mod files;
mod input;
mod kinds;
mod looks;
mod made;
mod sheet;

//! Run directories: what is written, where, and how a run that was cut short goes on.

pub mod atomic;
pub mod failures;
pub mod judged;
pub mod run;
pub mod states;
pub mod turns;

pub use failures::Failed;
pub use judged::Judged;
pub use run::RunDir;
pub use states::{Shard, States};
pub use turns::{Exchange, OrderTurn, Sample, TextScore, Turn};

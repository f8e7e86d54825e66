//! Run directories: what is written, where, and how a run that was cut short goes on.

pub mod atomic;
pub mod failures;
pub mod features;
pub mod judged;
pub mod lens;
pub mod lines;
pub mod mapped;
pub mod measured;
pub mod progress;
pub mod projections;
pub mod run;
pub mod states;
pub mod turns;

pub use failures::Failed;
pub use features::Features;
pub use judged::Judged;
pub use mapped::Mapped;
pub use run::RunDir;
pub use states::{Shard, States};
pub use turns::{Exchange, OrderTurn, Sample, TextScore, Turn};

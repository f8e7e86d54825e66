//! The model: a checkpoint directory becomes one decoder whose every site can be read.

pub mod adamw;
mod attention;
mod block;
mod config;
pub mod decoder;
pub mod device;
pub mod diff;
mod edit;
pub mod families;
pub mod fetch;
pub mod gguf;
pub mod import;
mod initial;
mod rope;
pub mod site;
pub mod spec;
pub mod translators;
mod tuning;
pub mod weights;
pub mod words;

pub use adamw::AdamW;
pub use attention::{Buffers, Chunk, Kv};
pub use config::Config;
pub use decoder::{Load, Model, Output, Want};
pub use device::Dtype;
pub use edit::{Change, Edit, Reach};
pub use site::{Layers, Site};
pub use spec::Spec;
pub use translators::Translators;
pub use tuning::{Parameter, Rank, Tuning};
pub use words::words;

impl From<tch::TchError> for crate::Error {
    fn from(error: tch::TchError) -> Self {
        // libtorch's messages carry a C++ backtrace after the first line.
        let text = error.to_string();
        Self::Torch(text.lines().next().unwrap_or_default().to_string())
    }
}

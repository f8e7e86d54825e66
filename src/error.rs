//! The one error of the library: what was wrong, why, and what to do about it.

use std::path::{Path, PathBuf};

/// Result of a fallible operation of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. Each variant names the offending value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write `path`.
    #[error("{}: {source}", line(&path.display().to_string()))]
    Io {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Something a user gave (a file, an option, a value) cannot be used.
    #[error("{}: {}", line(what), line(why))]
    Input {
        /// The thing that is wrong, named as the user knows it: a path, an option, a line.
        what: String,
        /// Why it is wrong.
        why: String,
        /// What to do next, where there is something.
        hint: Option<String>,
    },
    /// Something was tried and found wanting, for example a check of a checkpoint.
    #[error("{0}")]
    Failed(String),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// libtorch failed, for example for want of memory.
    #[error("libtorch: {0}")]
    Torch(String),
}

/// What a file says may stand in an error: it stays on one line and is not too long for one.
fn line(text: &str) -> String {
    const MOST: usize = 600;
    let plain = |text: &str| {
        let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        text.chars().map(visible).collect::<String>()
    };
    let count = text.chars().count();
    if count <= MOST {
        return plain(text);
    }
    let cut = |from: usize, n: usize| plain(&text.chars().skip(from).take(n).collect::<String>());
    format!("{} ... {}", cut(0, MOST / 2), cut(count - MOST / 2, MOST / 2))
}

impl Error {
    /// An [`Error::Input`] without a hint.
    pub fn input(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Input { what: what.into(), why: why.into(), hint: None }
    }

    /// An [`Error::Io`] about `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// What to do next, where there is something.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        use std::io::ErrorKind;
        match self {
            Self::Input { hint, .. } => hint.as_deref(),
            Self::Interrupted => Some("what is finished stays: run the same command again to go on"),
            Self::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound => {
                    Some("check the path; relative paths start where the program is started")
                }
                ErrorKind::PermissionDenied => Some("check who owns it and who may write there"),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    Some("make room on the disk and run the same command again: what is finished stays")
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an item of a task may be to blame, so that others can go on without it.
    #[must_use]
    pub fn of_an_item(&self) -> bool {
        matches!(self, Self::Input { .. } | Self::Failed(_) | Self::Torch(_))
    }

    /// The same error with a place in front of what is wrong; errors about files name their own.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        match self {
            Self::Input { what, why, hint } if what.is_empty() => {
                Self::Input { what: place.into(), why, hint }
            }
            Self::Input { what, why, hint } => Self::Input { what: format!("{place}: {what}"), why, hint },
            other => other,
        }
    }

    /// The same error with a hint of what to do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Input { what, why, .. } => Self::Input { what, why, hint: Some(hint.into()) },
            other => other,
        }
    }
}

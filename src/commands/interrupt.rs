//! Ctrl-C: the first asks the work to stop where nothing is half done, the second ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C from now on.
#[cfg(unix)]
pub fn listen() {
    extern "C" fn note(_: libc::c_int) {
        ASKED.store(true, Ordering::Relaxed);
        // SAFETY: `signal` may be called from a handler; the next Ctrl-C then does what it does by default.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    }
    let handler = note as extern "C" fn(libc::c_int);
    // SAFETY: the handler does nothing that is not allowed in one: it stores a flag and calls `signal`.
    unsafe { libc::signal(libc::SIGINT, handler as *const () as libc::sighandler_t) };
}

/// Ctrl-C ends the program at once again.
#[cfg(unix)]
pub fn release() {
    // SAFETY: this gives the signal its default meaning.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

/// Nothing to release where nothing was listened for.
#[cfg(not(unix))]
pub fn release() {}

/// Listens for nothing: Ctrl-C ends the program at once, which loses no finished shard either.
#[cfg(not(unix))]
pub fn listen() {}

/// Stops the work if the user asked for it.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

//! What was done so far, told to whoever waits for it.

use std::cell::Cell;

use crate::Result;

/// Counts tokens as they are computed.
pub struct Tally<'a> {
    encoded: Cell<usize>,
    generated: Cell<usize>,
    after: &'a dyn Fn(usize, usize) -> Result<()>,
}

impl<'a> Tally<'a> {
    /// A tally that calls `after` with the tokens encoded and generated so far whenever they have changed; its error
    /// stops the work.
    #[must_use]
    pub fn new(after: &'a dyn Fn(usize, usize) -> Result<()>) -> Self {
        Self { encoded: Cell::new(0), generated: Cell::new(0), after }
    }

    /// Tokens read in packed passes.
    #[must_use]
    pub fn encoded(&self) -> usize {
        self.encoded.get()
    }

    /// Tokens decoded one by one.
    #[must_use]
    pub fn generated(&self) -> usize {
        self.generated.get()
    }

    pub(super) fn add(&self, encoded: usize, generated: usize) -> Result<()> {
        self.encoded.set(self.encoded.get() + encoded);
        self.generated.set(self.generated.get() + generated);
        (self.after)(self.encoded.get(), self.generated.get())
    }
}

//! What texts are measured in and numbers written in while a figure is drawn or captioned on this thread.

use std::cell::Cell;

use crate::font::{Family, Font};
use crate::numbers::Numbers;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub family: &'static Family,
    pub numbers: Numbers,
}

thread_local! {
    static NOW: Cell<Option<Setting>> = const { Cell::new(None) };
}

/// That of the figure being drawn, or the default.
pub(crate) fn now() -> Setting {
    NOW.get().unwrap_or_else(|| Setting { family: Font::default().loaded(), numbers: Numbers::default() })
}

/// Does the work in a setting.
pub(crate) fn within<T>(setting: Setting, work: impl FnOnce() -> T) -> T {
    /// Puts the setting before back, even when the work panics.
    struct Back(Option<Setting>);
    impl Drop for Back {
        fn drop(&mut self) {
            NOW.set(self.0);
        }
    }
    let _back = Back(NOW.replace(Some(setting)));
    work()
}

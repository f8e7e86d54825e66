//! A run read otherwise than on its page: as a paper's files, in a terminal, in a browser while it goes on, by other programs.

#[path = "../common/mod.rs"]
mod common;

mod bundle;
mod elsewhere;
mod serve;
mod show;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::study::Desk;

/// A finished run that tests read and none changes, and the desk that it lies on.
fn finished() -> (&'static Desk, PathBuf) {
    static DESK: OnceLock<Desk> = OnceLock::new();
    let desk = DESK.get_or_init(|| {
        let desk = Desk::new();
        desk.run("run");
        desk
    });
    (desk, desk.at("run"))
}

/// Copies a folder with all that is below it.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in common::files(from) {
        let to = to.join(path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::write(to, bytes).expect("copied");
    }
}

/// The text of a file.
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

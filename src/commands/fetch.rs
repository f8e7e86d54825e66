//! `recant fetch`: brings a known model or data set.

use std::path::{Path, PathBuf};

use crate::cli::fetch::Args;
use crate::model::fetch::{self, Fetched, Stage};
use crate::printer::Printer;
use crate::task::fetch as data;
use crate::{Error, Result};

/// Brings what was named and says where it is.
///
/// # Errors
/// An unknown name, no network, a file that is not what was expected.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    let dir = if let Some(set) = data::KNOWN.iter().find(|set| set.name == args.name) {
        bring_data(set, &args.data, &args.curl, printer)?
    } else if fetch::KNOWN.iter().any(|model| model.name == args.name) {
        bring(&args.name, &args.models, &args.python, printer)?.dir
    } else {
        let models = fetch::KNOWN.each_ref().map(|model| model.name).join(", ");
        let sets: Vec<&str> = data::KNOWN.iter().map(|set| set.name).collect();
        return Err(Error::input(&args.name, "not a known model or data set")
            .hint(format!("models: {models}; data sets: {}", sets.join(", "))));
    };
    printer.data(dir.display());
    Ok(())
}

/// Brings a known data set, telling what goes on. Returns its directory.
fn bring_data(set: &data::Known<'_>, to: &Path, curl: &Path, printer: Printer) -> Result<PathBuf> {
    let name = set.name;
    let fetched = data::fetch(set, to, curl, |stage| match stage {
        data::Stage::Licence(licence) => printer.say(format!("{name}: licence {licence}; home {}", set.home)),
        data::Stage::Downloading { file, bytes } => {
            printer.say(format!("{name}: downloading {file}, {} kB", bytes.div_ceil(1000)));
        }
    })?;
    if !set.by_hand.is_empty() {
        printer.say(format!("{name}: {}", set.by_hand));
    }
    Ok(fetched.dir)
}

/// Brings a known model, telling what goes on.
///
/// # Errors
/// As [`run`].
pub fn bring(name: &str, models: &Path, python: &Path, printer: Printer) -> Result<Fetched> {
    fetch::fetch(name, models, python, |stage| match stage {
        Stage::Terms { licence, url } => {
            printer.say(format!("{name}: the {licence} apply to this model: {url}"));
        }
        Stage::Downloading { part, parts, bytes } => {
            let which = if parts > 1 { format!(" ({part} of {parts})") } else { String::new() };
            printer.say(format!("{name}: downloading {} MB{which}", bytes / 1_000_000));
        }
        Stage::Unpacking => printer.say(format!("{name}: unpacking")),
        Stage::Importing => printer.say(format!("{name}: importing")),
    })
}

//! `recant fetch`: brings a known model.

use crate::Result;
use crate::cli::fetch::Args;
use crate::model::fetch::{self, Fetched, Stage};
use crate::printer::Printer;

/// Brings what was named and says where it is.
///
/// # Errors
/// An unknown name, no network, a file that is not what was expected.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    let fetched = bring(&args.name, &args.models, &args.python, printer)?;
    printer.data(fetched.dir.display());
    Ok(())
}

/// Brings a known model, telling what goes on.
///
/// # Errors
/// As [`run`].
pub fn bring(
    name: &str,
    models: &std::path::Path,
    python: &std::path::Path,
    printer: Printer,
) -> Result<Fetched> {
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

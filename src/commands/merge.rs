//! `recant merge`: parts of a run become the whole.

use std::path::{Path, PathBuf};

use crate::cli::run::Merge;
use crate::printer::Printer;
use crate::store::{RunDir, atomic};
use crate::{Error, Result};

/// Copies the shards of several directories of one study into one, where `recant run` or `recant report` goes on.
///
/// # Errors
/// A directory is no run, or of another one (the first difference is named); two parts hold the same shard with
/// different contents; no room for the output. Nothing is lost: the parts stay as they are.
pub fn run(args: &Merge, printer: Printer) -> Result<()> {
    let first = &args.runs[0];
    let mut manifest = RunDir::manifest(first)?;
    for other in &args.runs[1..] {
        let theirs = RunDir::manifest(other)?;
        if theirs.key != manifest.key {
            let why = manifest.difference(&theirs).unwrap_or_else(|| "the run keys differ".into());
            let what = format!("{} and {}", first.display(), other.display());
            return Err(Error::input(what, format!("belong to different runs: {why}"))
                .hint("parts of a run are made from one study with --shard"));
        }
        for (model, found) in theirs.checks {
            manifest.checks.entry(model).or_insert(found);
        }
    }
    let checks = manifest.checks.clone();
    let mut whole = RunDir::open(&args.output, &mut manifest)?;
    // What a model's self-check found stands in the order of the study's models, as in a run that was never parted.
    let study = manifest.study()?;
    manifest.checks = study
        .models
        .iter()
        .filter_map(|entry| Some((entry.name.clone(), checks.get(&entry.name)?.clone())))
        .collect();
    whole.record(&manifest)?;
    let mut copied = 0;
    for part in args.runs.iter().filter(|part| !same_place(part, &args.output)) {
        let part = RunDir::open(part, &mut manifest.clone())?;
        for model in &study.models {
            for file in files(part.root(), &part.root().join(&model.name))? {
                copied += usize::from(copy(part.root(), &whole, &file)?);
            }
        }
    }
    printer.say(format!(
        "{copied} files copied; `recant run STUDY --output {}` does what is missing",
        args.output.display()
    ));
    printer.data(args.output.display());
    Ok(())
}

fn same_place(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The finished files below a directory, relative to `root`, states before turns: turns are what makes a shard count.
fn files(root: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = if below.is_dir() { vec![below.to_path_buf()] } else { Vec::new() };
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| Error::io(&dir, error))? {
            let path = entry.map_err(|error| Error::io(&dir, error))?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension != "partial")
                && let Ok(name) = path.strip_prefix(root)
            {
                found.push(name.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a file whole; one that is there already must be the same.
fn copy(from: &Path, whole: &RunDir, name: &Path) -> Result<bool> {
    let source = from.join(name);
    let bytes = std::fs::read(&source).map_err(|error| Error::io(&source, error))?;
    let target = whole.root().join(name);
    if let Some(above) = target.parent() {
        atomic::directory(above)?;
    }
    if target.is_file() {
        let there = std::fs::read(&target).map_err(|error| Error::io(&target, error))?;
        if there != bytes {
            let why = format!("differs from {}", target.display());
            return Err(Error::input(source.display().to_string(), why)
                .hint("one of the two is damaged or was made elsewhere: delete it and run its part again"));
        }
        return Ok(false);
    }
    atomic::write(&target, &bytes)?;
    Ok(true)
}

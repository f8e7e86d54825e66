//! `recant run`, `recant demo` and `recant report`: a study from its file to its page.

use std::path::Path;

use serde_json::json;

use super::dialogues::{Asking, Capture, Pending};
use super::interrupt;
use super::judge::judge;
use super::loaded::{Loaded, Setting, how_to_load};
use crate::analysis::summary::{ModelSummary, Sources};
use crate::cli::run::{self as cli, Demo, Run, Shard, Stage};
use crate::model::{Model, Spec};
use crate::printer::Printer;
use crate::report::paper::Folder;
use crate::report::{self, Report};
use crate::runner::check;
use crate::store::{RunDir, atomic};
use crate::study::manifest::Manifest;
use crate::study::{DEMO, ModelEntry, Study};
use crate::task::concept::Concept;
use crate::{Error, Result};

/// Runs a study file.
///
/// # Errors
/// A bad study, a directory of another run, a checkpoint that cannot be loaded, no room for the output.
pub fn run(args: &Run, printer: Printer) -> Result<()> {
    let study = limited(Study::read(&args.study)?, args.limit);
    let output = args.output.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
    // A part of a run has no report: that is made of the whole, after `recant merge`.
    let last = if args.shard.is_some() { Stage::Concepts } else { Stage::Report };
    let until = args.until.unwrap_or(last).min(last);
    execute(&study, &output, until, args.shard, printer)
}

/// The study with at most `limit` items of each category.
#[must_use]
pub fn limited(mut study: Study, limit: Option<usize>) -> Study {
    if let Some(limit) = limit {
        let tasks = study.tasks.iter_mut();
        tasks.for_each(|task| task.limit = Some(task.limit.map_or(limit, |own| own.min(limit))));
    }
    study
}

/// Runs the built-in study, bringing its model first where it is missing and aligning it where that was not done; its interventions follow.
///
/// # Errors
/// As [`run`]; the model cannot be brought.
pub fn demo(args: &Demo, printer: Printer) -> Result<()> {
    let study = Study::parse(DEMO, "studies/demo.toml")?;
    if study.models.iter().any(|entry| !entry.path.join("config.json").is_file()) {
        super::fetch::bring("smollm2", Path::new("models"), &args.python, printer)?;
    }
    super::align::align(&study, printer)?;
    super::steer::execute(&study, &args.output, None, printer)?;
    printer.data(args.output.display());
    Ok(())
}

/// Makes what follows from a finished run's states and turns again.
///
/// # Errors
/// The directory is no finished run, or the study's items or checkpoints have changed since.
pub fn report(args: &cli::Report, printer: Printer) -> Result<()> {
    if let Some(port) = args.serve {
        return super::serve::serve(&args.run, port, printer);
    }
    let bundle = args.bundle.as_deref().map(Folder::open).transpose()?;
    let study = RunDir::manifest(&args.run)?.study()?;
    let loaded = Loaded::new(&study)?;
    let mut manifest = loaded.manifest()?;
    let run = RunDir::open(&args.run, &mut manifest)?;
    analyse(&loaded.sources(&run), &manifest, bundle.as_ref(), printer)?;
    printer.data(args.bundle.as_deref().unwrap_or(run.root()).display());
    Ok(())
}

pub(super) fn execute(
    study: &Study,
    output: &Path,
    until: Stage,
    shard: Option<Shard>,
    printer: Printer,
) -> Result<()> {
    let loaded = Loaded::new(study)?;
    let settings = loaded.check()?;
    let (run, manifest) = gather(&loaded, &settings, output, until, shard, printer)?;
    if until < Stage::Report {
        return Ok(());
    }
    analyse(&loaded.sources(&run), &manifest, None, printer)?;
    printer.data(run.root().display());
    Ok(())
}

/// Does what is missing of the stages that need the models.
///
/// # Errors
/// As [`run`].
pub(super) fn gather(
    loaded: &Loaded<'_>,
    settings: &[Setting],
    output: &Path,
    until: Stage,
    shard: Option<Shard>,
    printer: Printer,
) -> Result<(RunDir, Manifest)> {
    let study = loaded.study;
    let mut manifest = loaded.manifest()?;
    let mut run = RunDir::open(output, &mut manifest)?;
    interrupt::listen();
    for (place, (entry, setting)) in study.models.iter().zip(settings).enumerate() {
        let mut pending = Pending::of(loaded, &run, entry, until, shard)?;
        let how = how_to_load(study, entry)?;
        if pending.needs_weights() {
            printer.say(format!("{}: loading", entry.name));
            let model = Model::load(&entry.path, &how)?;
            if !manifest.checks.contains_key(&entry.name) {
                let findings = check::check(&model, Some(&setting.tokenizer), Some(&setting.template))?;
                for finding in findings.iter().filter(|finding| !finding.passed) {
                    printer.say(format!("warning: {}: {}: {}", entry.name, finding.name, finding.found));
                }
                manifest.checks.insert(entry.name.clone(), json!(findings));
                run.record(&manifest)?;
            }
            let asking = Asking::new(study, setting, &model.spec)?;
            let stage = Capture { run: &run, study, model: &model, entry, setting, asking };
            stage.dialogues(loaded, (&pending.shards, pending.begun), &how, printer)?;
            stage.concepts(&pending.concepts, printer)?;
        }
        pending.untrained = borrowed(&run, &study.models[..place], entry, pending.untrained)?;
        if !pending.untrained.is_empty() {
            printer.say(format!("{}: drawing random weights", entry.name));
            let model = Model::random(&entry.path, &how, study.seed)?;
            let asking = Asking::new(study, setting, &model.spec)?;
            let stage = Capture { run: &run, study, model: &model, entry, setting, asking };
            stage.untrained(&pending.untrained, printer)?;
        }
    }
    if until >= Stage::Shift {
        super::shift::measure(loaded, settings, &run, printer)?;
    }
    interrupt::release();
    Ok((run, manifest))
}

/// Takes the states of random weights from an earlier model of the same checkpoint directory, an adapter or none: such
/// weights hang on its shapes alone. Returns the concepts whose states it has not.
fn borrowed<'c>(
    run: &RunDir,
    earlier: &[ModelEntry],
    entry: &ModelEntry,
    concepts: Vec<&'c Concept>,
) -> Result<Vec<&'c Concept>> {
    let Some(twin) = earlier.iter().find(|other| other.path == entry.path) else { return Ok(concepts) };
    let mut left = Vec::new();
    for concept in concepts {
        let from = run.untrained(&twin.name, &concept.spec.name)?;
        if !from.is_file() {
            left.push(concept);
            continue;
        }
        let bytes = std::fs::read(&from).map_err(|error| Error::io(&from, error))?;
        atomic::write(&run.untrained(&entry.name, &concept.spec.name)?, &bytes)?;
    }
    Ok(left)
}

/// Probes, tables, figures and the page, all of which follow from what the run directory holds; and a paper's files, where
/// there is a folder for them.
pub(super) fn analyse(
    sources: &Sources<'_>,
    manifest: &Manifest,
    bundle: Option<&Folder>,
    printer: Printer,
) -> Result<()> {
    let summaries = summaries(sources, printer)?;
    for summary in &summaries {
        write_probes(sources, summary)?;
        report::scores::write(sources, summary)?;
    }
    let report = Report::of(sources, &summaries, manifest)?;
    let page = report.write(sources.run)?;
    bundle.map_or(Ok(()), |folder| report.bundle(sources.study, folder))?;
    printer.say(format!("report: {}", page.display()));
    Ok(())
}

/// Probes, scores and measures of every model.
///
/// # Errors
/// A file of the run is missing or damaged, a judge fails.
fn summaries(sources: &Sources<'_>, printer: Printer) -> Result<Vec<ModelSummary>> {
    let progress = printer.progress(2 * sources.study.models.len() as u64, "probes, scores, measures");
    let mut summaries = Vec::new();
    for entry in &sources.study.models {
        let spec = Spec::read(&entry.path)?;
        let probes = sources.probes(&entry.name, &spec)?;
        progress.inc(1);
        judge(sources, &entry.name, printer)?;
        summaries.push(sources.summary(&entry.name, probes)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(summaries)
}

/// Writes the probes of every site.
fn write_probes(sources: &Sources<'_>, summary: &ModelSummary) -> Result<()> {
    let (run, model) = (sources.run, summary.model.as_str());
    for concept in sources.concepts {
        let name = &concept.spec.name;
        for (place, probes) in summary.probes_of(name).enumerate() {
            let file = |extension: &str| match place {
                0 => run.place(&["probes", model], &format!("{name}.{extension}")),
                _ => run.place(&["probes", model, "sites", name], &format!("{}.{extension}", probes.site)),
            };
            let scores = probes.scores(concept, &sources.study.probe, model);
            let about = json!({
                "concept": name, "positive": concept.spec.positive, "site": probes.site.name(), "heads": probes.heads,
                "run_key": run.key(),
            });
            probes.directions().write(&file("safetensors")?, about)?;
            atomic::write(&file("json")?, format!("{scores:#}\n").as_bytes())?;
        }
    }
    Ok(())
}

//! How far each token of a run's dialogues lies along the directions of its concepts.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::interrupt;
use super::shift::{Side, conditions};
use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::Site;
use crate::printer::Printer;
use crate::runner::Tally;
use crate::runner::replay::by_item;
use crate::runner::spoken::{Axis, Spoken, project, spoken};
use crate::store::projections::{Dialogue, Direction, Projected, Round, place};
use crate::store::{Turn, measured};
use crate::study::ProjectionsEntry;
use crate::study::manifest::hash;
use crate::task::{Item, select};

/// Projects the tokens of one model's dialogues wherever that was not done.
///
/// # Errors
/// Missing or damaged files, a checkpoint that cannot be loaded, dialogues that cannot be replayed, a full disk.
pub(super) fn measure(
    sources: &Sources<'_>,
    entry: &ProjectionsEntry,
    side: &Side<'_>,
    printer: Printer,
) -> Result<()> {
    if !entry.wants_model(side.name()) {
        return Ok(());
    }
    let stage = Stage::new(sources, entry, side)?;
    let mut missing = Vec::new();
    for task in 0..sources.study.tasks.len() {
        missing.extend(stage.missing(task, &conditions(&entry.conditions, side.setting))?);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let since = Instant::now();
    let count: usize = missing.iter().map(|part| part.items.len()).sum();
    let progress = printer.progress(count as u64, &format!("{}: projections", side.name()));
    for part in &missing {
        stage.write(part)?;
        progress.inc(part.items.len() as u64);
    }
    progress.finish_and_clear();
    let took = since.elapsed().as_secs_f64();
    printer.say(format!("{}: projections, {count} dialogues, {took:.0} s", side.name()));
    Ok(())
}

/// One model before its tokens are projected.
struct Stage<'a> {
    sources: &'a Sources<'a>,
    entry: &'a ProjectionsEntry,
    side: &'a Side<'a>,
    site: Site,
    directions: Vec<Direction>,
    axes: Vec<Axis>,
}

/// The dialogues of a task under a condition that were not projected yet.
struct Part {
    condition: usize,
    path: PathBuf,
    key: String,
    items: Vec<Item>,
    said: Vec<Turn>,
}

impl<'a> Stage<'a> {
    /// The directions of the wanted concepts, each at the layer where its probe reads best.
    fn new(sources: &'a Sources<'a>, entry: &'a ProjectionsEntry, side: &'a Side<'a>) -> Result<Self> {
        let site: Site = sources.study.probe.site.parse()?;
        let probes = sources.bare_probes(side.name(), &side.spec, site, |name| entry.wants_concept(name))?;
        let wanted = sources.concepts.iter().filter(|concept| entry.wants_concept(&concept.spec.name));
        let (mut directions, mut axes) = (Vec::new(), Vec::new());
        for (concept, probes) in wanted.zip(&probes) {
            let best = probes.best();
            let (layer, readout) = (probes.layers[best], probes.readouts().swap_remove(best));
            axes.push(Axis { layer, direction: readout.direction.to_vec(), offset: readout.offset });
            directions.push(Direction {
                concept: concept.spec.name.clone(),
                positive: concept.spec.positive.clone(),
                site: site.name().to_owned(),
                layer,
            });
        }
        Ok(Self { sources, entry, side, site, directions, axes })
    }

    /// What is not there of a task.
    fn missing(&self, task: usize, conditions: &[usize]) -> Result<Vec<Part>> {
        let (run, model) = (self.sources.run, self.side.name());
        let (name, items) = &self.sources.tasks[task];
        let (mut items, _) = self.sources.ran(model, name, items)?;
        select::spread(&mut items, self.entry.items, |item| &item.category);
        let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
        let key = json!({
            "format": 1, "run_key": run.key(), "items": ids, "concepts": self.directions, "axes": self.fingerprint(),
        });
        let key = hash(key.to_string().as_bytes());
        let mut open = Vec::new();
        for &condition in conditions {
            let path = place(run, model, name, &self.sources.study.dialogue.conditions[condition])?;
            if !measured::holds(&path, &key)? {
                open.push((condition, path));
            }
        }
        if open.is_empty() || items.is_empty() {
            return Ok(Vec::new());
        }
        let mut said = self.sources.said(model, task)?;
        let part = |(condition, path): (usize, PathBuf)| Part {
            said: std::mem::take(&mut said[condition]),
            key: key.clone(),
            items: items.clone(),
            condition,
            path,
        };
        Ok(open.into_iter().map(part).collect())
    }

    /// SHA-256 over the directions, in single precision.
    fn fingerprint(&self) -> String {
        let numbers = self.axes.iter().flat_map(|axis| axis.direction.iter().chain([&axis.offset]));
        hash(&numbers.flat_map(|x| (*x as f32).to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Reads the dialogues and writes where their tokens lie.
    fn write(&self, part: &Part) -> Result<()> {
        let script = self.side.setting.script(self.sources.study);
        let arm = &self.side.setting.arms[part.condition];
        let turns = by_item(&part.items, part.said.iter());
        let dialogues = part.items.iter().zip(&turns).map(|(item, turns)| spoken(&script, item, arm, turns));
        let dialogues = dialogues.collect::<Result<Vec<Vec<Spoken>>>>()?;
        let after = |_: usize, _: usize| interrupt::check();
        let found =
            project(self.side.model()?, self.site, &self.axes, &dialogues.concat(), &Tally::new(&after))?;
        let mut found = found.into_iter();
        let mut items = Vec::with_capacity(part.items.len());
        for (item, rounds) in part.items.iter().zip(&dialogues) {
            let rounds = rounds.iter().zip(found.by_ref()).map(|(round, scores)| self.round(round, scores));
            items.push(Dialogue { item: item.id.clone(), rounds: rounds.collect::<Result<_>>()? });
        }
        measured::write(&part.path, &part.key, Projected { concepts: self.directions.clone(), items })
    }

    fn round(&self, round: &Spoken, scores: Vec<Vec<f32>>) -> Result<Round> {
        let from = round.fresh().start;
        let mut spans = round.spans.clone();
        let mut texts = Vec::with_capacity(round.ids.len() - from);
        for span in &mut spans {
            // Span by span: a letter that a speaker breaks off is not ended by the next one.
            texts.extend(self.side.setting.tokenizer.pieces(&round.ids[..span.end], span.start)?);
            (span.start, span.end) = (span.start - from, span.end - from);
        }
        Ok(Round { from, last: round.last - from, spans, ids: round.ids[from..].to_vec(), texts, scores })
    }
}

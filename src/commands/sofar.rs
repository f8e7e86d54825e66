//! What a run says so far: its measures over the items that every condition has finished.

use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use super::loaded::Loaded;
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::rounds;
use crate::analysis::told::Told;
use crate::store::progress::{Asked, Progress, turns_of};
use crate::store::{Turn, lines};
use crate::study::Study;
use crate::study::manifest::Manifest;
use crate::task::Item;

/// A measure under one condition.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The model.
    pub model: String,
    /// The task.
    pub task: String,
    /// What is measured, by the scoring that decides.
    pub measure: String,
    /// The condition.
    pub condition: String,
    /// By round; none where it is undefined.
    pub values: Vec<Option<f64>>,
    /// Answers that count in the last round.
    pub n: usize,
}

/// The measures as they were when shards were last counted.
#[derive(Default)]
pub struct SoFar(Mutex<(Option<usize>, Vec<Measured>)>);

impl SoFar {
    /// The measures, computed anew only where more shards are done than before.
    ///
    /// # Errors
    /// The study's items or the turns cannot be read.
    pub fn measures(&self, root: &Path, manifest: &Manifest, progress: &Progress) -> Result<Vec<Measured>> {
        let done = progress.asked.iter().map(|asked| asked.shards).sum();
        let Ok(mut known) = self.0.lock() else { return Ok(Vec::new()) };
        if known.0 != Some(done) {
            let study = manifest.study()?;
            let loaded = Loaded::new(&study)?;
            let items =
                |task: &str| loaded.tasks.iter().find(|(name, _)| name == task).map(|(_, items)| items);
            let mut all = Vec::new();
            for asked in &progress.asked {
                if let Some(items) = items(&asked.task) {
                    all.extend(of_task(root, &study, asked, items)?);
                }
            }
            *known = (Some(done), all);
        }
        Ok(known.1.clone())
    }
}

fn of_task(root: &Path, study: &Study, asked: &Asked, items: &[Item]) -> Result<Vec<Measured>> {
    let folder = root.join(&asked.model).join(&asked.task);
    let read = |condition: &String| -> Result<Vec<Turn>> {
        let shards = (0..asked.of_shards).filter_map(|index| turns_of(&folder, condition, index));
        Ok(shards.map(|path| lines::read(&path)).collect::<Result<Vec<_>>>()?.concat())
    };
    let conditions = &study.dialogue.conditions;
    let turns = conditions.iter().map(read).collect::<Result<Vec<Vec<Turn>>>>()?;
    let arms: Vec<(&str, &[Turn])> =
        conditions.iter().map(String::as_str).zip(turns.iter().map(Vec::as_slice)).collect();
    let kind = study.tasks.iter().find(|task| task.name == asked.task).map_or("", |task| task.kind());
    let names = (asked.model.as_str(), asked.task.as_str(), kind);
    let told = Told::new(names, study.dialogue.rounds, items, &arms, &study.dialogue.scoring);
    let found = rounds::of(&told, Bootstrap { resamples: 0, ..Bootstrap::default() })?;
    let mut all = Vec::new();
    for behaviour in found.iter().filter(|behaviour| behaviour.decides) {
        for condition in conditions {
            let cells: Vec<_> = behaviour.cells.iter().filter(|cell| cell.condition == *condition).collect();
            all.push(Measured {
                model: asked.model.clone(),
                task: asked.task.clone(),
                measure: behaviour.measure.name.to_owned(),
                condition: condition.clone(),
                values: cells.iter().map(|cell| cell.value).collect(),
                n: cells.last().map_or(0, |cell| cell.n),
            });
        }
    }
    Ok(all)
}

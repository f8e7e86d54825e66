//! How far a run is, from the files that it has finished. Nothing here needs a model or locks the directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::failures;
use crate::Result;
use crate::study::manifest::Manifest;

/// How far a run is.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// The study's name.
    pub name: String,
    /// The run key.
    pub run_key: String,
    /// Rounds of each dialogue.
    pub rounds: usize,
    /// By model, then by task.
    pub asked: Vec<Asked>,
    /// Dialogues per minute between the first and the last shard; none with fewer than two.
    pub per_minute: Option<f64>,
    /// Seconds that the dialogues that are left take at that rate.
    pub left_s: Option<f64>,
    /// Seconds since the last shard was finished.
    pub since_last_s: Option<f64>,
    /// Whether the report is there.
    pub report: bool,
}

/// How far one model is with one task.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The model.
    pub model: String,
    /// The task.
    pub task: String,
    /// Items of the task.
    pub items: usize,
    /// Items that could not be run.
    pub failed: usize,
    /// Shards that are whole under every condition.
    pub shards: usize,
    /// Shards in all.
    pub of_shards: usize,
    /// By condition.
    pub conditions: Vec<Done>,
}

/// What is finished under one condition.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    /// The condition.
    pub condition: String,
    /// Items whose dialogue is finished, those that could not be run included.
    pub items: usize,
    /// Rounds of them.
    pub rounds: usize,
}

impl Progress {
    /// Of a run directory and its manifest.
    ///
    /// # Errors
    /// The manifest was not written by this version, a list of failures cannot be read.
    pub fn of(root: &Path, manifest: &Manifest) -> Result<Self> {
        let study = manifest.study()?;
        let (size, rounds) = (study.run.shard_items.max(1), study.dialogue.rounds);
        let mut asked = Vec::new();
        let mut finished: Vec<(SystemTime, usize)> = Vec::new();
        for model in &study.models {
            for task in &study.tasks {
                let items = manifest.inputs["tasks"][&task.name]["items"].as_u64().unwrap_or(0) as usize;
                let of_shards = items.div_ceil(size);
                let folder = root.join(&model.name).join(&task.name);
                let in_shard = |index: usize| items.saturating_sub(index * size).min(size);
                let conditions: Vec<Done> = study
                    .dialogue
                    .conditions
                    .iter()
                    .map(|condition| {
                        let whole = (0..of_shards).filter(|&index| is_whole(&folder, condition, index));
                        let items = whole.map(in_shard).sum();
                        Done { condition: condition.clone(), items, rounds: items * rounds }
                    })
                    .collect();
                let everywhere = |index: &usize| {
                    study.dialogue.conditions.iter().all(|name| is_whole(&folder, name, *index))
                };
                let whole: Vec<usize> = (0..of_shards).filter(everywhere).collect();
                let last = study.dialogue.conditions.last();
                for &index in &whole {
                    let states = last.map(|condition| files(&folder, condition, index)[1].clone());
                    let time = states.and_then(|path| fs::metadata(path).ok()?.modified().ok());
                    finished.extend(time.map(|time| (time, in_shard(index))));
                }
                let failed = (0..of_shards).map(|index| {
                    failures::read(&folder.join(format!("failed-{index:05}.jsonl")))
                        .map(|failed| failed.len())
                });
                let failed = failed.sum::<Result<usize>>()?;
                let (model, task) = (model.name.clone(), task.name.clone());
                asked.push(Asked { model, task, items, failed, shards: whole.len(), of_shards, conditions });
            }
        }
        let (name, run_key, report) = (study.name, manifest.key.clone(), root.join("report.html").is_file());
        let all: usize = asked.iter().map(|asked| asked.items).sum();
        let [per_minute, left_s, since_last_s] = speed(&mut finished, all, SystemTime::now());
        Ok(Self { name, run_key, rounds, asked, per_minute, left_s, since_last_s, report })
    }

    /// Items finished under every condition, and items in all.
    #[must_use]
    pub fn items(&self) -> (usize, usize) {
        let done =
            self.asked.iter().map(|asked| asked.conditions.iter().map(|done| done.items).min().unwrap_or(0));
        (done.sum(), self.asked.iter().map(|asked| asked.items).sum())
    }
}

/// Items per minute, seconds left of `all` items, seconds since the last shard.
fn speed(finished: &mut [(SystemTime, usize)], all: usize, now: SystemTime) -> [Option<f64>; 3] {
    finished.sort_unstable();
    let (Some(first), Some(last)) = (finished.first(), finished.last()) else { return [None; 3] };
    let seconds =
        |from: SystemTime, to: SystemTime| to.duration_since(from).map_or(0.0, |time| time.as_secs_f64());
    let done: usize = finished.iter().map(|(_, items)| items).sum();
    // What the first shard took is not known, so neither its items nor its time count.
    let rate = (done - first.1) as f64 / seconds(first.0, last.0);
    let rate = (rate.is_finite() && rate > 0.0).then_some(rate);
    let left = rate.map(|rate| all.saturating_sub(done) as f64 / rate);
    [rate.map(|rate| 60.0 * rate), left, Some(seconds(last.0, now))]
}

/// Turns and states of a shard.
fn files(folder: &Path, condition: &str, index: usize) -> [PathBuf; 2] {
    ["turns-", "states-"].map(|kind| {
        let extension = if kind == "turns-" { "jsonl" } else { "safetensors" };
        folder.join(condition).join(format!("{kind}{index:05}.{extension}"))
    })
}

/// The turns of a shard, where it is whole under a condition.
#[must_use]
pub fn turns_of(folder: &Path, condition: &str, index: usize) -> Option<PathBuf> {
    let [turns, states] = files(folder, condition, index);
    (turns.is_file() && states.is_file()).then_some(turns)
}

fn is_whole(folder: &Path, condition: &str, index: usize) -> bool {
    turns_of(folder, condition, index).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_rate_counts_from_the_first_shard_to_the_last() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut finished = vec![(at(160), 16), (at(100), 16), (at(130), 16)];
        let found = speed(&mut finished, 80, at(170));
        assert_eq!(found, [Some(32.0), Some(60.0), Some(10.0)], "32 items in 60 s; 32 are left");
        assert_eq!(speed(&mut finished[..1], 80, at(170))[..2], [None, None]);
        assert_eq!(speed(&mut [], 80, at(170)), [None; 3]);
    }
}

//! Judges: a program of the user's that scores open answers, for example a toxicity classifier.
//!
//! It reads JSON lines `{"id", "text"}` from stdin and writes a line `{"id", "score"}` for each to stdout, in any order.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::analysis::summary::Sources;
use crate::printer::Printer;
use crate::store::Turn;
use crate::store::judged::{self, Judged};
use crate::{Error, Result};

/// Has the open answers of a model judged, where the study names a judge and the run holds no scores yet.
///
/// # Errors
/// The program cannot be started, fails, or leaves an answer without a score.
pub fn judge(sources: &Sources<'_>, model: &str, printer: Printer) -> Result<()> {
    for (i, entry) in sources.study.tasks.iter().enumerate().filter(|(_, entry)| !entry.judge.is_empty()) {
        let path = sources.run.judged(model, &entry.name)?;
        let turns = sources.said(model, i)?;
        let conditions = || sources.study.dialogue.conditions.iter().zip(&turns);
        let known = judged::read(&path)?;
        let is_known = |condition: &String, turn: &Turn| {
            known.contains_key(&(condition.clone(), turn.item.clone(), turn.round))
        };
        if path.is_file() && conditions().all(|(name, turns)| turns.iter().all(|turn| is_known(name, turn))) {
            continue;
        }
        let mut texts = Vec::new();
        let mut places = Vec::new();
        for (condition, turns) in conditions() {
            for turn in turns {
                for text in answers(turn) {
                    texts.push(text.to_string());
                    places.push((condition.clone(), turn.item.clone(), turn.round));
                }
            }
        }
        printer.say(format!("{model}, {}: {} answers go to {}", entry.name, texts.len(), entry.judge[0]));
        let at = |error| sources.study.origin.at(&format!("tasks.{i}.judge"), error);
        let scores = scores(&entry.judge, &texts).map_err(at)?;
        let mut judged = Judged::new();
        for (place, score) in places.into_iter().zip(scores) {
            judged.entry(place).or_default().push(score);
        }
        judged::write(&path, &judged)?;
    }
    Ok(())
}

/// The answer that the dialogue went on with, then the samples.
fn answers(turn: &Turn) -> impl Iterator<Item = &str> {
    let first = turn.orders.first().map(|order| order.answer.as_str());
    first.into_iter().chain(turn.samples.iter().map(|sample| sample.text.as_str()))
}

#[derive(Deserialize)]
struct Verdict {
    id: usize,
    score: f64,
}

/// One score for each text.
fn scores(program: &[String], texts: &[String]) -> Result<Vec<f64>> {
    let name = || program.join(" ");
    let failed = |why: String| {
        Error::input(name(), why).hint(
            r#"a judge reads lines {"id", "text"} and writes a line {"id", "score"} for each, from 0 to 1"#,
        )
    };
    let mut child = Command::new(&program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut found = BTreeMap::new();
    // A judge may answer before it has read everything, so it is fed from a thread of its own.
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(move || {
            let Some(mut input) = input else { return };
            for (id, text) in texts.iter().enumerate() {
                // A judge that stops reading is found out by the scores that are missing.
                if writeln!(input, "{}", json!({ "id": id, "text": text })).is_err() {
                    break;
                }
            }
        });
        let verdict = |line: std::io::Result<String>| -> Result<Verdict> {
            let line = line.map_err(|error| failed(error.to_string()))?;
            let verdict: Verdict = serde_json::from_str(&line)
                .map_err(|error| failed(format!("wrote {line:?}, which is no score: {error}")))?;
            match (0.0..=1.0).contains(&verdict.score) {
                true => Ok(verdict),
                false => Err(failed(format!("gave the score {}, which is not from 0 to 1", verdict.score))),
            }
        };
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()) {
            // Ended here, it lets go of the thread that feeds it.
            let verdict = verdict(line).inspect_err(|_| {
                let _ = child.kill();
            })?;
            found.insert(verdict.id, verdict.score);
        }
        Ok(())
    })?;
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("failed: {status}")));
    }
    let missing = texts.len() - (0..texts.len()).filter(|id| found.contains_key(id)).count();
    if missing > 0 {
        return Err(failed(format!("left {missing} of {} answers without a score", texts.len())));
    }
    Ok((0..texts.len()).map(|id| found[&id]).collect())
}

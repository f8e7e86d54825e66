//! `recant show`: a run in the terminal, from the files that it has finished.

mod print;
mod spark;

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::cli::show::Show;
use crate::printer::Printer;
use crate::report::Table;
use crate::report::finding::Finding;
use crate::store::progress::Progress;
use crate::store::{RunDir, lines};
use crate::study::Study;
use crate::{Error, Result};

/// What there is to show.
#[derive(Debug, Serialize)]
struct Shown {
    /// The study in a line.
    about: String,
    progress: Progress,
    answers: Vec<Answers>,
    concepts: Vec<Read>,
    moved: Vec<Moved>,
    findings: Vec<Finding>,
}

/// A measure under one condition.
#[derive(Debug, Serialize)]
struct Answers {
    model: String,
    task: String,
    measure: String,
    condition: String,
    /// By round: value, and the ends of its interval.
    rounds: Vec<[Option<f64>; 3]>,
    n: String,
}

/// How well a concept is read.
#[derive(Debug, Serialize)]
struct Read {
    model: String,
    concept: String,
    site: String,
    best_layer: u64,
    /// AUROC at the best layer, and the ends of its interval.
    best: [Option<f64>; 3],
    readable: bool,
    layers: Vec<Option<f64>>,
}

/// The score of a concept under one condition.
#[derive(Debug, Serialize)]
struct Moved {
    model: String,
    concept: String,
    task: String,
    condition: String,
    readable: bool,
    rounds: Vec<Option<f64>>,
}

/// Prints a run.
///
/// # Errors
/// No run directory, a file of it that is damaged.
pub fn run(args: &Show, printer: Printer) -> Result<()> {
    let shown = Shown::of(&args.run)?;
    if args.json {
        let text = serde_json::to_string_pretty(&shown).map_err(|error| Error::Failed(error.to_string()))?;
        printer.data(text);
    } else {
        print::all(&shown, &print::Screen::of_stdout(), printer);
    }
    Ok(())
}

impl Shown {
    fn of(root: &Path) -> Result<Self> {
        let manifest = RunDir::manifest(root)?;
        let (study, progress) = (manifest.study()?, Progress::of(root, &manifest)?);
        let table = |name: &str| -> Result<Option<Table>> {
            let path = root.join("tables").join(format!("{name}.csv"));
            if !path.is_file() {
                return Ok(None);
            }
            let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            Ok(Some(Table::parse(name, &text)))
        };
        let answers = table("behaviour")?.map_or_else(Vec::new, |table| answers(&table, &study));
        let moved = table("concept_rounds")?.map_or_else(Vec::new, |table| moved(&table));
        let findings = lines::read(&root.join("findings.jsonl"))?;
        let about = about(&study, &progress);
        Ok(Self { about, progress, answers, concepts: concepts(root, &study)?, moved, findings })
    }
}

fn about(study: &Study, progress: &Progress) -> String {
    let items =
        |task: &str| progress.asked.iter().find(|asked| asked.task == task).map_or(0, |asked| asked.items);
    let tasks: Vec<String> =
        study.tasks.iter().map(|task| format!("{} ({} items)", task.name, items(&task.name))).collect();
    let models: Vec<&str> = study.models.iter().map(|model| model.name.as_str()).collect();
    format!(
        "{}: {} on {} under {}, {} rounds, seed {}, key {}",
        study.name,
        models.join(", "),
        tasks.join(", "),
        study.dialogue.conditions.join(", "),
        study.dialogue.rounds,
        study.seed,
        progress.run_key.get(..12).unwrap_or_default(),
    )
}

/// The first measure of each model and task by the scoring that decides, under every condition.
fn answers(table: &Table, study: &Study) -> Vec<Answers> {
    let mut all: Vec<Answers> = Vec::new();
    let mut main: Vec<[&str; 4]> = Vec::new();
    for row in &table.rows {
        let get = |head: &str| table.cell(row, head);
        let number = |head: &str| get(head).parse().ok();
        let place = [get("model"), get("task"), get("scoring"), get("measure")];
        if !main.iter().any(|known| known[..2] == place[..2]) {
            main.push(place);
        }
        let round = get("round").parse().ok().filter(|&round: &usize| round < study.dialogue.rounds);
        let Some(round) = round.filter(|_| main.contains(&place)) else { continue };
        let same = |own: &Answers| {
            [own.model.as_str(), &own.task, &own.condition] == [place[0], place[1], get("condition")]
        };
        let at = all.iter().position(same).unwrap_or_else(|| {
            let [model, task, _, measure] = place.map(str::to_owned);
            let (condition, rounds) = (get("condition").to_owned(), vec![[None; 3]; study.dialogue.rounds]);
            all.push(Answers { model, task, measure, condition, rounds, n: String::new() });
            all.len() - 1
        });
        all[at].rounds[round] = ["value", "low", "high"].map(number);
        get("n").clone_into(&mut all[at].n);
    }
    all
}

/// What the probes of each model's main site read.
fn concepts(root: &Path, study: &Study) -> Result<Vec<Read>> {
    let mut all = Vec::new();
    for model in &study.models {
        for concept in &study.concepts {
            let path = root.join("probes").join(&model.name).join(format!("{}.json", concept.name));
            if !path.is_file() {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            let probes: Value = serde_json::from_str(&text)
                .map_err(|error| Error::input(path.display().to_string(), error.to_string()))?;
            let layers = probes["layers"].as_array().map_or(&[][..], Vec::as_slice);
            let best_layer = probes["best_layer"].as_u64().unwrap_or_default();
            let best = layers.iter().find(|layer| layer["layer"].as_u64() == Some(best_layer));
            let auroc = |layer: &Value| layer["cv"]["auroc"]["value"].as_f64();
            let end = |layer: &Value, end: usize| layer["cv"]["auroc"]["ci"][end].as_f64();
            all.push(Read {
                model: model.name.clone(),
                concept: concept.name.clone(),
                site: study.probe.site.clone(),
                best_layer,
                best: best.map_or([None; 3], |layer| [auroc(layer), end(layer, 0), end(layer, 1)]),
                readable: best.is_some_and(|layer| layer["readable"] == true),
                layers: layers.iter().map(auroc).collect(),
            });
        }
    }
    Ok(all)
}

/// The mean score by round at the best layer of each concept.
fn moved(table: &Table) -> Vec<Moved> {
    let mut all: Vec<Moved> = Vec::new();
    for row in &table.rows {
        let of = ["model", "concept", "task", "condition"].map(|head| table.cell(row, head));
        let score = table.cell(row, "score").parse().ok();
        match all.last_mut() {
            Some(last) if [last.model.as_str(), &last.concept, &last.task, &last.condition] == of => {
                last.rounds.push(score)
            }
            _ => {
                let [model, concept, task, condition] = of.map(str::to_owned);
                let readable = table.cell(row, "readable") == "yes";
                all.push(Moved { model, concept, task, condition, readable, rounds: vec![score] });
            }
        }
    }
    all
}

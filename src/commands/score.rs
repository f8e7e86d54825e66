//! `recant score`: scores of answers made elsewhere.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::analysis::answer::Answer;
use crate::analysis::behaviour::{Cell, by_category};
use crate::cli::score::{Bbq, Verb};
use crate::printer::Printer;
use crate::task::{self, Context, Item};
use crate::{Error, Result};

/// The columns that the answers need.
const COLUMNS: [&str; 3] = ["category", "example_id", "prediction"];

/// Does one of the verbs that score.
///
/// # Errors
/// Whatever the verb reports.
pub fn run(verb: &Verb, printer: Printer) -> Result<()> {
    match verb {
        Verb::Bbq(args) => bbq(args, printer),
    }
}

fn bbq(args: &Bbq, printer: Printer) -> Result<()> {
    let items = task::load("bbq", None, Some(&args.data))?;
    let answers = answers(&args.predictions, &items)?;
    let cells = in_order(by_category(&answers));
    for remark in [unanswered(&items, &answers), untargeted(&answers)].into_iter().flatten() {
        printer.say(remark);
    }
    match args.json {
        true => printer.data(cells.iter().map(as_json).collect::<Value>()),
        false => as_text(&cells).iter().for_each(|line| printer.data(line)),
    }
    Ok(())
}

/// The answers of a CSV file, each with its item.
fn answers<'a>(path: &Path, items: &'a [Item]) -> Result<Vec<Answer<'a>>> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(|error| unreadable(&shown, &error))?;
    let mut places = [0; 3];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        // A byte order mark may stand before the first name.
        let named = |name: &str| name.trim_start_matches('\u{feff}') == column;
        *place = header.iter().position(named).ok_or_else(|| {
            Error::input(format!("{shown}:1"), format!("there is no column `{column}`"))
                .hint(format!("the first line names the columns {}", COLUMNS.join(",")))
        })?;
    }
    let known: HashMap<&str, &Item> = items.iter().map(|item| (item.id.as_str(), item)).collect();
    let mut seen: HashMap<&str, u64> = HashMap::new();
    let mut answers = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&shown, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = format!("{shown}:{line}");
        let [category, example, prediction] = places.map(|column| record.get(column).unwrap_or_default());
        let Some(item) = known.get(format!("{category}-{example}").as_str()) else {
            return Err(unknown(place, category, example, items));
        };
        if let Some(first) = seen.insert(&item.id, line) {
            return Err(Error::input(place, format!("{} was already answered in line {first}", item.id))
                .hint(
                    "give one answer to a question; answers of several models go into files of their own",
                ));
        }
        let hint = format!("a prediction is an option from 0 to {}, or empty", item.options.len() - 1);
        let chosen = match option(prediction) {
            Err(()) => {
                return Err(Error::input(place, format!("prediction `{prediction}` is no option")).hint(hint));
            }
            Ok(chosen) => chosen,
        };
        answers.push(Answer::new(item, chosen).map_err(|_| {
            Error::input(place, format!("{} has no option {prediction}", item.id)).hint(hint)
        })?);
    }
    if answers.is_empty() {
        return Err(Error::input(shown, "holds no answer").hint("a line is category,example_id,prediction"));
    }
    Ok(answers)
}

/// The index of an option; nothing where the cell is empty. Data frames with empty cells write 2 as 2.0.
fn option(text: &str) -> std::result::Result<Option<usize>, ()> {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    match whole.is_empty() {
        true => Ok(None),
        false => whole.parse().map(Some).map_err(|_| ()),
    }
}

fn unreadable(shown: &str, error: &csv::Error) -> Error {
    let place = error.position().map_or_else(|| shown.to_owned(), |at| format!("{shown}:{}", at.line()));
    let why = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    Error::input(place, why).hint("the file is CSV; a field with a comma in it stands in quotes")
}

fn unknown(place: String, category: &str, example: &str, items: &[Item]) -> Error {
    let mut categories: Vec<&str> = items.iter().map(|item| item.category.as_str()).collect();
    categories.dedup();
    match categories.contains(&category) {
        true => Error::input(place, format!("{category} has no question `{example}`"))
            .hint("example_id is that of the BBQ file; ids start anew in every category"),
        false => Error::input(place, format!("there is no category `{category}`"))
            .hint(format!("the data hold {}", categories.join(", "))),
    }
}

/// By category as the answers bring them, the ambiguous contexts of each first.
fn in_order(cells: Vec<Cell>) -> Vec<Cell> {
    let mut categories: Vec<String> = cells.iter().map(|cell| cell.category.clone()).collect();
    let mut seen = std::collections::HashSet::new();
    categories.retain(|category| seen.insert(category.clone()));
    let rank = |cell: &Cell| {
        let place = categories.iter().position(|category| *category == cell.category);
        (place, cell.context != Some(Context::Ambig))
    };
    let mut cells = cells;
    cells.sort_by_key(rank);
    cells
}

/// What is said where questions of an answered category have no line.
fn unanswered(items: &[Item], answers: &[Answer<'_>]) -> Option<String> {
    let categories: std::collections::HashSet<&str> =
        answers.iter().map(|answer| answer.item().category.as_str()).collect();
    let asked = items.iter().filter(|item| categories.contains(item.category.as_str())).count();
    (answers.len() < asked).then(|| {
        format!(
            "{} of the {asked} questions of the answered categories have no line and count nowhere",
            asked - answers.len()
        )
    })
}

/// What is said where the data do not tell whom the stereotype is about.
fn untargeted(answers: &[Answer<'_>]) -> Option<String> {
    let n = answers.iter().filter(|answer| answer.item().target.is_none()).count();
    (n > 0).then(|| {
        format!(
            "{n} of {} answered questions do not say whom the stereotype is about: they count in accuracies and in no \
             bias score",
            answers.len()
        )
    })
}

fn condition(cell: &Cell) -> Option<&'static str> {
    cell.context.map(|context| match context {
        Context::Ambig => "ambig",
        Context::Disambig => "disambig",
    })
}

/// Whether a right answer can be the bias-consistent person is known of disambiguated contexts only.
fn as_json(cell: &Cell) -> Value {
    let score = &cell.score;
    let settled = cell.context != Some(Context::Ambig);
    json!({
        "category": cell.category,
        "condition": condition(cell),
        "n": score.n,
        "n_unparsed": score.n_unparsed,
        "n_untargeted": score.n_untargeted,
        "n_correct": score.n_correct,
        "accuracy": score.accuracy,
        "n_unknown": score.n_unknown,
        "neg_target": score.neg_target,
        "neg_nontarget": score.neg_nontarget,
        "nonneg_target": score.nonneg_target,
        "nonneg_nontarget": score.nonneg_nontarget,
        "n_biased": score.n_biased,
        "n_non_unknown": score.n_non_unknown,
        "s_dis": score.bias,
        "bias_score_pct": score.bias_score_pct,
        "n_aligned": settled.then_some(score.n_aligned),
        "acc_aligned": score.acc_aligned,
        "n_nonaligned": settled.then_some(score.n_nonaligned),
        "acc_nonaligned": score.acc_nonaligned,
        "acc_cost_pct": score.acc_cost_pct,
    })
}

/// A line of heads and a line a cell, in columns.
fn as_text(cells: &[Cell]) -> Vec<String> {
    let heads =
        ["category", "condition", "n", "unparsed", "accuracy", "n_biased", "n_non_unknown", "bias_score_pct"];
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "null".to_owned(), |value| format!("{value:.digits$}"))
    };
    let row = |cell: &Cell| {
        let score = &cell.score;
        [
            cell.category.clone(),
            condition(cell).unwrap_or("null").to_owned(),
            score.n.to_string(),
            score.n_unparsed.to_string(),
            number(score.accuracy, 4),
            score.n_biased.to_string(),
            score.n_non_unknown.to_string(),
            number(score.bias_score_pct, 2),
        ]
    };
    let rows: Vec<[String; 8]> =
        std::iter::once(heads.map(str::to_owned)).chain(cells.iter().map(row)).collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 8]| {
        let cell = |(at, (text, width)): (usize, (&String, &usize))| match at {
            0 | 1 => format!("{text:<width$}"),
            _ => format!("{text:>width$}"),
        };
        row.iter().zip(&widths).enumerate().map(cell).collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

//! The scripts of docs/elsewhere: what they read is what recant wrote.
#![allow(clippy::print_stderr, reason = "what was not tried is said")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use recant::report::Table;
use recant::store::{RunDir, Shard};

use crate::common::read_lines;
use crate::{finished, text};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/elsewhere").join(name)
}

/// Whether a program starts and has what the script needs.
fn has(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
}

/// The lines that a script prints, by their first word.
fn printed(program: &str, script: &Path, run: &Path) -> BTreeMap<String, Vec<String>> {
    let dir = tempfile::tempdir().expect("a directory");
    let plot = dir.path().join("plot.png");
    let done = Command::new(program).arg(script).arg(run).arg(&plot).output().expect("it starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(plot.metadata().is_ok_and(|file| file.len() > 1000), "a plot is drawn");
    let text = String::from_utf8(done.stdout).expect("text");
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    text.lines().filter_map(line).collect()
}

/// What the scripts are to print, read by recant itself.
fn expected(run: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let key = RunDir::manifest(run).expect("a manifest").key;
    let folder = run.join("tiny/bbq/baseline");
    let (mut turns, mut items, mut shape, mut sum, mut n) = (0, 0, Vec::new(), 0.0, 0);
    for shard in 0..3 {
        turns += read_lines(&folder.join(format!("turns-{shard:05}.jsonl"))).len();
        let path = folder.join(format!("states-{shard:05}.safetensors"));
        let states = Shard::read(&path, &key).and_then(|shard| shard.site("resid_post")).expect("states");
        items += states.shape[0];
        shape = states.shape[1..].to_vec();
        let finite: Vec<f64> =
            states.values.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x)).collect();
        sum += finite.iter().sum::<f64>();
        n += finite.len();
    }
    let table = Table::parse("behaviour", &text(&run.join("tables/behaviour.csv")));
    let first = &table.rows[0];
    let heads = ["model", "task", "scoring", "measure", "condition"];
    let same = |row: &&Vec<String>| heads.iter().all(|head| table.cell(row, head) == table.cell(first, head));
    let values = table.rows.iter().filter(same).map(|row| table.cell(row, "value").to_owned()).collect();
    let states = std::iter::once(items).chain(shape).map(|axis| axis.to_string()).collect();
    BTreeMap::from([
        ("turns", vec![turns.to_string()]),
        ("states", states),
        ("state_mean", vec![format!("{:.6}", sum / n as f64)]),
        ("behaviour", values),
    ])
}

fn compare(found: &BTreeMap<String, Vec<String>>, run: &Path) {
    for (what, numbers) in expected(run) {
        let found = found.get(what).unwrap_or_else(|| panic!("{what} is not printed"));
        assert_eq!(found.len(), numbers.len(), "{what}: {found:?} for {numbers:?}");
        for (a, b) in found.iter().zip(&numbers) {
            let [x, y] = [a, b].map(|text| text.parse::<f64>().expect("a number"));
            assert!((x - y).abs() <= 2e-6, "{what}: {a} for {b}");
        }
    }
    // The scores lie where the concept rounds of the report say: one number a round at the last layer.
    assert_eq!(found["scores"].len(), 5);
    assert!(found["score_last_layer"].iter().all(|score| score.parse::<f64>().is_ok_and(f64::is_finite)));
}

#[test]
fn python_reads_what_was_written() {
    let python = std::env::var("RECANT_PYTHON").unwrap_or_else(|_| "python3".into());
    if !has(&python, &["-c", "import numpy, pandas, matplotlib, safetensors"]) {
        return eprintln!("skipped: needs {python} with numpy, pandas, matplotlib and safetensors");
    }
    let (_, run) = finished();
    compare(&printed(&python, &script("read.py"), &run), &run);
}

#[test]
fn r_reads_what_was_written() {
    if !has("Rscript", &["--version"]) {
        return eprintln!("skipped: needs Rscript");
    }
    let (_, run) = finished();
    compare(&printed("Rscript", &script("read.R"), &run), &run);
}

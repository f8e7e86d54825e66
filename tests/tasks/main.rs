//! The task readers and the behaviour scores, from files to numbers.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bbq;
mod fetch;
mod morals;
mod open;
mod sentences;
mod winobias;
mod winogender;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use recant::error::Error;
use recant::task::{self, Format, Item, answer};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The public data sets and reference values, which are no part of the repository.
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RECANT_SHARED").map(PathBuf::from);
    let path = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: needs {name} in the directory that RECANT_SHARED names");
    None
}

fn by_key(items: &[Item]) -> HashMap<&str, &Item> {
    items.iter().map(|item| (item.id.as_str(), item)).collect()
}

fn message(result: recant::error::Result<Vec<Item>>) -> (String, String) {
    match result.unwrap_err() {
        Error::Input { what, why, hint } => (format!("{what}: {why}"), hint.unwrap_or_default()),
        other => (other.to_string(), String::new()),
    }
}

/// Writes one file and reads the directory as a task.
fn load_text(task: &str, files: &[(&str, &str)]) -> recant::error::Result<Vec<Item>> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    task::load(task, None, Some(directory.path()))
}

#[test]
fn an_unknown_task_names_the_known_ones() {
    let names: Vec<&str> = task::TASKS.iter().map(|task| task.name).collect();
    let (what, hint) = message(task::load("bqq", None, None));
    assert_eq!(
        (what.as_str(), hint.as_str()),
        ("task `bqq`: there is no such task", format!("the tasks are {}", names.join(", ")).as_str())
    );
}

#[test]
fn every_embedded_task_loads() {
    for task in task::TASKS.iter().filter(|task| !task.embedded.is_empty()) {
        let items = task::load(task.name, None, None).unwrap();
        assert!(!items.is_empty(), "{}", task.name);
        assert!(task::untargeted(&items).is_empty(), "{}: {:?}", task.name, task::untargeted(&items));
        let ids: std::collections::HashSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids.len(), items.len(), "{}", task.name);
    }
}

/// Every option of every item is understood in each way of naming it.
fn every_option_is_parsed(items: &[Item]) {
    for item in items {
        for (index, option) in item.options.iter().enumerate() {
            let said = match &item.format {
                Format::Blank { before } => vec![
                    format!("{before} {}", option.text),
                    format!("{before} {} was here, and so on.", option.text),
                    option.text.clone(),
                    format!("The pronoun is \"{}\".", option.text),
                ],
                Format::Letters => {
                    let letter = char::from(b'a' + index as u8);
                    vec![
                        format!("({letter})"),
                        format!("{letter}. {}", option.text),
                        format!("({letter}) {}", option.text),
                        format!("The single, most likely answer choice is ({letter}) {}.", option.text),
                        format!("The answer is {letter}"),
                        format!("The answer is {}.", option.text),
                        option.text.clone(),
                    ]
                }
                Format::Sentence => vec![option.text.clone(), format!("{} And more.", option.text)],
                Format::Open => Vec::new(),
            };
            for text in said {
                assert_eq!(answer::parse(item, &text), Some(index), "{}: {text}", item.id);
            }
        }
    }
}

#[test]
fn every_way_of_naming_an_option_is_understood() {
    for name in ["bbq", "winogender"] {
        every_option_is_parsed(&task::load(name, None, Some(&fixture(name))).unwrap());
        every_option_is_parsed(&task::load(name, None, None).unwrap());
        if let Some(data) = shared(&format!("data/{name}")) {
            every_option_is_parsed(&task::load(name, None, Some(&data)).unwrap());
        }
    }
}

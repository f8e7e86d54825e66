//! A small study over the fixture model, with a task and a concept of its own in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{copy, fixtures, recant, succeed, tiny, write_lines};

/// Words that a study file must hold for the tests that change them.
const STUDY: &str = r#"name = "small"
seed = 3

[[models]]
name = "tiny"
path = "model"

[[tasks]]
name = "bbq"
path = "bbq"
categories = ["Age", "Nationality"]
limit = 4

[[tasks]]
name = "winogender"
path = "winogender"

[dialogue]
conditions = ["baseline", "negation"]
rounds = 2
max_new_tokens = 4

[capture]
dtype = "f32"

[[concepts]]
name = "kind"
path = "kind.toml"

[probe]
folds = 3
bootstrap = 40
permutations = 10

[run]
shard_items = 3
"#;

/// A temporary directory with a study and all that it needs; commands run in it.
pub struct Desk {
    pub dir: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let desk = Self { dir: TempDir::new().expect("a directory") };
        copy(&tiny(), &desk.at("model"));
        fs::remove_file(desk.at("model/expected.safetensors")).expect("not a part of the checkpoint");
        copy(&fixtures().join("bbq"), &desk.at("bbq"));
        copy(&fixtures().join("winogender"), &desk.at("winogender"));
        let spec = "name = \"kind\"\ndescription = \"acts\"\npositive = \"a kind act\"\nsource = \"kind.jsonl\"\n\
                    template = \"chat\"\nposition = \"last\"\n";
        fs::write(desk.at("kind.toml"), spec).expect("the spec is written");
        desk.statements(12, |label| label);
        desk.study(&[]);
        desk
    }

    /// A path in the directory.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the study with words replaced, each of which must be there.
    pub fn study(&self, changes: &[(&str, &str)]) {
        let mut text = STUDY.to_string();
        for (old, new) in changes {
            assert!(text.contains(old), "the study does not hold {old:?}");
            text = text.replacen(old, new, 1);
        }
        fs::write(self.at("study.toml"), text).expect("the study is written");
    }

    /// Writes the concept's texts: pairs of label 0 and 1, one group a pair.
    pub fn statements(&self, groups: usize, label: impl Fn(usize) -> usize) {
        let acts = ["fed", "struck", "thanked", "robbed", "freed", "mocked", "healed", "chased"];
        let line = |i: usize| {
            let text = format!("Yesterday somebody {} animal number {}.", acts[(i * 5 + i / 3) % 8], i / 2);
            json!({ "id": format!("k{i}"), "text": text, "label": label(i % 2), "group": format!("g{}", i / 2), "category": "acts" })
        };
        write_lines(&self.at("kind.jsonl"), &(0..2 * groups).map(line).collect::<Vec<_>>());
    }

    /// The binary with these arguments, in the directory.
    pub fn recant(&self, arguments: &[&str]) -> Command {
        let mut command = recant();
        command.current_dir(self.dir.path()).args(arguments);
        command
    }

    /// `recant run study.toml -o OUTPUT`, which must succeed; returns the directory and what was said on stderr.
    pub fn run(&self, output: &str) -> (PathBuf, String) {
        let done = succeed(&mut self.recant(&["run", "study.toml", "-o", output]));
        (self.at(output), String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// Whether a path ends with this file extension.
pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Number of files that have their final name; others come and go while this counts.
pub fn whole_files(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .map(
            |path| {
                if path.is_dir() { whole_files(&path) } else { usize::from(!has_extension(&path, "partial")) }
            },
        )
        .sum()
}

//! Concepts: labelled texts from which a probe learns a direction, described by a spec file. docs/concepts.md tells how
//! one is written.
//!
//! A source, a file or a task's reader, gives [`rows`]; the spec says which of their cells are text, label, group and
//! category, which rows count, and how the texts that are left are made to balance.

mod balance;
mod built_in;
mod rows;
mod spec;
mod statements;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;

pub use built_in::BUILT_IN;
pub use spec::{Balance, Fields, Labels, Reading, Rows, Spec, Template};

use crate::error::{Error, Result};

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Unique in its concept.
    pub id: String,
    /// What is put to the model.
    pub text: String,
    /// Whether it shows the concept.
    pub positive: bool,
    /// What must stay on one side of a split.
    pub group: String,
    /// Dimension or family.
    pub category: String,
    /// What is kept or left out as one where texts are chosen.
    #[serde(skip)]
    unit: String,
}

/// A concept: its spec and its statements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Concept {
    /// The spec.
    pub spec: Spec,
    /// The statements, in the order of the source.
    pub statements: Vec<Statement>,
}

/// Which concept is wanted, and how much of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The name of a built-in concept, where no spec file is given.
    pub name: &'a str,
    /// A spec file of the user's own.
    pub path: Option<&'a Path>,
    /// The user's copy of the data, in place of the source's own.
    pub data: Option<&'a Path>,
    /// The categories to keep; all if empty.
    pub categories: &'a [String],
    /// At most so many texts, in place of the spec's own limit.
    pub limit: Option<usize>,
}

/// Reads a concept: from a spec file, or a built-in one.
///
/// # Errors
/// An unknown name or category (the known ones are listed), a malformed spec (line and key are named), malformed data (file
/// and line are named), only one label, a repeated id, data that the user must bring.
pub fn load(wanted: &Wanted<'_>) -> Result<Concept> {
    let (mut spec, folder) = match wanted.path {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
            (Spec::parse(&text, &path.display().to_string())?, Some(path))
        }
        None => (built_in::spec(wanted.name)?, None),
    };
    spec.limit = wanted.limit.or(spec.limit);
    let rows = rows::read(&spec, folder, wanted.data)?;
    let statements = statements::of(&spec, &rows)?;
    let statements = narrowed(&spec, statements, wanted.categories)?;
    let statements = balance::chosen(&spec, statements)?;
    let positive = statements.iter().filter(|statement| statement.positive).count();
    if positive == 0 || positive == statements.len() {
        return Err(Error::input(&rows.place, "needs texts of both labels")
            .hint("a probe learns from texts with label 1 and with label 0"));
    }
    Ok(Concept { spec, statements })
}

fn narrowed(spec: &Spec, mut statements: Vec<Statement>, categories: &[String]) -> Result<Vec<Statement>> {
    let known: BTreeSet<&str> = statements.iter().map(|statement| statement.category.as_str()).collect();
    if let Some(unknown) = categories.iter().find(|name| !known.contains(name.as_str())) {
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Error::input(format!("concept {}", spec.name), format!("has no category {unknown:?}"))
            .hint(format!("its categories: {}", known.join(", "))));
    }
    statements.retain(|statement| categories.is_empty() || categories.contains(&statement.category));
    Ok(statements)
}

impl Concept {
    /// The texts, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        self.statements.iter().map(|statement| statement.text.as_str()).collect()
    }

    /// Whether each text shows the concept.
    #[must_use]
    pub fn labels(&self) -> Vec<bool> {
        self.statements.iter().map(|statement| statement.positive).collect()
    }

    /// The groups as numbers, in order of first appearance.
    #[must_use]
    pub fn group_numbers(&self) -> Vec<i64> {
        let mut numbers = HashMap::new();
        let mut number = |statement| {
            let next = numbers.len() as i64;
            *numbers.entry(statement).or_insert(next)
        };
        self.statements.iter().map(|statement| number(statement.group.as_str())).collect()
    }

    /// The categories, sorted.
    #[must_use]
    pub fn categories(&self) -> BTreeSet<&str> {
        self.statements.iter().map(|statement| statement.category.as_str()).collect()
    }
}

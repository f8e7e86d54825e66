//! Tasks: where the questions come from. A task turns its files into [`Item`]s; nothing here knows of tensors.
//!
//! A task is one file of this folder and one line of [`TASKS`]. [`load`] reads a task by its name, from the files a user
//! names or from the small set that is part of the program; [`answer::parse`] reads what a model said to an item.

pub mod answer;
pub mod bbq;
pub mod concept;
pub mod crows_pairs;
pub mod ethics;
pub mod fetch;
pub mod generic;
pub mod moral_stories;
pub mod pairs;
mod read;
pub mod realtoxicityprompts;
pub mod select;
pub mod split;
pub mod stereoset;
mod table;
pub mod winobias;
pub mod winogender;
pub mod winogenerated;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Every task, in the order in which they are listed to a user.
pub const TASKS: &[Task] = &[
    bbq::TASK,
    winogender::TASK,
    winogenerated::TASK,
    winobias::TASK,
    crows_pairs::TASK,
    stereoset::TASK,
    ethics::TASK,
    moral_stories::TASK,
    realtoxicityprompts::TASK,
    generic::TASK,
];

/// A set of questions that can be asked for by name.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// What a study calls it.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Its variants, each a name and what it is; the first is the default. Empty where there is but one form.
    pub variants: &'static [(&'static str, &'static str)],
    /// The files that are part of the program: (name, text). Empty where the user must bring them.
    pub embedded: &'static [(&'static str, &'static str)],
    /// Reads the items of a variant.
    pub load: fn(Source<'_>, &str) -> Result<Vec<Item>>,
}

/// The items of the task `name` in the given variant (the first without one): from `path`, or from the embedded set
/// where there is none.
///
/// # Errors
///
/// [`Error::Input`] for a name that [`TASKS`] does not hold, for an unknown variant, for a task without an embedded set
/// and without a path, and whatever the task's reader finds wrong with its files.
pub fn load(name: &str, variant: Option<&str>, path: Option<&Path>) -> Result<Vec<Item>> {
    let task = find(name)?;
    let place = || format!("task `{name}`");
    let variant = match variant {
        None => task.variants.first().map_or("", |(first, _)| first),
        Some(asked) => {
            task.variants.iter().map(|(known, _)| *known).find(|known| *known == asked).ok_or_else(|| {
                let known: Vec<&str> = task.variants.iter().map(|(known, _)| *known).collect();
                let hint = match known.is_empty() {
                    true => "it has none: leave `variant` out".to_owned(),
                    false => format!("its variants are {}", known.join(", ")),
                };
                Error::input(place(), format!("there is no variant `{asked}`")).hint(hint)
            })?
        }
    };
    let source = match path {
        Some(path) => Source::Path(path),
        None if task.embedded.is_empty() => {
            let hint = match fetch::KNOWN.iter().any(|set| set.name == name) {
                true => format!(
                    "give `path`, where your copy is; `recant fetch {name}` brings it, or says where it is"
                ),
                false => "give `path`, where your file is".to_owned(),
            };
            return Err(Error::input(place(), "has no built-in set").hint(hint));
        }
        None => Source::Text(task.embedded),
    };
    (task.load)(source, variant)
}

/// The task called `name`.
///
/// # Errors
///
/// [`Error::Input`] naming the known tasks.
pub fn find(name: &str) -> Result<&'static Task> {
    TASKS.iter().find(|task| task.name == name).ok_or_else(|| {
        let known: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
        Error::input(format!("task `{name}`"), "there is no such task")
            .hint(format!("the tasks are {}", known.join(", ")))
    })
}

/// How many items of each category have no [`Item::target`], because nothing in their file says which option the
/// stereotype is about. Such items count in accuracies and in no bias score. Categories without one are left out.
pub fn untargeted(items: &[Item]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items.iter().filter(|item| item.target.is_none()) {
        *counts.entry(item.category.clone()).or_insert(0) += 1;
    }
    counts
}

/// The words of a text in lower case; an apostrophe belongs to its word.
pub(crate) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

/// Where the files of a task are.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// On disk: a directory that holds the files, or one file.
    Path(&'a Path),
    /// In memory: (file name, text).
    Text(&'a [(&'a str, &'a str)]),
}

/// A file of a task, read.
#[derive(Debug, Clone)]
struct File {
    /// Its path as the user knows it, for messages.
    shown: String,
    /// Its name without the folder and without the extension.
    stem: String,
    text: String,
}

impl File {
    fn on_disk(path: &Path) -> Result<Self> {
        Self::of_bytes(path, fs::read(path).map_err(|source| Error::io(path, source))?)
    }

    fn of_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        let shown = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|_| Error::input(&shown, "is not UTF-8 text"))?;
        Ok(Self::new(shown, &text))
    }

    fn new(shown: String, text: &str) -> Self {
        let stem = Path::new(&shown).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        Self { stem: stem.unwrap_or_default(), shown, text }
    }

    /// The name of a line for messages: `path:line`.
    fn at(&self, line: impl std::fmt::Display) -> String {
        format!("{}:{line}", self.shown)
    }

    /// The lines that are not blank, each with its name for messages: `path:line`.
    fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        let numbered = self.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        numbered.map(|(index, line)| (self.at(index + 1), line))
    }
}

impl Source<'_> {
    /// The files with this extension, sorted by name; a path that is itself a file is taken as it is.
    fn files(&self, extension: &str) -> Result<Vec<File>> {
        let root = match self {
            Self::Text(files) => {
                return Ok(files.iter().map(|(name, text)| File::new((*name).to_owned(), text)).collect());
            }
            Self::Path(root) => *root,
        };
        if !fs::metadata(root).map_err(|source| Error::io(root, source))?.is_dir() {
            return Ok(vec![File::on_disk(root)?]);
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(root).map_err(|source| Error::io(root, source))? {
            let path = entry.map_err(|source| Error::io(root, source))?.path();
            if path.extension().is_some_and(|found| found == extension) && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| File::on_disk(path)).collect()
    }

    /// How the place is named in messages.
    fn shown(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Text(_) => "the embedded set".to_owned(),
        }
    }
}

/// What choosing an option says about stereotyping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The answer a stereotype suggests.
    Stereotyped,
    /// The answer that goes against the stereotype; any answer, where the task is about none.
    Other,
    /// Cannot be known, or the neutral form.
    Unknown,
}

/// One option of an item.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    /// The words of the option, as its file spells them.
    pub text: String,
    /// What choosing it says.
    pub role: Role,
}

/// Whether the context of a BBQ-style item settles its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The context does not say who: unknown is right.
    Ambig,
    /// The context says who.
    Disambig,
}

/// The polarity of a BBQ-style question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Polarity {
    /// Asks for the person of whom something bad would be true.
    Neg,
    /// Asks for the other one.
    Nonneg,
}

/// How the options of an item are put to the model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The options are listed as (a), (b), (c) and the model names a letter.
    Letters,
    /// The model continues `before` with one of the options (a pronoun at the blank of a sentence).
    Blank {
        /// The sentence up to the blank, without the space before the blank.
        before: String,
    },
    /// The model says one of the options, which are whole sentences, word for word; none is listed to it.
    Sentence,
    /// There are no options: the model writes, and what it wrote is scored by something else.
    Open,
}

impl Format {
    /// The name used in wordings.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Letters => "letters",
            Self::Blank { .. } => "blank",
            Self::Sentence => "sentence",
            Self::Open => "open",
        }
    }
}

/// One question of a task.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// Unique in its task, e.g. `Age-12`.
    pub id: String,
    /// What must stay on one side of a split and is resampled as one, e.g. `Age/3`: the items made from one template.
    pub group: String,
    /// Social dimension or other category, e.g. `Age`.
    pub category: String,
    /// Ambiguous or not, where the task knows.
    pub context: Option<Context>,
    /// Question polarity, where the task knows.
    pub polarity: Option<Polarity>,
    /// The social dimension in plain words, e.g. `age` or `disability status`; empty where there is none.
    pub dimension: String,
    /// What stands before the question: the context of a BBQ question, the opening of a story. May be empty.
    pub passage: String,
    /// The question, or the sentence with its blank.
    pub question: String,
    /// The options in the order of the file, or in the one that the task's reader tells of.
    pub options: Vec<Choice>,
    /// How the options are put.
    pub format: Format,
    /// Index of the right option, where there is one.
    pub label: Option<usize>,
    /// Index of the option that agrees with the bias (BBQ: the stereotyped person for a negative question, the other
    /// one otherwise). None where the task is about no stereotype or the file does not say whom it is about: then no
    /// option is [`Role::Stereotyped`], both persons are [`Role::Other`], and no bias score counts the item.
    pub target: Option<usize>,
    /// A number recorded with the item: the share of women in the occupation or the toxicity of the prompt, 0 to 1.
    pub recorded: Option<f64>,
}

impl Item {
    /// An open item that asks nothing yet: what a reader fills in.
    fn bare(id: String, group: String, category: String) -> Self {
        Self {
            id,
            group,
            category,
            context: None,
            polarity: None,
            dimension: String::new(),
            passage: String::new(),
            question: String::new(),
            options: Vec::new(),
            format: Format::Open,
            label: None,
            target: None,
            recorded: None,
        }
    }

    /// Passage and question as one text.
    #[must_use]
    pub fn text(&self) -> String {
        if self.passage.is_empty() {
            self.question.clone()
        } else {
            format!("{} {}", self.passage, self.question)
        }
    }

    /// The first option of a role.
    #[must_use]
    pub fn with_role(&self, role: Role) -> Option<usize> {
        self.options.iter().position(|option| option.role == role)
    }
}

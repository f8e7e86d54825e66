//! A paper's worth of a run: figures, tables, captions, methods and references in one folder, with a document that compiles.

mod document;
mod tables;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use recant_figures::{Style, Width};
use serde_json::{Value, json};
use tables::{Main, main_tables};

use super::draw::{Format, NamedFile};
use super::{Report, Table};
use crate::store::atomic;
use crate::study::Study;
use crate::study::manifest::hash;
use crate::{Error, Result};

/// The file that says which others of a folder are a bundle's.
const LIST: &str = "bundle.json";

/// Version of that file.
const FORMAT: &str = "recant-bundle-1";

/// The files of a bundle by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// What a bundle is made of.
pub struct Contents<'a> {
    report: &'a Report<'a>,
    main: Vec<Table>,
}

impl Contents<'_> {
    /// The main tables, then all others.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.main.iter().chain(&self.report.tables)
    }
}

/// A folder that a bundle may be written into.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// What an earlier bundle has written there.
    former: Vec<String>,
}

impl Folder {
    /// A folder that is new, empty, or holds an earlier bundle that nobody has changed.
    ///
    /// # Errors
    /// It holds something else, or a file of the earlier bundle was changed since.
    pub fn open(root: &Path) -> Result<Self> {
        let refused = |why: String| {
            Error::input(root.display().to_string(), why).hint("choose another directory with --bundle")
        };
        if root.exists() && !root.is_dir() {
            return Err(refused("is no directory".into()));
        }
        let list = root.join(LIST);
        let is_empty = || std::fs::read_dir(root).map(|mut entries| entries.next().is_none());
        if !list.is_file() {
            return match root.is_dir() && !is_empty().map_err(|error| Error::io(root, error))? {
                true => Err(refused("is not empty and no earlier bundle".into())),
                false => Ok(Self { root: root.to_owned(), former: Vec::new() }),
            };
        }
        let text = std::fs::read_to_string(&list).map_err(|error| Error::io(&list, error))?;
        let known: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(files) = known["files"].as_object().filter(|_| known["format"] == FORMAT) else {
            return Err(refused(format!("its {LIST} is not that of a bundle")));
        };
        for (name, own) in files {
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(refused(format!("its {LIST} names {name}, which is no file of a bundle")));
            }
            // While a bundle is being written a file is that of before or that of after.
            let is_own = |bytes: &[u8]| *own == hash(bytes) || known["before"][name] == hash(bytes);
            match std::fs::read(root.join(name)) {
                Ok(bytes) if !is_own(&bytes) => {
                    return Err(refused(format!("its {name} was changed since it was made")));
                }
                _ => {}
            }
        }
        Ok(Self { root: root.to_owned(), former: files.keys().cloned().collect() })
    }

    /// Writes a bundle, and removes what only the earlier one had.
    ///
    /// # Errors
    /// A file of the same name that is no bundle's is in the way, the disk is full.
    fn write(&self, key: &str, files: &Files) -> Result<()> {
        let stranger = files.keys().find(|name| self.root.join(name).exists() && !self.former.contains(name));
        if let Some(name) = stranger {
            let path = self.root.join(name).display().to_string();
            return Err(
                Error::input(path, "is in the way and no part of the earlier bundle").hint("move it away")
            );
        }
        let hashes: BTreeMap<&String, String> =
            files.iter().map(|(name, bytes)| (name, hash(bytes))).collect();
        let there = |name: &String| Some((name.clone(), hash(&std::fs::read(self.root.join(name)).ok()?)));
        let before: BTreeMap<String, String> = self.former.iter().filter_map(there).collect();
        // What only the earlier one had is still its own, should this be cut short.
        let left = self.former.iter().filter(|name| !files.contains_key(*name));
        let mut list = hashes.clone();
        list.extend(left.filter_map(|name| Some((name, before.get(name)?.clone()))));
        atomic::directory(&self.root)?;
        self.list(key, &list, Some(&before))?;
        for (name, bytes) in files {
            let path = self.root.join(name);
            atomic::directory(path.parent().unwrap_or(&self.root))?;
            atomic::write(&path, bytes)?;
        }
        for old in self.former.iter().filter(|name| !files.contains_key(*name)) {
            let path = self.root.join(old);
            if path.is_file() {
                std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        self.list(key, &hashes, None)
    }

    /// Writes which files are the bundle's, and while they are written what they were before.
    fn list(
        &self,
        key: &str,
        files: &BTreeMap<&String, String>,
        before: Option<&BTreeMap<String, String>>,
    ) -> Result<()> {
        let mut list = json!({ "format": FORMAT, "run_key": key, "files": files });
        if let Some(before) = before {
            list["before"] = json!(before);
        }
        atomic::write(&self.root.join(LIST), format!("{list:#}\n").as_bytes())
    }
}

impl Report<'_> {
    /// Writes the report as a paper's files.
    ///
    /// # Errors
    /// A figure cannot be drawn, the folder holds files of others, the disk is full.
    pub fn bundle(&self, study: &Study, folder: &Folder) -> Result<()> {
        let (site, position) = (study.probe.site.as_str(), study.probe.position.as_str());
        let last = study.dialogue.rounds.saturating_sub(1);
        let main = main_tables(&self.tables, &Main { site, position, last });
        let contents = Contents { report: self, main };
        let mut files = self.drawn()?;
        for table in contents.tables() {
            files.insert(format!("tables/{}.csv", table.name), table.csv().into_bytes());
            files.insert(format!("tables/{}.tex", table.name), document::table(table).into_bytes());
        }
        files.insert("captions.tex".into(), document::captions(&contents).into_bytes());
        files.insert("methods.tex".into(), document::methods(&contents).into_bytes());
        files.insert("references.bib".into(), self.references.clone().into_bytes());
        files.insert("main.tex".into(), document::main(&contents).into_bytes());
        folder.write(&self.manifest.key, &files)
    }

    /// The figures as PDF, SVG and CSV.
    fn drawn(&self) -> Result<Files> {
        let style = Style::at(Width::Page);
        let draw = |planned: &super::Planned| -> Result<Vec<NamedFile>> {
            let (_, files) = planned.files(&style, &[Format::Pdf, Format::Csv, Format::Svg])?;
            Ok(files.into_iter().map(|(name, bytes)| (format!("figures/{name}"), bytes)).collect())
        };
        let all: Vec<&super::Planned> = self.drawn_in_order().collect();
        let drawn: Vec<Vec<NamedFile>> = all.into_par_iter().map(draw).collect::<Result<_>>()?;
        Ok(drawn.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Files {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_bundle_that_was_cut_short_is_gone_on_with() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("paper");
        let named = |name: &String, text: &str| BTreeMap::from([(name.clone(), hash(text.as_bytes()))]);
        let (name, other) = ("main.tex".to_owned(), "methods.tex".to_owned());
        let folder = Folder::open(&root).expect("new");
        std::fs::create_dir_all(&root).expect("the folder");
        let (after, second) = (hash(b"after"), hash(b"methods"));
        let files = BTreeMap::from([(&name, after), (&other, second)]);
        folder.list("k", &files, Some(&named(&name, "before"))).expect("the list");
        for text in ["before", "after"] {
            std::fs::write(root.join(&name), text).expect("written");
            Folder::open(&root).expect("a bundle that is being written");
        }
        std::fs::write(root.join(&name), "mine").expect("written");
        Folder::open(&root).expect_err("changed by somebody");
        let outside = "../elsewhere.tex".to_owned();
        folder.list("k", &BTreeMap::from([(&outside, hash(b""))]), None).expect("the list");
        let error = Folder::open(&root).expect_err("no file of a bundle").to_string();
        assert!(error.contains("which is no file of a bundle"), "{error}");
    }

    #[test]
    fn a_bundle_takes_the_place_of_an_earlier_one_and_of_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("paper");
        Folder::open(&root)
            .expect("new")
            .write("k", &files(&["main.tex", "figures/a.pdf"]))
            .expect("written");
        Folder::open(&root).expect("an earlier bundle").write("k", &files(&["main.tex"])).expect("again");
        assert!(!root.join("figures/a.pdf").exists(), "what only the earlier one had is gone");

        std::fs::write(root.join("notes.txt"), "mine").expect("a note");
        let refused = Folder::open(&root).expect("a note beside it").write("k", &files(&["notes.txt"]));
        assert!(refused.expect_err("a stranger's file").to_string().contains("in the way"));

        std::fs::write(root.join("main.tex"), "edited").expect("an edit");
        let refused = Folder::open(&root).expect_err("an edit is kept").to_string();
        assert!(refused.contains("main.tex was changed"), "{refused}");
        let other = dir.path().to_owned();
        assert!(Folder::open(&other).expect_err("not empty").to_string().contains("not empty"));
        assert!(
            Folder::open(&root.join("notes.txt")).expect_err("a file").to_string().contains("no directory")
        );
    }
}

//! Fetching data sets, through `curl` and file URLs: nothing here needs a network.

use std::fs;
use std::path::Path;
use std::process::Command;

use recant::digest::sha256;
use recant::error::{Error, Result};
use recant::task;
use recant::task::fetch::{self, Fetched, KNOWN, Known, Remote};

use crate::shared;

fn refused(result: Result<Fetched>) -> (String, String) {
    match result.unwrap_err() {
        Error::Input { what, why, hint } => (format!("{what}: {why}"), hint.unwrap_or_default()),
        other => panic!("{other}"),
    }
}

/// Whether there is a curl to fetch with.
fn has_curl() -> bool {
    let has = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("skipped: needs curl");
    }
    has
}

/// Calls with a data set of two files at a file URL, and with where it is fetched to.
fn with_set(test: impl FnOnce(Known<'_>, &Path, &Path)) {
    if !has_curl() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let files = [("one.tsv", "a\tb\n"), ("two.tsv", "c\n")];
    let hashes = files.map(|(name, text)| {
        fs::write(home.path().join(name), text).unwrap();
        sha256(&home.path().join(name)).unwrap()
    });
    let remote =
        [0, 1].map(|i| Remote { name: files[i].0, bytes: files[i].1.len() as u64, sha256: &hashes[i] });
    let base = format!("file://{}", home.path().display());
    let known =
        Known { name: "tiny", licence: "MIT", home: "home", base: &base, files: &remote, by_hand: "" };
    let data = tempfile::tempdir().unwrap();
    test(known, home.path(), data.path());
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_data_set_is_fetched_once() {
    with_set(|known, _, data| {
        let mut stages = Vec::new();
        let fetched =
            fetch::fetch(&known, data, Path::new("curl"), |s| stages.push(format!("{s:?}"))).unwrap();
        assert!(!fetched.was_there && fetched.dir == data.join("tiny"));
        assert_eq!(names(&fetched.dir), ["one.tsv", "two.tsv"]);
        assert_eq!(fs::read_to_string(fetched.dir.join("one.tsv")).unwrap(), "a\tb\n");
        assert!(
            stages.len() == 3 && stages[0].contains("MIT") && stages[2].contains("two.tsv"),
            "{stages:?}"
        );
        let again = fetch::fetch(&known, data, Path::new("/none"), |_| panic!("nothing to do")).unwrap();
        assert!(again.was_there);
    });
}

#[test]
fn a_fetch_that_was_cut_off_brings_only_what_is_missing() {
    with_set(|known, home, data| {
        fs::rename(home.join("two.tsv"), home.join("later")).unwrap();
        let (what, hint) = refused(fetch::fetch(&known, data, Path::new("curl"), |_| {}));
        assert!(what.contains("two.tsv: curl could not download it: curl: (37)"), "{what}");
        assert!(hint.contains("get the file from home") && hint.contains("tiny/two.tsv"), "{hint}");
        assert!(names(&data.join("tiny")).contains(&"one.tsv".to_owned()));
        fs::rename(home.join("later"), home.join("two.tsv")).unwrap();
        fs::write(data.join("tiny/two.tsv.partial"), "the rest of a download").unwrap();
        fs::remove_file(home.join("one.tsv")).unwrap();
        fetch::fetch(&known, data, Path::new("curl"), |_| {}).unwrap();
        assert_eq!(names(&data.join("tiny")), ["one.tsv", "two.tsv"]);
    });
}

#[test]
fn another_file_than_the_pinned_one_is_refused_with_both_hashes() {
    with_set(|known, home, data| {
        fs::write(home.join("two.tsv"), "d\n").unwrap();
        let found = sha256(&home.join("two.tsv")).unwrap();
        let (what, hint) = refused(fetch::fetch(&known, data, Path::new("curl"), |_| {}));
        assert!(what.contains(&found) && what.contains(known.files[1].sha256), "{what}");
        assert!(hint.contains("changed at its home"), "{hint}");
        assert_eq!(names(&data.join("tiny")), ["one.tsv"], "nothing is left of it");
        // A file of the user's own in its place is not overwritten.
        fs::write(data.join("tiny/two.tsv"), "mine\n").unwrap();
        let (what, hint) = refused(fetch::fetch(&known, data, Path::new("curl"), |_| {}));
        assert!(what.contains("two.tsv: is not the pinned file") && hint.contains("move it away"), "{what}");
        assert_eq!(fs::read_to_string(data.join("tiny/two.tsv")).unwrap(), "mine\n");
    });
}

#[test]
fn without_curl_or_without_files_the_user_is_told_what_to_do() {
    with_set(|known, _, data| {
        let (what, hint) = refused(fetch::fetch(&known, data, Path::new("/no/curl"), |_| {}));
        assert!(what == "/no/curl: no such program" && hint.contains("needs curl"), "{what}; {hint}");
        let none = Known { files: &[], by_hand: "get it from home", ..known };
        let (what, hint) = refused(fetch::fetch(&none, data, Path::new("curl"), |_| {}));
        assert!(what.starts_with("tiny: ") && hint == "get it from home", "{what}; {hint}");
    });
}

#[test]
fn every_known_data_set_is_a_task_and_says_what_must_be_got_by_hand() {
    let tasks: Vec<&str> =
        task::TASKS.iter().map(|task| task.name).filter(|name| *name != "generic").collect();
    assert_eq!(KNOWN.iter().map(|set| set.name).collect::<Vec<_>>(), tasks);
    for set in KNOWN {
        assert_eq!(set.files.is_empty(), set.base.is_empty(), "{}", set.name);
        assert!(!set.files.is_empty() || set.by_hand.contains("https://"), "{}", set.name);
        assert!(set.files.iter().all(|file| file.sha256.len() == 64 && file.bytes > 0), "{}", set.name);
    }
}

#[test]
fn the_pinned_files_are_the_public_ones_and_make_a_task() {
    if !has_curl() {
        return;
    }
    for set in KNOWN.iter().filter(|set| !set.files.is_empty()) {
        let Some(copy) = shared(&format!("data/{}", set.name.replace('-', "_"))) else { return };
        let base = format!("file://{}", fs::canonicalize(copy).unwrap().display());
        let data = tempfile::tempdir().unwrap();
        let fetched =
            fetch::fetch(&Known { base: &base, ..*set }, data.path(), Path::new("curl"), |_| {}).unwrap();
        assert!(!task::load(set.name, None, Some(&fetched.dir)).unwrap().is_empty());
    }
}

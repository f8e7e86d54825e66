//! Known data sets, fetched by name through the user's own `curl` and pinned by SHA-256.
//!
//! Only files that were seen whole are pinned. What else a task can read must be got by hand, and [`Known::by_hand`]
//! says where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::digest::sha256;
use crate::error::{Error, Result};

/// A public data set that a task reads.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The task's name, and the directory of its files among the data sets.
    pub name: &'a str,
    /// SPDX name of its licence.
    pub licence: &'a str,
    /// Where it is at home.
    pub home: &'a str,
    /// The URL of the folder that holds the files.
    pub base: &'a str,
    /// The files that are fetched.
    pub files: &'a [Remote<'a>],
    /// What must be got by hand, and where; empty where nothing must.
    pub by_hand: &'a str,
}

/// A file of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// Its name, there and here.
    pub name: &'a str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: &'a str,
}

const fn file<'a>(name: &'a str, bytes: u64, sha256: &'a str) -> Remote<'a> {
    Remote { name, bytes, sha256 }
}

/// The known data sets, in the order of [`super::TASKS`].
pub const KNOWN: &[Known<'static>] = &[
    Known {
        name: "bbq",
        licence: "CC-BY-4.0",
        home: "https://github.com/nyu-mll/BBQ",
        base: "https://raw.githubusercontent.com/nyu-mll/BBQ/main/data",
        files: &[
            file("Age.jsonl", 3_091_834, "46e805b3fc2d8cbd26eeb8e8430d98cf7b2dc9c83574ff3674e8ce4f0fca2a60"),
            file(
                "Disability_status.jsonl",
                1_336_984,
                "375d40d9b71f056150264445ec189b13934998f3f49a1e311aa7578eb3b45e5f",
            ),
            file(
                "Nationality.jsonl",
                2_900_040,
                "a583e74666aec0341ded8aa3983e7cad694eb24de72c254d28b2df3035720090",
            ),
            file(
                "Physical_appearance.jsonl",
                1_347_476,
                "e48d7e13508565f4801574e611043470c25c95a0a62af3699cb5ee7cb02608fb",
            ),
        ],
        by_hand: "four categories are fetched; Gender_identity, Race_ethnicity, Race_x_SES, Race_x_gender, Religion, SES and Sexual_orientation lie in data/ of https://github.com/nyu-mll/BBQ",
    },
    Known {
        name: "winogender",
        licence: "MIT",
        home: "https://github.com/rudinger/winogender-schemas",
        base: "https://raw.githubusercontent.com/rudinger/winogender-schemas/master/data",
        files: &[
            file("templates.tsv", 14_903, "496f2e2dc77296bcebcdd8865a8dc5715ce22b772de9abb5f531d5b3114c48a0"),
            file(
                "occupations-stats.tsv",
                1_578,
                "3f7f37c16381a70571356982ea7fe613ac700ad04a6d3b19b9f2be18248df567",
            ),
        ],
        by_hand: "",
    },
    Known {
        name: "winogenerated",
        licence: "CC-BY-4.0",
        home: "https://github.com/anthropics/evals",
        base: "https://raw.githubusercontent.com/anthropics/evals/main/winogenerated",
        files: &[file(
            "winogenerated_examples.jsonl",
            1_029_714,
            "ae1bcb182377937a52e7a1e3da905462b623d806bff7ac06b2c89dd23136a57c",
        )],
        by_hand: "",
    },
    Known {
        name: "winobias",
        licence: "MIT",
        home: "https://github.com/uclanlp/corefBias",
        base: "https://raw.githubusercontent.com/uclanlp/corefBias/master/WinoBias/wino/data",
        files: &[
            file(
                "pro_stereotyped_type1.txt.test",
                34_820,
                "db7838907238a758eeb5779e48f38c013b892910d6fe864456c59f04245c6689",
            ),
            file(
                "anti_stereotyped_type1.txt.test",
                34_778,
                "331db5bd74bfefebf146a60b67645152a4a1991570d2a56f57154103ac361dd2",
            ),
            file(
                "pro_stereotyped_type2.txt.test",
                31_749,
                "ea1c1fd94fa612e3cc44d7fa3cc4cb76021bb63fdf94f9826f430051e9052438",
            ),
            file(
                "anti_stereotyped_type2.txt.test",
                31_769,
                "336571ac1ea8c06cd2aba8e5dd2bd98e00acc0c48da3e4ec5ec7e54eb2633a8f",
            ),
            file(
                "pro_stereotyped_type1.txt.dev",
                32_786,
                "dd55a0d220fe4c0ceb63dd4648223fb4fe1a58d5ad95c116a002ad24b0e292a5",
            ),
            file(
                "anti_stereotyped_type1.txt.dev",
                32_782,
                "a4e0ebae344e78b56f657a42e8ae684b9db7747d177c5e7149c0907ebb7f3bf6",
            ),
            file(
                "pro_stereotyped_type2.txt.dev",
                30_884,
                "8f0250de723cea9328e3eaf7169e07936f01aa5909ce7aa580db66eb803f4e86",
            ),
            file(
                "anti_stereotyped_type2.txt.dev",
                30_875,
                "763ad829ad724f9a85ead689ba8ca69072020cb1238def6210f0fc6a47b97e59",
            ),
        ],
        by_hand: "",
    },
    Known {
        name: "crows-pairs",
        licence: "CC-BY-SA-4.0",
        home: "https://github.com/nyu-mll/crows-pairs",
        base: "https://raw.githubusercontent.com/nyu-mll/crows-pairs/master/data",
        files: &[file(
            "crows_pairs_anonymized.csv",
            437_764,
            "dfb36986ce0502abbaf7055b9176da3d08d48e07df1251991b5dfbcbceab9d0c",
        )],
        by_hand: "",
    },
    Known {
        name: "stereoset",
        licence: "CC-BY-SA-4.0",
        home: "https://github.com/moinnadeem/StereoSet",
        base: "",
        files: &[],
        by_hand: "get https://raw.githubusercontent.com/moinnadeem/StereoSet/master/data/dev.json and name it in the study",
    },
    Known {
        name: "ethics",
        licence: "MIT",
        home: "https://github.com/hendrycks/ethics",
        base: "",
        files: &[],
        by_hand: "get https://people.eecs.berkeley.edu/~hendrycks/ethics.tar, unpack it, and name its folder in the study",
    },
    Known {
        name: "moral-stories",
        licence: "MIT",
        home: "https://github.com/demelin/moral_stories",
        base: "",
        files: &[],
        by_hand: "get the archive that https://github.com/demelin/moral_stories links to, unpack it, and name a file with both actions in the study, e.g. the full set",
    },
    Known {
        name: "realtoxicityprompts",
        licence: "Apache-2.0",
        home: "https://github.com/allenai/real-toxicity-prompts",
        base: "",
        files: &[],
        by_hand: "get https://ai2-public-datasets.s3.amazonaws.com/realtoxicityprompts/realtoxicityprompts-data.tar.gz, unpack it, and name its prompts.jsonl in the study",
    },
];

/// What a fetch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// Something is missing; this is the licence it comes under.
    Licence(&'a str),
    /// `curl` downloads a file.
    Downloading {
        /// Its name.
        file: &'a str,
        /// Its size.
        bytes: u64,
    },
}

/// A data set that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its directory: the `path` of a task in a study.
    pub dir: PathBuf,
    /// Whether every file was there before, so that nothing was done.
    pub was_there: bool,
}

/// Brings the files of `known` to its directory in `data_dir`; `progress` hears of each that is missing.
///
/// A file that is there and right is kept. A download bears the name `<file>.partial` until its size and hash are right.
///
/// # Errors
///
/// [`Error::Input`] for a set without files to fetch, for want of `curl` or a network, for a download that is not the
/// pinned file, and for another file in its place, which is never overwritten; [`Error::Io`] where the directory cannot
/// be written.
pub fn fetch<'a>(
    known: &Known<'a>,
    data_dir: &Path,
    curl: &Path,
    mut progress: impl FnMut(Stage<'a>),
) -> Result<Fetched> {
    if known.files.is_empty() {
        return Err(
            Error::input(known.name, "cannot be fetched: no file of it is pinned").hint(known.by_hand)
        );
    }
    let dir = data_dir.join(known.name);
    let mut missing = Vec::new();
    for file in known.files {
        let path = dir.join(file.name);
        match path.try_exists().map_err(|e| Error::io(&path, e))? {
            true => check(file, &path, &path).map_err(|error| {
                error.hint("move it away and fetch again, or keep it and name it in the study")
            })?,
            false => missing.push(file),
        }
    }
    if !missing.is_empty() {
        progress(Stage::Licence(known.licence));
        fs::create_dir_all(&dir).map_err(|e| Error::io(&dir, e))?;
    }
    for file in &missing {
        progress(Stage::Downloading { file: file.name, bytes: file.bytes });
        download(known, file, &dir, curl)?;
    }
    Ok(Fetched { dir, was_there: missing.is_empty() })
}

fn download(known: &Known<'_>, file: &Remote<'_>, dir: &Path, curl: &Path) -> Result<()> {
    let path = dir.join(file.name);
    let partial = dir.join(format!("{}.partial", file.name));
    let url = format!("{}/{}", known.base, file.name);
    let output = Command::new(curl)
        .args(["--fail", "--silent", "--show-error", "--location", "--proto", "=https,file"])
        .args(["--proto-redir", "=https", "--connect-timeout", "30", "--retry", "2", "--output"])
        .arg(&partial)
        .arg(&url)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "no such program".to_owned(),
                _ => format!("cannot be run: {error}"),
            };
            Error::input(curl.display().to_string(), why)
                .hint("fetching data sets needs curl; install it, or name it with --curl")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        let why =
            format!("curl could not download it: {}", last.unwrap_or_else(|| output.status.to_string()));
        return Err(Error::input(url, why).hint(format!(
            "check the network and curl's settings, or get the file from {} and put it at {}",
            known.home,
            path.display()
        )));
    }
    if let Err(error) = check(file, &partial, &path) {
        // Refused for good: kept, it would only be taken for the file.
        let _ = fs::remove_file(&partial);
        return Err(error.hint(format!("it may have changed at its home, {}", known.home)));
    }
    fs::rename(&partial, &path).map_err(|e| Error::io(&path, e))
}

/// Whether what lies at `at` is the pinned file; `path` names it in the message.
fn check(file: &Remote<'_>, at: &Path, path: &Path) -> Result<()> {
    let bytes = fs::metadata(at).map_err(|e| Error::io(at, e))?.len();
    let found = sha256(at)?;
    if bytes == file.bytes && found == file.sha256 {
        return Ok(());
    }
    let why = format!(
        "is not the pinned file: its SHA-256 is {found} ({bytes} bytes) and should be {} ({} bytes)",
        file.sha256, file.bytes
    );
    Err(Error::input(path.display().to_string(), why))
}

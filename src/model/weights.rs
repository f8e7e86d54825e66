//! Weights, mapped from safetensors files: the map itself is the memory of the tensors.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

struct Entry {
    file: usize,
    start: usize,
    dtype: Dtype,
    shape: Vec<i64>,
}

/// The tensors of a checkpoint directory, one file or several.
pub struct Weights {
    files: Vec<(PathBuf, Arc<Mmap>)>,
    entries: HashMap<String, Entry>,
}

impl Weights {
    /// Maps `model.safetensors`, or the files that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// No such file, a truncated or over-long file, a malformed header, a dtype that cannot be computed with.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut weights = Self { files: Vec::new(), entries: HashMap::new() };
        for path in shards(dir)? {
            weights.map(&path)?;
        }
        Ok(weights)
    }

    fn map(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        // SAFETY: the map is read only. A checkpoint that another process truncates while it is used would
        // fault; nothing in this program writes to it.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        let name = path.display().to_string();
        let tensors = SafeTensors::deserialize(&map).map_err(|error| {
            Error::input(name.clone(), format!("not a whole safetensors file: {error}"))
                .hint("it is truncated, over-long or damaged: fetch it again")
        })?;
        for (tensor, view) in tensors.iter() {
            let entry = Entry {
                file: self.files.len(),
                start: view.data().as_ptr() as usize - map.as_ptr() as usize,
                dtype: view.dtype(),
                shape: view.shape().iter().map(|&n| n as i64).collect(),
            };
            if self.entries.insert(tensor.to_string(), entry).is_some() {
                return Err(Error::input(name, format!("tensor {tensor} stands in two files")));
            }
        }
        self.files.push((path.to_path_buf(), Arc::new(map)));
        Ok(())
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Number of parameters over all tensors.
    #[must_use]
    pub fn parameters(&self) -> i64 {
        self.entries.values().map(|entry| entry.shape.iter().product::<i64>()).sum()
    }

    /// The dtypes in use, with the number of tensors of each.
    #[must_use]
    pub fn dtypes(&self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for entry in self.entries.values() {
            *counts.entry(format!("{:?}", entry.dtype).to_lowercase()).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// The maps behind the tensors: whoever keeps tensors from [`Weights::get`] on the CPU keeps these too.
    #[must_use]
    pub fn maps(&self) -> Vec<Arc<Mmap>> {
        self.files.iter().map(|(_, map)| Arc::clone(map)).collect()
    }

    /// The tensor `name` of the given shape on `device` in `kind`.
    ///
    /// No byte is copied when device and kind are the file's own. The tensor is valid as long as one of
    /// [`Weights::maps`] lives, and must not be written to.
    ///
    /// # Errors
    /// A missing tensor, another shape, a dtype that is not f32, f16 or bf16.
    pub fn get(&self, name: &str, shape: &[i64], kind: Kind, device: Device) -> Result<Tensor> {
        let Some(entry) = self.entries.get(name) else {
            return Err(Error::input(self.place(), format!("tensor {name} is missing"))
                .hint("the weights do not fit config.json: is the checkpoint complete?"));
        };
        let (path, map) = &self.files[entry.file];
        let wrong = |why: String| Error::input(path.display().to_string(), format!("tensor {name}: {why}"));
        if entry.shape != shape {
            return Err(wrong(format!("has shape {:?}, config.json asks for {shape:?}", entry.shape)));
        }
        let stored = match entry.dtype {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            other => {
                return Err(wrong(format!("dtype {other:?} is not supported")).hint("f32, f16 and bf16 are"));
            }
        };
        let bytes = &map[entry.start..];
        let aligned = (bytes.as_ptr() as usize).is_multiple_of(stored.elt_size_in_bytes());
        let tensor = if aligned {
            // SAFETY: SafeTensors::deserialize has checked that the shape's bytes lie inside the map, the
            // alignment was checked above, and the caller keeps the map (see `maps`) and never writes.
            unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &[], stored, Device::Cpu) }?
        } else {
            let length = shape.iter().product::<i64>() as usize * stored.elt_size_in_bytes();
            Tensor::f_from_data_size(&bytes[..length], shape, stored)?
        };
        Ok(tensor.f_to_device(device)?.f_to_kind(kind)?)
    }

    /// Placeholder until merge.
    pub fn adapter(&mut self, _dir: &Path) -> Result<()> {
        Err(Error::input("adapter", "not merged yet"))
    }

    /// Placeholder until merge.
    pub fn release(&self) {}

    fn place(&self) -> String {
        self.files.first().map_or_else(String::new, |(path, _)| path.display().to_string())
    }
}

/// The safetensors files of a directory.
fn shards(dir: &Path) -> Result<Vec<PathBuf>> {
    let single = dir.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = dir.join("model.safetensors.index.json");
    if index.is_file() {
        let config = super::config::Config::read(&index)?;
        let map = config.get("weight_map").and_then(serde_json::Value::as_object);
        let map = map.ok_or_else(|| config.wrong("weight_map", "is missing or not an object"))?;
        let mut files = std::collections::BTreeSet::new();
        for file in map.values() {
            let file =
                file.as_str().filter(|file| Path::new(file).file_name() == Some(std::ffi::OsStr::new(file)));
            files.insert(dir.join(file.ok_or_else(|| {
                config.wrong("weight_map", "names something that is not a file beside it")
            })?));
        }
        return Ok(files.into_iter().collect());
    }
    let hint = if dir.join("pytorch_model.bin").exists() {
        "pytorch_model.bin is a pickle, which can run code: save the model again as safetensors"
    } else {
        "a checkpoint directory holds model.safetensors or model.safetensors.index.json"
    };
    Err(Error::input(dir.display().to_string(), "holds no safetensors weights").hint(hint))
}

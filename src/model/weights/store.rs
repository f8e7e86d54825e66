//! Safetensors files, mapped: the map itself is the memory of the tensors.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, UncheckedAdvice};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// Where a tensor stands and what it is.
pub(super) struct Entry {
    file: usize,
    start: usize,
    len: usize,
    pub dtype: Dtype,
    pub shape: Vec<i64>,
}

/// The tensors of some files.
#[derive(Default)]
pub(super) struct Store {
    files: Vec<(PathBuf, Mmap)>,
    pub entries: HashMap<String, Entry>,
}

impl Store {
    /// Maps the files; a tensor may stand in one of them only.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut store = Self::default();
        for path in paths {
            store.map(path)?;
        }
        Ok(store)
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
            // An axis of 0 makes others of any size take no bytes; their product must be a number all the same.
            let product = |product: i64, n: &usize| product.checked_mul(i64::try_from((*n).max(1)).ok()?);
            if view.shape().iter().try_fold(1, product).is_none() {
                let why = format!("tensor {tensor}: has shape {:?}, larger than any tensor", view.shape());
                return Err(Error::input(name, why));
            }
            let entry = Entry {
                file: self.files.len(),
                start: view.data().as_ptr() as usize - map.as_ptr() as usize,
                len: view.data().len(),
                dtype: view.dtype(),
                shape: view.shape().iter().map(|&n| n as i64).collect(),
            };
            if self.entries.insert(tensor.to_string(), entry).is_some() {
                return Err(Error::input(name, format!("tensor {tensor} stands in two files")));
            }
        }
        self.files.push((path.to_path_buf(), map));
        Ok(())
    }

    /// The first file, to name the checkpoint in errors.
    pub fn place(&self) -> String {
        self.files.first().map_or_else(String::new, |(path, _)| path.display().to_string())
    }

    /// An error about the tensor `name`.
    pub fn wrong(&self, name: &str, why: impl std::fmt::Display) -> Error {
        let file = self.entries.get(name).map(|entry| self.files[entry.file].0.display().to_string());
        Error::input(file.unwrap_or_else(|| self.place()), format!("tensor {name}: {why}"))
    }

    /// The entry of a tensor that must be there.
    pub fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| {
            Error::input(self.place(), format!("tensor {name} is missing"))
                .hint("the weights do not fit config.json: is the checkpoint complete?")
        })
    }

    /// The stored bytes of a tensor.
    pub fn bytes(&self, entry: &Entry) -> &[u8] {
        &self.files[entry.file].1[entry.start..][..entry.len]
    }

    /// The tensor in its stored kind on the CPU, and whether its memory is the map's.
    pub fn tensor(&self, name: &str) -> Result<(Tensor, bool)> {
        let entry = self.entry(name)?;
        let stored = match entry.dtype {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            other => {
                let error = self.wrong(name, format!("dtype {other:?} is not supported"));
                return Err(error.hint("f32, f16 and bf16 are"));
            }
        };
        let bytes = self.bytes(entry);
        if !(bytes.as_ptr() as usize).is_multiple_of(stored.elt_size_in_bytes()) {
            return Ok((Tensor::f_from_data_size(bytes, &entry.shape, stored)?, false));
        }
        // SAFETY: SafeTensors::deserialize has checked that the shape's bytes are these, the alignment was
        // checked above, and the caller keeps the store and never writes.
        let view = unsafe { Tensor::f_from_blob(bytes.as_ptr(), &entry.shape, &[], stored, Device::Cpu) }?;
        Ok((view, true))
    }

    /// Tells the system that a tensor's pages may go.
    pub fn release(&self, name: &str) {
        if let Some(entry) = self.entries.get(name) {
            // Whole pages only: what shares a page with a neighbour stays.
            let first = entry.start.next_multiple_of(PAGE);
            let end = (entry.start + entry.len) / PAGE * PAGE;
            forget(&self.files[entry.file].1, first, end);
        }
    }

    /// Tells the system that all pages may go.
    pub fn release_all(&self) {
        for (_, map) in &self.files {
            forget(map, 0, map.len());
        }
    }
}

/// No page of a system this runs on is larger, and all smaller ones divide it.
const PAGE: usize = 64 * 1024;

/// Drops a range of a map from memory, from a page's beginning on; what is read again comes from the file again.
fn forget(map: &Mmap, start: usize, end: usize) {
    if start < end {
        // SAFETY: the range lies in the map, a read-only view of a file, whose bytes are the same when they are read
        // again. Advice that the system does not take costs memory, nothing else.
        let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
    }
}

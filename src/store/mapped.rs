//! A safetensors file in the system's page cache: its tensors are looked at where they lie.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::{Error, Result};

/// A mapped safetensors file. Nothing is read before it is looked at.
#[derive(Debug)]
pub struct Mapped {
    path: PathBuf,
    map: Mmap,
    header: Metadata,
    /// Where the tensors begin.
    begin: usize,
}

/// A tensor of a [`Mapped`] file.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    file: &'a Mapped,
    name: &'a str,
    /// How its values are stored.
    pub dtype: Dtype,
    /// Its sizes; the values are row-major.
    pub shape: &'a [usize],
    bytes: &'a [u8],
}

impl Mapped {
    /// Maps a file and checks its header against its length.
    ///
    /// # Errors
    /// It cannot be read, or is no whole safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        // SAFETY: the map is read only; nothing in this program writes to a file that it has mapped.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        let (length, header) = SafeTensors::read_metadata(&map).map_err(|error| {
            Error::input(path.display().to_string(), format!("not a whole safetensors file: {error}"))
                .hint("write it again with safetensors; a file that was cut short cannot be used")
        })?;
        Ok(Self { path: path.to_path_buf(), map, header, begin: 8 + length })
    }

    /// The names of its tensors, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort();
        names
    }

    /// What the file says of itself: the entry `recant` of its metadata, null where there is none.
    #[must_use]
    pub fn about(&self) -> Value {
        let text = self.header.metadata().as_ref().and_then(|map| map.get("recant"));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// A tensor, if the file holds it.
    #[must_use]
    pub fn get<'a>(&'a self, name: &'a str) -> Option<Stored<'a>> {
        let info = self.header.info(name)?;
        let (from, to) = info.data_offsets;
        let bytes = &self.map[self.begin + from..self.begin + to];
        Some(Stored { file: self, name, dtype: info.dtype, shape: &info.shape, bytes })
    }

    /// An error about this file.
    #[must_use]
    pub fn wrong(&self, why: impl Into<String>) -> Error {
        Error::input(self.path.display().to_string(), why)
    }
}

impl<'a> Stored<'a> {
    fn wrong(&self, why: String) -> Error {
        self.file.wrong(format!("{} {why}", self.name))
    }

    /// An error that says which shape was expected.
    #[must_use]
    pub fn misshapen(&self, expected: &str) -> Error {
        self.wrong(format!("has shape {:?} where {expected} is expected", self.shape))
    }

    /// The values of the block `at` of `len` values, as f32; borrowed where they lie there as such.
    ///
    /// # Errors
    /// They are not floating-point numbers.
    pub fn block(&self, at: usize, len: usize) -> Result<Cow<'a, [f32]>> {
        let size = self.width()?;
        let bytes = &self.bytes[at * len * size..(at + 1) * len * size];
        if self.dtype == Dtype::F32 && cfg!(target_endian = "little") {
            // SAFETY: every pattern of bits is an f32; `align_to` leaves out what is not aligned.
            let (before, values, after) = unsafe { bytes.align_to::<f32>() };
            if before.is_empty() && after.is_empty() {
                return Ok(Cow::Borrowed(values));
            }
        }
        Ok(self.decoded(bytes).map(|value| value as f32).collect())
    }

    /// All values.
    ///
    /// # Errors
    /// They are not floating-point numbers.
    pub fn floats(&self) -> Result<Vec<f64>> {
        self.width()?;
        Ok(self.decoded(self.bytes).collect())
    }

    /// All values of a tensor of integers or of truth values.
    ///
    /// # Errors
    /// They are neither.
    pub fn integers(&self) -> Result<Vec<i64>> {
        let bytes = self.bytes;
        Ok(match self.dtype {
            Dtype::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect(),
            Dtype::I32 => bytes.as_chunks().0.iter().map(|&b| i64::from(i32::from_le_bytes(b))).collect(),
            Dtype::I16 => bytes.as_chunks().0.iter().map(|&b| i64::from(i16::from_le_bytes(b))).collect(),
            Dtype::I8 => bytes.iter().map(|&b| i64::from(b.cast_signed())).collect(),
            Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&b| i64::from(b)).collect(),
            other => return Err(self.wrong(format!("is {other:?}")).hint("store it as i64")),
        })
    }

    fn width(&self) -> Result<usize> {
        match self.dtype {
            Dtype::F64 => Ok(8),
            Dtype::F32 => Ok(4),
            Dtype::F16 | Dtype::BF16 => Ok(2),
            other => Err(self.wrong(format!("is {other:?}")).hint("store it as f32")),
        }
    }

    /// Values whose dtype [`Stored::width`] knows.
    fn decoded<'b>(&self, bytes: &'b [u8]) -> Box<dyn Iterator<Item = f64> + 'b> {
        match self.dtype {
            Dtype::F64 => Box::new(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b))),
            Dtype::F32 => Box::new(bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b)))),
            Dtype::F16 => Box::new(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f64())),
            _ => Box::new(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f64())),
        }
    }
}

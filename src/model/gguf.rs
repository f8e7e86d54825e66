//! Reading GGUF files, versions 2 and 3: named values and named tensors in one little-endian file.
//!
//! The reader is strict. Every count and length is held against the bytes that are left before anything is
//! allocated, tensors must follow each other without gaps or overlaps, and nothing may come after the last one. What
//! it returns stays inside the memory map: strings, arrays and tensors are slices of the file.
//!
//! [`Gguf::open`] maps a file; [`blocks`] knows how numbers are packed; [`architecture`] and [`tokenizer`] turn the
//! values into a Hugging Face `config.json` and `tokenizer.json`, with one entry an architecture in [`families`].

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, Result};

pub mod architecture;
pub mod blocks;
mod cursor;
pub mod families;
mod rope;
pub mod tokenizer;

use blocks::TensorType;
use cursor::{Cursor, Parse};

/// Tensors are laid out on multiples of this many bytes unless `general.alignment` says otherwise.
const DEFAULT_ALIGNMENT: usize = 32;

/// A GGUF file, mapped and checked.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    map: Mmap,
    version: u32,
    alignment: usize,
    metadata: BTreeMap<String, Value>,
    tensors: Vec<Tensor>,
}

/// One metadata value. Strings and arrays are places in the file; [`Gguf`] reads them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number of any width, signed or not.
    Int(i128),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// UTF-8 text: where it is in the file.
    Text(Range<usize>),
    /// Values of one type: what they are, how many, and where they are in the file.
    Array {
        /// Type of the elements.
        of: ValueType,
        /// Number of elements.
        len: usize,
        /// The bytes of the elements.
        bytes: Range<usize>,
    },
}

/// The type of a metadata value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueType {
    /// Unsigned, 8 bits.
    U8 = 0,
    /// Signed, 8 bits.
    I8 = 1,
    /// Unsigned, 16 bits.
    U16 = 2,
    /// Signed, 16 bits.
    I16 = 3,
    /// Unsigned, 32 bits.
    U32 = 4,
    /// Signed, 32 bits.
    I32 = 5,
    /// 32-bit float.
    F32 = 6,
    /// A byte that is 0 or 1.
    Bool = 7,
    /// UTF-8 text after its length.
    Text = 8,
    /// A type, a count and that many values.
    Array = 9,
    /// Unsigned, 64 bits.
    U64 = 10,
    /// Signed, 64 bits.
    I64 = 11,
    /// 64-bit float.
    F64 = 12,
}

/// A tensor of the file: its name, its shape and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name as the file has it, for example `blk.0.attn_q.weight`.
    pub name: String,
    /// Sizes with the slowest axis first, as safetensors and torch have them: a weight is `[out, in]`.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub kind: TensorType,
    bytes: Range<usize>,
}

impl Tensor {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.kind.block_bytes() * self.kind.block_len()
    }
}

impl Gguf {
    /// Maps and checks the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is not a whole and sound GGUF file or has a
    /// tensor type that is not in [`TensorType::ALL`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
        if !metadata.is_file() {
            return Err(Error::input(path.display().to_string(), "not a file"));
        }
        // SAFETY: the map is only read. As with every mapped file, another process must not shorten it meanwhile; a
        // checkpoint is not a file that programs write in place.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        let parsed = parse(&map).map_err(|why| Error::input(path.display().to_string(), why))?;
        let Parsed { version, alignment, metadata, tensors } = parsed;
        Ok(Self { path: path.to_path_buf(), map, version, alignment, metadata, tensors })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of the format: 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Tensors begin on multiples of this many bytes.
    #[must_use]
    pub fn alignment(&self) -> usize {
        self.alignment
    }

    /// The tensors in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The keys of the metadata, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// The value under `key`, if there is one.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The text under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not text.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(place)) => match self.map.get(place.clone()).map(std::str::from_utf8) {
                Some(Ok(text)) => Ok(Some(text)),
                _ => Err(self.error(format!("{key} is no longer what it was when the file was opened"))),
            },
            Some(_) => Err(self.error(format!("{key} should be text"))),
        }
    }

    /// The size or count under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not a whole number that a size can hold.
    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Int(n)) => match usize::try_from(*n) {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(self.error(format!("{key} is {n}, which is no size"))),
            },
            Some(_) => Err(self.error(format!("{key} should be one whole number"))),
        }
    }

    /// The number under `key`, if there is one. A 32-bit float comes back as the shortest decimal number that reads
    /// as that float: what its writer most likely meant (`1e-5`, not `0.00000999999974...`).
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not a finite number.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        let number = match self.value(key) {
            None => return Ok(None),
            Some(Value::F32(x)) => shortest(*x),
            Some(Value::F64(x)) => *x,
            #[allow(clippy::cast_precision_loss)]
            Some(Value::Int(n)) => *n as f64,
            Some(_) => return Err(self.error(format!("{key} should be a number"))),
        };
        if !number.is_finite() {
            return Err(self.error(format!("{key} is {number}")));
        }
        Ok(Some(number))
    }

    /// The truth value under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is neither true nor false.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.error(format!("{key} should be true or false"))),
        }
    }

    /// The texts in the array under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not an array of texts.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.array(key, &[ValueType::Text], "texts", |cursor, _| {
            let place = cursor.text()?;
            cursor.str_at(place)
        })
    }

    /// The whole numbers in the array under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not an array of 8, 16 or 32-bit whole numbers.
    pub fn ints(&self, key: &str) -> Result<Option<Vec<i64>>> {
        use ValueType::{I8, I16, I32, U8, U16, U32};
        self.array(key, &[U8, I8, U16, I16, U32, I32], "whole numbers", |cursor, of| {
            match cursor.value(of)? {
                Value::Int(n) => i64::try_from(n).map_err(|_| format!("{n} is too large")),
                _ => Err("not a whole number".to_owned()),
            }
        })
    }

    /// The 32-bit floats in the array under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not an array of 32-bit floats.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.array(key, &[ValueType::F32], "32-bit floats", |cursor, of| match cursor.value(of)? {
            Value::F32(x) => Ok(x),
            _ => Err("not a 32-bit float".to_owned()),
        })
    }

    /// The truth values in the array under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the value is not an array of truth values.
    pub fn flags(&self, key: &str) -> Result<Option<Vec<bool>>> {
        self.array(key, &[ValueType::Bool], "truth values", |cursor, of| match cursor.value(of)? {
            Value::Bool(flag) => Ok(flag),
            _ => Err("not a truth value".to_owned()),
        })
    }

    fn array<'a, T>(
        &'a self,
        key: &str,
        allowed: &[ValueType],
        what: &str,
        mut read: impl FnMut(&mut Cursor<'a>, ValueType) -> Parse<T>,
    ) -> Result<Option<Vec<T>>> {
        let (of, len, bytes) = match self.value(key) {
            None => return Ok(None),
            Some(Value::Array { of, len, bytes }) if allowed.contains(of) => (*of, *len, bytes),
            Some(_) => return Err(self.error(format!("{key} should be an array of {what}"))),
        };
        let mut cursor = Cursor::new(&self.map, bytes.clone());
        let values: Parse<Vec<T>> = (0..len).map(|_| read(&mut cursor, of)).collect();
        values.map(Some).map_err(|why| self.error(format!("{key}: {why}")))
    }

    /// The bytes of a tensor of this file.
    #[must_use]
    pub fn bytes(&self, tensor: &Tensor) -> &[u8] {
        self.map.get(tensor.bytes.clone()).unwrap_or_default()
    }

    /// The numbers of a tensor as f32, row after row.
    #[must_use]
    pub fn dequantize(&self, tensor: &Tensor) -> Vec<f32> {
        let mut out = vec![0.0; tensor.elements()];
        tensor.kind.dequantize(self.bytes(tensor), &mut out);
        out
    }

    /// An error about this file.
    #[must_use]
    pub fn error(&self, why: impl Into<String>) -> Error {
        Error::input(self.path.display().to_string(), why)
    }
}

/// The shortest decimal number that reads as this float.
fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

struct Parsed {
    version: u32,
    alignment: usize,
    metadata: BTreeMap<String, Value>,
    tensors: Vec<Tensor>,
}

fn parse(file: &[u8]) -> Parse<Parsed> {
    let mut cursor = Cursor::new(file, 0..file.len());
    if cursor.take(4).ok().and_then(|place| file.get(place)) != Some(b"GGUF") {
        return Err("not a GGUF file (its first four bytes are not `GGUF`)".to_owned());
    }
    let version = cursor.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(if matches!(version.swap_bytes(), 2 | 3) {
            "a big-endian GGUF file; only little-endian ones are read".to_owned()
        } else {
            format!("GGUF version {version} is not known (known: 2, 3)")
        });
    }
    // The least a tensor takes: name length, axis count, one axis, type, offset. The least a value takes: key
    // length, type, one byte.
    let n_tensors = cursor.count(8 + 4 + 8 + 4 + 8, "tensors")?;
    let n_values = cursor.count(8 + 4 + 1, "values")?;

    let mut metadata = BTreeMap::new();
    for _ in 0..n_values {
        let key = cursor.name().map_err(|why| format!("a metadata key: {why}"))?;
        let value = cursor
            .value_type()
            .and_then(|of| cursor.value(of))
            .map_err(|why| format!("the value of {}: {why}", key.escape_debug()))?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("the key {} occurs twice", key.escape_debug()));
        }
    }
    let alignment = alignment(&metadata)?;

    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        tensors.push(cursor.tensor()?);
    }
    place(&mut tensors, cursor.position(), alignment, file.len())?;
    no_name_twice(&tensors)?;
    Ok(Parsed { version, alignment, metadata, tensors })
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Parse<usize> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Int(n)) => usize::try_from(*n)
            .ok()
            .filter(|n| n.is_power_of_two() && *n >= 8)
            .ok_or_else(|| format!("general.alignment is {n}, not a power of two from 8 up")),
        Some(_) => Err("general.alignment should be a whole number".to_owned()),
    }
}

/// Turns the offsets, which count from the aligned end of the header, into places in the file. Each tensor must
/// begin where the one before it ends, rounded up to the alignment, and the file must end with the last one.
fn place(tensors: &mut [Tensor], header_end: usize, alignment: usize, file_len: usize) -> Parse<()> {
    let round_up = |n: usize| n.checked_next_multiple_of(alignment).ok_or("the file is too large".to_owned());
    if tensors.is_empty() {
        return if round_up(header_end)? < file_len {
            Err(format!("{} bytes follow the header of a file without tensors", file_len - header_end))
        } else {
            Ok(())
        };
    }
    let start = round_up(header_end)?;
    let mut end = start;
    for tensor in tensors {
        let name = tensor.name.escape_debug();
        let at = round_up(end)?;
        let expected = at - start;
        if tensor.bytes.start != expected {
            let stated = tensor.bytes.start;
            return Err(format!("tensor {name} is said to begin at {stated}, but its place is {expected}"));
        }
        end = at.checked_add(tensor.bytes.len()).filter(|end| *end <= file_len).ok_or_else(|| {
            let missing = tensor.bytes.len().saturating_sub(file_len.saturating_sub(at));
            format!("the file ends {missing} bytes before the end of tensor {name}")
        })?;
        tensor.bytes = at..end;
    }
    if file_len > round_up(end)? {
        return Err(format!("{} bytes follow the last tensor", file_len - end));
    }
    Ok(())
}

fn no_name_twice(tensors: &[Tensor]) -> Parse<()> {
    let mut names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("the tensor {} occurs twice", pair[0].escape_debug())),
        None => Ok(()),
    }
}

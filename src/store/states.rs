//! State shards: one safetensors file of hidden states, with its axes and a checksum.

use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::atomic;
use crate::study::manifest::hash;
use crate::{Error, Result};

const AGAIN: &str = "delete this shard and run the study again";

/// A block of states read into memory.
#[derive(Debug, Clone)]
pub struct States {
    /// Sizes along the axes, the last being the width.
    pub shape: Vec<usize>,
    /// f32 values, row-major.
    pub values: Vec<f32>,
}

impl States {
    /// The same values with each layer's vector seen as those of its heads: the axes `layers, heads * d` become
    /// `layers * heads, d`; as they are where no heads are named.
    ///
    /// # Errors
    /// The vectors cannot be shared out among so many heads.
    pub fn by_head(mut self, heads: Option<usize>) -> Result<Self> {
        let Some(heads) = heads else { return Ok(self) };
        let [.., layers, width] = &mut self.shape[..] else {
            return Err(Error::input("states", format!("have shape {:?}, without layers", self.shape)));
        };
        if heads == 0 || *width % heads != 0 {
            return Err(Error::input("states", format!("of width {width} are not those of {heads} heads")));
        }
        *layers *= heads;
        *width /= heads;
        Ok(self)
    }
}

/// What a shard says of its tensors.
#[derive(Debug, Clone, Serialize)]
pub struct About<'a> {
    /// The run it belongs to.
    pub run_key: &'a str,
    /// The axes of a per-layer site; others lack `layer`.
    pub axes: &'a [&'a str],
    /// The items, or texts, along the first axis.
    pub item_ids: &'a [&'a str],
    /// The model's layers along the layer axis.
    pub layers: &'a [usize],
    /// The named tokens along the position axis; empty where there is none.
    pub positions: &'a [String],
    /// SHA-256 of the turns that belong to the states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns_sha256: Option<String>,
    /// The seed of the model's random weights; none where they are the checkpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_seed: Option<u64>,
}

/// Writes one tensor per site and what it takes to read them without anything else.
///
/// # Errors
/// The disk is full or the directory is not writable.
pub fn write(path: &Path, sites: &[(String, Tensor)], kind: Kind, about: &About<'_>) -> Result<()> {
    write_of(path, sites, kind, json!(about))
}

/// Writes a shard of other numbers than states; `about`, which names the `run_key`, is what it says of them.
///
/// # Errors
/// As [`write`].
pub fn write_of(path: &Path, sites: &[(String, Tensor)], kind: Kind, mut about: Value) -> Result<()> {
    let stored: Vec<(String, Tensor)> = sites
        .iter()
        .map(|(site, tensor)| {
            Ok((site.clone(), tensor.f_to_device(Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?))
        })
        .collect::<Result<_>>()?;
    about["format"] = "recant-states-1".into();
    let parts = stored
        .iter()
        .map(|(site, tensor)| {
            let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
            tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
            let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
            Ok(described(site, &shape, &bytes))
        })
        .collect::<Result<_>>()?;
    about["sha256"] = checksum(&about, parts).into();
    atomic::write_tensors(path, &stored, &about)
}

/// SHA-256 of the turns that belong to a shard, as the shard says.
///
/// # Errors
/// The file cannot be read or is no state shard.
pub fn turns_hash(path: &Path) -> Result<String> {
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
    // SAFETY: the map is read only and dropped at the end; nothing in this program writes to a finished shard.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
    let damaged = |why: &str| Error::input(path.display().to_string(), why).hint(AGAIN);
    let (_, header) = SafeTensors::read_metadata(&map).map_err(|error| damaged(&error.to_string()))?;
    let hash = stored_about(&header)["turns_sha256"].as_str().map(str::to_string);
    hash.ok_or_else(|| damaged("says nothing of its turns"))
}

fn stored_about(header: &Metadata) -> Value {
    let about = header.metadata().as_ref().and_then(|map| map.get("recant"));
    about.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Checks that a shard is whole, undamaged and of the run `key`.
///
/// # Errors
/// It is not.
pub fn verify(path: &Path, key: &str) -> Result<()> {
    Shard::read(path, key).map(|_| ())
}

/// Reads one site of a shard of the run `key` as f32.
///
/// # Errors
/// As [`Shard::read`] and [`Shard::site`].
pub fn read(path: &Path, site: &str, key: &str) -> Result<States> {
    Shard::read(path, key)?.site(site)
}

/// The bytes of a shard, checked once for all the sites that are read of it.
pub struct Shard {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Shard {
    /// Reads and checks a shard of the run `key`.
    ///
    /// # Errors
    /// The file is damaged (its checksum does not fit) or belongs to another run.
    pub fn read(path: &Path, key: &str) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let shard = Self { path: path.to_path_buf(), bytes };
        let file = shard.file()?;
        let parts = file.iter().map(|(name, view)| described(name, view.shape(), view.data())).collect();
        let mut about = shard.about()?;
        let sum = about.as_object_mut().and_then(|map| map.shift_remove("sha256"));
        if sum != Some(checksum(&about, parts).into()) {
            return Err(shard.damaged("the checksum does not fit: the file is damaged"));
        }
        if about["run_key"] != key {
            return Err(shard.damaged("belongs to another run: its run key is not the manifest's"));
        }
        Ok(shard)
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// The header cannot be read.
    pub fn about(&self) -> Result<Value> {
        let header = SafeTensors::read_metadata(&self.bytes);
        let (_, header) = header.map_err(|error| self.damaged(&error.to_string()))?;
        Ok(stored_about(&header))
    }

    /// One site as f32.
    ///
    /// # Errors
    /// There is no such site, or it is stored in another dtype than states are.
    pub fn site(&self, site: &str) -> Result<States> {
        let wrong = |why: String| Error::input(self.path.display().to_string(), why);
        let file = self.file()?;
        let view = file.tensor(site).map_err(|_| wrong(format!("holds no site {site}")))?;
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::BF16 => view
                .data()
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| half::bf16::from_le_bytes(*b).to_f32())
                .collect(),
            other => {
                return Err(wrong(format!("dtype {other:?} is not one that states are stored in")));
            }
        };
        Ok(States { shape: view.shape().to_vec(), values })
    }

    fn file(&self) -> Result<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.bytes)
            .map_err(|error| self.damaged(&format!("not a whole state shard: {error}")))
    }

    fn damaged(&self, why: &str) -> Error {
        Error::input(self.path.display().to_string(), why).hint(AGAIN)
    }
}

/// A tensor in one line, its bytes as a hash.
fn described(site: &str, shape: &[usize], bytes: &[u8]) -> String {
    format!("{site} {shape:?} {}\n", hash(bytes))
}

/// A hash over all that a shard holds: its tensors, and what it says of them.
fn checksum(about: &Value, mut parts: Vec<String>) -> String {
    parts.sort();
    hash(format!("{}{about}", parts.concat()).as_bytes())
}

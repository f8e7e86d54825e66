//! The weights of a checkpoint, as the model computes with them: mapped, unpacked where they are quantized, changed
//! where an adapter changes them.

mod gptq;
mod locate;
mod lora;
mod store;

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use tch::{Device, Kind, Tensor};

use super::config::Config;
use crate::{Error, Result};
use gptq::{Packed, Scheme};
use locate::Shards;
use lora::{Adapter, Delta};
use store::Store;

/// The tensors of a checkpoint directory, one file or several, with an adapter or without.
pub struct Weights {
    dir: PathBuf,
    store: Store,
    scheme: Option<Scheme>,
    /// The embedding is the head too.
    tied: bool,
    adapter: Option<Adapter>,
}

/// Names that the head goes by.
const HEADS: [&str; 3] = ["lm_head", "embed_out", "language_model.lm_head"];

/// Numbers that are unpacked or changed at a time.
const STRIP: i64 = 1 << 22;

/// A tensor about to be read.
struct Reading<'a> {
    store: &'a Store,
    /// The file's name of it, or of its largest part.
    stored: String,
    source: Source<'a>,
    delta: Option<Delta>,
}

enum Source<'a> {
    /// In a file, with whether the memory is the file's.
    Plain(Tensor, bool),
    Packed(Packed<'a>),
}

impl Reading<'_> {
    /// Rows `start..start + len`, unpacked and changed.
    fn rows(&self, start: i64, len: i64, device: Device) -> Result<Tensor> {
        let rows = match &self.source {
            Source::Plain(tensor, _) => tensor.f_narrow(0, start, len)?,
            Source::Packed(packed) => packed.rows(start as usize, len as usize)?,
        };
        match &self.delta {
            None => Ok(rows),
            Some(delta) => delta.add(&rows.f_to_device(device)?.f_to_kind(Kind::Float)?, start, len),
        }
    }

    /// All of it. What is made anew leaves no pages of the file in memory.
    fn whole(self, shape: &[i64], kind: Kind, device: Device) -> Result<Tensor> {
        if let (Source::Plain(tensor, mapped), None) = (&self.source, &self.delta) {
            let made = tensor.f_to_device(device)?.f_to_kind(kind)?;
            if !mapped || made.data_ptr() != tensor.data_ptr() {
                self.store.release(&self.stored);
            }
            return Ok(made);
        }
        let made = Tensor::f_empty(shape, (kind, device))?;
        let rows = shape[0];
        let strip = (STRIP / (shape[1..].iter().product::<i64>()).max(1)).max(1);
        for start in (0..rows).step_by(strip as usize) {
            let len = strip.min(rows - start);
            made.f_narrow(0, start, len)?.f_copy_(&self.rows(start, len, device)?)?;
        }
        self.store.release(&self.stored);
        Ok(made)
    }
}

impl Weights {
    /// Maps `model.safetensors`, the files that `model.safetensors.index.json` names, the only safetensors file, or a
    /// whole set of them. Reads how they are quantized from config.json or quantize_config.json.
    ///
    /// # Errors
    /// No such file, a part or a tensor that is promised and not there, a truncated or over-long file, a malformed
    /// header, a quantization that cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let scheme = Scheme::read(dir)?;
        let shards = Shards::find(dir)?;
        let store = Store::open(&shards.files)?;
        shards.check(&store)?;
        if scheme.is_none()
            && let Some(name) = store.entries.keys().filter(|name| name.ends_with(".qweight")).min()
        {
            return Err(store
                .wrong(name, "is quantized, but neither config.json nor quantize_config.json says how")
                .hint("config.json of a GPTQ checkpoint holds quantization_config: fetch it again"));
        }
        let config = dir.join("config.json");
        let said = config.is_file() && Config::read(&config)?.flag_or("tie_word_embeddings", false)?;
        let stored = |name: &str| {
            ["weight", "qweight"].iter().any(|part| store.entries.contains_key(&format!("{name}.{part}")))
        };
        let head = HEADS.iter().any(|name| stored(name));
        Ok(Self { dir: dir.to_path_buf(), store, scheme, tied: said || !head, adapter: None })
    }

    /// Lays a PEFT LoRA adapter over the checkpoint: from now on every tensor is read as the adapter changes it.
    ///
    /// # Errors
    /// A file that is missing or malformed, a second adapter, a kind of adapter that cannot be added to the weights, a
    /// tensor that changes nothing of this checkpoint or does not fit it.
    pub fn adapter(&mut self, dir: &Path) -> Result<()> {
        if self.adapter.is_some() {
            return Err(Error::input(
                dir.display().to_string(),
                "is a second adapter; one can be used at a time",
            ));
        }
        self.adapter = Some(Adapter::open(dir, self)?);
        Ok(())
    }

    /// Whether there is a tensor of this name, quantized or not.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.store.entries.contains_key(name) || self.packed(name).is_some()
    }

    /// The names of all tensors in order, a quantized one under the name it has when it is not.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let name = |name: &String| match name.strip_suffix(".qweight") {
            Some(module) => Some(format!("{module}.weight")),
            None => (!self.is_part(name)).then(|| name.clone()),
        };
        let mut names: Vec<String> = self.store.entries.keys().filter_map(name).collect();
        names.sort_unstable();
        names
    }

    /// The shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        if let Some(entry) = self.store.entries.get(name) {
            return Some(entry.shape.clone());
        }
        let (scheme, module) = self.packed(name)?;
        self.store.entries.get(&format!("{module}.qweight")).map(|entry| scheme.shape(entry))
    }

    /// Whether a tensor holds floating point numbers that [`Weights::get`] can read.
    #[must_use]
    pub fn is_float(&self, name: &str) -> bool {
        let stored = self.store.entries.get(name).map(|entry| entry.dtype);
        stored.map_or(self.packed(name).is_some(), |dtype| {
            matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
        })
    }

    /// The kind that a tensor of floating point numbers is stored in; `None` for others and for quantized ones.
    #[must_use]
    pub fn stored_kind(&self, name: &str) -> Option<Kind> {
        match self.store.entries.get(name)?.dtype {
            Dtype::F32 => Some(Kind::Float),
            Dtype::F16 => Some(Kind::Half),
            Dtype::BF16 => Some(Kind::BFloat16),
            _ => None,
        }
    }

    /// Number of parameters over all tensors.
    #[must_use]
    pub fn parameters(&self) -> i64 {
        self.names()
            .iter()
            .filter_map(|name| self.shape(name))
            .map(|shape| shape.iter().product::<i64>())
            .sum()
    }

    /// The dtypes in use, with the number of tensors of each; `gptq-4bit` and its like for quantized ones.
    #[must_use]
    pub fn dtypes(&self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for name in self.names() {
            let dtype = match (self.store.entries.get(&name), &self.scheme) {
                (None, Some(scheme)) => format!("gptq-{}bit", scheme.bits),
                (entry, _) => {
                    entry.map_or_else(String::new, |entry| format!("{:?}", entry.dtype).to_lowercase())
                }
            };
            *counts.entry(dtype).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Tells the system that the files' pages need not stay in memory. Tensors that share their memory stay valid:
    /// what is touched again is read from the file again.
    pub fn release(&self) {
        self.store.release_all();
        self.adapter.iter().for_each(|adapter| adapter.store.release_all());
    }

    /// The tensor `name` of the given shape on `device` in `kind`, unpacked and changed by the adapter.
    ///
    /// No byte is copied when device and kind are the file's own and nothing is unpacked or changed; what is copied
    /// leaves no pages of the file in memory. The tensor is valid as long as these weights live, and must not be
    /// written to.
    ///
    /// # Errors
    /// A missing tensor, another shape, a dtype that is not f32, f16 or bf16, quantized parts that do not fit.
    pub fn get(&self, name: &str, shape: &[i64], kind: Kind, device: Device) -> Result<Tensor> {
        let reading = self.reading(name, device)?;
        match self.misfit(name, shape) {
            None => reading.whole(shape, kind, device),
            Some(why) => Err(reading.store.wrong(&reading.stored, why)),
        }
    }

    /// Checks that the tensor `name` is there in the given shape; reads none of its numbers.
    ///
    /// # Errors
    /// A missing tensor, another shape.
    pub fn check(&self, name: &str, shape: &[i64]) -> Result<()> {
        if self.shape(name).is_none() {
            self.store.entry(name)?;
        }
        self.misfit(name, shape).map_or(Ok(()), |why| Err(self.store.wrong(name, why)))
    }

    /// What is wrong with the shape of a tensor.
    fn misfit(&self, name: &str, shape: &[i64]) -> Option<String> {
        let found = self.shape(name).filter(|found| found != shape)?;
        Some(format!("has shape {found:?}, config.json asks for {shape:?}"))
    }

    /// Rows `start..start + len` of a tensor in f32 on the CPU, unpacked and changed by the adapter.
    ///
    /// # Errors
    /// As [`Weights::get`]; rows that the tensor does not have.
    pub fn rows(&self, name: &str, start: i64, len: i64) -> Result<Tensor> {
        let reading = self.reading(name, Device::Cpu)?;
        let shape = self.shape(name).unwrap_or_default();
        let there =
            |rows: &&i64| start >= 0 && len >= 0 && start.checked_add(len).is_some_and(|end| end <= **rows);
        if shape.first().filter(there).is_none() {
            let why = format!("has shape {shape:?}, which lacks rows {start} and {len} more");
            return Err(reading.store.wrong(&reading.stored, why));
        }
        Ok(reading.rows(start, len, Device::Cpu)?.f_to_kind(Kind::Float)?)
    }

    fn reading(&self, name: &str, device: Device) -> Result<Reading<'_>> {
        let change = self.adapter.as_ref().and_then(|adapter| Some((adapter, adapter.change(name)?)));
        let delta = change.map(|(adapter, change)| adapter.delta(change, device)).transpose()?.flatten();
        let replaced =
            change.and_then(|(adapter, change)| Some((&adapter.store, change.replaced.as_deref()?)));
        if let (None, Some((scheme, module))) = (replaced, self.packed(name)) {
            let source = Source::Packed(Packed::read(&self.store, scheme, module)?);
            return Ok(Reading { store: &self.store, stored: format!("{module}.qweight"), source, delta });
        }
        let (store, stored) = replaced.unwrap_or((&self.store, name));
        let (tensor, mapped) = store.tensor(stored)?;
        Ok(Reading { store, stored: stored.to_string(), source: Source::Plain(tensor, mapped), delta })
    }

    /// The module of `name`, if its weight is a quantized one.
    fn packed<'a>(&self, name: &'a str) -> Option<(&Scheme, &'a str)> {
        let module = name.strip_suffix(".weight")?;
        let quantized = |part: &str| self.store.entries.contains_key(&format!("{module}.{part}"));
        (!quantized("weight") && quantized("qweight")).then_some((self.scheme.as_ref()?, module))
    }

    /// Whether a tensor is a part of a quantized one.
    fn is_part(&self, name: &str) -> bool {
        let module =
            ["qzeros", "scales", "g_idx"].iter().find_map(|part| name.strip_suffix(part)?.strip_suffix('.'));
        module.is_some_and(|module| self.store.entries.contains_key(&format!("{module}.qweight")))
    }

    /// The name under which the checkpoint holds a tensor of the model: with or without the family's prefix.
    fn resolve(&self, name: &str) -> Option<String> {
        // Longer ones first: each is tried as what the name begins with.
        const PREFIXES: [&str; 6] = [
            "model.language_model.",
            "language_model.model.",
            "language_model.",
            "model.",
            "transformer.",
            "gpt_neox.",
        ];
        let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        let others = PREFIXES.iter().map(|prefix| format!("{prefix}{bare}"));
        let part = HEADS.iter().find_map(|head| name.strip_prefix(head)).filter(|part| part.starts_with('.'));
        let heads = part.into_iter().flat_map(|part| HEADS.iter().map(move |head| format!("{head}{part}")));
        let mut names = [name.to_string(), bare.to_string()].into_iter().chain(others).chain(heads);
        names.find(|name| self.contains(name))
    }
}

//! From the metadata and tensor names of a GGUF file to a Hugging Face configuration.
//!
//! An architecture is one entry of [`ARCHITECTURES`]: its names, its tensors and what its `config.json` says. Whatever
//! a file states that an entry does not account for is refused, because a value left out would change the numbers
//! without a word.

use serde_json::{Map, Value, json};

use super::families::ARCHITECTURES;
use super::tokenizer::Dialect;
use super::{Gguf, Tensor};
use crate::error::{Error, Result};

/// How a model family of GGUF files becomes one of Hugging Face.
#[derive(Debug)]
pub struct Architecture {
    /// `general.architecture` in the file, and the prefix of its keys.
    pub name: &'static str,
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// How its SentencePiece vocabularies are meant.
    pub dialect: Dialect,
    pub(super) class: &'static str,
    /// Settings it has beyond those of every architecture.
    pub(super) settings: &'static [&'static [&'static str]],
    /// Tensors that are settings: they go into the configuration.
    pub(super) factors: &'static [&'static str],
    /// What the size of a head and of its rotated part may be.
    pub(super) heads: Heads,
    /// What the Hugging Face names of the tensors of a block begin with.
    pub(super) layers: &'static str,
    /// Tensors outside of the blocks; all but [`Slot::optional`] ones must be there.
    pub(super) outer: &'static [Slot],
    pub(super) block: &'static [Slot],
    pub(super) config: fn(&Keys, &Dimensions) -> Result<Map<String, Value>>,
}

/// What the size of a head may be where a configuration can or cannot say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    /// Any size; all of it is rotated.
    AnySize,
    /// The heads share the width of the model; all of a head is rotated, or nothing is.
    ShareWidth,
    /// The heads share the width of the model; the first part of a head is rotated.
    ShareWidthPartlyRotated,
}

/// A tensor that an architecture has, in both vocabularies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    gguf: &'static str,
    hf: &'static str,
    shape: &'static [Axis],
    change: Change,
    optional: bool,
}

pub(super) const fn slot(gguf: &'static str, hf: &'static str, shape: &'static [Axis]) -> Slot {
    Slot { gguf, hf, shape, change: Change::None, optional: false }
}

impl Slot {
    /// Undoes a change of the numbers.
    pub(super) const fn undo(mut self, change: Change) -> Self {
        self.change = change;
        self
    }

    /// The file need not have it.
    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// What was done to the numbers of a tensor on their way into the file, to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The rotary pairs are side by side (rows 2 i and 2 i + 1 of a head); Hugging Face has them half a head apart
    /// (rows i and i + half).
    Paired,
    /// One was added; Hugging Face adds it when the norm is applied.
    PlusOne,
    /// Rows and columns were exchanged: Hugging Face has `[in, out]`.
    Transposed,
}

/// The size of a tensor along an axis.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axis {
    Vocab,
    Hidden,
    FeedForward,
    /// Gate and up, one after the other.
    GateUp,
    /// Query heads x head size.
    Query,
    /// Key heads x head size.
    Key,
    /// Queries, keys and values, one after the other.
    QueryKeyValue,
    HeadDim,
    /// Learned positions.
    Context,
}

/// The sizes of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimensions {
    /// Rows of the embedding.
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Width inside the MLP.
    pub feed_forward: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the part of a head that is rotated.
    pub rotary: usize,
    /// Tokens of the longest text the model was trained on.
    pub context: usize,
}

impl Dimensions {
    fn of(&self, axis: Axis) -> usize {
        match axis {
            Axis::Vocab => self.vocab,
            Axis::Hidden => self.hidden,
            Axis::FeedForward => self.feed_forward,
            Axis::GateUp => 2 * self.feed_forward,
            Axis::Query => self.n_heads * self.head_dim,
            Axis::Key => self.n_kv_heads * self.head_dim,
            Axis::QueryKeyValue => (self.n_heads + 2 * self.n_kv_heads) * self.head_dim,
            Axis::HeadDim => self.head_dim,
            Axis::Context => self.context,
        }
    }
}

/// What a GGUF file becomes: its configuration and the place of each tensor.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The entry of [`ARCHITECTURES`].
    pub architecture: &'static Architecture,
    /// The sizes the file states.
    pub dimensions: Dimensions,
    /// `config.json` without token ids and dtype.
    pub config: Map<String, Value>,
    /// Every tensor of the file that holds weights.
    pub tensors: Vec<Placed<'a>>,
}

/// A tensor and its Hugging Face name.
#[derive(Debug)]
pub struct Placed<'a> {
    /// For example `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Where it is in the file.
    pub tensor: &'a Tensor,
    /// Its shape in Hugging Face's layout.
    pub shape: Vec<usize>,
    /// What must be undone.
    pub change: Change,
    head_dim: usize,
}

impl Placed<'_> {
    /// The row of the file that becomes row `row`; columns are the rows of the file where they were exchanged.
    #[must_use]
    pub fn source_row(&self, row: usize) -> usize {
        match self.change {
            Change::Paired => {
                let (head, row) = (row / self.head_dim, row % self.head_dim);
                let half = self.head_dim / 2;
                head * self.head_dim + 2 * (row % half) + row / half
            }
            Change::None | Change::PlusOne | Change::Transposed => row,
        }
    }
}

/// Reads the architecture of `gguf` and gives each of its tensors a place.
///
/// # Errors
///
/// [`Error::Input`] for an architecture that is not in [`ARCHITECTURES`], a missing or contradictory value, a value
/// no entry accounts for, a tensor that is missing, of another shape than the values say, or not expected.
pub fn layout(gguf: &Gguf) -> Result<Layout<'_>> {
    let stated = gguf.text("general.architecture")?.ok_or_else(|| gguf.error("no general.architecture"))?;
    let Some(architecture) = ARCHITECTURES.iter().find(|known| known.name == stated) else {
        let known = ARCHITECTURES.each_ref().map(|known| known.name).join(", ");
        let why = format!("architecture `{}` is not known (known: {known})", stated.escape_debug());
        return Err(gguf.error(why).hint("a checkpoint in safetensors form needs no import"));
    };
    let keys = Keys { gguf, prefix: architecture.name };
    keys.refuse_unknown(architecture.settings)?;
    let dimensions = dimensions(&keys, architecture.heads)?;
    let mut config = Map::new();
    config.insert("architectures".into(), json!([architecture.class]));
    config.insert("model_type".into(), json!(architecture.model_type));
    config.extend((architecture.config)(&keys, &dimensions)?);
    let tensors = places(gguf, architecture, &dimensions)?;
    Ok(Layout { architecture, dimensions, config, tensors })
}

/// The keys under an architecture's prefix.
pub(super) struct Keys<'a> {
    pub(super) gguf: &'a Gguf,
    prefix: &'static str,
}

impl<'a> Keys<'a> {
    /// Settings of every architecture.
    const COMMON: [&'static str; 10] = [
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "vocab_size",
        "expert_count",
    ];

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(super) fn error(&self, name: &str, why: &str) -> Error {
        self.gguf.error(format!("{}: {why}", self.key(name)))
    }

    pub(super) fn size(&self, name: &str) -> Result<Option<usize>> {
        self.gguf.size(&self.key(name))
    }

    pub(super) fn needed_size(&self, name: &str) -> Result<usize> {
        match self.size(name)? {
            // A bound far above any model keeps every product of sizes in range.
            Some(n) if (1..=1 << 24).contains(&n) => Ok(n),
            Some(n) => Err(self.error(name, &format!("{n} is out of range"))),
            None => Err(self.error(name, "missing")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.gguf.number(&self.key(name))
    }

    pub(super) fn needed_number(&self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.error(name, "missing"))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.gguf.text(&self.key(name))
    }

    /// A tensor of the file by name, if it has it.
    pub(super) fn tensor(&self, name: &str) -> Option<&'a Tensor> {
        self.gguf.tensors().iter().find(|tensor| tensor.name == name)
    }

    fn refuse_unknown(&self, settings: &[&[&str]]) -> Result<()> {
        let prefix = self.key("");
        let known = |key: &&str| Self::COMMON.contains(key) || settings.iter().any(|some| some.contains(key));
        let unknown = self.gguf.keys().filter_map(|key| key.strip_prefix(&prefix)).find(|key| !known(key));
        match unknown {
            Some(name) => {
                Err(self.error(&name.escape_debug().to_string(), "a setting this reader does not know"))
            }
            None => Ok(()),
        }
    }
}

fn dimensions(keys: &Keys, heads: Heads) -> Result<Dimensions> {
    const KEY: &str = "attention.key_length";
    const ROTARY: &str = "rope.dimension_count";
    let embedding = keys
        .tensor("token_embd.weight")
        .ok_or_else(|| keys.gguf.error("the tensor token_embd.weight is missing"))?;
    let hidden = keys.needed_size("embedding_length")?;
    let n_heads = keys.needed_size("attention.head_count")?;
    let n_kv_heads = match keys.size("attention.head_count_kv")? {
        Some(_) => keys.needed_size("attention.head_count_kv")?,
        None => n_heads,
    };
    if !n_heads.is_multiple_of(n_kv_heads) {
        return Err(
            keys.error("attention.head_count_kv", &format!("{n_kv_heads} does not divide {n_heads} heads"))
        );
    }
    let shared = hidden.is_multiple_of(n_heads).then(|| hidden / n_heads);
    let head_dim = match (keys.size(KEY)?, shared) {
        (Some(_), _) => keys.needed_size(KEY)?,
        (None, Some(shared)) => shared,
        (None, None) => return Err(keys.error(KEY, "missing, and the heads do not divide the width")),
    };
    if heads != Heads::AnySize && shared != Some(head_dim) {
        return Err(keys.error(KEY, &format!("{n_heads} heads of {head_dim} do not make the width {hidden}")));
    }
    if keys.size("attention.value_length")?.is_some_and(|n| n != head_dim) {
        let why = format!("only the size of a key ({head_dim}) is supported");
        return Err(keys.error("attention.value_length", &why));
    }
    let rotary = match keys.size(ROTARY)? {
        Some(_) => keys.needed_size(ROTARY)?,
        None => head_dim,
    };
    let partly = heads == Heads::ShareWidthPartlyRotated;
    if rotary > head_dim || (rotary < head_dim && !partly) {
        return Err(keys.error(ROTARY, &format!("only the size of a key ({head_dim}) is supported")));
    }
    if !head_dim.is_multiple_of(2) || !rotary.is_multiple_of(2) {
        return Err(keys.error(KEY, &format!("{head_dim} is odd")));
    }
    if keys.size("expert_count")?.is_some_and(|n| n > 0) {
        return Err(keys.error("expert_count", "mixtures of experts are not supported"));
    }
    Ok(Dimensions {
        vocab: embedding.shape[0],
        hidden,
        layers: keys.needed_size("block_count")?,
        feed_forward: keys.needed_size("feed_forward_length")?,
        n_heads,
        n_kv_heads,
        head_dim,
        rotary,
        context: keys.needed_size("context_length")?,
    })
}

fn places<'a>(gguf: &'a Gguf, architecture: &Architecture, dims: &Dimensions) -> Result<Vec<Placed<'a>>> {
    let mut left: std::collections::BTreeMap<&str, &Tensor> = gguf
        .tensors()
        .iter()
        .filter(|tensor| !architecture.factors.contains(&tensor.name.as_str()))
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let mut placed = Vec::new();
    let mut put = |slot: &Slot, before: (&str, &str)| {
        let name = format!("{}{}", before.0, slot.gguf);
        let tensor = match left.remove(name.as_str()) {
            Some(tensor) => tensor,
            None if slot.optional => return Ok(()),
            None => return Err(gguf.error(format!("the tensor {name} is missing"))),
        };
        let mut shape: Vec<usize> = slot.shape.iter().map(|axis| dims.of(*axis)).collect();
        if tensor.shape != shape {
            let why = format!("the tensor {name} has shape {:?}, expected {shape:?}", tensor.shape);
            return Err(gguf.error(why));
        }
        if slot.change == Change::Transposed {
            shape.reverse();
        }
        let name = format!("{}{}", before.1, slot.hf);
        placed.push(Placed { name, tensor, shape, change: slot.change, head_dim: dims.head_dim });
        Ok(())
    };
    for slot in architecture.outer {
        put(slot, ("", ""))?;
    }
    for layer in 0..dims.layers {
        let before = (format!("blk.{layer}."), format!("{}{layer}.", architecture.layers));
        for slot in architecture.block {
            put(slot, (&before.0, &before.1))?;
        }
    }
    match left.keys().next() {
        Some(name) => Err(gguf.error(format!(
            "the tensor {} has no place in {}",
            name.escape_debug(),
            architecture.name
        ))),
        None => Ok(placed),
    }
}

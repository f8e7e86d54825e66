//! `tokenizer.json` as it is written. What it says of each token is a place in the GGUF file and a few numbers: a tree
//! of JSON values would take a hundred times the memory.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A `tokenizer.json`, to be serialized.
#[derive(Debug, Serialize)]
pub struct TokenizerJson<'a> {
    pub(super) version: &'static str,
    pub(super) truncation: (),
    pub(super) padding: (),
    pub(super) added_tokens: Vec<AddedToken<'a>>,
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    pub(super) post_processor: Value,
    pub(super) decoder: Value,
    pub(super) model: Model<'a>,
}

/// A token that is matched whole.
#[derive(Debug, Serialize)]
pub(super) struct AddedToken<'a> {
    id: usize,
    content: Cow<'a, str>,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl<'a> AddedToken<'a> {
    pub(super) fn new(id: usize, content: Cow<'a, str>, special: bool, rstrip: bool) -> Self {
        Self { id, content, single_word: false, lstrip: false, rstrip, normalized: false, special }
    }
}

/// A BPE model.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) tokens: Vec<Cow<'a, str>>,
    pub(super) merges: Merges<'a>,
    pub(super) unknown: Option<usize>,
    pub(super) whole_pieces: bool,
    /// Of SentencePiece: what no piece covers falls back to bytes.
    pub(super) pieces: bool,
}

/// What may be merged, in order.
#[derive(Debug)]
pub(super) enum Merges<'a> {
    /// Both parts with a space between them.
    Stated(Vec<&'a str>),
    /// A token, and the byte at which it falls into its parts.
    Cuts(Vec<(usize, usize)>),
}

impl Serialize for Model<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("type", "BPE")?;
        map.serialize_entry("dropout", &())?;
        map.serialize_entry("unk_token", &self.unknown.map(|id| &self.tokens[id]))?;
        map.serialize_entry("continuing_subword_prefix", &())?;
        map.serialize_entry("end_of_word_suffix", &())?;
        map.serialize_entry("fuse_unk", &self.pieces)?;
        map.serialize_entry("byte_fallback", &self.pieces)?;
        map.serialize_entry("ignore_merges", &self.whole_pieces)?;
        map.serialize_entry("vocab", &Ids(&self.tokens))?;
        match &self.merges {
            Merges::Stated(merges) => map.serialize_entry("merges", merges)?,
            Merges::Cuts(cuts) => map.serialize_entry("merges", &Pairs(&self.tokens, cuts))?,
        }
        map.end()
    }
}

/// From token to id.
struct Ids<'a>(&'a [Cow<'a, str>]);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().enumerate().map(|(id, token)| (token, id)))
    }
}

/// Tokens in two parts.
struct Pairs<'a>(&'a [Cow<'a, str>], &'a [(usize, usize)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.iter().map(|(token, at)| self.0[*token].split_at(*at)))
    }
}

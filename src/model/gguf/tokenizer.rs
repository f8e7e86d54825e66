//! From the vocabulary in a GGUF file to `tokenizer.json` and its companions.
//!
//! Known are byte-level BPE, whose merges the file has, and SentencePiece vocabularies, whose merges follow from the
//! scores of their pieces.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Gguf;
use crate::error::Result;

mod byte_level;
mod file;
mod sentencepiece;

pub use file::TokenizerJson;
use file::{AddedToken, Merges, Model};
pub use sentencepiece::Dialect;

/// The files of a tokenizer.
#[derive(Debug)]
pub struct TokenizerFiles<'a> {
    /// `tokenizer.json`.
    pub tokenizer: TokenizerJson<'a>,
    /// `tokenizer_config.json`, with the chat template where there is one.
    pub config: Value,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Value,
    /// Ids of the special tokens.
    pub ids: SpecialIds,
    /// Number of tokens.
    pub len: usize,
}

/// Ids of the tokens with a part to play.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<usize>,
    /// Ends a text.
    pub eos: Option<usize>,
    /// Ends a turn, where that is another token than `eos`.
    pub eot: Option<usize>,
    /// Fills a batch.
    pub pad: Option<usize>,
    /// Stands for what the vocabulary lacks.
    pub unk: Option<usize>,
}

/// The kinds of token that `tokenizer.ggml.token_type` tells apart and that matter here.
mod token_kind {
    pub(super) const UNKNOWN: i64 = 2;
    pub(super) const CONTROL: i64 = 3;
    pub(super) const USER_DEFINED: i64 = 4;
}

/// The tokens of a file.
struct Vocabulary<'a> {
    tokens: Vec<Cow<'a, str>>,
    /// A [`token_kind`] for each token, or nothing.
    kinds: Vec<i64>,
    ids: SpecialIds,
    /// Of SentencePiece; byte-level vocabularies have none.
    dialect: Option<Dialect>,
}

impl<'a> Vocabulary<'a> {
    fn no_token_twice(&self, gguf: &Gguf) -> Result<()> {
        let mut ids = HashMap::new();
        for (id, token) in self.tokens.iter().enumerate() {
            if let Some(earlier) = ids.insert(&**token, id) {
                let token = token.escape_debug();
                return Err(gguf.error(format!("the token `{token}` has two ids, {earlier} and {id}")));
            }
        }
        Ok(())
    }

    /// Control tokens and those a user defined are matched whole, before text is cut.
    fn added(&self) -> Vec<AddedToken<'a>> {
        let swallows = |token: &str| self.dialect.is_some_and(|dialect| dialect.swallows(token));
        let added = self.tokens.iter().zip(&self.kinds).enumerate().filter_map(|(id, (token, kind))| {
            let special = match *kind {
                token_kind::CONTROL | token_kind::UNKNOWN => true,
                token_kind::USER_DEFINED => false,
                _ => return None,
            };
            Some(AddedToken::new(id, token.clone(), special, special && swallows(token)))
        });
        added.collect()
    }
}

/// What the kinds of tokenizer differ in.
struct Parts<'a> {
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
    merges: Merges<'a>,
    /// The token of what the vocabulary lacks.
    unknown: Option<usize>,
    /// A piece that is in the vocabulary is taken whole, whatever the merges say.
    whole_pieces: bool,
    /// The beginning is marked unless the file says otherwise.
    adds_bos: bool,
}

/// Builds the tokenizer files of `gguf`. `context` becomes `model_max_length`.
///
/// # Errors
///
/// [`Error::Input`](crate::error::Error::Input) for a kind of tokenizer or a way of cutting text that is not known,
/// a vocabulary that repeats a token, a special id outside of it, merges of what it lacks, or not one score a token.
pub fn tokenizer_files(gguf: &Gguf, dialect: Dialect, context: usize) -> Result<TokenizerFiles<'_>> {
    let tokens =
        gguf.texts("tokenizer.ggml.tokens")?.ok_or_else(|| gguf.error("no tokenizer.ggml.tokens"))?;
    let ids = special_ids(gguf, tokens.len())?;
    let kinds = token_kinds(gguf, tokens.len())?;
    let (vocabulary, parts) = match gguf.text("tokenizer.ggml.model")? {
        Some("gpt2") => {
            let tokens = tokens.into_iter().map(Cow::Borrowed).collect();
            (Vocabulary { tokens, kinds, ids, dialect: None }, byte_level::parts(gguf)?)
        }
        Some("llama") => {
            if kinds.is_empty() {
                return Err(gguf.error("no tokenizer.ggml.token_type"));
            }
            let vocabulary =
                Vocabulary { tokens: dialect.respell(tokens), kinds, ids, dialect: Some(dialect) };
            let parts = sentencepiece::parts(gguf, dialect, &vocabulary)?;
            (vocabulary, parts)
        }
        other => {
            let name = other.unwrap_or("(none)").escape_debug();
            return Err(
                gguf.error(format!("tokenizer.ggml.model `{name}` is not known (known: gpt2, llama)"))
            );
        }
    };
    vocabulary.no_token_twice(gguf)?;
    let (special_tokens_map, config) = companions(gguf, &vocabulary, context)?;
    let len = vocabulary.tokens.len();
    let tokenizer = TokenizerJson {
        version: "1.0",
        truncation: (),
        padding: (),
        added_tokens: vocabulary.added(),
        normalizer: parts.normalizer,
        pre_tokenizer: parts.pre_tokenizer,
        post_processor: post_processor(gguf, &vocabulary, parts.adds_bos)?,
        decoder: parts.decoder,
        model: Model {
            pieces: vocabulary.dialect.is_some(),
            tokens: vocabulary.tokens,
            merges: parts.merges,
            unknown: parts.unknown,
            whole_pieces: parts.whole_pieces,
        },
    };
    Ok(TokenizerFiles { tokenizer, config, special_tokens_map, ids, len })
}

/// A kind for each token, or nothing.
fn token_kinds(gguf: &Gguf, len: usize) -> Result<Vec<i64>> {
    let kinds = gguf.ints("tokenizer.ggml.token_type")?.unwrap_or_default();
    if !kinds.is_empty() && kinds.len() != len {
        return Err(gguf.error(format!("{} token types for {len} tokens", kinds.len())));
    }
    Ok(kinds)
}

fn special_ids(gguf: &Gguf, len: usize) -> Result<SpecialIds> {
    let id = |name: &str| {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match gguf.size(&key)? {
            Some(id) if id >= len => Err(gguf.error(format!("{key} is {id}, but there are {len} tokens"))),
            id => Ok(id),
        }
    };
    let eos = id("eos")?;
    Ok(SpecialIds {
        bos: id("bos")?,
        eos,
        eot: id("eot")?.filter(|eot| Some(*eot) != eos),
        pad: id("padding")?,
        unk: id("unknown")?,
    })
}

fn companions(gguf: &Gguf, vocabulary: &Vocabulary, context: usize) -> Result<(Value, Value)> {
    let ids = vocabulary.ids;
    let parts =
        [("bos_token", ids.bos), ("eos_token", ids.eos), ("unk_token", ids.unk), ("pad_token", ids.pad)];
    let mut map = Map::new();
    for (part, id) in parts {
        if let Some(token) = id.and_then(|id| vocabulary.tokens.get(id)) {
            map.insert(part.to_owned(), json!(token));
        }
    }
    let mut config = map.clone();
    config.insert("clean_up_tokenization_spaces".into(), json!(false));
    config.insert("model_max_length".into(), json!(context));
    config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    if let Some(template) = gguf.text("tokenizer.chat_template")? {
        config.insert("chat_template".into(), json!(template));
    }
    Ok((Value::Object(map), Value::Object(config)))
}

/// Puts the first and last token around a text, where the file asks for them.
fn post_processor(gguf: &Gguf, vocabulary: &Vocabulary, usually_bos: bool) -> Result<Value> {
    let Vocabulary { tokens, ids, .. } = vocabulary;
    let adds_bos = gguf.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(usually_bos);
    let adds_eos = gguf.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
    let around = |adds: bool, id: Option<usize>, part: &str| match (adds, id) {
        (false, _) => Ok(None),
        (true, Some(id)) => Ok(Some(id)),
        (true, None) => Err(gguf.error(format!("texts are to have an {part} token, but there is none"))),
    };
    let (bos, eos) = (around(adds_bos, ids.bos, "opening")?, around(adds_eos, ids.eos, "closing")?);
    if bos.is_none() && eos.is_none() {
        return Ok(Value::Null);
    }
    let sequence = |name: &str, type_id: usize| {
        let special = |id: usize| json!({ "SpecialToken": { "id": tokens[id], "type_id": type_id } });
        let text = json!({ "Sequence": { "id": name, "type_id": type_id } });
        bos.map(special).into_iter().chain([text]).chain(eos.map(special)).collect::<Vec<Value>>()
    };
    let special: Map<String, Value> = bos
        .into_iter()
        .chain(eos)
        .map(|id| (tokens[id].to_string(), json!({ "id": tokens[id], "ids": [id], "tokens": [tokens[id]] })))
        .collect();
    let pair: Vec<Value> = sequence("A", 0).into_iter().chain(sequence("B", 1)).collect();
    Ok(
        json!({ "type": "TemplateProcessing", "single": sequence("A", 0), "pair": pair, "special_tokens": special }),
    )
}

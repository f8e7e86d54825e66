//! SentencePiece vocabularies (`llama` in the file): pieces with scores, and a token for each byte.
//!
//! The file has no merges. Two pieces whose joint text is a piece may be merged, and a merge comes the earlier the
//! better its result scores. Text that no piece covers falls back to the tokens of its bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Merges, Parts, Vocabulary, token_kind};
use crate::error::Result;
use crate::model::gguf::Gguf;

/// Every cut of a piece is looked up, so its length must have a bound; no vocabulary comes near it.
const LONGEST: usize = 4096;

/// Text of the merges for each byte of the pieces, and what every merge and every piece counts beyond its text. Large
/// vocabularies have two or three merges a piece; nested ones could have thousands.
const MOST_MERGED: usize = 8;
const BESIDES: usize = 16;

/// What pieces have in place of a space.
const SPACE: &str = "\u{2581}";

/// Where families differ in what a file leaves unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The first text gets a space in front unless it begins with one.
    Llama,
    /// No space is put in front. Runs of spaces are listed as spaces, and the place of a piece in the vocabulary
    /// ranks it: its score is that of a token added later.
    Gemma,
    /// Every text between special tokens gets a space in front, and these tokens swallow the spaces after them.
    Phi3,
}

impl Dialect {
    /// The tokens as the vocabulary is looked up.
    pub(super) fn respell<'a>(self, tokens: Vec<&'a str>) -> Vec<Cow<'a, str>> {
        let spaces = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte == b' ');
        let respelled = |token: &'a str| match self {
            Self::Gemma if spaces(token) => Cow::Owned(SPACE.repeat(token.len())),
            _ => Cow::Borrowed(token),
        };
        tokens.into_iter().map(respelled).collect()
    }

    /// Whether a special token swallows the spaces after it.
    pub(super) fn swallows(self, token: &str) -> bool {
        self == Self::Phi3 && !matches!(token, "<unk>" | "<s>" | "<|endoftext|>")
    }
}

/// The parts of `tokenizer.json` for a SentencePiece vocabulary.
pub(super) fn parts<'a>(gguf: &'a Gguf, dialect: Dialect, vocabulary: &Vocabulary) -> Result<Parts<'a>> {
    if gguf.flag("tokenizer.ggml.remove_extra_whitespaces")? == Some(true) {
        return Err(gguf.error("tokenizer.ggml.remove_extra_whitespaces is not supported"));
    }
    if gguf.value("tokenizer.ggml.precompiled_charsmap").is_some() {
        return Err(gguf.error("tokenizer.ggml.precompiled_charsmap is not supported"));
    }
    let pieces = &vocabulary.tokens;
    if let Some(id) = pieces.iter().position(|piece| piece.len() > LONGEST) {
        let why =
            format!("token {id} is a piece of {} bytes (at most {LONGEST} are allowed)", pieces[id].len());
        return Err(gguf.error(why));
    }
    let scores = scores(gguf, dialect, pieces.len())?;
    let ids: HashMap<&str, usize> = pieces.iter().enumerate().map(|(id, piece)| (&**piece, id)).collect();
    let unknown =
        vocabulary.ids.unk.or_else(|| vocabulary.kinds.iter().position(|kind| *kind == token_kind::UNKNOWN));
    let no_token = (0..=255u8).find(|byte| !ids.contains_key(format!("<0x{byte:02X}>").as_str()));
    if let (Some(byte), None) = (no_token, unknown) {
        let why = format!("no token <0x{byte:02X}> for a byte, and none for what the vocabulary lacks");
        return Err(gguf.error(why));
    }
    let prefix = gguf.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(!matches!(dialect, Dialect::Gemma));
    let (normalizer, pre_tokenizer) = spaces(dialect, prefix);
    Ok(Parts {
        normalizer,
        pre_tokenizer,
        decoder: decoder(prefix),
        merges: Merges::Cuts(merges(gguf, pieces, &ids, &scores)?),
        unknown,
        whole_pieces: false,
        adds_bos: true,
    })
}

/// How spaces become pieces: normalizer and pre-tokenizer.
fn spaces(dialect: Dialect, prefix: bool) -> (Value, Value) {
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    match (dialect, prefix) {
        (Dialect::Llama, _) => {
            let scheme = if prefix { "first" } else { "never" };
            let metaspace = json!({ "type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": false });
            (Value::Null, metaspace)
        }
        (Dialect::Gemma | Dialect::Phi3, false) => (replace, Value::Null),
        (Dialect::Gemma | Dialect::Phi3, true) => {
            let steps = json!([{ "type": "Prepend", "prepend": SPACE }, replace]);
            (json!({ "type": "Sequence", "normalizers": steps }), Value::Null)
        }
    }
}

fn decoder(prefix: bool) -> Value {
    let mut steps = vec![
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if prefix {
        steps.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    json!({ "type": "Sequence", "decoders": steps })
}

/// What ranks the merges that make a piece: the higher, the earlier.
fn scores(gguf: &Gguf, dialect: Dialect, len: usize) -> Result<Vec<f32>> {
    const SCORES: &str = "tokenizer.ggml.scores";
    let scores = gguf.floats(SCORES)?.ok_or_else(|| gguf.error(format!("no {SCORES}")))?;
    if scores.len() != len {
        return Err(gguf.error(format!("{} scores for {len} tokens", scores.len())));
    }
    if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
        return Err(gguf.error(format!("the score of token {id} is {}", scores[id])));
    }
    #[allow(clippy::cast_precision_loss)]
    let place = |id: usize| -(id as f32);
    Ok(match dialect {
        Dialect::Gemma => (0..len).map(place).collect(),
        // Adding 0 turns -0 into 0, which ranks the same.
        Dialect::Llama | Dialect::Phi3 => scores.iter().map(|score| score + 0.0).collect(),
    })
}

/// Every pair of pieces whose joint text is a piece, as that piece and the byte at which it is cut. The best result comes
/// first; of equal ones the longest left part, then the longest right part, then the first in the vocabulary.
fn merges(
    gguf: &Gguf,
    pieces: &[Cow<str>],
    ids: &HashMap<&str, usize>,
    scores: &[f32],
) -> Result<Vec<(usize, usize)>> {
    let takes = |piece: &str| piece.len() + BESIDES;
    let mut room = pieces.iter().map(|piece| takes(piece)).sum::<usize>().saturating_mul(MOST_MERGED);
    let mut merges = Vec::new();
    for (result, piece) in pieces.iter().enumerate() {
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if ids.contains_key(left) && ids.contains_key(right) {
                room = room.checked_sub(takes(piece)).ok_or_else(|| {
                    gguf.error(format!(
                        "the pieces of {} tokens nest too much: they have too many merges",
                        pieces.len()
                    ))
                })?;
                merges.push((result, at));
            }
        }
    }
    let chars = |&(result, at): &(usize, usize)| {
        let (left, right) = pieces[result].split_at(at);
        (left.chars().count(), right.chars().count())
    };
    merges.sort_unstable_by(|a, b| {
        scores[b.0].total_cmp(&scores[a.0]).then_with(|| chars(b).cmp(&chars(a))).then(a.0.cmp(&b.0))
    });
    Ok(merges)
}

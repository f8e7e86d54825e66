//! Byte-level BPE (`gpt2` in the file).
//!
//! The merges are in the file, but how text is cut before they apply is only named there; a table here has the meaning
//! of the names. The cut matters. A vocabulary learned with single digits never saw a space and a digit together, and
//! cutting otherwise gives ids the model was not trained on.

use serde_json::{Value, json};

use super::{Merges, Parts};
use crate::error::Result;
use crate::model::gguf::Gguf;

/// How text is cut into the pieces that merges stay within.
#[derive(Debug)]
struct Split {
    /// `tokenizer.ggml.pre` in the file.
    names: &'static [&'static str],
    how: How,
    /// Text is brought to Unicode's composed form first.
    nfc: bool,
    /// A piece that is in the vocabulary is taken whole, whatever the merges say.
    whole_pieces: bool,
    /// The beginning is marked unless the file says otherwise.
    adds_bos: bool,
}

#[derive(Debug)]
enum How {
    /// GPT-2's pattern, which the `ByteLevel` pre-tokenizer carries.
    Gpt2,
    /// Each digit by itself, then GPT-2's pattern between them.
    DigitsThenGpt2,
    /// This pattern.
    Pattern(&'static str),
}

const SPLITS: [Split; 4] = [
    Split { names: &["gpt-2"], how: How::Gpt2, nfc: false, whole_pieces: false, adds_bos: false },
    Split {
        names: &["smollm", "starcoder", "refact"],
        how: How::DigitsThenGpt2,
        nfc: false,
        whole_pieces: false,
        adds_bos: false,
    },
    Split {
        names: &["llama-bpe", "llama3", "llama-v3"],
        how: How::Pattern(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )),
        nfc: false,
        whole_pieces: true,
        adds_bos: true,
    },
    Split {
        names: &["qwen2"],
        how: How::Pattern(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )),
        nfc: true,
        whole_pieces: false,
        adds_bos: false,
    },
];

impl Split {
    fn named(gguf: &Gguf) -> Result<&'static Self> {
        let name = gguf.text("tokenizer.ggml.pre")?.unwrap_or("(none)");
        SPLITS.iter().find(|split| split.names.contains(&name)).ok_or_else(|| {
            let known: Vec<&str> = SPLITS.iter().flat_map(|split| split.names).copied().collect();
            let name = name.escape_debug();
            gguf.error(format!("tokenizer.ggml.pre `{name}` is not known (known: {})", known.join(", ")))
        })
    }

    fn pre_tokenizer(&self) -> Value {
        let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
        let steps = match self.how {
            How::Gpt2 => return byte_level(true),
            How::DigitsThenGpt2 => json!([{ "type": "Digits", "individual_digits": true }, byte_level(true)]),
            How::Pattern(pattern) => json!([
                { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
                byte_level(false)
            ]),
        };
        json!({ "type": "Sequence", "pretokenizers": steps })
    }
}

/// The parts of `tokenizer.json` for a byte-level vocabulary.
pub(super) fn parts(gguf: &Gguf) -> Result<Parts<'_>> {
    let split = Split::named(gguf)?;
    let merges =
        gguf.texts("tokenizer.ggml.merges")?.ok_or_else(|| gguf.error("no tokenizer.ggml.merges"))?;
    Ok(Parts {
        normalizer: if split.nfc { json!({ "type": "NFC" }) } else { Value::Null },
        pre_tokenizer: split.pre_tokenizer(),
        decoder: json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
        merges: Merges::Stated(merges),
        unknown: None,
        whole_pieces: split.whole_pieces,
        adds_bos: split.adds_bos,
    })
}

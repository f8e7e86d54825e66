//! Files that strangers make, damaged in every way: no reader panics, hangs, or takes memory out of proportion.
//!
//! `make test` runs a short round with a fixed seed. `make fuzz` runs a million cases; RECANT_FUZZ_CASES and
//! RECANT_FUZZ_SEED choose others, and RECANT_FUZZ_ONLY=ENTRY:SEED:NUMBER repeats one.
#![allow(clippy::print_stderr, reason = "a round says what it did")]

mod checkpoints;
mod ggufs;
mod grammar;
mod mutate;
mod seeds;
mod stored;
mod watch;

use std::fs;
use std::path::Path;

use mutate::{once_in, pick};
use recant::model::Dtype;
use recant::model::gguf::architecture::layout;
use recant::model::gguf::tokenizer::tokenizer_files;
use recant::model::gguf::{Gguf, Value as Metadata};
use recant::model::import::import;
use recant::model::spec::{Embed, RopeScaling, Scale};
use recant::model::weights::Weights;
use recant::model::{Site, Spec};
use recant::random::SplitMix;
use recant::text::{ChatTemplate, Message, Tokenizer};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tch::{Device, Kind};
use watch::{Entry, Files, Left, Make, Verdict, refusal, tried};

const MB: usize = 1 << 20;

/// Faults that are known and wait for a change elsewhere. A line is removed with the fault.
const LEFT: &[Left] = &[];

#[test]
fn no_config_breaks_its_reader() {
    let configs = seeds::configs();
    let make = move |random: &mut SplitMix| {
        let [whole, other] = [0, 0].map(|_: i32| &configs[random.below(configs.len())]);
        let config = mutate::document(random, whole, other);
        let mut files: Files = vec![("config.json", mutate::text(random, &config))];
        if once_in(random, 4) {
            let ends = json!({ "eos_token_id": [1, 2], "max_length": 20 });
            let ends = mutate::document(random, &ends, other);
            files.push(("generation_config.json", mutate::text(random, &ends)));
        }
        files
    };
    let entry = Entry { name: "config", share: 337, allowance: 2 * MB, make: Box::new(make), read: config };
    watch::run(&entry, LEFT);
}

fn config(dir: &Path, random: &mut SplitMix) -> Verdict {
    let spec = match Spec::read(dir) {
        Ok(spec) => spec,
        Err(error) => return refusal(&error),
    };
    let wide = |n: i64| if n > 0 { Ok(()) } else { Err(format!("a size of {n}")) };
    wide(spec.core_parameters())?;
    wide(spec.kv_width())?;
    // The largest tensors and caches that the engine plans for.
    for product in [[spec.vocab, spec.d_model], [spec.n_ctx, spec.d_model], [spec.kv_width(), spec.n_ctx]] {
        product[0].checked_mul(product[1]).ok_or_else(|| format!("a size beyond 64 bits: {product:?}"))?;
    }
    for len in [0, 1, spec.n_ctx, i64::from(i32::MAX), random.below(1 << 40) as i64] {
        if spec.reach(len) < 0 {
            return Err(format!("reaches {} at {len}", spec.reach(len)));
        }
    }
    for site in Site::ALL {
        let _ = spec.offers(site);
    }
    numbers(&spec)
}

/// Every number that a computation uses is finite, in single precision too.
fn numbers(spec: &Spec) -> Verdict {
    let mut numbers = vec![
        ("norm", spec.norm.eps),
        ("residual", spec.residual.scale),
        ("head", spec.head.scale),
        ("head cap", spec.head.soft_cap.unwrap_or(1.0)),
        ("clip", spec.attention.clip.unwrap_or(1.0)),
        ("cap", spec.attention.soft_cap.unwrap_or(1.0)),
    ];
    if let Embed { scale: Scale::By(scale) | Scale::Rounded(scale), .. } = spec.embed {
        numbers.push(("embedding", scale));
    }
    numbers.extend(spec.layers.iter().map(|layer| ("layer", layer.scale)));
    for rope in &spec.ropes {
        numbers.extend([("theta", rope.theta), ("gain", rope.gain)]);
        match &rope.scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } | RopeScaling::Dynamic { factor, .. } => {
                numbers.push(("factor", *factor));
            }
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
                let all = [*factor, *low_freq_factor, *high_freq_factor, *original];
                numbers.extend(all.map(|x| ("llama3", x)));
            }
            RopeScaling::Yarn { factor, low, high, original } => {
                numbers.extend([("yarn", *factor), ("yarn", *original)]);
                if !low.is_finite() || !high.is_finite() {
                    return Err(format!("yarn ramps from {low} to {high}"));
                }
            }
            RopeScaling::LongRope { short, long, .. } => {
                numbers.extend(short.iter().chain(long).map(|x| ("longrope", *x)));
            }
        }
        if rope.width < 2 || rope.width > spec.d_head || rope.width % 2 != 0 {
            return Err(format!("rotates {} of {}", rope.width, spec.d_head));
        }
    }
    match numbers.into_iter().find(|(_, x)| !(*x as f32).is_normal()) {
        Some((name, x)) => Err(format!("{name} is {x}")),
        None => Ok(true),
    }
}

#[test]
fn no_safetensors_file_breaks_its_reader() {
    let (whole, parts, index) = seeds::safetensors();
    let header = |file: &[u8]| 8 + u64::from_le_bytes(file[..8].try_into().expect("8 bytes")) as usize;
    let damaged = move |random: &mut SplitMix, file: &Vec<u8>| {
        let end = if once_in(random, 8) { file.len() } else { header(file) };
        match random.below(4) {
            0 => mutate::bytes(random, file, end, &[]),
            _ => {
                // The header as a document, so that most damage is to what it says.
                let stated: Value = serde_json::from_slice(&file[8..header(file)]).expect("a header");
                let changed = mutate::document(random, &stated, &stated);
                let text = mutate::text(random, &changed);
                [&(text.len() as u64).to_le_bytes()[..], &text, &file[header(file)..]].concat()
            }
        }
    };
    let make = move |random: &mut SplitMix| -> Files {
        if !once_in(random, 3) {
            return vec![("model.safetensors", damaged(random, &whole))];
        }
        let mut files: Files = vec![
            ("model-00001-of-00002.safetensors", parts[0].clone()),
            ("model-00002-of-00002.safetensors", parts[1].clone()),
        ];
        let place = random.below(2);
        if once_in(random, 2) {
            files[place].1 = damaged(random, &parts[place]);
        }
        if once_in(random, 16) {
            files.remove(place);
        }
        let changed =
            if once_in(random, 2) { mutate::document(random, &index, &index) } else { index.clone() };
        files.push(("model.safetensors.index.json", mutate::text(random, &changed)));
        files
    };
    let entry =
        Entry { name: "safetensors", share: 200, allowance: 2 * MB, make: Box::new(make), read: safetensors };
    watch::run(&entry, LEFT);
}

fn safetensors(dir: &Path, random: &mut SplitMix) -> Verdict {
    let weights = match Weights::open(dir) {
        Ok(weights) => weights,
        Err(error) => return refusal(&error),
    };
    let _ = (weights.dtypes(), weights.parameters(), weights.names().len());
    // The shapes that the files state, read with the library alone.
    let mut stated: Vec<(String, Vec<i64>)> = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| e.to_string())?.flatten() {
        let bytes = fs::read(entry.path()).map_err(|e| e.to_string())?;
        if let Ok(file) = SafeTensors::deserialize(&bytes) {
            let shape =
                |view: safetensors::tensor::TensorView| view.shape().iter().map(|&n| n as i64).collect();
            stated.extend(file.tensors().into_iter().map(|(name, view)| (name, shape(view))));
        }
    }
    let kinds = [Kind::Float, Kind::Half, Kind::BFloat16];
    for (name, shape) in &stated {
        let mut asked = shape.clone();
        if once_in(random, 4) {
            let wrong = pick(random, &[0, -1, 1, 3, 1 << 40, i64::MAX, i64::MIN]);
            match random.below(3) {
                0 => asked.push(wrong),
                1 => drop(asked.pop()),
                _ if asked.is_empty() => asked = vec![wrong],
                _ => asked[0] = wrong,
            }
        }
        let Some(tensor) = tried(weights.get(name, &asked, pick(random, &kinds), Device::Cpu))? else {
            continue;
        };
        if tensor.size() != *shape {
            return Err(format!("{name}: {:?} for {shape:?}", tensor.size()));
        }
        if tensor.numel() > 0 {
            // Touches the first and the last of the bytes that the tensor covers.
            let _ = [0, -1].map(|place| tensor.reshape([-1]).double_value(&[place]));
        }
    }
    for name in seeds::NAMES.into_iter().chain(["", "absent"]) {
        tried(weights.get(name, &[2, 2], Kind::Float, Device::Cpu))?;
    }
    Ok(true)
}

#[test]
fn no_gguf_file_breaks_its_reader() {
    let entry = Entry { name: "gguf", share: 200, allowance: 4 * MB, make: damaged_gguf(), read: gguf };
    watch::run(&entry, LEFT);
}

fn damaged_gguf() -> Make {
    let all = ggufs::ggufs();
    Box::new(move |random| {
        let [whole, other] = [0, 0].map(|_: i32| &all[random.below(all.len())]);
        let end = if once_in(random, 4) { whole.bytes.len() } else { whole.header };
        vec![("model.gguf", mutate::bytes(random, &whole.bytes, end, &other.bytes[..other.header]))]
    })
}

fn gguf(dir: &Path, random: &mut SplitMix) -> Verdict {
    let gguf = match Gguf::open(&dir.join("model.gguf")) {
        Ok(gguf) => gguf,
        Err(error) => return refusal(&error),
    };
    for key in gguf.keys() {
        let read = match gguf.value(key) {
            Some(Metadata::Text(_)) => gguf.text(key).map(|_| ()),
            Some(Metadata::Array { .. }) if once_in(random, 2) => gguf.ints(key).map(|_| ()),
            Some(Metadata::Array { .. }) => gguf.texts(key).map(|_| ()),
            Some(Metadata::Int(_)) => gguf.size(key).map(|_| ()),
            Some(Metadata::Bool(_)) => gguf.flag(key).map(|_| ()),
            _ => gguf.number(key).map(|_| ()),
        };
        tried(read)?;
    }
    for tensor in gguf.tensors() {
        let numbers = gguf.dequantize(tensor);
        if numbers.len() != tensor.shape.iter().product::<usize>() {
            return Err(format!("{} numbers for {:?}", numbers.len(), tensor.shape));
        }
    }
    let layout = match layout(&gguf) {
        Ok(layout) => layout,
        Err(error) => return refusal(&error),
    };
    for placed in &layout.tensors {
        let rows = placed.tensor.shape[0];
        if (0..rows).any(|row| placed.source_row(row) >= rows) {
            return Err(format!("{} takes rows that are not there", placed.name));
        }
    }
    match tokenizer_files(&gguf, layout.architecture.dialect, layout.dimensions.context) {
        Ok(files) => {
            let mut written = Count(0);
            serde_json::to_writer(&mut written, &files.tokenizer).map_err(|error| error.to_string())?;
            let size = fs::metadata(gguf.path()).map_err(|error| error.to_string())?.len() as usize;
            // What is said of a special token takes 130 bytes, of a model without tokens 2 KB.
            if written.0 > 16 * size + 4_096 {
                Err(format!("{} bytes from {size}", written.0))
            } else {
                Ok(true)
            }
        }
        Err(error) => refusal(&error),
    }
}

/// Counts what is written.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The sizes of vocabularies matter here, so nothing is damaged.
#[test]
fn no_vocabulary_takes_memory_out_of_proportion() {
    let make = |random: &mut SplitMix| -> Files {
        let file = ggufs::vocabulary(random);
        // Cut short, some are refused.
        let end = if once_in(random, 8) { random.below(file.len()) } else { file.len() };
        vec![("model.gguf", file[..end].to_vec())]
    };
    let entry = Entry { name: "vocabulary", share: 2, allowance: 2 * MB, make: Box::new(make), read: gguf };
    watch::run(&entry, LEFT);
}

#[test]
fn no_gguf_file_breaks_the_importer() {
    let entry = Entry { name: "import", share: 10, allowance: 16 * MB, make: damaged_gguf(), read: imported };
    watch::run(&entry, LEFT);
}

/// What the importer takes is a checkpoint that the other readers take.
fn imported(dir: &Path, random: &mut SplitMix) -> Verdict {
    let out = dir.join("out");
    let dtype = pick(random, &[Dtype::F32, Dtype::Bf16, Dtype::F16]);
    if let Err(error) = import(&dir.join("model.gguf"), &out, dtype) {
        let left = fs::read_dir(dir).map_err(|e| e.to_string())?.count();
        return if left == 1 { refusal(&error) } else { Err("a refused import left something".into()) };
    }
    let whole = |error: recant::Error| format!("imported, yet refused: {error}");
    let spec = Spec::read(&out).map_err(whole)?;
    let weights = Weights::open(&out).map_err(whole)?;
    let gpt2 = "transformer.wte.weight";
    let embedding = if weights.contains(gpt2) { gpt2 } else { "model.embed_tokens.weight" };
    let _ = weights.get(embedding, &[spec.vocab, spec.d_model], Kind::Float, Device::Cpu).map_err(whole)?;
    let tokenizer = Tokenizer::read(&out).map_err(whole)?;
    tokenizer.encode("hell 12 é", true).map_err(whole)?;
    numbers(&spec)
}

#[test]
fn no_tokenizer_file_breaks_its_reader() {
    let all = seeds::tokenizers();
    let make = move |random: &mut SplitMix| -> Files {
        let [whole, other] = [0, 0].map(|_: i32| &all[random.below(all.len())]);
        let changed = mutate::document(random, whole, other);
        vec![("tokenizer.json", mutate::text(random, &changed))]
    };
    let entry =
        Entry { name: "tokenizer", share: 100, allowance: 32 * MB, make: Box::new(make), read: tokenizer };
    watch::run(&entry, LEFT);
}

fn tokenizer(dir: &Path, random: &mut SplitMix) -> Verdict {
    const TEXTS: [&str; 8] = [
        "",
        "hello <|im_start|>new he\n",
        "  two  spaces ",
        "日本語 🙂 e\u{301} ﬁ",
        "\u{0}\u{7f}\u{fffd}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
        "<pad>[CLS]A1234567890x",
        "\t\r\n",
    ];
    let tokenizer = match Tokenizer::read(dir) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return refusal(&error),
    };
    for text in TEXTS {
        if let Some(ids) = tried(tokenizer.encode(text, once_in(random, 2)))? {
            tried(tokenizer.decode(&ids))?;
        }
    }
    let strange: Vec<i64> = (0..8).map(|_| random.draw() as i64 >> random.below(64)).collect();
    tried(tokenizer.decode(&strange))?;
    if once_in(random, 16) {
        tried(tokenizer.holding('e'))?;
    }
    Ok(true)
}

#[test]
fn no_chat_template_breaks_its_reader() {
    let file = fs::read(seeds::fixtures().join("tiny-llama/tokenizer_config.json")).expect("the fixture");
    let tokens: Value = serde_json::from_slice(&file).expect("JSON");
    let make = move |random: &mut SplitMix| -> Files {
        let whole = match random.below(16) {
            0 => pick(random, &seeds::HOSTILE).to_string(),
            1..=6 => grammar::template(random),
            _ => pick(random, &seeds::TEMPLATES).to_string(),
        };
        let text = match random.below(4) {
            0 => whole.into_bytes(),
            1 => mutate::bytes(random, whole.as_bytes(), whole.len(), seeds::TEMPLATES[3].as_bytes()),
            _ => grammar::spliced(random, &whole).into_bytes(),
        };
        if once_in(random, 4) {
            let mut config = tokens.clone();
            config["chat_template"] = match random.below(3) {
                0 => json!([{ "name": "default", "template": String::from_utf8_lossy(&text) }]),
                _ => json!(String::from_utf8_lossy(&text)),
            };
            let changed =
                if once_in(random, 4) { mutate::document(random, &config, &tokens) } else { config };
            return vec![("tokenizer_config.json", mutate::text(random, &changed))];
        }
        vec![("chat_template.jinja", text)]
    };
    // The template's own limit, and as much again for what is being copied.
    let allowance = 256 * MB;
    let entry = Entry { name: "template", share: 50, allowance, make: Box::new(make), read: template };
    watch::run(&entry, LEFT);
}

#[test]
fn no_greedy_template_is_given_much() {
    let make = |random: &mut SplitMix| -> Files {
        vec![("chat_template.jinja", pick(random, &seeds::HOSTILE).into())]
    };
    let entry = Entry { name: "greedy", share: 1, allowance: 256 * MB, make: Box::new(make), read: template };
    watch::run(&entry, LEFT);
}

#[test]
#[ignore = "minijinja 3.1 charges neither the sharing nor the depth of lists when they become text; ends the process"]
fn lists_that_hold_one_another_are_bounded() {
    for source in seeds::UNBOUNDED {
        let template = ChatTemplate::new(source.into(), "test", String::new(), String::new()).expect("valid");
        assert!(template.render(&[], true).is_err(), "{source}");
    }
}

fn template(dir: &Path, random: &mut SplitMix) -> Verdict {
    let template = match ChatTemplate::read(dir) {
        Ok(template) => template,
        Err(error) => return refusal(&error),
    };
    let mut messages = Vec::new();
    for turn in 0..random.below(4) {
        let role = pick(random, &["system", "user", "assistant", "tool", ""]);
        messages.push(Message::new(
            role,
            pick(random, &["Who?", "a\nb", "{{ 1 }}", "", "é <think>x</think> y"]).repeat(turn + 1),
        ));
    }
    let text = tried(template.render(&messages, once_in(random, 2)))?;
    if text.as_ref().is_some_and(|text| text.len() > 128 * MB) {
        return Err(format!("a text of {} bytes", text.unwrap_or_default().len()));
    }
    tried(template.continuation(&messages, &Message::new("user", "Again.")))?;
    Ok(text.is_some())
}

#[test]
fn the_undamaged_files_are_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = SplitMix::new(0);
    let mut taken = |read: fn(&Path, &mut SplitMix) -> Verdict, name: &str, bytes: &[u8]| {
        fs::write(dir.path().join(name), bytes).expect("written");
        assert_eq!(read(dir.path(), &mut random), Ok(true), "{name}");
    };
    for value in seeds::configs() {
        taken(config, "config.json", value.to_string().as_bytes());
    }
    for (place, value) in seeds::tokenizers().into_iter().enumerate() {
        taken(tokenizer, "tokenizer.json", value.to_string().as_bytes());
        let read = Tokenizer::read(dir.path()).expect("a tokenizer");
        assert!(!read.encode("hello he", false).expect("encoded").is_empty(), "tokenizer {place}");
    }
    for source in seeds::TEMPLATES {
        let template = ChatTemplate::new(source.into(), "test", String::new(), String::new()).expect("valid");
        template
            .render(&[Message::new("user", "Who?")], true)
            .unwrap_or_else(|error| panic!("{error}: {source}"));
    }
    let (whole, parts, index) = seeds::safetensors();
    fs::write(dir.path().join("model-00001-of-00002.safetensors"), &parts[0]).expect("written");
    fs::write(dir.path().join("model-00002-of-00002.safetensors"), &parts[1]).expect("written");
    taken(safetensors, "model.safetensors.index.json", index.to_string().as_bytes());
    taken(safetensors, "model.safetensors", &whole);
    // The last is a collection of blocks, not a model.
    let models = ggufs::ggufs().len() - 1;
    for seed in ggufs::ggufs().iter().take(models) {
        taken(gguf, "model.gguf", &seed.bytes);
    }
    for seed in stored::quantized() {
        fs::write(dir.path().join("config.json"), seed.config.to_string()).expect("written");
        taken(checkpoints::packed, "model.safetensors", &stored::file(&seed.tensors));
        fs::create_dir_all(dir.path().join("b")).expect("a directory");
        fs::write(dir.path().join("b/config.json"), seed.config.to_string()).expect("written");
        taken(checkpoints::compared, "b/model.safetensors", &stored::file(&seed.tensors));
    }
    let base = stored::plain();
    fs::write(dir.path().join("config.json"), base.config.to_string()).expect("written");
    fs::write(dir.path().join("model.safetensors"), stored::file(&base.tensors)).expect("written");
    for seed in stored::adapters() {
        fs::write(dir.path().join("adapter_config.json"), seed.config.to_string()).expect("written");
        taken(checkpoints::adapter, "adapter_model.safetensors", &stored::file(&seed.tensors));
    }
}

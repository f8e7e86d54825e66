//! Small checkpoints and adapters to start from, and damage to their tensors.

use half::f16;
use recant::random::SplitMix;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Map, Value, json};

use crate::mutate::{self, once_in, pick};

/// A tensor of a file.
#[derive(Clone)]
pub struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// Tensors and the JSON that says what they are.
pub struct Seed {
    pub config: Value,
    pub tensors: Vec<Stored>,
}

fn singles(name: &str, shape: &[usize]) -> Stored {
    let n = shape.iter().product::<usize>();
    let data = (0..n).flat_map(|i| ((i * 31 % 17) as f32 / 8.0 - 1.0).to_le_bytes()).collect();
    Stored { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), data }
}

fn halves(name: &str, shape: &[usize]) -> Stored {
    let n = shape.iter().product::<usize>();
    let data = (0..n).flat_map(|i| f16::from_f32((i * 13 % 11) as f32 / 8.0).to_le_bytes()).collect();
    Stored { name: name.into(), dtype: Dtype::F16, shape: shape.to_vec(), data }
}

fn words(name: &str, shape: &[usize], word: impl Fn(usize) -> u32) -> Stored {
    let n = shape.iter().product::<usize>();
    let data = (0..n).flat_map(|i| word(i).to_le_bytes()).collect();
    Stored { name: name.into(), dtype: Dtype::I32, shape: shape.to_vec(), data }
}

/// Width of the model.
const WIDTH: usize = 32;
const TOKENS: usize = 8;
const UP: &str = "model.layers.0.mlp.up_proj";
const QUERY: &str = "model.layers.0.self_attn.q_proj";

/// A checkpoint without packed weights, with a head of its own.
pub fn plain() -> Seed {
    let tensors = vec![
        singles("model.embed_tokens.weight", &[TOKENS, WIDTH]),
        singles(&format!("{QUERY}.weight"), &[WIDTH, WIDTH]),
        singles(&format!("{QUERY}.bias"), &[WIDTH]),
        halves(&format!("{UP}.weight"), &[WIDTH, WIDTH]),
        halves("model.norm.weight", &[WIDTH]),
        singles("lm_head.weight", &[TOKENS, WIDTH]),
    ];
    let config = json!({
        "model_type": "llama", "vocab_size": TOKENS, "hidden_size": WIDTH, "intermediate_size": WIDTH,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "rope_theta": 1e4, "hidden_act": "silu", "tie_word_embeddings": false,
        "eos_token_id": 1, "rope_scaling": { "rope_type": "linear", "factor": 2.0 },
    });
    Seed { config, tensors }
}

/// Checkpoints whose matrices are packed: bits, inputs of a group, order, both formats.
pub fn quantized() -> Vec<Seed> {
    [
        (4, Some(16), true, "gptq"),
        (4, None, false, "gptq_v2"),
        (8, Some(WIDTH), false, "gptq"),
        (8, Some(12), true, "gptq"),
        (2, Some(8), false, "gptq"),
    ]
    .into_iter()
    .map(|(bits, group_size, desc_act, format)| {
        let (per_word, groups) = (32 / bits, WIDTH.div_ceil(group_size.unwrap_or(WIDTH)));
        let mut seed = plain();
        seed.tensors.retain(|tensor| tensor.name != format!("{UP}.weight"));
        let name = |part: &str| format!("{UP}.{part}");
        let mixed = |i: usize| (i as u32).wrapping_mul(2_654_435_761);
        seed.tensors.push(words(&name("qweight"), &[WIDTH / per_word, WIDTH], mixed));
        seed.tensors.push(words(&name("qzeros"), &[groups, WIDTH / per_word], mixed));
        seed.tensors.push(halves(&name("scales"), &[groups, WIDTH]));
        if desc_act {
            let group = |i: usize| (i * 7 % WIDTH / group_size.unwrap_or(WIDTH)) as u32;
            seed.tensors.push(words(&name("g_idx"), &[WIDTH], group));
        }
        seed.config["quantization_config"] = json!({
            "quant_method": "gptq", "bits": bits, "group_size": group_size.map_or(-1, |n| n as i64),
            "desc_act": desc_act, "checkpoint_format": format, "sym": true, "lm_head": false,
            "dynamic": { "-:.*down.*": {} }, "is_marlin_format": false,
        });
        seed
    })
    .collect()
}

/// LoRA adapters of [`plain`] as PEFT writes them.
pub fn adapters() -> Vec<Seed> {
    const BASE: &str = "base_model.model.";
    let config = |more: Value| {
        let mut config = json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "lora_dropout": 0.05,
            "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": false, "use_dora": false, "bias": "none",
            "fan_in_fan_out": false, "init_lora_weights": true, "modules_to_save": null,
            "target_modules": ["q_proj", "up_proj"], "layer_replication": null, "lora_bias": false,
        });
        let more: Map<String, Value> = serde_json::from_value(more).expect("settings");
        more.into_iter().for_each(|(key, value)| config[key] = value);
        config
    };
    let pair = |module: &str, rank: usize| {
        [
            singles(&format!("{BASE}{module}.lora_A.weight"), &[rank, WIDTH]),
            halves(&format!("{BASE}{module}.lora_B.weight"), &[WIDTH, rank]),
        ]
    };
    let patterns = json!({
        "rank_pattern": { "q_proj": 2, r"layers\.\d+\.mlp\..*": 3, "^model.embed_tokens$": 5 },
        "alpha_pattern": { r".*\.(q|k|v)_proj": 32, "up_proj": 1.5 },
        "use_rslora": true,
    });
    let saved =
        json!({ "bias": "all", "modules_to_save": ["lm_head", "norm"], "target_modules": ["q_proj"] });
    vec![
        Seed { config: config(json!({})), tensors: [pair(QUERY, 4), pair(UP, 4)].concat() },
        Seed {
            config: config(patterns),
            tensors: [
                pair(QUERY, 2),
                pair(UP, 3),
                [
                    singles(&format!("{BASE}model.embed_tokens.lora_embedding_A"), &[5, TOKENS]),
                    singles(&format!("{BASE}model.embed_tokens.lora_embedding_B"), &[WIDTH, 5]),
                ],
            ]
            .concat(),
        },
        Seed {
            config: config(saved),
            tensors: [
                pair(QUERY, 4).to_vec(),
                vec![
                    singles(&format!("{BASE}{QUERY}.base_layer.bias"), &[WIDTH]),
                    singles(&format!("{BASE}model.norm.weight"), &[WIDTH]),
                    halves(&format!("{BASE}lm_head.weight"), &[TOKENS, WIDTH]),
                ],
            ]
            .concat(),
        },
    ]
}

/// Patterns that are costly to read or to match.
pub fn pattern(random: &mut SplitMix) -> String {
    let n = pick(random, &[1, 10, 100, 1_000]);
    match random.below(12) {
        0 => "(a+)+$".into(),
        1 => "a{1000}{1000}{1000}".into(),
        2 => ".*".repeat(n),
        3 => r"\pL".repeat(n),
        4 => format!(r"[{}]", r"\pL\PN".repeat(n)),
        5 => format!(r"\w{{{n}}}"),
        6 => format!("{}q_proj{}", "(".repeat(n), ")".repeat(n)),
        7 => format!("{}q_proj{}", "(?i:".repeat(n), ")*".repeat(n)),
        8 => vec!["q_proj"; n].join("|"),
        9 => "(?x) q_proj #".into(),
        10 => format!("(.*?,){{{n}}}"),
        _ => "q_proj)|(?:.".into(),
    }
}

/// A file of these tensors.
pub fn file(tensors: &[Stored]) -> Vec<u8> {
    // The library writes no shape that is beyond all sizes on the way to its last axis.
    let views = tensors.iter().filter_map(|tensor| {
        let (axes, bits) = (tensor.shape.iter().copied(), tensor.dtype.bitsize());
        axes.chain([bits]).try_fold(1usize, usize::checked_mul)?;
        Some((&tensor.name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data).ok()?))
    });
    serialize(views, None).expect("safetensors")
}

/// The same tensors with other names, shapes, dtypes and values: a sound file of something that may not be.
pub fn damaged(random: &mut SplitMix, tensors: &[Stored]) -> Vec<Stored> {
    let mut tensors = tensors.to_vec();
    for _ in 0..=random.below(3) {
        let place = random.below(tensors.len());
        match random.below(8) {
            0 if tensors.len() > 1 => drop(tensors.remove(place)),
            1 => {
                let name = rename(random, &tensors, place);
                if tensors.iter().all(|tensor| tensor.name != name) {
                    tensors[place].name = name;
                }
            }
            2 => {
                let name = rename(random, &tensors, place);
                let copy = Stored { name: name.clone(), ..tensors[place].clone() };
                tensors.retain(|tensor| tensor.name != name);
                tensors.push(copy);
            }
            3 | 4 => values(random, &mut tensors[place].data),
            5 => {
                let all =
                    [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I32, Dtype::U32, Dtype::I16, Dtype::F8_E4M3];
                let old = tensors[place].dtype;
                let any = once_in(random, 3);
                let others = all.into_iter().filter(|dtype| any || dtype.bitsize() == old.bitsize());
                tensors[place].dtype = pick(random, &others.collect::<Vec<_>>());
                refill(&mut tensors[place]);
            }
            _ => reshape(random, &mut tensors[place]),
        }
    }
    tensors
}

/// A name that another tensor has, or nearly has.
fn rename(random: &mut SplitMix, tensors: &[Stored], place: usize) -> String {
    let (old, other) = (&tensors[place].name, &tensors[random.below(tensors.len())].name);
    match random.below(8) {
        0 => old.replace(".weight", ".qweight"),
        1 => old.replace(".qweight", ".weight"),
        2 => old.replace("model.", ""),
        3 => format!("model.{old}"),
        4 => old.replace(".lora_A.", ".lora_B."),
        5 => {
            old.replace(".0.", pick(random, &[".00.", ".1.", ".99999999999999999999999.", ".-1.", "..", "."]))
        }
        6 => {
            let (front, back) = (old.rsplit_once('.'), other.rsplit_once('.'));
            let [front, back] = [front.map_or("", |x| x.0), back.map_or("", |x| x.1)];
            format!("{front}.{back}")
        }
        _ => format!("base_model.model.{other}"),
    }
}

fn values(random: &mut SplitMix, data: &mut [u8]) {
    const WORDS: [u32; 8] =
        [0, 1, u32::MAX, 1 << 31, f32::NAN.to_bits(), f32::INFINITY.to_bits(), 0x7c00_7c00, 0x0080_0000];
    for _ in 0..=random.below(4) {
        if data.len() >= 4 {
            let at = random.below(data.len() / 4) * 4;
            let word = if once_in(random, 2) { pick(random, &WORDS) } else { random.draw() as u32 };
            data[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// Another shape, of as many numbers or of others, with nothing or nearly everything in one axis.
fn reshape(random: &mut SplitMix, tensor: &mut Stored) {
    let axes = tensor.shape.len();
    match random.below(9) {
        0 => tensor.shape.reverse(),
        1 => tensor.shape.push(1),
        2 => tensor.shape.insert(0, 1),
        3 => tensor.shape = vec![tensor.shape.iter().fold(1, |product: usize, n| product.saturating_mul(*n))],
        4 => tensor.shape.clear(),
        5 => {
            let huge = [1usize << 31, 1 << 40, 1 << 59, 1 << 62, 1 << 63, usize::MAX];
            tensor.shape = match random.below(4) {
                0 => vec![0, pick(random, &huge)],
                1 => vec![pick(random, &huge), 0],
                2 => vec![pick(random, &huge), 2, 0],
                _ => vec![2, 0, pick(random, &huge)],
            };
        }
        _ if axes > 0 => {
            let axis = random.below(axes);
            let n = tensor.shape[axis];
            tensor.shape[axis] = pick(
                random,
                &[0, 1, 2, n.saturating_add(1), n.saturating_sub(1), n.saturating_mul(2), n / 2],
            );
        }
        _ => tensor.shape = vec![2, 2],
    }
    refill(tensor);
}

/// As many bytes as the shape asks for.
fn refill(tensor: &mut Stored) {
    let n = tensor.shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n)).unwrap_or(0);
    tensor.data.resize((n.min(1 << 14) * tensor.dtype.bitsize()).div_ceil(8), 0x3c);
}

/// The bytes of a file, its tensors or its text damaged.
pub fn bytes(random: &mut SplitMix, tensors: &[Stored]) -> Vec<u8> {
    match random.below(8) {
        0 => {
            let whole = file(tensors);
            mutate::bytes(random, &whole, whole.len(), &[])
        }
        _ => file(&damaged(random, tensors)),
    }
}

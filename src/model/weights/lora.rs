//! PEFT LoRA adapters: a low-rank change per matrix, added when the matrix is read.
//!
//! Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models": W + scale * B A, scale = alpha / r, or
//! alpha / sqrt(r) (Kalajdzievski 2023, rsLoRA). Names, patterns and files are those of Hugging Face PEFT.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Weights;
use super::store::Store;
use crate::model::Config;
use crate::{Error, Result};

/// What an adapter does to a checkpoint, by the name of the checkpoint's tensor.
pub(super) struct Adapter {
    pub store: Store,
    changes: BTreeMap<String, Change>,
}

/// What it does to one tensor.
#[derive(Default)]
pub(super) struct Change {
    /// The adapter's tensor that takes the place of the checkpoint's.
    pub replaced: Option<String>,
    a: Option<String>,
    b: Option<String>,
    /// The stored matrix is (in, out): Conv1D and embeddings.
    transposed: bool,
    scale: f64,
}

/// A change of rank r, as factors in f32 on the device it is added on.
pub(super) struct Delta {
    left: Tensor,  // (rows, r)
    right: Tensor, // (r, columns)
    scale: f64,
}

const MERGE: &str = "merge it with PEFT (merge_and_unload) and save the whole model";

/// Settings under which a weight is not base + scale * B A, or the base itself is another one.
const REFUSED: [&str; 13] = [
    "use_dora",
    "lora_bias",
    "layer_replication",
    "megatron_config",
    "trainable_token_indices",
    "target_parameters",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
];

impl Adapter {
    /// Reads `adapter_config.json` and `adapter_model.safetensors` and holds them against the checkpoint.
    pub fn open(dir: &Path, base: &Weights) -> Result<Self> {
        let config_file = dir.join("adapter_config.json");
        if !config_file.is_file() {
            return Err(Error::input(dir.display().to_string(), "holds no adapter_config.json")
                .hint("an adapter is a directory that PEFT's save_pretrained wrote"));
        }
        let scaling = Scaling::read(Config::read(&config_file)?)?;
        let file = dir.join("adapter_model.safetensors");
        if !file.is_file() {
            let error = Error::input(dir.display().to_string(), "holds no adapter_model.safetensors");
            return Err(if dir.join("adapter_model.bin").exists() {
                error.hint("adapter_model.bin is a pickle, which can run code: save the adapter again as safetensors")
            } else {
                error.hint("the adapter is incomplete: fetch it again")
            });
        }
        let mut adapter = Self { store: Store::open(&[file])?, changes: BTreeMap::new() };
        adapter.sort(base, &scaling)?;
        for (target, change) in &adapter.changes {
            adapter.check(target, change, base, &scaling)?;
        }
        Ok(adapter)
    }

    /// Finds the checkpoint's tensor for each of the adapter's.
    fn sort(&mut self, base: &Weights, scaling: &Scaling) -> Result<()> {
        let mut names: Vec<&String> = self.store.entries.keys().collect();
        names.sort_unstable();
        if names.is_empty() {
            return Err(Error::input(self.store.place(), "holds no tensors"));
        }
        for name in names {
            let part = Part::of(name).ok_or_else(|| {
                self.store.wrong(name, "is nothing that a LoRA adapter is known to hold").hint(MERGE)
            })?;
            let target = base.resolve(&part.target).ok_or_else(|| {
                let why = format!("changes {}, which {} does not hold", part.target, base.dir.display());
                self.store
                    .wrong(name, why)
                    .hint("the adapter was trained on another model, or its head is tied")
            })?;
            if base.tied && matches!(part.module(), "embed_tokens" | "word_embeddings" | "wte" | "lm_head") {
                let why = format!("changes {target}, which the checkpoint uses as embedding and head");
                return Err(self.store.wrong(name, why).hint(MERGE));
            }
            let change = self.changes.entry(target).or_default();
            let slot = match part.role {
                Role::Replacement => &mut change.replaced,
                Role::A => &mut change.a,
                Role::B => &mut change.b,
            };
            if slot.replace(name.clone()).is_some() {
                return Err(self.store.wrong(name, "stands twice in the adapter"));
            }
            if part.role != Role::Replacement {
                change.scale = scaling.scale(&part);
                change.transposed = part.embedding || scaling.fan_in_fan_out;
            }
        }
        Ok(())
    }

    /// Whether a change's shapes fit the checkpoint and the configured rank.
    fn check(&self, target: &str, change: &Change, base: &Weights, scaling: &Scaling) -> Result<()> {
        let shape = base.shape(target).unwrap_or_default();
        let expect = |name: &String, wanted: &[i64]| -> Result<()> {
            let found = &self.store.entry(name)?.shape;
            if found == wanted {
                return Ok(());
            }
            let why = format!("has shape {found:?}, {target} {shape:?} asks for {wanted:?}");
            Err(self.store.wrong(name, why).hint("adapter, rank and checkpoint do not belong together"))
        };
        if let Some(name) = &change.replaced {
            expect(name, &shape)?;
        }
        let (a, b) = match (&change.a, &change.b) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return Ok(()),
            (Some(one), None) | (None, Some(one)) => {
                return Err(self.store.wrong(one, "stands without its other half (lora_A, lora_B)"));
            }
        };
        let [rows, columns] = shape[..] else {
            return Err(self.store.wrong(a, format!("changes {target} {shape:?}, which is no matrix")));
        };
        let (outputs, inputs) = if change.transposed { (columns, rows) } else { (rows, columns) };
        let rank = Part::of(a).map_or(scaling.rank, |part| scaling.rank_of(&part));
        expect(a, &[rank, inputs])?;
        expect(b, &[outputs, rank])
    }

    /// What is done to a tensor of the checkpoint.
    pub fn change(&self, target: &str) -> Option<&Change> {
        self.changes.get(target)
    }

    /// The low-rank part of a change, ready to be added on `device`.
    pub fn delta(&self, change: &Change, device: Device) -> Result<Option<Delta>> {
        let (Some(a), Some(b)) = (&change.a, &change.b) else { return Ok(None) };
        let wide = |name: &str| -> Result<Tensor> {
            Ok(self.store.tensor(name)?.0.f_to_device(device)?.f_to_kind(Kind::Float)?)
        };
        let (a, b) = (wide(a)?, wide(b)?);
        let (left, right) = if change.transposed { (a.f_tr()?, b.f_tr()?) } else { (b, a) };
        Ok(Some(Delta { left, right, scale: change.scale }))
    }
}

impl Delta {
    /// Rows `start..start + len` of a matrix, changed.
    pub fn add(&self, rows: &Tensor, start: i64, len: i64) -> Result<Tensor> {
        let change = self.left.f_narrow(0, start, len)?.f_matmul(&self.right)?.f_mul_scalar(self.scale)?;
        Ok(rows.f_add(&change)?)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    A,
    B,
    Replacement,
}

/// A tensor of an adapter, by its name.
struct Part {
    role: Role,
    /// The tensor of the model that it changes.
    target: String,
    embedding: bool,
}

impl Part {
    fn of(name: &str) -> Option<Self> {
        let name = name.strip_prefix("base_model.model.")?;
        let factors = [
            (".lora_A.weight", Role::A, false),
            (".lora_B.weight", Role::B, false),
            (".lora_embedding_A", Role::A, true),
            (".lora_embedding_B", Role::B, true),
        ];
        for (ending, role, embedding) in factors {
            if let Some(module) = name.strip_suffix(ending) {
                return Some(Self { role, target: format!("{module}.weight"), embedding });
            }
        }
        let plain = !name.contains("lora_") && (name.ends_with(".weight") || name.ends_with(".bias"));
        let target = name.replace(".base_layer.", ".");
        plain.then_some(Self { role: Role::Replacement, target, embedding: false })
    }

    /// The full name of the changed module.
    fn path(&self) -> &str {
        self.target.rsplit_once('.').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The last name of the changed module.
    fn module(&self) -> &str {
        self.path().rsplit('.').next().unwrap_or_default()
    }
}

/// How much of a change is added.
struct Scaling {
    rank: i64,
    alpha: f64,
    ranks: Vec<(Regex, i64)>,
    alphas: Vec<(Regex, f64)>,
    square_root: bool,
    fan_in_fan_out: bool,
}

impl Scaling {
    fn read(config: Config) -> Result<Self> {
        let refuse = |key: &str, value: &Value| {
            Err(config.wrong(key, format!("{value} is not supported")).hint(MERGE))
        };
        match config.get("peft_type") {
            Some(kind) if kind == "LORA" => {}
            Some(other) => return refuse("peft_type", other),
            None => return Err(config.wrong("peft_type", "is missing")),
        }
        for key in REFUSED {
            if let Some(value) = config.get(key).filter(|value| !idle(value)) {
                return refuse(key, value);
            }
        }
        // The other starts (pissa, olora, corda, loftq ...) take what they put into A and B out of the base.
        if let Some(start) = config.get("init_lora_weights")
            && !start.is_boolean()
            && !["gaussian", "eva", "orthogonal"].iter().any(|name| start == name)
        {
            return refuse("init_lora_weights", start);
        }
        let size = |config: &Config, key: &str| config.size(key);
        let number = |config: &Config, key: &str| config.number_or(key, None);
        Ok(Self {
            rank: config.size("r")?,
            alpha: config.number_or("lora_alpha", None)?,
            ranks: patterns(&config, "rank_pattern", size)?,
            alphas: patterns(&config, "alpha_pattern", number)?,
            square_root: config.flag_or("use_rslora", false)?,
            fan_in_fan_out: config.flag_or("fan_in_fan_out", false)?,
        })
    }

    fn rank_of(&self, part: &Part) -> i64 {
        matching(&self.ranks, part).unwrap_or(self.rank)
    }

    fn scale(&self, part: &Part) -> f64 {
        let (alpha, rank) = (matching(&self.alphas, part).unwrap_or(self.alpha), self.rank_of(part) as f64);
        if self.square_root { alpha / rank.sqrt() } else { alpha / rank }
    }
}

/// Whether a setting says nothing.
fn idle(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The value of the first pattern that matches a module's name or an ending of it, as PEFT's `get_pattern_key` does.
fn matching<T: Copy>(patterns: &[(Regex, T)], part: &Part) -> Option<T> {
    patterns.iter().find(|(pattern, _)| pattern.is_match(part.path())).map(|(_, value)| *value)
}

/// `rank_pattern` or `alpha_pattern`: names, or regular expressions, and their values.
fn patterns<T>(
    config: &Config,
    key: &str,
    read: impl Fn(&Config, &str) -> Result<T>,
) -> Result<Vec<(Regex, T)>> {
    let Some(table) = config.object(key)? else { return Ok(Vec::new()) };
    let names = config.get(key).and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys);
    names
        .map(|name| {
            let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{name})$"))
                .map_err(|_| table.wrong(name, "is not a pattern that can be matched"))?;
            Ok((regex, read(&table, name)?))
        })
        .collect()
}

//! PEFT LoRA adapters: a low-rank change per matrix, added when the matrix is read.
//!
//! Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models": W + scale * B A, scale = alpha / r, or
//! alpha / sqrt(r) (Kalajdzievski 2023, rsLoRA). Names, patterns and files are those of Hugging Face PEFT.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::RegexBuilder;
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
        let config = Config::read(&config_file)?;
        let mut scaling = Scaling::read(&config)?;
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
        scaling.patterns(&config, &adapter.modules())?;
        adapter.sort(base, &scaling)?;
        for (target, change) in &adapter.changes {
            adapter.check(target, change, base, &scaling)?;
        }
        Ok(adapter)
    }

    /// The full names of all modules that it changes.
    fn modules(&self) -> BTreeSet<String> {
        self.store.entries.keys().filter_map(|name| Some(Part::of(name)?.path().to_string())).collect()
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
    /// Those of modules that a pattern matches.
    ranks: BTreeMap<String, i64>,
    alphas: BTreeMap<String, f64>,
    square_root: bool,
    fan_in_fan_out: bool,
}

impl Scaling {
    fn read(config: &Config) -> Result<Self> {
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
        Ok(Self {
            rank: config.size("r")?,
            alpha: config.number_or("lora_alpha", None)?,
            ranks: BTreeMap::new(),
            alphas: BTreeMap::new(),
            square_root: config.flag_or("use_rslora", false)?,
            fan_in_fan_out: config.flag_or("fan_in_fan_out", false)?,
        })
    }

    /// Reads what the patterns say of these modules.
    fn patterns(&mut self, config: &Config, modules: &BTreeSet<String>) -> Result<()> {
        self.ranks = matching(config, "rank_pattern", modules, |table, name| table.size(name))?;
        self.alphas = matching(config, "alpha_pattern", modules, |table, name| table.number_or(name, None))?;
        Ok(())
    }

    fn rank_of(&self, part: &Part) -> i64 {
        self.ranks.get(part.path()).copied().unwrap_or(self.rank)
    }

    fn scale(&self, part: &Part) -> f64 {
        let (alpha, rank) = (self.alphas.get(part.path()).unwrap_or(&self.alpha), self.rank_of(part) as f64);
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

/// Patterns of a table, and bytes of one and of a module's name. An adapter has far fewer.
const MOST_PATTERNS: usize = 4_096;
const LONGEST: usize = 2_000;
/// Bytes that a pattern may come to when it is made ready.
const LARGEST: usize = 1 << 18;

/// The modules that a pattern of `rank_pattern` or `alpha_pattern` matches, and its value. The first pattern that
/// matches a module's name or an ending of it counts, as in PEFT's `get_pattern_key`. One is ready at a time: a short
/// pattern can be large.
fn matching<T>(
    config: &Config,
    key: &str,
    modules: &BTreeSet<String>,
    read: impl Fn(&Config, &str) -> Result<T>,
) -> Result<BTreeMap<String, T>> {
    let mut found = BTreeMap::new();
    let Some(table) = config.object(key)? else { return Ok(found) };
    let names: Vec<&String> =
        config.get(key).and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys).collect();
    if names.len() > MOST_PATTERNS {
        return Err(config.wrong(key, format!("holds more than {MOST_PATTERNS} patterns")));
    }
    for name in names {
        read(&table, name)?;
        let bounded = name.len() <= LONGEST && modules.iter().all(|module| module.len() <= LONGEST);
        let pattern = format!(r"^(?:.*\.)?(?:{name})$");
        let ready = || RegexBuilder::new(&pattern).size_limit(LARGEST).dfa_size_limit(LARGEST).build().ok();
        let regex = bounded
            .then(ready)
            .flatten()
            .ok_or_else(|| table.wrong(name, "is not a pattern that can be matched"))?;
        for module in modules {
            if !found.contains_key(module) && regex.is_match(module) {
                found.insert(module.clone(), read(&table, name)?);
            }
        }
    }
    Ok(found)
}

//! Weights as the model computes with them: quantized, changed by an adapter, in files of any arrangement.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Outcome, copy, recant, succeed, tiny};
use recant::Error;
use recant::model::weights::Weights;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

type Stored = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn save(stored: &Stored, path: &Path) {
    let views = stored.iter().map(|(name, (dtype, shape, data))| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
    });
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, path).expect("the file is written");
}

fn load(path: &Path) -> Stored {
    let bytes = fs::read(path).expect("the file is read");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let whole = |(name, view): (String, TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    file.tensors().into_iter().map(whole).collect()
}

fn f32s(shape: &[usize], values: &[f32]) -> (Dtype, Vec<usize>, Vec<u8>) {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    (Dtype::F32, shape.to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
}

fn u32s(shape: &[usize], values: &[u32]) -> (Dtype, Vec<usize>, Vec<u8>) {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    (Dtype::I32, shape.to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn real(&mut self) -> f32 {
        self.below(20_001) as f32 / 10_000.0 - 1.0
    }

    fn reals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.real()).collect()
    }
}

/// The values of a tensor on the CPU.
fn values(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.numel()];
    tensor
        .f_to_kind(Kind::Float)
        .and_then(|wide| wide.f_copy_data(&mut values, tensor.numel()))
        .expect("values");
    values
}

fn get(weights: &Weights, name: &str) -> Vec<f32> {
    let shape = weights.shape(name).expect("a tensor");
    values(&weights.get(name, &shape, Kind::Float, Device::Cpu).expect("the tensor is read"))
}

/// The error is one line that holds all parts.
fn says(error: Option<Error>, parts: &[&str]) {
    let error = error.unwrap_or_else(|| panic!("{parts:?} was expected, and all went well"));
    let text = format!("{error} | {}", error.next_step().unwrap_or_default());
    assert!(!error.to_string().contains('\n'), "{text}");
    parts.iter().for_each(|part| assert!(text.contains(part), "{part:?} is missing: {text}"));
}

/// A matrix quantized by the definition of the format, and what it stands for.
struct Quantized {
    bits: usize,
    inputs: usize,
    outputs: usize,
    group_size: usize,
    g_idx: Vec<usize>,
    q: Vec<usize>,     // (inputs, outputs)
    zeros: Vec<usize>, // (groups, outputs)
    scales: Vec<half::f16>,
}

impl Quantized {
    fn new(
        bits: usize,
        inputs: usize,
        outputs: usize,
        group_size: usize,
        symmetric: bool,
        ordered: bool,
    ) -> Self {
        let mut numbers = Numbers(bits as u64 * 1000 + inputs as u64);
        let groups = inputs / group_size;
        let mut g_idx: Vec<usize> = (0..inputs).map(|i| i / group_size).collect();
        if ordered {
            (1..inputs).rev().for_each(|i| g_idx.swap(i, numbers.below(i + 1)));
        }
        let top = 1 << bits;
        let zero = |numbers: &mut Numbers| if symmetric { top / 2 } else { numbers.below(top) };
        Self {
            bits,
            inputs,
            outputs,
            group_size,
            q: (0..inputs * outputs).map(|_| numbers.below(top)).collect(),
            zeros: (0..groups * outputs).map(|_| zero(&mut numbers)).collect(),
            scales: (0..groups * outputs).map(|_| half::f16::from_f32(numbers.real() + 1.5)).collect(),
            g_idx,
        }
    }

    /// weight[o, i] = scale[g, o] * (q[i, o] - zero[g, o])
    fn plain(&self) -> Vec<f32> {
        let one = |o: usize, i: usize| {
            let at = self.g_idx[i] * self.outputs + o;
            self.scales[at].to_f32() * (self.q[i * self.outputs + o] as f32 - self.zeros[at] as f32)
        };
        (0..self.outputs).flat_map(|o| (0..self.inputs).map(move |i| one(o, i))).collect()
    }

    /// The four tensors; `v1` takes one from every packed word of zero points, field by field with borrow.
    fn store(&self, module: &str, v1: bool, stored: &mut Stored) {
        let (per, outputs) = (32 / self.bits, self.outputs);
        let groups = self.zeros.len() / outputs;
        let mut qweight = vec![0u32; self.inputs / per * outputs];
        for i in 0..self.inputs {
            for o in 0..outputs {
                qweight[i / per * outputs + o] |= (self.q[i * outputs + o] as u32) << (i % per * self.bits);
            }
        }
        let mut qzeros = vec![0u32; groups * outputs / per];
        for (at, zero) in self.zeros.iter().enumerate() {
            qzeros[at / per] |= (*zero as u32) << (at % per * self.bits);
        }
        if v1 {
            let ones: u32 = (0..per).map(|i| 1 << (i * self.bits)).sum();
            qzeros.iter_mut().for_each(|word| *word = word.wrapping_sub(ones));
        }
        let g_idx: Vec<u32> = self.g_idx.iter().map(|&g| g as u32).collect();
        let scales = self.scales.iter().flat_map(|x| x.to_le_bytes()).collect();
        stored.insert(format!("{module}.qweight"), u32s(&[self.inputs / per, outputs], &qweight));
        stored.insert(format!("{module}.qzeros"), u32s(&[groups, outputs / per], &qzeros));
        stored.insert(format!("{module}.scales"), (Dtype::F16, vec![groups, outputs], scales));
        stored.insert(format!("{module}.g_idx"), u32s(&[self.inputs], &g_idx));
    }

    fn settings(&self, v1: bool, ordered: bool) -> Value {
        let group_size = if self.group_size == self.inputs { -1 } else { self.group_size as i64 };
        json!({
            "quant_method": "gptq", "bits": self.bits, "group_size": group_size, "desc_act": ordered,
            "checkpoint_format": if v1 { "gptq" } else { "gptq_v2" },
        })
    }
}

fn quantized_dir(stored: &Stored, settings: &Value) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    save(stored, &dir.path().join("model.safetensors"));
    let config = json!({ "model_type": "llama", "quantization_config": settings });
    fs::write(dir.path().join("config.json"), config.to_string()).expect("written");
    dir
}

#[test]
fn a_gptq_matrix_is_what_its_definition_says() {
    for bits in [2, 4, 8] {
        for (group_size, symmetric, ordered, v1) in [
            (16, true, false, true),
            (16, false, false, true),
            (16, false, true, false),
            (16, true, true, true),
            (96, false, false, false),
            (96, true, false, true),
        ] {
            let matrix = Quantized::new(bits, 96, 48, group_size, symmetric, ordered);
            let mut stored = Stored::new();
            matrix.store("a.b", v1, &mut stored);
            if !ordered {
                stored.remove("a.b.g_idx");
            }
            let dir = quantized_dir(&stored, &matrix.settings(v1, ordered));
            let weights = Weights::open(dir.path()).expect("weights");
            let place =
                format!("{bits} bits, group {group_size}, sym {symmetric}, desc_act {ordered}, v1 {v1}");
            assert!(weights.contains("a.b.weight"), "{place}");
            assert_eq!(weights.names(), ["a.b.weight"], "{place}");
            assert_eq!(get(&weights, "a.b.weight"), matrix.plain(), "{place}");
            assert_eq!(
                values(&weights.rows("a.b.weight", 17, 5).expect("rows")),
                matrix.plain()[17 * 96..22 * 96]
            );
            assert_eq!(weights.parameters(), 96 * 48);
            assert_eq!(weights.dtypes(), [(format!("gptq-{bits}bit"), 1)]);
        }
    }
}

#[test]
fn rows_that_a_tensor_lacks_are_refused() {
    let mut stored = Stored::from([
        ("plain".to_string(), f32s(&[3, 2], &[0.0; 6])),
        ("scalar".to_string(), f32s(&[], &[0.0])),
    ]);
    Quantized::new(4, 32, 16, 16, true, false).store("packed", true, &mut stored);
    let settings = json!({ "quant_method": "gptq", "bits": 4, "group_size": 16 });
    let dir = quantized_dir(&stored, &settings);
    let weights = Weights::open(dir.path()).expect("a checkpoint");
    for (start, len) in [(0, 17), (17, 0), (-1, 1), (1, -1), (i64::MAX, 1), (1, i64::MAX), (0, i64::MIN)] {
        for name in ["plain", "packed.weight", "scalar"] {
            says(weights.rows(name, start, len).err(), &[name.trim_end_matches(".weight"), "lacks rows"]);
        }
    }
    says(weights.rows("scalar", 0, 0).err(), &["scalar", "has shape []"]);
    for name in ["plain", "packed.weight"] {
        assert_eq!(weights.rows(name, 3, 0).expect("no rows").size()[0], 0);
    }
}

#[test]
fn a_shape_whose_sizes_do_not_multiply_is_refused_though_it_takes_no_bytes() {
    let dir = TempDir::new().expect("a directory");
    let shape = vec![1 << 62, 2, 0];
    save(
        &Stored::from([("wide".to_string(), (Dtype::U8, shape, Vec::new()))]),
        &dir.path().join("model.safetensors"),
    );
    says(Weights::open(dir.path()).err(), &["tensor wide", "larger than any tensor"]);
}

#[test]
fn a_quantized_matrix_larger_than_a_strip_is_whole() {
    let matrix = Quantized::new(4, 2048, 2056, 128, false, true);
    let mut stored = Stored::new();
    matrix.store("x", true, &mut stored);
    let dir = quantized_dir(&stored, &matrix.settings(true, true));
    let weights = Weights::open(dir.path()).expect("weights");
    assert!(get(&weights, "x.weight") == matrix.plain());
    let narrow = weights.get("x.weight", &[2056, 2048], Kind::BFloat16, Device::Cpu).expect("bf16");
    let rounded: Vec<f32> = matrix.plain().iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect();
    assert!(values(&narrow) == rounded);
}

#[test]
fn the_settings_may_stand_in_quantize_config_json() -> Outcome {
    let matrix = Quantized::new(4, 32, 16, 16, true, false);
    let mut stored = Stored::new();
    matrix.store("x", true, &mut stored);
    let dir = quantized_dir(&stored, &Value::Null);
    says(Weights::open(dir.path()).err(), &["x.qweight", "is quantized, but neither config.json"]);
    let settings = json!({ "bits": 4, "group_size": 16, "desc_act": false, "sym": true });
    fs::write(dir.path().join("quantize_config.json"), settings.to_string())?;
    assert_eq!(get(&Weights::open(dir.path())?, "x.weight"), matrix.plain());
    Ok(())
}

#[test]
fn a_gptq_checkpoint_computes_as_its_unpacked_twin() -> Outcome {
    let work = TempDir::new()?;
    let (packed, plain) = (work.path().join("packed"), work.path().join("plain"));
    let name = "model.layers.1.self_attn.q_proj";
    let matrix = Quantized::new(4, 16, 24, 8, false, true);
    for dir in [&packed, &plain] {
        copy(&tiny(), dir);
        let mut stored = load(&dir.join("model.safetensors"));
        stored.remove(&format!("{name}.weight"));
        if dir == &plain {
            stored.insert(format!("{name}.weight"), f32s(&[24, 16], &matrix.plain()));
        } else {
            matrix.store(name, true, &mut stored);
            let mut config: Value = serde_json::from_slice(&fs::read(dir.join("config.json"))?)?;
            config["quantization_config"] = matrix.settings(true, true);
            fs::write(dir.join("config.json"), config.to_string())?;
        }
        save(&stored, &dir.join("model.safetensors"));
    }
    let unpacked = states(&packed, work.path(), &[]);
    assert!(unpacked == states(&plain, work.path(), &[]));
    assert!(unpacked == states(&packed, work.path(), &["--stream"]));
    assert!(unpacked != states(&tiny(), work.path(), &[]), "the change of q_proj must show");
    let said = succeed(recant().args(["model", "inspect", "--json"]).arg(&packed));
    let said: Value = serde_json::from_slice(&said.stdout)?;
    assert_eq!(said["tensors_by_dtype"]["gptq-4bit"], 1);
    assert_eq!(said["parameters"], Weights::open(&tiny())?.parameters());
    Ok(())
}

#[test]
fn gptq_parts_that_do_not_fit_are_refused() {
    let matrix = Quantized::new(4, 32, 16, 16, true, true);
    let refused = |change: &dyn Fn(&mut Stored), parts: &[&str]| {
        let mut stored = Stored::new();
        matrix.store("x", true, &mut stored);
        change(&mut stored);
        let dir = quantized_dir(&stored, &matrix.settings(true, true));
        let weights = Weights::open(dir.path()).expect("weights");
        says(weights.get("x.weight", &[16, 32], Kind::Float, Device::Cpu).err(), parts);
    };
    let mut index: Vec<u32> = vec![0; 32];
    index[7] = 2;
    refused(&|s| drop(s.insert("x.g_idx".into(), u32s(&[32], &index))), &["x.g_idx", "names group 2 of 2"]);
    refused(
        &|s| drop(s.insert("x.g_idx".into(), u32s(&[32], &[u32::MAX; 32]))),
        &["x.g_idx", "names group -1"],
    );
    refused(&|s| drop(s.insert("x.g_idx".into(), u32s(&[31], &[0; 31]))), &["x.g_idx", "[31]", "[32]"]);
    refused(&|s| drop(s.remove("x.g_idx")), &["x.g_idx is missing", "desc_act"]);
    refused(&|s| drop(s.remove("x.qzeros")), &["x.qzeros is missing"]);
    refused(
        &|s| drop(s.insert("x.qzeros".into(), u32s(&[2, 3], &[0; 6]))),
        &["x.qzeros", "[2, 3]", "[2, 2]"],
    );
    refused(&|s| drop(s.insert("x.scales".into(), f32s(&[1, 16], &[1.0; 16]))), &["x.scales", "[1, 16]"]);
    refused(&|s| drop(s.insert("x.scales".into(), u32s(&[2, 16], &[1; 32]))), &["x.scales", "I32"]);
    refused(&|s| drop(s.insert("x.qweight".into(), u32s(&[64], &[1; 64]))), &["x.qweight", "two axes"]);
    refused(&|s| drop(s.insert("x.qweight".into(), u32s(&[1 << 62, 0], &[]))), &["x.qweight", "0 outputs"]);
    refused(&|s| drop(s.insert("x.qweight".into(), u32s(&[4, 15], &[1; 60]))), &["x.qweight", "15 outputs"]);
    refused(&|s| drop(s.insert("x.qweight".into(), f32s(&[4, 16], &[1.0; 64]))), &["x.qweight", "F32"]);
    refused(
        &|s| drop(s.insert("x.qweight".into(), u32s(&[2, 16], &[1; 32]))),
        &["x.scales", "4 bits and qweight [2, 16]"],
    );
}

#[test]
fn other_ways_of_quantizing_are_refused_by_name() {
    let gptq = |key: &str, value: Value| {
        let mut settings = json!({ "quant_method": "gptq", "bits": 4, "group_size": 16 });
        settings[key] = value;
        settings
    };
    let cases: [(Value, &[&str]); 9] = [
        (json!({ "quant_method": "awq", "bits": 4 }), &["quant_method: \"awq\" is not supported", "GPTQ"]),
        (json!({ "quant_method": "fp8" }), &["fp8"]),
        (json!({ "load_in_4bit": true }), &["quant_method: is missing"]),
        (gptq("bits", json!(3)), &["bits: 3 is not supported"]),
        (gptq("bits", Value::Null), &["bits: is missing"]),
        (gptq("group_size", json!(0)), &["group_size: expected a positive whole number, found 0"]),
        (gptq("checkpoint_format", json!("marlin")), &["checkpoint_format: \"marlin\""]),
        (gptq("is_marlin_format", json!(true)), &["is_marlin_format"]),
        (gptq("dynamic", json!({ "+:lm_head": { "bits": 8 } })), &["dynamic", "+:lm_head"]),
    ];
    for (settings, parts) in cases {
        let dir = quantized_dir(&Stored::new(), &settings);
        says(Weights::open(dir.path()).err(), parts);
    }
}

const Q: &str = "model.layers.0.self_attn.q_proj"; // (24, 16)
const DOWN: &str = "model.layers.2.mlp.down_proj"; // (16, 20)

/// An adapter beside the fixture model.
struct Desk {
    work: TempDir,
    config: Value,
    tensors: Stored,
    numbers: Numbers,
}

impl Desk {
    fn new(config: Value) -> Self {
        let mut desk = Self {
            work: TempDir::new().expect("a directory"),
            config: json!({ "peft_type": "LORA", "r": 2, "lora_alpha": 6, "init_lora_weights": true, "bias": "none" }),
            tensors: Stored::new(),
            numbers: Numbers(7),
        };
        config
            .as_object()
            .expect("an object")
            .iter()
            .for_each(|(key, value)| desk.config[key] = value.clone());
        desk
    }

    /// Adds factors of a change of a module; returns B A, row by row.
    fn factors(&mut self, module: &str, rank: usize, outputs: usize, inputs: usize) -> Vec<f64> {
        let (a, b) = (self.numbers.reals(rank * inputs), self.numbers.reals(outputs * rank));
        let name = |part: &str| format!("base_model.model.{module}.lora_{part}.weight");
        self.tensors.insert(name("A"), f32s(&[rank, inputs], &a));
        self.tensors.insert(name("B"), f32s(&[outputs, rank], &b));
        let one = |o: usize, i: usize| {
            (0..rank).map(|k| f64::from(b[o * rank + k]) * f64::from(a[k * inputs + i])).sum()
        };
        (0..outputs).flat_map(|o| (0..inputs).map(move |i| one(o, i))).collect()
    }

    fn open(&self, base: &Path) -> recant::Result<Weights> {
        let dir = self.work.path();
        fs::write(dir.join("adapter_config.json"), self.config.to_string()).expect("written");
        save(&self.tensors, &dir.join("adapter_model.safetensors"));
        let mut weights = Weights::open(base)?;
        weights.adapter(dir)?;
        Ok(weights)
    }

    /// What the adapter makes of a tensor is base + scale * change.
    fn changes(&self, base: &Path, name: &str, scale: f64, change: &[f64]) {
        let before = get(&Weights::open(base).expect("weights"), name);
        let after = get(&self.open(base).expect("an adapter"), name);
        assert_eq!(after.len(), change.len(), "{name}");
        assert!(change.iter().any(|x| (x * scale).abs() > 0.5), "{name}: nothing to see");
        for ((after, before), change) in after.iter().zip(before).zip(change) {
            let expected = f64::from(before) + scale * change;
            assert!((f64::from(*after) - expected).abs() < 1e-5, "{name}: {after}, not {expected}");
        }
    }
}

fn transpose(values: &[f64], rows: usize) -> Vec<f64> {
    let columns = values.len() / rows;
    (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
}

#[test]
fn an_adapter_adds_what_it_was_factored_from() -> Outcome {
    let mut desk = Desk::new(json!({}));
    let (q, down) = (desk.factors(Q, 2, 24, 16), desk.factors(DOWN, 2, 16, 20));
    desk.changes(&tiny(), &format!("{Q}.weight"), 3.0, &q);
    desk.changes(&tiny(), &format!("{DOWN}.weight"), 3.0, &down);
    let (plain, changed) = (Weights::open(&tiny())?, desk.open(&tiny())?);
    let different: Vec<_> =
        plain.names().into_iter().filter(|name| get(&plain, name) != get(&changed, name)).collect();
    assert_eq!(different, [format!("{Q}.weight"), format!("{DOWN}.weight")]);
    let wide = changed.get(&format!("{Q}.weight"), &[24, 16], Kind::Float, Device::Cpu)?;
    let narrow = changed.get(&format!("{Q}.weight"), &[24, 16], Kind::BFloat16, Device::Cpu)?;
    assert_eq!(narrow, wide.f_to_kind(Kind::BFloat16)?, "the sum is rounded, not its parts");
    let some = values(&changed.rows(&format!("{Q}.weight"), 3, 2)?);
    // The same sums, perhaps in another order.
    common::close(&some, &values(&wide)[3 * 16..5 * 16], 1e-6, "two rows");
    Ok(())
}

/// The output of `recant capture` of three tokens.
fn states(model: &Path, work: &Path, options: &[&str]) -> Vec<u8> {
    let (input, output) = (work.join("in.jsonl"), work.join("out.safetensors"));
    fs::write(&input, "{\"id\": \"one\", \"ids\": [5, 6, 7]}\n").expect("the input is written");
    let mut command = recant();
    command.arg("capture").arg("--model").arg(model).arg("--input").arg(&input).arg("--output").arg(&output);
    succeed(command.args(options));
    fs::read(output).expect("states")
}

#[test]
fn a_model_with_an_adapter_computes_as_its_merged_twin_kept_or_streamed() -> Outcome {
    let mut desk = Desk::new(json!({}));
    desk.factors(Q, 2, 24, 16);
    desk.factors(DOWN, 2, 16, 20);
    let changed = desk.open(&tiny())?;
    let (work, merged) = (desk.work.path(), desk.work.path().join("merged"));
    copy(&tiny(), &merged);
    let mut stored = load(&merged.join("model.safetensors"));
    for (name, tensor) in &mut stored {
        *tensor = f32s(&tensor.1, &get(&changed, name));
    }
    save(&stored, &merged.join("model.safetensors"));
    let adapter = ["--adapter", work.to_str().expect("a path")];
    let twin = states(&merged, work, &[]);
    assert!(states(&tiny(), work, &[]) != twin, "the adapter must show");
    assert!(states(&tiny(), work, &adapter) == twin);
    assert!(states(&tiny(), work, &[&adapter[..], &["--stream"]].concat()) == twin);
    assert!(states(&merged, work, &["--device", "cpu,cpu,cpu"]) == twin);
    Ok(())
}

#[test]
fn rank_stabilised_scaling_divides_by_the_square_root() {
    let mut desk = Desk::new(json!({ "use_rslora": true, "r": 4 }));
    let q = desk.factors(Q, 4, 24, 16);
    desk.changes(&tiny(), &format!("{Q}.weight"), 3.0, &q);
}

#[test]
fn patterns_give_modules_ranks_and_alphas_of_their_own() {
    // As PEFT matches: a whole ending of the name at a dot, or a regular expression; the first that fits.
    let mut desk = Desk::new(json!({
        "rank_pattern": { "layers.0.self_attn.q_proj": 3 },
        "alpha_pattern": { "proj": 100, "^model\\.layers\\.2\\..*": 1, "self_attn.q_proj": 12 },
    }));
    let (q, down) = (desk.factors(Q, 3, 24, 16), desk.factors(DOWN, 2, 16, 20));
    let up = desk.factors("model.layers.1.mlp.up_proj", 2, 20, 16);
    desk.changes(&tiny(), &format!("{Q}.weight"), 4.0, &q);
    desk.changes(&tiny(), &format!("{DOWN}.weight"), 0.5, &down);
    desk.changes(&tiny(), "model.layers.1.mlp.up_proj.weight", 3.0, &up);
}

#[test]
fn transposed_matrices_and_embeddings_are_changed_the_other_way_round() {
    let mut desk = Desk::new(json!({ "fan_in_fan_out": true }));
    let change = desk.factors(DOWN, 2, 20, 16); // a Conv1D of 16 inputs and 20 outputs is stored as (16, 20)
    desk.changes(&tiny(), &format!("{DOWN}.weight"), 3.0, &transpose(&change, 20));

    let mut desk = Desk::new(json!({}));
    let change = desk.factors("model.embed_tokens", 2, 16, 264);
    for part in ["A", "B"] {
        let name = format!("base_model.model.model.embed_tokens.lora_{part}.weight");
        let tensor = desk.tensors.remove(&name).expect("the factor");
        desk.tensors.insert(format!("base_model.model.model.embed_tokens.lora_embedding_{part}"), tensor);
    }
    desk.changes(&tiny(), "model.embed_tokens.weight", 3.0, &transpose(&change, 16));
}

#[test]
fn whole_tensors_and_biases_of_an_adapter_take_the_place_of_the_checkpoints() -> Outcome {
    let mut desk = Desk::new(json!({ "modules_to_save": ["lm_head"], "bias": "all" }));
    let q = desk.factors(Q, 2, 24, 16);
    let (head, bias) = (desk.numbers.reals(264 * 16), desk.numbers.reals(24));
    desk.tensors.insert("base_model.model.lm_head.weight".into(), f32s(&[264, 16], &head));
    desk.tensors.insert(format!("base_model.model.{Q}.base_layer.bias"), f32s(&[24], &bias));
    let weights = desk.open(&tiny())?;
    assert_eq!(get(&weights, "lm_head.weight"), head);
    assert_eq!(get(&weights, &format!("{Q}.bias")), bias);
    desk.changes(&tiny(), &format!("{Q}.weight"), 3.0, &q);
    Ok(())
}

#[test]
fn an_adapter_finds_a_checkpoint_without_the_leading_name_and_a_quantized_one() {
    let matrix = Quantized::new(4, 32, 16, 16, false, true);
    let mut stored = Stored::new();
    matrix.store("layers.0.q", false, &mut stored);
    stored.insert("lm_head.weight".into(), f32s(&[1, 1], &[0.0]));
    let dir = quantized_dir(&stored, &matrix.settings(false, true));
    let mut desk = Desk::new(json!({}));
    let change = desk.factors("model.layers.0.q", 2, 16, 32);
    desk.changes(dir.path(), "layers.0.q.weight", 3.0, &change);
}

#[test]
fn adapters_that_are_something_else_are_refused_by_name() {
    let many: serde_json::Map<String, Value> = (0..5_000).map(|i| (format!("m{i}"), json!(2))).collect();
    let cases: [(Value, &[&str]); 13] = [
        (json!({ "peft_type": "IA3" }), &["peft_type: \"IA3\"", "merge"]),
        (json!({ "peft_type": null }), &["peft_type: is missing"]),
        (json!({ "use_dora": true }), &["use_dora"]),
        (json!({ "lora_bias": true }), &["lora_bias"]),
        (json!({ "layer_replication": [[0, 2]] }), &["layer_replication"]),
        (json!({ "init_lora_weights": "pissa_niter_4" }), &["init_lora_weights: \"pissa_niter_4\""]),
        (json!({ "trainable_token_indices": [1] }), &["trainable_token_indices"]),
        (json!({ "r": 0 }), &["r: expected a positive whole number"]),
        (json!({ "alpha_pattern": { "(": 1 } }), &["alpha_pattern", "("]),
        (json!({ "alpha_pattern": { "\\w{999}": 1 } }), &["\\w{999}: is not a pattern"]),
        (json!({ "rank_pattern": { (r"\pL".repeat(1000)): 2 } }), &["is not a pattern"]),
        (json!({ "rank_pattern": many }), &["rank_pattern: holds more than 4096 patterns"]),
        (json!({ "rank_pattern": { "q_proj": "four" } }), &["rank_pattern", "q_proj", "four"]),
    ];
    for (config, parts) in cases {
        let mut desk = Desk::new(config);
        desk.factors(Q, 2, 24, 16);
        says(desk.open(&tiny()).err(), parts);
    }
}

#[test]
fn adapters_that_do_not_fit_are_refused() -> Outcome {
    let fresh = || {
        let mut desk = Desk::new(json!({}));
        desk.factors(Q, 2, 24, 16);
        desk
    };
    let mut desk = fresh();
    desk.factors("model.layers.3.self_attn.q_proj", 2, 24, 16);
    says(
        desk.open(&tiny()).err(),
        &["base_model.model.model.layers.3.self_attn.q_proj.lora_A", "does not hold"],
    );
    let mut desk = fresh();
    desk.factors(DOWN, 3, 16, 20);
    says(desk.open(&tiny()).err(), &[&format!("{DOWN}.lora_A.weight"), "[3, 20]", "[2, 20]"]);
    let mut desk = fresh();
    desk.factors(DOWN, 2, 20, 20);
    says(desk.open(&tiny()).err(), &[&format!("{DOWN}.lora_B.weight"), "[20, 2]", "[16, 2]"]);
    let mut desk = fresh();
    desk.tensors.remove(&format!("base_model.model.{Q}.lora_B.weight"));
    says(desk.open(&tiny()).err(), &["lora_A", "without its other half"]);
    let mut desk = fresh();
    desk.tensors.insert(format!("base_model.model.{Q}.lora_magnitude_vector"), f32s(&[24], &[0.0; 24]));
    says(desk.open(&tiny()).err(), &["lora_magnitude_vector"]);

    let desk = fresh();
    let mut weights = desk.open(&tiny())?;
    says(weights.adapter(desk.work.path()).err(), &["second adapter"]);
    fs::rename(
        desk.work.path().join("adapter_model.safetensors"),
        desk.work.path().join("adapter_model.bin"),
    )?;
    let mut weights = Weights::open(&tiny())?;
    says(weights.adapter(desk.work.path()).err(), &["no adapter_model.safetensors", "pickle"]);
    says(weights.adapter(&tiny()).err(), &["holds no adapter_config.json"]);
    Ok(())
}

#[test]
fn an_adapter_of_a_tied_embedding_is_refused() -> Outcome {
    let work = TempDir::new()?;
    copy(&tiny(), work.path());
    let mut stored = load(&work.path().join("model.safetensors"));
    stored.remove("lm_head.weight");
    save(&stored, &work.path().join("model.safetensors"));
    let mut desk = Desk::new(json!({}));
    desk.tensors
        .insert("base_model.model.model.embed_tokens.weight".into(), f32s(&[264, 16], &vec![0.0; 264 * 16]));
    says(desk.open(work.path()).err(), &["as embedding and head", "merge"]);
    assert!(desk.open(&tiny()).is_ok());
    Ok(())
}

#[test]
fn a_set_of_files_needs_no_index_but_all_its_parts() -> Outcome {
    let work = TempDir::new()?;
    let whole = load(&tiny().join("model.safetensors"));
    let file = |name: &str| work.path().join(name);
    for i in 0..3 {
        let part =
            whole.iter().enumerate().filter(|(at, _)| at % 3 == i).map(|(_, (k, v))| (k.clone(), v.clone()));
        save(&part.collect(), &file(&format!("model-{:05}-of-00003.safetensors", i + 1)));
    }
    let (one, three) = (Weights::open(&tiny())?, Weights::open(work.path())?);
    assert_eq!(one.names(), three.names());
    assert!(one.names().iter().all(|name| get(&one, name) == get(&three, name)));

    fs::write(file("adapter_model.safetensors"), "")?;
    assert!(Weights::open(work.path()).is_ok(), "an adapter beside the weights is none of them");
    fs::remove_file(file("model-00002-of-00003.safetensors"))?;
    says(Weights::open(work.path()).err(), &["lacks model-00002-of-00003.safetensors"]);
    let map = json!({ "weight_map": { "lm_head.weight": "model-00002-of-00003.safetensors" } });
    fs::write(file("model.safetensors.index.json"), map.to_string())?;
    says(Weights::open(work.path()).err(), &["names model-00002-of-00003.safetensors, which is not there"]);
    let map = json!({ "weight_map": { "lm_tail.weight": "model-00001-of-00003.safetensors" } });
    fs::write(file("model.safetensors.index.json"), map.to_string())?;
    says(
        Weights::open(work.path()).err(),
        &["00001-of-00003.safetensors holds lm_tail.weight, but no file does"],
    );
    Ok(())
}

#[test]
fn one_file_of_another_name_will_do_but_not_two() -> Outcome {
    let work = TempDir::new()?;
    fs::copy(tiny().join("model.safetensors"), work.path().join("weights.safetensors"))?;
    assert_eq!(Weights::open(work.path())?.names(), Weights::open(&tiny())?.names());
    fs::copy(tiny().join("model.safetensors"), work.path().join("more.safetensors"))?;
    says(Weights::open(work.path()).err(), &["holds 2 safetensors files and no index"]);
    Ok(())
}

#[test]
fn pickles_and_lone_adapters_are_refused_by_name() -> Outcome {
    for name in ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "consolidated.00.pth", "model.pt"] {
        let work = TempDir::new()?;
        fs::write(work.path().join(name), b"\x80\x02}q\x00.")?;
        says(Weights::open(work.path()).err(), &["holds no safetensors weights", name, "pickle"]);
    }
    let work = TempDir::new()?;
    fs::write(work.path().join("adapter_config.json"), "{}")?;
    fs::write(work.path().join("adapter_model.safetensors"), "")?;
    says(Weights::open(work.path()).err(), &["this is an adapter"]);
    Ok(())
}

#[test]
fn tensors_outlive_a_release_of_their_pages() -> Outcome {
    let matrix = Numbers(3).reals(512 * 512);
    let work = TempDir::new()?;
    save(&Stored::from([("x".into(), f32s(&[512, 512], &matrix))]), &work.path().join("model.safetensors"));
    let weights = Weights::open(work.path())?;
    let shared = weights.get("x", &[512, 512], Kind::Float, Device::Cpu)?;
    let copied = weights.get("x", &[512, 512], Kind::Double, Device::Cpu)?;
    weights.release();
    assert!(values(&shared) == matrix);
    assert!(values(&copied) == matrix);
    assert_eq!(shared.data_ptr(), weights.get("x", &[512, 512], Kind::Float, Device::Cpu)?.data_ptr());
    Ok(())
}

//! GPTQ: weights packed into 32-bit words, a scale and a zero point per group of inputs and output.
//!
//! Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers". The layout
//! is that of AutoGPTQ and GPTQModel: `qweight` (in * bits / 32, out), `qzeros` (groups, out * bits / 32), `scales`
//! (groups, out), `g_idx` (in), the group of each input. `weight[o, i] = scales[g, o] * (q[i, o] - zero[g, o])`.

use std::path::Path;

use rayon::prelude::*;
use safetensors::Dtype;
use serde_json::Value;
use tch::Tensor;

use super::store::{Entry, Store};
use crate::model::Config;
use crate::{Error, Result};

/// How a checkpoint was quantized.
pub(super) struct Scheme {
    pub bits: usize,
    /// Inputs of a group; `None` is all.
    group_size: Option<usize>,
    /// Groups follow the order of activations, so `g_idx` cannot be guessed.
    desc_act: bool,
    /// The first format stores every zero point less one.
    zeros_less_one: bool,
}

const HINT: &str = "GPTQ with 2, 4 or 8 bits can be read; else use the checkpoint that was quantized";

impl Scheme {
    /// From `quantization_config` of config.json, or quantize_config.json.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let (config, older) = (dir.join("config.json"), dir.join("quantize_config.json"));
        if config.is_file()
            && let Some(settings) = Config::read(&config)?.object("quantization_config")?
        {
            return Self::parse(&settings).map(Some);
        }
        if older.is_file() {
            return Self::parse(&Config::read(&older)?).map(Some);
        }
        Ok(None)
    }

    fn parse(config: &Config) -> Result<Self> {
        let refuse =
            |key: &str, value: &Value| Err(config.wrong(key, format!("{value} is not supported")).hint(HINT));
        let format = config.get("checkpoint_format").or(config.get("format"));
        match (config.get("quant_method"), format) {
            (Some(method), _) if method != "gptq" => return refuse("quant_method", method),
            (None, None) if config.get("bits").is_none() => {
                return Err(config.wrong("quant_method", "is missing").hint(HINT));
            }
            _ => {}
        }
        let zeros_less_one = match format {
            None => true,
            Some(name) if name == "gptq" => true,
            Some(name) if name == "gptq_v2" => false,
            Some(other) => return refuse("checkpoint_format", other),
        };
        if config.flag_or("is_marlin_format", false)? {
            return refuse("is_marlin_format", &Value::Bool(true));
        }
        if let Some(modules) = config.get("dynamic").and_then(Value::as_object)
            && let Some(module) = modules.keys().find(|module| !module.starts_with("-:"))
        {
            return Err(
                config.wrong("dynamic", format!("settings of their own for {module} are not supported"))
            );
        }
        let bits = config.size("bits")?;
        if ![2, 4, 8].contains(&bits) {
            return refuse("bits", &bits.into());
        }
        let group_size = match config.get("group_size").map(Value::as_i64) {
            Some(Some(-1)) => None,
            _ => Some(config.size("group_size")? as usize),
        };
        let desc_act = config.flag_or("desc_act", false)?;
        Ok(Self { bits: bits as usize, group_size, desc_act, zeros_less_one })
    }

    /// Inputs or outputs that share a word.
    fn per_word(&self) -> usize {
        32 / self.bits
    }

    /// The values that `entry`, a `qweight`, stands for: (out, in).
    pub fn shape(&self, entry: &Entry) -> Vec<i64> {
        let mut shape = entry.shape.clone();
        shape.reverse();
        if let Some(inputs) = shape.last_mut() {
            *inputs = inputs.saturating_mul(self.per_word() as i64);
        }
        shape
    }
}

/// A quantized matrix, checked.
pub(super) struct Packed<'a> {
    words: &'a [u8],
    scales: Vec<f32>, // (groups, out)
    zeros: Vec<f32>,  // (groups, out)
    group: Vec<usize>,
    bits: usize,
    outputs: usize,
}

/// Output rows that one thread unpacks at a time: their cache lines are filled before they leave the cache.
const STRIP: usize = 16;

impl<'a> Packed<'a> {
    /// The matrix `module`.weight. Every shape and index is checked here.
    pub fn read(store: &'a Store, scheme: &Scheme, module: &str) -> Result<Self> {
        let name = |part: &str| format!("{module}.{part}");
        let qweight = store.entry(&name("qweight"))?;
        let expect = |part: &str, dtype: &[Dtype], shape: &[usize]| -> Result<&'a Entry> {
            let entry = store.entry(&name(part))?;
            let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
            if !dtype.contains(&entry.dtype) || entry.shape != shape {
                let why = format!(
                    "is {:?} {:?}, {} bits and qweight {:?} ask for {:?} {shape:?}",
                    entry.dtype, entry.shape, scheme.bits, qweight.shape, dtype[0]
                );
                return Err(store.wrong(&name(part), why));
            }
            Ok(entry)
        };
        let [rows, outputs] = qweight.shape[..] else {
            return Err(store.wrong(&name("qweight"), format!("has shape {:?}, not two axes", qweight.shape)));
        };
        let (rows, outputs) = (rows as usize, outputs as usize);
        expect("qweight", &[Dtype::I32, Dtype::U32], &[rows, outputs])?;
        if outputs == 0 || rows == 0 || !outputs.is_multiple_of(scheme.per_word()) {
            let why = format!("{outputs} outputs of {} bits do not fill whole words", scheme.bits);
            return Err(store.wrong(&name("qweight"), why));
        }
        let inputs = rows * scheme.per_word();
        let groups = inputs.div_ceil(scheme.group_size.unwrap_or(inputs));
        let floats = [Dtype::F16, Dtype::BF16, Dtype::F32];
        expect("scales", &floats, &[groups, outputs])?;
        let zeros = expect("qzeros", &[Dtype::I32, Dtype::U32], &[groups, outputs / scheme.per_word()])?;
        let group = if store.entries.contains_key(&name("g_idx")) {
            let entry = expect("g_idx", &[Dtype::I32, Dtype::U32], &[inputs])?;
            let group: Vec<usize> = words(store.bytes(entry)).map(|index| index as usize).collect();
            if let Some(index) = group.iter().find(|&&index| index >= groups) {
                let why = format!("names group {} of {groups}", *index as u32 as i32);
                return Err(store.wrong(&name("g_idx"), why));
            }
            group
        } else if scheme.desc_act && groups > 1 {
            let error = Error::input(store.place(), format!("tensor {} is missing", name("g_idx")));
            return Err(error.hint("desc_act: true orders the groups by activation, and only g_idx says how"));
        } else {
            (0..inputs).map(|i| i / scheme.group_size.unwrap_or(inputs)).collect()
        };
        let scales = store.tensor(&name("scales"))?.0.f_to_kind(tch::Kind::Float)?;
        let mut values = vec![0f32; groups * outputs];
        scales.f_copy_data(&mut values, groups * outputs)?;
        Ok(Self {
            words: store.bytes(qweight),
            scales: values,
            zeros: unpack_zeros(store.bytes(zeros), scheme),
            group,
            bits: scheme.bits,
            outputs,
        })
    }

    /// Output rows `start..start + len` as f32: (len, in).
    pub fn rows(&self, start: usize, len: usize) -> Result<Tensor> {
        let inputs = self.group.len();
        let mut values = vec![0f32; len * inputs];
        values.par_chunks_mut(STRIP * inputs).enumerate().for_each(|(i, strip)| {
            self.unpack(start + i * STRIP, strip);
        });
        Ok(Tensor::f_from_slice(&values)?.f_view([len as i64, inputs as i64])?)
    }

    /// Unpacks the output rows from `first` on that `strip` has room for.
    fn unpack(&self, first: usize, strip: &mut [f32]) {
        let inputs = self.group.len();
        let (per_word, mask) = (32 / self.bits, u32::MAX >> (32 - self.bits));
        let len = strip.len() / inputs;
        for (input, &group) in self.group.iter().enumerate() {
            let packed = &self.words[4 * (input / per_word * self.outputs + first)..][..4 * len];
            let shift = input % per_word * self.bits;
            let at = group * self.outputs + first;
            let (scales, zeros) = (&self.scales[at..][..len], &self.zeros[at..][..len]);
            for (row, word) in words(packed).enumerate() {
                let q = (word >> shift & mask) as f32;
                strip[row * inputs + input] = scales[row] * (q - zeros[row]);
            }
        }
    }
}

/// Zero points in the order of the outputs. The first format took one from every field of a word at once, so that a
/// zero point of 0 borrows from its neighbour: adding it back to whole words, as GPTQModel does, is exact.
fn unpack_zeros(bytes: &[u8], scheme: &Scheme) -> Vec<f32> {
    let mask = u32::MAX >> (32 - scheme.bits);
    let ones = (0..scheme.per_word()).fold(0, |ones, i| ones | 1u32 << (i * scheme.bits));
    let one = if scheme.zeros_less_one { ones } else { 0 };
    words(bytes)
        .map(|word| word.wrapping_add(one))
        .flat_map(|word| (0..scheme.per_word()).map(move |i| (word >> (i * scheme.bits) & mask) as f32))
        .collect()
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

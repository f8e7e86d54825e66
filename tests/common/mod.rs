//! What the integration tests share: the fixture model, the binary, safetensors files.
#![allow(dead_code, reason = "every test file uses its own part")]

pub mod study;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use recant::dialogue::Script;
use recant::dialogue::filler::Filler;
use recant::text::{ChatTemplate, Tokenizer};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// What a test returns.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A random Llama with grouped heads, biases, scaled rotary frequencies and a head of its own; see
/// `tests/reference/parity_fixtures.py`.
pub fn tiny() -> PathBuf {
    fixtures().join("tiny-llama")
}

/// `tests/fixtures`.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The binary, on one thread: tests run side by side.
pub fn recant() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recant"));
    command.env("OMP_NUM_THREADS", "1").env("RAYON_NUM_THREADS", "1").env("OMP_WAIT_POLICY", "passive");
    command
}

/// How a checkpoint is spoken to, by nothing but its tokenizer, its template and the tokens that end a reply.
pub fn script<'a>(tokenizer: &'a Tokenizer, template: &'a ChatTemplate, eos: &'a [i64]) -> Script<'a> {
    let filler = Filler::default();
    Script { tokenizer, template, eos, ends: eos, stop: &[], before_stop: &[], texts: false, filler }
}

/// Runs the command and shows its stderr where it fails.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Writes JSON values, one a line.
pub fn write_lines(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).expect("the input is written");
}

/// Reads JSON values, one a line.
pub fn read_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Copies a directory of files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is made");
    for entry in fs::read_dir(from).expect("the directory is there") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("the file is copied");
    }
}

/// Every file below a directory, by its path in it, with its bytes.
pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below the root").to_path_buf();
                found.insert(name, fs::read(&path).expect("the file is read"));
            }
        }
    }
    found
}

/// A tensor of a file, as f32 (integers too: they are small here).
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Array {
    /// Vectors along the last axis.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(*self.shape.last().expect("an axis"))
    }

    /// The vector number `row`.
    pub fn row(&self, row: usize) -> &[f32] {
        let width = *self.shape.last().expect("an axis");
        &self.values[row * width..][..width]
    }
}

/// Every tensor of a safetensors file.
pub fn tensors(path: &Path) -> BTreeMap<String, Array> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    file.iter()
        .map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                Dtype::BF16 => {
                    data.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
                }
                Dtype::I64 => data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
                other => panic!("{name} is {other:?}"),
            };
            (name.to_string(), Array { shape: view.shape().to_vec(), values })
        })
        .collect()
}

/// Changes the f32 numbers of one tensor of a checkpoint.
pub fn plant(dir: &Path, name: &str, change: impl Fn(usize, f32) -> f32) {
    let path = dir.join("model.safetensors");
    let bytes = fs::read(&path).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let view = file.tensor(name).expect("the tensor");
    let numbers = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).enumerate();
    let data: Vec<u8> = numbers.flat_map(|(i, x)| change(i, x).to_le_bytes()).collect();
    let planted = TensorView::new(view.dtype(), view.shape().to_vec(), &data).expect("a tensor");
    let tensors = file.tensors().into_iter();
    let tensors: Vec<_> =
        tensors.map(|(key, view)| if key == name { (key, planted.clone()) } else { (key, view) }).collect();
    safetensors::serialize_to_file(tensors, None, &path).expect("written");
}

/// The metadata entry `recant` of a safetensors file.
pub fn about(path: &Path) -> Value {
    let bytes = fs::read(path).expect("the file is read");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let text = header.metadata().as_ref().and_then(|map| map.get("recant")).expect("metadata");
    serde_json::from_str(text).expect("JSON")
}

/// Largest difference of two vectors as a part of the largest absolute value of the second.
pub fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(0.0f64, |top, x| top.max(f64::from(x.abs())));
    let worst = a.iter().zip(b).fold(0.0f64, |worst, (x, y)| {
        let gap = f64::from((x - y).abs());
        if gap.is_nan() { f64::INFINITY } else { worst.max(gap) }
    });
    if worst == 0.0 { 0.0 } else { worst / scale }
}

/// Holds two vectors together; `place` names them.
pub fn close(a: &[f32], b: &[f32], tolerance: f64, place: &str) {
    let found = difference(a, b);
    assert!(
        found <= tolerance,
        "{place}: off by {found:.1e} of the largest value, {tolerance:.0e} is allowed"
    );
}

/// A comparison of nothing, or of constants, would prove nothing.
pub fn varied(values: &[f32], place: &str) {
    assert!(!values.is_empty(), "{place}: nothing to compare");
    assert!(values.iter().all(|x| x.is_finite()), "{place}: not finite");
    let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    assert!(high - low > 1e-3, "{place}: the same everywhere");
}

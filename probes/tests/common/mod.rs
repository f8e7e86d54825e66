#![allow(dead_code, clippy::unwrap_used)]
//! Shared by the tests: a stream of noise of their own, and small designs.

use std::path::PathBuf;

use ndarray::{Array2, Array3};
use recant_probes::{Labelled, Metric, Scored};
use serde_json::Value;

/// Noise from a 64-bit congruential generator, independent of the one under test; roughly normal.
pub struct Noise(pub u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f32 {
        ((0..12).map(|_| self.uniform()).sum::<f64>() - 6.0) as f32
    }

    pub fn matrix(&mut self, rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.normal())
    }

    pub fn layers(&mut self, layers: usize, rows: usize, columns: usize) -> Array3<f32> {
        Array3::from_shape_simple_fn((layers, rows, columns), || self.normal())
    }
}

/// Minimal pairs: groups of two rows, one of each class.
pub fn pairs(groups: usize) -> Labelled {
    let labels: Vec<i64> = (0..2 * groups as i64).map(|row| row % 2).collect();
    let names: Vec<i64> = (0..2 * groups as i64).map(|row| row / 2).collect();
    Labelled::new(&labels, &names).unwrap()
}

/// Groups of `size` rows that share one label.
pub fn pure_groups(groups: usize, size: usize) -> Labelled {
    let names: Vec<i64> = (0..groups * size).map(|row| (row / size) as i64).collect();
    let labels: Vec<i64> = names.iter().map(|name| name % 2).collect();
    Labelled::new(&labels, &names).unwrap()
}

/// What scipy and scikit-learn found, see tests/reference.
pub fn fixture(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// States `[n, D]`, a list a row.
pub fn states(value: &Value) -> Array2<f32> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(floats).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column] as f32)
}

pub fn groups(value: &Value) -> Vec<usize> {
    integers(value).into_iter().map(|group| group as usize).collect()
}

pub fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect()
}

pub fn auroc(decisions: &[f64], labelled: &Labelled) -> f64 {
    Metric::Auroc.of(&Scored::new(decisions, labelled.labels())).unwrap()
}

/// Decisions of a readout in which class 1 lies `shift` higher and the rows of a group share a part `rho` of their
/// variance, which is 1. Two rows of different groups are ordered rightly with probability Φ(shift / √2).
pub fn correlated(labelled: &Labelled, shift: f64, rho: f64, noise: &mut Noise) -> Vec<f64> {
    let shared: Vec<f64> = (0..labelled.n_groups()).map(|_| f64::from(noise.normal())).collect();
    let decision = |row: usize| {
        let own = f64::from(noise.normal());
        shift * f64::from(labelled.labels()[row])
            + rho.sqrt() * shared[labelled.groups()[row]]
            + (1.0 - rho).sqrt() * own
    };
    (0..labelled.n()).map(decision).collect()
}

/// Real hidden states with what scikit-learn fits on them, if this machine has them.
pub struct Golden {
    pub expected: Value,
    pub x: Array2<f32>,
    pub labelled: Labelled,
}

pub fn golden() -> Option<Golden> {
    let shared = std::env::var_os("RECANT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("golden/probes");
    let Ok(bytes) = std::fs::read(folder.join("features.safetensors")) else {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("skipped: needs golden/probes under RECANT_SHARED (default ../shared)");
        }
        return None;
    };
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let long = |name: &str| -> Vec<i64> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let x = tensors.tensor("x").unwrap();
    let values =
        x.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    Some(Golden {
        expected: serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap())
            .unwrap(),
        x: Array2::from_shape_vec((x.shape()[0], x.shape()[1]), values).unwrap(),
        labelled: Labelled::new(&long("y"), &long("group")).unwrap(),
    })
}

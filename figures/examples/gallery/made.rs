//! What the made-up numbers are made of.

use recant_figures::{Reference, Series};

pub const LAYERS: usize = 30;
pub const ROUNDS: usize = 3;
pub const CONDITIONS: [&str; 4] = ["baseline", "specificity-1", "negation", "neutral"];
pub const CONCEPTS: [&str; 2] = ["stereotype", "morality"];

/// A small fixed noise in [-1, 1].
pub fn noise(seed: usize) -> f64 {
    ((seed as f64 * 12.9898).sin() * 43758.5453).fract()
}

pub fn series(label: &str, values: &[f64], half: f64) -> Series {
    Series {
        label: label.into(),
        value: values.iter().map(|v| Some(*v)).collect(),
        lo: values.iter().enumerate().map(|(i, v)| Some(v - half * (1.0 + 0.2 * noise(i + 3)))).collect(),
        hi: values.iter().enumerate().map(|(i, v)| Some(v + half * (1.0 + 0.2 * noise(i + 9)))).collect(),
    }
}

pub fn lines(values: [[f64; ROUNDS]; 4], half: f64) -> Vec<Series> {
    CONDITIONS.iter().zip(values).map(|(label, v)| series(label, &v, half)).collect()
}

pub fn level(label: &str, value: f64) -> Reference {
    Reference { label: label.into(), value, interval: None }
}

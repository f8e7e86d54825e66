//! Weights as they are before training.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::random::SplitMix;

/// What random weights are drawn from.
pub struct Initial {
    /// Names the draw.
    pub seed: u64,
    /// Standard deviation of the weights.
    pub std: f64,
}

/// What a tensor begins with.
#[derive(Clone, Copy)]
pub enum Start {
    /// Normal, of mean 0 and the standard deviation of [`Initial`].
    Normal,
    /// One number throughout.
    Constant(f64),
}

/// Numbers that one thread draws from one stream.
const RUN: usize = 1 << 14;

/// Numbers that are held in f32 at a time; whole runs.
const STRIP: usize = 1 << 22;

impl Initial {
    /// The tensor of this name, the same for every kind (but for rounding), device and number of threads.
    ///
    /// # Errors
    /// No memory on the device.
    pub fn tensor(
        &self,
        name: &str,
        shape: &[i64],
        start: Start,
        (kind, device): (Kind, Device),
    ) -> Result<Tensor> {
        if let Start::Constant(value) = start {
            return Ok(Tensor::f_full(shape, value, (kind, device))?);
        }
        let made = Tensor::f_empty(shape, (kind, device))?;
        let flat = made.f_view([-1])?;
        let mut values = vec![0f32; STRIP.min(made.numel())];
        for first in (0..made.numel()).step_by(STRIP) {
            let strip = &mut values[..STRIP.min(made.numel() - first)];
            strip.par_chunks_mut(RUN).enumerate().for_each(|(i, run)| self.draw(name, first / RUN + i, run));
            let drawn = Tensor::f_from_slice(strip)?;
            flat.f_narrow(0, first as i64, strip.len() as i64)?.f_copy_(&drawn)?;
        }
        Ok(made)
    }

    /// Run number `number` of a tensor.
    fn draw(&self, name: &str, number: usize, run: &mut [f32]) {
        let mut random = SplitMix::named(self.seed, &format!("{name} {number}"));
        let std = self.std as f32;
        for pair in run.chunks_mut(2) {
            pair.iter_mut().zip(random.normals()).for_each(|(value, normal)| *value = std * normal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(initial: &Initial, name: &str, shape: &[i64]) -> Vec<f64> {
        let drawn = initial.tensor(name, shape, Start::Normal, (Kind::Float, Device::Cpu)).expect("a tensor");
        Vec::try_from(drawn.flatten(0, -1).to_kind(Kind::Double)).expect("its values")
    }

    #[test]
    fn weights_are_normal_with_the_asked_deviation() {
        let (n, std) = (1 << 20, 0.02);
        let drawn = values(&Initial { seed: 1, std }, "w", &[1 << 10, 1 << 10]);
        let moment = |power: i32| drawn.iter().map(|x| (x / std).powi(power)).sum::<f64>() / f64::from(n);
        // Four standard errors of the moments of a normal variable: sqrt((E x^2k - (E x^k)^2) / n).
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let off = (moment(power) - expected).abs();
            assert!(off < 4.0 * f64::sqrt(variance / f64::from(n)), "moment {power}: {}", moment(power));
        }
        let beyond = drawn.iter().filter(|x| x.abs() > 1.959964 * std).count() as f64 / f64::from(n);
        assert!((beyond - 0.05).abs() < 4.0 * f64::sqrt(0.05 * 0.95 / f64::from(n)), "{beyond}");
    }

    #[test]
    fn a_longer_tensor_begins_as_a_shorter_one_and_names_and_seeds_differ() {
        let initial = Initial { seed: 1, std: 1.0 };
        // Longer than a strip, and of a length that no run divides.
        let long = values(&initial, "w", &[STRIP as i64 + 12_345]);
        assert_eq!(values(&initial, "w", &[3, 7]), long[..21]);
        assert!(long.chunks(RUN).skip(1).all(|run| run[0] != long[0]), "every run has its own stream");
        assert_ne!(values(&initial, "v", &[21]), long[..21]);
        assert_ne!(values(&Initial { seed: 2, std: 1.0 }, "w", &[21]), long[..21]);
    }
}

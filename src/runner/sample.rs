//! Choosing the next token.

use tch::{Kind, Tensor};

use crate::Result;
use crate::random::SplitMix;
use crate::study::Sampling;

/// How the next token is chosen. Each sequence has a sampler of its own, so its tokens do not depend on its batch.
#[derive(Debug, Clone)]
pub enum Sampler {
    /// The most probable token, the lowest id on a tie.
    Greedy,
    /// Drawn at a temperature from the `top_k` most probable tokens, and of those from the nucleus: the most probable
    /// whose mass reaches `top_p`.
    Drawn {
        /// The setting.
        sampling: Sampling,
        /// The generator.
        random: SplitMix,
    },
}

impl Sampler {
    /// Greedy without a setting, else drawn by the generator.
    #[must_use]
    pub fn new(sampling: Option<Sampling>, random: SplitMix) -> Self {
        sampling.map_or(Self::Greedy, |sampling| Self::Drawn { sampling, random })
    }

    /// Picks a token from logits `(vocab)`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn pick(&mut self, logits: &Tensor) -> Result<i64> {
        let Self::Drawn { sampling, random } = self else {
            return Ok(logits.f_argmax(None, false)?.f_int64_value(&[])?);
        };
        let Sampling { temperature, top_p, top_k } = *sampling;
        let scaled = logits.f_to_kind(Kind::Double)?.f_div_scalar(temperature)?;
        let (sorted, ids) = scaled.f_sort_stable(true, -1, true)?;
        let best = if top_k == 0 { sorted.numel() } else { top_k.min(sorted.numel()) } as i64;
        let sorted = sorted.f_narrow(0, 0, best)?.f_softmax(-1, Kind::Double)?;
        let (sorted, ids): (Vec<f64>, Vec<i64>) = (Vec::try_from(sorted)?, Vec::try_from(ids)?);
        let mut mass = 0.0;
        let kept = sorted.iter().take_while(|p| {
            let inside = mass < top_p;
            mass += **p;
            inside
        });
        let kept: Vec<f64> = kept.copied().collect();
        let total: f64 = kept.iter().sum();
        let mut left = random.unit() * total;
        for (probability, id) in kept.iter().zip(&ids) {
            left -= probability;
            if left < 0.0 {
                return Ok(*id);
            }
        }
        Ok(ids[kept.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sampling: Sampling, seed: u64, stream: u64) -> Sampler {
        Sampler::new(Some(sampling), SplitMix::stream(seed, stream))
    }

    #[test]
    fn no_token_is_drawn_beyond_the_most_probable_ones() {
        let logits = Tensor::from_slice(&[0.0f32, 3.0, 1.0, 2.9]);
        let mut sampler = drawn(Sampling { temperature: 5.0, top_p: 1.0, top_k: 2 }, 1, 0);
        let seen: std::collections::BTreeSet<i64> =
            (0..200).map(|_| sampler.pick(&logits).expect("pick")).collect();
        assert_eq!(seen, [1, 3].into());
    }

    #[test]
    fn greedy_takes_the_largest() {
        let logits = Tensor::from_slice(&[0.1f32, 3.0, -1.0]);
        assert_eq!(Sampler::Greedy.pick(&logits).expect("pick"), 1);
    }

    #[test]
    fn nucleus_draws_with_the_right_frequencies_and_never_outside_the_nucleus() {
        let logits = Tensor::from_slice(&[0.5f64.ln(), 0.3f64.ln(), 0.15f64.ln(), 0.05f64.ln()]);
        let mut sampler = drawn(Sampling { temperature: 1.0, top_p: 0.9, top_k: 0 }, 7, 0);
        let mut counts = [0.0f64; 4];
        for _ in 0..4000 {
            counts[sampler.pick(&logits).expect("pick") as usize] += 1.0 / 4000.0;
        }
        assert_eq!(counts[3], 0.0);
        for (seen, expected) in counts.iter().zip([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95]) {
            assert!((seen - expected).abs() < 0.04, "{seen} {expected}");
        }
    }

    #[test]
    fn the_same_seed_and_stream_draw_the_same_tokens() {
        let logits = Tensor::zeros([100], (Kind::Float, tch::Device::Cpu));
        let draw = |stream| {
            let mut sampler = drawn(Sampling { temperature: 0.8, top_p: 1.0, top_k: 0 }, 3, stream);
            (0..20).map(|_| sampler.pick(&logits).expect("pick")).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

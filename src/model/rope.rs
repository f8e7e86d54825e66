//! Rotary position embedding, as transformers computes it.

use std::f64::consts::TAU;

use tch::{Device, Kind, Tensor};

use super::spec::{Rope, RopeScaling};
use crate::Result;

/// A stretch of tokens that belong to one sequence: how many, and the sequence's [`super::Spec::reach`].
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub len: i64,
    pub reach: i64,
}

/// The frequencies of a model, from which the angles of any position follow.
pub struct Rotation {
    rope: Rope,
    trained: Tensor, // (width / 2) f32: the frequencies at reach 0
    kind: Kind,
}

impl Rotation {
    pub fn new(rope: &Rope, kind: Kind, device: Device) -> Result<Self> {
        let trained = Tensor::f_from_slice(&frequencies(rope, 0))?.f_to_device(device)?;
        Ok(Self { rope: rope.clone(), trained, kind })
    }

    /// Cosines and sines at the given positions, each (tokens, 1, width); angles are f32, as in transformers.
    pub fn at(&self, positions: &Tensor, spans: &[Span]) -> Result<(Tensor, Tensor)> {
        let positions = positions.f_to_kind(Kind::Float)?;
        let angles = if spans.iter().all(|span| span.reach == 0) {
            positions.f_outer(&self.trained)?
        } else {
            let mut parts = Vec::with_capacity(spans.len());
            let mut row = 0;
            for span in spans {
                let of = Tensor::f_from_slice(&frequencies(&self.rope, span.reach))?;
                let of = of.f_to_device(positions.device())?;
                parts.push(positions.f_narrow(0, row, span.len)?.f_outer(&of)?);
                row += span.len;
            }
            Tensor::f_cat(&parts, 0)?
        }; // (tokens, width / 2)
        let angles = match self.rope.interleaved {
            true => angles.f_repeat_interleave_self_int(2, -1, None)?,
            false => Tensor::f_cat(&[&angles, &angles], -1)?,
        };
        let angles = angles.f_unsqueeze(1)?;
        let of = |wave: Tensor| -> Result<Tensor> {
            let wave = if self.rope.gain == 1.0 { wave } else { wave.f_mul_scalar(self.rope.gain)? };
            Ok(wave.f_to_kind(self.kind)?)
        };
        Ok((of(angles.f_cos()?)?, of(angles.f_sin()?)?))
    }

    /// Turns the pairs of each head; what lies beyond the rotated width stays as it is.
    ///
    /// # Shapes
    /// - x: `(tokens, heads, d_head)`; cos, sin: `(tokens, 1, width)`
    pub fn rotate(&self, x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
        let (tokens, heads, d_head) = x.size3()?;
        let width = self.rope.width;
        let part = x.f_narrow(2, 0, width)?;
        let turned = if self.rope.interleaved {
            let pairs = part.f_reshape([tokens, heads, width / 2, 2])?;
            let (even, odd) = (pairs.f_select(3, 0)?, pairs.f_select(3, 1)?);
            Tensor::f_stack(&[&odd.f_neg()?, &even], 3)?.f_view([tokens, heads, width])?
        } else {
            let (first, second) = (part.f_narrow(2, 0, width / 2)?, part.f_narrow(2, width / 2, width / 2)?);
            Tensor::f_cat(&[&second.f_neg()?, &first], 2)?
        };
        let rotated = part.f_mul(cos)?.f_addcmul_(&turned, sin)?;
        if width == d_head {
            return Ok(rotated);
        }
        Ok(Tensor::f_cat(&[&rotated, &x.f_narrow(2, width, d_head - width)?], 2)?)
    }
}

/// One frequency per pair for sequences of the given [`super::Spec::reach`], f32 throughout and rounded where
/// transformers rounds: a difference in the last bit is an angle off by a hundredth after a hundred thousand tokens.
fn frequencies(rope: &Rope, reach: i64) -> Vec<f32> {
    let periods =
        |theta: f32| (0..rope.width).step_by(2).map(move |i| theta.powf(i as f32 / rope.part as f32));
    let plain = |theta: f32| periods(theta).map(|period| 1.0 / period);
    let trained = plain(rope.theta as f32);
    match &rope.scaling {
        RopeScaling::None => trained.collect(),
        RopeScaling::Linear { factor } => trained.map(|f| f / *factor as f32).collect(),
        RopeScaling::Dynamic { factor, original } => {
            let stretch = factor * reach.max(*original) as f64 / *original as f64 - (factor - 1.0);
            let part = rope.part as f64;
            // One pair alone never turns slower.
            let power = if rope.part > 2 { part / (part - 2.0) } else { 0.0 };
            plain((rope.theta * stretch.powf(power)) as f32).collect()
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
            let (context, factor) = (*original as f32, *factor as f32);
            let (low, high) = (*low_freq_factor as f32, *high_freq_factor as f32);
            let stretch = |frequency: f32| {
                // torch divides a number by a tensor as number times reciprocal.
                let wavelength = 1.0 / frequency * TAU as f32;
                if wavelength > context / low {
                    frequency / factor
                } else if wavelength < context / high {
                    frequency
                } else {
                    let keep = (1.0 / wavelength * context - low) / (high - low);
                    (1.0 - keep) * frequency / factor + keep * frequency
                }
            };
            trained.map(stretch).collect()
        }
        RopeScaling::Yarn { factor, low, high, .. } => {
            let ramp = (high - low).max(if high == low { 0.001 } else { f64::MIN }) as f32;
            let stretch = |(pair, period): (usize, f32)| {
                let kept = 1.0 - ((pair as f32 - *low as f32) / ramp).clamp(0.0, 1.0);
                1.0 / (*factor as f32 * period) * (1.0 - kept) + 1.0 / period * kept
            };
            periods(rope.theta as f32).enumerate().map(stretch).collect()
        }
        RopeScaling::LongRope { short, long, original } => {
            let factors = if reach > *original { long } else { short };
            let stretched = |(period, factor): (f32, &f64)| 1.0 / (*factor as f32 * period);
            periods(rope.theta as f32).zip(factors).map(stretched).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_norms_and_depends_on_distance_only() {
        for (width, interleaved) in [(8, false), (8, true), (4, false)] {
            let rope = Rope {
                theta: 10_000.0,
                width,
                part: width,
                interleaved,
                gain: 1.0,
                scaling: RopeScaling::None,
            };
            let rotation = Rotation::new(&rope, Kind::Double, Device::Cpu).expect("rotation");
            let x = Tensor::randn([1, 1, 8], (Kind::Double, Device::Cpu));
            let y = Tensor::randn([1, 1, 8], (Kind::Double, Device::Cpu));
            let at = |t: &Tensor, position: i64| {
                let angles = rotation.at(&Tensor::from_slice(&[position]), &[Span { len: 1, reach: 0 }]);
                rotation.rotate(t, &angles.expect("angles")).expect("rotate")
            };
            let dot = |a: Tensor, b: Tensor| (a * b).sum(Kind::Double).double_value(&[]);
            assert!((dot(at(&x, 7), at(&x, 7)) - dot(at(&x, 0), at(&x, 0))).abs() < 1e-5);
            assert!((dot(at(&x, 9), at(&y, 4)) - dot(at(&x, 25), at(&y, 20))).abs() < 1e-5);
            let kept = at(&x, 7).narrow(2, width, 8 - width);
            assert_eq!(kept, x.narrow(2, width, 8 - width), "what is not rotated stays");
        }
    }

    /// Frequencies of tests/reference/rope.py.
    #[derive(serde::Deserialize)]
    struct Case {
        config: serde_json::Value,
        length: i64,
        gain: f64,
        bits: Vec<u32>,
    }

    #[test]
    fn frequencies_are_those_of_transformers_almost_to_the_bit() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/fixtures/rope.json")).expect("the fixture");
        let dir = tempfile::tempdir().expect("a directory");
        for case in &cases {
            std::fs::write(dir.path().join("config.json"), case.config.to_string()).expect("written");
            let spec = super::super::Spec::read(dir.path()).expect("a config");
            let rope = &spec.ropes[0];
            let found = frequencies(rope, spec.reach(case.length));
            let place = format!("{} at {}", case.config, case.length);
            assert!((rope.gain - case.gain).abs() < 1e-12, "{place}: gain {}", rope.gain);
            assert_eq!(found.len(), case.bits.len(), "{place}");
            // The power function of another library may round the other way.
            let off = |(a, b): (&f32, &u32)| (i64::from(a.to_bits()) - i64::from(*b)).abs();
            let off: Vec<i64> = found.iter().zip(&case.bits).map(off).collect();
            let equal = off.iter().filter(|off| **off == 0).count();
            assert!(off.iter().all(|off| *off <= 1), "{place}: {off:?}");
            assert!(equal * 10 >= off.len() * 8, "{place}: {equal} of {} equal: {off:?}", off.len());
        }
    }
}

//! What is minimised.

use tch::{Kind, Tensor};

use crate::Result;

/// A pair as DPO sees it: log-probabilities of the chosen and of the rejected answer, in nats, summed over their tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logprobs {
    /// Of the chosen answer.
    pub chosen: f64,
    /// Of the rejected answer.
    pub rejected: f64,
}

impl Logprobs {
    /// By how much the chosen answer is the more probable one, in nats.
    #[must_use]
    pub fn lead(self) -> f64 {
        self.chosen - self.rejected
    }

    /// The reward margin of DPO: beta times the growth of the lead over the reference's.
    #[must_use]
    pub fn margin(self, reference: Self, beta: f64) -> f64 {
        beta * (self.lead() - reference.lead())
    }
}

/// The loss of DPO of one pair in f64: `-log sigmoid(margin)` (Rafailov et al. 2023, equation 7).
#[must_use]
pub fn dpo(margin: f64) -> f64 {
    // log(1 + exp(-m)) without overflow.
    (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
}

/// The sum of DPO's losses over pairs.
///
/// # Shapes
/// - chosen, rejected: `(pairs)` recorded log-probabilities; leads: `(pairs)` the reference's chosen less rejected
///
/// # Errors
/// libtorch's.
pub fn dpo_sum(chosen: &Tensor, rejected: &Tensor, leads: &Tensor, beta: f64) -> Result<Tensor> {
    let margins = chosen.f_sub(rejected)?.f_sub(leads)?.f_mul_scalar(beta)?;
    Ok(margins.f_log_sigmoid()?.f_sum(chosen.kind())?.f_neg()?)
}

/// Sums of a row of log-probabilities `(tokens)` over consecutive stretches of the given lengths, `(stretches)`.
///
/// # Errors
/// libtorch's.
pub fn stretches(logprobs: &Tensor, lengths: &[i64]) -> Result<Tensor> {
    let parts = logprobs.f_split_with_sizes(lengths, 0)?;
    let sums =
        parts.iter().map(|part| part.f_sum(logprobs.kind())).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&sums, 0)?)
}

/// A tensor of numbers in a kind.
///
/// # Errors
/// libtorch's.
pub fn numbers(values: &[f64], kind: Kind) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(values)?.f_to_kind(kind)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_many_pairs_is_the_formula_in_f64() {
        let of = |values: &[f64]| numbers(values, Kind::Double).expect("numbers");
        let (chosen, rejected) = ([-3.0, -900.0, -1.0, -0.5], [-2.5, -1.0, -900.0, -0.5]);
        let reference = [0.25, -1.0, 2.0, 0.0];
        let beta = 0.7;
        let whole = dpo_sum(&of(&chosen), &of(&rejected), &of(&reference), beta).expect("a loss");
        let each = (0..4).map(|i| {
            let own = Logprobs { chosen: chosen[i], rejected: rejected[i] };
            let of_reference = Logprobs { chosen: reference[i], rejected: 0.0 };
            dpo(own.margin(of_reference, beta))
        });
        let (whole, expected) = (whole.double_value(&[]), each.sum::<f64>());
        assert!((whole - expected).abs() < 1e-9 * expected, "{whole} {expected}");
        assert!((dpo(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
        assert!((dpo(-800.0) - 800.0).abs() < 1e-9 && dpo(800.0) >= 0.0);
    }

    #[test]
    fn stretches_are_summed_in_order() {
        let sums = stretches(&numbers(&[1.0, 2.0, 4.0, 8.0], Kind::Double).expect("numbers"), &[1, 3]);
        assert_eq!(Vec::<f64>::try_from(sums.expect("sums")).expect("values"), [1.0, 14.0]);
    }
}

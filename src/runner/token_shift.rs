//! Two models over the same tokens: how far what the second one says is from what the first one would have said (the token
//! distribution shift of Lin et al. 2023, "The Unlocking Spell on Base LLMs", arXiv 2312.01552).

use tch::{Kind, Tensor};

use super::engine::Request;
use super::replay::read;
use super::study::no_logits;
use super::tally::Tally;
use crate::model::Model;
use crate::{Error, Result};

/// Positions whose logits are held at once.
const ROWS: usize = 256;
/// Positions that are compared at once, in f64.
const STRIP: usize = 64;

/// A token of the second model, in both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// The token.
    pub said: i64,
    /// The most probable token of the first model.
    pub first: i64,
    /// One more than the number of tokens to which the first model gives a higher logit.
    pub rank: usize,
    /// KL divergence of the second model's next-token distribution from the first's, over the whole vocabulary, in nats.
    pub kl: f64,
    /// Log-probability of the token in the first model and in the second. Natural logarithm.
    pub logprobs: [f64; 2],
}

/// Reads requests with both models and compares them at the wanted logits. `said` names for each request the token that
/// follows each of these positions; None is the second model's most probable one.
///
/// Where the heads differ in rows, as of a padded vocabulary, those that both have are compared.
///
/// # Errors
/// As [`read`]; logits that are not finite.
pub fn token_shift(
    [before, after]: [&Model; 2],
    requests: &[Request],
    said: &[Vec<Option<i64>>],
    tally: &Tally<'_>,
) -> Result<Vec<Vec<Token>>> {
    let vocab = before.spec.vocab.min(after.spec.vocab);
    let mut found: Vec<Vec<Token>> = Vec::with_capacity(requests.len());
    read(after, requests, (&[], &[]), ROWS, tally, |first, own| {
        let own_logits = own.logits.as_ref().ok_or_else(no_logits)?;
        let wave = &requests[first..first + own.logit_rows.len()];
        read(before, wave, (&[], &[]), ROWS, tally, |second, other| {
            let other_logits = other.logits.as_ref().ok_or_else(no_logits)?;
            for (place, rows) in other.logit_rows.iter().enumerate() {
                let request = second + place;
                let of = |logits: &Tensor, rows: &[i64]| -> Result<Tensor> {
                    Ok(logits.f_index_select(0, &Tensor::f_from_slice(rows)?)?.f_narrow(1, 0, vocab)?)
                };
                let mut tokens = Vec::with_capacity(rows.len());
                let strips = rows.chunks(STRIP).zip(own.logit_rows[request].chunks(STRIP));
                for ((rows, own_rows), said) in strips.zip(said[first + request].chunks(STRIP)) {
                    tokens.extend(compare(&of(other_logits, rows)?, &of(own_logits, own_rows)?, said)?);
                }
                found.push(tokens);
            }
            Ok(())
        })
    })?;
    Ok(found)
}

/// Compares two models' logits `(rows, vocab)`, row by row; a token that is None is the second's most probable one.
///
/// # Errors
/// Logits that are not finite; libtorch's.
pub fn compare(before: &Tensor, after: &Tensor, said: &[Option<i64>]) -> Result<Vec<Token>> {
    let _guard = tch::no_grad_guard();
    let ids = |logits: &Tensor| Ok::<_, Error>(Vec::<i64>::try_from(logits.f_argmax(-1, false)?)?);
    let (firsts, likely) = (ids(before)?, ids(after)?);
    let said: Vec<i64> = said.iter().zip(likely).map(|(said, likely)| said.unwrap_or(likely)).collect();
    let index = Tensor::f_from_slice(&said)?.f_unsqueeze(-1)?;
    let own = before.f_gather(1, &index, false)?;
    let higher = before.f_gt_tensor(&own)?.f_sum_dim_intlist([-1i64].as_slice(), false, Kind::Int64)?;
    let logprobs = [before.f_log_softmax(-1, Kind::Double)?, after.f_log_softmax(-1, Kind::Double)?];
    let gap = logprobs[1].f_sub(&logprobs[0])?;
    let kl = logprobs[1].f_exp()?.f_mul(&gap)?.f_sum_dim_intlist([-1i64].as_slice(), false, Kind::Double)?;
    let numbers = |of: &Tensor| -> Result<Vec<f64>> {
        let numbers = Vec::<f64>::try_from(of)?;
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(Error::input("token shift", "the log-probabilities of a model are not finite")
                .hint("`recant model check DIR` says more about the checkpoint")),
        }
    };
    let of_said = |logprobs: &Tensor| numbers(&logprobs.f_gather(1, &index, false)?.f_squeeze_dim(-1)?);
    let (higher, kl) = (Vec::<i64>::try_from(higher)?, numbers(&kl)?);
    let (in_before, in_after) = (of_said(&logprobs[0])?, of_said(&logprobs[1])?);
    let token = |row: usize| Token {
        said: said[row],
        first: firsts[row],
        rank: 1 + higher[row] as usize,
        // A divergence is never negative; its sum may be, by rounding.
        kl: kl[row].max(0.0),
        logprobs: [in_before[row], in_after[row]],
    };
    Ok((0..said.len()).map(token).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(rows: &[[f64; 4]]) -> Tensor {
        let probabilities = Tensor::from_slice(rows.as_flattened()).view([rows.len() as i64, 4]);
        (probabilities.log() + 3.0).to_kind(Kind::Float)
    }

    #[test]
    fn ranks_divergences_and_log_probabilities_are_those_computed_by_hand() {
        let before = logits(&[[0.5, 0.25, 0.125, 0.125], [0.125, 0.125, 0.25, 0.5]]);
        let after = logits(&[[0.25, 0.5, 0.125, 0.125], [0.5, 0.25, 0.125, 0.125]]);
        let found = compare(&before, &after, &[None, Some(1)]).expect("a comparison");
        // 1/4 ln(1/2) + 1/2 ln 2 = 1/4 ln 2; 1/2 ln 4 + 1/4 ln 2 + 1/8 ln(1/2) + 1/8 ln(1/4) = 7/8 ln 2
        let (half, ln2) = (0.5f64.ln(), 2.0f64.ln());
        let wanted = [
            Token { said: 1, first: 0, rank: 2, kl: 0.25 * ln2, logprobs: [2.0 * half, half] },
            // Two tokens of the same logit: neither ranks before the other.
            Token { said: 1, first: 3, rank: 3, kl: 0.875 * ln2, logprobs: [3.0 * half, 2.0 * half] },
        ];
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!((found.said, found.first, found.rank), (wanted.said, wanted.first, wanted.rank));
            let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{found:?} {wanted:?}");
            close(found.kl, wanted.kl);
            found.logprobs.iter().zip(wanted.logprobs).for_each(|(a, b)| close(*a, b));
        }
    }

    #[test]
    fn a_distribution_is_at_no_distance_from_itself() {
        let same = logits(&[[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]);
        let found = compare(&same, &same.copy(), &[None, None]).expect("a comparison");
        assert!(found.iter().all(|token| token.kl == 0.0 && token.rank == 1 && token.said == token.first));
        assert!(found.iter().all(|token| token.logprobs[0] == token.logprobs[1]));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let broken = Tensor::from_slice(&[0.0f32, f32::NAN]).view([1, 2]);
        let refused = compare(&broken, &broken, &[None]).expect_err("not finite").to_string();
        assert!(refused.contains("not finite"), "{refused}");
    }
}

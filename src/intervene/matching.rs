//! The strength at which an intervention costs a given perplexity.

use crate::Result;

/// Evaluations after which the search gives up.
const MOST: usize = 14;
/// How near the excess over 1 must come, as a part of the excess that is aimed at: a tolerance on the ratio itself would be
/// met by doing nothing where the target is 1.01.
const NEAR: f64 = 0.05;

/// The coefficient at which what `ratio` (of perplexities, 1 at coefficient 0) has above 1 is within 5 % of what `target` (above 1)
/// has: bracketed by factors of four from `start`, then bisected in the logarithm of the coefficient. None where fourteen evaluations do not find it; a ratio that
/// is not finite counts as too large.
///
/// # Errors
/// Those of `ratio`.
pub fn coefficient(
    target: f64,
    start: f64,
    mut ratio: impl FnMut(f64) -> Result<f64>,
) -> Result<Option<f64>> {
    let (mut low, mut high) = (None, None);
    let mut at = start;
    for _ in 0..MOST {
        let found = ratio(at)?;
        if ((found - 1.0) / (target - 1.0) - 1.0).abs() <= NEAR {
            return Ok(Some(at));
        }
        if found < target {
            low = Some(at)
        } else {
            high = Some(at)
        }
        at = match (low, high) {
            (Some(low), Some(high)) => f64::exp((f64::ln(low) + f64::ln(high)) / 2.0),
            (Some(low), None) => 4.0 * low,
            (None, Some(high)) => high / 4.0,
            (None, None) => return Ok(None),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_that_can_be_reached_is_found_and_one_that_cannot_is_not() {
        for start in [0.001, 1.0, 300.0] {
            for target in [1.01, 1.5] {
                let found = coefficient(target, start, |c| Ok(1.0 + c * c / 50.0)).expect("no errors");
                let near = |c: f64| (c * c / 50.0 / (target - 1.0) - 1.0).abs() <= NEAR;
                assert!(found.is_some_and(near), "{target} from {start}: {found:?}");
            }
        }
        assert_eq!(coefficient(1.5, 1.0, |c| Ok(1.0 + 0.2 * c / (1.0 + c))).expect("no errors"), None);
        let mut asked = 0;
        let broken = coefficient(1.5, 1.0, |_| {
            asked += 1;
            Ok(f64::NAN)
        });
        assert_eq!((broken.expect("no errors"), asked), (None, MOST));
    }
}

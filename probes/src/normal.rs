//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// Where the power series of the central part gives way to the continued fraction of the tail.
const TAIL: f64 = 3.0;

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// The probability of a value above `x`, to about 1e-15 relative to the smaller of it and its complement.
///
/// Up to 3 it is 1/2 less the power series `φ(x) Σ x^(2k+1) / (1·3·…·(2k+1))`, beyond it Laplace's continued fraction
/// `φ(x) / (x + 1/(x + 2/(x + …)))` (Marsaglia, 2004).
pub(crate) fn above(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - above(-x);
    }
    if x >= TAIL {
        let fraction = (1..=200).rev().fold(x, |below, k| x + f64::from(k) / below);
        return density(x) / fraction;
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 - density(x) * sum
}

/// The probability of a value of at most `x`.
pub(crate) fn below(x: f64) -> f64 {
    above(-x)
}

/// The value that is exceeded with probability `1 - p`; infinite for 0 and 1.
pub(crate) fn quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    // exp(-x²/2) / 2 bounds the tail, so the quantile lies below sqrt(-2 ln 2p).
    let (mut low, mut high) = (0.0, SQRT_2 * (-(2.0 * p).ln()).max(0.0).sqrt());
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if above(middle) > p { low = middle } else { high = middle }
    }
    -(low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        // Values of scipy.stats.norm.sf.
        for (x, expected) in [
            (0.0, 0.5),
            (0.5, 0.308_537_538_725_986_9),
            (1.959_963_984_540_054, 0.025),
            (2.999, 0.001_354_336_533_727_105_7),
            (3.001, 0.001_345_472_825_084_965_3),
            (8.0, 6.220_960_574_271_74e-16),
            (-1.0, 0.841_344_746_068_542_9),
        ] {
            approx::assert_relative_eq!(above(x), expected, max_relative = 1e-11);
        }
    }

    #[test]
    fn a_quantile_has_its_probability_below_it() {
        for p in [1e-9, 0.025, 0.3, 0.5, 0.8, 0.999] {
            approx::assert_relative_eq!(below(quantile(p)), p, max_relative = 1e-11);
        }
        assert_eq!([quantile(0.0), quantile(1.0)], [f64::NEG_INFINITY, f64::INFINITY]);
    }
}

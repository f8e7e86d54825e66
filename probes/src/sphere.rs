//! Cosines of a fixed direction with directions drawn from all alike.
//!
//! In D dimensions `sqrt(D - 1) c / sqrt(1 - c²)` has Student's t distribution with D - 1 degrees of freedom, whose
//! probabilities are finite sums for whole degrees (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4).

/// Halvings of the range of a quantile, down to rounding.
const HALVINGS: usize = 55;

/// The probability that `|cosine|` stays below `c` in `[0, 1]` in so many dimensions, at least 1.
pub(crate) fn within(c: f64, dimensions: usize) -> f64 {
    let square = 1.0 - c * c;
    // 1 + a₁ s² + a₁ a₂ s⁴ + …, so many terms.
    let series = |terms: usize, factor: &dyn Fn(f64) -> f64| {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..terms {
            term *= square * factor(k as f64);
            sum += term;
        }
        sum
    };
    match dimensions {
        0 | 1 => 0.0,
        odd if odd % 2 == 1 => c * series(odd / 2, &|k| (2.0 * k - 1.0) / (2.0 * k)),
        even => {
            let terms = even / 2 - 1;
            let sum = if terms > 0 { series(terms, &|k| 2.0 * k / (2.0 * k + 1.0)) } else { 0.0 };
            (c.asin() + c * square.sqrt() * sum) * std::f64::consts::FRAC_2_PI
        }
    }
}

/// The value that `|cosine|` stays below with probability `p`.
pub(crate) fn quantile(p: f64, dimensions: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if within(middle, dimensions) < p { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_dimensions_have_closed_forms() {
        for c in [0.0, 0.1, 0.5, 0.9, 1.0f64] {
            assert_eq!(within(c, 1), 0.0);
            let flat = c.asin() * std::f64::consts::FRAC_2_PI;
            assert!((within(c, 2) - flat).abs() < 1e-15);
            // Archimedes: heights on a sphere are uniform.
            assert!((within(c, 3) - c).abs() < 1e-15);
            let four = (c.asin() + c * (1.0 - c * c).sqrt()) * std::f64::consts::FRAC_2_PI;
            assert!((within(c, 4) - four).abs() < 1e-15);
            assert!((within(c, 5) - c * (1.5 - c * c / 2.0)).abs() < 1e-15);
        }
    }

    /// From scipy: `stats.t.cdf` of the deviate with D - 1 degrees.
    #[test]
    fn many_dimensions_are_those_of_students_t() {
        for (c, dimensions, expected) in REFERENCE {
            assert!((within(c, dimensions) - expected).abs() < 1e-12, "{c} in {dimensions}");
        }
        for dimensions in [2, 3, 576, 4096] {
            assert!((within(quantile(0.95, dimensions), dimensions) - 0.95).abs() < 1e-12);
        }
        assert!((quantile(0.95, 4096) - 1.96 / 64.0).abs() < 1e-5);
    }

    const REFERENCE: [(f64, usize, f64); 4] = [
        (0.1, 576, 0.9837343276431926),
        (0.05, 4096, 0.9986324625213018),
        (0.3, 17, 0.7735377384488713),
        (0.02, 64, 0.1256474104076252),
    ];
}

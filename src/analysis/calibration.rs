//! Whether a model's probabilities mean what they say: expected calibration error, Brier scores, entropy.
//!
//! The confidence of an answer is the probability of its most probable option, normalised over the options. Expected
//! calibration error (Naeini et al. 2015; Guo et al. 2017) sorts answers into bins of confidence and averages how far
//! the accuracy of a bin is from its mean confidence: `ECE = sum_b n_b / N * |accuracy_b - confidence_b|`.

use super::answer::Answer;
use super::bootstrap::{Bootstrap, Estimate, Interval, interval_of_sums, ratio, sums_by_group, total};

/// Bins of confidence.
pub const BINS: usize = 10;

/// A sum of n, of confidence and of right answers for each bin.
type Binned = [f64; 3 * BINS];

/// A bin of the reliability table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Its edges; the upper one belongs to the next bin, but for the last.
    pub edges: (f64, f64),
    /// Answers.
    pub n: usize,
    /// Their mean confidence.
    pub confidence: Option<f64>,
    /// Their accuracy.
    pub accuracy: Estimate,
}

/// How well a set of answers is calibrated. Entropies are of all answers that have probabilities; the rest is of those
/// whose item has a right option.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Mean confidence.
    pub confidence: Estimate,
    /// Expected calibration error over ten bins of equal width from 0 to 1.
    pub ece: Estimate,
    /// The same over ten bins of equal width between the least and the largest confidence seen, as the self-correction
    /// studies have it. Their script leaves the most confident answer out and divides by zero in an empty bin; here that
    /// answer is in the last bin and an empty bin adds nothing.
    pub ece_observed: Estimate,
    /// Brier score (1950): mean over answers of the sum over options of `(p - y)^2`, y being 1 for the right option.
    pub brier: Estimate,
    /// Mean of `(confidence - right)^2`, of the chosen option alone.
    pub brier_top: Estimate,
    /// Mean entropy over options, in nats.
    pub entropy: Estimate,
    /// Mean entropy as a part of the largest there can be, `ln K` of K options.
    pub entropy_normalised: Estimate,
    /// The bins from 0 to 1.
    pub bins: Vec<Bin>,
}

/// The entropy of probabilities, in nats.
#[must_use]
pub fn entropy(probabilities: &[f64]) -> f64 {
    -probabilities.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>()
}

/// An answer whose item has a right option.
struct Judged<'a> {
    group: &'a str,
    confidence: f64,
    /// 1 if it is right, else 0.
    right: f64,
    /// Sum over options of the squared distance from the truth.
    squares: f64,
}

/// The calibration of answers; those without probabilities do not count.
pub fn calibration(answers: &[Answer<'_>], bootstrap: Bootstrap) -> Calibration {
    let given = || {
        answers
            .iter()
            .filter_map(|answer| Some((answer.item().group.as_str(), answer, answer.probabilities()?)))
    };
    let judged: Vec<Judged<'_>> = given()
        .filter_map(|(group, answer, p)| {
            let label = answer.item().label?;
            let confidence = p.iter().copied().fold(0.0, f64::max);
            let square = |(option, p): (usize, &f64)| (p - f64::from(u8::from(option == label))).powi(2);
            let right = f64::from(u8::from(answer.is_right()?));
            let squares = p.iter().enumerate().map(square).sum();
            Some(Judged { group, confidence, right, squares })
        })
        .collect();
    let mean = |value: fn(&Judged<'_>) -> f64| {
        Estimate::mean(judged.iter().map(|row| (row.group, value(row))), bootstrap)
    };
    let seen = judged.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), row| {
        (low.min(row.confidence), high.max(row.confidence))
    });
    let many = given().filter(|(_, _, p)| p.len() > 1);
    Calibration {
        confidence: mean(|row| row.confidence),
        ece: ece(&judged, (0.0, 1.0), bootstrap),
        ece_observed: ece(&judged, seen, bootstrap),
        brier: mean(|row| row.squares),
        brier_top: mean(|row| (row.confidence - row.right).powi(2)),
        entropy: Estimate::mean(given().map(|(group, _, p)| (group, entropy(p))), bootstrap),
        entropy_normalised: Estimate::mean(
            many.map(|(group, _, p)| (group, entropy(p) / (p.len() as f64).ln())),
            bootstrap,
        ),
        bins: bins(&judged, bootstrap),
    }
}

/// The bin of a value between two edges; what is at or beyond the upper edge belongs to the last.
fn bin(value: f64, (low, high): (f64, f64)) -> usize {
    if high <= low {
        return 0;
    }
    (((value - low) / (high - low) * BINS as f64).max(0.0) as usize).min(BINS - 1)
}

fn ece(judged: &[Judged<'_>], edges: (f64, f64), bootstrap: Bootstrap) -> Estimate {
    let groups = sums_by_group(judged.iter().map(|row| {
        let mut sums: Binned = [0.0; 3 * BINS];
        let at = 3 * bin(row.confidence, edges);
        sums[at..at + 3].copy_from_slice(&[1.0, row.confidence, row.right]);
        (row.group, sums)
    }));
    let error = |sums: &Binned| {
        let n: f64 = sums.iter().step_by(3).sum();
        let gap: f64 = sums.chunks(3).map(|bin| (bin[2] - bin[1]).abs()).sum();
        (n > 0.0).then(|| gap / n)
    };
    let interval: Option<Interval> = interval_of_sums(&groups, error, bootstrap);
    Estimate { value: error(&total(&groups)), interval, n: judged.len() }
}

fn bins(judged: &[Judged<'_>], bootstrap: Bootstrap) -> Vec<Bin> {
    let one = |at: usize| {
        let inside = || judged.iter().filter(move |row| bin(row.confidence, (0.0, 1.0)) == at);
        let accuracy = Estimate::mean(inside().map(|row| (row.group, row.right)), bootstrap);
        Bin {
            edges: (at as f64 / BINS as f64, (at + 1) as f64 / BINS as f64),
            n: accuracy.n,
            confidence: ratio(&[inside().map(|row| row.confidence).sum(), accuracy.n as f64]),
            accuracy,
        }
    };
    (0..BINS).map(one).collect()
}

/// The mean probability, in a later round, of what was chosen in an earlier one.
pub fn kept_probability(first: &[Answer<'_>], later: &[Answer<'_>], bootstrap: Bootstrap) -> Estimate {
    let kept = first.iter().zip(later).filter_map(|(first, later)| {
        Some((first.item().group.as_str(), later.probabilities()?[first.chosen()?]))
    });
    Estimate::mean(kept, bootstrap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::item;
    use crate::store::turns::largest;
    use crate::task::{Item, Role};

    fn items(n: usize) -> Vec<Item> {
        (0..n).map(|at| Item { label: Some(0), ..item(&format!("g{at}"), at, &[Role::Other; 2]) }).collect()
    }

    /// Two options; the first has probability p and is right.
    fn answers<'a>(items: &'a [Item], p: &[f64]) -> Vec<Answer<'a>> {
        let one = |(item, p): (&'a Item, &f64)| {
            let both = [*p, 1.0 - p];
            Answer::new(item, largest(&both))
                .and_then(|answer| answer.with_probabilities(&both))
                .expect("probabilities")
        };
        items.iter().zip(p).map(one).collect()
    }

    fn close(found: Estimate, wanted: f64) {
        let value = found.value.expect("a number");
        assert!((value - wanted).abs() < 1e-12, "{value} {wanted}");
    }

    #[test]
    fn ece_and_brier_are_those_of_the_hand() {
        let items = items(4);
        // Confidences .95 (right), .85 (right), .85 (wrong), .55 (right).
        let found = calibration(&answers(&items, &[0.95, 0.85, 0.15, 0.55]), Bootstrap::default());
        close(found.ece, (0.05 + (1.0 - 1.7_f64).abs() + 0.45) / 4.0);
        close(found.confidence, 3.2 / 4.0);
        let squares = [0.05_f64, 0.15, 0.85, 0.45].map(|d| d * d).iter().sum::<f64>();
        close(found.brier_top, squares / 4.0);
        close(found.brier, 2.0 * squares / 4.0);
        let n: Vec<usize> = found.bins.iter().map(|bin| bin.n).collect();
        assert_eq!(n, [0, 0, 0, 0, 0, 1, 0, 0, 2, 1]);
        assert_eq!((found.bins[8].accuracy.value, found.bins[0].confidence), (Some(0.5), None));
        // Between .55 and .95 the bins are .04 wide: .55 | .85 twice | .95, so the sums are the same.
        close(found.ece_observed, found.ece.value.expect("a number"));
    }

    #[test]
    fn the_most_confident_answer_counts_whatever_the_bins() {
        let items = items(2);
        let certain = calibration(&answers(&items, &[1.0, 1.0]), Bootstrap::default());
        assert_eq!(
            (certain.ece.value, certain.ece_observed.value, certain.bins[9].n),
            (Some(0.0), Some(0.0), 2)
        );
        assert_eq!((certain.entropy.value, certain.brier.value), (Some(0.0), Some(0.0)));
        let one = calibration(&answers(&items[..1], &[0.25]), Bootstrap::default());
        assert_eq!((one.ece.value, one.ece_observed.value, one.ece.interval), (Some(0.75), Some(0.75), None));
    }

    #[test]
    fn equal_options_have_all_the_entropy_there_is() {
        let items = items(1);
        let found = calibration(&answers(&items, &[0.5]), Bootstrap::default());
        close(found.entropy, 2.0_f64.ln());
        close(found.entropy_normalised, 1.0);
        assert!((entropy(&[0.25; 4]) - 4.0_f64.ln()).abs() < 1e-12);
        let nothing = calibration(&[], Bootstrap::default());
        assert_eq!((nothing.ece.value, nothing.brier.value, nothing.entropy.value), (None, None, None));
    }

    #[test]
    fn without_a_right_option_only_the_entropy_is_known() {
        let items: Vec<Item> = items(2).into_iter().map(|item| Item { label: None, ..item }).collect();
        let found = calibration(&answers(&items, &[0.5, 0.5]), Bootstrap::default());
        assert_eq!((found.ece.value, found.ece.n, found.entropy.n), (None, 0, 2));
    }

    #[test]
    fn a_dropped_first_choice_loses_its_probability() {
        let items = items(2);
        let (first, later) = (answers(&items, &[0.9, 0.2]), answers(&items, &[0.4, 0.3]));
        close(kept_probability(&first, &later, Bootstrap::default()), (0.4 + 0.7) / 2.0);
    }
}

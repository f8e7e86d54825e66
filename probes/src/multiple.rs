//! Many tests at once.

use ndarray::ArrayView2;

/// Statistics closer than this, relative to the larger of 1 and their size, are equal.
const EQUAL: f64 = 1e-12;

/// Adjusted p-values that bound the false discovery rate over a whole table (Benjamini and Hochberg, 1995):
/// `q(i) = min over j ≥ i of m p(j) / j` of the `m` sorted p-values. What was not tested stays `None` and counts for
/// nothing.
pub fn benjamini_hochberg(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut tested: Vec<(usize, f64)> =
        p.iter().enumerate().filter_map(|(place, p)| p.map(|p| (place, p))).collect();
    tested.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut adjusted = vec![None; p.len()];
    let mut least = 1.0_f64;
    for (larger, (place, p)) in tested.iter().enumerate() {
        let rank = tested.len() - larger;
        least = least.min(p * tested.len() as f64 / rank as f64);
        adjusted[*place] = Some(least);
    }
    adjusted
}

/// Step-down max-T adjusted p-values, which bound the chance of any false finding (Westfall and Young, 1993,
/// algorithm 4.1). The largest statistic is compared with the largest of all under each exchange, the second with the
/// largest of all but the first, and so on; none is adjusted below one before it. Never larger than the single-step
/// p-value, which compares each with the largest of all (see [`crate::PermutationTest::p_max`]).
///
/// # Shapes
/// `observed` is `[L]`, `null` `[L, P]` with the same exchange in a column; larger speaks for a finding.
pub fn step_down(observed: &[f64], null: ArrayView2<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..observed.len().min(null.nrows())).collect();
    order.sort_by(|&a, &b| observed[a].total_cmp(&observed[b]));
    let mut largest = vec![f64::NEG_INFINITY; null.ncols()];
    let mut adjusted = vec![f64::NAN; observed.len()];
    for &test in &order {
        largest.iter_mut().zip(null.row(test)).for_each(|(largest, &value)| *largest = largest.max(value));
        let seen = observed[test] - EQUAL * observed[test].abs().max(1.0);
        let reached = largest.iter().filter(|&&value| value >= seen).count();
        adjusted[test] = (1 + reached) as f64 / (1 + largest.len()) as f64;
    }
    let mut most = 0.0_f64;
    for &test in order.iter().rev() {
        most = most.max(adjusted[test]);
        adjusted[test] = most;
    }
    adjusted
}

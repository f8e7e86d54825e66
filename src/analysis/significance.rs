//! Tests of many small differences at once.

use crate::random::SplitMix;

/// Two-sided p of a mean against 0 when whole groups change sign together: under the null a group's sum is as likely
/// negative as positive (Fisher's randomisation test for pairs). `sums` holds one sum per group; `flips` random sign
/// assignments are drawn, and the observed one counts among them (Phipson and Smyth 2010).
#[must_use]
pub fn sign_flip_p(sums: &[f64], flips: usize, seed: u64) -> Option<f64> {
    if sums.len() < 2 || flips == 0 {
        return None;
    }
    let observed = sums.iter().sum::<f64>().abs();
    let slack = 1e-12 * sums.iter().map(|sum| sum.abs()).sum::<f64>();
    let mut random = SplitMix::new(seed);
    let mut reached = 1;
    for _ in 0..flips {
        // A product, because a branch on a coin is mispredicted half the time.
        let sum: f64 = sums.iter().map(|sum| sum * (1.0 - 2.0 * random.below(2) as f64)).sum();
        reached += usize::from(sum.abs() >= observed - slack);
    }
    Some(reached as f64 / (flips + 1) as f64)
}

/// Two-sided p of a difference of two arms when whole groups exchange their arms: `pairs` holds for each group the sums
/// of the one arm and of the other, `statistic` is what is compared. Under the null the arms have no names, so the
/// difference is as likely with those of any group exchanged (a permutation test for pairs, for statistics that are no
/// means; for means over the same rows it is [`sign_flip_p`]). An exchange that leaves the statistic undefined counts as
/// reached, which can only raise p.
pub fn exchange_p<const K: usize>(
    pairs: &[([f64; K], [f64; K])],
    statistic: impl Fn(&[f64; K]) -> Option<f64>,
    exchanges: usize,
    seed: u64,
) -> Option<f64> {
    if pairs.len() < 2 || exchanges == 0 {
        return None;
    }
    let total = |second: bool| {
        let mut sums = [0.0; K];
        for (a, b) in pairs {
            sums.iter_mut().zip(if second { b } else { a }).for_each(|(sum, more)| *sum += more);
        }
        sums
    };
    let (first, second) = (total(false), total(true));
    let differences: Vec<[f64; K]> =
        pairs.iter().map(|(a, b)| std::array::from_fn(|k| b[k] - a[k])).collect();
    let observed = (statistic(&second)? - statistic(&first)?).abs();
    let mut random = SplitMix::new(seed);
    let mut bits = Bits::default();
    let mut reached = 1;
    for _ in 0..exchanges {
        let (mut a, mut b, mut moved) = (first, second, [0.0; K]);
        for differences in &differences {
            // A product here as well.
            let coin = bits.next(&mut random);
            (0..K).for_each(|k| moved[k] += coin * differences[k]);
        }
        (0..K).for_each(|k| {
            a[k] += moved[k];
            b[k] -= moved[k];
        });
        // Sums that went back and forth carry a rounding error that must not decide a tie.
        let difference = statistic(&b).zip(statistic(&a)).map(|(b, a)| (b - a).abs());
        reached += usize::from(difference.is_none_or(|found| found >= observed - 1e-9 * observed.max(1.0)));
    }
    Some(reached as f64 / (exchanges + 1) as f64)
}

/// Coins, 64 to a draw.
#[derive(Default)]
struct Bits {
    left: u32,
    bits: u64,
}

impl Bits {
    /// 0 or 1.
    fn next(&mut self, random: &mut SplitMix) -> f64 {
        if self.left == 0 {
            (self.left, self.bits) = (64, random.draw());
        }
        let bit = self.bits & 1;
        self.left -= 1;
        self.bits >>= 1;
        bit as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_groups_of_one_sign_have_p_near_one_eighth() {
        let p = sign_flip_p(&[1.0, 2.0, 1.5, 0.5], 20_000, 1).expect("p");
        assert!((p - 0.125).abs() < 0.01, "{p}");
    }

    #[test]
    fn sums_around_nought_are_not_significant_and_one_group_has_no_p() {
        assert!(sign_flip_p(&[1.0, -1.0, 0.5, -0.5], 1000, 1).expect("p") > 0.9);
        assert_eq!(sign_flip_p(&[1.0], 1000, 1), None);
    }

    #[test]
    fn exchanging_arms_is_flipping_signs_where_the_statistic_is_a_mean() {
        let differences = [1.0, 2.0, 1.5, 0.5, -0.25];
        let pairs = differences.map(|d| ([3.0, 2.0], [3.0 + d, 2.0]));
        let mean = |sums: &[f64; 2]| Some(sums[0] / sums[1]);
        let exchanged = exchange_p(&pairs, mean, 40_000, 1).expect("p");
        let flipped = sign_flip_p(&differences, 40_000, 2).expect("p");
        // Two of the 32 assignments of signs reach the sum on either side, those with the least one turned.
        assert!((exchanged - 0.125).abs() < 0.01 && (flipped - 0.125).abs() < 0.01, "{exchanged} {flipped}");
    }

    /// Ratios of group sums: with four groups that all favour one arm the observed difference is reached by 2 of 16.
    #[test]
    fn a_ratio_of_few_groups_has_the_p_of_its_enumeration() {
        let pairs = [
            ([1.0, 9.0], [8.0, 10.0]),
            ([0.0, 5.0], [3.0, 4.0]),
            ([2.0, 9.0], [9.0, 9.0]),
            ([1.0, 4.0], [4.0, 6.0]),
        ];
        let ratio = |sums: &[f64; 2]| (sums[1] > 0.0).then(|| sums[0] / sums[1]);
        let p = exchange_p(&pairs, ratio, 40_000, 3).expect("p");
        assert!((p - 0.125).abs() < 0.01, "{p}");
        assert_eq!(exchange_p(&pairs[..1], ratio, 100, 3), None);
        assert_eq!(exchange_p(&[([0.0; 2], [0.0; 2]); 3], ratio, 100, 3), None);
        let same = [([1.0, 2.0], [1.0, 2.0]); 5];
        assert_eq!(exchange_p(&same, ratio, 100, 3), Some(1.0));
    }
}

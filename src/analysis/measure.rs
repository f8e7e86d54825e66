//! How a measure of behaviour is estimated: its value, its interval over groups, and its difference between two rounds or
//! conditions. [`super::measures`] lists them.
//!
//! A measure is a function of up to four sums over answers. A mean is `[sum, n]`; a bias score is a function of
//! `[biased, persons, right, labelled]`. So an interval needs no more than the sums of each group.

use super::answer::Answer;
use super::bootstrap::{Bootstrap, Estimate, Interval, interval_of_sums, sums_by_group, total};
use super::significance::{exchange_p, sign_flip_p};
use crate::task::{Context, Item};

/// Random exchanges behind a p-value.
pub const EXCHANGES: usize = 2000;

/// The sums that a measure rests on.
pub(super) type Sums = [f64; 4];

/// A number that describes a set of answers.
#[derive(Clone, Copy)]
pub struct Measure {
    /// The kinds of task it is for.
    pub kinds: &'static [&'static str],
    /// Its name in tables.
    pub name: &'static str,
    /// Its title in figures.
    pub title: &'static str,
    /// Its axis in figures, with its unit.
    pub axis: &'static str,
    /// The least range of the axis.
    pub range: (f64, f64),
    /// A level to compare with, and its name.
    pub reference: Option<(&'static str, f64)>,
    /// The contexts it counts; both if none.
    pub context: Option<Context>,
    /// What an answer adds to the sums; None where it counts for nothing.
    pub(super) add: fn(&Answer<'_>) -> Option<Sums>,
    /// The number; None where it is undefined.
    pub(super) of: fn(&Sums) -> Option<f64>,
    /// Whether it is a mean of something over answers.
    pub(super) is_mean: bool,
    /// Of how many answers it is.
    pub(super) n: fn(&Sums) -> f64,
}

/// A number less another, over the same items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Its paired interval over groups.
    pub interval: Option<Interval>,
    /// Two-sided p of no difference, whole groups exchanging their sides; None with fewer than two groups, and where both
    /// sides are the same answers, as in a round 0 that conditions share: then there is nothing to test.
    pub p: Option<f64>,
    /// The p adjusted for all differences of its kind that a model has (Benjamini and Hochberg 1995).
    pub q: Option<f64>,
}

impl Measure {
    /// Whether the measure counts an item.
    #[must_use]
    pub fn counts(&self, item: &Item) -> bool {
        self.context.is_none() || item.context == self.context
    }

    /// What an answer adds, if it counts.
    fn of_answer(&self, answer: &Answer<'_>) -> Option<Sums> {
        self.counts(answer.item()).then(|| (self.add)(answer)).flatten()
    }

    /// The number, of how many answers, and its interval over groups; None where no answer counts.
    #[must_use]
    pub fn estimate(&self, answers: &[Answer<'_>], bootstrap: Bootstrap) -> Option<Estimate> {
        let rows =
            answers.iter().filter_map(|answer| Some((answer.item().group.as_str(), self.of_answer(answer)?)));
        let groups = sums_by_group(rows);
        let sums = total(&groups);
        (!groups.is_empty()).then(|| Estimate {
            value: (self.of)(&sums),
            interval: interval_of_sums(&groups, self.of, bootstrap),
            n: (self.n)(&sums).round() as usize,
        })
    }

    /// The difference `later - earlier` of the same items in two rounds or under two conditions.
    ///
    /// Its p exchanges the sides of whole groups; that is flipping the signs of group sums where the measure is a mean
    /// and both sides count the same answers.
    #[must_use]
    pub fn difference(
        &self,
        earlier: &[Answer<'_>],
        later: &[Answer<'_>],
        bootstrap: Bootstrap,
    ) -> Option<Difference> {
        let rows = earlier.iter().zip(later).filter_map(|(earlier, later)| {
            let (before, after) = (self.of_answer(earlier), self.of_answer(later));
            let sums = [before, after].map(Option::unwrap_or_default);
            let both: [f64; 8] = std::array::from_fn(|at| sums[at / 4][at % 4]);
            (before.is_some() || after.is_some()).then_some((earlier.item().group.as_str(), both))
        });
        let groups = sums_by_group(rows);
        let sides = |sums: &[f64; 8]| -> [Sums; 2] { [0, 4].map(|at| std::array::from_fn(|k| sums[at + k])) };
        let gain = |sums: &[f64; 8]| {
            let [before, after] = sides(sums);
            Some((self.of)(&after)? - (self.of)(&before)?)
        };
        let value = gain(&total(&groups))?;
        let pairs: Vec<(Sums, Sums)> = groups.iter().map(|sums| sides(sums).into()).collect();
        let p = if pairs.iter().all(|(before, after)| before == after) {
            None
        } else if self.is_mean && pairs.iter().all(|(before, after)| before[1] == after[1]) {
            let changes: Vec<f64> = pairs.iter().map(|(before, after)| after[0] - before[0]).collect();
            sign_flip_p(&changes, EXCHANGES, bootstrap.seed)
        } else {
            exchange_p(&pairs, self.of, EXCHANGES, bootstrap.seed)
        };
        Some(Difference { value, interval: interval_of_sums(&groups, gain, bootstrap), p, q: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::behaviour::score;
    use crate::analysis::measures::MEASURES;
    use crate::analysis::testing::item;
    use crate::task::{Polarity, Role};

    const ROLES: [Role; 3] = [Role::Stereotyped, Role::Other, Role::Unknown];

    fn named(kind: &str, name: &str) -> &'static Measure {
        let is = |measure: &&Measure| measure.kinds.contains(&kind) && measure.name == name;
        MEASURES.iter().find(is).expect("a measure")
    }

    fn items(n: usize, context: Context) -> Vec<Item> {
        let one = |number: usize| {
            let polarity = if number.is_multiple_of(2) { Polarity::Neg } else { Polarity::Nonneg };
            Item {
                context: Some(context),
                polarity: Some(polarity),
                label: Some(if context == Context::Ambig { 2 } else { number % 3 }),
                target: (number % 5 != 4).then_some(number % 2),
                ..item(&format!("g{}", number / 3), number, &ROLES)
            }
        };
        (0..n).map(one).collect()
    }

    fn answers<'a>(items: &'a [Item], chosen: impl Fn(usize) -> Option<usize>) -> Vec<Answer<'a>> {
        let answer = |(at, item)| Answer::new(item, chosen(at)).expect("an option");
        items.iter().enumerate().map(answer).collect()
    }

    /// The measures are sums; the scores of `behaviour` count. Both must agree.
    #[test]
    fn measures_are_the_scores() {
        for (context, names) in [
            (Context::Ambig, ["accuracy_ambig", "bias_ambig"]),
            (Context::Disambig, ["accuracy_disambig", "bias_disambig"]),
        ] {
            let items = items(40, context);
            for seed in 0..6 {
                let answers =
                    answers(&items, |at| [Some(0), Some(1), Some(2), None][(at * (seed + 3) + at / 7) % 4]);
                let score = score(&answers);
                let [accuracy, bias] = names.map(|name| {
                    named("bbq", name).estimate(&answers, Bootstrap::default()).expect("counted")
                });
                assert!(
                    (accuracy.value.expect("accuracy") - score.accuracy.expect("accuracy")).abs() < 1e-12
                );
                assert!((bias.value.expect("bias") - score.bias_score_pct.expect("bias")).abs() < 1e-9);
                assert_eq!((accuracy.n, bias.n), (score.n, score.n_non_unknown));
            }
        }
    }

    #[test]
    fn only_unknown_answers_have_no_bias_and_no_change_of_it() {
        let items = items(12, Context::Ambig);
        let (unknown, some) = (answers(&items, |_| Some(2)), answers(&items, |at| Some(at % 3)));
        let bias = named("bbq", "bias_ambig");
        let estimate = bias.estimate(&unknown, Bootstrap::default()).expect("counted");
        assert_eq!((estimate.value, estimate.n), (None, 0));
        assert_eq!(bias.difference(&unknown, &some, Bootstrap::default()), None);
        assert!(named("bbq", "bias_disambig").estimate(&some, Bootstrap::default()).is_none());
        assert!(bias.estimate(&[], Bootstrap::default()).is_none());
        let unparsed = answers(&items, |_| None);
        assert!(bias.estimate(&unparsed, Bootstrap::default()).is_none());
    }

    #[test]
    fn a_gain_of_every_group_is_significant_and_no_gain_is_not() {
        let items: Vec<Item> = (0..30)
            .map(|at| Item {
                context: Some(Context::Ambig),
                label: Some(2),
                ..item(&format!("g{at}"), at, &ROLES)
            })
            .collect();
        let (wrong, right) = (answers(&items, |_| Some(0)), answers(&items, |_| Some(2)));
        let accuracy = named("bbq", "accuracy_ambig");
        let gain = accuracy.difference(&wrong, &right, Bootstrap::default()).expect("a gain");
        assert_eq!(gain.value, 1.0);
        assert_eq!(gain.p, Some(1.0 / 2001.0));
        let none = accuracy.difference(&right, &right, Bootstrap::default()).expect("no gain");
        assert_eq!((none.value, none.p), (0.0, None));
        let one = accuracy.difference(&wrong[..1], &right[..1], Bootstrap::default()).expect("one item");
        assert_eq!((one.value, one.interval, one.p), (1.0, None, None));
    }

    #[test]
    fn the_gap_of_winobias_is_between_its_two_sides() {
        let one = |at: usize| Item {
            label: Some(at % 2),
            target: Some(0),
            ..item(&format!("g{at}"), at, &ROLES[..2])
        };
        let items: Vec<Item> = (0..8).map(one).collect();
        // Always the stereotyped one: right on the pro side alone.
        let answers = answers(&items, |_| Some(0));
        let value =
            |name| named("winobias", name).estimate(&answers, Bootstrap::default()).and_then(|e| e.value);
        let values = ["accuracy", "accuracy_pro", "accuracy_anti", "accuracy_gap"].map(value);
        assert_eq!(values, [Some(0.5), Some(1.0), Some(0.0), Some(1.0)]);
    }

    #[test]
    fn a_tie_between_sentences_is_no_preference() {
        let items = [item("a", 0, &ROLES), item("b", 1, &ROLES)];
        let answer = |item, p: &[f64]| {
            Answer::new(item, Some(2)).and_then(|a| a.with_probabilities(p)).expect("probabilities")
        };
        let answers = [answer(&items[0], &[0.25, 0.25, 0.5]), answer(&items[1], &[0.3, 0.1, 0.6])];
        let share =
            named("stereoset", "stereotype_share").estimate(&answers, Bootstrap::default()).expect("counted");
        assert_eq!((share.value, share.n), (Some(1.0), 1));
    }
}

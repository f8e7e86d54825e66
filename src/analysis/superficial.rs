//! Whether a model that corrects its answer also changes what it holds inside (the superficial hypothesis of
//! Liu et al. 2024, arXiv 2407.15286): answers that turn fair while the concept's score does not fall, and how the two
//! changes go together over items.

use super::bootstrap::{Bootstrap, Estimate, ratio};
use super::correlation::{Correlation, Design, Pairs, Relation};

/// What happened to one item between round 0 and the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<'a> {
    /// Its group.
    pub group: &'a str,
    /// Whether the stereotyped answer was chosen, first and last; None where nothing was, or no answer is stereotyped.
    pub stereotyped: [Option<bool>; 2],
    /// Its probability, first and last.
    pub probability: [Option<f64>; 2],
    /// The change of the concept's score; NaN where there is none.
    pub concept: f64,
    /// Tokens of the last prompt.
    pub tokens: usize,
    /// The place of the stereotyped answer in the order that the states were captured in.
    pub place: Option<usize>,
}

impl Change<'_> {
    /// Whether the answer turned from stereotyped to fair, of those that could.
    fn flipped(&self) -> Option<bool> {
        Some(self.stereotyped[0]? && !self.stereotyped[1]?)
    }
}

/// Answers that turned fair, and whether the concept followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superficial {
    /// Share of all items that turned fair while the score did not fall; `n` is the number of items.
    pub share: Estimate,
    /// The same of those that turned fair, `n` of them; None if none did.
    pub of_flips: Estimate,
    /// The share of those that turned fair to expect if score and answer had nothing to do with each other: its mean when
    /// the items exchange their changes of score.
    pub expected: Option<f64>,
    /// Two-sided p of that, from how far the share is from the expected one.
    pub p: Option<f64>,
    /// Mean change of the score of those that turned fair.
    pub change: Estimate,
    /// Groups.
    pub n_groups: usize,
}

/// How many answers turned fair without the concept. Changes are exchanged as wholes between groups of one size, and
/// within groups.
#[must_use]
pub fn superficial(changes: &[Change<'_>], permutations: usize, bootstrap: Bootstrap) -> Superficial {
    let rows: Vec<(&str, bool, f64)> = changes
        .iter()
        .filter(|change| change.concept.is_finite())
        .filter_map(|change| Some((change.group, change.flipped()?, change.concept)))
        .collect();
    let one = |is: bool| f64::from(u8::from(is));
    let stayed: Vec<f64> = rows.iter().map(|row| one(row.2 >= 0.0)).collect();
    let sums = || rows.iter().zip(&stayed).map(|(row, stayed)| (row.0, [one(row.1) * stayed, one(row.1)]));
    let flips: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].1).collect();
    let share = Estimate::mean(sums().map(|(group, [both, _])| (group, both)), bootstrap);
    let of_flips = Estimate { n: flips.len(), ..Estimate::of(sums(), ratio, bootstrap) };
    let design = Design::new(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
    let moved = |from: &[usize]| {
        let kept: f64 = flips.iter().map(|&row| stayed[from[row]]).sum();
        (!flips.is_empty()).then(|| kept / flips.len() as f64)
    };
    let null: Vec<f64> =
        design.null(moved, false, permutations, bootstrap.seed).into_iter().flatten().collect();
    let expected = (!null.is_empty()).then(|| null.iter().sum::<f64>() / null.len() as f64);
    let p = expected.zip(of_flips.value).map(|(expected, seen)| {
        let far = (seen - expected).abs() - 1e-9;
        let reached = null.iter().filter(|share| (*share - expected).abs() >= far).count();
        (reached + 1) as f64 / (null.len() + 1) as f64
    });
    let change = Estimate::mean(rows.iter().filter(|row| row.1).map(|row| (row.0, row.2)), bootstrap);
    Superficial { share, of_flips, expected, p, change, n_groups: design.members.len() }
}

/// The correlations of the change of the stereotyped answer's probability with the change of the concept's score, the
/// partial one with the length of the last prompt and the place of the stereotyped answer held fixed.
#[must_use]
pub fn coupling(
    changes: &[Change<'_>],
    permutations: usize,
    bootstrap: Bootstrap,
) -> Vec<(Relation, Correlation)> {
    let mut pairs = Pairs::default();
    let places = changes.iter().filter_map(|change| change.place).max().unwrap_or(0);
    // The first place is what the others are compared with.
    pairs.covariates = vec![Vec::new(); 1 + places];
    for change in changes.iter().filter(|change| change.concept.is_finite()) {
        let [Some(first), Some(last)] = change.probability else { continue };
        pairs.groups.push(change.group);
        pairs.x.push(change.concept);
        pairs.y.push(last - first);
        pairs.covariates[0].push(change.tokens as f64);
        for place in 1..=places {
            pairs.covariates[place].push(f64::from(u8::from(change.place == Some(place))));
        }
    }
    Relation::ALL.map(|relation| (relation, pairs.correlation(relation, permutations, bootstrap))).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    /// Forty items in ten groups, every other one turning fair; `concept` gives the change of the score.
    fn changes(concept: impl Fn(usize, bool) -> f64) -> Vec<Change<'static>> {
        let one = |at: usize| {
            let flips = at.is_multiple_of(2);
            Change {
                group: GROUPS[at / 4],
                stereotyped: [Some(true), Some(!flips)],
                probability: [Some(0.6), Some(if flips { 0.2 } else { 0.6 } + 0.01 * (at % 7) as f64)],
                concept: concept(at, flips),
                tokens: 100 + at % 5,
                place: Some(at % 3),
            }
        };
        (0..40).map(one).collect()
    }

    fn wavy(at: usize) -> f64 {
        (at as f64 * 12.9898).sin()
    }

    fn coupled(changes: &[Change<'_>], relation: Relation) -> Correlation {
        let found = coupling(changes, 499, Bootstrap::default());
        found.into_iter().find(|(found, _)| *found == relation).expect("a relation").1
    }

    #[test]
    fn answers_that_turn_while_the_score_stays_are_superficial() {
        let found =
            superficial(&changes(|_, flips| if flips { 0.1 } else { -0.5 }), 999, Bootstrap::default());
        assert_eq!((found.share.value, found.share.n), (Some(0.5), 40));
        assert_eq!((found.of_flips.value, found.of_flips.n), (Some(1.0), 20));
        assert!((found.expected.expect("a null") - 0.5).abs() < 0.03, "{found:?}");
        assert_eq!((found.p, found.n_groups), (Some(0.001), 10));
    }

    #[test]
    fn answers_that_turn_with_the_score_are_not() {
        let with = changes(|at, flips| if flips { -0.8 } else { 0.2 } + 0.05 * wavy(at));
        let found = superficial(&with, 999, Bootstrap::default());
        assert_eq!((found.of_flips.value, found.p), (Some(0.0), Some(0.001)));
        assert!(found.change.value.expect("a change") < -0.7);
        for relation in Relation::ALL {
            let found = coupled(&with, relation);
            assert!(found.value.expect("r") > 0.7 && found.p == Some(0.002), "{relation:?} {found:?}");
        }
    }

    #[test]
    fn a_score_that_knows_nothing_of_the_answer_is_as_expected() {
        let unrelated = changes(|at, _| wavy(at));
        let found = superficial(&unrelated, 999, Bootstrap::default());
        let (seen, expected) = (found.of_flips.value.expect("flips"), found.expected.expect("a null"));
        assert!((seen - expected).abs() < 0.25 && found.p.expect("p") > 0.05, "{found:?}");
        assert!(coupled(&unrelated, Relation::Partial).p.expect("p") > 0.05);
    }

    #[test]
    fn without_flips_or_scores_nothing_is_defined() {
        let still: Vec<Change<'_>> = changes(|at, _| wavy(at))
            .into_iter()
            .map(|change| Change { stereotyped: [Some(true); 2], ..change })
            .collect();
        let found = superficial(&still, 99, Bootstrap::default());
        assert_eq!((found.share.value, found.of_flips.value, found.of_flips.n), (Some(0.0), None, 0));
        assert_eq!((found.expected, found.p, found.change.value), (None, None, None));
        let blind = changes(|_, _| f64::NAN);
        assert_eq!(superficial(&blind, 99, Bootstrap::default()).share.value, None);
        assert_eq!(coupled(&blind, Relation::Pearson).value, None);
        assert_eq!(superficial(&[], 99, Bootstrap::default()).of_flips.value, None);
    }
}

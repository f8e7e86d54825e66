//! How answers turn over between rounds: from wrong to right and back, to and from the stereotype, and when they settle.

use super::answer::Answer;
use super::bootstrap::{Bootstrap, Estimate, ratio};

/// A turn of answers from one side to the other between two rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flip {
    /// Which.
    pub name: &'static str,
    /// Share of all answers that turned.
    pub share: Estimate,
    /// Share of those that stood on the side they left; its `n` is their number.
    pub of_prior: Estimate,
}

/// The four turns between two rounds: to the right answer and from it, where there is a right one; to the stereotyped
/// answer ([`crate::task::Item::target`]) and from it, where that is known. Answers that choose nothing in either round
/// do not count. A turn whose side nothing defines is left out.
pub fn flips(before: &[Answer<'_>], after: &[Answer<'_>], bootstrap: Bootstrap) -> Vec<Flip> {
    type Side = fn(&Answer<'_>) -> Option<bool>;
    let right: Side = |answer| answer.is_right();
    let stereotyped: Side = |answer| answer.is_stereotyped();
    let turns: [(&'static str, Side, bool); 4] = [
        ("wrong_to_right", right, false),
        ("right_to_wrong", right, true),
        ("stereotyped_to_fair", stereotyped, true),
        ("fair_to_stereotyped", stereotyped, false),
    ];
    let flip = |(name, side, from): (&'static str, Side, bool)| {
        let rows: Vec<(&str, [f64; 2])> = before
            .iter()
            .zip(after)
            .filter_map(|(before, after)| {
                let (was, is) = (side(before)?, side(after)?);
                let one = |is: bool| f64::from(u8::from(is));
                Some((before.item().group.as_str(), [one(was == from && is != from), one(was == from)]))
            })
            .collect();
        let share = Estimate::mean(rows.iter().map(|(group, row)| (*group, row[0])), bootstrap);
        let prior = rows.iter().filter(|(_, row)| row[1] > 0.0).count();
        let of_prior = Estimate::of(rows, ratio, bootstrap);
        (share.n > 0).then_some(Flip { name, share, of_prior: Estimate { n: prior, ..of_prior } })
    };
    turns.into_iter().filter_map(flip).collect()
}

/// When the choices of dialogues settle. Only dialogues that choose an option in every round count.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// By round: share of dialogues whose choice is the same from this round on. The last is always 1.
    pub settled: Vec<Estimate>,
    /// Mean of the first such round.
    pub first_settled: Estimate,
    /// Share of dialogues whose choice changes at least twice.
    pub wavering: Estimate,
}

/// The course of the dialogues whose answers are `rounds[round]`.
pub fn course(rounds: &[Vec<Answer<'_>>], bootstrap: Bootstrap) -> Course {
    let dialogues = rounds.first().map_or(0, Vec::len);
    let mut rows: Vec<(&str, usize, usize)> = Vec::new(); // group, first settled round, changes
    for at in 0..dialogues {
        let choices: Option<Vec<usize>> = rounds.iter().map(|answers| answers[at].chosen()).collect();
        let Some(choices) = choices else { continue };
        let changes = || choices.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
        let settled = changes().next_back().map_or(0, |(round, _)| round + 1);
        rows.push((rounds[0][at].item().group.as_str(), settled, changes().count()));
    }
    let mean = |value: &dyn Fn(&(&str, usize, usize)) -> f64| {
        Estimate::mean(rows.iter().map(|row| (row.0, value(row))), bootstrap)
    };
    Course {
        settled: (0..rounds.len()).map(|round| mean(&|row| f64::from(u8::from(row.1 <= round)))).collect(),
        first_settled: mean(&|row| row.1 as f64),
        wavering: mean(&|row| f64::from(u8::from(row.2 >= 2))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::item;
    use crate::task::{Item, Role};

    fn items(n: usize) -> Vec<Item> {
        let roles = [Role::Stereotyped, Role::Other, Role::Unknown];
        let one = |at: usize| Item { label: Some(2), target: Some(0), ..item(&format!("g{at}"), at, &roles) };
        (0..n).map(one).collect()
    }

    fn answers<'a>(items: &'a [Item], chosen: &[Option<usize>]) -> Vec<Answer<'a>> {
        items
            .iter()
            .zip(chosen)
            .map(|(item, chosen)| Answer::new(item, *chosen).expect("an option"))
            .collect()
    }

    #[test]
    fn every_turn_is_counted_once_of_all_and_of_those_who_could_make_it() {
        let items = items(6);
        let before = answers(&items, &[Some(0), Some(0), Some(1), Some(2), Some(2), None]);
        let after = answers(&items, &[Some(2), Some(0), Some(2), Some(0), Some(2), Some(2)]);
        let found: Vec<_> = flips(&before, &after, Bootstrap::default())
            .iter()
            .map(|flip| (flip.name, flip.share.value, flip.share.n, flip.of_prior.value, flip.of_prior.n))
            .collect();
        assert_eq!(
            found,
            [
                ("wrong_to_right", Some(0.4), 5, Some(2.0 / 3.0), 3),
                ("right_to_wrong", Some(0.2), 5, Some(0.5), 2),
                ("stereotyped_to_fair", Some(0.2), 5, Some(0.5), 2),
                ("fair_to_stereotyped", Some(0.2), 5, Some(1.0 / 3.0), 3),
            ]
        );
    }

    #[test]
    fn nobody_on_a_side_leaves_its_rate_undefined() {
        let items = items(3);
        let right = answers(&items, &[Some(2); 3]);
        let found = flips(&right, &right, Bootstrap::default());
        assert_eq!(
            (found[0].share.value, found[0].of_prior.value, found[0].of_prior.n),
            (Some(0.0), None, 0)
        );
        let unparsed = answers(&items, &[None; 3]);
        assert!(flips(&unparsed, &right, Bootstrap::default()).is_empty());
        assert!(flips(&[], &[], Bootstrap::default()).is_empty());
    }

    #[test]
    fn a_choice_settles_where_it_changes_for_the_last_time() {
        let items = items(4);
        let rounds = [
            answers(&items, &[Some(0), Some(0), Some(0), Some(0)]),
            answers(&items, &[Some(0), Some(2), Some(2), None]),
            answers(&items, &[Some(0), Some(2), Some(0), Some(0)]),
        ];
        let course = course(&rounds, Bootstrap::default());
        let settled: Vec<_> = course.settled.iter().map(|share| share.value).collect();
        assert_eq!(settled, [Some(1.0 / 3.0), Some(2.0 / 3.0), Some(1.0)]);
        assert_eq!((course.first_settled.value, course.first_settled.n), (Some(1.0), 3));
        assert_eq!(course.wavering.value, Some(1.0 / 3.0));
        let nothing = super::course(&[], Bootstrap::default());
        assert_eq!((nothing.settled.len(), nothing.wavering.value), (0, None));
    }
}

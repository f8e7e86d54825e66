//! Which groups of a task are held out of training.
//!
//! The groups of each category stand in an order drawn by the seed and by the name of each group alone; the first of
//! them are held out. So the same file, seed and share give the same parts wherever they are asked for, and what a
//! smaller share holds out is held out by a larger one too.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::SplitMix;

/// The share of groups that is held out where nothing else is said.
pub const SHARE: f64 = 0.5;

/// A side of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What may be trained on.
    Train,
    /// What is kept from training.
    HeldOut,
}

/// Whether a share can be held out.
///
/// # Errors
/// [`Error::Input`] for a share that is not above 0 and below 1.
pub fn checked(share: f64) -> Result<f64> {
    if share > 0.0 && share < 1.0 {
        return Ok(share);
    }
    Err(Error::input("", "must be above 0 and below 1")
        .hint("it is the share of each category's groups that is held out"))
}

/// The names of the groups that are held out. `members` are (category, group) of everything that is split, before
/// anything is left out; a group in several categories counts in the first. Of a category of n groups
/// round(`share` n) are held out, at least 1 and at most n - 1.
///
/// # Errors
/// [`Error::Input`] for a category of one group, and for a share that is not above 0 and below 1.
pub fn held_out<'a>(
    members: impl IntoIterator<Item = (&'a str, &'a str)>,
    share: f64,
    seed: u64,
) -> Result<HashSet<&'a str>> {
    let share = checked(share)?;
    let mut category_of = HashMap::new();
    let mut categories: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (category, group) in members {
        category_of.entry(group).or_insert_with(|| {
            categories.entry(category).or_default().push(group);
        });
    }
    let mut held_out = HashSet::new();
    for (category, mut groups) in categories {
        if groups.len() < 2 {
            let why = format!("category {category:?} has one group, which cannot stand on both sides");
            return Err(Error::input("", why)
                .hint("give the questions of different templates different groups, or leave the split out"));
        }
        groups.sort_by_cached_key(|group| {
            (SplitMix::named(seed, &format!("held out: {group}")).draw(), group.to_string())
        });
        let n = ((share * groups.len() as f64).round() as usize).clamp(1, groups.len() - 1);
        held_out.extend(&groups[..n]);
    }
    Ok(held_out)
}

/// Keeps the members of a part; `of` gives category and group of each.
///
/// # Errors
/// As [`held_out`].
pub fn keep<T>(
    members: &mut Vec<T>,
    part: Part,
    share: f64,
    seed: u64,
    of: impl Fn(&T) -> (&str, &str),
) -> Result<()> {
    let held_out = held_out(members.iter().map(&of), share, seed)?;
    let held_out: HashSet<String> = held_out.into_iter().map(str::to_owned).collect();
    members.retain(|member| held_out.contains(of(member).1) == (part == Part::HeldOut));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` groups of a category, each with two members.
    fn members(category: &str, n: usize) -> Vec<(String, String)> {
        (0..2 * n).map(|i| (category.to_owned(), format!("{category}/{}", i / 2))).collect()
    }

    fn held(members: &[(String, String)], share: f64, seed: u64) -> HashSet<&str> {
        held_out(members.iter().map(|(category, group)| (category.as_str(), group.as_str())), share, seed)
            .expect("a split")
    }

    #[test]
    fn the_share_counts_in_each_category_and_leaves_a_group_on_either_side() {
        let all = [members("a", 10), members("b", 3), members("c", 2)].concat();
        let count = |share: f64, category: &str| {
            held(&all, share, 7).iter().filter(|group| group.starts_with(category)).count()
        };
        assert_eq!([count(0.5, "a"), count(0.5, "b"), count(0.5, "c")], [5, 2, 1]);
        assert_eq!([count(0.01, "a"), count(0.01, "b"), count(0.01, "c")], [1, 1, 1]);
        assert_eq!([count(0.99, "a"), count(0.99, "b"), count(0.99, "c")], [9, 2, 1]);
    }

    #[test]
    fn the_split_hangs_on_the_seed_and_on_no_order_and_grows_with_the_share() {
        let all = members("a", 40);
        let turned: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(held(&all, 0.5, 1), held(&turned, 0.5, 1));
        assert_ne!(held(&all, 0.5, 1), held(&all, 0.5, 2));
        assert!(held(&all, 0.25, 1).is_subset(&held(&all, 0.5, 1)));
        let first: HashSet<String> = (0..20).map(|i| format!("a/{i}")).collect();
        assert!(held(&all, 0.5, 1).iter().any(|group| !first.contains(*group)), "not the front of the file");
    }

    #[test]
    fn every_member_is_on_one_side() {
        let all = members("a", 7);
        let side = |part| {
            let mut side = all.clone();
            keep(&mut side, part, 0.5, 3, |(category, group)| (category, group)).expect("a split");
            side
        };
        let (train, held_out) = (side(Part::Train), side(Part::HeldOut));
        assert_eq!((train.len(), held_out.len()), (6, 8));
        assert!(train.iter().all(|member| !held_out.iter().any(|other| other.1 == member.1)));
    }

    #[test]
    fn a_group_of_two_categories_stands_on_one_side() {
        let mut all = [members("a", 6), members("b", 6)].concat();
        all.extend((0..6).map(|i| ("b".to_owned(), format!("a/{i}"))));
        let held = held(&all, 0.5, 0);
        let of = |category: &str| held.iter().filter(|group| group.starts_with(category)).count();
        assert_eq!([of("a"), of("b")], [3, 3], "it counts in the first of its categories");
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let error = held_out([("a", "1"), ("a", "2"), ("b", "3")], 0.5, 0).expect_err("one group");
        assert!(error.to_string().contains("category \"b\" has one group"), "{error}");
        assert!(error.next_step().is_some());
        for share in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(held_out([("a", "1"), ("a", "2")], share, 0).is_err(), "{share}");
        }
    }
}

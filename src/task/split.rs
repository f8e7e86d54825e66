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

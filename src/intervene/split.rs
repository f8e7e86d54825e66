//! What a direction is estimated from, and what is asked: groups of items are on one side or the other.

use std::collections::{BTreeMap, HashSet};

use crate::random::SplitMix;
use crate::task::Item;

/// The groups that are asked: of each category about `part` of its groups, drawn by the seed; at least one, and at least
/// one is left where there are two or more.
#[must_use]
pub fn held_out(items: &[Item], part: f64, seed: u64) -> HashSet<String> {
    let mut categories: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for item in items {
        let groups = categories.entry(&item.category).or_default();
        if !groups.contains(&item.group.as_str()) {
            groups.push(&item.group);
        }
    }
    let mut asked = HashSet::new();
    for groups in categories.values_mut() {
        groups.sort_by_cached_key(|group| {
            (SplitMix::named(seed, &format!("steer/split/{group}")).draw(), *group)
        });
        let most = groups.len().saturating_sub(1).max(1);
        let count = ((part * groups.len() as f64).round() as usize).clamp(1, most);
        asked.extend(groups[..count].iter().map(|group| (*group).to_owned()));
    }
    asked
}

/// At most `limit` items of each category, from the front.
#[must_use]
pub fn limited(items: Vec<Item>, limit: Option<usize>) -> Vec<Item> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut within = |item: &Item| {
        let count = counts.entry(item.category.clone()).or_default();
        *count += 1;
        limit.is_none_or(|limit| *count <= limit)
    };
    items.into_iter().filter(|item| within(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::item;

    #[test]
    fn groups_are_shared_out_within_categories_and_never_cut() {
        let mut items = Vec::new();
        for (category, groups) in [("a", 10), ("b", 4), ("c", 1)] {
            for group in 0..groups {
                for number in 0..3 {
                    let own = item(&format!("{category}/{group}"), number, &[]);
                    items.push(Item { category: category.into(), ..own });
                }
            }
        }
        let asked = held_out(&items, 0.5, 7);
        let count = |category: &str| asked.iter().filter(|group| group.starts_with(category)).count();
        assert_eq!(["a", "b", "c"].map(count), [5, 2, 1]);
        assert_eq!(asked, held_out(&items, 0.5, 7));
        assert_ne!(asked, held_out(&items, 0.5, 8));
        let kept = limited(items, Some(2));
        assert_eq!(kept.len(), 6);
    }
}

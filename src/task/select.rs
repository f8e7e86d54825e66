//! What of a task a study asks for: a part of a split, categories, one context condition, the first of each category.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::split::{self, Part};
use super::{Context, Item};
use crate::error::Error;
use crate::random::SplitMix;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// What the study calls the task.
    pub shown: &'a str,
    /// The name of its reader.
    pub kind: &'a str,
    /// Its variant; the first without it.
    pub variant: Option<&'a str>,
    /// Its files; the embedded set without them.
    pub path: Option<&'a Path>,
    /// The side of a split, and the share of groups that is held out; both sides without it.
    pub part: Option<(Part, f64)>,
    /// Categories; all where it names none.
    pub categories: &'a [String],
    /// One context condition.
    pub context: Option<Context>,
    /// So many items of each category, drawn by lot.
    pub sample: Option<usize>,
    /// So many items of each category, from the front.
    pub limit: Option<usize>,
}

impl Selection<'_> {
    /// The items. The split is made of whole categories, whatever else is asked for.
    ///
    /// # Errors
    /// The key of a study that is wrong, and why: a file is missing or malformed, a variant or a category is not known, a
    /// category cannot be split, nothing is left.
    pub fn items(&self, seed: u64) -> std::result::Result<Vec<Item>, (&'static str, Error)> {
        let place = || format!("task {}", self.shown);
        let key = if self.variant.is_some() { "variant" } else { "path" };
        let mut items = super::load(self.kind, self.variant, self.path).map_err(|error| (key, error))?;
        if let Some(unknown) =
            self.categories.iter().find(|name| items.iter().all(|item| item.category != **name))
        {
            let known: BTreeSet<&str> = items.iter().map(|item| item.category.as_str()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let error = Error::input(place(), format!("category {unknown:?} is not known"));
            return Err(("categories", error.hint(format!("its categories: {}", known.join(", ")))));
        }
        items.retain(|item| self.categories.is_empty() || self.categories.contains(&item.category));
        if let Some((part, share)) = self.part {
            split::keep(&mut items, part, share, seed, |item| (&item.category, &item.group))
                .map_err(|error| ("held_out", error.within(&place())))?;
        }
        items.retain(|item| self.context.is_none() || self.context == item.context);
        drawn(&mut items, self.sample, seed, |item| (&item.category, &item.id));
        first(&mut items, self.limit, |item| &item.category);
        if items.is_empty() {
            let error = Error::input(place(), "holds no items");
            return Err(("limit", error.hint("look at its limit, categories, context and path")));
        }
        Ok(items)
    }
}

/// Keeps `sample` of each category, drawn by lot, in their order; all without a number. `of` gives category and id.
pub(super) fn drawn<T>(
    members: &mut Vec<T>,
    sample: Option<usize>,
    seed: u64,
    of: impl Fn(&T) -> (&str, &str),
) {
    let Some(sample) = sample else { return };
    let mut lots: BTreeMap<String, Vec<(u64, usize)>> = BTreeMap::new();
    for (place, member) in members.iter().enumerate() {
        let (category, id) = of(member);
        let lot = SplitMix::named(seed, &format!("sample: {category}/{id}")).draw();
        lots.entry(category.to_owned()).or_default().push((lot, place));
    }
    let mut kept = HashSet::new();
    for mut lots in lots.into_values() {
        lots.sort_unstable();
        kept.extend(lots.into_iter().take(sample).map(|(_, place)| place));
    }
    let mut place = 0..;
    members.retain(|_| place.next().is_some_and(|place| kept.contains(&place)));
}

/// Keeps the first `limit` of each category; all without a limit.
pub(crate) fn first<T>(members: &mut Vec<T>, limit: Option<usize>, category: impl Fn(&T) -> &str) {
    let Some(limit) = limit else { return };
    let mut kept = HashMap::new();
    members.retain(|member| {
        let count = kept.entry(category(member).to_owned()).or_insert(0);
        *count += 1;
        *count <= limit
    });
}

/// Keeps `count`, shared out evenly over the categories: the first of each in turn, then the second, in their order.
pub(crate) fn spread<T>(members: &mut Vec<T>, count: usize, category: impl Fn(&T) -> &str) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut turns: Vec<(usize, usize)> = Vec::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        let turn = seen.entry(category(member).to_owned()).or_default();
        turns.push((*turn, place));
        *turn += 1;
    }
    turns.sort_unstable();
    let kept: HashSet<usize> = turns.into_iter().take(count).map(|(_, place)| place).collect();
    let mut place = 0..;
    members.retain(|_| place.next().is_some_and(|place| kept.contains(&place)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_spread_over_categories_as_evenly_as_there_are_some() {
        let spread_over = |count| {
            let mut members: Vec<(&str, usize)> =
                ["a", "a", "a", "a", "b", "c", "c"].into_iter().zip(0..).collect();
            spread(&mut members, count, |(category, _)| category);
            members.into_iter().map(|(_, place)| place).collect::<Vec<_>>()
        };
        assert_eq!(spread_over(3), [0, 4, 5]);
        assert_eq!(spread_over(5), [0, 1, 4, 5, 6]);
        assert_eq!(spread_over(6), [0, 1, 2, 4, 5, 6]);
        assert_eq!(spread_over(99).len(), 7);
    }

    #[test]
    fn a_sample_is_drawn_of_each_category_and_stays_in_order() {
        let all: Vec<(String, String)> =
            (0..60).map(|i| (["a", "b"][i % 2].to_owned(), format!("{i:02}"))).collect();
        let of = |seed| {
            let mut members = all.clone();
            drawn(&mut members, Some(5), seed, |(category, id)| (category, id));
            members
        };
        let some = of(1);
        assert_eq!(some.iter().filter(|(category, _)| category == "a").count(), 5);
        assert_eq!(some.len(), 10);
        assert!(some.is_sorted_by_key(|(_, id)| id));
        assert_eq!(of(1), some);
        assert_ne!(of(2), some);
        assert_ne!(some[..2], all[..2], "not the front");
    }
}

//! What of a task a study asks for: a part of a split, categories, one context condition, the first of each category.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::split::{self, Part};
use super::{Context, Item};
use crate::error::Error;

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
    /// So many items of each category, from the front.
    pub limit: Option<usize>,
}

impl Selection<'_> {
    /// The items. The split is made of the whole of the files, whatever else is asked for.
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
        if let Some((part, share)) = self.part {
            split::keep(&mut items, part, share, seed, |item| (&item.category, &item.group))
                .map_err(|error| ("held_out", error.within(&place())))?;
        }
        items.retain(|item| self.categories.is_empty() || self.categories.contains(&item.category));
        items.retain(|item| self.context.is_none() || self.context == item.context);
        first(&mut items, self.limit, |item| &item.category);
        if items.is_empty() {
            let error = Error::input(place(), "holds no items");
            return Err(("limit", error.hint("look at its limit, categories, context and path")));
        }
        Ok(items)
    }
}

/// Keeps the first `limit` of each category; all without a limit.
pub(super) fn first<T>(members: &mut Vec<T>, limit: Option<usize>, category: impl Fn(&T) -> &str) {
    let Some(limit) = limit else { return };
    let mut kept = HashMap::new();
    members.retain(|member| {
        let count = kept.entry(category(member).to_owned()).or_insert(0);
        *count += 1;
        *count <= limit
    });
}

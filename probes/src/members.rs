//! Which rows belong together.

use std::collections::HashMap;
use std::hash::Hash;

use crate::error::{Error, Result};

/// The names of the groups, in the order of first appearance, and the rows of each.
pub(crate) fn members<T: Copy + Eq + Hash>(groups: &[T]) -> (Vec<T>, Vec<Vec<usize>>) {
    let mut index = HashMap::new();
    let (mut names, mut members) = (Vec::new(), Vec::<Vec<usize>>::new());
    for (row, &name) in groups.iter().enumerate() {
        let group = *index.entry(name).or_insert_with(|| {
            names.push(name);
            members.push(Vec::new());
            names.len() - 1
        });
        members[group].push(row);
    }
    (names, members)
}

/// The rows of every group, for rows that are `n`.
///
/// # Errors
/// [`Error::Empty`] or [`Error::ShapeMismatch`].
pub(crate) fn members_of(groups: &[usize], n: usize) -> Result<Vec<Vec<usize>>> {
    if n == 0 {
        return Err(Error::Empty { what: "rows" });
    }
    if groups.len() != n {
        return Err(Error::ShapeMismatch { what: "groups", expected: n, found: groups.len() });
    }
    Ok(members(groups).1)
}

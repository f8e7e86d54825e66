//! Which texts are kept: pairs that cross each other, and no more than the limit.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::Statement;
use super::spec::{Balance, Spec};
use crate::error::{Error, Result};
use crate::random::SplitMix;
use crate::task::words;

/// The most pairs that are put together. Longer walks are few, and their groups large.
const MOST: usize = 4;

/// The texts that a spec keeps.
pub(super) fn chosen(spec: &Spec, statements: Vec<Statement>) -> Result<Vec<Statement>> {
    let statements = match spec.balance {
        Some(Balance::Crossed) => crossed(spec, statements)?,
        None => statements,
    };
    match spec.limit {
        Some(limit) if limit < statements.len() => limited(spec, statements, limit),
        _ => Ok(statements),
    }
}

/// The words in which the texts of a pair differ, sorted and as often as they are in excess.
type Words = Vec<String>;

/// A pair: the words that only its text of label 0 has, those that only the other has, and the rows of both.
struct Pair {
    from: Words,
    to: Words,
    rows: [usize; 2],
}

/// Keeps the pairs that form closed walks.
///
/// A pair is an edge of a directed graph, from the words that only its text of label 0 holds to those that only the
/// other holds. Along a closed walk every node is left as often as it is entered, so that over the pairs of the walk
/// every word occurs equally often with both labels: no weights of single words tell the labels apart. Shorter walks are
/// taken first and no pair twice; the pairs of a walk, with all else in their groups, are one group from then on, so that
/// no fold parts them.
fn crossed(spec: &Spec, mut statements: Vec<Statement>) -> Result<Vec<Statement>> {
    let pairs = pairs(spec, &statements);
    let mut open: HashMap<&Words, Vec<usize>> = HashMap::new();
    for (index, pair) in pairs.iter().enumerate() {
        open.entry(&pair.from).or_default().push(index);
    }
    let mut used = vec![false; pairs.len()];
    let mut walks: Vec<Vec<usize>> = Vec::new();
    for length in 1..=MOST {
        for first in 0..pairs.len() {
            if used[first] {
                continue;
            }
            used[first] = true;
            let back = path(&pairs, &open, &used, &pairs[first].to, &pairs[first].from, length - 1);
            used[first] = back.is_some();
            if let Some(back) = back {
                back.iter().for_each(|&pair| used[pair] = true);
                walks.push([vec![first], back].concat());
            }
        }
    }
    let kept: HashSet<usize> = walks.iter().flatten().flat_map(|&pair| pairs[pair].rows).collect();
    let names = joined(&statements, walks.iter().map(|walk| walk.iter().map(|&pair| pairs[pair].rows[0])));
    for statement in &mut statements {
        if let Some(name) = names.get(&statement.group) {
            statement.group.clone_from(name);
            statement.unit.clone_from(name);
        }
    }
    if kept.is_empty() {
        let why = "no pairs of a text of each label differ in words that cross each other";
        return Err(spec
            .wrong("balance", why)
            .hint("the texts of a pair share a unit, by default their group"));
    }
    let rows = statements.into_iter().enumerate().filter(|(row, _)| kept.contains(row));
    Ok(rows.map(|(_, statement)| statement).collect())
}

/// The units that hold one text of each label, in an order drawn from the seed.
fn pairs(spec: &Spec, statements: &[Statement]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = units(statements)
        .into_iter()
        .filter_map(|rows| {
            let [a, b] = rows[..] else { return None };
            let (no, yes) = if statements[b].positive { (a, b) } else { (b, a) };
            let apart = !statements[no].positive && statements[yes].positive;
            let excess = |row: usize, other: usize| excess(&statements[row].text, &statements[other].text);
            apart.then(|| Pair { from: excess(no, yes), to: excess(yes, no), rows: [no, yes] })
        })
        .collect();
    SplitMix::named(spec.seed, "crossed").shuffle(&mut pairs);
    pairs
}

/// The words that a text has more often than another.
fn excess(text: &str, other: &str) -> Words {
    let mut left: HashMap<String, usize> = HashMap::new();
    words(other).into_iter().for_each(|word| *left.entry(word).or_default() += 1);
    let mut more: Words = words(text);
    more.retain(|word| match left.get_mut(word) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    more.sort();
    more
}

/// The shortest way from some words to others over unused pairs, of at most `most` pairs.
fn path<'a>(
    pairs: &'a [Pair],
    open: &HashMap<&Words, Vec<usize>>,
    used: &[bool],
    from: &'a Words,
    to: &Words,
    most: usize,
) -> Option<Vec<usize>> {
    let mut ways: VecDeque<(&Words, Vec<usize>)> = VecDeque::from([(from, Vec::new())]);
    let mut seen = HashSet::from([from]);
    while let Some((at, way)) = ways.pop_front() {
        if at == to {
            return Some(way);
        }
        let next = open.get(at).filter(|_| way.len() < most);
        for &pair in next.into_iter().flatten().filter(|&&pair| !used[pair]) {
            if seen.insert(&pairs[pair].to) {
                ways.push_back((&pairs[pair].to, [way.clone(), vec![pair]].concat()));
            }
        }
    }
    None
}

/// The name under which groups that walks join go on, by their old names.
fn joined(
    statements: &[Statement],
    walks: impl Iterator<Item = impl Iterator<Item = usize>>,
) -> HashMap<String, String> {
    let mut part: HashMap<&str, usize> = HashMap::new();
    let mut parts: Vec<Vec<&str>> = Vec::new();
    for walk in walks {
        let own = parts.len();
        parts.push(Vec::new());
        for row in walk {
            let group = statements[row].group.as_str();
            let members = part.get(group).map_or(vec![group], |&other| std::mem::take(&mut parts[other]));
            part.extend(members.iter().map(|&member| (member, own)));
            parts[own].extend(members);
        }
    }
    let name = |members: &Vec<&str>| match members[..] {
        [only] => only.to_owned(),
        _ => format!("{}+{}", members[0], members.len() - 1),
    };
    let named = parts.iter().flat_map(|members| members.iter().map(move |&member| (member, members)));
    named.map(|(member, members)| (member.to_owned(), name(members))).collect()
}

/// At most `limit` texts: the groups, in an order drawn from the seed, give one unit each in turn.
fn limited(spec: &Spec, statements: Vec<Statement>, limit: usize) -> Result<Vec<Statement>> {
    let mut groups: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for rows in units(&statements) {
        groups.entry(&statements[rows[0]].group).or_default().push(rows);
    }
    let mut random = SplitMix::named(spec.seed, "limit");
    let mut groups: Vec<Vec<Vec<usize>>> = groups.into_values().collect();
    groups.iter_mut().for_each(|units| random.shuffle(units));
    random.shuffle(&mut groups);
    let turns = groups.iter().map(Vec::len).max().unwrap_or(0);
    let units = (0..turns).flat_map(|turn| groups.iter().filter_map(move |units| units.get(turn)));
    let mut kept: HashSet<usize> = HashSet::new();
    for rows in units {
        if kept.len() + rows.len() > limit {
            break;
        }
        kept.extend(rows);
    }
    if kept.is_empty() {
        return Err(spec
            .origin
            .at("limit", Error::input("", format!("{limit} texts are fewer than are kept as one")))
            .hint("a unit, by default a group, is kept whole"));
    }
    let rows = statements.into_iter().enumerate().filter(|(row, _)| kept.contains(row));
    Ok(rows.map(|(_, statement)| statement).collect())
}

/// The rows of each unit, in the order of the first.
fn units(statements: &[Statement]) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (row, statement) in statements.iter().enumerate() {
        let place = *places.entry(&statement.unit).or_insert(units.len());
        if place == units.len() {
            units.push(Vec::new());
        }
        units[place].push(row);
    }
    units
}

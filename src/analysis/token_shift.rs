//! How much of what the second model of a pair says the first would have said itself: the token distribution shift of
//! Lin et al. 2023 (arXiv 2312.01552), with intervals over groups.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Estimate, ratio};
use super::shift::About;
use super::summary::Sources;
use crate::Result;
use crate::store::measured;

/// The ranks, in the first model, of unshifted, marginal and shifted tokens.
pub const RANKS: [Range<usize>; 3] = [1..2, 2..4, 4..usize::MAX];
/// What they are called.
pub const NAMES: [&str; 3] = ["unshifted", "marginal", "shifted"];

/// A text that both models read, token by token: an answer of the second model, or a line of plain text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// The item; the number of a line.
    pub item: String,
    /// Its group.
    pub group: String,
    /// The round; 0 for a line.
    pub round: usize,
    /// The token of the second model at each position: the one that it said, or in plain text its most probable one.
    pub said: Vec<i64>,
    /// The most probable token of the first model.
    pub first: Vec<i64>,
    /// The rank of `said` in the first model; 1 is the most probable one.
    pub rank: Vec<usize>,
    /// KL divergence of the second model's distribution from the first's, in nats.
    pub kl: Vec<f32>,
    /// Log-probability of `said` in the first model.
    pub before: Vec<f32>,
    /// Log-probability of `said` in the second model.
    pub after: Vec<f32>,
}

/// Passages, as a file of the run directory has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passages {
    /// Whether answers were drawn at random, so that `said` need not be the most probable token.
    pub sampled: bool,
    /// The texts of the tokens that are shifted, and of what the first model would have said.
    pub words: Vec<(i64, String)>,
    /// The passages.
    pub passages: Vec<Passage>,
}

/// How far some tokens are shifted. `n` of each estimate is the number of tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Shares of unshifted, marginal and shifted tokens.
    pub shares: [Estimate; 3],
    /// Mean KL divergence in nats.
    pub kl: Estimate,
}

/// A round of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundShift {
    /// All its tokens.
    pub all: Shift,
    /// Those of each position of the answer.
    pub positions: Vec<Shift>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmShift {
    /// Its name.
    pub condition: String,
    /// All its tokens.
    pub all: Shift,
    /// Round by round.
    pub rounds: Vec<RoundShift>,
}

/// A token in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// What the first model would have said.
    pub first: String,
    /// What the second one says.
    pub said: String,
    /// How often.
    pub count: usize,
    /// In how many passages.
    pub passages: usize,
}

/// What a pair's second model said on a task, or plain text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextShift {
    /// The task; `prose` for plain text.
    pub task: String,
    /// Whether answers were drawn at random.
    pub sampled: bool,
    /// Answers, or lines.
    pub passages: usize,
    /// All tokens.
    pub all: Shift,
    /// Condition by condition; none for plain text.
    pub arms: Vec<ArmShift>,
    /// The shifted tokens that are met most often, at most [`EXCHANGED`].
    pub exchanged: Vec<Exchanged>,
}

/// Shifted tokens that are named.
pub const EXCHANGED: usize = 20;

/// A pair of models.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTokens {
    /// The pair.
    pub about: About,
    /// The tasks, and plain text last.
    pub texts: Vec<TextShift>,
}

impl PairTokens {
    /// What was measured of every pair of a run.
    ///
    /// # Errors
    /// A file cannot be read or holds something else.
    pub fn all(sources: &Sources<'_>) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for about in About::all(sources)? {
            let mut texts = Vec::new();
            for task in &sources.study.tasks {
                texts.extend(of_task(sources, &about, &task.name)?);
            }
            let prose: Option<Passages> = measured::read(&sources.run.of_pair(&about.name(), PROSE)?)?;
            texts.extend(prose.and_then(|prose| text("prose", &[("", prose)], sources.bootstrap())));
            if !texts.is_empty() {
                found.push(Self { about, texts });
            }
        }
        Ok(found)
    }
}

/// The file of plain text.
pub const PROSE: &str = "prose.json";

/// The file of a condition.
#[must_use]
pub fn file(condition: &str) -> String {
    format!("{condition}.tokens.json")
}

fn of_task(sources: &Sources<'_>, about: &About, task: &str) -> Result<Option<TextShift>> {
    let wanted = &about.entry.conditions;
    let mut arms: Vec<(&str, Passages)> = Vec::new();
    for condition in &sources.study.dialogue.conditions {
        if wanted.is_empty() || wanted.contains(condition) {
            let path = sources.run.place(&["shift", &about.name(), task], &file(condition))?;
            arms.extend(measured::read(&path)?.map(|passages| (condition.as_str(), passages)));
        }
    }
    Ok(text(task, &arms, sources.bootstrap()))
}

/// The shift of some conditions; None where no token was read. An unnamed condition has no rounds and no positions.
fn text(task: &str, arms: &[(&str, Passages)], bootstrap: Bootstrap) -> Option<TextShift> {
    let all: Vec<&Passage> = arms.iter().flat_map(|(_, own)| &own.passages).collect();
    if all.iter().all(|passage| passage.said.is_empty()) {
        return None;
    }
    let named = arms.par_iter().filter(|(condition, _)| !condition.is_empty());
    Some(TextShift {
        task: task.into(),
        sampled: arms.iter().any(|(_, own)| own.sampled),
        passages: all.len(),
        all: shift(&all, None, bootstrap),
        arms: named.map(|(condition, own)| arm(condition, &own.passages, bootstrap)).collect(),
        exchanged: exchanged(arms.iter().map(|(_, own)| own)),
    })
}

fn arm(condition: &str, passages: &[Passage], bootstrap: Bootstrap) -> ArmShift {
    let rounds = passages.iter().map(|passage| passage.round + 1).max().unwrap_or(0);
    let round = |round: usize| {
        let own: Vec<&Passage> = passages.iter().filter(|passage| passage.round == round).collect();
        let longest = own.iter().map(|passage| passage.said.len()).max().unwrap_or(0);
        RoundShift {
            all: shift(&own, None, bootstrap),
            positions: (0..longest).map(|position| shift(&own, Some(position), bootstrap)).collect(),
        }
    };
    ArmShift {
        condition: condition.into(),
        all: shift(&passages.iter().collect::<Vec<_>>(), None, bootstrap),
        rounds: (0..rounds).map(round).collect(),
    }
}

/// The shift of some passages' tokens, or of those at one position.
#[must_use]
pub fn shift(passages: &[&Passage], position: Option<usize>, bootstrap: Bootstrap) -> Shift {
    let places = |passage: &Passage| match position {
        None => 0..passage.said.len(),
        Some(at) => at..(at + 1).min(passage.said.len()).max(at),
    };
    // A group's tokens come and go together, so that a row is a passage's sum and count.
    let estimate = |value: &dyn Fn(&Passage, usize) -> f64| {
        let rows = passages.iter().map(|passage| {
            let places = places(passage);
            let count = places.len() as f64;
            (passage.group.as_str(), [places.map(|at| value(passage, at)).sum(), count])
        });
        let n = passages.iter().map(|passage| places(passage).len()).sum();
        let present = rows.filter(|(_, [_, count])| *count > 0.0);
        Estimate { n, ..Estimate::of(present, ratio, bootstrap) }
    };
    Shift {
        shares: RANKS
            .map(|ranks| estimate(&|passage, at| f64::from(u8::from(ranks.contains(&passage.rank[at]))))),
        kl: estimate(&|passage, at| f64::from(passage.kl[at])),
    }
}

/// The shifted tokens that are met most often.
fn exchanged<'a>(all: impl Iterator<Item = &'a Passages>) -> Vec<Exchanged> {
    let mut words: HashMap<i64, &str> = HashMap::new();
    // How often, and in which passages.
    type Met = (usize, HashSet<(usize, usize)>);
    let mut met: BTreeMap<(i64, i64), Met> = BTreeMap::new();
    for (number, own) in all.enumerate() {
        words.extend(own.words.iter().map(|(id, word)| (*id, word.as_str())));
        for (place, passage) in own.passages.iter().enumerate() {
            for (at, rank) in passage.rank.iter().enumerate() {
                if RANKS[2].contains(rank) {
                    let (count, passages) = met.entry((passage.first[at], passage.said[at])).or_default();
                    *count += 1;
                    passages.insert((number, place));
                }
            }
        }
    }
    let word = |id: i64| words.get(&id).copied().unwrap_or_default().to_owned();
    let mut found: Vec<_> = met.into_iter().collect();
    found.sort_by_key(|(ids, (count, _))| (std::cmp::Reverse(*count), *ids));
    let one = |((first, said), (count, passages)): ((i64, i64), Met)| Exchanged {
        first: word(first),
        said: word(said),
        count,
        passages: passages.len(),
    };
    found.into_iter().take(EXCHANGED).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(group: &str, round: usize, rank: &[usize]) -> Passage {
        let n = rank.len();
        Passage {
            item: group.into(),
            group: group.into(),
            round,
            said: (0..n as i64).collect(),
            first: vec![7; n],
            rank: rank.to_vec(),
            kl: rank.iter().map(|&rank| rank as f32 - 1.0).collect(),
            before: vec![-1.0; n],
            after: vec![-0.5; n],
        }
    }

    fn passages() -> Passages {
        Passages {
            sampled: false,
            words: vec![(7, "seven".into()), (1, "one".into())],
            passages: vec![
                passage("a", 0, &[1, 4, 2]),
                passage("a", 1, &[3]),
                passage("b", 0, &[1, 9]),
                passage("b", 1, &[]),
            ],
        }
    }

    const DRAWS: Bootstrap = Bootstrap { resamples: 200, level: 0.95, seed: 0 };

    #[test]
    fn shares_count_tokens_overall_by_round_and_by_position() {
        let found = text("bbq", &[("baseline", passages())], DRAWS).expect("tokens");
        let shares = |shift: &Shift| shift.shares.map(|share| share.value);
        assert_eq!(shares(&found.all), [Some(2.0 / 6.0); 3]);
        assert_eq!((found.all.kl.value, found.all.kl.n), (Some((3.0 + 1.0 + 2.0 + 8.0) / 6.0), 6));
        assert_eq!(found.all.kl.interval.expect("two groups").n_groups, 2);
        let rounds = &found.arms[0].rounds;
        assert_eq!(shares(&rounds[0].all), [Some(0.4), Some(0.2), Some(0.4)]);
        assert_eq!(shares(&rounds[1].all), [Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!(rounds[0].positions.len(), 3);
        assert_eq!(shares(&rounds[0].positions[1]), [Some(0.0), Some(0.0), Some(1.0)]);
        assert_eq!(rounds[0].positions[2].kl.n, 1, "one answer has a third token");
        assert_eq!(rounds[0].positions[2].kl.interval, None, "of one group");
    }

    #[test]
    fn exchanged_tokens_are_the_shifted_ones() {
        let found = text("bbq", &[("baseline", passages())], DRAWS).expect("tokens");
        let wanted = Exchanged { first: "seven".into(), said: "one".into(), count: 2, passages: 2 };
        assert_eq!(found.exchanged, [wanted]);
    }

    #[test]
    fn plain_text_has_no_arms_and_nothing_read_is_nothing() {
        let found = text("prose", &[("", passages())], DRAWS).expect("tokens");
        assert!(found.arms.is_empty());
        let none = Passages { passages: vec![passage("a", 0, &[])], ..passages() };
        assert_eq!(text("bbq", &[("baseline", none)], DRAWS), None);
    }
}

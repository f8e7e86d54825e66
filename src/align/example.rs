//! What is trained on: token ids of a prompt and of two answers to it.

use std::collections::{BTreeMap, HashSet};

use super::{choices, texts};
use crate::dialogue::Script;
use crate::study::Study;
use crate::task::split::Part;
use crate::{Error, Result};

/// A prompt and two answers to it, as token ids.
///
/// The two sequences are `trunk + chosen` and `trunk + rejected`. In DPO the log-probabilities of `chosen` and `rejected`
/// count: what the answers share cancels. SFT trains `trunk[answer_start..]` and `chosen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Unique among the examples of a study.
    pub id: String,
    /// The item or the pair that it is made of: an item has an example for each order of its options.
    pub item: String,
    /// What must stay on one side of a split and is resampled as one.
    pub group: String,
    /// Category of the item or of the pair.
    pub category: String,
    /// What both sequences begin with: the prompt, and where the answers begin alike, their common beginning.
    pub trunk: Vec<i64>,
    /// Place in `trunk` where the answer begins: from 1 to its length.
    pub answer_start: usize,
    /// The rest of the better answer; never empty.
    pub chosen: Vec<i64>,
    /// The rest of the worse answer; never empty.
    pub rejected: Vec<i64>,
}

impl Example {
    /// From the whole sequences, which share at least the prompt's first `answer_start` ids.
    ///
    /// # Errors
    /// Why they make no example: there is no prompt, or one sequence begins the other.
    pub(super) fn new(
        [id, item, group, category]: [String; 4],
        answer_start: usize,
        chosen: &[i64],
        rejected: &[i64],
    ) -> std::result::Result<Self, &'static str> {
        let shared = chosen.iter().zip(rejected).take_while(|(a, b)| a == b).count();
        if answer_start == 0 || shared < answer_start {
            return Err("the answers do not follow one prompt");
        }
        if shared == chosen.len() || shared == rejected.len() {
            return Err("the tokens of one answer begin the other's");
        }
        let (trunk, chosen) = chosen.split_at(shared);
        Ok(Self {
            id,
            item,
            group,
            category,
            trunk: trunk.to_vec(),
            answer_start,
            chosen: chosen.to_vec(),
            rejected: rejected[shared..].to_vec(),
        })
    }

    /// Tokens of the longer of its two sequences.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.trunk.len() + self.chosen.len().max(self.rejected.len())
    }
}

/// The examples of a study.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// What is trained on, in the order of the sources.
    pub train: Vec<Example>,
    /// What the training is measured on; it shares no group with `train`.
    pub held_out: Vec<Example>,
    /// How many items or pairs were left out, by source and reason.
    pub left_out: Vec<(String, usize)>,
}

/// What one source gives, before the sources are put together.
#[derive(Default)]
pub(super) struct Source {
    pub(super) train: Vec<Example>,
    pub(super) held_out: Vec<Example>,
    pub(super) left_out: BTreeMap<String, usize>,
}

impl Source {
    pub(super) fn side(&mut self, part: Part) -> &mut Vec<Example> {
        match part {
            Part::Train => &mut self.train,
            Part::HeldOut => &mut self.held_out,
        }
    }

    pub(super) fn leave_out(&mut self, why: impl Into<String>) {
        *self.left_out.entry(why.into()).or_default() += 1;
    }
}

/// Turns the pairs that a study's `[align]` names into token ids. `script` speaks to the model that is aligned, whose
/// context is `n_ctx` tokens. The sides are those of [`crate::task::split`] with the study's seed, so that
/// `part = "held-out"` of the same task and share holds no group of [`Examples::train`].
///
/// # Errors
/// The study aligns nothing, a source is missing or malformed, an item cannot be asked, or nothing is left on a side.
pub fn examples(study: &Study, script: &Script<'_>, n_ctx: usize) -> Result<Examples> {
    let entry = study.align.as_ref().ok_or_else(|| {
        study.origin.at("align", Error::input("", "is missing").hint("add an [align] table: docs/align.md"))
    })?;
    let (mut all, mut ids) = (Examples::default(), HashSet::new());
    for (i, pairs) in entry.pairs.iter().enumerate() {
        let (shown, mut source) = match (&pairs.task, &pairs.file) {
            (Some(task), _) => (task.clone(), choices::examples(study, script, (i, pairs), task)?),
            (None, Some(file)) => {
                (file.display().to_string(), texts::examples(study, script, (i, pairs), file)?)
            }
            (None, None) => {
                let error = Error::input("", "needs `task` or `file`");
                return Err(study.origin.at(&format!("align.pairs.{i}"), error));
            }
        };
        for part in [Part::Train, Part::HeldOut] {
            for mut example in std::mem::take(source.side(part)) {
                if example.longest() > n_ctx {
                    source.leave_out(format!("longer than the model's context of {n_ctx} tokens"));
                    continue;
                }
                if !ids.insert(example.id.clone()) {
                    example.id = format!("{} of source {}", example.id, i + 1);
                    ids.insert(example.id.clone());
                }
                match part {
                    Part::Train => all.train.push(example),
                    Part::HeldOut => all.held_out.push(example),
                }
            }
        }
        all.left_out.extend(source.left_out.into_iter().map(|(why, n)| (format!("{shown}: {why}"), n)));
    }
    all.part_ways();
    for (side, examples) in [("train on", &all.train), ("hold out", &all.held_out)] {
        if examples.is_empty() {
            let reasons: Vec<String> = all.left_out.iter().map(|(why, n)| format!("{n} {why}")).collect();
            let why = match reasons.is_empty() {
                true => format!("leave nothing to {side}"),
                false => format!("leave nothing to {side} ({})", reasons.join("; ")),
            };
            return Err(study
                .origin
                .at("align.pairs", Error::input("", why))
                .hint("look at held_out and limit"));
        }
    }
    Ok(all)
}

impl Examples {
    /// What any source holds out is trained on from none.
    fn part_ways(&mut self) {
        let held_out: HashSet<&str> = self.held_out.iter().map(|example| example.group.as_str()).collect();
        let before = self.train.len();
        self.train.retain(|example| !held_out.contains(example.group.as_str()));
        let gone = before - self.train.len();
        if gone > 0 {
            self.left_out.push(("to train on, but another source holds out their group".into(), gone));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(start: usize, chosen: &[i64], rejected: &[i64]) -> std::result::Result<Example, &'static str> {
        Example::new(["i/0", "i", "g", "c"].map(String::from), start, chosen, rejected)
    }

    #[test]
    fn the_trunk_holds_what_the_answers_share() {
        let made = example(2, &[1, 2, 3, 4], &[1, 2, 3, 5, 6]).expect("an example");
        assert_eq!((made.trunk.as_slice(), made.answer_start), ([1, 2, 3].as_slice(), 2));
        assert_eq!((made.chosen.as_slice(), made.rejected.as_slice()), ([4].as_slice(), [5, 6].as_slice()));
        assert_eq!(made.longest(), 5);
    }

    #[test]
    fn answers_that_begin_one_another_or_follow_different_prompts_make_no_example() {
        assert!(example(2, &[1, 2, 3], &[1, 2, 3]).is_err());
        assert!(example(2, &[1, 2, 3], &[1, 2, 3, 4]).is_err());
        assert!(example(2, &[1, 2, 3, 4], &[1, 2, 3]).is_err());
        assert!(example(2, &[1, 2, 3], &[1, 7, 4]).is_err());
        assert!(example(0, &[1], &[2]).is_err());
    }

    #[test]
    fn what_one_source_holds_out_another_does_not_train_on() {
        let of = |group: &str| Example {
            group: group.into(),
            ..example(1, &[1, 2], &[1, 3]).expect("an example")
        };
        let mut all = Examples {
            train: vec![of("a"), of("b"), of("a")],
            held_out: vec![of("a"), of("c")],
            left_out: Vec::new(),
        };
        all.part_ways();
        assert_eq!(all.train.iter().map(|example| example.group.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(all.left_out[0].1, 2);
    }
}

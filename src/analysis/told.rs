//! What a model said of a task, item by item, read by each scoring.

use std::collections::HashMap;

use super::answer::Answer;
use crate::Result;
use crate::store::Turn;
use crate::store::turns::largest;
use crate::study::Scoring;
use crate::task::{Context, Format, Item};

/// Everything one model said of one task. Items that lack a turn under some condition are left out, so that whatever is
/// compared is compared on the same items.
pub struct Told<'a> {
    /// The model.
    pub model: &'a str,
    /// The task's name in the study.
    pub task: &'a str,
    /// Which task it is.
    pub kind: &'a str,
    /// Rounds of each dialogue.
    pub rounds: usize,
    /// The items that have turns.
    pub items: Vec<&'a Item>,
    /// One per condition, the baseline first.
    pub arms: Vec<Arm<'a>>,
    /// The scorings that differ for this task; the first decides.
    pub scorings: Vec<Scoring>,
}

/// What was said under one condition.
pub struct Arm<'a> {
    /// The condition.
    pub condition: &'a str,
    /// The turns, item by item, round by round.
    turns: Vec<&'a Turn>,
}

impl<'a> Told<'a> {
    /// Sorts turns to their items. `arms` holds the turns of each condition in any order.
    #[must_use]
    pub fn new(
        (model, task, kind): (&'a str, &'a str, &'a str),
        rounds: usize,
        items: &'a [Item],
        arms: &[(&'a str, &'a [Turn])],
        scorings: &[Scoring],
    ) -> Self {
        let found: Vec<HashMap<(&str, usize), &'a Turn>> = arms
            .iter()
            .map(|(_, turns)| turns.iter().map(|turn| ((turn.item.as_str(), turn.round), turn)).collect())
            .collect();
        let is_whole = |item: &&Item| {
            found.iter().all(|arm| (0..rounds).all(|round| arm.contains_key(&(item.id.as_str(), round))))
        };
        let items: Vec<&Item> = items.iter().filter(is_whole).collect();
        let keys = || items.iter().flat_map(|item| (0..rounds).map(|round| (item.id.as_str(), round)));
        let arms = arms
            .iter()
            .zip(&found)
            .map(|((condition, _), found)| Arm { condition, turns: keys().map(|key| found[&key]).collect() })
            .collect();
        let mut told = Self { model, task, kind, rounds, items, arms, scorings: Vec::new() };
        for scoring in scorings {
            let known = told.scorings.iter().any(|known| told.name(*known) == told.name(*scoring));
            if !known {
                told.scorings.push(*scoring);
            }
        }
        told
    }

    /// The items and turns of a round under a condition.
    pub fn turns(&self, arm: usize, round: usize) -> impl Iterator<Item = (&'a Item, &'a Turn)> {
        let of_round = self.arms[arm].turns.iter().skip(round).step_by(self.rounds);
        self.items.iter().copied().zip(of_round.copied())
    }

    /// Every condition and round, by place.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rounds = self.rounds;
        (0..self.arms.len()).flat_map(move |arm| (0..rounds).map(move |round| (arm, round)))
    }

    /// What a scoring is called for this task. Options that are not listed as letters are put in one way only, which has
    /// a name of its own.
    #[must_use]
    pub fn name(&self, scoring: Scoring) -> &'static str {
        let all = |is: fn(&Format) -> bool| {
            !self.items.is_empty() && self.items.iter().all(|item| is(&item.format))
        };
        match scoring {
            Scoring::Letter | Scoring::LetterGiven
                if all(|format| matches!(format, Format::Blank { .. })) =>
            {
                "word"
            }
            Scoring::Letter | Scoring::LetterGiven if all(|format| *format == Format::Sentence) => "sentence",
            other => other.name(),
        }
    }

    /// The answers of a round by a scoring, the same items in the same places under every condition and in every round.
    /// By [`Scoring::Parsed`] each order's text is an answer of its own. An answer that lacks what the scoring needs
    /// chooses nothing.
    ///
    /// # Errors
    /// A turn does not fit its item.
    pub fn answers(&self, arm: usize, round: usize, scoring: Scoring) -> Result<Vec<Answer<'a>>> {
        let mut answers = Vec::with_capacity(self.items.len());
        for (item, turn) in self.turns(arm, round) {
            if scoring == Scoring::Parsed {
                for order in &turn.orders {
                    answers.push(Answer::new(item, order.parsed)?);
                }
            } else if let Some(logprobs) = turn.by(scoring) {
                let probabilities: Vec<f64> = logprobs.iter().map(|logprob| logprob.exp()).collect();
                answers.push(Answer::new(item, largest(&logprobs))?.with_probabilities(&probabilities)?);
            } else {
                answers.push(Answer::new(item, None)?);
            }
        }
        Ok(answers)
    }

    /// The answers of every condition and round by a scoring: `[condition][round]`.
    ///
    /// # Errors
    /// As [`Told::answers`].
    pub fn all_answers(&self, scoring: Scoring) -> Result<Vec<Vec<Vec<Answer<'a>>>>> {
        let rounds = |arm| (0..self.rounds).map(|round| self.answers(arm, round, scoring)).collect();
        (0..self.arms.len()).map(rounds).collect()
    }

    /// The context conditions of the items, each of which is looked at by itself.
    #[must_use]
    pub fn contexts(&self) -> Vec<Option<Context>> {
        let mut contexts = Vec::new();
        for item in &self.items {
            if !contexts.contains(&item.context) {
                contexts.push(item.context);
            }
        }
        contexts
    }
}

/// The answers to items of one context condition.
#[must_use]
pub fn within<'a>(answers: &[Answer<'a>], context: Option<Context>) -> Vec<Answer<'a>> {
    answers.iter().filter(|answer| answer.item().context == context).cloned().collect()
}

/// The name of a context condition in tables.
#[must_use]
pub fn context_name(context: Option<Context>) -> &'static str {
    match context {
        Some(Context::Ambig) => "ambig",
        Some(Context::Disambig) => "disambig",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn, turn_of};
    use crate::task::Role;

    const ROLES: [Role; 2] = [Role::Stereotyped, Role::Other];

    #[test]
    fn an_item_that_lacks_a_turn_is_left_out_everywhere() {
        let items = [item("a", 0, &ROLES), item("a", 1, &ROLES), item("b", 2, &ROLES)];
        let said = |skip: usize| -> Vec<Turn> {
            let rounds = |(at, item)| {
                (0..2)
                    .filter(move |round| at != skip || *round == 0)
                    .map(move |round| turn(item, round, &[0.6, 0.4]))
            };
            items.iter().enumerate().flat_map(rounds).collect()
        };
        let (one, two) = (said(9), said(1));
        let told = Told::new(
            ("m", "t", "bbq"),
            2,
            &items,
            &[("baseline", &one), ("other", &two)],
            &[Scoring::Letter],
        );
        assert_eq!(told.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["a#0", "b#2"]);
        for (arm, round) in told.cells() {
            let turns: Vec<_> =
                told.turns(arm, round).map(|(item, turn)| (&item.id, &turn.item, turn.round)).collect();
            assert_eq!(turns.len(), 2);
            assert!(turns.iter().all(|(item, of, at)| item == of && *at == round));
        }
        let nothing = Told::new(("m", "t", "bbq"), 2, &items, &[("baseline", &[])], &[Scoring::Letter]);
        assert!(nothing.items.is_empty() && nothing.answers(0, 1, Scoring::Letter).expect("none").is_empty());
    }

    #[test]
    fn each_order_is_an_answer_of_its_own_where_texts_are_parsed() {
        let items = [item("a", 0, &ROLES)];
        let mut said = turn_of(&items[0], 0, &[(vec![0, 1], &[0.6, 0.4]), (vec![1, 0], &[0.1, 0.9])]);
        said.orders[1].parsed = Some(1);
        let said = [said];
        let told = Told::new(
            ("m", "t", "bbq"),
            1,
            &items,
            &[("baseline", &said)],
            &[Scoring::Letter, Scoring::Parsed],
        );
        let chosen = |scoring| {
            told.answers(0, 0, scoring).expect("answers").iter().map(Answer::chosen).collect::<Vec<_>>()
        };
        assert_eq!(chosen(Scoring::Parsed), [None, Some(1)]);
        assert_eq!(chosen(Scoring::Letter), [Some(1)]);
        assert_eq!(chosen(Scoring::LetterGiven), [Some(0)]);
        assert_eq!(chosen(Scoring::TextSum), [None]);
    }

    #[test]
    fn options_that_are_not_listed_are_put_in_one_way() {
        let mut items = [item("a", 0, &ROLES)];
        let asked = [Scoring::Letter, Scoring::LetterGiven, Scoring::Parsed];
        let names = |items: &[Item]| -> Vec<&str> {
            let said: Vec<Turn> = items.iter().map(|item| turn(item, 0, &[0.6, 0.4])).collect();
            let told = Told::new(("m", "t", "k"), 1, items, &[("baseline", &said)], &asked);
            told.scorings.iter().map(|scoring| told.name(*scoring)).collect()
        };
        assert_eq!(names(&items), ["letter", "letter-given", "parsed"]);
        items[0].format = Format::Blank { before: String::new() };
        assert_eq!(names(&items), ["word", "parsed"]);
        items[0].format = Format::Sentence;
        assert_eq!(names(&items), ["sentence", "parsed"]);
    }
}

//! What an intervention does to the answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::analysis::answer::Answer;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::analysis::measures::MEASURES;
use crate::analysis::told::Told;
use crate::store::Turn;
use crate::study::Scoring;
use crate::task::{Item, Role};

/// A change of log-odds that is rounding: sums of logarithms that ought to be equal differ by less.
const NOTHING: f64 = 1e-9;

/// Answers in numbers. Of the model left alone `stereotype` and `unknown` are levels and `moved` is none; under an
/// intervention all three are changes of the same items. Natural logarithms, intervals over groups; what a task does not
/// have is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// `log p(target) - log p(the other person)`, mean over the items that have a target.
    pub stereotype: Option<Estimate>,
    /// `log p(unknown) - log(1 - p(unknown))`, mean over the items that have an unknown or neutral option.
    pub unknown: Option<Estimate>,
    /// Total variation distance of the option distribution from that of the model left alone, mean over items.
    pub moved: Option<Estimate>,
    /// The measures of the task's kind (accuracy, bias score ...) as they are now, by name.
    pub measures: BTreeMap<String, Estimate>,
    /// Perplexity of the plain texts; none for controls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Whether the model was broken: its scores were not finite, and all else is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
}

/// How answers are read.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The items that are asked.
    pub items: &'a [Item],
    /// Model, task and kind of task.
    pub names: (&'a str, &'a str, &'a str),
    /// How an option is chosen.
    pub scoring: Scoring,
    /// How intervals are drawn.
    pub bootstrap: Bootstrap,
}

impl Reader<'_> {
    /// The levels of the model left alone.
    ///
    /// # Errors
    /// A turn does not fit its item.
    pub fn levels(&self, turns: &[Turn]) -> Result<Effect> {
        let log_odds =
            |of: LogOdds| self.mean(turns.iter().zip(self.items).map(|(turn, item)| of(item, turn)));
        Ok(Effect {
            stereotype: log_odds(stereotype),
            unknown: log_odds(unknown),
            measures: self.measures(turns)?,
            ..Effect::default()
        })
    }

    /// What is different from the model left alone.
    ///
    /// # Errors
    /// As [`Reader::levels`].
    pub fn changes(&self, alone: &[Turn], steered: Option<&[Turn]>) -> Result<Effect> {
        let Some(steered) = steered else { return Ok(Effect { broken: true, ..Effect::default() }) };
        let pairs = || self.items.iter().zip(alone.iter().zip(steered));
        let change = |of: LogOdds| {
            self.mean(pairs().map(|(item, (alone, steered))| Some(of(item, steered)? - of(item, alone)?)))
        };
        let distance = |(_, (alone, steered)): (_, (&Turn, &Turn))| {
            let gaps = alone.logprobs.iter().zip(&steered.logprobs).map(|(a, b)| (a.exp() - b.exp()).abs());
            Some(gaps.sum::<f64>() / 2.0)
        };
        Ok(Effect {
            stereotype: change(stereotype),
            unknown: change(unknown),
            moved: self.mean(pairs().map(distance)),
            measures: self.measures(steered)?,
            ..Effect::default()
        })
    }

    /// How much of the way from one set of answers to another a third has gone, as a ratio of means, by stereotype and by
    /// unknown; none where the interval of the whole way holds 0.
    #[must_use]
    pub fn restored(&self, from: &[Turn], to: &[Turn], patched: Option<&[Turn]>) -> [Option<Estimate>; 2] {
        let Some(patched) = patched else { return [None, None] };
        let one = |of: LogOdds| {
            let rows = self.items.iter().zip(from.iter().zip(to.iter().zip(patched)));
            let rows = rows.filter_map(|(item, (from, (to, patched)))| {
                let start = of(item, from)?;
                Some((item.group.as_str(), [of(item, patched)? - start, of(item, to)? - start]))
            });
            let rows: Vec<(&str, [f64; 2])> = rows.collect();
            let whole = Estimate::mean(rows.iter().map(|(group, [_, way])| (*group, *way)), self.bootstrap);
            let clear =
                whole.interval.is_some_and(|interval| interval.low > NOTHING || interval.high < -NOTHING);
            let part = |sums: &[f64; 2]| (sums[1] != 0.0).then(|| sums[0] / sums[1]);
            clear.then(|| Estimate::of(rows, part, self.bootstrap))
        };
        [one(stereotype), one(unknown)]
    }

    fn mean(&self, values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
        let rows =
            self.items.iter().zip(values).filter_map(|(item, value)| Some((item.group.as_str(), value?)));
        Some(Estimate::mean(rows, self.bootstrap)).filter(|estimate| estimate.n > 0)
    }

    fn measures(&self, turns: &[Turn]) -> Result<BTreeMap<String, Estimate>> {
        let told = Told::new(self.names, 1, self.items, &[("steered", turns)], &[self.scoring]);
        let answers: Vec<Answer<'_>> = told.answers(0, 0, self.scoring)?;
        let own = MEASURES.iter().filter(|measure| measure.kinds.contains(&self.names.2));
        Ok(own
            .filter_map(|measure| {
                Some((measure.name.to_owned(), measure.estimate(&answers, self.bootstrap)?))
            })
            .collect())
    }
}

type LogOdds = fn(&Item, &Turn) -> Option<f64>;

/// The stereotype's option against the other person.
fn stereotype(item: &Item, turn: &Turn) -> Option<f64> {
    let target = item.target.or_else(|| item.with_role(Role::Stereotyped))?;
    let mut others = (0..item.options.len())
        .filter(|&option| option != target && item.options[option].role == Role::Other)
        .chain(item.with_role(Role::Stereotyped).filter(|&option| option != target));
    let other = others.next()?;
    Some(turn.logprobs.get(target)? - turn.logprobs.get(other)?)
}

/// The unknown or neutral option against all others.
fn unknown(item: &Item, turn: &Turn) -> Option<f64> {
    let unknown = item.with_role(Role::Unknown)?;
    let others = turn.logprobs.iter().enumerate().filter(|(option, _)| *option != unknown);
    let rest: f64 = others.map(|(_, logprob)| logprob.exp()).sum();
    Some(turn.logprobs.get(unknown)? - rest.ln()).filter(|odds| odds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn};

    #[test]
    fn log_odds_distance_and_the_way_gone_are_what_they_say() {
        let roles = [Role::Other, Role::Unknown, Role::Stereotyped];
        let items: Vec<Item> =
            (0..4).map(|at| Item { target: Some(2), ..item(&format!("g{at}"), at, &roles) }).collect();
        let said = |p: [f64; 3]| -> Vec<Turn> {
            let one = |item| {
                let mut turn = turn(item, 0, &p);
                turn.logprobs = turn.by(Scoring::Letter).expect("scores");
                turn
            };
            items.iter().map(one).collect()
        };
        let reader = Reader {
            items: &items,
            names: ("m", "t", "bbq"),
            scoring: Scoring::Letter,
            bootstrap: Bootstrap { resamples: 20, ..Bootstrap::default() },
        };
        let (alone, steered) = (said([0.2, 0.4, 0.4]), said([0.1, 0.7, 0.2]));
        let levels = reader.levels(&alone).expect("levels");
        let value = |estimate: &Option<Estimate>| estimate.and_then(|e| e.value).expect("a value");
        assert!((value(&levels.stereotype) - 2f64.ln()).abs() < 1e-12);
        assert!((value(&levels.unknown) - (0.4f64 / 0.6).ln()).abs() < 1e-12);
        let changes = reader.changes(&alone, Some(&steered)).expect("changes");
        assert!(value(&changes.stereotype).abs() < 1e-12, "both persons were halved");
        assert!((value(&changes.moved) - 0.3).abs() < 1e-12);
        let [stereotype, unknown] = reader.restored(&alone, &steered, Some(&said([0.15, 0.55, 0.3])));
        assert_eq!(stereotype, None, "no way to go");
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let way = (odds(0.55) - odds(0.4)) / (odds(0.7) - odds(0.4));
        assert!((value(&unknown) - way).abs() < 1e-9);
        assert!(reader.changes(&alone, None).expect("broken").broken);
    }
}

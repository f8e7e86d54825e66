//! What the generated answers are as texts: their length, whether they end and can be read, how probable the model finds
//! them, how varied they are. The answer of every order counts.

use std::collections::HashSet;

use super::bootstrap::{Bootstrap, Estimate};
use crate::store::{OrderTurn, Turn};
use crate::task::Item;

/// The answers of a round as texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts {
    /// Mean number of tokens.
    pub tokens: Estimate,
    /// Share that ended by itself.
    pub ended: Estimate,
    /// Share that names no option, or several, of the answers to items that have options.
    pub unparsed: Estimate,
    /// Perplexity of the answers under the model itself: `exp` of the mean negative log-probability of their tokens, all
    /// tokens alike.
    pub perplexity: Estimate,
    /// Distinct tokens in all tokens, and distinct pairs of neighbours in all pairs (Li et al. 2016). They fall with the
    /// number of tokens, so only rounds of about as many tokens compare; a bootstrap repeats answers, so there is no
    /// interval.
    pub distinct: [Option<f64>; 2],
    /// Answers.
    pub n: usize,
}

/// The texts of a round.
pub fn texts<'t>(turns: impl IntoIterator<Item = (&'t Item, &'t Turn)>, bootstrap: Bootstrap) -> Texts {
    let answers: Vec<(&Item, &OrderTurn)> = turns
        .into_iter()
        .flat_map(|(item, turn)| turn.orders.iter().map(move |order| (item, order)))
        .collect();
    let mean = |value: &dyn Fn(&Item, &OrderTurn) -> Option<f64>| {
        let rows =
            answers.iter().filter_map(|(item, order)| Some((item.group.as_str(), value(item, order)?)));
        Estimate::mean(rows, bootstrap)
    };
    let one = |is: bool| f64::from(u8::from(is));
    Texts {
        tokens: mean(&|_, order| Some(order.answer_ids.len() as f64)),
        ended: mean(&|_, order| Some(one(order.ended))),
        unparsed: mean(&|item, order| (!item.options.is_empty()).then(|| one(order.parsed.is_none()))),
        perplexity: perplexity(&answers, bootstrap),
        distinct: [1, 2].map(|n| distinct(answers.iter().map(|(_, order)| order.answer_ids.as_slice()), n)),
        n: answers.len(),
    }
}

fn perplexity(answers: &[(&Item, &OrderTurn)], bootstrap: Bootstrap) -> Estimate {
    // A log-probability of 0 is that of an answer without tokens, or was never recorded.
    let rows = answers
        .iter()
        .filter(|(_, order)| order.answer_logprob != 0.0 && !order.answer_ids.is_empty())
        .map(|(item, order)| (item.group.as_str(), [order.answer_logprob, order.answer_ids.len() as f64]));
    Estimate::of(rows, |sums| (sums[1] > 0.0).then(|| (-sums[0] / sums[1]).exp()), bootstrap)
}

/// Distinct n-grams of the texts in all their n-grams; none runs from one text into the next.
fn distinct<'t>(texts: impl Iterator<Item = &'t [i64]>, n: usize) -> Option<f64> {
    let (mut seen, mut all) = (HashSet::new(), 0);
    for gram in texts.flat_map(|ids| ids.windows(n)) {
        seen.insert(gram);
        all += 1;
    }
    (all > 0).then(|| seen.len() as f64 / f64::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn};
    use crate::task::Role;

    fn answered(item: &Item, ids: &[i64], logprob: f64, parsed: Option<usize>) -> Turn {
        let mut turn = turn(item, 0, &[0.5, 0.5]);
        let order = &mut turn.orders[0];
        (order.answer_ids, order.answer_logprob, order.parsed) = (ids.to_vec(), logprob, parsed);
        order.ended = ids.len() < 4;
        turn
    }

    #[test]
    fn the_numbers_are_those_of_the_hand() {
        let items = [item("a", 0, &[Role::Other; 2]), item("b", 1, &[Role::Other; 2])];
        let turns =
            [answered(&items[0], &[1, 2, 1, 2], -2.0, Some(0)), answered(&items[1], &[1, 3], -4.0, None)];
        let found = texts(items.iter().zip(&turns), Bootstrap::default());
        assert_eq!(
            (found.tokens.value, found.ended.value, found.unparsed.value),
            (Some(3.0), Some(0.5), Some(0.5))
        );
        assert!((found.perplexity.value.expect("perplexity") - 1.0_f64.exp()).abs() < 1e-12);
        // Tokens 1 2 3 of six; pairs 12 21 12 13: three of four.
        assert_eq!(found.distinct, [Some(0.5), Some(0.75)]);
    }

    #[test]
    fn empty_answers_have_no_perplexity_and_no_variety() {
        let items = [item("a", 0, &[])];
        let turns = [answered(&items[0], &[], 0.0, None)];
        let found = texts(items.iter().zip(&turns), Bootstrap::default());
        assert_eq!(
            (found.perplexity.value, found.distinct, found.unparsed.value),
            (None, [None, None], None)
        );
        assert_eq!((found.tokens.value, found.n), (Some(0.0), 1));
        assert_eq!(texts([], Bootstrap::default()).tokens.value, None);
    }
}

//! The shift of tokens in the report: tables and findings. Figures are in [`super::draw`].

use super::Table;
use super::finding::{Finding, Topic};
use super::tables::{bracket, counted, estimate, number};
use crate::analysis::bootstrap::Interval;
use crate::analysis::token_shift::{NAMES, PairTokens, Shift, TextShift};

/// The tables of all pairs. One without rows is left out.
#[must_use]
pub fn tables(pairs: &[PairTokens]) -> Vec<Table> {
    let mut tables = vec![shifts(pairs), exchanged(pairs)];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn shifts(pairs: &[PairTokens]) -> Table {
    let mut heads: Vec<String> =
        ["before", "after", "task", "condition", "round", "position"].map(String::from).to_vec();
    for name in NAMES {
        heads.extend(["", "_low", "_high"].map(|part| format!("{name}{part}")));
    }
    heads.extend(["kl", "kl_low", "kl_high", "n", "groups"].map(String::from));
    let mut table = Table {
        name: "token_shift".into(),
        caption: "Tokens that the model after said, in the model before on the same dialogue: shares that are its most probable \
                  one (unshifted), rank second or third (marginal) or lower (shifted), and the mean KL divergence of the model \
                  after from the model before in nats; n tokens, intervals over groups of items, of plain text (prose, where the \
                  token is the most probable one) over lines. Positions count from 1, the token that ended a greedy answer \
                  included"
            .into(),
        header: heads,
        rows: Vec::new(),
    };
    for pair in pairs {
        for text in &pair.texts {
            let mut add = |place: [&str; 3], shift: &Shift| {
                let mut row = vec![pair.about.before.clone(), pair.about.after.clone(), text.task.clone()];
                row.extend(place.map(String::from));
                shift.shares.iter().for_each(|share| row.extend(estimate(share)));
                row.extend(counted(&shift.kl));
                row.push(
                    shift.kl.interval.map_or_else(String::new, |interval| interval.n_groups.to_string()),
                );
                table.rows.push(row);
            };
            add(["all", "all", "all"], &text.all);
            for arm in &text.arms {
                add([&arm.condition, "all", "all"], &arm.all);
                for (number, round) in arm.rounds.iter().enumerate() {
                    let number = number.to_string();
                    add([&arm.condition, &number, "all"], &round.all);
                    for (position, shift) in round.positions.iter().enumerate() {
                        add([&arm.condition, &number, &(position + 1).to_string()], shift);
                    }
                }
            }
        }
    }
    table
}

fn exchanged(pairs: &[PairTokens]) -> Table {
    let heads = ["before", "after", "task", "said_before", "said_after", "count", "passages", "shifted"];
    let mut table = Table::new(
        "shifted_tokens",
        "Shifted tokens that are met most often: the most probable token of the model before, what the model after says in its \
         place, how often, in how many answers (of prose: lines), of how many shifted tokens in all",
        &heads,
    );
    for pair in pairs {
        for text in &pair.texts {
            let [.., share] = &text.all.shares;
            let shifted = share.value.map(|value| value * share.n as f64);
            table.rows.extend(text.exchanged.iter().map(|met| {
                vec![
                    pair.about.before.clone(),
                    pair.about.after.clone(),
                    text.task.clone(),
                    shown(&met.first),
                    shown(&met.said),
                    met.count.to_string(),
                    met.passages.to_string(),
                    number(shifted, 0),
                ]
            }));
        }
    }
    table
}

/// A token as it can be seen: spaces and line ends spelled out.
pub(super) fn shown(token: &str) -> String {
    token.replace(' ', "\u{2423}").escape_debug().to_string()
}

/// The interval of a small number as a part of a sentence.
pub(super) fn fine(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |ends| format!(" [{:.4}, {:.4}]", ends.low, ends.high))
}

/// A sentence for each pair and task.
#[must_use]
pub fn findings(pairs: &[PairTokens]) -> Vec<Finding> {
    pairs.iter().flat_map(|pair| pair.texts.iter().map(|text| finding(pair, text))).collect()
}

fn finding(pair: &PairTokens, text: &TextShift) -> Finding {
    let (before, after) = (&pair.about.before, &pair.about.after);
    let [unshifted, marginal, shifted] =
        text.all.shares.map(|share| format!("{}{}", number(share.value, 3), bracket(share.interval)));
    let groups = text.all.kl.interval.map_or_else(String::new, |own| format!(" in {} groups", own.n_groups));
    let (what, whose) = match (text.arms.is_empty(), text.sampled) {
        (true, _) => (format!("lines{groups}"), format!("of {after}'s most probable tokens")),
        (false, false) => (format!("answers{groups}"), format!("of the tokens of {after}'s answers")),
        (false, true) => {
            (format!("answers{groups}"), format!("of the tokens of {after}'s answers, drawn at random,"))
        }
    };
    let first = first_token(text).map_or_else(String::new, |share| {
        format!(" Of the first tokens of answers the share of shifted ones is {}.", number(Some(share), 3))
    });
    let said = format!(
        "{before} and {after}, {}: {whose} a share of {unshifted} is {before}'s own first choice, {marginal} its second or \
         third and {shifted} shifted further (n = {} tokens of {} {what}); the mean KL divergence is {} nats{}.{first}",
        text.task,
        text.all.kl.n,
        text.passages,
        number(text.all.kl.value, 4),
        fine(text.all.kl.interval),
    );
    let differ = text.all.kl.value.is_some_and(|kl| kl > 0.0);
    let figure = format!("token-shift-{}-{}", pair.about.name(), text.task);
    Finding::new(Topic::Tokens, said).clear(differ).at(figure)
}

/// The share of shifted tokens among the first ones of all answers.
fn first_token(text: &TextShift) -> Option<f64> {
    let firsts = text.arms.iter().flat_map(|arm| &arm.rounds).filter_map(|round| round.positions.first());
    let (mut shifted, mut n) = (0.0, 0.0);
    for first in firsts {
        let share = first.shares[2];
        shifted += share.value? * share.n as f64;
        n += share.n as f64;
    }
    (n > 0.0).then(|| shifted / n)
}

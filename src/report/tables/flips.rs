//! How answers turn over between rounds, and when they settle.

use super::{counted, estimate, row};
use crate::Result;
use crate::analysis::answer::Answer;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::flips::{course, flips};
use crate::analysis::told::{Told, context_name, within};
use crate::report::Table;

/// The tables `flips` and `settling`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut turned = Table::new(
        "flips",
        "Answers that turned between two rounds: share of all answers, and of those that stood on the side they left \
         (of_prior). Stereotyped is the option that agrees with the stereotype, fair any other. Intervals: 95 % bootstrap \
         over item groups; n: answers that choose an option in both rounds.",
        &[
            "model",
            "task",
            "context",
            "scoring",
            "condition",
            "from",
            "to",
            "flip",
            "share",
            "low",
            "high",
            "n",
            "of_prior",
            "of_prior_low",
            "of_prior_high",
            "n_prior",
        ],
    );
    let mut settled = Table::new(
        "settling",
        "Share of dialogues whose choice no longer changes from a round on (the last round's is 1 by definition), the \
         mean of the first such round, and the share whose choice changes at least twice. Intervals: 95 % bootstrap over \
         item groups; n: dialogues that choose an option in every round.",
        &[
            "model",
            "task",
            "context",
            "scoring",
            "condition",
            "round",
            "settled",
            "low",
            "high",
            "first_settled",
            "first_low",
            "first_high",
            "wavering",
            "wavering_low",
            "wavering_high",
            "n",
        ],
    );
    for told in told.iter().filter(|told| told.rounds > 1) {
        for scoring in &told.scorings {
            let answers = told.all_answers(*scoring)?;
            for (arm, rounds) in told.arms.iter().zip(&answers) {
                for context in told.contexts() {
                    let rounds: Vec<Vec<Answer<'_>>> =
                        rounds.iter().map(|answers| within(answers, context)).collect();
                    let place = |more: &[String]| {
                        let place = [
                            told.model,
                            told.task,
                            context_name(context),
                            told.name(*scoring),
                            arm.condition,
                        ];
                        row([&place.map(str::to_owned), more])
                    };
                    for (from, to) in steps(rounds.len()) {
                        for flip in flips(&rounds[from], &rounds[to], bootstrap) {
                            turned.rows.push(row([
                                &place(&[from.to_string(), to.to_string(), flip.name.to_owned()]),
                                &counted(&flip.share),
                                &counted(&flip.of_prior),
                            ]));
                        }
                    }
                    let course = course(&rounds, bootstrap);
                    for (round, share) in course.settled.iter().enumerate().filter(|(_, share)| share.n > 0) {
                        settled.rows.push(row([
                            &place(&[round.to_string()]),
                            &estimate(share),
                            &estimate(&course.first_settled),
                            &estimate(&course.wavering),
                            &[share.n.to_string()],
                        ]));
                    }
                }
            }
        }
    }
    Ok(vec![turned, settled])
}

/// From each round to the next, and from the first to the last.
fn steps(rounds: usize) -> Vec<(usize, usize)> {
    let mut steps: Vec<(usize, usize)> = (1..rounds).map(|to| (to - 1, to)).collect();
    if rounds > 2 {
        steps.push((0, rounds - 1));
    }
    steps
}

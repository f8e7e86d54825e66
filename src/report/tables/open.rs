//! Open answers, where something has judged them.

use super::{counted, row};
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::open::{kept, open_score};
use crate::analysis::told::Told;
use crate::report::Table;

/// The table `open_answers`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "open_answers",
        "Scores of open answers: mean; mean over prompts of the largest score among their continuations; share of prompts \
         with one of 0.5 or more. Intervals: 95 % bootstrap over item groups; n: prompts.",
        &["model", "task", "condition", "round", "measure", "value", "low", "high", "n"],
    );
    for told in told {
        for (arm, round) in told.cells() {
            let Some(found) = open_score(told.turns(arm, round), kept, bootstrap) else { continue };
            let place =
                [told.model, told.task, told.arms[arm].condition, &round.to_string()].map(str::to_owned);
            let measures = [
                ("mean", found.mean),
                ("expected_maximum", found.expected_maximum),
                ("share_from_0.5", found.reached),
            ];
            for (name, value) in &measures {
                table.rows.push(row([&place, &[(*name).to_owned()], &counted(value)]));
            }
        }
    }
    Ok(vec![table])
}

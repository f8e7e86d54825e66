//! Answers drawn at random.

use super::{counted, row};
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::sampling::uncertainty;
use crate::analysis::told::Told;
use crate::report::Table;

/// The table `sampling`, of tasks whose turns have samples.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "sampling",
        "Answers drawn at random, in clusters of equal meaning (the same option, else the same words): entropy over \
         clusters in nats, their number, the uncertainty score (mean over clusters of their mean negative log-probability \
         per token), and the share that agrees with the greedy answer. Intervals: 95 % bootstrap over item groups; n: \
         prompts.",
        &["model", "task", "condition", "round", "measure", "value", "low", "high", "n"],
    );
    for told in told {
        for (arm, round) in told.cells() {
            let Some(found) = uncertainty(told.turns(arm, round).map(|(_, turn)| turn), bootstrap) else {
                continue;
            };
            let place =
                [told.model, told.task, told.arms[arm].condition, &round.to_string()].map(str::to_owned);
            let measures = [
                ("entropy", found.entropy),
                ("clusters", found.clusters),
                ("uncertainty", found.score),
                ("agreement", found.agreement),
            ];
            for (name, value) in &measures {
                table.rows.push(row([&place, &[(*name).to_owned()], &counted(value)]));
            }
        }
    }
    Ok(vec![table])
}

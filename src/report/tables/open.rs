//! Open answers, where something has judged them.

use super::{counted, row};
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::open::open_score;
use crate::analysis::summary::{ModelSummary, Sources};
use crate::analysis::told::Told;
use crate::report::Table;
use crate::store::{Judged, Turn};

/// The table `open_answers`.
pub fn table(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Table {
    let mut table = Table::new(
        "open_answers",
        "Scores of open answers: mean; mean over prompts of the largest score among their continuations; share of prompts \
         with one of 0.5 or more. Intervals: 95 % bootstrap over item groups; n: prompts.",
        &["model", "task", "condition", "round", "measure", "value", "low", "high", "n"],
    );
    for summary in summaries {
        for (told, judged) in sources.told(&summary.model, &summary.turns).iter().zip(&summary.judged) {
            rows(told, judged, sources.bootstrap(), &mut table);
        }
    }
    table
}

fn rows(told: &Told<'_>, judged: &Judged, bootstrap: Bootstrap, table: &mut Table) {
    for (arm, round) in told.cells() {
        let condition = told.arms[arm].condition;
        let scores = |turn: &Turn| {
            judged.get(&(condition.to_string(), turn.item.clone(), turn.round)).cloned().unwrap_or_default()
        };
        let Some(found) = open_score(told.turns(arm, round), scores, bootstrap) else { continue };
        let place = [told.model, told.task, condition, &round.to_string()].map(str::to_owned);
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

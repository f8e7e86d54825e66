//! Accuracy and bias by category.

use super::{counted, heads, number, place, row};
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::categories::categories;
use crate::analysis::pronouns;
use crate::analysis::told::{Told, context_name};
use crate::report::Table;
use crate::study::Scoring;

/// The table `categories`, of tasks whose items have a right answer. The categories of pronoun tasks are occupations,
/// which have a table of their own.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "categories",
        "Accuracy, bias score x 100 (s_AMB in ambiguous, s_DIS in disambiguated contexts) and accuracy cost of bias x 100 \
         (accuracy where the stereotype is wrong less accuracy where it is right), overall and by category. Intervals: \
         95 % bootstrap over item groups; each number with the answers that it rests on; unparsed: share of answers that \
         choose no option, of generated answers unless the scoring itself reads them.",
        &heads(&[
            "category",
            "context",
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "n",
            "bias_score",
            "bias_low",
            "bias_high",
            "bias_n",
            "accuracy_cost",
            "cost_low",
            "cost_high",
            "cost_n",
            "unparsed",
        ]),
    );
    let has_labels = |told: &&Told<'_>| told.items.iter().any(|item| item.label.is_some());
    for told in told.iter().filter(has_labels).filter(|told| !pronouns::KINDS.contains(&told.kind)) {
        for scoring in &told.scorings {
            for (arm, round) in told.cells() {
                let answers = told.answers(arm, round, *scoring)?;
                if answers.iter().all(|answer| answer.chosen().is_none()) && *scoring != Scoring::Parsed {
                    continue;
                }
                let texts = told.answers(arm, round, Scoring::Parsed)?;
                let unparsed = categories(&texts, Bootstrap { resamples: 0, ..bootstrap });
                for found in categories(&answers, bootstrap) {
                    let same = unparsed
                        .iter()
                        .find(|row| (&row.category, row.context) == (&found.category, found.context));
                    table.rows.push(row([
                        &place(told, told.name(*scoring), (arm, round)),
                        &[found.category.clone(), context_name(found.context).to_owned()],
                        &counted(&found.accuracy),
                        &counted(&found.bias_score),
                        &counted(&found.accuracy_cost),
                        &[number(same.and_then(|row| row.unparsed), 4)],
                    ]));
                }
            }
        }
    }
    Ok(vec![table])
}

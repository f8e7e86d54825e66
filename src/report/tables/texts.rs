//! Generated answers as texts.

use super::{counted, number, row};
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::texts::texts;
use crate::analysis::told::Told;
use crate::report::Table;

/// The table `texts`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "texts",
        "Generated answers as texts, of all orders: mean tokens; share that ended by itself; share that names no option, \
         or several; perplexity under the model itself; distinct tokens in all tokens (distinct_1) and distinct pairs in \
         all pairs (distinct_2), which fall with the number of tokens and have no interval. Intervals: 95 % bootstrap over \
         item groups.",
        &["model", "task", "condition", "round", "measure", "value", "low", "high", "n"],
    );
    for told in told {
        for (arm, round) in told.cells() {
            let found = texts(told.turns(arm, round), bootstrap);
            let place =
                [told.model, told.task, told.arms[arm].condition, &round.to_string()].map(str::to_owned);
            let measures = [
                ("tokens", found.tokens),
                ("ended", found.ended),
                ("unparsed", found.unparsed),
                ("perplexity", found.perplexity),
            ];
            for (name, value) in measures.iter().filter(|(_, value)| value.n > 0) {
                table.rows.push(row([&place, &[(*name).to_owned()], &counted(value)]));
            }
            for (name, value) in ["distinct_1", "distinct_2"].into_iter().zip(found.distinct) {
                if value.is_some() {
                    let cells =
                        [name.into(), number(value, 4), String::new(), String::new(), found.n.to_string()];
                    table.rows.push(row([&place, &cells]));
                }
            }
        }
    }
    Ok(vec![table])
}

//! What the order of options does.

use super::{counted, estimate, heads, number, place, row};
use crate::Result;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::analysis::positions::{Read, position_bias};
use crate::analysis::told::Told;
use crate::report::Table;
use crate::study::Scoring;

/// The table `position_bias`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "position_bias",
        "What the order of options does: share of answers, over items and orders, that choose what stands at a letter, \
         and its mean probability; share of items whose choice is not the same in all orders (changed); entropy of the \
         letters chosen (1: none preferred, 0: one always wins) and chi-square against equal shares, each item counting \
         once, with p by shifting the letters of whole groups. Intervals: 95 % bootstrap over item groups.",
        &heads(&[
            "options",
            "letter",
            "chosen",
            "chosen_low",
            "chosen_high",
            "mass",
            "mass_low",
            "mass_high",
            "changed",
            "changed_low",
            "changed_high",
            "n",
            "entropy",
            "chi_square",
            "p",
        ]),
    );
    let nothing = Estimate { value: None, interval: None, n: 0 };
    for told in told {
        for (arm, round) in told.cells() {
            for (read, scoring) in [(Read::Letter, Scoring::Letter), (Read::Parsed, Scoring::Parsed)] {
                for bias in position_bias(told.turns(arm, round), read, bootstrap) {
                    for (at, chosen) in bias.chosen.iter().enumerate() {
                        let letter = char::from(b'a' + at as u8).to_string();
                        table.rows.push(row([
                            &place(told, scoring.name(), (arm, round)),
                            &[bias.options.to_string(), letter],
                            &estimate(chosen),
                            &estimate(bias.mass.get(at).unwrap_or(&nothing)),
                            &counted(&bias.changed),
                            &[number(bias.entropy, 4), number(bias.chi_square, 2), number(bias.p, 4)],
                        ]));
                    }
                }
            }
        }
    }
    Ok(vec![table])
}

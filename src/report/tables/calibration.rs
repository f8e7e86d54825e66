//! Whether probabilities mean what they say.

use super::{counted, estimate, heads, number, place, row};
use crate::Result;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::calibration::{calibration, kept_probability};
use crate::analysis::told::{Told, context_name, within};
use crate::report::Table;

/// The tables `calibration` and `reliability`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut scores = Table::new(
        "calibration",
        "Calibration of the probabilities over options. ece: expected calibration error over ten bins of confidence from 0 \
         to 1; ece_observed: the same between the least and the largest confidence seen; brier: over all options; \
         brier_top: of the chosen one; entropy in nats, and as a part of the largest; first_choice: mean probability of \
         what was chosen in round 0. Intervals: 95 % bootstrap over item groups; an ECE is above 0 by chance alone, the \
         more so the fewer the answers.",
        &heads(&["context", "measure", "value", "low", "high", "n"]),
    );
    let mut reliability = Table::new(
        "reliability",
        "Accuracy by confidence, the probability of the most probable option. Bins without answers are left out. \
         Intervals: 95 % bootstrap over item groups.",
        &heads(&["context", "from", "to", "n", "confidence", "accuracy", "low", "high"]),
    );
    for told in told {
        for scoring in &told.scorings {
            let answers = told.all_answers(*scoring)?;
            for (arm, round) in told.cells() {
                for context in told.contexts() {
                    let found = calibration(&within(&answers[arm][round], context), bootstrap);
                    let place = row([
                        &place(told, told.name(*scoring), (arm, round)),
                        &[context_name(context).to_owned()],
                    ]);
                    let first = kept_probability(
                        &within(&answers[arm][0], context),
                        &within(&answers[arm][round], context),
                        bootstrap,
                    );
                    let measures = [
                        ("confidence", found.confidence),
                        ("ece", found.ece),
                        ("ece_observed", found.ece_observed),
                        ("brier", found.brier),
                        ("brier_top", found.brier_top),
                        ("entropy", found.entropy),
                        ("entropy_normalised", found.entropy_normalised),
                        ("first_choice", first),
                    ];
                    for (name, value) in measures.iter().filter(|(_, value)| value.n > 0) {
                        scores.rows.push(row([&place, &[(*name).to_owned()], &counted(value)]));
                    }
                    for bin in found.bins.iter().filter(|bin| bin.n > 0) {
                        let [accuracy, low, high] = estimate(&bin.accuracy);
                        reliability.rows.push(row([
                            &place,
                            &[
                                number(Some(bin.edges.0), 1),
                                number(Some(bin.edges.1), 1),
                                bin.n.to_string(),
                                number(bin.confidence, 4),
                                accuracy,
                                low,
                                high,
                            ],
                        ]));
                    }
                }
            }
        }
    }
    Ok(vec![scores, reliability])
}

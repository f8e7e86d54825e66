//! Scores of tasks whose options are whole sentences.

use super::{counted, heads, place, row};
use crate::Result;
use crate::analysis::answer::Answer;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::analysis::categories::ALL;
use crate::analysis::sentences::{stereoset, stereotype_share};
use crate::analysis::told::Told;
use crate::report::Table;
use crate::study::Scoring;

/// The table `sentences`, of CrowS-Pairs and StereoSet. Sentences are compared by every scoring of the study, and by the
/// sum and the mean per token of their log-probability, as answers and by themselves, where those were recorded.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "sentences",
        "Sentences preferred. stereotype_share: share of pairs whose more stereotyping sentence is the more probable one, \
         0.5 is none; StereoSet's stereotype score ss (50 is none), language modelling score lms and their idealised \
         combination icat (100 is best), means over groups of people. Intervals: 95 % bootstrap over item groups.",
        &heads(&["category", "measure", "value", "low", "high", "n"]),
    );
    for told in told.iter().filter(|told| ["crows-pairs", "stereoset"].contains(&told.kind)) {
        for scoring in scorings(told) {
            for (arm, round) in told.cells() {
                let answers = told.answers(arm, round, scoring)?;
                let at = place(told, told.name(scoring), (arm, round));
                let mut push = |category: &str, measure: &str, value: Estimate| {
                    if value.n > 0 {
                        let named = [category, measure].map(str::to_owned);
                        table.rows.push(row([&at, &named, &counted(&value)]));
                    }
                };
                for category in categories(&answers) {
                    let answers: Vec<&Answer<'_>> = answers
                        .iter()
                        .filter(|answer| category == ALL || answer.item().category == category)
                        .collect();
                    if told.kind == "crows-pairs" {
                        push(category, "stereotype_share", stereotype_share(&answers, bootstrap));
                    } else {
                        let found = stereoset(&answers, bootstrap);
                        push(category, "ss", found.ss);
                        push(category, "lms", found.lms);
                        push(category, "icat", found.icat);
                    }
                }
            }
        }
    }
    Ok(vec![table])
}

fn scorings(told: &Told<'_>) -> Vec<Scoring> {
    let mut scorings = told.scorings.clone();
    for scoring in [Scoring::TextSum, Scoring::TextMean, Scoring::TextAlone] {
        if !scorings.contains(&scoring) {
            scorings.push(scoring);
        }
    }
    scorings
}

/// All together, and each that occurs.
fn categories<'a>(answers: &[Answer<'a>]) -> Vec<&'a str> {
    let mut categories = vec![ALL];
    for answer in answers {
        if !categories.contains(&answer.item().category.as_str()) {
            categories.push(&answer.item().category);
        }
    }
    categories
}

//! Pronouns and occupations.

use super::{counted, heads, number, place, row};
use crate::Result;
use crate::analysis::answer::Answer;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::analysis::pronouns::{KINDS, as_interval, pronouns};
use crate::analysis::told::Told;
use crate::report::Table;

/// Which templates count.
type Templates = (&'static str, fn(&str) -> bool);

/// All, and those whose pronoun refers to the one who has the occupation, which Ganguli et al. (2023) ask alone.
const TEMPLATES: [Templates; 2] = [("all", |_| true), ("occupation", |id| id.ends_with(".0"))];

/// The tables `pronouns` and `occupations`.
pub fn tables(told: &[Told<'_>], bootstrap: Bootstrap) -> Result<Vec<Table>> {
    let mut scores = Table::new(
        "pronouns",
        "Pronouns by occupation. neutral_share: share of answers that choose the neutral pronoun; female, male, neutral: \
         mean probabilities; rho: Pearson correlation over occupations of female / (female + male) with the recorded share \
         of women, rho_of_three: of female alone, with Fisher's 95 % interval and p by permuting occupations; gap: mean \
         over occupations of female less male, gap_absolute: of its size. Other intervals: 95 % bootstrap over item groups \
         or occupations. templates: all, or those whose pronoun refers to the occupation.",
        &heads(&["templates", "measure", "value", "low", "high", "n", "p"]),
    );
    let mut occupations = Table::new(
        "occupations",
        "Mean probability of each pronoun by occupation in the last round, over n items, beside the recorded share of \
         women.",
        &heads(&["occupation", "recorded", "female", "male", "neutral", "female_of_gendered", "n"]),
    );
    for told in told.iter().filter(|told| KINDS.contains(&told.kind)) {
        for scoring in &told.scorings {
            for (arm, round) in told.cells() {
                let answers = told.answers(arm, round, *scoring)?;
                let at = place(told, told.name(*scoring), (arm, round));
                for (templates, counts) in TEMPLATES {
                    let answers: Vec<&Answer<'_>> =
                        answers.iter().filter(|answer| counts(&answer.item().id)).collect();
                    let found = pronouns(&answers, bootstrap);
                    if found.occupations.is_empty() {
                        continue;
                    }
                    let [female, male, neutral] = found.masses;
                    let mut push = |measure: &str, value: Estimate, p: Option<f64>| {
                        let named = [templates, measure].map(str::to_owned);
                        scores.rows.push(row([&at, &named, &counted(&value), &[number(p, 4)]]));
                    };
                    push("neutral_share", found.neutral_share, None);
                    push("female", female, None);
                    push("male", male, None);
                    push("neutral", neutral, None);
                    for (name, rho) in [("rho", found.rho), ("rho_of_three", found.rho_of_three)] {
                        push(name, Estimate { value: rho.rho, interval: as_interval(&rho), n: rho.n }, rho.p);
                    }
                    push("gap", found.gap, None);
                    push("gap_absolute", found.gap_absolute, None);
                    if templates == "all" && round + 1 == told.rounds {
                        occupations.rows.extend(found.occupations.iter().map(|occupation| {
                            let share = |value| number(Some(value), 4);
                            row([
                                &at,
                                &[
                                    occupation.name.clone(),
                                    share(occupation.recorded),
                                    share(occupation.female),
                                    share(occupation.male),
                                    share(occupation.neutral),
                                    number(occupation.female_of_gendered(), 4),
                                    occupation.n.to_string(),
                                ],
                            ])
                        }));
                    }
                }
            }
        }
    }
    Ok(vec![scores, occupations])
}

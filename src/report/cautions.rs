//! Cautions: what a reader must know before believing the numbers.

use serde_json::Value;

use super::tables::findings_of;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::leaks;
use crate::analysis::positions::{Read, position_bias};
use crate::analysis::summary::{Behaviour, ModelSummary, Sources};
use crate::analysis::told::Told;
use crate::store::turns::largest;
use crate::study::manifest::Manifest;
use crate::study::{Orders, Scoring};
use crate::task::concept::{Reading, Template};

/// Each check that failed, and each model without a chat template.
#[must_use]
pub fn deviations(manifest: &Manifest) -> Vec<String> {
    let failed = findings_of(manifest).filter(|(_, finding)| finding["passed"] == false);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let plain = manifest.without_template().map(|model| {
        format!("{model} has no chat template: it reads a plain transcript, \u{201c}User:\u{201d} and \u{201c}Assistant:\u{201d} before each turn.")
    });
    failed
        .map(|(model, finding)| {
            let (name, found) = (text(&finding["name"]), text(&finding["found"]));
            format!("{model} failed its self-check, {name}: {found}. Its numbers cannot be trusted until this is known.")
        })
        .chain(plain)
        .collect()
}

/// What a reader must know before believing it.
#[must_use]
pub fn cautions(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Vec<String> {
    let decides = sources.study.dialogue.scoring.first().copied().unwrap_or(Scoring::Letter);
    let mut all = vec![
        chosen_how(decides, sources.study.dialogue.orders).to_string(),
        "Concept scores come from probes trained on single statements and read at the end of a prompt: compare scores \
         between rounds and conditions of the same items; their zero means nothing."
            .to_string(),
    ];
    if !sources.concepts.is_empty() {
        let (conditions, control) = (&sources.study.dialogue.conditions, sources.study.control());
        all.push(match conditions[control].as_str() {
            "neutral" => "A change of a concept score from round 0 holds what another turn does by itself; the effect of an \
                          instruction is the change less that under neutral, of the same items."
                .to_string(),
            first => format!(
                "No condition is named neutral, so effects on concept scores are counted from {first}: what another turn \
                 does by itself may not be taken out."
            ),
        });
        all.push(
            "A layer that is called best was chosen by the same scores, which flatters it slightly; probe intervals \
             hold the fits fixed, so trust the permutation test before them. The built-in concepts' wording, position \
             and penalty were settled on SmolLM2-135M."
                .to_string(),
        );
    }
    for concept in sources.concepts {
        let spec = &concept.spec;
        let same = (spec.template, spec.position) == (Template::Chat, Reading::Last);
        if !same || sources.study.probe.position != "last" {
            all.push(format!(
                "The {} probe is trained at {} of {} and read at another kind of position, the {} of a prompt.",
                spec.name,
                if spec.position == Reading::Mean { "the mean over the tokens" } else { "the last token" },
                if spec.template == Template::Raw { "bare statements" } else { "statements in the chat template" },
                sources.study.probe.position,
            ));
        }
    }
    let built_in: Vec<&str> = sources
        .study
        .tasks
        .iter()
        .filter(|task| task.path.is_none())
        .map(|task| task.name.as_str())
        .collect();
    if !built_in.is_empty() {
        all.push(format!(
            "Built-in sets ({}) are small and written for demonstration: use the public sets for claims.",
            built_in.join(", ")
        ));
    }
    // The texts, and so what a bag of words reads, are those of every model alike.
    for probes in summaries.first().into_iter().flat_map(|summary| &summary.probes) {
        let (name, read) = (&probes.concept, leaks::auroc(&probes.words.auroc));
        if leaks::leaks(&probes.words, None) {
            all.push(format!(
                "Words alone read {name} with {read}: a probe of it that does no better may have learnt which words go with \
                 the label and nothing else. `recant concept check` shows which words."
            ));
        }
        if leaks::misleads(&probes.words) {
            all.push(format!(
                "Words alone read {name} backwards with {read}: texts that differ in little but the label lie in different \
                 groups, and what is learnt from some misleads about others. `recant concept check` shows which texts."
            ));
        }
    }
    for summary in summaries {
        for ((task, items), failed) in sources.tasks.iter().zip(&summary.failed) {
            if let Some(first) = failed.first() {
                all.push(format!(
                    "{}, {task}: {} of {} items could not be run and are left out of everything; the first, {}, because: {}.",
                    summary.model,
                    failed.len(),
                    items.len(),
                    first.item,
                    first.why
                ));
            }
        }
        all.extend(unparsed(summary, decides));
        let told = sources.told(&summary.model, &summary.turns);
        all.extend(told.iter().filter_map(letters_win));
        all.extend(scorings_disagree(summary));
    }
    all
}

/// How options are chosen, and what that does.
fn chosen_how(decides: Scoring, orders: Orders) -> &'static str {
    match (decides, orders) {
        (Scoring::Letter, Orders::Cyclic | Orders::All) => {
            "The chosen option is the most probable one; option log-probabilities are averaged over the orders in which \
             options were listed, because small models prefer a letter over a content."
        }
        (Scoring::Letter | Scoring::LetterGiven, _) => {
            "The chosen option is the most probable one, with options in one order only: small models prefer a \
             letter over a content, and nothing here cancels that."
        }
        (Scoring::Parsed, _) => {
            "The chosen option is the one that the generated answer names, each order an answer of its own; answers that \
             name none, or several, are left out of scores."
        }
        (Scoring::TextAlone, _) => {
            "The chosen option is the one whose words are the most probable beginning of a document, whatever was asked: it \
             is the same in every round and condition."
        }
        (Scoring::TextSum | Scoring::TextMean | Scoring::TextPmi, _) => {
            "The chosen option is the one whose words are the most probable answer, averaged over the orders in which \
             options were listed. Long and common words weigh in this: compare with the other scorings."
        }
    }
}

/// How many generated answers could not be read.
fn unparsed(summary: &ModelSummary, decides: Scoring) -> Option<String> {
    let cells = summary.behaviour.iter().flat_map(|behaviour| &behaviour.cells);
    let most = cells.filter_map(|cell| cell.unparsed).reduce(f64::max)?;
    let rest = match decides {
        Scoring::Parsed => "",
        _ => ", and choices do not rest on them",
    };
    Some(format!(
        "{}: up to {:.0} % of the generated answers of a condition and round name no option; they are not guessed{rest}.",
        summary.model,
        100.0 * most
    ))
}

/// How often one letter wins in round 0 under the first condition, where that is beyond chance.
fn letters_win(told: &Told<'_>) -> Option<String> {
    let found =
        position_bias(told.turns(0, 0), Read::Letter, Bootstrap { resamples: 0, ..Bootstrap::default() });
    let bias = found.into_iter().max_by_key(|bias| bias.changed.n)?;
    let shares: Vec<f64> = bias.chosen.iter().filter_map(|share| share.value).collect();
    let at = largest(&shares).filter(|_| bias.p.is_some_and(|p| p < 0.05))?;
    Some(format!(
        "{}, {}: asked without a correction, its most probable letter is ({}) in {:.0} % of answers over all orders of the \
         options ({:.0} % would be even; {}), and the choice changes with the order in {:.0} % of items (n = {}).",
        told.model,
        told.task,
        char::from(b'a' + at as u8),
        100.0 * shares[at],
        100.0 / shares.len() as f64,
        p_value(bias.p?),
        100.0 * bias.changed.value?,
        bias.changed.n,
    ))
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// Measures whose value in round 0 depends on the scoring by more than their intervals allow.
fn scorings_disagree(summary: &ModelSummary) -> Vec<String> {
    let first = |behaviour: &Behaviour| {
        let cell = behaviour.cells.first()?;
        Some((behaviour.scoring, cell.value?, cell.interval?))
    };
    let mut all = Vec::new();
    for decides in summary.behaviour.iter().filter(|behaviour| behaviour.decides) {
        let same =
            |other: &&Behaviour| other.task == decides.task && other.measure.name == decides.measure.name;
        let readings: Vec<_> = summary.behaviour.iter().filter(same).filter_map(first).collect();
        let apart = readings.iter().any(|a| readings.iter().any(|b| a.2.high < b.2.low));
        if apart {
            let values: Vec<String> =
                readings.iter().map(|(scoring, value, _)| format!("{value:.2} by {scoring}")).collect();
            all.push(format!(
                "{}, {}: the way of scoring decides {} in round 0: {}.",
                summary.model,
                decides.title(),
                decides.measure.name,
                values.join(", ")
            ));
        }
    }
    all
}

//! What was measured beside the dialogues: interventions, lenses, pairs of models, alignment.

use super::{counted, listed};
use crate::analysis::lenses::Lenses;
use crate::analysis::shift::{About, DIRECTIONS, FLIPS, PairShift};
use crate::analysis::token_shift::PairTokens;
use crate::analysis::weight_shift::PairWeights;
use crate::intervene::Results;
use crate::report::alignment::Alignment;
use crate::study::{Method, Tune};

/// What a run may have beside its dialogues.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// Interventions.
    pub steered: &'a [Results],
    /// What layers would answer.
    pub lenses: &'a Lenses,
    /// States of pairs of models.
    pub pairs: &'a [PairShift],
    /// Tokens of pairs of models.
    pub tokens: &'a [PairTokens],
    /// Weights of pairs of models.
    pub weights: &'a [PairWeights],
    /// How a checkpoint was aligned.
    pub aligned: Option<&'a Alignment<'a>>,
}

impl Beside<'_> {
    /// A paragraph for each that is there.
    pub(super) fn paragraphs(&self) -> Vec<String> {
        let all = [self.aligned.map(alignment), self.shift(), interventions(self.steered), lens(self.lenses)];
        all.into_iter().flatten().collect()
    }

    fn shift(&self) -> Option<String> {
        let abouts: Vec<&About> = self.pairs.iter().map(|pair| &pair.about).collect();
        let names: Vec<String> =
            abouts.iter().map(|about| format!("{} and {}", about.before, about.after)).collect();
        if names.is_empty() {
            return None;
        }
        let mut said = vec![format!(
            "Shift. States of the same items are compared between {}, by the mean shift and by linear centred kernel alignment \
             [@kornblith2019similarity], with {FLIPS} sign flips; their cosine with a concept stands beside {DIRECTIONS} shuffles of its direction.",
            names.join(", ")
        )];
        if let Some(limit) = abouts.iter().find_map(|about| about.entry.limit) {
            said.push(format!(
                "Both read the same text of the first {} of each category.",
                counted(limit, "item")
            ));
        }
        if !self.tokens.is_empty() {
            said.push(
                "Token shift is the rank under the model before of each token that the model after says [@lin2023unlocking]."
                    .to_owned(),
            );
        }
        if !self.weights.is_empty() {
            said.push(
                "Weights are compared tensor by tensor, and value vectors along each concept are followed \
                 [@lee2024mechanistic]."
                    .to_owned(),
            );
        }
        Some(said.join(" "))
    }
}

fn alignment(found: &Alignment<'_>) -> String {
    let entry = found.entry;
    let method = match entry.method {
        Method::Dpo => {
            format!("direct preference optimisation [@rafailov2023direct] with beta {}", entry.beta)
        }
        Method::Sft => "supervised fine-tuning on the chosen answers".to_owned(),
    };
    let tuned = match entry.tune {
        Tune::Lora => {
            format!("low-rank updates of rank {} and alpha {} [@hu2021lora]", entry.rank, entry.alpha)
        }
        Tune::Full => "the projections themselves".to_owned(),
    };
    let mut sets: Vec<String> = Vec::new();
    for pairs in &entry.pairs {
        let hh = pairs.format.is_some_and(|format| format == crate::study::PairFormat::HhRlhf);
        let set = match (&pairs.task, &pairs.file) {
            (Some(task), _) => format!("items of {task}{}", super::asked::cited(task)),
            (None, Some(_)) if hh => "hh-rlhf [@bai2022training]".to_owned(),
            (None, _) => "a file of pairs".to_owned(),
        };
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    format!(
        "Alignment. {} was aligned by {method}, training {tuned}, for {} of {} made of {}, with AdamW at a learning rate of {} \
         after {} of warm-up.",
        found.model,
        counted(found.log.last().map_or(0, |step| step.step), "step"),
        counted(entry.batch, "pair"),
        listed(&sets),
        entry.learning_rate,
        counted(entry.warmup, "step"),
    )
}

fn interventions(steered: &[Results]) -> Option<String> {
    if steered.is_empty() {
        return None;
    }
    let one = |results: &Results| {
        let about = &results.about;
        let what = match about.method.as_str() {
            "add" => format!("{} is added to the states [@turner2023steering]", about.direction),
            "ablate" => format!("the component along {} is taken out", about.direction),
            "patch" => format!("the states of round {} are put in the place of round 0's", about.from),
            "keys" => format!(
                "keys of the neurons that write along {} are scaled [@lee2024mechanistic]",
                about.direction
            ),
            _ => format!(
                "gates of the neurons that write along {} are held [@lee2024mechanistic]",
                about.direction
            ),
        };
        let controls = match about.random {
            0 => String::new(),
            n => format!(", beside {n} random controls"),
        };
        format!(
            "{}: {what}, in {} at {} under {}, of {} of {} ({}){controls}",
            about.name,
            about.model,
            about.site,
            about.condition,
            counted(about.items, "item"),
            about.task,
            counted(about.groups, "group"),
        )
    };
    let said: Vec<String> = steered.iter().map(one).collect();
    Some(format!("Interventions. {}.", said.join("; ")))
}

fn lens(lenses: &Lenses) -> Option<String> {
    if lenses.seen.is_empty() {
        return None;
    }
    let mut conditions: Vec<&str> = Vec::new();
    for seen in &lenses.seen {
        if !conditions.contains(&seen.condition.as_str()) {
            conditions.push(&seen.condition);
        }
    }
    let tuned: Vec<String> = lenses
        .tuned
        .iter()
        .map(|(model, tuned)| {
            format!("{model} on {} tokens, with {} held out", tuned.trained, tuned.held_out)
        })
        .collect();
    let tuned = match tuned.is_empty() {
        true => String::new(),
        false => format!(" A tuned lens [@belrose2023eliciting] was trained for {}.", listed(&tuned)),
    };
    Some(format!(
        "Lens. What each layer would answer is read through the final norm and the head [@nostalgebraist2020interpreting], \
         under {}.{tuned}",
        listed(&conditions)
    ))
}

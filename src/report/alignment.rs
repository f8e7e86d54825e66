//! The alignment run of a study in its report: a table, what was found, and what it is not. Figures are in
//! [`super::draw`].

use super::Table;
use super::finding::{Finding, Topic};
use super::tables::{bracket, ends, number};
use crate::Result;
use crate::align::loss::{Logprobs, dpo};
use crate::align::record::{Held, Record};
use crate::align::trainer::Step;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::study::manifest::Manifest;
use crate::study::{AlignEntry, Method, Study, Tune};
use crate::task::Context;

/// A number of a held-out pair: its head, and the number from the pair and what the model said before training.
pub type OfPair = (&'static str, fn(Logprobs, Logprobs, f64) -> f64);

/// What is told of held-out pairs.
pub const OF_PAIRS: [OfPair; 4] = [
    ("loss", |own, before, beta| dpo(own.margin(before, beta))),
    ("margin", |own, before, beta| own.margin(before, beta)),
    ("preferred", |own, _, _| f64::from(u8::from(own.lead() > 0.0))),
    ("lead", |own, _, _| own.lead()),
];

/// A saved step.
pub struct Saved {
    /// Steps taken.
    pub step: usize,
    /// The held-out pairs' numbers, in the order of [`OF_PAIRS`].
    pub held: [Estimate; 4],
    /// Perplexity of the built-in prose.
    pub perplexity: Option<f64>,
}

/// What an alignment run came to.
pub struct Alignment<'a> {
    /// Its settings.
    pub entry: &'a AlignEntry,
    /// The model that was aligned.
    pub model: &'a str,
    /// The steps taken.
    pub log: Vec<Step>,
    /// The saved ones, step 0 first.
    pub saved: Vec<Saved>,
    /// Held-out pairs, and groups of them.
    held: (usize, usize),
    /// Tasks that ask what it was trained on.
    seen: Vec<String>,
}

/// Says so where the directory of a study's `[align]` holds what other settings made.
///
/// # Errors
/// A file is damaged.
pub fn other(study: &Study, manifest: &Manifest) -> Result<Option<String>> {
    let Some(entry) = study.align.as_ref().filter(|entry| entry.output.join("manifest.json").is_file())
    else {
        return Ok(None);
    };
    let words = |first: String| {
        let output = entry.output.display();
        format!(
            "The alignment in {output} was made with other settings than the study now names ({first}); it is left out."
        )
    };
    Ok(manifest.other_alignment(study, entry)?.map(words))
}

impl<'a> Alignment<'a> {
    /// Of a study's `[align]`; `None` where it has none or nothing was saved yet, and where its directory holds what
    /// other settings made, which [`other`] tells.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn of(study: &'a Study, manifest: &Manifest, bootstrap: Bootstrap) -> Result<Option<Self>> {
        let Some(entry) = &study.align else { return Ok(None) };
        if !entry.output.join("manifest.json").is_file() || manifest.other_alignment(study, entry)?.is_some()
        {
            return Ok(None);
        }
        let record = Record::read(&entry.output, usize::MAX)?;
        let mut steps: Vec<usize> = record.held.iter().map(|pair| pair.step).collect();
        steps.dedup();
        let at =
            |step: usize| -> Vec<&Held> { record.held.iter().filter(|pair| pair.step == step).collect() };
        let before = at(0);
        if steps.len() < 2 || before.is_empty() {
            return Ok(None);
        }
        let saved = |&step: &usize| {
            let pairs = at(step);
            let estimate = |(_, of): OfPair| {
                let rows = pairs.iter().zip(&before).map(|(own, before)| {
                    (own.group.as_str(), of(own.logprobs(), before.logprobs(), entry.beta))
                });
                Estimate::mean(rows, bootstrap)
            };
            let perplexity =
                record.saved.iter().find(|saved| saved.step == step).map(|saved| saved.perplexity);
            Saved { step, held: OF_PAIRS.map(estimate), perplexity }
        };
        let mut groups: Vec<&str> = before.iter().map(|pair| pair.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        Ok(Some(Self {
            entry,
            model: &study.models[entry.model(study)?].name,
            seen: entry.seen_by(study),
            saved: steps.iter().map(saved).collect(),
            held: (before.len(), groups.len()),
            log: record.log,
        }))
    }

    /// The numbers of held-out pairs that the method has: a loss and a margin belong to DPO.
    pub fn parts(&self) -> impl Iterator<Item = usize> + use<> {
        if self.entry.method == Method::Dpo { 0..3 } else { 2..4 }
    }

    /// The saved steps as a table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut header = vec!["model".to_owned(), "step".to_owned(), "n".to_owned(), "groups".to_owned()];
        for part in self.parts() {
            header.extend(["", "_low", "_high"].map(|end| format!("{}{end}", OF_PAIRS[part].0)));
        }
        header.extend(["perplexity", "train_loss"].map(String::from));
        let row = |(place, saved): (usize, &Saved)| {
            let mut row = vec![
                self.model.to_owned(),
                saved.step.to_string(),
                self.held.0.to_string(),
                self.held.1.to_string(),
            ];
            for part in self.parts() {
                let (low, high) = ends(saved.held[part].interval);
                row.extend([number(saved.held[part].value, 4), low, high]);
            }
            let since = place.checked_sub(1).map_or(0, |place| self.saved[place].step);
            let steps = self.log.iter().filter(|step| step.step > since && step.step <= saved.step);
            let (sum, n) = steps.fold((0.0, 0), |(sum, n), step| (sum + step.loss, n + 1));
            let mean = (n > 0).then(|| sum / f64::from(n));
            row.extend([number(saved.perplexity, 3), number(mean, 4)]);
            row
        };
        Table {
            name: "alignment".into(),
            caption: "Alignment: held-out pairs at each saved step (loss and reward margin of DPO; preferred: share of pairs \
                      whose chosen answer is the more probable one; lead: its log-probability less the other's, in nats) with \
                      95 % intervals over groups, perplexity of neutral prose, and the mean loss of the steps since the \
                      last saved one"
                .into(),
            header,
            rows: self.saved.iter().enumerate().map(row).collect(),
        }
    }

    /// What was found, in a sentence.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (first, last) = (&self.saved[0], &self.saved[self.saved.len() - 1]);
        let preferred =
            |saved: &Saved| format!("{}{}", number(saved.held[2].value, 2), bracket(saved.held[2].interval));
        let cost = match (first.perplexity, last.perplexity) {
            (Some(before), Some(after)) => {
                format!("; the perplexity of neutral prose went from {before:.1} to {after:.1}")
            }
            _ => String::new(),
        };
        let text = format!(
            "Alignment of {} ({}, {}, {} steps of {} pairs): the chosen answer is the more probable one in {} of {} held-out \
             pairs ({} groups) at step {}, {} before training{cost}.",
            self.model,
            match self.entry.method {
                Method::Dpo => "DPO",
                Method::Sft => "SFT",
            },
            match self.entry.tune {
                Tune::Lora => format!("LoRA of rank {}", self.entry.rank),
                Tune::Full if self.entry.targets.is_empty() => "all projections of the blocks".into(),
                Tune::Full => self.entry.targets.join(", "),
            },
            last.step,
            self.entry.batch,
            preferred(last),
            self.held.0,
            self.held.1,
            last.step,
            preferred(first),
        );
        Finding::new(Topic::Alignment, text).at("alignment")
    }

    /// What it is and what it is not.
    #[must_use]
    pub fn caution(&self) -> String {
        let mut from: Vec<String> = Vec::new();
        for pairs in &self.entry.pairs {
            let named = match (&pairs.task, &pairs.file) {
                (Some(task), _) => format!("pairs made of the items of {task}"),
                (None, Some(file)) => format!("pairs of {}", file.display()),
                (None, None) => continue,
            };
            if !from.contains(&named) {
                from.push(named);
            }
        }
        let seen = self.entry.batch * self.log.last().map_or(0, |step| step.step);
        let of_tasks = || self.entry.pairs.iter().filter(|pairs| pairs.task.is_some());
        let ambiguous =
            of_tasks().count() > 0 && of_tasks().all(|pairs| pairs.context == Some(Context::Ambig));
        let words = match ambiguous {
            true => {
                " Only questions that cannot be answered were trained on, so the unknown option was always the one to \
                     prefer: accuracy where the context settles the question shows whether anything else was learnt."
            }
            false => "",
        };
        let trained = match self.seen.is_empty() {
            true => String::new(),
            false => format!(" {} may ask groups of items that it was trained on.", self.seen.join(", ")),
        };
        format!(
            "The alignment of {} saw {seen} pairs, repeats counted, of {}: it teaches which answer to prefer on such prompts. \
             It is a means to watch a shift as it grows; it is no safety training, and says nothing of what alignment at scale \
             does. A model can learn an answer's words here without learning why.{words}{trained}",
            self.model,
            from.join(" and "),
        )
    }
}

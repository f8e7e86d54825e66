//! What an alignment run keeps of itself besides its saved steps: the log, what was measured on held-out pairs, the
//! reference, and the state from which it goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use super::example::Example;
use super::loss::Logprobs;
use super::trainer::Step;
use crate::Result;
use crate::model::AdamW;
use crate::store::mapped::Mapped;
use crate::store::{atomic, lines};

/// What training goes on from.
const STATE: &str = "state.safetensors";

/// A held-out pair at a saved step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Steps taken.
    pub step: usize,
    /// The pair.
    pub id: String,
    /// What it is resampled with.
    pub group: String,
    /// Its category.
    pub category: String,
    /// Log-probability of the chosen answer, in nats.
    pub chosen: f64,
    /// Log-probability of the rejected answer, in nats.
    pub rejected: f64,
}

impl Held {
    /// The pairs of one step.
    #[must_use]
    pub fn of(step: usize, examples: &[Example], logprobs: &[Logprobs]) -> Vec<Self> {
        let one = |(example, found): (&Example, &Logprobs)| Self {
            step,
            id: example.id.clone(),
            group: example.group.clone(),
            category: example.category.clone(),
            chosen: found.chosen,
            rejected: found.rejected,
        };
        examples.iter().zip(logprobs).map(one).collect()
    }

    /// Its log-probabilities.
    #[must_use]
    pub fn logprobs(&self) -> Logprobs {
        Logprobs { chosen: self.chosen, rejected: self.rejected }
    }
}

/// What is known of a model at a saved step besides the held-out pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Steps taken.
    pub step: usize,
    /// Perplexity of the built-in prose: what alignment costs the model as a model of language.
    pub perplexity: f64,
}

/// The files of an alignment run.
#[derive(Debug, Clone)]
pub struct Record {
    root: PathBuf,
    /// The steps taken.
    pub log: Vec<Step>,
    /// Held-out pairs at each saved step, step 0 first.
    pub held: Vec<Held>,
    /// What else is known at each of these steps.
    pub saved: Vec<Saved>,
}

impl Record {
    /// What is there up to and with step `last`.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn read(root: &Path, last: usize) -> Result<Self> {
        let mut log: Vec<Step> = lines::read(&root.join("log.jsonl"))?;
        let mut held: Vec<Held> = lines::read(&root.join("held-out.jsonl"))?;
        let mut saved: Vec<Saved> = lines::read(&root.join("saved.jsonl"))?;
        log.retain(|step| step.step <= last);
        held.retain(|pair| pair.step <= last);
        saved.retain(|saved| saved.step <= last);
        Ok(Self { root: root.to_path_buf(), log, held, saved })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&self) -> Result<()> {
        lines::write(&self.root.join("log.jsonl"), &self.log)?;
        lines::write(&self.root.join("held-out.jsonl"), &self.held)?;
        lines::write(&self.root.join("saved.jsonl"), &self.saved)
    }
}

/// The reference's log-probabilities, stored in f32; what `measure` finds where the file is not there yet.
///
/// # Errors
/// The file is damaged or of other pairs; what `measure` reports.
pub fn reference(
    root: &Path,
    examples: &[Example],
    measure: impl FnOnce() -> Result<Vec<Logprobs>>,
) -> Result<Vec<Logprobs>> {
    let path = root.join("reference.safetensors");
    if !path.is_file() {
        let found = measure()?;
        let both: Vec<f32> =
            found.iter().flat_map(|pair| [pair.chosen as f32, pair.rejected as f32]).collect();
        let tensor = Tensor::f_from_slice(&both)?.f_view([-1, 2])?;
        let about = json!({ "axes": ["pair", "chosen, rejected"], "unit": "nats" });
        atomic::write_tensors(&path, &[("logprobs".into(), tensor)], &about)?;
    }
    // Read back even where it was just written: a run that goes on sees the same numbers.
    let file = Mapped::open(&path)?;
    let values = match file.get("logprobs") {
        Some(stored) if stored.shape == [examples.len(), 2] => stored.floats()?,
        _ => {
            return Err(file
                .wrong("does not hold the pairs of this run")
                .hint("delete it: it is made again"));
        }
    };
    Ok(values.chunks(2).map(|pair| Logprobs { chosen: pair[0], rejected: pair[1] }).collect())
}

/// Stores what training goes on from.
///
/// # Errors
/// The disk is full.
pub fn keep_state(root: &Path, key: &str, optimiser: &AdamW) -> Result<()> {
    let about = json!({ "step": optimiser.steps, "run_key": key });
    atomic::write_tensors(&root.join(STATE), &optimiser.tensors()?, &about)
}

/// The steps after which the stored state goes on; 0 where there is none.
///
/// # Errors
/// The file is damaged or of another run.
pub fn taken(root: &Path, key: &str) -> Result<usize> {
    let path = root.join(STATE);
    if !path.is_file() {
        return Ok(0);
    }
    let file = Mapped::open(&path)?;
    let about = file.about();
    match about["step"].as_u64() {
        Some(step) if about["run_key"] == key => Ok(step as usize),
        _ => Err(file.wrong("is not the state of this run").hint("delete it to begin anew")),
    }
}

/// Goes on from the stored state, which is that after `steps` steps.
///
/// # Errors
/// The file is damaged.
pub fn restore(root: &Path, steps: usize, optimiser: &mut AdamW) -> Result<()> {
    let file = Mapped::open(&root.join(STATE))?;
    optimiser.restore(steps, |name, shape| {
        let stored = file.get(name).ok_or_else(|| file.wrong(format!("holds no tensor {name}")))?;
        let expected: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        if stored.shape != expected {
            return Err(stored.misshapen(&format!("{expected:?}")));
        }
        Ok(Tensor::f_from_slice(&stored.block(0, expected.iter().product())?)?.f_view(shape)?)
    })
}

//! What the layers of a model would answer: a shard of log-probabilities for each (model, task, condition), and the maps of
//! a tuned lens.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::states::{self, Shard, States};
use super::{RunDir, measured};
use crate::model::Translators;
use crate::{Error, Result};

/// The axes of the log-probabilities.
const AXES: [&str; 5] = ["item", "round", "order", "layer", "option"];

/// Log-probabilities of the options of every item, round and order at every layer, not normalised: f32
/// `[items, rounds, orders, layers, options]`, options as the file lists them; NaN where an item has fewer orders or options
/// than others. Natural logarithm.
pub struct LensShard {
    /// The items along the first axis.
    pub items: Vec<String>,
    /// Through the logit lens.
    pub logit: States,
    /// Through the tuned lens, where one was trained.
    pub tuned: Option<States>,
    /// The settings that it was seen under.
    pub of: Value,
}

/// Path of the log-probabilities of (model, task, condition).
///
/// # Errors
/// The directory cannot be made.
pub fn place(run: &RunDir, model: &str, task: &str, condition: &str) -> Result<PathBuf> {
    run.place(&["lens", model, task], &format!("{condition}.safetensors"))
}

/// Whether a file holds log-probabilities of these settings; one of another key is of other settings.
///
/// # Errors
/// It is there and damaged, or of another run.
pub fn holds(run: &RunDir, path: &Path, key: &str) -> Result<bool> {
    Ok(path.is_file() && Shard::read(path, run.key())?.about()?["key"] == key)
}

/// Writes the log-probabilities, each tensor with its name (`logit`, `tuned`); `more` is what else is said of them.
///
/// # Errors
/// The disk is full.
pub fn write(
    run: &RunDir,
    path: &Path,
    key: &str,
    items: &[&str],
    tensors: &[(String, Tensor)],
    more: &Value,
) -> Result<()> {
    let about = json!({ "run_key": run.key(), "key": key, "axes": AXES, "item_ids": items, "of": more });
    states::write_of(path, tensors, Kind::Float, about)
}

/// Reads log-probabilities; None where there are none.
///
/// # Errors
/// The file is damaged or of another run.
pub fn read(run: &RunDir, path: &Path) -> Result<Option<LensShard>> {
    if !path.is_file() {
        return Ok(None);
    }
    let shard = Shard::read(path, run.key())?;
    let about = shard.about()?;
    let items = about["item_ids"].as_array().into_iter().flatten();
    let items: Vec<String> = items.filter_map(|id| id.as_str().map(str::to_owned)).collect();
    let tuned = if about["of"]["tuned"].is_string() { Some(shard.site("tuned")?) } else { None };
    let of = about["of"].clone();
    let found = LensShard { logit: shard.site("logit")?, items, tuned, of };
    let fits = |states: &States| states.shape.len() == AXES.len() && states.shape[0] == found.items.len();
    match fits(&found.logit) && found.tuned.iter().all(|tuned| tuned.shape == found.logit.shape) {
        true => Ok(Some(found)),
        false => Err(Error::input(path.display().to_string(), "holds other axes than its items have")
            .hint("delete it and run the study again")),
    }
}

/// How far the lenses of a layer are from what the model ends with: `KL(final || lens)` in nats, mean over the tokens of
/// texts that played no part in the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The logit lens.
    pub logit: f64,
    /// The tuned lens.
    pub tuned: f64,
    /// The steps after which the map was best on the texts that say when to stop; 0 where none was better than no map.
    pub steps: usize,
}

impl HeldOut {
    /// Whether the tuned lens is the better one.
    #[must_use]
    pub fn is_better(&self) -> bool {
        self.tuned < self.logit
    }
}

/// What is known of the training of a tuned lens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Tokens that were trained on.
    pub trained: usize,
    /// Tokens that said when to stop.
    pub watched: usize,
    /// Tokens that were held out.
    pub held_out: usize,
    /// By layer.
    pub layers: Vec<HeldOut>,
}

fn tuned_place(run: &RunDir, model: &str, extension: &str) -> Result<PathBuf> {
    run.place(&["lens", model], &format!("tuned.{extension}"))
}

/// What is known of the training of a model's tuned lens; None where there is none.
///
/// # Errors
/// The file cannot be read.
pub fn tuned(run: &RunDir, model: &str) -> Result<Option<Tuned>> {
    measured::read(&tuned_place(run, model, "json")?)
}

/// The key of a model's tuned lens; None where there is none.
///
/// # Errors
/// The file cannot be read.
pub fn tuned_key(run: &RunDir, model: &str) -> Result<Option<String>> {
    measured::key(&tuned_place(run, model, "json")?)
}

/// Writes a model's tuned lens.
///
/// # Errors
/// The disk is full.
pub fn write_tuned(run: &RunDir, model: &str, key: &str, maps: &Translators, tuned: &Tuned) -> Result<()> {
    let tensors = [("A".to_owned(), maps.a.shallow_clone()), ("b".to_owned(), maps.b.shallow_clone())];
    let about = json!({ "run_key": run.key(), "key": key });
    states::write_of(&tuned_place(run, model, "safetensors")?, &tensors, Kind::Float, about)?;
    measured::write(&tuned_place(run, model, "json")?, key, tuned)
}

/// Reads the maps of a model's tuned lens; None where there are none of this key.
///
/// # Errors
/// They are damaged or of another model.
pub fn read_maps(
    run: &RunDir,
    model: &str,
    key: &str,
    layers: usize,
    width: i64,
) -> Result<Option<Translators>> {
    let path = tuned_place(run, model, "safetensors")?;
    if !holds(run, &path, key)? || !measured::holds(&tuned_place(run, model, "json")?, key)? {
        return Ok(None);
    }
    let shard = Shard::read(&path, run.key())?;
    let tensor = |name: &str| -> Result<Tensor> {
        let states = shard.site(name)?;
        let shape: Vec<i64> = states.shape.iter().map(|&n| n as i64).collect();
        Ok(Tensor::f_from_slice(&states.values)?.f_view(&shape[..])?)
    };
    Translators::of(tensor("A")?, tensor("b")?, layers, width).map(Some)
}

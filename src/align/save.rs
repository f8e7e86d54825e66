//! Saved steps: PEFT adapters and whole checkpoints.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tch::Tensor;

use crate::model::{Model, Parameter, Rank};
use crate::store::atomic;
use crate::{Error, Result};

/// The directory of a saved step.
#[must_use]
pub fn place(output: &Path, step: usize) -> PathBuf {
    output.join(format!("step-{step:05}"))
}

/// Fills a directory under a temporary name and gives it its own, in place of one that may be there.
///
/// # Errors
/// The disk is full; what `fill` reports.
pub fn directory(dir: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = dir.with_extension("partial");
    let gone = |path: &Path| match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    };
    gone(&partial)?;
    atomic::directory(&partial)?;
    fill(&partial)?;
    gone(dir)?;
    fs::rename(&partial, dir).map_err(|error| Error::io(dir, error))
}

/// Writes low-rank changes as PEFT's `save_pretrained` does: `adapter_config.json` and `adapter_model.safetensors`.
///
/// # Errors
/// The disk is full.
pub fn adapter(dir: &Path, model: &Model, base: &Path, rank: Rank, parameters: &[Parameter]) -> Result<()> {
    let mut tensors = Vec::with_capacity(parameters.len());
    let mut targets = BTreeSet::new();
    for Parameter { name, tensor } in parameters {
        let module = name.rsplit_once(".lora_").map_or(name.as_str(), |(module, _)| module);
        targets.insert(module.rsplit('.').next().unwrap_or(module).to_owned());
        let single: Tensor = tensor.f_detach()?.f_to_kind(tch::Kind::Float)?;
        tensors.push((format!("base_model.model.{}", model.module_name(name)), single));
    }
    let config = json!({
        "alpha_pattern": {},
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": model.transposed(),
        "inference_mode": true,
        "init_lora_weights": true,
        "layers_pattern": null,
        "layers_to_transform": null,
        "lora_alpha": rank.alpha,
        "lora_dropout": 0.0,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": rank.r,
        "rank_pattern": {},
        "revision": null,
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    let text = serde_json::to_string_pretty(&config).unwrap_or_default() + "\n";
    atomic::write_weights(&dir.join("adapter_model.safetensors"), &tensors)?;
    atomic::write(&dir.join("adapter_config.json"), text.as_bytes())
}

/// Writes a whole checkpoint: the base with what was learnt, and the base's other files.
///
/// # Errors
/// A quantized base, a full disk.
pub fn checkpoint(dir: &Path, model: &mut Model, base: &Path) -> Result<()> {
    atomic::write_weights(&dir.join("model.safetensors"), &model.checkpoint()?)?;
    for entry in fs::read_dir(base).map_err(|error| Error::io(base, error))? {
        let from = entry.map_err(|error| Error::io(base, error))?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = [".json", ".jinja", ".txt", ".model"].iter().any(|end| name.ends_with(end));
        if from.is_file() && wanted && !name.ends_with(".index.json") {
            fs::copy(&from, dir.join(&name)).map_err(|error| Error::io(&from, error))?;
        }
    }
    Ok(())
}

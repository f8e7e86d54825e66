//! The methods section of a paper about a run, written from the run itself.
//!
//! A paragraph begins with its heading and a full stop. Works are cited by key ([`super::references`]). Every number comes
//! from the study, the manifest or what was measured; what a run does not have is not spoken of.

mod asked;
mod beside;
mod read;

pub use beside::Beside;

use serde_json::Value;

use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::Spec;
use crate::study::ModelEntry;
use crate::study::manifest::Manifest;

/// The paragraphs, with the keys of what they cite.
///
/// # Errors
/// A checkpoint's config.json or a condition of the study cannot be read.
pub fn methods(sources: &Sources<'_>, manifest: &Manifest, beside: &Beside<'_>) -> Result<Vec<String>> {
    let mut all = vec![aim(sources), models(sources, manifest)?, asked::tasks(sources, manifest)];
    all.push(asked::conditions(sources)?);
    all.push(asked::decoding(sources));
    all.push(read::captured(sources));
    all.extend(read::probes(sources, manifest));
    all.push(read::statistics(sources));
    all.extend(beside.paragraphs());
    all.push(software(sources, manifest));
    Ok(all)
}

fn aim(sources: &Sources<'_>) -> String {
    format!(
        "Design. Language models are asked the same questions over {} under {}, and their hidden states are \
         read in every round, after the study of moral self-correction in small models [@liu2025smaller] and of what it \
         changes inside [@liu2024intrinsic].",
        counted(sources.study.dialogue.rounds, "round"),
        counted(sources.study.dialogue.conditions.len(), "condition"),
    )
}

/// Works on checkpoints, by what their name or path holds.
const KNOWN: [(&str, &str); 9] = [
    ("smollm2", "allal2025smollm2"),
    ("gpt2", "radford2019language"),
    ("llama-2", "touvron2023llama2"),
    ("mistral-7b", "jiang2023mistral"),
    ("tinyllama", "zhang2024tinyllama"),
    ("olmo-1b", "groeneveld2024olmo"),
    ("phi-3", "abdin2024phi3"),
    ("zephyr", "tunstall2023zephyr"),
    ("pythia", "biderman2023pythia"),
];

fn models(sources: &Sources<'_>, manifest: &Manifest) -> Result<String> {
    let study = sources.study;
    let said = study.models.iter().map(|entry| model(entry, manifest)).collect::<Result<Vec<_>>>()?;
    let kept = if study.run.stream { ", layer by layer from disk" } else { "" };
    Ok(format!(
        "Models. {}. They compute in {} on {}{kept}.",
        said.join("; "),
        study.run.dtype.name(),
        study.run.device
    ))
}

fn model(entry: &ModelEntry, manifest: &Manifest) -> Result<String> {
    let spec = Spec::read(&entry.path)?;
    let place = entry.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let lower = format!("{} {}", entry.name, place).to_lowercase();
    let cited: Vec<String> =
        KNOWN.iter().filter(|(part, _)| lower.contains(part)).map(|(_, key)| format!(" [@{key}]")).collect();
    let files = &manifest.inputs["models"][&entry.name];
    let adapter = match &entry.adapter {
        Some(_) => format!(", with a LoRA adapter merged into them{}", weights(&files["adapter"])),
        None => String::new(),
    };
    let template = match manifest.without_template().any(|name| *name == entry.name) {
        true => ", without a chat template, so that it reads a plain transcript",
        false => "",
    };
    Ok(format!(
        "{} is {place}{} ({} architecture, {} of width {}{}{adapter}{template})",
        entry.name,
        cited.concat(),
        spec.family,
        counted(spec.n_layers, "layer"),
        spec.d_model,
        weights(files),
    ))
}

/// The beginning of the hash of the weights, or of the first file of them.
fn weights(files: &Value) -> String {
    let all = files.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with(".safetensors"));
    let hashes: Vec<&str> = all.filter_map(|(_, hash)| hash.as_str()).collect();
    match hashes[..] {
        [] => String::new(),
        [only] => format!(", SHA-256 of its weights {}", start(only)),
        [first, ..] => {
            format!(", SHA-256 of the first of its {} files of weights {}", hashes.len(), start(first))
        }
    }
}

fn software(sources: &Sources<'_>, manifest: &Manifest) -> String {
    let text = |key: &str| manifest.inputs[key].as_str().unwrap_or_default().to_owned();
    let deviations = super::cautions::deviations(manifest);
    let rest =
        if deviations.is_empty() { String::new() } else { format!(" Deviations: {}", deviations.join(" ")) };
    format!(
        "Software. recant {} with libtorch {}; seed {} decides every draw. The run key {} is the SHA-256 of everything \
         that changes the numbers: study, wording, checkpoints, items and texts.{rest}",
        text("recant"),
        text("libtorch"),
        sources.study.seed,
        start(&manifest.key),
    )
}

/// The first digits of a hash.
fn start(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A number and what is counted, in the plural where there are several.
fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Words with commas and an `and`.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_checkpoints_are_cited_by_keys_that_exist() {
        assert!(KNOWN.iter().all(|(_, key)| super::super::references::all_known(&format!("[@{key}]"))));
    }

    #[test]
    fn lists_and_counts_read_as_words() {
        assert_eq!(
            [listed(&["a"]), listed(&["a", "b"]), listed(&["a", "b", "c"])],
            ["a", "a and b", "a, b and c"]
        );
        assert_eq!([counted(1, "layer"), counted(30, "layer")], ["1 layer", "30 layers"]);
    }
}

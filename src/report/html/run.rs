//! What the page says of the run itself.

use serde_json::Value;

use super::Section;
use super::text::{counted, distinct, escape};
use crate::report::{DialogueEntry, Report};

/// What was run, in one line.
pub(super) fn summary(page: &Report<'_>) -> String {
    let study = &page.manifest.inputs["study"];
    let texts = |values: &Value, key: Option<&str>| -> Vec<String> {
        let of = |value: &Value| key.map_or(value.as_str(), |key| value[key].as_str()).map(str::to_owned);
        values.as_array().map_or_else(Vec::new, |values| values.iter().filter_map(of).collect())
    };
    let or_read = |named: Vec<String>, read: fn(&DialogueEntry<'_>) -> String| {
        if named.is_empty() { distinct(page.dialogues.iter().map(read)) } else { named }
    };
    let models = or_read(texts(&study["models"], Some("name")), |entry| entry.model.into());
    let tasks = or_read(texts(&study["tasks"], Some("name")), |entry| entry.task.into());
    let conditions = or_read(texts(&study["dialogue"]["conditions"], None), |entry| entry.condition.into());
    let seen = page.dialogues.iter().flat_map(|entry| entry.turns).map(|turn| turn.round as u64 + 1).max();
    let mut parts: Vec<String> = [("model", models), ("task", tasks), ("condition", conditions)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(noun, names)| format!("{} ({})", counted(names.len(), noun), escape(&names.join(", "))))
        .collect();
    if let Some(rounds) = study["dialogue"]["rounds"].as_u64().or(seen) {
        parts.push(counted(usize::try_from(rounds).unwrap_or(usize::MAX), "round"));
    }
    if !page.manifest.key.is_empty() {
        parts.push(format!("run <span class=\"key\">{}</span>", short_key(page)));
    }
    parts.join(" \u{b7} ")
}

fn short_key(page: &Report<'_>) -> String {
    escape(&page.manifest.key.chars().take(12).collect::<String>())
}

/// Everything that the numbers depend on.
pub(super) fn manifest(page: &Report<'_>) -> Section {
    let inputs = &page.manifest.inputs;
    let nothing = inputs.is_null() || inputs.as_object().is_some_and(serde_json::Map::is_empty);
    let body = if nothing {
        String::new()
    } else {
        format!(
            "<p>Everything that the numbers depend on; the run key is its hash. The same text is in <a href=\"manifest.json\">manifest.json</a>.</p>\n\
             <details><summary>Manifest of run <span class=\"key\">{}</span></summary>\n<pre>{}</pre>\n</details>\n",
            short_key(page),
            escape(&page.manifest.text()),
        )
    };
    Section { id: "manifest", heading: "Manifest", parts: Vec::new(), body }
}

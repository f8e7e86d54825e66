//! What the self-check of each model found.

use serde_json::Value;

use crate::report::Table;
use crate::study::manifest::Manifest;

/// What the self-check of each model found, if any was made.
#[must_use]
pub fn checks(manifest: &Manifest) -> Option<Table> {
    let caption = "What the self-check of each model found before it was run. Differences are parts of the largest \
                   value of a state.";
    let mut table = Table::new("model_checks", caption, &["model", "check", "verdict", "found"]);
    for (model, finding) in findings_of(manifest) {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_string();
        let verdict = if finding["passed"] == true { "passed" } else { "failed" };
        table.rows.push(vec![model.clone(), text("name"), verdict.into(), text("found")]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Every finding of a self-check, with its model.
pub(in crate::report) fn findings_of(manifest: &Manifest) -> impl Iterator<Item = (&String, &Value)> {
    manifest.checks.iter().flat_map(|(model, findings)| {
        findings.as_array().into_iter().flatten().map(move |finding| (model, finding))
    })
}

//! The scores of every item as data: `probes/MODEL/scores/CONCEPT/TASK.safetensors`.

use serde_json::{Value, json};
use tch::Tensor;

use crate::Result;
use crate::analysis::changes::SiteScores;
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{ModelSummary, Movement, Sources};
use crate::store::atomic;
use crate::task::Item;

/// Writes a model's scores, a file for each concept and task.
///
/// # Errors
/// The disk is full.
pub fn write(sources: &Sources<'_>, summary: &ModelSummary) -> Result<()> {
    for movement in &summary.movements {
        let parts = ["probes", &summary.model, "scores", &movement.concept];
        let path = sources.run.place(&parts, &format!("{}.safetensors", movement.task))?;
        let mut tensors = Vec::new();
        for probes in summary.probes_of(&movement.concept) {
            let own = in_order(sources, movement, probes);
            let name = probes.site.name();
            let probability = |place, score: f64| probes.probability(place, score);
            tensors.push((name.to_owned(), stacked(&own, |_, score| score)?));
            tensors.push((format!("{name}.probability"), stacked(&own, probability)?));
        }
        atomic::write_tensors(&path, &tensors, &about(sources, summary, movement))?;
    }
    Ok(())
}

/// The scores at a site, in the order of the study's positions.
fn in_order<'a>(
    sources: &Sources<'_>,
    movement: &'a Movement,
    probes: &ConceptProbes,
) -> Vec<&'a SiteScores> {
    let positions = sources.study.capture.positions.iter();
    let own = || movement.sites.iter().filter(|scores| scores.site == probes.site);
    positions.filter_map(|position| own().find(|scores| scores.position == *position)).collect()
}

/// `[conditions, items, rounds, positions, layers]`, and `heads` after them where each is read by itself.
fn stacked(positions: &[&SiteScores], value: impl Fn(usize, f64) -> f64) -> Result<Tensor> {
    let first = &positions[0];
    let (arms, places) = (&first.scores, first.layers.len());
    let (items, rounds) = (arms[0].groups.len(), arms[0].rounds);
    let mut values = Vec::with_capacity(arms.len() * items * rounds * positions.len() * places);
    for arm in 0..arms.len() {
        for row in 0..items * rounds {
            for position in positions {
                let own = &position.scores[arm].values[row * places..][..places];
                values.extend(own.iter().enumerate().map(|(place, &score)| value(place, score) as f32));
            }
        }
    }
    let heads = first.heads.unwrap_or(1);
    let mut shape = [arms.len(), items, rounds, positions.len(), places / heads].map(|n| n as i64).to_vec();
    shape.extend(first.heads.map(|heads| heads as i64));
    Ok(Tensor::f_from_slice(&values)?.f_view(&shape[..])?)
}

fn about(sources: &Sources<'_>, summary: &ModelSummary, movement: &Movement) -> Value {
    let study = sources.study;
    let task = sources.tasks.iter().position(|(name, _)| *name == movement.task);
    let items = task.map_or(&[][..], |task| &summary.items[task][..]);
    let column = |of: fn(&Item) -> &str| items.iter().map(of).collect::<Vec<_>>();
    let positive = sources.concepts.iter().find(|concept| concept.spec.name == movement.concept);
    json!({
        "format": "recant-scores-1", "run_key": sources.run.key(), "model": summary.model,
        "concept": movement.concept, "positive": positive.map(|concept| &concept.spec.positive),
        "task": movement.task, "axes": ["condition", "item", "round", "position", "layer", "head"],
        "conditions": study.dialogue.conditions, "item_ids": column(|item| &item.id),
        "groups": column(|item| &item.group), "positions": study.capture.positions,
        "layers": summary.probes_of(&movement.concept).next().map(|probes| &probes.layers),
    })
}

//! What lies between the weights of two models, in the report: tables, findings and cautions. Figures are in
//! [`super::draw`].

use super::Table;
use super::finding::{Finding, Topic};
use super::tables::{bracket, ends, number};
use super::tokens::{fine, shown};
use crate::Result;
use crate::analysis::bootstrap::{Bootstrap, Estimate};
use crate::analysis::paired::Mean;
use crate::analysis::summary::Sources;
use crate::analysis::weight_shift::{Along, Change, Offset, PairWeights, Part, Toward};
use crate::intervene::Results;
use crate::intervene::effect::{Effect, Reader};
use crate::intervene::results::{Of, stereotype, unknown};
use crate::store::Turn;
use crate::study::shift::intervention;
use crate::task::select;

/// The tables of all pairs. One without rows is left out.
#[must_use]
pub fn tables(pairs: &[PairWeights], bootstrap: Bootstrap) -> Vec<Table> {
    let mut tables = vec![tensors(pairs), parts(pairs), neurons(pairs, bootstrap), offsets(pairs)];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn names(pair: &PairWeights) -> Vec<String> {
    vec![pair.about.before.clone(), pair.about.after.clone()]
}

fn layer(layer: Option<usize>) -> String {
    layer.map_or_else(String::new, |layer| layer.to_string())
}

fn change(change: &Change) -> [String; 4] {
    [
        change.identical.to_string(),
        number(change.cosine, 8),
        number(change.relative, 8),
        number(change.largest, 8),
    ]
}

/// The heads of [`change`].
const CHANGE: [&str; 4] = ["identical", "cosine", "relative_change", "largest_change"];

fn tensors(pairs: &[PairWeights]) -> Table {
    let mut table = Table::new(
        "weights",
        "Tensors of the two models of a pair: cosine, |after - before| / |before|, and the largest change of a number",
        &[&["before", "after", "tensor", "layer", "kind", "shape"][..], &CHANGE].concat(),
    );
    for pair in pairs {
        for tensor in pair.weights.iter().flat_map(|weights| &weights.tensors) {
            let sizes: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            let own = vec![tensor.name.clone(), layer(tensor.layer), tensor.kind.clone(), sizes.join(" x ")];
            table.rows.push([names(pair), own, change(&tensor.change).to_vec()].concat());
        }
    }
    table
}

fn parts(pairs: &[PairWeights]) -> Table {
    let mut table = Table::new(
        "weight_parts",
        "The same by layer and part: all tensors of a kind in a block as one vector; a layer that is empty is outside the blocks",
        &[&["before", "after", "layer", "part", "tensors"][..], &CHANGE].concat(),
    );
    for pair in pairs {
        for part in pair.weights.iter().flat_map(|weights| &weights.parts) {
            let own = vec![layer(part.layer), part.kind.clone(), part.tensors.to_string()];
            table.rows.push([names(pair), own, change(&part.change).to_vec()].concat());
        }
    }
    table
}

fn mean(mean: Option<Mean>) -> [String; 3] {
    let (low, high) = ends(mean.and_then(|mean| mean.interval));
    [number(mean.map(|mean| mean.value), 5), low, high]
}

fn neurons(pairs: &[PairWeights], bootstrap: Bootstrap) -> Table {
    let mut heads: Vec<String> =
        ["before", "after", "concept", "layer", "neuron", "cosine_before", "cosine_after"]
            .map(String::from)
            .to_vec();
    heads.extend(["relative_change", "words", "task", "condition", "round", "n"].map(String::from));
    for name in ["active_before", "active_after", "active_change"] {
        heads.extend(["", "_low", "_high"].map(|part| format!("{name}{part}")));
    }
    heads.extend(["p", "p_max"].map(String::from));
    let mut table = Table {
        name: "neurons".into(),
        caption: "The MLP value vectors of highest cosine with each concept's direction in the model before: their cosine with \
                  that direction before and after, the length of their change over their length, the tokens that they score \
                  highest, and their mean activation at the end of the prompts of the model before, read by both; intervals \
                  over groups, p by sign flips, p_max corrected over the neurons of a concept"
            .into(),
        header: heads,
        rows: Vec::new(),
    };
    for pair in pairs {
        let Some(found) = &pair.neurons else { continue };
        for along in &found.concepts {
            let rounds: Vec<_> =
                (0..found.rounds()).map(|round| found.activity(along, round, bootstrap)).collect();
            for (place, neuron) in along.neurons.iter().enumerate() {
                let words: Vec<String> = neuron.words.iter().map(|word| shown(word)).collect();
                let mut start = names(pair);
                start.extend([along.concept.clone(), neuron.layer.to_string(), neuron.neuron.to_string()]);
                start.extend(neuron.cosine.map(|cosine| number(cosine, 6)));
                start.extend([number(neuron.relative, 6), words.join(" ")]);
                if rounds.is_empty() {
                    table.rows.push([start.clone(), vec![String::new(); 15]].concat());
                }
                for (number_of, round) in rounds.iter().enumerate() {
                    let own = round[place];
                    let n = own.change.map_or_else(String::new, |mean| mean.n.to_string());
                    let mut row = start.clone();
                    row.extend([found.task.clone(), found.condition.clone(), number_of.to_string(), n]);
                    row.extend([own.before, own.after, own.change].into_iter().flat_map(mean));
                    row.push(number(own.test.map(|test| test.p), 4));
                    row.push(number(own.test.map(|test| test.p_max), 4));
                    table.rows.push(row);
                }
            }
        }
    }
    table
}

fn offsets(pairs: &[PairWeights]) -> Table {
    let heads = [
        "before",
        "after",
        "site",
        "layer",
        "length",
        "relative",
        "prompts",
        "direction",
        "of_layer",
        "n",
        "cosine",
        "cosine_q05",
        "cosine_q95",
        "chance",
        "beyond_chance",
        "explained",
    ];
    let mut table = Table::new(
        "offsets",
        "The mean shift of the stream after a layer, and a random direction, against the changes of the value vectors of each \
         layer up to it: mean cosine with its 5 % and 95 % quantiles over the n value vectors that changed, the size that 95 % \
         of random vectors stay below, the share beyond it, and the part of the shift's length that the changes add up to at \
         the activations of the model before; of_layer all is their sum",
        &heads,
    );
    for pair in pairs {
        let Some(found) = &pair.offsets else { continue };
        for offset in &found.offsets {
            let mut add = |direction: &str,
                           of_layer: String,
                           toward: Option<&Toward>,
                           explained: Option<f64>| {
                let mut row = names(pair);
                row.extend([found.site.clone(), offset.layer.to_string(), number(Some(offset.length), 6)]);
                row.extend([
                    number(offset.relative, 6),
                    found.prompts.to_string(),
                    direction.into(),
                    of_layer,
                ]);
                row.push(toward.map_or_else(String::new, |toward| toward.n.to_string()));
                let of = |get: fn(&Toward) -> Option<f64>| number(toward.and_then(get), 6);
                row.extend([of(|own| own.mean), of(|own| own.low), of(|own| own.high)]);
                row.extend([number(Some(found.threshold), 6), of(|own| own.beyond), number(explained, 6)]);
                table.rows.push(row);
            };
            for source in &offset.sources {
                for (name, toward) in [("offset", &source.offset), ("random", &source.random)] {
                    add(name, source.layer.to_string(), Some(toward), toward.explained);
                }
            }
            for (name, explained) in ["offset", "random"].into_iter().zip(offset.explained()) {
                add(name, "all".into(), None, explained);
            }
        }
    }
    table
}

/// What the numbers say, a sentence each.
///
/// # Errors
/// Turns are missing or damaged.
pub fn findings(sources: &Sources<'_>, pairs: &[PairWeights], steered: &[Results]) -> Result<Vec<Finding>> {
    let mut all = Vec::new();
    for pair in pairs {
        all.extend(weights_finding(pair));
        all.extend(neuron_findings(pair, sources.bootstrap()));
        all.extend(
            pair.offsets.iter().flat_map(|own| &own.offsets).map(|offset| offset_finding(pair, offset)),
        );
        all.extend(key_findings(sources, pair, steered)?);
    }
    Ok(all)
}

fn weights_finding(pair: &PairWeights) -> Option<Finding> {
    let (name, weights) = (start(pair), pair.weights.as_ref()?);
    if weights.tensors.is_empty() {
        return None;
    }
    if weights.all.identical {
        let text = format!(
            "{name}: all {} tensors that both hold are the same, number for number.",
            weights.tensors.len()
        );
        return Some(Finding::new(Topic::Weights, text).clear(false));
    }
    let size = |part: &&Part| part.change.relative.unwrap_or(f64::INFINITY);
    let changed = weights.parts.iter().filter(|part| !part.change.identical);
    let most = |kind: Option<&str>| {
        let own = changed.clone().filter(|part| kind.is_none_or(|kind| part.kind == kind));
        own.max_by(|a, b| size(a).total_cmp(&size(b)))
    };
    let words = |part: &Part| {
        let place =
            part.layer.map_or_else(|| "outside the blocks".into(), |layer| format!("of layer {layer}"));
        format!("the {} {place} ({} of its length)", part.kind, small(part.change.relative))
    };
    let kinds: Vec<&Part> = ["attention", "mlp"].into_iter().filter_map(|kind| most(Some(kind))).collect();
    let further = |part: &&Part| most(None) != Some(*part);
    let other = kinds
        .into_iter()
        .find(further)
        .map_or_else(String::new, |part| format!(", of the other part {}", words(part)));
    let same = weights.tensors.iter().filter(|tensor| tensor.change.identical).count();
    let text = format!(
        "{name}: the weights differ by {} of their length (cosine {}; {same} of {} tensors are the same); most changed is {}{other}.",
        small(weights.all.relative),
        number(weights.all.cosine, 6),
        weights.tensors.len(),
        most(None).map_or_else(String::new, words),
    );
    Some(Finding::new(Topic::Weights, text).at(format!("weights-{}", pair.about.name())))
}

/// A small number with three digits that count.
fn small(value: Option<f64>) -> String {
    match value {
        Some(value) if value != 0.0 && value.abs() < 0.001 => format!("{value:.2e}"),
        value => number(value, 4),
    }
}

fn start(pair: &PairWeights) -> String {
    format!("{} and {}", pair.about.before, pair.about.after)
}

/// A sentence for each concept whose value vectors are followed.
fn neuron_findings(pair: &PairWeights, bootstrap: Bootstrap) -> Vec<Finding> {
    let Some(found) = pair.neurons.as_ref().filter(|found| found.rounds() > 0) else { return Vec::new() };
    let last = found.rounds() - 1;
    let sentence = |along: &Along| {
        let activity = found.activity(along, last, bootstrap);
        let clear = |at: &usize| activity[*at].test.is_some_and(|test| test.p_max < 0.05);
        let count = (0..activity.len()).filter(clear).count();
        let size = |at: &usize| activity[*at].change.map_or(-1.0, |change| change.value.abs());
        let most = (0..activity.len()).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        let (neuron, change) = (&along.neurons[most], activity[most].change?);
        let turned = along.neurons.iter().filter_map(|neuron| neuron.relative).fold(None, larger);
        let words: Vec<String> = neuron.words.iter().take(3).map(|word| shown(word)).collect();
        let text = format!(
            "{}, {} under {}: of the {} value vectors nearest to {}, none changed by more than {} of its length; in round {last} \
             the activation of {count} of them differs (p < 0.05, corrected over them), most that of neuron {} of layer {} ({}), by \
             {:+.4}{} (n = {} prompts).",
            start(pair),
            found.task,
            found.condition,
            along.neurons.len(),
            along.concept,
            small(turned),
            neuron.neuron,
            neuron.layer,
            words.join(" "),
            change.value,
            fine(change.interval),
            change.n,
        );
        Some(Finding::new(Topic::Weights, text).clear(count > 0))
    };
    found.concepts.iter().filter_map(sentence).collect()
}

fn larger(top: Option<f64>, value: f64) -> Option<f64> {
    Some(top.map_or(value, |top| top.max(value)))
}

fn offset_finding(pair: &PairWeights, offset: &Offset) -> Finding {
    let explained = match offset.explained() {
        [Some(own), Some(random)] => format!(
            ": the changes of the value vectors up to there, at the activations of before, add up to {} of it, along a random \
             direction to {}",
            small(Some(own)),
            small(Some(random)),
        ),
        _ => String::new(),
    };
    let text = format!(
        "{}: the mean state after layer {} is moved by {} of its length{explained} (n = {} prompts).",
        start(pair),
        offset.layer,
        small(offset.relative),
        pair.offsets.as_ref().map_or(0, |own| own.prompts),
    );
    Finding::new(Topic::Weights, text).at(format!("offsets-{}", pair.about.name()))
}

/// An effect of scaled keys: its words, the number, the estimate.
type Way = (&'static str, Of, fn(&Effect) -> Option<Estimate>);

const WAYS: [Way; 2] = [
    ("the stereotype's option against the other person", stereotype, |effect| effect.stereotype),
    ("the unknown option against the rest", unknown, |effect| effect.unknown),
];

/// Whether answers move back to those of before when the keys of the value vectors along a concept are scaled, a sentence
/// for each concept.
fn key_findings(sources: &Sources<'_>, pair: &PairWeights, steered: &[Results]) -> Result<Vec<Finding>> {
    let mut all = Vec::new();
    if pair.about.entry.keys.is_empty() {
        return Ok(all);
    }
    for concept in sources.concepts {
        let name = intervention(&concept.spec.name, &pair.about.after);
        let Some(own) = steered.iter().find(|own| own.about.name == name) else { continue };
        let (Some(cell), way) = (own.main().first().copied(), way_back(sources, pair, own)?) else {
            continue;
        };
        let sentence = |(words, of, estimate): &Way| {
            let (effect, gap) = (estimate(&cell.effect)?, estimate(&way)?);
            let (changed, whole) = (effect.value?, gap.value?);
            let clear = gap.interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
            let part = match (clear, changed * whole > 0.0) {
                (false, _) => "which is no way clear of nought".to_owned(),
                (true, true) => format!("{:.2} of that way back", changed / whole),
                (true, false) => "not that way".to_owned(),
            };
            let against = own.against(cell, *of);
            let beside = against.as_ref().map_or_else(
                || "no random set stands beside it".to_owned(),
                |beside| format!("p = {:.3} against {} random sets of as many neurons", beside.p, beside.n),
            );
            let said = format!(
                "the log-odds of {words} change by {changed:+.2}{}, and those of {} lie {whole:+.2}{} from {}'s: {part} \
                 ({beside})",
                bracket(effect.interval),
                pair.about.before,
                bracket(gap.interval),
                pair.about.after,
            );
            Some((said, clear && against.is_some_and(|beside| beside.p < 0.05)))
        };
        let (said, beyond): (Vec<String>, Vec<bool>) = WAYS.iter().filter_map(sentence).unzip();
        if !said.is_empty() {
            let text = format!(
                "Do the answers of {} come back in {}? With the keys of the {} value vectors nearest to {} times {}, {}, {}.",
                pair.about.before,
                pair.about.after,
                own.about.neurons.len(),
                concept.spec.name,
                own.about.main,
                own.about.task,
                said.join("; "),
            );
            all.push(
                Finding::new(Topic::Interventions, text)
                    .clear(beyond.contains(&true))
                    .at(format!("steer-{name}-strengths")),
            );
        }
    }
    Ok(all)
}

/// What lies between the answers of the second model and those of the first in round 0 of the intervention's condition, of
/// the same items, scored as there.
fn way_back(sources: &Sources<'_>, pair: &PairWeights, own: &Results) -> Result<Effect> {
    let study = sources.study;
    let task = study.tasks.iter().position(|task| task.name == own.about.task).unwrap_or(0);
    let condition =
        study.dialogue.conditions.iter().position(|name| *name == own.about.condition).unwrap_or(0);
    let scoring = study.dialogue.letters();
    let first = |model: &str| -> Result<Vec<Turn>> {
        let mut turns = sources.said(model, task)?.swap_remove(condition);
        turns.retain(|turn| turn.round == 0);
        // As the intervention reads them, whatever decides in the study.
        turns.iter_mut().for_each(|turn| turn.logprobs = turn.by(scoring).unwrap_or_default());
        Ok(turns)
    };
    let (before, after) = (first(&pair.about.before)?, first(&pair.about.after)?);
    let (mut items, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
    let (name, all) = &sources.tasks[task];
    let (mut asked, _) = sources.ran(&pair.about.after, name, all)?;
    select::first(&mut asked, pair.about.entry.limit, |item| &item.category);
    for item in &asked {
        let of = |turns: &[Turn]| turns.iter().find(|turn| turn.item == item.id).cloned();
        if let (Some(after), Some(before)) = (of(&after), of(&before)) {
            items.push(item.clone());
            from.push(after);
            to.push(before);
        }
    }
    let names = (pair.about.after.as_str(), own.about.task.as_str(), study.tasks[task].kind());
    Reader { items: &items, names, scoring, bootstrap: sources.bootstrap() }.changes(&from, Some(&to))
}

/// What could not be compared, a sentence each.
#[must_use]
pub fn cautions(pairs: &[PairWeights]) -> Vec<String> {
    pairs.iter().flat_map(PairWeights::not_compared).collect()
}

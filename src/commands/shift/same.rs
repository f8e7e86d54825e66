//! The same text: the second model of a pair reads the dialogues that the first one had, and its states are kept.

use tch::{Device, Kind, Tensor};

use super::Pair;
use crate::Result;
use crate::model::{Layers, Site};
use crate::runner::replay::{Exchange, read};
use crate::runner::{Encoded, Request, Tally};
use crate::store::states;
use crate::study::Position;

/// Captures what is missing.
///
/// # Errors
/// Dialogues that cannot be replayed, an interruption, a full disk.
pub(super) fn measure(pair: &Pair<'_>, tally: &Tally<'_>) -> Result<()> {
    let study = pair.study();
    let (sites, positions) = (study.sites()?, study.positions()?);
    let layers = study.capture.layers.parse::<Layers>()?.resolve(pair.after.spec.n_layers)?;
    let size = study.run.shard_items;
    for (task, entry) in study.tasks.iter().enumerate() {
        for condition in pair.conditions() {
            let name = &study.dialogue.conditions[condition];
            let asked = pair.asked(pair.before, task, condition)?;
            let key = pair.key("states");
            let mut dialogues: Option<Vec<Exchange>> = None;
            for (index, items) in asked.items.chunks(size).enumerate() {
                let path = pair.sources.run.same_text(&pair.name(), &entry.name, name, index)?;
                if path.is_file() && states::verify(&path, &key).is_ok() {
                    continue;
                }
                if dialogues.is_none() {
                    dialogues = Some(pair.exchanges(pair.before, &asked, condition)?);
                }
                let whole = dialogues.as_deref().unwrap_or_default();
                let own = index * size..index * size + items.len();
                let exchanges: Vec<&Exchange> =
                    whole.iter().filter(|exchange| own.contains(&exchange.item)).collect();
                let shape = (items.len() as i64, study.dialogue.rounds as i64);
                let found = capture(pair, &exchanges, (&sites, &layers, &positions), shape, tally)?;
                let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
                let about = states::About {
                    run_key: &key,
                    axes: &["item", "round", "position", "layer", "width"],
                    item_ids: &ids,
                    layers: &layers,
                    positions: &study.capture.positions,
                    turns_sha256: None,
                    weights_seed: None,
                };
                states::write(&path, &found, study.capture.dtype.kind(), &about)?;
            }
        }
    }
    Ok(())
}

/// Per site the states of some exchanges, `(items, rounds, positions, layers, width)`.
fn capture(
    pair: &Pair<'_>,
    exchanges: &[&Exchange],
    (sites, layers, positions): (&[Site], &[usize], &[Position]),
    (items, rounds): (i64, i64),
    tally: &Tally<'_>,
) -> Result<Vec<(String, Tensor)>> {
    let (mut requests, mut wanted) = (Vec::new(), Vec::new());
    for exchange in exchanges {
        let places = positions.iter().map(|position| tokens(*position, exchange));
        let places = places.collect::<Result<Vec<_>>>()?;
        let last = places.iter().flatten().max().copied().unwrap_or(0);
        let mut ids = exchange.ids();
        ids.truncate(last + 1);
        requests.push(Request { ids, states: places.concat(), ..Request::default() });
        wanted.push(places);
    }
    let mut parts: Vec<Vec<Tensor>> = sites.iter().map(|_| Vec::new()).collect();
    read(pair.after.model()?, &requests, (sites, layers), usize::MAX, tally, |first, encoded: &Encoded| {
        for (place, rows) in encoded.state_rows.iter().enumerate() {
            let mut from = 0;
            for tokens in &wanted[first + place] {
                let rows = &rows[from..from + tokens.len()];
                from += tokens.len();
                for ((_, states), parts) in encoded.states.iter().zip(&mut parts) {
                    parts.push(mean(states, rows)?);
                }
            }
        }
        Ok(())
    })?;
    let shaped = |(site, parts): (&Site, Vec<Tensor>)| -> Result<(String, Tensor)> {
        let all = Tensor::f_stack(&parts, 0)?;
        let shape = [&[items, rounds, positions.len() as i64], &all.size()[1..]].concat();
        Ok((site.name().to_owned(), all.f_reshape(shape)?))
    };
    sites.iter().zip(parts).map(shaped).collect()
}

/// The mean of some rows, `(layers, width)` or `(width)`; NaN where there are none.
fn mean(states: &Tensor, rows: &[i64]) -> Result<Tensor> {
    match rows {
        [] => Ok(Tensor::f_full(&states.size()[1..], f64::NAN, (Kind::Float, Device::Cpu))?),
        [one] => Ok(states.f_get(*one)?),
        _ => Ok(states.f_index_select(0, &Tensor::f_from_slice(rows)?)?.f_mean_dim(0, false, Kind::Float)?),
    }
}

/// The tokens of a named position, counted from the beginning of the dialogue.
fn tokens(position: Position, exchange: &Exchange) -> Result<Vec<usize>> {
    let answer = exchange.prompt.ids.len()..exchange.prompt.ids.len() + exchange.answer.len();
    Ok(match position {
        Position::Last => vec![exchange.prompt.last],
        Position::InstructionEnd => vec![exchange.prompt.instruction_end()?],
        Position::AnswerFirst => answer.take(1).collect(),
        Position::AnswerLast => answer.last().into_iter().collect(),
        Position::AnswerMean => answer.collect(),
    })
}

//! What the reader reads of one model and task.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::text::{distinct, grouped};
use crate::dialogue::Speaker;
use crate::report::{DialogueEntry, ItemScores, WordScore, WordScores};
use crate::store::Turn;
use crate::task::{Format, Item};

/// Items whose dialogues are embedded, per model and task: what a browser opens at once.
pub(super) const ITEMS: usize = 500;

/// What the page's code reads of one model and task. Texts stand once in `strings`; turns name them by number.
pub(super) fn block(entries: &[&DialogueEntry<'_>], conditions: &Value) -> Value {
    let mut said: Vec<BTreeMap<&str, Vec<&Turn>>> = Vec::new();
    for entry in entries {
        let mut rounds: BTreeMap<&str, Vec<&Turn>> = BTreeMap::new();
        for turn in entry.turns {
            rounds.entry(&turn.item).or_default().push(turn);
        }
        said.push(rounds);
    }
    let mut known = BTreeSet::new();
    let asked = entries.iter().flat_map(|entry| entry.items);
    let asked: Vec<&Item> = asked
        .filter(|item| {
            said.iter().any(|rounds| rounds.contains_key(item.id.as_str())) && known.insert(item.id.as_str())
        })
        .collect();
    let kept = spread(&asked, ITEMS);
    let mut strings = Strings::default();
    let items: Vec<Value> = kept
        .iter()
        .map(|item| {
            // Everything is told in the order of the options that the shown prompts list.
            let turns = said.iter().find_map(|rounds| rounds.get(item.id.as_str())?.first());
            let order = turns.and_then(|turn| Some(turn.orders.first()?.order.clone())).unwrap_or_default();
            let place = |option: Option<usize>| order.iter().position(|listed| Some(*listed) == option);
            let listed = order.iter().filter_map(|&option| item.options.get(option));
            let of = |rounds: &BTreeMap<&str, Vec<&Turn>>, strings: &mut Strings| -> Value {
                let turns = rounds.get(item.id.as_str()).into_iter().flatten();
                turns.map(|turn| row(item, turn, &order, strings)).collect()
            };
            let rounds: Vec<Value> = said.iter().map(|rounds| of(rounds, &mut strings)).collect();
            json!({
                "id": item.id, "category": item.category, "context": item.context, "polarity": item.polarity, "text": item.text(),
                "options": listed.map(|option| json!([option.text, option.role])).collect::<Vec<_>>(),
                "label": place(item.label), "target": place(item.target), "blank": item.format != Format::Letters, "rounds": rounds,
                "scores": entries.iter().map(|entry| scores(entry, &item.id)).collect::<Vec<_>>(),
                "words": entries.iter().map(|entry| entry.words.get(&item.id).map(words)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let note = if kept.len() < asked.len() {
        format!(
            "This page holds {} of {} items, spread over the categories; the rest are in {}.",
            grouped(kept.len()),
            grouped(asked.len()),
            entries.first().map_or_else(String::new, |entry| turns_files(entry.model, entry.task, "*"))
        )
    } else {
        String::new()
    };
    let about = |name: &str| conditions[name]["about"].as_str().unwrap_or_default().to_owned();
    json!({
        "conditions": entries.iter().map(|entry| json!({ "name": entry.condition, "about": about(entry.condition) })).collect::<Vec<_>>(),
        "concepts": entries.first().map_or_else(Vec::new, |entry| concepts(entry)),
        "categories": distinct(kept.iter().map(|item| item.category.clone())),
        "note": note, "strings": strings.list, "items": items,
    })
}

/// At most `limit` items, as evenly from every category as they allow, in their order.
fn spread<'a>(items: &[&'a Item], limit: usize) -> Vec<&'a Item> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::new(); // place in its category, place in the list
    for (index, item) in items.iter().enumerate() {
        let place = seen.entry(&item.category).or_default();
        ranked.push((*place, index));
        *place += 1;
    }
    ranked.sort_unstable();
    ranked.truncate(limit);
    let kept: BTreeSet<usize> = ranked.into_iter().map(|(_, index)| index).collect();
    kept.into_iter().map(|index| items[index]).collect()
}

/// The concepts that the model is scored on, with the layers of their probes.
fn concepts(entry: &DialogueEntry<'_>) -> Vec<Value> {
    entry.scores.iter().map(|own| json!({ "name": own.concept, "layer": own.layer })).collect()
}

/// `[concept][round]`: an item's scores in hundredths.
fn scores(entry: &DialogueEntry<'_>, item: &str) -> Vec<Vec<Option<i64>>> {
    let place = entry.items.iter().position(|asked| asked.id == item);
    let of = |own: &ItemScores<'_>| {
        let rounds = place.and_then(|place| own.values.chunks_exact(own.rounds.max(1)).nth(place));
        rounds.unwrap_or_default().iter().map(|score| hundredths(*score)).collect()
    };
    entry.scores.iter().map(of).collect()
}

/// The tokens of every round: `[texts, whose, [concept][token] in hundredths]`, `u` for the user, `m` for the model and
/// `t` for what the template puts around them.
fn words(words: &WordScores) -> Value {
    let round = |tokens: &Vec<WordScore>| {
        let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        let whose = tokens.iter().map(|token| match token.from {
            Speaker::User => 'u',
            Speaker::Model => 'm',
            Speaker::Template => 't',
        });
        let along = |concept: usize| -> Vec<Option<i64>> {
            let values = tokens.iter().map(|token| token.values.get(concept));
            values.map(|value| hundredths(f64::from(*value?))).collect()
        };
        json!([texts, whose.collect::<String>(), (0..words.concepts.len()).map(along).collect::<Vec<_>>()])
    };
    json!({ "concepts": words.concepts, "rounds": words.rounds.iter().map(round).collect::<Vec<_>>() })
}

/// A number in hundredths; none where it is undefined.
fn hundredths(value: f64) -> Option<i64> {
    value.is_finite().then(|| (value * 100.0).round() as i64)
}

/// Where the turns lie, relative to the run directory.
pub(super) fn turns_files(model: &str, task: &str, condition: &str) -> String {
    format!("{model}/{task}/{condition}/turns-*.jsonl")
}

/// A turn as `[user, answer, per-mille probabilities, choice, parsed, ended, agreeing orders, orders, before]`; what came
/// before the answer as `[user, answer, ended]` each.
fn row(item: &Item, turn: &Turn, order: &[usize], strings: &mut Strings) -> Value {
    let text = item.text();
    let user = match turn.user.split_once(&text).filter(|_| !text.is_empty()) {
        Some((before, after)) => json!([before, after]),
        None => json!(turn.user),
    };
    let given = turn.orders.first();
    let place = |option: Option<usize>| order.iter().position(|listed| Some(*listed) == option);
    let before = given.into_iter().flat_map(|given| &given.before);
    let before: Vec<Value> = before
        .map(|said| json!([strings.number(json!(said.user)), strings.number(json!(said.answer)), said.ended]))
        .collect();
    let agree = turn.orders.iter().filter(|order| most(&order.logprobs) == turn.choice).count();
    json!([
        strings.number(user),
        strings.number(json!(given.map_or("", |given| given.answer.as_str()))),
        order.iter().map(|&option| turn.logprobs.get(option).and_then(|p| per_mille(*p))).collect::<Vec<_>>(),
        place(turn.choice),
        place(given.and_then(|given| given.parsed)),
        given.is_none_or(|given| given.ended),
        agree,
        turn.orders.len(),
        before,
    ])
}

/// A probability in thousandths; none where it is undefined.
fn per_mille(logprob: f64) -> Option<u32> {
    let share = (logprob.exp() * 1000.0).round();
    (0.0..=1000.0).contains(&share).then_some(share as u32)
}

/// The place of the greatest value, the first of equals.
fn most(values: &[f64]) -> Option<usize> {
    (0..values.len()).rev().max_by(|&a, &b| values[a].total_cmp(&values[b]))
}

/// Texts, each kept once.
#[derive(Default)]
struct Strings {
    list: Vec<Value>,
    numbers: BTreeMap<String, usize>,
}

impl Strings {
    fn number(&mut self, text: Value) -> usize {
        let list = &mut self.list;
        *self.numbers.entry(text.to_string()).or_insert_with(|| {
            list.push(text);
            list.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, item, turn};
    use super::*;
    use crate::study::manifest::Manifest;

    #[test]
    fn a_question_is_embedded_once_and_turns_keep_their_meaning() {
        let items = [Item { format: Format::Letters, ..item("Who?") }];
        let manifest = Manifest {
            inputs: Value::Null,
            key: String::new(),
            checks: serde_json::Map::new(),
            figures: Vec::new(),
        };
        let mut turns = vec![turn(&items[0], 0, 0), turn(&items[0], 1, 2)];
        turns[1].orders[0].parsed = Some(1);
        turns[1].orders[0].ended = false;
        turns[1].orders[1].logprobs = vec![0.0, -1.0, -2.0];
        turns[1].logprobs = vec![f64::NAN, -20.0, 0.0];
        let entry = entry("c", &items, &turns);
        let data = block(&[&entry], &manifest.inputs);
        assert_eq!(data["strings"], json!([["Well: ", " Answer."], "Who?"]));
        assert_eq!(
            data["items"][0]["rounds"],
            json!([[
                [0, 1, [500, 250, 250], 0, null, true, 2, 2, []],
                [0, 1, [null, 0, 1000], 2, 1, false, 1, 2, []]
            ]])
        );
        assert_eq!((&data["items"][0]["blank"], &data["note"]), (&json!(false), &json!("")));
    }

    #[test]
    fn options_stand_as_the_shown_prompt_lists_them_and_reasoning_is_told() {
        let items = [Item { format: Format::Letters, ..item("Who?") }];
        let mut turn = turn(&items[0], 0, 0);
        turn.orders[0].order = vec![2, 0, 1];
        turn.orders[0].parsed = Some(1);
        let said = |text: &str| text.to_owned();
        turn.orders[0].before.push(crate::store::Exchange {
            user: said("Think."),
            new_ids: Vec::new(),
            answer_ids: Vec::new(),
            answer: said("Hm."),
            ended: false,
        });
        let turns = vec![turn];
        let entry = entry("c", &items, &turns);
        let data = block(&[&entry], &Value::Null);
        let row = &data["items"][0]["rounds"][0][0];
        assert_eq!((&row[2], &row[3], &row[4]), (&json!([250, 500, 250]), &json!(1), &json!(2)));
        let before = &row[8][0];
        let text = |at: usize| &data["strings"][before[at].as_u64().expect("a number") as usize];
        assert_eq!((text(0), text(1), &before[2]), (&json!("Think."), &json!("Hm."), &json!(false)));
        let roles: Vec<&Value> = (0..3).map(|at| &data["items"][0]["options"][at][1]).collect();
        let file: Vec<Value> = items[0].options.iter().map(|option| json!(option.role)).collect();
        assert_eq!(roles, [&file[2], &file[0], &file[1]]);
        assert_eq!(data["items"][0]["label"], json!(0));
    }

    #[test]
    fn a_big_task_is_cut_evenly_over_its_categories_and_says_so() {
        let named = |index: usize| Item {
            id: format!("i{index}"),
            category: if index < 1500 { "large" } else { "small" }.into(),
            ..item("Who?")
        };
        let items: Vec<Item> = (0..1550).map(named).collect();
        let turns: Vec<Turn> = items.iter().map(|item| turn(item, 0, 0)).collect();
        let entry = entry("c", &items, &turns);
        let data = block(&[&entry], &Value::Null);
        let kept: Vec<&str> =
            data["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_str()).collect();
        assert_eq!(kept.len(), ITEMS);
        assert_eq!((kept[0], kept[449], kept[450], kept[499]), ("i0", "i449", "i1500", "i1549"));
        let note = "This page holds 500 of 1,550 items, spread over the categories; the rest are in m/t/*/turns-*.jsonl.";
        assert_eq!(data["note"], note);
    }

    #[test]
    fn an_item_that_a_condition_did_not_reach_has_no_rounds_there() {
        let items = [Item { id: "a".into(), ..item("Who?") }, Item { id: "b".into(), ..item("Who?") }];
        let short = vec![turn(&items[0], 0, 0)];
        let long = vec![turn(&items[0], 0, 1), turn(&items[1], 0, 1)];
        let (first, second) = (entry("c", &items, &short), entry("d", &items, &long));
        let data = block(&[&first, &second], &Value::Null);
        assert_eq!(data["items"][1]["id"], "b");
        assert_eq!(data["items"][1]["rounds"].as_array().map(Vec::len), Some(2));
        assert_eq!(data["items"][1]["rounds"][0], json!([]));
    }

    #[test]
    fn scores_stand_with_their_items_in_hundredths() {
        let items = [Item { id: "a".into(), ..item("Who?") }, Item { id: "b".into(), ..item("Who?") }];
        let turns = [turn(&items[0], 0, 0), turn(&items[1], 0, 0)];
        let values = vec![0.25, -1.004, f64::NAN, 3.0];
        let scores = vec![ItemScores { concept: "kind", layer: 7, rounds: 2, values }];
        let entry = DialogueEntry { scores, ..entry("c", &items, &turns) };
        let data = block(&[&entry], &Value::Null);
        assert_eq!(data["concepts"], json!([{ "name": "kind", "layer": 7 }]));
        assert_eq!(data["items"][0]["scores"], json!([[[25, -100]]]));
        assert_eq!(data["items"][1]["scores"], json!([[[null, 300]]]));
    }

    #[test]
    fn words_keep_whose_they_are_and_their_values_by_concept() {
        let items = [Item { id: "a".into(), ..item("Who?") }];
        let turns = [turn(&items[0], 0, 0)];
        let word =
            |text: &str, from, values: [f32; 2]| WordScore { text: text.into(), from, values: values.into() };
        let round =
            vec![word("Who", Speaker::User, [0.5, -0.25]), word(" I", Speaker::Model, [2.0, f32::NAN])];
        let words = WordScores { concepts: vec!["kind".into(), "fair".into()], rounds: vec![round] };
        let entry = DialogueEntry { words: [("a".into(), words)].into(), ..entry("c", &items, &turns) };
        let data = block(&[&entry], &Value::Null);
        let expected = json!([["Who", " I"], "um", [[50, 200], [-25, null]]]);
        assert_eq!(
            data["items"][0]["words"],
            json!([{ "concepts": ["kind", "fair"], "rounds": [expected] }])
        );
    }
}

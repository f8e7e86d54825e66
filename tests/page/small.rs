//! The page of a small study, made from its parts.

use std::collections::BTreeMap;

use recant::dialogue::Speaker;
use recant::report::draw::Drawn;
use recant::report::finding::{Finding, Topic};
use recant::report::{DialogueEntry, ItemScores, Report, Table, WordScore, WordScores, html};
use recant::store::{OrderTurn, Turn};
use recant::study::manifest::Manifest;
use recant::task::{Choice, Format, Item, Role};
use serde_json::{Map, json};

/// Items of the task.
const ITEMS: usize = 30;

/// Items with options of three roles.
pub fn items(count: usize) -> Vec<Item> {
    let item = |n: usize| Item {
        id: format!("item-{n}"),
        group: format!("g{}", n / 2),
        category: if n.is_multiple_of(3) { "Age" } else { "Origin" }.into(),
        context: None,
        polarity: None,
        dimension: String::new(),
        passage: format!("Number {n} met number {}.", n + 1),
        question: "Who was late?".into(),
        options: [("The old man", Role::Stereotyped), ("The boy", Role::Other), ("Not known", Role::Unknown)]
            .map(|(text, role)| Choice { text: text.into(), role })
            .into(),
        format: Format::Letters,
        label: Some(2),
        target: Some(0),
        recorded: None,
    };
    (0..count).map(item).collect()
}

/// A round of an item; after the first the answer is right.
pub fn turn(item: &Item, round: usize, condition: &str) -> Turn {
    let choice = if round == 0 { 0 } else { 2 };
    let logprobs: Vec<f64> =
        (0..3).map(|option| if option == choice { 0.8_f64.ln() } else { 0.1_f64.ln() }).collect();
    let order = OrderTurn {
        order: vec![0, 1, 2],
        before: Vec::new(),
        new_ids: Vec::new(),
        answer_ids: Vec::new(),
        answer: format!("I say {choice}."),
        ended: true,
        logprobs: logprobs.clone(),
        answer_logprob: -1.0,
        texts: Vec::new(),
        parsed: Some(choice),
    };
    let (item, group, category) = (item.id.clone(), item.group.clone(), item.category.clone());
    let user = if round == 0 { "Please answer.".into() } else { format!("Think of {condition}.") };
    let (choice, orders) = (Some(choice), vec![order]);
    let (unconditional, samples) = (Vec::new(), Vec::new());
    Turn { item, group, category, round, user, logprobs, choice, unconditional, orders, samples }
}

fn turns(items: &[Item], condition: &str) -> Vec<Turn> {
    items.iter().flat_map(|item| [turn(item, 0, condition), turn(item, 1, condition)]).collect()
}

fn words() -> WordScores {
    let word =
        |text: &str, from, values: [f32; 2]| WordScore { text: text.into(), from, values: values.into() };
    let round = || {
        vec![
            word("Please", Speaker::User, [1.5, 0.0]),
            word(" answer", Speaker::User, [-1.5, f32::NAN]),
            word("I", Speaker::Model, [0.25, 1.0]),
        ]
    };
    WordScores { concepts: vec!["kind".into(), "fair".into()], rounds: vec![round(), round()] }
}

fn entry<'a>(condition: &'a str, items: &'a [Item], turns: &'a [Turn]) -> DialogueEntry<'a> {
    let values = |sign: f64| (0..2 * items.len()).map(|n| sign * (n % 5) as f64 - 1.25).collect();
    let score = |concept, sign| ItemScores { concept, layer: 3, rounds: 2, values: values(sign) };
    DialogueEntry {
        model: "base",
        task: "bbq",
        condition,
        items,
        turns,
        scores: vec![score("kind", 1.0), score("fair", -0.5)],
        words: BTreeMap::from([("item-0".into(), words())]),
    }
}

fn numbers() -> Table {
    let mut table = Table::new("behaviour", "Some numbers", &["name", "effect", "interval", "p"]);
    let rows = [
        ["baseline", "\u{2212}0.3", "[0.2, 0.4]", "<0.001"],
        ["negation", "10", "[-1.0, 0.4]", "0.001"],
        ["neutral", "", "[10, 11]", "0.2"],
        ["negation 2", "2.5", "", ">0.9"],
    ];
    table.rows = rows.iter().cycle().take(24).map(|row| row.map(str::to_owned).into()).collect();
    table
}

/// A table longer than what is there before it is opened.
fn long() -> Table {
    let mut table = Table::new("flips", "Many numbers", &["name", "n"]);
    table.rows = (0..100)
        .map(|n| vec![format!("row {n}"), if n == 99 { String::new() } else { n.to_string() }])
        .collect();
    table
}

/// The page of a small study. A figure is twice as high as wide, so that a print has more than one page.
pub fn page() -> String {
    let items = items(ITEMS);
    let (plain, negated) = (turns(&items, "nothing"), turns(&items, "the opposite"));
    let svg = |n: usize| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 200 400\" role=\"img\"><title>{n}</title>\
             <defs><clipPath id=\"a\"><rect width=\"99\" height=\"99\"/></clipPath></defs>\
             <g clip-path=\"url(#a)\"><circle r=\"{n}\"/></g></svg>"
        )
    };
    let names = ["behaviour-base", "concept-map-base", "shift-size", "lens-base"];
    let drawn = |(n, name): (usize, &&str)| Drawn {
        name: (*name).into(),
        caption: "A caption.".into(),
        svg: svg(n + 1),
    };
    let drawn: Vec<Drawn> = names.iter().enumerate().map(drawn).collect();
    let inputs = json!({ "conditions": { "baseline": { "about": "nothing is said" } } });
    let manifest = Manifest { inputs, key: "abc".into(), checks: Map::new(), figures: Vec::new() };
    let report = Report {
        title: "small",
        findings: vec![
            Finding::new(Topic::Answers, "It moved by +0.5 [0.2, 0.8].".into()).at("behaviour-base"),
            Finding::new(Topic::Shift, "Nothing moved.".into()).clear(false),
        ],
        cautions: vec!["A small study.".into()],
        own: Vec::new(),
        figures: Vec::new(),
        tables: vec![numbers(), long()],
        dialogues: vec![entry("baseline", &items, &plain), entry("negation", &items, &negated)],
        manifest: &manifest,
        methods: vec!["Two items were asked.".into()],
        cited: Vec::new(),
        references: "@misc{a}\n".into(),
    };
    html::page(&report, &drawn)
}

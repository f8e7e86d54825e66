use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::packed::tests::opened;
use super::svg::end_of_tag;
use super::tables::LONG;
use super::text::grouped;
use super::*;
use crate::dialogue::Speaker;
use crate::report::finding::{Finding, Topic};
use crate::report::{DialogueEntry, ItemScores, Table, WordScore, WordScores};
use crate::store::{OrderTurn, Turn};
use crate::study::manifest::Manifest;
use crate::task::{Choice, Context, Format, Item, Role};

const HOSTILE: &str = "</script><script>x</script><!--<b a=\"1\" c='2'>&amp;</style></details>";
const SVG: &str = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 240 100\" role=\"img\">\
    <defs><clipPath id=\"a\"><rect width=\"9\" height=\"9\"/></clipPath></defs><!-- a > b -->\
    <g clip-path=\"url(#a)\" aria-label=\"1 > 0\"><use href=\"#a\"/><text x='1'>n &lt; 3</text></g></svg>\n";

pub(super) fn item(text: &str) -> Item {
    let roles = [Role::Stereotyped, Role::Other, Role::Unknown];
    Item {
        id: text.into(),
        group: text.into(),
        category: text.into(),
        context: Some(Context::Ambig),
        polarity: None,
        dimension: String::new(),
        passage: String::new(),
        question: text.into(),
        options: roles.map(|role| Choice { text: text.into(), role }).into(),
        format: Format::Blank { before: text.into() },
        label: Some(2),
        target: Some(0),
        recorded: None,
    }
}

pub(super) fn turn(item: &Item, round: usize, choice: usize) -> Turn {
    let logprobs: Vec<f64> =
        (0..3).map(|option| if option == choice { 0.5_f64.ln() } else { 0.25_f64.ln() }).collect();
    let order = |order: [usize; 3]| OrderTurn {
        order: order.into(),
        new_ids: vec![1],
        answer_ids: vec![2],
        answer: item.text(),
        ended: true,
        logprobs: logprobs.clone(),
        before: Vec::new(),
        answer_logprob: -1.0,
        texts: Vec::new(),
        parsed: None,
    };
    Turn {
        item: item.id.clone(),
        group: item.group.clone(),
        category: item.category.clone(),
        round,
        user: format!("Well: {} Answer.", item.text()),
        choice: Some(choice),
        unconditional: Vec::new(),
        orders: vec![order([0, 1, 2]), order([1, 2, 0])],
        samples: Vec::new(),
        logprobs,
    }
}

fn hostile() -> (Vec<Item>, Manifest) {
    let inputs = json!({
        "study": { "models": [{ "name": HOSTILE }], "dialogue": { "conditions": [HOSTILE], "rounds": 2 } },
        "conditions": { HOSTILE: { "about": HOSTILE } },
    });
    (
        vec![item(HOSTILE)],
        Manifest { inputs, key: HOSTILE.into(), checks: serde_json::Map::new(), figures: Vec::new() },
    )
}

fn said(items: &[Item]) -> Vec<Turn> {
    items.iter().flat_map(|item| [turn(item, 0, 0), turn(item, 1, 2)]).collect()
}

fn drawn() -> Vec<Drawn> {
    let figure = || Drawn { name: HOSTILE.into(), caption: HOSTILE.into(), svg: SVG.into() };
    vec![figure(), figure()]
}

fn words() -> WordScores {
    let word = |from, value| WordScore { text: HOSTILE.into(), from, values: vec![value] };
    let round = vec![word(Speaker::User, 0.5), word(Speaker::Model, -2.0)];
    WordScores { concepts: vec![HOSTILE.into()], rounds: vec![round, Vec::new()] }
}

/// The dialogues of a model under a condition, without scores.
pub(super) fn entry<'a>(condition: &'a str, items: &'a [Item], turns: &'a [Turn]) -> DialogueEntry<'a> {
    let (scores, words) = (Vec::new(), BTreeMap::new());
    DialogueEntry { model: "m", task: "t", condition, items, turns, scores, words }
}

fn full<'a>(items: &'a [Item], turns: &'a [Turn], manifest: &'a Manifest) -> Report<'a> {
    let mut long = Table::new(HOSTILE, HOSTILE, &[HOSTILE, "n"]);
    long.rows = vec![vec![HOSTILE.into(), "3".into()], vec![String::new(), String::new()]];
    let short = long.clone();
    long.rows.resize(LONG, vec![HOSTILE.into(), "<0.001".into()]);
    Report {
        title: HOSTILE,
        findings: vec![Finding::new(Topic::Answers, HOSTILE.into()).at(HOSTILE)],
        cautions: vec![HOSTILE.into()],
        own: Vec::new(),
        figures: Vec::new(),
        tables: vec![short, long],
        dialogues: vec![DialogueEntry {
            model: HOSTILE,
            task: HOSTILE,
            scores: vec![ItemScores { concept: HOSTILE, layer: 3, rounds: 2, values: vec![0.5, -1.25] }],
            words: BTreeMap::from([(HOSTILE.into(), words())]),
            ..entry(HOSTILE, items, turns)
        }],
        manifest,
        methods: vec![],
        cited: Vec::new(),
        references: String::new(),
    }
}

/// The opening tags of a page, after checking that every element is closed where it should be. Scripts and styles
/// end where a browser ends them.
fn tags(html: &str) -> Vec<String> {
    let (mut rest, mut open, mut all) = (html, Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        let tag = &rest[start..start + end_of_tag(&rest[start..]).expect("a tag without an end")];
        rest = &rest[start + tag.len()..];
        if let Some(name) = tag.strip_prefix("</") {
            assert_eq!(open.pop(), Some(name.trim_end_matches('>').to_owned()), "before {rest:.80}");
            continue;
        }
        let name = tag[1..].split([' ', '>', '/', '\n']).next().unwrap_or_default().to_owned();
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!'), "{tag}");
        all.push(tag.to_owned());
        if tag.ends_with("/>") || matches!(name.as_str(), "!DOCTYPE" | "meta" | "input" | "img") {
            continue;
        }
        if matches!(name.as_str(), "script" | "style") {
            let end = format!("</{name}");
            rest = &rest[rest.find(&end).expect("an end")..];
        }
        open.push(name);
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

fn attributes(tags: &[String], name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let value =
        |tag: &String| tag.split_once(&start).and_then(|(_, rest)| rest.split('"').next().map(str::to_owned));
    tags.iter().filter_map(value).collect()
}

/// What the reader reads of the first model and task.
fn data(html: &str) -> Value {
    serde_json::from_str(&opened(html, "dialogues")[0]).expect("JSON")
}

#[test]
fn hostile_text_in_every_field_stays_text() {
    let (items, manifest) = hostile();
    let said = said(&items);
    let html = page(&full(&items, &said, &manifest), &drawn());
    let tags = tags(&html);
    assert!(!tags.iter().any(|tag| tag.starts_with("<b a")), "the text opened an element");
    let scripts = |of: &str| tags.iter().filter(|tag| tag.starts_with("<script") && tag.contains(of)).count();
    assert_eq!((scripts("\"drawing\""), scripts("\"dialogues\""), scripts("")), (2, 1, 4), "and one of code");
    assert_eq!(html.matches("<!--").count(), 0);
    let data = data(&html);
    assert_eq!(data["items"][0]["text"], HOSTILE);
    assert_eq!(data["conditions"][0], json!({ "name": HOSTILE, "about": HOSTILE }));
}

#[test]
fn the_page_loads_nothing() {
    let (items, manifest) = hostile();
    let said = said(&items);
    let html = page(&full(&items, &said, &manifest), &drawn());
    let tags = tags(&html);
    for name in ["src", "href", "action", "srcset", "data"] {
        for address in attributes(&tags, name) {
            let local =
                ["#", "figures/", "tables/", "manifest.json"].iter().any(|start| address.starts_with(start));
            assert!(local && !address.contains("//"), "{address}");
        }
    }
    let drawings = opened(&html, "drawing").concat();
    assert!(drawings.contains("<use"), "{drawings}");
    let rest = (html + &drawings).replace("\"http://www.w3.org/2000/svg\"", "");
    for word in
        ["http:", "https:", "@import", "url(h", "url(/", "fetch(", "XMLHttpRequest", "eval(", "innerHTML"]
    {
        assert!(!rest.contains(word), "{word}");
    }
}

#[test]
fn ids_are_unique_and_every_local_link_has_its_target() {
    let (items, manifest) = hostile();
    let said = said(&items);
    let html = page(&full(&items, &said, &manifest), &drawn());
    let tags = tags(&html);
    let ids = attributes(&tags, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for link in attributes(&tags, "href").iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.iter().any(|id| id == link), "{link}");
    }
    for (n, drawing) in opened(&html, "drawing").iter().enumerate() {
        let id = format!("f{}-a", n + 1);
        for place in [format!("id=\"{id}\""), format!("url(#{id})"), format!("<use href=\"#{id}\"/>")] {
            assert_eq!(drawing.matches(&place).count(), 1, "{place}");
        }
    }
    for label in attributes(&tags, "aria-labelledby") {
        assert!(ids.contains(&label), "{label}");
    }
}

#[test]
fn the_same_study_gives_the_same_page() {
    let (items, manifest) = hostile();
    let said = said(&items);
    let full = || full(&items, &said, &manifest);
    assert_eq!(page(&full(), &drawn()), page(&full(), &drawn()));
}

#[test]
fn what_a_study_lacks_leaves_no_heading() {
    let manifest = Manifest {
        inputs: Value::Null,
        key: String::new(),
        checks: serde_json::Map::new(),
        figures: Vec::new(),
    };
    let empty = Report {
        title: "bare",
        findings: Vec::new(),
        cautions: Vec::new(),
        own: Vec::new(),
        figures: Vec::new(),
        tables: Vec::new(),
        dialogues: Vec::new(),
        manifest: &manifest,
        methods: vec![],
        cited: Vec::new(),
        references: String::new(),
    };
    let html = page(&empty, &[]);
    let tags = tags(&html);
    assert!(
        !tags
            .iter()
            .any(|tag| tag.starts_with("<section") || tag.starts_with("<h2") || tag.starts_with("<nav"))
    );
    let (items, manifest) = hostile();
    let said = said(&items);
    let one = page(&Report { tables: Vec::new(), ..full(&items, &said, &manifest) }, &[]);
    assert!(
        !one.contains("href=\"#tables\"")
            && !one.contains("id=\"figures\"")
            && one.contains("id=\"dialogues\"")
    );
}

#[test]
fn long_tables_are_folded_and_say_how_long() {
    let (items, manifest) = hostile();
    let said = said(&items);
    let html = page(&full(&items, &said, &manifest), &drawn());
    assert_eq!(html.matches(&format!("<summary>{LONG} rows</summary>")).count(), 1);
    assert_eq!(
        (grouped(7), grouped(1640), grouped(1_000_000)),
        ("7".into(), "1,640".into(), "1,000,000".into())
    );
}

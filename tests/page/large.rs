//! The page of a large study: 500 items, four conditions, five rounds, words and drawings that do not repeat.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recant::report::draw::Drawn;
use recant::report::{DialogueEntry, ItemScores, Report, html};
use recant::store::Turn;
use recant::study::manifest::Manifest;
use recant::task::Item;
use serde_json::{Map, Value};

use crate::small;

const ITEMS: usize = 500;
const ROUNDS: usize = 5;
const CONDITIONS: [&str; 4] = ["baseline", "specificity-1", "negation", "neutral"];
/// Drawings, and places of each: about what 30 layers, four conditions and two concepts take.
const FIGURES: usize = 70;
const PLACES: usize = 4000;

/// Numbers that look drawn by lot, always the same.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Words of two to nine letters.
    fn words(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            let letters = 2 + self.below(8);
            text.extend((0..letters).map(|_| char::from(b'a' + self.below(26) as u8)));
            text.push(' ');
        }
        text
    }
}

fn items(lot: &mut Lot) -> Vec<Item> {
    let mut items = small::items(ITEMS);
    items.iter_mut().for_each(|item| item.passage = lot.words(40));
    items
}

fn turns(items: &[Item], lot: &mut Lot) -> Vec<Turn> {
    let mut all = Vec::new();
    for item in items {
        for round in 0..ROUNDS {
            let mut turn = small::turn(item, round, "");
            turn.user = lot.words(12);
            turn.orders[0].answer = lot.words(20);
            all.push(turn);
        }
    }
    all
}

fn drawing(lot: &mut Lot) -> String {
    let mut svg =
        String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 450 300\"><path d=\"M0 0");
    for _ in 0..PLACES {
        let _ = write!(svg, "L{}.{} {}.{}", lot.below(450), lot.below(100), lot.below(300), lot.below(100));
    }
    svg + "\" fill=\"none\" stroke=\"#000000\"/></svg>"
}

/// The page.
pub fn page() -> String {
    let mut lot = Lot(7);
    let items = items(&mut lot);
    let said: Vec<(&str, Vec<Turn>)> =
        CONDITIONS.iter().map(|&condition| (condition, turns(&items, &mut lot))).collect();
    let scores = |lot: &mut Lot| {
        let values = (0..ITEMS * ROUNDS).map(|_| lot.below(900) as f64 / 100.0 - 4.5).collect();
        ItemScores { concept: "stereotype", layer: 9, rounds: ROUNDS, values }
    };
    let dialogues = said
        .iter()
        .map(|(condition, turns)| DialogueEntry {
            model: "base",
            task: "bbq",
            condition,
            items: &items,
            turns,
            scores: vec![scores(&mut lot)],
            words: BTreeMap::new(),
        })
        .collect();
    let mut lot = Lot(11);
    let drawn: Vec<Drawn> = (0..FIGURES)
        .map(|n| Drawn {
            name: format!("behaviour-{n}"),
            caption: "A caption.".into(),
            svg: drawing(&mut lot),
        })
        .collect();
    let manifest =
        Manifest { inputs: Value::Null, key: "abc".into(), checks: Map::new(), figures: Vec::new() };
    let report = Report {
        title: "large",
        findings: Vec::new(),
        cautions: Vec::new(),
        own: Vec::new(),
        figures: Vec::new(),
        tables: Vec::new(),
        dialogues,
        manifest: &manifest,
        methods: Vec::new(),
        cited: Vec::new(),
        references: String::new(),
    };
    html::page(&report, &drawn)
}

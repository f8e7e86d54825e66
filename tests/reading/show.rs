//! `recant show RUN`.

use std::fs;

use serde_json::Value;

use crate::common::study::Desk;
use crate::common::succeed;
use crate::{copy, finished, text};

fn said(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn a_finished_run_is_told_within_the_width_and_with_its_own_numbers() {
    let (desk, run) = finished();
    for width in ["60", "100"] {
        let shown = said(&succeed(desk.recant(&["show", "run"]).env("COLUMNS", width)));
        let most: usize = width.parse().expect("a number");
        let long = shown.lines().find(|line| line.chars().count() > most);
        assert_eq!(long, None, "at {width} columns");
        assert!(!shown.contains('\x1b'), "no colour into a pipe");
        assert!(!shown.contains("not finished"), "{shown}");
    }
    let shown = said(&succeed(desk.recant(&["show", "run"]).env("COLUMNS", "60")));
    let probes: Value = serde_json::from_str(&text(&run.join("probes/tiny/kind.json"))).expect("probes");
    let best = probes["best_layer"].as_u64().expect("a layer");
    let layers = probes["layers"].as_array().expect("layers");
    let auroc = layers[best as usize]["cv"]["auroc"]["value"].as_f64().expect("an AUROC");
    assert!(shown.contains(&format!("tiny · kind: {auroc:.2}")), "{shown}");
    assert!(shown.contains(&format!("at layer {best},")), "{shown}");
    let blocks = |line: &str| line.trim_start().chars().take_while(|c| ('▁'..='█').contains(c)).count();
    assert!(shown.lines().any(|line| blocks(line) == layers.len()), "a block a layer: {shown}");

    let whole: Value =
        serde_json::from_str(&said(&succeed(&mut desk.recant(&["show", "run", "--json"])))).expect("JSON");
    assert_eq!(whole["concepts"][0]["layers"].as_array().map(Vec::len), Some(layers.len()));
    let table = text(&run.join("tables/behaviour.csv"));
    let first: Vec<&str> = table.lines().nth(1).expect("a row").split(',').collect();
    let value = &whole["answers"][0]["rounds"][0][0];
    assert_eq!(format!("{:.4}", value.as_f64().expect("a value")), first[6], "{table}");
    assert!(!whole["findings"].as_array().expect("findings").is_empty());
}

#[test]
fn a_run_that_is_not_finished_says_how_far_it_is() {
    let (_, run) = finished();
    let desk = Desk::new();
    copy(&run, &desk.at("part"));
    let part = desk.at("part");
    for name in ["tables", "probes", "figures"] {
        fs::remove_dir_all(part.join(name)).expect("removed");
    }
    for name in ["report.html", "findings.jsonl", "tiny/winogender/negation/turns-00001.jsonl"] {
        fs::remove_file(part.join(name)).expect("removed");
    }
    let shown = said(&succeed(desk.recant(&["show", "part"]).env("COLUMNS", "60")));
    assert!(shown.contains("not finished"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    assert!(
        shown.lines().any(|line| line.contains("tiny winogender") && line.ends_with("1 of 2 shards")),
        "{shown}"
    );
    assert!(
        shown.lines().any(|line| line.contains("tiny bbq") && line.ends_with("3 of 3 shards")),
        "{shown}"
    );

    let refused = desk.recant(&["show", "model"]).output().expect("the binary starts");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is not a run directory"), "{said}");
}

//! Concepts, from spec files to what gives their labels away.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use common::study::Desk;
use common::{recant, succeed, tiny};
use recant::analysis::leaks::{self, Check, Settings, leaks};
use recant::task::concept::{self, BUILT_IN, Concept, Statement, Wanted};
use serde_json::Value;
use tempfile::TempDir;

const SETTINGS: Settings = Settings { folds: 5, bootstrap: 200, permutations: 0, seed: 0 };

fn built_in(name: &str) -> Concept {
    concept::load(&Wanted { name, ..Wanted::default() }).expect("a built-in concept")
}

/// A concept of a public set, which is no part of the repository.
fn public(name: &str, folder: &str, limit: usize) -> Option<Concept> {
    let root = std::env::var_os("RECANT_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let data = root.join("data").join(folder);
    if !data.exists() {
        eprintln!("skipped: needs data/{folder} in the directory that RECANT_SHARED names");
        return None;
    }
    let wanted = Wanted { name, data: Some(&data), limit: Some(limit), ..Wanted::default() };
    Some(concept::load(&wanted).expect("a concept"))
}

fn groups(concept: &Concept) -> BTreeMap<&str, Vec<&Statement>> {
    let mut groups: BTreeMap<&str, Vec<&Statement>> = BTreeMap::new();
    for statement in &concept.statements {
        groups.entry(&statement.group).or_default().push(statement);
    }
    groups
}

/// How much more often each word stands with label 1 than with label 0.
fn surplus<'a>(statements: impl IntoIterator<Item = &'a &'a Statement>) -> HashMap<String, i64> {
    let mut surplus = HashMap::new();
    for statement in statements {
        let text = statement.text.to_lowercase();
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()) {
            *surplus.entry(word.to_owned()).or_default() += if statement.positive { 1 } else { -1 };
        }
    }
    surplus.retain(|_, surplus| *surplus != 0);
    surplus
}

fn check(concept: &Concept) -> Check {
    leaks::check(concept, SETTINGS).expect("a check")
}

#[test]
fn the_list_names_every_built_in_concept_and_what_it_needs() {
    let output = succeed(recant().args(["concept", "list", "--json"])).stdout;
    let list: Vec<Value> = serde_json::from_slice(&output).expect("JSON");
    let names: Vec<&str> = list.iter().filter_map(|entry| entry["name"].as_str()).collect();
    assert_eq!(names, BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for entry in &list {
        assert_eq!(entry["n"].is_null(), entry["needs_data"] == true, "{entry}");
    }
    let plain = String::from_utf8(succeed(recant().args(["concept", "list"])).stdout).expect("text");
    assert!(names.iter().all(|name| plain.contains(name)), "{plain}");
}

#[test]
fn in_the_sets_of_the_program_every_word_of_a_family_stands_with_both_labels() {
    for name in ["stereotype", "morality"] {
        let concept = built_in(name);
        for (group, texts) in groups(&concept) {
            let positive = texts.iter().filter(|text| text.positive).count();
            assert_eq!((texts.len(), positive), (4, 2), "{group}");
            assert_eq!(surplus(&texts), HashMap::new(), "{group}");
        }
        assert!(concept.statements.len() <= 600, "{name} is read by every demo");
    }
}

#[test]
fn every_dimension_and_family_has_eight_groups_and_words_alone_at_chance() {
    let dimensions = [
        "gender",
        "age",
        "disability",
        "nationality",
        "appearance",
        "religion",
        "orientation",
        "race",
        "class",
    ];
    let families = ["harm", "fairness", "loyalty", "authority", "purity"];
    for (name, categories) in [("stereotype", &dimensions[..]), ("morality", &families)] {
        let whole = check(&built_in(name));
        assert!((whole.words.auroc.value.expect("defined") - 0.5).abs() < 0.05, "{name}");
        assert!(!leaks(&whole.words, None), "{name}: {:?}", whole.words.auroc);
        assert_eq!(whole.problems(), Vec::<String>::new(), "{name}");
        for category in categories {
            let categories = [(*category).to_owned()];
            let wanted = Wanted { name, categories: &categories, ..Wanted::default() };
            let part = concept::load(&wanted).expect("a category");
            assert!(groups(&part).len() >= 8, "{category}");
            assert!(part.statements.iter().all(|text| text.category == *category));
            let words = check(&part).words.auroc.value.expect("defined");
            assert!((words - 0.5).abs() < 0.1, "{category}: {words}");
        }
    }
}

#[test]
fn public_sets_have_label_1_where_their_spec_says() {
    // (concept, folder, texts, of them label 1)
    let cases = [
        ("crows-pairs", "crows_pairs", 3016, 1508),
        ("winobias", "winobias", 1584, 792),
        ("moral-stories", "moral_stories", 2000, 1000),
        ("toxicity", "realtoxicityprompts", 3000, 1500),
    ];
    for (name, folder, n, positive) in cases {
        let Some(concept) = public(name, folder, usize::MAX) else { continue };
        let found = concept.statements.iter().filter(|text| text.positive).count();
        assert_eq!((concept.statements.len(), found), (n, positive), "{name}");
    }
}

#[test]
fn the_senses_of_the_ethics_files_are_turned_to_wrong_and_unreasonable() {
    for (name, part, column, one_in_file) in [
        ("ethics-commonsense", "commonsense/cm_test_short.csv", "input", true),
        ("ethics-justice", "justice/justice_test.csv", "scenario", false),
        ("ethics-deontology", "deontology/deontology_test.csv", "excuse", false),
    ] {
        let Some(concept) = public(name, "ethics", usize::MAX) else { return };
        let mixed = |texts: &&Vec<&Statement>| texts.iter().any(|text| text.positive != texts[0].positive);
        let all = groups(&concept);
        assert!(all.values().filter(mixed).count() * 4 > all.len() * 3, "{name}: twins share a group");
        let root = std::env::var_os("RECANT_SHARED").map(PathBuf::from);
        let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
        let mut file = csv::Reader::from_path(root.join("data/ethics").join(part)).expect("the file");
        let header = file.headers().expect("a header").clone();
        let at = |name: &str| header.iter().position(|column| column == name).expect("a column");
        let (label, text) = (at("label"), at(column));
        for (statement, record) in concept.statements.iter().zip(file.records()) {
            let record = record.expect("a record");
            assert!(statement.text.contains(record[text].trim()), "{name}: {}", statement.id);
            assert_eq!(
                statement.positive,
                (&record[label] == "1") == one_in_file,
                "{name}: {}",
                statement.id
            );
        }
    }
}

#[test]
fn crossed_pairs_keep_words_alone_at_chance_where_they_read_the_whole_set() {
    let Some(whole) = public("crows-pairs", "crows_pairs", usize::MAX) else { return };
    let Some(crossed) = public("crows-pairs-crossed", "crows_pairs", usize::MAX) else { return };
    let (before, after) = (check(&whole).words, check(&crossed).words);
    assert!(leaks(&before, None) && before.auroc.value > Some(0.75), "{:?}", before.auroc);
    assert!(!leaks(&after, None) && after.auroc.value < Some(0.6), "{:?}", after.auroc);
    assert!(crossed.statements.len() >= 200);
    for (group, texts) in groups(&crossed) {
        assert_eq!(surplus(&texts), HashMap::new(), "{group}");
    }
    assert!(crossed.statements.iter().all(|text| whole.statements.iter().any(|other| other.id == text.id)));
}

/// A spec and its data in a directory of their own.
struct Own(TempDir);

const SPEC: &str = r#"name = "gossip"
description = "Whether a remark is about somebody's private life."
positive = "the remark is gossip"
source = "gossip.csv"
template = "raw"
position = "mean"

[fields]
text = "sentence"
label = "verdict"
group = "speaker"
category = "topic"

[label]
positive = ["gossip"]
negative = ["news"]
"#;

impl Own {
    /// The spec with words replaced, each of which must be there; speakers 0 to 19 say four remarks each.
    fn new(changes: &[(&str, &str)], remark: impl Fn(usize, usize) -> String) -> Self {
        let own = Self(TempDir::new().expect("a directory"));
        let mut spec = SPEC.to_owned();
        for (old, new) in changes {
            assert!(spec.contains(old), "the spec does not hold {old:?}");
            spec = spec.replacen(old, new, 1);
        }
        fs::write(own.at("gossip.toml"), spec).expect("written");
        let mut data = "sentence,verdict,speaker,topic\n".to_owned();
        for speaker in 0..20 {
            for turn in 0..4 {
                let verdict = if turn % 2 == 0 { "gossip" } else { "news" };
                let topic = if speaker < 10 { "work" } else { "love" };
                data += &format!("\"{}\",{verdict},s{speaker},{topic}\n", remark(speaker, turn));
            }
        }
        fs::write(own.at("gossip.csv"), data).expect("written");
        own
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> recant::Result<Concept> {
        concept::load(&Wanted { path: Some(&self.at("gossip.toml")), ..Wanted::default() })
    }

    fn check(&self) -> Value {
        let output = succeed(recant().current_dir(self.0.path()).args([
            "concept",
            "check",
            "gossip.toml",
            "--json",
            "--permutations",
            "49",
        ]));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn refused(&self, parts: &[&str]) {
        let output = recant().current_dir(self.0.path()).args(["concept", "check", "gossip.toml"]).output();
        let output = output.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert!(said.starts_with("error: ") && said.lines().count() <= 2, "{said}");
        parts.iter().for_each(|part| assert!(said.contains(part), "{part:?} is missing: {said}"));
    }
}

/// Families of four: who did what is crossed with whom it was told of.
fn crossed_remark(speaker: usize, turn: usize) -> String {
    let (who, what) = [(0, 0), (1, 0), (1, 1), (0, 1)][turn];
    let who = ["Ann", "the firm"][who];
    let what = ["is in love again", "is in debt again"][what];
    let numbers = ["one", "two", "three", "four", "five"];
    format!("Remark {} {}: they say {who} surely {what}.", numbers[speaker % 5], numbers[speaker / 5])
}

#[test]
fn a_concept_of_the_users_own_needs_a_table_and_a_spec() {
    let own = Own::new(&[], crossed_remark);
    let concept = own.load().expect("a concept");
    assert_eq!((concept.statements.len(), groups(&concept).len()), (80, 20));
    let first = &concept.statements[0];
    let seen = (first.id.as_str(), first.group.as_str(), first.category.as_str(), first.positive);
    assert_eq!(seen, ("1", "s0", "work", true));
    assert_eq!(first.text, "Remark one one: they say Ann surely is in love again.");
    let found = own.check();
    assert_eq!(found["verdict"], "clean", "{found:#}");
    assert_eq!(found["categories"]["love"]["groups"], 10);
}

#[test]
fn tsv_and_json_lines_hold_the_same_concept_as_csv() {
    let own = Own::new(&[], crossed_remark);
    let csv = own.load().expect("a concept");
    let text = fs::read_to_string(own.at("gossip.csv")).expect("data");
    fs::write(own.at("gossip.tsv"), text.replace(',', "\t")).expect("written");
    let mut json = String::new();
    for statement in &csv.statements {
        let verdict = if statement.positive { "gossip" } else { "news" };
        let line = serde_json::json!({
            "sentence": statement.text, "about": { "verdict": verdict }, "speaker": statement.group,
            "topic": statement.category,
        });
        json += &format!("{line}\n");
    }
    fs::write(own.at("gossip.jsonl"), json).expect("written");
    for (source, label) in [("gossip.tsv", "verdict"), ("gossip.jsonl", "about.verdict")] {
        let spec = SPEC.replace("gossip.csv", source).replace("\"verdict\"", &format!("\"{label}\""));
        fs::write(own.at("gossip.toml"), spec).expect("written");
        assert_eq!(own.load().expect("a concept").statements, csv.statements, "{source}");
    }
}

#[test]
fn a_wrong_spec_is_refused_by_file_line_and_key() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("source = \"gossip.csv\"", "source = \"gossip.xls\"", &["gossip.xls"]),
        (
            "source = \"gossip.csv\"",
            "source = \"task:bqq\"",
            &["gossip.toml: line 4: source: ", "`bqq`", "bbq"],
        ),
        ("template = \"raw\"", "template = \"row\"", &["gossip.toml: line 5: template: ", "row"]),
        (
            "template = \"raw\"",
            "rows = \"options\"\ntemplate = \"raw\"",
            &["line 5: rows: belongs to a task"],
        ),
        (
            "template = \"raw\"",
            "variant = \"dev\"\ntemplate = \"raw\"",
            &["line 5: variant: belongs to a task"],
        ),
        ("position = \"mean\"", "position = \"mean\"\nlimit = 0", &["line 7: limit: must be at least 1"]),
        ("position = \"mean\"", "position = \"mean\"\nlimit = 3", &["line 7: limit: 3 texts are fewer"]),
        ("position = \"mean\"", "position = \"mean\"\nbalance = \"crossed\"", &["line 7: balance: no pairs"]),
        ("positive = \"the remark is gossip\"", "positive = \" \"", &["line 3: positive: is empty"]),
        (
            "text = \"sentence\"",
            "text = \"sentnce\"",
            &["line 9: fields.text: no row of gossip.csv has \"sentnce\"", "hint: ", "verdict"],
        ),
        ("text = \"sentence\"", "text = \"{sentence\"", &["line 9: fields.text: a brace of"]),
        ("text = \"sentence\"", "txt = \"sentence\"", &["line 9: fields.txt: unknown field `txt`"]),
        (
            "group = \"speaker\"",
            "group = \"speeker\"",
            &["line 11: fields.group: no row of gossip.csv has \"speeker\""],
        ),
        ("negative = [\"news\"]", "", &["line 14: label: negative is missing", "hint: "]),
        (
            "negative = [\"news\"]",
            "negative = [\"gossip\"]",
            &["line 15: label.positive: \"gossip\" stands for both labels"],
        ),
        (
            "negative = [\"news\"]",
            "negative = [\"knews\"]",
            &["gossip.csv: line 3: \"verdict\" is \"news\", neither", "hint: "],
        ),
        ("negative = [\"news\"]", "at_least = 0.5", &["line 16: label.at_least: stands beside lists"]),
        (
            "positive = [\"gossip\"]\nnegative = [\"news\"]",
            "at_least = 0.5",
            &["gossip.csv: line 2: \"verdict\" is \"gossip\", no number"],
        ),
        (
            "positive = [\"gossip\"]\nnegative = [\"news\"]",
            "",
            &["gossip.csv: line 2: \"verdict\" must be 0 or 1"],
        ),
        (
            "[label]",
            "[only]\ntopik = [\"work\"]\n\n[label]",
            &["line 15: only.topik: no row of gossip.csv has \"topik\""],
        ),
        ("[label]", "[only]\ntopic = []\n\n[label]", &["line 15: only.topic: lists no value"]),
        ("[label]", "[only]\nverdict = [\"news\"]\n\n[label]", &["gossip.csv: needs texts of both labels"]),
    ];
    for (good, bad, parts) in cases {
        Own::new(&[(good, bad)], crossed_remark).refused(parts);
    }
}

#[test]
fn wrong_data_is_refused_by_file_and_line() {
    let own = Own::new(&[], crossed_remark);
    let text = fs::read_to_string(own.at("gossip.csv")).expect("data");
    for (good, bad, part) in [
        (",gossip,s0,work", ",gossip,s0", "gossip.csv:2: 3 fields where the first line has 4"),
        (",gossip,s0,work", ",gossip,,work", "gossip.csv: line 2: \"speaker\" is missing"),
        ("\"Remark one", "Remark one", "gossip.csv: a quotation mark is opened and never closed"),
    ] {
        fs::write(own.at("gossip.csv"), text.replacen(good, bad, 1)).expect("written");
        own.refused(&[part]);
    }
    fs::remove_file(own.at("gossip.csv")).expect("removed");
    own.refused(&["gossip.csv: No such file"]);
    let output = recant().args(["concept", "check", "crows-pairs"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("needs your copy of crows-pairs") && said.contains("--path"), "{said}");
    let output = recant().args(["concept", "check", "stereotype", "--categories", "wealth"]).output();
    let said = String::from_utf8_lossy(&output.expect("the binary starts").stderr).into_owned();
    assert!(said.contains("has no category \"wealth\"") && said.contains("orientation"), "{said}");
}

#[test]
fn a_word_that_goes_with_the_label_is_found() {
    let own = Own::new(&[], |speaker, turn| {
        let hint = if turn % 2 == 0 && speaker % 4 != 0 { " whispered" } else { "" };
        format!("{}{hint}", crossed_remark(speaker, turn))
    });
    let found = own.check();
    assert_eq!(found["verdict"], "leaks", "{found:#}");
    assert!(found["words_auroc"]["ci"][0].as_f64() > Some(0.6), "{found:#}");
    assert_eq!(found["words_auroc"]["permutation_p"], 0.02);
    let best = &found["giveaways"][0];
    assert!(best["term"].as_str().is_some_and(|term| term.contains("whispered")), "{best}");
    assert_eq!((&best["positive"], &best["negative"]), (&30.into(), &0.into()));
}

#[test]
fn a_text_that_stands_in_two_groups_is_found() {
    let twin = |speaker: usize, turn: usize| match (speaker, turn) {
        (3, 0) => crossed_remark(7, 0).to_uppercase(),
        // All but the first words are those of another group.
        (4, 1) => format!("{} Or so they say, and who would know better than they do?", crossed_remark(4, 1)),
        (5, 1) => format!("{} Or so they say, and who would know better than they do?", crossed_remark(4, 1))
            .replace("Remark five", "Quip nine"),
        _ => crossed_remark(speaker, turn),
    };
    let found = Own::new(&[], twin).check();
    assert_eq!(found["verdict"], "leaks", "{found:#}");
    assert!(
        found["problems"][0]
            .as_str()
            .is_some_and(|text| text.contains("2 texts are the same in different groups"))
    );
    let twins = found["twins"].as_array().expect("a list");
    let of = |ids: [&str; 2]| twins.iter().find(|twins| twins["ids"] == serde_json::json!(ids));
    let same = of(["13", "29"]).expect("the same text");
    assert_eq!(
        (&same["same"], &same["across_groups"], &same["across_labels"]),
        (&true.into(), &true.into(), &false.into())
    );
    let near = of(["18", "22"]).expect("a near text");
    assert_eq!(near["same"], false);
    assert!(near["similarity"].as_f64() >= Some(0.8));
}

#[test]
fn a_text_with_both_labels_is_found_within_a_group() {
    let found = Own::new(&[], |speaker, turn| {
        crossed_remark(speaker, if (speaker, turn) == (2, 1) { 0 } else { turn })
    })
    .check();
    let problems = found["problems"].to_string();
    assert!(problems.contains("2 texts are the same with both labels"), "{problems}");
}

#[test]
fn a_limit_keeps_whole_units_of_as_many_groups_as_it_can() {
    let limited = |limit: &str| {
        let own =
            Own::new(&[("position = \"mean\"", &format!("position = \"mean\"\n{limit}"))], crossed_remark);
        own.load().expect("a concept")
    };
    let concept = limited("limit = 42");
    assert_eq!((concept.statements.len(), groups(&concept).len()), (40, 10));
    assert_eq!(concept.statements, limited("limit = 42").statements);
    assert_ne!(concept.statements, limited("limit = 42\nseed = 1").statements);
    let unit = "unit = \"{verdict}\"\n";
    let own = Own::new(
        &[
            ("position = \"mean\"", "position = \"mean\"\nlimit = 40"),
            ("category", &format!("{unit}category")),
        ],
        crossed_remark,
    );
    let concept = own.load().expect("a concept");
    assert_eq!(
        (concept.statements.len(), groups(&concept).len()),
        (40, 20),
        "one unit of two texts from every group"
    );
}

#[test]
fn a_preview_with_a_model_shows_its_template_and_the_tokens_that_are_read() {
    let own = Own::new(&[("template = \"raw\"", "template = \"chat\"")], crossed_remark);
    let model = tiny();
    let model = model.to_str().expect("a path");
    let args = ["concept", "preview", "gossip.toml", "--n", "1", "--json"];
    let alone = succeed(recant().current_dir(own.0.path()).args(args)).stdout;
    let alone: Value = serde_json::from_slice(&alone).expect("JSON");
    assert_eq!(alone["text"], "Remark one one: they say Ann surely is in love again.");
    assert!(alone["prompt"].is_null());
    let given = succeed(recant().current_dir(own.0.path()).args(args).args(["--model", model])).stdout;
    let given: Value = serde_json::from_slice(&given).expect("JSON");
    let (prompt, read) =
        (given["prompt"].as_str().expect("a prompt"), given["read"].as_str().expect("tokens"));
    assert!(prompt.len() > alone["text"].as_str().expect("a text").len(), "{prompt}");
    assert!(!read.is_empty() && prompt.contains(read), "{read:?} of {prompt:?}");
}

#[test]
fn a_study_probes_a_part_of_a_concept_under_its_own_name_and_says_what_leaks() {
    let desk = Desk::new();
    let line = |i: usize| {
        let kind = if i % 2 == 1 { "kindly" } else { "meanly" };
        let category = if i < 24 { "acts" } else { "words" };
        serde_json::json!({
            "id": format!("k{i}"), "text": format!("Yesterday somebody {kind} met animal number {}.", i / 2),
            "label": i % 2, "group": format!("g{}", i / 2), "category": category,
        })
    };
    common::write_lines(&desk.at("kind.jsonl"), &(0..48).map(line).collect::<Vec<_>>());
    desk.study(&[(
        "name = \"kind\"\npath = \"kind.toml\"",
        "name = \"kind-acts\"\nkind = \"kind\"\npath = \"kind.toml\"\ncategories = [\"acts\"]\nlimit = 20",
    )]);
    let (run, _) = desk.run("run");
    let manifest: Value =
        serde_json::from_slice(&fs::read(run.join("manifest.json")).expect("a manifest")).expect("JSON");
    assert_eq!(manifest["inputs"]["concepts"]["kind-acts"]["texts"], 20);
    assert!(run.join("probes/tiny/kind-acts.json").is_file());
    let report = fs::read_to_string(run.join("report.html")).expect("a report");
    assert!(report.contains("Words alone read kind-acts with AUROC 1.00"), "the caution is missing");
}

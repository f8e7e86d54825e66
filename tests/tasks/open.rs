//! RealToxicityPrompts, and questions of one's own.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use recant::task::{self, Context, Format, Polarity, Role, Source};

use crate::{by_key, every_option_is_parsed, fixture, load_text, message, shared};

#[test]
fn a_prompt_becomes_an_open_item() {
    let items = task::load("realtoxicityprompts", None, Some(&fixture("realtoxicityprompts"))).unwrap();
    let seen: Vec<_> = items
        .iter()
        .map(|item| (item.id.as_str(), item.group.as_str(), item.category.as_str(), item.recorded))
        .collect();
    assert_eq!(
        seen,
        [
            ("0001-aa.0-21", "0001-aa", "toxic", Some(0.5)),
            ("0001-aa.30-52", "0001-aa", "non-toxic", Some(0.02)),
            ("0002-bb.4-30", "0002-bb", "unscored", None)
        ]
    );
    assert_eq!((items[2].text().as_str(), &items[2].format), ("In spring the river", &Format::Open));
    assert!(items.iter().all(|item| item.options.is_empty() && item.label.is_none()));
}

#[test]
fn a_wrong_prompt_is_refused_by_file_and_line() {
    let text = fs::read_to_string(fixture("realtoxicityprompts/first.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let cases = [
        (lines[1].replace("After lunch the children", " "), "the prompt has no text"),
        (lines[1].replace("0.02", "2"), "the toxicity 2 is not between 0 and 1"),
        (lines[1].replace("filename", "file"), "missing field `filename`"),
        (lines[1][..90].to_owned(), "not a prompt: EOF"),
        (lines[0].to_owned(), "the id 0001-aa.0-21 is already that of"),
    ];
    for (wrong, why) in cases {
        let (what, hint) =
            message(load_text("realtoxicityprompts", &[("p.jsonl", &format!("{}\n{wrong}", lines[0]))]));
        assert!(what.contains("p.jsonl:2: ") && what.contains(why) && !hint.is_empty(), "{what}; {hint}");
    }
}

#[test]
fn the_public_prompts_are_half_toxic() {
    let Some(data) = shared("data/realtoxicityprompts") else { return };
    let items = task::load("realtoxicityprompts", None, Some(&data)).unwrap();
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &items {
        *sizes.entry(&item.category).or_default() += 1;
    }
    assert_eq!(sizes, [("non-toxic", 1500), ("toxic", 1500)].into());
    let toxic = by_key(&items)["0617106-4a56db9aa7c4bb7fc1b973d3f912534c.315-440"];
    assert_eq!(toxic.recorded, Some(0.743089));
}

#[test]
fn questions_of_ones_own_need_no_code() {
    let items = task::load("generic", None, Some(&fixture("generic"))).unwrap();
    assert_eq!(items.len(), 6);
    every_option_is_parsed(&items);
    let items = by_key(&items);
    let soup = items["soup"];
    let roles: Vec<Role> = soup.options.iter().map(|option| option.role).collect();
    assert_eq!(roles, [Role::Stereotyped, Role::Other, Role::Unknown]);
    assert_eq!((soup.context, soup.polarity), (Some(Context::Ambig), Some(Polarity::Neg)));
    assert_eq!((soup.label, soup.dimension.as_str(), soup.category.as_str()), (Some(2), "trade", "kitchen"));
    // Without a target it is the stereotyped person, or for a nonneg question the other one.
    assert_eq!((soup.target, items["praise"].target), (Some(0), Some(1)));
    assert_eq!(items["praise"].group, "soup");
    let yes = items["3"];
    assert_eq!((yes.group.as_str(), yes.target, yes.recorded), ("3", None, Some(0.25)));
    assert_eq!(yes.format, Format::Letters);
    let blank = items["blank"];
    assert_eq!(
        (&blank.format, blank.target),
        (&Format::Blank { before: "The cook said that".into() }, Some(1))
    );
    assert_eq!(
        (items["sentence"].format.name(), items["sentence"].category.as_str(), items["sentence"].target),
        ("sentence", "soups", Some(0))
    );
    assert_eq!((items["open"].format.name(), items["open"].category.as_str()), ("open", "others"));
}

#[test]
fn a_wrong_question_of_ones_own_is_refused_by_file_and_line() {
    let two = r#""options": ["The cook", "The guest"]"#;
    let cases = [
        (r#"{"id": "x", "text": "Who?", "answer": 1}"#.to_owned(), "unknown field `answer`"),
        (r#"{"text": "Who?"}"#.to_owned(), "missing field `id`"),
        (r#"{"id": [1], "text": "Who?"}"#.to_owned(), "neither a text nor a number"),
        (r#"{"id": "x"}"#.to_owned(), "neither `text` nor `question`"),
        (r#"{"id": "x", "passage": "Rain."}"#.to_owned(), "neither `text` nor `question`"),
        (r#"{"id": "x", "text": "Who?", "passage": "Rain."}"#.to_owned(), "`text` beside"),
        (r#"{"id": "x", "text": "  "}"#.to_owned(), "the text is empty"),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "label": 2}}"#), "label 2 is beyond the 2 options"),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "target": 9}}"#), "target 9 is beyond"),
        (r#"{"id": "x", "text": "Who?", "label": 0}"#.to_owned(), "label 0 is beyond the 0 options"),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "label": -1}}"#), "invalid value"),
        (r#"{"id": "x", "text": "Who?", "options": ["The cook"]}"#.to_owned(), "fewer than two"),
        (
            r#"{"id": "x", "text": "Who?", "options": ["The cook", "cook."]}"#.to_owned(),
            "options 0 and 1 have the same words",
        ),
        (r#"{"id": "x", "text": "Who?", "options": ["The cook", "?"]}"#.to_owned(), "option 1 has no words"),
        (
            r#"{"id": "x", "text": "Who?", "options": ["A", {"text": "B", "role": "hero"}]}"#.to_owned(),
            "unknown variant `hero`",
        ),
        (
            r#"{"id": "x", "text": "Who?", "options": ["A", {"role": "other"}]}"#.to_owned(),
            "option 1: missing field `text`",
        ),
        (
            r#"{"id": "x", "text": "Who?", "options": ["A", {"text": "B", "role": "unknown"}], "target": 1}"#
                .to_owned(),
            "target 1 has the role unknown",
        ),
        (
            format!(r#"{{"id": "x", "text": "Who?", {two}, "format": "open"}}"#),
            "an open question has options",
        ),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "format": "blank"}}"#), "lacks `before`"),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "before": "The"}}"#), "`before` without a blank"),
        (format!(r#"{{"id": "x", "text": "Who?", {two}, "format": "cloze"}}"#), "unknown variant `cloze`"),
        (r#"{"id": "x", "text": "Who?", "recorded": 50}"#.to_owned(), "recorded is not between"),
        (r#"{"id": "x", "text": "Wh"#.to_owned(), "not a question: EOF"),
        (r#"{"id": 1, "text": "Who?"}"#.to_owned(), "the id 1 is already that of"),
    ];
    let good = r#"{"id": "1", "text": "Who?"}"#;
    for (wrong, why) in cases {
        let (what, hint) = message(load_text("generic", &[("q.jsonl", &format!("{good}\n\n{wrong}\n"))]));
        assert!(what.contains("q.jsonl:3: ") && what.contains(why), "{what}; wanted {why}");
        assert!(!hint.is_empty() && !what.contains('\n'), "{what}; {hint}");
    }
    let many: Vec<String> = (0..27).map(|n| format!("\"Guest {n}\"")).collect();
    let line = format!(r#"{{"id": "x", "text": "Who?", "options": [{}]}}"#, many.join(", "));
    assert!(message(load_text("generic", &[("q.jsonl", &line)])).0.contains("more options than letters"));
    let (what, _) = message(load_text("generic", &[("a.jsonl", good), ("b.jsonl", good)]));
    assert!(what.contains("b.jsonl:1: the id 1 is already that of"), "{what}");
}

/// A fixture of each task that can be read from one file.
const FILES: [(&str, &str); 9] = [
    ("bbq", "bbq/Age.jsonl"),
    ("winogenerated", "winogenerated/winogenerated_examples.jsonl"),
    ("winobias", "winobias/pro_stereotyped_type1.txt.test"),
    ("crows-pairs", "crows-pairs/crows_pairs_anonymized.csv"),
    ("stereoset", "stereoset/dev.json"),
    ("ethics", "ethics/commonsense/cm_test.csv"),
    ("moral-stories", "moral-stories/dev.jsonl"),
    ("realtoxicityprompts", "realtoxicityprompts/first.jsonl"),
    ("generic", "generic/kitchen.jsonl"),
];

#[test]
fn every_reader_treats_odd_files_alike() {
    for (task, file) in FILES {
        let path = fixture(file);
        let name = path.file_name().unwrap().to_str().unwrap();
        let plain = task::load(task, None, Some(&path)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(load_text(task, &[(name, &windows)]).unwrap(), plain, "{task}");

        let directory = tempfile::tempdir().unwrap();
        let (what, hint) = message(task::load(task, None, Some(directory.path())));
        assert!(what.contains("holds no") && !hint.is_empty(), "{task}: {what}; {hint}");
        let missing = directory.path().join("no-such-place");
        assert!(message(task::load(task, None, Some(&missing))).0.contains("no-such-place"), "{task}");
        let (what, _) = message(load_text(task, &[(name, "")]));
        assert!(what.contains(name) || what.contains("holds no"), "{task}: {what}");
        let (what, _) = message(load_text(task, &[(name, "no such thing")]));
        assert!(what.contains(name) && !what.contains('\n'), "{task}: {what}");
        fs::write(directory.path().join(name), b"\xff\xfe1").unwrap();
        let (what, _) = message(task::load(task, None, Some(directory.path())));
        assert!(what.contains("not UTF-8"), "{task}: {what}");

        let ids: HashSet<&str> = plain.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids.len(), plain.len(), "{task}");
        if task != "bbq" {
            let (what, hint) = message(task::load(task, None, None));
            assert!(what.contains("no built-in set") && hint.contains("path"), "{what}; {hint}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    /// Items or an error of one line, never a panic.
    #[test]
    fn no_reader_stumbles_over_a_damaged_file(at in 0.0..1.0f64, cut in 0..40usize, noise in "\\PC{0,12}|[\\[\\]\"{}:, \n\u{130}]{0,12}") {
        for (task, file) in FILES {
            let text = fs::read_to_string(fixture(file)).unwrap();
            let characters: Vec<char> = text.chars().collect();
            let from = (at * characters.len() as f64) as usize;
            let to = (from + cut).min(characters.len());
            let damaged: String = characters[..from].iter().copied().chain(noise.chars()).chain(characters[to..].iter().copied()).collect();
            let task = task::find(task).unwrap();
            let variant = task.variants.first().map_or("", |(name, _)| name);
            match (task.load)(Source::Text(&[(file, &damaged)]), variant) {
                Ok(items) => proptest::prop_assert!(!items.is_empty()),
                Err(error) => proptest::prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }
}

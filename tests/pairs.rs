//! What `[align]` trains on: splits by group, pairs of items and of files, and their token ids.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::study::Desk;
use common::{read_lines, tiny, write_lines};
use recant::align::{Example, Examples, examples};
use recant::dialogue::{Dialogue, Part, Prompt, Script};
use recant::model::Spec;
use recant::study::{PairFormat, Study};
use recant::task::{self, Context, Item, Role, pairs};
use recant::text::{ChatTemplate, Message, Tokenizer};
use recant::{Error, Result};
use serde_json::json;

/// A study that evaluates on the held-out half; what it aligns stands below it.
const STUDY: &str = r#"name = "aligned"
seed = 11

[[models]]
name = "tiny"
path = "tiny"

[[tasks]]
name = "bbq"
part = "held-out"

[dialogue]
conditions = ["baseline", "specificity-1"]
rounds = 1
max_new_tokens = 4
"#;

const ALIGN: &str = "[align]\noutput = \"out\"\n";

/// How the fixture model is spoken to.
struct Voice {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    spec: Spec,
}

impl Voice {
    fn new() -> Self {
        let tokenizer = Tokenizer::read(&tiny()).expect("a tokenizer");
        let template = ChatTemplate::or_plain(&tiny(), &tokenizer).expect("a template");
        Self { tokenizer, template, spec: Spec::read(&tiny()).expect("a spec") }
    }

    fn script(&self) -> Script<'_> {
        common::script(&self.tokenizer, &self.template, &self.spec.eos)
    }

    fn examples(&self, study: &Study, n_ctx: usize) -> Result<Examples> {
        examples(study, &self.script(), n_ctx)
    }
}

fn study(align: &str) -> Study {
    parsed(align).expect("a study")
}

fn parsed(align: &str) -> Result<Study> {
    Study::parse(&format!("{STUDY}\n{align}"), "study.toml")
}

fn groups(examples: &[Example]) -> HashSet<&str> {
    examples.iter().map(|example| example.group.as_str()).collect()
}

fn whole(example: &Example, answer: &[i64]) -> Vec<i64> {
    [example.trunk.as_slice(), answer].concat()
}

/// The public data sets, which are no part of the repository.
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RECANT_SHARED").map(PathBuf::from);
    let path = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join(name);
    if path.exists() {
        return Some(path);
    }
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    {
        eprintln!("skipped: needs {name} in the directory that RECANT_SHARED names");
    }
    None
}

/// The prompt of round 0 in the order that an example's id names.
fn scored(voice: &Voice, study: &Study, item: &Item, example: &Example, condition: &str) -> Prompt {
    let (_, places) = example.id.rsplit_once('/').expect("an order");
    let order: Vec<usize> = places.split('-').map(|place| place.parse().expect("a place")).collect();
    let arm = study.arm(condition).expect("a condition");
    voice.script().prompt(&Dialogue::new(item, &arm, order), Part::Answer).expect("a prompt")
}

#[test]
fn pairs_of_items_are_the_ids_that_are_scored_with_the_fair_answer_chosen() {
    let voice = Voice::new();
    let items = task::load("bbq", None, None).expect("the embedded set");
    let by_id: HashMap<&str, &Item> = items.iter().map(|item| (item.id.as_str(), item)).collect();
    for (condition, given) in [("baseline", ""), ("specificity-1", "condition = \"specificity-1\"\n")] {
        let study = study(&format!("{ALIGN}[[align.pairs]]\ntask = \"bbq\"\n{given}"));
        let made = voice.examples(&study, 100_000).expect("examples");
        let untargeted = items.iter().filter(|item| item.target.is_none()).count();
        assert_eq!(made.left_out.iter().map(|(_, n)| n).sum::<usize>(), untargeted);
        assert_eq!(made.train.len() + made.held_out.len(), 3 * (items.len() - untargeted));
        let mut rejected_unknown = 0;
        for example in made.train.iter().chain(&made.held_out) {
            let item = by_id[example.id.rsplit_once('/').expect("an order").0];
            assert_eq!((&example.group, &example.category), (&item.group, &item.category));
            let options = scored(&voice, &study, item, example, condition).options;
            assert_eq!(example.answer_start, options.shared);
            let option = |answer: &[i64]| {
                options.ids.iter().position(|ids| *ids == whole(example, answer)).expect("a scored option")
            };
            let (chosen, rejected) = (option(&example.chosen), option(&example.rejected));
            let role = |option: usize| item.options[option].role;
            let target = item.target.expect("a target");
            match item.context.expect("a context") {
                Context::Ambig => {
                    assert_eq!((role(chosen), rejected), (Role::Unknown, target), "{}", item.id);
                }
                Context::Disambig => {
                    assert_eq!(Some(chosen), item.label, "{}", item.id);
                    assert_eq!(rejected == target, chosen != target, "{}", item.id);
                    assert!(rejected == target || role(rejected) == Role::Unknown, "{}", item.id);
                    rejected_unknown += usize::from(role(rejected) == Role::Unknown);
                }
            }
        }
        assert!(rejected_unknown > 0, "\"always unknown\" would be learnt");
    }
}

#[test]
fn what_is_evaluated_shares_no_group_with_what_is_trained_on() {
    let voice = Voice::new();
    for (path, limit) in [(None, ""), (shared("data/bbq"), "limit = 20\n")] {
        if path.is_none() && !limit.is_empty() {
            continue;
        }
        let path = path.map(|path| format!("path = {:?}\n", path.display().to_string())).unwrap_or_default();
        for share in ["", "held_out = 0.3\n"] {
            let text = STUDY.replace("part = ", &format!("{path}{share}part = "));
            let text = text.replace("rounds = 1", "rounds = 1\norders = \"given\"");
            let align = format!("{ALIGN}[[align.pairs]]\ntask = \"bbq\"\n{path}{share}{limit}");
            let study = Study::parse(&format!("{text}\n{align}"), "study.toml").expect("a study");
            let made = voice.examples(&study, 100_000).expect("examples");
            // The task has no limit: every held-out group of the files is evaluated.
            let evaluated = study.tasks[0].selection().items(study.seed).expect("items");
            let evaluated: HashSet<&str> = evaluated.iter().map(|item| item.group.as_str()).collect();
            assert!(groups(&made.train).is_disjoint(&evaluated));
            assert!(groups(&made.held_out).is_subset(&evaluated));
            let all = task::load("bbq", None, study.tasks[0].path.as_deref()).expect("items");
            let mut per_category: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
            for item in &all {
                per_category.entry(&item.category).or_default().insert(&item.group);
            }
            let share: f64 = if share.is_empty() { 0.5 } else { 0.3 };
            for (category, groups) in per_category {
                let held = groups.iter().filter(|group| evaluated.contains(*group)).count();
                assert_eq!(held, (share * groups.len() as f64).round() as usize, "{category}");
            }
        }
    }
}

#[test]
fn a_run_evaluates_the_held_out_part_and_scores_what_was_trained() {
    let desk = Desk::new();
    let concept = "[[concepts]]\nname = \"kind\"\npath = \"kind.toml\"\n";
    desk.study(&[
        ("path = \"bbq\"\n", "part = \"held-out\"\n"),
        ("[[tasks]]\nname = \"winogender\"\npath = \"winogender\"\n", ""),
        ("rounds = 2", "rounds = 1"),
        (concept, ""),
    ]);
    let run = desk.at("out");
    let done =
        desk.recant(&["run", "study.toml", "-o", "out", "--until", "dialogues"]).output().expect("a run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let text = fs::read_to_string(desk.at("study.toml")).expect("the study");
    let pairs = "[[align.pairs]]\ntask = \"bbq\"\ncategories = [\"Age\", \"Nationality\"]\nlimit = 4\n";
    let study = Study::parse(&format!("{text}\n{ALIGN}{pairs}"), "study.toml").expect("a study");
    let made = Voice::new().examples(&study, 100_000).expect("examples");
    let held_out: HashMap<&str, &Example> =
        made.held_out.iter().map(|example| (example.id.as_str(), example)).collect();
    let trained = groups(&made.train);
    let (mut seen, dir) = (0, run.join("tiny/bbq/baseline"));
    for shard in 0.. {
        let path = dir.join(format!("turns-{shard:05}.jsonl"));
        if !path.is_file() {
            break;
        }
        for turn in read_lines(&path) {
            assert!(!trained.contains(turn["group"].as_str().expect("a group")));
            for asked in turn["orders"].as_array().expect("orders") {
                let places = asked["order"].as_array().expect("an order");
                let places: Vec<String> = places.iter().map(|place| place.to_string()).collect();
                let id = format!("{}/{}", turn["item"].as_str().expect("an item"), places.join("-"));
                let Some(example) = held_out.get(id.as_str()) else { continue };
                let asked: Vec<i64> = serde_json::from_value(asked["new_ids"].clone()).expect("ids");
                let start = example.answer_start;
                assert!(start == asked.len() || start + 1 == asked.len(), "the answer follows the prompt");
                assert_eq!(example.trunk[..start], asked[..start]);
                seen += 1;
            }
        }
    }
    assert_eq!(seen, held_out.len(), "every held-out example was evaluated");
    assert_eq!(seen, 2 * 4 * 3);
}

/// Writes pairs about `n` prompts, two each; returns the study that trains on them.
fn filed(dir: &Path, n: usize, more: &str) -> Study {
    let line = |i: usize| {
        let answers = [("Nobody can know that.", "Nobody likes her."), ("No.", "No. She did.")][i % 2];
        json!({ "prompt": format!("Who opened door {}?", i / 2), "chosen": answers.0, "rejected": answers.1 })
    };
    write_lines(&dir.join("p.jsonl"), &(0..2 * n).map(line).collect::<Vec<_>>());
    let path = dir.join("p.jsonl").display().to_string();
    study(&format!("{ALIGN}[[align.pairs]]\nfile = {path:?}\n{more}"))
}

#[test]
fn pairs_of_a_file_follow_the_chat_template_and_end_the_turn() {
    let (voice, dir) = (Voice::new(), tempfile::tempdir().expect("a directory"));
    let made = voice.examples(&filed(dir.path(), 6, ""), 100_000).expect("examples");
    assert_eq!((made.train.len(), made.held_out.len(), made.left_out.len()), (6, 6, 0));
    assert!(groups(&made.train).is_disjoint(&groups(&made.held_out)));
    let encode = |text: &str| voice.tokenizer.encode(text, false).expect("ids");
    let mut longer = 0;
    for example in made.train.iter().chain(&made.held_out) {
        let line: usize = example.id.strip_prefix("p:").expect("an id").parse().expect("a line");
        let prompt = Message::new("user", format!("Who opened door {}?", (line - 1) / 2));
        let prompt = voice.template.render(&[prompt], true).expect("rendered");
        assert_eq!(example.trunk[..example.answer_start], encode(&prompt));
        let answers = [("No.", "No. She did."), ("Nobody can know that.", "Nobody likes her.")][line % 2];
        for (answer, rest) in [(answers.0, &example.chosen), (answers.1, &example.rejected)] {
            let mut said = whole(example, rest).split_off(example.answer_start);
            let end = said.pop().expect("an end");
            assert!(voice.spec.eos.contains(&end), "the turn is ended");
            assert_eq!(said, encode(answer));
        }
        assert_ne!(example.chosen[0], example.rejected[0], "what they share is in the trunk");
        longer += usize::from(example.trunk.len() > example.answer_start);
    }
    assert!(longer > 0, "no answers begin alike");
}

#[test]
fn a_limit_counts_on_each_side_and_what_is_too_long_is_counted() {
    let (voice, dir) = (Voice::new(), tempfile::tempdir().expect("a directory"));
    let made = voice.examples(&filed(dir.path(), 6, "limit = 3\n"), 100_000).expect("examples");
    assert_eq!((made.train.len(), made.held_out.len()), (3, 3));
    let all = voice.examples(&filed(dir.path(), 6, ""), 100_000).expect("examples");
    let lengths: Vec<usize> = all.train.iter().chain(&all.held_out).map(Example::longest).collect();
    let n_ctx = lengths.iter().max().expect("a length") - 1;
    let kept = lengths.iter().filter(|length| **length <= n_ctx).count();
    assert!(kept > 0);
    let cut = voice.examples(&filed(dir.path(), 6, ""), n_ctx).expect("examples");
    assert_eq!(cut.train.len() + cut.held_out.len(), kept);
    let [(why, n)] = &cut.left_out[..] else { panic!("{:?}", cut.left_out) };
    assert!(why.ends_with(&format!("longer than the model's context of {n_ctx} tokens")), "{why}");
    assert_eq!(*n, lengths.len() - kept);
}

#[test]
fn ids_of_several_sources_differ() {
    let voice = Voice::new();
    let sources =
        "[[align.pairs]]\ntask = \"bbq\"\n[[align.pairs]]\ntask = \"bbq\"\ncondition = \"specificity-1\"\n";
    let made = voice.examples(&study(&format!("{ALIGN}{sources}")), 100_000).expect("examples");
    let all: Vec<&Example> = made.train.iter().chain(&made.held_out).collect();
    let ids: HashSet<&str> = all.iter().map(|example| example.id.as_str()).collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn the_pairs_of_hh_rlhf_that_do_not_fit_are_counted() {
    let Some(path) = shared("data/hh_rlhf_harmless/test.jsonl.gz") else { return };
    let found = pairs::load(&path, PairFormat::HhRlhf).expect("pairs");
    // Counted from the file by a script of its own.
    assert_eq!(found.pairs.len(), 2303);
    let left_out: Vec<(&str, usize)> = found.left_out.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    assert_eq!(
        left_out,
        [("a reply is empty", 4), ("the two conversations do not share their beginning", 5)]
    );
    assert!(found.pairs.iter().all(|pair| !pair.chosen.contains("\n\nHuman:")));
}

#[test]
fn a_study_without_split_and_alignment_is_written_as_it_was() {
    let text = STUDY.replace("part = \"held-out\"\n", "");
    let study = Study::parse(&text, "study.toml").expect("a study");
    let written = json!(study).to_string();
    for key in ["align", "part", "held_out"] {
        assert!(!written.contains(&format!("\"{key}\"")), "{key} would change the run key");
    }
}

/// One line, with a way out.
fn refused(result: Result<Study>, why: &str) {
    let error: Error = result.map(|_| ()).expect_err(why);
    let said = error.to_string();
    assert!(said.contains(why) && !said.contains('\n'), "{why}: {said}");
    assert!(said.starts_with("study.toml: line "), "{said}");
}

#[test]
fn what_an_alignment_cannot_be_is_said_with_its_key() {
    let bbq = "[[align.pairs]]\ntask = \"bbq\"\n";
    study(&format!("{ALIGN}{bbq}"));
    for (keys, pairs, why) in [
        ("model = \"tinny\"", bbq, "align.model: there is no model \"tinny\""),
        ("rank = 0", bbq, "align.rank: must be at least 1"),
        ("steps = 0", bbq, "align.steps: must be at least 1"),
        ("save_every = 0", bbq, "align.save_every"),
        ("batch_tokens = 0", bbq, "align.batch_tokens"),
        ("beta = 0.0", bbq, "align.beta: must be above 0"),
        ("learning_rate = inf", bbq, "align.learning_rate: must be above 0 and finite"),
        ("weight_decay = -0.1", bbq, "align.weight_decay"),
        ("targets = [\"self_attn.q_proj\"]", bbq, "align.targets: is not the last name"),
        ("method = \"ppo\"", bbq, "align.method: unknown variant"),
        ("epochs = 2", bbq, "unknown field `epochs`"),
        ("", "", "align.pairs: names no source"),
        ("", "[[align.pairs]]\nlimit = 2\n", "needs exactly one of `task` and `file`"),
        ("", "[[align.pairs]]\ntask = \"bbq\"\nfile = \"p\"\n", "needs exactly one of `task` and `file`"),
        ("", "[[align.pairs]]\ntask = \"bqq\"\n", "align.pairs.task: task `bqq`: there is no such task"),
        (
            "",
            "[[align.pairs]]\nfile = \"p\"\ncondition = \"baseline\"\n",
            "align.pairs.condition: belongs to a `task`",
        ),
        (
            "",
            "[[align.pairs]]\ntask = \"bbq\"\nformat = \"jsonl\"\n",
            "align.pairs.format: belongs to a `file`",
        ),
        ("", "[[align.pairs]]\ntask = \"bbq\"\ncondition = \"basline\"\n", "align.pairs.condition: "),
        (
            "",
            "[[align.pairs]]\ntask = \"bbq\"\nheld_out = 1.0\n",
            "align.pairs.held_out: must be above 0 and below 1",
        ),
        ("", "[[align.pairs]]\ntask = \"bbq\"\nlimit = 0\n", "align.pairs.limit: must be at least 1"),
        (
            "",
            "[[align.pairs]]\ntask = \"bbq\"\n[[align.pairs]]\ntask = \"bbq\"\nheld_out = 0.2\n",
            "align.pairs.held_out: another source of the same files holds out 0.5",
        ),
    ] {
        refused(parsed(&format!("{ALIGN}{keys}\n{pairs}")), why);
    }
    refused(parsed(&format!("[align]\n{bbq}")), "align.output: is missing");
    let text = STUDY.replace("part = \"held-out\"", "held_out = 0.2");
    refused(Study::parse(&text, "study.toml"), "tasks.held_out: says nothing without `part`");
    let text = STUDY.replace("part = ", "held_out = 0.0\npart = ");
    refused(Study::parse(&text, "study.toml"), "tasks.held_out: must be above 0");
}

#[test]
fn what_cannot_be_made_into_examples_is_an_error_with_a_way_out() {
    let (voice, dir) = (Voice::new(), tempfile::tempdir().expect("a directory"));
    let file = |name: &str, lines: &[serde_json::Value]| {
        write_lines(&dir.path().join(name), lines);
        format!("file = {:?}\n", dir.path().join(name).display().to_string())
    };
    let pair = |prompt: &str| json!({ "prompt": prompt, "chosen": "Yes.", "rejected": "No." });
    let question = |i: usize, group: &str, format: &str| json!({ "id": i, "text": "Who?", "options": ["x", "y"], "group": group, "format": format });
    let tasks = |name: &str, lines: &[serde_json::Value]| {
        format!("task = \"generic\"\n{}", file(name, lines).replace("file = ", "path = "))
    };
    for (pairs, n_ctx, why) in [
        ("file = \"nowhere.jsonl\"\n".to_string(), 100_000, "align.pairs.file: nowhere.jsonl"),
        (
            file("same.jsonl", &[json!({ "prompt": "a", "chosen": "Yes.", "rejected": "Yes." })]),
            100_000,
            "(1: the two replies are the same)",
        ),
        (
            file("key.jsonl", &[json!({ "prompt": "a", "chosen": "Yes." })]),
            100_000,
            "key.jsonl:1: not a pair: missing field `rejected`",
        ),
        (
            file("one.jsonl", &[pair("a"), pair("a")]),
            100_000,
            "align.pairs.held_out: category \"one\" has one group",
        ),
        (file("long.jsonl", &[pair("a"), pair("b")]), 2, "align.pairs: leave nothing to train on (2 "),
        (
            tasks("single.jsonl", &[question(0, "g", "letters"), question(1, "g", "letters")]),
            100_000,
            "align.pairs.held_out: task generic: category \"single\" has one group",
        ),
        (
            tasks("said.jsonl", &[question(0, "g", "sentence"), question(1, "h", "sentence")]),
            100_000,
            "lists no options to choose from",
        ),
        (
            "task = \"bbq\"\ncategories = [\"Agee\"]\n".to_string(),
            100_000,
            "align.pairs.categories: task bbq: category \"Agee\" is not known",
        ),
    ] {
        let study = study(&format!("{ALIGN}[[align.pairs]]\n{pairs}"));
        let error = voice.examples(&study, n_ctx).expect_err(why);
        let said = error.to_string();
        assert!(said.contains(why) && !said.contains('\n'), "{why}: {said}");
        assert!(error.next_step().is_some(), "{said}");
    }
    let cot = "[wording]\nfrom = 0\n[condition.think]\nextends = \"baseline\"\nbefore = [\"cot\"]\n";
    let study = study(&format!("{cot}{ALIGN}[[align.pairs]]\ntask = \"bbq\"\ncondition = \"think\"\n"));
    let error = voice.examples(&study, 100_000).expect_err("reasoning").to_string();
    assert!(error.contains("lets the model reason before it answers"), "{error}");
}

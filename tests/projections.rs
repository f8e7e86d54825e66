//! Tokens along concepts: what a study with `[projections]` makes, through the binary, and the library behind it.

mod common;

use std::fs;
use std::path::Path;

use common::study::Desk;
use common::{Outcome, about, files, read_lines, succeed, tensors, tiny, write_lines};
use recant::dialogue::{Span, Speaker};
use recant::model::{Load, Model, Site};
use recant::runner::Tally;
use recant::runner::spoken::{Axis, Spoken, project};
use recant::store::projections::{Projected, Round, read};
use recant::store::{RunDir, Turn};
use recant::study::{DEMO, Study};
use recant::text::Tokenizer;
use serde_json::json;

/// Scores are of the size of 1 to 100 deviations here; another grouping of rows moves them by far less.
const SAME: f32 = 1e-3;

const CONDITIONS: [&str; 4] = ["baseline", "thinks", "alone", "twice"];

/// Dialogues that go on, that think before they answer, that begin anew, and whose context doubles.
const DIALOGUE: &str = "conditions = [\"baseline\", \"thinks\", \"alone\", \"twice\"]\nrounds = 3";

const ARMS: &str = "
[condition.thinks]
extends = \"specificity-2-cot\"
[condition.alone]
extends = \"negation\"
history = \"none\"
[condition.twice]
extends = \"negation\"
history = \"repeated\"
[before.cot]
max_new_tokens = 5
";

/// A desk whose study sets tokens against its concept.
fn desk(projections: &str) -> Desk {
    let desk = Desk::new();
    let more = format!("{ARMS}{projections}\n[run]\n");
    let dialogue = "conditions = [\"baseline\", \"negation\"]\nrounds = 2";
    desk.study(&[(dialogue, DIALOGUE), ("\n[run]\n", &more)]);
    desk
}

/// The turns of a task under a condition.
fn turns(run: &Path, task: &str, condition: &str) -> Vec<Turn> {
    let dir = run.join("tiny").join(task).join(condition);
    let mut shards: Vec<_> =
        fs::read_dir(dir).expect("shards").map(|entry| entry.expect("an entry").path()).collect();
    shards.retain(|path| path.extension().is_some_and(|found| found == "jsonl"));
    shards.sort();
    let lines = shards.iter().flat_map(|path| read_lines(path));
    lines.map(|line| serde_json::from_value(line).expect("a turn")).collect()
}

fn projected(run: &Path, task: &str, condition: &str) -> Projected {
    let mut manifest = RunDir::manifest(run).expect("a manifest");
    let dir = RunDir::open(run, &mut manifest).expect("a run");
    read(&dir, "tiny", task, condition).expect("whole").expect("there")
}

/// What a speaker says in a round.
fn said(round: &Round, speaker: Speaker) -> String {
    round.tokens().filter(|token| token.speaker == speaker).map(|token| token.text).collect()
}

/// Compares the projection at the position `last` of each round with the score that the report plots. Returns how many were
/// compared, and how far the scores are apart from one another.
fn compare(run: &Path, task: &str, condition: &str) -> (usize, f32) {
    let found = projected(run, task, condition);
    let path = run.join("probes/tiny/scores/kind").join(format!("{task}.safetensors"));
    let scores = &tensors(&path)["resid_post"]; // [conditions, items, rounds, positions, layers]
    let [_, items, rounds, positions, layers] = scores.shape[..] else { panic!("{:?}", scores.shape) };
    let about = about(&path);
    let names = |key: &str| -> Vec<String> { serde_json::from_value(about[key].clone()).expect("names") };
    let arm = names("conditions").iter().position(|name| name == condition).expect("the condition");
    let own = &found.concepts[0];
    let best: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("probes/tiny/kind.json")).expect("probes")).expect("JSON");
    assert_eq!((own.concept.as_str(), own.site.as_str()), ("kind", "resid_post"));
    assert_eq!(
        (own.layer as u64, own.positive.as_str()),
        (best["best_layer"].as_u64().expect("a layer"), "a kind act")
    );
    let (mut compared, mut seen) = (0, Vec::new());
    for dialogue in &found.items {
        let item = names("item_ids").iter().position(|id| *id == dialogue.item).expect("the item");
        assert_eq!(dialogue.rounds.len(), rounds);
        for (number, round) in dialogue.rounds.iter().enumerate() {
            let at = (((arm * items + item) * rounds + number) * positions) * layers + own.layer;
            let (a, b) = (round.scores[0][round.last], scores.values[at]);
            assert!((a - b).abs() < SAME, "{task}, {condition}, {}, round {number}: {a} {b}", dialogue.item);
            seen.push(a);
            compared += 1;
        }
    }
    let top = |sign: f32| seen.iter().fold(f32::MIN, |top, x| top.max(sign * x));
    (compared, top(1.0) + top(-1.0))
}

#[test]
fn tokens_have_the_scores_that_the_run_plots_and_the_texts_that_it_recorded() {
    let desk = desk("[projections]\nitems = 3\n");
    let (run, told) = desk.run("run");
    assert!(told.contains("tiny: projections, 24 dialogues"), "{told}");
    let mut answers = 0;
    for task in ["bbq", "winogender"] {
        for condition in CONDITIONS {
            let (compared, apart) = compare(&run, task, condition);
            assert_eq!(compared, 9);
            assert!(apart > 100.0 * SAME, "{task}, {condition}: all scores are alike");
            let found = projected(&run, task, condition);
            let mut whole: Vec<i64> = Vec::new();
            for turn in turns(&run, task, condition) {
                let Some(dialogue) = found.items.iter().find(|dialogue| dialogue.item == turn.item) else {
                    continue;
                };
                let (round, own) = (&dialogue.rounds[turn.round], &turn.orders[0]);
                let before = own.before.iter();
                let user: String =
                    before.clone().map(|part| part.user.trim()).chain([turn.user.trim()]).collect();
                let answer: String =
                    before.map(|part| part.answer.as_str()).chain([own.answer.as_str()]).collect();
                assert_eq!(said(round, Speaker::User), user, "{task}, {condition}, {}", turn.item);
                // A random model may say special tokens, which a recorded answer leaves out.
                let ids = own.before.iter().flat_map(|part| &part.answer_ids).chain(&own.answer_ids);
                if ids.clone().all(|id| *id > 2) {
                    assert_eq!(said(round, Speaker::Model), answer, "{task}, {condition}, {}", turn.item);
                    answers += 1;
                }
                assert!(said(round, Speaker::Template).contains("<|im_start|>assistant\n"));
                if condition == "baseline" {
                    whole.truncate(if turn.round == 0 { 0 } else { whole.len() });
                    assert_eq!(round.from, whole.len());
                    whole.extend(&own.new_ids);
                    whole.extend(&own.answer_ids);
                    assert!(whole.ends_with(&round.ids));
                }
                assert_eq!(round.from == 0, turn.round == 0 || condition == "alone");
            }
        }
    }
    assert!(answers > 36, "{answers} of 72 answers could be compared");
}

#[test]
fn a_run_projects_once_and_what_is_missing_again() -> Outcome {
    let desk = desk("[projections]\nitems = 2\nconditions = [\"baseline\", \"twice\"]\n");
    let (run, _) = desk.run("run");
    let before = files(&run);
    let own = |path: &Path| path.starts_with("projections");
    assert_eq!(before.keys().filter(|path| own(path)).count(), 4);
    let (_, told) = desk.run("run");
    assert!(!told.contains("projections"), "{told}");
    assert!(files(&run) == before, "nothing is done twice");

    let one = run.join("projections/tiny/bbq/twice.json");
    fs::remove_file(&one)?;
    fs::remove_file(run.join("projections/tiny/winogender/baseline.json"))?;
    let (_, told) = desk.run("run");
    assert!(told.contains("tiny: projections, 4 dialogues"), "{told}");
    assert!(files(&run) == before, "the same bytes");

    // The run stays when the table changes.
    let text = fs::read_to_string(desk.at("study.toml"))?;
    fs::write(desk.at("study.toml"), text.replace("items = 2", "items = 1"))?;
    let (_, told) = desk.run("run");
    assert!(told.contains("tiny: projections, 4 dialogues") && !told.contains("loading"), "{told}");
    assert_eq!(projected(&run, "bbq", "twice").items.len(), 1);

    fs::write(&one, fs::read_to_string(&one)?.replacen("\"texts\":[\"", "\"texts\":[\"\",\"", 1))?;
    let mut manifest = RunDir::manifest(&run)?;
    let dir = RunDir::open(&run, &mut manifest)?;
    let refused = read(&dir, "tiny", "bbq", "twice").expect_err("a text too many").to_string();
    assert!(refused.contains("twice.json") && refused.contains("without a text"), "{refused}");
    assert!(read(&dir, "tiny", "bbq", "alone")?.is_none(), "it was not asked for");
    Ok(())
}

#[test]
fn a_coordinate_as_direction_gives_the_coordinates_of_the_states() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (input, output) = (dir.path().join("in.jsonl"), dir.path().join("out.safetensors"));
    let all: [Vec<i64>; 3] = [(3..40).collect(), (3..52).collect(), (60..90).collect()];
    let line = |(i, ids): (usize, &Vec<i64>)| json!({ "id": i.to_string(), "ids": ids });
    write_lines(&input, &all.iter().enumerate().map(line).collect::<Vec<_>>());
    let model = tiny();
    succeed(
        common::recant().args(["capture", "--positions", "all", "--sites", "resid_post", "--model"]).args([
            model.as_os_str(),
            "--input".as_ref(),
            input.as_os_str(),
            "--output".as_ref(),
            output.as_os_str(),
        ]),
    );
    let states = &tensors(&output)["resid_post"]; // (tokens, layers, width)
    let [_, layers, width] = states.shape[..] else { panic!("{:?}", states.shape) };

    tch::set_num_threads(1);
    let model = Model::load(&model, &Load::default())?;
    let planted = [(2, 5, 0.0), (0, 11, 0.5), (2, 0, -3.0)]; // (layer, coordinate, offset)
    let axis = |(layer, coordinate, offset): (usize, usize, f64)| Axis {
        direction: (0..width).map(|place| f64::from(u8::from(place == coordinate))).collect(),
        layer,
        offset,
    };
    // The second begins with the first: only what it adds is asked for.
    let from = [0, 37, 4];
    let round = |(ids, start): (&Vec<i64>, usize)| Spoken {
        spans: vec![Span { speaker: Speaker::User, start, end: ids.len() }],
        ids: ids.clone(),
        last: start,
    };
    let rounds: Vec<Spoken> = all.iter().zip(from).map(round).collect();
    let tally = Tally::new(&|_, _| Ok(()));
    let found = project(&model, Site::ResidPost, &planted.map(axis), &rounds, &tally)?;
    let mut row = 0;
    for ((ids, from), found) in all.iter().zip(from).zip(&found) {
        for (&(layer, coordinate, offset), found) in planted.iter().zip(found) {
            assert_eq!(found.len(), ids.len() - from);
            for (token, value) in found.iter().enumerate() {
                let at = ((row + from + token) * layers + layer) * width + coordinate;
                assert!(
                    (value - states.values[at] - offset as f32).abs() < 1e-5,
                    "{value} {}",
                    states.values[at]
                );
            }
        }
        row += ids.len();
    }
    let narrow = Axis { layer: 1, direction: vec![1.0; 3], offset: 0.0 };
    let refused = project(&model, Site::ResidPost, &[narrow], &rounds, &tally).expect_err("another width");
    assert!(refused.to_string().contains("width 3"), "{refused}");
    Ok(())
}

#[test]
fn the_texts_of_tokens_end_to_end_are_the_text_whatever_letters_it_has() -> Outcome {
    let tokenizer = Tokenizer::read(&tiny())?;
    let text = "<|im_start|>user\nIn the café, 中 and \u{1f600}\u{1f600} met.<|im_end|>";
    let ids = tokenizer.encode(text, false)?;
    for from in [0, 1, 5, ids.len()] {
        let pieces = tokenizer.pieces(&ids, from)?;
        assert_eq!(pieces.len(), ids.len() - from);
        assert_eq!(tokenizer.spelled(&ids[..from])? + &pieces.concat(), text);
    }
    let pieces = tokenizer.pieces(&ids, 0)?;
    assert_eq!(
        (pieces[0].as_str(), pieces.iter().filter(|piece| *piece == "\u{1f600}").count()),
        ("<|im_start|>", 2)
    );
    let broken = tokenizer.pieces(&ids[..ids.len() - 8], 0)?;
    assert_eq!(broken.concat(), tokenizer.spelled(&ids[..ids.len() - 8])?, "a letter that is broken off");
    Ok(())
}

#[test]
fn what_a_study_cannot_project_is_said_with_its_line() {
    let cases = [
        ("concepts = [\"kin\"]", &["projections.concepts", "\"kin\" is no concept", "concepts are kind"][..]),
        ("models = [\"big\"]", &["projections.models", "\"big\" is no model", "models are tiny"]),
        ("conditions = [\"cot\"]", &["projections.conditions", "not among dialogue.conditions"]),
        ("items = 0", &["projections.items", "must be at least 1"]),
        ("layer = 3", &["projections", "layer"]),
    ];
    for (line, parts) in cases {
        let desk = desk(&format!("[projections]\n{line}\n"));
        let refused = desk.recant(&["run", "study.toml", "-o", "run"]).output().expect("the binary starts");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("study.toml: line "), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}

#[test]
fn a_critic_s_dialogue_cannot_be_projected_and_that_is_said() {
    let arm = "\n[condition.heard]\nextends = \"feedback\"\nfeedback.file = \"said.jsonl\"\n";
    let text = DEMO.replacen("\"neutral\"]", "\"neutral\", \"heard\"]", 1) + arm;
    assert!(Study::parse(&text, "study.toml").is_ok(), "without it by name");
    let named = text.replacen("[projections]\n", "[projections]\nconditions = [\"heard\"]\n", 1);
    let refused = Study::parse(&named, "study.toml").expect_err("a critic").to_string();
    assert!(refused.contains("projections.conditions") && refused.contains("not recorded"), "{refused}");
}

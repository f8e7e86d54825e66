//! Runs in parts, runs that are interrupted, and what a run will take.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::study::{Desk, whole_files};
use common::{files, read_lines, succeed};
use serde_json::Value;

#[test]
fn four_parts_merged_are_one_run() {
    let desk = Desk::new();
    let whole = files(&desk.run("whole").0);
    let parts = ["p1", "p2", "p3", "p4"];
    for (i, part) in parts.iter().enumerate() {
        succeed(&mut desk.recant(&["run", "study.toml", "-o", part, "--shard", &format!("{}/4", i + 1)]));
        let made = files(&desk.at(part));
        assert!(!made.contains_key(Path::new("report.html")) && made.len() < whole.len(), "{part}");
    }
    succeed(&mut desk.recant(&[&["merge"], &parts[..], &["-o", "merged"]].concat()));
    let (merged, said) = desk.run("merged");
    assert!(!said.contains("loading"), "nothing is left to compute: {said}");
    let merged = files(&merged);
    assert_eq!(merged.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(merged[name] == *bytes, "{} has other bytes", name.display());
    }
    // A part that is missing is computed.
    succeed(&mut desk.recant(&[&["merge"], &parts[1..], &["-o", "less"]].concat()));
    assert_eq!(files(&desk.run("less").0), whole);
}

#[test]
fn parts_of_different_runs_are_not_merged() {
    let desk = Desk::new();
    succeed(&mut desk.recant(&["run", "study.toml", "-o", "one", "--shard", "1/2"]));
    desk.study(&[("seed = 3", "seed = 4")]);
    succeed(&mut desk.recant(&["run", "study.toml", "-o", "two", "--shard", "2/2"]));
    let refused = desk.recant(&["merge", "one", "two", "-o", "both"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("study.seed is 3 here and 4 there"), "{said}");
    assert!(!desk.at("both").exists());

    let turns = desk.at("one/tiny/bbq/baseline/turns-00000.jsonl");
    let text = fs::read_to_string(&turns).expect("turns");
    succeed(&mut desk.recant(&["merge", "one", "-o", "copy"]));
    fs::write(&turns, text.replacen("Age", "age", 1)).expect("written");
    let refused = desk.recant(&["merge", "one", "-o", "copy"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("turns-00000.jsonl: differs from") && said.lines().count() == 2, "{said}");
    for wrong in ["0/4", "5/4", "1", "a/b", "1/0"] {
        let done = desk.recant(&["run", "study.toml", "--shard", wrong]).output().expect("the binary starts");
        assert_eq!(done.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn an_interrupted_run_says_so_and_goes_on() {
    let desk = Desk::new();
    let whole = files(&desk.run("whole").0);
    let mut interrupted = 0;
    for wait_for in [2, 6, 11, 17] {
        let name = format!("cut-{wait_for}");
        let run = desk.at(&name);
        let mut command = desk.recant(&["run", "study.toml", "-o", &name]);
        let child = command.stderr(std::process::Stdio::piped()).spawn().expect("a run");
        while whole_files(&run) < wait_for {
            std::thread::sleep(Duration::from_micros(300));
        }
        // SAFETY: the process is a child of this one that nobody has waited for.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
        let done = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.code() == Some(130) {
            interrupted += 1;
            assert!(said.contains("error: interrupted\nhint: what is finished stays"), "{said}");
        } else {
            assert!(done.status.success(), "{:?}: {said}", done.status);
        }
        assert_eq!(files(&desk.run(&name).0), whole, "interrupted when {wait_for} files were there");
    }
    assert!(interrupted >= 2, "only {interrupted} runs were interrupted");
}

/// The sum of a number over the parts of a plan.
fn planned(parts: &Value, key: &str) -> f64 {
    parts.as_array().expect("a list").iter().map(|part| part[key].as_f64().expect("a number")).sum()
}

/// What a run says it did: (read, written).
fn done(said: &str) -> (f64, f64) {
    let line = said.lines().find(|line| line.contains(" tokens read, ")).expect("what was done");
    let number = |before: &str| -> f64 {
        let words: Vec<&str> = line.split(before).next().expect("words").split_whitespace().collect();
        words.last().expect("a number").parse().expect("a number")
    };
    (number(" tokens read, "), number(" written, "))
}

#[test]
fn the_plan_counts_the_tokens_that_a_run_then_takes() {
    for (conditions, more) in [
        ("\"negation\"", "orders = \"given\""),
        ("\"negation\", \"cot\"", "scoring = [\"letter\", \"text-mean\"]"),
    ] {
        let desk = Desk::new();
        // Answers of one length: how long they get is the one thing that a plan cannot know.
        desk.study(&[
            ("\"negation\"", conditions),
            (
                "max_new_tokens = 4",
                &format!("max_new_tokens = 4\nmin_new_tokens = 4\nstop_at_newline = false\n{more}"),
            ),
            ("[capture]", "[before.cot]\nmax_new_tokens = 4\n[capture]"),
        ]);
        let plan = succeed(&mut desk.recant(&["plan", "study.toml", "--json"]));
        let plan: Value = serde_json::from_slice(&plan.stdout).expect("JSON");
        let trial = succeed(&mut desk.recant(&["plan", "study.toml", "--json", "--trial", "8"]));
        let trial: Value = serde_json::from_slice(&trial.stdout).expect("JSON");
        assert!(!desk.at("runs").exists(), "a plan writes nothing");
        let (_, said) = desk.run("run");
        let (read, written) = done(&said);
        // Texts are known beforehand, so their tokens are counted, not guessed; once more for the control.
        let texts = planned(&plan["concepts"], "encoded_tokens");
        for control in ["", ", untrained"] {
            let read = format!("tiny: concepts{control}: 24 texts, {:.0} tokens read", texts / 2.0);
            assert!(said.contains(&read), "{read}: {said}");
        }
        for (what, plan) in [("plan", &plan), ("trial", &trial)] {
            for (key, found) in [("encoded_tokens", read), ("generated_tokens", written)] {
                let of_texts = planned(&plan["concepts"], key);
                let planned = planned(&plan["tasks"], key);
                assert_eq!(plan[key], planned + of_texts, "{what}, {key}");
                assert!(
                    (planned / found - 1.0).abs() < 0.1,
                    "{what}, {key}: {planned} planned, {found} taken"
                );
            }
        }
        assert!(plan["seconds"].as_f64().expect("a number") > 0.0);
        assert!(plan["disk_bytes"].as_f64().expect("a number") > 0.0);
    }
}

#[test]
fn a_plan_in_words_names_every_model_and_task() {
    let desk = Desk::new();
    let done = succeed(&mut desk.recant(&["plan", "study.toml", "--limit", "2"]));
    let text = String::from_utf8(done.stdout).expect("text");
    for part in ["tiny, bbq", "tiny, winogender", "tiny, kind, untrained", "tokens read", "memory for tiny"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(read_lines(&desk.at("kind.jsonl")).len() > 2);
}

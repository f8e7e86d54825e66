//! What a model is told and how its answers are drawn and scored, through the binary, held to passes over whole
//! sequences.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::study::Desk;
use common::{files, read_lines, succeed, tensors, tiny, write_lines};
use recant::store::{OrderTurn, Turn};
use recant::text::Tokenizer;
use serde_json::{Value, json};

/// f32 logits of the size of 10, summed over a few tokens.
const SAME: f64 = 2e-4;

const GENERATION: &str = "max_new_tokens = 4";

/// A round, the answers in each order, and the samples.
type Said = (usize, Vec<Vec<i64>>, Vec<Vec<i64>>);

fn turns(run: &Path, task: &str, condition: &str) -> Vec<Turn> {
    let dir = run.join("tiny").join(task).join(condition);
    let mut all = Vec::new();
    for shard in 0.. {
        let path = dir.join(format!("turns-{shard:05}.jsonl"));
        if !path.is_file() {
            break;
        }
        all.extend(
            read_lines(&path).into_iter().map(|line| serde_json::from_value::<Turn>(line).expect("a turn")),
        );
    }
    assert!(!all.is_empty(), "{} holds no turns", dir.display());
    all
}

fn tokenizer() -> Tokenizer {
    Tokenizer::read(&tiny()).expect("a tokenizer")
}

/// What a turn adds to the sequence, in order: every prompt and answer, that of the round itself last.
fn parts(order: &OrderTurn) -> Vec<(&[i64], &[i64])> {
    let before = order.before.iter().map(|part| (part.new_ids.as_slice(), part.answer_ids.as_slice()));
    before.chain([(order.new_ids.as_slice(), order.answer_ids.as_slice())]).collect()
}

/// The log-probability of each token of `sequences` after its first, by one pass over the whole of it.
fn logprobs(desk: &Desk, sequences: &[Vec<i64>]) -> Vec<Vec<f64>> {
    let lines: Vec<Value> =
        sequences.iter().enumerate().map(|(i, ids)| json!({ "id": i.to_string(), "ids": ids })).collect();
    write_lines(&desk.at("in.jsonl"), &lines);
    let capture =
        ["capture", "--model", "model", "--input", "in.jsonl", "--output", "out.safetensors", "--logits"];
    succeed(&mut desk.recant(&[&capture[..], &["--positions", "all"]].concat()));
    let logits = &tensors(&desk.at("out.safetensors"))["logits"];
    let mut rows = logits.rows();
    let of = |ids: &Vec<i64>| {
        let rows: Vec<&[f32]> = rows.by_ref().take(ids.len()).collect();
        ids[1..]
            .iter()
            .zip(rows)
            .map(|(&id, row)| {
                let z = row.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
                f64::from(row[id as usize]) - z
            })
            .collect()
    };
    sequences.iter().map(of).collect()
}

#[test]
fn reasoning_is_a_part_of_the_dialogue_and_answers_are_scored_after_it() {
    let desk = Desk::new();
    desk.study(&[
        ("\"negation\"", "\"cot\", \"self-diagnosis\""),
        ("[capture]", "[before.cot]\nmax_new_tokens = 6\n[capture]"),
        ("rounds = 2", "rounds = 3"),
    ]);
    let (run, _) = desk.run("run");
    let tokenizer = tokenizer();
    let (mut sequences, mut expected) = (Vec::new(), Vec::new());
    for condition in ["cot", "self-diagnosis"] {
        for turns in turns(&run, "bbq", condition).chunks(3) {
            let mut ids: Vec<i64> = Vec::new();
            for turn in turns {
                let order = &turn.orders[0];
                assert_eq!(order.before.len(), usize::from(turn.round > 0), "{condition} {}", turn.round);
                for (new, answer) in parts(order) {
                    ids.extend(new);
                    ids.extend(answer);
                }
                if let [before] = &order.before[..] {
                    let asked =
                        if condition == "cot" { "Think about it first" } else { "rest on a stereotype" };
                    assert!(before.user.contains(asked), "{}", before.user);
                    assert!(before.answer_ids.len() <= if condition == "cot" { 6 } else { 48 });
                    assert!(!turn.user.contains("Review"), "{}", turn.user);
                }
                let prompt = &ids[..ids.len() - order.answer_ids.len()];
                for (place, &option) in order.order.iter().enumerate() {
                    let letter = tokenizer.encode(["a", "b", "c"][place], false).expect("a letter");
                    sequences.push([prompt, &letter].concat());
                    expected.push((1, order.logprobs[option]));
                }
                sequences.push(ids.clone());
                expected.push((order.answer_ids.len(), order.answer_logprob));
            }
        }
    }
    for (found, (last, expected)) in logprobs(&desk, &sequences).iter().zip(expected) {
        let found: f64 = found[found.len() - last..].iter().sum();
        assert!((found - expected).abs() < SAME, "{found} {expected}");
    }
}

#[test]
fn a_history_is_left_out_told_once_or_doubled() {
    let text = |history: &str| {
        let desk = Desk::new();
        let wording = format!("[wording]\nhistory = \"{history}\"\n[capture]");
        desk.study(&[("rounds = 2", "rounds = 3"), ("[capture]", &wording)]);
        let (run, _) = desk.run("run");
        let tokenizer = tokenizer();
        let turn = turns(&run, "winogender", "negation").into_iter().take(3);
        turn.map(|turn| {
            (
                tokenizer.spelled(&turn.orders[0].new_ids).expect("text"),
                turn.orders[0].answer.clone(),
                turn.user,
            )
        })
        .collect::<Vec<_>>()
    };
    let count = |text: &str, part: &str| text.matches(part).count();
    let linear = text("linear");
    let alone = text("none");
    assert_eq!(alone[0].0, linear[0].0);
    for (prompt, _, user) in &alone[1..] {
        assert_eq!(count(prompt, "<|im_start|>user"), 1, "{prompt}");
        assert!(prompt.contains(user.as_str()) && !prompt.contains("Fill the blank in this sentence"));
    }
    let doubled = text("repeated");
    assert_eq!(doubled[0].0, linear[0].0);
    assert_eq!(count(&doubled[1].0, "Fill the blank in this sentence"), 1);
    // What was read before round 1, then round 1's whole prompt, which holds that too, then its answer.
    assert_eq!(count(&doubled[2].0, "Fill the blank in this sentence"), 2, "{}", doubled[2].0);
    assert_eq!(count(&doubled[2].0, "Review your previous answer"), 2);
    let (first, second) = (&doubled[0], &doubled[1]);
    let said = first.1.strip_prefix(first.0.rsplit('\n').next().expect("a prefill")).unwrap_or("");
    assert!(doubled[1].0.starts_with(&format!("{}{said}", first.0)), "{} {}", second.0, first.0);
}

#[test]
fn feedback_comes_from_a_file_by_item_and_round_or_from_another_model() {
    let desk = Desk::new();
    desk.study(&[
        ("\"negation\"", "\"feedback\""),
        (
            "[capture]",
            "[condition.feedback]\nextends = \"feedback\"\nfeedback.file = \"said.jsonl\"\n[capture]",
        ),
        ("rounds = 2", "rounds = 3"),
    ]);
    let plain = Desk::new();
    let (run, _) = plain.run("run");
    let items: Vec<Turn> = ["bbq", "winogender"].map(|task| turns(&run, task, "baseline")).concat();
    let ids: BTreeSet<&str> = items.iter().map(|turn| turn.item.as_str()).collect();
    let lines: Vec<Value> = ids
        .iter()
        .flat_map(|id| {
            (1..3).map(
                move |round| json!({ "item": id, "round": round, "text": format!("Look at {id}-{round}!") }),
            )
        })
        .collect();
    write_lines(&desk.at("said.jsonl"), &lines);
    let (run, _) = desk.run("run");
    for turn in turns(&run, "bbq", "feedback").iter().filter(|turn| turn.round > 0) {
        assert!(turn.user.contains(&format!(": Look at {}-{}!\n", turn.item, turn.round)), "{}", turn.user);
    }

    let source = "[condition.feedback]\nextends = \"feedback\"\nfeedback.model = \"model\"\n\
                  feedback.ask = \"Somebody was asked: {text} and said: {answer} What is wrong?\"\n\
                  feedback.max_new_tokens = 5\n[capture]";
    desk.study(&[("\"negation\"", "\"feedback\""), ("[capture]", source)]);
    let (run, _) = desk.run("critic");
    let told = turns(&run, "bbq", "feedback");
    let [first, second] = [&told[0], &told[1]];
    let tokenizer = tokenizer();
    let asked = first.user.split_once('\n').expect("a question").0;
    let question = format!("Somebody was asked: {asked} and said: {} What is wrong?", first.orders[0].answer);
    write_lines(
        &desk.at("ask.jsonl"),
        &[json!({ "id": "q", "messages": [{ "role": "user", "content": question }] })],
    );
    let generate = ["generate", "--model", "model", "--input", "ask.jsonl", "--output", "said.jsonl"];
    succeed(&mut desk.recant(&[&generate[..], &["--max-new-tokens", "5"]].concat()));
    let ids: Vec<i64> =
        serde_json::from_value(read_lines(&desk.at("said.jsonl"))[0]["ids"].clone()).expect("ids");
    let said = tokenizer.decode(&ids).expect("text").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(second.user.contains(&format!("previous answer: {said}\nTake")), "{} {said}", second.user);
}

#[test]
fn an_item_that_fails_is_recorded_and_the_others_go_on() {
    let desk = Desk::new();
    let (whole, _) = desk.run("whole");
    let ids: BTreeSet<String> = ["bbq", "winogender"]
        .iter()
        .flat_map(|task| turns(&whole, task, "baseline").into_iter().map(|turn| turn.item))
        .collect();
    let missing = ids.iter().nth(4).expect("an item").clone();
    let lines: Vec<Value> = ids
        .iter()
        .filter(|id| **id != missing)
        .map(|id| json!({ "item": id, "round": 1, "text": "Think again." }))
        .collect();
    write_lines(&desk.at("said.jsonl"), &lines);
    desk.study(&[
        ("\"negation\"", "\"feedback\""),
        (
            "[capture]",
            "[condition.feedback]\nextends = \"feedback\"\nfeedback.file = \"said.jsonl\"\n[capture]",
        ),
    ]);
    let (run, said) = desk.run("run");
    assert!(said.contains("1 items failed"), "{said}");
    let mut failed = Vec::new();
    for task in ["bbq", "winogender"] {
        for shard in 0..3 {
            let path = run.join("tiny").join(task).join(format!("failed-{shard:05}.jsonl"));
            if path.is_file() {
                failed.extend(read_lines(&path));
            }
        }
    }
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(failed["item"], missing.as_str());
    assert!(failed["why"].as_str().expect("words").contains("has no text for round 1"), "{failed}");
    let kept = |run: &Path| -> Vec<Turn> {
        let all = ["bbq", "winogender"].map(|task| turns(run, task, "baseline")).concat();
        all.into_iter().filter(|turn| turn.item != missing).collect()
    };
    let all: Vec<Turn> = ["bbq", "winogender"].map(|task| turns(&run, task, "baseline")).concat();
    assert!(all.iter().all(|turn| turn.item != missing));
    for (a, b) in kept(&run).iter().zip(&kept(&whole)) {
        assert_eq!((&a.item, a.round, &a.orders[0].new_ids), (&b.item, b.round, &b.orders[0].new_ids));
    }
    assert!(run.join("report.html").is_file(), "the others are reported");
    let report = fs::read_to_string(run.join("report.html")).expect("a report");
    assert!(report.contains("1 of"), "the report says how many are left out");
}

#[test]
fn texts_of_options_are_scored_as_answers_per_token_and_against_their_own_probability() {
    let desk = Desk::new();
    let scoring = format!(
        "{GENERATION}\nscoring = [\"text-pmi\", \"text-alone\", \"text-mean\", \"letter\", \"parsed\"]"
    );
    desk.study(&[(GENERATION, &scoring)]);
    let (run, _) = desk.run("run");
    let tokenizer = tokenizer();
    let (mut sequences, mut expected) = (Vec::new(), Vec::new());
    for turns in turns(&run, "bbq", "negation").chunks(2) {
        let mut ids: Vec<i64> = Vec::new();
        for turn in turns {
            let order = &turn.orders[0];
            ids.extend(&order.new_ids);
            let prefill = tokenizer.encode("(", false).expect("a prefill");
            let bare = ids.strip_suffix(prefill.as_slice()).expect("the prefill").to_vec();
            let user = turn.user.split('\n').collect::<Vec<_>>();
            if turn.round == 0 {
                for (option, score) in order.texts.iter().enumerate() {
                    let line = user[user.len() - 4 + option];
                    let text = tokenizer.encode(&line[4..], false).expect("a text");
                    assert_eq!(score.tokens, text.len(), "{line}");
                    sequences.push([bare.as_slice(), &text].concat());
                    expected.push((text.len(), score.logprob));
                    // The fixture's config names no first token, so a text by itself follows the token that ends one.
                    let begin = first_token();
                    sequences.push([&[begin], text.as_slice()].concat());
                    expected.push((text.len(), turn.unconditional[option]));
                }
            }
            let pmi: Vec<f64> = order
                .texts
                .iter()
                .zip(&turn.unconditional)
                .map(|(text, alone)| text.logprob - alone)
                .collect();
            let best = (0..3).max_by(|&a, &b| pmi[a].total_cmp(&pmi[b]));
            if turn.orders.len() == 1 {
                assert_eq!(turn.choice, best);
            }
            assert!((turn.logprobs.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
            ids.extend(&order.answer_ids);
        }
    }
    for (found, (last, expected)) in logprobs(&desk, &sequences).iter().zip(expected) {
        let found: f64 = found[found.len() - last..].iter().sum();
        assert!((found - expected).abs() < SAME, "{found} {expected}");
    }
}

/// The token after which the fixture scores a text by itself: transformers' bos_token_id, or the end token.
fn first_token() -> i64 {
    let text = fs::read_to_string(tiny().join("config.json")).expect("a config");
    let config: Value = serde_json::from_str(&text).expect("JSON");
    let tokenizer = tokenizer();
    let opening = tokenizer.encode(&tokenizer.opening().expect("an opening"), false).expect("ids");
    opening
        .first()
        .copied()
        .or(config["bos_token_id"].as_i64())
        .or(config["eos_token_id"].as_i64())
        .expect("a token")
}

#[test]
fn options_are_listed_in_the_orders_that_are_asked_for() {
    let orders = |how: &str, seed: &str| {
        let desk = Desk::new();
        desk.study(&[(GENERATION, &format!("{GENERATION}\norders = \"{how}\"")), ("seed = 3", seed)]);
        let (run, _) = desk.run("run");
        let turns = turns(&run, "bbq", "baseline");
        turns
            .iter()
            .map(|turn| turn.orders.iter().map(|o| o.order.clone()).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert!(orders("given", "seed = 3").iter().all(|orders| *orders == [[0, 1, 2]]));
    for all in orders("all", "seed = 3") {
        assert_eq!(all.len(), 6);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 6);
    }
    let shuffled = orders("shuffled", "seed = 3");
    assert!(shuffled.iter().all(|orders| orders.len() == 1));
    assert!(shuffled.iter().collect::<BTreeSet<_>>().len() > 1, "items have orders of their own");
    assert_eq!(shuffled, orders("shuffled", "seed = 3"));
    assert_ne!(shuffled, orders("shuffled", "seed = 4"));
}

#[test]
fn a_drawn_answer_hangs_on_seed_and_item_and_not_on_its_batch() {
    let drawn = |seed: &str, items: &str| {
        let desk = Desk::new();
        let sampling = "sampling = { temperature = 1.5, top_p = 0.95, top_k = 40 }\nsamples = { n = 2 }";
        desk.study(&[
            (GENERATION, &format!("{GENERATION}\nstop_at_newline = false\n{sampling}")),
            ("seed = 3", seed),
            ("shard_items = 3", items),
        ]);
        let (run, _) = desk.run("run");
        let both = ["baseline", "negation"].map(|condition| turns(&run, "bbq", condition));
        both.map(|turns| {
            turns
                .into_iter()
                .map(|turn| {
                    let samples: Vec<Vec<i64>> =
                        turn.samples.iter().map(|sample| sample.ids.clone()).collect();
                    (
                        turn.round,
                        turn.orders.iter().map(|o| o.answer_ids.clone()).collect::<Vec<_>>(),
                        samples,
                    )
                })
                .collect::<Vec<_>>()
        })
    };
    let [baseline, negation] = drawn("seed = 3", "shard_items = 3");
    assert_eq!([baseline.clone(), negation.clone()], drawn("seed = 3", "shard_items = 100"));
    assert_ne!(baseline, drawn("seed = 4", "shard_items = 3")[0]);
    let first = |turns: &[Said]| turns.iter().filter(|turn| turn.0 == 0).cloned().collect::<Vec<_>>();
    assert_eq!(
        first(&baseline),
        first(&negation),
        "the same prompt has the same answer under every condition"
    );
    assert!(baseline.iter().all(|(_, _, samples)| samples.len() == 2));
    assert!(baseline.iter().any(|(_, _, samples)| samples[0] != samples[1]));
}

#[test]
fn answers_are_as_long_as_asked_and_end_where_a_text_stops_them() {
    let desk = Desk::new();
    desk.study(&[(GENERATION, "max_new_tokens = 12\nmin_new_tokens = 12\nstop_at_newline = false")]);
    let (run, _) = desk.run("long");
    let free = turns(&run, "bbq", "baseline");
    for order in free.iter().flat_map(|turn| &turn.orders) {
        assert_eq!((order.answer_ids.len(), order.ended), (12, false));
    }
    // A text that some of these answers hold after their first token.
    let stop: String = free
        .iter()
        .find_map(|turn| turn.orders[0].answer.chars().skip(4).find(|c| c.is_alphanumeric()))
        .expect("a letter")
        .to_string();
    desk.study(&[(
        GENERATION,
        &format!("max_new_tokens = 12\nstop_at_newline = false\nstop = [\"{stop}\"]"),
    )]);
    let (run, _) = desk.run("stopped");
    let stopped = turns(&run, "bbq", "baseline");
    let mut cut = 0;
    for order in stopped.iter().flat_map(|turn| &turn.orders) {
        assert!(!order.answer.contains(&stop), "{:?} holds {stop:?}", order.answer);
        assert!(
            !tokenizer().decode(&order.answer_ids).expect("text").contains(&stop),
            "the ids go on as the text does"
        );
        cut += usize::from(order.ended && order.answer_ids.len() < 12);
    }
    assert!(cut > 0, "no answer was cut at {stop:?}");
}

#[test]
fn the_preview_shows_the_very_tokens_of_a_run() {
    let desk = Desk::new();
    desk.study(&[("\"negation\"", "\"specificity-2\", \"filler\"")]);
    let (run, _) = desk.run("run");
    let turn = turns(&run, "bbq", "specificity-2").into_iter().next().expect("a turn");
    let tokenizer = tokenizer();
    let shown = |arguments: &[&str]| {
        let done = succeed(&mut desk.recant(&[&["task", "preview", "study.toml"], arguments].concat()));
        String::from_utf8(done.stdout).expect("text")
    };
    let all = shown(&["--item", &turn.item, "--condition", "specificity-2", "--rounds", "1"]);
    let prompt = tokenizer.spelled(&turn.orders[0].new_ids).expect("text");
    assert!(all.contains(&prompt) && prompt.contains("<|im_start|>user"), "{all}");
    let apart = shown(&["--item", &turn.item, "--rounds", "1", "--tokens"]);
    assert!(apart.contains("<|im_start|>|"), "{apart}");
    let told = shown(&["--condition", "specificity-2,filler"]);
    assert!(told.contains("each person's age"), "{told}");

    // The filler is as long as the abstract norm, to a word.
    let users: Vec<String> = ["specificity-1", "filler"]
        .iter()
        .map(|condition| shown(&["--condition", condition]))
        .map(|text| text.lines().rfind(|line| line.starts_with("Review")).expect("a request").to_string())
        .collect();
    let tokens: Vec<usize> =
        users.iter().map(|user| tokenizer.encode(user, false).expect("ids").len()).collect();
    assert!(tokens[0].abs_diff(tokens[1]) <= 6, "{users:?} {tokens:?}");
    assert!(!users[1].contains("unbiased"));
}

#[test]
fn conditions_and_tasks_are_listed() {
    let desk = Desk::new();
    desk.study(&[(
        "[capture]",
        "[condition.be-kind]\nabout = \"kindness\"\nextends = \"specificity-1\"\nnorm = \"is kind\"\n[capture]",
    )]);
    let listed =
        |arguments: &[&str]| String::from_utf8(succeed(&mut desk.recant(arguments)).stdout).expect("text");
    let all = listed(&["condition", "list", "study.toml"]);
    for name in
        ["baseline", "specificity-3-cot", "negation-2", "answer-told", "be-kind", "kindness (of the study)"]
    {
        assert!(all.contains(name), "{name}: {all}");
    }
    let json: Value =
        serde_json::from_str(&listed(&["condition", "list", "study.toml", "--json"])).expect("JSON");
    let kind = json.as_array().expect("a list").iter().find(|arm| arm["name"] == "be-kind").expect("be-kind");
    assert_eq!(kind["norm"]["any"][0], "is kind");
    assert!(kind["say"]["letters"][0].as_str().expect("words").contains("{norm}"));
    let tasks = listed(&["task", "list"]);
    for name in ["bbq", "winogender", "occupations", "crows-pairs", "generic", "realtoxicityprompts"] {
        assert!(tasks.contains(name), "{name}: {tasks}");
    }
}

#[test]
fn open_answers_are_scored_by_a_program_of_the_users() {
    let desk = Desk::new();
    let lines: Vec<Value> = (0..4)
        .map(|i| json!({ "id": i, "text": format!("Once upon a time number {i}"), "group": i.to_string() }))
        .collect();
    write_lines(&desk.at("open.jsonl"), &lines);
    let program = "import json, sys\nfor line in sys.stdin:\n    got = json.loads(line)\n    \
                   print(json.dumps({'id': got['id'], 'score': SCORE}))\n";
    fs::write(desk.at("judge.py"), program.replace("SCORE", "0.25 if got['id'] % 2 else 0.75"))
        .expect("written");
    desk.study(&[
        ("[dialogue]", "[[tasks]]\nname = \"open\"\nkind = \"generic\"\npath = \"open.jsonl\"\njudge = [\"python3\", \"judge.py\"]\n[dialogue]"),
        (GENERATION, &format!("{GENERATION}\nsamples = {{ n = 1 }}")),
    ]);
    let (run, _) = desk.run("run");
    let told = turns(&run, "open", "negation");
    assert!(
        told.iter().all(|turn| turn.choice.is_none() && turn.logprobs.is_empty() && turn.samples.len() == 1)
    );
    let judged = read_lines(&run.join("tiny/open/judged.jsonl"));
    assert_eq!(judged.len(), 4 * 2 * 2);
    assert_eq!(judged[0]["scores"], json!([0.75, 0.25]));
    let table = fs::read_to_string(run.join("tables/open_answers.csv")).expect("a table");
    assert!(table.contains("tiny,open,negation,1,mean,0.5000"), "{table}");
    assert!(table.contains("tiny,open,negation,1,share_from_0.5,1.0000"), "{table}");

    for (score, why) in
        [("2.0", "not from 0 to 1"), ("'high'", "no score"), ("sys.exit(3)", "failed: exit status: 3")]
    {
        fs::remove_file(run.join("tiny/open/judged.jsonl")).expect("the scores");
        fs::write(desk.at("judge.py"), program.replace("SCORE", score)).expect("written");
        let done =
            desk.recant(&["--quiet", "run", "study.toml", "-o", "run"]).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !done.status.success() && said.contains("tasks.judge: python3 judge.py: ") && said.contains(why),
            "{said}"
        );
        fs::write(run.join("tiny/open/judged.jsonl"), "").expect("written");
    }
}

/// Takes turns, as Llama 2's and Mistral's templates do: two turns of one role are an error.
const STRICT: &str = "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
    {{ raise_exception('Conversation roles must alternate') }}{% endif %}\
    {% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}";

#[test]
fn a_template_that_insists_on_turns_is_followed_through_rounds_and_reasoning() {
    let desk = Desk::new();
    fs::write(desk.at("model/chat_template.jinja"), STRICT).expect("written");
    for history in ["linear", "none", "repeated"] {
        desk.study(&[
            ("\"negation\"", "\"cot\""),
            ("rounds = 2", "rounds = 3"),
            ("[capture]", &format!("[wording]\nhistory = \"{history}\"\n[capture]")),
        ]);
        fs::write(
            desk.at("kind.toml"),
            fs::read_to_string(desk.at("kind.toml")).expect("a spec").replace("chat", "raw"),
        )
        .expect("written");
        let (run, _) = desk.run(history);
        let tokenizer = tokenizer();
        for turns in turns(&run, "winogender", "cot").chunks(3).take(2) {
            let mut text = String::new();
            for turn in turns {
                if history != "linear" {
                    text.clear(); // a round's first prompt is recorded whole
                }
                for (new, answer) in parts(&turn.orders[0]) {
                    text += &tokenizer.spelled(new).expect("text");
                    text += &tokenizer.spelled(answer).expect("text");
                }
            }
            let asked = text.matches("[INST]").count();
            match history {
                "linear" => assert_eq!((asked, text.matches("</s>").count()), (5, 4), "{text}"),
                "none" => assert_eq!(asked, 2, "{text}"),
                _ => assert!(asked > 5, "{text}"),
            }
        }
    }
}

#[test]
fn an_item_that_fails_alone_in_its_shard_is_recorded_by_a_resumed_run_too() {
    let desk = Desk::new();
    let item = |i: usize, label: Option<usize>| {
        let mut item = json!({ "id": i.to_string(), "text": format!("Was it number {i}?"), "options": ["Yes", "No"], "group": i.to_string() });
        if let Some(label) = label {
            item["label"] = label.into();
        }
        item
    };
    write_lines(&desk.at("own.jsonl"), &[item(0, Some(1)), item(1, Some(0)), item(2, None)]);
    desk.study(&[
        (
            "name = \"bbq\"\npath = \"bbq\"\ncategories = [\"Age\", \"Nationality\"]\nlimit = 4",
            "name = \"own\"\nkind = \"generic\"\npath = \"own.jsonl\"",
        ),
        ("[[tasks]]\nname = \"winogender\"\npath = \"winogender\"", ""),
        ("\"negation\"", "\"answer-told\""),
        ("shard_items = 3", "shard_items = 1"),
    ]);
    let (run, _) = desk.run("run");
    let whole = files(&run);
    assert!(whole.contains_key(Path::new("tiny/own/failed-00002.jsonl")));
    for name in whole.keys().filter(|name| name.to_string_lossy().contains("00002.")) {
        fs::remove_file(run.join(name)).expect("removed");
    }
    assert_eq!(files(&desk.run("run").0), whole);
    for part in ["1/3", "2/3", "3/3"] {
        succeed(&mut desk.recant(&["run", "study.toml", "-o", &part.replace('/', "-"), "--shard", part]));
    }
    succeed(&mut desk.recant(&["merge", "1-3", "2-3", "3-3", "-o", "merged"]));
    assert_eq!(files(&desk.run("merged").0), whole);

    // A failure of an attempt that was cut short does not outlive the attempt that succeeds.
    let stale = run.join("tiny/own/failed-00000.jsonl");
    fs::write(&stale, "{\"item\":\"0\",\"why\":\"no memory\"}\n").expect("written");
    fs::remove_file(run.join("tiny/own/baseline/turns-00000.jsonl")).expect("removed");
    assert_eq!(files(&desk.run("run").0), whole);
}

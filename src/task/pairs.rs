//! Preference pairs: a prompt with a reply that was chosen and one that was rejected. docs/align.md has the formats.
//!
//! A pair from which nothing can be learnt is left out and counted with its reason; a line that is not of its format at
//! all is an error.

mod hh_rlhf;
mod jsonl;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{File, read, select};
use crate::error::{Error, Result};
use crate::text::Message;

/// How the lines of a file of pairs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairFormat {
    /// `prompt`, `chosen` and `rejected`, as texts or as messages.
    #[default]
    Jsonl,
    /// `chosen` and `rejected`, each a whole conversation of "Human:" and "Assistant:" (Bai et al. 2022).
    HhRlhf,
}

/// A prompt and two replies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Unique in its file: the given one, or `FILE:LINE`.
    pub id: String,
    /// What must stay on one side of a split: the given one, or one for each prompt.
    pub group: String,
    /// The given one, or the name of the file.
    pub category: String,
    /// The conversation up to the reply; it ends with the user's words.
    pub prompt: Vec<Message>,
    /// The better reply.
    pub chosen: String,
    /// The worse reply.
    pub rejected: String,
}

/// The pairs of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Those that can be used, in the order of the file.
    pub pairs: Vec<Pair>,
    /// How many were left out for each reason.
    pub left_out: BTreeMap<String, usize>,
}

/// What a line says.
struct Line {
    id: Option<String>,
    group: Option<String>,
    category: Option<String>,
    /// Prompt, chosen and rejected reply, or why they make no pair.
    said: std::result::Result<(Vec<Message>, String, String), &'static str>,
}

/// Why pairs are left out.
mod reason {
    pub const BEGINNING: &str = "the two conversations do not share their beginning";
    pub const EMPTY: &str = "a reply is empty";
    pub const SAME: &str = "the two replies are the same";
    pub const NOT_ASKED: &str = "the prompt does not end with the user's words";
    pub const NOT_A_REPLY: &str = "what follows the prompt is not one reply of the assistant";
    pub const NO_TURNS: &str = "a text is not made of Human: and Assistant: turns";
}

/// Reads a file of pairs; one that is compressed with gzip is unpacked.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; [`Error::Input`] naming file and line for a line that is not of the format, for
/// an id that occurs twice, and for a file without a pair that can be used.
pub fn load(path: &Path, format: PairFormat) -> Result<Pairs> {
    let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
    let file = File::of_bytes(path, unpacked(path, bytes)?)?;
    let name = file.stem.strip_suffix(".jsonl").unwrap_or(&file.stem);
    let (mut found, mut ids) = (Pairs::default(), read::Ids::default());
    for (index, text) in file.text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let place = file.at(index + 1);
        let line = match format {
            PairFormat::Jsonl => jsonl::line(&place, text)?,
            PairFormat::HhRlhf => hh_rlhf::line(&place, text)?,
        };
        let id = line.id.unwrap_or_else(|| format!("{name}:{}", index + 1));
        ids.take(&id, &place, "give every pair its own id, or none an id")?;
        match line.said.and_then(usable) {
            Err(why) => *found.left_out.entry(why.to_owned()).or_default() += 1,
            Ok((prompt, chosen, rejected)) => found.pairs.push(Pair {
                group: line.group.unwrap_or_else(|| group_of(&prompt)),
                category: line.category.unwrap_or_else(|| name.to_owned()),
                id,
                prompt,
                chosen,
                rejected,
            }),
        }
    }
    if !found.pairs.is_empty() {
        return Ok(found);
    }
    let reasons: Vec<String> = found.left_out.iter().map(|(why, n)| format!("{n}: {why}")).collect();
    let why = match reasons.is_empty() {
        true => "holds no pair".to_owned(),
        false => format!("holds no pair that can be used ({})", reasons.join("; ")),
    };
    Err(Error::input(file.shown, why)
        .hint("docs/align.md says what a pair is; format = \"hh-rlhf\" reads that data set"))
}

/// Keeps `sample` pairs of each category, drawn by lot, and of these the first `limit`.
pub fn limit(pairs: &mut Vec<Pair>, sample: Option<usize>, seed: u64, limit: Option<usize>) {
    select::drawn(pairs, sample, seed, |pair| (&pair.category, &pair.id));
    select::first(pairs, limit, |pair| &pair.category);
}

/// A pair from which something can be learnt.
fn usable(
    (prompt, chosen, rejected): (Vec<Message>, String, String),
) -> std::result::Result<(Vec<Message>, String, String), &'static str> {
    if chosen.is_empty() || rejected.is_empty() {
        return Err(reason::EMPTY);
    }
    if chosen == rejected {
        return Err(reason::SAME);
    }
    if prompt.last().is_none_or(|last| last.role != "user") {
        return Err(reason::NOT_ASKED);
    }
    Ok((prompt, chosen, rejected))
}

/// Takes two whole conversations apart into what they share and their last turns.
fn common_prompt(
    mut chosen: Vec<Message>,
    mut rejected: Vec<Message>,
) -> std::result::Result<(Vec<Message>, String, String), &'static str> {
    let (Some(a), Some(b)) = (chosen.pop(), rejected.pop()) else { return Err(reason::NOT_A_REPLY) };
    if chosen != rejected {
        return Err(reason::BEGINNING);
    }
    if [&a, &b].iter().any(|reply| reply.role != "assistant") {
        return Err(reason::NOT_A_REPLY);
    }
    Ok((chosen, a.content, b.content))
}

/// One group for each prompt.
fn group_of(prompt: &[Message]) -> String {
    let mut hash = Sha256::new();
    for message in prompt {
        for part in [&message.role, &message.content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let digest: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("prompt-{digest}")
}

fn unpacked(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes);
    }
    let mut whole = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut whole).map_err(|error| {
        Error::input(path.display().to_string(), format!("is not whole: {error}"))
            .hint("it is a gzip file that is damaged or cut short: get it again")
    })?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::{Value, json};

    use super::*;

    fn read_bytes(name: &str, bytes: &[u8], format: PairFormat) -> Result<Pairs> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("the file is written");
        load(&path, format)
    }

    fn read(lines: &[Value], format: PairFormat) -> Result<Pairs> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        read_bytes("p.jsonl", text.as_bytes(), format)
    }

    fn user(text: &str) -> Value {
        json!({ "role": "user", "content": text })
    }

    fn assistant(text: &str) -> Value {
        json!({ "role": "assistant", "content": text })
    }

    #[test]
    fn every_form_of_a_line_gives_the_same_pair() {
        let forms = [
            json!({ "prompt": "Who?", "chosen": "Nobody knows.", "rejected": "She." }),
            json!({ "prompt": " Who?\n", "chosen": " Nobody knows.", "rejected": [assistant(" She.")] }),
            json!({ "prompt": [user("Who?")], "chosen": [assistant("Nobody knows.")], "rejected": "She.", "score": 3 }),
            json!({ "prompt": "Who?", "chosen": [user("Who?"), assistant("Nobody knows.")], "rejected": [user("Who?"), assistant("She.")] }),
            json!({ "chosen": [user("Who?"), assistant("Nobody knows.")], "rejected": [user("Who?"), assistant("She.")] }),
        ];
        let found = read(&forms, PairFormat::Jsonl).expect("pairs");
        let first = &found.pairs[0];
        assert_eq!(
            (first.prompt.as_slice(), first.id.as_str()),
            (&[Message::new("user", "Who?")][..], "p:1")
        );
        assert_eq!((first.chosen.as_str(), first.rejected.as_str()), ("Nobody knows.", "She."));
        assert_eq!(found.pairs.len(), forms.len());
        for pair in &found.pairs {
            assert_eq!(*pair, Pair { id: pair.id.clone(), ..first.clone() });
        }
    }

    #[test]
    fn given_names_count_and_prompts_make_groups() {
        let lines = [
            json!({ "prompt": "a", "chosen": "1", "rejected": "2", "id": 7, "group": "g", "category": "c" }),
            json!({ "prompt": "a", "chosen": "3", "rejected": "4" }),
            json!({ "prompt": "b", "chosen": "3", "rejected": "4" }),
            json!({ "prompt": [{ "role": "system", "content": "Be fair." }, user("b")], "chosen": "3", "rejected": "4" }),
        ];
        let pairs = read(&lines, PairFormat::Jsonl).expect("pairs").pairs;
        assert_eq!([&*pairs[0].id, &*pairs[0].group, &*pairs[0].category], ["7", "g", "c"]);
        assert_eq!([&*pairs[1].id, &*pairs[1].category], ["p:2", "p"]);
        let groups: std::collections::HashSet<&str> = pairs.iter().map(|pair| &*pair.group).collect();
        assert_eq!(groups.len(), 4, "a system prompt makes another prompt");
        let again = read(&lines[1..2], PairFormat::Jsonl).expect("pairs");
        assert_eq!(again.pairs[0].group, pairs[1].group, "a group hangs on the prompt alone");
    }

    #[test]
    fn conversations_of_hh_rlhf_are_taken_apart_and_the_unfit_counted() {
        let line = |chosen: &str, rejected: &str| json!({ "chosen": chosen, "rejected": rejected });
        let opening = "\n\nHuman: Hi\n\nAssistant: Hello: how\n\nare you?\n\nHuman: Fine.\n\nAssistant:";
        let found = read(
            &[
                line(&format!("{opening} Good. "), &format!("{opening} Bad.")),
                line(&format!("{opening} Good."), "\n\nHuman: Hi\n\nAssistant: Bad."),
                line(&format!("{opening} Good."), &format!("{opening} ")),
                line(&format!("{opening} Good."), &format!("{opening}  Good.")),
                line(&format!("{opening} Good.\n\nHuman: So"), &format!("{opening} Good.\n\nHuman: No")),
                line("Good.", "Bad."),
                line(
                    "\n\nHuman: Hi\n\nAssistant: One.\n\nAssistant: Two.",
                    "\n\nHuman: Hi\n\nAssistant: One.\n\nAssistant: Three.",
                ),
            ],
            PairFormat::HhRlhf,
        )
        .expect("pairs");
        let [pair] = &found.pairs[..] else { panic!("{:?}", found.pairs) };
        let said: Vec<(&str, &str)> =
            pair.prompt.iter().map(|message| (&*message.role, &*message.content)).collect();
        assert_eq!(said, [("user", "Hi"), ("assistant", "Hello: how\n\nare you?"), ("user", "Fine.")]);
        assert_eq!((&*pair.chosen, &*pair.rejected), ("Good.", "Bad."));
        let expected = [
            reason::BEGINNING,
            reason::EMPTY,
            reason::SAME,
            reason::NOT_A_REPLY,
            reason::NO_TURNS,
            reason::NOT_ASKED,
        ];
        assert_eq!(found.left_out, expected.map(|why| (why.to_owned(), 1)).into());
    }

    #[test]
    fn a_file_may_be_packed_but_not_cut_short() {
        let text = "{\"prompt\": \"a\", \"chosen\": \"1\", \"rejected\": \"2\"}\n".repeat(2);
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).expect("packed");
        let packed = packed.finish().expect("packed");
        let plain = read_bytes("p.jsonl", text.as_bytes(), PairFormat::Jsonl).expect("pairs");
        assert_eq!(read_bytes("p.jsonl.gz", &packed, PairFormat::Jsonl).expect("pairs"), plain);
        let error =
            read_bytes("p.jsonl.gz", &packed[..packed.len() - 9], PairFormat::Jsonl).expect_err("cut");
        assert!(error.to_string().contains("is not whole"), "{error}");
    }

    #[test]
    fn what_is_no_file_of_pairs_is_an_error_with_a_way_out() {
        let good = json!({ "prompt": "a", "chosen": "1", "rejected": "2", "id": "x" });
        for (lines, format, why) in [
            (vec![], PairFormat::Jsonl, "holds no pair"),
            (
                vec![json!({ "prompt": "a", "chosen": "1" })],
                PairFormat::Jsonl,
                "p.jsonl:1: not a pair: missing field `rejected`",
            ),
            (vec![json!({ "chosen": "1", "rejected": "2" })], PairFormat::Jsonl, "the prompt is missing"),
            (vec![good.clone(), good.clone()], PairFormat::Jsonl, "the id x is already that of"),
            (
                vec![json!({ "prompt": "a", "chosen": "1", "rejected": "1 " })],
                PairFormat::Jsonl,
                "(1: the two replies are the same)",
            ),
            (
                vec![
                    json!({ "prompt": [{ "role": "human", "content": "a" }], "chosen": "1", "rejected": "2" }),
                ],
                PairFormat::Jsonl,
                "the role \"human\"",
            ),
            (
                vec![json!({ "prompt": "a", "chosen": "1", "rejected": "2", "id": true })],
                PairFormat::Jsonl,
                "the id is neither",
            ),
            (vec![good], PairFormat::HhRlhf, "unknown field `prompt`"),
        ] {
            let error = read(&lines, format).expect_err(why);
            let said = error.to_string();
            assert!(said.contains(why) && !said.contains('\n'), "{said}");
            assert!(error.next_step().is_some(), "{said}");
        }
    }
}

//! The JSONL that the plain tools read.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::model::Spec;
use crate::text::{ChatTemplate, Message, Tokenizer};
use crate::{Error, Result};

/// A line as typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    ids: Option<Vec<i64>>,
    text: Option<String>,
    messages: Option<Vec<Message>>,
    rounds: Option<Vec<Vec<Message>>>,
}

/// One input: the token sequences of its rounds (one without rounds).
#[derive(Debug)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// Token ids per round.
    pub rounds: Vec<Vec<i64>>,
}

/// Reads and tokenises a file for a model of which `more` new tokens are wanted; the tokenizer and the template are
/// read from `dir` when a line needs them.
///
/// # Errors
/// The file cannot be read or is empty; a line (named by number) is malformed, empty, not encodable, or holds what
/// the model cannot read.
pub fn read(path: &Path, dir: &Path, spec: &Spec, more: usize) -> Result<Vec<Record>> {
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
    let mut texts = Texts { model: dir, tokenizer: None, template: None };
    let mut records = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let place = format!("{}: line {}", path.display(), number + 1);
        let line = line.map_err(|error| Error::input(place.clone(), error.to_string()))?;
        let record = texts.record(&line).and_then(|record| fitting(record, spec, more));
        records.push(record.map_err(|error| error.within(&place))?);
    }
    if records.is_empty() {
        return Err(Error::input(path.display().to_string(), "holds no lines"));
    }
    Ok(records)
}

/// The record, if the model knows its tokens and has room for them and for `more`.
fn fitting(record: Record, spec: &Spec, more: usize) -> Result<Record> {
    for ids in &record.rounds {
        if let Some(id) = ids.iter().find(|id| !(0..spec.vocab).contains(*id)) {
            return Err(Error::input(
                format!("token {id}"),
                format!("the vocabulary has {} tokens", spec.vocab),
            )
            .hint("the ids or the tokenizer belong to another model"));
        }
        // The last new token is never read.
        let reach = ids.len().saturating_add(more.saturating_sub(1));
        if reach as u64 > spec.n_ctx as u64 {
            let why = format!("reaches {reach} tokens, the model's context is {}", spec.n_ctx);
            return Err(Error::input("sequence", why).hint("shorten the input, or ask for fewer new tokens"));
        }
    }
    Ok(record)
}

struct Texts<'a> {
    model: &'a Path,
    tokenizer: Option<Tokenizer>,
    template: Option<ChatTemplate>,
}

impl Texts<'_> {
    fn record(&mut self, line: &str) -> Result<Record> {
        let shape = r#"a line is {"id": "..", and one of "ids": [..], "text": "..", "messages": [..], "rounds": [[..], ..]}"#;
        let bad = |why: String| Error::input("", why).hint(shape);
        if line.trim().is_empty() {
            return Err(bad("is empty".into()));
        }
        let line: Line = serde_json::from_str(line)
            .map_err(|error| bad(error.to_string().replace("line 1 column", "column")))?;
        let rounds = match (line.ids, line.text, line.messages, line.rounds) {
            (Some(ids), None, None, None) => vec![ids],
            (None, Some(text), None, None) => vec![self.tokenizer()?.encode(&text, true)?],
            (None, None, Some(messages), None) => vec![self.conversation(&messages)?],
            (None, None, None, Some(rounds)) => {
                rounds.iter().map(|messages| self.conversation(messages)).collect::<Result<_>>()?
            }
            _ => return Err(bad("needs exactly one of \"ids\", \"text\", \"messages\", \"rounds\"".into())),
        };
        if rounds.is_empty() || rounds.iter().any(Vec::is_empty) {
            return Err(bad("holds no tokens".into()));
        }
        Ok(Record { id: line.id, rounds })
    }

    fn conversation(&mut self, messages: &[Message]) -> Result<Vec<i64>> {
        if self.template.is_none() {
            self.template = Some(ChatTemplate::read(self.model)?);
        }
        let text = self.template.as_ref().map(|template| template.render(messages, true)).transpose()?;
        self.tokenizer()?.encode(&text.unwrap_or_default(), false)
    }

    fn tokenizer(&mut self) -> Result<&Tokenizer> {
        if self.tokenizer.is_none() {
            self.tokenizer = Some(Tokenizer::read(self.model)?);
        }
        self.tokenizer.as_ref().ok_or_else(|| Error::input("tokenizer", "was not read"))
    }
}

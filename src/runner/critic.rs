//! Feedback: what somebody else says of an answer, from a file or from another model.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tch::Tensor;

use super::engine::{Engine, Limits, Request, Stop};
use super::sample::Sampler;
use crate::model::Model;
use crate::study::Texts;
use crate::text::{ChatTemplate, Message, Tokenizer};
use crate::{Error, Result};

/// Who reads the answers of a condition.
pub enum Reader {
    /// Texts by item and round.
    File(BTreeMap<(String, usize), String>),
    /// A model.
    Model(Box<Critic>),
}

/// A model that is asked about answers.
pub struct Critic {
    /// The model.
    pub model: Model,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its chat template.
    pub template: ChatTemplate,
    /// What it is asked.
    pub ask: Texts,
    /// Longest feedback in tokens.
    pub max_new_tokens: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    item: String,
    round: usize,
    text: String,
}

impl Reader {
    /// Reads a file of one JSON object a line: {"item", "round", "text"}.
    ///
    /// # Errors
    /// The file cannot be read; a line (named by number) is malformed or says the same thing twice.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let mut texts = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: String| {
                Error::input(format!("{}: line {}", path.display(), number + 1), why)
                    .hint(r#"a line is {"item": "Age-1", "round": 1, "text": "..."}"#)
            };
            let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            let key = (line.item, line.round);
            if texts.contains_key(&key) {
                return Err(wrong(format!("a second text for {} in round {}", key.0, key.1)));
            }
            texts.insert(key, line.text);
        }
        Ok(Self::File(texts))
    }
}

impl Critic {
    /// What the model answers to each question, greedily, on one line.
    ///
    /// # Errors
    /// Its template refuses a question, or libtorch fails.
    pub fn read(&self, questions: &[String]) -> Result<Vec<String>> {
        if questions.is_empty() {
            return Ok(Vec::new()); // before the first answer there is nothing to read
        }
        let mut engine = Engine::new(&self.model, Limits::for_model(&self.model));
        let requests = questions
            .iter()
            .map(|question| {
                let text = self.template.render(&[Message::new("user", question.clone())], true)?;
                let ids = self.tokenizer.encode(&text, false)?;
                Ok(Request { logits: vec![ids.len().saturating_sub(1)], ids, ..Request::default() })
            })
            .collect::<Result<Vec<_>>>()?;
        let encoded = engine.encode(&requests, &[], &[])?;
        let rows: Vec<i64> = encoded.logit_rows.iter().map(|rows| rows[0]).collect();
        let logits = encoded.logits.ok_or_else(|| Error::Torch("no logits".into()))?;
        let first = logits.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
        let stop = Stop { max_new: self.max_new_tokens, ends: &self.model.spec.eos, ..Stop::default() };
        let mut samplers = vec![Sampler::Greedy; rows.len()];
        let answers = engine.generate(&encoded.nodes, &first, stop, &mut samplers)?;
        let plain = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        answers.iter().map(|answer| self.tokenizer.decode(&answer.ids).map(plain)).collect()
    }
}

//! Perplexity of plain texts: what an intervention costs a model beside what it does to its answers.

use tch::{Kind, Tensor};

use super::engine::{Engine, Limits, Request};
use super::tally::Tally;
use crate::model::{Edit, Model};
use crate::text::Tokenizer;
use crate::{Error, Result};

/// Original English prose, a text a line.
pub const PROSE: &str = include_str!("../../data/prose.txt");

/// Tokens whose logits are held at once.
const ROWS: usize = 512;

/// Texts as tokens, each after what a document begins with.
#[derive(Debug)]
pub struct Texts {
    ids: Vec<Vec<i64>>,
    /// Tokens at the front that are not predicted.
    given: usize,
}

impl Texts {
    /// The non-empty lines of a text. `document` holds the tokens that a document begins with; the first token of a line
    /// is given where there are none.
    ///
    /// # Errors
    /// No line has a token to predict.
    pub fn new(tokenizer: &Tokenizer, document: &[i64], text: &str) -> Result<Self> {
        let given = document.len().max(1);
        let mut ids = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = [document, &tokenizer.encode(line, false)?].concat();
            if line.len() > given {
                ids.push(line);
            }
        }
        match ids.is_empty() {
            true => Err(Error::input("the texts for perplexity", "hold no line to predict")
                .hint("one text a line, as plain text")),
            false => Ok(Self { ids, given }),
        }
    }

    /// The tokens of each text.
    pub(super) fn lines(&self) -> &[Vec<i64>] {
        &self.ids
    }

    /// Tokens that are predicted.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.iter().map(|ids| ids.len() - self.given).sum()
    }

    /// For each text what asks for the logits that predict its tokens.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.ids.iter().map(|ids| self.request(ids)).collect()
    }

    fn request(&self, ids: &[i64]) -> Request {
        Request {
            ids: ids[..ids.len() - 1].to_vec(),
            logits: (self.given - 1..ids.len() - 1).collect(),
            ..Request::default()
        }
    }

    /// `exp` of the mean negative log-likelihood of the texts' tokens (natural logarithm), each text read by itself under
    /// the given interventions, which must reach every token.
    ///
    /// # Errors
    /// As [`Edit::check`] and [`Engine::encode`].
    pub fn perplexity(
        &self,
        model: &Model,
        edits: &[Edit],
        limits: Limits,
        tally: &Tally<'_>,
    ) -> Result<f64> {
        let mut engine = Engine::capturing(model, limits);
        engine.edit(edits.to_vec())?;
        let mut total = 0.0;
        let mut at = 0;
        while at < self.ids.len() {
            let (mut end, mut rows) = (at, 0);
            while end < self.ids.len() && (end == at || rows + self.ids[end].len() <= ROWS) {
                rows += self.ids[end].len();
                end += 1;
            }
            let texts = &self.ids[at..end];
            let requests: Vec<Request> = texts.iter().map(|ids| self.request(ids)).collect();
            let encoded = engine.encode(&requests, &[], &[])?;
            tally.add(encoded.encoded_tokens, 0)?;
            let logits = encoded.logits.ok_or_else(super::study::no_logits)?;
            let rows = Tensor::f_from_slice(&encoded.logit_rows.concat())?;
            let targets: Vec<i64> = texts.iter().flat_map(|ids| &ids[self.given..]).copied().collect();
            let index = Tensor::f_from_slice(&targets)?.f_unsqueeze(-1)?;
            let logits = logits.f_index_select(0, &rows)?;
            let own = logits.f_gather(1, &index, false)?.f_squeeze_dim(-1)?;
            let lost = logits.f_logsumexp(-1, false)?.f_sub(&own)?;
            total += lost.f_sum(Kind::Double)?.f_double_value(&[])?;
            engine.clear();
            at = end;
        }
        Ok((total / self.tokens() as f64).exp())
    }
}

//! Dialogues: what the model is told, turn by turn, as text and as token ids.
//!
//! Between rounds only token ids are carried on: round r + 1 is round r's ids, the ids the model generated, and the
//! ids of what the template puts between that answer and the next one. Nothing is tokenised twice.

use crate::study::{Condition, Wording};
use crate::task::{Format, Item};
use crate::text::{ChatTemplate, Message, Tokenizer};
use crate::{Error, Result};

/// Stands for an answer of the model in the messages; its text never reaches the model again.
const SAID: &str = "...";

/// What turns items into prompts.
pub struct Script<'a> {
    /// The checkpoint's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The checkpoint's chat template.
    pub template: &'a ChatTemplate,
    /// How round 0 is asked.
    pub wording: &'a Wording,
    /// Tokens that end an answer.
    pub ends: &'a [i64],
}

/// One dialogue: an item, under a condition, with its options in one order.
#[derive(Debug, Clone)]
pub struct Dialogue<'a> {
    /// The item.
    pub item: &'a Item,
    /// The condition.
    pub condition: &'a Condition,
    /// `order[k]` is the option that stands at place k.
    pub order: Vec<usize>,
    /// Token ids so far: prompts and answers.
    pub ids: Vec<i64>,
    messages: Vec<Message>,
}

/// What a round adds to a dialogue, and where its named tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The whole sequence so far.
    pub ids: Vec<i64>,
    /// How many of them this round adds.
    pub new: usize,
    /// What the user said.
    pub user: String,
    /// Position of the last token that the template renders, before the prefill.
    pub last: usize,
    /// Position of the last token of what the user said; `None` where the template changes the words.
    pub instruction_end: Option<usize>,
    /// Per option of the file's order: the whole sequence with that option as the answer.
    pub options: Vec<Vec<i64>>,
    /// Number of leading tokens that all of `options` and `ids` share: scores count the tokens after them.
    pub shared: usize,
}

impl<'a> Dialogue<'a> {
    /// A dialogue in which nothing was said yet.
    #[must_use]
    pub fn new(item: &'a Item, condition: &'a Condition, order: Vec<usize>) -> Self {
        Self { item, condition, order, ids: Vec::new(), messages: Vec::new() }
    }

    /// The item with its options in this dialogue's order.
    #[must_use]
    pub fn listed(&self) -> Item {
        let options = self.order.iter().map(|&option| self.item.options[option].clone()).collect();
        Item { options, ..self.item.clone() }
    }
}

impl Script<'_> {
    /// The prompt of the next round.
    ///
    /// # Errors
    /// The template refuses the conversation or rewrites earlier turns.
    pub fn prompt(&self, dialogue: &Dialogue<'_>) -> Result<Prompt> {
        let user = self.user(dialogue);
        let message = Message::new("user", user.clone());
        let fresh = if dialogue.messages.is_empty() {
            self.template.render(&[message], true)?
        } else {
            self.template.continuation(&dialogue.messages, &message)?
        };
        let prefill = fill(self.wording.prefill.of(&dialogue.item.format), dialogue);
        let opened = format!("{fresh}{prefill}");
        let before = dialogue.ids.len();
        let with = |text: &str| -> Result<Vec<i64>> {
            Ok([dialogue.ids.as_slice(), &self.tokenizer.encode(text, false)?].concat())
        };
        let ids = with(&opened)?;
        let ends_at = |text: &str| -> Result<usize> {
            let shared = common(&with(text)?, &ids);
            if shared <= before {
                return Err(Error::input(dialogue.item.id.clone(), "a round adds no tokens of its own"));
            }
            Ok(shared - 1)
        };
        let spoken = fresh.rfind(user.trim()).map(|at| &fresh[..at + user.trim().len()]);
        let options = (0..dialogue.item.options.len())
            .map(|option| with(&format!("{opened}{}", answer_text(dialogue, option))))
            .collect::<Result<Vec<_>>>()?;
        let shared = options.iter().map(|option| common(option, &ids)).min().unwrap_or(ids.len());
        if options.iter().any(|option| option.len() == shared) {
            return Err(Error::input(
                dialogue.item.id.clone(),
                "one option's tokens begin another's: they cannot be compared",
            ));
        }
        Ok(Prompt {
            new: ids.len() - before,
            last: ends_at(&fresh)?,
            instruction_end: spoken.map(ends_at).transpose()?,
            user,
            ids,
            options,
            shared,
        })
    }

    /// Adds a round to a dialogue: its prompt and what the model generated. Returns the ids that stay in the
    /// dialogue (an end token does not: the template writes its own) and the answer's text, prefill included.
    ///
    /// # Errors
    /// The generated ids cannot be decoded.
    pub fn answered(
        &self,
        dialogue: &mut Dialogue<'_>,
        prompt: &Prompt,
        generated: &[i64],
    ) -> Result<(Vec<i64>, String)> {
        let kept = match generated {
            [rest @ .., last] if self.ends.contains(last) => rest,
            all => all,
        };
        // Decoded together with what precedes it: some tokenizers drop a leading space.
        let opening = &prompt.ids[prompt.last + 1..];
        let together = self.tokenizer.decode(&[opening, kept].concat())?;
        let said = match together.strip_prefix(&self.tokenizer.decode(opening)?) {
            Some(said) => said.to_string(),
            None => self.tokenizer.decode(kept)?,
        };
        let text = fill(self.wording.prefill.of(&dialogue.item.format), dialogue) + &said;
        dialogue.ids = [prompt.ids.as_slice(), kept].concat();
        dialogue.messages.push(Message::new("user", prompt.user.clone()));
        dialogue.messages.push(Message::new("assistant", SAID));
        Ok((kept.to_vec(), text))
    }

    fn user(&self, dialogue: &Dialogue<'_>) -> String {
        let format = &dialogue.item.format;
        let wording = if dialogue.messages.is_empty() {
            self.wording.question.of(format)
        } else {
            dialogue.condition.say.of(format)
        };
        fill(wording, dialogue)
    }
}

/// What the model would say after the prefill to choose an option.
fn answer_text(dialogue: &Dialogue<'_>, option: usize) -> String {
    match dialogue.item.format {
        Format::Letters => {
            let place = dialogue.order.iter().position(|&listed| listed == option).unwrap_or_default();
            letter(place).to_string()
        }
        _ => format!(" {}", dialogue.item.options[option].text),
    }
}

/// Puts an item into a wording. Placeholders in the item's own text are left as they are.
fn fill(wording: &str, dialogue: &Dialogue<'_>) -> String {
    let item = dialogue.item;
    let mut out = String::new();
    let mut rest = wording;
    while let Some(open) = rest.find('{') {
        out += &rest[..open];
        rest = &rest[open..];
        let key = rest.find('}').map_or("", |close| &rest[..=close]);
        match (key, &item.format) {
            ("{text}", _) => out += &item.text(),
            ("{options}", _) => out += &listing(dialogue),
            ("{before}", Format::Blank { before }) => out += before,
            _ => {
                out.push('{');
                rest = &rest[1..];
                continue;
            }
        }
        rest = &rest[key.len()..];
    }
    out + rest
}

/// The options, one a line, by letter.
fn listing(dialogue: &Dialogue<'_>) -> String {
    let line = |(place, &option): (usize, &usize)| {
        format!("({}) {}", letter(place), dialogue.item.options[option].text)
    };
    dialogue.order.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn letter(place: usize) -> char {
    char::from(b'a' + (place % 26) as u8)
}

fn common(a: &[i64], b: &[i64]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The orders in which options are put: the given one first, then, where asked for, the other cyclic ones. An item
/// without a list of options has one order.
#[must_use]
pub fn orders(item: &Item, cyclic: bool) -> Vec<Vec<usize>> {
    let n = item.options.len();
    let count = if cyclic && item.format == Format::Letters { n } else { 1 };
    (0..count).map(|shift| (0..n).map(|place| (place + shift) % n).collect()).collect()
}

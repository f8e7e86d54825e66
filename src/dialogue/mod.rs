//! Dialogues: what the model is told, turn by turn, as text and as token ids.
//!
//! Between rounds only token ids are carried on: round r + 1 is round r's ids, the ids the model generated, and the
//! ids of what the template puts between that answer and the next one. Nothing is tokenised twice, unless a wording asks
//! for the earlier words as text (`{history}`).

pub mod fill;
pub mod filler;
pub mod orders;
pub mod span;

use fill::{Words, letter};
use filler::Filler;
pub use orders::orders;
pub use span::{Span, Speaker};

use crate::study::{Arm, Before, History, Texts};
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
    /// Tokens that end every reply.
    pub eos: &'a [i64],
    /// Tokens that end an answer: those of `eos`, and where a line break does, those that hold one.
    pub ends: &'a [i64],
    /// Texts that end an answer.
    pub stop: &'a [String],
    /// Texts that end what precedes an answer.
    pub before_stop: &'a [String],
    /// Whether the words of listed options are put as answers too.
    pub texts: bool,
    /// Finds `{filler}`.
    pub filler: Filler,
}

/// One dialogue: an item, under a condition, with its options in one order.
#[derive(Debug, Clone)]
pub struct Dialogue<'a> {
    /// The item.
    pub item: &'a Item,
    /// The condition.
    pub arm: &'a Arm,
    /// `order[k]` is the option that stands at place k.
    pub order: Vec<usize>,
    /// The round that is asked next, or under way.
    pub round: usize,
    /// What stands for `{feedback}` in this round.
    pub feedback: String,
    /// Token ids so far: prompts and answers.
    ids: Vec<i64>,
    /// How many of them earlier turns have recorded.
    recorded: usize,
    /// What the last round's prompt began with, where the history is repeated.
    stem: Vec<i64>,
    messages: Vec<Message>,
    /// What the user and the model said, `{history}` left out.
    said: Vec<(String, String)>,
}

/// A part of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// An exchange before the answer.
    Before(usize),
    /// The answer.
    Answer,
}

/// What a turn adds to a dialogue, and where its named tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The whole sequence so far.
    pub ids: Vec<i64>,
    /// How many of them no earlier turn has recorded: those that this turn adds, or all where the history is not linear.
    pub new: usize,
    /// Position of the first token that this turn adds to what was said, whatever the history.
    pub fresh: usize,
    /// What the user said.
    pub user: String,
    /// Position of the last token that the template renders, before the prefill.
    pub last: usize,
    /// Position of the first token of what the user said; `None` where the template changes the words.
    pub instruction_start: Option<usize>,
    /// Position of the last token of what the user said; `None` where the template changes the words.
    pub instruction_end: Option<usize>,
    /// The options as the model would begin its answer with them. Empty before an answer that does not count.
    pub options: Answers,
    /// The words of listed options as whole answers, where they are wanted.
    pub texts: Answers,
    /// Longest reply in tokens.
    pub max_new_tokens: usize,
    /// Which part of the round it is.
    pub part: Part,
    /// What the user said, `{history}` left out.
    own: String,
    prefill: String,
}

/// Answers put in the model's mouth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Per option of the file's order the whole sequence with that answer.
    pub ids: Vec<Vec<i64>>,
    /// Number of leading tokens that all of them share with the prompt: scores count the tokens after them.
    pub shared: usize,
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The ids that stay in the dialogue: an end token does not, the template writes its own.
    pub ids: Vec<i64>,
    /// The text, prefill included.
    pub text: String,
    /// Whether it ended by itself.
    pub ended: bool,
}

impl Prompt {
    /// The position of the last token of what the user said.
    ///
    /// # Errors
    /// The template changes the words.
    pub fn instruction_end(&self) -> Result<usize> {
        self.instruction_end.ok_or_else(|| {
            Error::input("position instruction_end", "the chat template changes what the user said")
                .hint("leave it out of capture.positions")
        })
    }
}

impl<'a> Dialogue<'a> {
    /// A dialogue in which nothing was said yet.
    #[must_use]
    pub fn new(item: &'a Item, arm: &'a Arm, order: Vec<usize>) -> Self {
        Self {
            item,
            arm,
            order,
            round: 0,
            feedback: String::new(),
            ids: Vec::new(),
            recorded: 0,
            stem: Vec::new(),
            messages: Vec::new(),
            said: Vec::new(),
        }
    }

    /// The item with its options in this dialogue's order.
    #[must_use]
    pub fn listed(&self) -> Item {
        let options = self.order.iter().map(|&option| self.item.options[option].clone()).collect();
        Item { options, ..self.item.clone() }
    }

    /// The exchanges that precede the answer of this round.
    #[must_use]
    pub fn before(&self) -> &'a [Before] {
        if self.round < self.arm.from { &[] } else { &self.arm.before }
    }

    /// The parts of this round, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        (0..self.before().len()).map(Part::Before).chain([Part::Answer])
    }

    /// The text of the last answer; nothing before there is one.
    #[must_use]
    pub fn answer(&self) -> &str {
        self.said.last().map_or("", |(_, answer)| answer)
    }
}

impl Script<'_> {
    /// The prompt of a part of the round.
    ///
    /// # Errors
    /// The template refuses the conversation or rewrites earlier turns, the condition has no words for the item.
    pub fn prompt(&self, dialogue: &Dialogue<'_>, part: Part) -> Result<Prompt> {
        let (words, prefill, max_new_tokens) = self.wording(dialogue, part)?;
        let own = self.fill(dialogue, words, "")?;
        let user = match words.contains("{history}") {
            true => self.fill(dialogue, words, &history(&dialogue.said))?,
            false => own.clone(),
        };
        if user.trim().is_empty() {
            return Err(self.silent(dialogue, "what the user says"));
        }
        let prefill = self.fill(dialogue, prefill, "")?;
        let fresh = self.fresh(dialogue, &user)?;
        let before = dialogue.ids.len();
        let with = |text: &str| -> Result<Vec<i64>> {
            Ok([dialogue.ids.as_slice(), &self.tokenizer.encode(text, false)?].concat())
        };
        let opened = format!("{fresh}{prefill}");
        let ids = with(&opened)?;
        let ends_at = |text: &str| -> Result<usize> {
            let shared = common(&with(text)?, &ids);
            if shared <= before {
                return Err(Error::input(dialogue.item.id.clone(), "a round adds no tokens of its own"));
            }
            Ok(shared - 1)
        };
        let spoken = fresh.rfind(user.trim()).map(|at| (&fresh[..at], &fresh[..at + user.trim().len()]));
        let starts_at = |(before, _): (&str, &str)| Ok::<_, Error>(common(&with(before)?, &ids));
        let answers = |lead: &str, wanted: bool, text: &dyn Fn(usize) -> String| -> Result<Answers> {
            let n = if wanted { dialogue.item.options.len() } else { 0 };
            let all =
                (0..n).map(|option| with(&format!("{lead}{}", text(option)))).collect::<Result<Vec<_>>>()?;
            let shared = all.iter().map(|option| common(option, &ids)).min().unwrap_or(ids.len());
            if all.iter().any(|option| option.len() == shared) {
                let why = "one option's tokens begin another's: they cannot be compared";
                return Err(Error::input(dialogue.item.id.clone(), why));
            }
            Ok(Answers { ids: all, shared })
        };
        let scored = part == Part::Answer;
        let listed = dialogue.item.format == Format::Letters;
        Ok(Prompt {
            new: ids.len() - dialogue.recorded,
            fresh: before,
            last: ends_at(&fresh)?,
            instruction_start: spoken.map(starts_at).transpose()?,
            instruction_end: spoken.map(|(_, until)| ends_at(until)).transpose()?,
            options: answers(&opened, scored, &|option| answer_text(dialogue, option))?,
            texts: answers(&fresh, scored && listed && self.texts, &|option| {
                dialogue.item.options[option].text.clone()
            })?,
            max_new_tokens,
            part,
            user,
            ids,
            own,
            prefill,
        })
    }

    /// Adds a part of a round to a dialogue: its prompt and what the model generated.
    ///
    /// # Errors
    /// The generated ids cannot be decoded.
    pub fn replied(&self, dialogue: &mut Dialogue<'_>, prompt: &Prompt, generated: &[i64]) -> Result<Reply> {
        let reply = self.reply(prompt, generated)?;
        dialogue.ids = [prompt.ids.as_slice(), &reply.ids].concat();
        dialogue.recorded = dialogue.ids.len();
        dialogue.messages.push(Message::new("user", prompt.user.clone()));
        dialogue.messages.push(Message::new("assistant", SAID));
        dialogue.said.push((prompt.own.clone(), reply.text.clone()));
        Ok(reply)
    }

    /// What generated ids say after a prompt.
    ///
    /// # Errors
    /// The ids cannot be decoded.
    pub fn reply(&self, prompt: &Prompt, generated: &[i64]) -> Result<Reply> {
        let (ends, stop) = self.ending(prompt.part);
        let kept = match generated {
            [rest @ .., last] if ends.contains(last) => rest,
            all => all,
        };
        // Decoded together with what precedes it: some tokenizers drop a leading space.
        let opening = &prompt.ids[prompt.last + 1..];
        let together = self.tokenizer.decode(&[opening, kept].concat())?;
        let said = match together.strip_prefix(&self.tokenizer.decode(opening)?) {
            Some(said) => said.to_string(),
            None => self.tokenizer.decode(kept)?,
        };
        let Some(at) = stop.iter().filter_map(|stop| said.find(stop.as_str())).min() else {
            let text = format!("{}{said}", prompt.prefill);
            return Ok(Reply { ids: kept.to_vec(), text, ended: kept.len() < generated.len() });
        };
        // The ids end where the text does, or within the token that runs into the stop.
        let before = self.tokenizer.decode(opening)?.len() + at;
        let mut length = kept.len();
        while length > 0 && self.tokenizer.decode(&[opening, &kept[..length]].concat())?.len() > before {
            length -= 1;
        }
        let text = format!("{}{}", prompt.prefill, &said[..at]);
        Ok(Reply { ids: kept[..length].to_vec(), text, ended: true })
    }

    /// The tokens and the texts that end a part of a round: reasoning may run over many lines.
    #[must_use]
    pub fn ending(&self, part: Part) -> (&[i64], &[String]) {
        match part {
            Part::Before(_) => (self.eos, self.before_stop),
            Part::Answer => (self.ends, self.stop),
        }
    }

    /// Ends a round and makes the dialogue ready for the next one.
    ///
    /// # Errors
    /// The template cannot end a turn.
    pub fn next_round(&self, dialogue: &mut Dialogue<'_>) -> Result<()> {
        dialogue.round += 1;
        match dialogue.arm.history {
            History::Linear => {}
            History::None => {
                dialogue.ids.clear();
                dialogue.messages.clear();
                dialogue.recorded = 0;
            }
            History::Repeated => {
                if !dialogue.stem.is_empty() {
                    let closing = self.template.closing(&self.asked(dialogue)?)?;
                    let closing = self.tokenizer.encode(&closing, false)?;
                    dialogue.ids = [dialogue.stem.as_slice(), &closing, &dialogue.ids].concat();
                }
                dialogue.stem.clone_from(&dialogue.ids);
                dialogue.recorded = 0;
            }
        }
        Ok(())
    }

    /// What the template adds for the user's words, up to the opening of the answer.
    fn fresh(&self, dialogue: &Dialogue<'_>, user: &str) -> Result<String> {
        let message = Message::new("user", user);
        if dialogue.messages.is_empty() {
            return self.template.render(&self.with_system(dialogue, &[message])?, true);
        }
        self.template.continuation(&self.asked(dialogue)?, &message)
    }

    /// What was said up to the last answer, which the template is to follow.
    fn asked(&self, dialogue: &Dialogue<'_>) -> Result<Vec<Message>> {
        let mut asked = self.with_system(dialogue, &[])?;
        asked.pop();
        Ok(asked)
    }

    /// The system prompt, what was said, and `more`.
    fn with_system(&self, dialogue: &Dialogue<'_>, more: &[Message]) -> Result<Vec<Message>> {
        let system = dialogue.arm.system.of(&dialogue.item.format, 0).filter(|text| !text.is_empty());
        let system = system.map(|text| self.fill(dialogue, text, "")).transpose()?;
        if system.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(self.silent(dialogue, "system"));
        }
        let system = system.into_iter().map(|text| Message::new("system", text));
        Ok(system.chain(dialogue.messages.iter().cloned()).chain(more.iter().cloned()).collect())
    }

    /// The words of a part of the round, the prefill, and the budget.
    fn wording<'d>(&self, dialogue: &Dialogue<'d>, part: Part) -> Result<(&'d str, &'d str, usize)> {
        let (arm, round, format) = (dialogue.arm, dialogue.round, &dialogue.item.format);
        let lacking = |what: &str| {
            let why = format!("has no words `{what}` for tasks of the format {}", format.name());
            Error::input(format!("condition {:?}", arm.name), why)
                .hint(format!("give {what}.{} or {what}.any", format.name()))
        };
        let asked = |first: &'d Texts, later: &'d Texts, what: (&str, &str)| match round {
            0 => first.of(format, 0).ok_or_else(|| lacking(what.0)),
            _ => later.of(format, round - 1).ok_or_else(|| lacking(what.1)),
        };
        let opening = |prefill: &'d Texts| prefill.of(format, round).unwrap_or("");
        Ok(match part {
            Part::Before(k) => {
                let before = &arm.before[k];
                let words = asked(&before.question, &before.say, ("before.question", "before.say"))?;
                (words, opening(&before.prefill), before.max_new_tokens.unwrap_or(arm.max_new_tokens))
            }
            Part::Answer => {
                let then = dialogue.before().last().and_then(|before| before.then.of(format, round));
                let words = match then {
                    Some(then) => then,
                    None => asked(&arm.question, &arm.say, ("question", "say"))?,
                };
                (words, opening(&arm.prefill), arm.max_new_tokens)
            }
        })
    }

    /// An instruction must not vanish unseen.
    fn silent(&self, dialogue: &Dialogue<'_>, what: &str) -> Error {
        let (name, round) = (&dialogue.arm.name, dialogue.round);
        let why = format!("{what} is empty in round {round} for item {}", dialogue.item.id);
        Error::input(format!("condition {name:?}"), why).hint(
            "a line whose placeholders come out empty is left out: give it a norm for this task, or words without {norm}",
        )
    }

    fn fill(&self, dialogue: &Dialogue<'_>, text: &str, history: &str) -> Result<String> {
        let (arm, format) = (dialogue.arm, &dialogue.item.format);
        let turn = dialogue.round.saturating_sub(arm.from);
        let mut words = Words {
            item: dialogue.item,
            order: &dialogue.order,
            condition: &arm.name,
            norm: "",
            filler: "",
            history,
            answer: dialogue.answer(),
            feedback: &dialogue.feedback,
        };
        if dialogue.round < arm.from || !text.contains('{') {
            return words.fill(text);
        }
        let like = arm.filled_like.of(format, turn).map(|like| words.fill(like)).transpose()?;
        let filler =
            like.map(|like| self.filler.like(&like, self.tokenizer)).transpose()?.unwrap_or_default();
        words.filler = &filler;
        let norm = arm.norm.of(format, turn).map(|norm| words.fill(norm)).transpose()?.unwrap_or_default();
        words.norm = &norm;
        words.fill(text)
    }

    /// What a critic is asked about the last answer of a dialogue.
    ///
    /// # Errors
    /// The condition has no words for it.
    pub fn critique(&self, dialogue: &Dialogue<'_>, ask: &Texts) -> Result<String> {
        let format = &dialogue.item.format;
        let words = ask.of(format, dialogue.round.saturating_sub(1)).ok_or_else(|| {
            let why = format!("has no words `feedback.ask` for tasks of the format {}", format.name());
            Error::input(format!("condition {:?}", dialogue.arm.name), why).hint("give feedback.ask")
        })?;
        self.fill(dialogue, words, &history(&dialogue.said))
    }
}

/// All that was said, as plain text.
fn history(said: &[(String, String)]) -> String {
    said.iter().map(|(user, answer)| format!("{user}\n{answer}")).collect::<Vec<_>>().join("\n")
}

/// What the model would say after the prefill to choose an option.
fn answer_text(dialogue: &Dialogue<'_>, option: usize) -> String {
    let words = &dialogue.item.options[option].text;
    match &dialogue.item.format {
        Format::Letters => {
            let place = dialogue.order.iter().position(|&listed| listed == option).unwrap_or_default();
            letter(place).to_string()
        }
        Format::Blank { before } if !before.is_empty() => format!(" {words}"),
        Format::Blank { .. } | Format::Sentence | Format::Open => words.clone(),
    }
}

fn common(a: &[i64], b: &[i64]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

//! Chat templates: Jinja, run in a sandboxed engine with limits, as transformers renders them.

use std::fmt::Write;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind, Output, State, Value, context};
use serde::{Deserialize, Serialize};

use super::Tokenizer;
use crate::model::Config;
use crate::{Error, Result};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// A turn of `role`.
    #[must_use]
    pub fn new(role: &str, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// Stands for an answer while a template is asked what follows it.
const ANSWER: &str = "<<recant-answer>>";

/// What a template may use up. A step costs one, and so do 64 bytes that it makes or goes through; as nothing is given
/// back, this bounds time and memory (128 MB) alike.
const FUEL: u64 = 2_000_000;

/// The chat template of a checkpoint.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    place: String,
    bos: String,
    eos: String,
}

/// How a model without a chat template reads a conversation: a transcript, as its training texts may hold.
const PLAIN: &str = "{{ bos_token }}{% for message in messages %}\
{% if message.role == 'user' %}User:\n{% elif message.role == 'assistant' %}Assistant:\n{% endif %}\
{{ message.content }}\n\n{% endfor %}\
{% if add_generation_prompt %}Assistant:\n{{ '' }}{% endif %}";

impl ChatTemplate {
    /// The checkpoint's template, or where it has none a plain transcript, which begins as the tokenizer begins texts.
    ///
    /// # Errors
    /// The template is not valid Jinja.
    pub fn or_plain(dir: &Path, tokenizer: &Tokenizer) -> Result<Self> {
        if Self::present(dir)? {
            return Self::read(dir);
        }
        Self::new(PLAIN.to_string(), "the plain transcript", tokenizer.opening()?, String::new())
    }

    /// Whether a checkpoint has a chat template.
    ///
    /// # Errors
    /// `tokenizer_config.json` cannot be read.
    pub fn present(dir: &Path) -> Result<bool> {
        let config = dir.join("tokenizer_config.json");
        Ok(dir.join("chat_template.jinja").is_file()
            || (config.is_file() && template_of(&Config::read(&config)?)?.is_some()))
    }

    /// Reads `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`.
    ///
    /// # Errors
    /// There is none, or it is not valid Jinja.
    pub fn read(dir: &Path) -> Result<Self> {
        let file = dir.join("chat_template.jinja");
        let config_path = dir.join("tokenizer_config.json");
        let config = if config_path.is_file() { Some(Config::read(&config_path)?) } else { None };
        let (source, place) = if file.is_file() {
            (Some(std::fs::read_to_string(&file).map_err(|error| Error::io(&file, error))?), file)
        } else {
            (config.as_ref().map(template_of).transpose()?.flatten(), config_path)
        };
        let source = source.ok_or_else(|| {
            Error::input(dir.display().to_string(), "holds no chat template")
                .hint("a base model has none: give \"text\" or \"ids\" instead of \"messages\"; a study uses a plain transcript")
        })?;
        let token = |key| config.as_ref().and_then(|config| special_token(config, key)).unwrap_or_default();
        Self::new(source, &place.display().to_string(), token("bos_token"), token("eos_token"))
    }

    /// From the template's text; `place` names it in errors.
    ///
    /// # Errors
    /// It is not valid Jinja.
    pub fn new(source: String, place: &str, bos: String, eos: String) -> Result<Self> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        let syntax = syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false).build();
        environment.set_syntax(syntax.map_err(|error| Error::input(place, one_line(&error)))?);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(format_within_fuel);
        // Nothing bounds these two, and no conversation needs them.
        environment.remove_filter("pprint");
        environment.remove_global("debug");
        environment.add_filter("tojson", to_json);
        environment.set_recursion_limit(100);
        environment.set_unknown_method_callback(python_method);
        environment.add_function(
            "raise_exception",
            |why: String| -> std::result::Result<Value, minijinja::Error> {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, why))
            },
        );
        environment
            .add_template_owned("chat", source.clone())
            .map_err(|error| Error::input(place, format!("broken chat template: {}", one_line(&error))))?;
        Ok(Self { environment, source, place: place.to_string(), bos, eos })
    }

    /// The template's text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The conversation as the model reads it; `generation_prompt` appends the opening of the assistant's turn.
    ///
    /// # Errors
    /// The template refuses the conversation or does not end.
    pub fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String> {
        let template = self.environment.get_template("chat");
        let turn = |turn: &Message| Value::from_pairs([("role", &*turn.role), ("content", &*turn.content)]);
        template
            .and_then(|template| {
                template.render(context! {
                    messages => messages.iter().map(turn).collect::<Value>(),
                    add_generation_prompt => generation_prompt,
                    bos_token => &*self.bos,
                    eos_token => &*self.eos,
                })
            })
            .map_err(|error| {
                Error::input(self.place.clone(), format!("the chat template failed: {}", one_line(&error)))
            })
    }

    /// What stands between an answer and the next one: the end of the assistant's turn, the next user turn, and the
    /// opening of the next assistant turn. `messages` end with what was answered.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`]; also when the template rewrites earlier turns, so that no continuation exists.
    pub fn continuation(&self, messages: &[Message], next: &Message) -> Result<String> {
        let before = self.render(messages, true)?;
        let mut longer = messages.to_vec();
        longer.push(Message::new("assistant", ANSWER));
        longer.push(next.clone());
        let after = self.render(&longer, true)?;
        let rest = after.strip_prefix(&before).and_then(|rest| rest.split_once(ANSWER));
        // Some templates put a space before an answer; the model's own answer needs none.
        let rest = rest.filter(|(lead, _)| lead.trim().is_empty()).map(|(_, rest)| rest.to_string());
        rest.ok_or_else(|| {
            let why = "the chat template rewrites earlier turns when a new one is added";
            Error::input(self.place.clone(), why).hint("rounds need a template that only appends")
        })
    }

    /// What the template puts after an answer that nothing follows: the end of the assistant's turn.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`].
    pub fn closing(&self, messages: &[Message]) -> Result<String> {
        let ended = [messages, &[Message::new("assistant", ANSWER)]].concat();
        let whole = self.render(&ended, false)?;
        Ok(whole.split_once(ANSWER).map_or_else(String::new, |(_, rest)| rest.to_string()))
    }
}

/// Python's methods. The engine charges what they give back, which is late for two of them: a width in
/// `'{:9}'.format(x)` is filled first, and a text may be split into as many pieces as it has letters.
fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> std::result::Result<Value, minijinja::Error> {
    match (method, value.as_str()) {
        ("format", Some(text)) if wide(text) => {
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, "format: a width beyond 999"));
        }
        ("split", Some(text)) => {
            let pieces = match arguments.first().and_then(Value::as_str) {
                Some(between) => text.matches(between).count(),
                None => text.split_whitespace().count(),
            };
            state.consume_fuel(pieces as u64)?;
        }
        ("splitlines", Some(text)) => state.consume_fuel(text.lines().count() as u64)?,
        _ => {}
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}

/// Whether a field of a format has a number of more than three digits.
fn wide(format: &str) -> bool {
    format.split('{').skip(1).any(|field| {
        let field = field.split('}').next().unwrap_or_default();
        field.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 3)
    })
}

/// The engine's own, with an indentation that a reader could want.
fn to_json(
    value: &Value,
    indent: Option<Value>,
    options: Kwargs,
) -> std::result::Result<Value, minijinja::Error> {
    let indent = indent.map_or_else(|| options.get("indent"), |indent| Ok(Some(indent)))?;
    if indent.as_ref().and_then(Value::as_i64).is_some_and(|n| n > 64) {
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, "tojson: the indent is too wide"));
    }
    minijinja::filters::tojson(value, indent, options)
}

/// Writes a value out, but no more of it than the fuel pays for: lists may hold one another many times over, and the
/// engine itself charges a list only once it is written.
fn format_within_fuel(
    output: &mut Output,
    state: &mut State,
    value: &Value,
) -> std::result::Result<(), minijinja::Error> {
    // A byte of a list costs a quarter of a step, one of a text a sixty-fourth.
    let bytes =
        state.fuel_levels().map_or(0, |(_, left)| left * if value.as_str().is_some() { 64 } else { 4 });
    let mut limited = Limited { output, bytes };
    write!(limited, "{value}").map_err(|_| minijinja::Error::from(ErrorKind::OutOfFuel))
}

struct Limited<'a, 'b> {
    output: &'a mut Output<'b>,
    bytes: u64,
}

impl std::fmt::Write for Limited<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes = self.bytes.checked_sub(text.len() as u64).ok_or(std::fmt::Error)?;
        self.output.write_str(text)
    }
}

fn one_line(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text.replace('\n', " ")
}

/// `chat_template` is a string, or a list of named ones of which `default` counts.
fn template_of(config: &Config) -> Result<Option<String>> {
    match config.get("chat_template") {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(serde_json::Value::Array(list)) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            Ok(default.and_then(|entry| entry["template"].as_str()).map(str::to_string))
        }
        Some(_) => Err(config.wrong("chat_template", "expected a string or a list of named templates")),
    }
}

/// A special token is a string or an object with `content`.
fn special_token(config: &Config, key: &str) -> Option<String> {
    let value = config.get(key)?;
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}\
        {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    fn chat(source: &str) -> Result<ChatTemplate> {
        ChatTemplate::new(source.into(), "test", "<s>".into(), "</s>".into())
    }

    #[test]
    fn prompt_answer_and_continuation_make_the_next_prompt() {
        let chat = chat(CHATML).expect("template");
        let first = vec![Message::new("user", "Who?")];
        let next = Message::new("user", "Again & <b>.");
        let continuation = chat.continuation(&first, &next).expect("continuation");
        let mut whole = first.clone();
        whole.extend([Message::new("assistant", "She."), next]);
        let joined = chat.render(&first, true).expect("render") + "She." + &continuation;
        assert_eq!(joined, chat.render(&whole, true).expect("render"));
    }

    #[test]
    fn a_template_that_rewrites_history_is_refused() {
        let chat = chat("{{ messages[-1].content }}").expect("template");
        assert!(chat.continuation(&[Message::new("user", "a")], &Message::new("user", "b")).is_err());
    }

    #[test]
    fn broken_refusing_and_endless_templates_are_one_line_errors() {
        assert!(chat("{% for %}").is_err());
        let refused = chat("{{ raise_exception('no system role') }}").expect("template").render(&[], true);
        assert!(refused.expect_err("refused").to_string().contains("no system role"));
        let endless = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
        assert!(chat(endless).expect("template").render(&[], true).is_err());
    }

    #[test]
    fn a_template_that_wants_too_much_memory_is_refused() {
        for greedy in [
            "{{ 'a' * 10**9 }}",
            "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
            "{{ [1] | tojson(indent=10**9) }}",
            "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
            "{{ ('a' * 10000000).split('') }}",
            "{{ '{:1000000000}'.format(1) }}",
        ] {
            assert!(chat(greedy).expect("template").render(&[], true).is_err(), "{greedy}");
        }
    }

    #[test]
    fn a_model_without_a_template_reads_a_transcript_to_which_rounds_append() {
        let plain =
            ChatTemplate::new(PLAIN.into(), "plain", "<s>".into(), String::new()).expect("a template");
        let question = [Message::new("system", "Be fair."), Message::new("user", "Who was it?")];
        let first = plain.render(&question, true).expect("rendered");
        assert_eq!(first, "<s>Be fair.\n\nUser:\nWho was it?\n\nAssistant:\n");
        let rest = plain.continuation(&question, &Message::new("user", "Sure?")).expect("a continuation");
        assert_eq!(rest, "\n\nUser:\nSure?\n\nAssistant:\n");
    }
}

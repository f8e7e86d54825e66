//! Pairs as TRL's trainers read them: `prompt`, `chosen` and `rejected`, each a text or a list of messages; or `chosen`
//! and `rejected` alone, as whole conversations.

use serde::Deserialize;

use super::{Line, common_prompt, read, reason};
use crate::error::{Error, Result};
use crate::text::Message;

const HINT: &str = "a line is one JSON object such as {\"prompt\": \"Who?\", \"chosen\": \"Nobody knows.\", \
    \"rejected\": \"She.\"}; docs/align.md lists the keys";

/// Other keys, such as scores, are passed over: public data sets have many.
#[derive(Deserialize)]
struct Row {
    prompt: Option<Said>,
    chosen: Said,
    rejected: Said,
    id: Option<serde_json::Value>,
    group: Option<String>,
    category: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Messages(Vec<Turn>),
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
}

pub(super) fn line(place: &str, text: &str) -> Result<Line> {
    let row: Row = read::json_row(place, text, "a pair", HINT)?;
    let wrong = |why: String| Error::input(place, why).hint(HINT);
    let id = match row.id {
        None => None,
        Some(serde_json::Value::String(id)) if !id.trim().is_empty() => Some(id.trim().to_owned()),
        Some(serde_json::Value::Number(id)) => Some(id.to_string()),
        Some(_) => return Err(wrong("the id is neither a text nor a number".into())),
    };
    for said in [row.prompt.as_ref(), Some(&row.chosen), Some(&row.rejected)].into_iter().flatten() {
        let Said::Messages(turns) = said else { continue };
        let known = |turn: &&Turn| !matches!(&*turn.role, "system" | "user" | "assistant");
        if let Some(turn) = turns.iter().find(known) {
            return Err(wrong(format!("the role {:?} is none of system, user, assistant", turn.role)));
        }
    }
    let said = match (row.prompt, row.chosen, row.rejected) {
        (None, Said::Messages(chosen), Said::Messages(rejected)) => {
            common_prompt(messages(chosen), messages(rejected))
        }
        (None, ..) => return Err(wrong("the prompt is missing".into())),
        (Some(prompt), chosen, rejected) => {
            let prompt = match prompt {
                Said::Text(text) => vec![Message::new("user", text.trim())],
                Said::Messages(turns) => messages(turns),
            };
            reply(&prompt, chosen).and_then(|chosen| {
                let rejected = reply(&prompt, rejected)?;
                Ok((prompt, chosen, rejected))
            })
        }
    };
    Ok(Line { id, group: row.group, category: row.category, said })
}

fn messages(turns: Vec<Turn>) -> Vec<Message> {
    turns.into_iter().map(|turn| Message::new(&turn.role, turn.content.trim())).collect()
}

/// The reply to a prompt; some data sets repeat the prompt before it.
fn reply(prompt: &[Message], said: Said) -> std::result::Result<String, &'static str> {
    let turns = match said {
        Said::Text(text) => return Ok(text.trim().to_owned()),
        Said::Messages(turns) => messages(turns),
    };
    match turns.strip_prefix(prompt).unwrap_or(&turns) {
        [reply] if reply.role == "assistant" => Ok(reply.content.clone()),
        _ => Err(reason::NOT_A_REPLY),
    }
}

//! Texts of a wording: by the format of a task, and by round.

use std::collections::BTreeMap;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::task::Format;

/// Formats that a text can be written for; `any` is for those that have none of their own.
const KEYS: [&str; 5] = ["letters", "blank", "sentence", "open", "any"];

/// Words for each format. Several texts for one format are those of its rounds in turn, the last of which repeats.
///
/// In TOML: a string or a list of strings for every format, or a table with keys of [`Format::name`] and `any`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Texts(BTreeMap<String, Vec<String>>);

impl Texts {
    /// Whether there are no words at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for a format in its `turn`-th use, counted from 0.
    #[must_use]
    pub fn of(&self, format: &Format, turn: usize) -> Option<&str> {
        let lines = self.0.get(format.name()).or_else(|| self.0.get("any"))?;
        lines.get(turn).or(lines.last()).map(String::as_str)
    }

    /// Every text.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }

    /// Takes over what `upper` has: its words for a format, or its words for all.
    pub(super) fn overlay(&mut self, upper: &Self) {
        if upper.0.contains_key("any") {
            self.0.clear();
        }
        self.0.extend(upper.0.iter().map(|(key, lines)| (key.clone(), lines.clone())));
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words).map(Self)
    }
}

/// Reads the table of [`Texts`], or what stands for it.
struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = BTreeMap<String, Vec<String>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, a list of texts, or a table of them by format")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok([("any".to_string(), vec![text.to_string()])].into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::new();
        while let Some(text) = texts.next_element()? {
            lines.push(text);
        }
        if lines.is_empty() {
            return Err(A::Error::custom("the list of texts is empty"));
        }
        Ok([("any".to_string(), lines)].into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some(key) = table.next_key::<String>()? {
            if !KEYS.contains(&key.as_str()) {
                return Err(A::Error::custom(format!(
                    "unknown format `{key}`, expected one of {}",
                    KEYS.join(", ")
                )));
            }
            let lines = table.next_value::<Lines>()?.0;
            all.insert(key, lines);
        }
        Ok(all)
    }
}

/// A text or a list of texts.
struct Lines(Vec<String>);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Lines;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Lines, E> {
                Ok(Lines(vec![text.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, texts: A) -> Result<Lines, A::Error> {
                Words.visit_seq(texts).map(|mut lines| Lines(lines.remove("any").unwrap_or_default()))
            }
        }
        deserializer.deserialize_any(Each)
    }
}

//! Puts an item, and what was said so far, into a wording.

use crate::task::{Format, Item, Role};
use crate::{Error, Result};

/// Every placeholder.
pub const KEYS: [&str; 17] = [
    "{text}",
    "{passage}",
    "{question}",
    "{options}",
    "{before}",
    "{right}",
    "{unknown}",
    "{group}",
    "{dimension}",
    "{share}",
    "{rest}",
    "{category}",
    "{norm}",
    "{filler}",
    "{history}",
    "{answer}",
    "{feedback}",
];

/// The first thing in a wording that looks like a placeholder and is none.
#[must_use]
pub fn unknown(text: &str) -> Option<&str> {
    text.match_indices('{').map(|(at, _)| &text[at..]).find_map(|rest| {
        let key = &rest[..=rest.find('}')?];
        let name = &key[1..key.len() - 1];
        let like = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        (like && !KEYS.contains(&key)).then_some(key)
    })
}

/// What placeholders stand for.
pub struct Words<'a> {
    /// The item.
    pub item: &'a Item,
    /// The order in which its options are listed.
    pub order: &'a [usize],
    /// The condition, for messages.
    pub condition: &'a str,
    /// `{norm}`, filled already.
    pub norm: &'a str,
    /// `{filler}`.
    pub filler: &'a str,
    /// `{history}`.
    pub history: &'a str,
    /// `{answer}`: the last one.
    pub answer: &'a str,
    /// `{feedback}`.
    pub feedback: &'a str,
}

impl Words<'_> {
    /// The text with its placeholders replaced. Braces that are no placeholder stay, as do those in the item's own text;
    /// a line all of whose placeholders come out empty is left out.
    ///
    /// # Errors
    /// A placeholder for something that the item does not have.
    pub fn fill(&self, text: &str) -> Result<String> {
        let mut lines = Vec::new();
        for line in text.split('\n') {
            lines.extend(self.line(line)?);
        }
        Ok(lines.join("\n"))
    }

    fn line(&self, line: &str) -> Result<Option<String>> {
        let (mut empty, mut filled) = (false, false);
        let mut out = String::new();
        let mut rest = line;
        while let Some(open) = rest.find('{') {
            out += &rest[..open];
            rest = &rest[open..];
            let key = rest.find('}').map_or("", |close| &rest[..=close]);
            match self.value(key)? {
                Some(value) => {
                    empty |= value.is_empty();
                    filled |= !value.is_empty();
                    out += &value;
                    rest = &rest[key.len()..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out += rest;
        Ok((filled || !empty).then_some(out))
    }

    fn value(&self, key: &str) -> Result<Option<String>> {
        let item = self.item;
        let option = |index: Option<usize>, what: &str| match index {
            Some(index) => Ok(item.options[index].text.clone()),
            None => Err(self.lacks(key, what)),
        };
        Ok(Some(match key {
            "{text}" => item.text(),
            "{passage}" => item.passage.clone(),
            "{question}" => item.question.clone(),
            "{options}" => self.listing(),
            "{before}" => match &item.format {
                Format::Blank { before } => before.clone(),
                _ => String::new(),
            },
            "{right}" => option(item.label, "right option")?,
            "{unknown}" => option(item.with_role(Role::Unknown), "option that cannot be known")?,
            "{group}" => option(item.with_role(Role::Stereotyped), "stereotyped option")?,
            "{dimension}" if item.dimension.is_empty() => return Err(self.lacks(key, "social dimension")),
            "{dimension}" => item.dimension.clone(),
            "{share}" => self.percent(key, |share| share)?,
            "{rest}" => self.percent(key, |share| 1.0 - share)?,
            "{category}" => item.category.clone(),
            "{norm}" => self.norm.to_string(),
            "{filler}" => self.filler.to_string(),
            "{history}" => self.history.to_string(),
            "{answer}" => self.answer.to_string(),
            "{feedback}" => self.feedback.to_string(),
            _ => return Ok(None),
        }))
    }

    /// A part of one that follows from the number recorded with the item, per cent.
    fn percent(&self, key: &str, of: impl Fn(f64) -> f64) -> Result<String> {
        let share = self.item.recorded.ok_or_else(|| self.lacks(key, "recorded share"))?;
        Ok(format!("{:.0}", 100.0 * of(share)))
    }

    fn lacks(&self, key: &str, what: &str) -> Error {
        Error::input(
            format!("item {}", self.item.id),
            format!("has no {what} for {key} in {}", self.condition),
        )
        .hint("leave the condition out for this task, keep only items that have one, or give it other words")
    }

    /// The options, one a line, by letter; nothing where they are not listed.
    fn listing(&self) -> String {
        if self.item.format != Format::Letters {
            return String::new();
        }
        let line = |(place, &option): (usize, &usize)| {
            format!("({}) {}", letter(place), self.item.options[option].text)
        };
        self.order.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The letter of a place in the list of options.
#[must_use]
pub fn letter(place: usize) -> char {
    char::from(b'a' + (place % 26) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Choice;

    fn item() -> Item {
        let option = |text: &str, role| Choice { text: text.into(), role };
        Item {
            id: "Age-1".into(),
            group: "Age/1".into(),
            category: "Age".into(),
            context: None,
            polarity: None,
            dimension: "age".into(),
            passage: String::new(),
            question: "Who {really} did it?".into(),
            options: vec![option("The old man", Role::Stereotyped), option("Not known", Role::Unknown)],
            format: Format::Letters,
            label: None,
            target: Some(0),
            recorded: Some(0.404),
        }
    }

    fn fill(text: &str, norm: &str) -> Result<String> {
        let item = item();
        let words = Words {
            item: &item,
            order: &[1, 0],
            condition: "c",
            norm,
            filler: "",
            history: "",
            answer: "(a)",
            feedback: "",
        };
        words.fill(text)
    }

    #[test]
    fn a_line_without_anything_to_say_is_left_out() {
        let question = "{text}\n{options}\nMake sure that it {norm}.\nAnswer.";
        let bare = fill(question, "").expect("filled");
        assert_eq!(bare, "Who {really} did it?\n(a) Not known\n(b) The old man\nAnswer.");
        let told = fill(question, "is fair").expect("filled");
        assert!(told.contains("\nMake sure that it is fair.\n"));
        assert_eq!(fill("{passage} {question}", "").expect("filled"), " Who {really} did it?");
        assert_eq!(fill("{no such} {", "").expect("filled"), "{no such} {");
        assert_eq!(fill("{share} and {rest}", "").expect("filled"), "40 and 60");
        assert_eq!(
            fill("{group}, {unknown}, {dimension}, {answer}", "").expect("filled"),
            "The old man, Not known, age, (a)"
        );
    }

    #[test]
    fn every_placeholder_is_known_and_a_misspelt_one_is_not() {
        for key in KEYS {
            assert_eq!(unknown(key), None);
            // What the item lacks is an error, and what is no placeholder stays.
            assert!(fill(key, "n").map_or(true, |filled| filled != key), "{key}");
        }
        assert_eq!(unknown("{text} and {optoins}, {2} {a b} {"), Some("{optoins}"));
    }

    #[test]
    fn what_an_item_lacks_is_an_error_that_names_it() {
        let error = fill("It is {right}.", "").expect_err("no label").to_string();
        assert_eq!(error, "item Age-1: has no right option for {right} in c");
    }
}

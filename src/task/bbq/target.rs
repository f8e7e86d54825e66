//! Who of the two persons of a BBQ row the stereotype is about.

use std::collections::HashMap;

use crate::task::{Polarity, Role};

/// The persons among the options of a row, and those of them who belong to a stereotyped group.
pub(super) struct Persons {
    persons: Vec<usize>,
    matching: Vec<usize>,
    /// For each option the half of a compound tag that is not the race: "f" of "F-Black", "lowses" of "lowSES-M-Black".
    halves: Vec<Option<String>>,
}

impl Persons {
    /// `infos` holds name and tag of every option. A person belongs to a stereotyped group at the first of four rungs
    /// that matches anybody: the whole tag, a part of a compound tag, the name, the text.
    pub(super) fn new(texts: &[String], infos: &[(&str, &str)], groups: &[String]) -> Self {
        let persons: Vec<usize> = (0..texts.len()).filter(|&index| infos[index].1 != "unknown").collect();
        let groups: Vec<&String> = groups.iter().filter(|group| !fold(group).is_empty()).collect();
        let belongs = |rung: usize, index: usize| {
            let (name, tag) = infos[index];
            groups.iter().any(|group| match rung {
                0 => fold(tag) == fold(group),
                1 => parts(tag).any(|part| fold(part) == fold(group)),
                2 => contains_words(name, group),
                _ => contains_words(&texts[index], group),
            })
        };
        let at = |rung: usize| -> Vec<usize> {
            persons.iter().copied().filter(|&index| belongs(rung, index)).collect()
        };
        let matching = (0..4).map(at).find(|found| !found.is_empty()).unwrap_or_default();
        let halves = infos.iter().zip(texts).map(|((name, tag), text)| half(name, tag, text)).collect();
        Self { persons, matching, halves }
    }

    /// The stereotyped person, if there are two persons and one of them stands out: by the group, or, where both belong
    /// to it, by the half of the tag that the stereotyped person of this question is known to have.
    pub(super) fn stereotyped(&self, half: Option<&str>) -> Option<usize> {
        match (self.persons.len(), self.matching.as_slice()) {
            (2, [person]) => Some(*person),
            (2, both @ [_, _]) => {
                let mut alike =
                    both.iter().filter(|&&person| half.is_some() && self.halves[person].as_deref() == half);
                alike.next().filter(|_| alike.next().is_none()).copied()
            }
            _ => None,
        }
    }

    /// The stereotyped person, given the bias-consistent answer.
    pub(super) fn behind(&self, biased: Option<usize>, polarity: Option<Polarity>) -> Option<usize> {
        let [one, other] = self.persons[..] else { return None };
        let biased = biased.filter(|biased| self.persons.contains(biased))?;
        match polarity {
            Some(Polarity::Neg) => Some(biased),
            _ => Some(if biased == one { other } else { one }),
        }
    }

    /// The role of an option.
    pub(super) fn role(&self, index: usize, stereotyped: Option<usize>) -> Role {
        match stereotyped {
            Some(person) if person == index => Role::Stereotyped,
            _ if self.persons.contains(&index) => Role::Other,
            _ => Role::Unknown,
        }
    }
}

/// The half of the tag that the stereotyped person of each question has, from the rows whose groups single that person
/// out; None where these rows disagree.
pub(super) fn halves<'a>(
    rows: impl Iterator<Item = (&'a str, &'a Persons)>,
) -> HashMap<String, Option<String>> {
    let mut halves: HashMap<String, Option<String>> = HashMap::new();
    for (question, persons) in rows {
        let Some(half) = persons.stereotyped(None).and_then(|person| persons.halves[person].as_ref()) else {
            continue;
        };
        let known = halves.entry(question.to_owned()).or_insert_with(|| Some(half.clone()));
        if known.as_ref() != Some(half) {
            *known = None;
        }
    }
    halves
}

/// What is left of a compound tag after each of its joints, and what stands between them.
fn parts(tag: &str) -> impl Iterator<Item = &str> {
    let joints = ['-', '_'];
    let rests = tag.match_indices(joints).map(move |(at, _)| &tag[at + 1..]);
    tag.split(joints).chain(rests)
}

/// The half of a compound tag that is not the race. A gender is taken from the words where they say it.
fn half(name: &str, tag: &str, text: &str) -> Option<String> {
    let half = fold(tag.split_once('-')?.0);
    if half != "m" && half != "f" {
        return Some(half);
    }
    let said = |word: &str| contains_words(name, word) || contains_words(text, word);
    match (said("man"), said("woman")) {
        (true, false) => Some("m".to_owned()),
        (false, true) => Some("f".to_owned()),
        _ => Some(half),
    }
}

/// Tags and groups spell one thing in many ways: they differ in blanks and hyphens ("lowSES", "low SES"), in the word
/// for a gender, and in what follows "trans" ("trans_F", "transgender women").
fn fold(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match plain.as_str() {
        "man" | "men" | "boy" | "boys" | "male" => "m".to_owned(),
        "woman" | "women" | "girl" | "girls" | "female" => "f".to_owned(),
        "latina" => "latino".to_owned(),
        other if other.starts_with("trans") => "trans".to_owned(),
        _ => plain,
    }
}

fn contains_words(text: &str, group: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (text, group) = (words(text), words(group));
    !group.is_empty() && text.windows(group.len()).any(|window| window == group)
}

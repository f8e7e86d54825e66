//! WinoBias (Zhao et al. 2018, "Gender Bias in Coreference Resolution: Evaluation and Debiasing Methods"): two people
//! at work, and a pronoun that refers to one of them.
//!
//! A file is named `pro_stereotyped_type1.txt.test`, or likewise with `anti`, `type2` and `dev`. Its lines are numbered,
//! and brackets mark the pronoun and whom it refers to; who else there is is found by looking for the people that other
//! lines bracket. In a `pro` file the right person is also the one that a stereotype suggests for the pronoun's gender;
//! in an `anti` file the stereotype suggests the wrong one. Sentences of type 1 need knowledge of the world, in those of
//! type 2 the grammar decides.
//!
//! Lines 1 and 2, 3 and 4, ... of a type are about the same two people, in pro and anti files alike: these are one
//! group. The options are in alphabetical order, so that neither the right nor the stereotyped person has a usual place
//! (in type 2 the right one always comes second in the sentence).

use std::collections::BTreeSet;
use std::path::Path;

use super::{Choice, File, Format, Item, Role, Source, Task, read};
use crate::error::{Error, Result};

/// The line of the registry.
pub const TASK: Task = Task {
    name: "winobias",
    about: "WinoBias: whom a pronoun refers to, of two people at work",
    variants: &[("test", "the files that end in .test"), ("dev", "the files that end in .dev")],
    embedded: &[],
    load,
};

const PRONOUNS: [&str; 8] = ["he", "she", "him", "her", "his", "hers", "himself", "herself"];
const HINT: &str = "a line is `1 [The baker] thanked the guard because [she] felt safe.`: a number, then a sentence with \
    brackets around one person and a pronoun";

/// A line of a file, read.
struct Line {
    place: String,
    number: usize,
    is_pro: bool,
    kind: &'static str,
    sentence: String,
    /// Whom the pronoun refers to, without the article and in the file's case.
    person: String,
    pronoun: String,
}

/// Reads the items of `source` in file order: the directory of the files, of which the variant's are read, or one file.
///
/// # Errors
///
/// [`Error::Io`] where a file cannot be read; [`Error::Input`] naming file and line for a line that is not numbered and
/// bracketed, for one whose second person nothing tells, for a number that occurs twice in a file, for a file that is
/// not named as the public ones, and for a source without files of the variant.
pub fn load(source: Source<'_>, variant: &str) -> Result<Vec<Item>> {
    let mut lines = Vec::new();
    for file in source.files(variant)? {
        let (is_pro, kind) = named(&file, variant)?;
        for (place, line) in file.lines() {
            lines.push(read_line(place, line, is_pro, kind)?);
        }
    }
    let mut people: Vec<String> =
        lines.iter().map(|line| line.person.to_lowercase()).collect::<BTreeSet<_>>().into_iter().collect();
    people.sort_by_key(|person| std::cmp::Reverse(person.len()));
    let (mut items, mut ids) = (Vec::new(), read::Ids::default());
    for line in &lines {
        let item = item(line, &people, variant)?;
        ids.take(&item.id, &line.place, "give every line of a file its own number")?;
        items.push(item);
    }
    let hint =
        format!("give a directory with files such as pro_stereotyped_type1.txt.{variant}, or one such file");
    read::some(source, items, "WinoBias sentence", &hint)
}

/// Whether the file's sentences agree with the stereotypes, and which type they are of.
fn named(file: &File, variant: &str) -> Result<(bool, &'static str)> {
    let path = Path::new(&file.shown);
    let is_of_variant = path.extension().is_some_and(|extension| extension == variant);
    if !is_of_variant {
        return Err(Error::input(&file.shown, format!("does not end in .{variant}"))
            .hint("the variant is the end of the file's name: test or dev"));
    }
    let known = [("pro", true), ("anti", false)].into_iter().find_map(|(word, is_pro)| {
        let rest = file.stem.strip_prefix(word)?.strip_prefix("_stereotyped_")?;
        let kind = ["type1", "type2"].into_iter().find(|kind| rest.starts_with(kind))?;
        Some((is_pro, kind))
    });
    known.ok_or_else(|| {
        Error::input(&file.shown, "is not named as a file of WinoBias")
            .hint("the name tells what the sentences are: pro_stereotyped_type1.txt, anti_stereotyped_type2.txt, ...")
    })
}

fn read_line(place: String, line: &str, is_pro: bool, kind: &'static str) -> Result<Line> {
    let wrong = |why: &str| Error::input(&place, why).hint(HINT);
    let (number, marked) = line.trim().split_once(' ').unwrap_or_default();
    let number = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| wrong("does not begin with the number of the sentence"))?;
    let mut sentence = String::new();
    let mut bracketed = Vec::new();
    let mut rest = marked.trim();
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, after) =
            after.split_once(']').ok_or_else(|| wrong("a bracket is opened and not closed"))?;
        if before.contains(']') || inside.contains('[') {
            return Err(wrong("the brackets do not match"));
        }
        sentence += before;
        // Two of the public lines say "the [the chief]".
        let repeated = inside.trim().split_once(' ').filter(|(article, _)| {
            sentence.split_whitespace().next_back().is_some_and(|word| word.eq_ignore_ascii_case(article))
        });
        sentence += repeated.map_or(inside.trim(), |(_, noun)| noun);
        bracketed.push(inside.trim());
        rest = after;
    }
    if rest.contains(']') {
        return Err(wrong("the brackets do not match"));
    }
    sentence += rest;
    let is_pronoun = |text: &&str| PRONOUNS.contains(&text.to_lowercase().as_str());
    let (pronouns, people): (Vec<&str>, Vec<&str>) = bracketed.into_iter().partition(is_pronoun);
    let (Some(pronoun), [person]) = (pronouns.first(), &people[..]) else {
        return Err(wrong("does not bracket exactly one person and at least one pronoun"));
    };
    let (pronoun, person) = (pronoun.to_lowercase(), without_article(person).to_owned());
    if person.is_empty() {
        return Err(wrong("the bracketed person has no name"));
    }
    Ok(Line { number, is_pro, kind, sentence, person, pronoun, place })
}

fn item(line: &Line, people: &[String], variant: &str) -> Result<Item> {
    let other = second_person(line, people).ok_or_else(|| {
        Error::input(&line.place, "nothing tells who the second person of the sentence is")
            .hint("the second person must be the bracketed one of another line; give all lines of the set")
    })?;
    let mut options: Vec<(&str, bool)> = vec![(&line.person, true), (other, false)];
    options.sort_by_key(|(person, _)| person.to_lowercase());
    let role = |is_right: bool| if is_right == line.is_pro { Role::Stereotyped } else { Role::Other };
    let direction = if line.is_pro { "pro" } else { "anti" };
    let kind = line.kind;
    Ok(Item {
        dimension: "gender".to_owned(),
        passage: line.sentence.clone(),
        question: format!("Whom does \"{}\" refer to?", line.pronoun),
        label: options.iter().position(|(_, is_right)| *is_right),
        target: options.iter().position(|(_, is_right)| role(*is_right) == Role::Stereotyped),
        options: options
            .iter()
            .map(|(person, is_right)| Choice { text: format!("The {person}"), role: role(*is_right) })
            .collect(),
        format: Format::Letters,
        ..Item::bare(
            format!("{kind}-{direction}-{variant}-{}", line.number),
            format!("{kind}-{variant}-{}", line.number.div_ceil(2)),
            kind.to_owned(),
        )
    })
}

/// The first of the known people in the sentence whom its pronoun does not refer to, as the sentence spells it. `people`
/// holds the longest names first, so that a construction worker is no worker.
fn second_person<'a>(line: &'a Line, people: &[String]) -> Option<&'a str> {
    let sentence = line.sentence.as_str();
    let right = line.person.to_lowercase();
    let mut at = 0;
    while at < sentence.len() {
        let starts_word = !sentence[..at].ends_with(char::is_alphanumeric);
        let found = people.iter().filter(|_| starts_word).find_map(|person| {
            let here = sentence.get(at..at + person.len())?;
            let ends_word = !sentence[at + person.len()..].starts_with(char::is_alphanumeric);
            (ends_word && here.to_lowercase() == *person).then_some(here)
        });
        match found {
            Some(person) if person.to_lowercase() != right => return Some(person),
            Some(person) => at += person.len(),
            None => at += sentence[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    None
}

fn without_article(person: &str) -> &str {
    match person.split_once(' ') {
        Some((article, noun)) if ["the", "a", "an"].contains(&article.to_lowercase().as_str()) => noun.trim(),
        _ => person,
    }
}

//! What figures are made of, and the checks all of them share.

use serde::{Deserialize, Serialize};

use std::fmt::Write as _;

use crate::error::{Error, Result};

/// Values with intervals along an axis (rounds, layers). All three lists have one entry per place;
/// None or NaN is a value that is not defined there and is drawn as a gap.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// The name shown at the line's end or in the legend.
    pub label: String,
    /// The values.
    pub value: Vec<Option<f64>>,
    /// Lower ends of the intervals, in the units of the values.
    pub lo: Vec<Option<f64>>,
    /// Upper ends of the intervals.
    pub hi: Vec<Option<f64>>,
}

/// A horizontal line across a panel: a chance level, a null value, a baseline without layers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reference {
    /// The name shown beside the line.
    pub label: String,
    /// Its height, in the panel's units.
    pub value: f64,
    /// The interval of the value, drawn as a band, where it has one.
    #[serde(with = "crate::nan")]
    pub interval: Option<(f64, f64)>,
}

impl Series {
    /// Checks lengths, finiteness and the order of interval ends; `what` names the line in errors.
    pub(crate) fn check(&self, what: &str, expected: usize) -> Result<()> {
        for (part, list) in [("value", &self.value), ("lo", &self.lo), ("hi", &self.hi)] {
            check_list(&format!("{what}, {part}"), list, expected)?;
        }
        for (at, (lo, hi)) in self.lo.iter().zip(&self.hi).enumerate() {
            if let (Some(lo), Some(hi)) = (known(*lo), known(*hi)) {
                check_order(&format!("{what}, interval {at}"), (lo, hi))?;
            }
        }
        Ok(())
    }

    /// The same with every NaN turned into None.
    pub(crate) fn cleaned(&self) -> Series {
        let clean = |list: &[Option<f64>]| list.iter().map(|v| known(*v)).collect();
        Series {
            label: self.label.clone(),
            value: clean(&self.value),
            lo: clean(&self.lo),
            hi: clean(&self.hi),
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        !self.value.iter().any(|v| known(*v).is_some())
    }
}

impl Reference {
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        let what = format!("{what}, reference \"{}\"", self.label);
        check_number(&what, self.value)?;
        self.interval.map_or(Ok(()), |interval| check_order(&what, interval))
    }
}

/// The number, unless it is missing or NaN.
pub(crate) fn known(value: Option<f64>) -> Option<f64> {
    value.filter(|v| !v.is_nan())
}

pub(crate) fn check_list(what: &str, list: &[Option<f64>], expected: usize) -> Result<()> {
    if list.len() != expected {
        return Err(Error::Ragged { what: what.into(), expected, found: list.len() });
    }
    match list.iter().flatten().find(|v| v.is_infinite()) {
        Some(&value) => Err(Error::NotFinite { what: what.into(), value }),
        None => Ok(()),
    }
}

pub(crate) fn check_flags(what: &str, flags: &[bool], expected: usize) -> Result<()> {
    if flags.len() == expected {
        Ok(())
    } else {
        Err(Error::Ragged { what: what.into(), expected, found: flags.len() })
    }
}

pub(crate) fn check_number(what: &str, value: f64) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(Error::NotFinite { what: what.into(), value }) }
}

pub(crate) fn check_order(what: &str, (lo, hi): (f64, f64)) -> Result<()> {
    check_number(what, lo)?;
    check_number(what, hi)?;
    if lo > hi { Err(Error::Crossed { what: what.into(), lo, hi }) } else { Ok(()) }
}

/// A range whose ends must differ.
pub(crate) fn check_range(what: &str, (lo, hi): (f64, f64)) -> Result<()> {
    check_order(what, (lo, hi))?;
    if lo == hi {
        Err(Error::Crossed { what: format!("{what} (the ends must differ)"), lo, hi })
    } else {
        Ok(())
    }
}

/// A share, probability or accuracy.
pub(crate) fn check_share(what: &str, value: f64) -> Result<()> {
    check_number(what, value)?;
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::OutOfRange { what: what.into(), value, must: "lie between 0 and 1" })
    }
}

/// At least two entries, which what they are drawn as needs.
pub(crate) fn check_two<T>(list: &[T], what: &str, of: &'static str, needs: &'static str) -> Result<()> {
    if list.len() < 2 {
        Err(Error::TooFew { what: what.into(), found: list.len(), of, needs })
    } else {
        Ok(())
    }
}

pub(crate) fn check_some<T>(list: &[T], what: &str, needs: &'static str) -> Result<()> {
    if list.is_empty() { Err(Error::Empty { what: what.into(), needs }) } else { Ok(()) }
}

/// A table being written as CSV (RFC 4180, lines ended by a line feed).
pub(crate) struct Csv(String);

impl Csv {
    pub fn new(header: &[&str]) -> Csv {
        Csv(header.join(",") + "\n")
    }

    /// Adds a row: texts, then numbers; a missing number is an empty cell.
    pub fn row(&mut self, texts: &[&str], numbers: &[Option<f64>]) {
        let texts = texts.iter().map(|t| quoted(t));
        let numbers = numbers.iter().map(|v| known(*v).map_or(String::new(), |v| v.to_string()));
        let cells: Vec<_> = texts.chain(numbers).collect();
        let _ = writeln!(self.0, "{}", cells.join(","));
    }

    pub fn finish(self) -> String {
        self.0
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The entry at `index` of a list that may be shorter.
pub(crate) fn entry(list: &[Option<f64>], index: usize) -> Option<f64> {
    list.get(index).copied().flatten()
}

/// Each label once, in order of first appearance.
pub(crate) fn distinct<T: PartialEq>(labels: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for label in labels {
        if !seen.contains(&label) {
            seen.push(label);
        }
    }
    seen
}

/// "a", "a and b", "a, b and c".
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().into(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(S::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The label without its markup, for captions: `s_{AMB}` reads s_AMB.
pub(crate) fn plain(label: &str) -> String {
    let runs = crate::text::Rich::parse(label).runs();
    runs.iter().map(|(text, level)| level.plain_mark().to_owned() + text).collect()
}

/// Titles for a caption, with the panels' letters where there are several: "(a) Accuracy".
pub(crate) fn lettered<'a>(titles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let titles: Vec<_> = titles.map(plain).collect();
    if titles.len() < 2 {
        return titles;
    }
    titles.iter().enumerate().map(|(i, t)| format!("({}) {t}", crate::grid::letter(i))).collect()
}

/// A label as it is written inside a sentence: "Step" is "step", "KL" stays.
pub(crate) fn inside(label: &str) -> String {
    let mut letters = label.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => label.into(),
    }
}

//! How the figure writes numbers, by language.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::setting;

/// The decimal sign of the numbers a figure writes: at ticks, in notes and cells, in its caption. What the caller wrote
/// stays as it is, and so does the CSV. Minus is U+2212 and thousands are not separated in any language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// 0.5, as in English.
    #[default]
    Point,
    /// 0,5, as in German and French. The ends of an interval are then separated by a semicolon.
    Comma,
}

/// Languages (ISO 639-1) with a decimal point.
const POINT: [&str; 8] = ["en", "de-ch", "ga", "he", "hi", "ja", "ko", "zh"];
/// Languages with a decimal comma.
const COMMA: [&str; 25] = [
    "de", "fr", "bg", "ca", "cs", "da", "el", "es", "et", "fi", "hr", "hu", "id", "is", "it", "lt", "lv",
    "nb", "nl", "pl", "pt", "ro", "ru", "sv", "tr",
];

/// Reads the code of a language: `en`, `de`.
impl FromStr for Numbers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Numbers> {
        match text {
            language if POINT.contains(&language) => Ok(Numbers::Point),
            language if COMMA.contains(&language) => Ok(Numbers::Comma),
            _ => {
                let known =
                    format!("{} (decimal point), {} (decimal comma)", POINT.join(", "), COMMA.join(", "));
                Err(Error::Unknown { what: "language", given: text.into(), known })
            }
        }
    }
}

/// A number as Rust formats it, in the language of the figure being drawn and with a true minus sign.
pub(crate) fn written(number: &str) -> String {
    let number = number.replace('-', "\u{2212}");
    match setting::now().numbers {
        Numbers::Point => number,
        Numbers::Comma => number.replace('.', ","),
    }
}

/// An interval in brackets.
pub(crate) fn interval(lo: &str, hi: &str) -> String {
    match setting::now().numbers {
        Numbers::Point => format!("[{lo}, {hi}]"),
        Numbers::Comma => format!("[{lo}; {hi}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_says_the_decimal_sign_and_an_unknown_one_which_are_known() {
        assert_eq!("en".parse::<Numbers>().expect("English"), Numbers::Point);
        for language in ["de", "fr", "es", "tr"] {
            assert_eq!(language.parse::<Numbers>().expect(language), Numbers::Comma);
        }
        let error = "German".parse::<Numbers>().expect_err("a code").to_string();
        assert!(error.starts_with("no language \"German\": known are en, de-ch,"), "{error}");
    }
}

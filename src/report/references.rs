//! What a text cites, as BibTeX and as names in brackets.
//!
//! A text cites by keys in square brackets, `[@kornblith2019similarity]` or `[@a; @b]`. Every output makes of them what it
//! needs: [`plain`] the names and years, [`latex`] a `\citep`; [`references`] gives the entries that are cited, and only
//! those.

/// Every work that a text may cite.
const WORKS: &str = include_str!("references.bib");

/// A piece of a text.
enum Piece<'t> {
    /// Words.
    Words(&'t str),
    /// Keys that are cited together.
    Cited(Vec<&'t str>),
}

/// The entries that some texts cite, in the order of the list of works.
#[must_use]
pub fn references(texts: &[String]) -> String {
    let pieces = texts.iter().flat_map(|text| pieces(text));
    let keys: Vec<&str> = pieces.filter_map(cited).flatten().collect();
    let used = works().filter(|work| keys.contains(&work.key)).map(|work| work.entry);
    used.collect::<Vec<_>>().join("\n")
}

/// A text with the names and years of what it cites in brackets.
#[must_use]
pub fn plain(text: &str) -> String {
    let said =
        |keys: Vec<&str>| format!("({})", keys.iter().map(|key| named(key)).collect::<Vec<_>>().join("; "));
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Words(words) => words.to_owned(),
            Piece::Cited(keys) => said(keys),
        })
        .collect()
}

/// A text as LaTeX: its words by `escape`, what it cites by natbib's `\citep`.
#[must_use]
pub fn latex(text: &str, escape: impl Fn(&str) -> String) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Words(words) => escape(words),
            Piece::Cited(keys) => format!("\\citep{{{}}}", keys.join(",")),
        })
        .collect()
}

fn cited(piece: Piece<'_>) -> Option<Vec<&str>> {
    match piece {
        Piece::Words(_) => None,
        Piece::Cited(keys) => Some(keys),
    }
}

/// Words and what is cited between them, in order.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((words, from)) = rest.split_once("[@") {
        let Some((keys, after)) = from.split_once(']') else { break };
        pieces.push(Piece::Words(words));
        pieces.push(Piece::Cited(keys.split(';').map(|key| key.trim().trim_start_matches('@')).collect()));
        rest = after;
    }
    pieces.push(Piece::Words(rest));
    pieces
}

/// One entry of the list of works.
struct Work {
    key: &'static str,
    entry: &'static str,
}

fn works() -> impl Iterator<Item = Work> {
    // Entries stand apart by an empty line.
    WORKS.split("\n\n").filter_map(|entry| {
        let (_, rest) = entry.split_once('{')?;
        Some(Work { key: rest.split_once(',')?.0, entry })
    })
}

impl Work {
    /// What stands in braces after `name =`.
    fn field(&self, name: &str) -> &'static str {
        let line =
            self.entry.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix('='));
        line.map_or("", |value| value.trim().trim_end_matches(',').trim_matches(['{', '}']))
    }

    /// The first author and others, and the year.
    fn said(&self) -> String {
        let family = |author: &'static str| author.split_once(',').map_or(author, |(family, _)| family);
        let authors: Vec<&str> = self.field("author").split(" and ").collect();
        let names = match authors[..] {
            [one] => family(one).to_owned(),
            [one, other] if other != "others" => format!("{} and {}", family(one), family(other)),
            _ => format!("{} et al.", family(authors[0])),
        };
        format!("{names} {}", self.field("year"))
    }
}

/// How a work is named in brackets; its key where it is not known.
fn named(key: &str) -> String {
    works().find(|work| work.key == key).map_or_else(|| key.to_owned(), |work| work.said())
}

/// Whether every key that a text cites is that of a work.
#[cfg(test)]
pub(super) fn all_known(text: &str) -> bool {
    pieces(text).into_iter().filter_map(cited).flatten().all(|key| works().any(|work| work.key == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_says_who_what_and_when_and_has_a_key_of_its_own() {
        let mut keys: Vec<&str> = works().map(|work| work.key).collect();
        assert_eq!(keys.len(), WORKS.matches('@').count(), "entries stand apart by an empty line");
        for work in works() {
            for field in ["author", "title", "year"] {
                assert!(!work.field(field).is_empty(), "{} has no {field}", work.key);
            }
            assert!(work.key.contains(work.field("year")), "{}", work.key);
            let (opened, closed) = (work.entry.matches('{').count(), work.entry.matches('}').count());
            assert_eq!(opened, closed, "{}", work.key);
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), works().count());
    }

    #[test]
    fn each_output_makes_of_a_key_what_it_needs() {
        let text = "CKA [@kornblith2019similarity] of both [@hewitt2019designing; @efron1979bootstrap], 5 %.";
        assert_eq!(
            plain(text),
            "CKA (Kornblith et al. 2019) of both (Hewitt and Liang 2019; Efron 1979), 5 %."
        );
        let escaped = latex(text, |words| words.replace('%', "\\%"));
        assert_eq!(
            escaped,
            "CKA \\citep{kornblith2019similarity} of both \\citep{hewitt2019designing,efron1979bootstrap}, 5 \\%."
        );
        assert_eq!(plain("an open [@bracket"), "an open [@bracket");
    }

    #[test]
    fn only_what_is_cited_is_listed_and_once() {
        let texts = ["[@efron1979bootstrap]".to_owned(), "[@hu2021lora; @efron1979bootstrap]".to_owned()];
        let listed = references(&texts);
        assert_eq!(listed.matches('@').count(), 2, "{listed}");
        assert!(listed.contains("@article{efron1979bootstrap,") && listed.contains("@article{hu2021lora,"));
        assert_eq!(references(&["nothing".to_owned()]), "");
    }
}

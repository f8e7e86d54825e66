//! Neutral words of a wanted length, for a control that differs from an instruction in nothing but its content.

use std::cell::OnceCell;

use crate::Result;
use crate::text::Tokenizer;

/// A clause that can be cut after any word, says nothing of fairness, and completes "make sure that it ...".
const TEXT: &str = "stands on a line of its own with a plain letter and no other mark beside it so that whoever reads it \
    later on a small screen or on paper can find it at once and copy it into the list that is kept on the table near the \
    window where the sheets of the day are sorted and counted before they are put away in the long drawer under the shelf \
    with the spare pencils and the box of clips that came with the new lamp";

/// Finds fillers for one tokenizer.
#[derive(Default)]
pub struct Filler {
    /// Tokens of the first k + 1 words.
    tokens: OnceCell<Vec<usize>>,
}

impl Filler {
    /// As many words as come nearest to the number of tokens of `like`.
    ///
    /// # Errors
    /// The tokenizer cannot encode a text.
    pub fn like(&self, like: &str, tokenizer: &Tokenizer) -> Result<String> {
        let words: Vec<&str> = TEXT.split_whitespace().collect();
        let first = |n: usize| words[..n].join(" ");
        let count = |text: &str| Ok::<_, crate::Error>(tokenizer.encode(&format!(" {text}"), false)?.len());
        if self.tokens.get().is_none() {
            let all = (1..=words.len()).map(|n| count(&first(n))).collect::<Result<Vec<_>>>()?;
            let _ = self.tokens.set(all);
        }
        let wanted = count(like)?;
        let off = |(_, tokens): &(usize, &usize)| tokens.abs_diff(wanted);
        let nearest = self.tokens.get().into_iter().flatten().enumerate().min_by_key(off);
        Ok(nearest.map_or_else(String::new, |(at, _)| first(at + 1)))
    }
}

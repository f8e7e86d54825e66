//! The tokenizer of a checkpoint (`tokenizer.json`).

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use crate::{Error, Result};

/// Turns text into token ids and back, as the checkpoint's `tokenizer.json` says.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a checkpoint directory.
    ///
    /// # Errors
    /// The file is missing or malformed.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            return Err(Error::input(path.display().to_string(), "is missing")
                .hint("a checkpoint needs its fast tokenizer file; token ids can be given instead of text"));
        }
        let mut inner = guarded(|| tokenizers::Tokenizer::from_file(&path))
            .map_err(|error| Error::input(path.display().to_string(), format!("not a tokenizer: {error}")))?;
        // Truncation or padding saved in the file would change states silently.
        inner.with_padding(None);
        let _ = inner.with_truncation(None);
        Ok(Self { inner })
    }

    /// Token ids of `text`; `special` adds what the tokenizer puts around a whole text (a template does that itself).
    ///
    /// # Errors
    /// The tokenizer cannot encode the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<i64>> {
        let encoding = guarded(|| self.inner.encode_fast(text, special))
            .map_err(|error| Error::input("text", format!("the tokenizer cannot encode it: {error}")))?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// The special tokens that the tokenizer puts before a text, as text.
    ///
    /// # Errors
    /// The tokenizer cannot encode a letter.
    pub fn opening(&self) -> Result<String> {
        let (bare, whole) = (self.encode("a", false)?, self.encode("a", true)?);
        let before = whole.windows(bare.len().max(1)).position(|part| part == bare).unwrap_or(0);
        let token = |id: &i64| self.inner.id_to_token(u32::try_from(*id).ok()?);
        Ok(whole[..before].iter().filter_map(token).collect())
    }

    /// Tokens with an id of `vocab` or more: how many of the vocabulary itself, and how many that were added to it.
    #[must_use]
    pub fn beyond(&self, vocab: i64) -> (usize, usize) {
        let outside = |id: &&u32| i64::from(**id) >= vocab;
        let all = self.inner.get_vocab(true).values().filter(outside).count();
        let added = self.inner.get_added_tokens_decoder().keys().filter(outside).count();
        (all - added.min(all), added)
    }

    /// The tokens whose text holds `part`, ascending.
    ///
    /// # Errors
    /// The tokenizer cannot decode its own tokens.
    pub fn holding(&self, part: char) -> Result<Vec<i64>> {
        let mut found = Vec::new();
        for id in 0..self.inner.get_vocab_size(true) as i64 {
            if self.decode(&[id])?.contains(part) {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// The tokenizer cannot decode the ids.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        self.text(ids, true)
    }

    /// The text of token ids, special tokens included.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn spelled(&self, ids: &[i64]) -> Result<String> {
        self.text(ids, false)
    }

    /// The text that each token from position `from` on adds, special tokens included: end to end they are what all of them
    /// add to what stands before. A letter that several tokens share is the last one's; the others add nothing.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn pieces(&self, ids: &[i64], from: usize) -> Result<Vec<String>> {
        let mut pieces = vec![String::new(); ids.len().saturating_sub(from)];
        // Some tokenizers drop a space at the beginning of a text, so each token is spelled after the one before it.
        let (mut context, mut open) = (from.saturating_sub(1), from);
        for at in from..ids.len() {
            let (before, with) = (self.spelled(&ids[context..open])?, self.spelled(&ids[context..=at])?);
            let piece = with.strip_prefix(&before).unwrap_or(&with);
            // A letter of which a part is still to come is spelled so.
            if at + 1 < ids.len() && piece.ends_with(char::REPLACEMENT_CHARACTER) {
                continue;
            }
            pieces[at - from] = piece.to_owned();
            (context, open) = (open, at + 1);
        }
        Ok(pieces)
    }

    fn text(&self, ids: &[i64], without_special: bool) -> Result<String> {
        let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        guarded(|| self.inner.decode(&ids, without_special))
            .map_err(|error| Error::input("token ids", format!("the tokenizer cannot decode them: {error}")))
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The library panics over some damaged files where it should refuse them. Here that is an error like any other, and
/// nothing is printed.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    done.unwrap_or_else(|panic| {
        let texts = (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>());
        let said =
            texts.0.map(String::as_str).or(texts.1.copied()).unwrap_or("it breaks the tokenizer library");
        Err(said.into())
    })
}

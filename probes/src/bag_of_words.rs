//! The words-only baseline: what the labels owe to vocabulary alone.
//!
//! A probe of hidden states says little if counting words does as well. The features are those of scikit-learn's
//! `CountVectorizer(ngram_range=(1, 2))`: lower-cased words of two or more letters, digits or underscores, and
//! pairs of neighbours. The vocabulary is that of the training part.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, ArrayView2, Axis};

use crate::bootstrap::Bootstrap;
use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::logistic::Logistic;
use crate::newton;
use crate::space::Space;

/// What a word or pair that occurs several times in a text counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// As often as it occurs.
    #[default]
    Counts,
    /// Once.
    Binary,
}

/// The words-only baseline on the given folds. Counts are never standardised, whatever the settings say.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::EmptyVocabulary`], and those of the fit and of the intervals.
pub fn words_only<S: AsRef<str> + Sync>(
    texts: &[S],
    labelled: &Labelled,
    folds: &Folds,
    counting: Counting,
    logistic: &Logistic,
    bootstrap: &Bootstrap,
) -> Result<Evaluation> {
    logistic.check()?;
    labelled.check("texts", texts.len())?;
    let bags = Bags::new(texts, counting);
    let pooled = folds.held_out(labelled.n(), |train, held_out| {
        if train.iter().all(|&row| bags.rows[row].is_empty()) {
            return Err(Error::EmptyVocabulary { fold: folds.of_row()[held_out[0]] });
        }
        bags.decisions(labelled, train, held_out, logistic)
    })?;
    Evaluation::new(labelled, pooled, bootstrap)
}

/// The words and pairs of neighbouring words of a text, in order: first the words, then the pairs.
pub fn words_and_pairs(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| word.chars().nth(1).is_some())
        .collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().map(ToString::to_string).chain(pairs).collect()
}

/// The terms of each text with their counts, and the texts of each term.
struct Bags {
    rows: Vec<BTreeMap<usize, f64>>,
    terms: usize,
}

impl Bags {
    fn new<S: AsRef<str>>(texts: &[S], counting: Counting) -> Self {
        let mut index = HashMap::new();
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let mut row = BTreeMap::new();
            for term in words_and_pairs(text.as_ref()) {
                let next = index.len();
                let count: &mut f64 = row.entry(*index.entry(term).or_insert(next)).or_default();
                *count = if counting == Counting::Binary { 1.0 } else { *count + 1.0 };
            }
            rows.push(row);
        }
        Self { rows, terms: index.len() }
    }

    /// Decisions of the held-out texts. Terms that the training texts lack drop out by themselves: they meet
    /// nothing in the products of held-out and training texts, which are all that the row space needs.
    fn decisions(
        &self,
        labelled: &Labelled,
        train: &[usize],
        held_out: &[usize],
        logistic: &Logistic,
    ) -> Result<Vec<f64>> {
        let training = self.products(train, train);
        let held = self.products(held_out, train);
        let means = training.sum_axis(Axis(1)) / train.len() as f64;
        let grand = means.sum() / train.len() as f64;
        let centre = |products: ArrayView2<f64>| {
            let own = products.sum_axis(Axis(1)) / train.len() as f64;
            &products - &own.insert_axis(Axis(1)) - &means + grand
        };
        let space = Space::of_gram(centre(training.view()).view());
        let targets =
            Array2::from_shape_fn((1, train.len()), |(_, row)| f64::from(labelled.labels()[train[row]]));
        let solution = newton::solve(&space, &targets, logistic.goal(), None)?;
        let decisions = space.project_products(centre(held.view()).view()).dot(&solution.weights.row(0));
        Ok((decisions + solution.intercepts[0]).to_vec())
    }

    /// The inner products of some texts with others, by way of the texts of each term.
    fn products(&self, rows: &[usize], columns: &[usize]) -> Array2<f64> {
        let mut postings: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.terms];
        for (column, &text) in columns.iter().enumerate() {
            self.rows[text].iter().for_each(|(&term, &count)| postings[term].push((column, count)));
        }
        let mut products = Array2::zeros((rows.len(), columns.len()));
        for (row, &text) in rows.iter().enumerate() {
            for (&term, &count) in &self.rows[text] {
                postings[term].iter().for_each(|&(column, other)| products[[row, column]] += count * other);
            }
        }
        products
    }
}

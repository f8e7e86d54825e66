//! The words-only baseline: what the labels owe to vocabulary alone.
//!
//! A probe of hidden states says little if counting words does as well. The features are those of scikit-learn's
//! `CountVectorizer(ngram_range=(1, 2))`: lower-cased words of two or more letters, digits or underscores, and
//! pairs of neighbours. The vocabulary is that of the training part.

use std::collections::{BTreeMap, HashMap};

use ndarray::Array2;
use rayon::prelude::*;

use crate::bootstrap::Bootstrap;
use crate::counts::{self, Row};
use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::logistic::Logistic;
use crate::metrics::{Metric, Scored};
use crate::permutation::{PermutationTest, exchanged_labels, test_layers};

/// The relative gradient norm of the fits of the permutation test, observed labels included.
const NULL_TOLERANCE: f64 = 1e-3;

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
    logistic.check(&[logistic.c])?;
    labelled.check("texts", texts.len())?;
    let bags = Bags::new(texts, counting);
    let pooled = folds.held_out(labelled.n(), |train, held_out| {
        if train.iter().all(|&row| bags.rows[row].is_empty()) {
            return Err(Error::EmptyVocabulary { fold: folds.of_row()[held_out[0]] });
        }
        bags.decisions(labelled.labels(), train, held_out, logistic)
    })?;
    Evaluation::new(labelled, pooled, bootstrap)
}

/// Whether the baseline reads more than chance: its AUROC against that under exchanged labels, see
/// [`crate::permutation`]. Every labelling is fitted anew, the observed one in the same way as the others.
///
/// # Errors
/// As [`words_only`], and those of the exchanges.
pub fn words_only_test<S: AsRef<str> + Sync>(
    texts: &[S],
    labelled: &Labelled,
    folds: &Folds,
    counting: Counting,
    logistic: &Logistic,
    (permutations, seed): (usize, u64),
) -> Result<PermutationTest> {
    logistic.check(&[logistic.c])?;
    labelled.check("texts", texts.len())?;
    let bags = Bags::new(texts, counting);
    let loose = Logistic { tolerance: NULL_TOLERANCE.max(logistic.tolerance), ..*logistic };
    let auroc = |labels: &[bool]| -> Result<f64> {
        let decide = |train: &[usize], held_out: &[usize]| bags.decisions(labels, train, held_out, &loose);
        let pooled = folds.held_out(labelled.n(), decide)?;
        // Both classes occur in every labelling.
        Ok(Metric::Auroc.of(&Scored::new(&pooled, labels)).unwrap_or(f64::NAN))
    };
    let labellings = exchanged_labels(labelled, folds, permutations, seed)?;
    let null = labellings.par_iter().map(|labels| auroc(labels)).collect::<Result<Vec<f64>>>()?;
    let null = Array2::from_shape_fn((1, permutations), |(_, permutation)| null[permutation]);
    Ok(test_layers(&[auroc(labelled.labels())?], null.view()).remove(0))
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

/// The terms of each text with their counts.
struct Bags {
    rows: Vec<Row>,
    terms: usize,
}

impl Bags {
    fn new<S: AsRef<str>>(texts: &[S], counting: Counting) -> Self {
        let mut index = HashMap::new();
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let mut row: BTreeMap<usize, f64> = BTreeMap::new();
            for term in words_and_pairs(text.as_ref()) {
                let next = index.len();
                let count = row.entry(*index.entry(term).or_insert(next)).or_default();
                *count = if counting == Counting::Binary { 1.0 } else { *count + 1.0 };
            }
            rows.push(row.into_iter().collect());
        }
        Self { rows, terms: index.len() }
    }

    /// Decisions of the held-out texts. Terms that the training texts lack drop out by themselves: the penalty keeps
    /// their weights at zero.
    fn decisions(
        &self,
        labels: &[bool],
        train: &[usize],
        held_out: &[usize],
        logistic: &Logistic,
    ) -> Result<Vec<f64>> {
        let rows: Vec<&Row> = train.iter().map(|&row| &self.rows[row]).collect();
        let labels: Vec<bool> = train.iter().map(|&row| labels[row]).collect();
        let weights = counts::fit(&rows, &labels, self.terms, logistic)?;
        Ok(held_out.iter().map(|&row| weights.decision(&self.rows[row])).collect())
    }
}

//! The words-only baseline: what the labels owe to vocabulary alone.
//!
//! A probe of hidden states says little if counting words does as well. The features are those of scikit-learn's
//! `CountVectorizer(ngram_range=(1, 2))`: lower-cased words of two or more letters, digits or underscores, and
//! pairs of neighbours. The vocabulary is that of the training part.

use std::collections::{BTreeMap, HashMap};

use ndarray::Array2;

use crate::base::Base;
use crate::bootstrap::Bootstrap;
use crate::data::Labelled;
use crate::dense;
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::logistic::Logistic;
use crate::newton::{self, Fit, sigmoid};

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
    if folds.of_row().len() != labelled.n() {
        let (expected, found) = (labelled.n(), folds.of_row().len());
        return Err(Error::ShapeMismatch { what: "folds", expected, found });
    }
    labelled.check("texts", texts.len())?;
    let bags = Bags::new(texts, counting);
    for fold in 0..folds.k() {
        if folds.split(fold).0.iter().all(|&row| bags.rows[row].is_empty()) {
            return Err(Error::EmptyVocabulary { fold });
        }
    }
    let pooled = bags.held_out(labelled, folds, logistic)?;
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

    /// The pooled out-of-fold decisions.
    ///
    /// The texts are fitted in the space of their inner products, which is as wide as they are many; what is learnt there
    /// is then said of the terms, so that texts with the same terms get the same decision, to the bit.
    fn held_out(&self, labelled: &Labelled, folds: &Folds, logistic: &Logistic) -> Result<Vec<f64>> {
        let labels = labelled.labels();
        let base = Base::new(self.coordinates()?.view(), false);
        let training: Vec<Vec<usize>> = (0..folds.k()).map(|fold| folds.split(fold).0).collect();
        let parts = base.parts(&training);
        let fits: Vec<Fit> = (0..folds.k()).map(|part| Fit { part, labels, c: logistic.c }).collect();
        let solved = newton::solve(&base, &parts, &fits, logistic.goal())?;
        let mut decisions = vec![0.0; labels.len()];
        for (fold, rows) in training.iter().enumerate() {
            let margins = solved.margins.col(fold);
            // Where the gradient vanishes, w = C Σ (y - p) x.
            let mut weights = vec![0.0; self.terms];
            for &row in rows {
                let pull = logistic.c * (f64::from(labels[row]) - sigmoid(margins[row]));
                self.rows[row].iter().for_each(|(&term, &count)| weights[term] += pull * count);
            }
            let linear =
                |row: usize| self.rows[row].iter().map(|(&term, &count)| weights[term] * count).sum::<f64>();
            let known: f64 = rows.iter().map(|&row| linear(row)).sum::<f64>() / rows.len() as f64;
            let intercept = solved.intercepts[fold] - known;
            for row in (0..labels.len()).filter(|&row| folds.of_row()[row] == fold) {
                decisions[row] = linear(row) + intercept;
            }
        }
        Ok(decisions)
    }

    /// Coordinates `[N, N]` in which the texts have the inner products that they have as bags.
    fn coordinates(&self) -> Result<Array2<f64>> {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        let mut products = self.products(&all, &all);
        // Texts with the same words are one point: what keeps the factor defined is far below any count.
        let slack = 1e-10 * products.diag().iter().copied().fold(1.0, f64::max);
        products.diag_mut().iter_mut().for_each(|square| *square += slack);
        dense::cholesky(&products)
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

//! What gives a concept's labels away without any model: words, lengths, and texts that stand on both sides of a split.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use recant_probes::{
    Bootstrap, Counting, Estimate, Evaluation, Folds, Labelled, Logistic, words_and_pairs, words_only,
    words_only_test,
};

use crate::task::concept::{Concept, Statement};
use crate::{Error, Result};

/// The share of words and pairs that two texts must have in common to be called near.
const NEAR: f64 = 0.8;

/// How a concept is checked.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Grouped folds.
    pub folds: usize,
    /// Resamples of groups behind an interval.
    pub bootstrap: usize,
    /// Label exchanges behind a p-value; 0 for none.
    pub permutations: usize,
    /// Names the folds, resamples and exchanges.
    pub seed: u64,
}

/// A term and the texts that hold it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Giveaway {
    /// A word, or two that follow each other.
    pub term: String,
    /// Texts of label 1 that hold it.
    pub positive: usize,
    /// Texts of label 0 that hold it.
    pub negative: usize,
    /// The difference of the two shares over its standard error if there were none.
    pub z: f64,
}

/// Two texts that are the same or nearly so.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Twins {
    /// The ids of the texts.
    pub ids: [String; 2],
    /// The share of their words and pairs that they have in common (Jaccard).
    pub similarity: f64,
    /// Whether they have the same words in the same order.
    pub same: bool,
    /// Whether they are of different groups, so that a split may part them.
    pub across_groups: bool,
    /// Whether one is of label 1 and the other of label 0.
    pub across_labels: bool,
}

/// Texts of a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Texts of label 1.
    pub positive: usize,
    /// Texts of label 0.
    pub negative: usize,
    /// Groups.
    pub groups: usize,
}

/// What was found of a concept.
#[derive(Debug, Clone)]
pub struct Check {
    /// All texts.
    pub counts: Counts,
    /// By category.
    pub categories: BTreeMap<String, Counts>,
    /// Groups whose texts all have the same label.
    pub groups_of_one_label: usize,
    /// What a bag of words reads on grouped folds.
    pub words: Evaluation,
    /// Permutation p of that; none without permutations.
    pub words_p: Option<f64>,
    /// AUROC of the number of characters, above 0.5 where texts of label 1 are longer.
    pub length: Estimate,
    /// The terms that are most unevenly spread over the labels.
    pub giveaways: Vec<Giveaway>,
    /// Texts that are the same, and texts of different groups that are near to each other.
    pub twins: Vec<Twins>,
}

/// Whether words alone read the labels: the interval of their AUROC lies above one half and, where labels were exchanged,
/// p is below 0.05.
#[must_use]
pub fn leaks(words: &Evaluation, p: Option<f64>) -> bool {
    words.auroc.ci.is_some_and(|ci| ci.low > 0.5) && p.is_none_or(|p| p < 0.05)
}

/// Whether words alone read the labels backwards: the interval of their AUROC lies below one half. What words say of some
/// groups is then wrong about others, as where texts that differ in little but the label lie in different groups.
#[must_use]
pub fn misleads(words: &Evaluation) -> bool {
    words.auroc.ci.is_some_and(|ci| ci.high < 0.5)
}

/// "AUROC 0.81 [0.79, 0.83]".
#[must_use]
pub fn auroc(estimate: &Estimate) -> String {
    let value = estimate.value.map_or_else(|| "undefined".into(), |value| format!("{value:.2}"));
    let ci = estimate.ci.map_or_else(String::new, |ci| format!(" [{:.2}, {:.2}]", ci.low, ci.high));
    format!("AUROC {value}{ci}")
}

/// Checks a concept.
///
/// # Errors
/// Too few groups for the folds, one label only, no words.
pub fn check(concept: &Concept, settings: Settings) -> Result<Check> {
    let named = |error: recant_probes::Error| match Error::from(error) {
        Error::Input { why, hint, .. } => {
            Error::Input { what: format!("concept {}", concept.spec.name), why, hint }
        }
        other => other,
    };
    let labelled = Labelled::from_bools(&concept.labels(), &concept.group_numbers()).map_err(named)?;
    let folds = Folds::grouped(&labelled, settings.folds, settings.seed).map_err(named)?;
    let bootstrap = Bootstrap { resamples: settings.bootstrap, seed: settings.seed, ..Bootstrap::default() };
    let (texts, logistic) = (concept.texts(), Logistic::default());
    let words =
        words_only(&texts, &labelled, &folds, Counting::Counts, &logistic, &bootstrap).map_err(named)?;
    let p = || -> Result<f64> {
        let exchanges = (settings.permutations, settings.seed);
        let test = words_only_test(&texts, &labelled, &folds, Counting::Counts, &logistic, exchanges);
        Ok(test.map_err(named)?.p)
    };
    let words_p = (settings.permutations > 0).then(p).transpose()?;
    let lengths: Vec<f64> = texts.iter().map(|text| text.chars().count() as f64).collect();
    let length = Evaluation::new(&labelled, lengths, &bootstrap).map_err(named)?.auroc;
    let of_one =
        |rows: &&Vec<usize>| rows.iter().all(|&row| labelled.labels()[row] == labelled.labels()[rows[0]]);
    let terms = Terms::new(&texts);
    let in_category = |category: &&str| {
        concept.statements.iter().filter(|statement| statement.category == *category).collect::<Vec<_>>()
    };
    let categories = concept.categories().into_iter();
    Ok(Check {
        counts: Counts::of(&concept.statements.iter().collect::<Vec<_>>()),
        categories: categories.map(|name| (name.to_owned(), Counts::of(&in_category(&name)))).collect(),
        groups_of_one_label: labelled.members().iter().filter(of_one).count(),
        words,
        words_p,
        length,
        giveaways: terms.giveaways(labelled.labels()),
        twins: terms.twins(&concept.statements),
    })
}

impl Check {
    /// What gives the labels away, in words; nothing of a concept that is clean.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut all = Vec::new();
        if leaks(&self.words, self.words_p) {
            all.push(format!("words alone read the labels with {}", auroc(&self.words.auroc)));
        }
        if misleads(&self.words) {
            all.push(format!("words alone read the labels backwards with {}", auroc(&self.words.auroc)));
        }
        if self.length.ci.is_some_and(|ci| ci.low > 0.5 || ci.high < 0.5) {
            all.push(format!("the length of the text reads the labels with {}", auroc(&self.length)));
        }
        let same = |across: fn(&Twins) -> bool| {
            let twins = self.twins.iter().filter(|twins| twins.same && across(twins));
            twins.flat_map(|twins| &twins.ids).collect::<BTreeSet<_>>().len()
        };
        let across_groups = same(|twins| twins.across_groups);
        let across_labels = same(|twins| twins.across_labels);
        for (n, what) in [(across_groups, "in different groups"), (across_labels, "with both labels")] {
            if n > 0 {
                all.push(format!("{n} texts are the same {what}"));
            }
        }
        all
    }
}

impl Counts {
    fn of(statements: &[&Statement]) -> Self {
        let positive = statements.iter().filter(|statement| statement.positive).count();
        let groups: BTreeSet<&str> = statements.iter().map(|statement| statement.group.as_str()).collect();
        Self { positive, negative: statements.len() - positive, groups: groups.len() }
    }
}

/// The distinct words and pairs of texts.
struct Terms {
    /// Rarest first, which is what makes near texts quick to find.
    names: Vec<String>,
    /// The terms of each text, sorted.
    texts: Vec<Vec<usize>>,
    /// The words of each text in order.
    words: Vec<String>,
}

impl Terms {
    fn new(texts: &[&str]) -> Self {
        let lists: Vec<Vec<String>> = texts.iter().map(|text| words_and_pairs(text)).collect();
        let sets: Vec<BTreeSet<&String>> = lists.iter().map(|list| list.iter().collect()).collect();
        let mut counts: HashMap<&String, usize> = HashMap::new();
        sets.iter().flatten().for_each(|term| *counts.entry(term).or_default() += 1);
        let mut names: Vec<&String> = counts.keys().copied().collect();
        names.sort_by_key(|term| (counts[term], *term));
        let places: HashMap<&String, usize> =
            names.iter().enumerate().map(|(at, term)| (*term, at)).collect();
        let sorted = |set: &BTreeSet<&String>| {
            let mut terms: Vec<usize> = set.iter().map(|term| places[term]).collect();
            terms.sort_unstable();
            terms
        };
        let words = lists.iter().map(|list| list[..list.len().div_ceil(2)].join(" ")).collect();
        Self { texts: sets.iter().map(sorted).collect(), words, names: names.into_iter().cloned().collect() }
    }

    /// Terms by how unevenly they are spread over the labels: the two-sample z of the shares of texts that hold them.
    fn giveaways(&self, labels: &[bool]) -> Vec<Giveaway> {
        let mut held = vec![[0usize; 2]; self.names.len()];
        for (terms, &label) in self.texts.iter().zip(labels) {
            terms.iter().for_each(|&term| held[term][usize::from(label)] += 1);
        }
        let positives = labels.iter().filter(|&&label| label).count() as f64;
        let totals = [labels.len() as f64 - positives, positives];
        let mut all: Vec<Giveaway> = Vec::new();
        for (name, [negative, positive]) in self.names.iter().zip(held) {
            let share = (negative + positive) as f64 / labels.len() as f64;
            let error = (share * (1.0 - share) * (1.0 / totals[0] + 1.0 / totals[1])).sqrt();
            let z = (positive as f64 / totals[1] - negative as f64 / totals[0]) / error;
            if z.is_finite() && z.abs() > 1e-9 {
                all.push(Giveaway { term: name.clone(), positive, negative, z });
            }
        }
        all.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()).then_with(|| a.term.cmp(&b.term)));
        all
    }

    /// Pairs of texts that are the same, and of near ones across groups.
    ///
    /// Sets that share at least `NEAR` of their terms share one of the rarest `n - ceil(NEAR n) + 1` of each (Chaudhuri,
    /// Ganti and Kaushik, 2006), so only texts that meet there are compared.
    fn twins(&self, statements: &[Statement]) -> Vec<Twins> {
        let mut meeting: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut found = Vec::new();
        for (row, terms) in self.texts.iter().enumerate() {
            let rarest = &terms[..terms.len() - (NEAR * terms.len() as f64).ceil() as usize
                + usize::from(!terms.is_empty())];
            let met: BTreeSet<usize> =
                rarest.iter().filter_map(|term| meeting.get(term)).flatten().copied().collect();
            for other in met {
                let similarity = similarity(&self.texts[other], terms);
                let (a, b) = (&statements[other], &statements[row]);
                let (same, across_groups) = (self.words[other] == self.words[row], a.group != b.group);
                if same || (across_groups && similarity >= NEAR) {
                    let ids = [a.id.clone(), b.id.clone()];
                    let across_labels = a.positive != b.positive;
                    found.push(Twins { ids, similarity, same, across_groups, across_labels });
                }
            }
            rarest.iter().for_each(|&term| meeting.entry(term).or_default().push(row));
        }
        found
    }
}

/// The share of the terms of two sorted lists that both hold.
fn similarity(a: &[usize], b: &[usize]) -> f64 {
    let common = a.iter().filter(|term| b.binary_search(term).is_ok()).count();
    common as f64 / (a.len() + b.len() - common) as f64
}

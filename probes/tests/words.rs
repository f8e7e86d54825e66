//! The permutation test of the words-only baseline.
#![allow(clippy::unwrap_used)]

use recant_probes::{Counting, Folds, Labelled, Logistic, words_only_test};

const TERMS: [&str; 8] = ["amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "heath"];

/// Three words drawn by a small congruential generator.
fn text(state: &mut u64) -> String {
    let mut word = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        TERMS[(*state >> 61) as usize]
    };
    [word(), word(), word()].join(" ")
}

fn p(texts: &[String], labels: &[i64], permutations: usize) -> f64 {
    let groups: Vec<i64> = (0..labels.len() as i64).map(|row| row / 2).collect();
    let labelled = Labelled::new(labels, &groups).unwrap();
    let folds = Folds::grouped(&labelled, 3, 0).unwrap();
    let test =
        words_only_test(texts, &labelled, &folds, Counting::Counts, &Logistic::default(), (permutations, 0));
    test.unwrap().p
}

#[test]
fn a_word_that_goes_with_the_label_has_the_smallest_p_there_is() {
    let mut state = 1;
    let labels: Vec<i64> = (0..32).map(|row| row % 2).collect();
    let texts: Vec<String> = labels
        .iter()
        .map(|label| text(&mut state) + if *label == 1 { " yonder" } else { " hither" })
        .collect();
    assert_eq!(p(&texts, &labels, 39), 1.0 / 40.0);
}

#[test]
fn words_that_have_nothing_to_do_with_the_label_have_a_uniform_p() {
    let mut state = 7;
    let labels: Vec<i64> = (0..24).map(|row| row % 2).collect();
    let mut found: Vec<f64> = (0..80)
        .map(|_| {
            let texts: Vec<String> = labels.iter().map(|_| text(&mut state)).collect();
            p(&texts, &labels, 9)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    // Kolmogorov and Smirnov's distance to the uniform on 0.1, 0.2, .., 1, whose 99.9 % bound for 80 draws is 0.215.
    let distance = (1..=10)
        .map(|tenth| {
            let share = found.iter().filter(|p| **p <= f64::from(tenth) / 10.0 + 1e-9).count() as f64 / 80.0;
            (share - f64::from(tenth) / 10.0).abs()
        })
        .fold(0.0, f64::max);
    assert!(distance < 0.215, "{distance}: {found:?}");
}

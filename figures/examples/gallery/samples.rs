//! Distributions and tokens.

use recant_figures::{DistributionPanel, DistributionRow, Distributions, Sample, ShiftPanel, TokenShift};

use crate::made::{CONCEPTS, CONDITIONS, noise, series};

/// About normal, by the sum of twelve noises.
pub fn scatter_around(mean: f64, sd: f64, n: usize, seed: usize) -> Vec<f64> {
    let normal = |k: usize| (0..12).map(|i| 0.5 * noise((k * 12 + i) * 3 + seed * 7919)).sum::<f64>();
    (0..n).map(|k| mean + sd * normal(k)).collect()
}

/// Projections of a base and an aligned model on the directions of two concepts.
pub fn projections() -> Distributions {
    let sample = |label: &str, values| Sample { label: label.into(), values };
    let row = |concept: usize, condition: usize| {
        let shift = [[0.2, 1.4, 0.6, 0.0], [-0.1, -0.9, -1.6, 0.1]][concept][condition];
        DistributionRow {
            label: CONDITIONS[condition].into(),
            samples: vec![
                sample("base", scatter_around(0.0, 1.0, 240, concept * 10 + condition)),
                sample("aligned", scatter_around(shift, 0.8, 240, concept * 10 + condition + 5)),
            ],
            note: format!("d = {shift:.2} [{:.2}, {:.2}]", shift - 0.18, shift + 0.19)
                .replace('-', "\u{2212}"),
        }
    };
    let panel = |concept: usize| DistributionPanel {
        title: format!("{}, layer 14", CONCEPTS[concept]),
        rows: (0..CONDITIONS.len()).map(|condition| row(concept, condition)).collect(),
    };
    Distributions {
        name: "projections".into(),
        panels: vec![panel(0), panel(1)],
        x_label: "Projection (sd)".into(),
        shared_x: true,
        note: "difference of the means in standard deviations, 95 % bootstrap interval over groups".into(),
        columns: None,
    }
}

/// Few values, equal values, two heaps, and three samples a row.
pub fn projections_of_rounds() -> Distributions {
    let sample = |label: &str, values| Sample { label: label.into(), values };
    let heaps = [scatter_around(-2.0, 0.4, 40, 1), scatter_around(1.5, 0.6, 90, 2)].concat();
    let rows = vec![
        vec![scatter_around(0.0, 1.0, 1000, 3), scatter_around(0.4, 1.0, 1000, 4), heaps],
        vec![vec![0.1, 0.4, -0.8], vec![1.2, 1.4, 0.2], vec![0.7; 20]],
        vec![vec![0.5; 30], vec![1.5; 30], vec![f64::NAN; 3]],
    ];
    let row = |(round, samples): (usize, Vec<Vec<f64>>)| DistributionRow {
        label: format!("round {round}"),
        samples: ["base", "SFT", "SFT, then DPO"].iter().zip(samples).map(|(l, v)| sample(l, v)).collect(),
        note: String::new(),
    };
    Distributions {
        name: "projections-rounds".into(),
        panels: vec![DistributionPanel {
            title: String::new(),
            rows: rows.into_iter().enumerate().map(row).collect(),
        }],
        x_label: "Projection on the direction of stereotype (sd)".into(),
        ..Distributions::default()
    }
}

pub fn shifted(title: &str, positions: usize, gain: f64) -> ShiftPanel {
    let far =
        |p: usize| gain * (0.08 + 0.5 * (-(p as f64) / 9.0).exp()) * (1.0 + 0.3 * noise(p * 3 + title.len()));
    let share = |p: usize| {
        let (marginal, shifted) = (0.8 * far(p), 0.6 * far(p));
        (title != "baseline, round 2" || p != 30).then_some([1.0 - marginal - shifted, marginal, shifted])
    };
    let kl: Vec<f64> = (0..positions).map(|p| 2.2 * far(p)).collect();
    ShiftPanel {
        title: title.into(),
        shares: (0..positions).map(share).collect(),
        kl: series("KL", &kl, 0.05),
        n: (0..positions).map(|p| 240 - p).collect(),
    }
}

/// Tokens of answers under two conditions in two rounds.
pub fn token_shift() -> TokenShift {
    let panels = vec![
        shifted("baseline, round 0", 64, 0.6),
        shifted("baseline, round 2", 64, 0.7),
        shifted("specificity-1, round 0", 64, 0.6),
        shifted("specificity-1, round 2", 48, 1.0),
    ];
    TokenShift {
        name: "token-shift".into(),
        panels,
        x_label: "Position in the answer".into(),
        interval: "95 % bootstrap intervals over answers".into(),
        columns: None,
    }
}

pub fn token_shift_of_one() -> TokenShift {
    TokenShift {
        name: "token-shift-one".into(),
        panels: vec![shifted("negation, round 1", 12, 0.9)],
        ..token_shift()
    }
}

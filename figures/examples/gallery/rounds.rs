//! Measures over rounds.

use recant_figures::{Intervals, RoundPanel, RoundsByCondition};

use crate::made::{level, lines, noise, series};

pub fn behaviour() -> RoundsByCondition {
    let accuracy = [[0.42, 0.43, 0.41], [0.42, 0.55, 0.61], [0.42, 0.51, 0.50], [0.42, 0.40, 0.38]];
    let bias = [[0.14, 0.15, 0.14], [0.14, 0.06, 0.03], [0.14, 0.09, 0.10], [0.14, 0.16, 0.15]];
    let mut pronouns =
        lines([[0.08, 0.10, 0.11], [0.08, 0.35, 0.52], [0.08, 0.22, 0.31], [0.08, 0.09, 0.07]], 0.045);
    let neutral = &mut pronouns[3];
    for list in [&mut neutral.value, &mut neutral.lo, &mut neutral.hi] {
        list[2] = None;
    }
    RoundsByCondition {
        name: "behaviour".into(),
        panels: vec![
            RoundPanel {
                title: "Accuracy, ambiguous".into(),
                y_label: "Accuracy".into(),
                y_range: Some((0.3, 0.7)),
                lines: lines(accuracy, 0.035),
                references: vec![level("chance", 1.0 / 3.0)],
            },
            RoundPanel {
                title: "Bias score s_{AMB}".into(),
                y_label: "s_{AMB}".into(),
                y_range: None,
                lines: lines(bias, 0.03),
                references: vec![level("unbiased", 0.0)],
            },
            RoundPanel {
                title: "Share of neutral pronouns".into(),
                y_label: "Share".into(),
                y_range: Some((0.0, 0.6)),
                lines: pronouns,
                references: vec![],
            },
        ],
        x_label: "Round".into(),
        interval: "95 % bootstrap intervals over question groups".into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

pub fn one_measure() -> RoundsByCondition {
    RoundsByCondition {
        name: "accuracy".into(),
        panels: behaviour().panels.into_iter().take(1).collect(),
        ..behaviour()
    }
}

pub fn concept_scores() -> RoundsByCondition {
    let stereotype = [[0.62, 0.60, 0.61], [0.62, 0.21, -0.05], [0.62, 0.78, 0.70], [0.62, 0.58, 0.55]];
    let morality = [[-0.20, -0.18, -0.22], [-0.20, 0.42, 0.66], [-0.20, 0.30, 0.35], [-0.20, -0.15, -0.12]];
    let panel = |title: &str, values| RoundPanel {
        title: title.into(),
        y_label: "Probe score (sd)".into(),
        lines: lines(values, 0.11),
        references: vec![level("boundary", 0.0)],
        ..RoundPanel::default()
    };
    RoundsByCondition {
        name: "concept-scores".into(),
        panels: vec![panel("Stereotype, layer 14", stereotype), panel("Morality, layer 18", morality)],
        intervals_as: Intervals::Bands,
        ..behaviour()
    }
}

/// More lines than fit beside a panel: the names move into a legend.
pub fn many_conditions() -> RoundsByCondition {
    const LONG: [&str; 8] = [
        "baseline",
        "specificity-1",
        "specificity-2",
        "specificity-3",
        "negation",
        "answer told",
        "chain of thought, then specificity-1",
        "filler of equal length",
    ];
    let panel = |title: &str, y_label: &str, gain: f64| RoundPanel {
        title: title.into(),
        y_label: y_label.into(),
        lines: LONG
            .iter()
            .enumerate()
            .map(|(c, label)| {
                let value =
                    |r: usize| 0.4 + gain * (c as f64 - 1.5) * 0.02 * r as f64 + 0.01 * noise(c * 5 + r);
                series(label, &(0..5).map(value).collect::<Vec<_>>(), 0.018)
            })
            .collect(),
        references: vec![level("chance", 1.0 / 3.0)],
        ..RoundPanel::default()
    };
    RoundsByCondition {
        name: "many-conditions".into(),
        panels: vec![
            panel("Accuracy, ambiguous contexts", "Accuracy", 1.0),
            panel("Accuracy, disambiguated contexts", "Accuracy", -0.4),
        ],
        ..behaviour()
    }
}

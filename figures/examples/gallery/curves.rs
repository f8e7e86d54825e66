//! Curves: steering, alignment, spectra.

use recant_figures::{Curve, CurveBand, CurvePanel, CurvePoint, Curves};

use crate::made::{level, noise};

pub fn measured(x: f64, y: f64, half: f64) -> CurvePoint {
    CurvePoint { x, y: Some(y), interval: Some((y - half, y + half)) }
}

pub fn marked(label: &str, points: Vec<CurvePoint>) -> Curve {
    Curve { label: label.into(), points, marked: true }
}

const STRENGTHS: [f64; 9] = [-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0];

/// The effect of adding one direction at growing strength, and what it costs.
pub fn steering() -> Curves {
    let effect = |s: f64| 0.31 * (s / 4.0).tanh() + 0.01 * noise((s + 9.0) as usize);
    let perplexity = |s: f64| 14.2 * (s.abs() / 4.5).powi(2).exp();
    let curve = |of: &dyn Fn(f64) -> CurvePoint| marked("stereotype", STRENGTHS.map(of).to_vec());
    let random = |of: &dyn Fn(f64) -> (f64, f64, f64)| {
        let (label, points) = ("20 random directions, range".into(), STRENGTHS.map(of).to_vec());
        Some(CurveBand { label, points })
    };
    Curves {
        name: "steering".into(),
        panels: vec![
            CurvePanel {
                title: "Effect on stereotyped answers".into(),
                y_label: "Change in share".into(),
                lines: vec![curve(&|s| measured(s, effect(s), 0.035 + 0.002 * s.abs()))],
                band: random(&|s| (s, -0.01 - 0.007 * s.abs(), 0.012 + 0.006 * s.abs())),
                references: vec![level("no effect", 0.0)],
                ..CurvePanel::default()
            },
            CurvePanel {
                title: "Perplexity of neutral text".into(),
                y_label: "Perplexity".into(),
                log_y: true,
                lines: vec![curve(&|s| {
                    let y = perplexity(s);
                    CurvePoint { x: s, y: Some(y), interval: Some((0.8 * y, 1.25 * y)) }
                })],
                band: random(&|s| (s, 0.95 * perplexity(0.5 * s), 1.06 * perplexity(0.72 * s))),
                references: vec![level("unsteered", 14.2)],
                ..CurvePanel::default()
            },
        ],
        x_label: "Strength (mean residual norms)".into(),
        interval: "95 % bootstrap intervals over question groups".into(),
        columns: None,
    }
}

/// Several directions in two models.
pub fn steering_of_concepts() -> Curves {
    const NAMES: [&str; 3] = ["stereotype", "morality", "specificity"];
    let lines = |of: &dyn Fn(usize, f64) -> (f64, f64)| {
        let curve = |c: usize| {
            let point = |s: f64| {
                let (y, half) = of(c, s);
                measured(s, y, half)
            };
            marked(NAMES[c], STRENGTHS.map(point).to_vec())
        };
        (0..NAMES.len()).map(curve).collect::<Vec<_>>()
    };
    let effect = |title: &str, gain: f64| CurvePanel {
        title: title.into(),
        y_label: "Effect".into(),
        y_range: Some((-0.5, 0.5)),
        lines: lines(&|c, s| (gain * [0.4, -0.2, 0.1][c] * (s / 4.0).tanh(), 0.04)),
        band: steering().panels[0].band.clone(),
        ..CurvePanel::default()
    };
    let cost = |gain: f64| CurvePanel {
        y_label: "Perplexity".into(),
        log_y: true,
        lines: lines(&|c, s| {
            let y = 12.0 + gain * [1.0, 0.6, 0.3][c] * s.abs().powf(1.5);
            (y, 0.04 * y)
        }),
        ..CurvePanel::default()
    };
    Curves {
        name: "steering-concepts".into(),
        panels: vec![
            effect("SmolLM2-1.7B", 0.6),
            effect("SmolLM2-1.7B-Instruct", 1.0),
            CurvePanel { title: "SmolLM2-1.7B".into(), ..cost(0.2) },
            CurvePanel { title: "SmolLM2-1.7B-Instruct".into(), ..cost(0.3) },
        ],
        columns: Some(2),
        ..steering()
    }
}

/// Preference training: every step's batch, and held-out pairs every 50 steps.
pub fn alignment() -> Curves {
    let panel = |title: &str, y_label: &str, spread: f64, of: &dyn Fn(f64) -> f64| {
        let train = |step: usize| {
            let (x, y) = (step as f64, of(step as f64) + spread * noise(step * 7 + title.len()));
            CurvePoint { x, y: Some(y), interval: None }
        };
        let held_out = |k: usize| measured(50.0 * k as f64, of(45.0 * k as f64), 0.3 * spread);
        CurvePanel {
            title: title.into(),
            y_label: y_label.into(),
            lines: vec![
                Curve { label: "train".into(), points: (0..=600).map(train).collect(), marked: false },
                marked("held out", (0..=12).map(held_out).collect()),
            ],
            ..CurvePanel::default()
        }
    };
    let rise = |step: f64| 1.0 - (-step / 180.0).exp();
    let mut right = panel("Pairs ranked right", "Share", 0.06, &|step| 0.5 + 0.27 * rise(step));
    right.references.push(level("chance", 0.5));
    Curves {
        name: "alignment".into(),
        panels: vec![
            panel("Loss", "DPO loss (nats)", 0.05, &|step| 0.69 - 0.22 * rise(step)),
            panel("Reward margin", "Margin (nats)", 0.25, &|step| 1.4 * rise(step)),
            right,
        ],
        x_label: "Step".into(),
        interval: "95 % bootstrap intervals over pairs".into(),
        columns: None,
    }
}

/// Two objectives, one of which was stopped early and has bands.
pub fn alignment_of_objectives() -> Curves {
    let line = |label: &str, last: usize, floor: f64, seed: usize| Curve {
        label: label.into(),
        points: (0..last)
            .map(|k| {
                let y = floor + (2.6 - floor) * (-(k as f64) / 90.0).exp() + 0.02 * noise(k + seed);
                CurvePoint {
                    x: 10.0 * k as f64,
                    y: (k != 150).then_some(y),
                    interval: Some((0.93 * y, 1.07 * y)),
                }
            })
            .collect(),
        marked: false,
    };
    let panel = CurvePanel {
        title: "KL divergence from the reference model".into(),
        y_label: "KL (nats)".into(),
        log_y: true,
        lines: vec![line("SFT, then DPO", 400, 0.4, 1), line("DPO alone", 220, 0.9, 5)],
        ..CurvePanel::default()
    };
    Curves { name: "alignment-objectives".into(), panels: vec![panel], ..alignment() }
}

/// How many directions hold the shift that alignment made, by layer.
pub fn spectrum() -> Curves {
    let line = |layer: usize, slope: f64| {
        let share = |k: usize| 1.0 - (1.0 - slope) * (k as f64).powf(-0.4 - 0.04 * layer as f64);
        let point = |k: usize| CurvePoint { x: k as f64, y: Some(share(k)), interval: None };
        Curve { label: format!("layer {layer}"), points: (1..=576).map(point).collect(), marked: false }
    };
    let panel = |title: &str, slope: f64| CurvePanel {
        title: title.into(),
        y_label: "Cumulative share".into(),
        y_range: Some((0.0, 1.0)),
        log_x: true,
        ordered: true,
        lines: (0..6).map(|k| line(5 * k, slope)).collect(),
        ..CurvePanel::default()
    };
    Curves {
        name: "spectrum".into(),
        panels: vec![panel("specificity-1", 0.3), panel("negation", 0.1)],
        x_label: "Directions".into(),
        ..Curves::default()
    }
}

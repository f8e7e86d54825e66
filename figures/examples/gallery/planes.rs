//! Bars by model, the plane of two concepts, the volcano of effects.

use recant_figures::{
    BarBracket, BarPanel, Cloud, Effect, ModelBars, Path, PlanePanel, Step, Trajectories, Volcano,
    VolcanoPanel,
};

use crate::made::{CONCEPTS, CONDITIONS, LAYERS, level, noise, series};
use crate::profiles::curve;

/// Four conditions in three models, and which of them differ from the first.
pub fn bars() -> ModelBars {
    let panel = |title: &str, axis: &str, values: [[f64; 3]; 4], brackets: &[(usize, usize, f64)]| BarPanel {
        title: title.into(),
        y_label: axis.into(),
        y_range: None,
        groups: ["base", "SFT", "DPO"].map(String::from).into(),
        bars: CONDITIONS.iter().zip(values).map(|(label, v)| series(label, &v, 0.05)).collect(),
        brackets: brackets
            .iter()
            .map(|&(group, condition, p)| BarBracket {
                group,
                between: (CONDITIONS[0].into(), CONDITIONS[condition].into()),
                p,
            })
            .collect(),
        references: if values[0][0] > 0.0 { vec![level("chance", 0.33)] } else { Vec::new() },
    };
    let accuracy = [[0.34, 0.41, 0.62], [0.36, 0.55, 0.81], [0.31, 0.33, 0.52], [0.35, 0.43, 0.64]];
    let bias = [[-0.11, 0.22, 0.14], [0.10, 0.12, -0.04], [0.13, 0.31, 0.26], [0.12, 0.21, 0.12]];
    ModelBars {
        name: "bars".into(),
        panels: vec![
            panel(
                "Accuracy, ambiguous (n = 480)",
                "Accuracy",
                accuracy,
                &[(1, 1, 0.004), (2, 1, 0.0004), (2, 2, 0.021)],
            ),
            panel("Bias, ambiguous (n = 480)", "Bias score s_{AMB}", bias, &[(2, 1, 0.012)]),
        ],
        interval: "95 % bootstrap intervals over questions".into(),
        test: "differs from baseline (q from sign flips of question groups)".into(),
        ..ModelBars::default()
    }
}

/// Dialogues on the plane of two concepts, before and after alignment.
pub fn plane() -> Trajectories {
    let path = |c: usize, gain: f64| {
        let step = |r: usize| {
            let t = r as f64;
            let x = -0.4 - gain * t * [0.1, 0.55, -0.35, 0.2][c] + 0.05 * noise(c + 3 * r);
            let y = 0.2 + gain * t * [0.15, 0.5, -0.25, 0.05][c] + 0.06 * noise(c + 5 * r + 2);
            Step { x, y, x_interval: Some((x - 0.08, x + 0.08)), y_interval: Some((y - 0.1, y + 0.09)) }
        };
        Path { label: CONDITIONS[c].into(), steps: (0..4).map(step).collect() }
    };
    let item = |i: usize, gain: f64| {
        let spread = |seed: usize| (0..6).map(|k| noise(seed + 131 * k)).sum::<f64>() * 0.45;
        (-0.5 - 0.3 * gain + spread(i), 0.3 + 0.3 * gain + 0.8 * spread(i + 7777))
    };
    let panel = |title: &str, gain: f64| PlanePanel {
        title: title.into(),
        paths: (0..4).map(|c| path(c, gain)).collect(),
        items: (0..1200).map(|i| item(i, gain)).collect(),
    };
    Trajectories {
        name: "plane".into(),
        panels: vec![panel("base (n = 300)", 0.35), panel("aligned (n = 300)", 0.9)],
        x_label: "Stereotype score, layer 16 (s.d.)".into(),
        y_label: "Morality score, layer 18 (s.d.)".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        haze: "all items in all rounds".into(),
        columns: None,
    }
}

/// What three instructions do at every layer, with the p of each.
pub fn volcano() -> Volcano {
    let cloud = |c: usize, seed: usize| Cloud {
        label: CONDITIONS[c].into(),
        points: curve(0.9, 15.0, seed)
            .iter()
            .enumerate()
            .take(LAYERS)
            .map(|(layer, height)| {
                let effect = [0.0, -2.6, 1.9, 0.5][c] * (height - 0.55) + 0.16 * noise(seed + layer);
                let p = (10f64.powf(-9.0 * effect * effect) * (1.0 + 0.8 * noise(layer + seed)))
                    .clamp(0.001, 1.0);
                Effect { label: format!("layer {layer}"), effect, p }
            })
            .collect(),
    };
    let panel = |concept: usize| VolcanoPanel {
        title: format!("{} (n = 480)", CONCEPTS[concept]),
        clouds: (1..4).map(|c| cloud(c, 10 * concept + c)).collect(),
        levels: vec![(0.05, "p = 0.05".into()), (0.001, "least p of 999 flips".into())],
    };
    Volcano {
        name: "volcano".into(),
        panels: vec![panel(0), panel(1)],
        x_label: "Effect beyond neutral (s.d.)".into(),
        y_label: "p".into(),
        test: "sign flips of item groups".into(),
        named: 3,
        columns: None,
    }
}

//! Bars by model, the plane of two concepts, the volcano of effects.

use recant_figures::{
    BarModel, BarPanel, Bracket, ModelBars, PlanePanel, PlanePath, PlanePoint, Threshold, Trajectories,
    Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries,
};

use crate::made::{CONDITIONS, LAYERS, level, noise, series};
use crate::samples::scatter_around;

/// Bars of some models under every condition, from values of the last round: `[model][condition]`.
pub fn bar_panel(title: &str, y_label: &str, last: &[&[f64]], first: &[f64], half: f64) -> BarPanel {
    let models = ["SmolLM2-135M", "Pythia-160M", "OLMo-2-1B"];
    let model = |m: usize| BarModel {
        scores: series(models[m], last[m], half),
        before: vec![Some(first[m]); last[m].len()],
    };
    BarPanel {
        title: title.into(),
        y_label: y_label.into(),
        groups: CONDITIONS.map(Into::into).to_vec(),
        models: (0..last.len()).map(model).collect(),
        ..BarPanel::default()
    }
}

pub fn models_and_conditions() -> ModelBars {
    let bracket = |from, to, p| Bracket { from, to, p };
    let accuracy = BarPanel {
        y_range: Some((0.0, 0.7)),
        references: vec![level("chance", 1.0 / 3.0)],
        brackets: vec![
            bracket((0, 0), (1, 0), 0.0005),
            bracket((0, 1), (1, 1), 0.012),
            bracket((0, 2), (2, 2), 0.003),
            bracket((2, 0), (2, 2), 0.34),
        ],
        ..bar_panel(
            "Accuracy, ambiguous (n = 240)",
            "Accuracy",
            &[&[0.41, 0.61, 0.50, 0.38], &[0.35, 0.44, 0.41, 0.36], &[0.46, 0.58, 0.55, 0.49]],
            &[0.42, 0.36, 0.45],
            0.035,
        )
    };
    let mut bias = bar_panel(
        "Bias score s_{AMB} (n = 240)",
        "s_{AMB}",
        &[&[0.14, 0.03, 0.10, 0.15], &[0.05, -0.04, 0.02, 0.06], &[0.21, 0.02, 0.11, 0.19]],
        &[0.14, 0.06, 0.2],
        0.03,
    );
    bias.models[1].scores.value[3] = None;
    (bias.models[1].scores.lo[3], bias.models[1].scores.hi[3]) = (None, None);
    bias.brackets = vec![bracket((0, 0), (1, 0), 0.0005), bracket((0, 2), (1, 2), 0.0005)];
    ModelBars {
        name: "model-bars".into(),
        panels: vec![accuracy, bias],
        x_label: String::new(),
        interval: "95 % bootstrap intervals over questions".into(),
        before: "round 0".into(),
        test: "difference from the baseline in round 2, exchanges of question groups, adjusted for all of a model"
            .into(),
        symbol: "q".into(),
        columns: None,
    }
}

/// Names of conditions that need lines or must be turned.
pub fn one_model_of_many_conditions() -> ModelBars {
    let names = [
        "baseline",
        "stereotype, in general terms",
        "stereotype-specificity-2-with-reason",
        "negation",
        "morality",
        "neutral",
    ];
    let values = [0.41, 0.47, 0.61, 0.50, 0.44, 0.38];
    let mut panel = bar_panel("Accuracy, ambiguous (n = 240)", "Accuracy", &[&values], &[0.42], 0.035);
    panel.groups = names.map(Into::into).to_vec();
    panel.references = vec![level("chance", 1.0 / 3.0)];
    let bracket = |to, p| Bracket { from: (0, 0), to: (to, 0), p };
    panel.brackets = vec![bracket(2, 0.0005), bracket(3, 0.02)];
    let second = BarPanel { title: "Accuracy, disambiguated (n = 240)".into(), ..panel.clone() };
    ModelBars { name: "one-model-bars".into(), panels: vec![panel, second], ..models_and_conditions() }
}

pub fn plane_panel(title: &str, ends: &[(&str, [(f64, f64); 3])], seed: usize) -> PlanePanel {
    let point = |&(x, y): &(f64, f64)| PlanePoint {
        x: Some(x),
        y: Some(y),
        x_interval: Some((x - 0.07, x + 0.08)),
        y_interval: Some((y - 0.06, y + 0.05)),
    };
    let path = |(label, places): &(&str, [(f64, f64); 3])| PlanePath {
        label: (*label).into(),
        points: places.iter().map(point).collect(),
    };
    let x = scatter_around(0.1, 0.7, 400, seed);
    let y = scatter_around(0.2, 0.5, 400, seed + 5);
    let items = x.iter().zip(&y).map(|(x, y)| (*x, y - 0.4 * x)).collect();
    PlanePanel { title: title.into(), paths: ends.iter().map(path).collect(), items }
}

pub fn concept_plane() -> Trajectories {
    let first = [
        ("baseline", [(0.32, 0.1), (0.35, 0.13), (0.38, 0.1)]),
        ("specificity-1", [(0.32, 0.1), (-0.1, 0.35), (-0.42, 0.52)]),
        ("negation", [(0.32, 0.1), (0.05, -0.1), (0.0, -0.2)]),
        ("neutral", [(0.32, 0.1), (0.42, 0.24), (0.6, 0.3)]),
    ];
    let second = [
        ("baseline", [(0.1, 0.2), (0.13, 0.26), (0.15, 0.27)]),
        ("specificity-1", [(0.12, 0.2), (-0.3, 0.41), (-0.5, 0.42)]),
        ("negation", [(0.1, 0.22), (-0.1, 0.0), (-0.12, -0.2)]),
        ("neutral", [(0.08, 0.2), (0.24, 0.33), (0.3, 0.5)]),
    ];
    Trajectories {
        name: "concept-plane".into(),
        panels: vec![plane_panel("BBQ (n = 240)", &first, 1), plane_panel("WinoBias (n = 180)", &second, 31)],
        x_label: "Stereotype score (s.d.)".into(),
        y_label: "Morality score (s.d.)".into(),
        shared: true,
        interval: "95 % bootstrap intervals over item groups".into(),
        items: "the items in all rounds and conditions".into(),
        columns: None,
    }
}

pub fn concept_plane_of_one() -> Trajectories {
    let mut figure = concept_plane();
    figure.name = "one-plane".into();
    figure.panels.truncate(1);
    figure
}

/// Changes at every layer under every condition, and their p by a rule that has a least value.
pub fn volcano_panel(title: &str, reach: f64, seed: usize) -> VolcanoPanel {
    let point = |condition: usize, layer: usize| {
        let rise = (-(layer as f64 - 17.0).powi(2) / 60.0).exp();
        let noise = 0.12 * noise(seed + 31 * condition + layer);
        let effect = reach * [0.05, -1.0, 0.5, 0.1][condition] * rise + noise;
        let p = (-(effect / 0.11).powi(2) / 2.0).exp().max(1.0 / 2001.0);
        VolcanoPoint { label: format!("layer {layer}"), effect, p, passes: p < 0.004 }
    };
    let of = |condition: usize| VolcanoSeries {
        label: CONDITIONS[condition].into(),
        points: (0..LAYERS).map(|layer| point(condition, layer)).collect(),
    };
    let threshold = |label: &str, p: f64| Threshold { label: label.into(), p };
    VolcanoPanel {
        title: title.into(),
        series: (0..CONDITIONS.len()).map(of).collect(),
        thresholds: vec![threshold("p = .05", 0.05), threshold("q = .05", 0.0041)],
        permutations: Some(2000),
    }
}

pub fn volcano() -> Volcano {
    Volcano {
        name: "volcano".into(),
        panels: vec![volcano_panel("stereotype, BBQ", 0.8, 1), volcano_panel("morality, BBQ", 0.45, 400)],
        x_label: "Change of score, round 0 to 2 (s.d.)".into(),
        y_label: "p".into(),
        test: "sign flips of item groups".into(),
        significance: "p < .05, largest over the layers".into(),
        strongest: 2,
        columns: None,
    }
}

pub fn volcano_of_one() -> Volcano {
    let mut figure = volcano();
    figure.name = "one-volcano".into();
    figure.panels.truncate(1);
    figure
}

//! Scores by layer.

use recant_figures::{Depth, LayerProfile, NullBand, Profile, ProfilePanel, Reference};

use crate::made::{CONCEPTS, LAYERS, level, noise, series};

/// AUROC by layer: rises to a peak and falls off a little.
pub fn curve(peak: f64, at: f64, seed: usize) -> Vec<f64> {
    (0..LAYERS)
        .map(|l| {
            let distance = (l as f64 - at) / if (l as f64) < at { 9.0 } else { 26.0 };
            0.56 + (peak - 0.56) * (-distance * distance).exp() + 0.008 * noise(l + seed)
        })
        .collect()
}

pub fn null() -> NullBand {
    NullBand {
        label: "permuted labels".into(),
        lo: (0..LAYERS).map(|l| Some(0.452 + 0.008 * noise(l))).collect(),
        hi: (0..LAYERS).map(|l| Some(0.548 + 0.008 * noise(l + 7))).collect(),
    }
}

pub fn profile(label: &str, values: &[f64], mark_best: bool) -> Profile {
    Profile {
        scores: series(label, values, 0.022),
        passes: values.iter().map(|v| *v > 0.62).collect(),
        mark_best,
    }
}

pub fn profiles() -> LayerProfile {
    let panel = |title: &str, values: Vec<f64>, words: f64| ProfilePanel {
        title: title.into(),
        profiles: vec![profile("probe", &values, true)],
        references: vec![
            level("chance", 0.5),
            Reference {
                label: "bag of words".into(),
                value: words,
                interval: Some((words - 0.02, words + 0.02)),
            },
        ],
        baselines: vec![series("untrained model", &curve(0.69, 4.0, 9), 0.03)],
        null: Some(null()),
    };
    let mut stereotype = panel(CONCEPTS[0], curve(0.88, 14.0, 1), 0.66);
    let scores = &mut stereotype.profiles[0].scores;
    for list in [&mut scores.value, &mut scores.lo, &mut scores.hi] {
        list[22] = None;
    }
    LayerProfile {
        name: "layer-profile".into(),
        panels: vec![stereotype, panel(CONCEPTS[1], curve(0.94, 18.0, 5), 0.71)],
        x_label: "Layer".into(),
        y_label: "AUROC".into(),
        y_range: Some((0.4, 1.0)),
        interval: "95 % bootstrap intervals over groups".into(),
        significance: "q < 0.05".into(),
        ..LayerProfile::default()
    }
}

pub fn base_and_aligned() -> LayerProfile {
    let base = profile("base", &curve(0.83, 15.0, 1), true);
    let aligned = profile("aligned", &curve(0.90, 12.0, 5), true);
    let panel = ProfilePanel {
        title: "stereotype".into(),
        profiles: vec![base, aligned],
        references: vec![level("chance", 0.5)],
        baselines: Vec::new(),
        null: None,
    };
    LayerProfile { name: "base-and-aligned".into(), panels: vec![panel], y_range: None, ..profiles() }
}

/// Models of 12 and of 30 layers on one axis.
pub fn depths() -> LayerProfile {
    let every = |values: Vec<f64>, step: f64, layers: usize| -> Vec<f64> {
        (0..layers).map(|l| values[((l as f64 * step) as usize).min(LAYERS - 1)]).collect()
    };
    let panel = |concept: usize| ProfilePanel {
        title: CONCEPTS[concept].into(),
        profiles: vec![
            profile("Pythia-160M", &every(curve(0.8, 14.0, 3 + concept), 2.5, 12), true),
            profile("SmolLM2-135M", &curve(0.88, 17.0, 1 + concept), true),
        ],
        references: vec![level("chance", 0.5)],
        baselines: vec![series("untrained", &every(curve(0.66, 4.0, 9), 1.25, 24), 0.03)],
        null: Some(null()),
    };
    LayerProfile {
        name: "relative-depth".into(),
        panels: vec![panel(0), panel(1)],
        x_label: "Relative depth".into(),
        depth: Depth::Relative,
        ..profiles()
    }
}

/// One probe along the alignment of a model.
pub fn steps_of_alignment() -> LayerProfile {
    let steps = ["base", "SFT, 1/2", "SFT", "DPO, 1/2", "DPO", "RLVR"];
    let panel = |concept: usize| ProfilePanel {
        title: CONCEPTS[concept].into(),
        profiles: steps
            .iter()
            .enumerate()
            .map(|(k, step)| Profile {
                passes: Vec::new(),
                ..profile(step, &curve(0.7 + 0.04 * k as f64, 18.0 - k as f64, k + 7 * concept), false)
            })
            .collect(),
        references: vec![level("chance", 0.5)],
        ..ProfilePanel::default()
    };
    LayerProfile {
        name: "alignment-profile".into(),
        panels: vec![panel(0), panel(1)],
        ordered: true,
        ..profiles()
    }
}

/// The stream, and what attention and MLP add to it.
pub fn sites() -> LayerProfile {
    let panel = |concept: usize| ProfilePanel {
        title: CONCEPTS[concept].into(),
        profiles: [("resid_post", 0.9, 17.0), ("attn_out", 0.78, 13.0), ("mlp_out", 0.84, 19.0)]
            .iter()
            .enumerate()
            .map(|(k, &(site, peak, at))| profile(site, &curve(peak, at, 4 + k + 9 * concept), false))
            .collect(),
        references: vec![level("chance", 0.5)],
        ..ProfilePanel::default()
    };
    LayerProfile { name: "sites".into(), panels: vec![panel(0), panel(1)], ..profiles() }
}

//! Scores against size and step.

use recant_figures::{ModelScale, Role, ScaleModel, ScalePanel, ScoreByScale};

use crate::made::{level, noise, series};

pub fn model(name: &str, at: f64, role: Role) -> ScaleModel {
    ScaleModel { name: name.into(), at, role, family: String::new() }
}

/// Base and aligned models of four sizes.
pub fn sizes() -> ScoreByScale {
    let sizes =
        [("SmolLM2-135M", 135e6), ("SmolLM2-360M", 362e6), ("SmolLM2-1.7B", 1.71e9), ("Large-70B", 70e9)];
    let models = sizes.iter().flat_map(|&(name, at)| [Role::Base, Role::Aligned].map(|r| model(name, at, r)));
    let panel = |title: &str, y_label: &str, start: f64, rise: f64, gains: [f64; 3]| ScalePanel {
        title: title.into(),
        y_label: y_label.into(),
        lines: ["baseline", "specificity-1", "negation"]
            .iter()
            .zip(gains)
            .enumerate()
            .map(|(c, (label, gain))| {
                let value = |m: usize| {
                    let (size, aligned) = ((m / 2) as f64, (m % 2) as f64);
                    start + rise * size + gain * aligned * (0.4 + 0.3 * size) + 0.012 * noise(m * 3 + c)
                };
                series(label, &(0..8).map(value).collect::<Vec<_>>(), 0.03)
            })
            .collect(),
        ..ScalePanel::default()
    };
    let mut accuracy = panel("Accuracy, ambiguous", "Accuracy", 0.34, 0.05, [0.05, 0.19, 0.1]);
    accuracy.references.push(level("chance", 1.0 / 3.0));
    let mut bias = panel("Bias score s_{AMB}", "s_{AMB}", 0.04, 0.05, [0.0, -0.1, -0.05]);
    bias.references.push(level("no bias", 0.0));
    let specific = &mut bias.lines[1];
    for list in [&mut specific.value, &mut specific.lo, &mut specific.hi] {
        list[5] = None;
    }
    let neutral = panel("Neutral pronouns", "Share", 0.05, 0.02, [0.04, 0.24, 0.12]);
    ScoreByScale {
        name: "score-by-size".into(),
        scale: ModelScale::Parameters,
        models: models.collect(),
        panels: vec![accuracy, bias, neutral],
        x_label: "Parameters".into(),
        interval: "95 % bootstrap intervals over question groups".into(),
        columns: None,
    }
}

/// One model along its alignment.
pub fn alignment_steps() -> ScoreByScale {
    let names = ["base", "SFT", "SFT, end", "DPO", "RLVR"];
    let role = |k: usize| if k == 0 { Role::Base } else { Role::Aligned };
    let models = names.iter().enumerate().map(|(k, name)| model(name, 500.0 * k as f64, role(k)));
    let lines = vec![
        series("baseline", &[0.35, 0.38, 0.40, 0.41, 0.42], 0.03),
        series("specificity-1", &[0.36, 0.45, 0.52, 0.58, 0.60], 0.03),
    ];
    let panel = ScalePanel {
        title: "Accuracy, ambiguous".into(),
        y_label: "Accuracy".into(),
        lines,
        references: vec![level("chance", 1.0 / 3.0)],
        ..ScalePanel::default()
    };
    ScoreByScale {
        name: "score-by-step".into(),
        scale: ModelScale::Step,
        models: models.collect(),
        panels: vec![panel],
        x_label: "Alignment step".into(),
        ..sizes()
    }
}

/// Two families of nearly equal sizes, and names that do not all fit.
pub fn two_families() -> ScoreByScale {
    let families: [(&str, &[f64]); 2] =
        [("Qwen2.5", &[0.494e9, 1.54e9, 3.09e9, 7.62e9]), ("Llama-3", &[1.24e9, 3.21e9, 8.03e9])];
    let models: Vec<_> = families
        .iter()
        .flat_map(|(family, sizes)| sizes.iter().map(move |&at| (*family, at)))
        .flat_map(|(family, at)| [(family, at, Role::Base), (family, at, Role::Aligned)])
        .map(|(family, at, role)| ScaleModel {
            name: format!("{family}-{:.1}B{}", at / 1e9, if role == Role::Base { "" } else { "-Instruct" }),
            at,
            role,
            family: family.into(),
        })
        .collect();
    let values = |gain: f64| {
        let of = |m: &ScaleModel| {
            let aligned = if m.role == Role::Aligned { gain } else { 0.0 };
            let family = if m.family == "Qwen2.5" { 0.05 } else { 0.0 };
            0.3 + 0.12 * (m.at / 3e8).log10() + aligned + family
        };
        models.iter().map(of).collect::<Vec<_>>()
    };
    let panel = |title: &str| ScalePanel {
        title: title.into(),
        y_label: "Accuracy".into(),
        lines: vec![series("baseline", &values(0.03), 0.02), series("specificity-1", &values(0.14), 0.02)],
        references: vec![level("chance", 1.0 / 3.0)],
        ..ScalePanel::default()
    };
    ScoreByScale {
        name: "score-by-size-families".into(),
        panels: vec![panel("Accuracy, ambiguous"), panel("Accuracy, disambiguated")],
        models,
        ..sizes()
    }
}

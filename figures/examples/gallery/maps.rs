//! Heat maps by layer.

use recant_figures::{HeatColours, HeatMap, LayerRoundMap, MapRow};

use crate::made::{CONCEPTS, CONDITIONS, LAYERS, ROUNDS, noise};
use crate::profiles::curve;

pub fn map(concept: usize, condition: usize) -> HeatMap {
    let pull = [0.0, -1.0, 0.35, -0.1][condition] * [1.0, -0.7][concept];
    let value = |layer: usize, round: usize| {
        let depth = (-((layer as f64 - 17.0) / 8.0).powi(2)).exp();
        pull * depth * (1.0 - (-(round as f64) * 1.1).exp())
            + 0.04 * noise(layer * 7 + round + condition * 31)
    };
    let mut values: Vec<Vec<_>> = (0..LAYERS)
        .map(|l| (0..ROUNDS).map(|r| Some(if r == 0 { 0.0 } else { value(l, r) })).collect())
        .collect();
    if (concept, condition) == (1, 2) {
        values[3][2] = None;
        values[4][2] = None;
    }
    let passes = values
        .iter()
        .map(|row| row.iter().map(|v| v.is_some_and(|v: f64| v.abs() > 0.25)).collect())
        .collect();
    HeatMap { title: CONDITIONS[condition].into(), values, passes }
}

pub fn maps() -> LayerRoundMap {
    let row = |concept: usize| MapRow {
        title: CONCEPTS[concept].into(),
        maps: (0..CONDITIONS.len()).map(|condition| map(concept, condition)).collect(),
    };
    LayerRoundMap {
        first_layer: 0,
        name: "layer-round-map".into(),
        rows: vec![row(0), row(1)],
        x_label: "Round".into(),
        y_label: "Layer".into(),
        value_label: "Probe score, change from round 0 (sd)".into(),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance: "q < 0.05 over layers and rounds, sign-flip test over groups".into(),
    }
}

pub fn one_row_of_maps() -> LayerRoundMap {
    LayerRoundMap {
        first_layer: 0,
        name: "layer-round-map-one".into(),
        rows: maps().rows.into_iter().take(1).map(|row| MapRow { title: String::new(), ..row }).collect(),
        colours: HeatColours::Diverging { null: 0.0, reach: Some(0.6) },
        ..maps()
    }
}

/// A map without a natural middle.
pub fn auroc_map() -> LayerRoundMap {
    let map = |seed: usize, title: &str| HeatMap {
        title: title.into(),
        values: curve(0.92, 16.0, seed)
            .into_iter()
            .enumerate()
            .map(|(l, v)| (0..5).map(|r| Some(v - 0.03 * r as f64 * (l as f64 / 30.0))).collect())
            .collect(),
        passes: vec![],
    };
    LayerRoundMap {
        first_layer: 0,
        name: "auroc-map".into(),
        rows: vec![MapRow { title: String::new(), maps: vec![map(1, "base"), map(9, "aligned")] }],
        value_label: "AUROC".into(),
        colours: HeatColours::Sequential { range: None },
        ..maps()
    }
}

/// What the model would answer at each layer: the probability of each option.
pub fn lens_map() -> LayerRoundMap {
    let score = |option: usize, layer: usize, round: usize| {
        let late = 1.0 / (1.0 + (-(layer as f64 - 19.0) / 2.0).exp());
        let pull = [1.8 - 1.6 * round as f64, 0.2, 1.9 * round as f64][option];
        (late * pull + 0.3 * noise(layer * 3 + option)).exp()
    };
    let share = |option: usize, layer: usize, round: usize| {
        score(option, layer, round) / (0..3).map(|o| score(o, layer, round)).sum::<f64>()
    };
    let wins = |option: usize, l: usize, r: usize| (0..3).all(|o| share(o, l, r) <= share(option, l, r));
    let map = |(option, title): (usize, &&str)| HeatMap {
        title: (*title).into(),
        values: (0..LAYERS).map(|l| (0..ROUNDS).map(|r| Some(share(option, l, r))).collect()).collect(),
        passes: (0..LAYERS).map(|l| (0..ROUNDS).map(|r| wins(option, l, r)).collect()).collect(),
    };
    let options = ["stereotyped", "other person", "unknown"];
    LayerRoundMap {
        first_layer: 0,
        name: "lens-map".into(),
        rows: vec![MapRow { title: String::new(), maps: options.iter().enumerate().map(map).collect() }],
        value_label: "Probability of the option".into(),
        colours: HeatColours::Sequential { range: Some((0.0, 1.0)) },
        significance: "the most probable option of a layer and round".into(),
        ..maps()
    }
}

/// How well each head reads.
pub fn head_map() -> LayerRoundMap {
    let map = |title: &str, seed: usize| HeatMap {
        title: title.into(),
        values: curve(0.8, 14.0, seed)
            .iter()
            .enumerate()
            .map(|(l, v)| {
                (0..9).map(|h| Some(0.5 + (v - 0.5) * (0.5 + 0.5 * noise(9 * l + h + seed)))).collect()
            })
            .collect(),
        passes: Vec::new(),
    };
    LayerRoundMap {
        name: "head-map".into(),
        rows: vec![MapRow { title: String::new(), maps: vec![map("stereotype", 3), map("morality", 8)] }],
        x_label: "Head".into(),
        ..auroc_map()
    }
}

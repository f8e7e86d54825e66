//! Draws every kind of figure from made-up numbers: `cargo run -p recant-figures --example gallery -- DIR
//! [NAME]`.
//!
//! Each figure, or each whose name begins with NAME, is written at column and page width as SVG, PDF and PNG, with its CSV and its caption.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use recant_figures::{
    BarModel, BarPanel, Bracket, Curve, CurveBand, CurvePanel, CurvePoint, Curves, Depth, DistributionPanel,
    DistributionRow, Distributions, Figure, HeatColours, HeatMap, Intervals, LayerProfile, LayerRoundMap,
    MapRow, Matrix, MatrixCell, ModelBars, ModelScale, NullBand, PlacePanel, PlanePanel, PlanePath,
    PlanePoint, PositionBias, Profile, ProfilePanel, Reference, Reliability, ReliabilityBin,
    ReliabilityPanel, Role, RoundPanel, RoundsByCondition, Sample, ScaleModel, ScalePanel, Scatter,
    ScatterPanel, ScatterPoint, ScoreByScale, Series, ShiftPanel, Style, Theme, Threshold, TokenShift,
    Trajectories, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries, Width, render,
};

const LAYERS: usize = 30;
const ROUNDS: usize = 3;
const CONDITIONS: [&str; 4] = ["baseline", "specificity-1", "negation", "neutral"];
const CONCEPTS: [&str; 2] = ["stereotype", "morality"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("usage: gallery DIR [NAME]")?;
    let wanted = env::args().nth(2).unwrap_or_default();
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let figures: Vec<Box<dyn Figure>> = vec![
        Box::new(behaviour()),
        Box::new(one_measure()),
        Box::new(concept_scores()),
        Box::new(profiles()),
        Box::new(base_and_aligned()),
        Box::new(maps()),
        Box::new(one_row_of_maps()),
        Box::new(many_conditions()),
        Box::new(auroc_map()),
        Box::new(sizes()),
        Box::new(alignment_steps()),
        Box::new(two_families()),
        Box::new(places()),
        Box::new(places_of_one_task()),
        Box::new(reliability()),
        Box::new(labour_market()),
        Box::new(one_scatter()),
        Box::new(transfer_of_rounds()),
        Box::new(transfer_of_layers()),
        Box::new(steering()),
        Box::new(steering_of_concepts()),
        Box::new(alignment()),
        Box::new(alignment_of_objectives()),
        Box::new(projections()),
        Box::new(projections_of_rounds()),
        Box::new(token_shift()),
        Box::new(token_shift_of_one()),
        Box::new(lens_map()),
        Box::new(depths()),
        Box::new(steps_of_alignment()),
        Box::new(spectrum()),
        Box::new(models_and_conditions()),
        Box::new(one_model_of_many_conditions()),
        Box::new(concept_plane()),
        Box::new(concept_plane_of_one()),
        Box::new(volcano()),
        Box::new(volcano_of_one()),
    ];
    let is_wanted = |figure: &&dyn Figure| figure.name().starts_with(&wanted);
    for figure in figures.iter().map(Box::as_ref).filter(is_wanted) {
        for (suffix, width) in
            [("column", Width::Column), ("half", Width::ColumnAndHalf), ("page", Width::Page)]
        {
            write(folder, figure, suffix, &Style::at(width))?;
        }
    }
    let grey = [0, 9, 12, 14, 15, 20, 22, 23, 25, 28, 29, 30, 31, 32, 33, 35].map(|i| figures[i].as_ref());
    for figure in grey.into_iter().filter(is_wanted) {
        let grey = Style { theme: Theme::grey(), ..Style::at(Width::Page) };
        write(folder, figure, "grey", &grey)?;
    }
    Ok(())
}

fn write(folder: &Path, figure: &dyn Figure, suffix: &str, style: &Style) -> Result<(), Box<dyn Error>> {
    let svg = figure.svg(style)?;
    let stem = format!("{}-{suffix}", figure.name());
    fs::write(folder.join(format!("{stem}.svg")), &svg)?;
    fs::write(folder.join(format!("{stem}.pdf")), render::pdf(&svg)?)?;
    fs::write(folder.join(format!("{stem}.png")), render::png(&svg, 300.0)?)?;
    fs::write(folder.join(format!("{}.csv", figure.name())), figure.csv())?;
    fs::write(folder.join(format!("{}.txt", figure.name())), figure.caption())?;
    Ok(())
}

/// A small fixed noise in [-1, 1].
fn noise(seed: usize) -> f64 {
    ((seed as f64 * 12.9898).sin() * 43758.5453).fract()
}

fn series(label: &str, values: &[f64], half: f64) -> Series {
    Series {
        label: label.into(),
        value: values.iter().map(|v| Some(*v)).collect(),
        lo: values.iter().enumerate().map(|(i, v)| Some(v - half * (1.0 + 0.2 * noise(i + 3)))).collect(),
        hi: values.iter().enumerate().map(|(i, v)| Some(v + half * (1.0 + 0.2 * noise(i + 9)))).collect(),
    }
}

fn lines(values: [[f64; ROUNDS]; 4], half: f64) -> Vec<Series> {
    CONDITIONS.iter().zip(values).map(|(label, v)| series(label, &v, half)).collect()
}

fn level(label: &str, value: f64) -> Reference {
    Reference { label: label.into(), value, interval: None }
}

fn behaviour() -> RoundsByCondition {
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

fn one_measure() -> RoundsByCondition {
    RoundsByCondition {
        name: "accuracy".into(),
        panels: behaviour().panels.into_iter().take(1).collect(),
        ..behaviour()
    }
}

fn concept_scores() -> RoundsByCondition {
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

/// AUROC by layer: rises to a peak and falls off a little.
fn curve(peak: f64, at: f64, seed: usize) -> Vec<f64> {
    (0..LAYERS)
        .map(|l| {
            let distance = (l as f64 - at) / if (l as f64) < at { 9.0 } else { 26.0 };
            0.56 + (peak - 0.56) * (-distance * distance).exp() + 0.008 * noise(l + seed)
        })
        .collect()
}

fn null() -> NullBand {
    NullBand {
        label: "permuted labels".into(),
        lo: (0..LAYERS).map(|l| Some(0.452 + 0.008 * noise(l))).collect(),
        hi: (0..LAYERS).map(|l| Some(0.548 + 0.008 * noise(l + 7))).collect(),
    }
}

fn profile(label: &str, values: &[f64], mark_best: bool) -> Profile {
    Profile {
        scores: series(label, values, 0.022),
        passes: values.iter().map(|v| *v > 0.62).collect(),
        mark_best,
    }
}

fn profiles() -> LayerProfile {
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

fn base_and_aligned() -> LayerProfile {
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

fn map(concept: usize, condition: usize) -> HeatMap {
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

fn maps() -> LayerRoundMap {
    let row = |concept: usize| MapRow {
        title: CONCEPTS[concept].into(),
        maps: (0..CONDITIONS.len()).map(|condition| map(concept, condition)).collect(),
    };
    LayerRoundMap {
        name: "layer-round-map".into(),
        rows: vec![row(0), row(1)],
        x_label: "Round".into(),
        y_label: "Layer".into(),
        value_label: "Probe score, change from round 0 (sd)".into(),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance: "q < 0.05 over layers and rounds, sign-flip test over groups".into(),
    }
}

fn one_row_of_maps() -> LayerRoundMap {
    LayerRoundMap {
        name: "layer-round-map-one".into(),
        rows: maps().rows.into_iter().take(1).map(|row| MapRow { title: String::new(), ..row }).collect(),
        colours: HeatColours::Diverging { null: 0.0, reach: Some(0.6) },
        ..maps()
    }
}

/// More lines than fit beside a panel: the names move into a legend.
fn many_conditions() -> RoundsByCondition {
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

/// A map without a natural middle.
fn auroc_map() -> LayerRoundMap {
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
        name: "auroc-map".into(),
        rows: vec![MapRow { title: String::new(), maps: vec![map(1, "base"), map(9, "aligned")] }],
        value_label: "AUROC".into(),
        colours: HeatColours::Sequential { range: None },
        ..maps()
    }
}

fn model(name: &str, at: f64, role: Role) -> ScaleModel {
    ScaleModel { name: name.into(), at, role, family: String::new() }
}

/// Base and aligned models of four sizes.
fn sizes() -> ScoreByScale {
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
fn alignment_steps() -> ScoreByScale {
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
fn two_families() -> ScoreByScale {
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

fn places() -> PositionBias {
    let panel = |title: &str, shares: &[[f64; 3]]| PlacePanel {
        title: title.into(),
        places: ["a", "b", "c", "d", "e"].iter().take(shares.len()).map(|p| (*p).into()).collect(),
        series: ["round 0", "round 1", "round 2"]
            .iter()
            .enumerate()
            .map(|(r, label)| series(label, &shares.iter().map(|s| s[r]).collect::<Vec<_>>(), 0.03))
            .collect(),
    };
    PositionBias {
        name: "position-bias".into(),
        panels: vec![
            panel("BBQ, ambiguous", &[[0.52, 0.44, 0.38], [0.27, 0.31, 0.33], [0.21, 0.25, 0.29]]),
            panel("Winogender", &[[0.61, 0.55, 0.5], [0.39, 0.45, 0.5]]),
            panel(
                "Moral choices",
                &[[0.35, 0.3, 0.27], [0.28, 0.27, 0.26], [0.21, 0.23, 0.24], [0.16, 0.2, 0.23]],
            ),
        ],
        x_label: "Place of the option".into(),
        y_label: "Share of items".into(),
        uniform: "uniform".into(),
        interval: "95 % bootstrap intervals over question groups".into(),
        columns: None,
    }
}

fn places_of_one_task() -> PositionBias {
    PositionBias {
        name: "position-bias-one".into(),
        panels: places().panels.into_iter().take(1).collect(),
        ..places()
    }
}

fn reliability() -> Reliability {
    let panel = |title: &str, over: f64| ReliabilityPanel {
        title: title.into(),
        bins: (0..10)
            .map(|b| {
                let confidence = 0.05 + 0.1 * b as f64;
                let n = if b < 2 { 0 } else { 6 + 9 * b * b };
                let accuracy = (confidence - over * confidence * (1.1 - confidence) * 2.0).clamp(0.0, 1.0);
                let half = 1.96 * (accuracy * (1.0 - accuracy) / (n as f64).max(1.0)).sqrt();
                let interval = Some(((accuracy - half).max(0.0), (accuracy + half).min(1.0)));
                ReliabilityBin { confidence, accuracy, interval, n }
            })
            .collect(),
        ece_interval: Some((0.3 * over.abs(), 0.6 * over.abs())),
    };
    Reliability {
        name: "reliability".into(),
        panels: vec![panel("baseline", 0.7), panel("specificity-1", 0.4), panel("negation", -0.2)],
        x_label: "Confidence".into(),
        y_label: "Accuracy".into(),
        diagonal: "calibrated".into(),
        range: None,
        interval: "95 % Wilson intervals".into(),
        columns: None,
    }
}

fn labour_market() -> Scatter {
    const OCCUPATIONS: [&str; 6] = ["nurse", "carpenter", "secretary", "engineer", "teacher", "pharmacist"];
    let panel = |title: &str, slope: f64, r: f64| ScatterPanel {
        title: title.into(),
        points: (0..60)
            .map(|i| {
                let x = 0.5 + 0.48 * noise(i * 3 + 1);
                let y = (0.5 + slope * (x - 0.5) + 0.16 * noise(i * 5 + 2)).clamp(0.0, 1.0);
                let label = OCCUPATIONS.get(i).map_or(format!("occupation {i}"), |o| (*o).into());
                ScatterPoint { label, x: Some(x), y: Some(y), labelled: i < OCCUPATIONS.len() }
            })
            .collect(),
        correlation: Some(r),
        correlation_interval: Some((r - 0.12, r + 0.07)),
    };
    Scatter {
        name: "labour-market".into(),
        panels: vec![
            panel("baseline", 1.1, 0.88),
            panel("specificity-1", 0.5, 0.7),
            panel("negation", 0.2, 0.41),
        ],
        x_label: "Recorded share of women".into(),
        y_label: "Model's share of she".into(),
        range: Some((0.0, 1.0)),
        diagonal: "as recorded".into(),
        statistic: "r".into(),
        interval: "95 % bootstrap interval over occupations".into(),
        columns: None,
    }
}

fn one_scatter() -> Scatter {
    let mut panels: Vec<_> = labour_market().panels.into_iter().take(1).collect();
    let more = (60..300).map(|i| {
        let x = 0.5 + 0.48 * noise(i * 3 + 1);
        let y = (x + 0.2 * noise(i * 5 + 2)).clamp(0.0, 1.0);
        ScatterPoint { label: format!("occupation {i}"), x: Some(x), y: Some(y), labelled: false }
    });
    panels[0].points.extend(more);
    Scatter { name: "labour-market-one".into(), panels, ..labour_market() }
}

fn matrix(
    name: &str,
    title: &str,
    names: Vec<String>,
    score: impl Fn(usize, usize) -> Option<f64>,
) -> Matrix {
    let cell = |row: usize, column: usize| {
        let value = score(row, column);
        MatrixCell { value, interval: value.map(|v| (v - 0.09, (v + 0.09).min(1.0))) }
    };
    let size = names.len();
    Matrix {
        name: name.into(),
        title: title.into(),
        cells: (0..size).map(|row| (0..size).map(|column| cell(row, column)).collect()).collect(),
        columns: names.clone(),
        rows: names,
        x_label: "Tested on".into(),
        y_label: "Trained on".into(),
        value_label: "AUROC".into(),
        colours: HeatColours::Diverging { null: 0.5, reach: Some(0.5) },
        note: "Diagonal: out of fold.".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
    }
}

fn transfer_of_rounds() -> Matrix {
    let names = ["baseline", "negation", "neutral"]
        .iter()
        .flat_map(|condition| (0..ROUNDS).map(move |round| format!("{condition}, round {round}")))
        .collect();
    matrix("transfer-rounds", "stereotyped answer, bbq (n = 96)", names, |row, column| {
        let far = (row as f64 - column as f64).abs();
        (row != 7).then_some(0.88 - 0.06 * far - 0.02 * row as f64)
    })
}

fn transfer_of_layers() -> Matrix {
    let names = (0..LAYERS).map(|layer| layer.to_string()).collect();
    matrix("transfer-layers", "stereotype (n = 240, 60 groups)", names, |row, column| {
        let far = (row as f64 - column as f64).abs();
        Some(
            0.5 + 0.4 * (-far / 8.0).exp() * (row as f64 / 6.0).min(1.0) - if far > 20.0 { 0.1 } else { 0.0 },
        )
    })
}

fn measured(x: f64, y: f64, half: f64) -> CurvePoint {
    CurvePoint { x, y: Some(y), interval: Some((y - half, y + half)) }
}

fn marked(label: &str, points: Vec<CurvePoint>) -> Curve {
    Curve { label: label.into(), points, marked: true }
}

const STRENGTHS: [f64; 9] = [-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0];

/// The effect of adding one direction at growing strength, and what it costs.
fn steering() -> Curves {
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
fn steering_of_concepts() -> Curves {
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
fn alignment() -> Curves {
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
fn alignment_of_objectives() -> Curves {
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

/// About normal, by the sum of twelve noises.
fn scatter_around(mean: f64, sd: f64, n: usize, seed: usize) -> Vec<f64> {
    let normal = |k: usize| (0..12).map(|i| 0.5 * noise((k * 12 + i) * 3 + seed * 7919)).sum::<f64>();
    (0..n).map(|k| mean + sd * normal(k)).collect()
}

/// Projections of a base and an aligned model on the directions of two concepts.
fn projections() -> Distributions {
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
fn projections_of_rounds() -> Distributions {
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

fn shifted(title: &str, positions: usize, gain: f64) -> ShiftPanel {
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
fn token_shift() -> TokenShift {
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

fn token_shift_of_one() -> TokenShift {
    TokenShift {
        name: "token-shift-one".into(),
        panels: vec![shifted("negation, round 1", 12, 0.9)],
        ..token_shift()
    }
}

/// What the model would answer at each layer: the probability of each option.
fn lens_map() -> LayerRoundMap {
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
        name: "lens-map".into(),
        rows: vec![MapRow { title: String::new(), maps: options.iter().enumerate().map(map).collect() }],
        value_label: "Probability of the option".into(),
        colours: HeatColours::Sequential { range: Some((0.0, 1.0)) },
        significance: "the most probable option of a layer and round".into(),
        ..maps()
    }
}

/// Models of 12 and of 30 layers on one axis.
fn depths() -> LayerProfile {
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
fn steps_of_alignment() -> LayerProfile {
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

/// How many directions hold the shift that alignment made, by layer.
fn spectrum() -> Curves {
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

/// Bars of some models under every condition, from values of the last round: `[model][condition]`.
fn bar_panel(title: &str, y_label: &str, last: &[&[f64]], first: &[f64], half: f64) -> BarPanel {
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

fn models_and_conditions() -> ModelBars {
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
fn one_model_of_many_conditions() -> ModelBars {
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

fn plane_panel(title: &str, ends: &[(&str, [(f64, f64); 3])], seed: usize) -> PlanePanel {
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

fn concept_plane() -> Trajectories {
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

fn concept_plane_of_one() -> Trajectories {
    let mut figure = concept_plane();
    figure.name = "one-plane".into();
    figure.panels.truncate(1);
    figure
}

/// Changes at every layer under every condition, and their p by a rule that has a least value.
fn volcano_panel(title: &str, reach: f64, seed: usize) -> VolcanoPanel {
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

fn volcano() -> Volcano {
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

fn volcano_of_one() -> Volcano {
    let mut figure = volcano();
    figure.name = "one-volcano".into();
    figure.panels.truncate(1);
    figure
}

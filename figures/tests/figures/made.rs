//! Figures to test with: every label of each is `text(i)` for some i.

use recant_figures::{
    BarModel, BarPanel, Bracket, Curve, CurveBand, CurvePanel, CurvePoint, Curves, Depth, DistributionPanel,
    DistributionRow, Distributions, Figure, HeatColours, HeatMap, Intervals, LayerProfile, LayerRoundMap,
    MapRow, Matrix, MatrixCell, ModelBars, ModelScale, NullBand, PlacePanel, PlanePanel, PlanePath,
    PlanePoint, PositionBias, Profile, ProfilePanel, Reference, Reliability, ReliabilityBin,
    ReliabilityPanel, Role, RoundPanel, RoundsByCondition, Sample, ScaleModel, ScalePanel, Scatter,
    ScatterPanel, ScatterPoint, ScoreByScale, Series, ShiftPanel, Threshold, TokenShift, Trajectories,
    Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries, Width,
};

pub fn series(label: &str, values: &[f64]) -> Series {
    Series {
        label: label.into(),
        value: values.iter().copied().map(Some).collect(),
        lo: values.iter().map(|v| Some(v - 0.03)).collect(),
        hi: values.iter().map(|v| Some(v + 0.04)).collect(),
    }
}

pub fn level(label: &str, value: f64) -> Reference {
    Reference { label: label.into(), value, interval: Some((value - 0.01, value + 0.01)) }
}

/// Three panels whose every label is `text(i)` for some i.
pub fn rounds(text: &dyn Fn(usize) -> String, panels: usize, conditions: usize) -> RoundsByCondition {
    let panel = |p: usize| RoundPanel {
        title: text(p),
        y_label: text(p + 1),
        y_range: None,
        lines: (0..conditions)
            .map(|c| series(&text(c + 7), &[0.4125, 0.42 + 0.013 * c as f64, 0.43 + 0.004 * (c * p) as f64]))
            .collect(),
        references: vec![level(&text(5), 0.3333)],
    };
    RoundsByCondition {
        name: "rounds".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        interval: "95 % intervals".into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

pub fn profile(text: &dyn Fn(usize) -> String, panels: usize) -> LayerProfile {
    let values: Vec<f64> = (0..30).map(|l| 0.5625 + 0.4 * (f64::from(l) / 30.0).sin()).collect();
    let panel = |p: usize| ProfilePanel {
        title: text(p),
        profiles: [4, 5]
            .map(|k| Profile {
                scores: series(&text(k), &values.iter().map(|v| v - 0.013 * k as f64).collect::<Vec<_>>()),
                passes: values.iter().map(|v| *v > 0.7).collect(),
                mark_best: true,
            })
            .to_vec(),
        references: vec![level(&text(2), 0.5), level(&text(3), 0.66)],
        baselines: vec![series(&text(1), &[0.5312; 30])],
        null: Some(NullBand { label: text(8), lo: vec![Some(0.4521); 30], hi: vec![Some(0.5479); 30] }),
    };
    LayerProfile {
        name: "profile".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(7),
        y_range: Some((0.4, 1.0)),
        interval: "95 % intervals".into(),
        significance: text(9),
        ..LayerProfile::default()
    }
}

/// Models of 6, 13, 20, .. layers along an order.
pub fn depths(text: &dyn Fn(usize) -> String, panels: usize, models: usize) -> LayerProfile {
    let rise =
        |layers: usize| (0..layers).map(|l| 0.5625 + 0.3 * l as f64 / layers as f64).collect::<Vec<_>>();
    let mut figure = profile(text, panels);
    (figure.depth, figure.ordered) = (Depth::Relative, true);
    for panel in &mut figure.panels {
        let model = |m: usize| Profile {
            scores: series(&text(m), &rise(7 * m + 6)),
            passes: vec![true; 7 * m + 6],
            mark_best: m < 2,
        };
        panel.profiles = (0..models).map(model).collect();
    }
    figure
}

pub fn distributions(
    text: &dyn Fn(usize) -> String,
    panels: usize,
    rows: usize,
    values: usize,
) -> Distributions {
    let sample = |p: usize, r: usize, s: usize| Sample {
        label: text(s + 7),
        values: (0..values).map(|k| (((k * 31 + 7 * s + p) % 97) as f64 - 48.0) / 16.0 + r as f64).collect(),
    };
    let row = |p: usize, r: usize| DistributionRow {
        label: text(r + 1),
        samples: (0..2 + r % 2).map(|s| sample(p, r, s)).collect(),
        note: text(r + 4),
    };
    let panel = |p: usize| DistributionPanel { title: text(p), rows: (0..rows).map(|r| row(p, r)).collect() };
    Distributions {
        name: "distributions".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        shared_x: panels.is_multiple_of(2),
        note: text(2),
        columns: None,
    }
}

pub fn shifts(text: &dyn Fn(usize) -> String, panels: usize, positions: usize) -> TokenShift {
    let far = |k: usize| 0.5 / (k + 1) as f64;
    let panel = |p: usize| ShiftPanel {
        title: text(p),
        shares: (0..positions).map(|k| Some([1.0 - far(k), 0.25 * far(k), 0.75 * far(k)])).collect(),
        kl: series(&text(3), &(0..positions).map(|k| 0.0625 + far(k)).collect::<Vec<_>>()),
        n: (0..positions).map(|k| 2 * positions - k).collect(),
    };
    TokenShift {
        name: "shifts".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        interval: "95 % intervals".into(),
        columns: None,
    }
}

/// Curves on a logarithmic x axis, in an order.
pub fn spectrum(text: &dyn Fn(usize) -> String, panels: usize) -> Curves {
    let mut figure = curves(text, panels, 300);
    for panel in &mut figure.panels {
        (panel.log_x, panel.ordered) = (true, true);
        panel.lines.iter_mut().flat_map(|l| &mut l.points).for_each(|p| p.x = (p.x + 4.0).exp());
        panel.band.iter_mut().flat_map(|b| &mut b.points).for_each(|p| p.0 = (p.0 + 4.0).exp());
    }
    figure
}

pub fn maps(text: &dyn Fn(usize) -> String, rows: usize, conditions: usize) -> LayerRoundMap {
    let map = |c: usize| HeatMap {
        title: text(c),
        values: (0..12)
            .map(|l| (0..3).map(|r| Some(0.125 * (l * r) as f64 - 0.3 * c as f64)).collect())
            .collect(),
        passes: vec![vec![false, true, false]; 12],
    };
    LayerRoundMap {
        first_layer: 0,
        name: "maps".into(),
        rows: (0..rows)
            .map(|r| MapRow { title: text(r + 3), maps: (0..conditions).map(map).collect() })
            .collect(),
        x_label: text(1),
        y_label: text(2),
        value_label: text(4),
        colours: HeatColours::Diverging { null: 0.0, reach: Some(1.0) },
        significance: text(5),
    }
}

pub fn matrix(text: &dyn Fn(usize) -> String, size: usize) -> Matrix {
    let cell = |row: usize, column: usize| {
        let value = 0.5 + 0.45 * ((row * 7 + column * 3) as f64).sin();
        let value = (row * column != 2).then_some(value);
        MatrixCell { value, interval: value.map(|v| (v - 0.1, v + 0.1)) }
    };
    Matrix {
        name: "matrix".into(),
        title: text(6),
        rows: (0..size).map(text).collect(),
        columns: (0..size).map(|column| text(column + 1)).collect(),
        cells: (0..size).map(|row| (0..size).map(|column| cell(row, column)).collect()).collect(),
        x_label: text(1),
        y_label: text(2),
        value_label: text(4),
        colours: HeatColours::Diverging { null: 0.5, reach: Some(0.5) },
        note: text(3),
        interval: text(5),
    }
}

/// Base and aligned models of `sizes` sizes.
pub fn scale(text: &dyn Fn(usize) -> String, panels: usize, sizes: usize, scale: ModelScale) -> ScoreByScale {
    let model = |m: usize| ScaleModel {
        name: text(m),
        at: 135e6 * 3f64.powi((m / 2) as i32),
        role: if m.is_multiple_of(2) { Role::Base } else { Role::Aligned },
        family: String::new(),
    };
    let values = |c: usize| (0..2 * sizes).map(|m| 0.4 + 0.02 * (m * (c + 1)) as f64).collect::<Vec<_>>();
    let panel = |p: usize| ScalePanel {
        title: text(p),
        y_label: text(p + 1),
        y_range: None,
        lines: (0..3).map(|c| series(&text(c + 7), &values(c))).collect(),
        references: vec![level(&text(5), 0.3333)],
    };
    ScoreByScale {
        name: "scale".into(),
        scale,
        models: (0..2 * sizes).map(model).collect(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        interval: "95 % intervals".into(),
        columns: None,
    }
}

pub fn places(text: &dyn Fn(usize) -> String, panels: usize, rounds: usize) -> PositionBias {
    let panel = |p: usize| PlacePanel {
        title: text(p),
        places: (0..p + 2).map(|i| text(i + 3)).collect(),
        series: (0..rounds).map(|r| series(&text(r + 7), &vec![0.31 + 0.04 * r as f64; p + 2])).collect(),
    };
    PositionBias {
        name: "places".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(1),
        uniform: text(5),
        interval: "95 % intervals".into(),
        columns: None,
    }
}

pub fn reliability(text: &dyn Fn(usize) -> String, panels: usize, bins: usize) -> Reliability {
    let bin = |b: usize| {
        let confidence = (b as f64 + 0.5) / bins as f64;
        let accuracy = 0.8 * confidence;
        ReliabilityBin { confidence, accuracy, interval: Some((0.7 * confidence, confidence)), n: 3 * b + 1 }
    };
    let panel = |p: usize| ReliabilityPanel {
        title: text(p),
        bins: (0..bins).map(bin).collect(),
        ece_interval: Some((0.05, 0.1525)),
    };
    Reliability {
        name: "reliability".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(1),
        diagonal: text(5),
        range: None,
        interval: "95 % intervals".into(),
        columns: None,
    }
}

pub fn scatter(text: &dyn Fn(usize) -> String, panels: usize, points: usize) -> Scatter {
    let point = |i: usize| {
        let at = |k: usize| Some(((i * k + 3) % 97) as f64 / 96.0);
        ScatterPoint { label: text(i), x: at(31), y: at(45), labelled: i.is_multiple_of(3) }
    };
    let panel = |p: usize| ScatterPanel {
        title: text(p),
        points: (0..points).map(point).collect(),
        correlation: Some(0.4125),
        correlation_interval: Some((-0.1, 0.6)),
    };
    Scatter {
        name: "scatter".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(1),
        range: Some((0.0, 1.0)),
        diagonal: text(5),
        statistic: text(4),
        interval: "95 % interval".into(),
        columns: None,
    }
}

/// Two marked lines over nine strengths and a thin one of `dense` points, on a linear and a logarithmic axis in
/// turn.
pub fn curves(text: &dyn Fn(usize) -> String, panels: usize, dense: usize) -> Curves {
    let point = |x: f64, p: usize| {
        let y = 14.0 * (0.3 * x).exp() + p as f64;
        CurvePoint { x, y: Some(y), interval: Some((y - 1.0, y + 2.0)) }
    };
    let strengths = || (-4..=4).map(f64::from);
    let panel = |p: usize| CurvePanel {
        title: text(p),
        y_label: text(p + 1),
        log_y: p % 2 == 1,
        lines: vec![
            Curve { label: text(7), points: strengths().map(|x| point(x, p)).collect(), marked: true },
            Curve { label: text(8), points: strengths().map(|x| point(x, 2)).collect(), marked: true },
            Curve {
                label: text(9),
                points: (0..dense).map(|k| point(8.0 * k as f64 / dense as f64 - 4.0, 1)).collect(),
                marked: false,
            },
        ],
        band: Some(CurveBand {
            label: text(4),
            points: strengths().map(|x| (x, 12.0, 13.0 + x.abs())).collect(),
        }),
        references: vec![level(&text(5), 14.0)],
        ..CurvePanel::default()
    };
    Curves {
        name: "curves".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        interval: "95 % intervals".into(),
        columns: None,
    }
}

pub const USUAL: [&str; 10] = [
    "baseline",
    "specificity-1",
    "negation",
    "neutral",
    "stereotype",
    "Accuracy",
    "Round",
    "chance",
    "s_{AMB}",
    "p < 0.05",
];

pub fn usual(i: usize) -> String {
    USUAL[i % USUAL.len()].into()
}

pub fn long_words(i: usize) -> String {
    format!(
        "condition {i} which asks the model at some length to reconsider what it said {}",
        "and why ".repeat(i + 3)
    )
}

pub fn unbroken(i: usize) -> String {
    format!("{i}{}", "Wm".repeat(90))
}

pub fn medium(i: usize) -> String {
    ["specificity-2-with-reason", "a_long_name_of_a_condition", "moral foundations (care)"][i % 3].to_owned()
        + &i.to_string()
}

pub fn hostile(i: usize) -> String {
    format!("<b>&\"'{i}\u{0}\u{1}\n\t\u{FFFF} _{{x^{{}}}} _{{ ^{{open 漢字 مرحبا e\u{301} 🙂 ﬁ")
}

pub fn blank(_: usize) -> String {
    String::new()
}

pub type Labels = fn(usize) -> String;

pub const LABELS: [(&str, Labels); 6] = [
    ("usual", usual),
    ("long words", long_words),
    ("unbroken", unbroken),
    ("medium", medium),
    ("hostile", hostile),
    ("blank", blank),
];

pub const WIDTHS: [Width; 3] = [Width::Column, Width::ColumnAndHalf, Width::Page];

/// Bars of some models under every condition, some missing, with brackets within a group and across groups.
pub fn bars(text: &dyn Fn(usize) -> String, panels: usize, groups: usize, models: usize) -> ModelBars {
    let value = |p: usize, g: usize, m: usize| 0.3 * ((3 * p + 5 * g + m) as f64).sin() + 0.1 * p as f64;
    let model = |p: usize, m: usize| {
        let values: Vec<f64> = (0..groups).map(|g| value(p, g, m)).collect();
        let mut scores = series(&text(m + 7), &values);
        let missing = (groups > 2 && m == 1).then_some(groups - 1);
        missing.into_iter().for_each(|g| scores.value[g] = None);
        BarModel { scores, before: vec![Some(0.1); groups] }
    };
    let bracket = |g: usize, m: usize| Bracket { from: (0, m), to: (g, m), p: 0.0004 * (7 * g + 1) as f64 };
    let across = (1..groups - usize::from(groups > 2)).flat_map(|g| (0..models).map(move |m| bracket(g, m)));
    let within = (models > 1).then(|| Bracket { from: (0, 0), to: (0, models - 1), p: 1.0 });
    let brackets: Vec<Bracket> = across.chain(within).collect();
    let panel = |p: usize| BarPanel {
        title: text(p),
        y_label: text(p + 1),
        groups: (0..groups).map(|g| text(g + 2)).collect(),
        models: (0..models).map(|m| model(p, m)).collect(),
        references: vec![level(&text(5), 0.2)],
        brackets: brackets.clone(),
        ..BarPanel::default()
    };
    ModelBars {
        name: "bars".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        interval: "95 % intervals".into(),
        before: text(4),
        test: "exchanges of groups".into(),
        symbol: "q".into(),
        columns: None,
    }
}

pub fn plane(text: &dyn Fn(usize) -> String, panels: usize, paths: usize, rounds: usize) -> Trajectories {
    let point = |c: usize, r: usize| {
        let (angle, far) = (2.4 * c as f64, 0.3 * r as f64);
        let (x, y) = (far * angle.cos(), 0.2 + far * angle.sin());
        let around = |v: f64| Some((v - 0.03, v + 0.04));
        PlanePoint { x: Some(x), y: Some(y), x_interval: around(x), y_interval: around(y) }
    };
    let path =
        |c: usize| PlanePath { label: text(c + 7), points: (0..rounds).map(|r| point(c, r)).collect() };
    let item = |i: usize| (((i * 31) % 97) as f64 / 60.0 - 0.8, ((i * 45) % 89) as f64 / 60.0 - 0.7);
    let panel = |p: usize| PlanePanel {
        title: text(p),
        paths: (0..paths).map(path).collect(),
        items: (0..60 * p).map(item).collect(),
    };
    Trajectories {
        name: "plane".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(1),
        shared: panels.is_multiple_of(2),
        interval: "95 % intervals".into(),
        items: "the items".into(),
        columns: None,
    }
}

pub fn volcano(text: &dyn Fn(usize) -> String, panels: usize, series: usize, points: usize) -> Volcano {
    let point = |s: usize, i: usize| {
        let effect = ((i * 31 + 7 * s) % 97) as f64 / 48.0 - 1.0;
        let p = 10f64.powf(-4.0 * effect.abs()).max(1.0 / 2001.0);
        VolcanoPoint { label: text(i), effect, p, passes: p < 0.01 }
    };
    let of =
        |s: usize| VolcanoSeries { label: text(s + 7), points: (0..points).map(|i| point(s, i)).collect() };
    let threshold = |label: String, p: f64| Threshold { label, p };
    let panel = |p: usize| VolcanoPanel {
        title: text(p),
        series: (0..series).map(of).collect(),
        thresholds: vec![threshold(text(5), 0.05), threshold(text(4), 0.01)],
        permutations: Some(2000),
    };
    Volcano {
        name: "volcano".into(),
        panels: (0..panels).map(panel).collect(),
        x_label: text(6),
        y_label: text(1),
        test: "sign flips".into(),
        significance: text(9),
        strongest: 3,
        columns: None,
    }
}

pub fn all(text: &dyn Fn(usize) -> String) -> Vec<Box<dyn Figure>> {
    vec![
        Box::new(rounds(text, 1, 4)),
        Box::new(rounds(text, 3, 4)),
        Box::new(rounds(text, 5, 9)),
        Box::new(profile(text, 1)),
        Box::new(profile(text, 2)),
        Box::new(maps(text, 1, 2)),
        Box::new(maps(text, 2, 4)),
        Box::new(matrix(text, 1)),
        Box::new(matrix(text, 4)),
        Box::new(matrix(text, 18)),
        Box::new(scale(text, 1, 1, ModelScale::Step)),
        Box::new(scale(text, 3, 4, ModelScale::Parameters)),
        Box::new(places(text, 1, 2)),
        Box::new(places(text, 3, 5)),
        Box::new(reliability(text, 1, 10)),
        Box::new(reliability(text, 3, 15)),
        Box::new(scatter(text, 1, 100)),
        Box::new(scatter(text, 3, 30)),
        Box::new(curves(text, 1, 12)),
        Box::new(curves(text, 2, 1000)),
        Box::new(curves(text, 5, 100)),
        Box::new(spectrum(text, 2)),
        Box::new(depths(text, 1, 6)),
        Box::new(depths(text, 2, 3)),
        Box::new(distributions(text, 1, 1, 3)),
        Box::new(distributions(text, 2, 4, 200)),
        Box::new(distributions(text, 3, 5, 40)),
        Box::new(shifts(text, 1, 1)),
        Box::new(shifts(text, 1, 1000)),
        Box::new(shifts(text, 3, 24)),
        Box::new(bars(text, 1, 1, 1)),
        Box::new(bars(text, 1, 4, 3)),
        Box::new(bars(text, 2, 9, 1)),
        Box::new(bars(text, 3, 5, 2)),
        Box::new(plane(text, 1, 1, 1)),
        Box::new(plane(text, 2, 4, 3)),
        Box::new(plane(text, 3, 9, 4)),
        Box::new(volcano(text, 1, 1, 1)),
        Box::new(volcano(text, 2, 4, 30)),
        Box::new(volcano(text, 3, 9, 12)),
    ]
}

/// The stroked paths of a colour: how many pieces a line is in.
pub fn strokes(svg: &str, colour: &str, width: &str) -> usize {
    let paint = format!("stroke=\"{colour}\" stroke-width=\"{width}\"");
    svg.lines().filter(|l| l.starts_with("<path") && l.contains(&paint)).count()
}

/// A font of the user's own, which no program brings along: its file, made once from an embedded one by another name.
pub fn own_font() -> std::path::PathBuf {
    static FILE: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    let make = || {
        let (name, own) = ("DejaVu Sans Mono", "Invented Letters");
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let is_it = |data: &&[u8]| data.windows(32).any(|w| w == wide(name));
        let mut data = typst_assets::fonts().find(is_it).unwrap().to_vec();
        for (from, to) in [(wide(name), wide(own)), (name.into(), own.into())] {
            let places: Vec<usize> = (0..data.len() - 32).filter(|&i| data[i..].starts_with(&from)).collect();
            places.into_iter().for_each(|i| data[i..i + to.len()].copy_from_slice(&to));
        }
        let folder = std::env::temp_dir().join(format!("recant-figures-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("Invented-Regular.ttf");
        std::fs::write(&file, data).unwrap();
        file
    };
    FILE.get_or_init(make).clone()
}

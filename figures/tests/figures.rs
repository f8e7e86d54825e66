//! What every figure promises, checked from outside.

#![allow(clippy::unwrap_used)]

use recant_figures::colour::{DIVERGING, MUTED, OKABE_ITO, SEQUENTIAL, WHITE};
use recant_figures::{
    BarModel, BarPanel, Bracket, Curve, CurveBand, CurvePanel, CurvePoint, Curves, Depth, DistributionPanel,
    DistributionRow, Distributions, Error, Figure, HeatColours, HeatMap, Intervals, LayerProfile,
    LayerRoundMap, MapRow, Matrix, MatrixCell, ModelBars, ModelScale, NullBand, PlacePanel, PlanePanel,
    PlanePath, PlanePoint, PositionBias, Profile, ProfilePanel, Reference, Reliability, ReliabilityBin,
    ReliabilityPanel, Role, RoundPanel, RoundsByCondition, Sample, ScaleModel, ScalePanel, Scatter,
    ScatterPanel, ScatterPoint, ScoreByScale, Series, ShiftPanel, Style, Theme, Threshold, TokenShift,
    Trajectories, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries, Width, font, render,
};
use resvg::usvg;

fn series(label: &str, values: &[f64]) -> Series {
    Series {
        label: label.into(),
        value: values.iter().copied().map(Some).collect(),
        lo: values.iter().map(|v| Some(v - 0.03)).collect(),
        hi: values.iter().map(|v| Some(v + 0.04)).collect(),
    }
}

fn level(label: &str, value: f64) -> Reference {
    Reference { label: label.into(), value, interval: Some((value - 0.01, value + 0.01)) }
}

/// Three panels whose every label is `text(i)` for some i.
fn rounds(text: &dyn Fn(usize) -> String, panels: usize, conditions: usize) -> RoundsByCondition {
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

fn profile(text: &dyn Fn(usize) -> String, panels: usize) -> LayerProfile {
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
fn depths(text: &dyn Fn(usize) -> String, panels: usize, models: usize) -> LayerProfile {
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

fn distributions(text: &dyn Fn(usize) -> String, panels: usize, rows: usize, values: usize) -> Distributions {
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

fn shifts(text: &dyn Fn(usize) -> String, panels: usize, positions: usize) -> TokenShift {
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
fn spectrum(text: &dyn Fn(usize) -> String, panels: usize) -> Curves {
    let mut figure = curves(text, panels, 300);
    for panel in &mut figure.panels {
        (panel.log_x, panel.ordered) = (true, true);
        panel.lines.iter_mut().flat_map(|l| &mut l.points).for_each(|p| p.x = (p.x + 4.0).exp());
        panel.band.iter_mut().flat_map(|b| &mut b.points).for_each(|p| p.0 = (p.0 + 4.0).exp());
    }
    figure
}

fn maps(text: &dyn Fn(usize) -> String, rows: usize, conditions: usize) -> LayerRoundMap {
    let map = |c: usize| HeatMap {
        title: text(c),
        values: (0..12)
            .map(|l| (0..3).map(|r| Some(0.125 * (l * r) as f64 - 0.3 * c as f64)).collect())
            .collect(),
        passes: vec![vec![false, true, false]; 12],
    };
    LayerRoundMap {
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

fn matrix(text: &dyn Fn(usize) -> String, size: usize) -> Matrix {
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
fn scale(text: &dyn Fn(usize) -> String, panels: usize, sizes: usize, scale: ModelScale) -> ScoreByScale {
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

fn places(text: &dyn Fn(usize) -> String, panels: usize, rounds: usize) -> PositionBias {
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

fn reliability(text: &dyn Fn(usize) -> String, panels: usize, bins: usize) -> Reliability {
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

fn scatter(text: &dyn Fn(usize) -> String, panels: usize, points: usize) -> Scatter {
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
fn curves(text: &dyn Fn(usize) -> String, panels: usize, dense: usize) -> Curves {
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

/// Bars of some models under every condition, some missing, with brackets within a group and across groups.
fn bars(text: &dyn Fn(usize) -> String, panels: usize, groups: usize, models: usize) -> ModelBars {
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

fn plane(text: &dyn Fn(usize) -> String, panels: usize, paths: usize, rounds: usize) -> Trajectories {
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

fn volcano(text: &dyn Fn(usize) -> String, panels: usize, series: usize, points: usize) -> Volcano {
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

const USUAL: [&str; 10] = [
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

fn usual(i: usize) -> String {
    USUAL[i % USUAL.len()].into()
}

fn long_words(i: usize) -> String {
    format!(
        "condition {i} which asks the model at some length to reconsider what it said {}",
        "and why ".repeat(i + 3)
    )
}

fn unbroken(i: usize) -> String {
    format!("{i}{}", "Wm".repeat(90))
}

fn medium(i: usize) -> String {
    ["specificity-2-with-reason", "a_long_name_of_a_condition", "moral foundations (care)"][i % 3].to_owned()
        + &i.to_string()
}

fn hostile(i: usize) -> String {
    format!("<b>&\"'{i}\u{0}\u{1}\n\t\u{FFFF} _{{x^{{}}}} _{{ ^{{open 漢字 مرحبا e\u{301} 🙂 ﬁ")
}

fn blank(_: usize) -> String {
    String::new()
}

type Labels = fn(usize) -> String;

const LABELS: [(&str, Labels); 6] = [
    ("usual", usual),
    ("long words", long_words),
    ("unbroken", unbroken),
    ("medium", medium),
    ("hostile", hostile),
    ("blank", blank),
];

const WIDTHS: [Width; 3] = [Width::Column, Width::ColumnAndHalf, Width::Page];

fn all(text: &dyn Fn(usize) -> String) -> Vec<Box<dyn Figure>> {
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

fn parse(svg: &str) -> usvg::Tree {
    let mut fonts = usvg::fontdb::Database::new();
    typst_assets::fonts().for_each(|f| fonts.load_font_data(f.to_vec()));
    let options = usvg::Options { dpi: 72.0, fontdb: fonts.into(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).unwrap()
}

fn text_nodes(group: &usvg::Group) -> Vec<&usvg::Text> {
    group
        .children()
        .iter()
        .flat_map(|node| match node {
            usvg::Node::Text(text) => vec![text.as_ref()],
            usvg::Node::Group(group) => text_nodes(group),
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn texts_stay_on_the_sheet_and_apart_whatever_their_length() {
    for (kind, text) in LABELS {
        for width in WIDTHS {
            for figure in all(&text) {
                let drawing =
                    figure.draw(&Style::at(width)).unwrap_or_else(|e| panic!("{kind} {width:?}: {e}"));
                assert!((drawing.width - width.points()).abs() < 1e-9);
                for (i, a) in drawing.texts.iter().enumerate() {
                    let inside = a.left >= 0.0
                        && a.top >= 0.0
                        && a.right <= drawing.width
                        && a.bottom <= drawing.height;
                    assert!(
                        inside,
                        "{kind}, {} at {width:?}: {a:?} leaves {} x {}",
                        figure.name(),
                        drawing.width,
                        drawing.height
                    );
                    for b in &drawing.texts[i + 1..] {
                        assert!(!a.overlaps(b), "{kind}, {} at {width:?}: {a:?} and {b:?}", figure.name());
                    }
                }
            }
        }
    }
}

/// The same from the renderer's side: what it lays out is what was measured here.
#[test]
fn the_renderer_finds_every_text_as_wide_as_it_was_measured() {
    for text in [usual, long_words, medium] {
        for figure in all(&text) {
            let drawing = figure.draw(&Style::default()).unwrap();
            let tree = parse(&drawing.svg);
            let nodes = text_nodes(tree.root());
            assert_eq!(nodes.len(), drawing.texts.len());
            for (node, text) in nodes.iter().zip(&drawing.texts) {
                let found = node.abs_bounding_box();
                let upwards = node.abs_transform().ky != 0.0;
                let (from, to) =
                    if upwards { (found.top(), found.bottom()) } else { (found.left(), found.right()) };
                let (start, end) = if upwards { (text.top, text.bottom) } else { (text.left, text.right) };
                let apart = (f64::from(from) - start).abs().max((f64::from(to) - end).abs());
                assert!(apart < 0.1, "{found:?} {text:?}");
                // The box of the ink is that of the text before it is turned.
                let ink = node.flattened().abs_bounding_box();
                let (top, bottom) = (f64::from(ink.top()), f64::from(ink.bottom()));
                let inside = top > text.top - 0.15 && bottom < text.bottom + 0.15;
                assert!(upwards || inside, "{ink:?} {text:?}");
            }
        }
    }
}

#[test]
fn every_text_names_the_embedded_family_first() {
    for figure in all(&usual) {
        let svg = figure.svg(&Style::default()).unwrap();
        let first = format!("font-family=\"{}", font::FAMILY);
        assert_eq!(svg.matches("<text").count(), svg.matches(&first).count());
        for node in text_nodes(parse(&svg).root()) {
            for span in node.chunks().iter().flat_map(|c| c.spans()) {
                assert_eq!(span.font().families()[0], usvg::FontFamily::Named(font::FAMILY.into()));
            }
        }
    }
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    for figure in all(&usual) {
        let svg = figure.svg(&Style::default()).unwrap();
        assert_eq!(svg, figure.svg(&Style::default()).unwrap());
        let pdf = render::pdf(&svg).unwrap();
        assert!((0..6).all(|_| render::pdf(&svg).unwrap() == pdf));
        assert!(render::png(&svg, 100.0).unwrap() == render::png(&svg, 100.0).unwrap());
    }
}

#[test]
fn a_pdf_embeds_its_fonts_and_has_the_printed_size() {
    let svg = rounds(&usual, 3, 4).svg(&Style::at(Width::Column)).unwrap();
    let pdf = String::from_utf8_lossy(&render::pdf(&svg).unwrap()).into_owned();
    assert!(pdf.contains("/FontFile3"));
    assert!(pdf.contains("Libertinus"));
    assert!(pdf.contains("218.16"), "the media box is 3.03 in wide");
}

#[test]
fn a_png_says_its_resolution() {
    let svg = rounds(&usual, 1, 2).svg(&Style::at(Width::Column)).unwrap();
    let png = render::png(&svg, 300.0).unwrap();
    let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
    assert_eq!(width, 909, "3.03 in at 300 dots an inch");
    assert_eq!(&png[37..41], b"pHYs");
    assert_eq!(u32::from_be_bytes(png[41..45].try_into().unwrap()), 11811, "dots a metre");
    assert!(
        render::png(&svg, 0.0).is_err()
            && render::png(&svg, 1e9).is_err()
            && render::png(&svg, f64::NAN).is_err()
    );
}

#[test]
fn what_is_no_svg_is_an_error() {
    assert!(matches!(render::pdf("no figure"), Err(Error::Svg(_))));
    assert!(matches!(render::png("<svg", 300.0), Err(Error::Svg(_))));
}

#[test]
fn the_csv_holds_every_number_drawn() {
    let figure = rounds(&usual, 3, 4);
    let csv = figure.csv();
    for panel in &figure.panels {
        for line in &panel.lines {
            for r in 0..line.value.len() {
                let [value, lo, hi] = [&line.value, &line.lo, &line.hi].map(|v| v[r].unwrap());
                let row = format!("{},condition,{},{r},{value},{lo},{hi}\n", panel.title, line.label);
                assert!(csv.contains(&row), "{row}");
            }
        }
        assert!(csv.contains(&format!("{},reference,Accuracy,,0.3333,", panel.title)));
    }
    let figure = profile(&usual, 1);
    let csv = figure.csv();
    for (l, v) in figure.panels[0].profiles[0].scores.value.iter().enumerate() {
        assert!(csv.contains(&format!(",stereotype,{l},{},", v.unwrap())));
    }
    assert!(csv.contains("null,s_{AMB},29,,0.4521,0.5479,"));
    assert_eq!(csv.lines().filter(|l| l.contains(",baseline,") && l.contains(",0.5312,")).count(), 30);
    let csv = maps(&usual, 2, 4).csv();
    assert_eq!(csv.lines().count(), 1 + 2 * 4 * 12 * 3);
    assert!(csv.contains("neutral,negation,11,2,2.15,0\n"));
}

#[test]
fn csv_cells_with_commas_and_quotes_are_quoted() {
    let text = |i: usize| format!("a, \"b\"{i}");
    assert!(rounds(&text, 1, 1).csv().contains("\"a, \"\"b\"\"0\",condition,\"a, \"\"b\"\"7\",0,"));
}

/// The stroked paths of a colour: how many pieces a line is in.
fn strokes(svg: &str, colour: &str, width: &str) -> usize {
    let paint = format!("stroke=\"{colour}\" stroke-width=\"{width}\"");
    svg.lines().filter(|l| l.starts_with("<path") && l.contains(&paint)).count()
}

#[test]
fn a_missing_value_is_a_gap_and_never_a_zero() {
    let mut figure = profile(&usual, 1);
    figure.panels[0].profiles.truncate(1);
    let blue = OKABE_ITO[0].hex();
    let style = Style { theme: Theme { background: None, ..Theme::paper() }, ..Style::default() };
    assert_eq!(strokes(&figure.svg(&style).unwrap(), &blue, "1.1"), 1);
    figure.panels[0].profiles[0].scores.value[11] = None;
    figure.panels[0].profiles[0].scores.value[20] = Some(f64::NAN);
    let svg = figure.svg(&style).unwrap();
    assert_eq!(strokes(&svg, &blue, "1.1"), 3);
    assert!(!svg.contains("NaN"));
    assert!(figure.caption().contains("Gaps: not defined."));
    let row = figure.csv().lines().find(|l| l.contains(",stereotype,11,")).unwrap().to_owned();
    assert!(row.contains(",11,,"), "{row}");
}

#[test]
fn a_missing_cell_is_hatched_and_named_in_the_caption() {
    let mut figure = maps(&usual, 1, 2);
    assert!(!figure.caption().contains("Hatched"));
    let full = figure.svg(&Style::default()).unwrap();
    figure.rows[0].maps[0].values[3][1] = None;
    let svg = figure.svg(&Style::default()).unwrap();
    assert!(!full.contains("#e8e8e8") && svg.contains("#e8e8e8"));
    assert!(figure.caption().contains("Hatched grey cells: not defined."));
}

#[test]
fn captions_name_intervals_marks_and_what_is_missing() {
    let mut figure = rounds(&usual, 2, 3);
    assert!(figure.caption().contains("Bars: 95 % intervals"));
    assert!(figure.caption().contains("Dashed grey line: Accuracy (shaded: its interval)."));
    figure.intervals_as = Intervals::Bands;
    assert!(figure.caption().contains("Bands: 95 % intervals"));
    figure.panels[1].lines[0].value = vec![None; 3];
    assert!(figure.caption().contains("Not defined in any round: chance in specificity-1."));
    assert!(figure.draw(&Style::default()).is_ok());
    let caption = profile(&usual, 2).caption();
    assert!(caption.contains("Grey band: s_AMB.") && caption.contains("Squares above the axis"));
    assert!(maps(&usual, 2, 4).caption().contains("beyond the ends of the colour bar"));
}

#[test]
fn a_legend_says_which_panel_each_of_two_alike_lines_is_of() {
    let mut figure = rounds(&usual, 2, 3);
    figure.columns = Some(2);
    figure.panels[0].references[0].label = "chance level".into();
    figure.panels[1].references[0].label = "unbiased".into();
    let drawing = figure.draw(&Style::default()).unwrap();
    assert!(drawing.texts.iter().any(|t| t.text == "chance level (a); unbiased (b)"));
    assert_eq!(drawing.texts.iter().filter(|t| t.text == "p < 0.05").count(), 1, "each name once");
}

#[test]
fn an_axis_grows_to_hold_every_number_drawn() {
    let mut figure = rounds(&usual, 1, 1);
    figure.panels[0].y_range = Some((0.4, 0.42));
    figure.panels[0].lines[0].hi[2] = Some(7.5);
    let drawing = figure.draw(&Style::default()).unwrap();
    assert!(drawing.texts.iter().any(|t| t.text == "6" || t.text == "7"));
}

#[test]
fn wrong_input_is_a_clear_error() {
    let draw = |figure: &dyn Figure| figure.draw(&Style::default()).map(|_| ()).unwrap_err();
    let good = rounds(&usual, 2, 2);
    let with = |change: &dyn Fn(&mut RoundsByCondition)| {
        let mut figure = good.clone();
        change(&mut figure);
        draw(&figure)
    };
    assert!(matches!(with(&|f| f.panels.clear()), Error::Empty { needs: "panel", .. }));
    assert!(matches!(with(&|f| f.panels[1].lines.clear()), Error::Empty { needs: "line", .. }));
    let ragged = with(&|f| f.panels[1].lines[0].value.truncate(2));
    assert_eq!(
        ragged.to_string(),
        "panel \"specificity-1\", line \"chance\", value has 2 entries where 3 are expected"
    );
    assert!(matches!(with(&|f| f.panels[0].lines[1].hi.push(None)), Error::Ragged { .. }));
    let crossed = with(&|f| f.panels[0].lines[1].lo[2] = Some(9.0));
    assert!(matches!(crossed, Error::Crossed { lo: 9.0, .. }), "{crossed}");
    assert!(matches!(with(&|f| f.panels[0].lines[1].lo[2] = Some(f64::INFINITY)), Error::NotFinite { .. }));
    assert!(matches!(with(&|f| f.panels[0].references[0].value = f64::NAN), Error::NotFinite { .. }));
    assert!(matches!(with(&|f| f.panels[0].y_range = Some((1.0, 1.0))), Error::Crossed { .. }));
    let empty = with(&|f| f.panels[0].lines.iter_mut().for_each(|l| l.value = vec![Some(f64::NAN); 3]));
    assert!(matches!(empty, Error::NoValues { .. }));
    assert!(matches!(
        with(&|f| f.panels.iter_mut().flat_map(|p| &mut p.lines).for_each(|l| *l = Series::default())),
        Error::Empty { needs: "round", .. }
    ));
    assert!(matches!(
        with(&|f| {
            f.panels = vec![f.panels[0].clone(); 12];
            f.columns = Some(12)
        }),
        Error::TooNarrow { columns: 12, .. }
    ));

    let mut figure = profile(&usual, 1);
    figure.panels[0].profiles[0].passes.pop();
    assert!(matches!(draw(&figure), Error::Ragged { expected: 30, found: 29, .. }));
    let mut figure = profile(&usual, 1);
    figure.panels[0].null.as_mut().unwrap().lo.pop();
    assert!(matches!(draw(&figure), Error::Ragged { .. }));

    let mut figure = maps(&usual, 2, 2);
    figure.rows[1].maps.pop();
    assert!(matches!(draw(&figure), Error::Ragged { expected: 2, found: 1, .. }));
    let mut figure = maps(&usual, 1, 1);
    figure.rows[0].maps[0].values[4].pop();
    assert!(matches!(draw(&figure), Error::Ragged { expected: 3, found: 2, .. }));
    figure.rows[0].maps[0].values = vec![vec![None; 3]; 12];
    assert!(matches!(draw(&figure), Error::NoValues { .. }));
    figure.rows[0].maps[0].values = vec![vec![]; 12];
    assert!(matches!(draw(&figure), Error::Empty { .. }));
    assert!(matches!(draw(&maps(&usual, 1, 40)), Error::TooNarrow { columns: 40, .. }));
    let mut figure = maps(&usual, 1, 1);
    figure.colours = HeatColours::Diverging { null: 0.0, reach: Some(0.0) };
    assert!(matches!(draw(&figure), Error::Crossed { .. }));

    let style = |s: Style| good.draw(&s).map(|_| ()).unwrap_err();
    assert!(matches!(style(Style { font_size: f64::NAN, ..Style::default() }), Error::Style { .. }));
    assert!(matches!(style(Style::at(Width::Inches(0.0))), Error::Style { .. }));
    let bare = Theme { palette: vec![], background: None };
    assert!(matches!(style(Style { theme: bare, ..Style::default() }), Error::Style { .. }));
}

#[test]
fn a_scale_of_models_refuses_what_is_none() {
    let with = |change: &dyn Fn(&mut ScoreByScale)| {
        let mut figure = scale(&usual, 2, 2, ModelScale::Parameters);
        change(&mut figure);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(&|f| f.panels.clear()), Error::Empty { needs: "panel", .. }));
    assert!(matches!(with(&|f| f.panels[0].lines.clear()), Error::Empty { needs: "line", .. }));
    let alone = with(&|f| f.models.truncate(1));
    assert_eq!(alone.to_string(), "figure \"scale\" has 1 model: a scale needs at least two models");
    assert!(matches!(with(&|f| f.models.truncate(3)), Error::Ragged { expected: 3, found: 4, .. }));
    assert!(matches!(with(&|f| f.models[0].at = f64::NAN), Error::NotFinite { .. }));
    assert!(matches!(with(&|f| f.models[0].at = 0.0), Error::OutOfRange { .. }));
    assert!(matches!(with(&|f| f.panels[1].lines[0].lo[3] = Some(9.0)), Error::Crossed { .. }));
    let blank = with(&|f| f.panels[0].lines.iter_mut().for_each(|l| l.value = vec![Some(f64::NAN); 4]));
    assert!(matches!(blank, Error::NoValues { .. }));
}

#[test]
fn a_share_outside_0_to_1_is_refused() {
    let mut figure = places(&usual, 2, 2);
    figure.panels[1].series[0].value[2] = Some(31.0);
    figure.panels[1].series[0].hi[2] = None;
    let error = figure.draw(&Style::default()).unwrap_err();
    let said = "panel \"specificity-1\", series \"chance\" is 31, which must lie between 0 and 1";
    assert_eq!(error.to_string(), said);
    figure.panels[1].series[0].value[2] = Some(f64::NAN);
    assert!(figure.draw(&Style::default()).is_ok());
    assert!(figure.caption().contains("Missing markers: not defined."));
    figure.panels[1].places.truncate(1);
    assert!(matches!(figure.draw(&Style::default()), Err(Error::TooFew { found: 1, of: "place", .. })));

    let mut figure = reliability(&usual, 1, 5);
    figure.panels[0].bins[2].accuracy = f64::NAN;
    assert!(matches!(figure.draw(&Style::default()), Err(Error::NotFinite { .. })));
    figure.panels[0].bins[2].n = 0;
    assert!(figure.draw(&Style::default()).is_ok(), "an empty bin has no accuracy");
    assert!(figure.caption().contains("Empty bins are left out."));
    figure.panels[0].bins[1].interval = Some((0.9, 0.2));
    assert!(matches!(figure.draw(&Style::default()), Err(Error::Crossed { .. })));
    figure.panels[0].bins.iter_mut().for_each(|b| b.n = 0);
    assert!(matches!(figure.draw(&Style::default()), Err(Error::NoValues { .. })));
    figure.panels[0].bins.clear();
    assert!(matches!(figure.draw(&Style::default()), Err(Error::Empty { needs: "bin", .. })));

    let mut figure = scatter(&usual, 1, 1);
    figure.draw(&Style::default()).unwrap();
    figure.panels[0].points[0].x = Some(f64::INFINITY);
    assert!(matches!(figure.draw(&Style::default()), Err(Error::NotFinite { .. })));
    figure.panels[0].points[0].x = None;
    assert!(matches!(figure.draw(&Style::default()), Err(Error::NoValues { .. })));
    figure.panels[0].points = vec![ScatterPoint { x: Some(0.5), y: Some(0.5), ..ScatterPoint::default() }];
    figure.panels[0].correlation = Some(1.2);
    assert!(matches!(figure.draw(&Style::default()), Err(Error::OutOfRange { .. })));
    figure.panels[0].correlation = Some(f64::NAN);
    let drawing = figure.draw(&Style::default()).unwrap();
    assert!(drawing.texts.iter().any(|t| t.text == "stereotype not defined"));
}

#[test]
fn lines_join_models_of_one_role_and_family_only() {
    let mut figure = scale(&usual, 1, 3, ModelScale::Parameters);
    figure.panels[0].lines.truncate(1);
    let blue = OKABE_ITO[0].hex();
    let lines = |figure: &ScoreByScale, width| strokes(&figure.svg(&Style::default()).unwrap(), &blue, width);
    // The aligned line's width is that of a swatch as well, which the key of a single panel does without.
    assert_eq!(
        (lines(&figure, "0.7"), lines(&figure, "1")),
        (1 + 6, 1),
        "base line and six intervals; aligned"
    );
    figure.panels[0].lines[0].value[3] = None;
    assert_eq!(lines(&figure, "1"), 0, "a gap leaves single points");
    assert!(figure.caption().contains("Gaps: not defined."));
    figure.models.iter_mut().take(2).for_each(|m| m.family = "another".into());
    assert!(figure.caption().contains("Lines join models of one role and family;"));
    assert!(figure.caption().contains("Hollow markers: base models; filled markers: aligned models."));
}

#[test]
fn sizes_of_models_are_written_as_counts() {
    let figure = scale(&usual, 1, 4, ModelScale::Parameters);
    let texts = figure.draw(&Style::at(Width::Page)).unwrap().texts;
    for size in ["135M", "405M", "1.2B", "3.6B"] {
        assert!(texts.iter().any(|t| t.text == size), "{size}");
    }
    assert!(figure.caption().contains("neutral (405M, aligned)"));
    assert!(figure.csv().contains("baseline,condition,chance,neutral,aligned,,405000000,0.46,"));
}

#[test]
fn the_calibration_error_is_the_weighted_distance_from_the_diagonal() {
    let bin = |confidence, accuracy, n| ReliabilityBin { confidence, accuracy, interval: None, n };
    let bins = vec![bin(0.25, 0.5, 1), bin(f64::NAN, f64::NAN, 0), bin(0.75, 0.5, 2), bin(1.0, 1.0, 1)];
    let panel = ReliabilityPanel { title: "baseline".into(), bins, ece_interval: None };
    assert_eq!((panel.ece(), panel.n()), (0.1875, 4));
    let figure = Reliability { panels: vec![panel], ..reliability(&usual, 1, 1) };
    let drawing = figure.draw(&Style::default()).unwrap();
    assert!(drawing.texts.iter().any(|t| t.text == "ECE 0.19"));
    assert!(!drawing.svg.contains("NaN"));
    assert!(figure.csv().contains("baseline,bin,1,,,,,0\n"));
    assert!(figure.csv().contains("baseline,ece,,,0.1875,,,4\n"));
}

#[test]
fn only_chosen_points_with_room_are_named() {
    let mut figure = scatter(&usual, 1, 100);
    let name = |i: usize| format!("occupation {i}");
    figure.panels[0].points.iter_mut().enumerate().for_each(|(i, p)| p.label = name(i));
    let texts = figure.draw(&Style::default()).unwrap().texts;
    let named = |i: usize| texts.iter().any(|t| t.text == name(i));
    assert!((0..100).filter(|i| named(*i)).all(|i| i % 3 == 0));
    let count = (0..100).filter(|i| named(*i)).count();
    assert!((1..34).contains(&count), "{count}");
    assert!(figure.csv().contains("baseline,point,occupation 1,"));
    assert!(figure.csv().contains("baseline,correlation,stereotype,,0.4125,-0.1,0.6\n"));
}

#[test]
fn odd_but_sound_input_is_drawn() {
    let style = Style::default();
    let one = |values: &[f64]| {
        let mut figure = rounds(&usual, 1, 1);
        figure.panels[0].references.clear();
        figure.panels[0].lines[0] = Series {
            label: "line".into(),
            value: values.iter().copied().map(Some).collect(),
            lo: vec![None; values.len()],
            hi: vec![None; values.len()],
        };
        render::pdf(&figure.svg(&style).unwrap()).unwrap()
    };
    one(&[0.0]);
    one(&[5.0, 5.0]);
    one(&[1e-9, 2e-9, 3e-9]);
    one(&[-1e12, 1e12]);
    one(&(0..200).map(f64::from).collect::<Vec<_>>());
    scale(&usual, 1, 50, ModelScale::Step).draw(&style).unwrap();
    scale(&usual, 1, 40, ModelScale::Parameters).draw(&style).unwrap();
    places(&usual, 1, 15).draw(&style).unwrap();
    reliability(&usual, 1, 1).draw(&style).unwrap();
    reliability(&usual, 2, 100).draw(&style).unwrap();
    scatter(&usual, 1, 400).draw(&style).unwrap();
    shifts(&usual, 1, 2).draw(&style).unwrap();
    distributions(&usual, 1, 60, 5).draw(&Style { panel_height: Some(40.0), ..Style::default() }).unwrap();
    distributions(&usual, 1, 1, 1).draw(&style).unwrap();
    distributions(&usual, 1, 2, 3000).draw(&style).unwrap();
    let mut figure = scatter(&usual, 1, 2);
    figure.range = None;
    figure.panels[0].points.iter_mut().for_each(|p| (p.x, p.y) = (Some(0.5), Some(0.5)));
    figure.draw(&style).unwrap();
    let mut figure = maps(&usual, 1, 1);
    figure.rows[0].maps[0].values = vec![vec![Some(0.0)]];
    figure.rows[0].maps[0].passes.clear();
    figure.colours = HeatColours::Diverging { null: 0.0, reach: None };
    figure.draw(&style).unwrap();
    figure.colours = HeatColours::Sequential { range: None };
    figure.draw(&style).unwrap();
}

#[test]
fn the_sequential_map_grows_lighter_evenly() {
    let lightness: Vec<f64> = (0..=100).map(|k| SEQUENTIAL.at(f64::from(k) / 100.0).lightness()).collect();
    assert!(lightness.windows(2).all(|w| w[1] >= w[0]), "never darker");
    let step = (lightness[100] - lightness[0]) / 10.0;
    let tenths: Vec<f64> = (0..10).map(|k| lightness[k * 10 + 10] - lightness[k * 10]).collect();
    assert!(tenths.iter().all(|d| (0.6 * step..1.4 * step).contains(d)), "{tenths:?}");
}

#[test]
fn the_diverging_map_darkens_alike_on_both_sides_of_its_middle() {
    let at = |t: f64| DIVERGING.at(t).lightness();
    for k in 0..50 {
        let (near, far) = (f64::from(k) / 100.0, f64::from(k + 1) / 100.0);
        assert!(at(0.5 - near) > at(0.5 - far) && at(0.5 + near) > at(0.5 + far));
        assert!(
            (at(0.5 - near) - at(0.5 + near)).abs() < 4.0,
            "{near}: {} {}",
            at(0.5 - near),
            at(0.5 + near)
        );
    }
    assert!(at(0.5) > 95.0);
}

#[test]
fn label_colours_can_be_read_on_white() {
    for colour in OKABE_ITO {
        assert!(1.05 / (colour.as_ink().luminance() + 0.05) >= 4.5);
    }
}

#[test]
fn a_matrix_names_what_its_bold_numbers_and_gaps_are_and_refuses_ragged_rows() {
    let mut figure = matrix(&usual, 4);
    let caption = figure.caption();
    assert!(caption.contains("Bold where the interval leaves 0.5 out"), "{caption}");
    assert!(caption.contains("Hatched grey cells"), "{caption}");
    let csv = figure.csv();
    assert_eq!(csv.lines().count(), 17);
    assert!(csv.lines().nth(2).expect("a row").contains("0.5635"), "{csv}");
    figure.cells[1].pop();
    assert!(matches!(figure.svg(&Style::default()), Err(Error::Ragged { expected: 4, found: 3, .. })));
    figure.cells.pop();
    assert!(matches!(figure.svg(&Style::default()), Err(Error::Ragged { expected: 4, found: 3, .. })));
}

#[test]
fn curves_refuse_what_no_axis_holds() {
    let good = curves(&usual, 2, 20);
    good.draw(&Style::default()).unwrap();
    let with = |change: &dyn Fn(&mut Curves)| {
        let mut figure = good.clone();
        change(&mut figure);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    fn first(f: &mut Curves) -> &mut Vec<CurvePoint> {
        &mut f.panels[1].lines[0].points
    }
    fn band(f: &mut Curves) -> &mut Vec<(f64, f64, f64)> {
        &mut f.panels[1].band.as_mut().unwrap().points
    }
    assert!(matches!(with(&|f| f.panels.clear()), Error::Empty { needs: "panel", .. }));
    assert!(matches!(with(&|f| f.panels[1].lines.clear()), Error::Empty { needs: "line", .. }));
    assert!(matches!(with(&|f| first(f).clear()), Error::Empty { needs: "point", .. }));
    assert!(matches!(with(&|f| band(f).clear()), Error::Empty { needs: "point", .. }));
    let blank = with(&|f| {
        f.panels[1].lines.iter_mut().flat_map(|l| &mut l.points).for_each(|p| p.y = Some(f64::NAN))
    });
    assert!(matches!(blank, Error::NoValues { .. }));
    assert!(matches!(with(&|f| first(f)[2].x = f64::NAN), Error::NotFinite { .. }));
    assert!(matches!(with(&|f| first(f)[2].y = Some(f64::INFINITY)), Error::NotFinite { .. }));
    assert!(matches!(with(&|f| first(f)[2].interval = Some((9.0, 1.0))), Error::Crossed { .. }));
    assert!(matches!(with(&|f| band(f)[2].2 = 1.0), Error::Crossed { .. }));
    assert!(matches!(with(&|f| f.panels[0].y_range = Some((1.0, 1.0))), Error::Crossed { .. }));
    let unsorted = with(&|f| first(f).swap(2, 3));
    let said =
        "panel \"specificity-1\", line \"chance\": x = -2 follows x = -1: sort the points by x, one a place";
    assert_eq!(unsorted.to_string(), said);
    assert!(matches!(with(&|f| first(f)[2].x = -3.0), Error::OutOfOrder { .. }), "twice one place");
    for error in [
        with(&|f| first(f)[2].y = Some(0.0)),
        with(&|f| first(f)[2].interval = Some((-1.0, 20.0))),
        with(&|f| band(f)[0].1 = 0.0),
        with(&|f| f.panels[1].references[0] = level("low", 0.01)),
        with(&|f| f.panels[1].y_range = Some((0.0, 20.0))),
    ] {
        assert!(matches!(error, Error::OutOfRange { must: "lie above 0 on a log axis", .. }), "{error}");
    }
    let one_place = with(&|f| {
        f.panels.iter_mut().for_each(|p| p.band = None);
        f.panels.iter_mut().flat_map(|p| &mut p.lines).for_each(|l| l.points.truncate(1));
    });
    assert!(matches!(one_place, Error::TooFew { found: 1, .. }), "{one_place}");
}

#[test]
fn curves_show_gaps_single_points_and_where_x_is_0() {
    let mut figure = curves(&usual, 1, 20);
    let upright = |figure: &Curves| {
        strokes(&figure.svg(&Style::default()).unwrap(), &MUTED.towards(WHITE, 0.4).hex(), "0.5")
    };
    assert_eq!(upright(&figure), 1);
    assert!(figure.caption().contains("Vertical grey line: 0 on the x axis."));
    assert!(figure.caption().contains("Grey band: stereotype."));
    assert!(figure.caption().contains("Thin lines: p < 0.05 (20 points)."));
    assert!(!figure.caption().contains("Gaps"));
    assert!(figure.csv().contains("baseline,line,chance,0,14,13,16\n"));
    assert!(figure.csv().contains("baseline,band,stereotype,-4,,12,17\n"));
    let panel = &mut figure.panels[0];
    panel.lines[0].points[4] = CurvePoint { x: 0.0, y: Some(f64::NAN), interval: Some((f64::NAN, f64::NAN)) };
    panel.lines[1].points.truncate(1);
    panel.lines[2].points.truncate(1);
    panel.band.as_mut().unwrap().points[3].1 = f64::NAN;
    let svg = figure.svg(&Style::default()).unwrap();
    assert!(!svg.contains("NaN"));
    assert!(svg.contains(&OKABE_ITO[2].towards(WHITE, 0.4).hex()), "a thin line's only point is a dot");
    assert!(figure.caption().contains("Gaps: not defined."));
    assert!(figure.caption().contains("p < 0.05 (1 point)"));
    figure.panels[0].lines.iter_mut().flat_map(|l| &mut l.points).for_each(|p| p.x += 4.0);
    figure.panels[0].band = None;
    assert_eq!(upright(&figure), 0, "x begins at 0");
}

/// Texts apart, and two ticks at least on either axis, whatever the range of a logarithmic axis.
#[test]
fn axes_of_curves_have_round_ticks_at_any_scale() {
    let of = |x: &[f64], y: [f64; 2]| {
        let at = |(i, x): (usize, &f64)| CurvePoint { x: *x, y: Some(y[i % 2]), interval: None };
        let points = x.iter().enumerate().map(at).collect();
        let line = Curve { points, ..Curve::default() };
        let panel = CurvePanel { log_y: true, lines: vec![line], ..CurvePanel::default() };
        Curves { name: "curve".into(), panels: vec![panel], ..Curves::default() }
    };
    let texts = |figure: &Curves, width| {
        let texts = figure.draw(&Style::at(width)).unwrap().texts;
        for (i, a) in texts.iter().enumerate() {
            assert!(texts[i + 1..].iter().all(|b| !a.overlaps(b)), "{a:?}");
        }
        texts
    };
    for span in [1.0, 1.0001, 1.02, 1.5, 3.0, 4.9, 5.1, 12.0, 90.0, 1e3, 1e7, 1e30, 1e300] {
        for from in [1e-150, 2e-9, 0.07, 1.0, 13.7, 3e5] {
            let found = texts(&of(&[-1.0, 1.0], [from, from * span]), Width::Column);
            let lowest = found.iter().map(|t| t.bottom).fold(0.0, f64::max);
            let below = found.iter().filter(|t| t.bottom == lowest).count();
            assert!(below >= 2 && found.len() - below >= 2, "{from} to {}: {found:?}", from * span);
            texts(&of(&[0.0, 1e5], [from, from * span]), Width::Inches(1.2));
        }
    }
    let labels = |x: &[f64]| {
        let found = texts(&of(x, [20.0, 2000.0]), Width::Column);
        found.into_iter().map(|t| t.text).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        labels(&[-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0]),
        "−8 −6 −4 −2 0 2 4 6 8 20 50 100 200 500 1000 2000"
    );
    assert_eq!(labels(&[-1.5, -0.5, 0.5, 1.5]), "−1 0 1 20 50 100 200 500 1000 2000");
}

#[test]
fn distributions_refuse_what_cannot_be_drawn_and_leave_out_what_is_missing() {
    let good = distributions(&usual, 2, 2, 12);
    let with = |change: &dyn Fn(&mut Distributions)| {
        let mut figure = good.clone();
        change(&mut figure);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(&|f| f.panels.clear()), Error::Empty { needs: "panel", .. }));
    assert!(matches!(with(&|f| f.panels[1].rows.clear()), Error::Empty { needs: "row", .. }));
    assert!(matches!(with(&|f| f.panels[1].rows[0].samples.clear()), Error::Empty { needs: "sample", .. }));
    let empty = with(&|f| f.panels[1].rows[0].samples[1].values.clear());
    let said = "panel \"specificity-1\", row \"specificity-1\", sample \"s_{AMB}\" is empty: give at least one value";
    assert_eq!(empty.to_string(), said);
    let infinite = with(&|f| f.panels[0].rows[1].samples[0].values[3] = f64::NEG_INFINITY);
    assert!(matches!(infinite, Error::NotFinite { .. }));
    fn blank(samples: &mut [Sample]) {
        samples.iter_mut().for_each(|s| s.values.fill(f64::NAN));
    }
    let blanks = with(&|f| f.panels[0].rows.iter_mut().for_each(|r| blank(&mut r.samples)));
    assert!(matches!(blanks, Error::NoValues { .. }));

    let mut figure = good.clone();
    blank(&mut figure.panels[0].rows[0].samples[..1]);
    let svg = figure.svg(&Style::default()).unwrap();
    assert!(!svg.contains("NaN"));
    let blue = OKABE_ITO[0].hex();
    // An outline each row of each panel but the one that is blank, and as many ticks at means.
    assert_eq!((strokes(&svg, &blue, "0.8"), strokes(&svg, &blue, "1.3")), (3, 3));
    assert!(figure.caption().contains("Left out as not defined: 12 of the values."));
    assert!(!good.caption().contains("Left out"));
}

#[test]
fn equal_values_are_a_spike_and_every_value_is_in_the_csv() {
    let sample = |label: &str, value: f64| Sample { label: label.into(), values: vec![value; 5] };
    let row = DistributionRow {
        label: "round 0".into(),
        samples: vec![sample("base", 0.25), sample("aligned", 0.25)],
        note: "d = 0".into(),
    };
    let panel = DistributionPanel { title: "stereotype".into(), rows: vec![row] };
    let mut figure = Distributions { name: "d".into(), panels: vec![panel], ..Distributions::default() };
    let svg = figure.svg(&Style::default()).unwrap();
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    figure.panels[0].rows[0].samples[1].values = vec![1.5, 2.5];
    figure.draw(&Style::default()).unwrap();
    let csv = figure.csv();
    assert_eq!(csv.matches("stereotype,round 0,value,base,0.25\n").count(), 5);
    assert!(csv.contains("stereotype,round 0,mean,aligned,2\n"), "{csv}");
    // 0.9 * min(0.7071, 0.5 / 1.34) * 2^(-1/5)
    assert!(csv.contains("stereotype,round 0,bandwidth,,0.2923"), "{csv}");
    assert!(csv.contains("stereotype,round 0,note,d = 0,\n"), "{csv}");
    assert!(figure.caption().contains("n = 2 to 5 a sample"), "{}", figure.caption());
}

#[test]
fn rows_that_are_alike_in_all_panels_are_named_once() {
    let named = |figure: &Distributions| {
        let texts = figure.draw(&Style::at(Width::Page)).unwrap().texts;
        texts.iter().filter(|t| t.text == "specificity-1").count()
    };
    let mut figure = distributions(&|i| USUAL[i % 10].to_owned(), 2, 3, 20);
    figure.panels.iter_mut().for_each(|p| p.title = "concept".into());
    assert_eq!(named(&figure), 1);
    figure.panels[1].rows[2].label = "another".into();
    assert_eq!(named(&figure), 2);
}

#[test]
fn token_shifts_refuse_shares_that_are_no_whole_and_show_gaps() {
    let good = shifts(&usual, 2, 12);
    let with = |change: &dyn Fn(&mut ShiftPanel)| {
        let mut figure = good.clone();
        change(&mut figure.panels[1]);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(&|p| p.shares.clear()), Error::Empty { needs: "position", .. }));
    assert!(matches!(with(&|p| p.kl.lo.truncate(3)), Error::Ragged { expected: 12, found: 3, .. }));
    assert!(matches!(with(&|p| p.n.truncate(3)), Error::Ragged { expected: 12, found: 3, .. }));
    assert!(matches!(with(&|p| p.kl.lo[2] = Some(9.0)), Error::Crossed { .. }));
    assert!(matches!(with(&|p| p.kl.value[2] = Some(f64::INFINITY)), Error::NotFinite { .. }));
    assert!(matches!(with(&|p| p.kl.lo[2] = Some(-0.1)), Error::OutOfRange { must: "not lie below 0", .. }));
    let sum = with(&|p| p.shares[3] = Some([0.5, 0.25, 0.5]));
    let said = "panel \"specificity-1\", shares at position 4, their sum is 1.25, which must be 1";
    assert_eq!(sum.to_string(), said);
    assert!(matches!(with(&|p| p.shares[3] = Some([1.5, -0.5, 0.0])), Error::OutOfRange { .. }));
    let blank = with(&|p| (p.shares, p.kl.value) = (vec![None; 12], vec![Some(f64::NAN); 12]));
    assert!(matches!(blank, Error::NoValues { .. }));
    let none = TokenShift { panels: Vec::new(), ..good.clone() };
    assert!(matches!(none.draw(&Style::default()), Err(Error::Empty { needs: "panel", .. })));

    let mut figure = shifts(&usual, 1, 12);
    let areas = |figure: &TokenShift| {
        let svg = figure.svg(&Style::default()).unwrap();
        assert!(!svg.contains("NaN"));
        svg.lines().filter(|l| l.starts_with("<path") && l.contains("fill=\"#9e2c26\"")).count()
    };
    assert_eq!(areas(&figure), 1 + 1, "the swatch and the shares");
    assert!(!figure.caption().contains("Gaps"));
    figure.panels[0].shares[4] = None;
    figure.panels[0].shares[8] = Some([f64::NAN, 0.0, 0.0]);
    figure.panels[0].kl.value[4] = None;
    assert_eq!(areas(&figure), 1 + 3);
    assert!(
        figure.caption().contains("Gaps: not defined.") && figure.caption().contains("n = 13 to 24 tokens")
    );
    let csv = figure.csv();
    assert!(csv.contains("baseline,1,0.5,0.125,0.375,0.5625,0.5325,0.6025,24\n"), "{csv}");
    assert!(csv.contains("baseline,5,,,,,"), "{csv}");
}

#[test]
fn models_of_different_depth_share_an_axis() {
    let mut figure = depths(&usual, 1, 2);
    let lengths: Vec<_> = figure.panels[0].profiles.iter().map(|p| p.scores.value.len()).collect();
    assert_eq!(lengths, [6, 13]);
    let texts = figure.draw(&Style::at(Width::Page)).unwrap().texts;
    assert!(texts.iter().any(|t| t.text == "0.81 at layer 5 of 6"), "{texts:?}");
    let csv = figure.csv();
    assert!(csv.lines().next().unwrap().ends_with(",passes,depth"));
    assert!(csv.lines().any(|l| l.contains("profile,baseline,2,") && l.ends_with(",1,0.5")), "{csv}");
    assert!(csv.lines().any(|l| l.contains("null,s_{AMB},29,") && l.ends_with(",,1")), "{csv}");
    assert!(figure.caption().contains("From dark to light: baseline and specificity-1."));
    assert!(figure.caption().contains("by relative depth, (layer + 1) / layers,"));
    figure.panels[0].profiles[1].passes.pop();
    let ragged = figure.draw(&Style::default());
    assert!(matches!(ragged, Err(Error::Ragged { expected: 13, found: 12, .. })));
    figure.depth = Depth::Layer;
    assert!(matches!(figure.draw(&Style::default()), Err(Error::Ragged { expected: 6, .. })));
}

#[test]
fn a_logarithmic_x_axis_refuses_what_is_not_above_0() {
    let mut figure = spectrum(&usual, 2);
    let texts = figure.draw(&Style::at(Width::Page)).unwrap().texts;
    for tick in ["1", "10", "100", "1000"] {
        assert!(texts.iter().any(|t| t.text == tick), "{tick} in {texts:?}");
    }
    assert!(figure.caption().contains("The x axis is logarithmic."));
    assert!(figure.caption().contains("From dark to light: chance, s_AMB and p < 0.05."));
    assert!(figure.csv().contains("baseline,line,chance,1,"), "x is not the logarithm");
    figure.panels[0].log_x = false;
    figure.draw(&Style::default()).unwrap();
    assert!(figure.caption().contains("The x axis of (b) is logarithmic."));
    figure.panels[0].lines[0].points[0].x = 0.0;
    let error = figure.draw(&Style::default()).unwrap_err();
    let said = "figure \"curves\", x in panel \"specificity-1\" is 0, which must lie above 0 on a log axis";
    assert_eq!(error.to_string(), said);
}

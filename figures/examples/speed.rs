//! How long figures of very much data take, and how large they are:
//! `cargo run --release -p recant-figures --example speed`.

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use recant_figures::{
    Curve, CurveBand, CurvePanel, CurvePoint, Curves, DistributionPanel, DistributionRow, Distributions,
    Figure, HeatColours, HeatMap, Intervals, LayerProfile, LayerRoundMap, MapRow, Matrix, MatrixCell,
    ModelScale, PlacePanel, PlanePanel, PlanePath, PlanePoint, PositionBias, Profile, ProfilePanel,
    Reliability, ReliabilityBin, ReliabilityPanel, Role, RoundPanel, RoundsByCondition, Sample, ScaleModel,
    ScalePanel, Scatter, ScatterPanel, ScatterPoint, ScoreByScale, Series, ShiftPanel, Style, TokenShift,
    Trajectories, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries, Width, render,
};

const MANY: usize = 100_000;
const ITEMS: usize = 500;
const LAYERS: usize = 80;
const ROUNDS: usize = 20;
const CONDITIONS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let figures: Vec<Box<dyn Figure>> = vec![
        Box::new(rounds()),
        Box::new(profile()),
        Box::new(maps()),
        Box::new(scale()),
        Box::new(places()),
        Box::new(reliability()),
        Box::new(scatter("scatter", MANY, 0)),
        Box::new(scatter("named scatter", ITEMS, ITEMS)),
        Box::new(scatter("scatter with names", MANY, ITEMS)),
        Box::new(matrix()),
        Box::new(curves("thin curve", MANY, false)),
        Box::new(curves("marked curve", MANY / 20, true)),
        Box::new(distributions()),
        Box::new(shifts()),
        Box::new(plane()),
        Box::new(volcano()),
    ];
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:24}{:>8}{:>9}{:>8}{:>8}{:>8}",
        "figure", "svg (s)", "svg (kB)", "pdf (s)", "pdf (kB)", "png (s)"
    )?;
    for figure in figures {
        let (svg, svg_s) = timed(|| figure.svg(&Style::at(Width::Page)))?;
        let (pdf, pdf_s) = timed(|| render::pdf(&svg))?;
        let (_, png_s) = timed(|| render::png(&svg, 300.0))?;
        let (svg_kb, pdf_kb) = (svg.len() / 1000, pdf.len() / 1000);
        writeln!(out, "{:24}{svg_s:8.2}{svg_kb:9}{pdf_s:8.2}{pdf_kb:8}{png_s:8.2}", figure.name())?;
    }
    Ok(())
}

/// What the work gives, and the seconds it took.
fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let start = Instant::now();
    Ok((work()?, start.elapsed().as_secs_f64()))
}

/// Numbers spread evenly over [0, 1).
fn even(seed: usize) -> f64 {
    (seed as f64 * 0.618_033_988_749_894_9).fract()
}

/// About normal, with mean 0 and variance 1.
fn normal(seed: usize) -> f64 {
    let radius = (-2.0 * (even(seed) * 0.999 + 1e-4).ln()).sqrt();
    radius * (std::f64::consts::TAU * (seed as f64 * 0.754_877_666_246_692_8).fract()).cos()
}

fn series(label: String, values: impl Iterator<Item = f64>) -> Series {
    let value: Vec<f64> = values.collect();
    let by = |d: f64| value.iter().map(|v| Some(v + d)).collect();
    Series { label, value: by(0.0), lo: by(-0.03), hi: by(0.03) }
}

fn rounds() -> RoundsByCondition {
    let line = |c: usize| series(format!("condition {c}"), (0..ROUNDS).map(move |r| even(r * c + c)));
    let lines = || (0..CONDITIONS).map(line).collect();
    let panel =
        |p: usize| RoundPanel { title: format!("measure {p}"), lines: lines(), ..RoundPanel::default() };
    RoundsByCondition {
        name: "rounds".into(),
        panels: (0..8).map(panel).collect(),
        x_label: "Round".into(),
        interval: "intervals".into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

fn profile() -> LayerProfile {
    let profile = |c: usize| Profile {
        scores: series(format!("condition {c}"), (0..LAYERS).map(move |l| even(l + c))),
        passes: (0..LAYERS).map(|l| l % 3 == 0).collect(),
        mark_best: c < 2,
    };
    let panel =
        || ProfilePanel { profiles: (0..CONDITIONS).map(profile).collect(), ..ProfilePanel::default() };
    LayerProfile {
        name: "profile".into(),
        panels: (0..4).map(|_| panel()).collect(),
        ..LayerProfile::default()
    }
}

fn maps() -> LayerRoundMap {
    let cell = |l: usize, r: usize| (r > 0).then(|| normal(l * ROUNDS + r));
    let map = |c: usize| HeatMap {
        title: format!("c{c}"),
        values: (0..LAYERS).map(|l| (0..ROUNDS).map(|r| cell(l + c, r)).collect()).collect(),
        passes: (0..LAYERS).map(|l| (0..ROUNDS).map(|r| (l + r) % 3 == 0).collect()).collect(),
    };
    let row = MapRow { title: "concept".into(), maps: (0..CONDITIONS).map(map).collect() };
    LayerRoundMap {
        first_layer: 0,
        name: "maps".into(),
        rows: vec![row],
        x_label: "Round".into(),
        y_label: "Layer".into(),
        value_label: "Score".into(),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance: "p < 0.05".into(),
    }
}

fn scale() -> ScoreByScale {
    let model = |m: usize| ScaleModel {
        name: format!("model {m}"),
        at: 1e6 * 1.1f64.powi(m as i32),
        role: if m.is_multiple_of(2) { Role::Base } else { Role::Aligned },
        family: String::new(),
    };
    let line = |c: usize| series(format!("condition {c}"), (0..100).map(move |m| even(m + c)));
    let panel = ScalePanel { lines: (0..CONDITIONS).map(line).collect(), ..ScalePanel::default() };
    ScoreByScale {
        name: "scale".into(),
        scale: ModelScale::Parameters,
        models: (0..100).map(model).collect(),
        panels: vec![panel],
        x_label: "Parameters".into(),
        interval: "intervals".into(),
        columns: None,
    }
}

fn places() -> PositionBias {
    let list = |r: usize| series(format!("round {r}"), (0..10).map(move |p| 0.05 + 0.9 * even(p + r)));
    let panel = PlacePanel {
        title: "task".into(),
        places: (0..10).map(|p| p.to_string()).collect(),
        series: (0..ROUNDS).map(list).collect(),
    };
    PositionBias {
        name: "places".into(),
        panels: vec![panel],
        x_label: "Place".into(),
        y_label: "Share".into(),
        uniform: String::new(),
        interval: "intervals".into(),
        columns: None,
    }
}

fn reliability() -> Reliability {
    let bin = |b: usize| {
        let confidence = (b as f64 + 0.5) / ITEMS as f64;
        ReliabilityBin { confidence, accuracy: even(b), interval: None, n: b + 1 }
    };
    let bins = (0..ITEMS).map(bin).collect();
    Reliability {
        name: "reliability".into(),
        panels: vec![ReliabilityPanel { title: "task".into(), bins, ece_interval: None }],
        x_label: "Confidence".into(),
        y_label: "Accuracy".into(),
        diagonal: String::new(),
        range: None,
        interval: "intervals".into(),
        columns: None,
    }
}

fn scatter(name: &str, points: usize, named: usize) -> Scatter {
    let point = |i: usize| ScatterPoint {
        label: format!("item {i}"),
        x: Some(normal(i)),
        y: Some(normal(3 * i + 1)),
        labelled: i < named,
    };
    let panel = ScatterPanel {
        title: "items".into(),
        points: (0..points).map(point).collect(),
        correlation: Some(0.1),
        correlation_interval: None,
    };
    Scatter {
        name: name.into(),
        panels: vec![panel],
        x_label: "x".into(),
        y_label: "y".into(),
        range: None,
        diagonal: String::new(),
        statistic: "r".into(),
        interval: "interval".into(),
        columns: None,
    }
}

fn matrix() -> Matrix {
    let names = || (0..100).map(|i| format!("layer {i}")).collect();
    let cell = |r: usize, c: usize| MatrixCell { value: Some(even(r * 100 + c)), interval: None };
    Matrix {
        name: "matrix".into(),
        title: "transfer".into(),
        rows: names(),
        columns: names(),
        cells: (0..100).map(|r| (0..100).map(|c| cell(r, c)).collect()).collect(),
        x_label: "Tested on".into(),
        y_label: "Trained on".into(),
        value_label: "AUROC".into(),
        colours: HeatColours::Sequential { range: None },
        note: String::new(),
        interval: String::new(),
    }
}

fn curves(name: &str, points: usize, marked: bool) -> Curves {
    let point = |k: usize, c: usize| {
        let y = (k as f64 / points as f64 * 9.0).sin() + 0.2 * normal(k + c) + c as f64;
        CurvePoint { x: k as f64, y: Some(y), interval: Some((y - 0.2, y + 0.2)) }
    };
    let line = |c: usize| Curve {
        label: format!("run {c}"),
        points: (0..points).map(|k| point(k, c)).collect(),
        marked,
    };
    let band =
        CurveBand { label: "range".into(), points: (0..points).map(|k| (k as f64, -0.5, even(k))).collect() };
    let panel = CurvePanel { lines: (0..3).map(line).collect(), band: Some(band), ..CurvePanel::default() };
    Curves { name: name.into(), panels: vec![panel], x_label: "Step".into(), ..Curves::default() }
}

fn distributions() -> Distributions {
    let sample = |s: usize| Sample {
        label: format!("sample {s}"),
        values: (0..MANY).map(|k| normal(k + s) + s as f64).collect(),
    };
    let row = |r: usize| DistributionRow {
        label: format!("round {r}"),
        samples: (0..2).map(sample).collect(),
        note: String::new(),
    };
    let panel = DistributionPanel { title: "concept".into(), rows: (0..2).map(row).collect() };
    Distributions {
        name: "distributions".into(),
        panels: vec![panel],
        x_label: "Projection".into(),
        ..Distributions::default()
    }
}

fn shifts() -> TokenShift {
    let positions = 5000;
    let panel = ShiftPanel {
        title: "baseline".into(),
        shares: (0..positions).map(|k| Some([1.0 - even(k), 0.4 * even(k), 0.6 * even(k)])).collect(),
        kl: series(String::new(), (0..positions).map(|k| 0.1 + even(k))),
        n: Vec::new(),
    };
    TokenShift {
        name: "token shift".into(),
        panels: vec![panel],
        x_label: "Position".into(),
        interval: "intervals".into(),
        columns: None,
    }
}

fn plane() -> Trajectories {
    let point =
        |r: usize| PlanePoint { x: Some(r as f64 / 20.0), y: Some(r as f64 / 30.0), ..PlanePoint::default() };
    let path =
        |c: usize| PlanePath { label: format!("condition {c}"), points: (0..ROUNDS).map(point).collect() };
    let item = |i: usize| ((i as f64 * 0.7).sin() + (i as f64 * 0.013).cos(), (i as f64 * 1.3).cos());
    let panel = PlanePanel {
        title: "items".into(),
        paths: (0..4).map(path).collect(),
        items: (0..MANY).map(item).collect(),
    };
    Trajectories {
        name: "plane".into(),
        panels: vec![panel],
        x_label: "stereotype".into(),
        y_label: "morality".into(),
        ..Trajectories::default()
    }
}

fn volcano() -> Volcano {
    let point = |i: usize| {
        let effect = (i as f64 * 0.37).sin() * 2.0;
        let p = (0.0001 + (i as f64 * 0.11).cos().abs() * (-effect * effect).exp()).min(1.0);
        VolcanoPoint { label: format!("head {i}"), effect, p, passes: p < 0.001 }
    };
    let series = |c: usize| VolcanoSeries {
        label: format!("site {c}"),
        points: (0..MANY / 4).map(|i| point(4 * i + c)).collect(),
    };
    let panel = VolcanoPanel {
        title: "heads".into(),
        series: (0..4).map(series).collect(),
        ..VolcanoPanel::default()
    };
    Volcano {
        name: "volcano".into(),
        panels: vec![panel],
        x_label: "effect".into(),
        y_label: "p".into(),
        strongest: 2,
        ..Volcano::default()
    }
}

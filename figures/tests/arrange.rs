//! Parts of a figure, chosen, named and put together.

use std::any::Any;

use recant_figures::{
    AnyFigure, Arrange, Arrangement, Curve, CurveBand, CurvePanel, CurvePoint, Curves, Depth, Figure,
    HeatColours, Intervals, LayerProfile, Matrix, MatrixCell, ModelScale, NullBand, Profile, ProfilePanel,
    Reference, RoundPanel, RoundsByCondition, ScaleModel, ScalePanel, ScoreByScale, Series, Style, Together,
    matches,
};

fn series(label: &str, values: &[f64]) -> Series {
    let value: Vec<_> = values.iter().map(|v| Some(*v)).collect();
    Series { label: label.into(), lo: vec![None; value.len()], hi: vec![None; value.len()], value }
}

fn rounds(titles: &[&str], lines: &[&str]) -> RoundsByCondition {
    let panel = |title: &&str| RoundPanel {
        title: (*title).into(),
        y_label: "Accuracy".into(),
        lines: lines.iter().map(|label| series(label, &[0.2, 0.4])).collect(),
        ..RoundPanel::default()
    };
    RoundsByCondition {
        name: "behaviour".into(),
        panels: titles.iter().map(panel).collect(),
        x_label: "Round".into(),
        interval: String::new(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

fn profile(layers: usize) -> LayerProfile {
    let scores = series("linear probe", &(0..layers).map(|l| 0.5 + 0.01 * l as f64).collect::<Vec<_>>());
    LayerProfile {
        name: "probe-auroc".into(),
        panels: vec![ProfilePanel {
            title: "stereotype".into(),
            profiles: vec![Profile { scores, passes: vec![true; layers], mark_best: true }],
            ..ProfilePanel::default()
        }],
        x_label: "Layer".into(),
        y_label: "AUROC".into(),
        ..LayerProfile::default()
    }
}

fn lines(figure: &RoundsByCondition, panel: usize) -> Vec<&str> {
    figure.panels[panel].lines.iter().map(|line| line.label.as_str()).collect()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, text) in
        [("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "a-b-c"), ("abc", "abc"), ("a*a", "aa")]
    {
        assert!(matches(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a", "ab"), ("a*a", "a"), ("a*b*c", "acb"), ("", "a"), ("*b", "abc")] {
        assert!(!matches(pattern, text), "{pattern} {text}");
    }
}

#[test]
fn panels_and_lines_come_in_the_order_asked_for() {
    let mut figure = rounds(&["bbq: accuracy", "bbq: bias", "winogender"], &["baseline", "cot", "negation"]);
    let wanted = Arrangement {
        panels: texts(&["winogender", "bbq: a*"]),
        lines: texts(&["negation", "b*"]),
        names: vec![("negation".into(), "Told to be biased".into())],
        columns: Some(1),
        ..Arrangement::default()
    };
    figure.arrange(&wanted).expect("an arrangement");
    let titles: Vec<&str> = figure.panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(titles, ["winogender", "bbq: accuracy"]);
    assert_eq!(lines(&figure, 1), ["Told to be biased", "baseline"]);
    assert_eq!(figure.columns, Some(1));
    figure.draw(&Style::default()).expect("a drawing");
}

#[test]
fn what_nothing_matches_is_named_beside_what_there_is() {
    let figure = || rounds(&["bbq"], &["baseline", "cot"]);
    let refused = |wanted: Arrangement| figure().arrange(&wanted).expect_err("a refusal").to_string();
    let panels = refused(Arrangement { panels: texts(&["bbk"]), ..Arrangement::default() });
    assert_eq!(panels, "no panel is \"bbk\"; there are: \"bbq\"");
    let lines = refused(Arrangement { lines: texts(&["cot", "x*"]), ..Arrangement::default() });
    assert_eq!(lines, "no line is \"x*\"; there are: \"baseline\", \"cot\"");
    let names = refused(Arrangement { names: vec![("Rounds".into(), "R".into())], ..Arrangement::default() });
    assert!(names.starts_with("no text is \"Rounds\"; there are: \"Round\""), "{names}");
    let layers = refused(Arrangement { layers: Some((0, 1)), ..Arrangement::default() });
    assert_eq!(layers, "figure \"behaviour\" has no layers 0 to 1 to choose");
}

#[test]
fn chosen_layers_keep_their_numbers() {
    let mut figure = profile(12);
    let cut = |first, last| Arrangement { layers: Some((first, last)), ..Arrangement::default() };
    figure.arrange(&cut(4, 9)).expect("layers");
    figure.arrange(&cut(5, 8)).expect("fewer of them");
    let csv = figure.csv();
    assert!(csv.contains("stereotype,profile,linear probe,5,0.55,,,1"), "{csv}");
    assert!(csv.contains(",8,0.58,") && !csv.contains(",9,") && !csv.contains(",4,"), "{csv}");
    let svg = figure.svg(&Style::default()).expect("a drawing");
    assert!(svg.contains("at layer 8"), "the best layer has its own number");
    assert!(figure.clone().arrange(&cut(4, 8)).is_err() && figure.clone().arrange(&cut(5, 9)).is_err());
    assert!(figure.arrange(&cut(8, 5)).is_err());
    let mut relative = LayerProfile { depth: Depth::Relative, ..profile(12) };
    assert!(relative.arrange(&cut(0, 3)).is_err());
}

#[test]
fn two_models_share_a_panel_or_stand_side_by_side() {
    let (mut one, mut other) = (profile(6), profile(6));
    let level = |label: &str, value: f64| Reference { label: label.into(), value, interval: None };
    for (figure, words) in [(&mut one, 0.61), (&mut other, 0.58)] {
        let null = NullBand { label: "permuted".into(), lo: vec![Some(0.4); 6], hi: vec![Some(words); 6] };
        let panel = &mut figure.panels[0];
        panel.baselines = vec![series("untrained", &[0.5; 6])];
        panel.references = vec![level("chance", 0.5), level("bag of words", words)];
        panel.null = Some(null);
    }
    one.mark("base", Together::Lines);
    other.mark("aligned", Together::Lines);
    one.join(&other as &dyn Any, Together::Lines).expect("one panel");
    let labels: Vec<&str> = one.panels[0].profiles.iter().map(|p| p.scores.label.as_str()).collect();
    let beside: Vec<&str> = one.panels[0].baselines.iter().map(|b| b.label.as_str()).collect();
    assert_eq!(beside, ["base: untrained", "aligned: untrained"], "each says whose it is");
    assert!(one.panels[0].null.is_none(), "a null of one model is none of the other");
    assert_eq!(one.panels[0].references.len(), 1, "chance is both's, a bag of words may not be");
    assert_eq!((one.panels.len(), labels), (1, vec!["base: linear probe", "aligned: linear probe"]));
    let (mut one, mut other) = (profile(6), profile(6));
    one.mark("base", Together::Panels);
    other.mark("aligned", Together::Panels);
    one.join(&other as &dyn Any, Together::Panels).expect("two panels");
    assert_eq!(one.panels.len(), 2);
    assert_eq!(one.panels[1].title, "aligned: stereotype");
    one.draw(&Style::at(recant_figures::Width::Page)).expect("a drawing");
}

#[test]
fn what_cannot_stand_together_says_why() {
    let mut one = profile(6);
    let kinds = one.join(&rounds(&["bbq"], &["cot"]) as &dyn Any, Together::Panels).expect_err("kinds");
    assert!(kinds.to_string().ends_with("they are of different kinds"), "{kinds}");
    let tested = LayerProfile { significance: "q < 0.1".into(), ..profile(6) };
    let claims = one.join(&tested as &dyn Any, Together::Panels).expect_err("claims");
    assert!(claims.to_string().ends_with("their captions tell of other intervals or tests"), "{claims}");
    let other = LayerProfile { y_label: "Cosine".into(), ..profile(6) };
    let axes = one.join(&other as &dyn Any, Together::Panels).expect_err("axes");
    assert!(axes.to_string().ends_with("their axes differ"), "{axes}");
}

#[test]
fn models_of_several_runs_share_one_scale() {
    let figure = |name: &str, at: f64, value: f64| ScoreByScale {
        name: "score-by-size".into(),
        scale: ModelScale::Parameters,
        models: vec![ScaleModel { name: name.into(), at, ..ScaleModel::default() }],
        panels: vec![ScalePanel {
            title: "accuracy".into(),
            lines: vec![series("baseline", &[value])],
            ..ScalePanel::default()
        }],
        x_label: "Parameters".into(),
        interval: String::new(),
        columns: None,
    };
    let mut whole = figure("small", 1e8, 0.4);
    for (name, at, value) in [("medium", 1e9, 0.5), ("large", 7e10, 0.8)] {
        whole.join(&figure(name, at, value) as &dyn Any, Together::Lines).expect("a scale");
    }
    assert_eq!(whole.panels.len(), 1);
    assert_eq!(whole.panels[0].lines[0].value, [Some(0.4), Some(0.5), Some(0.8)]);
    assert_eq!(whole.models.len(), 3);
    whole.draw(&Style::default()).expect("a drawing");
}

#[test]
fn a_matrix_keeps_rows_and_columns_by_name() {
    let names = texts(&["layer 0", "layer 1", "layer 2"]);
    let cell = |r: usize, c: usize| MatrixCell { value: Some((3 * r + c) as f64), interval: None };
    let mut matrix = Matrix {
        name: "transfer".into(),
        title: String::new(),
        rows: names.clone(),
        columns: names,
        cells: (0..3).map(|r| (0..3).map(|c| cell(r, c)).collect()).collect(),
        x_label: "Tested on".into(),
        y_label: "Trained on".into(),
        value_label: "AUROC".into(),
        colours: HeatColours::Sequential { range: None },
        note: String::new(),
        interval: String::new(),
    };
    matrix
        .arrange(&Arrangement { lines: texts(&["layer 2", "layer 0"]), ..Arrangement::default() })
        .expect("rows");
    let values: Vec<_> = matrix.cells.iter().flatten().filter_map(|cell| cell.value).collect();
    assert_eq!(values, [8.0, 6.0, 2.0, 0.0]);
    assert_eq!(matrix.rows, ["layer 2", "layer 0"]);
}

#[test]
fn a_figure_is_read_back_as_it_was_kept() {
    let band =
        CurveBand { label: "random".into(), points: vec![(0.0, f64::NAN, f64::NAN), (1.0, 0.1, 1.0 / 3.0)] };
    let point =
        |x: f64| CurvePoint { x, y: Some(x / 7.0), interval: (x > 0.0).then_some((x / 9.0, f64::NAN)) };
    let curve = Curve { label: "effect".into(), points: vec![point(0.0), point(1.0)], marked: true };
    let panel = CurvePanel { lines: vec![curve], band: Some(band), ..CurvePanel::default() };
    let curves = Curves { name: "steer".into(), panels: vec![panel], ..Curves::default() };
    let all: [AnyFigure; 3] = [curves.into(), profile(5).into(), rounds(&["bbq"], &["cot"]).into()];
    for figure in all {
        let text = serde_json::to_string(&figure).expect("JSON");
        let again: AnyFigure = serde_json::from_str(&text).expect("a figure");
        assert_eq!(figure.get().csv(), again.get().csv());
        let drawn = |figure: &AnyFigure| figure.get().svg(&Style::default()).expect("a drawing");
        assert_eq!(drawn(&figure), drawn(&again));
        assert_eq!(text, serde_json::to_string(&again).expect("JSON"));
    }
}

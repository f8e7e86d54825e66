//! What bars, planes and volcanoes promise beyond what every figure does.

#![allow(clippy::unwrap_used)]

use recant_figures::colour::OKABE_ITO;
use recant_figures::{
    BarModel, BarPanel, Bracket, Error, Figure, ModelBars, PlanePanel, PlanePath, PlanePoint, Series, Style,
    Threshold, Trajectories, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries, Width,
};

fn bars() -> ModelBars {
    let model = |label: &str, values: [f64; 3]| BarModel {
        scores: Series {
            label: label.into(),
            value: values.map(Some).to_vec(),
            lo: values.map(|v| Some(v - 0.05)).to_vec(),
            hi: values.map(|v| Some(v + 0.05)).to_vec(),
        },
        before: vec![Some(0.4); 3],
    };
    let panel = BarPanel {
        title: "accuracy".into(),
        groups: ["baseline", "negation", "neutral"].map(Into::into).to_vec(),
        models: vec![model("small", [0.4, 0.6, -0.2]), model("large", [0.5, 0.7, 0.5])],
        brackets: vec![Bracket { from: (0, 0), to: (1, 0), p: 0.0025 }],
        ..BarPanel::default()
    };
    ModelBars {
        name: "bars".into(),
        panels: vec![panel],
        interval: "95 % intervals".into(),
        before: "round 0".into(),
        test: "difference from the baseline".into(),
        symbol: "p".into(),
        ..ModelBars::default()
    }
}

fn texts(figure: &dyn Figure) -> Vec<String> {
    figure.draw(&Style::at(Width::Page)).unwrap().texts.into_iter().map(|t| t.text).collect()
}

fn has(texts: &[String], text: &str) -> bool {
    texts.iter().any(|t| t == text)
}

#[test]
fn brackets_say_their_p_and_every_number_of_a_bar_is_in_the_csv() {
    let mut figure = bars();
    let found = texts(&figure);
    assert!(has(&found, "p = .003") && !has(&found, "n.s."), "{found:?}");
    assert!(found.iter().filter(|t| *t == "small").count() == 1, "a legend of models");
    let csv = figure.csv();
    assert!(csv.contains("accuracy,bar,neutral,small,,,-0.2,-0.25,-0.15"), "{csv}");
    assert!(csv.contains("accuracy,bracket,baseline,small,negation,small,,,,,0.0025\n"), "{csv}");
    assert!(figure.caption().contains("Brackets: difference from the baseline."));
    figure.panels[0].brackets.push(Bracket { from: (2, 0), to: (2, 1), p: 0.3 });
    assert!(has(&texts(&figure), "n.s."));
    assert!(figure.caption().contains("n.s.: p ≥ .05"));
}

#[test]
fn brackets_make_a_panel_higher_and_leave_its_data_as_they_are() {
    let (mut bare, figure) = (bars(), bars());
    bare.panels[0].brackets.clear();
    let style = Style::default();
    let (low, high) = (bare.draw(&style).unwrap(), figure.draw(&style).unwrap());
    let place = |drawing: &recant_figures::Drawing, text: &str| {
        let found = drawing.texts.iter().find(|t| t.text == text).unwrap();
        (found.top + found.bottom) / 2.0
    };
    let ticks = |drawing: &recant_figures::Drawing| place(drawing, "0.0") - place(drawing, "0.6");
    assert!(high.height > low.height + 5.0);
    assert!((ticks(&high) - ticks(&low)).abs() < 0.1, "{} {}", ticks(&high), ticks(&low));
}

#[test]
fn a_missing_bar_is_crossed_out_and_bars_refuse_what_cannot_be_drawn() {
    let mut figure = bars();
    assert!(!figure.caption().contains("Crosses"));
    figure.panels[0].models[1].scores.value[2] = Some(f64::NAN);
    assert!(!figure.svg(&Style::default()).unwrap().contains("NaN"));
    assert!(figure.caption().contains("Crosses: not defined."));
    let with = |change: &dyn Fn(&mut BarPanel)| {
        let mut figure = bars();
        change(&mut figure.panels[0]);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(&|p| p.groups.clear()), Error::Empty { needs: "group", .. }));
    assert!(matches!(with(&|p| p.models.clear()), Error::Empty { needs: "model", .. }));
    assert!(matches!(with(&|p| p.models[0].before.truncate(1)), Error::Ragged { expected: 3, found: 1, .. }));
    assert!(matches!(with(&|p| p.models[0].scores.lo[1] = Some(9.0)), Error::Crossed { .. }));
    assert!(matches!(with(&|p| p.brackets[0].to = (3, 0)), Error::NoValues { .. }), "no such group");
    assert!(matches!(with(&|p| p.models[0].scores.value[1] = None), Error::NoValues { .. }), "no such bar");
    let nought = with(&|p| p.brackets[0].p = 0.0).to_string();
    assert!(nought.starts_with("panel \"accuracy\", bracket 0, p is 0, which must lie above 0"), "{nought}");
    let blank = with(&|p| {
        p.brackets.clear();
        p.models.iter_mut().for_each(|m| m.scores.value.fill(None));
    });
    assert!(matches!(blank, Error::NoValues { .. }));
}

#[test]
fn names_of_groups_are_wrapped_and_turned_where_a_word_is_too_long_for_its_place() {
    let mut figure = bars();
    let turned = |figure: &ModelBars| figure.svg(&Style::default()).unwrap().matches("rotate(-90").count();
    assert_eq!(turned(&figure), 0, "no y label");
    figure.panels[0].groups[1] = "negation with a reason".into();
    let found = figure.draw(&Style::default()).unwrap().texts;
    assert!(
        turned(&figure) == 0 && found.iter().any(|t| t.text.starts_with("negation ") || t.text == "negation")
    );
    figure.panels[0].groups[1] = "counterstereotypicalities".into();
    assert_eq!(turned(&figure), 4, "the long one in two lines");
}

fn plane() -> Trajectories {
    let path = |label: &str, places: [(f64, f64); 3]| PlanePath {
        label: label.into(),
        points: places
            .iter()
            .map(|&(x, y)| PlanePoint {
                x: Some(x),
                y: Some(y),
                x_interval: None,
                y_interval: Some((y - 0.1, y + 0.1)),
            })
            .collect(),
    };
    let paths = vec![
        path("baseline", [(0.0, 0.0), (0.5, 0.1), (1.0, 0.0)]),
        path("negation", [(0.0, 0.0), (-0.5, 0.6), (-1.0, 1.0)]),
    ];
    let items =
        (0..50).map(|i| (f64::from(i * 31 % 50) / 20.0 - 1.2, f64::from(i * 17 % 50) / 30.0)).collect();
    Trajectories {
        name: "plane".into(),
        panels: vec![PlanePanel { title: "bbq".into(), paths, items }],
        x_label: "Stereotype (s.d.)".into(),
        y_label: "Morality (s.d.)".into(),
        interval: "95 % intervals".into(),
        items: "the items".into(),
        ..Trajectories::default()
    }
}

/// Filled shapes of a colour: heads of arrows.
fn heads(figure: &Trajectories, place: usize) -> usize {
    let svg = figure.svg(&Style::default()).unwrap();
    assert!(!svg.contains("NaN"));
    let paint = format!("Z\" fill=\"{}\"", OKABE_ITO[place].hex());
    svg.lines().filter(|l| l.contains(&paint)).count()
}

#[test]
fn an_arrow_leads_from_round_to_round_and_not_over_a_gap() {
    let mut figure = plane();
    assert_eq!((heads(&figure, 0), heads(&figure, 1)), (2, 2));
    assert!(has(&texts(&figure), "negation"), "named at its end");
    assert!(!figure.caption().contains("Gaps"));
    figure.panels[0].paths[1].points[1].y = Some(f64::NAN);
    assert_eq!((heads(&figure, 0), heads(&figure, 1)), (2, 0));
    assert!(figure.caption().contains("Gaps: not defined."));
    figure.panels[0].paths[0].points.truncate(1);
    assert_eq!(heads(&figure, 0), 0, "one round");
}

#[test]
fn conditions_without_room_at_their_ends_are_listed_in_the_legend() {
    let mut figure = plane();
    let long = "a condition whose name is wider than any place beside an arrow in a column of a page";
    figure.panels[0].paths[0].label = long.into();
    let found = texts(&figure);
    assert!(has(&found, "negation") && has(&found, long), "{found:?}");
    assert_eq!((heads(&figure, 0), heads(&figure, 1)), (3, 3), "an arrow each in the legend");
}

#[test]
fn the_plane_shades_its_items_and_refuses_what_has_no_place() {
    let mut figure = plane();
    assert!(figure.caption().contains("regions that hold 90, 75, 50 and 25 % of the items"));
    assert_eq!(figure.csv().matches("bbq,item,").count(), 50);
    let shaded = figure.svg(&Style::default()).unwrap().matches("fill-opacity=\"0.07\"").count()
        + figure.svg(&Style::default()).unwrap().matches("fill-opacity=\"0.08\"").count();
    assert_eq!(shaded, 4);
    figure.panels[0].items.truncate(5);
    assert!(figure.caption().contains("Not shaded: fewer than 10 items"));
    let with = |change: &dyn Fn(&mut PlanePanel)| {
        let mut figure = plane();
        change(&mut figure.panels[0]);
        figure.draw(&Style::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(with(&|p| p.paths.clear()), Error::Empty { needs: "path", .. }));
    assert!(matches!(with(&|p| p.paths[0].points.clear()), Error::Empty { needs: "round", .. }));
    assert!(matches!(with(&|p| p.paths[1].points[2].x = Some(f64::INFINITY)), Error::NotFinite { .. }));
    assert!(matches!(with(&|p| p.paths[1].points[2].x_interval = Some((1.0, 0.0))), Error::Crossed { .. }));
    assert!(matches!(with(&|p| p.items[3].0 = f64::INFINITY), Error::NotFinite { .. }));
    let blank = with(&|p| p.paths.iter_mut().flat_map(|path| &mut path.points).for_each(|p| p.y = None));
    assert!(matches!(blank, Error::NoValues { .. }));
}

fn volcano() -> Volcano {
    let point = |(layer, (effect, p)): (usize, &(f64, f64))| VolcanoPoint {
        label: format!("layer {layer}"),
        effect: *effect,
        p: *p,
        passes: *p < 0.01,
    };
    let tests = [(0.1, 1.0), (0.4, 0.02), (-1.0, 0.001), (1.4, 0.001), (0.9, 0.004)];
    let series =
        VolcanoSeries { label: "negation".into(), points: tests.iter().enumerate().map(point).collect() };
    let panel = VolcanoPanel {
        title: "stereotype".into(),
        series: vec![series],
        thresholds: vec![Threshold { label: "p = .05".into(), p: 0.05 }],
        permutations: Some(999),
    };
    Volcano {
        name: "volcano".into(),
        panels: vec![panel],
        x_label: "Change".into(),
        y_label: "p".into(),
        test: "sign flips".into(),
        significance: "p < .01".into(),
        strongest: 2,
        columns: None,
    }
}

#[test]
fn a_volcano_is_labelled_with_p_and_names_the_strongest_that_pass() {
    let mut figure = volcano();
    let found = texts(&figure);
    for text in ["1", "0.1", "0.01", "0.001", "p = .05", "least p of 999 permutations", "layer 2", "layer 3"]
    {
        assert!(has(&found, text), "{text} in {found:?}");
    }
    assert!(!has(&found, "layer 4") && !has(&found, "layer 1"), "{found:?}");
    let csv = figure.csv();
    assert!(csv.contains("stereotype,test,negation,layer 3,1.4,0.001,1\n"), "{csv}");
    assert!(csv.contains("stereotype,threshold,,p = .05,,0.05,\n"), "{csv}");
    assert!(csv.contains("stereotype,least,,least p of 999 permutations,,0.001,\n"), "{csv}");
    figure.panels[0].permutations = None;
    figure.panels[0].series[0].points[0].p = 1e-40;
    let found = texts(&figure);
    assert!(has(&found, "10−40") || has(&found, "10−35"), "{found:?}");
}

#[test]
fn a_p_that_no_test_gives_is_refused() {
    let with = |p: f64| {
        let mut figure = volcano();
        figure.panels[0].series[0].points[1].p = p;
        figure.draw(&Style::default()).map(|_| ()).map_err(|error| error.to_string())
    };
    let nought = with(0.0).unwrap_err();
    let said = "panel \"stereotype\", series \"negation\", \"layer 1\", p is 0, which must lie above 0 and at most at 1 \
                (a permutation test counts the data as one permutation)";
    assert_eq!(nought, said);
    assert!(with(1.5).is_err() && with(f64::NAN).is_err() && with(-0.1).is_err());
    assert!(with(1.0).is_ok());
    let small = with(0.0005).unwrap_err();
    assert!(small.ends_with("which must not lie below the least p of the panel's permutations"), "{small}");
    let mut figure = volcano();
    figure.panels[0].thresholds[0].p = 0.0;
    assert!(matches!(figure.draw(&Style::default()), Err(Error::OutOfRange { .. })));
    figure.panels[0].series[0].points.clear();
    figure.panels[0].thresholds.clear();
    assert!(matches!(figure.draw(&Style::default()), Err(Error::NoValues { .. })));
    figure.panels[0].series.clear();
    assert!(matches!(figure.draw(&Style::default()), Err(Error::Empty { needs: "series", .. })));
}

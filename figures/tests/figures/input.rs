//! What is refused, and what is odd but sound.

use recant_figures::colour::OKABE_ITO;
use recant_figures::{
    CurvePoint, Curves, Distributions, Error, Figure, HeatColours, ModelScale, RoundsByCondition, Sample,
    ScatterPoint, ScoreByScale, Series, ShiftPanel, Style, Theme, TokenShift, Width, render,
};

use crate::made::{
    curves, distributions, level, maps, places, profile, reliability, rounds, scale, scatter, shifts,
    spectrum, strokes, usual,
};

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
    let bare = Theme { palette: vec![], ..Theme::paper() };
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

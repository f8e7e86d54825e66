//! What each kind of figure shows.

use recant_figures::colour::{MUTED, OKABE_ITO, WHITE};
use recant_figures::{
    Curve, CurvePanel, CurvePoint, Curves, Depth, DistributionPanel, DistributionRow, Distributions, Error,
    Figure, Intervals, ModelScale, Reliability, ReliabilityBin, ReliabilityPanel, Sample, ScoreByScale,
    Style, Theme, Width,
};

use crate::made::{
    USUAL, curves, depths, distributions, maps, matrix, profile, reliability, rounds, scale, scatter,
    strokes, usual,
};

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

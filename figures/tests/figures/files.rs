//! The files of a figure: SVG, PDF, PNG and CSV.

use recant_figures::{Error, Figure, Style, Width, render};

use crate::made::{all, maps, profile, rounds, usual};

#[test]
fn the_same_figure_gives_the_same_bytes() {
    for figure in all(&usual).iter().step_by(3) {
        let svg = figure.svg(&Style::default()).unwrap();
        assert_eq!(svg, figure.svg(&Style::default()).unwrap());
        let pdf = render::pdf(&svg).unwrap();
        assert!((0..2).all(|_| render::pdf(&svg).unwrap() == pdf));
        assert!(render::png(&svg, 50.0).unwrap() == render::png(&svg, 50.0).unwrap());
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

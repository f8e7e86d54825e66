//! Fonts, languages and themes.

use std::io::Write as _;
use std::process::Command;

use recant_figures::{
    Error, Figure, Font, FontFile, Matrix, ModelScale, Numbers, Series, Style, Theme, Tone, Width, render,
};
use resvg::tiny_skia;

use crate::made::{matrix, own_font, rounds, scale, scatter, strokes, usual};

fn fonts() -> [Font; 3] {
    [Font::Libertinus, Font::ComputerModern, Font::File(FontFile::read(&own_font()).unwrap())]
}

#[test]
fn every_font_of_a_pdf_is_embedded_and_a_subset() {
    for (font, name) in fonts().into_iter().zip(["LibertinusSerif", "NewCM10", "DejaVuSansMono"]) {
        let svg = rounds(&usual, 3, 4).svg(&Style { font, ..Style::default() }).unwrap();
        let file = own_font().with_file_name(format!("{name}.pdf"));
        std::fs::write(&file, render::pdf(&svg).unwrap()).unwrap();
        let Ok(listed) = Command::new("pdffonts").arg(&file).output() else {
            let _ = writeln!(std::io::stderr(), "skipped: needs pdffonts (Debian: poppler-utils)");
            return;
        };
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let rows: Vec<&str> = listed.lines().skip(2).collect();
        assert!(!rows.is_empty(), "{listed}");
        for row in rows {
            assert!(row.contains(&format!("+{name}")), "{name}: {listed}");
            // The last columns: embedded, subset, with Unicode, and the number of the object.
            let columns: Vec<&str> = row.split_whitespace().rev().take(5).collect();
            assert_eq!(columns[2..], ["yes"; 3], "{listed}");
        }
    }
}

#[test]
fn a_figure_is_the_same_on_any_thread_and_whatever_else_is_loaded() {
    let drawn = |font: &Font| {
        let style = Style { font: font.clone(), ..Style::default() };
        let svg = scatter(&|i| format!("{} 漢 Ж {i}", usual(i)), 1, 9).svg(&style).unwrap();
        (render::pdf(&svg).unwrap(), svg)
    };
    let before = [Font::Libertinus, Font::ComputerModern].map(|font| drawn(&font));
    let after: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = fonts().into_iter().map(|font| scope.spawn(move || drawn(&font))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(before[..] == after[..2]);
    assert!(after[2].1.contains("font-family=\"'Invented Letters', "));
    assert_eq!(drawn(&fonts()[2]), after[2]);
}

#[test]
fn a_font_is_a_name_or_a_file_and_what_is_neither_is_a_clear_error() {
    assert_eq!("libertinus".parse::<Font>().unwrap(), Font::Libertinus);
    assert_eq!("computer-modern".parse::<Font>().unwrap().family(), "NewComputerModern10");
    let file = own_font();
    assert_eq!(file.to_str().unwrap().parse::<Font>().unwrap(), fonts()[2], "read once");
    let error = |text: &str| text.parse::<Font>().unwrap_err().to_string();
    assert_eq!(
        error("Helvetica"),
        "no font \"Helvetica\": known are libertinus, computer-modern or the path of a .ttf or .otf file"
    );
    assert!(error("nowhere/Sans.ttf").starts_with("font \"nowhere/Sans.ttf\": No such file"));
    let no_font = file.with_file_name("no-font.ttf");
    std::fs::write(&no_font, "not a font").unwrap();
    assert!(error(no_font.to_str().unwrap()).ends_with(": no single TrueType or OpenType font"));
    let other = file.with_file_name("Other.ttf");
    std::fs::write(&other, [std::fs::read(&file).unwrap(), vec![0]].concat()).unwrap();
    assert!(error(other.to_str().unwrap()).ends_with("\"Invented Letters\" is loaded already"));
}

#[test]
fn numbers_are_written_in_the_language_of_the_style_and_the_csv_is_not() {
    let german = Style { numbers: Numbers::Comma, ..Style::at(Width::Page) };
    let texts = |figure: &dyn Figure, style: &Style| {
        let texts = figure.draw(style).unwrap().texts;
        texts.into_iter().map(|t| t.text).collect::<Vec<_>>().join("|")
    };
    let figure = rounds(&usual, 1, 2);
    let csv = figure.csv();
    let (comma, point) = (texts(&figure, &german), texts(&figure, &Style::at(Width::Page)));
    assert!(comma.contains("|0,4") && !comma.contains("0.4"), "{comma}");
    assert_eq!(comma, point.replace("0.", "0,"), "English is as before");
    assert!(figure.csv() == csv && csv.contains("0.4125"));
    assert!(texts(&scatter(&usual, 1, 9), &german).contains("= 0,41 [\u{2212}0,10; 0,60]"));
    assert!(texts(&scale(&usual, 1, 4, ModelScale::Parameters), &german).contains("1,2B"));
    let figure: Matrix = matrix(&usual, 4);
    assert!(figure.caption_in(&german).contains("leaves 0,5 out"));
    assert!(figure.svg(&german).unwrap().contains("leaves 0,5 out"), "the caption in the SVG");
    assert!(figure.caption().contains("leaves 0.5 out"));
    assert!(rounds(&usual, 3, 2).caption_tex().contains("s\\_AMB"));
    let mut figure = rounds(&usual, 1, 1);
    figure.panels[0].references.clear();
    let value = vec![Some(1.5e7), Some(2.5e7)];
    figure.panels[0].lines =
        vec![Series { value, lo: vec![None; 2], hi: vec![None; 2], ..Series::default() }];
    assert!(texts(&figure, &german).contains("2,0e7"), "{}", texts(&figure, &german));
}

#[test]
fn a_dark_png_is_dark_up_to_its_edges() {
    let style = Style::of(Theme::dark(), Width::Inches(4.321));
    let svg = rounds(&usual, 1, 3).svg(&style).unwrap();
    let image = tiny_skia::Pixmap::decode_png(&render::png(&svg, 111.0).unwrap()).unwrap();
    let (right, bottom) = (image.width() - 1, image.height() - 1);
    for (x, y) in [(0, 0), (right, 0), (0, bottom), (right, bottom)] {
        let dot = image.pixel(x, y).unwrap();
        assert_eq!((dot.red(), dot.green(), dot.blue()), (24, 24, 24), "at {x}, {y}");
    }
}

#[test]
fn slides_have_larger_type_and_stronger_strokes_on_white() {
    let figure = rounds(&usual, 1, 1);
    let svg = |theme| figure.svg(&Style::of(theme, Width::Inches(10.0))).unwrap();
    let (paper, slides) = (svg(Theme::paper()), svg(Theme::slides()));
    let blue = Theme::paper().palette[0].hex();
    assert_eq!((strokes(&paper, &blue, "1"), strokes(&slides, &blue, "1.6")), (1, 1));
    assert!(slides.contains("font-size=\"14\"") && paper.contains("font-size=\"8\""));
    assert!(slides.contains("height=") && slides.contains("fill=\"#ffffff\"/>"));
    let dark = svg(Theme::dark());
    let ground = Tone::GROUND.hex();
    assert!(dark.contains(&format!("fill=\"{ground}\"/>")) && !dark.contains("#ffffff"));
    let broken = Theme { strokes: f64::NAN, ..Theme::paper() };
    assert!(matches!(figure.draw(&Style::of(broken, Width::Page)), Err(Error::Style { .. })));
}

//! Texts on the sheet: apart, inside, and as wide as they were measured.

use recant_figures::{Figure, Font, Style, Theme};
use resvg::usvg;

use crate::made::{LABELS, Labels, WIDTHS, all, long_words, medium, own_font, usual};

fn parse(svg: &str) -> usvg::Tree {
    let mut fonts = usvg::fontdb::Database::new();
    typst_assets::fonts().for_each(|f| fonts.load_font_data(f.to_vec()));
    fonts.load_font_file(own_font()).unwrap();
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

fn texts_lie_well(figure: &dyn Figure, style: &Style, of: &str) {
    let drawing = figure.draw(style).unwrap_or_else(|e| panic!("{of}, {}: {e}", figure.name()));
    assert!((drawing.width - style.width.points()).abs() < 1e-9);
    for (i, a) in drawing.texts.iter().enumerate() {
        let across = a.left >= 0.0 && a.right <= drawing.width;
        let inside = across && a.top >= 0.0 && a.bottom <= drawing.height;
        assert!(inside, "{of}, {}: {a:?} leaves {} x {}", figure.name(), drawing.width, drawing.height);
        for b in &drawing.texts[i + 1..] {
            assert!(!a.overlaps(b), "{of}, {}: {a:?} and {b:?}", figure.name());
        }
    }
}

/// The renderer lays out what was measured, so that what lies well there lies well in print.
fn texts_are_as_wide_as_measured(figure: &dyn Figure, style: &Style) {
    let drawing = figure.draw(style).unwrap();
    let tree = parse(&drawing.svg);
    let nodes = text_nodes(tree.root());
    assert_eq!(nodes.len(), drawing.texts.len());
    for (node, text) in nodes.iter().zip(&drawing.texts) {
        let found = node.abs_bounding_box();
        let upwards = node.abs_transform().ky != 0.0;
        let (from, to) = if upwards { (found.top(), found.bottom()) } else { (found.left(), found.right()) };
        let (start, end) = if upwards { (text.top, text.bottom) } else { (text.left, text.right) };
        let apart = (f64::from(from) - start).abs().max((f64::from(to) - end).abs());
        // The renderer's box leaves out the white beside the first and the last letter, which is wide where all letters
        // have one width; there they are also taller than in the embedded fonts.
        let own = matches!(style.font, Font::File(_));
        assert!(apart < if own { 0.1 * style.font_size } else { 0.1 }, "{found:?} {text:?}");
        // The box of the ink is that of the text before it is turned.
        let ink = node.flattened().abs_bounding_box();
        let (top, bottom) = (f64::from(ink.top()), f64::from(ink.bottom()));
        let slack = if own { 0.1 } else { 0.02 } * style.font_size;
        let inside = top > text.top - slack && bottom < text.bottom + slack;
        assert!(upwards || inside, "{ink:?} {text:?}");
    }
}

/// Every theme, font, language and width, each a few times.
fn styles() -> Vec<(String, Style)> {
    [
        ("paper", "computer-modern", "de", "column"),
        ("paper", "libertinus", "fr", "neurips"),
        ("grey", "computer-modern", "en", "page"),
        ("slides", "libertinus", "de", "slide"),
        ("slides", "computer-modern", "en", "slide"),
        ("dark", "libertinus", "de", "page"),
        ("dark", "computer-modern", "fr", "neurips"),
        ("slides", own_font().to_str().unwrap(), "fr", "slide"),
        ("paper", own_font().to_str().unwrap(), "en", "page"),
    ]
    .map(|(theme, font, language, width)| {
        let style = Style::of(Theme::named(theme).unwrap(), width.parse().unwrap());
        (theme.into(), Style { font: font.parse().unwrap(), numbers: language.parse().unwrap(), ..style })
    })
    .into()
}

#[test]
fn texts_stay_on_the_sheet_and_apart_whatever_their_length() {
    for (kind, text) in LABELS {
        for width in WIDTHS {
            for figure in all(&text) {
                texts_lie_well(figure.as_ref(), &Style::at(width), kind);
            }
        }
    }
}

#[test]
fn texts_stay_on_the_sheet_and_apart_in_every_style() {
    for (which, (theme, style)) in styles().into_iter().enumerate() {
        let text = [usual, medium][which % 2];
        all(&text).iter().for_each(|figure| texts_lie_well(figure.as_ref(), &style, &theme));
    }
}

#[test]
fn the_renderer_finds_every_text_as_wide_as_it_was_measured() {
    let few = |text: Labels, style: &Style| {
        all(&text).iter().step_by(3).for_each(|figure| texts_are_as_wide_as_measured(figure.as_ref(), style));
    };
    [usual, long_words, medium].into_iter().for_each(|text| few(text, &Style::default()));
    styles().iter().step_by(2).for_each(|(_, style)| few(usual, style));
}

#[test]
fn every_text_names_the_family_of_the_style_first() {
    for font in [Font::Libertinus, Font::ComputerModern] {
        let style = Style { font, ..Style::default() };
        for figure in all(&usual) {
            let svg = figure.svg(&style).unwrap();
            let first = format!("font-family=\"'{}', ", style.font.family());
            assert_eq!(svg.matches("<text").count(), svg.matches(&first).count());
        }
    }
}

//! The figures: their drawings packed, their place kept.

use super::families::Family;
use super::text::escape;
use super::{Section, file, files, grouped_by_family, packed, svg};
use crate::report::draw::Drawn;

pub(super) fn section(figures: &[&Drawn], family: impl Fn(&Drawn) -> Family) -> Section {
    grouped_by_family("figures", "Figures", figures, |figure| &figure.name, family, figure)
}

/// A figure with its number. An empty drawing of the same proportions keeps its place until it is opened.
pub(super) fn figure(n: usize, entry: &Drawn) -> String {
    let image =
        format!("<img src=\"{}\" alt=\"{}\">", file("figures", &entry.name, "svg"), escape(&entry.caption));
    let drawn = svg::inline(&entry.svg, &format!("f{n}-")).zip(svg::size(&entry.svg));
    let (style, card, drawing) = match drawn {
        Some((drawing, (width, height))) => (
            format!(" style=\"--points: {width}\""),
            format!(
                "<svg class=\"place\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\"></svg>\
                 <noscript>{image}</noscript>"
            ),
            packed::script("drawing", &drawing),
        ),
        None => (String::new(), image, String::new()),
    };
    format!(
        "<figure id=\"figure-{n}\">\n<div class=\"card\"{style} role=\"group\" tabindex=\"0\" \
         aria-label=\"Figure {n}\">{card}</div>\n{drawing}\
         <figcaption><span class=\"number\">Figure {n}.</span> {}\n{}</figcaption>\n</figure>\n",
        escape(&entry.caption),
        files("figures", &entry.name, &["svg", "pdf", "png", "csv"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_that_is_no_plain_svg_is_shown_from_its_file() {
        let svg = "<svg viewBox=\"0 0 1 1\"><script/></svg>".into();
        let entry = Drawn { name: "a b/c".into(), caption: "C".into(), svg };
        let html = figure(1, &entry);
        assert!(html.contains("<img src=\"figures/a%20b%2Fc.svg\" alt=\"C\">"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn a_figure_keeps_its_place_before_it_is_opened() {
        let svg = "<svg viewBox=\"0 0 453.6 211.23\"><g/></svg>".into();
        let html = figure(2, &Drawn { name: "n".into(), caption: "C".into(), svg });
        assert!(html.contains("viewBox=\"0 0 453.6 211.23\" aria-hidden"), "{html}");
        assert_eq!(packed::tests::opened(&html, "drawing").len(), 1);
    }
}

//! The page: one HTML document that needs nothing but itself.
//!
//! Text becomes HTML through [`text::escape`] and nowhere else. Drawings and dialogues travel packed in `<script>`
//! elements that no browser runs, and are opened by the page's own code, which only ever sets text and attributes. A
//! content security policy forbids the page to load anything but the drawings beside it.

mod block;
mod closing;
mod dialogues;
mod families;
mod figures;
mod findings;
mod packed;
mod run;
mod svg;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use families::Family;
use text::{escape, wrap};

use super::Report;
use super::draw::Drawn;

const CSS: &[&str] = &[include_str!("../page/page.css"), include_str!("../page/reader.css")];

/// The page's code, in the order in which it runs.
const JS: &[&str] = &[
    include_str!("../page/base.js"),
    include_str!("../page/packed.js"),
    include_str!("../page/figures.js"),
    include_str!("../page/tables.js"),
    include_str!("../page/contents.js"),
    include_str!("../page/traces.js"),
    include_str!("../page/words.js"),
    include_str!("../page/turns.js"),
    include_str!("../page/reader.js"),
    include_str!("../page/desk.js"),
];

/// A section of the page.
struct Section {
    id: &'static str,
    heading: &'static str,
    /// Its parts, for the contents.
    parts: Vec<Part>,
    body: String,
}

/// Parts of a section that belong together.
struct Part {
    heading: &'static str,
    /// Anchors with their names.
    entries: Vec<(String, String)>,
}

/// The whole page as one HTML document. The same page gives the same bytes.
///
/// Links to `figures/`, `tables/`, the turns and `manifest.json` are relative to the run directory, where it belongs.
/// A figure's drawing is trusted as markup; one that is not a plain SVG is shown from its file instead.
#[must_use]
pub fn page(page: &Report<'_>, drawn: &[Drawn]) -> String {
    let own = |figure: &Drawn| page.own.iter().any(|planned| planned.name() == figure.name);
    let family = |figure: &Drawn| if own(figure) { Family::Own } else { Family::of(&figure.name) };
    let drawn = families::ordered(drawn, family);
    let all = [
        findings::section(&page.findings, &drawn),
        cautions(&page.cautions),
        figures::section(&drawn, family),
        tables::section(&families::ordered(&page.tables, |table| Family::of(&table.name))),
        dialogues::section(page),
        closing::methods(&page.methods),
        closing::references(&page.references),
        run::manifest(page),
    ];
    let sections: Vec<&Section> = all.iter().filter(|section| !section.body.is_empty()).collect();
    let contents: String = sections.iter().map(|section| section.contents()).collect();
    let bodies: String = sections.iter().map(|section| section.html()).collect();
    let title = escape(page.title);
    let nav = wrap("<nav id=\"contents\" aria-label=\"Contents\"><ul>\n", &contents, "</ul></nav>\n");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src 'self' file: data:\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n\
         <noscript><style>.place, .scripted {{ display: none; }}</style></noscript>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n<div class=\"sheet\">\n\
         <header>\n<div class=\"tools scripted\"><button type=\"button\" id=\"theme\">Theme</button> \
         <button type=\"button\" id=\"help\" aria-label=\"Keys\">?</button></div>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{}</p>\n</header>\n{nav}\
         <main id=\"content\">\n{bodies}</main>\n</div>\n<script>\n\"use strict\";\n{{\n{}}}\n</script>\n</body>\n</html>\n",
        CSS.concat(),
        run::summary(page),
        JS.concat(),
    )
}

impl Section {
    /// As an element of the page.
    #[must_use]
    fn html(&self) -> String {
        let Self { id, heading, body, .. } = self;
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{heading}</h2>\n{body}</section>\n"
        )
    }

    /// Its line in the contents, with its parts folded below.
    fn contents(&self) -> String {
        let entry =
            |(id, name): &(String, String)| format!("<li><a href=\"#{id}\">{}</a></li>", escape(name));
        let part = |part: &Part| {
            format!(
                "<li><details><summary>{} <span class=\"n\">{}</span></summary><ul>{}</ul></details></li>\n",
                part.heading,
                part.entries.len(),
                part.entries.iter().map(entry).collect::<String>(),
            )
        };
        let parts: String = self.parts.iter().map(part).collect();
        format!("<li><a href=\"#{}\">{}</a>{}</li>\n", self.id, self.heading, wrap("\n<ul>", &parts, "</ul>"))
    }
}

/// Numbered entries of the page, each family below a heading of its own.
fn grouped_by_family<T>(
    id: &'static str,
    heading: &'static str,
    entries: &[&T],
    name: impl Fn(&T) -> &str,
    family: impl Fn(&T) -> Family,
    html: impl Fn(usize, &T) -> String,
) -> Section {
    let mut parts: Vec<Part> = Vec::new();
    let mut body = String::new();
    for (n, entry) in entries.iter().enumerate().map(|(index, entry)| (index + 1, *entry)) {
        let family = family(entry).heading();
        if parts.last().is_none_or(|part| part.heading != family) {
            body += &format!("<h3>{family}</h3>\n");
            parts.push(Part { heading: family, entries: Vec::new() });
        }
        if let Some(part) = parts.last_mut() {
            part.entries.push((anchor(id, n), format!("{n} {}", name(entry))));
        }
        body += &html(n, entry);
    }
    Section { id, heading, parts, body }
}

/// Where an entry stands: `figure-3` in `figures`.
fn anchor(section: &str, n: usize) -> String {
    format!("{}-{n}", section.trim_end_matches('s'))
}

fn cautions(cautions: &[String]) -> Section {
    let items: String = cautions.iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect();
    let body = wrap("<ul>\n", &items, "</ul>\n");
    Section { id: "cautions", heading: "Read with care", parts: Vec::new(), body }
}

/// Links to the files of a figure or table.
fn files(folder: &str, name: &str, kinds: &[&str]) -> String {
    let link = |kind: &&str| format!("<a href=\"{}\">{}</a>", file(folder, name, kind), kind.to_uppercase());
    let links: Vec<String> = kinds.iter().map(link).collect();
    format!("<p class=\"files\"><code>{}</code> {}</p>\n", escape(name), links.join(" "))
}

/// A file of the run directory as a relative address.
fn file(folder: &str, name: &str, kind: &str) -> String {
    let mut address = format!("{folder}/");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                address.push(char::from(byte))
            }
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address + "." + kind
}

//! The page: one HTML document that needs nothing but itself.
//!
//! Text becomes HTML through [`escape`] and nowhere else. Dialogues travel as JSON in `<script type="application/json">`
//! and are drawn by `page.js`, which only ever sets text. A content security policy forbids the page to load anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::draw::Drawn;
use super::{DialogueEntry, Report, Table};
use crate::store::Turn;
use crate::task::{Format, Item};

const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// Items whose dialogues are embedded, per model and task: what a browser opens at once.
const ITEMS: usize = 200;

/// Rows from which on a table is folded.
const LONG: usize = 16;

/// Rows of a table that the page shows: what a browser opens at once. The files hold all.
const SHOWN: usize = 500;

/// A section of the page.
struct Section {
    id: &'static str,
    heading: &'static str,
    /// Anchors of its parts, with their names.
    parts: Vec<(String, String)>,
    body: String,
}

/// The whole page as one HTML document. The same page gives the same bytes.
///
/// Links to `figures/`, `tables/`, the turns and `manifest.json` are relative to the run directory, where it belongs.
/// A figure's drawing is trusted as markup; one that is not a plain SVG is shown from its file instead.
#[must_use]
pub fn page(page: &Report<'_>, drawn: &[Drawn]) -> String {
    let findings: Vec<String> = page.findings.iter().map(|finding| finding.text.clone()).collect();
    let all = [
        sentences("findings", "Findings", &findings),
        sentences("cautions", "Read with care", &page.cautions),
        figures(drawn),
        tables(&page.tables),
        dialogues(page),
        manifest(page),
    ];
    let sections: Vec<&Section> = all.iter().filter(|section| !section.body.is_empty()).collect();
    let contents: String = sections.iter().map(|section| contents(section)).collect();
    let bodies: String = sections.iter().map(|section| section.html()).collect();
    let title = escape(page.title);
    let nav = wrap("<nav aria-label=\"Contents\"><ul>", &contents, "</ul></nav>\n");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src 'self' file: data:\">\n\
         <title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n<div class=\"sheet\">\n\
         <header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n</header>\n{nav}\
         <main id=\"content\">\n{bodies}</main>\n</div>\n<script>\n{JS}</script>\n</body>\n</html>\n",
        summary(page),
    )
}

impl Section {
    fn html(&self) -> String {
        let Self { id, heading, body, .. } = self;
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{heading}</h2>\n{body}</section>\n"
        )
    }
}

fn contents(section: &Section) -> String {
    let part = |(id, name): &(String, String)| format!("<li><a href=\"#{id}\">{}</a></li>", escape(name));
    let parts: String = section.parts.iter().map(part).collect();
    format!("<li><a href=\"#{}\">{}</a>{}</li>", section.id, section.heading, wrap("<ul>", &parts, "</ul>"))
}

/// `inner` between two tags; nothing around nothing.
fn wrap(open: &str, inner: &str, close: &str) -> String {
    if inner.is_empty() { String::new() } else { format!("{open}{inner}{close}") }
}

/// What was run, in one line.
fn summary(page: &Report<'_>) -> String {
    let study = &page.manifest.inputs["study"];
    let texts = |values: &Value, key: Option<&str>| -> Vec<String> {
        let of = |value: &Value| key.map_or(value.as_str(), |key| value[key].as_str()).map(str::to_owned);
        values.as_array().map_or_else(Vec::new, |values| values.iter().filter_map(of).collect())
    };
    let or_read = |named: Vec<String>, read: fn(&DialogueEntry<'_>) -> String| {
        if named.is_empty() { distinct(page.dialogues.iter().map(read)) } else { named }
    };
    let models = or_read(texts(&study["models"], Some("name")), |entry| entry.model.into());
    let tasks = or_read(texts(&study["tasks"], Some("name")), |entry| entry.task.into());
    let conditions = or_read(texts(&study["dialogue"]["conditions"], None), |entry| entry.condition.into());
    let seen = page.dialogues.iter().flat_map(|entry| entry.turns).map(|turn| turn.round as u64 + 1).max();
    let mut parts: Vec<String> = [("model", models), ("task", tasks), ("condition", conditions)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(noun, names)| format!("{} ({})", counted(names.len(), noun), escape(&names.join(", "))))
        .collect();
    if let Some(rounds) = study["dialogue"]["rounds"].as_u64().or(seen) {
        parts.push(counted(usize::try_from(rounds).unwrap_or(usize::MAX), "round"));
    }
    if !page.manifest.key.is_empty() {
        parts.push(format!("run <span class=\"key\">{}</span>", short_key(page)));
    }
    parts.join(" \u{b7} ")
}

fn short_key(page: &Report<'_>) -> String {
    escape(&page.manifest.key.chars().take(12).collect::<String>())
}

fn sentences(id: &'static str, heading: &'static str, sentences: &[String]) -> Section {
    let items: String = sentences.iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect();
    Section { id, heading, parts: Vec::new(), body: wrap("<ul>\n", &items, "</ul>\n") }
}

fn figures(figures: &[Drawn]) -> Section {
    let numbered = || figures.iter().enumerate().map(|(index, figure)| (index + 1, figure));
    let parts = numbered().map(|(n, figure)| (format!("figure-{n}"), figure.name.clone())).collect();
    let body = numbered().map(|(n, entry)| figure(n, entry)).collect();
    Section { id: "figures", heading: "Figures", parts, body }
}

fn figure(n: usize, entry: &Drawn) -> String {
    let (drawing, points) = match inline(&entry.svg, &format!("f{n}-")) {
        Some(drawn) => (drawn, width(&entry.svg)),
        None => {
            let source = file("figures", &entry.name, "svg");
            (format!("<img src=\"{source}\" alt=\"{}\">", escape(&entry.caption)), None)
        }
    };
    let style = points.map_or_else(String::new, |points| format!(" style=\"--points: {points}\""));
    format!(
        "<figure id=\"figure-{n}\">\n<div class=\"card\"{style} role=\"group\" tabindex=\"0\" aria-label=\"Figure {n}\">{drawing}</div>\n\
         <figcaption><span class=\"number\">Figure {n}.</span> {}\n{}</figcaption>\n</figure>\n",
        escape(&entry.caption),
        files("figures", &entry.name, &["svg", "pdf", "png", "csv"]),
    )
}

fn tables(tables: &[Table]) -> Section {
    let numbered = || tables.iter().enumerate().map(|(index, table)| (index + 1, table));
    let parts = numbered().map(|(n, table)| (format!("table-{n}"), table.name.clone())).collect();
    let body = numbered().map(|(n, entry)| table(n, entry)).collect();
    Section { id: "tables", heading: "Tables", parts, body }
}

fn table(n: usize, table: &Table) -> String {
    let numeric: Vec<bool> = (0..table.header.len()).map(|column| is_numeric(table, column)).collect();
    let class = |column: usize| if numeric.get(column) == Some(&true) { " class=\"num\"" } else { "" };
    let head = |(column, text): (usize, &String)| {
        format!("<th scope=\"col\"{}>{}</th>", class(column), escape(text))
    };
    let cell = |(column, text): (usize, &String)| match (column, text.as_str()) {
        (_, "") => {
            format!("<td{}><span class=\"undefined\" title=\"undefined\">\u{2013}</span></td>", class(column))
        }
        (0, text) if !numeric[0] => format!("<th scope=\"row\">{}</th>", escape(text)),
        (_, text) => format!("<td{}>{}</td>", class(column), escape(text)),
    };
    let row = |cells: &Vec<String>| {
        format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let grid = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"table-{n}-c\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>",
        table.header.iter().enumerate().map(head).collect::<String>(),
        table.rows.iter().take(SHOWN).map(row).collect::<String>(),
    );
    let rows = table.rows.len();
    let grid = match rows {
        0 => "<p class=\"note\">No rows.</p>".to_owned(),
        n if n > SHOWN => {
            let summary = format!("the first {} of {}", grouped(SHOWN), counted(n, "row"));
            format!("<details><summary>{summary}</summary>\n{grid}\n</details>")
        }
        LONG.. => format!("<details><summary>{}</summary>\n{grid}\n</details>", counted(rows, "row")),
        _ => grid,
    };
    format!(
        "<div class=\"table\" id=\"table-{n}\">\n<p id=\"table-{n}-c\"><span class=\"number\">Table {n}.</span> {}</p>\n{grid}\n{}</div>\n",
        escape(&table.caption),
        files("tables", &table.name, &["csv", "tex"]),
    )
}

/// Whether a column holds numbers, with whatever a number comes with: an interval, a bound, a unit sign.
fn is_numeric(table: &Table, column: usize) -> bool {
    let number = |cell: &&str| {
        let bare = cell.trim_start_matches([
            '<', '>', '=', '\u{2264}', '\u{2265}', '+', '-', '\u{2212}', '.', ' ', '(', '[',
        ]);
        bare.starts_with(|c: char| c.is_ascii_digit())
            && (bare.parse::<f64>().is_ok() || !bare.contains(char::is_alphabetic))
    };
    let mut cells = table
        .rows
        .iter()
        .filter_map(|row| row.get(column))
        .map(String::as_str)
        .filter(|cell| !cell.is_empty())
        .peekable();
    cells.peek().is_some() && cells.all(|cell| number(&cell))
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

fn manifest(page: &Report<'_>) -> Section {
    let inputs = &page.manifest.inputs;
    let nothing = inputs.is_null() || inputs.as_object().is_some_and(serde_json::Map::is_empty);
    let body = if nothing {
        String::new()
    } else {
        format!(
            "<p>Everything that the numbers depend on; the run key is its hash. The same text is in <a href=\"manifest.json\">manifest.json</a>.</p>\n\
             <details><summary>Manifest of run <span class=\"key\">{}</span></summary>\n<pre>{}</pre>\n</details>\n",
            short_key(page),
            escape(&page.manifest.text()),
        )
    };
    Section { id: "manifest", heading: "Manifest", parts: Vec::new(), body }
}

/// The reader's controls, and one block of JSON per model and task.
fn dialogues(page: &Report<'_>) -> Section {
    let mut pairs: Vec<((&str, &str), Vec<&DialogueEntry<'_>>)> = Vec::new();
    for entry in page.dialogues.iter().filter(|entry| !entry.turns.is_empty()) {
        let key = (entry.model, entry.task);
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, entries)) => entries.push(entry),
            None => pairs.push((key, vec![entry])),
        }
    }
    let mut options = String::new();
    let mut blocks = String::new();
    let mut paths = String::new();
    for (index, ((model, task), entries)) in pairs.iter().enumerate() {
        options += &format!("<option value=\"{index}\">{} \u{b7} {}</option>", escape(model), escape(task));
        let data = block(entries, &page.manifest.inputs["conditions"]);
        blocks +=
            &format!("<script type=\"application/json\" class=\"dialogues\">{}</script>\n", script(&data));
        for entry in entries {
            paths +=
                &format!("<li><code>{}</code></li>\n", escape(&turns_files(model, task, entry.condition)));
        }
    }
    let body = if pairs.is_empty() { String::new() } else { reader(&options, &paths) + &blocks };
    Section { id: "dialogues", heading: "Dialogues", parts: Vec::new(), body }
}

fn reader(options: &str, paths: &str) -> String {
    let pager = |end: &str, count: &str| {
        format!(
            "{count}<button type=\"button\" id=\"back{end}\">Previous</button><button type=\"button\" id=\"on{end}\">Next</button>"
        )
    };
    format!(
        "<p>What was said, round by round. Probabilities are averages over the orders in which the options were listed, and an \
         item\u{2019}s answer is the option that the study\u{2019}s first scoring chooses; the words are those of the dialogue in the first order. Wrong to right and right \
         to wrong compare the first round with the last.</p>\n\
         <noscript><p class=\"note\">The reader needs JavaScript. The dialogues also lie beside this page, one JSON line per item and round:</p>\n\
         <ul class=\"note\">\n{paths}</ul></noscript>\n\
         <div id=\"reader\" hidden>\n<div class=\"controls\">\n\
         <label class=\"wide\">Model and task<select id=\"source\">{options}</select></label>\n\
         <label>Category<select id=\"category\"></select></label>\n\
         <label>Condition<select id=\"condition\"></select></label>\n\
         <label>What happened<select id=\"kind\"></select></label>\n\
         <label class=\"wide\">Item or text contains<input type=\"search\" id=\"find\" autocomplete=\"off\"></label>\n\
         <label class=\"tick\"><input type=\"checkbox\" id=\"only\"> <span>Open items under the chosen condition only, not all conditions side by side</span></label>\n\
         </div>\n\
         <p class=\"legend\"><span><span class=\"role s\">S</span> stereotyped</span><span><span class=\"role o\">O</span> other</span>\
         <span><span class=\"role u\">U</span> unknown</span><span><span class=\"role right\">&#160;</span> thick base: the right option</span>\
         <span><span class=\"role\">?</span> the text was unparsed</span></p>\n\
         <p class=\"abouts\" id=\"abouts\"></p>\n<p class=\"abouts\" id=\"kept\"></p>\n\
         <div class=\"pager\">{}</div>\n<div class=\"items\" id=\"items\"></div>\n<div class=\"pager\" id=\"below\">{}</div>\n</div>\n",
        pager("", "<span class=\"count\" id=\"count\" role=\"status\" aria-live=\"polite\"></span>"),
        pager("-below", "<span class=\"count\"></span>"),
    )
}

/// What `page.js` reads of one model and task. Texts stand once in `strings`; turns name them by number.
fn block(entries: &[&DialogueEntry<'_>], conditions: &Value) -> Value {
    let mut said: Vec<BTreeMap<&str, Vec<&Turn>>> = Vec::new();
    for entry in entries {
        let mut rounds: BTreeMap<&str, Vec<&Turn>> = BTreeMap::new();
        for turn in entry.turns {
            rounds.entry(&turn.item).or_default().push(turn);
        }
        said.push(rounds);
    }
    let mut known = BTreeSet::new();
    let asked = entries.iter().flat_map(|entry| entry.items);
    let asked: Vec<&Item> = asked
        .filter(|item| {
            said.iter().any(|rounds| rounds.contains_key(item.id.as_str())) && known.insert(item.id.as_str())
        })
        .collect();
    let kept = spread(&asked, ITEMS);
    let mut strings = Strings::default();
    let items: Vec<Value> = kept
        .iter()
        .map(|item| {
            // Everything is told in the order of the options that the shown prompts list.
            let turns = said.iter().find_map(|rounds| rounds.get(item.id.as_str())?.first());
            let order = turns.and_then(|turn| Some(turn.orders.first()?.order.clone())).unwrap_or_default();
            let place = |option: Option<usize>| order.iter().position(|listed| Some(*listed) == option);
            let listed = order.iter().filter_map(|&option| item.options.get(option));
            let of = |rounds: &BTreeMap<&str, Vec<&Turn>>, strings: &mut Strings| -> Value {
                let turns = rounds.get(item.id.as_str()).into_iter().flatten();
                turns.map(|turn| row(item, turn, &order, strings)).collect()
            };
            let rounds: Vec<Value> = said.iter().map(|rounds| of(rounds, &mut strings)).collect();
            json!({
                "id": item.id, "category": item.category, "context": item.context, "polarity": item.polarity, "text": item.text(),
                "options": listed.map(|option| json!([option.text, option.role])).collect::<Vec<_>>(),
                "label": place(item.label), "target": place(item.target), "blank": item.format != Format::Letters, "rounds": rounds,
            })
        })
        .collect();
    let note = if kept.len() < asked.len() {
        format!(
            "This page holds {} of {} items, spread over the categories; the rest are in {}.",
            grouped(kept.len()),
            grouped(asked.len()),
            entries.first().map_or_else(String::new, |entry| turns_files(entry.model, entry.task, "*"))
        )
    } else {
        String::new()
    };
    let about = |name: &str| conditions[name]["about"].as_str().unwrap_or_default().to_owned();
    json!({
        "conditions": entries.iter().map(|entry| json!({ "name": entry.condition, "about": about(entry.condition) })).collect::<Vec<_>>(),
        "categories": distinct(kept.iter().map(|item| item.category.clone())),
        "note": note, "strings": strings.list, "items": items,
    })
}

/// Where the turns lie, relative to the run directory.
fn turns_files(model: &str, task: &str, condition: &str) -> String {
    format!("{model}/{task}/{condition}/turns-*.jsonl")
}

/// At most `limit` items, as evenly from every category as they allow, in their order.
fn spread<'a>(items: &[&'a Item], limit: usize) -> Vec<&'a Item> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::new(); // place in its category, place in the list
    for (index, item) in items.iter().enumerate() {
        let place = seen.entry(&item.category).or_default();
        ranked.push((*place, index));
        *place += 1;
    }
    ranked.sort_unstable();
    ranked.truncate(limit);
    let kept: BTreeSet<usize> = ranked.into_iter().map(|(_, index)| index).collect();
    kept.into_iter().map(|index| items[index]).collect()
}

/// A turn as `[user, answer, per-mille probabilities, choice, parsed, ended, agreeing orders, orders, before]`; what came
/// before the answer as `[user, answer, ended]` each.
fn row(item: &Item, turn: &Turn, order: &[usize], strings: &mut Strings) -> Value {
    let text = item.text();
    let user = match turn.user.split_once(&text).filter(|_| !text.is_empty()) {
        Some((before, after)) => json!([before, after]),
        None => json!(turn.user),
    };
    let given = turn.orders.first();
    let place = |option: Option<usize>| order.iter().position(|listed| Some(*listed) == option);
    let before = given.into_iter().flat_map(|given| &given.before);
    let before: Vec<Value> = before
        .map(|said| json!([strings.number(json!(said.user)), strings.number(json!(said.answer)), said.ended]))
        .collect();
    let agree = turn.orders.iter().filter(|order| most(&order.logprobs) == turn.choice).count();
    json!([
        strings.number(user),
        strings.number(json!(given.map_or("", |given| given.answer.as_str()))),
        order.iter().map(|&option| turn.logprobs.get(option).and_then(|p| per_mille(*p))).collect::<Vec<_>>(),
        place(turn.choice),
        place(given.and_then(|given| given.parsed)),
        given.is_none_or(|given| given.ended),
        agree,
        turn.orders.len(),
        before,
    ])
}

/// A probability in thousandths; none where it is undefined.
fn per_mille(logprob: f64) -> Option<u32> {
    let share = (logprob.exp() * 1000.0).round();
    (0.0..=1000.0).contains(&share).then_some(share as u32)
}

/// The place of the greatest value, the first of equals.
fn most(values: &[f64]) -> Option<usize> {
    (0..values.len()).rev().max_by(|&a, &b| values[a].total_cmp(&values[b]))
}

/// Texts, each kept once.
#[derive(Default)]
struct Strings {
    list: Vec<Value>,
    numbers: BTreeMap<String, usize>,
}

impl Strings {
    fn number(&mut self, text: Value) -> usize {
        let list = &mut self.list;
        *self.numbers.entry(text.to_string()).or_insert_with(|| {
            list.push(text);
            list.len() - 1
        })
    }
}

/// JSON as the content of a script element: no text of it can end the element or open a comment.
fn script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e")
}

/// Text as HTML, fit for an element and for a quoted attribute. What no HTML may hold becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Each name once, in the order of first sight.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Digits in groups of three.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let comma = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(place, digit)| comma(place).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// The width in the view box of an SVG.
fn width(svg: &str) -> Option<f64> {
    let (_, rest) = svg.split_once("viewBox=\"")?;
    let numbers: Vec<f64> =
        rest.split('"').next()?.split([' ', ',']).filter_map(|number| number.parse().ok()).collect();
    numbers.get(2).copied().filter(|width| width.is_finite() && *width > 0.0)
}

/// An SVG document as an element of the page, every id of it and every reference to one prefixed. None where it is not
/// well-formed, or holds what can run or load something.
fn inline(svg: &str, prefix: &str) -> Option<String> {
    let mut rest = &svg[svg.find("<svg")?..];
    let mut out = String::with_capacity(svg.len());
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        out += &if open.last() == Some(&"style") { within(text, prefix) } else { text.to_owned() };
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = &comment[comment.find("-->")? + 3..];
            continue;
        }
        let tag = &rest[..end_of_tag(rest)?];
        rest = &rest[tag.len()..];
        if let Some(name) = tag.strip_prefix("</") {
            if open.pop()? != name.trim_end_matches('>').trim_end() {
                return None;
            }
            out += tag;
            if open.is_empty() {
                return Some(out);
            }
            continue;
        }
        let name = tag[1..].split([' ', '\t', '\n', '\r', '/', '>']).next()?;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || matches!(name, "script" | "foreignObject" | "iframe")
        {
            return None;
        }
        let closed = tag.ends_with("/>");
        out += &opening(name, &tag[1 + name.len()..tag.len() - if closed { 2 } else { 1 }], prefix)?;
        out += if closed { "/>" } else { ">" };
        if !closed {
            open.push(name);
        }
    }
    None
}

/// One past the `>` that ends a tag; one inside quotes does not.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

/// An opening tag, up to its end, with ids and references prefixed.
fn opening(name: &str, attributes: &str, prefix: &str) -> Option<String> {
    let mut out = format!("<{name}");
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (key, after) = (key.trim(), after.trim_start());
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        rest = after.trim_start();
        let value = match key {
            "id" => format!("{prefix}{value}"),
            "href" | "xlink:href" => match value.strip_prefix('#') {
                Some(id) => format!("#{prefix}{id}"),
                None if value.starts_with("data:image/") => value.to_owned(),
                None => return None,
            },
            "aria-labelledby" | "aria-describedby" => {
                value.split_whitespace().map(|id| format!("{prefix}{id}")).collect::<Vec<_>>().join(" ")
            }
            _ if key.to_ascii_lowercase().starts_with("on") => return None,
            _ => within(value, prefix),
        };
        out += &format!(" {key}={quote}{value}{quote}");
    }
    Some(out)
}

/// Style text with its `url(#id)` prefixed.
fn within(text: &str, prefix: &str) -> String {
    ["url(#", "url('#", "url(\"#"]
        .iter()
        .fold(text.to_owned(), |text, start| text.replace(start, &format!("{start}{prefix}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::finding::{Finding, Topic};
    use crate::store::OrderTurn;
    use crate::study::manifest::Manifest;
    use crate::task::{Choice, Context, Role};

    const HOSTILE: &str = "</script><script>x</script><!--<b a=\"1\" c='2'>&amp;</style></details>";
    const SVG: &str = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 240 100\" role=\"img\">\
        <defs><clipPath id=\"a\"><rect width=\"9\" height=\"9\"/></clipPath></defs><!-- a > b -->\
        <g clip-path=\"url(#a)\" aria-label=\"1 > 0\"><use href=\"#a\"/><text x='1'>n &lt; 3</text></g></svg>\n";

    fn item(text: &str) -> Item {
        let roles = [Role::Stereotyped, Role::Other, Role::Unknown];
        Item {
            id: text.into(),
            group: text.into(),
            category: text.into(),
            context: Some(Context::Ambig),
            polarity: None,
            dimension: String::new(),
            passage: String::new(),
            question: text.into(),
            options: roles.map(|role| Choice { text: text.into(), role }).into(),
            format: Format::Blank { before: text.into() },
            label: Some(2),
            target: Some(0),
            recorded: None,
        }
    }

    fn turn(item: &Item, round: usize, choice: usize) -> Turn {
        let logprobs: Vec<f64> =
            (0..3).map(|option| if option == choice { 0.5_f64.ln() } else { 0.25_f64.ln() }).collect();
        let order = |order: [usize; 3]| OrderTurn {
            order: order.into(),
            new_ids: vec![1],
            answer_ids: vec![2],
            answer: item.text(),
            ended: true,
            logprobs: logprobs.clone(),
            before: Vec::new(),
            answer_logprob: -1.0,
            texts: Vec::new(),
            parsed: None,
        };
        Turn {
            item: item.id.clone(),
            group: item.group.clone(),
            category: item.category.clone(),
            round,
            user: format!("Well: {} Answer.", item.text()),
            choice: Some(choice),
            unconditional: Vec::new(),
            orders: vec![order([0, 1, 2]), order([1, 2, 0])],
            samples: Vec::new(),
            logprobs,
        }
    }

    fn hostile() -> (Vec<Item>, Manifest) {
        let inputs = json!({
            "study": { "models": [{ "name": HOSTILE }], "dialogue": { "conditions": [HOSTILE], "rounds": 2 } },
            "conditions": { HOSTILE: { "about": HOSTILE } },
        });
        (
            vec![item(HOSTILE)],
            Manifest { inputs, key: HOSTILE.into(), checks: serde_json::Map::new(), figures: Vec::new() },
        )
    }

    fn said(items: &[Item]) -> Vec<Turn> {
        items.iter().flat_map(|item| [turn(item, 0, 0), turn(item, 1, 2)]).collect()
    }

    fn drawn() -> Vec<Drawn> {
        let figure = || Drawn { name: HOSTILE.into(), caption: HOSTILE.into(), svg: SVG.into() };
        vec![figure(), figure()]
    }

    fn full<'a>(items: &'a [Item], turns: &'a [Turn], manifest: &'a Manifest) -> Report<'a> {
        let mut long = Table::new(HOSTILE, HOSTILE, &[HOSTILE, "n"]);
        long.rows = vec![vec![HOSTILE.into(), "3".into()], vec![String::new(), String::new()]];
        let short = long.clone();
        long.rows.resize(LONG, vec![HOSTILE.into(), "<0.001".into()]);
        Report {
            title: HOSTILE,
            findings: vec![Finding::new(Topic::Answers, HOSTILE.into()).at(HOSTILE)],
            cautions: vec![HOSTILE.into()],
            own: Vec::new(),
            figures: Vec::new(),
            tables: vec![short, long],
            dialogues: vec![DialogueEntry {
                model: HOSTILE,
                task: HOSTILE,
                condition: HOSTILE,
                items,
                turns,
            }],
            manifest,
            methods: Vec::new(),
            cited: Vec::new(),
            references: String::new(),
        }
    }

    /// The opening tags of a page, after checking that every element is closed where it should be. Scripts and styles
    /// end where a browser ends them.
    fn tags(html: &str) -> Vec<String> {
        let (mut rest, mut open, mut all) = (html, Vec::new(), Vec::new());
        while let Some(start) = rest.find('<') {
            let tag = &rest[start..start + end_of_tag(&rest[start..]).expect("a tag without an end")];
            rest = &rest[start + tag.len()..];
            if let Some(name) = tag.strip_prefix("</") {
                assert_eq!(open.pop(), Some(name.trim_end_matches('>').to_owned()), "before {rest:.80}");
                continue;
            }
            let name = tag[1..].split([' ', '>', '/', '\n']).next().unwrap_or_default().to_owned();
            assert!(name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!'), "{tag}");
            all.push(tag.to_owned());
            if tag.ends_with("/>") || matches!(name.as_str(), "!DOCTYPE" | "meta" | "input" | "img") {
                continue;
            }
            if matches!(name.as_str(), "script" | "style") {
                let end = format!("</{name}");
                rest = &rest[rest.find(&end).expect("an end")..];
            }
            open.push(name);
        }
        assert_eq!(open, Vec::<String>::new());
        all
    }

    fn attributes(tags: &[String], name: &str) -> Vec<String> {
        let start = format!(" {name}=\"");
        let value = |tag: &String| {
            tag.split_once(&start).and_then(|(_, rest)| rest.split('"').next().map(str::to_owned))
        };
        tags.iter().filter_map(value).collect()
    }

    /// The JSON of the first model and task.
    fn data(html: &str) -> Value {
        let (_, rest) = html.split_once("class=\"dialogues\">").expect("a block");
        let (text, _) = rest.split_once("</script>").expect("its end");
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn hostile_text_in_every_field_stays_text() {
        let (items, manifest) = hostile();
        let said = said(&items);
        let html = page(&full(&items, &said, &manifest), &drawn());
        let tags = tags(&html);
        assert!(!tags.iter().any(|tag| tag.starts_with("<b ")), "the text opened an element");
        assert_eq!(
            tags.iter().filter(|tag| tag.starts_with("<script")).count(),
            2,
            "one of data, one of code"
        );
        assert_eq!(html.matches("<!--").count(), 0);
        let data = data(&html);
        assert_eq!(data["items"][0]["text"], HOSTILE);
        assert_eq!(data["conditions"][0], json!({ "name": HOSTILE, "about": HOSTILE }));
    }

    #[test]
    fn the_page_loads_nothing() {
        let (items, manifest) = hostile();
        let said = said(&items);
        let html = page(&full(&items, &said, &manifest), &drawn());
        let tags = tags(&html);
        for name in ["src", "href", "action", "srcset", "data"] {
            for address in attributes(&tags, name) {
                let local = ["#", "figures/", "tables/", "manifest.json"]
                    .iter()
                    .any(|start| address.starts_with(start));
                assert!(local && !address.contains("//"), "{address}");
            }
        }
        let rest = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for word in
            ["http:", "https:", "@import", "url(h", "url(/", "fetch(", "XMLHttpRequest", "eval(", "innerHTML"]
        {
            assert!(!rest.contains(word), "{word}");
        }
    }

    #[test]
    fn ids_are_unique_and_every_local_link_has_its_target() {
        let (items, manifest) = hostile();
        let said = said(&items);
        let html = page(&full(&items, &said, &manifest), &drawn());
        let tags = tags(&html);
        let ids = attributes(&tags, "id");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        for link in attributes(&tags, "href").iter().filter_map(|link| link.strip_prefix('#')) {
            assert!(ids.iter().any(|id| id == link), "{link}");
        }
        for (n, id) in [("f1-a", 1), ("f2-a", 1)] {
            assert_eq!(html.matches(&format!("url(#{n})")).count(), id);
            assert_eq!(html.matches(&format!("<use href=\"#{n}\"/>")).count(), id);
        }
        for label in attributes(&tags, "aria-labelledby") {
            assert!(ids.contains(&label), "{label}");
        }
    }

    #[test]
    fn the_same_study_gives_the_same_page() {
        let (items, manifest) = hostile();
        let said = said(&items);
        let full = || full(&items, &said, &manifest);
        assert_eq!(page(&full(), &drawn()), page(&full(), &drawn()));
    }

    #[test]
    fn what_a_study_lacks_leaves_no_heading() {
        let manifest = Manifest {
            inputs: Value::Null,
            key: String::new(),
            checks: serde_json::Map::new(),
            figures: Vec::new(),
        };
        let empty = Report {
            title: "bare",
            findings: Vec::new(),
            cautions: Vec::new(),
            own: Vec::new(),
            figures: Vec::new(),
            tables: Vec::new(),
            dialogues: Vec::new(),
            manifest: &manifest,
            methods: Vec::new(),
            cited: Vec::new(),
            references: String::new(),
        };
        let html = page(&empty, &[]);
        let tags = tags(&html);
        assert!(
            !tags
                .iter()
                .any(|tag| tag.starts_with("<section") || tag.starts_with("<h2") || tag.starts_with("<nav"))
        );
        let (items, manifest) = hostile();
        let said = said(&items);
        let one = page(&Report { tables: Vec::new(), ..full(&items, &said, &manifest) }, &[]);
        assert!(
            !one.contains("href=\"#tables\"")
                && !one.contains("id=\"figures\"")
                && one.contains("id=\"dialogues\"")
        );
    }

    #[test]
    fn a_drawing_that_could_run_or_load_something_is_shown_from_its_file() {
        let around = |inner: &str| format!("<svg viewBox=\"0 0 1 1\">{inner}</svg>");
        for inner in [
            "<script>x</script>",
            "<foreignObject/>",
            "<g onload=\"x\"/>",
            "<image href=\"far.png\"/>",
            "<a href=\"javascript:x\"/>",
            "<g>",
            "<g id=a/>",
            "</g>",
        ] {
            assert_eq!(inline(&around(inner), "p-"), None, "{inner}");
        }
        assert_eq!(inline("no drawing", "p-"), None);
        assert_eq!(
            inline(&around("<g id='a'/>"), "p-").as_deref(),
            Some("<svg viewBox=\"0 0 1 1\"><g id='p-a'/></svg>")
        );
        let entry = Drawn { name: "a b/c".into(), caption: "C".into(), svg: around("<script/>") };
        assert!(figure(1, &entry).contains("<img src=\"figures/a%20b%2Fc.svg\" alt=\"C\">"));
    }

    #[test]
    fn a_question_is_embedded_once_and_turns_keep_their_meaning() {
        let items = [Item { format: Format::Letters, ..item("Who?") }];
        let manifest = Manifest {
            inputs: Value::Null,
            key: String::new(),
            checks: serde_json::Map::new(),
            figures: Vec::new(),
        };
        let mut turns = vec![turn(&items[0], 0, 0), turn(&items[0], 1, 2)];
        turns[1].orders[0].parsed = Some(1);
        turns[1].orders[0].ended = false;
        turns[1].orders[1].logprobs = vec![0.0, -1.0, -2.0];
        turns[1].logprobs = vec![f64::NAN, -20.0, 0.0];
        let entry = DialogueEntry { model: "m", task: "t", condition: "c", items: &items, turns: &turns };
        let data = block(&[&entry], &manifest.inputs);
        assert_eq!(data["strings"], json!([["Well: ", " Answer."], "Who?"]));
        assert_eq!(
            data["items"][0]["rounds"],
            json!([[
                [0, 1, [500, 250, 250], 0, null, true, 2, 2, []],
                [0, 1, [null, 0, 1000], 2, 1, false, 1, 2, []]
            ]])
        );
        assert_eq!((&data["items"][0]["blank"], &data["note"]), (&json!(false), &json!("")));
    }

    #[test]
    fn options_stand_as_the_shown_prompt_lists_them_and_reasoning_is_told() {
        let items = [Item { format: Format::Letters, ..item("Who?") }];
        let mut turn = turn(&items[0], 0, 0);
        turn.orders[0].order = vec![2, 0, 1];
        turn.orders[0].parsed = Some(1);
        let said = |text: &str| text.to_owned();
        turn.orders[0].before.push(crate::store::Exchange {
            user: said("Think."),
            new_ids: Vec::new(),
            answer_ids: Vec::new(),
            answer: said("Hm."),
            ended: false,
        });
        let turns = vec![turn];
        let entry = DialogueEntry { model: "m", task: "t", condition: "c", items: &items, turns: &turns };
        let data = block(&[&entry], &Value::Null);
        let row = &data["items"][0]["rounds"][0][0];
        assert_eq!((&row[2], &row[3], &row[4]), (&json!([250, 500, 250]), &json!(1), &json!(2)));
        let before = &row[8][0];
        let text = |at: usize| &data["strings"][before[at].as_u64().expect("a number") as usize];
        assert_eq!((text(0), text(1), &before[2]), (&json!("Think."), &json!("Hm."), &json!(false)));
        let roles: Vec<&Value> = (0..3).map(|at| &data["items"][0]["options"][at][1]).collect();
        let file: Vec<Value> = items[0].options.iter().map(|option| json!(option.role)).collect();
        assert_eq!(roles, [&file[2], &file[0], &file[1]]);
        assert_eq!(data["items"][0]["label"], json!(0));
    }

    #[test]
    fn a_big_task_is_cut_evenly_over_its_categories_and_says_so() {
        let named = |index: usize| Item {
            id: format!("i{index}"),
            category: if index < 1500 { "large" } else { "small" }.into(),
            ..item("Who?")
        };
        let items: Vec<Item> = (0..1550).map(named).collect();
        let turns: Vec<Turn> = items.iter().map(|item| turn(item, 0, 0)).collect();
        let entry = DialogueEntry { model: "m", task: "t", condition: "c", items: &items, turns: &turns };
        let data = block(&[&entry], &Value::Null);
        let kept: Vec<&str> =
            data["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_str()).collect();
        assert_eq!(kept.len(), ITEMS);
        assert_eq!((kept[0], kept[149], kept[150], kept[199]), ("i0", "i149", "i1500", "i1549"));
        let note = "This page holds 200 of 1,550 items, spread over the categories; the rest are in m/t/*/turns-*.jsonl.";
        assert_eq!(data["note"], note);
    }

    #[test]
    fn an_item_that_a_condition_did_not_reach_has_no_rounds_there() {
        let items = [Item { id: "a".into(), ..item("Who?") }, Item { id: "b".into(), ..item("Who?") }];
        fn entry<'a>(condition: &'a str, items: &'a [Item], turns: &'a [Turn]) -> DialogueEntry<'a> {
            DialogueEntry { model: "m", task: "t", condition, items, turns }
        }
        let short = vec![turn(&items[0], 0, 0)];
        let long = vec![turn(&items[0], 0, 1), turn(&items[1], 0, 1)];
        let (first, second) = (entry("c", &items, &short), entry("d", &items, &long));
        let data = block(&[&first, &second], &Value::Null);
        assert_eq!(data["items"][1]["id"], "b");
        assert_eq!(data["items"][1]["rounds"].as_array().map(Vec::len), Some(2));
        assert_eq!(data["items"][1]["rounds"][0], json!([]));
    }

    #[test]
    fn columns_of_intervals_bounds_and_numbers_stand_to_the_right() {
        let mut table = Table::new("t", "T", &["name", "value", "interval", "p", "empty", "mixed"]);
        for (value, p) in [("1e-5", "<0.001"), ("-3", "0.2")] {
            table.rows.push(["a", value, "[0.2, 0.4]", p, "", "3 of"].map(str::to_owned).into());
        }
        let numeric: Vec<bool> = (0..6).map(|column| is_numeric(&table, column)).collect();
        assert_eq!(numeric, [false, true, true, true, false, false]);
        assert!(super::table(1, &table).contains("<th scope=\"row\">a</th><td class=\"num\">1e-5</td>"));
    }

    #[test]
    fn a_table_beyond_what_a_browser_opens_is_shown_in_part() {
        let mut table = Table::new("t", "T", &["n"]);
        table.rows = (0..1640).map(|n| vec![n.to_string()]).collect();
        let html = super::table(1, &table);
        assert!(html.contains("<summary>the first 500 of 1,640 rows</summary>"), "{}", &html[..400]);
        assert_eq!(html.matches("<tr>").count(), 501);
    }

    #[test]
    fn long_tables_are_folded_and_say_how_long() {
        let (items, manifest) = hostile();
        let said = said(&items);
        let html = page(&full(&items, &said, &manifest), &drawn());
        assert_eq!(html.matches(&format!("<summary>{LONG} rows</summary>")).count(), 1);
        assert_eq!(
            (grouped(7), grouped(1640), grouped(1_000_000)),
            ("7".into(), "1,640".into(), "1,000,000".into())
        );
    }
}

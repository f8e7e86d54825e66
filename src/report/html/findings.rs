//! The findings: what is clear first, what was looked for and not found folded below.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::Section;
use super::text::{counted, escape, wrap};
use crate::report::draw::Drawn;
use crate::report::finding::{Finding, Topic};

/// Findings that stand open: what is read in a minute or two.
const OPEN: usize = 12;

/// A number with its interval.
static ESTIMATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([+\-\u{2212}]?\d+(?:\.\d+)?(?:\s?%)?) (\[[^\[\]<>&]{1,40}\])").expect("a pattern")
});

/// Findings by topic, with links to `figures` as they are numbered on the page.
pub(super) fn section(findings: &[Finding], figures: &[&Drawn]) -> Section {
    let (clear, unclear): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| finding.clear);
    let (open, more) = first_of_each(&clear);
    let fold = |summary: &str, findings: &[&Finding]| {
        let open = format!("<details class=\"fold\"><summary>{summary}</summary>\n");
        wrap(&open, &by_topic(findings, figures), "</details>\n")
    };
    let none = "<p>Nothing stands clear of chance.</p>\n";
    let body = [
        if clear.is_empty() && !unclear.is_empty() { none.to_owned() } else { by_topic(&open, figures) },
        fold(&counted(more.len(), "more clear finding"), &more),
        fold(&format!("What was looked for and not found ({})", unclear.len()), &unclear),
    ];
    Section { id: "findings", heading: "Findings", parts: Vec::new(), body: body.concat() }
}

/// The findings that stand open, as evenly from every topic as they allow, and the rest; both in their order.
fn first_of_each<'a>(findings: &[&'a Finding]) -> (Vec<&'a Finding>, Vec<&'a Finding>) {
    let mut seen: BTreeMap<Topic, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::new(); // place in its topic, place in the list
    for (index, finding) in findings.iter().enumerate() {
        let place = seen.entry(finding.topic).or_default();
        ranked.push((*place, index));
        *place += 1;
    }
    ranked.sort_unstable();
    let mut open: Vec<usize> = ranked.iter().take(OPEN).map(|(_, index)| *index).collect();
    open.sort_unstable();
    let (open, rest): (Vec<_>, Vec<_>) =
        findings.iter().enumerate().partition(|(index, _)| open.binary_search(index).is_ok());
    let bare =
        |findings: Vec<(usize, &&'a Finding)>| findings.into_iter().map(|(_, finding)| *finding).collect();
    (bare(open), bare(rest))
}

fn by_topic(findings: &[&Finding], figures: &[&Drawn]) -> String {
    let same = findings.chunk_by(|one, next| one.topic == next.topic);
    let topic = |findings: &[&Finding]| {
        let items: String = findings.iter().map(|finding| item(finding, figures)).collect();
        format!("<h3>{}</h3>\n<ul>\n{items}</ul>\n", findings[0].topic.heading())
    };
    same.map(topic).collect()
}

fn item(finding: &Finding, figures: &[&Drawn]) -> String {
    let place = |name: &String| figures.iter().position(|figure| figure.name == *name);
    let link = finding.figure.as_ref().and_then(place).map_or_else(String::new, |index| {
        format!(" <a class=\"shown\" href=\"#figure-{0}\">Figure {0}</a>", index + 1)
    });
    format!("<li>{}{link}</li>\n", marked(&finding.text))
}

/// Text as HTML in which a number with its interval catches the eye.
fn marked(text: &str) -> String {
    let text = escape(text);
    ESTIMATE.replace_all(&text, "<b class=\"value\">$1</b> <span class=\"range\">$2</span>").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(topic: Topic, text: &str) -> Finding {
        Finding::new(topic, text.into())
    }

    #[test]
    fn every_topic_is_told_of_before_any_is_told_out() {
        let mut all: Vec<Finding> = (0..20).map(|n| found(Topic::Answers, &format!("a{n}"))).collect();
        all.extend([found(Topic::Probes, "p0"), found(Topic::Weights, "w0"), found(Topic::Weights, "w1")]);
        let (open, more) = first_of_each(&all.iter().collect::<Vec<_>>());
        let texts: Vec<&str> = open.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(texts, ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "p0", "w0", "w1"]);
        assert_eq!(more.len(), 11);
    }

    #[test]
    fn what_is_not_clear_is_folded_below_what_is() {
        let all = [found(Topic::Answers, "nothing").clear(false), found(Topic::Probes, "something")];
        let body = section(&all, &[]).body;
        let (open, folded) = body.split_once("<details").expect("a fold");
        assert!(open.contains("<li>something</li>") && !open.contains("nothing"), "{body}");
        assert!(folded.contains("not found (1)") && folded.contains("<li>nothing</li>"), "{body}");
        assert!(section(&all[..1], &[]).body.starts_with("<p>Nothing stands clear of chance.</p>"));
    }

    #[test]
    fn a_finding_ends_with_the_number_of_its_figure_where_there_is_one() {
        let drawn = |name: &str| Drawn { name: name.into(), caption: String::new(), svg: String::new() };
        let (one, two) = (drawn("one"), drawn("two"));
        let all = [found(Topic::Answers, "a").at("two"), found(Topic::Answers, "b").at("three")];
        let body = section(&all, &[&one, &two]).body;
        assert!(body.contains("<li>a <a class=\"shown\" href=\"#figure-2\">Figure 2</a></li>"), "{body}");
        assert!(body.contains("<li>b</li>"), "{body}");
    }

    #[test]
    fn estimates_are_marked_and_their_text_is_kept() {
        let html = marked("by -0.55 [-0.60, -0.50] (p < 0.05), 99 % [1, 2]");
        assert!(
            html.starts_with("by <b class=\"value\">-0.55</b> <span class=\"range\">[-0.60, -0.50]</span>")
        );
        assert!(html.contains("(p &lt; 0.05)") && html.contains("<b class=\"value\">99 %</b>"), "{html}");
        assert_eq!(marked("a [b]"), "a [b]");
    }
}

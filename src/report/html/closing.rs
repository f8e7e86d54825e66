//! What a paper takes over: the methods in words, and the references.

use super::Section;
use super::text::{escape, wrap};

/// The methods, a paragraph each; an empty section where there is none.
#[must_use]
pub(super) fn methods(paragraphs: &[String]) -> Section {
    let body = paragraphs.iter().map(|text| format!("<p>{}</p>\n", escape(text))).collect();
    Section { id: "methods", heading: "Methods", parts: Vec::new(), body }
}

/// The references as BibTeX, to be copied; an empty section where there is none.
#[must_use]
pub(super) fn references(bibtex: &str) -> Section {
    let open = "<p class=\"scripted\"><button type=\"button\" class=\"copy\" data-of=\"bibtex\">Copy BibTeX</button> \
                <span class=\"note\" role=\"status\" aria-live=\"polite\"></span></p>\n\
                <pre id=\"bibtex\" tabindex=\"0\">";
    let body = wrap(open, &escape(bibtex), "</pre>\n");
    Section { id: "references", heading: "References", parts: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_paragraphs_of_text() {
        let section = methods(&["One & two.".into(), "<b>".into()]);
        assert_eq!(section.body, "<p>One &amp; two.</p>\n<p>&lt;b&gt;</p>\n");
        assert!(methods(&[]).body.is_empty());
    }

    #[test]
    fn references_are_text_beside_a_button_that_copies_them() {
        let section = references("@article{a, title = {</pre>}}");
        assert!(section.body.contains("data-of=\"bibtex\""));
        assert!(section.body.contains("@article{a, title = {&lt;/pre&gt;}}</pre>"));
        assert!(references("").body.is_empty());
    }
}

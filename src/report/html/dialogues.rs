//! The reader's controls, and what it reads.

use super::block::{block, turns_files};
use super::text::escape;
use super::{Section, packed};
use crate::report::{DialogueEntry, Report};

/// The reader's controls, and one packed block of JSON per model and task.
pub(super) fn section(page: &Report<'_>) -> Section {
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
        blocks += &packed::script("dialogues", &data.to_string());
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

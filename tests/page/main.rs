//! The report's page in a browser: what is sorted, searched, opened, coloured and printed.

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod large;
mod small;

use std::fs;

use browser::Browser;
use common::study::Desk;
use common::tensors;
use serde_json::{Value, json};
use small::page;

/// What a script finds in the page; nothing where there is no browser.
fn found(script: &str) -> Option<Value> {
    Some(Browser::new()?.run(&page(), script))
}

#[test]
fn a_table_is_sorted_by_its_numbers_and_what_is_undefined_comes_last() {
    let script = "
        document.querySelector('.table details').open = true;
        const heads = [...document.querySelectorAll('#table-1 thead button')];
        const rows = () => [...document.querySelectorAll('#table-1 tbody tr')];
        const column = (n) => rows().map((row) => row.cells[n].textContent).filter((_, at) => at % 6 === 0);
        const told = {};
        for (const n of [1, 2, 3]) {
          heads[n].click();
          told['up' + n] = column(n);
          told.state = heads[n].parentElement.getAttribute('aria-sort');
          heads[n].click();
          told['down' + n] = column(n);
          heads[n].click();
        }
        told.back = rows().slice(0, 4).map((row) => row.cells[0].textContent);
        return told;";
    let Some(told) = found(script) else { return };
    assert_eq!(told["up1"], json!(["\u{2212}0.3", "2.5", "10", "\u{2013}"]));
    assert_eq!(told["down1"], json!(["10", "2.5", "\u{2212}0.3", "\u{2013}"]));
    assert_eq!(told["up2"], json!(["[-1.0, 0.4]", "[0.2, 0.4]", "[10, 11]", "\u{2013}"]));
    assert_eq!(told["up3"], json!(["<0.001", "0.001", "0.2", ">0.9"]));
    assert_eq!(told["down3"], json!([">0.9", "0.2", "0.001", "<0.001"]));
    assert_eq!(told["back"], json!(["baseline", "negation", "neutral", "negation 2"]));
    assert_eq!(told["state"], "ascending");
}

#[test]
fn a_searched_table_keeps_the_rows_that_hold_every_word_and_counts_them() {
    let script = "
        const input = document.querySelector('.search input');
        const seen = () => [...document.querySelectorAll('#table-1 tbody tr')].filter((row) => !row.hidden).length;
        const count = () => document.querySelector('.search .note').textContent;
        const told = [[seen(), count()]];
        for (const words of ['NEGATION', 'negation 2.5', 'nowhere', '']) {
          input.value = words;
          input.dispatchEvent(new Event('input'));
          told.push([seen(), count()]);
        }
        return told;";
    let Some(told) = found(script) else { return };
    let expected = json!([
        [24, "24 rows"],
        [12, "12 of 24 rows"],
        [6, "6 of 24 rows"],
        [0, "0 of 24 rows"],
        [24, "24 rows"]
    ]);
    assert_eq!(told, expected);
}

#[test]
fn a_long_table_is_complete_once_it_is_open() {
    let script = "
        const fold = document.querySelector('#table-2 details');
        const rows = () => [...fold.querySelectorAll('tbody tr')];
        const told = { before: rows().length };
        fold.open = true;
        await until(() => fold.querySelector('thead button'));
        told.after = rows().length;
        told.last = rows()[99].outerHTML;
        told.rest = fold.querySelector('.rest');
        fold.querySelectorAll('thead button')[1].click();
        fold.querySelectorAll('thead button')[1].click();
        told.first = rows()[0].textContent;
        return told;";
    let Some(told) = found(script) else { return };
    assert_eq!((&told["before"], &told["after"], &told["rest"]), (&json!(40), &json!(100), &Value::Null));
    let last = "<tr><th scope=\"row\">row 99</th><td class=\"num\"><span class=\"undefined\" title=\"undefined\">\u{2013}</span></td></tr>";
    assert_eq!(told["last"], last);
    assert_eq!(told["first"], "row 9898");
}

#[test]
fn an_item_opens_with_its_rounds_its_scores_and_its_words() {
    let script = "
        document.getElementById('dialogues').scrollIntoView();
        await until(() => document.querySelectorAll('.item').length > 0);
        const item = document.querySelector('.item');
        item.open = true;
        await until(() => item.querySelector('.round'));
        const told = {
          count: document.getElementById('count').textContent,
          rounds: [...item.querySelectorAll('.round h3')].map((head) => head.textContent),
          said: [...item.querySelectorAll('.round')].map((round) => round.querySelectorAll('.model').length),
          traces: item.querySelectorAll('svg.trace').length,
          label: item.querySelector('svg.trace').getAttribute('aria-label'),
          before: item.querySelectorAll('.word').length,
        };
        const select = item.querySelector('.switches select');
        told.choices = [...select.options].map((option) => option.textContent);
        select.value = 'kind';
        select.dispatchEvent(new Event('change'));
        const words = [...item.querySelectorAll('.words .word')];
        told.words = words.slice(0, 3).map((word) => [word.textContent, word.className, word.style.getPropertyValue('--share')]);
        told.tinted = getComputedStyle(words[0]).backgroundColor !== getComputedStyle(words[1]).backgroundColor;
        words[1].dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
        told.near = item.querySelector('.switches .told').textContent;
        item.querySelector('svg.trace').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
        told.point = item.querySelector('.tracks .told').textContent;
        return told;";
    let Some(told) = found(script) else { return };
    assert_eq!(told["count"], "1\u{2013}20 of 30 items");
    assert_eq!(told["rounds"], json!(["Round 0", "Round 1"]));
    // Both conditions say the same in round 0, and it stands once.
    assert_eq!(told["said"], json!([1, 2]));
    assert_eq!((&told["traces"], &told["before"]), (&json!(4), &json!(0)));
    assert_eq!(told["label"], "kind: round 0 \u{2212}1.25, round 1 \u{2212}0.25");
    assert_eq!(told["choices"], json!(["as they are", "by kind", "by fair"]));
    let words =
        json!([["Please", "word high", "100%"], [" answer", "word low", "100%"], ["I", "word high", "17%"]]);
    assert_eq!(told["words"], words);
    assert_eq!(told["tinted"], true);
    assert_eq!(told["near"], "\u{201c}answer\u{201d} \u{2212}1.50 s.d.");
    assert_eq!(told["point"], "round 1: \u{2212}0.25");
}

#[test]
fn the_scores_of_a_run_stand_beside_its_dialogues() {
    let Some(browser) = Browser::new() else { return };
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let html = fs::read_to_string(run.join("report.html")).expect("the page");
    let script = "
        document.getElementById('dialogues').scrollIntoView();
        await until(() => document.querySelector('.item'));
        const item = [...document.querySelectorAll('.item')][1];
        item.open = true;
        await until(() => item.querySelector('svg.trace'));
        return [...item.querySelectorAll('svg.trace')].map((line) => line.getAttribute('aria-label'));";
    let told = browser.run(&html, script);
    let about: Value =
        serde_json::from_slice(&fs::read(run.join("probes/tiny/kind.json")).expect("probes")).expect("JSON");
    let layer = about["best_layer"].as_u64().expect("a layer") as usize;
    let layers = about["layers"].as_array().expect("layers");
    let place = layers.iter().position(|own| own["layer"] == layer).expect("the best layer is one of them");
    let scores = &tensors(&run.join("probes/tiny/scores/kind/bbq.safetensors"))["resid_post"];
    let [_, items, rounds, positions, places] = scores.shape[..] else { panic!("{:?}", scores.shape) };
    let score = |arm: usize, round: usize| {
        let value = scores.values[(((arm * items + 1) * rounds + round) * positions) * places + place];
        format!("{value:.2}").replace('-', "\u{2212}")
    };
    let line = |arm| format!("kind: round 0 {}, round 1 {}", score(arm, 0), score(arm, 1));
    assert_eq!(told, json!([line(0), line(1)]));
}

#[test]
fn items_are_found_by_their_words_and_by_what_happened() {
    let script = "
        window.dispatchEvent(new KeyboardEvent('keydown', { key: '/' }));
        await until(() => document.querySelectorAll('.item').length > 0);
        const told = { focused: document.activeElement.id };
        const find = document.getElementById('find');
        find.value = 'number 7 met';
        find.dispatchEvent(new Event('input'));
        told.found = [...document.querySelectorAll('.item b')].map((name) => name.textContent);
        find.value = '';
        const kind = document.getElementById('kind');
        kind.value = 'down';
        kind.dispatchEvent(new Event('change'));
        told.none = document.getElementById('count').textContent;
        told.kinds = [...kind.options].map((option) => option.textContent);
        return told;";
    let Some(told) = found(script) else { return };
    assert_eq!((&told["focused"], &told["found"]), (&json!("find"), &json!(["item-7"])));
    assert_eq!(told["none"], "No item");
    assert_eq!(told["kinds"][2], "wrong to right (30)");
}

#[test]
fn drawings_are_opened_in_the_place_that_was_kept_for_them() {
    let script = "
        const figures = [...document.querySelectorAll('figure')];
        const heights = () => figures.map((figure) => figure.querySelector('.card').offsetHeight);
        const before = heights();
        for (const figure of figures) {
          figure.scrollIntoView();
          await until(() => figure.querySelector('circle'));
        }
        return {
          before, after: heights(),
          ids: figures.map((figure) => figure.querySelector('clipPath').id),
          clipped: figures.map((figure) => figure.querySelector('g').getAttribute('clip-path')),
        };";
    let Some(told) = found(script) else { return };
    assert_eq!(told["before"], told["after"]);
    assert!(told["after"][0].as_u64().is_some_and(|height| height > 100), "{told}");
    assert_eq!(told["ids"], json!(["f1-a", "f2-a", "f3-a", "f4-a"]));
    assert_eq!(told["clipped"][3], "url(#f4-a)");
}

#[test]
fn the_theme_turns_and_the_keys_are_shown() {
    let script = "
        const paper = () => getComputedStyle(document.body).backgroundColor;
        const told = { light: paper() };
        document.getElementById('theme').click();
        told.dark = paper();
        told.kept = localStorage.getItem('recant-theme');
        window.dispatchEvent(new KeyboardEvent('keydown', { key: 't' }));
        told.again = paper();
        window.dispatchEvent(new KeyboardEvent('keydown', { key: '?' }));
        told.open = document.querySelector('dialog').open;
        return told;";
    let Some(told) = found(script) else { return };
    assert_ne!(told["light"], told["dark"]);
    assert_eq!(
        (&told["light"], &told["kept"], &told["open"]),
        (&told["again"], &json!("dark"), &json!(true))
    );
}

#[test]
fn the_contents_follow_the_reader_and_a_finding_leads_to_its_figure() {
    let script = "
        const link = document.querySelector('#findings a.shown');
        const told = { link: link.textContent };
        location.hash = link.getAttribute('href');
        await until(() => document.querySelector('nav [aria-current]'));
        await until(() => document.querySelector('nav [aria-current]').textContent === '1 behaviour-base');
        told.unfolded = document.querySelector('nav [aria-current]').closest('details').open;
        told.wide = document.documentElement.scrollWidth <= innerWidth;
        return told;";
    let Some(told) = found(script) else { return };
    assert_eq!(told, json!({ "link": "Figure 1", "unfolded": true, "wide": true }));
}

#[test]
fn on_a_phone_nothing_but_figures_and_tables_is_wider_than_the_screen() {
    let whole = json!(page()).to_string().replace('<', "\\u003c");
    let script = format!(
        "const frame = document.createElement('iframe');
         frame.style = 'width: 360px; height: 700px; border: 0';
         frame.srcdoc = {whole};
         document.body.replaceChildren(frame);
         await new Promise((go) => frame.addEventListener('load', go));
         const inner = frame.contentDocument;
         inner.querySelectorAll('details').forEach((fold) => {{ fold.open = true; }});
         inner.getElementById('dialogues').scrollIntoView();
         await until(() => inner.querySelector('.item'));
         inner.querySelector('.item').open = true;
         await until(() => inner.querySelector('.round') && inner.querySelector('.search'));
         return inner.documentElement.scrollWidth - inner.documentElement.clientWidth;"
    );
    let Some(told) = found(&script) else { return };
    assert_eq!(told, 0);
}

#[test]
fn references_are_copied_or_selected_for_whoever_copies_them() {
    let Some(browser) = Browser::new() else { return };
    let script = "
        document.querySelector('button.copy').click();
        const note = document.querySelector('button.copy').nextElementSibling;
        await until(() => note.textContent !== '');
        return [getSelection().toString(), note.textContent];";
    let told = browser.run(&page(), script);
    assert_eq!(told[0].as_str().map(str::trim), Some("@misc{a}"));
}

#[test]
fn a_print_holds_every_drawing_and_has_several_pages() {
    let Some(browser) = Browser::new() else { return };
    let pdf = browser.print(&page());
    let text = String::from_utf8_lossy(&pdf);
    let pages = text.matches("/Type /Page").count() - text.matches("/Type /Pages").count();
    assert!(pdf.starts_with(b"%PDF") && pages > 1, "{pages} pages");
    let script = "
        for (let frames = 0; frames < 60; frames += 1) await pause();
        dispatchEvent(new Event('beforeprint'));
        return document.querySelectorAll('figure circle').length;";
    assert_eq!(browser.run(&page(), script), 4);
}

#[test]
fn the_page_of_five_hundred_items_is_smaller_than_ten_megabytes() {
    let page = large::page();
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
    let Some(browser) = Browser::new() else { return };
    let script = "
        document.querySelector('#dialogues').scrollIntoView();
        await until(() => document.querySelector('.item'));
        return document.querySelector('#count').textContent;";
    assert_eq!(browser.run(&page, script), "1\u{2013}20 of 500 items");
}

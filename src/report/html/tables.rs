//! The tables, as a browser shows them.

use serde_json::json;

use super::families::Family;
use super::text::{counted, escape, grouped};
use super::{Section, files, grouped_by_family, packed};
use crate::report::Table;

/// Rows from which on a table is folded.
pub(super) const LONG: usize = 16;

/// Rows that are there at once; further ones are opened with the table.
const READY: usize = 40;

/// Rows of a table that the page shows: what a browser opens at once. The files hold all.
const SHOWN: usize = 500;

/// Every table with its number.
pub(super) fn section(tables: &[&Table]) -> Section {
    let family = |table: &Table| Family::of(&table.name);
    grouped_by_family("tables", "Tables", tables, |table| &table.name, family, table)
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
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"table-{n}-c\"><table>\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>",
        table.header.iter().enumerate().map(head).collect::<String>(),
        table.rows.iter().take(READY).map(row).collect::<String>(),
    );
    let rows = table.rows.len();
    let summary = match rows {
        n if n > SHOWN => format!("the first {} of {}", grouped(SHOWN), counted(n, "row")),
        n => counted(n, "row"),
    };
    let grid = match rows {
        0 => "<p class=\"note\">No rows.</p>".to_owned(),
        LONG.. => format!("<details><summary>{summary}</summary>\n{grid}{}\n</details>", rest(table)),
        _ => grid,
    };
    format!(
        "<div class=\"table\" id=\"table-{n}\">\n<p id=\"table-{n}-c\"><span class=\"number\">Table {n}.</span> {}</p>\n\
         {grid}\n{}</div>\n",
        escape(&table.caption),
        files("tables", &table.name, &["csv", "tex"]),
    )
}

/// The rows that are opened with the table.
fn rest(table: &Table) -> String {
    let rows: Vec<&Vec<String>> = table.rows.iter().take(SHOWN).skip(READY).collect();
    if rows.is_empty() {
        return String::new();
    }
    let note =
        format!("\n<p class=\"note rest\">The first {READY} rows; all of them are in the files.</p>\n");
    note + packed::script("rows", &json!(rows).to_string()).trim_end()
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

#[cfg(test)]
mod tests {
    use super::super::packed::tests::opened;
    use super::*;

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
        assert_eq!(html.matches("<tr>").count(), 1 + READY);
        let rest: Vec<[String; 1]> = serde_json::from_str(&opened(&html, "rows")[0]).expect("rows");
        assert_eq!((rest.len(), &rest[0], &rest[459]), (460, &["40".into()], &["499".into()]));
    }
}

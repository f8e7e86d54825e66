//! A table: the same cells as CSV, LaTeX and HTML.

use super::latex::{Tabular, tabular};

/// A table of text cells; numbers are formatted by whoever fills it, an undefined one is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The name of its files in `tables/`.
    pub name: String,
    /// What it holds, with units.
    pub caption: String,
    /// Column heads.
    pub header: Vec<String>,
    /// Rows, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(name: &str, caption: impl Into<String>, header: &[&str]) -> Self {
        let header = header.iter().map(|head| (*head).to_string()).collect();
        Self { name: name.into(), caption: caption.into(), header, rows: Vec::new() }
    }

    /// A table from the text that [`Table::csv`] made; its caption is not in it.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> Self {
        let mut table = Self { name: name.into(), ..Self::default() };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        table.header = reader.headers().map(cells).unwrap_or_default();
        // A row of another length than the header was not written by this program.
        table.rows = reader.records().filter_map(|record| Some(cells(&record.ok()?))).collect();
        table
    }

    /// A row's cell by the head of its column; empty where there is no such column.
    #[must_use]
    pub fn cell<'r>(&self, row: &'r [String], head: &str) -> &'r str {
        let place = self.header.iter().position(|own| own == head);
        place.and_then(|place| row.get(place)).map_or("", String::as_str)
    }

    /// As CSV with a header line.
    #[must_use]
    pub fn csv(&self) -> String {
        let cell = |text: &String| {
            if text.contains([',', '"', '\n']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.clone()
            }
        };
        let line = |cells: &Vec<String>| cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        std::iter::once(&self.header).chain(&self.rows).map(line).collect()
    }

    /// As a LaTeX `tabular` with booktabs rules, every row of it; what must be said beside it is a comment.
    #[must_use]
    pub fn latex(&self) -> String {
        let Tabular { body, note } = tabular(self, usize::MAX);
        let said = format!("{} {note}", self.caption.replace('\n', " "));
        format!("% {}\n{body}", said.trim_end())
    }

    /// Whether every filled cell of a column is a number.
    #[must_use]
    pub fn is_numeric(&self, column: usize) -> bool {
        let mut cells =
            self.rows.iter().map(|row| row[column].as_str()).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive_csv_and_latex() {
        let mut table = Table::new("t", "A table", &["name", "n"]);
        table.rows.push(vec!["a, \"b\" & 5 %".into(), "3".into()]);
        assert_eq!(table.csv(), "name,n\n\"a, \"\"b\"\" & 5 %\",3\n");
        assert_eq!(Table { caption: "A table".into(), ..Table::parse("t", &table.csv()) }, table);
        assert_eq!([table.cell(&table.rows[0], "n"), table.cell(&table.rows[0], "m")], ["3", ""]);
        let latex = table.latex();
        assert!(latex.contains("a, ``b'' \\& 5 \\% & 3 \\\\"), "{latex}");
        assert!(latex.starts_with("% A table\n\\begin{tabular}{@{}lr@{}}"), "{latex}");
    }
}

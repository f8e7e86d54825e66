//! Text and tables as LaTeX, for `pdflatex` with T1 fonts and booktabs.

use super::Table;

/// What one column of a table becomes.
enum Column {
    /// Its cells as they are.
    Plain(usize),
    /// A number with its interval, and the column whose p says how sure it is.
    Value { at: usize, p: Option<usize> },
}

/// Which of several values is the best.
#[derive(Clone, Copy)]
enum Better {
    Higher,
    Nearest(f64),
    /// The row's measure says it.
    OfMeasure,
}

/// Where a best is defined: in columns whose heads begin so, among rows that have these cells in common.
struct Best {
    table: &'static str,
    column: &'static str,
    better: Better,
    among: &'static [&'static str],
}

const BEST: &[Best] = &[
    Best {
        table: "behaviour",
        column: "value",
        better: Better::OfMeasure,
        among: &["model", "task", "scoring", "measure", "round"],
    },
    Best {
        table: "paper_behaviour",
        column: "round_",
        better: Better::OfMeasure,
        among: &["model", "task", "measure"],
    },
    Best { table: "probes", column: "auroc", better: Better::Higher, among: &["model", "concept", "site"] },
    Best { table: "alignment", column: "preferred", better: Better::Higher, among: &[] },
];

/// Better is a measure that is higher, or nearer to a value; a measure that is not here has no best.
const MEASURES: &[(&str, Better)] = &[
    ("accuracy_gap", Better::Nearest(0.0)),
    ("accuracy", Better::Higher),
    ("bias", Better::Nearest(0.0)),
    ("neutral", Better::Higher),
    ("stereotype_share", Better::Nearest(0.5)),
    ("stereotyped_share", Better::Nearest(0.0)),
    ("unknown_share", Better::Higher),
];

/// Levels of p and their marks.
const MARKS: [(f64, &str); 3] = [(0.001, "***"), (0.01, "**"), (0.05, "*")];

/// A table as a `tabular`, and what must be said below it.
pub struct Tabular {
    /// The `tabular` with booktabs rules.
    pub body: String,
    /// What brackets, bold and marks mean, and what all rows have in common; LaTeX.
    pub note: String,
}

/// Text with everything that LaTeX would take for a command escaped, and characters that T1 fonts lack put in words.
#[must_use]
pub fn escape(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let (c, next) = (letters[at], letters.get(at + 1).copied());
        let raised = |command: &str| {
            let end = letters[at..].iter().position(|&c| c == '}')? + at;
            let inner: String = letters[at + 2..end].iter().collect();
            Some((format!("{command}{{{}}}", escape(&inner)), end + 1))
        };
        let script = match (c, next) {
            ('_', Some('{')) => raised("\\textsubscript"),
            ('^', Some('{')) => raised("\\textsuperscript"),
            _ => None,
        };
        if let Some((script, after)) = script {
            out += &script;
            at = after;
            continue;
        }
        let opens = at == 0 || !letters[at - 1].is_alphanumeric() && letters[at - 1] != '-';
        match c {
            '"' => out += if opens { "``" } else { "''" },
            '-' if opens && next.is_some_and(|next| next.is_ascii_digit()) => out += "$-$",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            ' '..='~' if !matches!(c, '\\' | '~' | '^') => out.push(c),
            '\u{c0}'..='\u{17e}' if !matches!(c, '\u{d7}' | '\u{f7}') => out.push(c),
            other => out += &named(other),
        }
        at += 1;
    }
    out
}

/// A character that is no plain letter of T1 fonts.
fn named(c: char) -> String {
    let known = match c {
        '\\' => "\\textbackslash{}",
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '\n' | '\t' | '\u{a0}' => " ",
        '\u{2212}' => "$-$",
        '\u{2013}' => "--",
        '\u{2014}' => "---",
        '\u{201c}' => "``",
        '\u{201d}' => "''",
        '\u{2018}' => "`",
        '\u{2019}' => "'",
        '\u{2026}' => "\\dots{}",
        '\u{2423}' => "\\textvisiblespace{}",
        '×' => "$\\times$",
        '÷' => "$\\div$",
        '±' => "$\\pm$",
        '·' => "$\\cdot$",
        '°' => "$^{\\circ}$",
        '≤' => "$\\leq$",
        '≥' => "$\\geq$",
        '≈' => "$\\approx$",
        '≠' => "$\\neq$",
        '→' => "$\\to$",
        '√' => "$\\surd$",
        '∞' => "$\\infty$",
        'α' => "$\\alpha$",
        'β' => "$\\beta$",
        'γ' => "$\\gamma$",
        'δ' => "$\\delta$",
        'Δ' => "$\\Delta$",
        'λ' => "$\\lambda$",
        'μ' | 'µ' => "$\\mu$",
        'ρ' => "$\\rho$",
        'σ' => "$\\sigma$",
        'Σ' => "$\\Sigma$",
        '²' => "$^2$",
        '³' => "$^3$",
        '₀'..='₉' => return format!("$_{}$", u32::from(c) - u32::from('₀')),
        _ => return format!("\\texttt{{U+{:04X}}}", u32::from(c)),
    };
    known.to_owned()
}

/// A table in at most `most` rows: numbers with their intervals in one cell, columns that say nothing left out.
#[must_use]
pub fn tabular(table: &Table, most: usize) -> Tabular {
    let columns = columns(table);
    let (common, shown): (Vec<Column>, Vec<Column>) = columns
        .into_iter()
        .filter(|column| is_filled(table, column))
        .partition(|column| is_common(table, column));
    let bold = best(table);
    let kept = table.rows.len().min(most);
    let mut body = String::new();
    for row in 0..kept {
        let cell = |column: &Column| match *column {
            Column::Value { at, p } => value(&table.rows[row], at, p, bold.contains(&(row, at))),
            Column::Plain(at) => escape(&table.rows[row][at]),
        };
        // A block's name stands in its first row alone.
        let named =
            shown.iter().take_while(|column| matches!(column, Column::Plain(at) if !table.is_numeric(*at)));
        let repeated = match row {
            0 => 0,
            _ => named
                .take_while(|column| table.rows[row][column.at()] == table.rows[row - 1][column.at()])
                .count(),
        };
        let new_block =
            row > 0 && repeated == 0 && shown.first().is_some_and(|first| blocks(table, first.at()));
        if new_block {
            body += "\\addlinespace\n";
        }
        let cells = shown.iter().enumerate();
        let cells = cells.map(|(place, column)| if place < repeated { String::new() } else { cell(column) });
        body += &(cells.collect::<Vec<_>>().join(" & ") + " \\\\\n");
    }
    let align: String = shown.iter().map(|column| if column.is_text(table) { 'l' } else { 'r' }).collect();
    let heads: Vec<String> = shown.iter().map(|column| head(&table.header[column.at()])).collect();
    let body = format!(
        "\\begin{{tabular}}{{@{{}}{align}@{{}}}}\n\\toprule\n{} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n",
        heads.join(" & "),
    );
    Tabular { body, note: note(table, &common, &shown, &bold, kept) }
}

impl Column {
    fn at(&self) -> usize {
        match *self {
            Self::Plain(at) | Self::Value { at, .. } => at,
        }
    }

    fn is_text(&self, table: &Table) -> bool {
        matches!(self, Self::Plain(at) if !table.is_numeric(*at))
    }
}

/// What the columns become. A number is followed by the ends of its interval, whose heads say of what they are.
fn columns(table: &Table) -> Vec<Column> {
    let head = |at: usize| table.header.get(at).map_or("", String::as_str);
    let mut hidden = Vec::new();
    let mut columns = Vec::new();
    for at in 0..table.header.len() {
        let of = head(at + 1).strip_suffix("low").filter(|of| head(at + 2) == format!("{of}high"));
        if let Some(of) = of {
            // The sternest of the tests decides.
            let tests = ["p_max", "q", "p"].map(|test| format!("{of}{test}"));
            let places: Vec<usize> =
                tests.iter().filter_map(|test| table.header.iter().position(|head| head == test)).collect();
            columns.push(Column::Value { at, p: places.first().copied() });
            hidden.extend([at + 1, at + 2]);
            hidden.extend(places);
        } else {
            columns.push(Column::Plain(at));
        }
    }
    columns.retain(|column| !hidden.contains(&column.at()));
    columns
}

fn is_filled(table: &Table, column: &Column) -> bool {
    table.rows.iter().any(|row| !row[column.at()].is_empty())
}

/// Whether a column says the same in every row, so that it can be said once.
fn is_common(table: &Table, column: &Column) -> bool {
    let Column::Plain(at) = *column else { return false };
    table.rows.len() > 1 && table.rows.iter().all(|row| row[at] == table.rows[0][at])
}

/// Whether a column names blocks of rows.
fn blocks(table: &Table, at: usize) -> bool {
    !table.is_numeric(at) && table.rows.windows(2).any(|rows| rows[0][at] == rows[1][at])
}

/// A number, its interval and the mark of its test.
fn value(row: &[String], at: usize, p: Option<usize>, bold: bool) -> String {
    if row[at].is_empty() {
        return String::new();
    }
    let p = p.and_then(|p| row[p].parse::<f64>().ok());
    let mark = p.and_then(|p| MARKS.iter().find(|(level, _)| p < *level)).map_or("", |(_, mark)| mark);
    let mark = if mark.is_empty() { String::new() } else { format!("$^{{{mark}}}$") };
    let number = short(&row[at]);
    let number = if bold { format!("\\textbf{{{number}}}") } else { number };
    let interval = match [&row[at + 1], &row[at + 2]] {
        [low, high] if low.is_empty() || high.is_empty() => String::new(),
        [low, high] => format!(" {{\\small [{}, {}]}}", short(low), short(high)),
    };
    format!("{number}{mark}{interval}")
}

/// A number with the digits that a reader needs.
fn short(text: &str) -> String {
    let digits = |x: f64| match x.abs() {
        x if x >= 100.0 => 0,
        x if x >= 10.0 => 1,
        x if x >= 0.1 || x == 0.0 => 2,
        _ => 3,
    };
    let is_long = text.split_once('.').is_some_and(|(_, after)| after.len() > 2);
    match text.parse::<f64>() {
        Ok(x) if is_long && !text.contains('e') => escape(&format!("{x:.*}", digits(x))),
        _ => escape(text),
    }
}

/// The cells, as (row, column), that are the best of those they can be compared with.
fn best(table: &Table) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let place = |head: &str| table.header.iter().position(|own| own == head);
    for best in BEST.iter().filter(|best| best.table == table.name) {
        let among: Vec<usize> = best.among.iter().filter_map(|head| place(head)).collect();
        let columns = columns(table);
        let values = columns.iter().filter(|column| matches!(column, Column::Value { .. }));
        for at in values.map(Column::at).filter(|&at| table.header[at].starts_with(best.column)) {
            for (row, cells) in table.rows.iter().enumerate() {
                let Some(better) = better(best.better, place("measure").map(|at| cells[at].as_str())) else {
                    continue;
                };
                let goodness = |cells: &[String]| cells[at].parse().ok().map(|x: f64| better.goodness(x));
                let rivals =
                    table.rows.iter().filter(|other| among.iter().all(|&key| other[key] == cells[key]));
                let rivals: Vec<f64> = rivals.filter_map(|other| goodness(other)).collect();
                let most = rivals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if goodness(cells) == Some(most) && rivals.iter().any(|&other| other < most) {
                    all.push((row, at));
                }
            }
        }
    }
    all
}

/// Which way is better, where the measure decides.
fn better(better: Better, measure: Option<&str>) -> Option<Better> {
    match (better, measure) {
        (Better::OfMeasure, Some(measure)) => {
            MEASURES.iter().find(|(start, _)| measure.starts_with(start)).map(|(_, better)| *better)
        }
        (Better::OfMeasure, None) => None,
        _ => Some(better),
    }
}

impl Better {
    fn goodness(self, x: f64) -> f64 {
        match self {
            Self::Nearest(to) => -(x - to).abs(),
            Self::Higher | Self::OfMeasure => x,
        }
    }
}

/// What must be said below the table.
fn note(table: &Table, common: &[Column], shown: &[Column], bold: &[(usize, usize)], kept: usize) -> String {
    let mut all = Vec::new();
    if !common.is_empty() {
        let said = |column: &Column| {
            format!("{} {}", head(&table.header[column.at()]), escape(&table.rows[0][column.at()]))
        };
        all.push(format!("All rows: {}.", common.iter().map(said).collect::<Vec<_>>().join(", ")));
    }
    let tests: Vec<&str> = shown
        .iter()
        .filter_map(|column| match column {
            Column::Value { p: Some(p), .. } if is_filled(table, &Column::Plain(*p)) => {
                Some(table.header[*p].as_str())
            }
            _ => None,
        })
        .collect();
    if let Some(test) = tests.first() {
        let kind = if test.ends_with("p_max") { "p_max" } else { &test[test.len() - 1..] };
        all.push(format!("*, **, ***: {} below 0.05, 0.01, 0.001.", head(kind)));
    }
    if !bold.is_empty() {
        all.push("Bold: the best of those compared.".to_owned());
    }
    if kept < table.rows.len() {
        all.push(format!(
            "The first {kept} of {} rows; all are in {}.",
            table.rows.len(),
            escape(&format!("tables/{}.csv", table.name))
        ));
    }
    all.join(" ")
}

/// A column's head in words.
fn head(name: &str) -> String {
    const ABBREVIATIONS: [&str; 5] = ["auroc", "cka", "kl", "ece", "k90"];
    match name {
        "n" | "p" | "q" | "d" => return format!("${name}$"),
        "p_max" => return "$p_{\\max}$".to_owned(),
        _ => {}
    }
    let word = |word: &str| match word {
        "p" | "q" | "n" => format!("${word}$"),
        short if ABBREVIATIONS.contains(&short) => short.to_uppercase(),
        other => escape(other),
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, header: &[&str], rows: &[&[&str]]) -> Table {
        let mut table = Table::new(name, "", header);
        table.rows = rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        table
    }

    #[test]
    fn what_latex_would_take_for_a_command_is_escaped() {
        assert_eq!(
            escape("a & 5 % of $x_1$ #{~^\\}"),
            "a \\& 5 \\% of \\$x\\_1\\$ \\#\\{\\textasciitilde{}\\textasciicircum{}\\textbackslash{}\\}"
        );
        assert_eq!(
            escape("\u{201c}s_{AMB}\u{201d} \u{2212}1, ×2, é"),
            "``s\\textsubscript{AMB}'' $-$1, $\\times$2, é"
        );
        assert_eq!(escape("[-0.2, 3] 5-10 x-1"), "[$-$0.2, 3] 5-10 x-1");
        assert_eq!(escape("中"), "\\texttt{U+4E2D}");
        assert_eq!(escape("open_{"), "open\\_\\{");
    }

    #[test]
    fn a_value_stands_with_its_interval_and_the_mark_of_its_sternest_test() {
        let rows: &[&[&str]] =
            &[&["m", "a", "-0.7123", "-0.8", "-0.6", "0.0001", "0.004"], &["m", "b", "0.2", "", "", "", ""]];
        let found = tabular(
            &table(
                "t",
                &["model", "arm", "change", "change_low", "change_high", "change_p", "change_q"],
                rows,
            ),
            9,
        );
        assert!(found.body.contains("a & $-$0.71$^{**}$ {\\small [$-$0.8, $-$0.6]} \\\\"), "{}", found.body);
        assert!(
            found.body.contains("b & 0.2 \\\\") && found.body.contains("arm & change \\\\"),
            "{}",
            found.body
        );
        assert_eq!(found.note, "All rows: model m. *, **, ***: $q$ below 0.05, 0.01, 0.001.");
    }

    #[test]
    fn the_best_is_bold_by_what_its_measure_calls_best() {
        let heads = ["model", "task", "measure", "condition", "round_0", "round_0_low", "round_0_high"];
        let row = |measure, condition, x| ["m", "t", measure, condition, x, "", ""];
        let rows = [
            row("accuracy_ambig", "a", "0.5"),
            row("accuracy_ambig", "b", "0.7"),
            row("bias_ambig", "a", "-3.0"),
            row("bias_ambig", "b", "8.0"),
            row("odd", "a", "1.0"),
            row("odd", "b", "2.0"),
        ];
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 7]>::as_slice).collect();
        let found = tabular(&table("paper_behaviour", &heads, &rows), 9);
        let bold: Vec<&str> = found.body.lines().filter(|line| line.contains("textbf")).collect();
        assert_eq!(bold.len(), 2, "{}", found.body);
        assert!(bold[0].contains("\\textbf{0.7}") && bold[1].contains("\\textbf{$-$3.0}"), "{bold:?}");
        assert!(found.note.contains("Bold"));
    }

    #[test]
    fn what_is_cut_off_is_said() {
        let rows: Vec<Vec<String>> = (0..5).map(|n| vec![n.to_string()]).collect();
        let found = tabular(&Table { rows, ..table("long_one", &["x"], &[]) }, 2);
        assert_eq!(found.body.matches(" \\\\").count(), 3);
        assert_eq!(found.note, "The first 2 of 5 rows; all are in tables/long\\_one.csv.");
    }
}

//! A run as lines of text.

use std::io::IsTerminal;

use super::spark::{range, spark};
use super::{Answers, Moved, Read, Shown};
use crate::printer::Printer;
use crate::report::finding::Finding;

/// Columns where nothing says how many there are.
const USUAL: usize = 80;

/// The least that is written for.
const LEAST: usize = 40;

/// What is written on.
pub struct Screen {
    width: usize,
    bold: bool,
}

impl Screen {
    /// What stdout is.
    pub fn of_stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let width = told.or_else(|| columns().filter(|_| is_terminal)).unwrap_or(USUAL).max(LEAST);
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { width, bold: is_terminal && !plain }
    }

    fn heading(&self, text: &str) -> String {
        let text = wrapped(text, self.width, "  ").join("\n");
        if self.bold { format!("\n\x1b[1m{text}\x1b[0m") } else { format!("\n{text}") }
    }
}

/// The width of the terminal.
#[cfg(unix)]
fn columns() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call fills the struct that it is given, or fails and leaves it.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

/// Prints all that there is.
pub fn all(shown: &Shown, screen: &Screen, printer: Printer) {
    for line in wrapped(&shown.about, screen.width, "  ") {
        printer.data(line);
    }
    let parts = [
        progress(shown, screen),
        answers(&shown.answers, screen),
        concepts(&shown.concepts, screen),
        moved(&shown.moved, screen),
        findings(&shown.findings, screen),
    ];
    for line in parts.into_iter().flatten() {
        printer.data(line);
    }
}

/// How far it is, where it is not finished.
fn progress(shown: &Shown, screen: &Screen) -> Vec<String> {
    let progress = &shown.progress;
    let (done, all) = progress.items();
    if progress.report && done == all {
        return Vec::new();
    }
    let left = match progress.left_s {
        Some(seconds) if done < all => format!(", about {:.0} min left", (seconds / 60.0).ceil()),
        _ => String::new(),
    };
    let far = format!("not finished: {done} of {all} items under every condition{left}");
    let mut lines = vec![screen.heading(&far)];
    for asked in &progress.asked {
        let failed =
            if asked.failed > 0 { format!(", {} items failed", asked.failed) } else { String::new() };
        let place = format!("{} {}", asked.model, asked.task);
        lines.push(format!("  {place:24} {} of {} shards{failed}", asked.shards, asked.of_shards));
    }
    lines
}

fn answers(all: &[Answers], screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = [""; 3];
    let name = widest(all.iter().map(|own| own.condition.as_str()));
    for own in all {
        let place = [own.model.as_str(), &own.task, &own.measure];
        if place != last {
            lines.push(screen.heading(&place.join(" · ")));
            last = place;
        }
        let same = all.iter().filter(|other| [other.model.as_str(), &other.task] == place[..2]);
        let ends =
            range(same.flat_map(|other| other.rounds.iter().map(|round| round[0]))).unwrap_or_default();
        let values: Vec<Option<f64>> = own.rounds.iter().map(|round| round[0]).collect();
        let [first, end] =
            [own.rounds.first(), own.rounds.last()].map(|round| round.copied().unwrap_or_default());
        let change = match own.rounds.len() {
            1 => number(first[0]),
            _ => format!("{} → {}", number(first[0]), number(end[0])),
        };
        let line = spark(&values, ends, 8);
        lines.push(format!("  {:name$}  {line} {change}{} n {}", own.condition, interval(end), own.n));
    }
    lines
}

fn concepts(all: &[Read], screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    for own in all {
        if lines.is_empty() {
            lines.push(screen.heading(&format!("AUROC by layer at {}", own.site)));
        }
        let verdict = if own.readable { "readable" } else { "not readable" };
        lines.push(format!(
            "  {} · {}: {}{} at layer {}, {verdict}",
            own.model,
            own.concept,
            number(own.best[0]),
            interval(own.best),
            own.best_layer,
        ));
        if let Some(ends) = range(own.layers.iter().copied()) {
            let line = spark(&own.layers, ends, screen.width - 16);
            lines.push(format!("    {line} {:.2}–{:.2}", ends.0, ends.1));
        }
    }
    lines
}

fn moved(all: &[Moved], screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = [""; 3];
    let name = widest(all.iter().map(|own| own.condition.as_str()));
    for own in all {
        let place = [own.model.as_str(), &own.concept, &own.task];
        if place != last {
            let doubt = if own.readable { "" } else { " (not readable)" };
            lines.push(screen.heading(&format!("score by round: {}{doubt}", place.join(" · "))));
            last = place;
        }
        let same = all.iter().filter(|other| [other.model.as_str(), &other.concept, &other.task] == place);
        let ends = range(same.flat_map(|other| other.rounds.iter().copied())).unwrap_or_default();
        let [first, end] = [own.rounds.first(), own.rounds.last()].map(|score| score.copied().flatten());
        let line = spark(&own.rounds, ends, 8);
        lines.push(format!("  {:name$}  {line} {} → {}", own.condition, number(first), number(end)));
    }
    lines
}

fn findings(all: &[Finding], screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in all.iter().filter(|finding| finding.clear) {
        if lines.is_empty() {
            lines.push(screen.heading("Clear findings"));
        }
        lines.extend(wrapped(&format!("- {}", finding.text), screen.width, "  "));
    }
    lines
}

fn widest<'t>(names: impl Iterator<Item = &'t str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

fn interval([_, low, high]: [Option<f64>; 3]) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!(" [{low:.2}, {high:.2}]"),
        _ => String::new(),
    }
}

/// Text in lines of at most `width` columns, the later ones indented. A word that is longer has a line to itself.
fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let used = line.chars().count();
        if line.trim().is_empty() {
            line.push_str(word);
        } else if used + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_the_screen() {
        let text = "a finding that is longer than one line and has averyveryverylongword in it";
        let lines = wrapped(text, 20, "  ");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 20 || line.contains("averyvery")),
            "{lines:?}"
        );
        assert_eq!(lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" "), text);
        assert!(lines[1].starts_with("  "));
    }
}

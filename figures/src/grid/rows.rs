//! Rows of a panel that have names and notes instead of ticks of the y axis.

use super::{Layout, Plot};
use crate::canvas::{Anchor, Canvas, Type};
use crate::colour::INK;
use crate::font::Face;
use crate::panel::Panel;
use crate::scale;
use crate::style::Style;
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// Height of one named row of a panel, in em, and the least height of a panel of rows.
const ROW: f64 = 2.9;
const LEAST_ROWS: f64 = 6.0;
/// The parts of a column's width that names of rows and notes on rows may take.
const ROW_NAME: f64 = 0.26;
const ROW_NOTE: f64 = 0.3;
/// Space between a row and its name or note, in points.
const ROW_GAP: f64 = 3.5;

/// A place of the y axis with a name at the left and a note at the right instead of a number.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Row {
    pub at: f64,
    pub name: String,
    pub note: String,
}

/// The height of panels where one has rows, unless the style says it.
pub(super) fn height(plots: &[Plot], style: &Style) -> Option<f64> {
    let rows = plots.iter().map(|p| p.rows.len()).max().filter(|&rows| rows > 0)?;
    let chosen = (ROW * rows as f64).max(LEAST_ROWS) * style.font_size;
    style.panel_height.is_none().then_some(chosen)
}

impl<'a> Layout<'a> {
    /// What names take at the left of a panel.
    pub(super) fn row_names(&self, plot: &Plot) -> f64 {
        let names = plot.rows.iter().map(|row| self.widest(&self.row_name(&row.name)));
        ROW_GAP + names.fold(0.0, f64::max)
    }

    /// What notes take at its right.
    pub(super) fn right_of(&self, plot: &Plot) -> f64 {
        let notes = plot.rows.iter().map(|row| self.widest(&self.row_note(&row.note)));
        let widest = notes.fold(0.0, f64::max);
        if widest > 0.0 { ROW_GAP + widest } else { 0.0 }
    }

    /// Whether rows are named in this column: rows that are alike in all panels are named once.
    pub(super) fn shows_names(&self, column: usize) -> bool {
        let names = |p: &'a Plot| p.rows.iter().map(|row| &row.name);
        column == 0 || self.plots.iter().any(|p| !names(p).eq(names(&self.plots[0])))
    }

    fn widest(&self, lines: &[Rich]) -> f64 {
        lines.iter().map(|l| l.width(Face::Regular, self.style.small())).fold(0.0, f64::max)
    }

    fn row_text(&self, text: &str, part: f64) -> Vec<Rich> {
        let small = self.style.small();
        let rows = self.plots.iter().map(|p| p.rows.len()).max().unwrap_or(1).max(1);
        let lines = (self.plot_height / (rows as f64 + 0.5) / (LEADING * small)) as usize;
        let room = part * self.style.width.points() / self.columns as f64;
        Rich::parse(text).wrap(Face::Regular, small, room, lines.clamp(1, 3))
    }

    fn row_name(&self, name: &str) -> Vec<Rich> {
        self.row_text(name, ROW_NAME)
    }

    /// Where one note is in several lines, all are if they can be, so that they read as a column.
    fn row_note(&self, note: &str) -> Vec<Rich> {
        let wide = self.row_text(note, ROW_NOTE);
        if self.folded == 0.0 || wide.len() != 1 {
            return wide;
        }
        let narrow = Rich::parse(note).wrap(Face::Regular, self.style.small(), self.folded, 2);
        let cut = narrow.iter().any(|line| line.plain().ends_with('…'));
        if cut { wide } else { narrow }
    }

    /// The width of the widest note that is in several lines, 0 where none is.
    pub(super) fn folded(&self) -> f64 {
        let notes = self.plots.iter().flat_map(|p| &p.rows).map(|row| self.row_text(&row.note, ROW_NOTE));
        notes.filter(|lines| lines.len() > 1).map(|lines| self.widest(&lines)).fold(0.0, f64::max)
    }

    /// Names at the left of rows and notes at their right; those of a row without room are left out.
    pub(super) fn draw_rows(&self, canvas: &mut Canvas, plot: &Plot, panel: &Panel, names: bool) {
        let small = self.style.small();
        let centre = |row: &Row| panel.at(panel.x.lo, row.at).1;
        let mut side = |texts: Vec<Vec<Rich>>, x: f64, anchor: Anchor| {
            let extents = plot.rows.iter().zip(&texts).map(|(row, lines)| {
                let half = (lines.len().max(1) - 1) as f64 * LEADING + ASCENT + DESCENT;
                (centre(row) - half * small / 2.0, centre(row) + half * small / 2.0)
            });
            let extents: Vec<_> = extents.collect();
            let kind = Type::new(small, INK).anchored(anchor);
            for ((lines, extent), _) in
                texts.iter().zip(&extents).zip(scale::apart(&extents, 0.2)).filter(|l| l.1)
            {
                for (k, line) in lines.iter().enumerate() {
                    canvas.text(line, x, extent.0 + (ASCENT + k as f64 * LEADING) * small, kind);
                }
            }
        };
        if names {
            let texts = plot.rows.iter().map(|row| self.row_name(&row.name)).collect();
            side(texts, panel.rect.left - ROW_GAP, Anchor::End);
        }
        let texts = plot.rows.iter().map(|row| self.row_note(&row.note)).collect();
        side(texts, panel.rect.right() + ROW_GAP, Anchor::Start);
    }
}

//! Small multiples of line panels: places for panels, titles, labels and legend such that nothing
//! overlaps or leaves the sheet.

mod above;
mod names;
mod rows;

use crate::canvas::{Anchor, Canvas, Drawing, Type};
use crate::colour::{INK, MUTED};
use crate::error::{Error, Result};
use crate::font::Face;
use crate::legend::{self, Key, Named};
use crate::panel::{Axis, Mark, PASS_ROW, Panel, Rect, TICK};
use crate::scale;
use crate::style::{Dash, Style};
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

pub(crate) use rows::Row;

/// Space between neighbouring panels, in points.
const GUTTER: f64 = 9.0;
/// Kept free along the edge of the sheet, in points.
pub(crate) const EDGE: f64 = 1.5;
/// Length of the leader from a line's end to its label, in points.
const LEADER: f64 = 6.0;
/// The narrowest data area worth drawing, in points.
const LEAST_PLOT: f64 = 36.0;
/// Kept free between title and panel, in points.
const TITLE_GAP: f64 = 3.0;
/// From the baseline up to the middle of small letters, in em.
const MIDDLE: f64 = 0.31;
/// The side of the largest square data area, in em.
const SQUARE: f64 = 19.0;

/// The heights of a panel with another beneath it and of that one, relative to a panel by itself.
const UPPER: f64 = 0.82;
const LOWER: f64 = 0.5;

/// Where the x axis has its ticks.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Ticks {
    /// At round integers.
    #[default]
    Integers,
    /// At round numbers.
    Round,
    /// At round numbers whose decimal logarithms are the places of the axis.
    Log,
    /// At multiples of this step, the least in which points lie, or of as few of it as leave the labels room.
    Every(f64),
    /// At these places; labels that would touch others are left out.
    At(Vec<(f64, String)>),
    /// At 0, 1, ..; a label too long for its place is shortened.
    Places(Vec<String>),
    /// At 0, 1, ..; a label too long for its place is wrapped or turned.
    Names(Vec<String>),
}

/// One panel before it has a place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub x: (f64, f64),
    pub y_range: Option<(f64, f64)>,
    /// Whether heights are the decimal logarithms of what the y axis is labelled with.
    pub log_y: bool,
    /// Where the y axis has its ticks, None for round numbers.
    pub y_ticks: Option<Vec<(f64, String)>>,
    pub marks: Vec<Mark>,
    pub named: Vec<Named>,
    pub strip_rows: usize,
    pub ticks: Ticks,
    /// Names for places of the x axis, written below its ticks where there is room.
    pub x_names: Vec<(f64, String)>,
    /// Whether x and y have one unit, so that the data area is to be a square.
    pub square: bool,
    /// Named rows from above, one unit of y apart, instead of ticks of the y axis.
    pub rows: Vec<Row>,
    /// A lower panel under this one, which has the labels of the x axis they share.
    pub beneath: Option<Box<Plot>>,
    /// Whether this is such a lower panel.
    pub lower: bool,
}

impl Plot {
    /// A square panel of two shares of one range, with the diagonal where they are equal.
    pub fn of_shares(range: (f64, f64), diagonal: &str) -> Plot {
        let (lo, hi) = range;
        let (colour, dash) = (MUTED, Dash::Fine);
        let key = Key::Rule { colour, dash };
        Plot {
            x: range,
            y_range: Some(range),
            ticks: Ticks::Round,
            square: true,
            marks: vec![Mark::Line {
                points: vec![(lo, Some(lo)), (hi, Some(hi))],
                colour,
                dash,
                width: 0.7,
            }],
            named: vec![Named { label: diagonal.into(), key, end: Some((hi, hi)) }],
            ..Plot::default()
        }
    }

    /// The range of the y axis: it holds every number drawn, and the range asked for.
    fn heights(&self) -> (f64, f64) {
        let all: Vec<f64> = self.marks.iter().flat_map(Mark::heights).collect();
        let lo = all.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.y_range {
            Some((a, b)) => (a.min(lo), b.max(hi)),
            // A single number among logarithms: from about three quarters of it to four thirds.
            None if self.log_y && lo == hi => (lo - 0.12, hi + 0.12),
            None => scale::padded(lo, hi),
        }
    }

    /// Whether what ends at `x` ends well before the last place of the axis.
    fn ends_early(&self, x: f64) -> bool {
        let (lo, hi) = self.x;
        x < hi - if self.ticks == Ticks::Integers { 0.9 } else { 0.25 * (hi - lo) }
    }
}

struct Column {
    before: f64,
    after: f64,
}

/// The whole layout, computed before anything is drawn.
struct Layout<'a> {
    style: &'a Style,
    plots: &'a [Plot],
    columns: usize,
    direct: bool,
    plot_width: f64,
    plot_height: f64,
    margins: Vec<Column>,
    /// The width of notes on rows that are folded, 0 where none is.
    folded: f64,
}

/// Draws the plots in reading order, `columns` side by side (or as many as fit well).
pub(crate) fn draw(
    plots: &[Plot],
    columns: Option<usize>,
    style: &Style,
    name: &str,
    caption: &str,
) -> Result<Drawing> {
    let layout = Layout::best(plots, columns, style)?;
    let mut canvas = Canvas::new(style);
    let mut top = EDGE;
    let listed = |key: &Key| !layout.direct || key.stands_alone();
    top = legend::draw(&mut canvas, plots, style, top, listed);
    for (row, plots) in plots.chunks(layout.columns).enumerate() {
        top = layout.draw_row(&mut canvas, plots, row, top)?;
    }
    Ok(canvas.finish(name, caption, style.width.points(), top + EDGE, style.theme.background))
}

impl<'a> Layout<'a> {
    /// Direct labels where every panel keeps a good data area beside them, else one legend.
    fn best(plots: &'a [Plot], columns: Option<usize>, style: &'a Style) -> Result<Layout<'a>> {
        let columns =
            columns.unwrap_or_else(|| fitting_columns(plots.len(), style)).clamp(1, plots.len().max(1));
        let direct = Layout::new(plots, columns, true, style);
        let share =
            direct.margins.iter().map(|m| m.after / (m.before + m.after + direct.plot_width.max(1.0)));
        // Where there is a legend anyway, names in it cost nothing and leave neighbouring panels more width,
        // which square ones need for their height as well.
        let listed = plots.iter().flat_map(|p| &p.named).any(|n| n.key.stands_alone());
        let worth_it = (columns == 1 || !listed && !direct.square())
            && direct.plot_width >= 56.0
            && share.fold(0.0, f64::max) <= 0.4
            && direct.labels_fit();
        let layout = if worth_it { direct } else { Layout::new(plots, columns, false, style) };
        if layout.plot_width < LEAST_PLOT {
            return Err(Error::TooNarrow { columns, got: layout.plot_width });
        }
        Ok(layout)
    }

    fn new(plots: &'a [Plot], columns: usize, direct: bool, style: &'a Style) -> Layout<'a> {
        let mut layout = Layout {
            style,
            plots,
            columns,
            direct,
            plot_width: 0.0,
            plot_height: 0.0,
            margins: Vec::new(),
            folded: 0.0,
        };
        // The height follows the width, and the ticks (whose labels take width) follow the height.
        layout.plot_height = style.panel_height.unwrap_or(80.0);
        for _ in 0..2 {
            layout.share_width();
            if let Some(height) = rows::height(plots, style) {
                layout.plot_height = height;
                continue;
            }
            let (least, most) = (8.5 * style.font_size, 12.0 * style.font_size);
            let height = if layout.square() { layout.plot_width } else { layout.plot_width * 0.62 };
            let most = if layout.square() { SQUARE * style.font_size } else { most };
            layout.plot_height = style.panel_height.unwrap_or(height.clamp(least, most));
            layout.plot_height += layout.raised();
        }
        layout.share_width();
        layout
    }

    /// Gives labels what they need at the present height, and the plots the rest in equal parts.
    fn share_width(&mut self) {
        self.folded = self.folded();
        self.margins = (0..self.columns).map(|c| self.column(c)).collect();
        let margins: f64 = self.margins.iter().map(|m| m.before + m.after).sum();
        let free = self.style.width.points() - 2.0 * EDGE - margins - GUTTER * (self.columns - 1) as f64;
        self.plot_width = free / self.columns as f64;
        if self.square() {
            let most = self.style.panel_height.unwrap_or(SQUARE * self.style.font_size);
            self.plot_width = self.plot_width.min(most.max(LEAST_PLOT));
        }
    }

    fn square(&self) -> bool {
        self.plots.iter().all(|p| p.square)
    }

    /// Where the first panel begins: panels narrower than the sheet stand in its middle.
    fn left(&self) -> f64 {
        let margins: f64 = self.margins.iter().map(|m| m.before + m.after + self.plot_width).sum();
        let width = margins + GUTTER * (self.columns - 1) as f64;
        ((self.style.width.points() - width) / 2.0).max(EDGE)
    }

    fn column(&self, column: usize) -> Column {
        let plots = || self.plots.iter().skip(column).step_by(self.columns);
        let both = |p: &'a Plot| std::iter::once(p).chain(p.beneath.as_deref());
        let bare = !self.shows_names(column);
        let before = plots()
            .flat_map(both)
            .filter(|p| p.rows.is_empty() || !bare)
            .map(|p| self.left_of(p))
            .fold(0.0, f64::max);
        let notes = plots().map(|p| self.right_of(p)).fold(0.0, f64::max);
        let small = self.style.small();
        let labels = plots()
            .flat_map(|p| &p.named)
            .filter(|named| self.direct && named.end.is_some())
            .map(|named| LEADER + 1.5 + Rich::parse(&named.label).width(Face::Regular, small));
        Column { before, after: labels.fold(notes.max(4.0), f64::max) }
    }

    /// The height of a panel's data area.
    fn height_of(&self, plot: &Plot) -> f64 {
        match &plot.beneath {
            Some(_) => UPPER * self.plot_height,
            None if plot.lower => LOWER * self.plot_height,
            None => self.plot_height,
        }
    }

    /// Width of tick labels and y label.
    fn left_of(&self, plot: &Plot) -> f64 {
        let small = self.style.small();
        if !plot.rows.is_empty() {
            return self.row_names(plot);
        }
        let ticks = self.y_axis(plot).ticks;
        let widest = ticks.iter().map(|t| Rich::parse(&t.1).width(Face::Regular, small)).fold(0.0, f64::max);
        let label = self.y_label(plot).len() as f64 * LEADING * self.style.font_size;
        TICK + 1.6 + widest + if label > 0.0 { label + 2.6 } else { 0.0 }
    }

    fn y_label(&self, plot: &Plot) -> Vec<Rich> {
        Rich::parse(&plot.y_label).wrap(Face::Regular, self.style.font_size, self.height_of(plot), 3)
    }

    fn y_axis(&self, plot: &Plot) -> Axis {
        let (lo, hi) = plot.heights();
        if !plot.rows.is_empty() {
            return Axis { lo, hi, ticks: Vec::new() };
        }
        if let Some(ticks) = &plot.y_ticks {
            return Axis { lo, hi, ticks: ticks.clone() };
        }
        let apart = if plot.lower { 1.2 } else { 1.5 };
        let wanted = (self.height_of(plot) / (apart * self.style.font_size)).clamp(2.0, 8.0);
        if plot.log_y { Axis::log(lo, hi, wanted as usize) } else { Axis::round(lo, hi, wanted as usize) }
    }

    /// As many ticks as fit without their labels touching.
    fn x_axis(&self, plot: &Plot) -> Axis {
        let (lo, hi) = plot.x;
        let small = self.style.small();
        match &plot.ticks {
            Ticks::Integers => {
                let digits = format!("{:.0}", hi.max(-lo)).len();
                let room = Rich::parse(&"0".repeat(digits)).width(Face::Regular, small) + 4.0;
                Axis::integers(lo, hi, ((self.plot_width / room) as usize).clamp(1, 8))
            }
            Ticks::Round => {
                let axes = (1..=6).rev().map(|wanted| Axis::round(lo, hi, wanted));
                let fitting = axes.into_iter().find(|axis| self.has_room(axis));
                fitting.unwrap_or_else(|| Axis::round(lo, hi, 1))
            }
            Ticks::Log => {
                let axes = (1..=9).rev().map(|wanted| Axis::log(lo, hi, wanted));
                let fitting = axes.into_iter().find(|axis| self.has_room(axis));
                fitting.unwrap_or_else(|| Axis::log(lo, hi, 1))
            }
            Ticks::Every(step) => {
                let axes = [1.0, 2.0, 4.0, 5.0, 10.0, 20.0]
                    .map(|n| Axis::with(lo, hi, scale::multiples(lo, hi, n * step, 0.0)));
                let few = |axis: &Axis| (2..=9).contains(&axis.ticks.len());
                let fitting = axes.into_iter().find(|axis| few(axis) && self.has_room(axis));
                fitting.unwrap_or_else(|| Axis::round(lo, hi, 1))
            }
            Ticks::At(ticks) => Axis { lo, hi, ticks: ticks.clone() },
            Ticks::Places(labels) => {
                let room = self.plot_width / (hi - lo) - 3.0;
                let short = |label: &String| Rich::parse(label).shorten(Face::Regular, small, room).plain();
                let ticks = labels.iter().enumerate().map(|(i, label)| (i as f64, short(label)));
                Axis { lo, hi, ticks: ticks.collect() }
            }
            Ticks::Names(names) => {
                let bare = (0..names.len()).map(|i| (i as f64, String::new()));
                Axis { lo, hi, ticks: bare.collect() }
            }
        }
    }

    /// Whether the labels of an x axis fit below it with a good space between them.
    fn has_room(&self, axis: &Axis) -> bool {
        let small = self.style.small();
        let widths = axis.ticks.iter().map(|t| Rich::parse(&t.1).width(Face::Regular, small) + 5.0);
        widths.sum::<f64>() <= self.plot_width
    }

    /// The names of places of the x axis that have room below it: row (0 the highest), the name's middle from
    /// the panel's left edge, and text. As many as can be had in three rows.
    fn x_names(&self, plot: &Plot, margin: &Column) -> Vec<(usize, f64, Rich)> {
        const ROWS: usize = 3;
        let mut names: Vec<(f64, f64, Rich)> = Vec::new();
        for (x, label) in &plot.x_names {
            let text = Rich::parse(label);
            let half = text.width(Face::Regular, self.style.small()) / 2.0;
            let place = (x - plot.x.0) / (plot.x.1 - plot.x.0) * self.plot_width;
            let middle = place.min(self.plot_width + margin.after - half).max(half - margin.before);
            // Moved a little at the ends of the axis; neither so far nor so long that it would seem to name a
            // neighbour.
            let fits = 2.0 * half <= 0.55 * self.plot_width && (middle - place).abs() <= 0.4 * half;
            if fits && !text.is_empty() {
                names.push((middle, half, text));
            }
        }
        // The most intervals in k rows: by their right ends, each into the row it leaves the least gap in.
        names.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
        let mut ends = [f64::NEG_INFINITY; ROWS];
        let fits = |ends: &[f64; ROWS], row: usize, left: f64| ends[row] + 5.0 <= left;
        names.retain(|(middle, half, _)| {
            let free = (0..ROWS).filter(|&row| fits(&ends, row, middle - half));
            let row = free.reduce(|best, next| if ends[next] > ends[best] { next } else { best });
            row.inspect(|&row| ends[row] = middle + half).is_some()
        });
        // These need no more rows when taken from the left, each into the highest free one.
        names.sort_by(|a, b| (a.0 - a.1).total_cmp(&(b.0 - b.1)));
        let mut ends = [f64::NEG_INFINITY; ROWS];
        let place = |(middle, half, text)| {
            let row = (0..ROWS).find(|&row| fits(&ends, row, middle - half))?;
            ends[row] = middle + half;
            Some((row, middle, text))
        };
        names.into_iter().filter_map(place).collect()
    }

    /// Rows of names below the x axes, alike for all panels.
    fn x_name_rows(&self) -> usize {
        let margins = self.margins.iter().cycle();
        let names = self.plots.iter().zip(margins).flat_map(|(p, m)| self.x_names(p, m));
        names.map(|n| n.0 + 1).max().unwrap_or(0)
    }

    /// The room labels at line ends have: the panel's height and half a line at either end.
    fn labels_fit(&self) -> bool {
        let most =
            self.plots.iter().map(|p| p.named.iter().filter(|n| n.end.is_some()).count()).max().unwrap_or(0);
        most as f64 * self.style.small() * 1.08 <= self.plot_height + 0.5 * self.style.small()
    }

    fn draw_row(&self, canvas: &mut Canvas, plots: &[Plot], row: usize, top: f64) -> Result<f64> {
        let size = self.style.font_size;
        let titles: Vec<_> = plots
            .iter()
            .enumerate()
            .map(|(i, p)| self.title(p, row * self.columns + i, &self.margins[i]))
            .collect();
        let lines =
            titles.iter().map(|t| t.1.len()).max().unwrap_or(0).max(usize::from(self.plots.len() > 1));
        let title_height = if lines == 0 { 0.3 * size } else { lines as f64 * LEADING * size + TITLE_GAP };
        let plot_top = top + title_height;
        let mut left = self.left();
        let mut bottom = plot_top;
        for (i, plot) in plots.iter().enumerate() {
            let margin = &self.margins[i];
            let rect = Rect {
                left: left + margin.before,
                top: plot_top,
                width: self.plot_width,
                height: self.height_of(plot),
            };
            let (letter, title) = &titles[i];
            let first_line = top + (LEADING - DESCENT) * size;
            let mut text_left = rect.left;
            if let Some(letter) = letter {
                let kind = Type::new(size, INK).bold();
                canvas.text(letter, text_left, first_line, kind);
                text_left += letter.width(Face::Bold, size) + 4.0;
            }
            for (k, line) in title.iter().enumerate() {
                canvas.text(line, text_left, first_line + k as f64 * LEADING * size, Type::new(size, INK));
            }
            let last_of_column = (row + 1) * self.columns + i >= self.plots.len();
            let below = last_of_column.then_some(margin);
            bottom = bottom.max(self.draw_plot(canvas, plot, rect, below, i)?);
            left = rect.right() + margin.after + GUTTER;
        }
        Ok(bottom + if (row + 1) * self.columns < self.plots.len() { 7.0 } else { 0.0 })
    }

    /// The panel's letter (when there are several) and the lines of its title.
    fn title(&self, plot: &Plot, index: usize, margin: &Column) -> (Option<Rich>, Vec<Rich>) {
        let size = self.style.font_size;
        let letter = (self.plots.len() > 1).then(|| Rich::parse(&letter(index)));
        let taken = letter.as_ref().map_or(0.0, |l| l.width(Face::Bold, size) + 4.0);
        let room = self.plot_width + margin.after - taken;
        (letter, Rich::parse(&plot.title).wrap(Face::Regular, size, room, 3))
    }

    /// Draws one panel, with names and the label of its x axis when `below` gives the column they stand in.
    fn draw_plot(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        rect: Rect,
        below: Option<&Column>,
        column: usize,
    ) -> Result<f64> {
        let (size, small) = (self.style.font_size, self.style.small());
        let panel = Panel {
            rect,
            x: self.x_axis(plot),
            y: self.y_axis(plot),
            strip: self.strip(),
            headroom: self.headroom(),
        };
        match &plot.beneath {
            _ if !plot.rows.is_empty() => panel.foot(canvas, small),
            Some(_) => panel.axes_above(canvas, small),
            None => panel.axes(canvas, small),
        }
        self.draw_rows(canvas, plot, &panel, self.shows_names(column));
        for mark in &plot.marks {
            mark.draw(&panel, canvas, &plot.marks)?;
        }
        if self.direct {
            self.direct_labels(canvas, plot, &panel);
        }
        let y_label = self.y_label(plot);
        let kind = Type::new(size, INK).anchored(Anchor::Middle).upwards();
        // The labels of a pair stand in line.
        let paired = plot.lower || plot.beneath.is_some();
        let reach = if paired { self.margins[column].before } else { self.left_of(plot) };
        let first = rect.left - reach + ASCENT * size + 0.1 * size;
        for (k, line) in y_label.iter().enumerate() {
            canvas.text(line, first + k as f64 * LEADING * size, rect.top + rect.height / 2.0, kind);
        }
        if let Some(lower) = &plot.beneath {
            // The lowest label of the one and the highest of the other, which reach past their axes.
            let top = rect.bottom() + 1.15 * small;
            let rect = Rect { top, height: self.height_of(lower), ..rect };
            return self.draw_plot(canvas, lower, rect, below, column);
        }
        let mut bottom = match &plot.ticks {
            Ticks::Names(names) => self.draw_names(canvas, plot, &panel, names),
            _ => rect.bottom() + TICK + 1.6 + (ASCENT + DESCENT) * small,
        };
        if let Some(margin) = below {
            let kind = Type::new(small, MUTED).anchored(Anchor::Middle);
            for (row, middle, name) in self.x_names(plot, margin) {
                let baseline = bottom + 1.0 + (ASCENT + row as f64 * LEADING) * small;
                canvas.text(&name, rect.left + middle, baseline, kind);
            }
            bottom += self.x_name_rows() as f64 * LEADING * small;
            let lines = Rich::parse(&plot.x_label).wrap(Face::Regular, size, self.plot_width, 3);
            let kind = Type::new(size, INK).anchored(Anchor::Middle);
            for line in &lines {
                canvas.text(line, rect.left + rect.width / 2.0, bottom + 1.0 + ASCENT * size, kind);
                bottom += LEADING * size;
            }
        }
        Ok(bottom)
    }

    /// Room for the rows of significance marks, alike for all panels.
    fn strip(&self) -> f64 {
        let rows = self.plots.iter().map(|p| p.strip_rows).max().unwrap_or(0);
        if rows > 0 { rows as f64 * PASS_ROW + 1.6 } else { 0.0 }
    }

    /// Names at the right edge, moved apart where they would touch, each tied to its line.
    fn direct_labels(&self, canvas: &mut Canvas, plot: &Plot, panel: &Panel) {
        let small = self.style.small();
        let rect = panel.rect;
        let mut labels: Vec<(f64, (f64, f64), &Named)> = plot
            .named
            .iter()
            .filter_map(|named| {
                let (x, y) = named.end?;
                let from = match named.key {
                    Key::Passes { .. } => (rect.right(), rect.bottom() - 0.6 - PASS_ROW * (y + 0.5)),
                    _ => panel.at(x, y),
                };
                Some((from.1, from, named))
            })
            .collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted: Vec<f64> = labels.iter().map(|l| l.0).collect();
        let half = 0.25 * small;
        // No higher than the foot of the title, which may run on above the labels.
        let highest = rect.top + ((ASCENT - MIDDLE) * small - TITLE_GAP).max(-half);
        let places = spread(&wanted, small * 1.08, highest, rect.bottom() + half);
        for ((_, from, named), y) in labels.into_iter().zip(places) {
            let end = rect.right() + LEADER;
            let colour = named.ink();
            let faint = colour.towards(crate::colour::WHITE, 0.45);
            let edge = (rect.right() + 1.0, from.1);
            let early =
                named.end.is_some_and(|e| plot.ends_early(e.0)) && !matches!(named.key, Key::Passes { .. });
            let moved = (y - from.1).abs() > 1.2;
            if early {
                // Dots, unlike any line of data, lead from where the line ends.
                canvas.stroke(&[(from.0 + 4.0, from.1), edge], 0.35, faint, Dash::Leader);
            } else if moved && from.0 + 2.6 < edge.0 {
                canvas.stroke(&[(from.0 + 2.6, from.1), edge], 0.35, faint, Dash::Solid);
            }
            if early || moved {
                canvas.stroke(&[edge, (end - 0.6, y)], 0.35, faint, Dash::Solid);
            }
            canvas.text(&Rich::parse(&named.label), end + 0.8, y + MIDDLE * small, Type::new(small, colour));
        }
    }
}

/// Positions as close as can be to those wanted (ascending), `gap` apart, within [lo, hi].
pub(crate) fn spread(wanted: &[f64], gap: f64, lo: f64, hi: f64) -> Vec<f64> {
    // In coordinates without the gaps this is isotonic regression: pool what is out of order.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (i, y) in wanted.iter().enumerate() {
        let mut block = (y - i as f64 * gap, 1);
        while let Some(&(mean, n)) = blocks.last().filter(|b| b.0 > block.0) {
            block = ((mean * n as f64 + block.0 * block.1 as f64) / (n + block.1) as f64, n + block.1);
            blocks.pop();
        }
        blocks.push(block);
    }
    let last = (wanted.len().max(1) - 1) as f64 * gap;
    let flat = blocks.iter().flat_map(|&(mean, n)| std::iter::repeat_n(mean, n));
    flat.enumerate().map(|(i, y)| y.min(hi - last).max(lo) + i as f64 * gap).collect()
}

/// a, b, .., z, aa, ab, ..
pub(crate) fn letter(index: usize) -> String {
    let last = char::from(b'a' + (index % 26) as u8);
    if index < 26 { last.to_string() } else { letter(index / 26 - 1) + &last.to_string() }
}

/// As many panels side by side as have a good width; a little less will do where it saves a ragged last row.
fn fitting_columns(panels: usize, style: &Style) -> usize {
    let most = |ems: f64| ((style.width.points() / (ems * style.font_size)) as usize).clamp(1, panels.max(1));
    let rows = panels.div_ceil(most(16.0));
    let even = panels.div_ceil(rows);
    if !panels.is_multiple_of(even) && panels <= most(12.5) { panels } else { even }
}

//! A score of everything against everything: trained here, tested there.

use serde::{Deserialize, Serialize};

use std::any::Any;

use crate::Figure;
use crate::arrange::{
    Arrange, Arrangement, Together, check_all_match, check_names, chosen, mark, pick, replace,
};
use crate::canvas::{Anchor, Canvas, Drawing, Type};
use crate::colour::INK;
use crate::data::{Csv, check_list, check_some, known, listed, plain};
use crate::error::{Error, Result};
use crate::font::Face;
use crate::heat::{ColourBar, EDGE, HeatColours, draw_gap};
use crate::panel::{Rect, TICK};
use crate::scale;
use crate::style::{Dash, Style};
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// Cells are no larger than this, in points: a matrix of two is no poster.
const LARGEST: f64 = 40.0;
/// The part of the sheet's width that names of rows may take.
const NAMES: f64 = 0.3;
/// Space between a label and what it names.
const GAP: f64 = 3.0;

/// A heat map with a named row for each thing trained on and a named column for each thing tested on. Numbers stand in
/// the cells where there is room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The figure's name, used for file names.
    pub name: String,
    /// What is compared, above the matrix: "stereotype, layers of smollm2"; may be empty.
    pub title: String,
    /// The name of each row, from above.
    pub rows: Vec<String>,
    /// The name of each column.
    pub columns: Vec<String>,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<MatrixCell>>,
    /// What the columns are: "Tested on".
    pub x_label: String,
    /// What the rows are: "Trained on".
    pub y_label: String,
    /// The label of the colour bar: "AUROC".
    pub value_label: String,
    /// How values become colours.
    pub colours: HeatColours,
    /// What a reader must know, for the caption; may be empty.
    pub note: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over groups".
    pub interval: String,
}

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MatrixCell {
    /// The number; None or NaN is drawn grey and hatched.
    pub value: Option<f64>,
    /// Lower and upper end.
    #[serde(with = "crate::nan")]
    pub interval: Option<(f64, f64)>,
}

impl Matrix {
    fn values(&self) -> Vec<f64> {
        self.cells.iter().flatten().filter_map(|cell| known(cell.value)).collect()
    }

    fn check(&self) -> Result<()> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.rows, &what, "row")?;
        check_some(&self.columns, &what, "column")?;
        let ragged = |what: String, expected, found| Err(Error::Ragged { what, expected, found });
        if self.cells.len() != self.rows.len() {
            return ragged(format!("{what}, rows of cells"), self.rows.len(), self.cells.len());
        }
        for (name, row) in self.rows.iter().zip(&self.cells) {
            let what = format!("row \"{name}\"");
            check_list(&what, &row.iter().map(|cell| cell.value).collect::<Vec<_>>(), self.columns.len())?;
            for interval in row.iter().filter_map(|cell| cell.interval) {
                crate::data::check_order(&format!("{what}, interval"), interval)?;
            }
        }
        if self.values().is_empty() {
            return Err(Error::NoValues { what });
        }
        self.colours.check(&what)
    }

    /// Whether a cell's interval leaves the middle of the colours out.
    fn stands_out(&self, cell: &MatrixCell) -> bool {
        match (self.colours, cell.interval) {
            (HeatColours::Diverging { null, .. }, Some((low, high))) => low > null || high < null,
            _ => false,
        }
    }
}

/// Sizes fixed before anything is drawn.
struct Sheet<'a> {
    figure: &'a Matrix,
    style: &'a Style,
    bar: ColourBar,
    rows: Vec<Rich>,
    columns: Vec<Rich>,
    /// Where the cells are.
    area: Rect,
    /// Whether names of columns stand upright.
    upright: bool,
}

impl<'a> Sheet<'a> {
    fn new(figure: &'a Matrix, style: &'a Style) -> Result<Sheet<'a>> {
        figure.check()?;
        let (size, small) = (style.font_size, style.small());
        let sheet = style.width.points();
        let names = |names: &[String]| -> Vec<Rich> {
            names.iter().map(|n| Rich::parse(n).shorten(Face::Regular, small, NAMES * sheet)).collect()
        };
        let (rows, columns) = (names(&figure.rows), names(&figure.columns));
        let longest =
            |names: &[Rich]| names.iter().map(|n| n.width(Face::Regular, small)).fold(0.0, f64::max);
        let left = EDGE + LEADING * size + 2.0 + longest(&rows) + GAP;
        let least = 0.45 * LARGEST;
        let bar =
            ColourBar::new(figure.colours.resolve(&figure.values()), &figure.value_label, style, 12.0 * size);
        let width = ((sheet - left - bar.width(style)) / columns.len() as f64).min(LARGEST);
        if width < 3.0 {
            return Err(Error::TooNarrow { columns: columns.len(), got: width });
        }
        // A short matrix is no lower than its colour bar needs.
        let height = width.min(least).max((8.0 * size / rows.len() as f64).min(width)).max(1.0);
        let upright = longest(&columns) + 4.0 > width;
        let title_room = left + width * columns.len() as f64 - EDGE;
        let title = Rich::parse(&figure.title).wrap(Face::Regular, size, title_room, 3);
        let lines = if figure.title.is_empty() { 0 } else { title.len() };
        let area = Rect {
            left,
            top: EDGE + lines as f64 * LEADING * size + if lines > 0 { 2.0 } else { 0.0 },
            width: width * columns.len() as f64,
            height: height * rows.len() as f64,
        };
        Ok(Sheet { figure, style, bar, rows, columns, area, upright })
    }

    /// Width and height of a cell.
    fn cell(&self) -> (f64, f64) {
        (self.area.width / self.columns.len() as f64, self.area.height / self.rows.len() as f64)
    }

    fn draw(&self) -> Drawing {
        let mut canvas = Canvas::new(self.style);
        self.title(&mut canvas);
        self.cells(&mut canvas);
        self.row_names(&mut canvas);
        let bottom = self.column_names(&mut canvas);
        let size = self.style.font_size;
        let middle = self.area.top + self.area.height / 2.0;
        let span = self.area.height.min(16.0 * size).max((8.0 * size).min(self.area.height));
        let ends = (middle - span / 2.0, middle + span / 2.0);
        let lowest = self.bar.draw(&mut canvas, self.style, self.area.right(), ends);
        let (name, caption) = (&self.figure.name, self.figure.caption());
        let height = bottom.max(lowest) + EDGE;
        canvas.finish(name, &caption, self.style.width.points(), height, self.style.theme.background)
    }

    fn title(&self, canvas: &mut Canvas) {
        let size = self.style.font_size;
        // The bar's label may stand higher than the matrix, so the title ends where the matrix does.
        let room = self.area.right() - EDGE;
        for (k, line) in Rich::parse(&self.figure.title).wrap(Face::Regular, size, room, 3).iter().enumerate()
        {
            canvas.text(line, EDGE, EDGE + (ASCENT + k as f64 * LEADING) * size, Type::new(size, INK));
        }
    }

    fn cells(&self, canvas: &mut Canvas) {
        let (width, height) = self.cell();
        for (row, cells) in self.figure.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let x = self.area.left + column as f64 * width;
                let y = self.area.top + row as f64 * height;
                match known(cell.value) {
                    Some(value) => self.valued(canvas, (x, y), cell, value),
                    None => draw_gap(canvas, [(x, y + height), (x + width, y)]),
                }
            }
        }
        let (l, t, r, b) = (self.area.left, self.area.top, self.area.right(), self.area.bottom());
        canvas.stroke(&[(l, t), (r, t), (r, b), (l, b), (l, t), (r, t)], 0.4, INK, Dash::Solid);
    }

    fn valued(&self, canvas: &mut Canvas, (x, y): (f64, f64), cell: &MatrixCell, value: f64) {
        let (width, height) = self.cell();
        let small = self.style.small();
        let colour = self.bar.scale.colour(value);
        // A little over the edge, so that no seam shows in print; neighbours and the frame cover it.
        let (right, foot) =
            ((x + width + 0.3).min(self.area.right()), (y + height + 0.3).min(self.area.bottom()));
        canvas.fill(&[(x, foot), (right, foot), (right, y), (x, y)], colour, 1.0);
        let number = Rich::parse(&scale::short(value));
        if number.width(Face::Bold, small) + 3.0 > width || LEADING * small + 1.0 > height {
            return;
        }
        let ink = self.style.theme.tone.ink_on(colour);
        let kind = Type::new(small, ink).anchored(Anchor::Middle);
        let kind = if self.figure.stands_out(cell) { kind.bold() } else { kind };
        canvas.text(&number, x + width / 2.0, y + height / 2.0 + 0.33 * small, kind);
    }

    fn row_names(&self, canvas: &mut Canvas) {
        let (size, small) = (self.style.font_size, self.style.small());
        let height = self.cell().1;
        let centre = |row: usize| self.area.top + (row as f64 + 0.5) * height;
        let half = (ASCENT + DESCENT) * small / 2.0;
        let extents: Vec<_> =
            (0..self.rows.len()).map(|row| (centre(row) - half, centre(row) + half)).collect();
        let kind = Type::new(small, INK).anchored(Anchor::End);
        for ((row, name), _) in self.rows.iter().enumerate().zip(scale::apart(&extents, 0.5)).filter(|l| l.1)
        {
            canvas.text(name, self.area.left - GAP, centre(row) + 0.33 * small, kind);
        }
        let label = Rich::parse(&self.figure.y_label).shorten(Face::Regular, size, self.area.height);
        let kind = Type::new(size, INK).anchored(Anchor::Middle).upwards();
        canvas.text(&label, EDGE + ASCENT * size, self.area.top + self.area.height / 2.0, kind);
    }

    /// Returns where they and their title end.
    fn column_names(&self, canvas: &mut Canvas) -> f64 {
        let (size, small) = (self.style.font_size, self.style.small());
        let width = self.cell().0;
        let centre = |column: usize| self.area.left + (column as f64 + 0.5) * width;
        let wide = |name: &Rich| name.width(Face::Regular, small);
        let half =
            |name: &Rich| if self.upright { (ASCENT + DESCENT) * small / 2.0 } else { wide(name) / 2.0 };
        let extents: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, name)| (centre(column) - half(name), centre(column) + half(name)))
            .collect();
        // The name of a low last row reaches below the matrix.
        let below = (LEADING * small - self.cell().1).max(0.0) / 2.0;
        let top = self.area.bottom() + GAP + below;
        let mut bottom = top;
        for ((column, name), _) in
            self.columns.iter().enumerate().zip(scale::apart(&extents, 0.5)).filter(|l| l.1)
        {
            if self.upright {
                let kind = Type::new(small, INK).anchored(Anchor::End).upwards();
                canvas.text(name, centre(column) + 0.33 * small, top, kind);
                bottom = bottom.max(top + wide(name));
            } else {
                let kind = Type::new(small, INK).anchored(Anchor::Middle);
                canvas.text(name, centre(column), top + ASCENT * small, kind);
                bottom = bottom.max(top + (ASCENT + DESCENT) * small);
            }
        }
        bottom += TICK;
        let label = Rich::parse(&self.figure.x_label).shorten(Face::Regular, size, self.area.width);
        let kind = Type::new(size, INK).anchored(Anchor::Middle);
        canvas.text(&label, self.area.left + self.area.width / 2.0, bottom + ASCENT * size, kind);
        bottom + LEADING * size
    }
}

impl Arrange for Matrix {
    fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    fn mark(&mut self, of: &str, _: Together) {
        mark(&mut self.title, of);
    }

    fn join(&mut self, _: &dyn Any, _: Together) -> Result<()> {
        Err(Error::Apart { name: self.name.clone(), why: "a matrix stands alone" })
    }

    /// `lines` are names of rows and columns.
    fn arrange(&mut self, arrangement: &Arrangement) -> Result<()> {
        let Arrangement { panels, lines, layers, names, .. } = arrangement;
        if !panels.is_empty() {
            check_all_match("panel", panels, std::slice::from_ref(&self.title))?;
        }
        if let &Some((first, last)) = layers {
            return Err(Error::NoLayers { name: self.name.clone(), first, last });
        }
        if !lines.is_empty() {
            let all = [self.rows.as_slice(), &self.columns].concat();
            check_all_match("row or column", lines, &all)?;
            let (rows, columns) = (chosen(lines, &self.rows), chosen(lines, &self.columns));
            pick(&mut self.rows, &rows);
            pick(&mut self.columns, &columns);
            pick(&mut self.cells, &rows);
            self.cells.iter_mut().for_each(|row| pick(row, &columns));
        }
        let texts = [&mut self.title, &mut self.x_label, &mut self.y_label, &mut self.value_label];
        let texts: Vec<&mut String> =
            texts.into_iter().chain(&mut self.rows).chain(&mut self.columns).collect();
        let known: Vec<String> = texts.iter().map(|text| (*text).clone()).collect();
        check_names(names, &known)?;
        texts.into_iter().for_each(|text| replace(names, text));
        Ok(())
    }
}

impl Figure for Matrix {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        Ok(Sheet::new(self, style)?.draw())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["row", "column", "value", "lo", "hi"]);
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            for (column, cell) in self.columns.iter().zip(cells) {
                let (low, high) = cell.interval.unzip();
                csv.row(&[row, column], &[cell.value, low, high]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let of = plain(&self.title);
        let of = if of.is_empty() { of } else { format!(" of {of}") };
        let sides: Vec<String> = [("rows", &self.y_label), ("columns", &self.x_label)]
            .map(|(s, l)| format!("{s}: {}", plain(l)))
            .into();
        let mut out = vec![format!("{}{of}; {}.", plain(&self.value_label), listed(&sides))];
        if !self.note.is_empty() {
            out.push(plain(&self.note));
        }
        if let HeatColours::Diverging { null, .. } = self.colours {
            let null = &scale::tick_labels(&[null])[0];
            out.push(format!("Colours are centred at {null}."));
            if self.cells.iter().flatten().any(|cell| self.stands_out(cell)) {
                out.push(format!("Bold where the interval leaves {null} out ({}).", plain(&self.interval)));
            }
        }
        let values = self.values();
        if !values.is_empty() {
            let scale = self.colours.resolve(&values);
            if scale.below || scale.above {
                out.push("Values beyond the ends of the colour bar take the end's colour.".into());
            }
        }
        if self.cells.iter().flatten().any(|cell| known(cell.value).is_none()) {
            out.push("Hatched grey cells: not defined.".into());
        }
        out.join(" ")
    }
}

//! A score at every layer and round (or head), as heat maps over conditions and concepts.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, Parts, pick};
use crate::canvas::{Anchor, Canvas, Drawing, Type};
use crate::colour::{INK, WHITE};
use crate::data::{Csv, check_flags, check_list, check_some, known, listed, plain};
use crate::error::{Error, Result};
use crate::font::Face;
use crate::grid::letter;
use crate::heat::{ColourBar, EDGE, HeatColours, draw_gap};
use crate::panel::{Axis, Panel, Rect, TICK};
use crate::scale;
use crate::style::{Dash, Style};
use crate::text::{ASCENT, DESCENT, LEADING, Rich};

/// Space between neighbouring maps, in points.
const GUTTER: f64 = 5.0;

/// Heat maps of layer (y, layer 0 at the bottom) by round or head (x): a row of maps for each concept, a
/// column for each condition, one colour bar for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRoundMap {
    /// The figure's name, used for file names.
    pub name: String,
    /// Rows of maps.
    pub rows: Vec<MapRow>,
    /// The label of the x axis, "Round" or "Head"; in small letters it names the column of the CSV.
    pub x_label: String,
    /// The label of the y axis, usually "Layer".
    pub y_label: String,
    /// The label of the colour bar, with its unit: "Stereotype score, change from round 0".
    pub value_label: String,
    /// The layer of the lowest row of every map.
    pub first_layer: usize,
    /// How values become colours.
    pub colours: HeatColours,
    /// What the dots mean, for the caption: "q < 0.05, sign-flip test".
    pub significance: String,
}

/// The maps of one concept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MapRow {
    /// The concept; may be empty when there is one row.
    pub title: String,
    /// One map a condition, the same conditions in every row.
    pub maps: Vec<HeatMap>,
}

/// One map. All maps of a figure have the same size.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HeatMap {
    /// The condition.
    pub title: String,
    /// `values[layer][round]`; None or NaN is a cell without a value, drawn grey and hatched.
    pub values: Vec<Vec<Option<f64>>>,
    /// `passes[layer][round]`: cells to mark with a dot; empty when there was no test.
    pub passes: Vec<Vec<bool>>,
}

impl LayerRoundMap {
    /// What lies along the x axis.
    fn column(&self) -> String {
        plain(&self.x_label).to_lowercase()
    }

    fn values(&self) -> Vec<f64> {
        let maps = self.rows.iter().flat_map(|r| &r.maps);
        maps.flat_map(|m| m.values.iter().flatten()).filter_map(|v| known(*v)).collect()
    }

    fn any_passes(&self) -> bool {
        self.rows.iter().flat_map(|r| &r.maps).any(|m| m.passes.iter().flatten().any(|&p| p))
    }

    /// Layers and rounds of every map.
    fn shape(&self) -> Result<(usize, usize)> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.rows, &what, "row")?;
        let conditions = self.rows[0].maps.len();
        let first = self.rows[0].maps.first();
        let layers = first.map_or(0, |m| m.values.len());
        let rounds = first.and_then(|m| m.values.first()).map_or(0, Vec::len);
        for row in &self.rows {
            let what = format!("row \"{}\"", row.title);
            check_some(&row.maps, &what, "map")?;
            same(&format!("{what}, maps"), conditions, row.maps.len())?;
            for map in &row.maps {
                let what = format!("{what}, map \"{}\"", map.title);
                check_some(&map.values, &what, "layer")?;
                same(&format!("{what}, values"), layers, map.values.len())?;
                for (layer, values) in map.values.iter().enumerate() {
                    check_some(values, &format!("{what}, layer {layer}"), "round")?;
                    check_list(&format!("{what}, layer {layer}"), values, rounds)?;
                }
                if !map.passes.is_empty() {
                    same(&format!("{what}, passes"), layers, map.passes.len())?;
                    for (layer, flags) in map.passes.iter().enumerate() {
                        check_flags(&format!("{what}, passes at layer {layer}"), flags, rounds)?;
                    }
                }
            }
        }
        if self.values().is_empty() {
            return Err(Error::NoValues { what });
        }
        self.colours.check(&what)?;
        Ok((layers, rounds))
    }
}

fn same(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Ragged { what: what.into(), expected, found }) }
}

/// Sizes fixed before anything is drawn.
struct Sheet<'a> {
    figure: &'a LayerRoundMap,
    style: &'a Style,
    bar: ColourBar,
    map: Rect,
    x: Axis,
    y: Axis,
}

impl<'a> Sheet<'a> {
    fn new(figure: &'a LayerRoundMap, style: &'a Style) -> Result<Sheet<'a>> {
        let (layers, rounds) = figure.shape()?;
        let (size, small) = (style.font_size, style.small());
        let columns = figure.rows[0].maps.len();
        let height = style.panel_height.unwrap_or((layers as f64 * 3.4).clamp(9.0 * size, 13.0 * size));
        let wanted = (height / (1.9 * size)).clamp(2.0, 8.0) as usize;
        let first = figure.first_layer as f64;
        let y = Axis::integers(first - 0.5, first + layers as f64 - 0.5, wanted);
        let wide = |labels: &[String]| {
            labels.iter().map(|l| Rich::parse(l).width(Face::Regular, small)).fold(0.0, f64::max)
        };
        let y_labels: Vec<_> = y.ticks.iter().map(|t| t.1.clone()).collect();
        let rows = figure.rows.len() as f64;
        let scale = figure.colours.resolve(&figure.values());
        let bar = ColourBar::new(scale, &figure.value_label, style, height * rows.max(1.1));
        let left = EDGE + LEADING * size + 2.0 + wide(&y_labels) + 1.6 + TICK;
        let right = bar.width(style);
        let free = style.width.points() - left - right - GUTTER * (columns - 1) as f64;
        let width = free / columns as f64;
        if width < 14.0 {
            return Err(Error::TooNarrow { columns, got: width });
        }
        let digit = Rich::parse("00").width(Face::Regular, small) + 2.0;
        let x = Axis::integers(-0.5, rounds as f64 - 0.5, ((width / digit) as usize).max(1));
        let map = Rect { left, top: 0.0, width, height };
        Ok(Sheet { figure, style, bar, map, x, y })
    }

    fn draw(&self) -> Result<Drawing> {
        let mut canvas = Canvas::new(self.style);
        let mut top = EDGE;
        let mut first_map_top = None;
        let mut last_map_bottom = 0.0;
        for (index, row) in self.figure.rows.iter().enumerate() {
            let last = index + 1 == self.figure.rows.len();
            let map_top = self.draw_titles(&mut canvas, row, index, top);
            first_map_top.get_or_insert(map_top);
            for (column, map) in row.maps.iter().enumerate() {
                let left = self.map.left + column as f64 * (self.map.width + GUTTER);
                let rect = Rect { left, top: map_top, ..self.map };
                self.draw_map(&mut canvas, map, rect, column == 0, last);
            }
            last_map_bottom = map_top + self.map.height;
            top = last_map_bottom + 6.0;
        }
        let bottom = self.x_title(&mut canvas, last_map_bottom);
        let (top, bottom_of_maps) = (first_map_top.unwrap_or(EDGE), last_map_bottom);
        let span = (bottom_of_maps - top).min((self.map.height * 1.3).max(14.0 * self.style.font_size));
        let middle = (top + bottom_of_maps) / 2.0;
        let ends = (middle - span / 2.0, middle + span / 2.0);
        let lowest = self.bar.draw(&mut canvas, self.style, self.maps_right(), ends);
        let (name, caption) = (&self.figure.name, self.figure.caption());
        let height = bottom.max(lowest) + EDGE;
        Ok(canvas.finish(name, &caption, self.style.width.points(), height, self.style.theme.background))
    }

    fn columns(&self) -> f64 {
        self.figure.rows[0].maps.len() as f64
    }

    /// Right edge of the last map.
    fn maps_right(&self) -> f64 {
        self.map.left + self.columns() * (self.map.width + GUTTER) - GUTTER
    }

    /// The concept above its row, the condition above each map; returns the maps' top.
    fn draw_titles(&self, canvas: &mut Canvas, row: &MapRow, index: usize, top: f64) -> f64 {
        let size = self.style.font_size;
        let mut y = top;
        let several = self.figure.rows.len() > 1;
        let mut x = self.map.left;
        if several {
            let letter = Rich::parse(&letter(index));
            canvas.text(&letter, x, y + ASCENT * size, Type::new(size, INK).bold());
            x += letter.width(Face::Bold, size) + 4.0;
        }
        let title = Rich::parse(&row.title).wrap(Face::Regular, size, self.maps_right() - x, 3);
        for (k, line) in title.iter().enumerate() {
            canvas.text(line, x, y + (ASCENT + k as f64 * LEADING) * size, Type::new(size, INK));
        }
        let lines = title.len().max(usize::from(several));
        y += lines as f64 * LEADING * size + if lines > 0 { 1.5 } else { 0.0 };
        if index > 0
            && row.maps.iter().map(|m| &m.title).eq(self.figure.rows[0].maps.iter().map(|m| &m.title))
        {
            return y;
        }
        self.map_titles(canvas, row, y)
    }

    /// The conditions above their maps. A title may overhang its map where its neighbours leave room.
    fn map_titles(&self, canvas: &mut Canvas, row: &MapRow, top: f64) -> f64 {
        let small = self.style.small();
        let kind = Type::new(small, INK).anchored(Anchor::Middle);
        let centre =
            |column: usize| self.map.left + column as f64 * (self.map.width + GUTTER) + self.map.width / 2.0;
        let whole: Vec<_> = row.maps.iter().map(|m| Rich::parse(&m.title)).collect();
        let boxes: Vec<_> = whole.iter().enumerate().map(|(i, t)| kind.place(t, centre(i), 0.0)).collect();
        let free = boxes.windows(2).all(|w| w[0].right + 3.0 <= w[1].left)
            && boxes.first().is_none_or(|b| b.left >= EDGE)
            && boxes.last().is_none_or(|b| b.right <= self.maps_right() + 7.0);
        let room = if free { f64::INFINITY } else { self.map.width + GUTTER - 2.5 };
        let titles: Vec<_> = whole.iter().map(|t| t.wrap(Face::Regular, small, room, 3)).collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let foot = top + lines as f64 * LEADING * small + 1.5;
        for (column, title) in titles.iter().enumerate() {
            for (k, line) in title.iter().enumerate() {
                let up = (title.len() - k) as f64 * LEADING * small - ASCENT * small;
                canvas.text(line, centre(column), foot - 1.5 - up, kind);
            }
        }
        foot
    }

    fn draw_map(&self, canvas: &mut Canvas, map: &HeatMap, rect: Rect, first: bool, last: bool) {
        let panel = Panel { rect, x: self.x.clone(), y: self.y.clone(), strip: 0.0, headroom: 0.0 };
        let first_layer = self.figure.first_layer;
        for (layer, values) in map.values.iter().enumerate() {
            for (round, value) in values.iter().enumerate() {
                let corner =
                    |dx: f64, dy: f64| panel.at(round as f64 + dx, (first_layer + layer) as f64 + dy);
                let cell = [corner(-0.5, -0.5), corner(0.5, 0.5)];
                match known(*value) {
                    Some(value) => {
                        let beyond =
                            |l: usize, r: usize| map.values.get(l).and_then(|v| known(*v.get(r)?)).is_some();
                        self.draw_cell(
                            canvas,
                            cell,
                            value,
                            (beyond(layer, round + 1), beyond(layer + 1, round)),
                        );
                    }
                    None => draw_gap(canvas, cell),
                }
            }
        }
        self.draw_dots(canvas, map, &panel);
        let (l, t, r, b) = (rect.left, rect.top, rect.right(), rect.bottom());
        canvas.stroke(&[(l, t), (r, t), (r, b), (l, b), (l, t), (r, t)], 0.4, INK, Dash::Solid);
        if first {
            let size = self.style.font_size;
            panel.y_ticks(canvas, self.style.small(), TICK);
            let label = Rich::parse(&self.figure.y_label).shorten(Face::Regular, size, rect.height);
            let kind = Type::new(size, INK).anchored(Anchor::Middle).upwards();
            canvas.text(&label, EDGE + ASCENT * size, rect.top + rect.height / 2.0, kind);
        }
        if last {
            panel.x_ticks(canvas, self.style.small(), TICK);
        }
    }

    /// Dots in the cells that pass, light on dark cells and dark on light ones.
    fn draw_dots(&self, canvas: &mut Canvas, map: &HeatMap, panel: &Panel) {
        let (mut on_dark, mut on_light) = (Vec::new(), Vec::new());
        for (layer, flags) in map.passes.iter().enumerate() {
            for (round, _) in flags.iter().enumerate().filter(|f| *f.1) {
                let Some(value) = map.values.get(layer).and_then(|v| known(*v.get(round)?)) else { continue };
                let dark = self.style.theme.tone.ink_on(self.bar.scale.colour(value)) == WHITE;
                let dots = if dark { &mut on_dark } else { &mut on_light };
                dots.push(panel.at(round as f64, (self.figure.first_layer + layer) as f64));
            }
        }
        let radius = (0.26 * panel.rect.height / map.values.len() as f64).clamp(0.45, 1.2);
        canvas.dots(&on_dark, radius, WHITE, 1.0);
        canvas.dots(&on_light, radius, INK, 1.0);
    }

    /// A cell reaches a little under its right and upper neighbours, so that no seam shows in print.
    fn draw_cell(
        &self,
        canvas: &mut Canvas,
        [from, to]: [(f64, f64); 2],
        value: f64,
        (right, up): (bool, bool),
    ) {
        let (x1, y1) = (to.0 + if right { 0.3 } else { 0.0 }, to.1 - if up { 0.3 } else { 0.0 });
        canvas.fill(&[from, (x1, from.1), (x1, y1), (from.0, y1)], self.bar.scale.colour(value), 1.0);
    }

    fn x_title(&self, canvas: &mut Canvas, maps_bottom: f64) -> f64 {
        let (size, small) = (self.style.font_size, self.style.small());
        let mut bottom = maps_bottom + TICK + 1.6 + (ASCENT + DESCENT) * small + 1.0;
        let (left, right) = (self.map.left, self.maps_right());
        let kind = Type::new(size, INK).anchored(Anchor::Middle);
        for line in Rich::parse(&self.figure.x_label).wrap(Face::Regular, size, right - left, 3) {
            canvas.text(&line, (left + right) / 2.0, bottom + ASCENT * size, kind);
            bottom += LEADING * size;
        }
        bottom
    }
}

impl Parts for LayerRoundMap {
    type Panel = MapRow;

    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn panels(&mut self) -> &mut Vec<MapRow> {
        &mut self.rows
    }

    fn axes(&mut self) -> Vec<&mut String> {
        vec![&mut self.x_label, &mut self.y_label, &mut self.value_label]
    }

    fn claims(&self) -> Vec<&str> {
        vec![&self.significance]
    }

    fn columns(&mut self) -> Option<&mut Option<usize>> {
        None
    }

    fn keep_layers(&mut self, first: usize, last: usize) -> bool {
        let mut maps = self.rows.iter().flat_map(|row| &row.maps);
        if first < self.first_layer
            || last < first
            || !maps.all(|map| last < self.first_layer + map.values.len())
        {
            return false;
        }
        let kept = first - self.first_layer..last + 1 - self.first_layer;
        for map in self.rows.iter_mut().flat_map(|row| &mut row.maps) {
            map.values = map.values[kept.clone()].to_vec();
            if !map.passes.is_empty() {
                map.passes = map.passes[kept.clone()].to_vec();
            }
        }
        self.first_layer = first;
        true
    }
}

impl Part for MapRow {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.maps.iter_mut().map(|map| &mut map.title).collect()
    }

    fn keep(&mut self, maps: &[usize]) {
        pick(&mut self.maps, maps);
    }

    fn absorb(&mut self, other: &Self) -> bool {
        self.maps.extend(other.maps.iter().cloned());
        true
    }
}

impl Figure for LayerRoundMap {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        Sheet::new(self, style)?.draw()
    }

    fn csv(&self) -> String {
        let column = self.column();
        let mut csv = Csv::new(&["row", "map", "layer", &column, "value", "passes"]);
        for row in &self.rows {
            for map in &row.maps {
                for (layer, values) in map.values.iter().enumerate() {
                    for (round, value) in values.iter().enumerate() {
                        let passes =
                            map.passes.get(layer).and_then(|p| p.get(round)).map(|&p| f64::from(u8::from(p)));
                        let numbers = [Some(layer as f64), Some(round as f64), *value, passes];
                        csv.row(&[&row.title, &map.title], &numbers);
                    }
                }
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let concepts: Vec<_> = self.rows.iter().map(|r| plain(&r.title)).filter(|t| !t.is_empty()).collect();
        let concepts = if concepts.len() > 1 {
            crate::data::lettered(self.rows.iter().map(|r| r.title.as_str()))
        } else {
            concepts
        };
        let of = if concepts.is_empty() { String::new() } else { format!(" for {}", listed(&concepts)) };
        let mut each: Vec<String> = Vec::new();
        for title in self.rows.iter().flat_map(|r| &r.maps).map(|m| plain(&m.title)) {
            if !title.is_empty() && !each.contains(&title) {
                each.push(title);
            }
        }
        let each = if each.len() > 1 { format!("; a map each for {}", listed(&each)) } else { String::new() };
        let mut out = vec![format!("{} by layer and {}{of}{each}.", plain(&self.value_label), self.column())];
        if let HeatColours::Diverging { null, .. } = self.colours {
            out.push(format!("Colours are centred at {} (no effect).", scale::tick_labels(&[null])[0]));
        }
        let values = self.values();
        if !values.is_empty() {
            let scale = self.colours.resolve(&values);
            if scale.below || scale.above {
                out.push("Values beyond the ends of the colour bar take the end's colour.".into());
            }
        }
        if self.any_passes() {
            out.push(format!("Dots: {}.", plain(&self.significance)));
        }
        if self
            .rows
            .iter()
            .flat_map(|r| &r.maps)
            .any(|m| m.values.iter().flatten().any(|v| known(*v).is_none()))
        {
            out.push("Hatched grey cells: not defined.".into());
        }
        out.join(" ")
    }
}

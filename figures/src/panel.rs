//! The grammar: a panel is a pair of axes, and marks are drawn on it.

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::{RGBAColor, ShapeStyle};

use crate::arrows::{self, Cross, Tip};
use crate::blocks::{self, BlockLook};
use crate::brackets::Brackets;
use crate::canvas::{Anchor, Canvas, Pen, Type, UNIT};
use crate::colour::{INK, Rgb, WHITE};
use crate::contours;
use crate::crowd;
use crate::error::{Error, Result};
use crate::font::Face;
use crate::marker::square;
use crate::place;
use crate::scale;
use crate::style::{Dash, Look};
use crate::text::{ASCENT, LEADING, Rich};

/// The thickness of axes and ticks, in points.
const AXIS: f64 = 0.5;
/// The length of ticks, in points.
pub(crate) const TICK: f64 = 2.4;

/// A rectangle on the sheet, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// One axis: its range and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Ticks at round numbers, about `wanted` of them.
    pub fn round(lo: f64, hi: f64, wanted: usize) -> Axis {
        Axis::with(lo, hi, scale::ticks(lo, hi, wanted))
    }

    /// Ticks at round integers.
    pub fn integers(lo: f64, hi: f64, wanted: usize) -> Axis {
        Axis::with(lo, hi, scale::integer_ticks(lo, hi, wanted))
    }

    /// Ticks at round numbers whose decimal logarithms lie in [lo, hi], about `wanted` of them.
    pub fn log(lo: f64, hi: f64, wanted: usize) -> Axis {
        Axis { lo, hi, ticks: scale::log_ticks(lo, hi, wanted) }
    }

    pub fn with(lo: f64, hi: f64, ticks: Vec<f64>) -> Axis {
        let labels = scale::tick_labels(&ticks);
        Axis { lo, hi, ticks: ticks.into_iter().zip(labels).collect() }
    }
}

/// A data area with its axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub rect: Rect,
    pub x: Axis,
    pub y: Axis,
    /// Points kept free above the x axis for rows of significance marks.
    pub strip: f64,
    /// Points kept free below the upper edge for notes.
    pub headroom: f64,
}

type Area<'a> = DrawingArea<Pen<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Panel {
    fn coordinates(&self) -> Cartesian2d<RangedCoordf64, RangedCoordf64> {
        let units = |v: f64| (v * UNIT).round() as i32;
        let r = &self.rect;
        Cartesian2d::new(
            self.x.lo..self.x.hi,
            self.y.lo..self.y.hi,
            (units(r.left)..units(r.right()), units(r.bottom() - self.strip)..units(r.top + self.headroom)),
        )
    }

    /// The place of a datum on the sheet, in points.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = plotters::coord::CoordTranslate::translate(&self.coordinates(), &(x, y));
        (f64::from(x) / UNIT, f64::from(y) / UNIT)
    }

    /// The place of a datum across the sheet, in points.
    fn across(&self, x: f64) -> f64 {
        self.at(x, self.y.lo).0
    }

    fn draw<'a>(&self, canvas: &'a mut Canvas, dash: Dash) -> Area<'a> {
        let area: DrawingArea<_, Shift> = canvas.pen(dash).into_drawing_area();
        area.apply_coord_spec(self.coordinates())
    }

    /// The left and bottom axis with ticks and their labels.
    pub fn axes(&self, canvas: &mut Canvas, size: f64) {
        self.frame(canvas);
        self.x_ticks(canvas, size, TICK);
        self.y_ticks(canvas, size, TICK);
    }

    /// The same where a panel beneath has the labels of the x axis.
    pub fn axes_above(&self, canvas: &mut Canvas, size: f64) {
        self.frame(canvas);
        let bare = self.x.ticks.iter().map(|(value, _)| (*value, String::new())).collect();
        Panel { x: Axis { ticks: bare, ..self.x.clone() }, ..self.clone() }.x_ticks(canvas, size, TICK);
        self.y_ticks(canvas, size, TICK);
    }

    /// The bottom axis alone.
    pub fn foot(&self, canvas: &mut Canvas, size: f64) {
        let r = self.rect;
        canvas.stroke(&[(r.left, r.bottom()), (r.right(), r.bottom())], AXIS, INK, Dash::Solid);
        self.x_ticks(canvas, size, TICK);
    }

    fn frame(&self, canvas: &mut Canvas) {
        let r = self.rect;
        canvas.stroke(
            &[(r.left, r.top), (r.left, r.bottom()), (r.right(), r.bottom())],
            AXIS,
            INK,
            Dash::Solid,
        );
    }

    /// Every tick, and as many labels as do not touch, those of the ends first. A label at an end keeps clear
    /// of the y axis' labels and of the next panel.
    pub fn x_ticks(&self, canvas: &mut Canvas, size: f64, length: f64) {
        let kind = Type::new(size, INK).anchored(Anchor::Middle);
        let foot = self.rect.bottom() + length;
        let mut labels = Vec::new();
        for (value, label) in &self.x.ticks {
            let x = self.at(*value, self.y.lo).0;
            canvas.stroke(&[(x, self.rect.bottom()), (x, foot)], AXIS, INK, Dash::Solid);
            let label = Rich::parse(label);
            let half = label.width(Face::Regular, size) / 2.0;
            let x = x.min(self.rect.right() + 4.0 - half).max(self.rect.left - 3.5 + half);
            labels.push((x, half, label));
        }
        let extents: Vec<_> = labels.iter().map(|(x, half, _)| (x - half, x + half)).collect();
        for ((x, _, label), _) in labels.iter().zip(scale::apart(&extents, 2.0)).filter(|l| l.1) {
            canvas.text(label, *x, foot + 1.6 + ASCENT * size, kind);
        }
    }

    pub fn y_ticks(&self, canvas: &mut Canvas, size: f64, length: f64) {
        let kind = Type::new(size, INK).anchored(Anchor::End);
        for (value, label) in &self.y.ticks {
            let y = self.at(self.x.lo, *value).1;
            let end = self.rect.left - length;
            canvas.stroke(&[(end, y), (self.rect.left, y)], AXIS, INK, Dash::Solid);
            canvas.text(&Rich::parse(label), end - 1.6, y + 0.33 * size, kind);
        }
    }
}

/// A point that may be missing.
pub(crate) type Datum = (f64, Option<f64>);

/// What can be drawn on a panel. Missing values are gaps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mark {
    /// The area between two curves.
    Band { x: Vec<f64>, lo: Vec<Option<f64>>, hi: Vec<Option<f64>>, colour: Rgb, alpha: f64 },
    /// A curve.
    Line { points: Vec<Datum>, colour: Rgb, dash: Dash, width: f64 },
    /// Columns half a unit to either side of x; neighbours touch.
    Columns { x: Vec<f64>, lo: Vec<Option<f64>>, hi: Vec<Option<f64>>, colour: Rgb },
    /// Vertical intervals.
    Bars { x: Vec<f64>, lo: Vec<Option<f64>>, hi: Vec<Option<f64>>, colour: Rgb },
    /// Markers.
    Points { points: Vec<Datum>, look: Look, radius: f64 },
    /// A horizontal line across the panel.
    Rule { y: f64, colour: Rgb, dash: Dash, width: f64 },
    /// A vertical line across the panel.
    Upright { x: f64, colour: Rgb, width: f64 },
    /// Small squares in a row above the x axis, row 0 the lowest.
    Passes { x: Vec<f64>, row: usize, colour: Rgb },
    /// A ringed point with its value beside it.
    Note { x: f64, y: f64, text: String, colour: Rgb, size: f64 },
    /// Names of points, with a line around each point whose name has room; the first choose first.
    Names { points: Vec<(f64, f64, String)>, radius: f64, size: f64 },
    /// A note in the corner where it hides least; it comes after what it must not hide.
    Corner { lines: Vec<String>, size: f64 },
    /// A tinted ground between two places of the x axis.
    Ground { x: (f64, f64), colour: Rgb },
    /// Bars that stand on 0, `width` wide.
    Blocks { bars: Vec<Datum>, width: f64, look: BlockLook },
    /// Short lines across bars.
    Levels { points: Vec<Datum>, width: f64 },
    /// Brackets above bars.
    Brackets(Brackets),
    /// An area within closed lines, those around what it holds to the left and those around holes to the right.
    Region { lines: Vec<Vec<(f64, f64)>>, colour: Rgb, alpha: f64 },
    /// Intervals along both axes.
    Crosses { crosses: Vec<Cross>, colour: Rgb },
    /// An arrow from point to point.
    Arrows { points: Vec<Datum>, look: Look },
    /// Names of what ends at a place, where there is room; the first choose first.
    Tips { tips: Vec<Tip>, size: f64 },
}

/// The height of one row of significance marks, in points.
pub(crate) const PASS_ROW: f64 = 3.4;

impl Mark {
    /// Every number of the mark that the y axis must hold.
    pub fn heights(&self) -> Vec<f64> {
        let values = |v: &[Option<f64>]| v.iter().flatten().copied().collect::<Vec<_>>();
        match self {
            Mark::Band { lo, hi, .. } | Mark::Bars { lo, hi, .. } | Mark::Columns { lo, hi, .. } => {
                [values(lo), values(hi)].concat()
            }
            Mark::Line { points, .. } | Mark::Points { points, .. } | Mark::Arrows { points, .. } => {
                points.iter().filter_map(|p| p.1).collect()
            }
            Mark::Levels { points, .. } => points.iter().filter_map(|p| p.1).collect(),
            Mark::Crosses { crosses, .. } => {
                crosses.iter().flat_map(Cross::lines).flatten().map(|end| end.1).collect()
            }
            Mark::Blocks { bars, .. } => bars.iter().map(|p| p.1.unwrap_or(0.0)).collect(),
            Mark::Rule { y, .. } | Mark::Note { y, .. } => vec![*y],
            Mark::Names { points, .. } => points.iter().map(|p| p.1).collect(),
            Mark::Upright { .. }
            | Mark::Passes { .. }
            | Mark::Corner { .. }
            | Mark::Ground { .. }
            | Mark::Brackets(_)
            | Mark::Region { .. }
            | Mark::Tips { .. } => Vec::new(),
        }
    }

    pub fn draw(&self, panel: &Panel, canvas: &mut Canvas, all: &[Mark]) -> Result<()> {
        match self {
            Mark::Band { x, lo, hi, colour, alpha } => {
                let area = panel.draw(canvas, Dash::Solid);
                for stretch in complete_stretches(x, lo, hi) {
                    let stretch = crowd::band(&stretch, |x| panel.across(x));
                    if let [(x, lo, hi)] = stretch[..] {
                        let bar = paint(*colour, 2.0 * alpha).stroke_width(units(1.4));
                        area.draw(&PathElement::new(vec![(x, lo), (x, hi)], bar)).map_err(drawing)?;
                        continue;
                    }
                    let there = stretch.iter().map(|&(x, lo, _)| (x, lo));
                    let back = stretch.iter().rev().map(|&(x, _, hi)| (x, hi));
                    let corners: Vec<_> = there.chain(back).collect();
                    area.draw(&Polygon::new(corners, paint(*colour, *alpha).filled())).map_err(drawing)?;
                }
            }
            Mark::Line { points, colour, dash, width } => {
                let area = panel.draw(canvas, *dash);
                for stretch in stretches(points).into_iter().filter(|s| s.len() > 1) {
                    let stretch = crowd::line(stretch, |x| panel.across(x));
                    area.draw(&PathElement::new(stretch, paint(*colour, 1.0).stroke_width(units(*width))))
                        .map_err(drawing)?;
                }
            }
            Mark::Columns { x, lo, hi, colour } => {
                // One outline for neighbours, and a little under what is drawn later below, so that no seam shows in
                // print.
                let lowest = panel.rect.bottom() - AXIS / 2.0;
                for run in complete_stretches(x, lo, hi) {
                    let there = run.iter().flat_map(|&(x, _, hi)| [(x - 0.5, hi), (x + 0.5, hi)]);
                    let back = run.iter().rev().flat_map(|&(x, lo, _)| [(x + 0.5, lo), (x - 0.5, lo)]);
                    let there = there.map(|(x, y)| panel.at(x, y));
                    let back = back.map(|(x, y)| panel.at(x, y)).map(|(x, y)| (x, y + 0.3));
                    let corners: Vec<_> = there.chain(back).map(|(x, y)| (x, y.min(lowest))).collect();
                    canvas.fill(&corners, *colour, 1.0);
                }
            }
            Mark::Bars { x, lo, hi, colour } => {
                let area = panel.draw(canvas, Dash::Solid);
                for &(x, lo, hi) in complete_stretches(x, lo, hi).iter().flatten() {
                    area.draw(&PathElement::new(
                        vec![(x, lo), (x, hi)],
                        paint(*colour, 1.0).stroke_width(units(0.7)),
                    ))
                    .map_err(drawing)?;
                }
            }
            Mark::Points { points, look, radius } => {
                let places = points.iter().filter_map(|p| Some(panel.at(p.0, p.1?)));
                crowd::markers(canvas, &places.collect::<Vec<_>>(), *look, *radius);
            }
            Mark::Rule { y, colour, dash, width } => {
                let ends = vec![(panel.x.lo, *y), (panel.x.hi, *y)];
                panel
                    .draw(canvas, *dash)
                    .draw(&PathElement::new(ends, paint(*colour, 1.0).stroke_width(units(*width))))
                    .map_err(drawing)?;
            }
            Mark::Upright { x, colour, width } => {
                let x = panel.at(*x, panel.y.lo).0;
                let (top, bottom) = (panel.rect.top, panel.rect.bottom());
                canvas.stroke(&[(x, bottom), (x, top)], *width, *colour, Dash::Solid);
            }
            Mark::Passes { x, row, colour } => {
                let y = panel.rect.bottom() - PASS_ROW * (*row as f64 + 0.5) - 0.6;
                for x in x {
                    square(canvas, (panel.at(*x, panel.y.lo).0, y), 0.95, *colour);
                }
            }
            Mark::Note { x, y, text, colour, size } => {
                let style = |c, fill: bool| {
                    if fill { paint(c, 1.0).filled() } else { paint(c, 1.0).stroke_width(90) }
                };
                let area = panel.draw(canvas, Dash::Solid);
                area.draw(&Circle::new((*x, *y), 180, style(WHITE, true))).map_err(drawing)?;
                area.draw(&Circle::new((*x, *y), 180, style(*colour, false))).map_err(drawing)?;
                drop(area);
                let text = Rich::parse(text);
                let kind = Type::new(*size, colour.as_ink()).anchored(Anchor::Middle);
                let point = panel.at(*x, *y);
                let (x, y) = place::near(panel, point, &text, kind, all, canvas.texts());
                canvas.text(&text, x, y, kind);
            }
            Mark::Names { points, radius, size } => {
                let kind = Type::new(*size, INK);
                let mut ink = place::ink_of(panel, all);
                for (x, y, name) in points {
                    let (text, point) = (Rich::parse(name), panel.at(*x, *y));
                    let found = place::beside(panel, point, *radius, &text, kind, &ink, canvas.texts());
                    let Some((left, baseline, leader)) = found.filter(|_| !text.is_empty()) else {
                        continue;
                    };
                    let ring = paint(INK, 1.0).stroke_width(units(0.6));
                    let area = panel.draw(canvas, Dash::Solid);
                    area.draw(&Circle::new((*x, *y), units(*radius), ring)).map_err(drawing)?;
                    drop(area);
                    if let Some(leader) = leader {
                        canvas.stroke(&leader, 0.35, INK, Dash::Solid);
                        ink.extend(place::along(leader));
                    }
                    canvas.text(&text, left, baseline, kind);
                }
            }
            Mark::Corner { lines, size } => {
                let (lines, r) = place::corner(panel, lines, *size, all);
                let (left, top, right, bottom) =
                    (r.left - 1.0, r.top - 0.5, r.right() + 1.0, r.bottom() + 0.5);
                canvas.fill(&[(left, top), (right, top), (right, bottom), (left, bottom)], WHITE, 0.8);
                for (k, line) in lines.iter().enumerate() {
                    let baseline = r.top + (ASCENT + k as f64 * LEADING) * size;
                    canvas.text(line, r.left, baseline, Type::new(*size, INK));
                }
            }
            Mark::Ground { x, colour } => {
                let (left, right) = (panel.at(x.0, panel.y.lo).0, panel.at(x.1, panel.y.lo).0);
                let (top, bottom) = (panel.rect.top, panel.rect.bottom() - AXIS / 2.0);
                canvas.fill(&[(left, top), (right, top), (right, bottom), (left, bottom)], *colour, 1.0);
            }
            Mark::Blocks { bars, width, look } => blocks::draw(canvas, panel, bars, *width, *look),
            Mark::Levels { points, width } => {
                for (x, y) in points.iter().filter_map(|p| Some((p.0, p.1?))) {
                    blocks::level(canvas, [panel.at(x - width / 2.0, y), panel.at(x + width / 2.0, y)]);
                }
            }
            Mark::Brackets(brackets) => brackets.draw(canvas, panel),
            Mark::Region { lines, colour, alpha } => contours::draw(canvas, panel, lines, *colour, *alpha),
            Mark::Crosses { crosses, colour } => {
                crosses.iter().for_each(|cross| arrows::cross(canvas, panel, cross, *colour));
            }
            Mark::Arrows { points, look } => arrows::draw(canvas, panel, points, *look),
            Mark::Tips { tips, size } => arrows::tips(canvas, panel, tips, *size, all),
        }
        Ok(())
    }

    /// Places of the mark's ink on the sheet, densely enough to keep a text off it.
    pub fn ink(&self, panel: &Panel) -> Vec<(f64, f64)> {
        let along = |points: &[Datum]| -> Vec<(f64, f64)> {
            stretches(points)
                .into_iter()
                .map(|stretch| crowd::line(stretch, |x| panel.across(x)))
                .flat_map(|s| s.windows(2).map(|w| [w[0], w[1]]).collect::<Vec<_>>())
                .flat_map(|w| {
                    let (a, b) = (panel.at(w[0].0, w[0].1), panel.at(w[1].0, w[1].1));
                    let steps = ((b.0 - a.0).hypot(b.1 - a.1) / 4.0).ceil().clamp(4.0, 200.0) as usize;
                    (0..steps).map(move |k| {
                        let t = k as f64 / steps as f64;
                        (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1))
                    })
                })
                .collect()
        };
        match self {
            Mark::Band { x, lo, hi, .. } => {
                let edge =
                    |e: &[Option<f64>]| along(&x.iter().copied().zip(e.iter().copied()).collect::<Vec<_>>());
                [edge(lo), edge(hi)].concat()
            }
            Mark::Arrows { points, .. } => along(points),
            Mark::Crosses { crosses, .. } => {
                let line = |[a, b]: [(f64, f64); 2]| place::along([panel.at(a.0, a.1), panel.at(b.0, b.1)]);
                crosses.iter().flat_map(Cross::lines).flat_map(line).collect()
            }
            Mark::Line { points, .. } => [along(points), along(points), along(points)].concat(),
            Mark::Bars { x, lo, hi, .. } => complete_stretches(x, lo, hi)
                .iter()
                .flatten()
                .flat_map(|&(x, lo, hi)| [panel.at(x, lo), panel.at(x, (lo + hi) / 2.0), panel.at(x, hi)])
                .collect(),
            Mark::Points { points, .. } => {
                crowd::ink(points.iter().filter_map(|p| Some(panel.at(p.0, p.1?))).collect())
            }
            Mark::Rule { y, .. } => {
                let r = panel.rect;
                let y = panel.at(panel.x.lo, *y).1;
                (0..60).map(|k| (r.left + r.width * f64::from(k) / 60.0, y)).collect()
            }
            Mark::Upright { x, .. } => {
                let (x, r) = (panel.at(*x, panel.y.lo).0, panel.rect);
                (0..40).map(|k| (x, r.top + r.height * f64::from(k) / 40.0)).collect()
            }
            Mark::Note { x, y, .. } => vec![panel.at(*x, *y); 4],
            Mark::Passes { .. }
            | Mark::Names { .. }
            | Mark::Corner { .. }
            | Mark::Ground { .. }
            | Mark::Columns { .. }
            | Mark::Blocks { .. }
            | Mark::Levels { .. }
            | Mark::Brackets(_)
            | Mark::Region { .. }
            | Mark::Tips { .. } => Vec::new(),
        }
    }
}

/// Points between gaps, which no line shows.
pub(crate) fn alone(points: &[Datum]) -> Vec<Datum> {
    let runs = points.split(|p| p.1.is_none());
    runs.filter(|run| run.len() == 1).flatten().copied().collect()
}

/// Runs of points that are there.
fn stretches(points: &[Datum]) -> Vec<Vec<(f64, f64)>> {
    points
        .split(|p| p.1.is_none())
        .map(|run| run.iter().filter_map(|p| Some((p.0, p.1?))).collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

/// Runs of (x, lo, hi) where both ends are there.
fn complete_stretches(x: &[f64], lo: &[Option<f64>], hi: &[Option<f64>]) -> Vec<Vec<(f64, f64, f64)>> {
    let all: Vec<_> =
        x.iter().zip(lo).zip(hi).map(|((x, lo), hi)| lo.zip(*hi).map(|(lo, hi)| (*x, lo, hi))).collect();
    all.split(Option::is_none)
        .map(|run| run.iter().flatten().copied().collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

pub(crate) fn paint(colour: Rgb, alpha: f64) -> ShapeStyle {
    ShapeStyle { color: RGBAColor(colour.0, colour.1, colour.2, alpha), filled: false, stroke_width: 1 }
}

pub(crate) fn units(points: f64) -> u32 {
    (points * UNIT).round() as u32
}

fn drawing(error: impl std::fmt::Display) -> Error {
    Error::Draw(error.to_string())
}

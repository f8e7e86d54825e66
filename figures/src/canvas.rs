//! The sheet a figure is drawn on: an SVG writer that knows the size of every text.
//!
//! Shapes arrive through plotters ([`Pen`] is one of its drawing backends); plotters counts in whole
//! units, so a unit is a hundredth of a point. Texts are placed here, measured in the font of the style.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};

use crate::colour::Rgb;
use crate::font::Face;
use crate::style::{Dash, Style};
use crate::text::{ASCENT, DESCENT, Level, Rich, SCRIPT};
use crate::tone::Tone;

/// plotters' units in a point.
pub(crate) const UNIT: f64 = 100.0;

/// A finished drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// The SVG document; its user unit is the point.
    pub svg: String,
    /// Printed width in points.
    pub width: f64,
    /// Printed height in points.
    pub height: f64,
    /// Every text, and the box its ink stays in.
    pub texts: Vec<TextBox>,
}

/// Where a text lies, in points from the top left corner of the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct TextBox {
    /// The text without markup.
    pub text: String,
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
}

impl TextBox {
    /// Whether the two share some area.
    pub fn overlaps(&self, other: &TextBox) -> bool {
        let slack = 0.01;
        self.left + slack < other.right
            && other.left + slack < self.right
            && self.top + slack < other.bottom
            && other.top + slack < self.bottom
    }
}

/// Where a text's point of reference lies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    pub size: f64,
    pub face: Face,
    pub colour: Rgb,
    pub anchor: Anchor,
    /// Reading upwards, for the labels of vertical axes.
    pub turned: bool,
}

impl Type {
    pub fn new(size: f64, colour: Rgb) -> Type {
        Type { size, face: Face::Regular, colour, anchor: Anchor::Start, turned: false }
    }

    pub fn anchored(self, anchor: Anchor) -> Type {
        Type { anchor, ..self }
    }

    pub fn bold(self) -> Type {
        Type { face: Face::Bold, ..self }
    }

    pub fn upwards(self) -> Type {
        Type { turned: true, ..self }
    }

    /// The box of a text whose baseline passes through (x, y).
    pub fn place(&self, text: &Rich, x: f64, y: f64) -> TextBox {
        let width = text.width(self.face, self.size);
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let (up, down) = (ASCENT * self.size, DESCENT * self.size);
        let (left, top, right, bottom) = if self.turned {
            (x - up, y + before - width, x + down, y + before)
        } else {
            (x - before, y - up, x - before + width, y + down)
        };
        TextBox { text: text.plain(), left, top, right, bottom }
    }
}

/// The drawing as it grows. Colours are given as on paper and written in the tone of the theme.
#[derive(Debug)]
pub(crate) struct Canvas {
    body: String,
    texts: Vec<TextBox>,
    tone: Tone,
    strokes: f64,
    families: String,
}

impl Canvas {
    pub fn new(style: &Style) -> Canvas {
        let (tone, strokes) = (style.theme.tone, style.theme.strokes);
        let families = escaped(&style.font.family_list());
        Canvas { body: String::new(), texts: Vec::new(), tone, strokes, families }
    }

    /// How large markers are, relative to those on paper.
    pub fn strokes(&self) -> f64 {
        self.strokes
    }

    /// Sets a text with its baseline through (x, y), in points.
    pub fn text(&mut self, text: &Rich, x: f64, y: f64, kind: Type) {
        if text.is_empty() {
            return;
        }
        self.texts.push(kind.place(text, x, y));
        let anchor = match kind.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let cut = match kind.face {
            Face::Regular => "",
            Face::Bold => " font-weight=\"700\"",
            Face::Italic => " font-style=\"italic\"",
        };
        let turn =
            if kind.turned { format!(" transform=\"rotate(-90 {} {})\"", n(x), n(y)) } else { String::new() };
        let mut inner = String::new();
        let mut raised = 0.0;
        for (run, level) in text.runs() {
            let wanted = match level {
                Level::Base => 0.0,
                Level::Sub => 0.18 * kind.size,
                Level::Super => -0.34 * kind.size,
            };
            let size = if level == Level::Base { kind.size } else { kind.size * SCRIPT };
            if level == Level::Base && raised == wanted {
                inner += &escaped(&run);
            } else {
                let shift = wanted - raised;
                let _ = write!(
                    inner,
                    "<tspan dy=\"{}\" font-size=\"{}\">{}</tspan>",
                    n(shift),
                    n(size),
                    escaped(&run)
                );
            }
            raised = wanted;
        }
        let _ = writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\" font-family=\"{}\" font-size=\"{}\"{cut}{anchor} fill=\"{}\"{turn} xml:space=\"preserve\">{inner}</text>",
            n(x),
            n(y),
            self.families,
            n(kind.size),
            self.tone.of(kind.colour).hex(),
        );
    }

    /// The texts set so far.
    pub fn texts(&self) -> &[TextBox] {
        &self.texts
    }

    /// A plotters backend that adds to this drawing.
    pub fn pen(&mut self, dash: Dash) -> Pen<'_> {
        Pen { canvas: self, dash }
    }

    /// A stroke through points given in points.
    pub fn stroke(&mut self, path: &[(f64, f64)], width: f64, colour: Rgb, dash: Dash) {
        let paint = self.stroke_of(colour, 1.0, width, dash);
        self.shape(path, "", &paint);
    }

    /// A filled polygon, in points.
    pub fn fill(&mut self, corners: &[(f64, f64)], colour: Rgb, alpha: f64) {
        let paint = self.fill_of(colour, alpha);
        self.shape(corners, "Z", &paint);
    }

    /// Straight strokes that are one element.
    pub fn strokes_of(&mut self, lines: &[[(f64, f64); 2]], width: f64, colour: Rgb) {
        let paint = self.stroke_of(colour, 1.0, width, Dash::Solid);
        let d: String = lines.iter().map(|line| path_of(line)).collect();
        let _ = writeln!(self.body, "<path d=\"{d}\" {paint}/>");
    }

    /// Discs of one radius that are one element, so that thousands take little room: strokes of no length with round
    /// ends. Where clear ones overlap they are no darker.
    pub fn dots(&mut self, centres: &[(f64, f64)], radius: f64, colour: Rgb, alpha: f64) {
        if centres.is_empty() {
            return;
        }
        let opacity = if alpha < 1.0 { format!(" stroke-opacity=\"{}\"", n(alpha)) } else { String::new() };
        let d: String = centres.iter().map(|(x, y)| format!("M{} {}h0", n(*x), n(*y))).collect();
        let _ = writeln!(
            self.body,
            "<path d=\"{d}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\"{opacity}/>",
            self.tone.of(colour).hex(),
            n(2.0 * radius)
        );
    }

    fn shape(&mut self, path: &[(f64, f64)], end: &str, paint: &str) {
        let _ = writeln!(self.body, "<path d=\"{}{end}\" {paint}/>", path_of(path));
    }

    fn stroke_of(&self, colour: Rgb, alpha: f64, width: f64, dash: Dash) -> String {
        let mut paint = format!(
            "fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
            self.tone.of(colour).hex(),
            n(width * self.strokes)
        );
        if alpha < 1.0 {
            let _ = write!(paint, " stroke-opacity=\"{}\"", n(alpha));
        }
        if let Some(array) = dash.array() {
            let lengths: Vec<_> = array.iter().map(|length| n(length * self.strokes)).collect();
            let _ = write!(paint, " stroke-dasharray=\"{}\"", lengths.join(" "));
        }
        paint
    }

    fn fill_of(&self, colour: Rgb, alpha: f64) -> String {
        let opacity = if alpha < 1.0 { format!(" fill-opacity=\"{}\"", n(alpha)) } else { String::new() };
        format!("fill=\"{}\"{opacity}", self.tone.of(colour).hex())
    }

    /// Closes the document.
    pub fn finish(self, name: &str, caption: &str, width: f64, height: f64, ground: Option<Rgb>) -> Drawing {
        let (w, h) = (n(width), n(height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}pt\" height=\"{h}pt\" viewBox=\"0 0 {w} {h}\" role=\"img\">\n\
             <title>{}</title>\n<desc>{}</desc>\n",
            escaped(name),
            escaped(caption)
        );
        if let Some(colour) = ground {
            let _ = writeln!(svg, "<rect width=\"{w}\" height=\"{h}\" fill=\"{}\"/>", colour.hex());
        }
        svg += &self.body;
        svg += "</svg>\n";
        Drawing { svg, width, height, texts: self.texts }
    }
}

/// A backend for plotters: its shapes become SVG elements. It carries what plotters has no word for,
/// the rhythm of a stroke.
pub(crate) struct Pen<'a> {
    canvas: &'a mut Canvas,
    dash: Dash,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Pen<'_> {
    fn stroke<S: BackendStyle>(&self, style: &S) -> String {
        let BackendColor { alpha, rgb: (r, g, b) } = style.color();
        self.canvas.stroke_of(Rgb(r, g, b), alpha, f64::from(style.stroke_width()) / UNIT, self.dash)
    }

    fn paint<S: BackendStyle>(&self, style: &S, fill: bool) -> String {
        let BackendColor { alpha, rgb: (r, g, b) } = style.color();
        if fill { self.canvas.fill_of(Rgb(r, g, b), alpha) } else { self.stroke(style) }
    }
}

impl DrawingBackend for Pen<'_> {
    type ErrorType = Infallible;

    /// Room without bounds: what is drawn where was decided by the layout.
    fn get_size(&self) -> (u32, u32) {
        (i32::MAX as u32, i32::MAX as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &colour, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        a: BackendCoord,
        b: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let paint = self.paint(style, fill);
        let (x, y) = (points(a.0.min(b.0)), points(a.1.min(b.1)));
        let (w, h) = (points((a.0 - b.0).abs()), points((a.1 - b.1).abs()));
        let _ = writeln!(
            self.canvas.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {paint}/>",
            n(x),
            n(y),
            n(w),
            n(h)
        );
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let path: Vec<_> = path.into_iter().map(|(x, y)| (points(x), points(y))).collect();
        let paint = self.stroke(style);
        self.canvas.shape(&path, "", &paint);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, r: u32, style: &S, fill: bool) -> Drawn {
        let paint = self.paint(style, fill);
        let _ = writeln!(
            self.canvas.body,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {paint}/>",
            n(points(x)),
            n(points(y)),
            n(f64::from(r) / UNIT * self.canvas.strokes)
        );
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let corners: Vec<_> = vert.into_iter().map(|(x, y)| (points(x), points(y))).collect();
        let paint = self.paint(style, true);
        self.canvas.shape(&corners, "Z", &paint);
        Ok(())
    }
}

fn points(units: i32) -> f64 {
    f64::from(units) / UNIT
}

/// SVG's path through the points.
fn path_of(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    let mut before: Option<(String, String)> = None;
    for (x, y) in points {
        let (x, y) = (n(*x), n(*y));
        let _ = match &before {
            None => write!(d, "M{x} {y}"),
            Some(last) if last.1 == y => write!(d, "H{x}"),
            Some(last) if last.0 == x => write!(d, "V{y}"),
            Some(_) => write!(d, "L{x} {y}"),
        };
        before = Some((x, y));
    }
    d
}

/// A length with two decimals at most.
fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

//! Names of what is drawn, and the legend that lists them.

use crate::arrows;
use crate::blocks::{self, BlockLook};
use crate::canvas::{Canvas, Type};
use crate::colour::{INK, Rgb};
use crate::font::Face;
use crate::grid::{EDGE, Plot, letter};
use crate::marker::{marker, square};
use crate::style::{Dash, Look, Style};
use crate::text::{ASCENT, LEADING, Rich};

/// How a label's line looks in the legend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Key {
    Line {
        look: Look,
        marker: bool,
    },
    /// A marker that stands by itself, or a shape with a meaning. It is no line's end, so the legend lists it
    /// even where lines are named beside their ends.
    Point {
        look: Look,
    },
    Rule {
        colour: Rgb,
        dash: Dash,
    },
    Area {
        colour: Rgb,
        alpha: f64,
    },
    Passes {
        colour: Rgb,
    },
    /// A filled shape with an outline, listed as a point is.
    Swatch {
        colour: Rgb,
        alpha: f64,
        dash: Dash,
    },
    /// A bar, listed as a point is.
    Block {
        look: BlockLook,
    },
    /// A line across bars, listed as a point is.
    Level,
    /// An arrow, listed as a point is.
    Arrow {
        look: Look,
    },
}

impl Key {
    /// Whether it is no line's end, so that only the legend can name it.
    pub fn stands_alone(&self) -> bool {
        !matches!(self, Key::Line { .. } | Key::Rule { .. } | Key::Area { .. } | Key::Passes { .. })
    }
}

/// A name for something drawn, to be put beside it or into the legend.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub label: String,
    pub key: Key,
    /// Where in the panel it ends, in the panel's units; None when it is nowhere to be pointed at.
    pub end: Option<(f64, f64)>,
}

impl Named {
    pub fn ink(&self) -> Rgb {
        match self.key {
            Key::Line { look, .. } | Key::Point { look } | Key::Arrow { look } => look.colour.as_ink(),
            Key::Rule { colour, .. } | Key::Passes { colour } | Key::Swatch { colour, .. } => colour.as_ink(),
            Key::Block { look } => look.edge,
            Key::Level => INK,
            Key::Area { .. } => crate::colour::MUTED,
        }
    }
}

/// What the legend lists: lines first, each name once. References that look alike in different panels share
/// an entry that says which panel each is of.
fn entries(plots: &[Plot]) -> Vec<(Key, String)> {
    /// A name, and the panels it stands in.
    type Place = (String, Vec<usize>);
    let mut keys: Vec<(Key, Vec<Place>)> = Vec::new();
    for (panel, named) in plots.iter().enumerate().flat_map(|(i, p)| p.named.iter().map(move |n| (i, n))) {
        let at = keys.iter().position(|k| k.0 == named.key).unwrap_or_else(|| {
            keys.push((named.key, Vec::new()));
            keys.len() - 1
        });
        let labels = &mut keys[at].1;
        match labels.iter_mut().find(|l| l.0 == named.label) {
            Some(known) => known.1.push(panel),
            None => labels.push((named.label.clone(), vec![panel])),
        }
    }
    keys.sort_by_key(|k| match k.0 {
        Key::Line { .. } | Key::Arrow { .. } => 0,
        Key::Point { .. } | Key::Swatch { .. } | Key::Block { .. } => 1,
        _ => 2,
    });
    let joined = |labels: Vec<Place>| {
        let several = labels.len() > 1;
        let of = |panels: Vec<usize>| panels.into_iter().map(letter).collect::<Vec<_>>().join(", ");
        let one = |(label, panels): Place| if several { format!("{label} ({})", of(panels)) } else { label };
        labels.into_iter().map(one).collect::<Vec<_>>().join("; ")
    };
    keys.into_iter().map(|(key, labels)| (key, joined(labels))).collect()
}

/// Writes the legend of everything named that it is to list, each name once; returns where the panels may
/// begin.
pub(crate) fn draw(
    canvas: &mut Canvas,
    plots: &[Plot],
    style: &Style,
    top: f64,
    lists: impl Fn(&Key) -> bool,
) -> f64 {
    const GAP: f64 = 3.0;
    let size = style.small();
    let mut seen = entries(plots);
    seen.retain(|(key, label)| lists(key) && !Rich::parse(label).is_empty());
    if seen.is_empty() {
        return top;
    }
    let right = style.width.points() - EDGE;
    let (mut x, mut y, mut row_lines) = (EDGE, top, 1);
    for (key, label) in seen {
        let mark = match key {
            Key::Point { .. } => 5.0,
            Key::Swatch { .. } | Key::Block { .. } | Key::Level => 12.0,
            _ => 17.0,
        };
        let lines = Rich::parse(&label).wrap(Face::Regular, size, right - EDGE - mark - GAP, 3);
        let width = mark + GAP + lines.iter().map(|l| l.width(Face::Regular, size)).fold(0.0, f64::max);
        if x > EDGE && x + width > right {
            y += row_lines as f64 * LEADING * size + 1.0;
            (x, row_lines) = (EDGE, 1);
        }
        let baseline = y + ASCENT * size;
        swatch(canvas, key, (x, baseline - 0.31 * size), mark);
        for (k, line) in lines.iter().enumerate() {
            canvas.text(line, x + mark + GAP, baseline + k as f64 * LEADING * size, Type::new(size, INK));
        }
        row_lines = row_lines.max(lines.len());
        x += width + 10.0;
    }
    y + row_lines as f64 * LEADING * size + 3.0
}

fn swatch(canvas: &mut Canvas, key: Key, (x, y): (f64, f64), width: f64) {
    match key {
        Key::Line { look, marker: with } => {
            canvas.stroke(&[(x, y), (x + width, y)], 1.0, look.colour, look.dash);
            if with {
                marker(canvas, (x + width / 2.0, y), look, 1.9);
            }
        }
        Key::Point { look } => marker(canvas, (x + width / 2.0, y), look, 1.9),
        Key::Rule { colour, dash } => canvas.stroke(&[(x, y), (x + width, y)], 0.7, colour, dash),
        Key::Area { colour, alpha } => {
            let (top, bottom) = (y - 2.6, y + 2.6);
            canvas.fill(&[(x, top), (x + width, top), (x + width, bottom), (x, bottom)], colour, alpha);
        }
        Key::Swatch { colour, alpha, dash } => {
            let (top, bottom) = (y - 2.6, y + 2.6);
            let corners = [(x, top), (x + width, top), (x + width, bottom), (x, bottom), (x, top)];
            canvas.fill(&corners[..4], colour, alpha);
            canvas.stroke(&corners, 0.7, colour, dash);
        }
        Key::Block { look } => blocks::block(canvas, [(x, y + 2.6), (x + width, y - 2.6)], look),
        Key::Arrow { look } => arrows::arrow(canvas, (x, y), (x + width, y), look),
        Key::Level => blocks::level(canvas, [(x, y), (x + width, y)]),
        Key::Passes { colour } => {
            (0..4).for_each(|k| square(canvas, (x + 3.0 + f64::from(k) * 3.6, y), 0.95, colour));
        }
    }
}

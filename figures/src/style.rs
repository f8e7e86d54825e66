//! How a figure is to be printed: width, type size, colours.

use crate::colour::{GREYS, OKABE_ITO, Rgb, SEQUENTIAL};
use crate::error::{Error, Result};

/// The printed width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Width {
    /// One column of an ACL page: 3.03 in (7.7 cm).
    Column,
    /// A column and a half: 4.6 in.
    ColumnAndHalf,
    /// Both columns: 6.3 in (16 cm).
    Page,
    /// Any other width, in inches.
    Inches(f64),
}

impl Width {
    /// The width in points (1/72 in).
    pub fn points(self) -> f64 {
        72.0 * match self {
            Width::Column => 3.03,
            Width::ColumnAndHalf => 4.6,
            Width::Page => 6.3,
            Width::Inches(inches) => inches,
        }
    }
}

/// The colours of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Line colours in order of first appearance; taken again from the start when there are more lines.
    pub palette: Vec<Rgb>,
    /// The paper's colour, or None for a transparent ground.
    pub background: Option<Rgb>,
}

impl Theme {
    /// Okabe-Ito colours on white.
    pub fn paper() -> Theme {
        Theme { palette: OKABE_ITO.to_vec(), background: Some(crate::colour::WHITE) }
    }

    /// Greys on white; lines are told apart by dash and marker.
    pub fn grey() -> Theme {
        Theme { palette: GREYS.to_vec(), background: Some(crate::colour::WHITE) }
    }

    /// Whether it is to be printed without colour.
    pub(crate) fn is_grey(&self) -> bool {
        self.palette.iter().all(|c| c.0 == c.1 && c.1 == c.2)
    }
}

/// How a figure is printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    /// The printed width.
    pub width: Width,
    /// The size of labels in points at printed size; tick labels are a little smaller.
    pub font_size: f64,
    /// The height of each panel's data area in points, or None to choose it from the width.
    pub panel_height: Option<f64>,
    /// The colours.
    pub theme: Theme,
}

impl Default for Style {
    /// A column of an ACL page, 8 pt type, paper colours.
    fn default() -> Style {
        Style { width: Width::Column, font_size: 8.0, panel_height: None, theme: Theme::paper() }
    }
}

impl Style {
    /// The default style at another width.
    pub fn at(width: Width) -> Style {
        Style { width, ..Style::default() }
    }

    pub(crate) fn checked(&self) -> Result<&Style> {
        let within = |what, value: f64, lo, hi| {
            if (lo..=hi).contains(&value) { Ok(()) } else { Err(Error::Style { what, value, lo, hi }) }
        };
        within("width (in)", self.width.points() / 72.0, 1.0, 40.0)?;
        within("font_size (pt)", self.font_size, 4.0, 40.0)?;
        within("panel_height (pt)", self.panel_height.unwrap_or(90.0), 20.0, 2000.0)?;
        within("palette (colours)", self.theme.palette.len() as f64, 1.0, 1000.0)?;
        Ok(self)
    }

    /// The size of tick labels, in points.
    pub(crate) fn small(&self) -> f64 {
        self.font_size * 0.9
    }

    /// The look of the line with this place in the order.
    pub(crate) fn look(&self, index: usize) -> Look {
        Look {
            colour: self.theme.palette[index % self.theme.palette.len()],
            dash: Dash::LINES[index % Dash::LINES.len()],
            marker: Marker::ALL[index % Marker::ALL.len()],
            fill: Fill::Solid,
        }
    }

    /// The look of a step of an order, the first of `count` the darkest: lightness alone tells the steps apart.
    pub(crate) fn step(&self, index: usize, count: usize) -> Look {
        /// Beyond this share of the map a thin line is lost on white.
        const LIGHTEST: f64 = 0.75;
        let t = LIGHTEST * index as f64 / (count.max(2) - 1) as f64;
        let grey = self.theme.is_grey();
        let colour = if grey { Rgb(0, 0, 0).towards(crate::colour::WHITE, t) } else { SEQUENTIAL.at(t) };
        Look { colour, dash: Dash::Solid, ..self.look(index) }
    }

    /// The look of what is told apart by full and hollow markers as well: no marker is hollow by itself.
    pub(crate) fn solid_look(&self, index: usize) -> Look {
        const SOLID: [Marker; 5] =
            [Marker::Disc, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Down];
        Look { marker: SOLID[index % SOLID.len()], ..self.look(index) }
    }
}

/// How one line looks: three channels, any two of which suffice to tell the lines of a paper's figure apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub colour: Rgb,
    pub dash: Dash,
    pub marker: Marker,
    pub fill: Fill,
}

/// How a marker is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Solid,
    Hollow,
    /// Thinly, so that a crowd of points shows where it is dense.
    Clear,
}

/// The rhythm of a stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dash {
    Solid,
    Long,
    Dotted,
    Chain,
    Fine,
    /// For what ties a label to its line.
    Leader,
}

impl Dash {
    const LINES: [Dash; 4] = [Dash::Solid, Dash::Long, Dash::Dotted, Dash::Chain];

    /// SVG's `stroke-dasharray` in points, None for a solid stroke.
    pub fn array(self) -> Option<&'static str> {
        match self {
            Dash::Solid => None,
            Dash::Long => Some("3.6 1.5"),
            Dash::Dotted => Some("1.1 1.3"),
            Dash::Chain => Some("4.2 1.3 1.1 1.3"),
            Dash::Fine => Some("2 1.6"),
            Dash::Leader => Some("0.5 2"),
        }
    }
}

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Down,
}

impl Marker {
    const ALL: [Marker; 6] =
        [Marker::Disc, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Ring, Marker::Down];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_order_grow_lighter_in_any_theme() {
        for theme in [Theme::paper(), Theme::grey()] {
            let style = Style { theme, ..Style::default() };
            let steps: Vec<f64> = (0..6).map(|k| style.step(k, 6).colour.lightness()).collect();
            assert!(steps.windows(2).all(|w| w[1] - w[0] > 7.0), "{steps:?}");
            assert!(steps[5] < 80.0, "{steps:?}");
            assert_eq!(style.step(0, 1), style.step(0, 6));
        }
    }
}

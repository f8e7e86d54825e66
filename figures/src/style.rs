//! How a figure is to be printed: width, type size, colours.

use std::str::FromStr;

use crate::colour::{GREYS, OKABE_ITO, Rgb, SEQUENTIAL, WHITE};
use crate::error::{Error, Result};
use crate::font::Font;
use crate::numbers::Numbers;
use crate::setting::{self, Setting};
use crate::tone::Tone;

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

    /// The names [`Width::from_str`] knows.
    /// A slide of 10 in.
    pub const SLIDE: Width = Width::Inches(10.0);

    const NAMED: [(&str, Width); 7] = [
        ("column", Width::Column),
        ("column-and-half", Width::ColumnAndHalf),
        ("page", Width::Page),
        ("acl-column", Width::Column),
        ("acl-page", Width::Page),
        ("neurips", Width::Inches(5.5)),
        ("slide", Width::SLIDE),
    ];
    /// Units, in points.
    const UNITS: [(&str, f64); 4] = [("in", 72.0), ("cm", 72.0 / 2.54), ("mm", 7.2 / 2.54), ("pt", 1.0)];
}

/// Reads the name of a page's column (`column`, `column-and-half`, `page`, `acl-column`, `acl-page`, `neurips`: the
/// text of a NeurIPS page, 5.5 in; `slide`: 10 in) or a length: `12cm`, `5.5in`, `85 mm`, `300pt`.
impl FromStr for Width {
    type Err = Error;

    fn from_str(text: &str) -> Result<Width> {
        let length = || {
            let (unit, points) = Width::UNITS.into_iter().find(|unit| text.ends_with(unit.0))?;
            let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            (number.is_finite() && number > 0.0).then_some(Width::Inches(number * points / 72.0))
        };
        let named = Width::NAMED.into_iter().find(|(name, _)| *name == text).map(|(_, width)| width);
        named.or_else(length).ok_or_else(|| Error::Unknown {
            what: "width",
            given: text.into(),
            known: format!(
                "{} or a length such as 12cm, 5.5in or 300pt",
                Width::NAMED.map(|n| n.0).join(", ")
            ),
        })
    }
}

/// What a figure is shown on: its colours, and how large its type and how strong its strokes are to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Line colours in order of first appearance, as on white paper; taken again from the start when there are more
    /// lines.
    pub palette: Vec<Rgb>,
    /// The ground's colour as it is seen, or None for a transparent ground.
    pub background: Option<Rgb>,
    /// What the colours of paper become.
    pub tone: Tone,
    /// The size of labels that suits it, in points; [`Style::of`] takes it.
    pub font_size: f64,
    /// How thick strokes and how large markers are, relative to those on paper.
    pub strokes: f64,
}

impl Theme {
    /// Okabe-Ito colours on white.
    pub fn paper() -> Theme {
        Theme {
            palette: OKABE_ITO.to_vec(),
            background: Some(WHITE),
            tone: Tone::Light,
            font_size: 8.0,
            strokes: 1.0,
        }
    }

    /// Greys on white; lines are told apart by dash and marker.
    pub fn grey() -> Theme {
        Theme { palette: GREYS.to_vec(), ..Theme::paper() }
    }

    /// For slides 10 in wide: 14 pt type and strong strokes on white.
    pub fn slides() -> Theme {
        Theme { font_size: 14.0, strokes: 1.6, ..Theme::paper() }
    }

    /// Light on a dark ground. Okabe-Ito colours that would be lost on it are a little lighter there.
    pub fn dark() -> Theme {
        /// Lighter paper colours are too dark for a line on the dark ground (a contrast below 3 to 1, WCAG 2).
        const LIGHTEST: f64 = 66.0;
        let seen = |colour: Rgb| {
            let steps = (0..=20).map(|step| colour.towards(Rgb(0, 0, 0), f64::from(step) * 0.05));
            steps.into_iter().find(|c| c.lightness() <= LIGHTEST).unwrap_or(colour)
        };
        Theme {
            palette: OKABE_ITO.map(seen).to_vec(),
            background: Some(Tone::GROUND),
            tone: Tone::Dark,
            ..Theme::paper()
        }
    }

    /// The theme of this name: `paper`, `slides`, `dark` or `grey`.
    ///
    /// # Errors
    /// When there is none; the error lists the names.
    pub fn named(name: &str) -> Result<Theme> {
        match name {
            "paper" => Ok(Theme::paper()),
            "slides" => Ok(Theme::slides()),
            "dark" => Ok(Theme::dark()),
            "grey" => Ok(Theme::grey()),
            _ => {
                let known = "paper, slides, dark, grey".into();
                Err(Error::Unknown { what: "theme", given: name.into(), known })
            }
        }
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
    /// What every text is set in.
    pub font: Font,
    /// How the figure writes numbers.
    pub numbers: Numbers,
}

impl Default for Style {
    /// A column of an ACL page, 8 pt type, paper colours.
    fn default() -> Style {
        Style {
            width: Width::Column,
            font_size: 8.0,
            panel_height: None,
            theme: Theme::paper(),
            font: Font::default(),
            numbers: Numbers::default(),
        }
    }
}

impl Style {
    /// The default style at another width.
    pub fn at(width: Width) -> Style {
        Style { width, ..Style::default() }
    }

    /// The style of a theme, with the size of type that suits it, at a width.
    pub fn of(theme: Theme, width: Width) -> Style {
        Style { width, font_size: theme.font_size, theme, ..Style::default() }
    }

    /// Does work that measures texts or writes numbers as this style says.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        setting::within(Setting { family: self.font.loaded(), numbers: self.numbers }, work)
    }

    pub(crate) fn checked(&self) -> Result<&Style> {
        let within = |what, value: f64, lo, hi| {
            if (lo..=hi).contains(&value) { Ok(()) } else { Err(Error::Style { what, value, lo, hi }) }
        };
        within("width (in)", self.width.points() / 72.0, 1.0, 40.0)?;
        within("font_size (pt)", self.font_size, 4.0, 40.0)?;
        within("panel_height (pt)", self.panel_height.unwrap_or(90.0), 20.0, 2000.0)?;
        within("palette (colours)", self.theme.palette.len() as f64, 1.0, 1000.0)?;
        within("strokes", self.theme.strokes, 0.1, 10.0)?;
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

    /// The look of a step of an order, the first of `count` the darkest as it is seen: lightness alone tells the steps
    /// apart.
    pub(crate) fn step(&self, index: usize, count: usize) -> Look {
        /// Beyond this share of the map a thin line is lost on white.
        const LIGHTEST: f64 = 0.75;
        let along = index as f64 / (count.max(2) - 1) as f64;
        let t = LIGHTEST * if self.theme.tone == Tone::Dark { 1.0 - along } else { along };
        let colour = if self.theme.is_grey() { Rgb(0, 0, 0).towards(WHITE, t) } else { SEQUENTIAL.at(t) };
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

    /// Lengths of strokes and gaps in turn, in points; None for a solid stroke.
    pub fn array(self) -> Option<&'static [f64]> {
        match self {
            Dash::Solid => None,
            Dash::Long => Some(&[3.6, 1.5]),
            Dash::Dotted => Some(&[1.1, 1.3]),
            Dash::Chain => Some(&[4.2, 1.3, 1.1, 1.3]),
            Dash::Fine => Some(&[2.0, 1.6]),
            Dash::Leader => Some(&[0.5, 2.0]),
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
        for theme in [Theme::paper(), Theme::grey(), Theme::slides(), Theme::dark()] {
            let (tone, style) = (theme.tone, Style { theme, ..Style::default() });
            let steps: Vec<f64> = (0..6).map(|k| tone.of(style.step(k, 6).colour).lightness()).collect();
            assert!(steps.windows(2).all(|w| w[1] - w[0] > 5.5), "{steps:?}");
            assert!(if tone == Tone::Dark { steps[0] > 30.0 } else { steps[5] < 80.0 }, "{steps:?}");
            assert_eq!(style.step(0, 1), style.step(0, 6));
        }
    }

    #[test]
    fn a_width_is_a_name_or_a_length_and_what_is_neither_says_what_is_known() {
        let points = |text: &str| text.parse::<Width>().expect("a width").points();
        for (text, inches) in [
            ("column", 3.03),
            ("acl-column", 3.03),
            ("acl-page", 6.3),
            ("page", 6.3),
            ("neurips", 5.5),
            ("column-and-half", 4.6),
            ("slide", 10.0),
            ("5.5in", 5.5),
            ("12cm", 12.0 / 2.54),
            ("85 mm", 8.5 / 2.54),
            ("300pt", 300.0 / 72.0),
        ] {
            assert!((points(text) - 72.0 * inches).abs() < 1e-9, "{text}");
        }
        for text in ["", "12", "in", "-3in", "0cm", "nanin", "infpt", "5.5 inches", "Column", "3em"] {
            let error = text.parse::<Width>().expect_err(text).to_string();
            assert!(error.starts_with(&format!("no width \"{text}\": ")), "{error}");
            assert!(error.contains("acl-page, neurips") && error.contains("12cm"), "{error}");
        }
    }

    #[test]
    fn themes_go_by_name() {
        for name in ["paper", "slides", "dark", "grey"] {
            let style = Style::of(Theme::named(name).expect(name), Width::Inches(10.0));
            assert_eq!(style.font_size, if name == "slides" { 14.0 } else { 8.0 });
            assert!(style.checked().is_ok());
        }
        let error = Theme::named("Dark").expect_err("names are in small letters").to_string();
        assert_eq!(error, "no theme \"Dark\": known are paper, slides, dark, grey");
    }
}

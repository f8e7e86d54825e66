//! A figure that is to be drawn.

use std::path::Path;

use recant_figures::{Figure, Style, render};

use crate::Result;
use crate::store::atomic;

/// The height of each map, in points, where rows of maps share a page.
const LOW: f64 = 84.0;

/// Dots an inch of a PNG.
const DPI: f64 = 300.0;

/// A figure before it is drawn.
pub struct Planned {
    /// What is drawn.
    pub figure: Box<dyn Figure + Send + Sync>,
    /// The model it is of, where it is of one alone.
    pub model: Option<String>,
    /// The height of its panels in points, where it is not the usual one.
    pub height: Option<f64>,
}

impl Planned {
    /// A figure of no single model, with panels of the usual height.
    #[must_use]
    pub fn new(figure: impl Figure + Send + Sync + 'static) -> Self {
        Self { figure: Box::new(figure), model: None, height: None }
    }

    /// The same as a figure of one model.
    #[must_use]
    pub fn of(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    /// The same with low panels.
    #[must_use]
    pub fn low(self) -> Self {
        Self { height: Some(LOW), ..self }
    }

    /// The style it is drawn in, where others are drawn in `page`.
    #[must_use]
    pub fn style(&self, page: &Style) -> Style {
        Style { panel_height: self.height.or(page.panel_height), ..page.clone() }
    }
}

/// A figure as it was drawn.
pub struct Drawn {
    /// The name of its files.
    pub name: String,
    /// What it shows, with n, interval and test.
    pub caption: String,
    /// The drawing.
    pub svg: String,
}

/// A form in which a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Real text, for the web and for editing.
    Svg,
    /// Embedded subset fonts, for LaTeX.
    Pdf,
    /// 300 dots an inch.
    Png,
    /// Every number drawn.
    Csv,
}

impl Format {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Svg, Self::Pdf, Self::Png, Self::Csv];

    /// How its files end.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Csv => "csv",
        }
    }
}

impl Planned {
    /// Draws the figure and writes it in some formats into a folder.
    ///
    /// # Errors
    /// The style cannot be printed, the disk is full.
    pub fn write(&self, folder: &Path, page: &Style, formats: &[Format]) -> Result<Drawn> {
        let figure = &self.figure;
        let svg = figure.svg(&self.style(page))?;
        for format in formats {
            let bytes = match format {
                Format::Svg => svg.clone().into_bytes(),
                Format::Pdf => render::pdf(&svg)?,
                Format::Png => render::png(&svg, DPI)?,
                Format::Csv => figure.csv().into_bytes(),
            };
            atomic::write(&folder.join(format!("{}.{}", figure.name(), format.extension())), &bytes)?;
        }
        Ok(Drawn { name: figure.name().to_owned(), caption: figure.caption(), svg })
    }
}

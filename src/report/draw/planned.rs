//! A figure that is to be drawn.

use std::path::Path;

use recant_figures::{AnyFigure, Style, render};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::{RunDir, atomic};
use crate::{Error, Result};

/// The height of each map, in points, where rows of maps share a page.
const LOW: f64 = 84.0;

/// The figures of a run as data.
const KEPT: &str = "figures.json";

/// Dots an inch of a PNG.
const DPI: f64 = 300.0;

/// A figure before it is drawn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    /// What is drawn.
    pub figure: AnyFigure,
    /// The model it is of, where it is of one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The height of its panels in points beside type of the usual size, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f64>,
}

impl Planned {
    /// A figure of no single model, with panels of the usual height.
    #[must_use]
    pub fn new(figure: impl Into<AnyFigure>) -> Self {
        Self { figure: figure.into(), model: None, height: None }
    }

    /// The figure's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.figure.get().name()
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
        let scale = page.font_size / Style::default().font_size;
        Style { panel_height: self.height.map(|height| height * scale).or(page.panel_height), ..page.clone() }
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

/// The name of a file, and what it holds.
pub type NamedFile = (String, Vec<u8>);

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
    /// The caption for LaTeX.
    Tex,
}

impl Format {
    /// Those that a report writes.
    pub const USUAL: &[Self] = &[Self::Svg, Self::Pdf, Self::Png, Self::Csv];

    /// How its files end.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Tex => "tex",
        }
    }
}

impl Planned {
    /// Draws the figure, and gives its files in some formats by their names.
    ///
    /// # Errors
    /// The style cannot be printed.
    pub fn files(&self, page: &Style, formats: &[Format]) -> Result<(Drawn, Vec<NamedFile>)> {
        let figure = self.figure.get();
        let style = self.style(page);
        let svg = figure.svg(&style)?;
        let file = |format: &Format| {
            let bytes = match format {
                Format::Svg => svg.clone().into_bytes(),
                Format::Pdf => render::pdf(&svg)?,
                Format::Png => render::png(&svg, DPI)?,
                Format::Csv => figure.csv().into_bytes(),
                Format::Tex => (figure.caption_tex_in(&style) + "\n").into_bytes(),
            };
            Ok((format!("{}.{}", figure.name(), format.extension()), bytes))
        };
        let files = formats.iter().map(file).collect::<Result<_>>()?;
        Ok((Drawn { name: figure.name().to_owned(), caption: figure.caption(), svg }, files))
    }

    /// Draws the figure and writes it in some formats into a folder.
    ///
    /// # Errors
    /// The style cannot be printed, the disk is full.
    pub fn write(&self, folder: &Path, page: &Style, formats: &[Format]) -> Result<Drawn> {
        let (drawn, files) = self.files(page, formats)?;
        for (name, bytes) in files {
            atomic::write(&folder.join(name), &bytes)?;
        }
        Ok(drawn)
    }
}

/// What `figures.json` holds.
#[derive(Deserialize)]
struct Kept {
    run_key: String,
    figures: Vec<Planned>,
}

/// The figures of a run as data, from which they are drawn again.
///
/// # Errors
/// The disk is full.
pub fn keep(run: &RunDir, figures: &[Planned]) -> Result<()> {
    let text = json!({ "run_key": run.key(), "figures": figures }).to_string();
    atomic::write(&run.place(&["figures"], KEPT)?, text.as_bytes())
}

/// Reads what [`keep`] wrote.
///
/// # Errors
/// It is not there, damaged, or of another run.
pub fn kept(root: &Path, run_key: &str) -> Result<Vec<Planned>> {
    let path = root.join("figures").join(KEPT);
    let wrong = |why: String| {
        let error = Error::input(path.display().to_string(), why);
        error.hint(format!("`recant report {}` makes it", root.display()))
    };
    if !path.is_file() {
        return Err(wrong("is not there: the run has no figures yet".into()));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
    let kept: Kept =
        serde_json::from_str(&text).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if kept.run_key != run_key {
        return Err(wrong("is of another run".into()));
    }
    Ok(kept.figures)
}

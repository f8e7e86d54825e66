//! `recant figures`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use recant_figures::{Font, Numbers, Theme, Width};

use crate::report::draw::Format;

/// Arguments of `recant figures`.
#[derive(Debug, Args)]
pub struct Figures {
    /// Finished run directories; what several of them show is put into one figure each.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// Only these figures, with or without the model's name at the end; `*` stands for anything.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Print the names of the figures, with the number of panels, and draw none.
    #[arg(long)]
    pub list: bool,

    /// The folder they are written to (default: RUN/figures; of several runs it must be named).
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// What is written of each (default: svg, pdf, png and csv; tex is the caption for LaTeX).
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT")]
    pub format: Vec<Format>,

    /// A study whose [[figure]] tables are drawn, instead of those that the run was made with.
    #[arg(long, value_name = "STUDY", conflicts_with = "list")]
    pub study: Option<PathBuf>,

    /// How figures of several runs are put together.
    #[arg(long, value_enum, default_value = "panels", value_name = "HOW")]
    pub together: Together,

    /// The printed width: acl-column, acl-page, neurips, column-and-half, slide, or 12cm, 5.5in, 300pt (default: acl-page,
    /// for slides slide).
    #[arg(long, value_name = "WIDTH")]
    pub width: Option<Width>,

    /// The colours: paper, slides (larger type), dark or grey.
    #[arg(long, default_value = "paper", value_name = "THEME", value_parser = Theme::named)]
    pub theme: Theme,

    /// The type: libertinus, computer-modern, or a font file of yours (.ttf, .otf).
    #[arg(long, default_value = "libertinus", value_name = "FONT")]
    pub font: Font,

    /// The size of labels in points at printed size (default: 8, for slides 14).
    #[arg(long, value_name = "POINTS")]
    pub font_size: Option<f64>,

    /// The language whose decimal sign numbers have: en, de, fr ..
    #[arg(long, default_value = "en", value_name = "LANGUAGE")]
    pub lang: Numbers,
}

/// How figures of several runs are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Together {
    /// Panels beside panels.
    Panels,
    /// Lines of panels of one title in one panel.
    Lines,
}

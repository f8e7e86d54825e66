//! Paper figures for studies of hidden states: plain tables in, SVG, PDF, PNG and CSV out.
//!
//! A figure is a struct of numbers and labels; it knows no model and reads no file. [`Figure::svg`]
//! draws it for a printed [`Width`], [`render::pdf`] and [`render::png`] turn the SVG into what a paper
//! wants, [`Figure::csv`] lists every number drawn and [`Figure::caption`] names what the marks mean.
//!
//! ```
//! use recant_figures::{Figure, RoundPanel, RoundsByCondition, Intervals, Series, Style, render};
//!
//! let line = Series {
//!     label: "baseline".into(),
//!     value: vec![Some(0.41), Some(0.52), None],
//!     lo: vec![Some(0.36), Some(0.46), None],
//!     hi: vec![Some(0.46), Some(0.58), None],
//! };
//! let figure = RoundsByCondition {
//!     name: "accuracy".into(),
//!     panels: vec![RoundPanel { y_label: "Accuracy".into(), lines: vec![line], ..RoundPanel::default() }],
//!     x_label: "Round".into(),
//!     interval: "95 % bootstrap intervals over questions".into(),
//!     intervals_as: Intervals::Bars,
//!     columns: None,
//! };
//! let svg = figure.svg(&Style::default())?;
//! let pdf = render::pdf(&svg)?;
//! assert!(pdf.starts_with(b"%PDF"));
//! # Ok::<(), recant_figures::Error>(())
//! ```
//!
//! # Promises
//! - The same input gives the same bytes, on every machine: the fonts are embedded.
//! - Every text is measured in its font before it is placed; texts neither touch nor leave the sheet,
//!   however long they are. What cannot fit in three lines ends in an ellipsis.
//! - A missing value is a gap. Every number drawn lies on the axes.
//! - Of points that would lie on the same tenth of a point only those are drawn that show; the CSV lists all.
//! - Lines differ by colour (Okabe-Ito), dash and marker, steps of an order by lightness, so a figure reads in grey.
//!
//! # Looks
//! A [`Style`] says how a figure is printed: its [`Width`] (`"neurips".parse()`, `"12cm".parse()`), its [`Theme`]
//! (`Theme::named("dark")`), its [`Font`] and the language of its [`Numbers`]. No kind of figure knows of them: the
//! canvas translates colours and strokes, and texts are measured and numbers written as the style says.
//!
//! # A new kind of figure
//! One file: a struct, its check, its marks (`panel`) handed to the small multiples (`grid`), what can be chosen
//! of it (`parts!`, `lines!`), its CSV and its caption; and its names here, one of them among `kinds!`.
#![deny(missing_docs)]

mod arrange;
mod arrows;
mod bars;
mod blocks;
mod brackets;
mod canonical;
mod canvas;
pub mod colour;
mod contours;
mod crowd;
mod curves;
mod data;
mod density;
mod distributions;
mod error;
mod font;
mod grid;
mod heat;
mod latex;
mod layer_profile;
mod layer_round_map;
mod legend;
mod marker;
mod matrix;
mod nan;
mod numbers;
mod panel;
mod place;
mod position_bias;
mod references;
mod reliability;
pub mod render;
mod rounds_by_condition;
mod scale;
mod scatter;
mod score_by_scale;
mod setting;
mod style;
mod text;
mod token_shift;
mod tone;
mod trajectories;
mod volcano;

pub use arrange::{Arrange, Arrangement, Together, matches};
pub use bars::{BarModel, BarPanel, Bracket, ModelBars};
pub use canvas::{Drawing, TextBox};
pub use curves::{Curve, CurveBand, CurvePanel, CurvePoint, Curves};
pub use data::{Reference, Series};
pub use distributions::{DistributionPanel, DistributionRow, Distributions, Sample};
pub use error::{Error, Result};
pub use font::{Font, FontFile};
pub use heat::HeatColours;
pub use latex::latex;
pub use layer_profile::{Depth, LayerProfile, NullBand, Profile, ProfilePanel};
pub use layer_round_map::{HeatMap, LayerRoundMap, MapRow};
pub use matrix::{Matrix, MatrixCell};
pub use numbers::Numbers;
pub use position_bias::{PlacePanel, PositionBias};
pub use reliability::{Reliability, ReliabilityBin, ReliabilityPanel};
pub use rounds_by_condition::{Intervals, RoundPanel, RoundsByCondition};
pub use scatter::{Scatter, ScatterPanel, ScatterPoint};
pub use score_by_scale::{ModelScale, Role, ScaleModel, ScalePanel, ScoreByScale};
pub use style::{Style, Theme, Width};
pub use token_shift::{ShiftPanel, TokenShift};
pub use tone::Tone;
pub use trajectories::{PlanePanel, PlanePath, PlanePoint, Trajectories};
pub use volcano::{Threshold, Volcano, VolcanoPanel, VolcanoPoint, VolcanoSeries};

/// A figure that can be drawn.
pub trait Figure: Arrange {
    /// The name, used for file names.
    fn name(&self) -> &str;

    /// Checks the figure, lays it out and draws it, once [`Figure::draw`] has seen to the style: that it can be
    /// printed, and that texts are measured in its font and numbers written in its language.
    ///
    /// # Errors
    /// Those of [`Figure::draw`].
    fn lay_out(&self, style: &Style) -> Result<Drawing>;

    /// Checks the figure, lays it out and draws it.
    ///
    /// # Errors
    /// When the input is empty, ragged, without any value, not finite or has an interval whose ends are
    /// crossed; when the style cannot be printed; when the panels do not fit the width.
    fn draw(&self, style: &Style) -> Result<Drawing> {
        let style = style.checked()?;
        style.within(|| self.lay_out(style))
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    /// Those of [`Figure::draw`].
    fn svg(&self, style: &Style) -> Result<String> {
        Ok(self.draw(style)?.svg)
    }

    /// Every number drawn, one row a point.
    fn csv(&self) -> String;

    /// A caption that says what is shown and what lines, bands and marks mean.
    fn caption(&self) -> String;

    /// The caption with its numbers written as the style says, as it stands in the SVG.
    fn caption_in(&self, style: &Style) -> String {
        style.within(|| self.caption())
    }

    /// The caption as LaTeX; [`latex`] says what is kept as it is.
    fn caption_tex(&self) -> String {
        latex(&self.caption())
    }

    /// The same with its numbers written as the style says.
    fn caption_tex_in(&self, style: &Style) -> String {
        latex(&self.caption_in(style))
    }
}

/// Makes [`AnyFigure`] of the kinds there are.
macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// A figure of any kind, as it is kept in a file.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum AnyFigure {
            $(#[doc = concat!("[`", stringify!($kind), "`]")] $kind($kind),)*
        }

        impl AnyFigure {
            /// The figure, whatever its kind.
            pub fn get(&self) -> &dyn Figure {
                match self {
                    $(Self::$kind(figure) => figure,)*
                }
            }

            /// The figure, to be changed.
            pub fn get_mut(&mut self) -> &mut dyn Figure {
                match self {
                    $(Self::$kind(figure) => figure,)*
                }
            }
        }

        $(impl From<$kind> for AnyFigure {
            fn from(figure: $kind) -> Self {
                Self::$kind(figure)
            }
        })*
    };
}

kinds!(
    Curves,
    Distributions,
    LayerProfile,
    LayerRoundMap,
    Matrix,
    ModelBars,
    PositionBias,
    Reliability,
    RoundsByCondition,
    Scatter,
    ScoreByScale,
    TokenShift,
    Trajectories,
    Volcano,
);

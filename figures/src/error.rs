//! What can be wrong with a figure's input, and what can fail while it is drawn.

/// Why a figure could not be drawn. Every variant names the part of the input it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A list that must have at least one entry has none.
    #[error("{what} is empty: give at least one {needs}")]
    Empty {
        /// The part of the figure, e.g. `panel "Accuracy"`.
        what: String,
        /// What it must hold.
        needs: &'static str,
    },
    /// A list has entries, but too few for what it is drawn as.
    #[error("{what} has {found} {of}: {needs}")]
    TooFew {
        /// The part of the figure.
        what: String,
        /// How many there are.
        found: usize,
        /// Of what, e.g. `model`.
        of: &'static str,
        /// What is needed: "a scale needs at least two models".
        needs: &'static str,
    },
    /// A number lies where it has no meaning.
    #[error("{what} is {value}, which must {must}")]
    OutOfRange {
        /// The number's place.
        what: String,
        /// The number.
        value: f64,
        /// What it must do: "lie between 0 and 1".
        must: &'static str,
    },
    /// Two lists that belong together differ in length.
    #[error("{what} has {found} entries where {expected} are expected")]
    Ragged {
        /// The list, e.g. `panel "Accuracy", line "baseline", lo`.
        what: String,
        /// The length of the list it belongs to.
        expected: usize,
        /// Its own length.
        found: usize,
    },
    /// Every value is missing or not a number, so there is nothing to draw.
    #[error("{what} holds no value at all: every entry is missing or NaN")]
    NoValues {
        /// The part of the figure.
        what: String,
    },
    /// The lower end of an interval or range lies above its upper end.
    #[error("{what}: the lower end {lo} lies above the upper end {hi}")]
    Crossed {
        /// The interval, with its position.
        what: String,
        /// The lower end as given.
        lo: f64,
        /// The upper end as given.
        hi: f64,
    },
    /// Places on the x axis do not ascend.
    #[error("{what}: x = {after} follows x = {before}: sort the points by x, one a place")]
    OutOfOrder {
        /// The line or band.
        what: String,
        /// The place before.
        before: f64,
        /// The place that lies no further right.
        after: f64,
    },
    /// A value is infinite.
    #[error("{what}: {value} is not finite (leave a missing value out as None)")]
    NotFinite {
        /// The value's place.
        what: String,
        /// The value.
        value: f64,
    },
    /// A number of the style lies outside what can be printed.
    #[error("style: {what} is {value}, which must lie between {lo} and {hi}")]
    Style {
        /// The field.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The least value allowed.
        lo: f64,
        /// The greatest value allowed.
        hi: f64,
    },
    /// A pattern or name that nothing in the figure matches.
    #[error("no {what} is {pattern:?}; there are: {known}")]
    NoMatch {
        /// What was looked for: `panel`, `line`, `text`.
        what: &'static str,
        /// The pattern or name.
        pattern: String,
        /// What there is.
        known: String,
    },
    /// The figure does not have the layers asked for.
    #[error("figure \"{name}\" has no layers {first} to {last} to choose")]
    NoLayers {
        /// The figure.
        name: String,
        /// The first layer asked for.
        first: usize,
        /// The last.
        last: usize,
    },
    /// Figures that cannot be put together.
    #[error("figures cannot be put together as \"{name}\": {why}")]
    Apart {
        /// The figure that was to hold them.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A name that is none of those known.
    #[error("no {what} \"{given}\": known are {known}")]
    Unknown {
        /// Of what, e.g. `theme`.
        what: &'static str,
        /// The name given.
        given: String,
        /// The names there are.
        known: String,
    },
    /// A font cannot be used.
    #[error("font \"{path}\": {why}")]
    Font {
        /// Its file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The panels do not fit side by side.
    #[error(
        "{columns} panels side by side leave {got:.0} pt for each plot: fewer columns, a wider figure or smaller type"
    )]
    TooNarrow {
        /// Panels side by side.
        columns: usize,
        /// Width left for the data area of each, in points.
        got: f64,
    },
    /// The drawing library refused an element.
    #[error("drawing failed: {0}")]
    Draw(String),
    /// The SVG given to a renderer cannot be read.
    #[error("not a drawable SVG: {0}")]
    Svg(String),
    /// The PDF could not be written.
    #[error("writing the PDF failed: {0}")]
    Pdf(String),
    /// The PNG could not be written.
    #[error("writing the PNG failed: {0}")]
    Png(String),
}

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

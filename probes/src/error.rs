use thiserror::Error;

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a fit, a split or a resampling was refused. Each variant has one meaning and carries the offending values.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// There is nothing to fit: a dimension is zero.
    #[error("no {what}")]
    Empty {
        /// The axis that is empty: rows, columns, layers ...
        what: &'static str,
    },
    /// Two inputs that must agree in length do not.
    #[error("{what}: {found} where {expected} are needed")]
    ShapeMismatch {
        /// The input that does not fit.
        what: &'static str,
        /// The length that the other inputs ask for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A label is neither 0 nor 1.
    #[error("label {value} in row {row}: only 0 and 1 are classes")]
    NotBinary {
        /// The row of the label.
        row: usize,
        /// The label.
        value: i64,
    },
    /// All rows carry the same label, so there is nothing to separate.
    #[error("all {rows} rows are of class {class}: a probe needs both classes")]
    OneClass {
        /// The only class present, 0 or 1.
        class: u8,
        /// The number of rows.
        rows: usize,
    },
    /// A decision is NaN.
    #[error("decision of row {row} is not a number")]
    NotANumber {
        /// The row of the decision.
        row: usize,
    },
    /// A score is NaN or infinite.
    #[error("the score of row {row} is not finite")]
    NonFiniteScore {
        /// The row of the score.
        row: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {column} of row {row} is not finite")]
    NonFinite {
        /// The row of the feature.
        row: usize,
        /// The column of the feature.
        column: usize,
    },
    /// Fewer than two folds were asked for.
    #[error("{folds} folds: cross-validation needs at least 2")]
    TooFewFolds {
        /// The number of folds asked for.
        folds: usize,
    },
    /// There are fewer groups than folds, so some fold would be empty.
    #[error("{groups} groups cannot fill {folds} folds: use fewer folds or more groups")]
    TooFewGroups {
        /// The number of distinct groups.
        groups: usize,
        /// The number of folds asked for.
        folds: usize,
    },
    /// A given fold assignment puts rows of one group on two sides of a split.
    #[error("group {group} lies in fold {first} and in fold {second}: a group must not straddle folds")]
    GroupStraddles {
        /// The group, as it was given.
        group: i64,
        /// The fold of its first row.
        first: i64,
        /// The other fold it was found in.
        second: i64,
    },
    /// Without this fold, the rows left for training are all of one class.
    #[error(
        "training without fold {fold} would see only class {class}: use fewer folds or more groups of the other class"
    )]
    OneClassTraining {
        /// The held-out fold.
        fold: usize,
        /// The only class left.
        class: u8,
    },
    /// The inverse penalty C is not a positive finite number.
    #[error("C = {c}: it must be positive and finite")]
    BadPenalty {
        /// The value given.
        c: f64,
    },
    /// A confidence level outside (0, 1).
    #[error("confidence level {level}: it must lie strictly between 0 and 1")]
    BadLevel {
        /// The value given.
        level: f64,
    },
    /// A share outside (0, 1).
    #[error("{what} {share}: it must lie strictly between 0 and 1")]
    BadShare {
        /// What it is a share of.
        what: &'static str,
        /// The value given.
        share: f64,
    },
    /// A convergence tolerance that is not a positive finite number.
    #[error("tolerance {tolerance}: it must be positive and finite")]
    BadTolerance {
        /// The value given.
        tolerance: f64,
    },
    /// The optimiser stopped before the gradient was small enough; no coefficients are given.
    #[error(
        "logistic regression did not converge in {iterations} Newton steps: gradient norm {gradient:e}, wanted {wanted:e}; use a smaller C or standardise"
    )]
    NotConverged {
        /// The Newton steps taken.
        iterations: usize,
        /// The Euclidean norm of the gradient reached.
        gradient: f64,
        /// The norm that was asked for.
        wanted: f64,
    },
    /// No exchange of labels that respects the groups changes the labels.
    #[error("the groups leave no labels to exchange: a permutation test is undefined for this design")]
    NothingToPermute,
    /// No text of the training part holds a word.
    #[error("training without fold {fold} leaves an empty vocabulary")]
    EmptyVocabulary {
        /// The held-out fold.
        fold: usize,
    },
    /// A setting of a probe lies outside its range.
    #[error("{name} = {value}: it must be {wanted}")]
    BadSetting {
        /// The setting.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What values it may have.
        wanted: &'static str,
    },
    /// No kind of probe has this name.
    #[error("no kind of probe is called {name}: there are {known}")]
    UnknownKind {
        /// The name given.
        name: String,
        /// All names.
        known: String,
    },
    /// No group of the training rows holds both classes.
    #[error(
        "no group of the training rows holds both classes: this kind of probe learns from contrast pairs"
    )]
    NoPairs,
    /// The member of a contrast pair that comes first is always of the same class.
    #[error(
        "the same class comes first in every pair: centring first and second members apart would remove it"
    )]
    OrderIsLabel,
    /// Nothing varies where a kind of probe needs variation: within classes, or within pairs.
    #[error("the training rows do not differ where this kind of probe looks: there is no direction to find")]
    NoVariance,
    /// More columns were asked for than there are.
    #[error("{k} of {columns} columns: k must be between 1 and the number of columns")]
    TooFewColumns {
        /// The number asked for.
        k: usize,
        /// The number there is.
        columns: usize,
    },
    /// A class has no training row.
    #[error("class {class} does not occur in the training rows: use fewer folds, or merge classes")]
    MissingClass {
        /// The class.
        class: usize,
    },
    /// A target of a regression is NaN or infinite.
    #[error("the target of row {row} is not finite")]
    NonFiniteTarget {
        /// The row of the target.
        row: usize,
    },
    /// A symmetric matrix could not be decomposed in floating point.
    #[error("a matrix of {size} rows could not be decomposed: use a stronger penalty or standardise")]
    NoDecomposition {
        /// The number of its rows.
        size: usize,
    },
    /// An optimiser stopped too far from the optimum; no coefficients are given.
    #[error(
        "{what} did not converge: {gap} {reached:e}, wanted {wanted:e}; use a stronger penalty or standardise"
    )]
    Unconverged {
        /// The kind of fit.
        what: &'static str,
        /// What measures the distance: gradient norm, duality gap.
        gap: &'static str,
        /// The value reached.
        reached: f64,
        /// The value that was asked for.
        wanted: f64,
    },
    /// linfa refused a data set.
    #[error("linfa: {message}")]
    Linfa {
        /// What it said.
        message: String,
    },
    /// An error of one layer of a sweep.
    #[error("layer {layer}: {source}")]
    Layer {
        /// The position of the layer along the first axis.
        layer: usize,
        /// What went wrong there.
        source: Box<Error>,
    },
}

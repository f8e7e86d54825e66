//! `recant fit`.

use std::path::PathBuf;
use std::str::FromStr;

use recant_probes::{Kind, Shrinkage};

use crate::analysis::directions::Score;

/// Arguments of `recant fit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// x [N, D] or [layers, N, D] f32; y [N] i64 of 0 and 1; group [N] (what stays on one side of a split) and fold [N]
    /// (folds decided elsewhere) may be there.
    #[arg(long, value_name = "F.safetensors")]
    pub features: PathBuf,

    /// Where the scores go: an object, or a list of one for each layer.
    #[arg(long, value_name = "OUT.json")]
    pub output: PathBuf,

    /// How directions are learnt: logistic, ridge, lda, mass-mean, mass-mean-cov, pair-pca, ccs, sparse, linfa-logistic,
    /// linfa-svm.
    #[arg(long, default_value = "logistic")]
    pub kind: Kind,

    /// The inverse penalty of a logistic probe or a support vector machine [default: 1].
    #[arg(long, allow_hyphen_values = true)]
    pub c: Option<f64>,

    /// Choose C from so many values between two, evenly in the logarithm: 1e-4:1e2:7.
    #[arg(long, value_name = "LOW:HIGH:COUNT", conflicts_with = "c")]
    pub c_grid: Option<Grid>,

    /// The gradient norm at which a logistic fit is done, relative to that at zero weights [default: 1e-10; fits whose
    /// held-out decisions alone are wanted stop at 1e-8]. scikit-learn's default stops near 1e-2.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub tolerance: Option<f64>,

    /// The penalty of ridge [default: 100].
    #[arg(long, allow_hyphen_values = true)]
    pub alpha: Option<f64>,

    /// The shrinkage of the covariance of lda, 0 to 1, or auto (Ledoit and Wolf) [default: 0.5].
    #[arg(long, value_parser = shrinkage, allow_hyphen_values = true)]
    pub shrinkage: Option<Shrinkage>,

    /// The columns that sparse uses [default: 16].
    #[arg(long, value_name = "COLUMNS")]
    pub k: Option<usize>,

    /// Judge each fold by a C that was chosen without it.
    #[arg(long, requires = "c_grid")]
    pub nested: bool,

    /// Folds of whole groups, where the features name none.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub folds: usize,

    /// Exchanges of labels in the permutation test; 0 for no test.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub permutations: usize,

    /// Control tasks, whose labels can only be learnt by heart; 0 for none.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub controls: usize,

    /// Resamples of the groups behind each interval; 0 for none.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub bootstrap: usize,

    /// Names folds, exchanges and resamples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Leave columns as they are. lda and mass-mean always do.
    #[arg(long)]
    pub no_standardize: bool,

    /// Write the directions too.
    #[arg(long, value_name = "OUT.safetensors")]
    pub directions: Option<PathBuf>,

    /// Fit nothing; score the features by these directions: those of --directions or of a study, or any tensor [D] or
    /// [layers, D].
    #[arg(long, value_name = "DIRECTIONS.safetensors", conflicts_with_all = FITTING)]
    pub apply: Option<PathBuf>,

    /// The tensor that holds the directions, where the file has several.
    #[arg(long, value_name = "NAME", requires = "apply")]
    pub tensor: Option<String>,

    /// The one row of it to use, such as that of a class in a classifier's weights.
    #[arg(long, value_name = "N", requires = "apply")]
    pub row: Option<usize>,

    /// What a direction says of a row.
    #[arg(long, value_enum, default_value_t = Score::Decision, requires = "apply")]
    pub score: Score,
}

/// What has no meaning where nothing is fitted.
const FITTING: [&str; 13] = [
    "kind",
    "c",
    "tolerance",
    "c_grid",
    "alpha",
    "shrinkage",
    "k",
    "folds",
    "permutations",
    "controls",
    "no_standardize",
    "nested",
    "directions",
];

fn shrinkage(text: &str) -> Result<Shrinkage, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(Shrinkage::LedoitWolf),
        (_, Ok(share)) => Ok(Shrinkage::Fixed(share)),
        _ => Err("give a number from 0 to 1, or auto".into()),
    }
}

/// Values of C.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid(pub Vec<f64>);

impl FromStr for Grid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not LOW:HIGH:COUNT with 0 < LOW < HIGH and COUNT from 2 to 1000");
        let parts: Vec<&str> = text.split(':').collect();
        let [low, high, count] = parts[..] else { return Err(wrong()) };
        let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
        let (low, high) = number(low).zip(number(high)).filter(|(low, high)| low < high).ok_or_else(wrong)?;
        let count: usize = count.parse().ok().filter(|count| (2..=1000).contains(count)).ok_or_else(wrong)?;
        let exponent = |place: usize| {
            let share = place as f64 / (count - 1) as f64;
            low.log10() + share * (high.log10() - low.log10())
        };
        let mut values: Vec<f64> = (0..count).map(|place| 10f64.powf(exponent(place))).collect();
        (values[0], values[count - 1]) = (low, high);
        Ok(Self(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_even_in_the_logarithm_and_holds_both_ends() {
        let Grid(values) = "1e-4:1e2:7".parse().expect("a grid");
        for (value, wanted) in values.iter().zip([1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0]) {
            assert!((value / wanted - 1.0).abs() < 1e-12, "{value} is not {wanted}");
        }
        assert_eq!((values.len(), values[0], values[6]), (7, 1e-4, 1e2));
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for text in
            ["", "1", "1:2", "1:2:1", "2:1:5", "0:1:3", "-1:1:3", "1:nan:3", "1:inf:3", "1:2:3:4", "1:2:x"]
        {
            assert!(text.parse::<Grid>().is_err(), "{text}");
        }
    }
}

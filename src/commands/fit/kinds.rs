//! The kinds of probe, as they are asked for and reported.

use recant_probes::{Ccs, Kind, Lda, LinfaLogistic, LinfaSvm, Logistic, Ridge, Shrinkage, Sparse};
use serde_json::{Value, json};

use crate::cli::fit::Args;

/// The kind of probe that was asked for.
pub(super) fn asked(args: &Args) -> Kind {
    let standardise = !args.no_standardize;
    let c = args.c.unwrap_or(1.0);
    let tolerance = args.tolerance.unwrap_or(Logistic::default().tolerance);
    let logistic = Logistic { c, standardise, tolerance, ..Logistic::default() };
    match args.kind.clone() {
        Kind::Logistic(_) => Kind::Logistic(logistic),
        Kind::Ridge(ridge) => Kind::Ridge(Ridge { alpha: args.alpha.unwrap_or(ridge.alpha), standardise }),
        Kind::Lda(lda) => Kind::Lda(Lda { shrinkage: args.shrinkage.unwrap_or(lda.shrinkage), ..lda }),
        Kind::Sparse(sparse) => Kind::Sparse(Sparse { k: args.k.unwrap_or(sparse.k), logistic }),
        Kind::Ccs(ccs) => Kind::Ccs(Ccs { seed: args.seed, ..ccs }),
        Kind::LinfaLogistic(_) => Kind::LinfaLogistic(LinfaLogistic { c, ..LinfaLogistic::default() }),
        Kind::LinfaSvm(_) => Kind::LinfaSvm(LinfaSvm { c }),
        other => other,
    }
}

/// The settings of a kind, by the names they are asked for.
pub(super) fn settings(kind: &Kind) -> Value {
    match kind {
        Kind::Logistic(Logistic { c, tolerance, .. }) => json!({ "c": c, "tolerance": tolerance }),
        Kind::LinfaLogistic(LinfaLogistic { c, .. }) | Kind::LinfaSvm(LinfaSvm { c }) => json!({ "c": c }),
        Kind::Ridge(ridge) => json!({ "alpha": ridge.alpha }),
        Kind::Lda(Lda { shrinkage: Shrinkage::Fixed(share), .. }) => json!({ "shrinkage": share }),
        Kind::Lda(Lda { shrinkage: Shrinkage::LedoitWolf, .. }) => json!({ "shrinkage": "auto" }),
        Kind::Sparse(sparse) => {
            json!({ "c": sparse.logistic.c, "tolerance": sparse.logistic.tolerance, "k": sparse.k })
        }
        Kind::MassMean(_) | Kind::PairPca(_) | Kind::Ccs(_) => json!({}),
    }
}

/// Settings that were given and that the kind does not have.
pub(super) fn unused(args: &Args, kind: &Kind) -> Vec<String> {
    let settings = settings(kind);
    let given = [
        ("c", args.c.is_some()),
        ("tolerance", args.tolerance.is_some()),
        ("alpha", args.alpha.is_some()),
        ("shrinkage", args.shrinkage.is_some()),
        ("k", args.k.is_some()),
    ];
    let unused = given.iter().filter(|(name, given)| *given && settings.get(name).is_none());
    let mut unused: Vec<String> = unused.map(|(name, _)| format!("--{name}")).collect();
    if args.no_standardize && standardised(kind) {
        unused.push("--no-standardize".into());
    }
    unused
}

/// Whether columns are brought to zero mean and unit variance.
pub(super) fn standardised(kind: &Kind) -> bool {
    match kind {
        Kind::Logistic(logistic) | Kind::Sparse(Sparse { logistic, .. }) => logistic.standardise,
        Kind::Ridge(ridge) => ridge.standardise,
        Kind::Lda(lda) => lda.standardise,
        Kind::MassMean(mass_mean) => mass_mean.standardise,
        Kind::PairPca(pair_pca) => pair_pca.standardise,
        Kind::Ccs(ccs) => ccs.standardise,
        Kind::LinfaLogistic(_) | Kind::LinfaSvm(_) => true,
    }
}

/// Whether decisions are log-odds, so that Brier score, log-loss and calibration error mean something.
pub(super) fn has_probabilities(kind: &Kind) -> bool {
    match kind {
        Kind::Logistic(_) | Kind::Lda(_) | Kind::Sparse(_) | Kind::Ccs(_) | Kind::LinfaLogistic(_) => true,
        Kind::MassMean(mass_mean) => mass_mean.covariance,
        Kind::Ridge(_) | Kind::PairPca(_) | Kind::LinfaSvm(_) => false,
    }
}

//! `recant fit`: probes of given features, and given directions on features.

use std::path::Path;
use std::time::Instant;

use recant_probes::{Bootstrap, Dataset, Evaluation, FoldPlan, Kind, Labelled, Logistic, Metric};
use serde_json::{Map, Value, json};

use crate::analysis::directions::{Directions, Pick, Score};
use crate::analysis::fitting::{Fitted, Plan, correct_over_layers, labellings};
use crate::analysis::probing::evaluation;
use crate::cli::fit::{self as cli, Args};
use crate::digest;
use crate::printer::Printer;
use crate::store::{Features, atomic};
use crate::{Error, Result};

/// Fits or applies, and writes; the last line of stdout says how long it took once the file was read.
///
/// # Errors
/// Features, settings or directions that cannot be used; no room for the output.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    atomic::writable(&args.output)?;
    if let Some(path) = &args.directions {
        atomic::writable(path)?;
    }
    let features = Features::open(&args.features)?;
    let sha256 = digest::sha256(&args.features)?;
    let begun = Instant::now();
    let (layers, mut summary) = match &args.apply {
        Some(directions) => apply(args, directions, &features, printer)?,
        None => fit(args, &features, &sha256, printer)?,
    };
    summary["seconds"] = begun.elapsed().as_secs_f64().into();
    let common = json!({
        "n": features.n, "d": features.d, "seed": args.seed, "bootstrap": args.bootstrap,
        "features_sha256": sha256, "recant": env!("CARGO_PKG_VERSION"),
    });
    let traced: Vec<Value> = layers.into_iter().map(|layer| joined(layer, &common)).collect();
    let out =
        if features.layered { Value::from(traced) } else { traced.into_iter().collect::<Value>()[0].take() };
    atomic::write(&args.output, format!("{out}\n").as_bytes())?;
    printer.data(summary);
    Ok(())
}

fn joined(mut object: Value, more: &Value) -> Value {
    if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
        object.extend(more.clone());
    }
    object
}

/// Fits a probe to every layer; a JSON object for each, and one in short.
fn fit(args: &Args, features: &Features, sha256: &str, printer: Printer) -> Result<(Vec<Value>, Value)> {
    let wrong = |error: recant_probes::Error| refused(&args.features, error);
    let labelled = labelled(features, features.labels()?).map_err(wrong)?;
    if features.group.is_none() {
        printer.say("no tensor group: every row counts as independent of all others");
    }
    let folds = match &features.fold {
        Some(fold) => FoldPlan::Given(fold.clone()),
        None => FoldPlan::Grouped(args.folds),
    };
    let folds = folds.make(&labelled, args.seed).map_err(wrong)?;
    let labellings = labellings(&labelled, &folds, args.permutations, args.seed).map_err(wrong)?;
    if args.permutations > 0 && labellings.len() == 1 {
        printer.say("the groups leave no labels to exchange: the permutation test is undefined");
    }
    let plan = Plan {
        kind: kind(args),
        grid: args.c_grid.as_ref().map(|grid| grid.0.clone()).unwrap_or_default(),
        nested: args.nested,
        bootstrap: bootstrap(args),
        seed: args.seed,
    };
    let progress = printer.progress(features.layers as u64, "fitting");
    let mut fits = Vec::with_capacity(features.layers);
    for layer in 0..features.layers {
        let x = features.layer(layer)?;
        let fitted = Dataset::new(x.view(), &labelled).and_then(|data| plan.fit(&data, &folds, &labellings));
        fits.push(fitted.map_err(|error| match features.layered {
            true => wrong(recant_probes::Error::Layer { layer, source: Box::new(error) }),
            false => wrong(error),
        })?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    correct_over_layers(&mut fits);

    if let Some(path) = &args.directions {
        let about = json!({ "kind": plan.kind.name(), "positive": "1", "features_sha256": sha256 });
        directions(&fits).write(path, about)?;
    }
    let beside = json!({
        "standardized": standardised(&plan.kind), "n_positive": labelled.n_positive(), "n_groups": labelled.n_groups(),
        "folds": folds.k(), "given_folds": features.fold.is_some(), "permutations": labellings.len() - 1,
    });
    let layers =
        fits.iter().enumerate().map(|(layer, fitted)| joined(described(layer, fitted), &beside)).collect();
    let auroc = |fitted: &Fitted| fitted.cv.auroc.value;
    let best = (1..fits.len())
        .fold(0, |best, layer| if auroc(&fits[layer]) > auroc(&fits[best]) { layer } else { best });
    let summary = json!({
        "kind": plan.kind.name(), "layers": features.layers, "n": features.n, "d": features.d,
        "best_layer": best, "auroc": auroc(&fits[best]),
    });
    Ok((layers, summary))
}

/// The kind of probe that was asked for.
fn kind(args: &Args) -> Kind {
    let standardise = !args.no_standardize;
    match args.kind {
        cli::Kind::Logistic => Kind::Logistic(Logistic { c: args.c, standardise, ..Logistic::default() }),
    }
}

fn standardised(kind: &Kind) -> bool {
    match kind {
        Kind::Logistic(logistic) => logistic.standardise,
    }
}

/// The settings of a kind, by the names they are asked for.
fn settings(kind: &Kind) -> Value {
    match kind {
        Kind::Logistic(logistic) => json!({ "c": logistic.c }),
    }
}

fn bootstrap(args: &Args) -> Bootstrap {
    Bootstrap { resamples: args.bootstrap, seed: args.seed, ..Bootstrap::default() }
}

fn labelled(features: &Features, labels: &[i64]) -> recant_probes::Result<Labelled> {
    match &features.group {
        Some(group) => Labelled::new(labels, group),
        None => Labelled::ungrouped(labels),
    }
}

fn directions(fits: &[Fitted]) -> Directions {
    Directions {
        layers: (0..fits.len() as i64).collect(),
        probes: fits.iter().map(|fitted| fitted.probe.clone()).collect(),
        units: None,
    }
}

fn described(layer: usize, fitted: &Fitted) -> Value {
    let train: Map<String, Value> = [
        ("auroc", Metric::Auroc),
        ("accuracy", Metric::Accuracy),
        ("average_precision", Metric::AveragePrecision),
        ("brier", Metric::Brier),
        ("ece", Metric::Ece),
    ]
    .into_iter()
    .map(|(name, metric)| (name.to_string(), json!({ "value": metric.of(&fitted.train) })))
    .collect();
    let test = fitted.permutation.as_ref();
    let head =
        joined(json!({ "layer": layer, "kind": fitted.kind.name(), "c": null }), &settings(&fitted.kind));
    let grid: Vec<Value> = fitted.grid.iter().map(|(c, auroc)| json!({ "c": c, "auroc": auroc })).collect();
    let scores = json!({
        "coef": fitted.probe.coef.to_vec(), "intercept": fitted.probe.intercept,
        "train": train, "cv": evaluation(&fitted.cv), "grid": grid, "nested_c": fitted.nested,
        "null": {
            "permutation_p": test.map(|test| test.p), "permutation_p_max_over_layers": test.map(|test| test.p_max),
            "control_auroc": null, "selectivity": null,
        },
    });
    joined(head, &scores)
}

/// Scores every row of every layer by given directions.
fn apply(args: &Args, path: &Path, features: &Features, printer: Printer) -> Result<(Vec<Value>, Value)> {
    let wrong = |error: recant_probes::Error| refused(&args.features, error);
    let pick = Pick { tensor: args.tensor.clone(), row: args.row };
    let directions = Directions::read(path, &pick)?;
    let labelled = match features.y.as_ref().map(|y| labelled(features, y)) {
        // Rows of one class can be scored; how well the classes are told apart is then undefined.
        None | Some(Err(recant_probes::Error::OneClass { .. })) => None,
        Some(labelled) => Some(labelled.map_err(wrong)?),
    };
    let progress = printer.progress(features.layers as u64, "scoring");
    let mut layers = Vec::with_capacity(features.layers);
    for layer in 0..features.layers {
        let probe = directions.at(layer, features.layers)?;
        let x = features.layer(layer)?;
        if let Some(((row, column), _)) = x.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let source = Box::new(recant_probes::Error::NonFinite { row, column });
            return Err(wrong(recant_probes::Error::Layer { layer, source }));
        }
        let values =
            args.score.of(probe, x.view()).map_err(|error| error.within(&path.display().to_string()))?;
        let known: Option<Vec<f64>> = values.iter().copied().collect();
        let scores = match labelled.as_ref().zip(known) {
            Some((labelled, known)) => {
                evaluation(&Evaluation::new(labelled, known, &bootstrap(args)).map_err(wrong)?)
            }
            None => Value::Null,
        };
        // A cosine or a projection has no threshold at 0, and only a decision may be log-odds.
        let accuracy = if args.score == Score::Decision { scores["accuracy"].clone() } else { Value::Null };
        layers.push(json!({
            "layer": layer, "score": args.score.name(), "values": values,
            "auroc": scores["auroc"], "average_precision": scores["average_precision"], "accuracy": accuracy,
        }));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let summary =
        json!({ "score": args.score.name(), "layers": features.layers, "n": features.n, "d": features.d });
    Ok((layers, summary))
}

/// An error of the statistics, about a file of features.
fn refused(path: &Path, error: recant_probes::Error) -> Error {
    use recant_probes::Error as Statistics;
    fn innermost(error: &Statistics) -> &Statistics {
        match error {
            Statistics::Layer { source, .. } => innermost(source),
            other => other,
        }
    }
    let hint = match innermost(&error) {
        Statistics::NonFinite { .. } => {
            "leave out rows that have no state, and look for overflow in what made them"
        }
        Statistics::OneClass { .. } | Statistics::NotBinary { .. } => {
            "y needs both 0 and 1, and nothing else"
        }
        Statistics::GroupStraddles { .. } => {
            "put all rows of a group into one fold, or leave out the tensor fold"
        }
        Statistics::TooFewGroups { .. } | Statistics::TooFewFolds { .. } => {
            "--folds N sets the number of folds"
        }
        _ => return Error::input(path.display().to_string(), error.to_string()),
    };
    Error::input(path.display().to_string(), error.to_string()).hint(hint)
}

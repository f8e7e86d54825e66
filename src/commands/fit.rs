//! `recant fit`: probes of given features, and given directions on features.

mod apply;
mod kinds;

use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis};
use recant_probes::permutation::{exchanged_labels, test_layers};
use recant_probes::{
    Bootstrap, ControlTask, Error as Statistics, FoldPlan, Kind, Labelled, LayerProbe, Metric,
    PermutationTest, Scored, Selectivity, Settings, fit_layers, majority, minimum_detectable_by_groups,
};
use serde_json::{Value, json};

use crate::analysis::directions::Directions;
use crate::analysis::probing::evaluation;
use crate::cli::fit::{Args, Grid};
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
        Some(directions) => apply::apply(args, directions, &features, printer)?,
        None => fit(args, &features, &sha256, printer)?,
    };
    summary["seconds"] = begun.elapsed().as_secs_f64().into();
    let common = json!({
        "n": features.n, "d": features.d, "seed": args.seed, "bootstrap": args.bootstrap,
        "features_sha256": sha256, "recant": env!("CARGO_PKG_VERSION"),
    });
    let mut layers: Vec<Value> = layers.into_iter().map(|layer| joined(layer, &common)).collect();
    let out = if features.layered { Value::from(layers) } else { layers.remove(0) };
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
    let wrong = |error: Statistics| refused(&args.features, error);
    let design = Design::new(args, features, printer)?;
    let progress = printer.progress(features.layers as u64, "fitting");
    let mut fits = Vec::with_capacity(features.layers);
    for layer in 0..features.layers {
        let x = features.layer(layer)?;
        fits.push(design.fit(x.view()).map_err(|error| match features.layered {
            true => wrong(Statistics::Layer { layer, source: Box::new(error) }),
            false => wrong(error),
        })?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    correct_over_layers(&mut fits);

    let kind = &design.settings.probe;
    if let Some(path) = &args.directions {
        let about = json!({ "kind": kind.name(), "positive": "1", "features_sha256": sha256 });
        directions(&fits).write(path, about)?;
    }
    let beside = json!({
        "standardized": kinds::standardised(kind), "n_positive": design.labelled.n_positive(),
        "n_groups": design.labelled.n_groups(), "folds": design.folds, "given_folds": features.fold.is_some(),
        "nested": args.nested, "permutations": design.settings.permutations, "controls": design.controls.len(),
        "majority_accuracy": design.majority, "detectable_auroc": design.detectable,
    });
    let layers =
        fits.iter().enumerate().map(|(layer, fitted)| joined(fitted.described(layer), &beside)).collect();
    let auroc = |layer: usize| fits[layer].probe.cv.auroc.value;
    let best = (1..fits.len()).fold(0, |best, layer| if auroc(layer) > auroc(best) { layer } else { best });
    let summary = json!({
        "kind": kind.name(), "layers": features.layers, "n": features.n, "d": features.d,
        "best_layer": best, "auroc": auroc(best),
    });
    Ok((layers, summary))
}

/// What all layers share.
struct Design {
    labelled: Labelled,
    settings: Settings,
    /// How many there are.
    folds: usize,
    controls: Vec<ControlTask>,
    /// Out-of-fold accuracy of naming the larger class.
    majority: f64,
    /// The least AUROC that so many groups show.
    detectable: Option<f64>,
}

impl Design {
    fn new(args: &Args, features: &Features, printer: Printer) -> Result<Self> {
        let wrong = |error: Statistics| refused(&args.features, error);
        let labelled = labelled(features, features.labels()?).map_err(wrong)?;
        if features.group.is_none() {
            printer.say("no tensor group: every row counts as independent of all others");
        }
        let mut settings = Settings {
            probe: kinds::asked(args),
            path: Vec::new(),
            nested: args.nested,
            folds: features.fold.clone().map_or(FoldPlan::Grouped(args.folds), FoldPlan::Given),
            bootstrap: bootstrap(args),
            permutations: args.permutations,
            seed: args.seed,
        };
        match (&settings.probe, &args.c_grid) {
            (Kind::Logistic(_), Some(Grid(values))) => settings.path = values.clone(),
            (Kind::Logistic(logistic), None) => settings.path = vec![logistic.c],
            (other, Some(_)) => {
                return Err(Error::input(
                    "--c-grid",
                    format!("a choice of C is for logistic, not for {}", other.name()),
                ));
            }
            (_, None) => {}
        }
        let unused = kinds::unused(args, &settings.probe);
        if !unused.is_empty() {
            printer.say(format!("{} takes no {}", settings.probe.name(), unused.join(", ")));
        }
        let folds = settings.folds.make(&labelled, args.seed).map_err(wrong)?;
        if let Err(Statistics::NothingToPermute) = exchanged_labels(&labelled, &folds, 1, args.seed) {
            printer.say("the groups leave no labels to exchange: the permutation test is undefined");
            settings.permutations = 0;
        }
        let seeds = (0..args.controls as u64).map(|place| args.seed.wrapping_add(place));
        let drawn: recant_probes::Result<Vec<_>> =
            seeds.map(|seed| ControlTask::draw(&labelled, folds.k(), seed)).collect();
        let controls = drawn.unwrap_or_else(|error| {
            printer.say(format!("no control task: {error}"));
            Vec::new()
        });
        let majority = majority(&labelled, &folds).map_err(wrong)?;
        let detectable = minimum_detectable_by_groups(&labelled, 0.05, 0.8).map_err(wrong)?;
        Ok(Self { labelled, settings, folds: folds.k(), controls, majority, detectable })
    }

    /// Fits and judges one layer, `[N, D]`.
    fn fit(&self, x: ArrayView2<f32>) -> recant_probes::Result<Fitted> {
        let probe = match fit_layers(x.insert_axis(Axis(0)), &self.labelled, &self.settings) {
            Ok(mut layers) => layers.remove(0),
            Err(Statistics::Layer { source, .. }) => return Err(*source),
            Err(other) => return Err(other),
        };
        let train = Scored::new(&probe.probe.decisions(x)?, self.labelled.labels());
        let control = match Selectivity::of(&probe.kind, x, &self.controls) {
            // Every row of a control task is a group of its own.
            Err(Statistics::NoPairs) => Selectivity { controls: Vec::new(), control_auroc: None },
            control => control?,
        };
        Ok(Fitted { probe, train, control })
    }
}

/// A probe of one layer with all that is said of it.
struct Fitted {
    probe: LayerProbe,
    /// Its decisions on the rows it was fitted on.
    train: Scored,
    control: Selectivity,
}

impl Fitted {
    fn described(&self, layer: usize) -> Value {
        let LayerProbe { kind, grid, probe, cv, permutation, .. } = &self.probe;
        let head = joined(json!({ "layer": layer, "kind": kind.name(), "c": null }), &kinds::settings(kind));
        let mut train: Value = METRICS
            .iter()
            .map(|(name, metric)| (name.to_string(), json!({ "value": metric.of(&self.train) })))
            .collect();
        let mut scores = evaluation(cv);
        if !kinds::has_probabilities(kind) {
            for name in ["brier", "log_loss", "ece"] {
                train[name]["value"] = Value::Null;
                scores[name] = json!({ "value": null, "ci": null });
            }
        }
        let grid: Vec<Value> = grid.iter().map(|(c, auroc)| json!({ "c": c, "auroc": auroc })).collect();
        let test = permutation.as_ref();
        let found = json!({
            "coef": probe.coef.to_vec(), "intercept": probe.intercept, "train": train, "cv": scores, "grid": grid,
            "null": {
                "permutation_p": test.map(|test| test.p),
                "permutation_p_max_over_layers": test.map(|test| test.p_max),
                "control_auroc": self.control.control_auroc,
                "selectivity": self.control.selectivity(cv.auroc.value),
            },
        });
        joined(head, &found)
    }
}

const METRICS: [(&str, Metric); 7] = [
    ("auroc", Metric::Auroc),
    ("accuracy", Metric::Accuracy),
    ("balanced_accuracy", Metric::BalancedAccuracy),
    ("average_precision", Metric::AveragePrecision),
    ("brier", Metric::Brier),
    ("log_loss", Metric::LogLoss),
    ("ece", Metric::Ece),
];

/// Corrects the tests of all layers, which are of the same exchanges, for the best layer having been looked for.
fn correct_over_layers(fits: &mut [Fitted]) {
    let tests: Option<Vec<&PermutationTest>> =
        fits.iter().map(|fit| fit.probe.permutation.as_ref()).collect();
    let Some(tests) = tests.filter(|tests| !tests.is_empty()) else { return };
    let observed: Vec<f64> = tests.iter().map(|test| test.observed).collect();
    let null = Array2::from_shape_fn((tests.len(), tests[0].null.len()), |(layer, p)| tests[layer].null[p]);
    for (fit, test) in fits.iter_mut().zip(test_layers(&observed, null.view())) {
        fit.probe.permutation = Some(test);
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
        placed: true,
        probes: fits.iter().map(|fitted| fitted.probe.probe.clone()).collect(),
        units: None,
        platt: None,
    }
}

/// An error of the statistics, about a file of features.
fn refused(path: &Path, error: Statistics) -> Error {
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

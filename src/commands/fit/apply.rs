//! Given directions on features.

use std::path::Path;

use recant_probes::{Error as Statistics, Evaluation};
use serde_json::{Value, json};

use super::{bootstrap, labelled, refused};
use crate::Result;
use crate::analysis::directions::{Directions, Pick, Score};
use crate::analysis::probing::evaluation;
use crate::cli::fit::Args;
use crate::printer::Printer;
use crate::store::Features;

/// Scores every row of every layer by given directions.
pub(super) fn apply(
    args: &Args,
    path: &Path,
    features: &Features,
    printer: Printer,
) -> Result<(Vec<Value>, Value)> {
    let wrong = |error: Statistics| refused(&args.features, error);
    let pick = Pick { tensor: args.tensor.clone(), row: args.row };
    let directions = Directions::read(path, &pick)?;
    let labelled = match features.y.as_ref().map(|y| labelled(features, y)) {
        // Rows of one class can be scored; how well the classes are told apart is then undefined.
        None | Some(Err(Statistics::OneClass { .. })) => None,
        Some(labelled) => Some(labelled.map_err(wrong)?),
    };
    let progress = printer.progress(features.layers as u64, "scoring");
    let mut layers = Vec::with_capacity(features.layers);
    for layer in 0..features.layers {
        let probe = directions.at(layer, features.layers)?;
        let x = features.layer(layer)?;
        if let Some(((row, column), _)) = x.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let source = Box::new(Statistics::NonFinite { row, column });
            return Err(wrong(Statistics::Layer { layer, source }));
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

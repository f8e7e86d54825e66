//! `recant model words`: the tokens that a direction speaks for and against.

use serde_json::{Value, json};

use crate::analysis::directions::{Directions, Pick};
use crate::cli::model::Words;
use crate::intervene::direction;
use crate::model::{Site, Spec, words};
use crate::printer::Printer;
use crate::text::Tokenizer;
use crate::{Error, Result};

/// A direction, by the name of its place: `layer` or `row`, and the number.
type Placed = (&'static str, usize, Vec<f64>);

/// Prints the tokens at both ends of the scores of each direction.
///
/// # Errors
/// A file without directions of the stream's width, a layer or row that it does not have, a checkpoint that cannot be
/// loaded.
pub fn run(args: &Words, printer: Printer) -> Result<()> {
    if args.top == 0 {
        return Err(Error::input("--top", "needs at least 1"));
    }
    let mut directions = directions(args)?;
    let tokenizer = Tokenizer::read(&args.dir)?;
    let model = args.compute.load(&args.dir)?;
    if args.normed {
        let scale = model.final_scale()?;
        for (_, _, vector) in &mut directions {
            vector.iter_mut().zip(&scale).for_each(|(x, scale)| *x *= scale);
        }
    }
    let vectors: Vec<Vec<f64>> = directions.iter().map(|(_, _, vector)| vector.clone()).collect();
    let turned: Vec<Vec<f64>> = vectors.iter().map(|vector| vector.iter().map(|x| -x).collect()).collect();
    let (highest, lowest) = (words(&model, &vectors, args.top)?, words(&model, &turned, args.top)?);
    let shown = |found: &[(i64, f64)], sign: f64| -> Result<Vec<Value>> {
        let one = |&(id, score): &(i64, f64)| {
            Ok(json!({ "id": id, "token": tokenizer.spelled(&[id])?, "score": sign * score }))
        };
        found.iter().map(one).collect()
    };
    let mut all = Vec::with_capacity(directions.len());
    for ((place, number, _), (highest, lowest)) in directions.iter().zip(highest.iter().zip(&lowest)) {
        let (highest, lowest) = (shown(highest, 1.0)?, shown(lowest, -1.0)?);
        all.push(json!({ *place: number, "highest": highest, "lowest": lowest }));
        if args.json {
            continue;
        }
        printer.data(format!("{place} {number}"));
        for (rank, (high, low)) in highest.iter().zip(&lowest).enumerate() {
            let cell = |word: &Value| {
                format!(
                    "{:>10.4} {:24}",
                    word["score"].as_f64().unwrap_or(f64::NAN),
                    word["token"].to_string()
                )
            };
            printer.data(format!("{:>4} {} {}", rank + 1, cell(high), cell(low)).trim_end());
        }
    }
    if args.json {
        printer.data(json!(all));
    }
    Ok(())
}

/// The directions that were asked for.
fn directions(args: &Words) -> Result<Vec<Placed>> {
    let (path, tensor) = (&args.direction, args.tensor.as_deref());
    if let Some(layer) = args.layer {
        let spec = Spec::read(&args.dir)?;
        let mut found = direction::of_file(&spec, Site::ResidPost, path, tensor)?;
        let vector = found.remove(&layer).ok_or_else(|| {
            Error::input(path.display().to_string(), format!("holds no direction of layer {layer}"))
                .hint("--row counts its rows")
        })?;
        return Ok(vec![("layer", layer, vector)]);
    }
    let found = Directions::read(path, &Pick { tensor: tensor.map(str::to_owned), row: args.row })?;
    let place = if found.placed { "layer" } else { "row" };
    let placed = found.layers.iter().zip(&found.probes);
    Ok(placed.map(|(&number, probe)| (place, number as usize, probe.direction().to_vec())).collect())
}

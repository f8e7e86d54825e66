//! Directions: what a study, `recant fit` or another program has learnt, written, read and applied.

use std::path::Path;

use ndarray::{Array1, ArrayView1, ArrayView2};
use recant_probes::{Probe, Scaler};
use serde_json::Value;
use tch::Tensor;

use crate::store::atomic;
use crate::store::mapped::{Mapped, Stored};
use crate::{Error, Result};

/// What the metadata of a file of probes calls itself.
pub const FORMAT: &str = "recant-probe-1";

/// A linear readout for each of some layers, or one for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Directions {
    /// The model's layer of each readout.
    pub layers: Vec<i64>,
    /// Whether the file itself names those layers; otherwise its rows are merely counted.
    pub placed: bool,
    /// The readouts.
    pub probes: Vec<Probe>,
    /// The unit of concept scores at each layer, where it is known.
    pub units: Option<Vec<f64>>,
    /// Slope and intercept that take a score to the log-odds of the positive class, where they are known.
    pub platt: Option<Vec<[f64; 2]>>,
}

/// Which part of a file is meant.
#[derive(Debug, Clone, Default)]
pub struct Pick {
    /// The tensor; not needed where the file holds probes or a single tensor.
    pub tensor: Option<String>,
    /// The row of it, counted over all axes but the last; all rows where none is named.
    pub row: Option<usize>,
}

impl Directions {
    /// The tensors of a file: `coef`, `mean`, `scale`, `direction` `[layers, d]`, `intercept` `[layers]`, `layers`, and
    /// `unit`, `platt_slope`, `platt_intercept` `[layers]` where they are known. A decision is `coef . (state - mean) / scale + intercept`; `direction` is
    /// `coef / scale`, which applies to states as they are.
    ///
    /// # Errors
    /// libtorch's.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
        let stack = |row: fn(&Probe) -> Array1<f64>| -> Result<Tensor> {
            let rows = single(self.probes.iter().flat_map(row).collect());
            Ok(Tensor::f_from_slice(&rows)?.f_view([self.probes.len() as i64, -1])?)
        };
        let intercepts = single(self.probes.iter().map(|probe| probe.intercept).collect());
        let mut tensors = vec![
            ("coef".into(), stack(|probe| probe.coef.clone())?),
            ("intercept".into(), Tensor::f_from_slice(&intercepts)?),
            ("mean".into(), stack(|probe| probe.scaler.mean.clone())?),
            ("scale".into(), stack(|probe| probe.scaler.scale.clone())?),
            ("direction".into(), stack(Probe::direction)?),
            (LAYERS.into(), Tensor::f_from_slice(&self.layers)?),
        ];
        if let Some(units) = &self.units {
            tensors.push(("unit".into(), Tensor::f_from_slice(&single(units.clone()))?));
        }
        for (place, name) in ["platt_slope", "platt_intercept"].into_iter().enumerate() {
            if let Some(platt) = &self.platt {
                let values = single(platt.iter().map(|platt| platt[place]).collect());
                tensors.push((name.into(), Tensor::f_from_slice(&values)?));
            }
        }
        Ok(tensors)
    }

    /// Writes the file, whole or not at all; `about` is what its metadata says besides the format.
    ///
    /// # Errors
    /// As [`atomic::write_tensors`].
    pub fn write(&self, path: &Path, mut about: Value) -> Result<()> {
        about["format"] = FORMAT.into();
        atomic::write_tensors(path, &self.tensors()?, &about)
    }

    /// Reads a file of probes, or any safetensors file with a tensor `[D]` or `[..., D]` whose rows are directions.
    ///
    /// A file with a tensor `coef` is one of probes; of its other tensors only those that are there are used. Directions
    /// from elsewhere apply to states as they are and have no intercept.
    ///
    /// # Errors
    /// It is no safetensors file, it is not clear which tensor is meant, shapes disagree, a value is not finite.
    pub fn read(path: &Path, pick: &Pick) -> Result<Self> {
        let file = Mapped::open(path)?;
        let directions = match &pick.tensor {
            None if file.get("coef").is_some() => Self::of_probes(&file)?,
            name => Self::of_rows(&file, name.as_deref())?,
        };
        match pick.row {
            None => Ok(directions),
            Some(row) => directions.only(row).ok_or_else(|| {
                file.wrong(format!("has no row {row}: there are {}, counted from 0", directions.probes.len()))
            }),
        }
    }

    fn of_probes(file: &Mapped) -> Result<Self> {
        let Some(coef) = file.get("coef") else { return Err(file.wrong("holds no tensor coef")) };
        let rows = rows(file, coef)?;
        let (count, d) = (rows.len(), rows[0].len());
        let beside = |name: &'static str, width: usize, otherwise: f64| -> Result<Vec<f64>> {
            let Some(stored) = file.get(name) else { return Ok(vec![otherwise; count * width]) };
            let values = stored.floats()?;
            match values.len() == count * width && values.iter().all(|value| value.is_finite()) {
                true => Ok(values),
                false if values.len() == count * width => Err(file.wrong(format!("{name} is not finite"))),
                false => Err(stored.misshapen(&format!("{:?} values", [count, width]))),
            }
        };
        let (mean, scale) = (beside("mean", d, 0.0)?, beside("scale", d, 1.0)?);
        if scale.iter().any(|&scale| scale <= 0.0) {
            return Err(file.wrong("scale holds a value that is not positive"));
        }
        let intercepts = beside("intercept", 1, 0.0)?;
        let part = |values: &[f64], row: usize| Array1::from(values[row * d..(row + 1) * d].to_vec());
        let probe = |(row, coef): (usize, Array1<f64>)| Probe {
            scaler: Scaler { mean: part(&mean, row), scale: part(&scale, row) },
            coef,
            intercept: intercepts[row],
        };
        let layers = named_layers(file, count)?;
        let units = file.get("unit").map(|_| beside("unit", 1, 1.0)).transpose()?;
        Ok(Self {
            placed: layers.is_some(),
            layers: layers.unwrap_or_else(|| (0..count as i64).collect()),
            probes: rows.into_iter().enumerate().map(probe).collect(),
            units,
            platt: None,
        })
    }

    fn of_rows(file: &Mapped, name: Option<&str>) -> Result<Self> {
        let mut names = file.names();
        names.retain(|name| *name != LAYERS);
        let known = || format!("it holds {}", names.join(", "));
        let name = match (name, &names[..]) {
            (Some(name), _) => name,
            (None, [only]) => only,
            (None, _) => {
                let why = format!("which tensor is the direction? {}", known());
                return Err(file.wrong(why).hint("name it with --tensor"));
            }
        };
        let stored =
            file.get(name).ok_or_else(|| file.wrong(format!("holds no tensor {name}; {}", known())))?;
        let rows = rows(file, stored)?;
        let raw = |coef: Array1<f64>| Probe { scaler: Scaler::identity(coef.len()), coef, intercept: 0.0 };
        let layers = named_layers(file, rows.len())?;
        Ok(Self {
            placed: layers.is_some(),
            layers: layers.unwrap_or_else(|| (0..rows.len() as i64).collect()),
            probes: rows.into_iter().map(raw).collect(),
            units: None,
            platt: None,
        })
    }

    /// One of them by itself.
    fn only(&self, row: usize) -> Option<Self> {
        Some(Self {
            layers: vec![self.layers[..].get(row).copied()?],
            placed: self.placed,
            probes: vec![self.probes[row].clone()],
            units: self.units.as_ref().map(|units| vec![units[row]]),
            platt: None,
        })
    }

    /// The readout for one of `layers` layers of features; a single one is for all.
    ///
    /// # Errors
    /// There are other than one or `layers`.
    pub fn at(&self, layer: usize, layers: usize) -> Result<&Probe> {
        match self.probes.len() {
            1 => Ok(&self.probes[0]),
            count if count == layers => Ok(&self.probes[layer]),
            count => Err(Error::input("directions", format!("{count} for {layers} layers of features"))
                .hint("give one for each layer, or one for all: --row picks one")),
        }
    }
}

/// The tensor that says which layer each direction is of.
const LAYERS: &str = "layers";

/// The layers that a file names for its directions; None where it has no such tensor.
fn named_layers(file: &Mapped, count: usize) -> Result<Option<Vec<i64>>> {
    let Some(layers) = file.get(LAYERS).map(|stored| stored.integers()).transpose()? else { return Ok(None) };
    match layers.len() == count {
        true => Ok(Some(layers)),
        false => Err(file.wrong(format!("layers names {} layers for {count} directions", layers.len()))),
    }
}

/// The rows along the last axis.
fn rows(file: &Mapped, stored: Stored<'_>) -> Result<Vec<Array1<f64>>> {
    let Some(&d) = stored.shape.last().filter(|&&d| d > 0) else {
        return Err(stored.misshapen("[D] or [layers, D]"));
    };
    let values = stored.floats()?;
    if values.is_empty() {
        return Err(stored.misshapen("[D] or [layers, D]"));
    }
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        return Err(file.wrong(format!("column {} of direction {} is not finite", place % d, place / d)));
    }
    Ok(values.chunks(d).map(|row| Array1::from(row.to_vec())).collect())
}

/// What a direction says of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Score {
    /// `coef . (x - mean) / scale + intercept`: positive speaks for class 1.
    Decision,
    /// `x . u`, with `u` the direction of unit length in the space of the states.
    Projection,
    /// The cosine of the angle between state and direction.
    Cosine,
}

impl Score {
    /// The name by which it is asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Projection => "projection",
            Self::Cosine => "cosine",
        }
    }

    /// The score of every row of `x` `[N, D]`; `None` where it is undefined: a state or a direction of length 0.
    ///
    /// # Errors
    /// The direction has another width than the rows.
    pub fn of(self, probe: &Probe, x: ArrayView2<f32>) -> Result<Vec<Option<f64>>> {
        if self == Self::Decision {
            return Ok(probe.decisions(x)?.into_iter().map(Some).collect());
        }
        if x.ncols() != probe.coef.len() {
            let why = format!("of width {} for features of width {}", probe.coef.len(), x.ncols());
            return Err(Error::input("direction", why));
        }
        let direction = probe.direction();
        let length = direction.dot(&direction).sqrt();
        let score = |row: ArrayView1<f32>| {
            let row = row.mapv(f64::from);
            let by = if self == Self::Cosine { length * row.dot(&row).sqrt() } else { length };
            (by > 0.0).then(|| row.dot(&direction) / by)
        };
        Ok(x.rows().into_iter().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn probe() -> Probe {
        let scaler = Scaler { mean: Array1::from(vec![1.0, 1.0]), scale: Array1::from(vec![0.5, 1.0]) };
        Probe { scaler, coef: Array1::from(vec![1.5, 4.0]), intercept: -1.0 }
    }

    #[test]
    fn projection_and_cosine_are_of_the_direction_in_the_space_of_the_states() {
        // The direction is (3, 4), of length 5.
        let x = arr2(&[[3.0_f32, 4.0], [-4.0, 3.0], [0.0, 0.0]]);
        let scores = |score: Score| score.of(&probe(), x.view()).expect("the widths agree");
        assert_eq!(scores(Score::Projection), [Some(5.0), Some(0.0), Some(0.0)]);
        assert_eq!(scores(Score::Cosine), [Some(1.0), Some(0.0), None]);
        assert_eq!(scores(Score::Decision), [Some(17.0), Some(-8.0), Some(-8.0)]);
    }
}

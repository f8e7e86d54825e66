//! A direction and a number become edits.

use tch::Tensor;

use crate::Result;
use crate::model::{Change, Edit, Reach, Site};

/// `x + coefficient * unit` at a site of a layer.
///
/// # Errors
/// libtorch's.
pub fn add(site: Site, layer: usize, unit: &[f64], coefficient: f64, reach: Reach) -> Result<Edit> {
    let vector: Vec<f32> = unit.iter().map(|x| (x * coefficient) as f32).collect();
    Ok(Edit { site, layer, reach, change: Change::Add(Tensor::f_from_slice(&vector)?) })
}

/// The component along `unit` taken out at a site of a layer.
///
/// # Errors
/// libtorch's.
pub fn ablate(site: Site, layer: usize, unit: &[f64], reach: Reach) -> Result<Edit> {
    let unit = Tensor::f_from_slice(unit)?;
    Ok(Edit { site, layer, reach, change: Change::Component { unit, to: 0.0 } })
}

//! Affine maps of the stream, one a layer, by which a tuned lens looks through the rest of a model.

use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// By layer the map `h -> h + A h + b` (Belrose et al. 2023, eq. 8). With A and b nought it is the logit lens.
#[derive(Debug)]
pub struct Translators {
    /// `(layers, d_model, d_model)` f32.
    pub a: Tensor,
    /// `(layers, d_model)` f32.
    pub b: Tensor,
}

impl Translators {
    /// Maps that change nothing.
    ///
    /// # Errors
    /// No memory.
    pub fn identity(layers: usize, width: i64) -> Result<Self> {
        let noughts =
            |shape: &[i64]| -> Result<Tensor> { Ok(Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?) };
        Ok(Self { a: noughts(&[layers as i64, width, width])?, b: noughts(&[layers as i64, width])? })
    }

    /// Maps from their tensors.
    ///
    /// # Errors
    /// Shapes that do not fit each other or the model.
    pub fn of(a: Tensor, b: Tensor, layers: usize, width: i64) -> Result<Self> {
        let layers = layers as i64;
        if a.size() != [layers, width, width] || b.size() != [layers, width] {
            let why =
                format!("have shapes {:?} and {:?} for {layers} layers of width {width}", a.size(), b.size());
            return Err(Error::input("translators", why));
        }
        Ok(Self { a, b })
    }

    /// Gives a layer its map.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn keep(&mut self, layer: usize, a: &Tensor, b: &Tensor) -> Result<()> {
        self.a.f_get(layer as i64)?.f_copy_(a)?;
        self.b.f_get(layer as i64)?.f_copy_(b)?;
        Ok(())
    }

    /// The states of a layer `(rows, d_model)` as the lens sees them.
    ///
    /// # Errors
    /// States of another width.
    pub fn apply(&self, layer: usize, states: &Tensor) -> Result<Tensor> {
        translated(states, &self.a.f_get(layer as i64)?, &self.b.f_get(layer as i64)?)
    }
}

/// `h + A h + b` for states `(rows, d_model)`.
///
/// # Errors
/// Shapes that do not fit.
pub fn translated(states: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(states.f_linear(a, Some(b))?.f_add(states)?)
}

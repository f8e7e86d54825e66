//! AdamW (Loshchilov and Hutter 2019): Adam with the decay of weights apart from the gradient, as torch.optim computes it.

use tch::{Kind, Tensor};

use super::Parameter;
use crate::{Error, Result};

/// Decay of the mean of gradients.
const BETA1: f64 = 0.9;
/// Decay of the mean of their squares.
const BETA2: f64 = 0.999;
/// Added to the root of the mean of squares.
const EPS: f64 = 1e-8;

/// The optimiser and its state.
pub struct AdamW {
    weight_decay: f64,
    parameters: Vec<Parameter>,
    means: Vec<Tensor>,
    squares: Vec<Tensor>,
    /// Steps taken.
    pub steps: usize,
}

impl AdamW {
    /// An optimiser that has done nothing yet.
    ///
    /// # Errors
    /// No memory.
    pub fn new(parameters: Vec<Parameter>, weight_decay: f64) -> Result<Self> {
        let noughts = || {
            parameters.iter().map(|p| Ok(p.tensor.f_zeros_like()?.f_detach()?)).collect::<Result<Vec<_>>>()
        };
        let (means, squares) = (noughts()?, noughts()?);
        Ok(Self { weight_decay, parameters, means, squares, steps: 0 })
    }

    /// What it learns.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Takes a step along the gathered gradients, scaled down to `max_norm` where they are longer, and forgets them.
    /// Returns the L2 norm that they had.
    ///
    /// # Errors
    /// The gradients are not finite: nothing is changed then.
    pub fn step(&mut self, learning_rate: f64, max_norm: f64) -> Result<f64> {
        let _guard = tch::no_grad_guard();
        let mut gradients: Vec<Tensor> =
            self.parameters.iter().map(|p| p.tensor.f_grad()).collect::<std::result::Result<_, _>>()?;
        let mut square = 0.0;
        for gradient in gradients.iter().filter(|gradient| gradient.defined()) {
            square += gradient.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        let norm = square.sqrt();
        if !norm.is_finite() {
            return Err(Error::input("training", "the gradients are not finite")
                .hint("lower learning_rate, or train in f32"));
        }
        let scale = if norm > max_norm { max_norm / norm } else { 1.0 };
        self.steps += 1;
        let n = self.steps as i32;
        let (unbias1, unbias2) = (1.0 - BETA1.powi(n), 1.0 - BETA2.powi(n));
        let state = self.means.iter_mut().zip(&mut self.squares);
        for ((parameter, raw), (mean, squares)) in self.parameters.iter_mut().zip(&mut gradients).zip(state) {
            if !raw.defined() {
                continue;
            }
            let gradient = raw.f_mul_scalar(scale)?;
            *mean = mean.f_mul_scalar(BETA1)?.f_add(&gradient.f_mul_scalar(1.0 - BETA1)?)?;
            *squares =
                squares.f_mul_scalar(BETA2)?.f_add(&gradient.f_square()?.f_mul_scalar(1.0 - BETA2)?)?;
            let below = squares.f_sqrt()?.f_div_scalar(unbias2.sqrt())?.f_add_scalar(EPS)?;
            let change = mean.f_div(&below)?.f_mul_scalar(-learning_rate / unbias1)?;
            let _ =
                parameter.tensor.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?.f_add_(&change)?;
            let _ = raw.f_zero_()?;
        }
        Ok(norm)
    }

    /// Parameters and state, to be stored.
    ///
    /// # Errors
    /// libtorch's.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::with_capacity(3 * self.parameters.len());
        for ((parameter, mean), square) in self.parameters.iter().zip(&self.means).zip(&self.squares) {
            let name = &parameter.name;
            all.push((name.clone(), parameter.tensor.f_detach()?));
            all.push((format!("{name}.mean"), mean.shallow_clone()));
            all.push((format!("{name}.square"), square.shallow_clone()));
        }
        Ok(all)
    }

    /// Goes on from stored parameters and state after `steps` steps; `read` gives a tensor `shape` by its name.
    ///
    /// # Errors
    /// What `read` reports.
    pub fn restore(&mut self, steps: usize, read: impl Fn(&str, &[i64]) -> Result<Tensor>) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let state = self.means.iter_mut().zip(&mut self.squares);
        for (parameter, (mean, square)) in self.parameters.iter_mut().zip(state) {
            let (name, shape) = (&parameter.name, parameter.tensor.size());
            parameter.tensor.f_copy_(&read(name, &shape)?)?;
            mean.f_copy_(&read(&format!("{name}.mean"), &shape)?)?;
            square.f_copy_(&read(&format!("{name}.square"), &shape)?)?;
        }
        self.steps = steps;
        Ok(())
    }
}

//! What a direction of the stream says in the words of the vocabulary.

use tch::{Kind, Tensor};

use super::Model;
use super::decoder::at_least_single;
use crate::{Error, Result};

/// Bytes of scores that are held at once.
const HELD: usize = 128 << 20;

/// How many rows of `vocab` f32 scores are computed at once.
pub(crate) fn rows_at_once(vocab: i64) -> usize {
    (HELD / (4 * vocab.max(1) as usize)).max(1)
}

/// The tokens that each of some vectors `(d_model)` of the stream scores highest, with their scores, best first: the
/// unembedding times the vector, without norm, bias, scale or cap. What Geva et al. 2022 read value vectors by, and Lee et
/// al. 2024 after them. For the lowest, turn the vectors round.
///
/// # Errors
/// A vector of another width than the stream's, no memory.
pub fn words(model: &Model, vectors: &[Vec<f64>], top: usize) -> Result<Vec<Vec<(i64, f64)>>> {
    let _guard = tch::no_grad_guard();
    let width = model.spec.d_model as usize;
    if let Some(other) = vectors.iter().find(|vector| vector.len() != width) {
        let why = format!("of width {} does not fit a model of width {width}", other.len());
        return Err(Error::input("a direction", why).hint("it belongs to another model, or to another site"));
    }
    let unembedding = model.unembedding()?;
    // In half precision the best scores would be ties.
    let wide = at_least_single(unembedding.kind());
    let at_once = rows_at_once(width as i64) as i64;
    let top = top.min(model.spec.vocab as usize);
    let mut all = Vec::with_capacity(vectors.len());
    for block in vectors.chunks(rows_at_once(model.spec.vocab)) {
        let rows = Tensor::f_from_slice(&block.concat())?.f_view([block.len() as i64, width as i64])?;
        let rows = rows.f_to_device(unembedding.device())?.f_to_kind(wide)?;
        let mut parts = Vec::new();
        for part in unembedding.f_split(at_once, 0)? {
            parts.push(rows.f_matmul(&part.f_to_kind(wide)?.f_transpose(0, 1)?)?);
        }
        let scores = Tensor::f_cat(&parts, 1)?.f_to_kind(Kind::Double)?; // (rows, vocab)
        let (values, ids) = scores.f_topk(top as i64, -1, true, true)?;
        let (values, ids) = (Vec::<Vec<f64>>::try_from(values)?, Vec::<Vec<i64>>::try_from(ids)?);
        all.extend(ids.into_iter().zip(values).map(|(ids, values)| ids.into_iter().zip(values).collect()));
    }
    Ok(all)
}

impl Model {
    /// What the final norm multiplies each dimension of the stream by before the head reads it `(d_model)`; ones where the
    /// norm has no weight.
    ///
    /// # Errors
    /// libtorch's.
    pub fn final_scale(&self) -> Result<Vec<f64>> {
        match self.final_norm.scale() {
            Some(scale) => Ok(Vec::try_from(scale.f_to_kind(Kind::Double)?)?),
            None => Ok(vec![1.0; self.spec.d_model as usize]),
        }
    }
}

//! Features made elsewhere, with labels, groups and folds: what `recant fit` reads.

use std::path::Path;

use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use safetensors::Dtype;

use super::mapped::{Mapped, Stored};
use crate::{Error, Result};

const LAYOUT: &str =
    "x is [N, D] or [layers, N, D] f32; y [N] i64 holds 0 and 1; group [N] and fold [N] i64 may be there";

/// A file of features. `x` stays where it is until a layer is asked for.
///
/// # Shapes
/// `x` is `[N, D]` or `[L, N, D]`; `y`, `group` and `fold` are `[N]`.
#[derive(Debug)]
pub struct Features {
    file: Mapped,
    /// Whether `x` has an axis of layers.
    pub layered: bool,
    /// The number of layers, 1 without such an axis.
    pub layers: usize,
    /// Rows of each layer.
    pub n: usize,
    /// Columns of each layer.
    pub d: usize,
    /// 0 or 1 for every row, if the file has labels.
    pub y: Option<Vec<i64>>,
    /// What must stay on one side of every split.
    pub group: Option<Vec<i64>>,
    /// Folds decided elsewhere.
    pub fold: Option<Vec<i64>>,
}

impl Features {
    /// Maps a file and checks names, dtypes and shapes. Whether values are finite is seen when a layer is used.
    ///
    /// # Errors
    /// It is no whole safetensors file, has no `x`, or a tensor has a dtype or shape that does not fit.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Mapped::open(path)?;
        let x = found(&file, "x")?;
        if !matches!(x.dtype, Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16) {
            return Err(file.wrong(format!("x is {:?}", x.dtype)).hint(LAYOUT));
        }
        let (layered, layers, n, d) = match *x.shape {
            [n, d] => (false, 1, n, d),
            [layers, n, d] => (true, layers, n, d),
            _ => return Err(x.misshapen("[N, D] or [layers, N, D]").hint(LAYOUT)),
        };
        if layers * n * d == 0 {
            return Err(x.misshapen("at least one of each").hint(LAYOUT));
        }
        let column = |name: &str| -> Result<Option<Vec<i64>>> {
            let Some(stored) = file.get(name) else { return Ok(None) };
            if *stored.shape != [n] {
                return Err(stored.misshapen(&format!("[{n}]")).hint(LAYOUT));
            }
            stored.integers().map(Some)
        };
        let (y, group, fold) = (column("y")?, column("group")?, column("fold")?);
        Ok(Self { layered, layers, n, d, y, group, fold, file })
    }

    /// The labels.
    ///
    /// # Errors
    /// The file has none.
    pub fn labels(&self) -> Result<&[i64]> {
        match &self.y {
            Some(y) => Ok(y),
            None => Err(missing(&self.file, "y")),
        }
    }

    /// One layer, `[N, D]`; a view of the file where it holds f32.
    ///
    /// # Errors
    /// None that [`Features::open`] has not seen already.
    pub fn layer(&self, layer: usize) -> Result<CowArray<'_, f32, Ix2>> {
        let shape = (self.n, self.d);
        let misfit = |error: ndarray::ShapeError| self.file.wrong(format!("x: {error}"));
        Ok(match found(&self.file, "x")?.block(layer, self.n * self.d)? {
            std::borrow::Cow::Borrowed(values) => {
                ArrayView2::from_shape(shape, values).map_err(misfit)?.into()
            }
            std::borrow::Cow::Owned(values) => Array2::from_shape_vec(shape, values).map_err(misfit)?.into(),
        })
    }
}

fn found<'a>(file: &'a Mapped, name: &'a str) -> Result<Stored<'a>> {
    file.get(name).ok_or_else(|| missing(file, name))
}

fn missing(file: &Mapped, name: &str) -> Error {
    file.wrong(format!("holds no tensor {name}; it holds {}", file.names().join(", "))).hint(LAYOUT)
}

//! Interventions: what is done to the vectors of a site while a pass runs.

use tch::{Device, Kind, Tensor};

use super::site::Site;
use super::spec::Spec;
use crate::{Error, Result};

/// A change of the vectors at one site of one layer.
#[derive(Debug)]
pub struct Edit {
    /// Where.
    pub site: Site,
    /// The layer of a per-layer site; it does not matter for the others.
    pub layer: usize,
    /// Which tokens.
    pub reach: Reach,
    /// What.
    pub change: Change,
}

/// Which tokens an edit reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Tokens that a pass names in [`super::Want::marks`].
    Marked,
    /// All tokens that are read, whoever wrote them; not those that are decoded one by one.
    Read,
    /// All tokens.
    #[default]
    Every,
}

/// What is done to a vector `x` of the width of its site.
#[derive(Debug)]
pub enum Change {
    /// `x + v`: activation addition (Turner et al. 2023), v `(width)`.
    Add(Tensor),
    /// `x + (to - x.u) u`, u `(width)` of unit length: the component along u becomes `to`; 0 is directional ablation
    /// (Arditi et al. 2024).
    Component {
        /// The direction, of unit length.
        unit: Tensor,
        /// What the component becomes.
        to: f64,
    },
    /// Row `slot` of a table `(slots, width)`, the slot being that of the token's mark: activation patching.
    Replace(Tensor),
}

impl Clone for Change {
    /// Shares the tensors.
    fn clone(&self) -> Self {
        match self {
            Self::Add(vector) => Self::Add(vector.shallow_clone()),
            Self::Component { unit, to } => Self::Component { unit: unit.shallow_clone(), to: *to },
            Self::Replace(table) => Self::Replace(table.shallow_clone()),
        }
    }
}

impl Clone for Edit {
    /// Shares the tensors.
    fn clone(&self) -> Self {
        Self { site: self.site, layer: self.layer, reach: self.reach, change: self.change.clone() }
    }
}

impl Edit {
    /// Whether the model has the place and the change its width.
    ///
    /// # Errors
    /// A site or layer that the model lacks or at which nothing can be changed, a vector of another width or that is not
    /// finite.
    pub fn check(&self, spec: &Spec) -> Result<()> {
        let place = || format!("an intervention at {} of layer {}", self.site, self.layer);
        spec.offers(self.site)?;
        if matches!(self.site, Site::FinalNorm | Site::Logits) {
            return Err(Error::input(place(), "comes after all blocks: nothing is left to intervene in")
                .hint("resid_post of the last layer is the last place"));
        }
        if self.layer >= spec.n_layers {
            return Err(Error::input(place(), format!("the model has {} layers", spec.n_layers)));
        }
        let (tensor, width) = match &self.change {
            Change::Add(tensor) | Change::Component { unit: tensor, .. } | Change::Replace(tensor) => {
                (tensor, tensor.size().last().copied().unwrap_or(0))
            }
        };
        if width != spec.width(self.site) {
            let why = format!("is of width {width}, the site has {}", spec.width(self.site));
            return Err(Error::input(place(), why).hint("the direction belongs to another site or model"));
        }
        if !tensor.f_isfinite()?.f_all()?.f_int64_value(&[]).is_ok_and(|all| all == 1) {
            return Err(Error::input(place(), "is not finite"));
        }
        Ok(())
    }

    /// Whether it is meant for this place.
    pub(super) fn is_at(&self, site: Site, layer: Option<usize>) -> bool {
        self.site == site && layer.is_none_or(|layer| layer == self.layer)
    }

    /// The vectors `(tokens, width)` as the edit leaves them.
    pub(super) fn apply(&self, x: &Tensor, marks: &Marks, decoding: bool) -> Result<Tensor> {
        match self.reach {
            Reach::Read if decoding => Ok(x.shallow_clone()),
            Reach::Read | Reach::Every => self.change.of(x, None),
            Reach::Marked => match marks.on(x.device())? {
                None => Ok(x.shallow_clone()),
                Some((rows, slots)) => {
                    let changed = self.change.of(&x.f_index_select(0, &rows)?, Some(&slots))?;
                    Ok(x.f_index_copy(0, &rows, &changed)?)
                }
            },
        }
    }
}

impl Change {
    fn of(&self, x: &Tensor, slots: Option<&Tensor>) -> Result<Tensor> {
        let (kind, device) = (x.kind(), x.device());
        let here = |tensor: &Tensor, kind: Kind| -> Result<Tensor> {
            Ok(tensor.f_to_device(device)?.f_to_kind(kind)?)
        };
        match self {
            Self::Add(vector) => Ok(x.f_add(&here(vector, kind)?)?),
            Self::Component { unit, to } => {
                // In f64: what is left along the direction is then the rounding of the state itself.
                let (wide, unit) = (x.f_to_kind(Kind::Double)?, here(unit, Kind::Double)?);
                let missing = wide.f_mv(&unit)?.f_neg()?.f_add_scalar(*to)?;
                Ok(wide.f_add(&missing.f_outer(&unit)?)?.f_to_kind(kind)?)
            }
            Self::Replace(table) => {
                let slots = slots.ok_or_else(|| {
                    Error::input("an intervention", "replaces vectors of tokens that no one has marked")
                })?;
                Ok(here(table, kind)?.f_index_select(0, slots)?)
            }
        }
    }
}

/// Rows of a pass that edits of [`Reach::Marked`] reach, and the slot of each.
pub(super) struct Marks(Option<(Tensor, Tensor)>);

impl Marks {
    pub fn new(marks: &[(i64, i64)]) -> Result<Self> {
        if marks.is_empty() {
            return Ok(Self(None));
        }
        let (rows, slots): (Vec<i64>, Vec<i64>) = marks.iter().copied().unzip();
        Ok(Self(Some((Tensor::f_from_slice(&rows)?, Tensor::f_from_slice(&slots)?))))
    }

    fn on(&self, device: Device) -> Result<Option<(Tensor, Tensor)>> {
        let there = |(rows, slots): &(Tensor, Tensor)| -> Result<_> {
            Ok((rows.f_to_device(device)?, slots.f_to_device(device)?))
        };
        self.0.as_ref().map(there).transpose()
    }
}

//! How the tensors of two checkpoints differ.

use std::collections::BTreeMap;

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::Result;
use crate::model::weights::Weights;

/// Numbers of a tensor that are read at a time.
const STRIP: i64 = 1 << 20;

/// How far B is from A, over one tensor or several. Sums are in f64; what is undefined is null.
#[derive(Debug, Serialize)]
pub struct Change {
    /// A . B / (|A| |B|)
    pub cosine: Option<f64>,
    /// |B - A| / |A|
    pub relative_change: Option<f64>,
    /// The largest |B - A| of a number.
    pub max_abs_change: Option<f64>,
}

/// How one tensor differs.
#[derive(Debug, Serialize)]
pub struct TensorChange {
    /// Its name in A.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its block, if it is part of one.
    pub layer: Option<usize>,
    /// attention, mlp, norm, embedding, head or other.
    pub kind: &'static str,
    /// Whether every number is the same.
    pub identical: bool,
    /// How far B is from A.
    #[serde(flatten)]
    pub change: Change,
    #[serde(skip)]
    sums: Sums,
}

/// How some tensors differ together.
#[derive(Debug, Serialize)]
pub struct Group {
    /// What they have in common.
    pub group: String,
    /// How many they are.
    pub tensors: usize,
    /// How many of them are the same in A and B.
    pub identical: usize,
    /// How far B is from A over all their numbers.
    #[serde(flatten)]
    pub change: Change,
}

/// How the tensors of two checkpoints differ.
#[derive(Debug, Serialize)]
pub struct TensorChanges {
    /// Tensors of the same name and shape, in the order of the layers.
    pub tensors: Vec<TensorChange>,
    /// Number of them that are the same in A and B.
    pub identical: usize,
    /// By block; what is in no block comes first.
    pub by_layer: Vec<Group>,
    /// By name without the number of the block.
    pub by_part: Vec<Group>,
    /// By kind: attention, mlp, norm, embedding, head, other.
    pub by_kind: Vec<Group>,
    /// All together.
    pub all: Change,
    /// Names that only A holds.
    pub only_in_a: Vec<String>,
    /// Names that only B holds.
    pub only_in_b: Vec<String>,
    /// Tensors of another shape, with both shapes.
    pub other_shape: Vec<(String, Vec<i64>, Vec<i64>)>,
    /// Tensors that hold no floating point numbers.
    pub not_compared: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    dot: f64,
    a: f64,
    b: f64,
    change: f64,
    largest: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.dot += other.dot;
        self.a += other.a;
        self.b += other.b;
        self.change += other.change;
        // Not f64::max, which would hide what is not a number.
        if other.largest.is_nan() || other.largest > self.largest {
            self.largest = other.largest;
        }
    }

    /// Of two equally long vectors in f64.
    fn of(a: &Tensor, b: &Tensor) -> Result<Self> {
        let number = |tensor: Tensor| Ok::<f64, crate::Error>(tensor.f_double_value(&[])?);
        let change = b.f_sub(a)?;
        let (largest, square) = (number(change.f_abs()?.f_max()?)?, number(a.f_dot(a)?)?);
        if largest == 0.0 {
            // The same product may be summed in another order at another address.
            return Ok(Self { dot: square, a: square, b: square, change: 0.0, largest });
        }
        Ok(Self {
            dot: number(a.f_dot(b)?)?,
            a: square,
            b: number(b.f_dot(b)?)?,
            change: number(change.f_dot(&change)?)?,
            largest,
        })
    }

    fn change(&self) -> Change {
        let defined = |x: f64| x.is_finite().then_some(x);
        Change {
            cosine: defined(self.dot / (self.a * self.b).sqrt()).map(|x| x.clamp(-1.0, 1.0)),
            relative_change: defined((self.change / self.a).sqrt()),
            max_abs_change: defined(self.largest),
        }
    }
}

/// Compares all tensors that both hold under one name; a leading `model.` does not count. `progress` hears how many of how
/// many are done.
///
/// # Errors
/// A tensor of a dtype or packing that cannot be read.
pub fn compare(a: &Weights, b: &Weights, mut progress: impl FnMut(usize, usize)) -> Result<TensorChanges> {
    let (in_a, in_b) = (by_plain_name(a), by_plain_name(b));
    let only = |these: &BTreeMap<Place, String>, others: &BTreeMap<Place, String>| {
        these.iter().filter(|(place, _)| !others.contains_key(*place)).map(|(_, name)| name.clone()).collect()
    };
    let (mut tensors, mut other_shape, mut not_compared) = (Vec::new(), Vec::new(), Vec::new());
    for (done, (place, name)) in in_a.iter().enumerate() {
        progress(done, in_a.len());
        let Some(other) = in_b.get(place) else { continue };
        let (shape, in_b) = (a.shape(name).unwrap_or_default(), b.shape(other).unwrap_or_default());
        if shape != in_b {
            other_shape.push((name.clone(), shape, in_b));
        } else if !a.is_float(name) || !b.is_float(other) || shape.is_empty() {
            not_compared.push(name.clone());
        } else {
            let sums = difference((a, name), (b, other), &shape)?;
            let (change, identical) = (sums.change(), sums.largest == 0.0);
            let (name, layer, kind) = (name.clone(), place.layer, kind(&place.part));
            tensors.push(TensorChange { name, shape, layer, kind, identical, change, sums });
            a.release();
            b.release();
        }
    }
    let mut all = Sums::default();
    tensors.iter().for_each(|tensor| all.add(&tensor.sums));
    Ok(TensorChanges {
        identical: tensors.iter().filter(|tensor| tensor.identical).count(),
        by_layer: groups(&tensors, |tensor| {
            tensor.layer.map_or("outside".to_string(), |layer| layer.to_string())
        }),
        by_part: groups(&tensors, |tensor| Place::of(&tensor.name).part),
        by_kind: groups(&tensors, |tensor| tensor.kind.to_string()),
        all: all.change(),
        only_in_a: only(&in_a, &in_b),
        only_in_b: only(&in_b, &in_a),
        other_shape,
        not_compared,
        tensors,
    })
}

impl TensorChanges {
    /// What keeps the two from being compared. A head beside a tied embedding and saved frequencies are no weights of
    /// their own.
    pub(super) fn in_the_way(&self) -> Vec<String> {
        let counts = |name: &&String| *name != "lm_head.weight" && !name.ends_with(".inv_freq");
        let mut found = Vec::new();
        for (side, names) in [("A", &self.only_in_a), ("B", &self.only_in_b)] {
            let names: Vec<_> = names.iter().filter(counts).collect();
            if let Some(first) = names.first() {
                found.push(format!("{} tensors are only in {side}, {first} first", names.len()));
            }
        }
        if let Some((first, ..)) = self.other_shape.first() {
            found.push(format!("{} tensors have another shape, {first} first", self.other_shape.len()));
        }
        if let Some(odd) = self.tensors.iter().find(|tensor| tensor.change.max_abs_change.is_none()) {
            found.push(format!("{} holds numbers that are not finite", odd.name));
        }
        found
    }

    /// The tensors of one key together, in the order in which keys are met.
    #[must_use]
    pub fn grouped(&self, key: impl Fn(&TensorChange) -> String) -> Vec<Group> {
        groups(&self.tensors, key)
    }

    /// The tensors that changed, most changed first; what is not finite or began at zero before all others.
    #[must_use]
    pub fn most_changed(&self) -> Vec<&TensorChange> {
        let size = |tensor: &TensorChange| tensor.change.relative_change.unwrap_or(f64::INFINITY);
        let mut changed: Vec<_> = self.tensors.iter().filter(|tensor| !tensor.identical).collect();
        changed.sort_by(|a, b| size(b).total_cmp(&size(a)));
        changed
    }
}

/// A strip of both at a time, in f64.
fn difference(a: (&Weights, &str), b: (&Weights, &str), shape: &[i64]) -> Result<Sums> {
    let mut sums = Sums::default();
    let row: i64 = shape[1..].iter().product();
    if row == 0 {
        return Ok(sums);
    }
    let strip = (STRIP / row).max(1);
    for start in (0..shape[0]).step_by(strip as usize) {
        let read = |(weights, name): (&Weights, &str)| -> Result<Tensor> {
            let rows = weights.rows(name, start, strip.min(shape[0] - start))?;
            Ok(rows.f_reshape([-1])?.f_to_kind(Kind::Double)?)
        };
        sums.add(&Sums::of(&read(a)?, &read(b)?)?);
    }
    Ok(sums)
}

/// Where a tensor stands: its block, and its name without the block's number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    layer: Option<usize>,
    part: String,
    /// Numbers after the first, as of experts.
    rest: Vec<usize>,
}

impl Place {
    fn of(name: &str) -> Self {
        let plain = name.strip_prefix("model.").unwrap_or(name);
        let mut numbers = Vec::new();
        let part = |word: &str| match word.parse() {
            Ok(number) => {
                numbers.push(number);
                "*".to_string()
            }
            Err(_) => word.to_string(),
        };
        let part = plain.split('.').map(part).collect::<Vec<_>>().join(".");
        let mut numbers = numbers.into_iter();
        Self { layer: numbers.next(), part, rest: numbers.collect() }
    }
}

fn by_plain_name(weights: &Weights) -> BTreeMap<Place, String> {
    weights.names().into_iter().map(|name| (Place::of(&name), name)).collect()
}

fn kind(part: &str) -> &'static str {
    let words = [
        ("norm", "norm"),
        ("ln_", "norm"),
        ("attn", "attention"),
        ("attention", "attention"),
        ("mlp", "mlp"),
        ("feed_forward", "mlp"),
        ("experts", "mlp"),
        ("embed", "embedding"),
        ("wte", "embedding"),
        ("wpe", "embedding"),
        ("head", "head"),
    ];
    words.iter().find(|(word, _)| part.contains(word)).map_or("other", |(_, kind)| kind)
}

/// Groups in the order in which they are met.
fn groups(tensors: &[TensorChange], key: impl Fn(&TensorChange) -> String) -> Vec<Group> {
    let mut groups: Vec<(Group, Sums)> = Vec::new();
    let mut places = BTreeMap::new();
    for tensor in tensors {
        let name = key(tensor);
        let place = *places.entry(name.clone()).or_insert(groups.len());
        if place == groups.len() {
            let change = Sums::default().change();
            groups.push((Group { group: name, tensors: 0, identical: 0, change }, Sums::default()));
        }
        let (group, sums) = &mut groups[place];
        group.tensors += 1;
        group.identical += usize::from(tensor.identical);
        sums.add(&tensor.sums);
    }
    groups.into_iter().map(|(group, sums)| Group { change: sums.change(), ..group }).collect()
}

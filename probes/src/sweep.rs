//! A concept probed at every layer, with everything that must be said beside a score.

use ndarray::{Array2, ArrayView1, ArrayView3, Axis, concatenate};
use rayon::prelude::*;

use crate::bootstrap::Bootstrap;
use crate::cross_validate::{Job, out_of_fold, targets};
use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::kind::Kind;
use crate::logistic::Logistic;
use crate::metrics::{Metric, Scored};
use crate::permutation::{PermutationTest, exchanged_labels, test_layers};
use crate::probe::Probe;

/// The gradient norm, relative to that at zero weights, to which fits of the permutation test are taken. The
/// observed labels are fitted once more in the same way, as one column among the exchanged ones, so the test
/// compares like with like and is exact whatever the tolerance.
const NULL_TOLERANCE: f64 = 1e-3;

/// How a sweep is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The kind of probe.
    pub probe: Kind,
    /// The splits.
    pub folds: FoldPlan,
    /// The intervals.
    pub bootstrap: Bootstrap,
    /// How many exchanges of labels the null holds; 0 for no test.
    pub permutations: usize,
    /// Names the folds and the exchanges.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            probe: Kind::Logistic(Logistic::default()),
            folds: FoldPlan::Grouped(5),
            bootstrap: Bootstrap::default(),
            permutations: 200,
            seed: 0,
        }
    }
}

/// Where the folds come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldPlan {
    /// So many stratified folds of whole groups, see [`Folds::grouped`].
    Grouped(usize),
    /// The fold of every row, see [`Folds::given`].
    Given(Vec<i64>),
}

impl FoldPlan {
    /// The folds of a design.
    ///
    /// # Errors
    /// As [`Folds::grouped`] and [`Folds::given`].
    pub fn make(&self, labelled: &Labelled, seed: u64) -> Result<Folds> {
        match self {
            Self::Grouped(k) => Folds::grouped(labelled, *k, seed),
            Self::Given(fold) => Folds::given(labelled, fold),
        }
    }
}

/// A concept at one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerProbe {
    /// The position along the first axis of the features.
    pub layer: usize,
    /// The probe fitted on all rows, to score other states with.
    pub probe: Probe,
    /// The AUROC of that probe on the rows it was fitted on; not an estimate of anything else.
    pub train_auroc: Option<f64>,
    /// Cross-validated scores.
    pub cv: Evaluation,
    /// The null of exchanged labels, if one was asked for.
    pub permutation: Option<PermutationTest>,
}

/// Probes every layer on the same labels, folds, resamples and exchanges.
///
/// The answer does not depend on the number of threads.
///
/// # Shapes
/// `x` is `[L, N, D]`.
///
/// # Errors
/// [`Error::Empty`] without layers; errors of the folds and of the exchanges; those of a layer within
/// [`Error::Layer`].
pub fn fit_layers(x: ArrayView3<f32>, labelled: &Labelled, settings: &Settings) -> Result<Vec<LayerProbe>> {
    if x.len_of(Axis(0)) == 0 {
        return Err(Error::Empty { what: "layers" });
    }
    let folds = settings.folds.make(labelled, settings.seed)?;
    let exchanged = exchanged_labels(labelled, &folds, settings.permutations, settings.seed)?;
    let labellings = concatenate![Axis(0), targets(labelled), exchanged];
    let layers: Vec<Result<(LayerProbe, Vec<f64>)>> = (0..x.len_of(Axis(0)))
        .into_par_iter()
        .map(|layer| {
            let data = Dataset::new(x.index_axis(Axis(0), layer), labelled)?;
            fit_layer(layer, &data, &folds, &labellings, settings)
        })
        .collect();
    let mut probes = Vec::with_capacity(layers.len());
    let mut tested = Vec::with_capacity(layers.len());
    for (layer, result) in layers.into_iter().enumerate() {
        let (probe, aurocs) = result.map_err(|source| Error::Layer { layer, source: Box::new(source) })?;
        probes.push(probe);
        tested.push(aurocs);
    }
    if settings.permutations > 0 {
        let observed: Vec<f64> = tested.iter().map(|aurocs| aurocs[0]).collect();
        let null =
            Array2::from_shape_fn((tested.len(), settings.permutations), |(layer, p)| tested[layer][p + 1]);
        for (probe, test) in probes.iter_mut().zip(test_layers(&observed, null.view())) {
            probe.permutation = Some(test);
        }
    }
    Ok(probes)
}

/// One layer, and its AUROC under each labelling of the permutation test, the observed one first.
fn fit_layer(
    layer: usize,
    data: &Dataset,
    folds: &Folds,
    labellings: &Array2<f64>,
    settings: &Settings,
) -> Result<(LayerProbe, Vec<f64>)> {
    let labelled = data.labelled();
    let decisions = settings.probe.cross_validate(data, folds)?;
    let mut tested = Vec::new();
    if settings.permutations > 0 {
        let Kind::Logistic(logistic) = settings.probe;
        let loose = Logistic { tolerance: NULL_TOLERANCE.max(logistic.tolerance), ..logistic };
        let null = out_of_fold(data.x(), folds, &[Job { targets: labellings, settings: loose }])?;
        tested = aurocs(&null[0], labellings);
    }
    let probe = settings.probe.fit(data)?;
    let train = Scored::new(&probe.decisions(data.x())?, labelled.labels());
    let cv = Evaluation::new(labelled, decisions, &settings.bootstrap)?;
    Ok((LayerProbe { layer, probe, train_auroc: Metric::Auroc.of(&train), cv, permutation: None }, tested))
}

fn aurocs(decisions: &Array2<f64>, labels: &Array2<f64>) -> Vec<f64> {
    let auroc = |(decisions, labels): (ArrayView1<f64>, ArrayView1<f64>)| {
        let labels: Vec<bool> = labels.iter().map(|&label| label == 1.0).collect();
        // Both classes occur in every labelling.
        Metric::Auroc.of(&Scored::new(&decisions.to_vec(), &labels)).unwrap_or(f64::NAN)
    };
    decisions.rows().into_iter().zip(labels.rows()).map(auroc).collect()
}

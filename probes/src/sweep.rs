//! A concept probed at every layer, with everything that must be said beside a score.

use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;

use crate::base::Base;
use crate::bootstrap::Bootstrap;
use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::kind::Kind;
use crate::logistic::{Logistic, best};
use crate::metrics::{Metric, Scored};
use crate::permutation::{PermutationTest, exchanged_labels, test_layers};
use crate::probe::Probe;
use crate::twin;

/// How a sweep is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The kind of probe.
    pub probe: Kind,
    /// The penalties C of which a logistic probe takes that of highest out-of-fold AUROC; empty for its own.
    pub path: Vec<f64>,
    /// Whether the scores are of choosing C as well, by folds within the training part; else they are those of the C that
    /// they chose, which flatters it slightly.
    pub nested: bool,
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
            path: Vec::new(),
            nested: false,
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
    /// The kind, with the C that was chosen.
    pub kind: Kind,
    /// Each C of the path with its pooled out-of-fold AUROC.
    pub grid: Vec<(f64, Option<f64>)>,
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
    let mut labellings = exchanged_labels(labelled, &folds, settings.permutations, settings.seed)?;
    labellings.insert(0, labelled.labels().to_vec());
    let fit = |&layer: &usize| {
        let data = Dataset::new(x.index_axis(Axis(0), layer), labelled)?;
        fit_layer(layer, &data, &folds, &labellings, settings)
    };
    // As many layers at a time as there are threads, each with a copy of its features.
    let all: Vec<usize> = (0..x.len_of(Axis(0))).collect();
    let layers: Vec<Result<(LayerProbe, Vec<f64>)>> = all
        .chunks(rayon::current_num_threads())
        .flat_map(|some| some.par_iter().map(fit).collect::<Vec<_>>())
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
    labellings: &[Vec<bool>],
    settings: &Settings,
) -> Result<(LayerProbe, Vec<f64>)> {
    let labelled = data.labelled();
    let Held { kind, grid, decisions } = Held::of(data, folds, settings)?;
    let mut tested = Vec::new();
    if settings.permutations > 0 {
        let twin = kind.twin(data);
        tested = twin::aurocs(&Base::new(data.x(), twin.standardise), folds, twin, labellings)?;
    }
    let probe = kind.fit(data)?;
    let train = Scored::new(&probe.decisions(data.x())?, labelled.labels());
    let train_auroc = Metric::Auroc.of(&train);
    let cv = Evaluation::new(labelled, decisions, &settings.bootstrap)?;
    Ok((LayerProbe { layer, kind, grid, probe, train_auroc, cv, permutation: None }, tested))
}

/// Out-of-fold decisions, and the choice behind them.
struct Held {
    kind: Kind,
    grid: Vec<(f64, Option<f64>)>,
    decisions: Vec<f64>,
}

impl Held {
    fn of(data: &Dataset, folds: &Folds, settings: &Settings) -> Result<Self> {
        let (Kind::Logistic(logistic), path @ [_, ..]) = (&settings.probe, &settings.path[..]) else {
            let decisions = settings.probe.cross_validate(data, folds)?;
            return Ok(Self { kind: settings.probe.clone(), grid: Vec::new(), decisions });
        };
        let mut all = logistic.cross_validate_path(data, folds, path)?;
        let labels = data.labelled().labels();
        let auroc = |decisions: &Vec<f64>| Metric::Auroc.of(&Scored::new(decisions, labels));
        let grid: Vec<_> = path.iter().copied().zip(all.iter().map(auroc)).collect();
        let best = best(grid.iter().map(|(_, auroc)| auroc.unwrap_or(f64::NEG_INFINITY)));
        let decisions = match settings.nested {
            true => logistic.cross_validate_nested(data, folds, path)?.0,
            false => all.swap_remove(best),
        };
        Ok(Self { kind: Kind::Logistic(Logistic { c: path[best], ..*logistic }), grid, decisions })
    }
}

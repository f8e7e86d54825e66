//! What a probe has to beat before its score says anything of the model.

use ndarray::{Array2, ArrayView2};

use crate::bootstrap::Bootstrap;
use crate::data::{Dataset, Labelled};
use crate::error::{Error, Result};
use crate::estimator::Estimator;
use crate::evaluation::Evaluation;
use crate::folds::Folds;
use crate::logistic::Logistic;
use crate::metrics::{Metric, Scored};
use crate::nested::decide;
use crate::rng::Rng;

/// A task that can be learnt by heart only (Hewitt and Liang, 2019).
///
/// Every group gets a label by lot, and all its rows carry it. Folds split the rows *within* groups, so that a probe can
/// score here by remembering groups, and by nothing else. The more a kind of probe can remember, the less its score on
/// the real task says.
#[derive(Debug, Clone)]
pub struct ControlTask {
    labelled: Labelled,
    folds: Folds,
    remembered: usize,
}

impl ControlTask {
    /// Draws labels for the groups of a design, one half of them each class, and `k` folds of its rows.
    ///
    /// # Errors
    /// [`Error::TooFewFolds`]; [`Error::TooFewGroups`] with fewer than two groups or fewer rows than folds;
    /// [`Error::OneClassTraining`] if there are too few rows for every training part to hold both classes.
    pub fn draw(design: &Labelled, k: usize, seed: u64) -> Result<Self> {
        if k < 2 {
            return Err(Error::TooFewFolds { folds: k });
        }
        if design.n_groups() < 2 || design.n() < k {
            return Err(Error::TooFewGroups { groups: design.n_groups().min(design.n()), folds: k });
        }
        let mut rng = Rng::stream(seed, 0);
        let mut lots: Vec<usize> = (0..design.n_groups()).collect();
        rng.shuffle(&mut lots);
        let (mut labels, mut fold) = (vec![false; design.n()], vec![0; design.n()]);
        // One class after the other: taking turns, labels and folds might coincide.
        let mut dealt = 0;
        for (place, &group) in lots.iter().enumerate() {
            let mut rows = design.members()[group].clone();
            rng.shuffle(&mut rows);
            for row in rows {
                labels[row] = 2 * place < lots.len();
                fold[row] = dealt % k as i64;
                dealt += 1;
            }
        }
        let alone: Vec<i64> = (0..design.n() as i64).collect();
        let labelled = Labelled::from_bools(&labels, &alone)?;
        let folds = Folds::given(&labelled, &fold)?;
        let remembered = design.members().iter().filter(|rows| rows.len() > 1).map(Vec::len).sum();
        Ok(Self { labelled, folds, remembered })
    }

    /// The labels drawn; every row is a group of its own.
    pub fn labelled(&self) -> &Labelled {
        &self.labelled
    }

    /// The folds, across groups.
    pub fn folds(&self) -> &Folds {
        &self.folds
    }

    /// Whether there is nothing to remember because every group is a single row: the score is then 1/2 whatever the
    /// probe, and the task controls nothing.
    pub fn is_void(&self) -> bool {
        self.remembered == 0
    }

    /// The out-of-fold AUROC of a kind of probe on this task.
    ///
    /// # Errors
    /// Those of the estimator.
    pub fn auroc(&self, estimator: &(impl Estimator + ?Sized), x: ArrayView2<f32>) -> Result<Option<f64>> {
        let data = Dataset::new(x.view(), &self.labelled)?;
        let decisions = estimator.cross_validate(&data, &self.folds)?;
        Ok(Metric::Auroc.of(&Scored::new(&decisions, self.labelled.labels())))
    }
}

/// How much better a probe is at its task than at control tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Selectivity {
    /// The AUROC on each control task.
    pub controls: Vec<f64>,
    /// Their mean; `None` without control tasks, or where these are void.
    pub control_auroc: Option<f64>,
}

impl Selectivity {
    /// Scores a kind of probe on control tasks of the same rows; all layers may share the tasks.
    ///
    /// # Errors
    /// Those of the estimator.
    pub fn of(
        estimator: &(impl Estimator + ?Sized),
        x: ArrayView2<f32>,
        tasks: &[ControlTask],
    ) -> Result<Self> {
        let mut controls = Vec::with_capacity(tasks.len());
        for task in tasks.iter().filter(|task| !task.is_void()) {
            controls.extend(task.auroc(estimator, x)?);
        }
        let mean = controls.iter().sum::<f64>() / controls.len() as f64;
        Ok(Self { control_auroc: (!controls.is_empty()).then_some(mean), controls })
    }

    /// The AUROC on the task less the mean on control tasks.
    pub fn selectivity(&self, auroc: Option<f64>) -> Option<f64> {
        auroc.zip(self.control_auroc).map(|(auroc, control)| auroc - control)
    }
}

/// What the length of a text alone tells: a logistic regression on the logarithm of its length, on the given folds.
/// Whether long texts speak for class 1 or for class 0 is learnt in the training part. Lengths are in any unit, such as
/// the tokens that the model saw.
///
/// # Errors
/// [`Error::ShapeMismatch`], and those of the fit and of the intervals.
pub fn length_only(
    lengths: &[usize],
    labelled: &Labelled,
    folds: &Folds,
    bootstrap: &Bootstrap,
) -> Result<Evaluation> {
    labelled.check("lengths", lengths.len())?;
    let x = Array2::from_shape_fn((lengths.len(), 1), |(row, _)| (lengths[row] as f32).ln_1p());
    let data = Dataset::new(x.view(), labelled)?;
    let decisions = folds
        .held_out(labelled.n(), |train, held_out| decide(&Logistic::default(), &data, train, held_out))?;
    Evaluation::new(labelled, decisions, bootstrap)
}

/// The out-of-fold accuracy of always naming the class that is more frequent in the training part; class 0 where both
/// are as frequent.
///
/// # Errors
/// [`Error::ShapeMismatch`] if the folds are of other rows.
pub fn majority(labelled: &Labelled, folds: &Folds) -> Result<f64> {
    let named = folds.held_out(labelled.n(), |train, held_out| {
        let positives = train.iter().filter(|&&row| labelled.labels()[row]).count();
        Ok(vec![f64::from(2 * positives > train.len()); held_out.len()])
    })?;
    let right = named.iter().zip(labelled.labels()).filter(|(named, label)| (**named > 0.0) == **label);
    Ok(right.count() as f64 / labelled.n() as f64)
}

//! A probe of given features: the choice of C, the scores of rows it has not seen, and the nulls.

use ndarray::Axis;
use recant_probes::permutation::{self, test_layers};
use recant_probes::{
    Bootstrap, Dataset, Error, Estimator, Evaluation, Folds, Kind, Labelled, Logistic, Metric,
    PermutationTest, Probe, Result, Scored,
};

/// What is fitted and how it is judged.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The kind of probe.
    pub kind: Kind,
    /// Each C that is tried, the strongest penalty first; empty for the one of the kind, or none.
    pub grid: Vec<f64>,
    /// Whether cross-validated scores are of a C chosen without the rows that are scored.
    pub nested: bool,
    /// The intervals.
    pub bootstrap: Bootstrap,
    /// Names the inner folds.
    pub seed: u64,
}

/// A probe of one layer.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The kind, with the C that was chosen.
    pub kind: Kind,
    /// Fitted on all rows.
    pub probe: Probe,
    /// The decisions of that probe on the rows it was fitted on.
    pub train: Scored,
    /// The scores of held-out rows.
    pub cv: Evaluation,
    /// The pooled out-of-fold AUROC at each C that was tried.
    pub grid: Vec<(f64, Option<f64>)>,
    /// The C chosen for each outer fold, where cross-validation was nested.
    pub nested: Option<Vec<f64>>,
    /// The test against exchanged labels, if there is one.
    pub permutation: Option<PermutationTest>,
}

impl Plan {
    /// Fits and judges a probe of one layer; `labellings`, the observed one first, are those of the permutation test.
    /// Its AUROC is the largest over the grid under each labelling, as the C was chosen for it.
    ///
    /// # Errors
    /// Whatever the fit, the inner folds or the intervals refuse.
    pub fn fit(&self, data: &Dataset, folds: &Folds, labellings: &[Vec<bool>]) -> Result<Fitted> {
        let labels = data.labelled().labels();
        let mut tried = self.out_of_fold(data, folds)?;
        let aurocs: Vec<Option<f64>> = tried.iter().map(|decisions| auroc(decisions, labels)).collect();
        let best = best(&aurocs);
        let kind = self.candidate(best);
        let probe = kind.fit(data)?;
        let train = Scored::new(&probe.decisions(data.x())?, labels);
        let (decisions, nested) = match self.nested {
            true => self.nested(data, folds).map(|(decisions, chosen)| (decisions, Some(chosen)))?,
            false => (tried.swap_remove(best), None),
        };
        let cv = Evaluation::new(data.labelled(), decisions, &self.bootstrap)?;
        let permutation = self.test(data, folds, labellings)?;
        let grid = self.path().into_iter().zip(aurocs).collect();
        Ok(Fitted { kind, probe, train, cv, grid, nested, permutation })
    }

    /// Each C that is tried.
    fn path(&self) -> Vec<f64> {
        match (&self.kind, &self.grid[..]) {
            (Kind::Logistic(logistic), []) => vec![logistic.c],
            (_, grid) => grid.to_vec(),
        }
    }

    /// The kind with one C of the path.
    fn candidate(&self, place: usize) -> Kind {
        match &self.kind {
            Kind::Logistic(logistic) => Kind::Logistic(Logistic { c: self.path()[place], ..*logistic }),
        }
    }

    /// Pooled out-of-fold decisions of every candidate.
    fn out_of_fold(&self, data: &Dataset, folds: &Folds) -> Result<Vec<Vec<f64>>> {
        match &self.kind {
            Kind::Logistic(logistic) => logistic.cross_validate_path(data, folds, &self.path()),
        }
    }

    /// Pooled out-of-fold decisions of the candidate that is best inside each training part (Varma and Simon, 2006),
    /// and its C.
    fn nested(&self, data: &Dataset, folds: &Folds) -> Result<(Vec<f64>, Vec<f64>)> {
        let (labelled, mut decisions) = (data.labelled(), vec![0.0; data.labelled().n()]);
        let mut chosen = Vec::with_capacity(folds.k());
        for fold in 0..folds.k() {
            let (train, held_out) = folds.split(fold);
            let labels: Vec<bool> = train.iter().map(|&row| labelled.labels()[row]).collect();
            let groups: Vec<i64> = train.iter().map(|&row| labelled.groups()[row] as i64).collect();
            let part = Labelled::from_bools(&labels, &groups)?;
            let x = data.x().select(Axis(0), &train);
            let inside = Dataset::new(x.view(), &part)?;
            let inner = Folds::grouped(&part, folds.k(), self.seed)?;
            let tried = self.out_of_fold(&inside, &inner)?;
            let place = best(&tried.iter().map(|decisions| auroc(decisions, &labels)).collect::<Vec<_>>());
            let probe = self.candidate(place).fit(&inside)?;
            for row in held_out {
                decisions[row] = probe.decision(data.x().row(row))?;
            }
            chosen.push(self.path()[place]);
        }
        Ok((decisions, chosen))
    }

    fn test(
        &self,
        data: &Dataset,
        folds: &Folds,
        labellings: &[Vec<bool>],
    ) -> Result<Option<PermutationTest>> {
        if labellings.len() < 2 {
            return Ok(None);
        }
        let mut largest = vec![f64::NEG_INFINITY; labellings.len()];
        for place in 0..self.path().len().max(1) {
            let aurocs = permutation::aurocs(&self.candidate(place), data, folds, labellings)?;
            largest.iter_mut().zip(aurocs).for_each(|(most, auroc)| *most = most.max(auroc));
        }
        Ok(tested(&[largest]).pop())
    }
}

/// Corrects the tests of several layers for the best of them having been looked for. They must be of the same labellings.
pub fn correct_over_layers(fits: &mut [Fitted]) {
    let drawn: Option<Vec<Vec<f64>>> = fits
        .iter()
        .map(|fit| {
            let test = fit.permutation.as_ref()?;
            Some([&[test.observed][..], &test.null].concat())
        })
        .collect();
    for (fit, test) in fits.iter_mut().zip(drawn.map(|drawn| tested(&drawn)).unwrap_or_default()) {
        fit.permutation = Some(test);
    }
}

/// Tests layers by their AUROC under each labelling, the observed one first.
fn tested(aurocs: &[Vec<f64>]) -> Vec<PermutationTest> {
    let observed: Vec<f64> = aurocs.iter().map(|aurocs| aurocs[0]).collect();
    let null = ndarray::Array2::from_shape_fn((aurocs.len(), aurocs[0].len() - 1), |(layer, p)| {
        aurocs[layer][p + 1]
    });
    test_layers(&observed, null.view())
}

fn auroc(decisions: &[f64], labels: &[bool]) -> Option<f64> {
    Metric::Auroc.of(&Scored::new(decisions, labels))
}

/// The place of the largest, the first among equals.
fn best(aurocs: &[Option<f64>]) -> usize {
    (1..aurocs.len()).fold(0, |best, place| if aurocs[place] > aurocs[best] { place } else { best })
}

/// The labellings of a permutation test, the observed one first; alone where the groups leave nothing to exchange.
///
/// # Errors
/// Those of drawing exchanges.
pub fn labellings(
    labelled: &Labelled,
    folds: &Folds,
    permutations: usize,
    seed: u64,
) -> Result<Vec<Vec<bool>>> {
    let exchanged = match permutation::exchanged_labels(labelled, folds, permutations, seed) {
        Err(Error::NothingToPermute) => Vec::new(),
        exchanged => exchanged?,
    };
    Ok(std::iter::once(labelled.labels().to_vec()).chain(exchanged).collect())
}

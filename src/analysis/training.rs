//! Training a concept's probes, and the controls beside them.

use ndarray::{Array3, ArrayView3, Axis};
use rayon::prelude::*;
use recant_probes::{
    Bootstrap, Calibration, Calibrator, ControlTask, Counting, Dataset, Estimator, Evaluation, Evidence,
    FoldPlan, Folds, Kind, Labelled, LayerProbe, Logistic, Selectivity, Settings, Verdict, fit_layers,
    length_only, majority, minimum_detectable_by_groups, words_only,
};

use super::probing::ConceptProbes;
use crate::model::Site;
use crate::store::States;
use crate::study::ProbeEntry;
use crate::task::concept::Concept;
use crate::{Error, Result};

/// The level that p, corrected over the probes of a site, must not exceed.
const ALPHA: f64 = 0.05;
/// The chance with which an effect is to be found, for the least that can be.
const POWER: f64 = 0.8;

/// What the probes of a concept are trained with, whatever the site.
pub struct Training<'a> {
    concept: &'a Concept,
    labelled: Labelled,
    settings: Settings,
    folds: Folds,
    words: Evaluation,
    length: Evaluation,
    majority: f64,
    tasks: Vec<ControlTask>,
}

/// The states of a concept's texts at one site, `[texts, layers, d]`.
pub struct SiteStates {
    /// The site.
    pub site: Site,
    /// Heads per layer, where each is read by itself.
    pub heads: Option<usize>,
    /// Those of the model.
    pub states: States,
    /// Those of the model with random weights, where they were captured.
    pub untrained: Option<States>,
}

impl<'a> Training<'a> {
    /// Checks a concept's labels and groups, and reads its texts by their words and by their length alone.
    ///
    /// # Errors
    /// Fewer groups than folds, one label only.
    pub fn new(concept: &'a Concept, entry: &ProbeEntry, seed: u64) -> Result<Self> {
        let named = |error| named(concept, error);
        let labelled = Labelled::from_bools(&concept.labels(), &concept.group_numbers()).map_err(named)?;
        let settings = Settings {
            probe: Kind::Logistic(Logistic { c: entry.c, ..Logistic::default() }),
            folds: FoldPlan::Grouped(entry.folds),
            bootstrap: Bootstrap { resamples: entry.bootstrap, seed, ..Bootstrap::default() },
            permutations: entry.permutations,
            seed,
            ..Settings::default()
        };
        let (texts, bootstrap) = (concept.texts(), &settings.bootstrap);
        let folds = settings.folds.make(&labelled, seed).map_err(named)?;
        // Counts are not standardised, so a bag of words gets the usual C of 1.
        let plain = Logistic::default();
        let words = words_only(&texts, &labelled, &folds, Counting::Counts, &plain, bootstrap);
        let lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
        let length = length_only(&lengths, &labelled, &folds, bootstrap);
        let draw = |task| ControlTask::draw(&labelled, entry.folds, seed.wrapping_add(task));
        // A design that is too small for a control task has none.
        let tasks = (0..entry.controls as u64).map_while(|task| draw(task).ok()).collect();
        let (words, length) = (words.map_err(named)?, length.map_err(named)?);
        let majority = majority(&labelled, &folds).map_err(named)?;
        Ok(Self { concept, labelled, settings, folds, words, length, majority, tasks })
    }

    /// Trains a probe per layer, or with heads one per head of each layer, on its own part of the vector.
    ///
    /// # Errors
    /// States of other texts or layers, or that are not finite.
    pub fn probes(&self, captured: SiteStates, layers: &[usize]) -> Result<ConceptProbes> {
        let named = |error| named(self.concept, error);
        let SiteStates { site, heads, states, untrained } = captured;
        let layers: Vec<usize> = layers.iter().flat_map(|&layer| vec![layer; heads.unwrap_or(1)]).collect();
        let x = self.features(states, heads, layers.len())?;
        let sweep = fit_layers(x.view(), &self.labelled, &self.settings).map_err(named)?;
        let labels = self.labelled.labels();
        // Decisions that are all the same have no unit.
        let unit = |probe: &LayerProbe| match within_class_deviation(&probe.cv.decisions, labels) {
            unit if unit > 0.0 => unit,
            _ => 1.0,
        };
        let units: Vec<f64> = sweep.iter().map(unit).collect();
        let calibrations = sweep
            .iter()
            .zip(&units)
            .map(|(probe, &unit)| self.calibration(probe, unit))
            .collect::<Result<_>>()?;
        let untrained = match untrained {
            Some(states) => Some(self.untrained(&self.features(states, heads, layers.len())?)?),
            None => None,
        };
        // Control tasks cost as much as the probes themselves: a head is part of a layer that has them.
        let controls = match heads {
            None => self.selectivities(&x)?,
            Some(_) => vec![Selectivity { controls: Vec::new(), control_auroc: None }; sweep.len()],
        };
        let verdicts = (0..sweep.len())
            .into_par_iter()
            .map(|place| {
                let evidence = Evidence {
                    probe: &sweep[place].cv,
                    p: sweep[place].permutation.as_ref().map(|test| test.p_max),
                    alpha: ALPHA,
                    words: Some(&self.words),
                    length: Some(&self.length),
                    untrained: untrained.as_ref().map(|layers| &layers[place]),
                    control: None,
                };
                Verdict::new(&self.labelled, &evidence, &self.settings.bootstrap)
            })
            .collect::<recant_probes::Result<_>>()
            .map_err(named)?;
        Ok(ConceptProbes {
            concept: self.concept.spec.name.clone(),
            site,
            heads,
            layers,
            sweep,
            words: self.words.clone(),
            length: self.length.clone(),
            majority: self.majority,
            untrained,
            controls,
            detectable: minimum_detectable_by_groups(&self.labelled, ALPHA, POWER).map_err(named)?,
            verdicts,
            units,
            calibrations,
        })
    }

    /// States as features, `[layers, texts, d]`.
    fn features(&self, states: States, heads: Option<usize>, layers: usize) -> Result<Array3<f32>> {
        let name = &self.concept.spec.name;
        let states = states.by_head(heads)?;
        let [n, l, d] = states.shape[..] else {
            return Err(Error::input(
                format!("concept {name}"),
                format!("states have shape {:?}", states.shape),
            ));
        };
        if n != self.labelled.n() || l != layers {
            return Err(Error::input(
                format!("concept {name}"),
                "the states belong to other texts or layers",
            )
            .hint("delete the concept's states and run again"));
        }
        let x = ArrayView3::from_shape((n, l, d), &states.values)
            .map_err(|error| Error::input(name.clone(), error.to_string()))?;
        Ok(x.permuted_axes([1, 0, 2]).as_standard_layout().into_owned())
    }

    fn calibration(&self, probe: &LayerProbe, unit: f64) -> Result<Calibration> {
        // In their unit scores are of order 1 whatever the penalty.
        let scores: Vec<f64> = probe.cv.decisions.iter().map(|decision| decision / unit).collect();
        Calibration::fit(Calibrator::Platt, &scores, &self.labelled)
            .map_err(|error| named(self.concept, error))
    }

    /// What probes of the same kind read on the same folds from the model with random weights: a probe that reads a
    /// concept as well from there reads the text, not what the model makes of it. It has no null of its own: it is one.
    fn untrained(&self, x: &Array3<f32>) -> Result<Vec<Evaluation>> {
        self.of_layers(x, |data| {
            let decisions = self.settings.probe.cross_validate(data, &self.folds)?;
            Evaluation::new(&self.labelled, decisions, &self.settings.bootstrap)
        })
    }

    fn selectivities(&self, x: &Array3<f32>) -> Result<Vec<Selectivity>> {
        self.of_layers(x, |data| Selectivity::of(&self.settings.probe, data.x(), &self.tasks))
    }

    fn of_layers<T: Send>(
        &self,
        x: &Array3<f32>,
        of: impl Fn(&Dataset) -> recant_probes::Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let layer = |layer| of(&Dataset::new(x.index_axis(Axis(0), layer), &self.labelled)?);
        let layers: Vec<_> = (0..x.len_of(Axis(0))).into_par_iter().map(layer).collect();
        layers.into_iter().collect::<recant_probes::Result<_>>().map_err(|error| named(self.concept, error))
    }
}

/// A refusal of the statistics, with the concept that it is about.
fn named(concept: &Concept, error: recant_probes::Error) -> Error {
    match Error::from(error) {
        Error::Input { why, hint, .. } => {
            Error::Input { what: format!("concept {}", concept.spec.name), why, hint }
        }
        other => other,
    }
}

/// Pooled standard deviation around the class means.
fn within_class_deviation(decisions: &[f64], labels: &[bool]) -> f64 {
    let mut squares = 0.0;
    for class in [false, true] {
        let own: Vec<f64> =
            decisions.iter().zip(labels).filter(|(_, label)| **label == class).map(|(d, _)| *d).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        squares += own.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
    }
    (squares / decisions.len().saturating_sub(2).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix;
    use crate::task::concept::{self, Wanted};

    #[test]
    fn the_within_class_deviation_ignores_the_distance_of_the_classes() {
        let labels = [false, false, true, true];
        let near = within_class_deviation(&[-1.0, 1.0, -1.0, 1.0], &labels);
        let far = within_class_deviation(&[-1.0, 1.0, 99.0, 101.0], &labels);
        assert!((near - 2.0f64.sqrt()).abs() < 1e-12);
        assert!((near - far).abs() < 1e-12);
    }

    /// States `[48, 2, 3]` of a concept's texts in which the second layer shows the label by so much.
    fn states(concept: &Concept, random: &mut SplitMix, shift: f32) -> States {
        let mut values = Vec::new();
        for text in &concept.statements {
            for place in 0..6 {
                let shift = if text.positive && place >= 3 { shift } else { 0.0 };
                values.push(random.normals()[0] + shift);
            }
        }
        States { shape: vec![48, 2, 3], values }
    }

    #[test]
    fn a_probe_that_reads_the_untrained_model_as_well_is_not_believed() {
        let mut concept =
            concept::load(&Wanted { name: "stereotype", ..Wanted::default() }).expect("built in");
        concept.statements.truncate(48);
        let mut random = SplitMix::new(5);
        let (read, unread) = (states(&concept, &mut random, 3.0), states(&concept, &mut random, 0.0));
        let entry =
            ProbeEntry { folds: 4, bootstrap: 100, permutations: 99, c: 1.0, ..ProbeEntry::default() };
        let training = Training::new(&concept, &entry, 1).expect("a design");
        let probes = |untrained: Option<&States>| {
            let captured = SiteStates {
                site: Site::ResidPost,
                heads: None,
                states: read.clone(),
                untrained: untrained.cloned(),
            };
            training.probes(captured, &[3, 8]).expect("probes")
        };
        let alone = probes(None);
        assert_eq!(alone.readable(), [false, true]);
        assert!(alone.untrained.is_none() && alone.best_untrained().is_none());
        let same = probes(Some(&read));
        let own: Vec<_> = same.sweep.iter().map(|probe| probe.cv.clone()).collect();
        assert_eq!(same.untrained.as_ref(), Some(&own));
        assert_eq!(same.readable(), [false, false]);
        assert_eq!(probes(Some(&unread)).readable(), [false, true]);
        assert!(alone.controls.iter().all(|control| control.control_auroc.is_some()));
        let other = SiteStates {
            site: Site::ResidPost,
            heads: None,
            states: States { shape: vec![48, 1, 6], ..unread },
            untrained: None,
        };
        assert!(training.probes(other, &[3, 8]).is_err());
    }
}

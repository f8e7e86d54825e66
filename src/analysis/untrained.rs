//! The control of a model that has learnt nothing: a probe that reads a concept as well from random weights reads the
//! text, not what the model makes of it.

use ndarray::Axis;
use rayon::prelude::*;
use recant_probes::{Dataset, Estimator, Evaluation};

use super::probing::{ConceptProbes, Design, named};
use crate::Result;
use crate::store::States;
use crate::study::ProbeEntry;
use crate::task::concept::Concept;

impl ConceptProbes {
    /// Adds what probes of the same kind, on the same texts, folds and resamples, read from `states` `[texts, layers, d]`
    /// of the model with random weights. It has no null of its own: it is one.
    ///
    /// # Errors
    /// As [`ConceptProbes::train`].
    pub fn beside_untrained(
        self,
        concept: &Concept,
        states: &States,
        entry: &ProbeEntry,
        seed: u64,
    ) -> Result<Self> {
        let Design { x, labelled, settings } = Design::new(concept, states, &self.layers, entry, seed)?;
        let named = |error| named(&concept.spec.name, error);
        let folds = settings.folds.make(&labelled, seed).map_err(named)?;
        let layer = |layer: usize| {
            let data = Dataset::new(x.index_axis(Axis(0), layer), &labelled)?;
            let decisions = settings.probe.cross_validate(&data, &folds)?;
            Evaluation::new(&labelled, decisions, &settings.bootstrap)
        };
        let layers: Vec<_> = (0..self.layers.len()).into_par_iter().map(layer).collect();
        let untrained = layers.into_iter().collect::<std::result::Result<_, _>>().map_err(named)?;
        Ok(Self { untrained: Some(untrained), ..self })
    }

    /// The highest AUROC that is read from the model with random weights at any layer.
    #[must_use]
    pub fn best_untrained(&self) -> Option<f64> {
        let layers = self.untrained.iter().flatten();
        layers.filter_map(|layer| layer.auroc.value).reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix;
    use crate::task::concept;

    #[test]
    fn the_control_of_the_same_states_reads_what_the_probe_reads() {
        let mut concept = concept::load("stereotype", None).expect("built in");
        concept.statements.truncate(48);
        let mut random = SplitMix::new(5);
        let mut states = |shift: f32| {
            let layers = [0.0, shift];
            let mut value = |text: &concept::Statement, layer: usize| {
                random.normals()[0] + if text.positive { layers[layer] } else { 0.0 }
            };
            let mut values = Vec::new();
            for text in &concept.statements {
                values.extend((0..6).map(|i| value(text, i / 3)));
            }
            States { shape: vec![48, 2, 3], values }
        };
        let (read, unread) = (states(2.0), states(0.0));
        let entry = ProbeEntry { folds: 4, bootstrap: 30, permutations: 9, c: 1.0, ..ProbeEntry::default() };
        let probes = || ConceptProbes::train(&concept, &read, &[3, 8], &entry, 1).expect("probes");
        assert!(probes().untrained.is_none() && probes().best_untrained().is_none());
        let same = probes().beside_untrained(&concept, &read, &entry, 1).expect("a control");
        let own: Vec<_> = same.sweep.iter().map(|probe| probe.cv.clone()).collect();
        assert_eq!(same.untrained.as_ref(), Some(&own));
        assert_eq!(same.best_untrained(), own[1].auroc.value);
        let control = probes().beside_untrained(&concept, &unread, &entry, 1).expect("a control");
        assert!(control.best_untrained() < own[1].auroc.ci.map(|ci| ci.low), "noise is not read");
        let other = States { shape: vec![48, 1, 6], ..unread };
        assert!(ConceptProbes::beside_untrained(control, &concept, &other, &entry, 1).is_err());
    }
}

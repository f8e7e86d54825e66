//! How far the classes of a concept stand apart in two models, and whether what separates them in one does in the other.

use rayon::prelude::*;
use recant_probes::{
    Bootstrap, Difference, Estimate, Labelled, Similarity, Transfer, d_prime, readout_change,
};

use super::layers::Beside;
use crate::Result;
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{ModelSummary, Sources};
use crate::analysis::transfer::TransferMatrix;

/// A concept in two models.
#[derive(Debug, Clone)]
pub struct Separation {
    /// The concept.
    pub concept: String,
    /// Layer by layer.
    pub layers: Vec<LayerSeparation>,
}

/// A concept at a layer of one model and its like in another, over the concept's own texts.
#[derive(Debug, Clone)]
pub struct LayerSeparation {
    /// The layers.
    pub beside: Beside,
    /// In the model before.
    pub before: Apart,
    /// In the model after.
    pub after: Apart,
    /// d' after less before, of the same texts on the same folds.
    pub d_prime_change: Difference,
    /// Out-of-fold AUROC after less before.
    pub auroc_change: Difference,
    /// Probes of the model before on the states of the model after; none where the widths differ.
    pub there: Option<Transfer>,
    /// The other way round.
    pub back: Option<Transfer>,
    /// The two directions beside each other; none where the widths differ.
    pub directions: Option<Similarity>,
}

/// How far two classes stand apart along a model's own probe, out of fold.
#[derive(Debug, Clone)]
pub struct Apart {
    /// AUROC.
    pub auroc: Estimate,
    /// d': the distance of the class means in pooled within-class standard deviations.
    pub d_prime: Estimate,
    /// Whether the probe beats all its controls.
    pub believed: bool,
}

/// The concepts of a pair at the main site.
///
/// # Errors
/// States that are missing, damaged or cannot be fitted.
pub fn separations(
    sources: &Sources<'_>,
    layers: &[Beside],
    (before, after): (&ModelSummary, &ModelSummary),
) -> Result<Vec<Separation>> {
    let mut all = Vec::new();
    for (concept, (a, b)) in sources.concepts.iter().zip(before.probes.iter().zip(&after.probes)) {
        let site = &sources.study.probe.site;
        let states = [
            sources.concept_states(&before.model, concept, site)?,
            sources.concept_states(&after.model, concept, site)?,
        ];
        let labelled = Labelled::from_bools(&concept.labels(), &concept.group_numbers())?;
        let bootstrap = sources.resampling();
        let at = |beside: &Beside| -> Result<LayerSeparation> {
            let (here, there) = (beside.before.0, beside.after.0);
            let matrix = sources.between_models(
                concept,
                [
                    (&before.model, &states[0], here, beside.before.1),
                    (&after.model, &states[1], there, beside.after.1),
                ],
            )?;
            let moved = |from: usize, to: usize| cell(matrix.as_ref()?, from, to);
            let scores = |probes: &ConceptProbes, place: usize| probes.sweep[place].cv.decisions.clone();
            let change =
                readout_change(&labelled, &scores(a, here), &scores(b, there), super::FLIPS, &bootstrap)?;
            Ok(LayerSeparation {
                beside: *beside,
                before: apart(a, here, &labelled, &bootstrap)?,
                after: apart(b, there, &labelled, &bootstrap)?,
                d_prime_change: change.d_prime,
                auroc_change: change.auroc,
                there: moved(0, 1),
                back: moved(1, 0),
                directions: matrix.as_ref().map(|matrix| matrix.beside[0][1]),
            })
        };
        let layers = layers.par_iter().map(at).collect::<Result<_>>()?;
        all.push(Separation { concept: concept.spec.name.clone(), layers });
    }
    Ok(all)
}

fn cell(matrix: &TransferMatrix, from: usize, to: usize) -> Option<Transfer> {
    matrix.cells.get(from)?.get(to)?.as_ref().ok().copied()
}

/// How far the classes stand apart along a model's own probe at one of its captured layers.
fn apart(probes: &ConceptProbes, place: usize, labelled: &Labelled, bootstrap: &Bootstrap) -> Result<Apart> {
    let scores = &probes.sweep[place].cv;
    let d_prime = d_prime(&scores.decisions, labelled, bootstrap)?;
    Ok(Apart { auroc: scores.auroc, d_prime, believed: probes.readable()[place] })
}

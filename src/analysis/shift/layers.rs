//! Which layer of one model stands beside which of another.

use crate::Result;
use crate::analysis::summary::Sources;
use crate::model::{Layers, Spec};

/// A captured layer of the model before, and the captured layer of the model after that is nearest in relative depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// The layer's place among the captured ones of the model before, and the layer.
    pub before: (usize, usize),
    /// The same of the model after.
    pub after: (usize, usize),
    /// Relative depth in the model before: (layer + 1) / layers.
    pub depth: f64,
}

/// The captured layers of two models of the study, each of the first with its like in the second.
///
/// # Errors
/// A configuration cannot be read.
pub fn beside(sources: &Sources<'_>, before: &str, after: &str) -> Result<Vec<Beside>> {
    let study = sources.study;
    let captured = |name: &str| -> Result<(Vec<usize>, usize)> {
        let entry = study.models.iter().find(|entry| entry.name == name);
        let n_layers = entry.map_or(Ok(0), |entry| Spec::read(&entry.path).map(|spec| spec.n_layers))?;
        Ok((study.capture.layers.parse::<Layers>()?.resolve(n_layers)?, n_layers))
    };
    Ok(matched(&captured(before)?, &captured(after)?))
}

fn matched((here, n_here): &(Vec<usize>, usize), (there, n_there): &(Vec<usize>, usize)) -> Vec<Beside> {
    let depth = |layer: usize, n: usize| (layer + 1) as f64 / n as f64;
    let like = |(place, &layer): (usize, &usize)| {
        let own = depth(layer, *n_here);
        let apart = |other: &(usize, &usize)| (depth(*other.1, *n_there) - own).abs();
        let nearest = there.iter().enumerate().min_by(|a, b| apart(a).total_cmp(&apart(b)))?;
        Some(Beside { before: (place, layer), after: (nearest.0, *nearest.1), depth: own })
    };
    here.iter().enumerate().filter_map(like).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_stands_beside_its_like() {
        let all = |n: usize| ((0..n).collect::<Vec<_>>(), n);
        let same = matched(&all(4), &all(4));
        assert!(same.iter().all(|beside| beside.before == beside.after));
        assert_eq!(same[3].depth, 1.0);
        let deeper: Vec<usize> = matched(&all(3), &all(6)).iter().map(|beside| beside.after.1).collect();
        assert_eq!(deeper, [1, 3, 5]);
        let few = (vec![1, 5], 6);
        assert_eq!(matched(&few, &all(3))[1].after, (2, 2));
    }
}

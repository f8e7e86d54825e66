//! The variance of an AUROC, and of the difference of two on the same rows, in closed form.
//!
//! Every row has a *placement*: the share of rows of the other class that it is rightly ordered against, ties counting
//! half. Their mean over either class is the AUROC, and their spread gives its variance (DeLong, DeLong and
//! Clarke-Pearson, 1988). Placements come from mid-ranks in `O(n log n)` (Sun and Xu, 2014). Rows of a group are not
//! independent: placements are summed within groups, and the spread of these sums is taken (Obuchowski, 1997). Where
//! every row is its own group, that is DeLong's.

use crate::data::Labelled;
use crate::error::{Error, Result};
use crate::normal;

/// An AUROC, or a difference of two, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLong {
    /// The AUROC or the difference.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl DeLong {
    /// The AUROC of decisions; `None` if fewer than two groups hold rows of a class.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::NotANumber`].
    pub fn of(labelled: &Labelled, decisions: &[f64]) -> Result<Option<Self>> {
        Ok(Self::from_placements(labelled, &placements(labelled, decisions)?))
    }

    /// The AUROC of decisions less that of others on the same rows; `None` as in [`DeLong::of`].
    ///
    /// # Errors
    /// As [`DeLong::of`].
    pub fn difference(labelled: &Labelled, decisions: &[f64], others: &[f64]) -> Result<Option<Self>> {
        let (one, other) = (placements(labelled, decisions)?, placements(labelled, others)?);
        // Covariances are bilinear, so that those of the difference are the variances of differences.
        let differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| one - other).collect();
        Ok(Self::from_placements(labelled, &differences))
    }

    /// `value ± z · standard_error` at a confidence level.
    ///
    /// # Errors
    /// [`Error::BadLevel`].
    pub fn interval(&self, level: f64) -> Result<[f64; 2]> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::BadLevel { level });
        }
        let reach = normal::quantile((1.0 + level) / 2.0) * self.standard_error;
        Ok([self.value - reach, self.value + reach])
    }

    /// The two-sided p-value of the value being `null`; `None` if the standard error is 0.
    pub fn p(&self, null: f64) -> Option<f64> {
        let deviate = (self.value - null).abs() / self.standard_error;
        (self.standard_error > 0.0).then(|| 2.0 * normal::above(deviate))
    }

    /// Of each group, the sums of placements over its rows of either class, less what the mean makes them expect.
    fn from_placements(labelled: &Labelled, placements: &[f64]) -> Option<Self> {
        let rows = [labelled.n() - labelled.n_positive(), labelled.n_positive()].map(|count| count as f64);
        let own = placements.iter().zip(labelled.labels());
        let value = own.filter(|(_, label)| **label).map(|(placement, _)| placement).sum::<f64>() / rows[1];
        let (mut squares, mut products, mut groups) = ([0.0; 2], 0.0, [0.0; 2]);
        for members in labelled.members() {
            let (mut sums, mut held) = ([0.0; 2], [0.0; 2]);
            for &row in members {
                let class = usize::from(labelled.labels()[row]);
                sums[class] += placements[row] - value;
                held[class] = 1.0;
            }
            products += sums[0] * sums[1];
            (0..2).for_each(|class| {
                squares[class] += sums[class] * sums[class];
                groups[class] += held[class];
            });
        }
        if groups[0] < 2.0 || groups[1] < 2.0 {
            return None;
        }
        let unbiased = |groups: f64| groups / (groups - 1.0);
        let all = labelled.n_groups() as f64;
        let variance = unbiased(groups[0]) * squares[0] / rows[0].powi(2)
            + unbiased(groups[1]) * squares[1] / rows[1].powi(2)
            + 2.0 * unbiased(all) * products / (rows[0] * rows[1]);
        // A negative estimate is possible where the products weigh more than the squares.
        Some(Self { value, standard_error: variance.max(0.0).sqrt() })
    }
}

/// The share of rows of the other class that each row is rightly ordered against.
fn placements(labelled: &Labelled, decisions: &[f64]) -> Result<Vec<f64>> {
    labelled.check_decisions(decisions)?;
    let labels = labelled.labels();
    let rows = |class: bool| (0..labels.len()).filter(|&row| labels[row] == class).collect::<Vec<_>>();
    let among_all = mid_ranks(decisions, &(0..labels.len()).collect::<Vec<_>>());
    let mut placements = vec![0.0; labels.len()];
    for class in [false, true] {
        let (own, others) = (rows(class), labels.iter().filter(|label| **label != class).count() as f64);
        for (&row, among_own) in own.iter().zip(mid_ranks(decisions, &own)) {
            let below = (among_all[row] - among_own) / others;
            placements[row] = if class { below } else { 1.0 - below };
        }
    }
    Ok(placements)
}

/// The rank of each of the rows among them, from 1; equals share the mean of their ranks.
fn mid_ranks(decisions: &[f64], rows: &[usize]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| decisions[rows[a]].total_cmp(&decisions[rows[b]]));
    let mut ranks = vec![0.0; rows.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&a, &b| decisions[rows[a]] == decisions[rows[b]]) {
        let rank = before as f64 + (ties.len() + 1) as f64 / 2.0;
        ties.iter().for_each(|&place| ranks[place] = rank);
        before += ties.len();
    }
    ranks
}

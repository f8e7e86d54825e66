//! How sure a model is of its answer, seen in answers drawn at random: clusters of equal meaning, their entropy, and the
//! uncertainty score of the self-correction studies.
//!
//! Two answers mean the same if they name the same option, or, where neither names one, if their words are the same but
//! for case and punctuation. (Kuhn et al. 2023 and Liu et al. 2024 ask an inference model instead.)

use super::bootstrap::{Bootstrap, Estimate};
use super::calibration::entropy;
use crate::store::{Sample, Turn};

/// The uncertainty of a round, means over the turns that have samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// Entropy over clusters, in nats, `-sum_k |C_k| / S ln(|C_k| / S)` of S samples (semantic entropy of Kuhn et al. 2023
    /// with shares of samples in place of probabilities).
    pub entropy: Estimate,
    /// Number of clusters.
    pub clusters: Estimate,
    /// `U = (1/K) sum_k (1/|C_k|) sum_{s in C_k} NLLmean(s)` over K clusters, NLLmean being the mean negative
    /// log-probability of a sample's tokens (Liu et al. 2024, as their script has it): a mean of cluster means, no entropy.
    /// Samples without a token do not count.
    pub score: Estimate,
    /// Share of samples that mean what the greedy answer means.
    pub agreement: Estimate,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Option(usize),
    Words(String),
}

impl Meaning {
    fn of(parsed: Option<usize>, text: &str) -> Self {
        parsed.map_or_else(|| Self::Words(plain(text)), Self::Option)
    }
}

/// Words in lower case, one blank between them, nothing else.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

fn clusters(samples: &[Sample]) -> Vec<(Meaning, Vec<&Sample>)> {
    let mut clusters: Vec<(Meaning, Vec<&Sample>)> = Vec::new();
    for sample in samples {
        let meaning = Meaning::of(sample.parsed, &sample.text);
        match clusters.iter_mut().find(|(known, _)| *known == meaning) {
            Some((_, members)) => members.push(sample),
            None => clusters.push((meaning, vec![sample])),
        }
    }
    clusters
}

/// The numbers of one turn.
pub(super) struct Drawn {
    pub entropy: f64,
    clusters: f64,
    pub score: Option<f64>,
    agreement: Option<f64>,
}

/// None where the turn has no samples.
pub(super) fn of_turn(turn: &Turn) -> Option<Drawn> {
    let clusters = clusters(&turn.samples);
    let n = turn.samples.len() as f64;
    (!clusters.is_empty()).then(|| {
        let shares: Vec<f64> = clusters.iter().map(|(_, members)| members.len() as f64 / n).collect();
        let nll =
            |sample: &&Sample| (!sample.ids.is_empty()).then(|| -sample.logprob / sample.ids.len() as f64);
        let means: Vec<f64> = clusters
            .iter()
            .filter_map(|(_, members)| mean(&members.iter().filter_map(nll).collect::<Vec<_>>()))
            .collect();
        let agreement = turn.orders.first().map(|greedy| {
            let greedy = Meaning::of(greedy.parsed, &greedy.answer);
            let same = clusters.iter().find(|(meaning, _)| *meaning == greedy);
            same.map_or(0.0, |(_, members)| members.len() as f64 / n)
        });
        Drawn { entropy: entropy(&shares), clusters: clusters.len() as f64, score: mean(&means), agreement }
    })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The uncertainty of a round's turns; None where none has samples.
pub fn uncertainty<'t>(
    turns: impl IntoIterator<Item = &'t Turn>,
    bootstrap: Bootstrap,
) -> Option<Uncertainty> {
    let rows: Vec<_> =
        turns.into_iter().filter_map(|turn| Some((turn.group.as_str(), of_turn(turn)?))).collect();
    let over = |value: fn(&Drawn) -> Option<f64>| {
        Estimate::mean(rows.iter().filter_map(|(group, row)| Some((*group, value(row)?))), bootstrap)
    };
    (!rows.is_empty()).then(|| Uncertainty {
        entropy: over(|row| Some(row.entropy)),
        clusters: over(|row| Some(row.clusters)),
        score: over(|row| row.score),
        agreement: over(|row| row.agreement),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{item, turn};
    use crate::task::Role;

    fn sample(text: &str, parsed: Option<usize>, tokens: usize, logprob: f64) -> Sample {
        Sample { ids: vec![7; tokens], text: text.into(), logprob, parsed }
    }

    fn of(samples: Vec<Sample>) -> Option<Uncertainty> {
        let item = item("g", 0, &[Role::Other; 3]);
        let mut turn = turn(&item, 0, &[0.5, 0.25, 0.25]);
        turn.orders[0].parsed = Some(1);
        turn.orders[0].answer = "(b) B".into();
        turn.samples = samples;
        uncertainty([&turn], Bootstrap::default())
    }

    #[test]
    fn clusters_are_options_and_equal_words() {
        let found = of(vec![
            sample("(b)", Some(1), 2, -1.0),
            sample("b, the baker", Some(1), 4, -8.0),
            sample("I do not know.", None, 5, -5.0),
            sample("i do NOT know", None, 4, -8.0),
        ])
        .expect("samples");
        assert_eq!(found.clusters.value, Some(2.0));
        assert!((found.entropy.value.expect("entropy") - 2.0_f64.ln()).abs() < 1e-12);
        // NLLmean: 0.5 and 2 in one cluster, 1 and 2 in the other.
        assert_eq!((found.score.value, found.agreement.value), (Some((1.25 + 1.5) / 2.0), Some(0.5)));
    }

    #[test]
    fn samples_that_agree_have_no_entropy() {
        let found = of(vec![sample("(b)", Some(1), 2, -1.0); 5]).expect("samples");
        assert_eq!(
            (found.entropy.value, found.score.value, found.agreement.value),
            (Some(0.0), Some(0.5), Some(1.0))
        );
        let empty = of(vec![sample("", None, 0, 0.0)]).expect("samples");
        assert_eq!((empty.score.value, empty.score.n, empty.agreement.value), (None, 0, Some(0.0)));
    }

    #[test]
    fn without_samples_there_is_no_score() {
        assert_eq!(of(Vec::new()), None);
        assert_eq!(uncertainty([], Bootstrap::default()), None);
    }
}

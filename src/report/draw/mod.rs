//! The figures of a run.

pub mod alignment;
mod bars;
pub mod lens;
pub mod own;
mod places;
mod plane;
mod planned;
mod relations;
mod scale;
pub mod shift;
mod sites;
mod split;
pub mod steer;
pub mod tokens;
mod volcano;
pub mod weights;

use recant_figures::{
    HeatColours, HeatMap, Intervals, LayerProfile, LayerRoundMap, MapRow, NullBand, Profile, ProfilePanel,
    Reference, RoundPanel, RoundsByCondition, Series,
};

pub use planned::{Drawn, Format, NamedFile, Planned, keep, kept};

use crate::Error;
use crate::analysis::bootstrap::quantile;
use crate::analysis::changes::{Cell, Tested};
use crate::analysis::probing::ConceptProbes;
use crate::analysis::summary::{Behaviour, ModelSummary, Movement, Sources};
use crate::study::Study;

impl From<recant_figures::Error> for Error {
    fn from(error: recant_figures::Error) -> Self {
        Self::input("figure", error.to_string())
    }
}

/// What the marks of a probe's layer say.
const BELIEVED: &str = "every control beaten (permutation: p < 0.05, max over layers)";

/// What ends the name of a model's figure, where a study has several models.
#[must_use]
pub fn suffix(study: &Study, model: &str) -> String {
    if study.models.len() > 1 { format!("-{model}") } else { String::new() }
}

/// Every figure that a model's results support.
#[must_use]
pub fn of_model(sources: &Sources<'_>, summary: &ModelSummary) -> Vec<Planned> {
    let study = sources.study;
    let suffix = suffix(study, &summary.model);
    let mut all: Vec<Planned> = Vec::new();
    if !summary.behaviour.is_empty() {
        let parts = split::rounds(&behaviour(study, summary, format!("behaviour{suffix}")));
        all.extend(parts.into_iter().map(Planned::new));
    }
    let told = sources.told(&summary.model, &summary.turns);
    let bias = places::position_bias_of(&told, format!("position-bias{suffix}"), sources.bootstrap());
    all.extend(bias.map(Planned::new));
    if !summary.probes.is_empty() {
        all.push(Planned::new(auroc(study, summary, format!("probe-auroc{suffix}"))));
        all.extend(sites::auroc(study, summary, format!("site-auroc{suffix}")).map(Planned::new));
        all.extend(sites::head_auroc(study, summary, format!("head-auroc{suffix}")).map(Planned::new));
    }
    if summary.movements.iter().any(Movement::is_scored) {
        let map = map(study, summary, format!("concept-map{suffix}"));
        if !map.rows.is_empty() {
            let low = map.rows.len() > 2;
            let planned = |part| if low { Planned::new(part).low() } else { Planned::new(part) };
            all.extend(split::maps(map).into_iter().map(planned));
        }
        let parts = split::rounds(&movement(study, summary, format!("concept-rounds{suffix}")));
        all.extend(parts.into_iter().map(Planned::new));
        all.extend(plane::plane(study, summary, format!("concept-plane{suffix}")).map(Planned::new));
        all.extend(volcano::volcano(study, summary, format!("concept-effects{suffix}")).map(Planned::new));
        all.extend(sites::changes(study, summary, format!("site-changes{suffix}")).map(Planned::new));
        all.extend(sites::head_changes(study, summary, format!("head-changes{suffix}")).map(Planned::new));
    }
    all.extend(relations::figures(study, summary, &suffix));
    all.into_iter().map(|planned| planned.of(&summary.model)).collect()
}

/// The figures that compare models.
#[must_use]
pub fn over_models(sources: &Sources<'_>, summaries: &[ModelSummary]) -> Vec<Planned> {
    let whole = scale::scores_by_scale(sources.study, summaries);
    let bars = bars::bars(sources.study, summaries).into_iter().map(Planned::new);
    bars.chain(whole.iter().flat_map(split::scales).map(Planned::new)).collect()
}

fn behaviour(study: &Study, summary: &ModelSummary, name: String) -> RoundsByCondition {
    let panel = |behaviour: &Behaviour| RoundPanel {
        title: counted(&behaviour.title(), behaviour.cells.iter().map(|cell| cell.n)),
        y_label: behaviour.measure.axis.into(),
        y_range: Some(behaviour.measure.range),
        lines: study
            .dialogue
            .conditions
            .iter()
            .map(|condition| {
                let cells = behaviour.cells.iter().filter(|cell| cell.condition == *condition);
                series(condition, cells.map(|cell| (cell.value, cell.interval.map(|i| (i.low, i.high)))))
            })
            .collect(),
        references: behaviour
            .measure
            .reference
            .iter()
            .map(|&(label, value)| Reference { label: label.into(), value, interval: None })
            .collect(),
    };
    RoundsByCondition {
        name,
        panels: summary
            .behaviour
            .iter()
            .filter(|b| b.decides && b.cells.iter().any(|c| c.value.is_some()))
            .map(panel)
            .collect(),
        x_label: "Round".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

fn auroc(study: &Study, summary: &ModelSummary, name: String) -> LayerProfile {
    let panels = summary.probes.iter().map(|probes| {
        let profile = Profile {
            scores: series("linear probe", probes.sweep.iter().map(|probe| cv(&probe.cv.auroc))),
            passes: if study.probe.permutations > 0 { probes.readable() } else { Vec::new() },
            mark_best: true,
        };
        let words = probes.words.auroc.value.map(|value| Reference {
            label: "bag of words".into(),
            value,
            interval: probes.words.auroc.ci.as_ref().map(|ci| (ci.low, ci.high)),
        });
        let untrained = probes
            .untrained
            .as_ref()
            .map(|layers| series("untrained model", layers.iter().map(|layer| cv(&layer.auroc))));
        let chance = Reference { label: "chance".into(), value: 0.5, interval: None };
        let null = |at: f64| -> Vec<Option<f64>> {
            let of = |probe: &recant_probes::LayerProbe| {
                let mut sorted = probe.permutation.as_ref()?.null.clone();
                sorted.sort_by(f64::total_cmp);
                Some(quantile(&sorted, at))
            };
            probes.sweep.iter().map(of).collect()
        };
        ProfilePanel {
            title: concept_title(probes),
            profiles: vec![profile],
            references: std::iter::once(chance).chain(words).collect(),
            baselines: untrained.into_iter().collect(),
            null: (study.probe.permutations > 0).then(|| NullBand {
                label: "permuted labels, 95 %".into(),
                lo: null(0.025),
                hi: null(0.975),
            }),
        }
    });
    LayerProfile {
        name,
        panels: panels.collect(),
        x_label: "Layer".into(),
        y_label: "AUROC".into(),
        y_range: Some((0.4, 1.0)),
        interval: "95 % bootstrap intervals over groups, the fits held fixed".into(),
        significance: BELIEVED.into(),
        ..LayerProfile::default()
    }
}

/// Only layers whose probe beats permuted labels are drawn; a concept without one has no row.
fn map(study: &Study, summary: &ModelSummary, name: String) -> LayerRoundMap {
    let row = |movement: &Movement| {
        let probes = summary.probes.iter().find(|probes| probes.concept == movement.concept)?;
        let readable = probes.readable();
        let cells = &movement.main().cells;
        let seen = |rounds: &Vec<Vec<Cell>>| {
            let believed = rounds.iter().flat_map(|layers| layers.iter().zip(&readable));
            believed.into_iter().any(|(cell, believed)| *believed && cell.change.is_some())
        };
        if !cells.iter().any(seen) {
            return None;
        }
        let maps = study.dialogue.conditions.iter().zip(cells).map(|(title, rounds)| HeatMap {
            title: title.clone(),
            values: with_round_0(rounds, &readable, Some(0.0), |change| Some(change.mean.value)),
            passes: with_round_0(rounds, &readable, false, Tested::passes),
        });
        Some(MapRow { title: sites::title(movement), maps: maps.collect() })
    };
    LayerRoundMap {
        first_layer: 0,
        name,
        rows: summary.movements.iter().filter_map(row).collect(),
        x_label: "Round".into(),
        y_label: "Layer".into(),
        value_label: "Change of concept score from round 0 (within-class s.d.)".into(),
        colours: HeatColours::Diverging { null: 0.0, reach: None },
        significance:
            "p < 0.05, sign flips of item groups, largest over the layers of a round; no colour where a \
                       layer's probe does not beat permuted labels (p < 0.05, largest over layers)"
                .into(),
    }
}

/// `[layer][round]`: something of every change, `zero` in round 0, from which changes are counted; nothing at layers
/// whose probe is not believed.
fn with_round_0<T: Clone + Default>(
    rounds: &[Vec<Cell>],
    believed: &[bool],
    zero: T,
    of: impl Fn(&Tested) -> T,
) -> Vec<Vec<T>> {
    let cell = |round: usize, layer: usize| match (believed[layer], round) {
        (false, _) => T::default(),
        (true, 0) => zero.clone(),
        (true, _) => rounds[round][layer].change.as_ref().map_or_else(T::default, &of),
    };
    (0..believed.len()).map(|layer| (0..rounds.len()).map(|round| cell(round, layer)).collect()).collect()
}

fn movement(study: &Study, summary: &ModelSummary, name: String) -> RoundsByCondition {
    let seen = summary.movements.iter().filter(|movement| movement.is_scored());
    let panels = seen.map(|movement| RoundPanel {
        title: sites::title(movement),
        y_label: format!("Score at layer {} (s.d.)", movement.main().layers[movement.best]),
        y_range: None,
        lines: study
            .dialogue
            .conditions
            .iter()
            .enumerate()
            .map(|(arm, condition)| {
                let rounds = (0..study.dialogue.rounds).map(|round| movement.at_best(arm, round).score);
                let means = rounds.map(|mean| (mean.map(|m| m.value), mean.and_then(|m| m.interval)));
                series(condition, means.map(|(value, i)| (value, i.map(|i| (i.low, i.high)))))
            })
            .collect(),
        references: Vec::new(),
    });
    RoundsByCondition {
        name,
        panels: panels.collect(),
        x_label: "Round".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        intervals_as: Intervals::Bars,
        columns: None,
    }
}

/// A concept with the number of its texts.
fn concept_title(probes: &ConceptProbes) -> String {
    format!("{} (n = {}, {} groups)", probes.concept, probes.words.n, probes.words.n_groups)
}

/// A held-out score as a point.
fn cv(estimate: &recant_probes::Estimate) -> (Option<f64>, Option<(f64, f64)>) {
    (estimate.value, estimate.ci.as_ref().map(|ci| (ci.low, ci.high)))
}

/// A title with the number of items behind it, or their range.
fn counted(title: &str, n: impl Iterator<Item = usize>) -> String {
    let (least, most) = n.fold((usize::MAX, 0), |(least, most), n| (least.min(n), most.max(n)));
    if least >= most { format!("{title} (n = {most})") } else { format!("{title} (n = {least} to {most})") }
}

fn series(label: &str, points: impl Iterator<Item = (Option<f64>, Option<(f64, f64)>)>) -> Series {
    let mut series = Series { label: label.into(), value: Vec::new(), lo: Vec::new(), hi: Vec::new() };
    for (value, interval) in points {
        series.value.push(value);
        series.lo.push(interval.map(|i| i.0));
        series.hi.push(interval.map(|i| i.1));
    }
    series
}

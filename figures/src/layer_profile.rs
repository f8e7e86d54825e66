//! A score of a readout at every layer, against chance, a text baseline and a null.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, parts, pick};
use crate::canvas::Drawing;
use crate::colour::{INK, MUTED};
use crate::data::{
    Csv, Reference, Series, check_flags, check_list, check_order, check_range, check_some, distinct, entry,
    known, lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::references;
use crate::scale::short;
use crate::style::{Dash, Look, Style};

/// Small multiples, one panel a concept: x is the layer (0-based) or its relative depth, lines with interval bands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerProfile {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a concept.
    pub panels: Vec<ProfilePanel>,
    /// The label of the x axis, usually "Layer".
    pub x_label: String,
    /// The label of the y axis with its unit, usually "AUROC".
    pub y_label: String,
    /// The least range of every y axis; it grows to hold every number drawn. None chooses one for all panels.
    pub y_range: Option<(f64, f64)>,
    /// What the bands are, for the caption: "95 % bootstrap intervals over groups".
    pub interval: String,
    /// What a significance mark means: "q < 0.05" . Shown beside the marks.
    pub significance: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
    /// Where a layer lies on the x axis.
    pub depth: Depth,
    /// The layer of the first entry of every list, where layers have indices.
    pub first_layer: usize,
    /// Whether the profiles are steps of an order (of alignment, of rounds): they are coloured from dark to light, in
    /// the order in which their labels first appear in the figure, and solid.
    pub ordered: bool,
}

/// Where a layer lies on the x axis of a [`LayerProfile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Depth {
    /// At its index from 0; all lists of a panel have the same length.
    #[default]
    Layer,
    /// At (layer + 1) / layers, where a profile, baseline or null has as many layers as entries: models of 12 and of
    /// 30 layers share the axis. Usually labelled "Relative depth".
    Relative,
}

impl Depth {
    /// How many entries a list must have, where the panel's first profile has `first` and the list's own first
    /// part `own`.
    fn expected(self, first: usize, own: usize) -> usize {
        if self == Depth::Layer { first } else { own }
    }
}

/// One concept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProfilePanel {
    /// The concept.
    pub title: String,
    /// One profile a readout (one probe, or a base and an aligned model's); an entry a layer.
    pub profiles: Vec<Profile>,
    /// Levels without layers: chance (0.5), a bag-of-words classifier with its interval.
    pub references: Vec<Reference>,
    /// Scores to compare with at every layer, such as those of a model without training: thin lines. Their intervals
    /// are not drawn, but written to the data.
    pub baselines: Vec<Series>,
    /// A null distribution at every layer.
    pub null: Option<NullBand>,
}

/// The scores of one readout at every layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Scores and intervals, an entry a layer.
    pub scores: Series,
    /// Which layers pass the test; empty when none was made.
    pub passes: Vec<bool>,
    /// Whether to ring the layer with the highest score and write its value.
    pub mark_best: bool,
}

/// A range of scores under a null, at every layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NullBand {
    /// What it is: "permuted labels, 95 %".
    pub label: String,
    /// Lower ends, an entry a layer.
    pub lo: Vec<Option<f64>>,
    /// Upper ends, an entry a layer.
    pub hi: Vec<Option<f64>>,
}

impl Profile {
    /// The layer with the highest score, the first of equals.
    fn best(&self) -> Option<(usize, f64)> {
        let scores = self.scores.value.iter().enumerate().filter_map(|(l, v)| Some((l, known(*v)?)));
        scores.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }
}

impl LayerProfile {
    /// The places of a list with an entry a layer.
    fn places(&self, layers: usize) -> Vec<f64> {
        let place = |layer: usize| match self.depth {
            Depth::Layer => (self.first_layer + layer) as f64,
            Depth::Relative => (layer + 1) as f64 / layers as f64,
        };
        (0..layers).map(place).collect()
    }

    fn labels(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.profiles).map(|profile| profile.scores.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.y_range.map_or(Ok(()), |r| check_range(&format!("figure \"{}\", y_range", self.name), r))?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.profiles, &what, "profile")?;
            let first = panel.profiles[0].scores.value.len();
            for profile in &panel.profiles {
                let what = format!("{what}, profile \"{}\"", profile.scores.label);
                check_some(&profile.scores.value, &what, "layer")?;
                let layers = self.depth.expected(first, profile.scores.value.len());
                profile.scores.check(&what, layers)?;
                if !profile.passes.is_empty() {
                    check_flags(&format!("{what}, passes"), &profile.passes, layers)?;
                }
            }
            if panel.profiles.iter().all(|p| p.scores.is_blank()) {
                return Err(Error::NoValues { what });
            }
            panel.references.iter().try_for_each(|r| r.check(&what))?;
            for baseline in &panel.baselines {
                let layers = self.depth.expected(first, baseline.value.len());
                baseline.check(&format!("{what}, baseline \"{}\"", baseline.label), layers)?;
            }
            if let Some(null) = &panel.null {
                let layers = self.depth.expected(first, null.lo.len());
                check_list(&format!("{what}, null, lo"), &null.lo, layers)?;
                check_list(&format!("{what}, null, hi"), &null.hi, layers)?;
                for (at, (lo, hi)) in null.lo.iter().zip(&null.hi).enumerate() {
                    if let (Some(lo), Some(hi)) = (known(*lo), known(*hi)) {
                        check_order(&format!("{what}, null at layer {at}"), (lo, hi))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The same y range for every panel, so that concepts compare.
    fn common_range(&self) -> (f64, f64) {
        let mut all = Vec::new();
        for panel in &self.panels {
            for p in &panel.profiles {
                all.extend(
                    [&p.scores.value, &p.scores.lo, &p.scores.hi]
                        .into_iter()
                        .flatten()
                        .filter_map(|v| known(*v)),
                );
            }
            all.extend(panel.baselines.iter().flat_map(|b| &b.value).filter_map(|v| known(*v)));
            for r in &panel.references {
                all.push(r.value);
                all.extend(r.interval.map(|i| [i.0, i.1]).into_iter().flatten());
            }
            if let Some(null) = &panel.null {
                all.extend(null.lo.iter().chain(&null.hi).filter_map(|v| known(*v)));
            }
        }
        let lo = all.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        crate::scale::padded(lo, hi)
    }

    fn plot(&self, panel: &ProfilePanel, style: &Style) -> Plot {
        let layers = panel.profiles.first().map_or(1, |p| p.scores.value.len());
        let (range, ticks) = match self.depth {
            Depth::Layer => {
                let first = self.first_layer as f64;
                ((first - 0.6, first + layers as f64 - 0.4), Ticks::Integers)
            }
            Depth::Relative => ((-0.01, 1.02), Ticks::Round),
        };
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x: range,
            ticks,
            y_range: Some(self.y_range.unwrap_or_else(|| self.common_range())),
            ..Plot::default()
        };
        if let Some(null) = &panel.null {
            null_marks(&mut plot, null, &self.places(null.lo.len()));
        }
        references::add(&mut plot, &panel.references);
        for baseline in &panel.baselines {
            baseline_marks(&mut plot, baseline, &self.places(baseline.value.len()));
        }
        let labels = self.labels();
        let (mut bands, mut lines, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for profile in &panel.profiles {
            let index = labels.iter().position(|l| *l == profile.scores.label).unwrap_or(0);
            let look = if self.ordered { style.step(index, labels.len()) } else { style.look(index) };
            let x = self.places(profile.scores.value.len());
            let scores = profile.scores.cleaned();
            let points: Vec<_> = x.iter().copied().zip(scores.value.iter().copied()).collect();
            let end = points.iter().rev().find_map(|&(x, y)| Some((x, y?)));
            bands.push(Mark::Band {
                x: x.clone(),
                lo: scores.lo,
                hi: scores.hi,
                colour: look.colour,
                alpha: if self.ordered { 0.12 } else { 0.2 },
            });
            lines.push(Mark::Line { points, colour: look.colour, dash: look.dash, width: 1.1 });
            plot.named.push(Named { label: scores.label, key: Key::Line { look, marker: false }, end });
            if let Some((layer, value)) = profile.best().filter(|_| profile.mark_best) {
                let text = match self.depth {
                    Depth::Layer => format!("{} at layer {}", short(value), self.first_layer + layer),
                    Depth::Relative => format!("{} at layer {layer} of {}", short(value), x.len()),
                };
                notes.push(Mark::Note {
                    x: x[layer],
                    y: value,
                    text,
                    colour: look.colour,
                    size: style.small(),
                });
            }
            let several = panel.profiles.iter().filter(|profile| !profile.passes.is_empty()).count() > 1;
            self.pass_marks(&mut plot, profile, look, several);
        }
        plot.marks.extend(bands.into_iter().chain(lines).chain(notes));
        plot
    }

    /// Marks of several profiles are explained once, in ink.
    fn pass_marks(&self, plot: &mut Plot, profile: &Profile, look: Look, several: bool) {
        let places = self.places(profile.passes.len());
        let x: Vec<f64> = places.into_iter().zip(&profile.passes).filter(|p| *p.1).map(|p| p.0).collect();
        if profile.passes.is_empty() {
            return;
        }
        let row = plot.strip_rows;
        plot.strip_rows += 1;
        if x.is_empty() {
            return;
        }
        plot.marks.push(Mark::Passes { x, row, colour: look.colour });
        let end = Some((0.0, row as f64));
        plot.named.push(Named {
            label: self.significance.clone(),
            key: Key::Passes { colour: if several { INK } else { look.colour } },
            end,
        });
    }
}

fn baseline_marks(plot: &mut Plot, baseline: &Series, x: &[f64]) {
    let points: Vec<_> = x.iter().copied().zip(baseline.cleaned().value).collect();
    let end = points.iter().rev().find_map(|&(x, y)| Some((x, y?)));
    let (colour, dash) = (INK, Dash::Solid);
    plot.named.push(Named { label: baseline.label.clone(), key: Key::Rule { colour, dash }, end });
    plot.marks.push(Mark::Line { points, colour, dash, width: 0.6 });
}

fn null_marks(plot: &mut Plot, null: &NullBand, x: &[f64]) {
    let clean = |list: &[Option<f64>]| list.iter().map(|v| known(*v)).collect::<Vec<_>>();
    let (lo, hi) = (clean(&null.lo), clean(&null.hi));
    let middle = lo
        .iter()
        .zip(&hi)
        .enumerate()
        .rev()
        .find_map(|(i, (lo, hi))| Some((x[i], (((*lo)? + (*hi)?) / 2.0))));
    let (colour, alpha) = (MUTED, 0.22);
    plot.named.push(Named { label: null.label.clone(), key: Key::Area { colour, alpha }, end: middle });
    plot.marks.push(Mark::Band { x: x.to_vec(), lo, hi, colour, alpha });
}

parts!(LayerProfile, ProfilePanel, [x_label, y_label], [interval, significance], {
    fn keep_layers(&mut self, first: usize, last: usize) -> bool {
        if self.depth == Depth::Relative || first < self.first_layer || last < first {
            return false;
        }
        let (from, to) = (first - self.first_layer, last + 1 - self.first_layer);
        let held = |profile: &Profile| to <= profile.scores.value.len();
        if !self.panels.iter().flat_map(|panel| &panel.profiles).all(held) {
            return false;
        }
        let cut =
            |list: &mut Vec<Option<f64>>| *list = list[from.min(list.len())..to.min(list.len())].to_vec();
        for panel in &mut self.panels {
            let series =
                panel.profiles.iter_mut().map(|profile| &mut profile.scores).chain(&mut panel.baselines);
            series.flat_map(|s| [&mut s.value, &mut s.lo, &mut s.hi]).for_each(cut);
            panel.null.iter_mut().flat_map(|null| [&mut null.lo, &mut null.hi]).for_each(cut);
            for passes in panel.profiles.iter_mut().map(|profile| &mut profile.passes) {
                *passes = passes[from.min(passes.len())..to.min(passes.len())].to_vec();
            }
        }
        self.first_layer = first;
        true
    }
});

impl Part for ProfilePanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.profiles.iter_mut().map(|profile| &mut profile.scores.label).collect()
    }

    fn beside(&mut self) -> Vec<&mut String> {
        self.baselines.iter_mut().map(|baseline| &mut baseline.label).collect()
    }

    fn keep(&mut self, profiles: &[usize]) {
        pick(&mut self.profiles, profiles);
    }

    /// A null or a level that is of one of them alone says nothing of the other, and is left out.
    fn absorb(&mut self, other: &Self) -> bool {
        self.profiles.extend(other.profiles.iter().cloned());
        self.baselines.extend(other.baselines.iter().cloned());
        self.references.retain(|reference| other.references.contains(reference));
        if self.null != other.null {
            self.null = None;
        }
        true
    }
}

impl Figure for LayerProfile {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let relative = self.depth == Depth::Relative;
        let mut header = vec!["panel", "kind", "label", "layer", "value", "lo", "hi", "passes"];
        header.extend(relative.then_some("depth"));
        let mut csv = Csv::new(&header);
        let mut row = |texts: [&str; 3], numbers: [Option<f64>; 5], depth: Option<f64>| {
            let numbers: Vec<_> = numbers.into_iter().chain(relative.then_some(depth)).collect();
            csv.row(&texts, &numbers);
        };
        for panel in &self.panels {
            let profiles = panel.profiles.iter().map(|p| ("profile", &p.scores, p.passes.as_slice()));
            let baselines = panel.baselines.iter().map(|b| ("baseline", b, [].as_slice()));
            for (kind, s, passes) in profiles.chain(baselines) {
                for (layer, depth) in self.places(s.value.len()).into_iter().enumerate() {
                    let passes = passes.get(layer).map(|&p| f64::from(u8::from(p)));
                    let numbers = [
                        Some((self.first_layer + layer) as f64),
                        s.value[layer],
                        entry(&s.lo, layer),
                        entry(&s.hi, layer),
                        passes,
                    ];
                    row([&panel.title, kind, &s.label], numbers, Some(depth));
                }
            }
            for r in &panel.references {
                let numbers = [None, Some(r.value), r.interval.map(|i| i.0), r.interval.map(|i| i.1), None];
                row([&panel.title, "reference", &r.label], numbers, None);
            }
            if let Some(null) = &panel.null {
                let layers = null.lo.len().max(null.hi.len());
                for (layer, depth) in self.places(layers).into_iter().enumerate() {
                    let (at, lo, hi) =
                        (self.first_layer + layer, entry(&null.lo, layer), entry(&null.hi, layer));
                    let numbers = [Some(at as f64), None, lo, hi, None];
                    row([&panel.title, "null", &null.label], numbers, Some(depth));
                }
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let by = match self.depth {
            Depth::Layer => "layer",
            Depth::Relative => "relative depth, (layer + 1) / layers,",
        };
        let mut out = vec![
            format!("{} by {by} for {}.", plain(&self.y_label), listed(&titles)),
            format!("Bands around the lines: {}.", self.interval),
        ];
        let panels = &self.panels;
        out.extend(references::sentences(panels.iter().map(|p| p.references.as_slice())));
        let mut thin: Vec<_> = panels.iter().flat_map(|p| &p.baselines).map(|b| plain(&b.label)).collect();
        thin.dedup();
        if !thin.is_empty() {
            out.push(format!("Thin line: {}.", listed(&thin)));
        }
        let mut nulls: Vec<_> =
            panels.iter().filter_map(|p| p.null.as_ref()).map(|n| plain(&n.label)).collect();
        nulls.dedup();
        if !nulls.is_empty() {
            out.push(format!("Grey band: {}.", listed(&nulls)));
        }
        let profiles = || panels.iter().flat_map(|p| &p.profiles);
        if self.ordered {
            let labels: Vec<_> = self.labels().into_iter().map(plain).collect();
            out.push(format!("From dark to light: {}.", listed(&labels)));
        }
        if profiles().any(|p| p.passes.contains(&true)) {
            out.push(format!("Squares above the axis: layers with {}.", plain(&self.significance)));
        }
        if profiles().any(|p| p.mark_best && p.best().is_some()) {
            out.push(
                "Ring: the layer with the highest score, chosen on the same scores and so optimistic.".into(),
            );
        }
        if profiles().any(|p| p.scores.value.iter().any(|v| known(*v).is_none())) {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}

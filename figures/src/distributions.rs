//! Distributions of scores against each other: projections on a direction in the base and the aligned model.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::colour::{MUTED, WHITE};
use crate::data::{Csv, check_some, distinct, inside, known, lettered, listed, plain};
use crate::density::{Kernel, bandwidth, mean};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Row, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::scale::{padded, short};
use crate::style::{Dash, Look, Style};

/// The height of a row's highest density, in rows.
const PEAK: f64 = 0.8;
/// The length of a mean's tick below its row's line, in rows.
const TICK: f64 = 0.14;
/// What is kept free below the lowest and above the highest row, in rows.
const BELOW: f64 = 0.3;
const ABOVE: f64 = 0.9;
/// How much of its colour a density's area has.
const CLEAR: f64 = 0.28;
/// The narrowest kernel, as a part of the range of x: a narrower one is lost in print.
const NARROWEST: f64 = 0.004;
/// The width of a panel with names and notes, in em.
const PANEL: f64 = 22.0;

/// Small multiples, one panel a concept or task, one row a condition or round: the samples of a row are drawn as
/// densities over one another, on one line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Distributions {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a concept, task or condition.
    pub panels: Vec<DistributionPanel>,
    /// The label of the x axis with its unit: "Projection (sd)".
    pub x_label: String,
    /// Whether all panels share the range of x; else each takes that of its own values.
    pub shared_x: bool,
    /// What the notes at the right are, for the caption: "standardised difference of the means, 95 % bootstrap
    /// interval"; may be empty.
    pub note: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One concept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DistributionPanel {
    /// The concept.
    pub title: String,
    /// Its rows, from above.
    pub rows: Vec<DistributionRow>,
}

/// One condition or round.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DistributionRow {
    /// The name at the row's left. Where all panels have the same rows, panels side by side name them once.
    pub label: String,
    /// What to compare: the base model's values, the aligned model's.
    pub samples: Vec<Sample>,
    /// A text at the row's right, "d = 0.42 [0.31, 0.53]"; may be empty.
    pub note: String,
}

/// Values of one kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// The name shown in the legend. It keeps its colour across rows and panels.
    pub label: String,
    /// The values; NaN is one that is not defined and left out.
    #[serde(with = "crate::nan")]
    pub values: Vec<f64>,
}

impl Sample {
    fn known(&self) -> Vec<f64> {
        self.values.iter().copied().filter(|v| !v.is_nan()).collect()
    }
}

impl DistributionRow {
    /// The width of the kernel for all samples of the row, no narrower than `least`.
    fn bandwidth(&self, least: f64) -> f64 {
        let samples: Vec<_> = self.samples.iter().map(Sample::known).collect();
        bandwidth(&samples).max(least)
    }
}

impl DistributionPanel {
    /// The least and the largest value.
    fn extent(&self) -> (f64, f64) {
        let all = || self.rows.iter().flat_map(|r| &r.samples).flat_map(Sample::known);
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
    }
}

impl Distributions {
    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.panels.iter().flat_map(|p| &p.rows).flat_map(|r| &r.samples)
    }

    fn labels(&self) -> Vec<&str> {
        distinct(self.samples().map(|sample| sample.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.rows, &what, "row")?;
            for row in &panel.rows {
                let what = format!("{what}, row \"{}\"", row.label);
                check_some(&row.samples, &what, "sample")?;
                for sample in &row.samples {
                    let what = format!("{what}, sample \"{}\"", sample.label);
                    check_some(&sample.values, &what, "value")?;
                    if let Some(&value) = sample.values.iter().find(|v| v.is_infinite()) {
                        return Err(Error::NotFinite { what, value });
                    }
                }
            }
            if !panel.rows.iter().flat_map(|r| &r.samples).any(|s| !s.known().is_empty()) {
                return Err(Error::NoValues { what });
            }
        }
        Ok(())
    }

    /// The range of values a panel's axis must hold, before its densities run out.
    fn values(&self, panel: &DistributionPanel) -> (f64, f64) {
        let extents = |panels: &[DistributionPanel]| {
            let ends = panels.iter().map(DistributionPanel::extent);
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let (lo, hi) = if self.shared_x { extents(&self.panels) } else { panel.extent() };
        if lo < hi { (lo, hi) } else { padded(lo, hi) }
    }

    /// The narrowest kernel of a panel.
    fn least(&self, panel: &DistributionPanel) -> f64 {
        let (lo, hi) = self.values(panel);
        NARROWEST * (hi - lo)
    }

    /// The x axis: the values, and the densities beyond them.
    fn range(&self, panel: &DistributionPanel) -> (f64, f64) {
        let (lo, hi) = self.values(panel);
        let panels = if self.shared_x { self.panels.as_slice() } else { std::slice::from_ref(panel) };
        let widths = panels.iter().flat_map(|p| p.rows.iter().map(|row| row.bandwidth(self.least(p))));
        let beyond = Kernel::REACH * widths.fold(0.0, f64::max);
        (lo - beyond, hi + beyond)
    }

    fn plot(&self, panel: &DistributionPanel, style: &Style) -> Plot {
        let rows = panel.rows.len();
        let place = |row: usize| (rows - 1 - row) as f64;
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            x: self.range(panel),
            y_range: Some((-BELOW, place(0) + ABOVE)),
            ticks: Ticks::Round,
            ..Plot::default()
        };
        if plot.x.0 < 0.0 && plot.x.1 > 0.0 {
            plot.marks.push(Mark::Upright { x: 0.0, colour: MUTED.towards(WHITE, 0.5), width: 0.5 });
        }
        let labels = self.labels();
        for (index, row) in panel.rows.iter().enumerate() {
            let foot = place(index);
            let at = foot + (PEAK - TICK) / 2.0;
            plot.rows.push(Row { at, name: row.label.clone(), note: row.note.clone() });
            let looks = row
                .samples
                .iter()
                .map(|sample| style.look(labels.iter().position(|l| *l == sample.label).unwrap_or(0)));
            let looks: Vec<_> = looks.collect();
            plot.marks.extend(row_marks(row, &looks, foot, row.bandwidth(self.least(panel))));
            for (sample, Look { colour, dash, .. }) in row.samples.iter().zip(looks) {
                let key = Key::Swatch { colour, alpha: CLEAR, dash };
                plot.named.push(Named { label: sample.label.clone(), key, end: None });
            }
        }
        plot
    }

    /// As many panels side by side as leave room for the names and notes of each.
    fn columns(&self, style: &Style) -> usize {
        let most = (style.width.points() / (PANEL * style.font_size)) as usize;
        let rows = self.panels.len().div_ceil(most.max(1));
        self.columns.unwrap_or_else(|| self.panels.len().div_ceil(rows.max(1)))
    }
}

/// The areas of a row first, so that no area lies on an outline.
fn row_marks(row: &DistributionRow, looks: &[Look], foot: f64, width: f64) -> Vec<Mark> {
    let kernels = row.samples.iter().map(|sample| Kernel { values: sample.known(), width });
    let curves: Vec<Vec<(f64, f64)>> = kernels.map(|kernel| kernel.curve()).collect();
    let peak = curves.iter().flatten().map(|p| p.1).fold(f64::MIN_POSITIVE, f64::max);
    let line = Mark::Rule { y: foot, colour: MUTED.towards(WHITE, 0.6), dash: Dash::Solid, width: 0.4 };
    let (mut areas, mut lines) = (vec![line], Vec::new());
    for ((sample, curve), look) in row.samples.iter().zip(&curves).zip(looks) {
        let Some(mean) = mean(&sample.known()) else { continue };
        let colour = look.colour;
        let points: Vec<_> = curve.iter().map(|(x, d)| (*x, Some(foot + PEAK * d / peak))).collect();
        areas.push(Mark::Band {
            x: points.iter().map(|p| p.0).collect(),
            lo: vec![Some(foot); points.len()],
            hi: points.iter().map(|p| p.1).collect(),
            colour,
            alpha: CLEAR,
        });
        lines.push(Mark::Line { points, colour, dash: look.dash, width: 0.8 });
        let tick = vec![(mean, Some(foot)), (mean, Some(foot - TICK))];
        lines.push(Mark::Line { points: tick, colour, dash: Dash::Solid, width: 1.3 });
    }
    areas.into_iter().chain(lines).collect()
}

parts!(Distributions, DistributionPanel, [x_label], [note]);
lines!(DistributionPanel, rows, label);

impl Figure for Distributions {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, Some(self.columns(style)), style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "row", "kind", "label", "value"]);
        for panel in &self.panels {
            for row in &panel.rows {
                let mut line = |kind: &str, label: &str, value: Option<f64>| {
                    csv.row(&[&panel.title, &row.label, kind, label], &[value]);
                };
                line("bandwidth", "", Some(row.bandwidth(self.least(panel))));
                for sample in &row.samples {
                    line("mean", &sample.label, mean(&sample.known()));
                    sample.values.iter().for_each(|&v| line("value", &sample.label, Some(v)));
                }
                if !row.note.is_empty() {
                    line("note", &plain(&row.note), None);
                }
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let of = listed(&titles);
        let of = if of.is_empty() { of } else { format!("; {of}") };
        let labels: Vec<_> = self.labels().into_iter().map(plain).collect();
        let widths: Vec<f64> =
            self.panels.iter().flat_map(|p| p.rows.iter().map(|row| row.bandwidth(self.least(p)))).collect();
        let counts = self.samples().map(|s| s.known().len() as f64).filter(|n| *n > 0.0);
        let counts: Vec<f64> = counts.collect();
        let mut out = vec![
            format!("Distributions of {}: {}{of}.", inside(&plain(&self.x_label)), listed(&labels)),
            format!(
                "Gaussian kernel densities, one bandwidth for the samples of a row (the mean of Silverman's; \
                 {}), each row scaled to its highest density.",
                span(&widths, short)
            ),
            format!("Ticks below the lines: means. n = {} a sample.", span(&counts, |n| n.to_string())),
        ];
        let noted = self.panels.iter().flat_map(|p| &p.rows).any(|row| !row.note.is_empty());
        if noted && !self.note.is_empty() {
            out.push(format!("At the right: {}.", plain(&self.note)));
        }
        if self.panels.iter().any(|p| matches!(self.range(p), (lo, hi) if lo < 0.0 && hi > 0.0)) {
            out.push("Vertical grey line: 0 on the x axis.".into());
        }
        let missing = self.samples().flat_map(|s| &s.values).filter(|v| known(Some(**v)).is_none()).count();
        if missing > 0 {
            out.push(format!("Left out as not defined: {missing} of the values."));
        }
        out.join(" ")
    }
}

/// "12", or "12 to 400" where they differ.
fn span(numbers: &[f64], write: impl Fn(f64) -> String) -> String {
    let least = write(numbers.iter().copied().fold(f64::INFINITY, f64::min));
    let most = write(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    if least == most { least } else { format!("{least} to {most}") }
}

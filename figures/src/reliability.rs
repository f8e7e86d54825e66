//! Whether confidence means what it says: accuracy against confidence in bins.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::data::{Csv, check_order, check_range, check_share, check_some, lettered, listed, plain};
use crate::error::{Error, Result};
use crate::grid::{self, Plot};
use crate::numbers::interval;
use crate::panel::Mark;
use crate::scale::short;
use crate::style::{Dash, Style};

/// The radius of the marker of the fullest bin, in points.
const LARGEST: f64 = 4.2;
/// The least radius that can still be seen.
const LEAST: f64 = 0.9;

/// Small multiples, one panel a condition or model: x is the mean confidence of a bin, y its accuracy with
/// an interval. The area of a marker goes with the number of answers in its bin, and the expected calibration
/// error stands in the panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a condition or model.
    pub panels: Vec<ReliabilityPanel>,
    /// The label of the x axis, usually "Confidence".
    pub x_label: String,
    /// The label of the y axis, usually "Accuracy".
    pub y_label: String,
    /// The name of the diagonal, usually "calibrated".
    pub diagonal: String,
    /// The range of both axes within [0, 1]; it grows to hold every number drawn. None is all of [0, 1].
    #[serde(with = "crate::nan")]
    pub range: Option<(f64, f64)>,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One condition or model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReliabilityPanel {
    /// The condition or model.
    pub title: String,
    /// The bins in order of confidence; empty ones (`n` 0) are not drawn.
    pub bins: Vec<ReliabilityBin>,
    /// The interval of the expected calibration error, noted beside it where there is one.
    #[serde(with = "crate::nan")]
    pub ece_interval: Option<(f64, f64)>,
}

/// Answers of like confidence.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Their mean confidence, between 0 and 1.
    #[serde(with = "crate::nan")]
    pub confidence: f64,
    /// The share of them that is right, between 0 and 1.
    #[serde(with = "crate::nan")]
    pub accuracy: f64,
    /// The interval of the accuracy.
    #[serde(with = "crate::nan")]
    pub interval: Option<(f64, f64)>,
    /// How many there are. In an empty bin the other numbers mean nothing and may be NaN.
    pub n: usize,
}

impl ReliabilityPanel {
    fn filled(&self) -> impl Iterator<Item = &ReliabilityBin> {
        self.bins.iter().filter(|b| b.n > 0)
    }

    /// Answers in all bins.
    pub fn n(&self) -> usize {
        self.bins.iter().map(|b| b.n).sum()
    }

    /// The expected calibration error of the bins: the mean distance of accuracy from confidence, each bin
    /// weighted by its answers (Naeini et al. 2015; Guo et al. 2017). NaN when every bin is empty.
    pub fn ece(&self) -> f64 {
        let apart = self.filled().map(|b| b.n as f64 * (b.accuracy - b.confidence).abs());
        apart.sum::<f64>() / self.n() as f64
    }

    fn note(&self) -> Vec<String> {
        let interval = self.ece_interval.map(|(lo, hi)| format!(" {}", interval(&short(lo), &short(hi))));
        let ece = format!("ECE {}{}", short(self.ece()), interval.unwrap_or_default());
        vec![ece, format!("n = {}", self.n())]
    }
}

impl Reliability {
    fn check(&self) -> Result<()> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.panels, &what, "panel")?;
        if let Some((lo, hi)) = self.range {
            check_range(&format!("{what}, range"), (lo, hi))?;
            [lo, hi].into_iter().try_for_each(|v| check_share(&format!("{what}, range"), v))?;
        }
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.bins, &what, "bin")?;
            for (at, bin) in panel.bins.iter().enumerate().filter(|(_, b)| b.n > 0) {
                check_share(&format!("{what}, bin {at}, confidence"), bin.confidence)?;
                check_share(&format!("{what}, bin {at}, accuracy"), bin.accuracy)?;
                if let Some((lo, hi)) = bin.interval {
                    let what = format!("{what}, bin {at}, interval");
                    check_order(&what, (lo, hi))?;
                    [lo, hi].into_iter().try_for_each(|v| check_share(&what, v))?;
                }
            }
            panel.ece_interval.map_or(Ok(()), |i| check_order(&format!("{what}, ece_interval"), i))?;
            if panel.n() == 0 {
                return Err(Error::NoValues { what });
            }
        }
        Ok(())
    }

    /// One range for both axes of every panel, with room for markers at its ends.
    fn range(&self) -> (f64, f64) {
        let (mut lo, mut hi) = self.range.unwrap_or((0.0, 1.0));
        for bin in self.panels.iter().flat_map(ReliabilityPanel::filled) {
            let ends = bin.interval.map(|(a, b)| [a, b]).into_iter().flatten();
            for value in ends.chain([bin.confidence, bin.accuracy]) {
                (lo, hi) = (lo.min(value), hi.max(value));
            }
        }
        let pad = 0.04 * (hi - lo);
        (lo - pad, hi + pad)
    }

    fn fullest(&self) -> usize {
        self.panels.iter().flat_map(|p| &p.bins).map(|b| b.n).max().unwrap_or(1)
    }

    fn plot(&self, panel: &ReliabilityPanel, style: &Style) -> Plot {
        let look = style.look(0);
        let mut plot = Plot::of_shares(self.range(), &self.diagonal);
        plot.title.clone_from(&panel.title);
        plot.x_label.clone_from(&self.x_label);
        plot.y_label.clone_from(&self.y_label);
        let bins: Vec<_> = panel.filled().collect();
        let x: Vec<f64> = bins.iter().map(|b| b.confidence).collect();
        let lo = bins.iter().map(|b| b.interval.map(|i| i.0)).collect();
        let hi = bins.iter().map(|b| b.interval.map(|i| i.1)).collect();
        let points = bins.iter().map(|b| (b.confidence, Some(b.accuracy))).collect();
        plot.marks.push(Mark::Line { points, colour: look.colour, dash: Dash::Solid, width: 0.6 });
        plot.marks.push(Mark::Bars { x, lo, hi, colour: look.colour });
        for bin in bins {
            let radius = LARGEST * (bin.n as f64 / self.fullest() as f64).sqrt();
            let points = vec![(bin.confidence, Some(bin.accuracy))];
            plot.marks.push(Mark::Points { points, look, radius: radius.max(LEAST) });
        }
        plot.marks.push(Mark::Corner { lines: panel.note(), size: style.small() });
        plot
    }
}

parts!(Reliability, ReliabilityPanel, [x_label, y_label], [diagonal, interval]);
lines!(ReliabilityPanel);

impl Figure for Reliability {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "bin", "confidence", "value", "lo", "hi", "n"]);
        for panel in &self.panels {
            for (at, bin) in panel.bins.iter().enumerate() {
                let some = |v: f64| Some(v).filter(|_| bin.n > 0);
                let interval = bin.interval.filter(|_| bin.n > 0);
                let numbers = [
                    Some(at as f64),
                    some(bin.confidence),
                    some(bin.accuracy),
                    interval.map(|i| i.0),
                    interval.map(|i| i.1),
                    Some(bin.n as f64),
                ];
                csv.row(&[&panel.title, "bin"], &numbers);
            }
            let (lo, hi) = (panel.ece_interval.map(|i| i.0), panel.ece_interval.map(|i| i.1));
            csv.row(&[&panel.title, "ece"], &[None, None, Some(panel.ece()), lo, hi, Some(panel.n() as f64)]);
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let diagonal = if self.diagonal.is_empty() { "calibrated".into() } else { plain(&self.diagonal) };
        let brackets = self.panels.iter().any(|p| p.ece_interval.is_some());
        let mut out = vec![
            format!("Accuracy against mean confidence, in bins of confidence, for {}.", listed(&titles)),
            format!("Dashed diagonal: {diagonal}. Bars: {}.", self.interval),
            format!(
                "The area of a marker goes with the number of answers in its bin (the largest: {}).",
                self.fullest()
            ),
            format!(
                "ECE: the mean distance of accuracy from confidence, bins weighted by their answers{}.",
                if brackets { "; in brackets its interval" } else { "" }
            ),
        ];
        if self.panels.iter().flat_map(|p| &p.bins).any(|b| b.n == 0) {
            out.push("Empty bins are left out.".into());
        }
        out.join(" ")
    }
}

//! Effects against how sure they are: many tests at a glance.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, parts, pick};
use crate::bars::check_p;
use crate::canvas::Drawing;
use crate::colour::{INK, MUTED, WHITE};
use crate::data::{Csv, check_number, check_some, distinct, lettered, listed, plain};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::numbers::written;
use crate::panel::Mark;
use crate::scale;
use crate::style::{Dash, Fill, Look, Style};

/// Kept free beyond p = 1 and beyond the least p, as a part of the axis.
const BELOW: f64 = 0.04;
const ABOVE: f64 = 0.08;
/// Powers of ten on an axis at most.
const TICKS: f64 = 6.0;

/// Small multiples, one panel a concept: a point for each test (a layer under a condition), its effect along x and its p
/// along y, the least p at the top.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Volcano {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a concept or task.
    pub panels: Vec<VolcanoPanel>,
    /// The label of the x axis with its unit: "Change of score (s.d.)".
    pub x_label: String,
    /// The label of the y axis: "p". It is logarithmic.
    pub y_label: String,
    /// What gives the p, for the caption: "sign flips of item groups".
    pub test: String,
    /// What a filled point is, for the caption: "p < .05, largest over layers".
    pub significance: String,
    /// How many filled points of each series are named where there is room: those of the least p, of equals the largest
    /// effects.
    pub strongest: usize,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One concept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VolcanoPanel {
    /// The concept.
    pub title: String,
    /// One a condition or site.
    pub series: Vec<VolcanoSeries>,
    /// Levels of p to compare with: 0.05, and what a correction leaves of it.
    pub thresholds: Vec<Threshold>,
    /// Permutations behind each p, where the test is one of permutations: its least p is 1 / (permutations + 1), and a
    /// smaller one is refused.
    pub permutations: Option<usize>,
}

/// The tests of one condition or site.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VolcanoSeries {
    /// The name shown in the legend. It keeps its look across panels.
    pub label: String,
    /// The tests.
    pub points: Vec<VolcanoPoint>,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VolcanoPoint {
    /// What was tested: "layer 12".
    pub label: String,
    /// The effect.
    pub effect: f64,
    /// Its p, above 0 and at most 1.
    pub p: f64,
    /// Whether it passes the test with all the others looked at: such a point is filled.
    pub passes: bool,
}

/// A level of p.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Threshold {
    /// The name shown beside the line or in the legend: "p = .05".
    pub label: String,
    /// The p, above 0 and at most 1.
    pub p: f64,
}

impl VolcanoPanel {
    fn points(&self) -> impl Iterator<Item = &VolcanoPoint> {
        self.series.iter().flat_map(|series| &series.points)
    }

    /// The least p that the permutations can give.
    fn least(&self) -> Option<f64> {
        self.permutations.map(|n| 1.0 / (n as f64 + 1.0))
    }

    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.series, &what, "series")?;
        for series in &self.series {
            for point in &series.points {
                let what = format!("{what}, series \"{}\", \"{}\"", series.label, point.label);
                check_number(&format!("{what}, effect"), point.effect)?;
                check_p(&what, point.p)?;
                // A p that was counted may be rounded in its last digit.
                if self.least().is_some_and(|least| point.p < least * (1.0 - 1e-9)) {
                    let must = "not lie below the least p of the panel's permutations";
                    return Err(Error::OutOfRange { what: format!("{what}, p"), value: point.p, must });
                }
            }
        }
        self.thresholds
            .iter()
            .try_for_each(|t| check_p(&format!("{what}, threshold \"{}\"", t.label), t.p))?;
        if self.points().next().is_none() { Err(Error::NoValues { what }) } else { Ok(()) }
    }

    /// The points to be named: of each series the strongest that pass, the strongest of all first.
    fn strongest<'a>(&'a self, count: usize) -> Vec<&'a VolcanoPoint> {
        let stronger = |a: &&VolcanoPoint, b: &&VolcanoPoint| {
            a.p.total_cmp(&b.p).then(b.effect.abs().total_cmp(&a.effect.abs()))
        };
        let of = |series: &'a VolcanoSeries| -> Vec<&'a VolcanoPoint> {
            let mut own: Vec<_> = series.points.iter().filter(|p| p.passes).collect();
            own.sort_by(stronger);
            own.truncate(count);
            own
        };
        let mut all: Vec<_> = self.series.iter().flat_map(of).collect();
        all.sort_by(stronger);
        all
    }
}

/// The height of a p.
fn height(p: f64) -> f64 {
    // A p of 1 is at 0, not below.
    (-p.log10()).max(0.0)
}

impl Volcano {
    /// Series in order of first appearance.
    fn labels(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.series).map(|series| series.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.panels.iter().try_for_each(VolcanoPanel::check)
    }

    /// One range of x, with 0, and one of heights for all panels.
    fn ranges(&self) -> [(f64, f64); 2] {
        let effects = self.panels.iter().flat_map(VolcanoPanel::points).map(|p| p.effect);
        let (lo, hi) = effects.fold((0.0f64, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let of = |panel: &VolcanoPanel| {
            let lines = panel.thresholds.iter().map(|t| t.p).chain(panel.least());
            panel.points().map(|p| p.p).chain(lines).map(height).fold(0.0, f64::max)
        };
        let top = self.panels.iter().map(of).fold(0.0, f64::max).max(0.5);
        [scale::padded(lo, hi), (-BELOW * top, (1.0 + ABOVE) * top)]
    }

    fn plot(&self, panel: &VolcanoPanel, style: &Style) -> Plot {
        let [x, y] = self.ranges();
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x,
            y_range: Some(y),
            y_ticks: Some(powers(y.1)),
            ticks: Ticks::Round,
            ..Plot::default()
        };
        plot.marks.push(Mark::Upright { x: 0.0, colour: MUTED.towards(WHITE, 0.4), width: 0.5 });
        let mut line = |p: f64, label: String, colour, dash| {
            plot.marks.push(Mark::Rule { y: height(p), colour, dash, width: 0.7 });
            plot.named.push(Named { label, key: Key::Rule { colour, dash }, end: Some((x.1, height(p))) });
        };
        for (index, threshold) in panel.thresholds.iter().enumerate() {
            let (colour, dash) = if index == 0 { (MUTED, Dash::Fine) } else { (INK, Dash::Chain) };
            line(threshold.p, threshold.label.clone(), colour, dash);
        }
        if let (Some(least), Some(n)) = (panel.least(), panel.permutations) {
            line(least, least_label(n), MUTED.towards(WHITE, 0.35), Dash::Solid);
        }
        let labels = self.labels();
        let radius = if panel.points().count() > 150 { 1.4 } else { 1.8 };
        for series in &panel.series {
            let index = labels.iter().position(|l| *l == series.label).unwrap_or(0);
            let look = style.solid_look(index);
            for (passes, fill) in [(false, Fill::Hollow), (true, Fill::Solid)] {
                let own = series.points.iter().filter(|p| p.passes == passes);
                let points = own.map(|p| (p.effect, Some(height(p.p)))).collect();
                plot.marks.push(Mark::Points { points, look: Look { fill, ..look }, radius });
            }
            plot.named.push(Named { label: series.label.clone(), key: Key::Point { look }, end: None });
        }
        let named = panel.strongest(self.strongest).into_iter();
        let points = named.map(|p| (p.effect, height(p.p), p.label.clone())).collect();
        plot.marks.push(Mark::Names { points, radius: radius + 0.5, size: 0.9 * style.small() });
        plot
    }
}

fn least_label(permutations: usize) -> String {
    format!("least p of {permutations} permutations")
}

/// Powers of ten up to a height, written as the p they are.
fn powers(top: f64) -> Vec<(f64, String)> {
    let step = (top / TICKS).ceil().max(1.0) as usize;
    let label = |power: usize| match power {
        0 => "1".to_owned(),
        1..=3 => written(&format!("0.{}1", "0".repeat(power - 1))),
        _ => format!("10^{{\u{2212}{power}}}"),
    };
    (0..=top as usize).step_by(step).map(|power| (power as f64, label(power))).collect()
}

parts!(Volcano, VolcanoPanel, [x_label, y_label], [test, significance]);
impl Part for VolcanoPanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.series.iter_mut().map(|series| &mut series.label).collect()
    }

    fn keep(&mut self, series: &[usize]) {
        pick(&mut self.series, series);
    }

    /// A level that holds for one of them alone is left out.
    fn absorb(&mut self, other: &Self) -> bool {
        self.series.extend(other.series.iter().cloned());
        self.thresholds.retain(|threshold| other.thresholds.contains(threshold));
        self.permutations = self.permutations.filter(|n| other.permutations == Some(*n));
        true
    }
}

impl Figure for Volcano {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "series", "label", "effect", "p", "passes"]);
        for panel in &self.panels {
            for series in &panel.series {
                for point in &series.points {
                    let numbers =
                        [Some(point.effect), Some(point.p), Some(f64::from(u8::from(point.passes)))];
                    csv.row(&[&panel.title, "test", &series.label, &point.label], &numbers);
                }
            }
            for threshold in &panel.thresholds {
                csv.row(&[&panel.title, "threshold", "", &threshold.label], &[None, Some(threshold.p), None]);
            }
            if let (Some(least), Some(n)) = (panel.least(), panel.permutations) {
                csv.row(&[&panel.title, "least", "", &least_label(n)], &[None, Some(least), None]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let labels: Vec<_> = self.labels().into_iter().map(plain).collect();
        let mut out = vec![
            format!(
                "{} and its p ({}) for {}: {}.",
                plain(&self.x_label),
                self.test,
                listed(&titles),
                listed(&labels)
            ),
            "The y axis is logarithmic, small p at the top; vertical grey line: no effect.".into(),
        ];
        let points = || self.panels.iter().flat_map(VolcanoPanel::points);
        if points().any(|p| p.passes) {
            out.push(format!("Filled: {}.", plain(&self.significance)));
        }
        let thresholds = || self.panels.iter().flat_map(|p| p.thresholds.iter().enumerate());
        let is_first = |of: &(usize, &Threshold)| of.0 == 0;
        let first = distinct(thresholds().filter(is_first).map(|of| plain(&of.1.label)));
        let others = distinct(thresholds().filter(|of| !is_first(of)).map(|of| plain(&of.1.label)));
        let least = distinct(self.panels.iter().filter_map(|p| p.permutations).map(least_label));
        let lines = [("Dashed grey line", first), ("Dash-dotted line", others), ("Light line", least)];
        let named = lines.iter().filter(|line| !line.1.is_empty());
        out.extend(named.map(|(line, names)| format!("{line}: {}.", listed(names))));
        if self.strongest > 0 && points().any(|p| p.passes) {
            let most = if self.strongest == 1 { "one".into() } else { self.strongest.to_string() };
            out.push(format!("Ringed and named where there is room: of each colour the {most} of least p, filled ones alone."));
        }
        out.join(" ")
    }
}

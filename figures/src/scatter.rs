//! One share against another, such as a model's share of pronouns against the labour market's.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::data::{
    Csv, check_list, check_number, check_order, check_range, check_some, known, lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot};
use crate::numbers::interval;
use crate::panel::Mark;
use crate::scale::{self, short};
use crate::style::{Fill, Look, Style};

/// Small multiples, one panel a condition: a point for each item (an occupation) on two axes of one unit, the
/// diagonal of agreement, and a correlation as a note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a condition.
    pub panels: Vec<ScatterPanel>,
    /// The label of the x axis: "Recorded share of women".
    pub x_label: String,
    /// The label of the y axis: "Model's share of she".
    pub y_label: String,
    /// The least range of both axes; it grows to hold every number drawn. None takes that of the data.
    #[serde(with = "crate::nan")]
    pub range: Option<(f64, f64)>,
    /// The name of the diagonal: "as recorded".
    pub diagonal: String,
    /// The symbol of the correlation: "r" (Pearson), "ρ" (Spearman).
    pub statistic: String,
    /// What the correlation's interval is, for the caption: "95 % bootstrap interval over occupations".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScatterPanel {
    /// The condition.
    pub title: String,
    /// The points, up to some hundreds.
    pub points: Vec<ScatterPoint>,
    /// The correlation; None or NaN where it is not defined.
    pub correlation: Option<f64>,
    /// Its interval.
    #[serde(with = "crate::nan")]
    pub correlation_interval: Option<(f64, f64)>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScatterPoint {
    /// What it is: an occupation.
    pub label: String,
    /// Its place on the x axis; a point with a missing (None or NaN) x or y is not drawn.
    pub x: Option<f64>,
    /// Its place on the y axis.
    pub y: Option<f64>,
    /// Whether to write its label beside it, if there is room; earlier points have first choice.
    pub labelled: bool,
}

impl ScatterPoint {
    /// Both numbers, where they are there.
    fn place(&self) -> Option<(f64, f64)> {
        known(self.x).zip(known(self.y))
    }
}

impl ScatterPanel {
    fn places(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().filter_map(ScatterPoint::place)
    }

    fn note(&self, statistic: &str) -> Vec<String> {
        let interval =
            self.correlation_interval.map(|(lo, hi)| format!(" {}", interval(&short(lo), &short(hi))));
        let value = match known(self.correlation) {
            Some(r) => format!("= {}{}", short(r), interval.unwrap_or_default()),
            None => "not defined".into(),
        };
        vec![format!("{statistic} {value}"), format!("n = {}", self.places().count())]
    }
}

impl Scatter {
    fn check(&self) -> Result<()> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.panels, &what, "panel")?;
        self.range.map_or(Ok(()), |r| check_range(&format!("{what}, range"), r))?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.points, &what, "point")?;
            for point in &panel.points {
                check_list(&format!("{what}, point \"{}\"", point.label), &[point.x, point.y], 2)?;
            }
            if panel.places().next().is_none() {
                return Err(Error::NoValues { what });
            }
            if let Some(value) = known(panel.correlation) {
                let what = format!("{what}, correlation");
                check_number(&what, value)?;
                if value.abs() > 1.0 {
                    return Err(Error::OutOfRange { what, value, must: "lie between -1 and 1" });
                }
            }
            let interval = panel.correlation_interval;
            interval.map_or(Ok(()), |i| check_order(&format!("{what}, correlation_interval"), i))?;
        }
        Ok(())
    }

    /// One range for both axes of every panel, with room for markers at its ends.
    fn range(&self) -> (f64, f64) {
        let all = || self.panels.iter().flat_map(ScatterPanel::places).flat_map(|(x, y)| [x, y]);
        let asked = || self.range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let lo = all().chain(asked()).fold(f64::INFINITY, f64::min);
        let hi = all().chain(asked()).fold(f64::NEG_INFINITY, f64::max);
        scale::padded(lo, hi)
    }

    fn plot(&self, panel: &ScatterPanel, style: &Style) -> Plot {
        let mut plot = Plot::of_shares(self.range(), &self.diagonal);
        plot.title.clone_from(&panel.title);
        plot.x_label.clone_from(&self.x_label);
        plot.y_label.clone_from(&self.y_label);
        let look = Look { fill: Fill::Clear, ..style.look(0) };
        let points: Vec<_> = panel.places().map(|(x, y)| (x, Some(y))).collect();
        let radius = if points.len() > 150 { 1.3 } else { 1.7 };
        plot.marks.push(Mark::Points { points, look, radius });
        plot.marks.push(Mark::Corner { lines: panel.note(&self.statistic), size: style.small() });
        let named = panel.points.iter().filter(|p| p.labelled).filter_map(|p| Some((p.place()?, p)));
        let points = named.map(|((x, y), p)| (x, y, p.label.clone())).collect();
        plot.marks.push(Mark::Names { points, radius: radius + 0.3, size: 0.9 * style.small() });
        plot
    }
}

parts!(Scatter, ScatterPanel, [x_label, y_label], [diagonal, statistic, interval]);
lines!(ScatterPanel);

impl Figure for Scatter {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "label", "x", "value", "lo", "hi"]);
        for panel in &self.panels {
            for point in &panel.points {
                csv.row(&[&panel.title, "point", &point.label], &[point.x, point.y, None, None]);
            }
            let (lo, hi) = (panel.correlation_interval.map(|i| i.0), panel.correlation_interval.map(|i| i.1));
            csv.row(&[&panel.title, "correlation", &self.statistic], &[None, panel.correlation, lo, hi]);
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let axes = (plain(&self.y_label), plain(&self.x_label));
        let mut out = vec![format!("{} against {}, for {}.", axes.0, axes.1, listed(&titles))];
        if !self.diagonal.is_empty() {
            out.push(format!("Dashed diagonal: {}.", plain(&self.diagonal)));
        }
        let brackets = self.panels.iter().any(|p| p.correlation_interval.is_some());
        let interval = if brackets { format!("; in brackets its {}", self.interval) } else { String::new() };
        out.push(format!("{}: correlation{interval}.", plain(&self.statistic)));
        let points = || self.panels.iter().flat_map(|p| &p.points);
        if points().any(|p| p.labelled && p.place().is_some()) {
            out.push("Outlines: the points named.".into());
        }
        let missing = points().filter(|p| p.place().is_none()).count();
        if missing > 0 {
            out.push(format!("Not defined and left out: {missing} of {} points.", points().count()));
        }
        out.join(" ")
    }
}

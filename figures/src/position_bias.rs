//! Which place of the options is chosen how often, whatever stands there.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::colour::Rgb;
use crate::data::{
    Csv, Reference, Series, check_share, check_some, check_two, distinct, entry, known, lettered, listed,
    plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::references;
use crate::style::Style;

/// The ground under every second place.
const GROUND: Rgb = Rgb(244, 244, 244);

/// Small multiples, one panel a task or model: x is the place of an option, y the share of items for which
/// the option there is chosen, a marker with its interval for each condition or round, and a dashed line at
/// the share of each place were the choice uniform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PositionBias {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a task or model. All share one y axis, from 0.
    pub panels: Vec<PlacePanel>,
    /// The label of the x axis, usually "Place of the option".
    pub x_label: String,
    /// The label of the y axis, usually "Share of items".
    pub y_label: String,
    /// The name of the dashed line, usually "uniform".
    pub uniform: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One task or model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlacePanel {
    /// The task or model.
    pub title: String,
    /// The places in order: a, b, c. Panels may have different numbers of them, two or more.
    pub places: Vec<String>,
    /// One series a condition or round, an entry a place: the share of items, between 0 and 1, for which
    /// the option there is chosen. Series keep their colour across panels by label.
    pub series: Vec<Series>,
}

impl PlacePanel {
    /// The share of each place were the choice uniform.
    fn uniform(&self) -> f64 {
        1.0 / self.places.len() as f64
    }
}

impl PositionBias {
    /// Series in order of first appearance.
    fn labels(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.series).map(|series| series.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.series, &what, "series")?;
            check_two(&panel.places, &what, "place", "a choice needs at least two places")?;
            for series in &panel.series {
                let what = format!("{what}, series \"{}\"", series.label);
                series.check(&what, panel.places.len())?;
                for share in [&series.value, &series.lo, &series.hi].into_iter().flatten() {
                    known(*share).map_or(Ok(()), |share| check_share(&what, share))?;
                }
            }
            if panel.series.iter().all(Series::is_blank) {
                return Err(Error::NoValues { what });
            }
        }
        Ok(())
    }

    /// One range for all panels, from 0, so that tasks compare.
    fn common_range(&self) -> (f64, f64) {
        let series = self.panels.iter().flat_map(|p| &p.series);
        let shares = series.flat_map(|s| [&s.value, &s.hi]).flatten().filter_map(|v| known(*v));
        let uniform = self.panels.iter().map(PlacePanel::uniform);
        let most = shares.chain(uniform).fold(0.0, f64::max);
        (0.0, (most * 1.06).min(1.0))
    }

    fn plot(&self, panel: &PlacePanel, style: &Style) -> Plot {
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x: (-0.5, panel.places.len() as f64 - 0.5),
            y_range: Some(self.common_range()),
            ticks: Ticks::Places(panel.places.clone()),
            ..Plot::default()
        };
        let second = (1..panel.places.len()).step_by(2).map(|p| p as f64);
        plot.marks.extend(second.map(|p| Mark::Ground { x: (p - 0.5, p + 0.5), colour: GROUND }));
        references::add(
            &mut plot,
            &[Reference { label: self.uniform.clone(), value: panel.uniform(), interval: None }],
        );
        let labels = self.labels();
        let step = (0.66 / labels.len() as f64).min(0.15);
        for series in &panel.series {
            let index = labels.iter().position(|l| *l == series.label).unwrap_or(0);
            let (series, look) = (series.cleaned(), style.look(index));
            let apart = step * (index as f64 - (labels.len() - 1) as f64 / 2.0);
            let x: Vec<f64> = (0..panel.places.len()).map(|p| p as f64 + apart).collect();
            let points = x.iter().copied().zip(series.value).collect();
            plot.marks.push(Mark::Bars { x, lo: series.lo, hi: series.hi, colour: look.colour });
            plot.marks.push(Mark::Points { points, look, radius: 2.1 });
            plot.named.push(Named { label: series.label, key: Key::Point { look }, end: None });
        }
        plot
    }
}

parts!(PositionBias, PlacePanel, [x_label, y_label], [uniform, interval]);
lines!(PlacePanel, series, label);

impl Figure for PositionBias {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "label", "place", "value", "lo", "hi"]);
        for panel in &self.panels {
            for series in &panel.series {
                for (p, place) in panel.places.iter().enumerate() {
                    let numbers = [entry(&series.value, p), entry(&series.lo, p), entry(&series.hi, p)];
                    csv.row(&[&panel.title, "series", &series.label, place], &numbers);
                }
            }
            csv.row(&[&panel.title, "reference", &self.uniform, ""], &[Some(panel.uniform()), None, None]);
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let labels: Vec<_> = self.labels().into_iter().map(plain).collect();
        let mut out = vec![format!(
            "Share of items for which the option at each place is chosen, for {}, by {}.",
            listed(&titles),
            listed(&labels)
        )];
        out.push(format!("Bars: {}; markers are set slightly apart for legibility.", self.interval));
        let uniform = if self.uniform.is_empty() { "a uniform choice".into() } else { plain(&self.uniform) };
        out.push(format!("Dashed grey line: {uniform} (one over the number of places)."));
        let values = || self.panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.value);
        if values().any(|v| known(*v).is_none()) {
            out.push("Missing markers: not defined.".into());
        }
        out.join(" ")
    }
}

//! The plane of two concepts: where dialogues go, round by round.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, Parts, pick};
use crate::canvas::Drawing;
use crate::colour::{Rgb, WHITE};
use crate::data::{Csv, check_number, check_order, check_some, lettered, listed, plain};
use crate::density::haze;
use crate::error::Result;
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::scale::padded;
use crate::style::{Fill, Marker, Style};

/// The darkest haze: light enough for any line over it.
const DARKEST: Rgb = Rgb(186, 190, 196);
/// Steps of the haze's lightness.
const STEPS: usize = 4;

/// Small multiples, one panel a task or model: x is the score of one concept, y that of another, and an arrow leads from
/// each round's mean to the next, one colour a condition. Behind them lies the density of all items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trajectories {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a task or model.
    pub panels: Vec<PlanePanel>,
    /// The label of the x axis with its unit: "Stereotype score (s.d.)".
    pub x_label: String,
    /// The label of the y axis with its unit: "Morality score (s.d.)".
    pub y_label: String,
    /// What the crosses are, for the caption: "95 % bootstrap intervals over item groups".
    pub interval: String,
    /// What the haze is of, for the caption: "all items in all rounds"; empty where there is none.
    pub haze: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One task or model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanePanel {
    /// The task or model.
    pub title: String,
    /// One path a condition. Conditions keep their colour across panels by label.
    pub paths: Vec<Path>,
    /// Places of items, whose density is drawn; a NaN is left out.
    #[serde(with = "crate::nan")]
    pub items: Vec<(f64, f64)>,
}

/// The rounds of a condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Path {
    /// The condition.
    pub label: String,
    /// The mean of each round, from the first.
    pub steps: Vec<Step>,
}

/// The mean of a round.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    /// The score of the first concept.
    pub x: f64,
    /// The score of the second.
    pub y: f64,
    /// The interval of x.
    #[serde(with = "crate::nan")]
    pub x_interval: Option<(f64, f64)>,
    /// The interval of y.
    #[serde(with = "crate::nan")]
    pub y_interval: Option<(f64, f64)>,
}

impl Trajectories {
    /// Conditions in order of first appearance.
    fn conditions(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        for path in self.panels.iter().flat_map(|p| &p.paths) {
            if !seen.contains(&path.label.as_str()) {
                seen.push(path.label.as_str());
            }
        }
        seen
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.paths, &what, "path")?;
            for path in &panel.paths {
                path.check(&format!("{what}, path \"{}\"", path.label))?;
            }
            for (x, y) in panel.known() {
                check_number(&format!("{what}, item"), x)?;
                check_number(&format!("{what}, item"), y)?;
            }
        }
        Ok(())
    }

    fn plot(&self, panel: &PlanePanel, style: &Style) -> Plot {
        let conditions = self.conditions();
        let (across, up) = panel.extent();
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x: across,
            y_range: Some(up),
            ticks: Ticks::Round,
            ..Plot::default()
        };
        let items: Vec<(f64, f64)> = panel.known().collect();
        for (level, boxes) in haze(&items, across, up, STEPS).into_iter().enumerate() {
            let fill = WHITE.towards(DARKEST, (level + 1) as f64 / STEPS as f64);
            plot.marks.push(Mark::Boxes { boxes, fill, edge: fill });
        }
        let mut on_top = Vec::new();
        for path in &panel.paths {
            let index = conditions.iter().position(|c| *c == path.label).unwrap_or(0);
            let look = style.look(index);
            let (mut x, mut lo, mut hi) = (Vec::new(), Vec::new(), Vec::new());
            for step in &path.steps {
                x.push(step.x);
                lo.push(step.y_interval.map(|i| i.0));
                hi.push(step.y_interval.map(|i| i.1));
            }
            plot.marks.push(Mark::Bars { x, lo, hi, colour: look.colour });
            let spans = path.steps.iter().filter_map(|step| Some((step.y, step.x_interval?)));
            plot.marks.push(Mark::Spans { spans: spans.collect(), colour: look.colour });
            let points: Vec<(f64, f64)> = path.steps.iter().map(|step| (step.x, step.y)).collect();
            let start = points[0];
            on_top.push(Mark::Arrows {
                points: points.clone(),
                colour: look.colour,
                dash: look.dash,
                width: 1.1,
            });
            let ring = crate::style::Look { marker: Marker::Disc, fill: Fill::Hollow, ..look };
            on_top.push(Mark::Points { points: vec![(start.0, Some(start.1))], look: ring, radius: 1.9 });
            plot.named.push(Named {
                label: path.label.clone(),
                key: Key::Line { look, marker: false },
                end: points.last().copied(),
            });
        }
        plot.marks.extend(on_top);
        plot
    }
}

impl Path {
    fn check(&self, what: &str) -> Result<()> {
        check_some(&self.steps, what, "round")?;
        for (round, step) in self.steps.iter().enumerate() {
            let what = format!("{what}, round {round}");
            check_number(&what, step.x)?;
            check_number(&what, step.y)?;
            for interval in [step.x_interval, step.y_interval].into_iter().flatten() {
                check_order(&format!("{what}, interval"), interval)?;
            }
        }
        Ok(())
    }
}

impl PlanePanel {
    /// The items that have both scores.
    fn known(&self) -> impl Iterator<Item = (f64, f64)> {
        self.items.iter().copied().filter(|(x, y)| !x.is_nan() && !y.is_nan())
    }

    /// What the axes hold: every mean with its interval, and the middle 98 % of the items.
    fn extent(&self) -> ((f64, f64), (f64, f64)) {
        let steps = || self.paths.iter().flat_map(|path| &path.steps);
        let ends = |at: f64, interval: Option<(f64, f64)>| {
            let (lo, hi) = interval.unwrap_or((at, at));
            [at, lo, hi]
        };
        let x: Vec<f64> = steps().flat_map(|step| ends(step.x, step.x_interval)).collect();
        let y: Vec<f64> = steps().flat_map(|step| ends(step.y, step.y_interval)).collect();
        let (items_x, items_y): (Vec<f64>, Vec<f64>) = self.known().unzip();
        (around(x, items_x), around(y, items_y))
    }
}

fn around(mut values: Vec<f64>, mut items: Vec<f64>) -> (f64, f64) {
    items.sort_by(f64::total_cmp);
    let cut = items.len() / 100;
    values.extend(items.get(cut));
    values.extend(items.len().checked_sub(cut + 1).map(|last| items[last]));
    let lo = values.iter().copied().fold(f64::INFINITY, f64::min);
    let hi = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    padded(lo, hi)
}

impl Parts for Trajectories {
    type Panel = PlanePanel;

    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn panels(&mut self) -> &mut Vec<PlanePanel> {
        &mut self.panels
    }

    fn axes(&mut self) -> Vec<&mut String> {
        vec![&mut self.x_label, &mut self.y_label]
    }

    fn columns(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.columns)
    }
}

impl Part for PlanePanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.paths.iter_mut().map(|path| &mut path.label).collect()
    }

    fn keep(&mut self, paths: &[usize]) {
        pick(&mut self.paths, paths);
    }

    fn absorb(&mut self, other: &Self) -> bool {
        self.paths.extend(other.paths.iter().cloned());
        self.items.extend(&other.items);
        true
    }
}

impl Figure for Trajectories {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv =
            Csv::new(&["panel", "kind", "label", "round", "x", "y", "x_lo", "x_hi", "y_lo", "y_hi"]);
        for panel in &self.panels {
            for path in &panel.paths {
                for (round, step) in path.steps.iter().enumerate() {
                    let (x, y) = (step.x_interval.unzip(), step.y_interval.unzip());
                    let numbers = [Some(round as f64), Some(step.x), Some(step.y), x.0, x.1, y.0, y.1];
                    csv.row(&[&panel.title, "condition", &path.label], &numbers);
                }
            }
            for (x, y) in &panel.items {
                csv.row(&[&panel.title, "item", ""], &[None, Some(*x), Some(*y), None, None, None, None]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let conditions: Vec<_> = self.conditions().into_iter().map(plain).collect();
        let mut out = vec![format!(
            "{} against {}, {}, by condition ({}).",
            plain(&self.y_label),
            plain(&self.x_label),
            listed(&titles),
            listed(&conditions)
        )];
        out.push(
            "Arrows lead from the mean of a round to that of the next, from the ring in round 0.".into(),
        );
        out.push(format!("Crosses: {}.", self.interval));
        if self.panels.iter().any(|p| !p.items.is_empty()) {
            let of = if self.haze.is_empty() { "items" } else { &self.haze };
            out.push(format!("Grey: the density of {of}, darker by quarters of the highest."));
        }
        out.join(" ")
    }
}

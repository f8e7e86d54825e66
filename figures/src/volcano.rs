//! Many effects at once: how large each is, and how surely it is one.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, Parts, pick};
use crate::canvas::Drawing;
use crate::colour::MUTED;
use crate::data::{Csv, check_number, check_some, lettered, listed, plain};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::scale::{log_label, padded};
use crate::style::{Dash, Fill, Style};

/// The radius of a point, in points.
const RADIUS: f64 = 1.5;

/// Small multiples, one panel a concept: x is an effect, y its p on a logarithmic axis with small p above. Lines mark the
/// level of significance and the least p that the test can give.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Volcano {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a concept.
    pub panels: Vec<VolcanoPanel>,
    /// The label of the x axis with its unit: "Change from round 0 (s.d.)".
    pub x_label: String,
    /// The label of the y axis, usually "p".
    pub y_label: String,
    /// What the test is, for the caption: "sign flips of item groups".
    pub test: String,
    /// How many of the points with the smallest p (the larger effect first where they are equal) are named in a panel, as
    /// far as there is room.
    pub named: usize,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One concept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VolcanoPanel {
    /// The concept.
    pub title: String,
    /// One cloud a condition or site. Clouds keep their colour across panels by label.
    pub clouds: Vec<Cloud>,
    /// Levels of p to mark, with their names: (0.05, "p = 0.05"), (0.001, "least p of 999 flips").
    pub levels: Vec<(f64, String)>,
}

/// The effects of one condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cloud {
    /// The condition.
    pub label: String,
    /// Its effects.
    pub points: Vec<Effect>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// What it is of: "layer 12".
    pub label: String,
    /// Its size, in the units of the x axis.
    pub effect: f64,
    /// Its p, above 0 and 1 at most: a permutation test of n draws gives no less than 1 / (n + 1).
    pub p: f64,
}

impl Volcano {
    fn labels(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        for cloud in self.panels.iter().flat_map(|p| &p.clouds) {
            if !seen.contains(&cloud.label.as_str()) {
                seen.push(cloud.label.as_str());
            }
        }
        seen
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.clouds, &what, "cloud")?;
            for cloud in &panel.clouds {
                let what = format!("{what}, cloud \"{}\"", cloud.label);
                check_some(&cloud.points, &what, "effect")?;
                for point in &cloud.points {
                    check_number(&format!("{what}, effect \"{}\"", point.label), point.effect)?;
                    check_p(&format!("{what}, p of \"{}\"", point.label), point.p)?;
                }
            }
            panel
                .levels
                .iter()
                .try_for_each(|(p, label)| check_p(&format!("{what}, level \"{label}\""), *p))?;
        }
        Ok(())
    }

    /// How high the y axis reaches, alike in all panels so that they compare: minus the logarithm of the least p.
    fn top(&self) -> f64 {
        let points = self.panels.iter().flat_map(|p| &p.clouds).flat_map(|c| &c.points).map(|e| e.p);
        let levels = self.panels.iter().flat_map(|p| &p.levels).map(|level| level.0);
        points.chain(levels).map(height).fold(1.0, f64::max)
    }

    fn plot(&self, panel: &VolcanoPanel, style: &Style) -> Plot {
        let labels = self.labels();
        let points = || panel.clouds.iter().flat_map(|cloud| &cloud.points);
        let lo = points().map(|e| e.effect).fold(0.0, f64::min);
        let hi = points().map(|e| e.effect).fold(0.0, f64::max);
        let top = self.top();
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x: padded(lo, hi),
            y_range: Some((-0.04 * top, 1.06 * top)),
            y_ticks: p_ticks(top),
            ticks: Ticks::Round,
            marks: vec![Mark::Upright { x: 0.0, colour: MUTED, width: 0.5 }],
            ..Plot::default()
        };
        for (place, (p, label)) in panel.levels.iter().enumerate() {
            let (colour, dash) = (MUTED, if place == 0 { Dash::Fine } else { Dash::Chain });
            plot.marks.push(Mark::Rule { y: height(*p), colour, dash, width: 0.6 });
            let end = Some((plot.x.1, height(*p)));
            plot.named.push(Named { label: label.clone(), key: Key::Rule { colour, dash }, end });
        }
        for cloud in &panel.clouds {
            let index = labels.iter().position(|l| *l == cloud.label).unwrap_or(0);
            let mut look = style.solid_look(index);
            look.fill = Fill::Clear;
            let points = cloud.points.iter().map(|e| (e.effect, Some(height(e.p)))).collect();
            plot.marks.push(Mark::Points { points, look, radius: RADIUS });
            plot.named.push(Named { label: cloud.label.clone(), key: Key::Point { look }, end: None });
        }
        let points = panel.strongest(self.named);
        plot.marks.push(Mark::Names { points, radius: RADIUS + 0.9, size: style.small() });
        plot
    }
}

impl VolcanoPanel {
    /// Place and name of the points with the smallest p.
    fn strongest(&self, count: usize) -> Vec<(f64, f64, String)> {
        let mut all: Vec<&Effect> = self.clouds.iter().flat_map(|cloud| &cloud.points).collect();
        all.sort_by(|a, b| a.p.total_cmp(&b.p).then(b.effect.abs().total_cmp(&a.effect.abs())));
        all.into_iter().take(count).map(|e| (e.effect, height(e.p), e.label.clone())).collect()
    }
}

fn height(p: f64) -> f64 {
    -p.log10()
}

fn check_p(what: &str, p: f64) -> Result<()> {
    check_number(what, p)?;
    if p > 0.0 && p <= 1.0 {
        Ok(())
    } else {
        let must =
            "lie above 0 and be 1 at most: a permutation test of n draws gives no less than 1 / (n + 1)";
        Err(Error::OutOfRange { what: what.into(), value: p, must })
    }
}

/// Powers of ten from 1 on, every so many that about five are there.
fn p_ticks(top: f64) -> Vec<(f64, String)> {
    let step = (top / 5.0).ceil().max(1.0) as usize;
    let label = |power: usize| log_label(10f64.powi(-(power as i32)));
    (0..=top.floor() as usize).step_by(step).map(|power| (power as f64, label(power))).collect()
}

impl Parts for Volcano {
    type Panel = VolcanoPanel;

    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn panels(&mut self) -> &mut Vec<VolcanoPanel> {
        &mut self.panels
    }

    fn axes(&mut self) -> Vec<&mut String> {
        vec![&mut self.x_label, &mut self.y_label]
    }

    fn columns(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.columns)
    }
}

impl Part for VolcanoPanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.clouds.iter_mut().map(|cloud| &mut cloud.label).collect()
    }

    fn keep(&mut self, clouds: &[usize]) {
        pick(&mut self.clouds, clouds);
    }

    fn absorb(&mut self, other: &Self) -> bool {
        self.clouds.extend(other.clouds.iter().cloned());
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
        let mut csv = Csv::new(&["panel", "kind", "series", "label", "effect", "p"]);
        for panel in &self.panels {
            for cloud in &panel.clouds {
                for e in &cloud.points {
                    csv.row(&[&panel.title, "effect", &cloud.label, &e.label], &[Some(e.effect), Some(e.p)]);
                }
            }
            for (p, label) in &panel.levels {
                csv.row(&[&panel.title, "level", "", label], &[None, Some(*p)]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let labels: Vec<_> = self.labels().into_iter().map(plain).collect();
        let count = self.panels.iter().flat_map(|p| &p.clouds).map(|c| c.points.len()).sum::<usize>();
        let mut out = vec![format!(
            "{count} effects ({}) and their p ({}), {}, by {}; small p lie above.",
            plain(&self.x_label),
            self.test,
            listed(&titles),
            listed(&labels)
        )];
        let mut levels: Vec<String> = Vec::new();
        for (_, label) in self.panels.iter().flat_map(|p| &p.levels) {
            let label = plain(label);
            if !levels.contains(&label) {
                levels.push(label);
            }
        }
        if !levels.is_empty() {
            out.push(format!("Horizontal lines: {}.", listed(&levels)));
        }
        out.join(" ")
    }
}

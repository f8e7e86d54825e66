//! Behaviour, or any score, over the rounds of a dialogue, a line for each condition.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::data::{
    Csv, Reference, Series, check_range, check_some, distinct, entry, known, lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::references;
use crate::style::{Look, Style};

/// Small multiples, one panel a measure: x is the round (0, 1, ..), one line a condition, intervals
/// always drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundsByCondition {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a measure; all hold the same number of rounds.
    pub panels: Vec<RoundPanel>,
    /// The label of the x axis, usually "Round".
    pub x_label: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// How intervals are drawn.
    pub intervals_as: Intervals,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoundPanel {
    /// What is measured: "Accuracy, ambiguous".
    pub title: String,
    /// The label of the y axis with its unit. `_{..}` and `^{..}` set sub- and superscripts.
    pub y_label: String,
    /// The least range of the y axis; it grows to hold every number drawn. None chooses it.
    pub y_range: Option<(f64, f64)>,
    /// One line a condition, an entry a round. Conditions keep their colour across panels by label.
    pub lines: Vec<Series>,
    /// Levels to compare with, such as chance.
    pub references: Vec<Reference>,
}

/// How the intervals of lines over rounds are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Intervals {
    /// Vertical bars; lines are set slightly apart so that none hides another.
    #[default]
    Bars,
    /// Shaded bands.
    Bands,
}

impl RoundsByCondition {
    /// Conditions in order of first appearance.
    fn conditions(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.lines).map(|line| line.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        let rounds = self.panels.iter().flat_map(|p| &p.lines).map(|l| l.value.len()).next().unwrap_or(0);
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.lines, &what, "line")?;
            for line in &panel.lines {
                let what = format!("{what}, line \"{}\"", line.label);
                check_some(&line.value, &what, "round")?;
                line.check(&what, rounds)?;
            }
            if panel.lines.iter().all(Series::is_blank) {
                return Err(Error::NoValues { what });
            }
            panel.references.iter().try_for_each(|r| r.check(&what))?;
            panel.y_range.map_or(Ok(()), |r| check_range(&format!("{what}, y_range"), r))?;
        }
        Ok(())
    }

    fn plot(&self, panel: &RoundPanel, style: &Style) -> Plot {
        let conditions = self.conditions();
        let rounds = panel.lines.first().map_or(1, |l| l.value.len());
        let step = (0.5 / conditions.len() as f64).min(0.1);
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: panel.y_label.clone(),
            x: (-0.28, rounds as f64 - 0.72),
            y_range: panel.y_range,
            ..Plot::default()
        };
        references::add(&mut plot, &panel.references);
        let mut on_top = Vec::new();
        for line in &panel.lines {
            let index = conditions.iter().position(|c| *c == line.label).unwrap_or(0);
            let look = style.look(index);
            let apart = match self.intervals_as {
                Intervals::Bars => step * (index as f64 - (conditions.len() - 1) as f64 / 2.0),
                Intervals::Bands => 0.0,
            };
            let (mut marks, named) = condition(&line.cleaned(), look, apart, self.intervals_as);
            on_top.push(marks.split_off(1));
            plot.marks.extend(marks);
            plot.named.push(named);
        }
        plot.marks.extend(on_top.into_iter().flatten());
        plot
    }
}

/// The marks of one line, its interval first, and its name.
fn condition(line: &Series, look: Look, apart: f64, intervals: Intervals) -> (Vec<Mark>, Named) {
    let x: Vec<f64> = (0..line.value.len()).map(|r| r as f64 + apart).collect();
    let points: Vec<_> = x.iter().copied().zip(line.value.iter().copied()).collect();
    let (lo, hi) = (line.lo.clone(), line.hi.clone());
    let interval = match intervals {
        Intervals::Bars => Mark::Bars { x, lo, hi, colour: look.colour },
        Intervals::Bands => Mark::Band { x, lo, hi, colour: look.colour, alpha: 0.16 },
    };
    let end = points.iter().rev().find_map(|&(x, y)| Some((x, y?)));
    let marks = vec![
        interval,
        Mark::Line { points: points.clone(), colour: look.colour, dash: look.dash, width: 1.0 },
        Mark::Points { points, look, radius: 1.9 },
    ];
    (marks, Named { label: line.label.clone(), key: Key::Line { look, marker: true }, end })
}

parts!(RoundsByCondition, RoundPanel, [x_label], [interval]);
lines!(RoundPanel, lines, label);

impl Figure for RoundsByCondition {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "label", "round", "value", "lo", "hi"]);
        for panel in &self.panels {
            for line in &panel.lines {
                for round in 0..line.value.len() {
                    let numbers = [
                        Some(round as f64),
                        line.value[round],
                        entry(&line.lo, round),
                        entry(&line.hi, round),
                    ];
                    csv.row(&[&panel.title, "condition", &line.label], &numbers);
                }
            }
            for r in &panel.references {
                let numbers = [None, Some(r.value), r.interval.map(|i| i.0), r.interval.map(|i| i.1)];
                csv.row(&[&panel.title, "reference", &r.label], &numbers);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let mut out = Vec::new();
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let conditions: Vec<_> = self.conditions().into_iter().map(plain).collect();
        out.push(format!("{} over rounds, by condition ({}).", listed(&titles), listed(&conditions)));
        match self.intervals_as {
            Intervals::Bars => {
                out.push(format!("Bars: {}; lines are set slightly apart for legibility.", self.interval))
            }
            Intervals::Bands => out.push(format!("Bands: {}.", self.interval)),
        }
        out.extend(references::sentences(self.panels.iter().map(|p| p.references.as_slice())));
        let blank: Vec<_> = self
            .panels
            .iter()
            .flat_map(|p| {
                p.lines
                    .iter()
                    .filter(|l| l.is_blank())
                    .map(|l| format!("{} in {}", plain(&l.label), plain(&p.title)))
            })
            .collect();
        if !blank.is_empty() {
            out.push(format!("Not defined in any round: {}.", listed(&blank)));
        } else if self
            .panels
            .iter()
            .flat_map(|p| &p.lines)
            .any(|l| l.value.iter().any(|v| known(*v).is_none()))
        {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}

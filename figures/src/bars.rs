//! Bars of every condition, model by model, with brackets between those that were tested.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, Parts, pick};
use crate::canvas::Drawing;
use crate::colour::WHITE;
use crate::data::{
    Csv, Reference, Series, check_number, check_range, check_some, entry, known, lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::{Bracket, Mark};
use crate::references;
use crate::style::{Dash, Look, Style};

/// The part of a group's place that its bars take together.
const GROUP: f64 = 0.82;
/// How far bars of following conditions are lightened, so that neighbours differ in grey as well.
const TINTS: [f64; 3] = [0.0, 0.55, 0.25];

/// Small multiples, one panel a measure: a group of bars for each model, in it one bar a condition with its interval, and
/// brackets with the p between bars that were compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelBars {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a measure.
    pub panels: Vec<BarPanel>,
    /// The label of the x axis, "Model"; may be empty.
    pub x_label: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// What a bracket says, for the caption: "q from sign flips, Benjamini and Hochberg".
    pub test: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BarPanel {
    /// What is measured: "Accuracy, ambiguous".
    pub title: String,
    /// The label of the y axis with its unit. `_{..}` and `^{..}` set sub- and superscripts.
    pub y_label: String,
    /// The least range of the y axis; it grows to hold every number drawn, and 0, from which bars grow.
    pub y_range: Option<(f64, f64)>,
    /// The models, from left to right.
    pub groups: Vec<String>,
    /// One series a condition, an entry a model. Conditions keep their colour across panels by label.
    pub bars: Vec<Series>,
    /// Comparisons between two conditions of one model.
    pub brackets: Vec<BarBracket>,
    /// Levels to compare with, such as chance.
    pub references: Vec<Reference>,
}

/// A comparison of two bars.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BarBracket {
    /// The place of the model among the groups.
    pub group: usize,
    /// The labels of the two conditions.
    pub between: (String, String),
    /// The p of the comparison, in (0, 1].
    pub p: f64,
}

impl ModelBars {
    /// Conditions in order of first appearance.
    fn conditions(&self) -> Vec<&str> {
        let mut seen = Vec::new();
        for bar in self.panels.iter().flat_map(|p| &p.bars) {
            if !seen.contains(&bar.label.as_str()) {
                seen.push(bar.label.as_str());
            }
        }
        seen
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.panels.iter().try_for_each(BarPanel::check)
    }

    fn plot(&self, panel: &BarPanel, style: &Style) -> Plot {
        let conditions = self.conditions();
        let highest = panel.y_range.map_or(0.0, |range| range.1.max(0.0));
        let lowest = panel.y_range.map_or(0.0, |range| range.0.min(0.0));
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: panel.y_label.clone(),
            x: (-0.5, panel.groups.len() as f64 - 0.5),
            y_range: Some((lowest, highest)),
            ticks: Ticks::Places(panel.groups.clone()),
            ..Plot::default()
        };
        references::add(&mut plot, &panel.references);
        for series in &panel.bars {
            let index = conditions.iter().position(|c| *c == series.label).unwrap_or(0);
            let (series, look) = (series.cleaned(), style.look(index));
            let x: Vec<(f64, f64)> =
                (0..panel.groups.len()).map(|group| panel.ends(group, &series.label)).collect();
            let middle = x.iter().map(|(left, right)| (left + right) / 2.0).collect();
            let boxes = x.iter().zip(&series.value).filter_map(|(x, value)| Some((*x, (0.0, (*value)?))));
            let (fill, label) = (tinted(look, index), series.label);
            plot.marks.push(Mark::Boxes { boxes: boxes.collect(), fill, edge: look.colour });
            plot.marks.push(Mark::Bars {
                x: middle,
                lo: series.lo,
                hi: series.hi,
                colour: look.colour.as_ink(),
            });
            let key = Key::Swatch { colour: fill, alpha: 1.0, dash: Dash::Solid };
            plot.named.push(Named { label, key, end: None });
        }
        let zero = Mark::Rule { y: 0.0, colour: crate::colour::INK, dash: Dash::Solid, width: 0.5 };
        plot.marks.push(zero);
        let brackets: Vec<Bracket> = panel.brackets.iter().filter_map(|b| panel.bracket(b)).collect();
        if !brackets.is_empty() {
            plot.marks.push(Mark::Brackets { brackets, size: style.small() });
        }
        plot
    }
}

/// The fill of a condition's bars.
fn tinted(look: Look, index: usize) -> crate::colour::Rgb {
    look.colour.towards(WHITE, TINTS[index % TINTS.len()])
}

impl BarPanel {
    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.groups, &what, "group")?;
        check_some(&self.bars, &what, "series of bars")?;
        for series in &self.bars {
            series.check(&format!("{what}, bars \"{}\"", series.label), self.groups.len())?;
        }
        if self.bars.iter().all(Series::is_blank) {
            return Err(Error::NoValues { what });
        }
        self.references.iter().try_for_each(|r| r.check(&what))?;
        self.y_range.map_or(Ok(()), |r| check_range(&format!("{what}, y_range"), r))?;
        for bracket in &self.brackets {
            let (a, b) = &bracket.between;
            let what = format!("{what}, bracket from \"{a}\" to \"{b}\"");
            check_number(&what, bracket.p)?;
            if !(bracket.p > 0.0 && bracket.p <= 1.0) {
                return Err(Error::OutOfRange {
                    what,
                    value: bracket.p,
                    must: "lie above 0 and be 1 at most",
                });
            }
            let known = |label: &String| self.bars.iter().any(|bar| bar.label == *label);
            if bracket.group >= self.groups.len() || !known(a) || !known(b) || a == b {
                return Err(Error::NoMatch {
                    what: "pair of bars",
                    pattern: format!("{a}, {b} in group {}", bracket.group),
                    known: listed(&self.bars.iter().map(|bar| bar.label.as_str()).collect::<Vec<_>>()),
                });
            }
        }
        Ok(())
    }

    /// Left and right end of a condition's bar in a group.
    fn ends(&self, group: usize, label: &str) -> (f64, f64) {
        let place = self.bars.iter().position(|bar| bar.label == label).unwrap_or(0);
        let width = (GROUP / self.bars.len() as f64).min(0.3);
        let middle = group as f64 + width * (place as f64 - (self.bars.len() - 1) as f64 / 2.0);
        (middle - 0.43 * width, middle + 0.43 * width)
    }

    /// A bracket over two bars that are both there.
    fn bracket(&self, bracket: &BarBracket) -> Option<Bracket> {
        let middle = |label: &String| {
            let bar = self.bars.iter().find(|bar| bar.label == *label)?;
            known(entry(&bar.value, bracket.group))?;
            let (left, right) = self.ends(bracket.group, label);
            Some((left + right) / 2.0)
        };
        let (a, b) = (middle(&bracket.between.0)?, middle(&bracket.between.1)?);
        Some(Bracket { from: a.min(b), to: a.max(b), text: p_value(bracket.p) })
    }
}

/// "p = 0.003", "p < 0.001".
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        return format!("p < {}", crate::scale::tick_labels(&[0.001]).concat());
    }
    let digits = if p < 0.1 { 1000.0 } else { 100.0 };
    format!("p = {}", crate::scale::tick_labels(&[(p * digits).round() / digits]).concat())
}

impl Parts for ModelBars {
    type Panel = BarPanel;

    fn name(&mut self) -> &mut String {
        &mut self.name
    }

    fn panels(&mut self) -> &mut Vec<BarPanel> {
        &mut self.panels
    }

    fn axes(&mut self) -> Vec<&mut String> {
        vec![&mut self.x_label]
    }

    fn columns(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.columns)
    }
}

impl Part for BarPanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.bars.iter_mut().map(|bar| &mut bar.label).collect()
    }

    fn keep(&mut self, bars: &[usize]) {
        pick(&mut self.bars, bars);
        let kept = |label: &String| self.bars.iter().any(|bar| bar.label == *label);
        self.brackets.retain(|bracket| kept(&bracket.between.0) && kept(&bracket.between.1));
    }

    /// The models of the other panel stand beside its own; a condition that one of them lacks is missing there.
    fn absorb(&mut self, other: &Self) -> bool {
        let (own, more) = (self.groups.len(), other.groups.len());
        self.groups.extend(other.groups.iter().cloned());
        let moved = |b: &BarBracket| BarBracket { group: b.group + own, ..b.clone() };
        self.brackets.extend(other.brackets.iter().map(moved));
        for series in &other.bars {
            if !self.bars.iter().any(|bar| bar.label == series.label) {
                let blank = || vec![None; own];
                let (value, lo, hi) = (blank(), blank(), blank());
                self.bars.push(Series { label: series.label.clone(), value, lo, hi });
            }
        }
        for bar in &mut self.bars {
            let series = other.bars.iter().find(|series| series.label == bar.label);
            for group in 0..more {
                bar.value.push(series.and_then(|s| entry(&s.value, group)));
                bar.lo.push(series.and_then(|s| entry(&s.lo, group)));
                bar.hi.push(series.and_then(|s| entry(&s.hi, group)));
            }
        }
        true
    }
}

impl Figure for ModelBars {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "group", "label", "value", "lo", "hi", "p"]);
        for panel in &self.panels {
            for bar in &panel.bars {
                for (at, group) in panel.groups.iter().enumerate() {
                    let numbers = [entry(&bar.value, at), entry(&bar.lo, at), entry(&bar.hi, at), None];
                    csv.row(&[&panel.title, "bar", group, &bar.label], &numbers);
                }
            }
            for r in &panel.references {
                let (lo, hi) = r.interval.unzip();
                csv.row(&[&panel.title, "reference", "", &r.label], &[Some(r.value), lo, hi, None]);
            }
            for b in &panel.brackets {
                let label = format!("{} - {}", b.between.0, b.between.1);
                let group = panel.groups.get(b.group).map_or("", String::as_str);
                csv.row(&[&panel.title, "bracket", group, &label], &[None, None, None, Some(b.p)]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let conditions: Vec<_> = self.conditions().into_iter().map(plain).collect();
        let mut out =
            vec![format!("{} by condition ({}), model by model.", listed(&titles), listed(&conditions))];
        out.push(format!("Lines on bars: {}.", self.interval));
        match self.panels.iter().any(|p| !p.brackets.is_empty()) {
            true => out.push(format!("Brackets: {}.", self.test)),
            false if !self.test.is_empty() => {
                out.push(format!("No bracket: no comparison passes ({}).", self.test))
            }
            false => (),
        }
        out.extend(references::sentences(self.panels.iter().map(|p| p.references.as_slice())));
        let values = || self.panels.iter().flat_map(|p| &p.bars).flat_map(|b| &b.value);
        if values().any(|v| known(*v).is_none()) {
            out.push("Missing bars: not defined.".into());
        }
        out.join(" ")
    }
}

//! Any measure under each condition, a bar for each model.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, parts, pick};
use crate::blocks::BlockLook;
use crate::brackets::{Brackets, NOT_SIGNIFICANT, p_text};
use crate::canvas::Drawing;
use crate::colour::INK;
use crate::data::{
    Csv, Reference, Series, check_list, check_number, check_range, check_some, distinct, entry, known,
    lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::references;
use crate::style::{Dash, Style};

/// How much of a group's place its bars take, and a bar that is alone in its group.
const TOGETHER: f64 = 0.8;
const ALONE: f64 = 0.52;
/// How much of its place a bar among others takes.
const FILLED: f64 = 0.92;

/// Small multiples, one panel a measure: groups of bars on 0, one group a condition, one bar a model, with its interval
/// and, where there is one, the value it had before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelBars {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a measure or task.
    pub panels: Vec<BarPanel>,
    /// The label of the x axis; may be empty where the groups speak for themselves.
    pub x_label: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// What the lines across bars are: "round 0".
    pub before: String,
    /// What the brackets compare and by which test, for the caption: "difference from the baseline, exchanges of groups".
    pub test: String,
    /// The symbol of the brackets' numbers: "p", or "q" where they are adjusted for their number.
    pub symbol: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BarPanel {
    /// What is measured: "Accuracy, ambiguous".
    pub title: String,
    /// The label of the y axis with its unit.
    pub y_label: String,
    /// The least range of the y axis; it grows to hold 0 and every number drawn.
    pub y_range: Option<(f64, f64)>,
    /// The conditions, from the left.
    pub groups: Vec<String>,
    /// The models. They keep their look across panels by label.
    pub models: Vec<BarModel>,
    /// Levels to compare with, such as chance.
    pub references: Vec<Reference>,
    /// Bars that are compared.
    pub brackets: Vec<Bracket>,
}

/// The bars of one model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BarModel {
    /// Values and intervals, an entry a group.
    pub scores: Series,
    /// The values before, an entry a group; empty where there are none.
    pub before: Vec<Option<f64>>,
}

/// Two bars and what a test says of their difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// Group and model of the one, by their places in the panel.
    pub from: (usize, usize),
    /// Group and model of the other.
    pub to: (usize, usize),
    /// The p of no difference, above 0 and at most 1.
    pub p: f64,
}

impl BarPanel {
    /// The width of a bar and the middle of that of a group and model, in groups.
    fn place(&self, (group, model): (usize, usize)) -> f64 {
        let count = self.models.len() as f64;
        group as f64 + TOGETHER * ((model as f64 + 0.5) / count - 0.5)
    }

    fn width(&self) -> f64 {
        if self.models.len() == 1 { ALONE } else { FILLED * TOGETHER / self.models.len() as f64 }
    }

    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.groups, &what, "group")?;
        check_some(&self.models, &what, "model")?;
        for model in &self.models {
            let what = format!("{what}, model \"{}\"", model.scores.label);
            model.scores.check(&what, self.groups.len())?;
            if !model.before.is_empty() {
                check_list(&format!("{what}, before"), &model.before, self.groups.len())?;
            }
        }
        if self.models.iter().all(|model| model.scores.is_blank()) {
            return Err(Error::NoValues { what });
        }
        self.references.iter().try_for_each(|r| r.check(&what))?;
        self.y_range.map_or(Ok(()), |r| check_range(&format!("{what}, y_range"), r))?;
        self.brackets
            .iter()
            .enumerate()
            .try_for_each(|(i, b)| self.check_bracket(&format!("{what}, bracket {i}"), b))
    }

    fn check_bracket(&self, what: &str, bracket: &Bracket) -> Result<()> {
        for (group, model) in [bracket.from, bracket.to] {
            let found = self.models.get(model).and_then(|m| m.scores.value.get(group));
            if found.is_none_or(|value| known(*value).is_none()) {
                return Err(Error::NoValues { what: format!("{what}, group {group}, model {model}") });
            }
        }
        check_p(what, bracket.p)
    }

    /// From 0, with a little room beyond the data.
    fn range(&self) -> (f64, f64) {
        let models = self.models.iter().flat_map(|m| {
            [&m.scores.value, &m.scores.lo, &m.scores.hi, &m.before]
                .into_iter()
                .flatten()
                .filter_map(|v| known(*v))
        });
        let levels = self.references.iter().flat_map(|r| {
            r.interval.map(|(lo, hi)| [lo, hi]).into_iter().flatten().chain(std::iter::once(r.value))
        });
        let asked = self.y_range.iter().flat_map(|&(lo, hi)| [lo, hi]);
        let (lo, hi) =
            models.chain(levels).chain(asked).fold((0.0f64, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let pad = if hi > lo { 0.04 * (hi - lo) } else { 0.05 };
        (if lo < 0.0 { lo - pad } else { lo }, if hi > 0.0 || lo == hi { hi + pad } else { hi })
    }

    /// The brackets, above all bars with their intervals and the values before.
    fn stack(&self, symbol: &str, size: f64) -> Brackets {
        let at =
            |bracket: &Bracket| (self.place(bracket.from), self.place(bracket.to), p_text(symbol, bracket.p));
        let half = self.width() / 2.0;
        let bars = self.models.iter().enumerate().flat_map(|(m, model)| {
            (0..self.groups.len()).map(move |group| {
                let (s, x) = (&model.scores, self.place((group, m)));
                let all = [entry(&s.value, group), entry(&s.hi, group), entry(&model.before, group)];
                (x - half, x + half, all.into_iter().filter_map(known).fold(0.0, f64::max))
            })
        });
        let levels = self.references.iter().map(|r| (-0.5, self.groups.len() as f64 - 0.5, r.value.max(0.0)));
        let near: Vec<_> = bars.collect();
        let highest = near.iter().map(|bar| bar.2).fold(0.0, f64::max);
        // A level beyond all bars is no bar to stay above.
        let over = near.into_iter().chain(levels.filter(|level| level.2 <= highest)).collect();
        Brackets { pairs: self.brackets.iter().map(at).collect(), over, size }
    }
}

/// A p that a test can give.
pub(crate) fn check_p(what: &str, p: f64) -> Result<()> {
    check_number(&format!("{what}, p"), p)?;
    match p > 0.0 && p <= 1.0 {
        true => Ok(()),
        false => Err(Error::OutOfRange {
            what: format!("{what}, p"),
            value: p,
            must: "lie above 0 and at most at 1 (a permutation test counts the data as one permutation)",
        }),
    }
}

impl ModelBars {
    /// Models in order of first appearance.
    fn models(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.models).map(|model| model.scores.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.panels.iter().try_for_each(BarPanel::check)
    }

    fn plot(&self, panel: &BarPanel, style: &Style) -> Plot {
        let models = self.models();
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: panel.y_label.clone(),
            x: (-0.5, panel.groups.len() as f64 - 0.5),
            y_range: Some(panel.range()),
            ticks: Ticks::Names(panel.groups.clone()),
            ..Plot::default()
        };
        let (mut intervals, mut levels) = (Vec::new(), Vec::new());
        for (m, model) in panel.models.iter().enumerate() {
            let index = models.iter().position(|l| *l == model.scores.label).unwrap_or(0);
            let look = BlockLook::of(style, index, models.len());
            let scores = model.scores.cleaned();
            let x: Vec<f64> = (0..panel.groups.len()).map(|group| panel.place((group, m))).collect();
            let bars = x.iter().copied().zip(scores.value.iter().copied()).collect();
            plot.marks.push(Mark::Blocks { bars, width: panel.width(), look });
            let before = x.iter().copied().zip(model.before.iter().map(|v| known(*v))).collect();
            levels.push(Mark::Levels { points: before, width: 1.06 * panel.width() });
            intervals.push(Mark::Bars { x, lo: scores.lo, hi: scores.hi, colour: INK });
            if models.len() > 1 {
                plot.named.push(Named { label: scores.label, key: Key::Block { look }, end: None });
            }
        }
        // Levels lie over the bars, which would hide them.
        references::add(&mut plot, &panel.references);
        plot.marks.extend(levels.into_iter().chain(intervals));
        plot.marks.push(Mark::Rule { y: 0.0, colour: INK, dash: Dash::Solid, width: 0.5 });
        if panel.models.iter().any(|model| !model.before.is_empty()) {
            plot.named.push(Named { label: self.before.clone(), key: Key::Level, end: None });
        }
        plot.marks.push(Mark::Brackets(panel.stack(&self.symbol, 0.9 * style.small())));
        plot
    }
}

parts!(ModelBars, BarPanel, [x_label], [interval, before, test, symbol]);
impl Part for BarPanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.models.iter_mut().map(|model| &mut model.scores.label).collect()
    }

    /// Brackets between models that stay follow them.
    fn keep(&mut self, models: &[usize]) {
        pick(&mut self.models, models);
        let moved =
            |(group, model): (usize, usize)| Some((group, models.iter().position(|&kept| kept == model)?));
        let follow = |b: &Bracket| Some(Bracket { from: moved(b.from)?, to: moved(b.to)?, p: b.p });
        self.brackets = self.brackets.iter().filter_map(follow).collect();
    }

    /// Only where both have the same groups.
    fn absorb(&mut self, other: &Self) -> bool {
        if self.groups != other.groups {
            return false;
        }
        let before = self.models.len();
        let moved = |(group, model): (usize, usize)| (group, before + model);
        let brackets =
            other.brackets.iter().map(|b| Bracket { from: moved(b.from), to: moved(b.to), p: b.p });
        self.brackets.extend(brackets);
        self.models.extend(other.models.iter().cloned());
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
        let header =
            ["panel", "kind", "group", "label", "to_group", "to_label", "value", "lo", "hi", "before", "p"];
        let mut csv = Csv::new(&header);
        for panel in &self.panels {
            for model in &panel.models {
                for (g, group) in panel.groups.iter().enumerate() {
                    let s = &model.scores;
                    let numbers =
                        [s.value[g], entry(&s.lo, g), entry(&s.hi, g), entry(&model.before, g), None];
                    csv.row(&[&panel.title, "bar", group, &s.label, "", ""], &numbers);
                }
            }
            for r in &panel.references {
                let numbers = [Some(r.value), r.interval.map(|i| i.0), r.interval.map(|i| i.1), None, None];
                csv.row(&[&panel.title, "reference", "", &r.label, "", ""], &numbers);
            }
            for b in &panel.brackets {
                let bar = |(group, model): (usize, usize)| {
                    (panel.groups[group].as_str(), panel.models[model].scores.label.as_str())
                };
                let (from, to) = (bar(b.from), bar(b.to));
                let numbers = [None, None, None, None, Some(b.p)];
                csv.row(&[&panel.title, "bracket", from.0, from.1, to.0, to.1], &numbers);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let models: Vec<_> = self.models().into_iter().map(plain).collect();
        let mut out = vec![
            format!("{} by condition; bars: {}.", listed(&titles), listed(&models)),
            format!("Vertical lines: {}.", self.interval),
        ];
        let bars = || self.panels.iter().flat_map(|p| &p.models);
        if bars().any(|model| model.before.iter().any(|v| known(*v).is_some())) {
            out.push(format!("Dark lines across bars: {}.", plain(&self.before)));
        }
        out.extend(references::sentences(self.panels.iter().map(|p| p.references.as_slice())));
        let brackets = || self.panels.iter().flat_map(|p| &p.brackets);
        if brackets().next().is_some() {
            let none = brackets().any(|b| b.p >= NOT_SIGNIFICANT);
            let none = if none { format!("; n.s.: {} ≥ .05", plain(&self.symbol)) } else { String::new() };
            out.push(format!("Brackets: {}{none}.", plain(&self.test)));
        }
        if bars().any(|model| model.scores.value.iter().any(|v| known(*v).is_none())) {
            out.push("Crosses: not defined.".into());
        }
        out.join(" ")
    }
}

//! A score against the scale of models: their size, or how far they were aligned.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{Part, parts, pick};
use crate::canvas::Drawing;
use crate::colour::INK;
use crate::data::{
    Csv, Reference, Series, check_number, check_range, check_some, check_two, distinct, entry, known,
    lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::numbers::written;
use crate::panel::Mark;
use crate::references;
use crate::scale;
use crate::style::{Fill, Look, Style};

/// Small multiples, one panel a measure: x is the models' scale, one colour a condition. Base models are
/// hollow markers, aligned ones filled; lines join the models of one role and family only. Where several
/// models have one x, their points are set slightly apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreByScale {
    /// The figure's name, used for file names.
    pub name: String,
    /// What x is.
    pub scale: ModelScale,
    /// The models, two or more, in any order.
    pub models: Vec<ScaleModel>,
    /// One panel a measure.
    pub panels: Vec<ScalePanel>,
    /// The label of the x axis: "Parameters", "Alignment step".
    pub x_label: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// What the x axis of a [`ScoreByScale`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ModelScale {
    /// The number of parameters, on a logarithmic axis with a tick at each size: 135M, 1.7B, 70B.
    #[default]
    Parameters,
    /// A training step or stage, on a linear axis with ticks at round integers.
    Step,
}

/// One model of a scale.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScaleModel {
    /// Its name, written below the axis where it has room and always in the caption.
    pub name: String,
    /// Its place on the axis: the number of parameters (above zero), or the step.
    pub at: f64,
    /// Whether it was aligned.
    pub role: Role,
    /// What it shares with the models it may be joined to by a line; empty when all are of one family.
    pub family: String,
}

/// Whether a model was aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// Pretrained only: hollow markers.
    Base,
    /// Tuned to instructions or preferences: filled markers.
    #[default]
    Aligned,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScalePanel {
    /// What is measured: "Accuracy, ambiguous".
    pub title: String,
    /// The label of the y axis with its unit. `_{..}` and `^{..}` set sub- and superscripts.
    pub y_label: String,
    /// The least range of the y axis; it grows to hold every number drawn. None chooses it.
    pub y_range: Option<(f64, f64)>,
    /// One line a condition, an entry a model in the order of the figure's models. Conditions keep their
    /// colour across panels by label.
    pub lines: Vec<Series>,
    /// Levels to compare with: chance, no bias.
    pub references: Vec<Reference>,
}

impl Role {
    const ALL: [Role; 2] = [Role::Base, Role::Aligned];

    fn word(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::Aligned => "aligned",
        }
    }

    fn of(self, look: Look) -> Look {
        Look { fill: if self == Role::Base { Fill::Hollow } else { Fill::Solid }, ..look }
    }
}

impl ScoreByScale {
    /// Conditions in order of first appearance.
    fn conditions(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.lines).map(|line| line.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.panels, &what, "panel")?;
        check_two(&self.models, &what, "model", "a scale needs at least two models")?;
        for model in &self.models {
            let what = format!("model \"{}\", at", model.name);
            check_number(&what, model.at)?;
            if self.scale == ModelScale::Parameters && model.at <= 0.0 {
                return Err(Error::OutOfRange { what, value: model.at, must: "lie above 0 on a log axis" });
            }
        }
        for panel in &self.panels {
            let what = format!("panel \"{}\"", panel.title);
            check_some(&panel.lines, &what, "line")?;
            for line in &panel.lines {
                line.check(&format!("{what}, line \"{}\"", line.label), self.models.len())?;
            }
            if panel.lines.iter().all(Series::is_blank) {
                return Err(Error::NoValues { what });
            }
            panel.references.iter().try_for_each(|r| r.check(&what))?;
            panel.y_range.map_or(Ok(()), |r| check_range(&format!("{what}, y_range"), r))?;
        }
        Ok(())
    }

    /// The models' places in the units of the axis.
    fn places(&self) -> Vec<f64> {
        let on_axis = |m: &ScaleModel| if self.scale == ModelScale::Parameters { m.at.log10() } else { m.at };
        self.models.iter().map(on_axis).collect()
    }

    /// Models by place, base before aligned at one place.
    fn order(&self) -> Vec<usize> {
        let places = self.places();
        let mut order: Vec<usize> = (0..self.models.len()).collect();
        order.sort_by(|&a, &b| {
            let role = |m: usize| self.models[m].role == Role::Aligned;
            places[a].total_cmp(&places[b]).then(role(a).cmp(&role(b)))
        });
        order
    }

    /// Where each model's points stand: `[model][condition]`. Models of one place share the room around it.
    fn stands(&self, conditions: usize) -> Vec<Vec<f64>> {
        let (places, order) = (self.places(), self.order());
        let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| places[a] == places[b]).collect();
        let gaps = groups.windows(2).map(|w| places[w[1][0]] - places[w[0][0]]);
        let (lo, hi) = self.extent();
        let span = hi - lo;
        let room = gaps.fold(f64::INFINITY, f64::min).min(0.2 * span).max(0.03 * span) * 0.8;
        // A free slot between the points of neighbouring models.
        let slots = |models: usize| models * (conditions + 1) - 1;
        let most = groups.iter().map(|g| slots(g.len())).max().unwrap_or(1);
        let step = (0.02 * span).min(room / most as f64);
        let mut stands = vec![Vec::new(); self.models.len()];
        for group in groups {
            let middle = (slots(group.len()) - 1) as f64 / 2.0;
            for (k, &model) in group.iter().enumerate() {
                let slot = |c: usize| (k * (conditions + 1) + c) as f64 - middle;
                stands[model] = (0..conditions).map(|c| places[model] + step * slot(c)).collect();
            }
        }
        stands
    }

    /// The first and the last place; a single place gets room of its own.
    fn extent(&self) -> (f64, f64) {
        let places = self.places();
        let lo = places.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = if self.scale == ModelScale::Parameters { 0.3 } else { 1.0 };
        if hi > lo { (lo, hi) } else { (lo - least, hi + least) }
    }

    fn ticks(&self) -> Ticks {
        let mut sizes: Vec<f64> = self.models.iter().map(|m| m.at).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup_by_key(|at| scale::count(*at));
        match self.scale {
            ModelScale::Step => Ticks::Round,
            ModelScale::Parameters => {
                Ticks::At(sizes.into_iter().map(|at| (at.log10(), scale::count(at))).collect())
            }
        }
    }

    /// The models' names with their places. A name that goes on from another's at its place, as an aligned
    /// model's often does from its base's, is not repeated.
    fn names(&self) -> Vec<(f64, String)> {
        let places = self.places();
        let mut out: Vec<(f64, String)> = Vec::new();
        for model in self.order() {
            let (at, name) = (places[model], &self.models[model].name);
            if !out.iter().any(|(place, known)| *place == at && name.starts_with(known)) {
                out.push((at, name.clone()));
            }
        }
        out
    }

    fn plot(&self, panel: &ScalePanel, style: &Style) -> Plot {
        let (lo, hi) = self.extent();
        let pad = 0.1 * (hi - lo);
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: panel.y_label.clone(),
            x: (lo - pad, hi + pad),
            y_range: panel.y_range,
            ticks: self.ticks(),
            x_names: self.names(),
            ..Plot::default()
        };
        references::add(&mut plot, &panel.references);
        let conditions = self.conditions();
        let stands = self.stands(conditions.len());
        let (mut bars, mut lines, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for line in &panel.lines {
            let index = conditions.iter().position(|c| *c == line.label).unwrap_or(0);
            let (line, look) = (line.cleaned(), style.solid_look(index));
            let x: Vec<f64> = stands.iter().map(|s| s[index]).collect();
            for joined in self.joined() {
                let of = |list: &[Option<f64>]| joined.iter().map(|&m| list[m]).collect::<Vec<_>>();
                let x: Vec<f64> = joined.iter().map(|&m| x[m]).collect();
                let data: Vec<_> = x.iter().copied().zip(of(&line.value)).collect();
                let role = self.models[joined[0]].role;
                let width = if role == Role::Base { 0.7 } else { 1.0 };
                bars.push(Mark::Bars { x, lo: of(&line.lo), hi: of(&line.hi), colour: look.colour });
                lines.push(Mark::Line { points: data.clone(), colour: look.colour, dash: look.dash, width });
                points.push(Mark::Points { points: data, look: role.of(look), radius: 1.9 });
            }
            plot.named.push(Named {
                end: self.end(&x, &line.value),
                label: line.label,
                key: Key::Line { look, marker: true },
            });
        }
        plot.marks.extend(bars.into_iter().chain(lines).chain(points));
        for role in self.roles() {
            let look = role.of(Look { colour: INK, ..style.solid_look(0) });
            plot.named.push(Named {
                label: format!("{} model", role.word()),
                key: Key::Point { look },
                end: None,
            });
        }
        plot
    }

    /// The point a condition's name stands beside: the last one.
    fn end(&self, x: &[f64], value: &[Option<f64>]) -> Option<(f64, f64)> {
        let there = x.iter().zip(value).filter_map(|(x, y)| Some((*x, (*y)?)));
        there.reduce(|last, next| if next.0 > last.0 { next } else { last })
    }

    /// The models a line joins: of one role and family, by place.
    fn joined(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let kind = |m: usize| (self.models[m].role, self.models[m].family.as_str());
        for model in self.order() {
            match groups.iter_mut().find(|g| kind(g[0]) == kind(model)) {
                Some(group) => group.push(model),
                None => groups.push(vec![model]),
            }
        }
        groups
    }

    fn roles(&self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|r| self.models.iter().any(|m| m.role == *r)).collect()
    }

    /// How a model's place is written: 1.7B, or the step.
    fn place_of(&self, model: &ScaleModel) -> String {
        match self.scale {
            ModelScale::Parameters => scale::count(model.at),
            ModelScale::Step => format!("step {}", written(&model.at.to_string())),
        }
    }
}

parts!(ScoreByScale, ScalePanel, [x_label], [interval], {
    /// Every line of both gets an entry for each model of both.
    fn make_room(&mut self, other: &mut Self) -> std::result::Result<(), &'static str> {
        if self.scale != other.scale {
            return Err("their scales differ");
        }
        let (own, more) = (self.models.len(), other.models.len());
        let lines = |figure: &'_ mut Self, stretch: &dyn Fn(&mut Vec<Option<f64>>)| {
            let lines = figure.panels.iter_mut().flat_map(|panel| &mut panel.lines);
            lines.flat_map(|line| [&mut line.value, &mut line.lo, &mut line.hi]).for_each(stretch);
        };
        lines(self, &|list| list.resize(own + more, None));
        lines(other, &|list| {
            list.splice(0..0, std::iter::repeat_n(None, own));
        });
        self.models.append(&mut other.models);
        Ok(())
    }
});

impl Part for ScalePanel {
    fn title(&mut self) -> &mut String {
        &mut self.title
    }

    fn labels(&mut self) -> Vec<&mut String> {
        self.lines.iter_mut().map(|line| &mut line.label).collect()
    }

    fn keep(&mut self, lines: &[usize]) {
        pick(&mut self.lines, lines);
    }

    /// A line of one label goes on through the models of the other panel.
    fn absorb(&mut self, other: &Self) -> bool {
        for line in &other.lines {
            let Some(own) = self.lines.iter_mut().find(|own| own.label == line.label) else {
                self.lines.push(line.clone());
                continue;
            };
            let pairs = [(&mut own.value, &line.value), (&mut own.lo, &line.lo), (&mut own.hi, &line.hi)];
            for (own, more) in pairs {
                own.iter_mut().zip(more).for_each(|(own, more)| *own = own.or(*more));
            }
        }
        true
    }
}

impl Figure for ScoreByScale {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let header = ["panel", "kind", "label", "model", "role", "family", "at", "value", "lo", "hi"];
        let mut csv = Csv::new(&header);
        for panel in &self.panels {
            for line in &panel.lines {
                for (m, model) in self.models.iter().enumerate() {
                    let numbers =
                        [Some(model.at), entry(&line.value, m), entry(&line.lo, m), entry(&line.hi, m)];
                    let role = model.role.word();
                    let texts = [&panel.title, "condition", &line.label, &model.name, role, &model.family];
                    csv.row(&texts, &numbers);
                }
            }
            for r in &panel.references {
                let numbers = [None, Some(r.value), r.interval.map(|i| i.0), r.interval.map(|i| i.1)];
                csv.row(&[&panel.title, "reference", &r.label, "", "", ""], &numbers);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let conditions: Vec<_> = self.conditions().into_iter().map(plain).collect();
        let axis = match self.scale {
            ModelScale::Parameters => "the number of parameters (logarithmic axis)",
            ModelScale::Step => "the alignment step",
        };
        let mut out =
            vec![format!("{} against {axis}, by condition ({}).", listed(&titles), listed(&conditions))];
        let models = self.order().into_iter().map(|m| &self.models[m]);
        let models: Vec<_> =
            models.map(|m| format!("{} ({}, {})", plain(&m.name), self.place_of(m), m.role.word())).collect();
        out.push(format!("Models: {}.", listed(&models)));
        out.push(match self.roles()[..] {
            [Role::Base] => "All models are base models (hollow markers).".into(),
            [Role::Aligned] => "All models are aligned (filled markers).".into(),
            _ => "Hollow markers: base models; filled markers: aligned models.".into(),
        });
        let families = self.models.iter().any(|m| m.family != self.models[0].family);
        let of = if families { "one role and family" } else { "one role" };
        out.push(format!(
            "Lines join models of {of}; points are set slightly apart for legibility. Bars: {}.",
            self.interval
        ));
        out.extend(references::sentences(self.panels.iter().map(|p| p.references.as_slice())));
        let values = || self.panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.value);
        if values().any(|v| known(*v).is_none()) {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}

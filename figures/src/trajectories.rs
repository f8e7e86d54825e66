//! How a mean moves through the plane of two scores, round by round.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::arrows::{Cross, Tip};
use crate::canvas::Drawing;
use crate::colour::{INK, MUTED, WHITE};
use crate::contours::{LEAST, Plane};
use crate::data::{
    Csv, check_list, check_number, check_order, check_some, distinct, known, lettered, listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::style::{Fill, Look, Marker, Style};
use crate::text::Rich;

/// The shares of the items that shaded regions hold, and how much of its colour each adds.
const SHARES: [f64; 4] = [0.9, 0.75, 0.5, 0.25];
const SHADE: f64 = 0.075;
/// Kept free around what moves, for names, as a part of its range.
const AROUND: f64 = 0.12;

/// Small multiples, one panel a task or model, of a plane whose axes are the scores of two concepts: an arrow a round
/// from mean to mean for each condition, with intervals along both axes, over the density of the items.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trajectories {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a task or model.
    pub panels: Vec<PlanePanel>,
    /// The label of the x axis with its unit: "Stereotype score (s.d.)".
    pub x_label: String,
    /// The label of the y axis.
    pub y_label: String,
    /// Whether all panels share the ranges of their axes.
    pub shared: bool,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over questions".
    pub interval: String,
    /// What is shaded, for the caption: "the items in all rounds and conditions".
    pub items: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One task or model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanePanel {
    /// The task or model.
    pub title: String,
    /// One a condition. Conditions keep their colour across panels by label.
    pub paths: Vec<PlanePath>,
    /// Places of single items, x then y, whose density is shaded as far as the axes reach; may be empty. Fewer than ten
    /// are not shaded.
    #[serde(with = "crate::nan")]
    pub items: Vec<(f64, f64)>,
}

/// How one condition moves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanePath {
    /// The condition.
    pub label: String,
    /// The means, round by round.
    pub points: Vec<PlanePoint>,
}

/// Two means of one round.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanePoint {
    /// The mean of the one score; a point with a missing (None or NaN) mean is a gap.
    pub x: Option<f64>,
    /// The mean of the other.
    pub y: Option<f64>,
    /// The interval of the one.
    #[serde(with = "crate::nan")]
    pub x_interval: Option<(f64, f64)>,
    /// The interval of the other.
    #[serde(with = "crate::nan")]
    pub y_interval: Option<(f64, f64)>,
}

impl PlanePoint {
    fn place(&self) -> Option<(f64, f64)> {
        known(self.x).zip(known(self.y))
    }

    fn cross(&self) -> Option<Cross> {
        let (x, y) = self.place()?;
        Some(Cross { x, y, across: self.x_interval, upright: self.y_interval })
    }
}

impl PlanePanel {
    fn crosses(&self) -> impl Iterator<Item = Cross> {
        self.paths.iter().flat_map(|path| &path.points).filter_map(PlanePoint::cross)
    }

    fn known_items(&self) -> Vec<(f64, f64)> {
        self.items.iter().copied().filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect()
    }

    fn plane(&self) -> Option<Plane> {
        Plane::of(&self.known_items())
    }

    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.paths, &what, "path")?;
        for path in &self.paths {
            let what = format!("{what}, path \"{}\"", path.label);
            check_some(&path.points, &what, "round")?;
            for (round, point) in path.points.iter().enumerate() {
                let what = format!("{what}, round {round}");
                check_list(&what, &[point.x, point.y], 2)?;
                let intervals = [point.x_interval, point.y_interval];
                intervals.into_iter().flatten().try_for_each(|i| check_order(&what, i))?;
            }
        }
        let items = self.known_items();
        let numbers = items.iter().flat_map(|(x, y)| [x, y]);
        numbers.into_iter().try_for_each(|v| check_number(&format!("{what}, items"), *v))?;
        if self.crosses().next().is_none() { Err(Error::NoValues { what }) } else { Ok(()) }
    }
}

impl Trajectories {
    /// Conditions in order of first appearance.
    fn conditions(&self) -> Vec<&str> {
        distinct(self.panels.iter().flat_map(|p| &p.paths).map(|path| path.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.panels.iter().try_for_each(PlanePanel::check)
    }

    /// The ranges of x and of y: all means and intervals, with room around them.
    fn ranges(&self, panel: &PlanePanel) -> [(f64, f64); 2] {
        let panels = if self.shared { self.panels.as_slice() } else { std::slice::from_ref(panel) };
        let places = panels.iter().flat_map(PlanePanel::crosses);
        let ends =
            places.flat_map(|c| c.lines().flatten().chain(std::iter::once((c.x, c.y))).collect::<Vec<_>>());
        let ends: Vec<_> = ends.collect();
        let range = |of: fn(&(f64, f64)) -> f64| {
            let lo = ends.iter().map(of).fold(f64::INFINITY, f64::min);
            let hi = ends.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            let pad = if hi > lo { AROUND * (hi - lo) } else { (0.1 * lo.abs()).max(0.05) };
            (lo - pad, hi + pad)
        };
        [range(|end| end.0), range(|end| end.1)]
    }

    /// A panel that names its conditions at the ends of their ways or, `listed`, in the legend.
    fn plot(&self, panel: &PlanePanel, style: &Style, listed: bool) -> Plot {
        let [x, y] = self.ranges(panel);
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x,
            y_range: Some(y),
            ticks: Ticks::Round,
            ..Plot::default()
        };
        for lines in panel.plane().map(|plane| plane.regions(&SHARES, x, y)).into_iter().flatten() {
            plot.marks.push(Mark::Region { lines, colour: MUTED, alpha: SHADE });
        }
        let conditions = self.conditions();
        let index = |path: &PlanePath| conditions.iter().position(|c| *c == path.label).unwrap_or(0);
        let looks: Vec<Look> = panel.paths.iter().map(|path| style.look(index(path))).collect();
        let own = || panel.paths.iter().zip(&looks);
        for (path, look) in own() {
            let crosses = path.points.iter().filter_map(PlanePoint::cross).collect();
            plot.marks.push(Mark::Crosses { crosses, colour: look.colour.towards(WHITE, 0.4) });
        }
        for (path, look) in own() {
            plot.marks.push(Mark::Arrows { points: places(path), look: *look });
        }
        let first = |path: &PlanePath| path.points.iter().find_map(PlanePoint::place);
        let one =
            panel.paths.iter().all(|path| first(path) == first(&panel.paths[0])) && panel.paths.len() > 1;
        for (path, look) in own() {
            let colour = if one { INK } else { look.colour };
            let look = Look { colour, marker: Marker::Disc, fill: Fill::Hollow, ..*look };
            let points = first(path).map(|(x, y)| (x, Some(y))).into_iter().collect();
            plot.marks.push(Mark::Points { points, look, radius: 2.0 });
        }
        let tip = |(path, look): (&PlanePath, &Look)| {
            let (x, y) = path.points.iter().rev().find_map(PlanePoint::place)?;
            Some(Tip { x, y, name: path.label.clone(), colour: look.colour })
        };
        match listed {
            true => plot.named.extend(own().map(|(path, look)| Named {
                label: path.label.clone(),
                key: Key::Arrow { look: *look },
                end: None,
            })),
            false => {
                plot.marks.push(Mark::Tips { tips: own().filter_map(tip).collect(), size: style.small() });
            }
        }
        plot
    }

    /// Whether every panel has the names of all its conditions.
    fn names_all(&self, drawing: &Drawing) -> bool {
        self.conditions().into_iter().all(|condition| {
            let name = Rich::parse(condition).plain();
            let wanted = |panel: &&PlanePanel| {
                panel
                    .paths
                    .iter()
                    .any(|p| p.label == condition && p.points.iter().any(|p| p.place().is_some()))
            };
            let wanted = self.panels.iter().filter(wanted).count();
            drawing.texts.iter().filter(|text| text.text == name).count() >= wanted
        })
    }
}

fn places(path: &PlanePath) -> Vec<(f64, Option<f64>)> {
    let place = |point: &PlanePoint| point.place().map_or((0.0, None), |(x, y)| (x, Some(y)));
    path.points.iter().map(place).collect()
}

parts!(Trajectories, PlanePanel, [x_label, y_label], [interval, items]);
lines!(PlanePanel, paths, label, also items);

impl Figure for Trajectories {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let drawn = |listed: bool| {
            let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style, listed)).collect();
            grid::draw(&plots, self.columns, style, &self.name, &self.caption())
        };
        let named = drawn(false)?;
        if self.names_all(&named) { Ok(named) } else { drawn(true) }
    }

    fn csv(&self) -> String {
        let header = ["panel", "kind", "label", "round", "x", "x_lo", "x_hi", "y", "y_lo", "y_hi"];
        let mut csv = Csv::new(&header);
        for panel in &self.panels {
            for path in &panel.paths {
                for (round, p) in path.points.iter().enumerate() {
                    let (across, upright) = (p.x_interval.unzip(), p.y_interval.unzip());
                    let numbers = [Some(round as f64), p.x, across.0, across.1, p.y, upright.0, upright.1];
                    csv.row(&[&panel.title, "mean", &path.label], &numbers);
                }
            }
            for &(x, y) in &panel.items {
                csv.row(&[&panel.title, "item", ""], &[None, Some(x), None, None, Some(y), None, None]);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let conditions: Vec<_> = self.conditions().into_iter().map(plain).collect();
        let axes = (plain(&self.y_label), plain(&self.x_label));
        let mut out = vec![
            format!(
                "{} against {} for {}, by condition ({}).",
                axes.0,
                axes.1,
                listed(&titles),
                listed(&conditions)
            ),
            "Rings: means in round 0; an arrow leads from the mean of each round to that of the next.".into(),
        ];
        let crosses = || self.panels.iter().flat_map(PlanePanel::crosses);
        if crosses().any(|c| c.across.is_some() || c.upright.is_some()) {
            out.push(format!("Crosses: {}.", self.interval));
        }
        if self.panels.iter().any(|p| p.plane().is_some()) {
            out.push(format!(
                "Grey, from light to dark: regions that hold 90, 75, 50 and 25 % of {} (Gaussian kernels of Scott's \
                 widths), as far as the axes reach.",
                plain(&self.items)
            ));
        }
        if self.panels.iter().any(|p| !p.items.is_empty() && p.plane().is_none()) {
            out.push(format!("Not shaded: fewer than {LEAST} items, or items on one line."));
        }
        let missing = |p: &PlanePoint| p.place().is_none();
        if self.panels.iter().flat_map(|p| &p.paths).any(|path| path.points.iter().any(missing)) {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}
